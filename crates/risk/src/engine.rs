//! The engine: a rule set, its windows, lists and snoozes, asked about one transaction at a time.
//!
//! Asking ([`RuleEngine::assess`]) changes nothing and needs no lock against other askers; a decision that lost a race is
//! simply assessed anew. What became of the transaction is entered afterwards ([`RuleEngine::observe`]), once. A host keeps
//! the engine in an `RwLock`, reads it to ask and writes it to enter.

use std::{cell::Cell, sync::Arc};

use model::Timestamp;

use crate::{
    breaker::Breaker,
    change::Change,
    event::RiskEvent,
    expression::{explain, tree::World},
    fault::Fault,
    key::Key,
    lists::{Lists, Snoozes},
    rule::{Action, Mode, Phase},
    rule_set::{Checked, RuleSet},
    verdict::{Failed, Fired, Verdict},
    window::{Held, Limits, Windows},
};

/// A rule set at work.
#[derive(Debug)]
pub struct RuleEngine {
    set: Arc<RuleSet>,
    /// What each rule really does: as its file says, unless the breaker or the whole set's state holds it back.
    modes: Vec<Mode>,
    windows: Windows,
    limits: Limits,
    lists: Lists,
    snoozes: Snoozes,
    breaker: Breaker,
}

impl RuleEngine {
    /// Puts a rule set to work, with empty windows: feed the past with [`learn`](Self::learn), oldest first, for
    /// [`history_ms`](Self::history_ms).
    #[must_use]
    pub fn new(set: Arc<RuleSet>, limits: Limits) -> Self {
        Self {
            modes: set.rules().map(|rule| rule.mode).collect(),
            windows: Windows::new(&set.names.counters, limits, None),
            limits,
            lists: Lists::default(),
            snoozes: Snoozes::default(),
            breaker: Breaker::new(set.breaker, set.rules.len()),
            set,
        }
    }

    /// The same, with no rule acting: what a set would do beside the live one.
    #[must_use]
    pub fn in_shadow(set: Arc<RuleSet>, limits: Limits) -> Self {
        let mut engine = Self::new(set, limits);
        for mode in &mut engine.modes {
            *mode = (*mode).min_shadow();
        }
        engine
    }

    /// The next rule set with what this one knows: lists, snoozes, and the windows of all counters that both have.
    #[must_use]
    pub fn succeeded_by(self, set: Arc<RuleSet>) -> Self {
        let mut next = Self::new(Arc::clone(&set), self.limits);
        next.windows = Windows::new(&set.names.counters, self.limits, Some(self.windows));
        (next.lists, next.snoozes) = (self.lists, self.snoozes);
        next
    }

    /// The rule set.
    #[must_use]
    pub fn set(&self) -> &Arc<RuleSet> {
        &self.set
    }

    /// What a rule really does at present.
    #[must_use]
    pub fn mode_of(&self, rule: &str) -> Option<Mode> {
        self.set.rules().zip(&self.modes).find(|(known, _)| known.id == rule).map(|(_, mode)| *mode)
    }

    /// How far back the windows reach.
    #[must_use]
    pub fn history_ms(&self) -> i64 {
        self.windows.longest_ms()
    }

    /// What the windows hold, for metrics.
    #[must_use]
    pub fn held(&self) -> Held {
        self.windows.held()
    }

    /// Asks the rules of the authorization. The event counts itself (see [`crate::Limits`] and the windows' story).
    #[must_use]
    pub fn assess(&self, event: &RiskEvent<'_>, now: Timestamp) -> Verdict {
        self.asked(event, now, Phase::Authorize)
    }

    /// Asks the rules that come after it. Call it before [`observe`](Self::observe), with the final reason in the event.
    #[must_use]
    pub fn assess_after(&self, event: &RiskEvent<'_>, now: Timestamp) -> Verdict {
        self.asked(event, now, Phase::After)
    }

    fn asked(&self, event: &RiskEvent<'_>, now: Timestamp, phase: Phase) -> Verdict {
        let asking = Asking::new(self, event, now);
        let mut verdict = Verdict::default();
        for (checked, mode) in self.set.rules.iter().zip(&self.modes) {
            let rule = &checked.rule;
            if *mode == Mode::Off || rule.phase != phase || !rule.is_valid_at(now) {
                continue;
            }
            match checked.test.holds(event, &asking) {
                Ok(false) => {}
                Err(fault) => verdict.errors.push(Failed::new(&rule.id, fault)),
                Ok(true) => {
                    let fired = self.fired(checked, event, &asking);
                    if *mode == Mode::Shadow {
                        verdict.shadow.push(fired);
                    } else if self.snoozes.cover(&rule.id, event, now) {
                        verdict.snoozed.push(fired);
                    } else {
                        verdict.fired.push(fired);
                    }
                }
            }
        }
        verdict.decide();
        verdict
    }

    fn fired(&self, checked: &Checked, event: &RiskEvent<'_>, asking: &Asking<'_>) -> Fired {
        Fired {
            rule: checked.rule.id.clone(),
            action: checked.rule.action,
            score: checked.rule.score,
            terms: explain::terms(&checked.test, &self.set.names, event, asking),
        }
    }

