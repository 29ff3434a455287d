//! The archive: what people look up. Reads the files, and inside the host also the states in memory, which are newer
//! than the registers.
//!
//! [`fill`] writes the look-up tables; [`lists`], [`detail`] and [`overview`] read them.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use async_trait::async_trait;
use journal_log::Log;
use model::{CardId, TerminalId, Timestamp};
use rusqlite::Connection;
use store::{
    Archive, Card, StoreError, Terminal,
    archive::{
        CardQuery, CardView, Overview, Page, Progress, TerminalView, TransactionDetail, TransactionQuery,
        TransactionRow,
    },
};
use tokio::sync::broadcast;

use super::{
    Limits, blocking,
    core::Core,
    journal,
    migrate::ARCHIVE,
    open::{OpenError, remove},
    pool::{Pool, place},
    registers, tail,
};
use crate::seal::Sealer;

mod detail;
pub(crate) mod fill;
mod lists;
mod overview;
mod sql;

/// Cards that were used stand above those that were not: place = this + journal place of the last line. 2^52 keeps
/// cursors exact in JavaScript.
const PLACE_OF_USED: u64 = 1 << 52;
/// Whoever asks for one transaction may have its answer in hand already; so long it waits for its line.
const WAIT_FOR_ONE: Duration = Duration::from_secs(2);
/// Lists wait less: a little old is good enough under load.
const WAIT_FOR_LISTS: Duration = Duration::from_millis(200);
/// The filler's indices are hit all over; with SQLite's usual 2 MiB it would read and spill pages in every round.
const CACHE_KIB: i64 = 32 * 1024;
/// Pages of 4 KiB in the archive's log before they are folded into the file: the longer, the more often a page in it was
/// written again meanwhile.
const WAL_PAGES: u32 = 8192;
/// How often another process looks for new lines.
const TAIL_PACE: Duration = Duration::from_millis(100);

/// What people look up. Cheap to clone.
#[derive(Clone)]
pub struct SqliteArchive {
    source: Arc<Source>,
}

/// Where states come from.
enum Source {
    /// In the process that has the store open.
    Live { core: Arc<Core>, lines: broadcast::Sender<Arc<TransactionRow>>, filler: thread::Thread },
    /// In another process: the files alone.
    Files {
        pool: Pool,
        log: Arc<Log>,
        sealer: Box<Sealer>,
        lines: broadcast::Sender<Arc<TransactionRow>>,
        end: Arc<AtomicBool>,
    },
}

impl Drop for Source {
    fn drop(&mut self) {
        if let Self::Files { end, .. } = self {
            end.store(true, Ordering::Release);
        }
    }
}

impl SqliteArchive {
    pub(crate) fn live(
        core: Arc<Core>,
        lines: broadcast::Sender<Arc<TransactionRow>>,
        filler: thread::Thread,
    ) -> Self {
        Self { source: Arc::new(Source::Live { core, lines, filler }) }
    }

    pub(crate) fn of_files(pool: Pool, log: Arc<Log>, sealer: Sealer, conn: Connection) -> Self {
        let lines = broadcast::Sender::new(Limits::default().subscriber_rows);
        let end = Arc::new(AtomicBool::new(false));
        let (told, ended) = (lines.clone(), end.clone());
        let tail = thread::Builder::new().name("archive-tail".into());
        if let Err(error) = tail.spawn(move || follow(&conn, &told, &ended)) {
            tracing::warn!(%error, "no thread to follow the archive: subscribers see nothing");
        }
        Self { source: Arc::new(Source::Files { pool, log, sealer: Box::new(sealer), lines, end }) }
    }

    async fn read<T: Send + 'static>(
        &self,
        wait: Duration,
        reader: impl FnOnce(&Source, &Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.catch_up(wait).await;
        let source = self.source.clone();
        blocking(move || {
            source.pool().read(|conn| {
                source.look_again(conn)?;
                reader(&source, conn)
            })
        })
        .await
    }

    /// Waits until the look-up tables have reached the journal's end as it is now, but not for ever.
    async fn catch_up(&self, wait: Duration) {
        let Source::Live { core, filler, .. } = &*self.source else { return };
        let end = core.published();
        let mut filled = core.filled.subscribe();
        if *filled.borrow_and_update() >= end {
            return;
        }
        core.hurry.store(true, Ordering::Release);
        filler.unpark();
        let reached = filled.wait_for(|filled| {
            core.hurry.store(*filled < end, Ordering::Release);
            *filled >= end
        });
        let _ = tokio::time::timeout(wait, reached).await;
    }
}

impl Source {
    fn pool(&self) -> &Pool {
        match self {
            Self::Live { core, .. } => &core.pool,
            Self::Files { pool, .. } => pool,
        }
    }

    fn sealer(&self) -> &Sealer {
        match self {
            Self::Live { core, .. } => &core.sealer,
            Self::Files { sealer, .. } => sealer,
        }
    }

    fn log(&self) -> &Arc<Log> {
        match self {
            Self::Live { core, .. } => &core.log,
            Self::Files { log, .. } => log,
        }
    }

