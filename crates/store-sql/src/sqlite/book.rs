//! The book in a file of its own, `book.db`: it grows slowly, and no payment waits for it.
//!
//! Unlike the journal it may be written by several processes at once, such as a command beside a host: SQLite's lock makes
//! one wait for the other, and the unique number in a stream decides who came first.

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use model::Timestamp;
use rusqlite::{Connection, Row, TransactionBehavior, params};
use store::{
    StoreError,
    book::{self, Book, BookError, Fact, READ_MAX},
};
use tokio::sync::watch;

use super::{
    journal,
    migrate::{BOOK, OLD_JOURNAL},
    open::{self, OpenError},
    pool::{column, place, store_error},
};
use crate::seal::{Purpose, Sealer};

const APPEND: &str = "INSERT INTO book (stream, seq, at, kind, body) SELECT ?1, ?2 + 1, ?3, ?4, ?5
    WHERE (SELECT coalesce(max(seq), 0) FROM book WHERE stream = ?1) = ?2";
const OF_STREAM: &str = "SELECT place, stream, seq, at, kind, body FROM book
    WHERE stream = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3";
const OF_ALL: &str = "SELECT place, stream, seq, at, kind, body FROM book
    WHERE place > ?1 ORDER BY place LIMIT ?2";

/// The book of a data directory.
pub struct SqliteBook {
    desk: Arc<Desk>,
    sealer: Sealer,
    bell: watch::Sender<u64>,
}

/// The one connection; `None` once a commit failed, because nobody knows then what the disk holds.
struct Desk(Mutex<Option<Connection>>);

/// Opens the book of a store that is there, beside its host or without one; makes the file in a directory from before.
///
/// # Errors
/// [`OpenError`].
pub fn open_book(dir: impl AsRef<Path>) -> Result<Arc<SqliteBook>, OpenError> {
    let dir = dir.as_ref();
    open::check_directory(dir)?;
    if !journal::exists(dir) && !OLD_JOURNAL.path(dir).exists() {
        return Err(OpenError::NoStore(dir.to_owned()));
    }
    let sealer = Sealer::new(&open::read_key(dir)?);
    let is_new = !BOOK.path(dir).exists();
    let conn = BOOK.open_for_writing(dir)?;
    if is_new {
        open::sync_dir(dir)?;
    }
    let last = conn
        .query_row("SELECT coalesce(max(place), 0) FROM book", [], |row| row.get(0))
        .map_err(|error| OpenError::sql(BOOK.file, &error))?;
    let bell = watch::Sender::new(place(last));
    Ok(Arc::new(SqliteBook { desk: Arc::new(Desk(Mutex::new(Some(conn)))), sealer, bell }))
}

impl SqliteBook {
    /// Takes no more facts. Reads end too.
    pub fn close(&self) {
        drop(self.desk.0.lock().unwrap_or_else(PoisonError::into_inner).take());
    }

    async fn at_desk<T: Send + 'static, E: From<StoreError> + Send + 'static>(
        &self,
        work: impl FnOnce(&mut Option<Connection>) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E> {
        let desk = self.desk.clone();
        let done = tokio::task::spawn_blocking(move || {
            work(&mut desk.0.lock().unwrap_or_else(PoisonError::into_inner))
        });
        done.await.unwrap_or_else(|error| Err(away(&format!("its thread ended: {error}")).into()))
    }
}

#[async_trait]
impl Book for SqliteBook {
    async fn append(
        &self,
        stream: &str,
        expected_seq: u32,
        at: Timestamp,
        kind: &str,
        body: Vec<u8>,
    ) -> Result<u64, BookError> {
        book::check(stream, expected_seq, kind, &body)?;
        let (stream, kind) = (stream.to_owned(), kind.to_owned());
        let bell = self.bell.clone();
        self.at_desk(move |desk| {
            let mut conn = desk.take().ok_or_else(closed)?;
            match append(&mut conn, &stream, expected_seq, at, &kind, &body) {
                Err(error @ BookError::Unknown(_)) => {
                    tracing::error!(%error, "the book takes no more facts");
                    Err(error)
                }
                result => {
                    *desk = Some(conn);
                    let place = result?;
                    bell.send_replace(place);
                    Ok(place)
                }
            }
        })
        .await
    }

