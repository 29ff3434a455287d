//! What a rule set would have done: the same engine over the past, with the time of each event as its clock. Nothing is
//! told to anybody, nothing is demoted, and the same past gives the same report.
//!
//! A rule is judged by what it *would have declined*: payments that were labelled as fraud or harm (its hits), those that
//! were labelled as good, and the approved volume that would have been lost. Actions that do not decline are counted too.
//!
//! One thing a backtest cannot know: what would have happened next. A card that a rule blocks would have paid no more, and
//! the past goes on as if it had.

use std::collections::{BTreeMap, BTreeSet};

use model::Timestamp;
use serde::Serialize;

use crate::{
    change::Change,
    engine::RuleEngine,
    event::RiskEvent,
    field::Field,
    rule::{Action, Mode},
    verdict::{Fired, Term, Verdict},
};

/// One payment of the past.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Case<'a> {
    /// The event as it was before the rules: what was known, and what the answer would have been.
    pub event: RiskEvent<'a>,
    /// The event as counters learn it afterwards, with the reason that the answer had.
    pub outcome: RiskEvent<'a>,
    /// Whatever an analyst finds it by, such as DE 37.
    pub reference: &'a str,
    /// What it turned out to be, if somebody said so.
    pub label: Option<Label>,
}

/// What a payment turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Label {
    /// Fraud, or part of an attack: to be declined.
    Bad,
    /// Honest.
    Good,
}

/// Which examples and how many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Are rules in shadow judged as if they were live?
    pub shadow_too: bool,
    /// Examples of each rule: those with the largest amounts.
    pub examples: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self { shadow_too: true, examples: 5 }
    }
}

/// A backtest under way: feed it every case, oldest first.
#[derive(Debug)]
pub struct Backtest {
    settings: Settings,
    candidate: Judged,
    /// What it is compared with, usually the live set.
    baseline: Option<Judged>,
    from: Timestamp,
    difference: Difference,
}

#[derive(Debug)]
struct Judged {
    engine: RuleEngine,
    report: SetReport,
}

/// What a backtest found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// The set that was tried.
    pub candidate: SetReport,
    /// What it was compared with.
    pub baseline: Option<SetReport>,
    /// Payments that only one of the two, or both, would have declined.
    pub difference: Option<Difference>,
}

/// What one rule set would have done.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct SetReport {
    /// The set's name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Payments that were judged.
    pub events: u64,
    /// Payments for which at least one rule fired.
    pub hits: u64,
    /// Payments that it would have declined.
    pub declined: u64,
    /// Of these, payments that had been approved and were not labelled as fraud.
    pub approved_lost: u64,
    /// The volume of these in minor units, by currency (ISO 4217 number; 0: not known).
    pub volume_lost: BTreeMap<u16, i128>,
    /// Of what it would have declined, what was labelled.
    pub labelled: Labelled,
    /// All labelled payments that were judged.
    pub seen: Labelled,
    /// Each rule.
    pub rules: BTreeMap<String, RuleReport>,
}

/// Labelled payments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Labelled {
    /// Fraud or harm.
    pub bad: u64,
    /// Honest.
    pub good: u64,
}

impl Labelled {
    fn count(&mut self, label: Option<Label>) {
        match label {
            Some(Label::Bad) => self.bad += 1,
            Some(Label::Good) => self.good += 1,
            None => {}
        }
    }

    /// The share of fraud among them; nothing, if none is labelled.
    #[must_use]
    pub fn precision(&self) -> Option<f64> {
        let all = self.bad + self.good;
        (all > 0).then(|| self.bad as f64 / all as f64)
    }
}

/// What one rule would have done.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct RuleReport {
    /// What it asks for.
    pub action: Option<Action>,
    /// How often it fired.
    pub hits: u64,
    /// Payments that it would have declined.
    pub declined: u64,
    /// How often it had no truth value.
    pub errors: u64,
    /// The first such fault, in words.
    pub first_error: Option<String>,
    /// Of its hits, what was labelled.
    pub labelled: Labelled,
    /// The hits with the largest amounts.
    pub examples: Vec<Example>,
}

/// A payment for which a rule fired.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Example {
    /// Whatever an analyst finds it by.
    pub reference: String,
    /// When.
    pub at: Timestamp,
    /// In minor units.
    pub amount: Option<i64>,
    /// Was it approved?
    pub approved: bool,
    /// What it turned out to be.
    pub label: Option<Label>,
    /// Why the rule fired.
    pub terms: Vec<Term>,
}

/// Payments that would have been declined by one set, the other, or both.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Difference {
    /// Both decline them.
    pub both: u64,
    /// Only the baseline does.
    pub only_baseline: u64,
    /// Only the candidate does.
    pub only_candidate: u64,
    /// By rule id: how often it fired in both sets, in the baseline only, in the candidate only.
    pub rules: BTreeMap<String, RuleDifference>,
}

/// How often a rule fired where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct RuleDifference {
    /// In both sets.
    pub both: u64,
    /// In the baseline only.
    pub only_baseline: u64,
    /// In the candidate only.
    pub only_candidate: u64,
}

impl Backtest {
    /// Begins one. Events before `from` only fill the windows.
    #[must_use]
    pub fn new(
        candidate: RuleEngine,
        baseline: Option<RuleEngine>,
        from: Timestamp,
        settings: Settings,
    ) -> Self {
        Self {
            settings,
            candidate: Judged::new(candidate),
            baseline: baseline.map(Judged::new),
            from,
            difference: Difference::default(),
        }
    }

    /// How much of the past before `from` the windows need.
    #[must_use]
    pub fn history_ms(&self) -> i64 {
        let baseline = self.baseline.as_ref().map_or(0, |judged| judged.engine.history_ms());
        self.candidate.engine.history_ms().max(baseline)
    }

