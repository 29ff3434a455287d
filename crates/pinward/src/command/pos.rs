//! `pinward pos`: a POS terminal in this window, or a story from a file.
//!
//! In the window a person signs in, chooses a card, types amount and PIN, reads what the cardholder would read, and sees the
//! messages go by, masked. The story of the program is [`drive`]: draw, wait for a key, perhaps talk to the host, draw again. What a
//! key means is in [`app`], what is seen in [`view`].

mod app;
mod view;

use std::io::{self, IsTerminal, Read};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyEvent, KeyEventKind};
use simulator::{Language, Story};

use self::app::{App, Next};
use super::Usage;
use super::trigger::{self, How, Where};

/// Options of `pinward pos`.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Play a story from a file instead; `-` reads it from standard input
    #[arg(long, value_name = "FILE")]
    script: Option<PathBuf>,
    /// The terminal to be, by its number (DE 41); the first free one otherwise
    #[arg(long, value_name = "TID")]
    terminal: Option<String>,
    /// The language of display and receipts
    #[arg(long, value_name = "LANGUAGE", default_value = "zh", value_parser = ["zh", "en"])]
    language: String,
    #[command(flatten)]
    at: Where,
    #[command(flatten)]
    how: How,
}

/// Runs the command.
///
/// # Errors
/// When there is no sandbox, no free terminal, or the window cannot be used.
pub(crate) async fn run(options: Options) -> anyhow::Result<ExitCode> {
    match &options.script {
        Some(path) => {
            let story = read_story(path)?;
            trigger::play(&story, &options.at.open()?, &options.how).await
        }
        None if io::stdin().is_terminal() && io::stdout().is_terminal() => emulate(options).await,
        None => {
            Err(Usage("pos needs a terminal window; without one, give it a story: --script FILE".to_owned())
                .into())
        }
    }
}

fn read_story(path: &PathBuf) -> anyhow::Result<Story> {
    let from_stdin = path.as_os_str() == "-";
    let mut text = String::new();
    let read = if from_stdin {
        io::stdin().take(STORY_BYTES_MAX).read_to_string(&mut text).map(drop)
    } else {
        std::fs::read_to_string(path).map(|file| text = file)
    };
    read.map_err(|error| Usage(format!("cannot read {}: {error}", path.display())))?;
    let name =
        if from_stdin { "stdin" } else { path.file_stem().and_then(|n| n.to_str()).unwrap_or("story") };
    Story::parse(name, &text).map_err(|error| Usage(error.to_string()).into())
}

/// A story is a page or two; what is longer on standard input is something else.
const STORY_BYTES_MAX: u64 = 1 << 20;

async fn emulate(options: Options) -> anyhow::Result<ExitCode> {
    let language = if options.language == "en" { Language::En } else { Language::Zh };
    let wanted = match &options.terminal {
        Some(id) => Some(id.parse().map_err(|e| Usage(format!("--terminal: {e}")))?),
        None => None,
    };
    let mut app = App::open(options.at.open()?, options.how.settings(), language, wanted)?;
    let mut window = ratatui::try_init().context("cannot use this window")?;
    let driven = drive(&mut window, &mut app).await;
    ratatui::restore();
    driven.map(|()| ExitCode::SUCCESS)
}

async fn drive(window: &mut DefaultTerminal, app: &mut App) -> anyhow::Result<()> {
    loop {
        window.draw(|frame| view::draw(frame, app))?;
        let Some(key) = tokio::task::block_in_place(next_key)? else { continue };
        match app.press(key) {
            Next::Wait => {}
            Next::Quit => return Ok(()),
            Next::Do(order) => {
                app.busy = true;
                window.draw(|frame| view::draw(frame, app))?;
                app.perform(order).await;
                app.busy = false;
            }
        }
    }
}

/// The next key that goes down; `None` for everything else that happens to a window.
fn next_key() -> io::Result<Option<KeyEvent>> {
    Ok(match event::read()? {
        Event::Key(key) if key.kind != KeyEventKind::Release => Some(key),
        _ => None,
    })
}
