//! The bank's risk rules at work in this host: a rule set can be published while payments are decided, is asked within the
//! authorization, and learns what became of each payment when that is durable.
//!
//! ```text
//! decide ─► as it would be without rules ─► [`Rules::assess`] ─► decide anew, if a rule acts ─► append ─► [`Rules::observe`]
//!                                                          journal ─► [`Afterwards`]: rules that come after the decision
//! ```
//!
//! Asking takes a read lock and no more; without a rule set it is one look at a flag. What became of payments waits in a row until
//! the next one is asked about, and is learnt then all at once: journals answer in groups, so it is one lock for many.

mod after;
mod facts;
mod hits;
mod rebuild;
mod trail;

use std::sync::{
    Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
    atomic::{
        AtomicBool,
        Ordering::{Acquire, Relaxed, Release},
    },
};

use authorization::{RiskVerdict, RuleHits};
use model::{CardId, ReasonCode, Timestamp};
use risk::{Action, Change, Contents, DeclineReason, Limits, Phase, Plan, RuleEngine, RuleSet, Verdict};

pub use self::{
    after::{AfterPast, Afterwards, Told},
    facts::Facts,
    rebuild::Rebuild,
    trail::{TRAILS_MAX, Trails},
};
pub(crate) use self::{
    facts::{clock, digits, entry_mode, first_six, pin},
    trail::Remembered,
};

/// Changes that nobody has taken.
const CHANGES_MAX: usize = 256;

/// Payments that wait to be learnt; one more has them learnt at once.
const WAITING_MAX: usize = 256;

/// The rules of this host. Cheap to ask from anywhere.
#[derive(Default)]
pub struct Rules {
    live: RwLock<Option<AtWork>>,
    /// Decided, and not learnt yet. Locked after `live`, or alone.
    waiting: Mutex<Vec<Waiting>>,
    /// Is there something in it?
    behind: AtomicBool,
    /// Is there a rule set? Asked with every payment.
    on: AtomicBool,
    changes: Mutex<Vec<Change>>,
}

/// A payment that is durable, at a place of the journal.
struct Waiting {
    place: u64,
    payment: Box<Assessed>,
}

/// Rules at work, and what they know.
struct AtWork {
    engine: RuleEngine,
    trails: Trails,
    /// Payments up to this place of the journal were learnt from there: whoever decided them comes too late.
    through: u64,
    /// What was decided while the past is told to another engine.
    recent: Option<Vec<(u64, Facts)>>,
}

/// One payment, and what the rules said about it.
pub(crate) struct Assessed {
    pub(crate) facts: Facts,
    /// For the decision.
    pub(crate) verdict: RiskVerdict,
    /// For the journal; none when no rule spoke.
    pub(crate) hits: Option<Box<RuleHits>>,
    /// Is the terminal to be suspended?
    pub(crate) blocks_terminal: bool,
    said: Verdict,
}

impl Rules {
    /// Puts a rule set to work in the place of the one before, with what that one has counted, and sets that run in shadow
    /// beside it; `None` and nothing beside: no rules. Says whether the past has to be told ([`rebuild`](Self::rebuild)),
    /// because rules ask for something that was not counted yet.
    pub fn publish(&self, set: Option<Arc<RuleSet>>, beside: Vec<Arc<RuleSet>>, limits: Limits) -> bool {
        let mut live = self.live.write().unwrap_or_else(PoisonError::into_inner);
        if set.is_none() && beside.is_empty() {
            *live = None;
            self.on.store(false, Relaxed);
            return false;
        }
        let set = set.unwrap_or_else(|| Arc::new(RuleSet::empty()));
        let plan = Plan { set, beside, phase: Some(Phase::Authorize), limits };
        let next = match live.take() {
            Some(before) => AtWork { engine: before.engine.replaced_by(plan), ..before },
            None => AtWork {
                engine: RuleEngine::at_work(plan),
                trails: Trails::default(),
                through: 0,
                recent: None,
            },
        };
        let cold = next.engine.cold() > 0;
        *live = Some(next);
        self.on.store(true, Relaxed);
        cold
    }

    /// How far back a new rule set must be told the journal, in milliseconds; `None` without rules.
    #[must_use]
    pub fn history_ms(&self) -> Option<i64> {
        self.look(|work| work.engine.history_ms())
    }

    /// Everything that is counted at that time.
    #[must_use]
    pub fn contents(&self, now: Timestamp) -> Contents {
        let live = self.up_to_date();
        live.as_ref().map(|work| work.engine.contents(now)).unwrap_or_default()
    }

    /// Takes over what staff changed: lists, snoozes, demoted rules.
    pub fn apply(&self, change: &Change) {
        if let Some(work) = &mut *self.live.write().unwrap_or_else(PoisonError::into_inner) {
            work.engine.apply(change);
        }
    }

