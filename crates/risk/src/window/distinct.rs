//! Different values: how many cards at a terminal, how many shops of a card.
//!
//! A card has few shops and a shop has many cards: a few values are a short row that is looked through, many are a table.

use std::collections::{HashMap, VecDeque};

use model::hash::Folding;

use crate::{fault::Fault, key::Key};

/// Values with the time when each was last seen.
#[derive(Debug, Default)]
pub(super) struct Distinct {
    /// All of them, as they were first seen, as long as there are few.
    few: Vec<(i64, Key)>,
    many: Option<Box<Many>>,
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
    /// Beyond the limit the oldest are forgotten.
    pub(super) fn enter(&mut self, at: i64, value: Key, before: i64, limit: usize) {
        if let Some(many) = &mut self.many {
            return many.enter(at, value, before, limit);
        }
        match self.few.iter_mut().find(|(_, known)| *known == value) {
            Some((last, _)) => *last = at.max(*last),
            None => self.few.push((at, value)),
        }
        self.few.retain(|(at, _)| *at > before);
        while self.few.len() > limit.max(1) {
            let oldest = self.few.iter().enumerate().min_by_key(|(_, (at, _))| *at);
            let Some((place, _)) = oldest else { break };
            self.few.remove(place);
        }
        if self.few.len() > FEW {
            self.many = Some(Box::new(Many::of(std::mem::take(&mut self.few))));
        }
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

    fn enter(&mut self, at: i64, value: Key, before: i64, limit: usize) {
        let last = self.last.entry(value).or_insert(i64::MIN);
        if *last >= at {
            return; // a late event of a value that was seen since
        }
        *last = at;
        if self.queue.back().is_none_or(|(last, _)| *last <= at) {
            self.queue.push_back((at, value));
        } else {
            let place = self.queue.partition_point(|(m, _)| *m <= at);
            self.queue.insert(place, (at, value));
        }
        self.forget(before, limit);
    }

    fn forget(&mut self, before: i64, limit: usize) {
        while let Some((at, value)) = self.queue.front().copied() {
            let (expired, full) = (at <= before, self.last.len() > limit);
            if !expired && !full {
                break;
            }
            self.queue.pop_front();
            if self.last.get(&value) == Some(&at) {
                self.last.remove(&value);
            }
        }
        if self.queue.len() > 2 * self.last.len() + OLD_PLACES {
            let last = &self.last;
            self.queue.retain(|(at, value)| last.get(value) == Some(at));
        }
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
    exceptions: Marks,
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
        self.counted.newest().max(self.exceptions.newest)
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

/// Values that are only looked up, one by one: no order is kept, and what is too old is cleared away when there is twice as much
/// as the last time. Most cards are such an exception (their PIN was right), so this is what most events enter.
#[derive(Debug, Default)]
struct Marks {
    few: Vec<(i64, Key)>,
    many: Option<HashMap<Key, i64, Folding>>,
    newest: Option<i64>,
    /// The newest that was forgotten because there were too many.
    cut: Option<i64>,
    /// So many are cleared next.
    clear_at: usize,
}

/// So many marks are not worth clearing.
const MARKS_UNCLEARED: usize = 64;

impl Marks {
    fn enter(&mut self, at: i64, value: Key, before: i64, limit: usize) {
        self.newest = self.newest.max(Some(at));
        let Some(many) = &mut self.many else {
            match self.few.iter_mut().find(|(_, known)| *known == value) {
                Some((last, _)) => *last = at.max(*last),
                None => self.few.push((at, value)),
            }
            self.few.retain(|(at, _)| *at > before);
            if self.few.len() > FEW {
                let few = std::mem::take(&mut self.few);
                self.many = Some(few.into_iter().map(|(at, value)| (value, at)).collect());
                self.clear_at = MARKS_UNCLEARED;
            }
            return;
        };
        let last = many.entry(value).or_insert(at);
        *last = at.max(*last);
        if many.len() > self.clear_at.min(limit) {
            self.clear(before, limit);
        }
    }

    fn clear(&mut self, before: i64, limit: usize) {
        let Some(many) = &mut self.many else { return };
        many.retain(|_, at| *at > before);
        if many.len() > limit {
            // half of them go, so that this is rare
            let mut moments: Vec<i64> = many.values().copied().collect();
            let middle = moments.len() / 2;
            let cut = *moments.select_nth_unstable(middle).1;
            many.retain(|_, at| *at > cut);
            self.cut = self.cut.max(Some(cut));
        }
        self.clear_at = (2 * many.len()).max(MARKS_UNCLEARED);
    }

    fn seen(&self, value: &Key, after: i64) -> bool {
        match &self.many {
            Some(many) => many.get(value).is_some_and(|at| *at > after),
            None => self.few.iter().any(|(at, known)| known == value && *at > after),
        }
    }

    fn len(&self) -> usize {
        self.many.as_ref().map_or(self.few.len(), HashMap::len)
    }

    fn after(&self, after: i64) -> impl Iterator<Item = (i64, Key)> {
        let few = self.few.iter().copied();
        let many = self.many.iter().flat_map(|many| many.iter().map(|(value, at)| (*at, *value)));
        few.chain(many).filter(move |(at, _)| *at > after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_cleared_and_what_was_cut_is_said() {
        let mut marks = Marks::default();
        let value = |i: i64| Key::text(&i.to_string());
        for i in 0..1_000 {
            marks.enter(i, value(i), i - 100, 10_000);
        }
        assert!(marks.len() <= 2 * 100 + MARKS_UNCLEARED, "{}", marks.len());
        assert!((900..1_000).all(|i| marks.seen(&value(i), i - 1)) && !marks.seen(&value(998), 998));
        assert_eq!((marks.cut, marks.newest, marks.after(899).count()), (None, Some(999), 100));
        for i in 1_000..1_200 {
            marks.enter(i, value(i), i - 100, 50);
        }
        assert!(
            marks.len() <= 50 && marks.cut.is_some_and(|cut| cut > 1_100),
            "{} {:?}",
            marks.len(),
            marks.cut
        );
    }
}
