//! `pinward case`: the desk's cases at the command line. Looking at them reads the store beside its host, as `pinward card` does;
//! opening one and working on it goes through the running host, which knows who asks and what they may do.

mod deed;
mod page;

use std::{io::Write as _, path::PathBuf, process::ExitCode, sync::Arc};

use clap::builder::PossibleValuesParser;
use handbook::Lang;
use office::CaseDesk;
use serde_json::{Map, Value, json};
use web::told::{self, NotTold};

use super::Usage;
use crate::{asking, casework, storage::Place};

const NOT_FOUND: u8 = 3;
const CONFLICT: u8 = 5;

/// Options of `pinward case`.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Data directory.
    #[arg(long, value_name = "DIR", default_value = "pinward-data", global = true)]
    data: PathBuf,
    /// Language: zh or en [default: from LC_ALL, LC_MESSAGES or LANG]
    #[arg(long, value_name = "LANG", global = true)]
    lang: Option<Lang>,
    /// Print JSON, as the API gives it.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    what: What,
}

#[derive(clap::Subcommand)]
enum What {
    /// List cases: open ones by what is due first.
    List {
        /// Which [default: open]
        #[arg(long, value_parser = ["open", "new", "in-work", "waiting", "closed", "all"])]
        status: Option<String>,
        /// Only those that somebody has.
        #[arg(long, value_name = "NAME")]
        assignee: Option<String>,
        /// At most so many.
        #[arg(long, short = 'n', default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=500))]
        lines: u32,
    },
    /// One case: what it is about, its clocks, what is to be done, what was looked at, what happened.
    Show {
        /// Its number.
        case: u32,
    },
    /// Open a case with everything that is known attached; if one about the same is open, that one.
    Open(Opening),
    /// Work on a case.
    Act {
        /// Its number.
        case: u32,
        #[command(subcommand)]
        deed: deed::Deed,
    },
}

/// About what: at most one of the first five.
#[derive(clap::Args)]
struct Opening {
    /// A card: last four digits, masked number, or id.
    #[arg(long, group = "about")]
    card: Option<String>,
    /// A refused payment, by its reference (DE 37).
    #[arg(long, group = "about")]
    rrn: Option<String>,
    /// A terminal (DE 41).
    #[arg(long, group = "about", value_name = "TID")]
    terminal: Option<String>,
    /// An incident, by its number.
    #[arg(long, group = "about", value_name = "NUMBER")]
    incident: Option<u64>,
    /// An alarm, by its number.
    #[arg(long, group = "about", value_name = "NUMBER")]
    alarm: Option<u32>,
    /// In a sentence [default: what is known, in codes]
    #[arg(long, default_value = "", hide_default_value = true)]
    summary: String,
    /// Who calls, as far as they are named.
    #[arg(long, default_value = "", hide_default_value = true)]
    caller: String,
    /// How soon [default: by how it came]
    #[arg(long, value_parser = PossibleValuesParser::new(desk::Priority::ALL.iter().map(|p| p.name())))]
    priority: Option<String>,
}

pub(crate) async fn run(options: Options) -> anyhow::Result<ExitCode> {
    match &options.what {
        What::List { status, assignee, lines } => {
            let (status, who) =
                (status.as_deref().unwrap_or_default(), assignee.as_deref().unwrap_or_default());
            let list =
                told::cases(&*cases(&options).await?, status, who, *lines).await.map_err(understood)?;
            let text = if options.json { pretty(&list)? } else { page::list(&list, lang_of(&options)) };
            if text.is_empty() {
                eprintln!("no cases");
            }
            print(&text);
            Ok(ExitCode::SUCCESS)
        }
        What::Show { case } => {
            let shown = told::case(&*cases(&options).await?, *case, lang_of(&options)).await;
            let Some(shown) = shown.map_err(understood)? else {
                eprintln!("pinward: no case {case}");
                return Ok(ExitCode::from(NOT_FOUND));
            };
            print(&if options.json { pretty(&shown)? } else { page::one(&shown, lang_of(&options)) });
            Ok(ExitCode::SUCCESS)
        }
        What::Open(opening) => open(&options, opening).await,
        What::Act { case, deed } => {
            let (path, body) = deed.request(*case);
            tell(&options, &path, &body).await
        }
    }
}

/// The language of the environment, where none was named.
fn lang_of(options: &Options) -> Lang {
    options.lang.unwrap_or_else(super::explain::lang_of_environment)
}

/// The cases of the directory's store, as they stand in its book.
async fn cases(options: &Options) -> anyhow::Result<Arc<CaseDesk>> {
    let place = Place::of_data(&options.data)?;
    if !place.exists() {
        return Err(Usage(format!("there is no store in {}", options.data.display())).into());
    }
    Ok(casework::open(place.book().await?))
}

fn understood(why: NotTold) -> anyhow::Error {
    match why {
        NotTold::NotUnderstood(why) => Usage(why).into(),
        NotTold::Store(error) => error.into(),
    }
}

async fn open(options: &Options, opening: &Opening) -> anyhow::Result<ExitCode> {
    let mut body = Map::new();
    if let Some(wanted) = &opening.card {
        let archive = Place::of_data(&options.data)?.archive().await?;
        let Some(card) = super::card::find(&*archive, wanted).await? else {
            return Ok(super::card::not_found(wanted));
        };
        body.insert("card".to_owned(), json!(card.id.to_string()));
    }
    let known = [
        ("rrn", opening.rrn.as_ref().map(|rrn| json!(rrn))),
        ("terminal", opening.terminal.as_ref().map(|terminal| json!(terminal))),
        ("incident", opening.incident.map(|incident| json!(incident))),
        ("alarm", opening.alarm.map(|alarm| json!(alarm))),
        ("priority", opening.priority.as_ref().map(|priority| json!(priority))),
        ("summary", Some(json!(opening.summary))),
        ("caller", Some(json!(opening.caller))),
    ];
    body.extend(known.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
    tell(options, "/api/v1/cases", &Value::Object(body)).await
}

/// Asks the host to do it, and prints what came of it.
async fn tell(options: &Options, path: &str, body: &Value) -> anyhow::Result<ExitCode> {
    let lang = lang_of(options);
    let Some((status, answer)) = asking::tell(&options.data, path, body, lang).await? else {
        eprintln!(
            "pinward: no host answers for {}: cases are worked on while it runs",
            options.data.display()
        );
        return Ok(ExitCode::from(super::trigger::UNAVAILABLE));
    };
    let detail = answer["detail"].as_str().unwrap_or_default();
    match status {
        200..=299 => {
            print(&if options.json { pretty(&answer)? } else { page::done(&answer, lang) });
            Ok(ExitCode::SUCCESS)
        }
        404 => {
            eprintln!("pinward: not found: {path}");
            Ok(ExitCode::from(NOT_FOUND))
        }
        409 => {
            eprintln!("pinward: {detail}");
            Ok(ExitCode::from(CONFLICT))
        }
        422 => Err(Usage(detail.to_owned()).into()),
        _ => anyhow::bail!("{path} was answered {status}: {detail}"),
    }
}

fn pretty(value: &Value) -> anyhow::Result<String> {
    Ok(serde_json::to_string_pretty(value)? + "\n")
}

/// A reader that went away, such as `head`, is not an error.
fn print(text: &str) {
    let _ = std::io::stdout().lock().write_all(text.as_bytes());
}
