//! Different values: how many cards at a terminal, how many shops of a card.

use std::collections::{HashMap, VecDeque};

use super::hash::Folding;
use crate::{fault::Fault, key::Key};

/// Values with the time when each was last seen. A value stands in the queue once for every time it was seen, until the
/// queue is tidied; only its newest place counts.
#[derive(Debug, Default)]
pub(super) struct Distinct {
    last: HashMap<Key, i64, Folding>,
    queue: VecDeque<(i64, Key)>,
    /// The newest that was forgotten because there were too many.
    cut: Option<i64>,
}

/// Old places that are left in the queue before it is tidied, beside as many as there are values.
const OLD_PLACES: usize = 8;

impl Distinct {
    pub(super) fn enter(&mut self, at: i64, value: Key, before: i64, limit: usize) {
        if self.last.get(&value).is_some_and(|last| *last >= at) {
            return; // a late event of a value that was seen since
        }
        self.last.insert(value, at);
        let place = self.queue.partition_point(|(m, _)| *m <= at);
        self.queue.insert(place, (at, value));
        self.forget(before, limit);
    }

    fn forget(&mut self, before: i64, limit: usize) {
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
                    self.cut = self.cut.max(Some(at));
                }
            }
        }
        if self.queue.len() > 2 * self.last.len() + OLD_PLACES {
            let last = &self.last;
            self.queue.retain(|(at, value)| last.get(value) == Some(at));
        }
    }

    /// How many values are after `after`; `own` is one more.
    pub(super) fn count(&self, after: i64, own: Option<Key>) -> i64 {
        let gone = self.queue.iter().take_while(|(at, _)| *at <= after).filter(|p| self.is_newest(p)).count();
        let stored = self.last.len().saturating_sub(gone) as i64; // at most the limit of values
        stored + i64::from(own.is_some_and(|value| !self.seen(&value, after)))
    }

    fn is_newest(&self, (at, value): &(i64, Key)) -> bool {
        self.last.get(value) == Some(at)
    }

    fn seen(&self, value: &Key, after: i64) -> bool {
        self.last.get(value).is_some_and(|at| *at > after)
    }

    pub(super) fn newest(&self) -> Option<i64> {
        self.queue.back().map(|(at, _)| *at)
    }

    pub(super) fn len(&self) -> usize {
        self.queue.len()
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
            .queue
            .iter()
            .rev()
            .take_while(|(at, _)| *at > after)
            .filter(|place| self.counted.is_newest(place))
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
}