    /// Enters what became of a transaction: the event with its final reason, and the verdict that it was given. Says which
    /// rules were demoted because they decline too much; these do not act any more, and somebody should be told.
    pub fn observe(&mut self, event: &RiskEvent<'_>, verdict: &Verdict) -> Vec<Change> {
        self.learn(event);
        let place = |fired: &Fired| self.set.rules.iter().position(|c| c.rule.id == fired.rule);
        let declining = verdict.fired.iter().filter(|fired| fired.action.declines().is_some());
        let declined: Vec<usize> = declining.filter_map(place).collect();
        let too_much = self.breaker.note(event.at, &declined);
        let mut changes = Vec::new();
        for much in too_much {
            let demoted = self.modes.get_mut(much.rule).filter(|mode| **mode == Mode::Live);
            let (Some(mode), Some(checked)) = (demoted, self.set.rules.get(much.rule)) else { continue };
            *mode = Mode::Shadow;
            changes.push(Change::Demoted {
                rule: checked.rule.id.clone(),
                digest: self.set.digest().to_owned(),
                declined: much.declined,
                events: much.events,
                at: event.at,
            });
        }
        changes
    }

    /// Enters a transaction of the past, oldest first: how windows are rebuilt from the journal.
    pub fn learn(&mut self, event: &RiskEvent<'_>) {
        self.windows.note(event);
    }

    /// Takes over what staff or the breaker changed: demotions and restorations, lists, snoozes. Changes about other
    /// versions are not this engine's.
    pub fn apply(&mut self, change: &Change) {
        match change {
            Change::Demoted { rule, digest, .. } if digest == self.set.digest() => {
                self.hold(rule, Mode::Shadow);
            }
            Change::Restored { rule, digest, .. } if digest == self.set.digest() => {
                let written = self.set.rules().find(|known| known.id == *rule).map(|known| known.mode);
                if let Some(mode) = written {
                    self.hold(rule, mode);
                }
            }
            Change::Snoozed { rule, member, until, .. } => self.snoozes.enter(rule, member, *until),
            Change::SnoozeEnded { rule, member, .. } => self.snoozes.leave(rule, member),
            Change::Listed { list, member, until, .. } => {
                self.lists.enter(list, member, *until);
            }
            Change::Unlisted { list, member, .. } => self.lists.leave(list, member),
            Change::Demoted { .. }
            | Change::Restored { .. }
            | Change::Drafted { .. }
            | Change::Shadowed { .. }
            | Change::Requested { .. }
            | Change::Activated { .. }
            | Change::Withdrawn { .. } => {}
        }
    }

    fn hold(&mut self, rule: &str, held: Mode) {
        for (checked, mode) in self.set.rules.iter().zip(&mut self.modes) {
            if checked.rule.id == rule {
                *mode = held;
            }
        }
    }

    /// Forgets list members and snoozes that have ended; call it now and then.
    pub fn forget_ended(&mut self, now: Timestamp) {
        self.lists.forget_ended(now);
        self.snoozes.forget_ended(now);
    }

    /// The strongest thing that any rule of the set could do: nothing to ask when no rule acts.
    #[must_use]
    pub fn strongest(&self) -> Option<Action> {
        let live = self.set.rules().zip(&self.modes).filter(|(_, mode)| **mode == Mode::Live);
        live.map(|(rule, _)| rule.action).max()
    }
}

impl Mode {
    fn min_shadow(self) -> Self {
        match self {
            Self::Off => Self::Off,
            Self::Shadow | Self::Live => Self::Shadow,
        }
    }
}

/// Counters that are remembered while one event is asked about; those behind are asked each time.
const REMEMBERED: usize = 64;

/// One event before all rules: several rules ask for the same counter.
struct Asking<'a> {
    engine: &'a RuleEngine,
    event: &'a RiskEvent<'a>,
    now: Timestamp,
    remembered: [Cell<Option<Result<i64, Fault>>>; REMEMBERED],
}

impl<'a> Asking<'a> {
    fn new(engine: &'a RuleEngine, event: &'a RiskEvent<'a>, now: Timestamp) -> Self {
        Self { engine, event, now, remembered: [const { Cell::new(None) }; REMEMBERED] }
    }
}

impl World for Asking<'_> {
    fn counter(&self, counter: u16) -> Result<i64, Fault> {
        let place = self.remembered.get(usize::from(counter));
        if let Some(known) = place.and_then(Cell::get) {
            return known;
        }
        let value = self.engine.windows.ask(counter, self.event, self.now.0);
        if let Some(place) = place {
            place.set(Some(value));
        }
        value
    }

    fn is_listed(&self, list: u16, key: Key) -> Result<bool, Fault> {
        let name = self.engine.set.names.lists.get(usize::from(list)).ok_or(Fault::UnknownList)?;
        Ok(self.engine.lists.has(name, key, self.now))
    }
}
