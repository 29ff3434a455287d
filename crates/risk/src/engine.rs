//! The engine: a rule set, those that run beside it, windows, lists and snoozes, asked about one transaction at a time.
//!
//! Asking ([`RuleEngine::assess`]) changes nothing and needs no lock against other askers; a decision that lost a race is
//! simply assessed anew. What became of the transaction is entered afterwards ([`RuleEngine::observe`]), once. A host keeps
//! the engine in an `RwLock`, reads it to ask and writes it to enter.

use std::{cell::Cell, sync::Arc};

use model::Timestamp;

use crate::{
    acting::Acting,
    breaker::Breaker,
    change::Change,
    counter::Names,
    event::RiskEvent,
    expression::{explain, tree::World},
    fault::Fault,
    field::Field,
    key::Key,
    lists::{Lists, Snoozes},
    rule::{Action, Mode, Phase},
    rule_set::{Checked, RuleSet},
    verdict::{Beside, Failed, Fired, Verdict, strongest},
    window::{Contents, Held, Known, Limits, Windows},
};

/// What is put to work.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The live set.
    pub set: Arc<RuleSet>,
    /// Sets that run beside it: asked about the same events with the same counters, and without effect.
    pub beside: Vec<Arc<RuleSet>>,
    /// Are only the rules of one phase asked, so that only their counters are kept?
    pub phase: Option<Phase>,
    /// How much is kept.
    pub limits: Limits,
}

/// A rule set at work.
#[derive(Debug)]
pub struct RuleEngine {
    acting: Acting,
    beside: Vec<Acting>,
    phase: Option<Phase>,
    windows: Windows,
    limits: Limits,
    lists: Lists,
    snoozes: Snoozes,
    breaker: Breaker,
    /// Counters that began without what happened before.
    cold: usize,
}

impl Plan {
    /// One set, all its rules.
    #[must_use]
    pub fn of(set: Arc<RuleSet>, limits: Limits) -> Self {
        Self { set, beside: Vec::new(), phase: None, limits }
    }
}

impl RuleEngine {
    /// Puts a rule set to work, with empty windows: feed the past with [`learn`](Self::learn), oldest first, for
    /// [`history_ms`](Self::history_ms).
    #[must_use]
    pub fn new(set: Arc<RuleSet>, limits: Limits) -> Self {
        Self::at_work(Plan::of(set, limits))
    }

    /// The same for more than one set.
    #[must_use]
    pub fn at_work(plan: Plan) -> Self {
        Self::with(plan, None)
    }

    /// The same, with no rule acting: what a set would do beside the live one.
    #[must_use]
    pub fn in_shadow(set: Arc<RuleSet>, limits: Limits) -> Self {
        let mut engine = Self::new(set, limits);
        engine.acting.hold_all();
        engine
    }

    /// The next rule set with what this one knows: lists, snoozes, and the windows of all counters that both have.
    #[must_use]
    pub fn succeeded_by(self, set: Arc<RuleSet>) -> Self {
        let limits = self.limits;
        self.replaced_by(Plan::of(set, limits))
    }

    /// The same for more than one set.
    #[must_use]
    pub fn replaced_by(self, plan: Plan) -> Self {
        let Self { windows, lists, snoozes, .. } = self;
        Self { lists, snoozes, ..Self::with(plan, Some(windows)) }
    }

    fn with(plan: Plan, before: Option<Windows>) -> Self {
        let Plan { set, beside, phase, limits } = plan;
        let mut counters = Vec::new();
        let breaker = Breaker::new(set.breaker, set.rules.len());
        let acting = Acting::new(set, phase, &mut counters);
        let beside = beside.into_iter().map(|set| Acting::new(set, phase, &mut counters)).collect();
        let (windows, cold) = Windows::new(&counters, limits, before);
        Self {
            acting,
            beside,
            phase,
            windows,
            limits,
            lists: Lists::default(),
            snoozes: Snoozes::default(),
            breaker,
            cold,
        }
    }

