//! The embedded store: a log for the journal and SQLite for everything that is folded from it; one process, one
//! directory.
//!
//! ```text
//!  append ──► queue ──► writer ──► journal/ (a log)          one fdatasync for all that queued during the last one
//!               │ folds    │ publishes, answers
//!               ▼
//!            states in memory ──► checkpoint ──► registers.db               lazily, sorted
//!  journal/ ──► archive filler ──► archive.db                               behind, may be deleted
//!  book.db                                            what people decided; a file of its own, beside all this
//! ```
//!
//! The journal is all that a payment waits for ([`journal_log`]). A restart reads the registers' mark and folds the journal
//! after it; nothing acknowledged can be missing, because an acknowledgement follows the fsync.

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
use tokio::sync::broadcast;

pub use archive::SqliteArchive;
pub use book::{SqliteBook, open_book};
pub use limits::Limits;
pub use open::{OpenError, open, open_archive, open_with};

use core::Core;
use queue::Taken;
use threads::Threads;

use crate::row::Row;

mod archive;
pub(crate) mod book;
mod checkpoint;
mod convert;
mod core;
pub(crate) mod export;
mod journal;
mod limits;
mod migrate;
mod newest;
mod open;
mod outstanding;
mod packed;
mod pool;
mod queue;
mod recent_keys;
mod registers;
mod replay;
mod shelf;
mod sql;
mod states;
mod tail;
mod threads;
mod writer;

/// How often an append reads again what was evicted under it before it says that there is too much to do.
const EVICTIONS_LIMIT: usize = 16;

/// The embedded engine. Dropping it closes it.
pub struct SqliteEngine {
    core: Arc<Core>,
    archive: SqliteArchive,
    threads: Mutex<Option<Threads>>,
}

impl SqliteEngine {
    /// Takes no more work, finishes what was taken, saves the states and ends its threads. Blocks for as long as
    /// that takes; a second call does nothing. Reads go on afterwards.
    pub fn close(&self) {
        let threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(threads) = threads else { return };
        self.core.health.stop("closed");
        threads.join();
        self.core.pool.close_idle();
    }

    /// Runs something that reads files, on a thread that may block.
    async fn read<T: Send + 'static>(
        &self,
        reader: impl FnOnce(&Core) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let _turn = self.core.pool.turn().await;
        let core = self.core.clone();
        blocking(move || reader(&core)).await
    }

    /// Brings subject and batch of an entry to hand, so that the entry can be folded.
    async fn prepare(&self, entry: &Entry) -> Result<(), AppendError> {
        let known = match (entry.subject, &entry.event) {
            (Subject::Card(id), _) => self.card(&id).await?.is_some(),
            (Subject::Terminal(id), Event::Terminal(_)) => self.terminal(&id).await?.is_some(),
            (Subject::Terminal(_), _) => {
                return Err(
                    StoreError::Corrupt("a terminal's entry must be a terminal's event".to_owned()).into()
                );
            }
        };
        if !known {
            return Err(AppendError::UnknownSubject);
        }
        if let Some((key, _)) = states::movement(entry)
            && self.core.states.sums.look(&key).is_err()
        {
            self.read(move |core| core.pool.read(|conn| core.states.sum(conn, &key.0, key.1))).await?;
        }
        Ok(())
    }
}

impl Drop for SqliteEngine {
    fn drop(&mut self) {
        self.close();
    }
}

#[async_trait]
impl Engine for SqliteEngine {
    fn describe(&self) -> String {
        let synced = if self.core.limits.commits_synced { "fdatasync for each group" } else { "not synced" };
        format!("files (journal: {synced}; sqlite {})", rusqlite::version())
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
        if let Some(card) = self.core.look_card(id) {
            return Ok(Some(card));
        }
        let id = *id;
        self.read(move |core| core.pool.read(|conn| core.card(conn, &id))).await
    }

    async fn terminal(&self, id: &TerminalId) -> Result<Option<Arc<Terminal>>, StoreError> {
        if let Some(terminal) = self.core.look_terminal(id) {
            return Ok(Some(terminal));
        }
        let id = *id;
        self.read(move |core| core.pool.read(|conn| core.terminal(conn, &id))).await
    }

    async fn append(&self, mut entry: Entry) -> Result<u64, AppendError> {
        self.core.health.check()?;
        let mut body = crate::body::encode(&self.core.sealer, &mut entry)?;
        if body.len() > journal_log::MAX_BODY {
            return Err(StoreError::Away(format!("an entry of {} bytes is too long", body.len())).into());
        }
        // What is kept of it in memory has no answer: the log has that.
        let entry = Arc::new(entry.without_answer());
        for _ in 0..EVICTIONS_LIMIT {
            self.prepare(&entry).await?;
            match self.core.queue.take(&self.core.states, &entry, &mut body)? {
                Taken::Placed(place, waiting) => return self.core.acknowledged(place, &waiting).await,
                Taken::Collision => return Err(AppendError::Collision),
                Taken::NotAtHand => {}
            }
        }
        Err(StoreError::Overloaded.into())
    }