    /// Does a rule look at this field?
    #[must_use]
    pub fn looks_at(&self, field: Field) -> bool {
        let judged = std::iter::once(&self.candidate).chain(&self.baseline);
        judged.into_iter().any(|judged| judged.engine.looks_at(field))
    }

    /// Lists and snoozes of the past, in their order among the cases.
    pub fn apply(&mut self, change: &Change) {
        self.candidate.engine.apply(change);
        if let Some(baseline) = &mut self.baseline {
            baseline.engine.apply(change);
        }
    }

    /// Takes the next case.
    pub fn feed(&mut self, case: &Case<'_>) {
        if case.event.at < self.from {
            self.candidate.engine.learn(&case.outcome);
            if let Some(baseline) = &mut self.baseline {
                baseline.engine.learn(&case.outcome);
            }
            return;
        }
        let new = self.candidate.judge(case, self.settings);
        if let Some(baseline) = &mut self.baseline {
            let old = baseline.judge(case, self.settings);
            self.difference.compare(&old, &new);
        }
    }

    /// Takes all cases and tells after each `every` of them how many there were.
    pub fn run<'a>(
        mut self,
        cases: impl IntoIterator<Item = Case<'a>>,
        every: u64,
        progress: &mut dyn FnMut(u64),
    ) -> Report {
        let mut done = 0;
        for case in cases {
            self.feed(&case);
            done += 1;
            if done % every.max(1) == 0 {
                progress(done);
            }
        }
        progress(done);
        self.report()
    }

    /// What it found.
    #[must_use]
    pub fn report(self) -> Report {
        let difference = self.baseline.is_some().then_some(self.difference);
        Report {
            candidate: self.candidate.report,
            baseline: self.baseline.map(|judged| judged.report),
            difference,
        }
    }
}

/// What a set did with one payment.
struct Judgement {
    declined: bool,
    fired: BTreeSet<String>,
}

impl Judged {
    fn new(engine: RuleEngine) -> Self {
        let set = engine.set();
        let rules = set
            .rules()
            .filter(|rule| rule.mode != Mode::Off)
            .map(|rule| (rule.id.clone(), RuleReport { action: Some(rule.action), ..RuleReport::default() }));
        let report = SetReport {
            name: set.name().to_owned(),
            version: set.digest().to_owned(),
            rules: rules.collect(),
            ..SetReport::default()
        };
        Self { engine, report }
    }

    fn judge(&mut self, case: &Case<'_>, settings: Settings) -> Judgement {
        let now = case.event.at;
        let before = self.engine.assess(&case.event, now);
        let after = self.engine.assess_after(&case.outcome, now);
        self.engine.learn(&case.outcome);
        let report = &mut self.report;
        report.events += 1;
        report.seen.count(case.label);
        let verdicts = [before, after];
        let fired: Vec<&Fired> = verdicts.iter().flat_map(|verdict| acting(verdict, settings)).collect();
        let declined = fired.iter().any(|fired| fired.action.declines().is_some());
        for failed in verdicts.iter().flat_map(|verdict| &verdict.errors) {
            if let Some(rule) = report.rules.get_mut(&failed.rule) {
                rule.errors += 1;
                rule.first_error.get_or_insert_with(|| failed.what.clone());
            }
        }
        for fired in &fired {
            if let Some(rule) = report.rules.get_mut(&fired.rule) {
                rule.count(fired, case, settings.examples);
            }
        }
        report.hits += u64::from(!fired.is_empty());
        if declined {
            report.decline(case);
        }
        Judgement { declined, fired: fired.into_iter().map(|fired| fired.rule.clone()).collect() }
    }
}

/// The rules that count: live ones, and those in shadow if they are judged, too.
fn acting(verdict: &Verdict, settings: Settings) -> impl Iterator<Item = &Fired> {
    verdict.fired.iter().chain(verdict.shadow.iter().filter(move |_| settings.shadow_too))
}

impl SetReport {
    fn decline(&mut self, case: &Case<'_>) {
        self.declined += 1;
        self.labelled.count(case.label);
        if case.outcome.approved && case.label != Some(Label::Bad) {
            self.approved_lost += 1;
            let amount = i128::from(case.event.amount.unwrap_or(0));
            *self.volume_lost.entry(case.event.currency.unwrap_or(0)).or_default() += amount;
        }
    }
}

impl RuleReport {
    fn count(&mut self, fired: &Fired, case: &Case<'_>, examples: usize) {
        self.hits += 1;
        self.declined += u64::from(fired.action.declines().is_some());
        self.labelled.count(case.label);
        let amount = case.event.amount;
        let place = self.examples.partition_point(|example| example.amount >= amount);
        if place < examples {
            let example = Example {
                reference: case.reference.to_owned(),
                at: case.event.at,
                amount,
                approved: case.outcome.approved,
                label: case.label,
                terms: fired.terms.clone(),
            };
            self.examples.insert(place, example);
            self.examples.truncate(examples);
        }
    }
}

impl Difference {
    fn compare(&mut self, old: &Judgement, new: &Judgement) {
        match (old.declined, new.declined) {
            (true, true) => self.both += 1,
            (true, false) => self.only_baseline += 1,
            (false, true) => self.only_candidate += 1,
            (false, false) => {}
        }
        for rule in old.fired.union(&new.fired) {
            let counts = self.rules.entry(rule.clone()).or_default();
            match (old.fired.contains(rule), new.fired.contains(rule)) {
                (true, true) => counts.both += 1,
                (true, false) => counts.only_baseline += 1,
                (false, _) => counts.only_candidate += 1,
            }
        }
    }
}