    /// In another process: how far the journal goes now. What the other files know was durable when they learnt it.
    fn look_again(&self, conn: &Connection) -> Result<(), StoreError> {
        let Self::Files { log, .. } = self else { return Ok(()) };
        let known = lists::filled(conn)?.max(registers::mark(conn)?);
        log.look_again(known).map(drop).map_err(journal::store_error)
    }

    fn lines(&self) -> &broadcast::Sender<Arc<TransactionRow>> {
        match self {
            Self::Live { lines, .. } | Self::Files { lines, .. } => lines,
        }
    }

    fn card(&self, conn: &Connection, id: &CardId) -> Result<Option<Arc<Card>>, StoreError> {
        match self {
            Self::Live { core, .. } => core.card(conn, id),
            Self::Files { sealer, .. } => tail::card(conn, self.log(), sealer, id),
        }
    }

    fn terminal(&self, conn: &Connection, id: &TerminalId) -> Result<Option<Arc<Terminal>>, StoreError> {
        match self {
            Self::Live { core, .. } => core.terminal(conn, id),
            Self::Files { .. } => tail::terminal(conn, self.log(), id),
        }
    }
}

/// Tells subscribers in another process about new lines.
fn follow(conn: &Connection, lines: &broadcast::Sender<Arc<TransactionRow>>, end: &AtomicBool) {
    let mut last = lists::filled(conn).unwrap_or(0);
    while !end.load(Ordering::Acquire) {
        match lists::new_lines(conn, last) {
            Ok(rows) => rows.into_iter().for_each(|row| {
                last = row.seq;
                let _ = lines.send(Arc::new(row));
            }),
            Err(error) => tracing::debug!(%error, "the archive cannot be followed just now"),
        }
        thread::sleep(TAIL_PACE);
    }
}

#[async_trait]
impl Archive for SqliteArchive {
    async fn transactions(&self, query: &TransactionQuery) -> Result<Page<TransactionRow>, StoreError> {
        let query = query.clone();
        self.read(WAIT_FOR_LISTS, move |_, conn| lists::transactions(conn, &query)).await
    }

    async fn transaction(&self, rrn: &str) -> Result<Option<TransactionDetail>, StoreError> {
        let rrn = rrn.to_owned();
        self.read(WAIT_FOR_ONE, move |source, conn| {
            detail::transaction(conn, source.log(), source.sealer(), &rrn)
        })
        .await
    }

    async fn cards(&self, query: &CardQuery) -> Result<Page<CardView>, StoreError> {
        let query = query.clone();
        self.read(WAIT_FOR_LISTS, move |source, conn| lists::cards(source, conn, &query)).await
    }

    async fn card_view(&self, id: &CardId) -> Result<Option<CardView>, StoreError> {
        let id = *id;
        self.read(WAIT_FOR_LISTS, move |source, conn| lists::card_view(source, conn, &id)).await
    }

    async fn terminals(&self) -> Result<Vec<TerminalView>, StoreError> {
        self.read(WAIT_FOR_LISTS, lists::terminals).await
    }

    async fn overview(&self, window_s: u32, now: Timestamp) -> Result<Overview, StoreError> {
        self.read(WAIT_FOR_LISTS, move |_, conn| overview::overview(conn, window_s, now)).await
    }

    fn subscribe(&self) -> broadcast::Receiver<Arc<TransactionRow>> {
        self.source.lines().subscribe()
    }

    async fn progress(&self) -> Result<Progress, StoreError> {
        self.read(Duration::ZERO, |source, conn| {
            Ok(Progress { filled: lists::filled(conn)?, journal: source.log().end() })
        })
        .await
    }
}

/// Opens the archive for its filler. One that is damaged or knows more than the journal is thrown away: it is a
/// projection. One that a newer program wrote is refused.
pub(crate) fn open_for_writing(dir: &Path, journal_end: u64) -> Result<(Connection, u64), OpenError> {
    match try_open(dir) {
        Ok((conn, filled)) if filled <= journal_end => return Ok((conn, filled)),
        Err(newer @ OpenError::NewerSchema { .. }) => return Err(newer),
        Ok((_, filled)) => {
            tracing::warn!(filled, journal_end, "the archive is not this journal's: filling a new one")
        }
        Err(error) => tracing::warn!(%error, "the archive cannot be read: filling a new one"),
    }
    let path = ARCHIVE.path(dir);
    remove(&path).map_err(|source| OpenError::NotWritable { path, source })?;
    try_open(dir)
}

fn try_open(dir: &Path) -> Result<(Connection, u64), OpenError> {
    let conn = ARCHIVE.open_for_writing(dir)?;
    let wide = conn
        .pragma_update(None, "cache_size", -CACHE_KIB)
        .and_then(|()| conn.pragma_update(None, "wal_autocheckpoint", WAL_PAGES));
    wide.map_err(|error| OpenError::sql(ARCHIVE.file, &error))?;
    let filled = conn.query_row(sql::FILLED, [], |row| row.get(0));
    let filled = filled.map(place).map_err(|error| OpenError::sql(ARCHIVE.file, &error))?;
    Ok((conn, filled))
}
