//! Where most of the deliberate mistakes are made: states, entries and answers are changed on their way, after the judge
//! has looked at them, so that the judge has to find the consequence.

use std::sync::Arc;

use authorization::{Effect, Role};
use store::{Card, Engine, Entry, Event, Subject};

use crate::{bug::Bug, run::Run};

/// Where the journal ended when this life of a host began.
#[derive(Debug, Clone, Copy)]
pub struct Restarted {
    end: u64,
}

impl Restarted {
    /// It ended there.
    #[must_use]
    pub fn at(end: u64) -> Self {
        Self { end }
    }
}

/// A state on its way to the host.
pub fn card(run: &Run, restarted: &Restarted, mut card: Arc<Card>) -> Arc<Card> {
    match run.bug {
        Some(Bug::ForgetDuplicates) if restarted.end > 0 => {
            Arc::make_mut(&mut card).state.traces.retain(|trace| trace.journal_seq > restarted.end);
        }
        Some(Bug::LockInMemory) => {
            let newest = card.state.traces.back().map_or(0, |trace| trace.journal_seq);
            if newest <= restarted.end {
                Arc::make_mut(&mut card).state.lock = None;
            }
        }
        _ => {}
    }
    card
}

/// An entry on its way to the journal.
pub fn entry(run: &Run, mut entry: Entry) -> Entry {
    if run.has(Bug::ReversalGivesTryBack)
        && let Event::Transaction(transaction) = &mut entry.event
        && transaction.role == Role::Reversal
    {
        transaction.effects.push(Effect::ResetTries);
    }
    if run.has(Bug::RestoreTooMuch)
        && let Event::Desk(action) = &mut entry.event
    {
        for effect in &mut action.effects {
            if let Effect::RestoreTries { restored } = effect {
                restored.counter = restored.counter.after_restoring(1);
            }
        }
    }
    entry
}

/// A stored answer on its way to a repeat.
pub async fn repeat(run: &Run, engine: &dyn Engine, entry: Option<Entry>) -> Option<Entry> {
    let mut entry = entry?;
    match run.bug {
        Some(Bug::AnswerAnew) => {
            // The last byte before the code.
            let byte = entry.exchange.as_mut().and_then(|exchange| exchange.reply.iter_mut().nth_back(8));
            byte.into_iter().for_each(|byte| *byte ^= 1);
        }
        Some(Bug::PostTwice) => post_again(engine, &entry).await,
        _ => {}
    }
    Some(entry)
}

async fn post_again(engine: &dyn Engine, first: &Entry) {
    let mut again = first.clone();
    let Subject::Card(id) = again.subject else { return };
    let Ok(Some(card)) = engine.card(&id).await else { return };
    again.seq = card.state.seq + 1;
    if let Event::Transaction(transaction) = &mut again.event {
        transaction.effects.retain(|effect| matches!(effect, Effect::Post { .. }));
        if !transaction.effects.is_empty() {
            let _ = engine.append(again).await;
        }
    }
}
