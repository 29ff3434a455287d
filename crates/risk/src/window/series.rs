//! Moments, and moments with an amount, in the order of time. Late events are put where they belong.
//!
//! The first and the last moment stand beside the queue, so that most questions (is anything outside of the window?) are
//! answered without a look at memory that is far away.

use std::collections::VecDeque;

use crate::fault::Fault;

/// When something happened.
#[derive(Debug, Default)]
pub(super) struct Moments {
    queue: VecDeque<i64>,
    first: i64,
    last: i64,
}

impl Moments {
    /// Enters a moment, and forgets those up to `before`, which no window asks for any more, and the oldest beyond `limit`.
    pub(super) fn enter(&mut self, at: i64, before: i64, limit: usize) {
        if self.queue.is_empty() || at >= self.last {
            self.queue.push_back(at);
        } else {
            let place = self.queue.partition_point(|m| *m <= at);
            self.queue.insert(place, at);
        }
        while self.queue.front().is_some_and(|m| *m <= before) || self.queue.len() > limit {
            self.queue.pop_front();
        }
        self.first = self.queue.front().copied().unwrap_or_default();
        self.last = self.queue.back().copied().unwrap_or_default();
    }

    /// How many are after `after`.
    pub(super) fn count(&self, after: i64) -> i64 {
        let gone = match self.queue.len() {
            0 => 0,
            _ if after < self.first => 0,
            all if after >= self.last => all,
            _ => self.queue.partition_point(|m| *m <= after),
        };
        self.queue.len().saturating_sub(gone) as i64 // at most the limit of events
    }

    pub(super) fn newest(&self) -> Option<i64> {
        (!self.queue.is_empty()).then_some(self.last)
    }

    pub(super) fn len(&self) -> usize {
        self.queue.len()
    }

    pub(super) fn after(&self, after: i64) -> impl Iterator<Item = i64> {
        self.queue.iter().copied().filter(move |at| *at > after)
    }
}

/// Amounts, with when. The total of all is kept, so that asking looks only at those that have left the window since.
#[derive(Debug, Default)]
pub(super) struct Sums {
    entries: VecDeque<(i64, i64)>,
    total: i128,
    first: i64,
    last: i64,
    /// The newest that was forgotten because there were too many.
    cut: Option<i64>,
}

impl Sums {
    pub(super) fn enter(&mut self, at: i64, amount: i64, before: i64, limit: usize) {
        if self.entries.is_empty() || at >= self.last {
            self.entries.push_back((at, amount));
        } else {
            let place = self.entries.partition_point(|(m, _)| *m <= at);
            self.entries.insert(place, (at, amount));
        }
        self.total += i128::from(amount);
        loop {
            let expired = self.entries.front().is_some_and(|(m, _)| *m <= before);
            if !expired && self.entries.len() <= limit {
                break;
            }
            let Some((moment, amount)) = self.entries.pop_front() else { break };
            self.total -= i128::from(amount);
            if !expired {
                self.cut = self.cut.max(Some(moment));
            }
        }
        self.first = self.entries.front().map(|(m, _)| *m).unwrap_or_default();
        self.last = self.entries.back().map(|(m, _)| *m).unwrap_or_default();
    }

    /// The sum of those after `after`; a fault when some of them are forgotten.
    pub(super) fn sum(&self, after: i64) -> Result<i64, Fault> {
        if self.cut.is_some_and(|cut| cut > after) {
            return Err(Fault::CounterFull);
        }
        let inside = if self.entries.is_empty() || after < self.first {
            self.total
        } else if after >= self.last {
            0
        } else {
            let gone = self.entries.iter().take_while(|(m, _)| *m <= after);
            self.total - gone.map(|(_, amount)| i128::from(*amount)).sum::<i128>()
        };
        i64::try_from(inside).map_err(|_| Fault::Overflow)
    }

    pub(super) fn newest(&self) -> Option<i64> {
        (!self.entries.is_empty()).then_some(self.last)
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn after(&self, after: i64) -> impl Iterator<Item = (i64, i64)> {
        self.entries.iter().copied().filter(move |(at, _)| *at > after)
    }
}
