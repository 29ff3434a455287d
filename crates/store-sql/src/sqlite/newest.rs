//! The newest durable entries as they were decided: whoever follows the journal closely gets them from here, and the log is
//! neither read nor decoded again.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use store::Entry;

/// The end of the journal, in memory. It is never needed: who is further behind reads the log.
pub(crate) struct Newest {
    inner: Mutex<Inner>,
    limit: usize,
}

#[derive(Default)]
struct Inner {
    /// The place of the first of them.
    first: u64,
    /// They follow each other without a gap.
    entries: VecDeque<Arc<Entry>>,
}

impl Newest {
    pub(crate) fn new(limit: usize) -> Self {
        Self { inner: Mutex::default(), limit }
    }

    /// Takes entries that have become durable, in their order.
    pub(crate) fn take<'e>(&self, durable: impl Iterator<Item = (u64, &'e Arc<Entry>)>) {
        let mut surplus = Vec::new();
        let mut inner = self.lock();
        for (place, entry) in durable {
            if inner.first + inner.entries.len() as u64 != place {
                surplus.extend(inner.entries.drain(..));
                inner.first = place;
            }
            inner.entries.push_back(Arc::clone(entry));
        }
        let more = inner.entries.len().saturating_sub(self.limit);
        surplus.extend(inner.entries.drain(..more));
        inner.first += more as u64;
        // Freed when nobody waits for the lock any more.
        drop(inner);
    }

    /// The entries after a place, at most `limit`; `None` when the next is not at hand.
    pub(crate) fn after(&self, after: u64, limit: usize) -> Option<Vec<(u64, Arc<Entry>)>> {
        let inner = self.lock();
        let skip = usize::try_from((after + 1).checked_sub(inner.first)?).ok()?;
        if skip >= inner.entries.len() {
            return None;
        }
        let entries = inner.entries.iter().skip(skip).take(limit);
        Some((after + 1..).zip(entries.map(Arc::clone)).collect())
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
