//! Moments, and moments with an amount, in the order of time. Late events are put where they belong.

use std::collections::VecDeque;

use crate::fault::Fault;

/// When something happened.
#[derive(Debug, Default)]
pub(super) struct Moments(VecDeque<i64>);

impl Moments {
    /// Enters a moment, and forgets those up to `before`, which no window asks for any more, and the oldest beyond `limit`.
    pub(super) fn enter(&mut self, at: i64, before: i64, limit: usize) {
        let place = self.0.partition_point(|m| *m <= at);
        self.0.insert(place, at);
        while self.0.front().is_some_and(|m| *m <= before) || self.0.len() > limit {
            self.0.pop_front();
        }
    }

    /// How many are after `after`.
    pub(super) fn count(&self, after: i64) -> i64 {
        let gone = self.0.partition_point(|m| *m <= after);
        self.0.len().saturating_sub(gone) as i64 // at most the limit of events
    }

    pub(super) fn newest(&self) -> Option<i64> {
        self.0.back().copied()
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

/// Amounts, with when. The total of all is kept, so that asking looks only at those that have left the window since.
#[derive(Debug, Default)]
pub(super) struct Sums {
    entries: VecDeque<(i64, i64)>,
    total: i128,
    /// The newest that was forgotten because there were too many.
    cut: Option<i64>,
}

impl Sums {
    pub(super) fn enter(&mut self, at: i64, amount: i64, before: i64, limit: usize) {
        let place = self.entries.partition_point(|(m, _)| *m <= at);
        self.entries.insert(place, (at, amount));
        self.total += i128::from(amount);
        loop {
            let expired = self.entries.front().is_some_and(|(m, _)| *m <= before);
            if !expired && self.entries.len() <= limit {
                return;
            }
            let Some((moment, amount)) = self.entries.pop_front() else { return };
            self.total -= i128::from(amount);
            if !expired {
                self.cut = self.cut.max(Some(moment));
            }
        }
    }

    /// The sum of those after `after`; a fault when some of them are forgotten.
    pub(super) fn sum(&self, after: i64) -> Result<i64, Fault> {
        if self.cut.is_some_and(|cut| cut > after) {
            return Err(Fault::CounterFull);
        }
        let gone = self.entries.iter().take_while(|(m, _)| *m <= after);
        let outside: i128 = gone.map(|(_, amount)| i128::from(*amount)).sum();
        i64::try_from(self.total - outside).map_err(|_| Fault::Overflow)
    }

    pub(super) fn newest(&self) -> Option<i64> {
        self.entries.back().map(|(m, _)| *m)
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }
}
