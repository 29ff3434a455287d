//! `pinward load`: terminals that pay as fast as they are answered.
//!
//! A closed loop: each connection is one terminal with one card, and sends its next sale when the last one was answered (depth 1).
//! So the rate is what this host gave to this many terminals, not what it would do when more came. The load is made on the same
//! machine and with the same care as every terminal here - PIN block, MAC, belief in the reply - and takes its share of the
//! processors; `pinward bench` measures the host's parts without it.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Context;
use model::{Amount, Kind};
use simulator::fault::Habits;
use simulator::memory::MemoryError;
use simulator::sandbox::Card;
use simulator::terminal::Settings;
use simulator::{Answer, Sandbox, Terminal, TerminalError};

use super::Usage;
use super::trigger::{FAILED, UNAVAILABLE, Where};

/// Options of `pinward load`.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// How many terminals pay at the same time, each on its own connection
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..))]
    connections: u16,
    /// Requests under way per connection. Terminals have one
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1))]
    depth: u16,
    /// For how long
    #[arg(long, value_name = "S", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=3600))]
    seconds: u64,
    /// Which listener of the sandbox, from 0
    #[arg(long, value_name = "N", default_value_t = 0)]
    listener: usize,
    /// Cards of this product pay
    #[arg(long, value_name = "NAME", default_value = "debit-standard")]
    product: String,
    /// The result as one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    at: Where,
}

/// One yuan: an amount without a sandbox lever in its cents.
const AMOUNT: Amount = Amount(100);
/// Trace numbers written as used at a time: a file write per message would be measured.
const TRACE_NUMBERS_AT_A_TIME: u32 = 10_000;
/// A reply later than this is none.
const REPLY_TIMEOUT: Duration = Duration::from_secs(15);

/// Runs the command.
///
/// # Errors
/// When there is no sandbox, or fewer free terminals than connections.
pub(crate) async fn run(options: Options) -> anyhow::Result<ExitCode> {
    let sandbox = options.at.open()?;
    let terminals = claim(&sandbox, &options)?;
    let mut cards = sandbox.cards.into_iter().filter(|c| c.product == options.product);
    eprintln!("{} terminals sign in, then pay for {} s", terminals.len(), options.seconds);
    let mut ready = Vec::new();
    for mut terminal in terminals {
        match prepare(&mut terminal, &mut cards).await {
            Ok(card) => ready.push((terminal, card)),
            Err(error) if matches!(error.downcast_ref(), Some(TerminalError::Unreachable { .. })) => {
                eprintln!("pinward: {}", super::sentence(&error));
                return Ok(ExitCode::from(UNAVAILABLE));
            }
            Err(error) => return Err(error),
        }
    }
    let began = Instant::now();
    let until = began + Duration::from_secs(options.seconds);
    let tasks: Vec<_> = ready.into_iter().map(|(t, c)| tokio::spawn(pay_until(t, c, until))).collect();
    let mut tally = Tally::default();
    for task in tasks {
        tally.add(task.await.context("a terminal broke off")?);
    }
    tally.print(began.elapsed(), &options);
    Ok(if tally.troubles.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(FAILED) })
}

/// From the end of the list: stories and people begin elsewhere.
fn claim(sandbox: &Sandbox, options: &Options) -> anyhow::Result<Vec<Terminal>> {
    let settings = Settings { reply_timeout: REPLY_TIMEOUT, ..Settings::default() };
    let suits = |t: &&simulator::sandbox::TerminalEntry| {
        t.listener == options.listener && Habits::of(t.tid).is_healthy()
    };
    let mut terminals = Vec::new();
    for entry in sandbox.terminals.iter().rev().filter(suits) {
        if terminals.len() == usize::from(options.connections) {
            break;
        }
        match Terminal::open(sandbox, entry.tid, settings) {
            Ok(mut terminal) => {
                terminal.reserve_trace_numbers(TRACE_NUMBERS_AT_A_TIME);
                terminals.push(terminal);
            }
            Err(TerminalError::Memory(MemoryError::InUse(_))) => {}
            Err(error) => return Err(error.into()),
        }
    }
    if terminals.len() < usize::from(options.connections) {
        let fault = format!("{} connections need as many free terminals", options.connections);
        return Err(Usage(format!("{fault}; listener {} has {}", options.listener, terminals.len())).into());
    }
    Ok(terminals)
}

