//! Plays a story: finds terminals and cards, does line after line, compares what came with what must come.
//!
//! Steps are reported as they happen, so that a person can watch; what did not come as expected is collected and decides the
//! exit code. Only a host that is not there stops a story.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use model::{Amount, KeyScheme, Kind};

use crate::fault::Habits;
use crate::memory::MemoryError;
use crate::sandbox::{Card, Sandbox, TerminalEntry};
use crate::step::{Answer, Step};
use crate::story::{
    Act, Action, CardWish, Expected, ExpectedAnswer, Line, PinChoice, Story, TerminalWish, Verb,
};
use crate::terminal::{Outcome, Settings, Terminal, TerminalError};

/// How to play.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// Of the terminals.
    pub terminal: Settings,
    /// A pause before each line, so that people can follow.
    pub pace: Duration,
}

/// What happens while a story is played.
#[derive(Debug)]
pub enum Event<'a> {
    /// This line is about to be played.
    Line(&'a Line),
    /// An exchange with the host.
    Step(&'a Step),
    /// Something came that was not expected.
    Failed(&'a Failure),
}

/// Something came that was not expected.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Failure {
    /// The line's number.
    pub line: usize,
    /// The line.
    pub text: String,
    /// What came instead.
    pub got: String,
}

/// How it went.
#[derive(Debug, Clone)]
pub struct Report {
    /// The story's name.
    pub story: String,
    /// All exchanges, in order.
    pub steps: Vec<Step>,
    /// What came unexpectedly. Empty: the story is true.
    pub failures: Vec<Failure>,
}

impl Report {
    /// Did everything come as expected?
    #[must_use]
    pub fn passed(&self) -> bool {
        self.failures.is_empty()
    }
}

/// Why a story cannot be played at all.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// No terminal of that kind is free.
    #[error("no free terminal for {0}: other processes use them, or the sandbox has none")]
    NoTerminal(String),
    /// No card of that kind is in good order.
    #[error(
        "no card for {0}: none that fits answered its balance inquiry with 00; they are locked (pinward card unlock, or start \
         the sandbox anew), used by another process, or this terminal cannot pay: has it signed in?"
    )]
    NoCard(String),
    /// A terminal cannot work.
    #[error(transparent)]
    Terminal(#[from] TerminalError),
}

/// Plays a story from beginning to end.
///
/// # Errors
/// [`RunError`] when there is nothing to play it with; what merely came out otherwise is in the [`Report`].
pub async fn run(
    story: &Story,
    sandbox: &Sandbox,
    options: &Options,
    observe: &mut (dyn for<'e> FnMut(Event<'e>) + Send),
) -> Result<Report, RunError> {
    let mut stage = Stage::set(story, sandbox, options)?;
    let mut report = Report { story: story.name.clone(), steps: Vec::new(), failures: Vec::new() };
    for line in &story.lines {
        tokio::time::sleep(options.pace).await;
        observe(Event::Line(line));
        match &line.action {
            Action::Wait(duration) => tokio::time::sleep(*duration).await,
            Action::Act(act) => {
                let played = stage.play(act).await;
                let steps = stage.terminals[act.terminal].take_log();
                steps.iter().for_each(|step| observe(Event::Step(step)));
                let wrong = verdict(&act.expected, played, &steps)?;
                report.steps.extend(steps);
                if let Some(got) = wrong {
                    let failure = Failure { line: line.number, text: line.text.clone(), got };
                    observe(Event::Failed(&failure));
                    report.failures.push(failure);
                }
            }
        }
    }
    stage.pay_debts().await;
    Ok(report)
}

/// The people and things of a story.
struct Stage<'a> {
    story: &'a Story,
    sandbox: &'a Sandbox,
    terminals: Vec<Terminal>,
    cards: Vec<Option<Claimed<'a>>>,
}

/// A card that this process may use.
struct Claimed<'a> {
    card: &'a Card,
    at: usize,
    /// The lock lasts as long as this is open.
    lock: Option<File>,
}

