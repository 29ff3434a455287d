//! Telling rules the past while payments go on: another engine of the same plan reads the journal, and takes the place of the
//! one at work with every payment counted once, whether the journal told it or this host decided it meanwhile.

use std::sync::{Arc, PoisonError};

use risk::{RuleEngine, RuleSet};
use store::Entry;

use super::Rules;
use crate::past::Past;

/// An engine that is told the past.
pub struct Rebuild<'r> {
    rules: &'r Rules,
    engine: RuleEngine,
    past: Past,
    through: u64,
}

impl Rules {
    /// Begins to tell the past, oldest first; `None` without rules. `past` is how this host reads entries.
    #[must_use]
    pub fn rebuild(&self, past: Past) -> Option<Rebuild<'_>> {
        let engine = self.look(|work| work.engine.blank())?;
        let past = if engine.looks_at(risk::Field::Product) { past.with_products() } else { past };
        Some(Rebuild { rules: self, engine, past, through: 0 })
    }

    /// The live set, if there is one.
    #[must_use]
    pub fn set(&self) -> Option<Arc<RuleSet>> {
        self.look(|work| Arc::clone(work.engine.set()))
    }
}

impl Rebuild<'_> {
    /// How much of the past is needed, in milliseconds.
    #[must_use]
    pub fn history_ms(&self) -> i64 {
        self.engine.history_ms()
    }

    /// What reads entries: it may ask for terminals and products first.
    pub fn past(&mut self) -> &mut Past {
        &mut self.past
    }

    /// The next entry of the journal.
    pub fn learn(&mut self, place: u64, entry: &Entry) {
        self.through = place;
        if let Some(payment) = self.past.payment(place, entry) {
            self.engine.learn(&payment.event());
        }
    }

    /// From now on payments that are decided are remembered. What was decided before has to be read from the journal after
    /// this: read on to its end, and then [`finish`](Self::finish).
    pub fn catch_up(&mut self) {
        if let Some(work) = &mut *self.rules.live.write().unwrap_or_else(PoisonError::into_inner) {
            work.recent = Some(Vec::new());
        }
    }

    /// The journal cannot be read: it will be told another time.
    pub fn give_up(self) {
        if let Some(work) = &mut *self.rules.live.write().unwrap_or_else(PoisonError::into_inner) {
            work.recent = None;
        }
    }

    /// Puts it to work.
    pub fn finish(self) {
        let mut live = self.rules.live.write().unwrap_or_else(PoisonError::into_inner);
        let Some(work) = &mut *live else { return };
        let recent = work.recent.take().unwrap_or_default();
        if !work.engine.take_windows(self.engine) {
            return; // other rules were published meanwhile: whoever did that tells them the past
        }
        (work.trails, work.through) = (self.past.into_trails(), self.through);
        let mut newest = self.through;
        for (place, mut facts) in recent.into_iter().filter(|(place, _)| *place > self.through) {
            facts.before = work.trails.before(&facts);
            work.engine.learn(&facts.event());
            work.trails.enter(&facts);
            newest = newest.max(place);
        }
        tracing::debug!(through = self.through, newest, "rules know the past");
    }
}
