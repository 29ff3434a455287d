//! The store on a database that speaks PostgreSQL's wire protocol: as many hosts as wanted, none of which owns a card.
//!
//! ```text
//!  append ──► lane ──► journal of the card's partition      one commit for all that queued during the last one
//!               │ a number that is taken: Collision, decide again
//!               │ folds, answers
//!               ▼
//!             states at hand ──► saved state      now and then
//!  journals ──► filler (one host at a time) ──► look-up tables
//! ```
//!
//! The journal's key *(subject, number)* is the only lock. What a host has in memory may be old; then the key collides,
//! the state is read again and the decision is taken again. Each partition's head tells how old it may be, see [`heads`].
//!
//! **Places in the journal** are made of the database's clock, in eighths of a millisecond since 2026, and of the
//! partition: `place = ticks × partitions + partition`. Inside a partition they are given out in the order of commits
//! and never go back, so they grow with each entry of a subject and a reader who remembers one place of each partition
//! misses nothing; over all partitions they are in the order of time, as far as the clock tells it apart, and [`feed`]
//! reads them in that order without missing one.
//! They are unique, have fifteen digits until 2088 with 64 partitions, and have gaps.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use authorization::settlement::Totals;
use model::{BatchNumber, CardId, Pan, PinReference, SealedReference, TerminalId, Timestamp, TransactionKey};
use store::{
    AppendError, Archive, Card, Engine, Entry, Event, Outstanding, Registration, StoreError, Subject,
    Terminal,
    archive::{
        CardQuery, CardView, Overview, Page, Progress, TerminalView, TransactionDetail, TransactionQuery,
        TransactionRow,
    },
};
use tokio::{
    sync::{broadcast, mpsc, oneshot, watch},
    task::JoinHandle,
};

pub use archive::PostgresArchive;
pub use book::{PostgresBook, open_book};
pub use limits::Limits;
pub use look::{WipeError, mark_sandbox, partitions, wipe_sandbox};
pub use open::{OpenError, open, open_archive};
pub use transfer::{PartitionDigest, Stage, Step, TableDigest, TransferError, Transferred, transfer};

use core::{Core, partition};
use pool::{column, place, signed};
use states::Kind;
use writer::Append;

use crate::{
    body::{subject_key, transaction_key},
    row::Row,
};

mod archive;
mod batch;
mod book;
mod checkpoint;
mod core;
mod feed;
mod heads;
mod limits;
pub mod local_server;
mod look;
mod migrate;
mod open;
mod outstanding;
mod pool;
mod reader;
mod registers;
mod shelf;
mod sql;
mod states;
mod transfer;
mod writer;

/// The engine on a database. Dropping it ends its tasks; [`close`](Self::close) also waits for them.
pub struct PostgresEngine {
    core: Arc<Core>,
    lanes: Vec<mpsc::Sender<Box<Append>>>,
    archive: PostgresArchive,
    end: watch::Sender<bool>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

impl PostgresEngine {
    fn new(
        core: Arc<Core>,
        lanes: Vec<mpsc::Sender<Box<Append>>>,
        lines: broadcast::Sender<Arc<TransactionRow>>,
        end: watch::Sender<bool>,
        tasks: Vec<JoinHandle<()>>,
    ) -> Self {
        let archive = PostgresArchive::of_engine(core.clone(), lines);
        Self { core, lanes, archive, end, tasks: Mutex::new(tasks) }
    }

    /// Takes no more work, finishes what was taken, gives up its lease and ends its tasks. A second call does nothing.
    pub async fn close(&self) {
        self.core.close();
        self.end.send_replace(true);
        let tasks = std::mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        for task in tasks {
            let _ = task.await;
        }
    }

