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
    queue::Placed,
    sql,
};

pub(crate) struct Writer {
    core: Arc<Core>,
    journal: Connection,
}

impl Writer {
    pub(crate) fn new(core: Arc<Core>, journal: Connection) -> Self {
        Self { core, journal }
    }

    /// Runs until the queue is closed and empty, or the store stops.
    pub(crate) fn run(mut self) {
        let core = self.core.clone();
        let mut batch = VecDeque::with_capacity(core.limits.batch_entries);
        while core.queue.wait(&mut batch, core.limits.batch_entries) {
            let written = self.write(&batch);
            if let Err(error) = &written {
                core.fail(error);
            } else if let Some(last) = batch.back() {
                core.publish(last.place);
            }
            for placed in batch.drain(..) {
                let answer = if written.is_ok() { Ok(placed.place) } else { Err(core.health.cause().into()) };
                let _ = placed.done.send(answer);
            }
            if written.is_err() {
                break;
            }
        }
        // Nobody who waits is left without an answer.
        for placed in core.queue.abandon() {
            let _ = placed.done.send(Err(core.health.cause().into()));
        }
        core.writer_ended();
    }

    /// Inserts and commits. With WAL and `synchronous=FULL` the commit returns after an fsync of the log.
    fn write(&mut self, batch: &VecDeque<Placed>) -> Result<(), StoreError> {
        let tx =
            self.journal.transaction_with_behavior(TransactionBehavior::Immediate).map_err(store_error)?;
        {
            let mut insert = tx.prepare_cached(sql::APPEND).map_err(store_error)?;
            for placed in batch {
                let Placed { place, subject, seq, at, body, .. } = placed;
                insert
                    .execute(params![column(*place), subject.as_bytes(), seq, at.0, body])
                    .map_err(store_error)?;
            }
        }
        tx.commit().map_err(store_error)
    }
}
