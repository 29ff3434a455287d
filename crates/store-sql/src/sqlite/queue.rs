//! The order of the journal: here an entry gets its place, and its subject's state moves on.
//!
//! ```text
//!  append ── subject's next? ── no ──► Collision, at once
//!              │ yes
//!            place given, folded, queued: one step under one lock
//!              │
//!            writer takes all that queued ──► durable ──► its caller, and those behind it, are answered
//! ```
//!
//! A state at hand is therefore ahead of the disk by what is queued. Decisions may rest on it, because their own entry
//! has a later place: it is never durable without what it rests on, and no answer leaves before its entry is durable. If
//! the disk fails, everything queued fails together and the store stops. A card that many tills use at once pays one
//! fsync for all of them, instead of one each.

use std::{
    collections::VecDeque,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    task::Waker,
};

use store::{Entry, StoreError};

use super::states::{Folded, States};

/// An entry that has its place, and who waits until it is durable.
pub(crate) struct Placed {
    pub(crate) place: u64,
    pub(crate) body: Vec<u8>,
    pub(crate) entry: Arc<Entry>,
    pub(crate) waiting: Waiting,
}

/// Who waits for a place: the waker of the last task that asked.
#[derive(Clone, Default)]
pub(crate) struct Waiting(Arc<Mutex<Option<Waker>>>);

impl Waiting {
    /// Takes it, to wake it when the place is durable or never will be.
    pub(crate) fn take(&self) -> Option<Waker> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Registers who asks. The outcome must be looked at once more afterwards.
    pub(crate) fn register(&self, waker: &Waker) {
        let mut registered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *registered {
            Some(known) => known.clone_from(waker),
            none => *none = Some(waker.clone()),
        }
    }
}

/// Wakes everybody who waits. Entries of one connection stand together, and its task is woken once for all of them.
pub(crate) fn wake(batch: &mut VecDeque<Placed>) {
    let mut last: Option<Waker> = None;
    for placed in batch.drain(..) {
        let Some(waker) = placed.waiting.take() else { continue };
        match &last {
            Some(same) if same.will_wake(&waker) => {}
            _ => {
                if let Some(before) = last.replace(waker) {
                    before.wake();
                }
            }
        }
    }
    if let Some(last) = last {
        last.wake();
    }
}

/// What came of an entry that wanted a place.
pub(crate) enum Taken {
    /// It has this one; it is waited for until it is durable.
    Placed(u64, Waiting),
    /// Another entry of its subject came first.
    Collision,
    /// Its subject or batch is not at hand any more: to be read again.
    NotAtHand,
}

pub(crate) struct Queue {
    inner: Mutex<Inner>,
    filled: Condvar,
    limit: usize,
}

struct Inner {
    waiting: VecDeque<Placed>,
    next: u64,
    writer_waits: bool,
    /// No entry is taken any more; the writer finishes what is there.
    closed: bool,
}

impl Queue {
    pub(crate) fn new(limit: usize) -> Self {
        let inner = Inner { waiting: VecDeque::new(), next: 1, writer_waits: false, closed: false };
        Self { inner: Mutex::new(inner), filled: Condvar::new(), limit }
    }

    /// The journal ends here: what comes next is placed behind it.
    pub(crate) fn start_after(&self, end: u64) {
        self.lock().next = end + 1;
    }

    /// The last place that was given.
    pub(crate) fn end(&self) -> u64 {
        self.lock().next - 1
    }

    /// Is there no room for one more?
    pub(crate) fn is_full(&self) -> bool {
        self.lock().waiting.len() >= self.limit
    }

    /// Gives the entry its place and folds it into its subject's state. `body` is taken when that was done.
    pub(crate) fn take(
        &self,
        states: &States,
        entry: &Arc<Entry>,
        body: &mut Vec<u8>,
    ) -> Result<Taken, StoreError> {
        let mut inner = self.lock();
        if inner.closed {
            return Err(StoreError::Away("closed".to_owned()));
        }
        if inner.waiting.len() >= self.limit {
            return Err(StoreError::Overloaded);
        }
        let place = inner.next;
        match states.fold_next(place, entry) {
            Folded::Yes => {}
            Folded::NotNext => return Ok(Taken::Collision),
            Folded::NotAtHand => return Ok(Taken::NotAtHand),
        }
        let waiting = Waiting::default();
        inner.next += 1;
        let (body, entry) = (std::mem::take(body), Arc::clone(entry));
        inner.waiting.push_back(Placed { place, body, entry, waiting: waiting.clone() });
        if std::mem::take(&mut inner.writer_waits) {
            drop(inner);
            self.filled.notify_one();
        }
        Ok(Taken::Placed(place, waiting))
    }

    /// Waits for entries and moves at most `limit` of them into `batch`; `false` when none will come any more.
    pub(crate) fn wait(&self, batch: &mut VecDeque<Placed>, limit: usize) -> bool {
        let mut inner = self.lock();
        while inner.waiting.is_empty() {
            if inner.closed {
                return false;
            }
            inner.writer_waits = true;
            inner = self.filled.wait(inner).unwrap_or_else(PoisonError::into_inner);
        }
        if inner.waiting.len() <= limit {
            std::mem::swap(batch, &mut inner.waiting);
        } else {
            batch.extend(inner.waiting.drain(..limit));
        }
        true
    }

    /// Takes no more entries.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.filled.notify_one();
    }

    /// Takes no more entries, and hands out those that nobody will write.
    pub(crate) fn abandon(&self) -> VecDeque<Placed> {
        let mut inner = self.lock();
        inner.closed = true;
        std::mem::take(&mut inner.waiting)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
