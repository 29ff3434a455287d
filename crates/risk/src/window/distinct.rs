//! Different values: how many cards at a terminal, how many shops of a card.
//!
//! A card has few shops and a shop has many cards: a few values are a short row that is looked through, many are a table.

use std::collections::{HashMap, VecDeque};

use super::hash::Folding;
use crate::{fault::Fault, key::Key};

/// Values with the time when each was last seen.
#[derive(Debug, Default)]
pub(super) struct Distinct {
    /// All of them, as they were first seen, as long as there are few.
    few: Vec<(i64, Key)>,
    many: Option<Box<Many>>,
    /// The newest that was forgotten because there were too many.
    cut: Option<i64>,
}

/// A value stands in the queue once for every time it was seen, until the queue is tidied; only its newest place counts.
#[derive(Debug, Default)]
struct Many {
    last: HashMap<Key, i64, Folding>,
    queue: VecDeque<(i64, Key)>,
}

/// So many are few: two lines of a cache.
const FEW: usize = 8;
/// Old places that are left in the queue before it is tidied, beside as many as there are values.
const OLD_PLACES: usize = 8;

impl Distinct {
    pub(super) fn enter(&mut self, at: i64, value: Key, before: i64, limit: usize) {
        let cut = match &mut self.many {
            Some(many) => many.enter(at, value, before, limit),
            None => {
                match self.few.iter_mut().find(|(_, known)| *known == value) {
                    Some((last, _)) => *last = at.max(*last),
                    None => self.few.push((at, value)),
                }
                self.few.retain(|(at, _)| *at > before);
                let mut cut = None;
                while self.few.len() > limit.max(1) {
                    let oldest = self.few.iter().enumerate().min_by_key(|(_, (at, _))| *at);
                    let Some((place, _)) = oldest else { break };
                    cut = cut.max(Some(self.few.remove(place).0));
                }
                if self.few.len() > FEW {
                    self.many = Some(Box::new(Many::of(std::mem::take(&mut self.few))));
                }
                cut
            }
        };
        self.cut = self.cut.max(cut);
    }

    /// How many values are after `after`; `own` is one more.
    pub(super) fn count(&self, after: i64, own: Option<Key>) -> i64 {
        let stored = match &self.many {
            Some(many) => many.count(after),
            None => self.few.iter().filter(|(at, _)| *at > after).count(),
        };
        // at most the limit of values
        stored as i64 + i64::from(own.is_some_and(|value| !self.seen(&value, after)))
    }

    fn seen(&self, value: &Key, after: i64) -> bool {
        match &self.many {
            Some(many) => many.last.get(value).is_some_and(|at| *at > after),
            None => self.few.iter().any(|(at, known)| known == value && *at > after),
        }
    }

    /// Those after `after`, each once, with the time when it was last seen.
    pub(super) fn after(&self, after: i64) -> impl Iterator<Item = (i64, Key)> {
        let few = self.few.iter().copied().filter(move |(at, _)| *at > after);
        let many = self.many.iter().flat_map(move |many| many.after(after));
        few.chain(many)
    }

    pub(super) fn newest(&self) -> Option<i64> {
        match &self.many {
            Some(many) => many.queue.back().map(|(at, _)| *at),
            None => self.few.iter().map(|(at, _)| *at).max(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.many.as_ref().map_or(self.few.len(), |many| many.queue.len())
    }
}

impl Many {
    fn of(mut few: Vec<(i64, Key)>) -> Self {
        few.sort_unstable();
        Self { last: few.iter().map(|(at, value)| (*value, *at)).collect(), queue: few.into() }
    }

    /// Says what was forgotten because there were too many.
    fn enter(&mut self, at: i64, value: Key, before: i64, limit: usize) -> Option<i64> {
        if self.last.get(&value).is_some_and(|last| *last >= at) {
            return None; // a late event of a value that was seen since
        }
        self.last.insert(value, at);
        if self.queue.back().is_none_or(|(last, _)| *last <= at) {
            self.queue.push_back((at, value));
        } else {
            let place = self.queue.partition_point(|(m, _)| *m <= at);
            self.queue.insert(place, (at, value));
        }
        self.forget(before, limit)
    }

    fn forget(&mut self, before: i64, limit: usize) -> Option<i64> {
        let mut cut = None;
        while let Some((at, value)) = self.queue.front().copied() {
            let is_newest = self.last.get(&value) == Some(&at);
            let expired = at <= before;
            if is_newest && !expired && self.last.len() <= limit {
                break;
            }
            self.queue.pop_front();
            if is_newest {
                self.last.remove(&value);
                if !expired {
                    cut = cut.max(Some(at));
                }
            }
        }
        if self.queue.len() > 2 * self.last.len() + OLD_PLACES {
            let last = &self.last;
            self.queue.retain(|(at, value)| last.get(value) == Some(at));
        }
        cut
    }

    fn count(&self, after: i64) -> usize {
        let gone = self.queue.iter().take_while(|(at, _)| *at <= after).filter(|p| self.is_newest(p)).count();
        self.last.len().saturating_sub(gone)
    }

    fn after(&self, after: i64) -> impl Iterator<Item = (i64, Key)> {
        let inside = self.queue.iter().rev().take_while(move |(at, _)| *at > after);
        inside.filter(|place| self.is_newest(place)).copied()
    }

    fn is_newest(&self, (at, value): &(i64, Key)) -> bool {
        self.last.get(value) == Some(at)
    }
}

/// Values that one kind of event puts in and another kind takes out, whichever came first: cards with a wrong PIN and
/// without a right one.
#[derive(Debug, Default)]
pub(super) struct Exceptions {
    counted: Distinct,
    exceptions: Distinct,
}

impl Exceptions {
    pub(super) fn enter(
        &mut self,
        at: i64,
        value: Key,
        (counts, exception): (bool, bool),
        before: i64,
        limit: usize,
    ) {
        if counts {
            self.counted.enter(at, value, before, limit);
        }
        if exception {
            self.exceptions.enter(at, value, before, limit);
        }
    }

    /// How many values counted after `after` and were no exception; `own` is an event that is not entered yet. Without all
    /// exceptions the number would be too high: a fault.
    pub(super) fn count(&self, after: i64, own: Option<(Key, bool, bool)>) -> Result<i64, Fault> {
        if self.exceptions.cut.is_some_and(|cut| cut > after) {
            return Err(Fault::CounterFull);
        }
        let stored = self
            .counted
            .after(after)
            .filter(|(_, value)| own.is_none_or(|(own, ..)| own != *value))
            .filter(|(_, value)| !self.exceptions.seen(value, after))
            .count() as i64; // at most the limit of values
        let own = own.is_some_and(|(value, counts, exception)| {
            (counts || self.counted.seen(&value, after)) && !exception && !self.exceptions.seen(&value, after)
        });
        Ok(stored + i64::from(own))
    }

    pub(super) fn newest(&self) -> Option<i64> {
        self.counted.newest().max(self.exceptions.newest())
    }

    pub(super) fn len(&self) -> usize {
        self.counted.len() + self.exceptions.len()
    }

    /// Both kinds after `after`: the exceptions with a mark.
    pub(super) fn after(&self, after: i64) -> impl Iterator<Item = (i64, Key, bool)> {
        let counted = self.counted.after(after).map(|(at, value)| (at, value, false));
        counted.chain(self.exceptions.after(after).map(|(at, value)| (at, value, true)))
    }
}
