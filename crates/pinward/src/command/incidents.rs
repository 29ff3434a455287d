//! `pinward incidents`: what was found behind many refusals, newest first.

use std::{io::Write as _, process::ExitCode};

use handbook::{Lang, cause_text};
use serde_json::Value;

use crate::asking::{self, Answer, Question, Where};

const HEADING: &str = "   id  since                status        cause                 where                   sure %  cards  refused  what";

/// Options of `pinward incidents`.
#[derive(clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    wanted: Where,
    /// Only those that stand there: open, provisional, acknowledged, absorbed, over, retracted or closed.
    #[arg(long, value_name = "STATUS")]
    status: Option<String>,
    /// At most so many.
    #[arg(long, short = 'n', default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=500))]
    lines: u32,
    /// Language: zh or en [default: from LC_ALL, LC_MESSAGES or LANG]
    #[arg(long, value_name = "LANG")]
    lang: Option<Lang>,
    /// Print JSON, as `GET /api/v1/incidents` gives it.
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(options: Options) -> anyhow::Result<ExitCode> {
    let status = options.status.as_deref().unwrap_or_default();
    if !status.bytes().all(|b| b.is_ascii_lowercase()) {
        return Err(super::Usage(format!("no such status: {status}")).into());
    }
    let question = Question::Incidents(status, options.lines);
    let Answer::Found(page) = asking::ask(&options.wanted, &question).await? else {
        anyhow::bail!("the host knows no incidents: is it an older version?");
    };
    let lang = options.lang.unwrap_or_else(super::explain::lang_of_environment);
    let incidents = page["data"].as_array().map(Vec::as_slice).unwrap_or_default();
    if options.json {
        println!("{}", serde_json::to_string_pretty(&page)?);
    } else if incidents.is_empty() {
        eprintln!("no incidents");
    }
    if !options.json && !incidents.is_empty() {
        let mut out = std::io::stdout().lock();
        // A reader that went away, such as `head`, is not an error.
        let _ = writeln!(out, "{HEADING}");
        for incident in incidents {
            if writeln!(out, "{}", line(incident, lang)).is_err() {
                break;
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn line(incident: &Value, lang: Lang) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let cause = text(&incident["cause"]);
    let name = cause.parse().map_or_else(|_| cause.clone(), |c| cause_text(c).name(lang).to_owned());
    format!(
        "{:>5}  {}  {:12}  {:20}  {:9} {:12}  {:>4.0}  {:>5}  {:>7}  {name}",
        incident["id"].as_u64().unwrap_or_default(),
        text(&incident["onset"]).replace('T', " ").get(..19).unwrap_or_default(),
        text(&incident["status"]),
        cause,
        text(&incident["scope"]["kind"]),
        text(&incident["scope"]["name"]),
        incident["confidence"].as_f64().unwrap_or_default() * 100.0,
        incident["cards"].as_u64().unwrap_or_default(),
        incident["refused"]["count"].as_u64().unwrap_or_default(),
    )
}