    /// The registration that an entry is decided under, if it may be its subject's next.
    async fn version<V: Kind>(&self, key: &V::Key, seq: u32) -> Result<i64, AppendError> {
        let mut kept = self.core.at_hand::<V>(key).await?.ok_or(AppendError::UnknownSubject)?;
        if seq > kept.seq.saturating_add(1) {
            kept = self.core.fresh::<V>(key).await?.ok_or(AppendError::UnknownSubject)?;
        }
        if kept.seq.checked_add(1) == Some(seq) { Ok(kept.version) } else { Err(AppendError::Collision) }
    }
}

impl Drop for PostgresEngine {
    fn drop(&mut self) {
        self.core.close();
        self.end.send_replace(true);
    }
}

#[async_trait]
impl Engine for PostgresEngine {
    fn describe(&self) -> String {
        format!("PostgreSQL wire ({} partitions, {} lanes)", self.core.limits.partitions, self.lanes.len())
    }

    fn card_id(&self, pan: &Pan) -> CardId {
        self.core.sealer.card_id(pan)
    }

    fn digest(&self, contents: &[&[u8]]) -> u64 {
        self.core.sealer.digest(contents)
    }

    fn seal_reference(&self, card: &CardId, reference: &PinReference) -> Result<SealedReference, StoreError> {
        crate::row::seal_reference(&self.core.sealer, card, reference)
    }

    fn open_reference(&self, card: &CardId, sealed: &SealedReference) -> Result<PinReference, StoreError> {
        crate::row::open_reference(&self.core.sealer, card, sealed.as_bytes())
    }

    async fn card(&self, id: &CardId) -> Result<Option<Arc<Card>>, StoreError> {
        let wary = self.core.states.is_wary();
        let kept =
            if wary { self.core.fresh::<Card>(id).await? } else { self.core.at_hand::<Card>(id).await? };
        Ok(kept.map(|kept| kept.value))
    }

    async fn terminal(&self, id: &TerminalId) -> Result<Option<Arc<Terminal>>, StoreError> {
        Ok(self.core.fresh::<Terminal>(id).await?.map(|kept| kept.value))
    }

    async fn append(&self, mut entry: Entry) -> Result<u64, AppendError> {
        self.core.check_open()?;
        let version = match (entry.subject, &entry.event) {
            (Subject::Card(id), _) => self.version::<Card>(&id, entry.seq).await?,
            (Subject::Terminal(id), Event::Terminal(_)) => self.version::<Terminal>(&id, entry.seq).await?,
            (Subject::Terminal(_), _) => {
                return Err(
                    StoreError::Corrupt("a terminal's entry must be a terminal's event".to_owned()).into()
                );
            }
        };
        if i32::try_from(entry.seq).is_err() {
            return Err(StoreError::Corrupt("a subject has no more numbers".to_owned()).into());
        }
        let body = crate::body::encode(&self.core.sealer, &mut entry)?;
        let partition = partition(&entry.subject, self.core.limits.partitions);
        let lane = &self.lanes[usize::from(partition) % self.lanes.len()];
        let (done, answer) = oneshot::channel();
        let subject = subject_key(&entry.subject);
        let key = match &entry.event {
            Event::Transaction(t) => Some(transaction_key(&t.key)),
            _ => None,
        };
        lane.try_send(Box::new(Append { entry, subject, key, body, version, partition, done })).map_err(
            |error| match error {
                mpsc::error::TrySendError::Full(_) => StoreError::Overloaded,
                mpsc::error::TrySendError::Closed(_) => StoreError::Away("closed".to_owned()),
            },
        )?;
        answer.await.unwrap_or_else(|_| Err(StoreError::Away("closed".to_owned()).into()))
    }

    async fn entry(&self, journal_seq: u64) -> Result<Option<Entry>, StoreError> {
        let partition = journal_seq % u64::from(self.core.limits.partitions);
        let text = &self.core.texts[partition as usize].entry;
        let rows = self.core.pool.rows(text, &[&signed(journal_seq)]).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        crate::body::decode(&self.core.sealer, journal_seq, column(row, 0)?).map(Some)
    }

    async fn journal_end(&self) -> Result<u64, StoreError> {
        feed::end(&self.core).await
    }

    async fn entries(&self, after: u64, limit: usize) -> Result<Vec<(u64, Arc<Entry>)>, StoreError> {
        feed::entries(&self.core, after, limit).await
    }

