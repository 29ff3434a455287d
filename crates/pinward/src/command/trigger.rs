//! `pinward trigger NAME`: plays a story against a running sandbox and says whether it came out as written.
//!
//! Lines of the log go to stdout as they happen; words about the story go to stderr. Stories are explained in
//! `crates/simulator/stories/README.md`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use serde::Serialize;
use simulator::runner::{self, Event, RunError};
use simulator::terminal::Settings;
use simulator::{Language, Sandbox, Story, TerminalError};

use super::Usage;

/// Something came out otherwise.
pub(super) const FAILED: u8 = 1;
/// Nothing listens (sysexits EX_UNAVAILABLE).
pub(super) const UNAVAILABLE: u8 = 69;

/// Options of `pinward trigger`.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// The story's name; see --list
    #[arg(required_unless_present = "list")]
    name: Option<String>,
    /// List the stories
    #[arg(long)]
    list: bool,
    #[command(flatten)]
    at: Where,
    #[command(flatten)]
    how: How,
}

/// Which sandbox.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Where {
    /// The data directory of the sandbox, with sandbox.json in it
    #[arg(long, value_name = "DIR", default_value = "./pinward-data")]
    data: PathBuf,
    /// The sandbox file itself
    #[arg(long, value_name = "FILE", conflicts_with = "data")]
    sandbox: Option<PathBuf>,
}

/// How to play a story.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct How {
    /// One JSON object per step
    #[arg(long)]
    json: bool,
    /// How long a terminal waits for a reply, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 15_000)]
    reply_timeout_ms: u64,
    /// A pause before each line, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 0)]
    pace_ms: u64,
}

/// Runs the command.
///
/// # Errors
/// When the sandbox file cannot be read.
pub(crate) async fn run(options: Options) -> anyhow::Result<ExitCode> {
    if options.list {
        list(options.how.json);
        return Ok(ExitCode::SUCCESS);
    }
    let name = options.name.unwrap_or_default();
    let story = Story::builtin(&name)
        .ok_or_else(|| Usage(format!("there is no story '{name}'; pinward trigger --list shows them")))?;
    play(&story, &options.at.open()?, &options.how).await
}

/// Plays "error 75" with a card and a terminal of its own, for a sandbox that opens. Returns the reference number (DE 37) of the
/// message that locked the card, if it came to that.
///
/// # Errors
/// When the sandbox cannot be read or the story cannot be played.
pub(crate) async fn play_opening(opening: &impl Serialize) -> anyhow::Result<Option<String>> {
    let sandbox: Sandbox = serde_json::from_value(serde_json::to_value(opening)?)?;
    let story = Story::builtin("error-75").context("the story is missing")?;
    let report =
        runner::run(&story, &sandbox, &runner::Options::default(), &mut |event| print(&event, false)).await?;
    let locked = report.steps.iter().find(|s| s.answer.code().is_some_and(|c| c.as_str() == "75"));
    Ok(locked.and_then(|step| step.rrn.clone()))
}

fn list(json: bool) {
    for story in Story::names().filter_map(Story::builtin) {
        let (en, zh) = (story.title(Language::En), story.title(Language::Zh));
        if json {
            println!("{}", serde_json::json!({ "name": story.name, "title": { "en": en, "zh-CN": zh } }));
        } else {
            println!("{:16} {en} / {zh}", story.name);
        }
    }
}

impl How {
    /// Of the terminals.
    pub(super) fn settings(&self) -> Settings {
        Settings { reply_timeout: Duration::from_millis(self.reply_timeout_ms), ..Settings::default() }
    }
}

impl Where {
    /// The file that was meant.
    fn path(&self) -> PathBuf {
        self.sandbox.clone().unwrap_or_else(|| self.data.join(simulator::sandbox::FILE_NAME))
    }

    /// Reads it.
    ///
    /// # Errors
    /// When it is not there or not a sandbox file.
    pub(super) fn open(&self) -> anyhow::Result<Sandbox> {
        Sandbox::read(&self.path()).map_err(|error| Usage(super::sentence(&error.into())).into())
    }
}

/// Plays a story and prints what happens.
///
/// # Errors
/// Never for what came out otherwise: that is exit code 1.
pub(super) async fn play(story: &Story, sandbox: &Sandbox, how: &How) -> anyhow::Result<ExitCode> {
    let json = how.json;
    eprintln!("{}: {} / {}", story.name, story.title(Language::En), story.title(Language::Zh));
    let options = runner::Options { terminal: how.settings(), pace: Duration::from_millis(how.pace_ms) };
    let played = runner::run(story, sandbox, &options, &mut |event| print(&event, json)).await;
    match played {
        Ok(report) if report.passed() => {
            eprintln!("{}: as written, {} messages", report.story, report.steps.len());
            Ok(ExitCode::SUCCESS)
        }
        Ok(report) => {
            eprintln!(
                "{}: {} of {} lines came out otherwise",
                report.story,
                report.failures.len(),
                story.lines.len()
            );
            Ok(ExitCode::from(FAILED))
        }
        Err(error) => {
            let code = if is_unreachable(&error) { UNAVAILABLE } else { FAILED };
            eprintln!("pinward: {}", super::sentence(&anyhow::Error::new(error)));
            Ok(ExitCode::from(code))
        }
    }
}

fn print(event: &Event<'_>, json: bool) {
    match (event, json) {
        (Event::Line(_), _) => {}
        (Event::Step(step), true) => print_json(step),
        (Event::Step(step), false) => println!("{step}"),
        (Event::Failed(failure), true) => print_json(failure),
        (Event::Failed(failure), false) => {
            println!("         line {}: {}  BUT {}", failure.line, failure.text, failure.got);
        }
    }
}

fn print_json(value: &impl Serialize) {
    match serde_json::to_string(value) {
        Ok(text) => println!("{text}"),
        Err(error) => eprintln!("pinward: cannot write a step: {error}"),
    }
}

fn is_unreachable(error: &RunError) -> bool {
    matches!(error, RunError::Terminal(TerminalError::Unreachable { .. }))
}
