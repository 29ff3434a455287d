//! What a store says after its power was cut, against what the terminals saw.

use std::{
    collections::{HashMap, HashSet},
    fmt,
    path::Path,
};

use anyhow::{Context, ensure};
use authorization::Effect;
use model::CardId;
use rusqlite::Connection;
use store::{Engine, Event, Subject};

/// An answer that a terminal got: its number, trace number, reference and response code.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Answer([String; 4]);

impl Answer {
    /// Reads a line of the console.
    pub(super) fn read(line: &str) -> anyhow::Result<Self> {
        let words: Vec<String> = line.split(' ').skip(1).map(str::to_owned).collect();
        Ok(Self(<[String; 4]>::try_from(words).ok().with_context(|| format!("cannot read {line:?}"))?))
    }
}

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Verdict {
    /// Entries in the journal.
    entries: u64,
    /// Tries that the journal counted.
    tries: u64,
    /// Answers that are not in it.
    pub(super) lost: Vec<Answer>,
    /// What else is wrong.
    pub(super) faults: Vec<String>,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { entries, tries, lost, faults } = self;
        write!(f, "{entries} entries, {tries} tries counted, {} lost, {} faults", lost.len(), faults.len())
    }
}

/// Opens the store as a restart would and compares.
pub(super) async fn judge(store: &Path, seen: &[Answer]) -> anyhow::Result<Verdict> {
    ensure!(!seen.is_empty(), "no terminal had an answer");
    let mut verdict = Verdict::default();
    let engine = match store_sql::open(store) {
        Ok(engine) => engine,
        Err(error) => {
            // It knows that something is missing, and says so instead of going on without.
            verdict.lost = seen.to_vec();
            verdict.faults.push(format!("the store does not open: {error}"));
            return Ok(verdict);
        }
    };
    let mut kept = HashSet::new();
    let mut tries = HashMap::<CardId, u32>::new();
    while let Some(entry) = engine.entry(verdict.entries + 1).await? {
        verdict.entries += 1;
        let (Subject::Card(card), Event::Transaction(transaction)) = (entry.subject, &entry.event) else {
            continue;
        };
        let counted = count(tries.entry(card).or_default(), &transaction.effects);
        verdict.tries += u64::from(counted);
        let key = transaction.key;
        kept.insert(Answer([
            key.terminal.to_string(),
            format!("{:06}", key.stan.get()),
            transaction.rrn.to_string(),
            transaction.code.to_string(),
        ]));
    }
    verdict.lost = seen.iter().filter(|answer| !kept.contains(answer)).cloned().collect();
    for (card, counted) in tries {
        let state = &engine.card(&card).await?.context("a card of the journal")?.state;
        if u32::from(state.tries.used()) != counted {
            verdict
                .faults
                .push(format!("card {card}: {} tries, its journal says {counted}", state.tries.used()));
        }
    }
    drop(engine);
    for file in ["registers.db", "archive.db"] {
        let conn = Connection::open(store.join(file))?;
        let found: String = conn.query_row("PRAGMA integrity_check", [], |row| row.get(0))?;
        if found != "ok" {
            verdict.faults.push(format!("{file}: {found}"));
        }
    }
    Ok(verdict)
}

/// Counts the tries of an entry independently of the product's fold: plus one, or back to none.
fn count(tries: &mut u32, effects: &[Effect]) -> u32 {
    let mut counted = 0;
    for effect in effects {
        match effect {
            Effect::CountTry { .. } => {
                *tries += 1;
                counted += 1;
            }
            Effect::ResetTries | Effect::Unlock { .. } => *tries = 0,
            _ => {}
        }
    }
    counted
}