    async fn read(&self, stream: &str, after_seq: u32, limit: u32) -> Result<Vec<Fact>, StoreError> {
        let stream = stream.to_owned();
        self.at_desk(move |desk| facts(desk, OF_STREAM, params![stream, after_seq, limit.min(READ_MAX)]))
            .await
    }

    async fn read_all(&self, after_place: u64, limit: u32) -> Result<Vec<Fact>, StoreError> {
        self.at_desk(move |desk| facts(desk, OF_ALL, params![column(after_place), limit.min(READ_MAX)])).await
    }

    fn subscribe(&self) -> watch::Receiver<u64> {
        self.bell.subscribe()
    }

    fn seal(&self, owner: &str, secret: &[u8]) -> Result<Vec<u8>, StoreError> {
        seal(&self.sealer, owner, secret)
    }

    fn open(&self, owner: &str, sealed: &[u8]) -> Result<Vec<u8>, StoreError> {
        open_sealed(&self.sealer, owner, sealed)
    }
}

/// Seals a secret of a fact.
pub(crate) fn seal(sealer: &Sealer, owner: &str, secret: &[u8]) -> Result<Vec<u8>, StoreError> {
    sealer.seal(Purpose::Fact, owner.as_bytes(), secret).map_err(|error| StoreError::Away(error.to_string()))
}

/// Opens it again.
pub(crate) fn open_sealed(sealer: &Sealer, owner: &str, sealed: &[u8]) -> Result<Vec<u8>, StoreError> {
    let opened = sealer.open(Purpose::Fact, owner.as_bytes(), sealed);
    opened.map_err(|error| StoreError::Corrupt(format!("{owner}: {error}")))
}

/// Immediately the writer, so that what is read of the stream is still so when the fact is written.
fn append(
    conn: &mut Connection,
    stream: &str,
    expected_seq: u32,
    at: Timestamp,
    kind: &str,
    body: &[u8],
) -> Result<u64, BookError> {
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate).map_err(store_error)?;
    let put = tx.execute(APPEND, params![stream, expected_seq, at.0, kind, body]).map_err(store_error)?;
    if put == 0 {
        return Err(BookError::Collision);
    }
    let row = place(tx.last_insert_rowid());
    tx.commit().map_err(|error| BookError::Unknown(error.to_string()))?;
    Ok(row)
}

fn facts(
    desk: &mut Option<Connection>,
    text: &str,
    values: impl rusqlite::Params,
) -> Result<Vec<Fact>, StoreError> {
    let conn = desk.as_ref().ok_or_else(closed)?;
    let mut statement = conn.prepare_cached(text).map_err(store_error)?;
    let rows = statement.query_map(values, fact).map_err(store_error)?;
    rows.map(|row| row.map_err(store_error)).collect()
}

fn fact(row: &Row<'_>) -> rusqlite::Result<Fact> {
    Ok(Fact {
        place: place(row.get(0)?),
        stream: row.get(1)?,
        seq: row.get(2)?,
        at: Timestamp(row.get(3)?),
        kind: row.get(4)?,
        body: row.get(5)?,
    })
}

/// All facts of a store's book after a place, for whoever moves it elsewhere; none if the store is from before it.
pub(crate) fn export(dir: &Path, after_place: u64) -> Result<Vec<Fact>, StoreError> {
    if !BOOK.path(dir).exists() {
        return Ok(Vec::new());
    }
    let conn = BOOK.open_for_writing(dir).map_err(|error| away(&error.to_string()))?;
    facts(&mut Some(conn), OF_ALL, params![column(after_place), READ_MAX])
}

fn closed() -> StoreError {
    away("closed, or stopped after a failed commit")
}

fn away(why: &str) -> StoreError {
    StoreError::Away(format!("the book: {why}"))
}
