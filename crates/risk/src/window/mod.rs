//! Exact sliding windows in memory: for each counter that the rules ask for, and each key that was seen, the events of the
//! last minutes, hours or days.
//!
//! **An event counts itself.** [`Windows::ask`] answers as if the event that is asked about were in the window already,
//! though it is entered only afterwards, by [`Windows::note`], when its outcome is known and durable. So asking changes
//! nothing, may be repeated when a decision is taken anew, and the third wrong PIN is the one that makes three. A window
//! of length *w* at time *t* has the events after *t − w* that were entered.
//!
//! Memory is bounded ([`Limits`]); what cannot be kept exactly is a fault, and never a number that is too low.

mod distinct;
mod hash;
mod series;

use std::collections::{HashMap, VecDeque, hash_map::Entry as Place};

use self::{
    distinct::{Distinct, Exceptions},
    hash::Folding,
    series::{Moments, Sums},
};
use crate::{
    counter::{CounterSpec, What},
    event::RiskEvent,
    expression::tree::Alone,
    fault::Fault,
    key::Key,
};

/// How much is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Entries of one counter over all its keys. What comes on top is not counted, and asking the counter is a fault until
    /// the window has passed.
    pub entries: usize,
    /// Events, or different values, of one key. `count` and `distinct` stop there (a rule that asks for three cards is not
    /// wrong about ten thousand), `sum` is a fault.
    pub events: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { entries: 2_000_000, events: 10_000 }
    }
}

/// All counters of a rule set.
#[derive(Debug)]
pub(crate) struct Windows {
    counters: Vec<Counter>,
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

impl Windows {
    /// Takes over the windows of counters that were there before, so that a new rule set begins with what is known.
    pub(crate) fn new(specs: &[CounterSpec], limits: Limits, before: Option<Self>) -> Self {
        let mut known: HashMap<String, Counter> = before
            .into_iter()
            .flat_map(|windows| windows.counters)
            .map(|counter| (counter.spec.text.clone(), counter))
            .collect();
        let counter =
            |spec: &CounterSpec| known.remove(&spec.text).unwrap_or_else(|| Counter::new(spec, limits));
        Self { counters: specs.iter().map(counter).collect() }
    }

    /// The counter's value for the event, the event itself included.
    pub(crate) fn ask(&self, counter: u16, event: &RiskEvent<'_>, now: i64) -> Result<i64, Fault> {
        self.counters.get(usize::from(counter)).ok_or(Fault::CounterFull)?.ask(event, now)
    }

    /// Enters a decided event.
    pub(crate) fn note(&mut self, event: &RiskEvent<'_>) {
        self.counters.iter_mut().for_each(|counter| counter.note(event));
    }

    pub(crate) fn held(&self) -> Held {
        self.counters.iter().fold(Held::default(), |held, counter| Held {
            keys: held.keys + counter.keys.len(),
            not_taken: held.not_taken + counter.not_taken,
            unreadable: held.unreadable + counter.unreadable,
        })
    }

    pub(crate) fn longest_ms(&self) -> i64 {
        self.counters.iter().map(|counter| counter.spec.window_ms).max().unwrap_or(0)
    }
}

/// One counter.
#[derive(Debug)]
struct Counter {
    spec: CounterSpec,
    limits: Limits,
    keys: HashMap<Key, Window, Folding>,
    /// Over all keys.
    entries: usize,
    /// Every key once, with the time before which it need not be looked at: how dead keys are found without a search.
    queue: VecDeque<(i64, Key)>,
    /// The last event that a full counter did not take.
    last_not_taken: Option<i64>,
    not_taken: u64,
    unreadable: u64,
}

/// The events of one key.
#[derive(Debug)]
enum Window {
    Count(Moments),
    Sum(Sums),
    Distinct(Distinct),
    DistinctUnless(Exceptions),
}

/// Keys that are looked at for removal with each event: more than the one that may be added.
const SWEPT_EACH: usize = 2;

impl Counter {
    fn new(spec: &CounterSpec, limits: Limits) -> Self {
        Self {
            spec: spec.clone(),
            limits,
            keys: HashMap::default(),
            entries: 0,
            queue: VecDeque::new(),
            last_not_taken: None,
            not_taken: 0,
            unreadable: 0,
        }
    }