/// The product of other banks' cards: a story gets one only if it says so.
const FOREIGN: &str = "foreign";
/// How many cards are tried before a story gives up: each costs an exchange.
const CARDS_TRIED_MAX: usize = 40;

impl<'a> Stage<'a> {
    fn set(story: &'a Story, sandbox: &'a Sandbox, options: &Options) -> Result<Stage<'a>, RunError> {
        let mut terminals = Vec::new();
        for wish in &story.terminals {
            let taken: Vec<_> = terminals.iter().map(Terminal::id).collect();
            let terminal = find_terminal(sandbox, wish, &taken, options.terminal)?;
            terminals.push(terminal.ok_or_else(|| RunError::NoTerminal(wish.name.clone()))?);
        }
        let cards = story.cards.iter().map(|_| None).collect();
        Ok(Stage { story, sandbox, terminals, cards })
    }

    async fn play(&mut self, act: &Act) -> Result<Outcome, RunError> {
        if let Some(card) = card_of(&act.verb) {
            self.need_card(card, act.terminal).await?;
        }
        let terminal = &mut self.terminals[act.terminal];
        terminal.faults = act.faults.clone();
        let card = |at: &usize| match &self.cards[*at] {
            Some(claimed) => Ok(claimed.card),
            None => Err(RunError::NoCard(self.story.cards[*at].name.clone())),
        };
        let outcome = match &act.verb {
            Verb::SignIn => terminal.sign_in().await?,
            Verb::SignOut => terminal.sign_out().await?,
            Verb::Echo => terminal.echo().await?,
            Verb::Settle => terminal.settle().await?,
            Verb::Repeat => terminal.repeat().await?,
            Verb::SwitchKeys => terminal.switch_to_next()?,
            Verb::SwitchBack => terminal.switch_back()?,
            Verb::Void => terminal.void(None).await?,
            Verb::Reverse => terminal
                .send_owed_reversal()
                .await?
                .ok_or(TerminalError::NothingToDo("reversal that is owed"))?,
            Verb::Complete { amount } => terminal.complete(*amount).await?,
            Verb::Refund { card: at, amount } => terminal.pay(Kind::Refund, card(at)?, *amount, None).await?,
            Verb::Balance { card: at, pin } => {
                pay(terminal, Kind::Balance, card(at)?, Amount::ZERO, pin).await?
            }
            Verb::Sale { card: at, amount, pin } => {
                pay(terminal, Kind::Sale, card(at)?, *amount, pin).await?
            }
            Verb::PreAuth { card: at, amount, pin } => {
                pay(terminal, Kind::PreAuth, card(at)?, *amount, pin).await?
            }
            Verb::ChangePin { card: at, pin, new } => {
                let card = card(at)?;
                terminal.change_pin(card, pin.typed(card).reveal(), new.typed(card).reveal()).await?
            }
            Verb::Operator(act) => terminal.operate(act).await?,
        };
        let claimed = card_of(&act.verb).and_then(|at| self.cards[at].as_ref());
        if let Some(claimed) = claimed.filter(|_| is_locked(&outcome)) {
            claimed.set_aside();
        }
        Ok(outcome)
    }

    /// The first card that fits, is not in use, and is proven to be in good order.
    async fn need_card(&mut self, wanted: usize, terminal: usize) -> Result<(), RunError> {
        if self.cards[wanted].is_some() || !self.terminals[terminal].is_signed_in() {
            return Ok(());
        }
        let sandbox = self.sandbox;
        let wish = &self.story.cards[wanted];
        let mut tried = 0;
        // The first cards of the list are for people; stories take from the second half, and only then from the first.
        let half = sandbox.cards.len() / 2;
        let (first, second) = sandbox.cards.split_at(half);
        let foreign = (sandbox.cards.len()..).zip(&sandbox.foreign_cards);
        let foreign = foreign.filter(|_| wish.product.as_deref() == Some(FOREIGN));
        let in_order = (half..).zip(second).chain((0..).zip(first)).chain(foreign);
        for (at, card) in in_order.filter(|(_, card)| fits(wish, card)) {
            let in_story = self.cards.iter().flatten().any(|claimed| claimed.at == at);
            let Some(lock) = (if in_story { None } else { claim(sandbox.directory.as_deref(), at) }) else {
                continue;
            };
            let pin = Some(card.pin.reveal().as_str());
            let outcome = self.terminals[terminal].pay_with(Kind::Balance, card, Amount::ZERO, pin).await?;
            if outcome.answer.is_approval() {
                self.cards[wanted] = Some(Claimed { card, at, lock });
                return Ok(());
            }
            Claimed { card, at, lock }.set_aside();
            tried += 1;
            if tried >= CARDS_TRIED_MAX {
                break;
            }
        }
        Err(RunError::NoCard(wish.name.clone()))
    }

    /// A story leaves no reversal behind: the next user of the terminal did not order it. If the host is gone, it stays
    /// in the terminal's memory.
    async fn pay_debts(&mut self) {
        for terminal in &mut self.terminals {
            if terminal.is_signed_in() {
                let _ = terminal.send_owed_reversal().await;
            }
        }
    }
}