    /// An engine with the same rules that knows nothing yet: to be told the past, and put in this one's place
    /// ([`take_windows`](Self::take_windows)).
    #[must_use]
    pub fn blank(&self) -> Self {
        let beside = self.beside.iter().map(|acting| Arc::clone(&acting.set)).collect();
        let (set, phase) = (Arc::clone(self.set()), self.phase);
        Self::at_work(Plan { set, beside, phase, limits: self.limits })
    }

    /// Takes the windows of an engine that was told the past; modes, lists and snoozes stay. `false`: it has other rules, and
    /// nothing changed.
    pub fn take_windows(&mut self, told: Self) -> bool {
        let same = self.set().digest() == told.set().digest() && self.windows.counts_the_same(&told.windows);
        if same {
            (self.windows, self.cold) = (told.windows, 0);
        }
        same
    }

    /// Does a rule of its sets look at this field?
    #[must_use]
    pub fn looks_at(&self, field: Field) -> bool {
        std::iter::once(&self.acting).chain(&self.beside).any(|acting| acting.set.looks_at(field))
    }

    /// The rule set.
    #[must_use]
    pub fn set(&self) -> &Arc<RuleSet> {
        &self.acting.set
    }

    /// What a rule really does at present.
    #[must_use]
    pub fn mode_of(&self, rule: &str) -> Option<Mode> {
        self.acting.place(rule).and_then(|place| self.acting.modes.get(place).copied())
    }

    /// How far back the windows reach.
    #[must_use]
    pub fn history_ms(&self) -> i64 {
        self.windows.longest_ms()
    }

    /// How many counters began empty: the past has to be told to an engine of the same plan that takes this one's place.
    #[must_use]
    pub fn cold(&self) -> usize {
        self.cold
    }

    /// What the windows hold, for metrics.
    #[must_use]
    pub fn held(&self) -> Held {
        self.windows.held()
    }

    /// Everything that the windows hold at that time.
    #[must_use]
    pub fn contents(&self, now: Timestamp) -> Contents {
        self.windows.contents(now.0)
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
        let found = Found::default();
        let asking = Asking { engine: self, acting: &self.acting, event, now, found: &found };
        let mut verdict = Verdict::default();
        for step in self.acting.steps(phase).iter().filter(|step| step.is_valid_at(now.0)) {
            let held = step.test.holds(event, &asking);
            if held == Ok(false) {
                continue;
            }
            let Some(checked) = self.acting.checked(step) else { continue };
            match held {
                Err(fault) => verdict.errors.push(Failed::new(&checked.rule.id, fault)),
                Ok(_) => {
                    let fired = asking.fired(checked);
                    if step.in_shadow {
                        verdict.shadow.push(fired);
                    } else if self.snoozes.cover(&checked.rule.id, event, now) {
                        verdict.snoozed.push(fired);
                    } else {
                        verdict.fired.push(fired);
                    }
                }
            }
        }
        verdict.decide();
        for acting in &self.beside {
            let asking = Asking { acting, ..asking };
            verdict.beside.extend(asking.would(phase));
        }
        verdict
    }

