//! Exact sliding windows in memory: for each counter that the rules ask for, and each key that was seen, the events of the
//! last minutes, hours or days.
//!
//! **An event counts itself.** [`Windows::ask`] answers as if the event that is asked about were in the window already,
//! though it is entered only afterwards, by [`Windows::note`], when its outcome is known and durable. So asking changes
//! nothing, may be repeated when a decision is taken anew, and the third wrong PIN is the one that makes three. A window
//! of length *w* at time *t* has the events after *t − w* that were entered.
//!
//! ```text
//! counters ─► groups by key field ─► a table: key ─► row ─► a window for each counter that saw something of the key
//! ```
//!
//! Memory is bounded ([`Limits`]); what cannot be kept exactly is a fault, and never a number that is too low.

mod distinct;
mod group;
mod known;
mod row;
mod series;

use std::collections::{BTreeMap, HashMap};

pub(crate) use self::known::Known;
use self::{
    group::Group,
    known::Conditions,
    row::{Entry, MEMBERS_MAX, Window},
};
use crate::{
    counter::{CounterSpec, What},
    event::RiskEvent,
    fault::Fault,
    key::Key,
};

/// How much is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Entries of one counter over all its keys. What comes on top is not counted, and asking the counter is a fault until
    /// the window has passed.
    pub entries: usize,
    /// Events, or different values, of one key: a range of numbers has as many cards within minutes as an issuer has payments.
    /// `count` and `distinct` stop there (a rule that asks for three cards is not wrong about a million), `sum` is a fault.
    pub events: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { entries: 2_000_000, events: 1_000_000 }
    }
}

/// Everything that windows hold: by counter and key, when and how much. Two engines that were told the same hold the same.
pub type Contents = BTreeMap<String, BTreeMap<Key, Vec<(i64, i128)>>>;

/// All counters of a rule set.
#[derive(Debug)]
pub(crate) struct Windows {
    counters: Vec<Counter>,
    conditions: Conditions,
    groups: Vec<Group>,
    limits: Limits,
}

/// What the windows hold, for metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Held {
    /// Keys over all counters.
    pub keys: usize,
    /// Events that a full counter did not take.
    pub not_taken: u64,
    /// Events of which a counter's own condition could not be evaluated.
    pub unreadable: u64,
}

/// One counter.
#[derive(Debug)]
struct Counter {
    spec: CounterSpec,
    /// Which events, and which take a value out again: their numbers among the conditions.
    when: Option<u16>,
    unless: Option<u16>,
    /// Where its windows are: which group, and which bit of its rows.
    place: (usize, usize),
    /// Keys, and entries over all of them.
    keys: usize,
    entries: usize,
    /// The last event that a full counter did not take.
    last_not_taken: Option<i64>,
    not_taken: u64,
    unreadable: u64,
}

impl Windows {
    /// Takes over the windows of counters that were there before, so that a new rule set begins with what is known. Says
    /// also how many counters begin without.
    pub(crate) fn new(specs: &[CounterSpec], limits: Limits, before: Option<Self>) -> (Self, usize) {
        let mut windows = Self {
            counters: Vec::with_capacity(specs.len()),
            conditions: Conditions::default(),
            groups: Vec::new(),
            limits,
        };
        for spec in specs {
            let number = windows.counters.len();
            let of_field = |group: &Group| group.field == spec.key && group.members.len() < MEMBERS_MAX;
            let group = windows.groups.iter().position(of_field).unwrap_or_else(|| {
                windows.groups.push(Group::new(spec.key));
                windows.groups.len() - 1
            });
            let member = windows.groups.get_mut(group).map_or(0, |group| group.add(number, spec.window_ms));
            windows.counters.push(Counter::new(spec, &mut windows.conditions, (group, member)));
        }
        let known = before.map_or(0, |before| windows.take_over(before));
        let cold = windows.counters.len() - known;
        (windows, cold)
    }

    /// How many counters were there before.
    fn take_over(&mut self, mut before: Self) -> usize {
        let texts: HashMap<String, usize> =
            self.counters.iter().enumerate().map(|(n, counter)| (counter.spec.text.clone(), n)).collect();
        let mut known = 0;
        for old in before.counters {
            let Some(counter) = texts.get(&old.spec.text).and_then(|n| self.counters.get_mut(*n)) else {
                continue;
            };
            let (from, to, when, unless) = (old.place, counter.place, counter.when, counter.unless);
            *counter = Counter { spec: counter.spec.clone(), when, unless, place: to, ..old };
            known += 1;
            if let (Some(old), Some(new)) = (before.groups.get_mut(from.0), self.groups.get_mut(to.0)) {
                for (key, window) in old.take(from.1) {
                    new.adopt(key, to.1, window);
                }
            }
        }
        self.groups.iter_mut().for_each(Group::queue_all);
        known
    }

    /// Have both the same counters in the same order?
    pub(crate) fn counts_the_same(&self, other: &Self) -> bool {
        let texts = |windows: &Self| windows.counters.iter().map(|c| c.spec.text.clone()).collect::<Vec<_>>();
        texts(self) == texts(other)
    }

