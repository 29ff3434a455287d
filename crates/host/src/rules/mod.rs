//! The bank's risk rules at work in this host: a rule set can be published while payments are decided, is asked within the
//! authorization, and learns what became of each payment when that is durable.
//!
//! ```text
//! decide ─► as it would be without rules ─► [`Rules::assess`] ─► decide anew, if a rule acts ─► append ─► [`Rules::observe`]
//! ```
//!
//! Asking takes a read lock and no more; without a rule set it is one look at a flag.

mod facts;

use std::sync::{
    Arc, Mutex, PoisonError, RwLock,
    atomic::{AtomicBool, Ordering::Relaxed},
};

use authorization::{RiskVerdict, RuleHits, rules::RuleHit};
use model::{ReasonCode, Timestamp};
use risk::{Action, Change, DeclineReason, Limits, RuleEngine, RuleSet, Verdict};
use store::Entry;

pub(crate) use self::facts::{Facts, entry_mode, first_six, pin};

/// Rules that fired, and those that would have: more are left out of an entry.
const HITS_MAX: usize = 12;
/// An id in an entry has at most so many bytes.
const ID_MAX: usize = 48;
/// Changes that nobody has taken.
const CHANGES_MAX: usize = 256;

/// The rules of this host. Cheap to ask from anywhere.
#[derive(Default)]
pub struct Rules {
    live: RwLock<Option<RuleEngine>>,
    /// Is there a rule set? Asked with every payment.
    on: AtomicBool,
    changes: Mutex<Vec<Change>>,
}

/// What the rules said about one payment.
pub(crate) struct Assessed {
    /// For the decision.
    pub(crate) verdict: RiskVerdict,
    /// For the journal; none when no rule spoke.
    pub(crate) hits: Option<Box<RuleHits>>,
    /// Is the terminal to be suspended?
    pub(crate) blocks_terminal: bool,
    said: Verdict,
}

impl Rules {
    /// Puts a rule set to work in the place of the one before, with what that one has counted; `None`: no rules.
    pub fn publish(&self, set: Option<Arc<RuleSet>>, limits: Limits) {
        let mut live = self.live.write().unwrap_or_else(PoisonError::into_inner);
        *live = match (live.take(), set) {
            (Some(before), Some(set)) => Some(before.succeeded_by(set)),
            (None, Some(set)) => Some(RuleEngine::new(set, limits)),
            (_, None) => None,
        };
        self.on.store(live.is_some(), Relaxed);
    }

    /// How far back a new rule set must be told the journal, in milliseconds; `None` without rules.
    #[must_use]
    pub fn history_ms(&self) -> Option<i64> {
        let live = self.live.read().unwrap_or_else(PoisonError::into_inner);
        live.as_ref().map(RuleEngine::history_ms)
    }

    /// Tells a payment of the past, oldest first: how the counters are rebuilt at a start.
    pub fn learn(&self, entry: &Entry) {
        let Some(facts) = Facts::of_entry(entry) else { return };
        if let Some(engine) = &mut *self.live.write().unwrap_or_else(PoisonError::into_inner) {
            engine.learn(&facts.event());
        }
    }

    /// Takes over what staff changed: lists, snoozes, demoted rules.
    pub fn apply(&self, change: &Change) {
        if let Some(engine) = &mut *self.live.write().unwrap_or_else(PoisonError::into_inner) {
            engine.apply(change);
        }
    }

    /// What the rules did to themselves since the last call: those that declined too much and were demoted.
    #[must_use]
    pub fn take_changes(&self) -> Vec<Change> {
        std::mem::take(&mut *self.changes.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Are there any?
    pub(crate) fn are_on(&self) -> bool {
        self.on.load(Relaxed)
    }

    /// Asks about a payment as it would be decided without rules.
    pub(crate) fn assess(&self, facts: &Facts, now: Timestamp) -> Option<Assessed> {
        let live = self.live.read().unwrap_or_else(PoisonError::into_inner);
        let engine = live.as_ref()?;
        let said = engine.assess(&facts.event(), now);
        let version = engine.set().digest();
        let hits = (!said.is_silent()).then(|| Box::new(hits(version, &said)));
        let blocks_terminal = matches!(said.action, Some(Action::BlockTerminal(_)));
        Some(Assessed { verdict: verdict(said.action), hits, blocks_terminal, said })
    }

    /// The decision is durable: the counters take it.
    pub(crate) fn observe(&self, facts: &Facts, assessed: &Assessed, reason: ReasonCode, approved: bool) {
        let changes = match &mut *self.live.write().unwrap_or_else(PoisonError::into_inner) {
            Some(engine) => engine.observe(&facts.event().decided(reason, approved), &assessed.said),
            None => return,
        };
        if !changes.is_empty() {
            let mut kept = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
            for change in changes.into_iter().take(CHANGES_MAX.saturating_sub(kept.len())) {
                tracing::warn!(?change, "a rule declines too much and acts no more");
                kept.push(change);
            }
        }
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

/// At most two kilobytes: 36 ids of 48 bytes at the very most, and a digest.
fn hits(version: &str, said: &Verdict) -> RuleHits {
    let id = |rule: &str| rule.chars().take(ID_MAX).collect::<String>();
    let decided = said.decided_by().map(|fired| &fired.rule);
    let mut fired: Vec<_> = said.fired.iter().collect();
    fired.sort_by_key(|hit| Some(&hit.rule) != decided);
    let hit = |hit: &risk::Fired| RuleHit {
        rule: id(&hit.rule),
        action: hit.action.name().to_owned(),
        score: hit.score,
    };
    RuleHits {
        version: version.to_owned(),
        fired: fired.into_iter().take(HITS_MAX).map(hit).collect(),
        shadow: said.shadow.iter().take(HITS_MAX).map(|hit| id(&hit.rule)).collect(),
        errors: said.errors.iter().take(HITS_MAX).map(|failed| id(&failed.rule)).collect(),
    }
}
