//! Connections that only read, with both databases in each. Taken for one call and put back.

use std::{
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use rusqlite::{Connection, ErrorCode, OpenFlags};
use store::StoreError;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::{
    migrate::{ARCHIVE, REGISTERS},
    sql,
};

/// How long a reader waits for a file that is being set up; in WAL mode readers and the writer never block each
/// other otherwise.
pub(crate) const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// So many readers at once; the others wait for their turn. A connection costs a hundred times what a row does, so none
/// is closed because it has nothing to do for a moment.
const READERS: usize = 8;
const STATEMENTS_CACHED: usize = 64;

pub(crate) struct Pool {
    dir: PathBuf,
    idle: Mutex<Vec<Connection>>,
    turns: Semaphore,
}

impl Pool {
    pub(crate) fn new(dir: &Path) -> Self {
        Self { dir: dir.to_owned(), idle: Mutex::default(), turns: Semaphore::new(READERS) }
    }

    /// Waits until few enough others read. Whoever may block without waiting in a task reads without.
    pub(crate) async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        // The semaphore is never closed.
        self.turns.acquire().await.ok()
    }

    /// Runs a reader.
    pub(crate) fn read<T>(
        &self,
        reader: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let idle = self.idle().pop();
        let conn = idle.map_or_else(|| self.connect(), Ok)?;
        let result = reader(&conn);
        let mut idle = self.idle();
        if idle.len() < READERS {
            idle.push(conn);
        }
        result
    }

    /// Closes idle connections, so that the last writer to leave tidies its file.
    pub(crate) fn close_idle(&self) {
        self.idle().clear();
    }

    /// A connection of its own, for a thread that reads all the time.
    pub(crate) fn connect(&self) -> Result<Connection, StoreError> {
        connect(&self.dir).map_err(store_error)
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// WAL readers must write into the shared-memory file, so the connection is read-write for SQLite and `query_only`
/// for us.
pub(crate) fn connect(dir: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(REGISTERS.path(dir), flags)?;
    conn.busy_timeout(BUSY_TIMEOUT)?;
    conn.execute(sql::ATTACH_ARCHIVE, [ARCHIVE.path(dir).to_string_lossy()])?;
    conn.pragma_update(None, "query_only", true)?;
    conn.set_prepared_statement_cache_capacity(STATEMENTS_CACHED);
    Ok(conn)
}

/// Whose fault an SQLite error is.
pub(crate) fn store_error(error: rusqlite::Error) -> StoreError {
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => StoreError::Corrupt(error.to_string()),
        _ => StoreError::Away(error.to_string()),
    }
}

/// SQLite's integers are signed; a journal never reaches 2^63.
pub(crate) fn column(seq: u64) -> i64 {
    i64::try_from(seq).unwrap_or(i64::MAX)
}

/// The other way.
pub(crate) fn place(column: i64) -> u64 {
    u64::try_from(column).unwrap_or_default()
}
