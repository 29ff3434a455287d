//! `pinward why RRN`: what really happened to a refused payment, how sure that is, on what evidence, and what everybody
//! does now.

use std::{fmt::Write as _, io::Write as _, process::ExitCode};

use handbook::{Lang, cause_text};
use serde_json::Value;

use crate::asking::{self, Answer, Question, Where};

const NOT_FOUND: u8 = 3;
/// The people of the playbook, in the order in which a refusal reaches them.
const PEOPLE: [&str; 5] = ["cardholder", "cashier", "shop_owner", "engineer", "analyst"];

/// Options of `pinward why`.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Retrieval reference number (DE 37) of the refused payment.
    rrn: String,
    #[command(flatten)]
    wanted: Where,
    /// Language: zh or en [default: from LC_ALL, LC_MESSAGES or LANG]
    #[arg(long, value_name = "LANG")]
    lang: Option<Lang>,
    /// Print JSON, as `GET /api/v1/transactions/{rrn}/diagnosis` gives it.
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(options: Options) -> anyhow::Result<ExitCode> {
    let rrn = options.rrn.trim();
    if rrn.is_empty() || !rrn.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return Err(super::Usage("a reference number has letters and digits only".to_owned()).into());
    }
    let verdict = match asking::ask(&options.wanted, &Question::Why(rrn)).await? {
        Answer::Found(verdict) => verdict,
        Answer::NotFound => {
            eprintln!("pinward: no refusal {rrn}, or too long ago");
            return Ok(ExitCode::from(NOT_FOUND));
        }
    };
    let lang = options.lang.unwrap_or_else(super::explain::lang_of_environment);
    let text =
        if options.json { serde_json::to_string_pretty(&verdict)? + "\n" } else { page(&verdict, lang) };
    // A reader that went away, such as `head`, is not an error.
    let _ = std::io::stdout().lock().write_all(text.as_bytes());
    Ok(ExitCode::SUCCESS)
}

fn page(verdict: &Value, lang: Lang) -> String {
    let both = |value: &Value| value[lang.pick("zh", "en")].as_str().unwrap_or_default().to_owned();
    let name = |cause: &Value| {
        let cause = cause.as_str().unwrap_or_default();
        cause.parse().map_or_else(|_| cause.to_owned(), |cause| cause_text(cause).name(lang).to_owned())
    };
    let share = |value: &Value| value.as_f64().unwrap_or_default() * 100.0;
    let mut out = String::new();
    // Writing into a string cannot fail.
    let _ = writeln!(out, "{}", both(&verdict["sentence"]));
    let _ = write!(
        out,
        "\n{} ({}), {} {:.0} %",
        name(&verdict["cause"]),
        verdict["cause"].as_str().unwrap_or_default(),
        both(&verdict["certainty_text"]),
        share(&verdict["confidence"])
    );
    if let Some(incident) = verdict["incident"].as_u64() {
        let _ = write!(out, "  #{incident}");
    }
    out.push('\n');
    for other in verdict["others"].as_array().into_iter().flatten() {
        let _ = writeln!(out, "  {:4.0} %  {}", share(&other["confidence"]), name(&other["cause"]));
    }
    out.push('\n');
    for piece in verdict["evidence"].as_array().into_iter().flatten() {
        let _ = writeln!(
            out,
            "  {:+5.1}  {}",
            piece["weight"].as_f64().unwrap_or_default(),
            both(&piece["text"])
        );
    }
    for line in of_rules(&verdict["rules"]) {
        let _ = writeln!(out, "  {line}");
    }
    for person in PEOPLE {
        let role =
            handbook::Role::ALL.into_iter().find(|role| role.name() == person.trim_start_matches("shop_"));
        let heading = role.map_or(person, |role| role.text(lang));
        let _ = writeln!(out, "\n{heading}\n  {}", both(&verdict["playbook"][person]));
    }
    out
}

/// The risk rules that spoke: `decline not-so-much (suspected-fraud): amount = 10100`.
fn of_rules(rules: &Value) -> Vec<String> {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let fired = list(&rules["fired"]).into_iter().map(|hit| {
        let terms = list(&hit["terms"]);
        let values: Vec<String> =
            terms.iter().flat_map(|term| list(&term["values"])).map(|v| text(&v)).collect();
        let reason = hit["reason"].as_str().map(|reason| format!(" ({reason})")).unwrap_or_default();
        format!("{} {}{reason}: {}", text(&hit["action"]), text(&hit["rule"]), values.join(", "))
    });
    let faults = list(&rules["faults"]);
    let errors = list(&rules["errors"]).into_iter().enumerate().map(|(place, rule)| {
        format!("error {}: {}", text(&rule), faults.get(place).map(text).unwrap_or_default())
    });
    let beside = list(&rules["beside"]).into_iter().map(|set| {
        let fired: Vec<String> = list(&set["rules"]).iter().map(text).collect();
        format!("shadow {:.10} {}: {}", text(&set["version"]), text(&set["action"]), fired.join(", "))
    });
    let shadow = list(&rules["shadow"]).into_iter().map(|rule| format!("shadow {}", text(&rule)));
    fired.chain(errors).chain(shadow).chain(beside).collect()
}