    async fn entry(&self, journal_seq: u64) -> Result<Option<Entry>, StoreError> {
        self.core.until_durable(journal_seq).await?;
        self.read(move |core| core.entry(journal_seq)).await
    }

    async fn journal_end(&self) -> Result<u64, StoreError> {
        Ok(self.core.published())
    }

    async fn entries(&self, after: u64, limit: usize) -> Result<Vec<(u64, Arc<Entry>)>, StoreError> {
        if let Some(entries) = self.core.newest.after(after, limit) {
            return Ok(entries);
        }
        self.read(move |core| core.entries(after, limit)).await
    }

    async fn card_of(&self, key: &TransactionKey) -> Result<Option<CardId>, StoreError> {
        if let Some(card) = self.core.states.keys.get(key) {
            return Ok(Some(card));
        }
        let key = *key;
        self.read(move |core| core.pool.read(|conn| registers::card_of(conn, &key))).await
    }

    async fn batch_totals(&self, terminal: &TerminalId, batch: BatchNumber) -> Result<Totals, StoreError> {
        let terminal = *terminal;
        self.read(move |core| {
            core.pool.read(|conn| core.states.sum(conn, &terminal, batch)).map(|s| s.totals)
        })
        .await
    }

    async fn register(&self, registrations: Vec<Registration>) -> Result<(), StoreError> {
        self.core.health.check()?;
        self.read(move |core| core.register(registrations)).await
    }

    async fn pan(&self, id: &CardId) -> Result<Option<Pan>, StoreError> {
        let id = *id;
        self.read(move |core| core.pool.read(|conn| core.pan(conn, &id))).await
    }

    async fn note_outstanding(&self, id: &CardId, at: Timestamp) -> Result<(), StoreError> {
        self.core.health.check()?;
        let id = *id;
        self.read(move |core| core.note_outstanding(&id, at)).await
    }

    async fn outstanding(&self) -> Result<Vec<Outstanding>, StoreError> {
        self.read(|core| core.pool.read(|conn| core.outstanding(conn))).await
    }

    async fn forget_outstanding(&self, id: &CardId, noted: Timestamp) -> Result<(), StoreError> {
        self.core.health.check()?;
        let id = *id;
        self.read(move |core| core.forget_outstanding(&id, noted)).await
    }

    async fn check(&self) -> Result<(), StoreError> {
        self.core.health.check()?;
        if self.core.queue.is_full() { Err(StoreError::Overloaded) } else { Ok(()) }
    }
}

#[async_trait]
impl Archive for SqliteEngine {
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

impl Core {
    /// An entry with its answer.
    fn entry(&self, journal_seq: u64) -> Result<Option<Entry>, StoreError> {
        let body = self.log.read(journal_seq).map_err(journal::store_error)?;
        body.map(|body| crate::body::decode(&self.sealer, journal_seq, &body)).transpose()
    }

    /// The durable entries after a place, without their answers.
    fn entries(&self, after: u64, limit: usize) -> Result<Vec<(u64, Arc<Entry>)>, StoreError> {
        let mut cursor = self.log.after(after);
        let mut entries = Vec::new();
        while entries.len() < limit
            && let Some((place, body)) = cursor.next().map_err(journal::store_error)?
        {
            let entry = crate::body::decode_sealed(place, body)?.without_answer();
            entries.push((place, Arc::new(entry)));
        }
        Ok(entries)
    }

    /// Writes registers in one transaction, then amends what is at hand.
    fn register(&self, registrations: Vec<Registration>) -> Result<(), StoreError> {
        let mut rows = registrations
            .into_iter()
            .map(|registration| Row::new(&self.sealer, registration))
            .collect::<Result<Vec<_>, _>>()?;
        // Sorted, so that neighbours share pages; stable, so that the last of two registrations of a card wins.
        rows.sort_by(|a, b| a.sort_key().cmp(&b.sort_key()));
        // Amended under the same lock, so that two registrations of a card end the same way in file and memory.
        self.write_registers(|conn| {
            registers::register(conn, &rows)?;
            self.amend(&rows);
            Ok(())
        })
    }

    /// Brings what is at hand up to the registers.
    fn amend(&self, rows: &[Row]) {
        for row in rows {
            match row {
                Row::Card(row) => self.states.cards.amend(&row.id, |card| {
                    card.record = row.record.clone();
                    card.reference = row.reference.clone();
                }),
                Row::Terminal { record } => {
                    self.states.terminals.amend(&record.id, |terminal| terminal.record = record.clone());
                }
            }
        }
    }
}

/// Runs something that blocks where it may.
async fn blocking<T: Send + 'static>(
    job: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    match tokio::task::spawn_blocking(job).await {
        Ok(result) => result,
        Err(error) => Err(StoreError::Away(format!("a reader ended early: {error}"))),
    }
}