    async fn place_before(&self, at: Timestamp) -> Result<u64, StoreError> {
        feed::place_before(&self.core, at).await
    }

    async fn card_of(&self, key: &TransactionKey) -> Result<Option<CardId>, StoreError> {
        registers::card_of(&self.core, key).await
    }

    async fn batch_totals(&self, terminal: &TerminalId, batch: BatchNumber) -> Result<Totals, StoreError> {
        registers::batch_totals(&self.core, terminal, batch).await
    }

    async fn claim_numbers(&self, count: u32) -> Result<Option<u64>, StoreError> {
        self.core.check_open()?;
        // Asked again after a broken connection it takes others, and the first ones are nobody's.
        let rows = self.core.pool.rows(sql::CLAIM_NUMBERS, &[&i64::from(count)]).await?;
        let row = rows.first().ok_or_else(|| StoreError::Corrupt("pinward.numbers has no row".to_owned()))?;
        Ok(Some(place(column(row, 0)?)))
    }

    async fn register(&self, registrations: Vec<Registration>) -> Result<(), StoreError> {
        self.core.check_open()?;
        let rows = registrations
            .into_iter()
            .map(|registration| Row::new(&self.core.sealer, registration))
            .collect::<Result<Vec<_>, _>>()?;
        registers::register(&self.core, &rows).await?;
        for row in &rows {
            match registers::subject(row) {
                Subject::Card(id) => drop(self.core.states.cards.forget(&id, u32::MAX)),
                Subject::Terminal(id) => drop(self.core.states.terminals.forget(&id, u32::MAX)),
            }
        }
        Ok(())
    }

    async fn pan(&self, id: &CardId) -> Result<Option<Pan>, StoreError> {
        self.core.pan(id).await
    }

    async fn note_outstanding(&self, id: &CardId, at: Timestamp) -> Result<(), StoreError> {
        self.core.check_open()?;
        self.core.note_outstanding(id, at).await
    }

    async fn outstanding(&self) -> Result<Vec<Outstanding>, StoreError> {
        self.core.outstanding().await
    }

    async fn forget_outstanding(&self, id: &CardId, noted: Timestamp) -> Result<(), StoreError> {
        self.core.check_open()?;
        self.core.forget_outstanding(id, noted).await
    }

    async fn check(&self) -> Result<(), StoreError> {
        self.core.check_open()?;
        if self.lanes.iter().any(|lane| lane.capacity() == 0) {
            return Err(StoreError::Overloaded);
        }
        let look = self.core.pool.rows(sql::REGISTERED, &[]);
        match tokio::time::timeout(self.core.limits.connect_within, look).await {
            Ok(rows) => rows.map(drop),
            Err(_) => Err(StoreError::Away("the database does not answer".to_owned())),
        }
    }
}

#[async_trait]
impl Archive for PostgresEngine {
    async fn transactions(&self, query: &TransactionQuery) -> Result<Page<TransactionRow>, StoreError> {
        self.archive.transactions(query).await
    }

    async fn transaction(&self, rrn: &str) -> Result<Option<TransactionDetail>, StoreError> {
        self.archive.transaction(rrn).await
    }

    async fn cards(&self, query: &CardQuery) -> Result<Page<CardView>, StoreError> {
        self.archive.cards(query).await
    }

    async fn card_view(&self, id: &CardId) -> Result<Option<CardView>, StoreError> {
        self.archive.card_view(id).await
    }

    async fn terminals(&self) -> Result<Vec<TerminalView>, StoreError> {
        self.archive.terminals().await
    }

    async fn overview(&self, window_s: u32, now: Timestamp) -> Result<Overview, StoreError> {
        self.archive.overview(window_s, now).await
    }

    fn subscribe(&self) -> broadcast::Receiver<Arc<TransactionRow>> {
        self.archive.subscribe()
    }

    async fn progress(&self) -> Result<Progress, StoreError> {
        self.archive.progress().await
    }
}
