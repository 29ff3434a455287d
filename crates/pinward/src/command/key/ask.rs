//! What people type: secrets without echo, twice; confirmations. An end of input, Esc or Ctrl-C ends the step before
//! anything is kept.

use std::{
    io::{self, BufRead, IsTerminal, Read, Write},
    sync::OnceLock,
};

use crossterm::{
    event::{self, Event, KeyCode, KeyEventKind, KeyModifiers},
    terminal,
};
use tokio::signal::unix::{SignalKind, signal};
use zeroize::Zeroizing;

use crate::command::Usage;

/// Characters of a typed secret at most.
const LENGTH_MAX: usize = 1024;
/// The exit code of a program that a signal ended is this and the signal's number.
const ENDED_BY_SIGNAL: i32 = 128;
/// How often it is asked for.
const ATTEMPTS: usize = 3;

/// A secret that is typed twice, and means the same both times: `read` says what an entry means, or what is wrong with it.
pub(super) fn secret_twice<T: PartialEq>(
    what: &str,
    read: impl Fn(&Zeroizing<String>) -> Result<T, String>,
) -> anyhow::Result<T> {
    for _ in 0..ATTEMPTS {
        let first = match read(&secret(what)?) {
            Ok(first) => first,
            Err(wrong) => {
                eprintln!("{wrong}; once more.");
                continue;
            }
        };
        let again = secret(&format!("{what}, once more"))?;
        if read(&again).is_ok_and(|again| again == first) {
            return Ok(first);
        }
        eprintln!("The two entries differ; once more from the beginning.");
    }
    Err(anyhow::anyhow!("{what}: {ATTEMPTS} times no two equal entries; nothing was kept"))
}

/// Which of standard input and output must be a terminal.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Sides {
    Input,
    Both,
}

/// Refuses where there is nobody: `what` such as `the component is typed`.
pub(super) fn a_terminal(what: &str, sides: Sides) -> anyhow::Result<()> {
    if io::stdin().is_terminal() && (sides == Sides::Input || io::stdout().is_terminal()) {
        return Ok(());
    }
    Err(Usage(format!("{what} at a terminal, and this is none")).into())
}

/// A secret that is typed at a terminal; stars are shown.
pub(super) fn secret(what: &str) -> anyhow::Result<Zeroizing<String>> {
    a_terminal(&format!("{what} is typed"), Sides::Input)?;
    eprint!("{what}: ");
    io::stderr().flush()?;
    restore_when_ended()?;
    let raw = RawMode::on()?;
    let typed = typed();
    drop(raw);
    eprintln!();
    typed
}

fn typed() -> anyhow::Result<Zeroizing<String>> {
    // Never grows, so no copy of a part stays behind in memory.
    let mut text = Zeroizing::new(String::with_capacity(LENGTH_MAX * 4));
    loop {
        let Event::Key(key) = event::read()? else { continue };
        if key.kind == KeyEventKind::Release {
            continue;
        }
        match key.code {
            KeyCode::Enter => return Ok(text),
            KeyCode::Esc => return Err(interrupted()),
            KeyCode::Char('c' | 'd') if key.modifiers.contains(KeyModifiers::CONTROL) => {
                return Err(interrupted());
            }
            KeyCode::Backspace if text.pop().is_some() => eprint!("\u{8} \u{8}"),
            KeyCode::Char(character) if text.len() < LENGTH_MAX => {
                text.push(character);
                eprint!("*");
            }
            _ => {}
        }
        io::stderr().flush()?;
    }
}

fn interrupted() -> anyhow::Error {
    anyhow::anyhow!("interrupted; nothing was kept")
}

/// Gives the terminal its echo back when a signal ends the program at a prompt: nothing is dropped then.
fn restore_when_ended() -> io::Result<()> {
    static WATCHED: OnceLock<()> = OnceLock::new();
    if WATCHED.set(()).is_err() {
        return Ok(());
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (mut terminated, mut hung_up) = {
        let _inside = runtime.enter();
        (signal(SignalKind::terminate())?, signal(SignalKind::hangup())?)
    };
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        let code = runtime.block_on(async {
            tokio::select! {
                _ = terminated.recv() => ENDED_BY_SIGNAL + SignalKind::terminate().as_raw_value(),
                _ = hung_up.recv() => ENDED_BY_SIGNAL + SignalKind::hangup().as_raw_value(),
            }
        });
        let _ = terminal::disable_raw_mode();
        std::process::exit(code)
    })?;
    Ok(())
}

/// The terminal without echo, until this is dropped.
struct RawMode;

impl RawMode {
    fn on() -> io::Result<Self> {
        terminal::enable_raw_mode()?;
        Ok(Self)
    }
}

impl Drop for RawMode {
    fn drop(&mut self) {
        let _ = terminal::disable_raw_mode();
    }
}

/// A secret of one line from a file, or from standard input for `-`.
pub(super) fn secret_from(path: &std::path::Path) -> anyhow::Result<Zeroizing<String>> {
    let mut text = Zeroizing::new(String::with_capacity(LENGTH_MAX * 4));
    let limit = LENGTH_MAX as u64 + 1;
    if path == std::path::Path::new("-") {
        io::stdin().lock().take(limit).read_line(&mut text)?;
    } else {
        let file = std::fs::File::open(path)
            .map_err(|e| anyhow::anyhow!("cannot read the component from {}: {e}", path.display()))?;
        io::BufReader::new(file).take(limit).read_line(&mut text)?;
    }
    Ok(text)
}

/// A question that is answered with `yes`.
pub(super) fn confirmed(question: &str) -> anyhow::Result<bool> {
    eprint!("{question} Type yes to go on: ");
    io::stderr().flush()?;
    let mut answer = String::new();
    io::stdin().lock().take(64).read_line(&mut answer)?;
    Ok(answer.trim().eq_ignore_ascii_case("yes"))
}

/// Wipes what was shown, where there is a screen.
pub(super) fn clear_screen() {
    if io::stdout().is_terminal() {
        let _ = crossterm::execute!(
            io::stdout(),
            terminal::Clear(terminal::ClearType::All),
            terminal::Clear(terminal::ClearType::Purge),
            crossterm::cursor::MoveTo(0, 0)
        );
    }
}