    /// Enters what became of a transaction: the event with its final reason, and the verdict that it was given. Says which
    /// rules were demoted because they decline too much; these do not act any more, and somebody should be told.
    pub fn observe(&mut self, event: &RiskEvent<'_>, verdict: &Verdict) -> Vec<Change> {
        self.learn(event);
        let place = |fired: &Fired| self.acting.place(&fired.rule);
        let declining = verdict.fired.iter().filter(|fired| fired.action.declines().is_some());
        let declined: Vec<usize> = declining.filter_map(place).collect();
        let too_much = self.breaker.note(event.at, &declined);
        let mut changes = Vec::new();
        for much in too_much {
            if self.acting.modes.get(much.rule) != Some(&Mode::Live) {
                continue;
            }
            let Some(checked) = self.acting.set.rules.get(much.rule) else { continue };
            let (rule, digest) = (checked.rule.id.clone(), self.acting.set.digest().to_owned());
            self.acting.hold(much.rule, Mode::Shadow);
            changes.push(Change::Demoted {
                rule,
                digest,
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
            Change::Demoted { rule, digest, .. } if digest == self.set().digest() => {
                self.hold(rule, Mode::Shadow);
            }
            Change::Restored { rule, digest, .. } if digest == self.set().digest() => {
                let written = self.set().rules().find(|known| known.id == *rule).map(|known| known.mode);
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
        if let Some(place) = self.acting.place(rule) {
            self.acting.hold(place, held);
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
        let live = self.set().rules().zip(&self.acting.modes).filter(|(_, mode)| **mode == Mode::Live);
        live.map(|(rule, _)| rule.action).max()
    }
}

/// Counters that are remembered while one event is asked about; those behind are asked each time.
const REMEMBERED: usize = 64;

/// What was found out about one event: several rules, and several sets, ask for the same counter.
struct Found<'a> {
    counters: [Cell<Option<Result<i64, Fault>>>; REMEMBERED],
    known: Known<'a>,
}

impl Default for Found<'_> {
    fn default() -> Self {
        Self { counters: [const { Cell::new(None) }; REMEMBERED], known: Known::default() }
    }
}

/// One event before all rules of a set.
#[derive(Clone, Copy)]
struct Asking<'a> {
    engine: &'a RuleEngine,
    acting: &'a Acting,
    event: &'a RiskEvent<'a>,
    now: Timestamp,
    found: &'a Found<'a>,
}

impl Asking<'_> {
    fn names(&self) -> &Names {
        &self.acting.set.names
    }

    fn fired(&self, checked: &Checked) -> Fired {
        Fired {
            rule: checked.rule.id.clone(),
            action: checked.rule.action,
            score: checked.rule.score,
            terms: explain::terms(&checked.test, self.names(), self.event, self),
        }
    }

    /// What a set beside the live one would do; nothing, if it has nothing to say.
    fn would(&self, phase: Phase) -> Option<Beside> {
        let mut beside = Beside::default();
        let mut fired: Vec<&Checked> = Vec::new();
        for step in self.acting.steps(phase).iter().filter(|step| step.is_valid_at(self.now.0)) {
            let held = step.test.holds(self.event, self);
            if held == Ok(false) {
                continue;
            }
            let Some(checked) = self.acting.checked(step) else { continue };
            match held {
                Err(fault) => beside.errors.push(Failed::new(&checked.rule.id, fault)),
                Ok(_) if step.in_shadow => {}
                Ok(_) if self.engine.snoozes.cover(&checked.rule.id, self.event, self.now) => {}
                Ok(_) => fired.push(checked),
            }
        }
        if fired.is_empty() && beside.errors.is_empty() {
            return None;
        }
        beside.version = self.acting.set.digest().to_owned();
        beside.action = strongest(fired.iter().map(|checked| checked.rule.action));
        beside.fired = fired.iter().map(|checked| checked.rule.id.clone()).collect();
        Some(beside)
    }
}

impl World for Asking<'_> {
    fn counter(&self, counter: u16) -> Result<i64, Fault> {
        let counter = self.acting.counter(counter);
        let place = self.found.counters.get(usize::from(counter));
        if let Some(known) = place.and_then(Cell::get) {
            return known;
        }
        let value = self.engine.windows.ask(&self.found.known, counter, self.event, self.now.0);
        if let Some(place) = place {
            place.set(Some(value));
        }
        value
    }

    fn is_listed(&self, list: u16, key: Key) -> Result<bool, Fault> {
        let name = self.names().lists.get(usize::from(list)).ok_or(Fault::UnknownList)?;
        Ok(!self.engine.lists.are_empty() && self.engine.lists.has(name, key, self.now))
    }
}
