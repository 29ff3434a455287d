//! The overview's counts over a window and the one before it, from rows in any order.

use std::collections::{HashMap, HashSet};

use model::{Timestamp, reason::Family};
use store::archive::{Figures, Slot};

/// Columns of the overview's chart.
const SLOTS: usize = 60;

/// What counting needs of a line.
pub(crate) struct Counted {
    pub(crate) at: Timestamp,
    /// Sign-ins and settlements only show that the terminal is there.
    pub(crate) counted: bool,
    pub(crate) approved: bool,
    pub(crate) answer: Answer,
    pub(crate) family: Family,
    pub(crate) took_us: Option<u32>,
    pub(crate) terminal: String,
}

/// The answers that the overview tells apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    WrongPin,
    TriesExceeded,
    Other,
}

impl Answer {
    /// DE 39: 55 and 75 or 38 in 1987 dialects; 117 and 106 in 1993.
    pub(crate) fn of(code: &str) -> Self {
        match code {
            "55" | "117" => Self::WrongPin,
            "75" | "38" | "106" => Self::TriesExceeded,
            _ => Self::Other,
        }
    }
}

/// Two windows of the same length, the later one in 60 slots. A window ends with, and includes, its last moment.
pub(crate) struct Windows {
    from: Timestamp,
    length_ms: i64,
    current: Tally,
    before: Tally,
    slots: Vec<Tally>,
    terminals: HashMap<String, u32>,
}

/// Counts of one span.
#[derive(Default, Clone)]
struct Tally {
    figures: Figures,
    declines: [u32; 5],
    took: Vec<u32>,
    terminals: HashSet<u32>,
}

impl Windows {
    pub(crate) fn new(window_s: u32, now: Timestamp) -> Self {
        let length_ms = i64::from(window_s.max(1)) * 1000;
        Self {
            from: now.plus_ms(-length_ms),
            length_ms,
            current: Tally::default(),
            before: Tally::default(),
            slots: vec![Tally::default(); SLOTS],
            terminals: HashMap::new(),
        }
    }

    /// Rows after this moment, up to `now`, are wanted.
    pub(crate) fn start(&self) -> Timestamp {
        self.from.plus_ms(-self.length_ms)
    }

    /// Start of the later window.
    pub(crate) fn from(&self) -> Timestamp {
        self.from
    }

    pub(crate) fn add(&mut self, row: &Counted) {
        let terminal = self.terminal(&row.terminal);
        let since = row.at.since_ms(self.from);
        if since <= 0 {
            return self.before.add(row, terminal);
        }
        let slot = (since - 1).saturating_mul(SLOTS as i64) / self.length_ms;
        self.current.add(row, terminal);
        if let Some(slot) = usize::try_from(slot).ok().and_then(|slot| self.slots.get_mut(slot)) {
            slot.add(row, terminal);
        }
    }

    /// Figures of the later window, of the earlier one, and the slots, oldest first.
    pub(crate) fn finish(self) -> (Figures, Figures, Vec<Slot>) {
        let (from, length_ms) = (self.from, self.length_ms);
        let start = |index: usize| from.plus_ms(index as i64 * length_ms / SLOTS as i64);
        let slots =
            self.slots.into_iter().enumerate().map(|(index, tally)| tally.slot(start(index))).collect();
        (self.current.figures(), self.before.figures(), slots)
    }

    fn terminal(&mut self, name: &str) -> Option<u32> {
        if name.is_empty() {
            return None;
        }
        if let Some(number) = self.terminals.get(name) {
            return Some(*number);
        }
        let number = self.terminals.len() as u32;
        self.terminals.insert(name.to_owned(), number);
        Some(number)
    }
}

impl Tally {
    fn add(&mut self, row: &Counted, terminal: Option<u32>) {
        self.terminals.extend(terminal);
        if !row.counted {
            return;
        }
        self.figures.total += 1;
        self.took.extend(row.took_us);
        match row.answer {
            Answer::WrongPin => self.figures.wrong_pin += 1,
            Answer::TriesExceeded => self.figures.tries_exceeded += 1,
            Answer::Other => {}
        }
        if row.approved {
            self.figures.approved += 1;
        } else {
            self.declines[column(row.family)] += 1;
        }
    }

    fn figures(mut self) -> Figures {
        let p99_us = p99(&mut self.took);
        Figures { p99_us, terminals_seen: self.terminals.len() as u32, ..self.figures }
    }

    fn slot(self, from: Timestamp) -> Slot {
        let declines = self.declines;
        let Figures { total, approved, p99_us, terminals_seen, .. } = self.figures();
        Slot { from, total, approved, declines, p99_us, terminals_seen }
    }
}

/// Warn, lock, sys, bad, neutral. A decline whose reason is of the family `ok` (a forced one) is a plain no.
fn column(family: Family) -> usize {
    match family {
        Family::Warn => 0,
        Family::Lock => 1,
        Family::Sys => 2,
        Family::Bad => 3,
        Family::Neutral | Family::Ok => 4,
    }
}

/// The smallest value that at least 99 of 100 do not exceed; 0 without values.
fn p99(values: &mut [u32]) -> u32 {
    let rank = (values.len() * 99).div_ceil(100);
    match rank.checked_sub(1) {
        Some(index) => *values.select_nth_unstable(index).1,
        None => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(at: i64, code: &str, family: Family) -> Counted {
        Counted {
            at: Timestamp(at),
            counted: true,
            approved: code == "00",
            answer: Answer::of(code),
            family,
            took_us: Some(100),
            terminal: "T1".to_owned(),
        }
    }

    #[test]
    fn a_row_falls_into_its_slot_and_window() {
        let mut windows = Windows::new(3600, Timestamp(7_200_000));
        windows.add(&row(7_200_000, "00", Family::Ok));
        windows.add(&row(3_600_001, "55", Family::Warn));
        windows.add(&row(3_600_000, "75", Family::Lock));
        let (current, before, slots) = windows.finish();
        assert_eq!((current.total, current.approved, current.wrong_pin), (2, 1, 1));
        assert_eq!((before.total, before.tries_exceeded), (1, 1));
        assert_eq!(slots.len(), 60);
        assert_eq!((slots[0].total, slots[0].declines), (1, [1, 0, 0, 0, 0]));
        assert_eq!((slots[59].total, slots[59].approved, slots[59].terminals_seen), (1, 1, 1));
        assert_eq!(slots[1].from, Timestamp(3_660_000));
    }

    #[test]
    fn the_99th_percentile_is_a_value_that_occurred() {
        assert_eq!(p99(&mut []), 0);
        assert_eq!(p99(&mut [7]), 7);
        assert_eq!(p99(&mut (1..=100).collect::<Vec<_>>()), 99);
        assert_eq!(p99(&mut (1..=1000).rev().collect::<Vec<_>>()), 990);
    }
}