    /// Staff, or a program, changed something about a card.
    pub fn card_changed(&self, card: CardId, at: Timestamp) {
        if let Some(work) = &mut *self.live.write().unwrap_or_else(PoisonError::into_inner) {
            work.trails.changed(card, at);
        }
    }

    /// Forgets members of lists and snoozes that have ended.
    pub fn forget_ended(&self, now: Timestamp) {
        if let Some(work) = &mut *self.live.write().unwrap_or_else(PoisonError::into_inner) {
            work.engine.forget_ended(now);
        }
    }

    /// What the rules did to themselves since the last call: those that declined too much and were demoted.
    #[must_use]
    pub fn take_changes(&self) -> Vec<Change> {
        drop(self.up_to_date());
        std::mem::take(&mut *self.changes.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Are there any?
    pub(crate) fn are_on(&self) -> bool {
        self.on.load(Relaxed)
    }

    /// Asks about a payment as it would be decided without rules, and fills in what was before it.
    pub(crate) fn assess(&self, mut facts: Facts, now: Timestamp) -> Option<Box<Assessed>> {
        let live = self.up_to_date();
        let work = live.as_ref()?;
        facts.before = work.trails.before(&facts);
        let said = work.engine.assess(&facts.event(), now);
        let version = work.engine.set().digest();
        let hits = (!said.is_silent()).then(|| Box::new(hits::of(version, &said)));
        let blocks_terminal = matches!(said.action, Some(Action::BlockTerminal(_)));
        Some(Box::new(Assessed { facts, verdict: verdict(said.action), hits, blocks_terminal, said }))
    }

    /// The decision is durable, at a place of the journal: the counters take it before they are asked the next time.
    pub(crate) fn observe(&self, place: u64, payment: Box<Assessed>) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.push(Waiting { place, payment });
        self.behind.store(true, Release);
        let many = waiting.len() >= WAITING_MAX;
        drop(waiting);
        if many {
            drop(self.up_to_date());
        }
    }

    /// The rules, with everything learnt that was told before.
    fn up_to_date(&self) -> RwLockReadGuard<'_, Option<AtWork>> {
        // Whoever told of a payment before this call did so before it set the flag, and both under one lock; a flag that is
        // seen late is that of a payment that was told at the same time.
        if !self.behind.load(Acquire) {
            return self.live.read().unwrap_or_else(PoisonError::into_inner);
        }
        let mut live = self.live.write().unwrap_or_else(PoisonError::into_inner);
        let waiting = {
            let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            self.behind.store(false, Release);
            std::mem::take(&mut *waiting)
        };
        if let Some(work) = &mut *live {
            let changes: Vec<Change> = waiting.into_iter().flat_map(|one| work.take(one)).collect();
            self.keep(changes);
        }
        RwLockWriteGuard::downgrade(live)
    }

    fn keep(&self, changes: Vec<Change>) {
        if changes.is_empty() {
            return;
        }
        let mut kept = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        for change in changes.into_iter().take(CHANGES_MAX.saturating_sub(kept.len())) {
            tracing::warn!(?change, "a rule declines too much and acts no more");
            kept.push(change);
        }
    }

    fn look<T>(&self, look: impl FnOnce(&AtWork) -> T) -> Option<T> {
        let live = self.live.read().unwrap_or_else(PoisonError::into_inner);
        live.as_ref().map(look)
    }
}

impl AtWork {
    fn take(&mut self, Waiting { place, payment }: Waiting) -> Vec<Change> {
        if place <= self.through {
            return Vec::new();
        }
        self.trails.enter(&payment.facts);
        let changes = self.engine.observe(&payment.facts.event(), &payment.said);
        if let Some(recent) = &mut self.recent {
            recent.push((place, payment.facts));
        }
        changes
    }
}

/// What an action means to the decision. What only tells changes nothing.
fn verdict(action: Option<Action>) -> RiskVerdict {
    match action {
        None | Some(Action::Alert | Action::Review | Action::Approve) => RiskVerdict::Pass,
        Some(Action::StepUp) => RiskVerdict::StepUp,
        Some(Action::Decline(why) | Action::BlockTerminal(why)) => RiskVerdict::Decline(reason(why)),
        Some(Action::BlockCard(why)) => RiskVerdict::BlockCard(reason(why)),
    }
}

fn reason(why: DeclineReason) -> ReasonCode {
    match why {
        DeclineReason::NotPermitted => ReasonCode::NotPermittedByRule,
        DeclineReason::AmountLimit => ReasonCode::AmountLimitByRule,
        DeclineReason::TooOften => ReasonCode::TooOftenByRule,
        DeclineReason::RestrictedCard => ReasonCode::RestrictedByRule,
        DeclineReason::SecurityViolation => ReasonCode::SecurityViolationByRule,
        DeclineReason::SuspectedFraud => ReasonCode::SuspectedFraud,
    }
}
