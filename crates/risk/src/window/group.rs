//! Counters that share a key: one table with a row for each key, and how rows that nobody asks for any more are found
//! without a search.

use std::collections::{HashMap, VecDeque};

use model::hash::Folding;

use super::{
    Counter, Limits, Told,
    row::{Entry, Row, Window},
};
use crate::{field::Field, key::Key};

/// The counters of one key field.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) field: Field,
    /// Their numbers; the place here is the bit in rows.
    pub(super) members: Vec<usize>,
    rows: HashMap<Key, Row, Folding>,
    lengths: Vec<Length>,
    /// What an event enters; kept so that no event allocates.
    entries: Vec<(usize, usize, Entry)>,
}

/// The members with windows of the same length.
#[derive(Debug)]
struct Length {
    window_ms: i64,
    mask: u64,
    /// Every key with such a window once, with the time before which it need not be looked at.
    queue: VecDeque<(i64, Key)>,
}

/// Keys that are looked at for removal with each event: more than the one that may be added.
const SWEPT_EACH: usize = 2;

impl Group {
    pub(super) fn new(field: Field) -> Self {
        Self {
            field,
            members: Vec::new(),
            rows: HashMap::default(),
            lengths: Vec::new(),
            entries: Vec::new(),
        }
    }

    /// A member more; its bit.
    pub(super) fn add(&mut self, counter: usize, window_ms: i64) -> usize {
        let member = self.members.len();
        self.members.push(counter);
        match self.lengths.iter_mut().find(|length| length.window_ms == window_ms) {
            Some(length) => length.mask |= 1 << member,
            None => self.lengths.push(Length { window_ms, mask: 1 << member, queue: VecDeque::new() }),
        }
        member
    }

    pub(super) fn row(&self, key: &Key) -> Option<&Row> {
        self.rows.get(key)
    }

    /// The windows of one member.
    pub(super) fn windows(&self, member: usize) -> impl Iterator<Item = (Key, &Window)> {
        self.rows.iter().filter_map(move |(key, row)| row.window(member).map(|window| (*key, window)))
    }

    /// Takes the windows of one member out.
    pub(super) fn take(&mut self, member: usize) -> impl Iterator<Item = (Key, Window)> {
        self.rows.iter_mut().filter_map(move |(key, row)| row.remove(member).map(|window| (*key, window)))
    }

    /// Puts a window here that was another group's; [`queue_all`](Self::queue_all) comes after the last.
    pub(super) fn adopt(&mut self, key: Key, member: usize, window: Window) {
        self.rows.entry(key).or_default().adopt(member, window);
    }

    pub(super) fn queue_all(&mut self) {
        for length in &mut self.lengths {
            let due = |(key, row): (&Key, &Row)| length.due(row).map(|due| (due, *key));
            let mut queue: Vec<(i64, Key)> = self.rows.iter().filter_map(due).collect();
            queue.sort_unstable();
            length.queue = queue.into();
        }
    }

    pub(super) fn note(&mut self, counters: &mut [Counter], limits: Limits, told: &Told<'_, '_>) {
        let event = told.event;
        let at = event.at.0;
        self.sweep(counters, at);
        let mut entries = std::mem::take(&mut self.entries);
        let key = event.key(self.field);
        for (member, number) in self.members.iter().enumerate() {
            let Some(counter) = counters.get_mut(*number) else { continue };
            match counter.entry(told) {
                Ok(None) => {}
                Ok(Some(_)) if key.is_ok() && counter.entries >= limits.entries => {
                    counter.not_taken += 1;
                    counter.last_not_taken = counter.last_not_taken.max(Some(at));
                }
                Ok(Some(entry)) if key.is_ok() => entries.push((member, *number, entry)),
                Ok(Some(_)) | Err(_) => counter.unreadable += 1,
            }
        }
        if let (Ok(key), false) = (key, entries.is_empty()) {
            let row = self.rows.entry(key).or_default();
            for length in &mut self.lengths {
                let touched = entries.iter().any(|(member, ..)| length.mask & (1 << member) != 0);
                if touched && !row.has_any(length.mask) {
                    length.queue.push_back((at.saturating_add(length.window_ms), key));
                }
            }
            for (member, number, entry) in entries.drain(..) {
                let Some(counter) = counters.get_mut(number) else { continue };
                let Some(window) = row.window_mut(member, counter.spec.what) else { continue };
                let (held, before) = (window.len(), at.saturating_sub(counter.spec.window_ms));
                window.enter(at, entry, before, limits.events);
                counter.keys += usize::from(held == 0);
                counter.entries = counter.entries.saturating_sub(held) + window.len();
            }
        }
        self.entries = entries;
    }

    /// Forgets windows whose last event has left them, and rows without windows.
    fn sweep(&mut self, counters: &mut [Counter], now: i64) {
        let Self { members, rows, lengths, .. } = self;
        for length in lengths {
            for _ in 0..SWEPT_EACH {
                let Some((due, key)) = length.queue.front().copied().filter(|(due, _)| *due <= now) else {
                    break;
                };
                debug_assert!(due <= now);
                length.queue.pop_front();
                let Some(row) = rows.get_mut(&key) else { continue };
                for (member, number) in members.iter().enumerate() {
                    let dead = length.mask & (1 << member) != 0
                        && row.window(member).is_some_and(|window| length.ends(window) <= now);
                    let gone = if dead { row.remove(member) } else { None };
                    if let (Some(window), Some(counter)) = (gone, counters.get_mut(*number)) {
                        counter.entries = counter.entries.saturating_sub(window.len());
                        counter.keys = counter.keys.saturating_sub(usize::from(window.len() > 0));
                    }
                }
                match length.due(row) {
                    Some(due) => length.queue.push_back((due, key)),
                    None if row.is_empty() => drop(rows.remove(&key)),
                    None => {}
                }
            }
        }
    }
}

impl Length {
    /// When the last of these windows of a row ends, if there is one.
    fn due(&self, row: &Row) -> Option<i64> {
        let mut mask = self.mask;
        let mut due = None;
        while mask != 0 {
            let member = mask.trailing_zeros() as usize;
            mask &= mask - 1;
            due = due.max(row.window(member).map(|window| self.ends(window)));
        }
        due
    }

    fn ends(&self, window: &Window) -> i64 {
        window.newest().unwrap_or(i64::MIN).saturating_add(self.window_ms)
    }
}
