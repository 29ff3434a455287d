//! All windows of one card, terminal or shop side by side: an event finds its key once, and not once for each counter.

use super::{
    distinct::{Distinct, Exceptions},
    series::{Moments, Sums},
};
use crate::{counter::What, key::Key};

/// Counters that share a row at most: the bits of its mask.
pub(super) const MEMBERS_MAX: usize = u64::BITS as usize;

/// Windows of one key. A counter that has seen nothing of the key takes no place.
#[derive(Debug, Default)]
pub(super) struct Row {
    /// Which of the group's counters have a window here.
    mask: u64,
    /// In the order of the bits.
    windows: Vec<Window>,
}

/// The events of one key that one counter counts.
#[derive(Debug)]
pub(super) enum Window {
    Count(Moments),
    Sum(Sums),
    Distinct(Distinct),
    DistinctUnless(Box<Exceptions>),
}

/// What is entered.
#[derive(Debug, Clone, Copy)]
pub(super) enum Entry {
    Moment,
    Amount(i64),
    Value(Key),
    ValueUnless { value: Key, counts: bool, exception: bool },
}

impl Row {
    pub(super) fn window(&self, member: usize) -> Option<&Window> {
        let bit = 1_u64 << member;
        let place = (self.mask & (bit - 1)).count_ones() as usize;
        if self.mask & bit == 0 { None } else { self.windows.get(place) }
    }

    /// The window, made if it is not there.
    pub(super) fn window_mut(&mut self, member: usize, what: What) -> Option<&mut Window> {
        let bit = 1_u64 << member;
        let place = (self.mask & (bit - 1)).count_ones() as usize;
        if self.mask & bit == 0 {
            self.mask |= bit;
            self.windows.insert(place.min(self.windows.len()), Window::new(what));
        }
        self.windows.get_mut(place)
    }

    /// Puts a window here that was another row's.
    pub(super) fn adopt(&mut self, member: usize, window: Window) {
        let bit = 1_u64 << member;
        let place = (self.mask & (bit - 1)).count_ones() as usize;
        if self.mask & bit == 0 {
            self.mask |= bit;
            self.windows.insert(place.min(self.windows.len()), window);
        }
    }

    /// Takes a window out.
    pub(super) fn remove(&mut self, member: usize) -> Option<Window> {
        let bit = 1_u64 << member;
        let place = (self.mask & (bit - 1)).count_ones() as usize;
        if self.mask & bit == 0 || place >= self.windows.len() {
            return None;
        }
        self.mask &= !bit;
        Some(self.windows.remove(place))
    }

    /// Does one of these counters have a window here?
    pub(super) fn has_any(&self, mask: u64) -> bool {
        self.mask & mask != 0
    }

    pub(super) fn is_empty(&self) -> bool {
        self.mask == 0
    }
}

impl Window {
    pub(super) fn new(what: What) -> Self {
        match what {
            What::Count => Self::Count(Moments::default()),
            What::Sum(_) => Self::Sum(Sums::default()),
            What::Distinct(_) => Self::Distinct(Distinct::default()),
            What::DistinctUnless(_) => Self::DistinctUnless(Box::default()),
        }
    }

    pub(super) fn enter(&mut self, at: i64, entry: Entry, before: i64, limit: usize) {
        match (self, entry) {
            (Self::Count(moments), Entry::Moment) => moments.enter(at, before, limit),
            (Self::Sum(sums), Entry::Amount(amount)) => sums.enter(at, amount, before, limit),
            (Self::Distinct(values), Entry::Value(value)) => values.enter(at, value, before, limit),
            (Self::DistinctUnless(values), Entry::ValueUnless { value, counts, exception }) => {
                values.enter(at, value, (counts, exception), before, limit);
            }
            // cannot be: a counter makes windows and entries of its own kind only
            (Self::Count(_) | Self::Sum(_) | Self::Distinct(_) | Self::DistinctUnless(_), _) => {}
        }
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Self::Count(moments) => moments.len(),
            Self::Sum(sums) => sums.len(),
            Self::Distinct(values) => values.len(),
            Self::DistinctUnless(values) => values.len(),
        }
    }

    pub(super) fn newest(&self) -> Option<i64> {
        match self {
            Self::Count(moments) => moments.newest(),
            Self::Sum(sums) => sums.newest(),
            Self::Distinct(values) => values.newest(),
            Self::DistinctUnless(values) => values.newest(),
        }
    }

    /// Everything after `after` as numbers, in order: two windows with the same contents say the same.
    pub(super) fn contents(&self, after: i64) -> Vec<(i64, i128)> {
        let mut contents: Vec<(i64, i128)> = match self {
            Self::Count(moments) => moments.after(after).map(|at| (at, 1)).collect(),
            Self::Sum(sums) => sums.after(after).map(|(at, amount)| (at, i128::from(amount))).collect(),
            Self::Distinct(values) => values.after(after).map(|(at, value)| (at, value.number())).collect(),
            Self::DistinctUnless(values) => values
                .after(after)
                .map(|(at, value, exception)| {
                    (at, if exception { value.number().wrapping_neg() } else { value.number() })
                })
                .collect(),
        };
        contents.sort_unstable();
        contents
    }
}