/// Signs in and finds a card that is in good order: one that a story has locked would be measured as a decline.
async fn prepare(terminal: &mut Terminal, cards: &mut impl Iterator<Item = Card>) -> anyhow::Result<Card> {
    let outcome = terminal.sign_in().await?;
    if !outcome.answer.is_approval() {
        anyhow::bail!("terminal {}: sign-in was answered {}", terminal.id(), outcome.answer);
    }
    for card in cards {
        let pin = Some(card.pin.reveal().as_str());
        if terminal.pay_with(Kind::Balance, &card, Amount::ZERO, pin).await?.answer.is_approval() {
            return Ok(card);
        }
    }
    Err(Usage("there are not as many cards in good order as connections".to_owned()).into())
}

async fn pay_until(mut terminal: Terminal, card: Card, until: Instant) -> Tally {
    let mut tally = Tally::default();
    while Instant::now() < until {
        let sent = Instant::now();
        match terminal.pay_with(Kind::Sale, &card, AMOUNT, Some(card.pin.reveal())).await {
            Ok(outcome) => tally.count(&outcome.answer, sent.elapsed()),
            Err(error) => {
                tally.troubles.push(super::sentence(&error.into()));
                break;
            }
        }
        // The log is for people; here it would only grow.
        drop(terminal.take_log());
    }
    // The batch is closed, so that the terminal's next user begins with totals that DE 48 can hold (counts have 3 digits).
    if let Err(error) = terminal.settle().await {
        tally.note_settlement(error);
    }
    tally
}

/// What came back, and after how long.
#[derive(Default)]
struct Tally {
    micros: Vec<u32>,
    answers: BTreeMap<String, u64>,
    troubles: Vec<String>,
}

impl Tally {
    /// Latencies of messages that were not answered are their time-out and would hide in the percentiles: they are counted
    /// among the answers as `--`, not here.
    fn count(&mut self, answer: &Answer, took: Duration) {
        *self.answers.entry(answer.to_string()).or_default() += 1;
        if answer.code().is_some() {
            self.micros.push(u32::try_from(took.as_micros()).unwrap_or(u32::MAX));
        }
    }

    /// A dialect without settlement has no totals to close.
    fn note_settlement(&mut self, error: TerminalError) {
        if !matches!(error, TerminalError::NotInDialect(_)) {
            self.troubles.push(super::sentence(&error.into()));
        }
    }

    fn add(&mut self, other: Tally) {
        self.micros.extend(other.micros);
        for (answer, count) in other.answers {
            *self.answers.entry(answer).or_default() += count;
        }
        self.troubles.extend(other.troubles);
    }

    fn print(&mut self, took: Duration, options: &Options) {
        self.micros.sort_unstable();
        let rate = self.micros.len() as f64 / took.as_secs_f64();
        let [p50, p99, max] = [0.50, 0.99, 1.0].map(|q| self.quantile_ms(q));
        if options.json {
            println!(
                "{}",
                serde_json::json!({
                    "connections": options.connections, "depth": options.depth, "seconds": took.as_secs_f64(),
                    "answered": self.micros.len(), "per_second": rate,
                    "p50_ms": p50, "p99_ms": p99, "max_ms": max,
                    "answers": self.answers, "troubles": self.troubles,
                })
            );
        } else {
            println!("{rate:.0} payments per second over {} connections, closed loop", options.connections);
            println!("answered after: p50 {p50:.2} ms  p99 {p99:.2} ms  longest {max:.2} ms");
            let answers: Vec<_> =
                self.answers.iter().map(|(code, count)| format!("{code} × {count}")).collect();
            println!("answers: {}", answers.join("  "));
            self.troubles.iter().for_each(|trouble| println!("trouble: {trouble}"));
        }
    }

    /// The smallest time that this share of the answered messages did not exceed (nearest rank).
    fn quantile_ms(&self, share: f64) -> f64 {
        let rank = (share * self.micros.len() as f64).ceil() as usize;
        self.micros.get(rank.saturating_sub(1)).map_or(0.0, |micros| f64::from(*micros) / 1000.0)
    }
}