async fn pay(
    terminal: &mut Terminal,
    kind: Kind,
    card: &Card,
    amount: Amount,
    pin: &PinChoice,
) -> Result<Outcome, TerminalError> {
    match pin {
        PinChoice::Right => terminal.pay(kind, card, amount, Some(card.pin.reveal())).await,
        PinChoice::Wrong => terminal.pay(kind, card, amount, Some(card.wrong_pin().reveal())).await,
        PinChoice::Digits(digits) => terminal.pay(kind, card, amount, Some(digits)).await,
        PinChoice::None => terminal.pay(kind, card, amount, None).await,
    }
}

fn card_of(verb: &Verb) -> Option<usize> {
    match verb {
        Verb::Balance { card, .. }
        | Verb::Sale { card, .. }
        | Verb::PreAuth { card, .. }
        | Verb::Refund { card, .. }
        | Verb::ChangePin { card, .. } => Some(*card),
        Verb::SignIn
        | Verb::SignOut
        | Verb::Echo
        | Verb::Settle
        | Verb::Reverse
        | Verb::Repeat
        | Verb::SwitchKeys
        | Verb::SwitchBack
        | Verb::Void
        | Verb::Operator(_)
        | Verb::Complete { .. } => None,
    }
}

/// From the second half of the list, then from the first: `pinward pos` begins at the front.
fn find_terminal(
    sandbox: &Sandbox,
    wish: &TerminalWish,
    taken: &[model::TerminalId],
    settings: Settings,
) -> Result<Option<Terminal>, TerminalError> {
    if let Some(id) = wish.id {
        return Terminal::open(sandbox, id, settings).map(Some);
    }
    let (front, back) = sandbox.terminals.split_at(sandbox.terminals.len() / 2);
    let scheme = wish.scheme.unwrap_or(KeyScheme::Tdes);
    let suits = |entry: &&TerminalEntry| {
        !taken.contains(&entry.tid)
            && Habits::of(entry.tid).is_healthy()
            && is_where_wished(sandbox, wish, entry)
            && entry.keys.scheme() == scheme
            && wish.next.is_none_or(|next| entry.next.as_ref().is_some_and(|n| n.keys.scheme() == next))
    };
    for entry in back.iter().chain(front).chain(&sandbox.scheme_terminals).filter(suits) {
        match Terminal::open(sandbox, entry.tid, settings) {
            // It may have switched to other keys since the file was written.
            Ok(terminal) if terminal.scheme() != scheme => {}
            Ok(terminal) => return Ok(Some(terminal)),
            Err(TerminalError::Memory(MemoryError::InUse(_))) => {}
            Err(other) => return Err(other),
        }
    }
    Ok(None)
}

