//! The one writer of the journal: group commit.
//!
//! ```text
//!  wait for the first entry, take all that queued (at most a batch)
//!    │
//!  write all at once, one fdatasync ── error ──► everybody Away or in doubt, the store stops for good
//!    │
//!  publish, then answer
//! ```
//!
//! While it waits for the disk, the next batch queues: the busier the store, the more entries share an fdatasync. Entries
//! come with their place and are folded already ([`queue`](super::queue)).

use std::{collections::VecDeque, sync::Arc};

use journal_log::Appender;
use store::StoreError;

use super::{
    core::Core,
    journal,
    queue::{Placed, wake},
};

pub(crate) struct Writer {
    core: Arc<Core>,
    appender: Appender,
    batch: VecDeque<Placed>,
}

impl Writer {
    pub(crate) fn new(core: Arc<Core>, appender: Appender) -> Self {
        let batch = VecDeque::with_capacity(core.limits.batch_entries);
        Self { core, appender, batch }
    }

    /// Runs until the queue is closed and empty, or the store stops.
    pub(crate) fn run(mut self) {
        let core = self.core.clone();
        while core.queue.wait(&mut self.batch, core.limits.batch_entries) {
            match self.write() {
                Ok(end) => {
                    core.newest.take(self.batch.iter().map(|placed| (placed.place, &placed.entry)));
                    core.publish(end);
                }
                Err(error) => return core.fail(&error),
            }
            wake(&mut self.batch);
        }
    }

    /// Makes the batch durable; its last place.
    fn write(&mut self) -> Result<u64, StoreError> {
        let first = self.batch.front().map_or(0, |placed| placed.place);
        if first != self.appender.next() {
            let what = format!("entry {first} does not follow entry {}", self.appender.next() - 1);
            return Err(StoreError::Corrupt(what));
        }
        let bodies = self.batch.iter().map(|placed| &placed.body[..]);
        self.appender.append(bodies).map_err(|failure| {
            if failure.in_doubt {
                self.core.doubt(self.batch.back().map_or(0, |placed| placed.place));
            }
            journal::store_error(failure.error)
        })
    }
}

/// However the writer ends, nobody who waits is left without an answer.
impl Drop for Writer {
    fn drop(&mut self) {
        let mut unwritten = self.core.queue.abandon();
        if !self.batch.is_empty() || !unwritten.is_empty() {
            self.core.fail(&StoreError::Away("the journal's writer ended".to_owned()));
        }
        self.core.writer_ended();
        wake(&mut self.batch);
        wake(&mut unwritten);
    }
}
