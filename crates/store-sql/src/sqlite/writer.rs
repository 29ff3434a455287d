//! The one writer of the journal: group commit.
//!
//! ```text
//!  wait for the first entry, take all that queued (at most a batch)
//!    │
//!  each entry's number against the state and against the batch so far ── not next ──► Collision, that caller alone
//!    │
//!  insert all, commit: one fsync ── error ──► everybody Away, the store stops for good
//!    │
//!  fold, publish, then answer
//! ```
//!
//! While it waits for the disk, the next batch queues: the busier the store, the more entries share an fsync.

use std::{
    collections::HashMap,
    sync::{Arc, atomic::Ordering},
};

use rusqlite::{Connection, TransactionBehavior, params};
use store::{AppendError, Entry, StoreError, Subject};
use tokio::sync::{mpsc, oneshot};

use super::{
    core::Core,
    pool::{column, store_error},
    sql, states,
};
use crate::body::subject_key;

/// What the writer is asked.
pub(crate) enum Work {
    /// Make an entry durable.
    Append(Box<Append>),
    /// Finish and end.
    End,
}

/// Boxed once, when it is sent: from there on only pointers move.
type Batch = Vec<Box<Append>>;

/// An entry, its body, and who waits for it.
pub(crate) struct Append {
    pub(crate) entry: Entry,
    pub(crate) body: Vec<u8>,
    pub(crate) done: oneshot::Sender<Result<u64, AppendError>>,
}

pub(crate) struct Writer {
    core: Arc<Core>,
    journal: Connection,
    /// For the rare subject that was evicted between its caller's look and its turn.
    reader: Connection,
    work: mpsc::Receiver<Work>,
    /// Number of each subject's last entry in this batch.
    heads: HashMap<Subject, u32>,
    end: u64,
}

impl Writer {
    pub(crate) fn new(
        core: Arc<Core>,
        journal: Connection,
        reader: Connection,
        work: mpsc::Receiver<Work>,
        end: u64,
    ) -> Self {
        Self { core, journal, reader, work, heads: HashMap::new(), end }
    }

    /// Runs until it is told to end or the store stops.
    pub(crate) fn run(mut self) {
        let mut taken = Vec::with_capacity(self.core.limits.batch_entries);
        loop {
            self.work.blocking_recv_many(&mut taken, self.core.limits.batch_entries);
            let asked_to_end = taken.is_empty() || taken.iter().any(|work| matches!(work, Work::End));
            let asked = taken.drain(..).filter_map(|work| match work {
                Work::Append(append) => Some(append),
                Work::End => None,
            });
            let batch: Batch = asked.collect();
            let stopped = self.batch(batch).is_err();
            if stopped || asked_to_end {
                return self.refuse_the_rest();
            }
        }
    }

    /// One batch. An error means that the store stopped.
    fn batch(&mut self, batch: Batch) -> Result<(), StoreError> {
        let accepted = self.accept(batch);
        if accepted.is_empty() {
            self.release(&accepted);
            return Ok(());
        }
        let first = self.end + 1;
        let written = self.write(first, &accepted).and_then(|()| self.fold(first, &accepted));
        if let Err(error) = &written {
            self.core.health.stop(error.to_string());
        }
        for (place, append) in (first..).zip(accepted) {
            let answer = written.as_ref().map(|()| place).map_err(|_| self.core.health.cause().into());
            let _ = append.done.send(answer);
        }
        written
    }

    /// Keeps the entries that continue their subject; answers the others.
    fn accept(&mut self, batch: Batch) -> Batch {
        self.heads.clear();
        let mut accepted = Batch::with_capacity(batch.len());
        for append in batch {
            match self.check(&append.entry) {
                Ok(()) => accepted.push(append),
                Err(error) => drop(append.done.send(Err(error))),
            }
        }
        accepted
    }

    /// Is it its subject's next entry? What it will be folded into stays at hand from here on.
    fn check(&mut self, entry: &Entry) -> Result<(), AppendError> {
        let head = match self.heads.get(&entry.subject) {
            Some(head) => *head,
            None => self.hold(&entry.subject)?.ok_or(AppendError::UnknownSubject)?,
        };
        self.heads.insert(entry.subject, head);
        if entry.seq != head + 1 {
            return Err(AppendError::Collision);
        }
        if let Some((key, _)) = states::movement(entry) {
            while self.core.states.sums.hold(&key).is_err() {
                self.core.states.sum(&self.reader, &key.0, key.1)?;
            }
        }
        self.heads.insert(entry.subject, entry.seq);
        Ok(())
    }

    /// The number of the subject's last entry.
    fn hold(&self, subject: &Subject) -> Result<Option<u32>, StoreError> {
        let states = &self.core.states;
        loop {
            let (held, known) = match subject {
                Subject::Card(id) => match states.cards.hold(id) {
                    Ok(card) => (Some(card.state.seq), true),
                    Err(_) => (None, states.card(&self.reader, &self.core.sealer, id)?.is_some()),
                },
                Subject::Terminal(id) => match states.terminals.hold(id) {
                    Ok(terminal) => (Some(terminal.state.seq), true),
                    Err(_) => (None, states.terminal(&self.reader, id)?.is_some()),
                },
            };
            if held.is_some() || !known {
                return Ok(held);
            }
        }
    }

    /// Inserts and commits. With WAL and `synchronous=FULL` the commit returns after an fsync of the log.
    fn write(&mut self, first: u64, batch: &Batch) -> Result<(), StoreError> {
        let tx =
            self.journal.transaction_with_behavior(TransactionBehavior::Immediate).map_err(store_error)?;
        {
            let mut insert = tx.prepare_cached(sql::APPEND).map_err(store_error)?;
            for (place, append) in (first..).zip(batch) {
                let Append { entry, body, .. } = &**append;
                let row = params![column(place), subject_key(&entry.subject), entry.seq, entry.at.0, body];
                insert.execute(row).map_err(store_error)?;
            }
        }
        tx.commit().map_err(store_error)
    }

    /// Folds a durable batch and publishes its end.
    fn fold(&mut self, first: u64, batch: &Batch) -> Result<(), StoreError> {
        for (place, append) in (first..).zip(batch) {
            self.core.states.fold(place, &append.entry)?;
            self.end = place;
        }
        self.release(batch);
        self.core.published.store(self.end, Ordering::Release);
        Ok(())
    }

    /// What was held for the batch may go again.
    fn release(&self, batch: &Batch) {
        for append in batch {
            if let Some((key, _)) = states::movement(&append.entry) {
                self.core.states.sums.release(&key);
            }
        }
        for subject in self.heads.keys() {
            match subject {
                Subject::Card(id) => self.core.states.cards.release(id),
                Subject::Terminal(id) => self.core.states.terminals.release(id),
            }
        }
    }

    /// Nobody who waits is left without an answer.
    fn refuse_the_rest(mut self) {
        self.work.close();
        while let Some(work) = self.work.blocking_recv() {
            if let Work::Append(append) = work {
                let _ = append.done.send(Err(self.core.health.cause().into()));
            }
        }
    }
}