    fn ask(&self, event: &RiskEvent<'_>, now: i64) -> Result<i64, Fault> {
        let key = event.key(self.spec.key)?;
        let counts = self.counts(event)?;
        let after = now.saturating_sub(self.spec.window_ms);
        let window = self.keys.get(&key);
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
                let exception = self.is_exception(event)?;
                if counts {
                    event.key(of)?;
                }
                Ok(i64::from(counts && !exception))
            }
            (What::DistinctUnless(of), Some(Window::DistinctUnless(values))) => {
                let exception = self.is_exception(event)?;
                let own = if counts || exception { Some(event.key(of)?) } else { None };
                values.count(after, own.map(|value| (value, counts, exception)))
            }
            // cannot be: a counter makes windows of its own kind only
            (What::Count | What::Distinct(_) | What::DistinctUnless(_), _) => Ok(this),
        }
    }

    fn counts(&self, event: &RiskEvent<'_>) -> Result<bool, Fault> {
        self.spec.when.as_ref().map_or(Ok(true), |when| when.holds(event, &Alone))
    }

    fn is_exception(&self, event: &RiskEvent<'_>) -> Result<bool, Fault> {
        self.spec.unless.as_ref().map_or(Ok(false), |unless| unless.holds(event, &Alone))
    }

    fn note(&mut self, event: &RiskEvent<'_>) {
        self.sweep(event.at.0);
        match self.entry(event) {
            Ok(Some((key, entry))) => self.enter(key, event.at.0, entry),
            Ok(None) => {}
            Err(_) => self.unreadable += 1,
        }
    }

    /// What is to be entered for the event, if it counts.
    fn entry(&self, event: &RiskEvent<'_>) -> Result<Option<(Key, Entry)>, Fault> {
        let (counts, exception) = (self.counts(event)?, self.is_exception(event)?);
        if !counts && !exception {
            return Ok(None);
        }
        let entry = match self.spec.what {
            What::Count => Entry::Moment,
            What::Sum(of) => Entry::Amount(event.number(of)?),
            What::Distinct(of) => Entry::Value(event.key(of)?),
            What::DistinctUnless(of) => Entry::ValueUnless { value: event.key(of)?, counts, exception },
        };
        Ok(Some((event.key(self.spec.key)?, entry)))
    }

    fn enter(&mut self, key: Key, at: i64, entry: Entry) {
        if self.entries >= self.limits.entries {
            self.not_taken += 1;
            self.last_not_taken = self.last_not_taken.max(Some(at));
            return;
        }
        let (events, window_ms) = (self.limits.events, self.spec.window_ms);
        let window = match self.keys.entry(key) {
            Place::Occupied(place) => place.into_mut(),
            Place::Vacant(place) => {
                self.queue.push_back((at.saturating_add(window_ms), key));
                place.insert(Window::new(self.spec.what))
            }
        };
        let entries = window.len();
        let before = at.saturating_sub(window_ms);
        match (&mut *window, entry) {
            (Window::Count(moments), Entry::Moment) => moments.enter(at, before, events),
            (Window::Sum(sums), Entry::Amount(amount)) => sums.enter(at, amount, before, events),
            (Window::Distinct(values), Entry::Value(value)) => values.enter(at, value, before, events),
            (Window::DistinctUnless(values), Entry::ValueUnless { value, counts, exception }) => {
                values.enter(at, value, (counts, exception), before, events);
            }
            // cannot be: a counter makes windows and entries of its own kind only
            (Window::Count(_) | Window::Sum(_) | Window::Distinct(_) | Window::DistinctUnless(_), _) => {}
        }
        self.entries = self.entries.saturating_sub(entries) + window.len();
    }

    /// Forgets keys whose last event has left the window.
    fn sweep(&mut self, now: i64) {
        for _ in 0..SWEPT_EACH {
            let Some((due, key)) = self.queue.front().copied() else { return };
            if due > now {
                return;
            }
            self.queue.pop_front();
            let newest = self.keys.get(&key).and_then(Window::newest).unwrap_or(i64::MIN);
            let due = newest.saturating_add(self.spec.window_ms);
            if due > now {
                self.queue.push_back((due, key));
            } else {
                let removed = self.keys.remove(&key).map_or(0, |window| window.len());
                self.entries = self.entries.saturating_sub(removed);
            }
        }
    }
}

enum Entry {
    Moment,
    Amount(i64),
    Value(Key),
    ValueUnless { value: Key, counts: bool, exception: bool },
}

impl Window {
    fn new(what: What) -> Self {
        match what {
            What::Count => Self::Count(Moments::default()),
            What::Sum(_) => Self::Sum(Sums::default()),
            What::Distinct(_) => Self::Distinct(Distinct::default()),
            What::DistinctUnless(_) => Self::DistinctUnless(Exceptions::default()),
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Count(moments) => moments.len(),
            Self::Sum(sums) => sums.len(),
            Self::Distinct(values) => values.len(),
            Self::DistinctUnless(values) => values.len(),
        }
    }

    fn newest(&self) -> Option<i64> {
        match self {
            Self::Count(moments) => moments.newest(),
            Self::Sum(sums) => sums.newest(),
            Self::Distinct(values) => values.newest(),
            Self::DistinctUnless(values) => values.newest(),
        }
    }
}
