//! The one writer of the journal: group commit.
//!
//! ```text
//!  wait for the first entry, take all that queued (at most a batch)
//!    │
//!  insert all, commit: one fsync ── error ──► everybody Away, the store stops for good
//!    │
//!  publish, then answer
//! ```
//!
//! While it waits for the disk, the next batch queues: the busier the store, the more entries share an fsync. Entries come
//! with their place and are folded already ([`queue`](super::queue)).

use std::{collections::VecDeque, sync::Arc};

use rusqlite::{Connection, TransactionBehavior, params};
use store::StoreError;

use super::{
    core::Core,
    pool::{column, store_error},
    queue::{Placed, wake},
    sql,
};

pub(crate) struct Writer {
    core: Arc<Core>,
    journal: Connection,
    batch: VecDeque<Placed>,
}

impl Writer {
    pub(crate) fn new(core: Arc<Core>, journal: Connection) -> Self {
        let batch = VecDeque::with_capacity(core.limits.batch_entries);
        Self { core, journal, batch }
    }

    /// Runs until the queue is closed and empty, or the store stops.
    pub(crate) fn run(mut self) {
        let core = self.core.clone();
        while core.queue.wait(&mut self.batch, core.limits.batch_entries) {
            match (self.write(), self.batch.back()) {
                (Ok(()), Some(last)) => core.publish(last.place),
                (Ok(()), None) => {}
                (Err(error), _) => return core.fail(&error),
            }
            wake(&mut self.batch);
        }
    }

    /// Inserts and commits. With WAL and `synchronous=FULL` the commit returns after an fsync of the log.
    fn write(&mut self) -> Result<(), StoreError> {
        let tx =
            self.journal.transaction_with_behavior(TransactionBehavior::Immediate).map_err(store_error)?;
        {
            let mut insert = tx.prepare_cached(sql::APPEND).map_err(store_error)?;
            for placed in &self.batch {
                let Placed { place, subject, seq, at, body, .. } = placed;
                insert
                    .execute(params![column(*place), subject.as_bytes(), seq, at.0, body])
                    .map_err(store_error)?;
            }
        }
        let last = self.batch.back().map_or(0, |placed| placed.place);
        tx.commit().map_err(|error| {
            self.core.doubt(last);
            store_error(error)
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
