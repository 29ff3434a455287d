//! Rules that come after the decision: told what the journal shows, asked about each payment once it is there, and never in
//! the way of one. They have windows of their own, so that each payment is counted exactly when it is asked about, and those
//! of other hosts of the store are counted, too.
//!
//! While their counters are being told the past nobody is asked: half a count says the wrong thing. What happens meanwhile
//! waits, and is asked about when the past is known, unless it was part of it.

use std::{collections::VecDeque, sync::Arc};

use authorization::RuleHit;
use diagnosis::{Observation, observation::Position};
use jiff::tz::TimeZone;
use model::{CardId, Rrn, Timestamp};
use risk::{Change, Limits, Phase, Plan, RuleEngine, RuleSet};
use store::Entry;

use super::hits::hit;
use crate::{
    observe::Names,
    past::{Following, Past, PastPayment},
};

/// What may wait for the past to be told; the oldest goes first, because the past will have it.
const WAITING_MAX: usize = 65_536;

/// The rules of the live set that are asked after the decision.
pub struct Afterwards {
    following: Following,
    engine: Option<RuleEngine>,
    /// Payments up to this place were learnt from the journal already.
    through: u64,
    /// The past is being told.
    learning: bool,
    /// What the journal showed meanwhile.
    waiting: VecDeque<(Observation, Option<Position>)>,
}

/// The past, told to the same rules from the journal.
pub struct AfterPast {
    engine: RuleEngine,
    past: Past,
    through: u64,
}

/// What they say about one payment.
#[derive(Debug, Clone, PartialEq)]
pub struct Told {
    /// Which payment.
    pub rrn: Rrn,
    /// Whose card.
    pub card: CardId,
    /// Where.
    pub terminal: String,
    /// When it was decided.
    pub at: Timestamp,
    /// Rules that fired, with their terms.
    pub fired: Vec<RuleHit>,
    /// Rules in shadow that would have.
    pub shadow: Vec<String>,
    /// Rules that had no truth value, and why.
    pub errors: Vec<(String, String)>,
}

impl Afterwards {
    /// None yet, for a host whose local time is that of `zone`.
    #[must_use]
    pub fn new(zone: TimeZone) -> Self {
        Self {
            following: Following::new(zone),
            engine: None,
            through: 0,
            learning: false,
            waiting: VecDeque::new(),
        }
    }

    /// Puts the rules of a set that come after the decision to work. `true`: the past has to be told.
    pub fn publish(&mut self, set: Option<Arc<RuleSet>>) -> bool {
        let set = set.filter(|set| set.rules().any(|rule| rule.phase == Phase::After));
        let plan = set.map(|set| Plan {
            set,
            beside: Vec::new(),
            phase: Some(Phase::After),
            limits: Limits::default(),
        });
        self.engine = match (self.engine.take(), plan) {
            (Some(before), Some(plan)) => Some(before.replaced_by(plan)),
            (None, Some(plan)) => Some(RuleEngine::at_work(plan)),
            (_, None) => None,
        };
        self.learning = self.engine.as_ref().is_some_and(|engine| engine.cold() > 0);
        self.learning
    }

    /// Takes over what staff changed: lists, snoozes.
    pub fn apply(&mut self, change: &Change) {
        if let Some(engine) = &mut self.engine {
            engine.apply(change);
        }
    }

    /// Begins to tell the past to the same rules; `None` without any. `past` is how this host reads entries.
    #[must_use]
    pub fn rebuild(&self, past: Past) -> Option<AfterPast> {
        let engine = self.engine.as_ref().map(RuleEngine::blank)?;
        let past = if engine.looks_at(risk::Field::Product) { past.with_products() } else { past };
        Some(AfterPast { engine, past, through: 0 })
    }

    /// Takes over what was told, up to a place of the journal.
    pub fn learnt(&mut self, told: AfterPast) {
        if let Some(at_work) = &mut self.engine
            && at_work.take_windows(told.engine)
        {
            (self.following, self.through) = (told.past.into_following(), told.through);
            self.learning = false;
        }
    }

    /// Takes what the journal shows at its next place; says what rules have to say about it, and about what waited.
    pub fn take(&mut self, seen: &Observation, told: Option<Position>, names: &Names) -> Vec<Told> {
        if self.learning {
            if self.waiting.len() >= WAITING_MAX {
                self.waiting.pop_front();
            }
            self.waiting.push_back((*seen, told));
            return Vec::new();
        }
        let mut said = self.take_waiting(names);
        said.extend(self.ask_about(seen, told, names));
        said
    }

    /// What rules have to say about payments that waited for the past to be told.
    pub fn take_waiting(&mut self, names: &Names) -> Vec<Told> {
        if self.learning || self.waiting.is_empty() {
            return Vec::new();
        }
        let waiting = std::mem::take(&mut self.waiting);
        waiting.iter().filter_map(|(seen, told)| self.ask_about(seen, *told, names)).collect()
    }

    fn ask_about(&mut self, seen: &Observation, told: Option<Position>, names: &Names) -> Option<Told> {
        let engine = self.engine.as_mut()?;
        if seen.place <= self.through {
            return None;
        }
        let payment = self.following.payment(seen, told, names)?;
        ask(engine, &payment)
    }
}

impl AfterPast {
    /// How much of the past is needed, in milliseconds.
    #[must_use]
    pub fn history_ms(&self) -> i64 {
        self.engine.history_ms()
    }

    /// What reads entries: it may ask for terminals and products first.
    pub fn past(&mut self) -> &mut Past {
        &mut self.past
    }

    /// The next entry of the journal; says what the rules would have said about it.
    pub fn learn(&mut self, place: u64, entry: &Entry) -> Option<Told> {
        self.through = place;
        let payment = self.past.payment(place, entry)?;
        ask(&mut self.engine, &payment)
    }
}

fn ask(engine: &mut RuleEngine, payment: &PastPayment) -> Option<Told> {
    let event = payment.event();
    let said = engine.assess_after(&event, event.at);
    engine.learn(&event);
    if said.is_silent() {
        return None;
    }
    Some(Told {
        rrn: payment.rrn(),
        card: event.card,
        terminal: event.terminal.to_owned(),
        at: event.at,
        fired: said.fired.iter().map(hit).collect(),
        shadow: said.shadow.iter().map(|hit| hit.rule.clone()).collect(),
        errors: said.errors.into_iter().map(|failed| (failed.rule, failed.what)).collect(),
    })
}