/// Stories about other keys do not know at which listener a sandbox has them.
fn is_where_wished(sandbox: &Sandbox, wish: &TerminalWish, entry: &TerminalEntry) -> bool {
    match (wish.listener, wish.scheme) {
        (Some(listener), _) => entry.listener == listener,
        (None, None) => entry.listener == 0,
        (None, Some(_)) => sandbox.listener_of(entry).is_some_and(|l| l.dialect.starts_with("cup-pos")),
    }
}

fn fits(wish: &CardWish, card: &Card) -> bool {
    wish.product.as_ref().is_none_or(|product| *product == card.product)
        && wish.pin_has.is_none_or(|digit| card.pin.reveal().contains(digit))
}

/// Takes the card for this process. Without a directory there are no other processes; outer `None`: it is in use, or was
/// found locked less than a day ago.
fn claim(directory: Option<&Path>, at: usize) -> Option<Option<File>> {
    const SET_ASIDE: Duration = Duration::from_secs(24 * 3600);
    let Some(directory) = directory else { return Some(None) };
    let path = directory.join("pos").join(format!("card-{at}.lock"));
    let file = File::options().read(true).write(true).create(true).truncate(false).open(path).ok()?;
    file.try_lock().ok()?;
    let marked = file.metadata().ok()?;
    let lately = marked.modified().ok().and_then(|at| at.elapsed().ok()).is_some_and(|age| age < SET_ASIDE);
    (marked.len() == 0 || !lately).then_some(Some(file))
}

fn is_locked(outcome: &Outcome) -> bool {
    outcome.answer.code().is_some_and(|code| matches!(code.as_str(), "75" | "38"))
}

impl Claimed<'_> {
    /// Marks the card as locked, so that the next story does not begin by asking it.
    fn set_aside(&self) {
        if let Some(mut file) = self.lock.as_ref() {
            // A mark that cannot be written costs the next story one inquiry.
            let _ = file.set_len(0).and_then(|()| file.write_all(b"locked\n"));
        }
    }
}

/// What is wrong with what came; `None` if nothing. A host that is not there ends the story.
fn verdict(
    expected: &Expected,
    played: Result<Outcome, RunError>,
    steps: &[Step],
) -> Result<Option<String>, RunError> {
    let outcome = match played {
        Ok(outcome) => outcome,
        Err(error @ (RunError::NoTerminal(_) | RunError::NoCard(_))) => return Err(error),
        Err(RunError::Terminal(error @ (TerminalError::Unreachable { .. } | TerminalError::Memory(_)))) => {
            return Err(error.into());
        }
        Err(RunError::Terminal(error)) => return Ok(Some(chain(&error))),
    };
    let mut wrong = Vec::new();
    if !expected.answers.iter().any(|answer| answer.is(&outcome.answer)) {
        wrong.push(outcome.answer.to_string());
    }
    if let Some(code) = expected.reversed {
        match steps.iter().rev().find(|step| step.what == "reversal") {
            Some(step) if step.answer == Answer::Code(code) => {}
            Some(step) => wrong.push(format!("reversed={}", step.answer)),
            None => wrong.push("no reversal".to_owned()),
        }
    }
    if expected.same_bytes && outcome.same_bytes != Some(true) {
        wrong.push("other bytes".to_owned());
    }
    if expected.balanced && outcome.balanced != Some(true) {
        wrong.push("not balanced".to_owned());
    }
    Ok((!wrong.is_empty()).then(|| wrong.join(", ")))
}

impl ExpectedAnswer {
    fn is(&self, answer: &Answer) -> bool {
        match (self, answer) {
            (ExpectedAnswer::Code(expected), Answer::Code(code)) => expected == code,
            (ExpectedAnswer::Silence, Answer::Silence)
            | (ExpectedAnswer::Unusable, Answer::Unusable(_))
            | (ExpectedAnswer::NotSent, Answer::NotSent(_)) => true,
            _ => false,
        }
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |e| e.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