    /// The counter's value for the event, the event itself included.
    pub(crate) fn ask<'w>(
        &'w self,
        known: &Known<'w>,
        counter: u16,
        event: &RiskEvent<'_>,
        now: i64,
    ) -> Result<i64, Fault> {
        let counter = self.counters.get(usize::from(counter)).ok_or(Fault::CounterFull)?;
        let told = Told { conditions: &self.conditions, known, event };
        let counts = counter.counts(&told)?;
        let group = counter.place.0;
        let row = known.row(group, || {
            let key = event.key(counter.spec.key)?;
            Ok(self.groups.get(group).and_then(|group| group.row(&key)))
        })?;
        counter.ask(row.and_then(|row| row.window(counter.place.1)), counts, &told, now)
    }

    /// Enters a decided event.
    pub(crate) fn note(&mut self, event: &RiskEvent<'_>) {
        let told = Told { conditions: &self.conditions, known: &Known::default(), event };
        for group in &mut self.groups {
            group.note(&mut self.counters, self.limits, &told);
        }
    }

    pub(crate) fn held(&self) -> Held {
        self.counters.iter().fold(Held::default(), |held, counter| Held {
            keys: held.keys + counter.keys,
            not_taken: held.not_taken + counter.not_taken,
            unreadable: held.unreadable + counter.unreadable,
        })
    }

    pub(crate) fn longest_ms(&self) -> i64 {
        self.counters.iter().map(|counter| counter.spec.window_ms).max().unwrap_or(0)
    }

    pub(crate) fn contents(&self, now: i64) -> Contents {
        let contents = |counter: &Counter| {
            let after = now.saturating_sub(counter.spec.window_ms);
            let windows =
                self.groups.get(counter.place.0).into_iter().flat_map(|group| group.windows(counter.place.1));
            let held = windows.map(|(key, window)| (key, window.contents(after)));
            (counter.spec.text.clone(), held.filter(|(_, contents)| !contents.is_empty()).collect())
        };
        self.counters.iter().map(contents).collect()
    }
}

/// One event, and what was found out about it.
struct Told<'k, 'w> {
    conditions: &'k Conditions,
    known: &'k Known<'w>,
    event: &'k RiskEvent<'k>,
}

impl Told<'_, '_> {
    fn holds(&self, condition: u16) -> Result<bool, Fault> {
        self.known.holds(self.conditions, condition, self.event)
    }
}

impl Counter {
    fn new(spec: &CounterSpec, conditions: &mut Conditions, place: (usize, usize)) -> Self {
        Self {
            spec: spec.clone(),
            when: spec.when.as_ref().map(|test| conditions.number(test)),
            unless: spec.unless.as_ref().map(|test| conditions.number(test)),
            place,
            keys: 0,
            entries: 0,
            last_not_taken: None,
            not_taken: 0,
            unreadable: 0,
        }
    }

    fn ask(
        &self,
        window: Option<&Window>,
        counts: bool,
        told: &Told<'_, '_>,
        now: i64,
    ) -> Result<i64, Fault> {
        let event = told.event;
        let after = now.saturating_sub(self.spec.window_ms);
        if self.last_not_taken.is_some_and(|at| at > after) {
            return Err(Fault::CounterFull);
        }
        let this = i64::from(counts);
        match (self.spec.what, window) {
            (What::Count, Some(Window::Count(moments))) => Ok(moments.count(after) + this),
            (What::Sum(of), Some(Window::Sum(sums))) => {
                let stored = sums.sum(after)?;
                let own = if counts { event.number(of)? } else { 0 };
                stored.checked_add(own).ok_or(Fault::Overflow)
            }
            (What::Sum(of), _) => Ok(if counts { event.number(of)? } else { 0 }),
            (What::Distinct(of), Some(Window::Distinct(values))) => {
                let own = if counts { Some(event.key(of)?) } else { None };
                Ok(values.count(after, own))
            }
            (What::Distinct(of) | What::DistinctUnless(of), None) => {
                let exception = self.is_exception(told)?;
                if counts {
                    event.key(of)?;
                }
                Ok(i64::from(counts && !exception))
            }
            (What::DistinctUnless(of), Some(Window::DistinctUnless(values))) => {
                let exception = self.is_exception(told)?;
                let own = if counts || exception { Some(event.key(of)?) } else { None };
                values.count(after, own.map(|value| (value, counts, exception)))
            }
            // cannot be: a counter makes windows of its own kind only
            (What::Count | What::Distinct(_) | What::DistinctUnless(_), _) => Ok(this),
        }
    }

    fn counts(&self, told: &Told<'_, '_>) -> Result<bool, Fault> {
        self.when.map_or(Ok(true), |when| told.holds(when))
    }

    fn is_exception(&self, told: &Told<'_, '_>) -> Result<bool, Fault> {
        self.unless.map_or(Ok(false), |unless| told.holds(unless))
    }

    /// What is to be entered for the event, if it counts.
    fn entry(&self, told: &Told<'_, '_>) -> Result<Option<Entry>, Fault> {
        let event = told.event;
        let (counts, exception) = (self.counts(told)?, self.is_exception(told)?);
        if !counts && !exception {
            return Ok(None);
        }
        Ok(Some(match self.spec.what {
            What::Count => Entry::Moment,
            What::Sum(of) => Entry::Amount(event.number(of)?),
            What::Distinct(of) => Entry::Value(event.key(of)?),
            What::DistinctUnless(of) => Entry::ValueUnless { value: event.key(of)?, counts, exception },
        }))
    }
}
