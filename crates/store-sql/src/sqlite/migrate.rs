//! Numbered migrations, one series per file; `user_version` says how many were applied. A store that a newer program
//! wrote is refused: an older program would misread it.

use std::{
    io,
    path::{Path, PathBuf},
};

use rusqlite::{Connection, TransactionBehavior};

use super::open::OpenError;

/// One of the store's files and its migrations, oldest first.
pub(crate) struct Schema {
    pub(crate) file: &'static str,
    pub(crate) migrations: &'static [&'static str],
    /// `FULL` where an acknowledged row must survive a power cut.
    pub(crate) synchronous: &'static str,
}

/// Where earlier versions had the journal; [`convert`](super::convert) makes a log of it.
pub(crate) const OLD_JOURNAL: Schema = Schema {
    file: "journal.db",
    migrations: &[include_str!("../../migrations/sqlite/journal/0001_journal.sql")],
    synchronous: "FULL",
};
pub(crate) const REGISTERS: Schema = Schema {
    file: "registers.db",
    migrations: &[
        include_str!("../../migrations/sqlite/registers/0001_registers.sql"),
        include_str!("../../migrations/sqlite/registers/0002_outstanding.sql"),
    ],
    synchronous: "FULL",
};
pub(crate) const ARCHIVE: Schema = Schema {
    file: "archive.db",
    migrations: &[include_str!("../../migrations/sqlite/archive/0001_archive.sql")],
    synchronous: "NORMAL",
};
pub(crate) const BOOK: Schema = Schema {
    file: "book.db",
    migrations: &[include_str!("../../migrations/sqlite/book/0001_book.sql")],
    synchronous: "FULL",
};

impl Schema {
    /// Where the file is.
    pub(crate) fn path(&self, dir: &Path) -> PathBuf {
        dir.join(self.file)
    }

    /// Opens the file for its one writer, creating it if need be, and brings its tables up to date.
    pub(crate) fn open_for_writing(&self, dir: &Path) -> Result<Connection, OpenError> {
        self.connect(dir).map_err(|error| match error {
            Refusal::Newer(found) => {
                OpenError::NewerSchema { file: self.file, found, known: self.migrations.len() }
            }
            Refusal::ReadOnly => OpenError::NotWritable {
                path: self.path(dir),
                source: io::ErrorKind::ReadOnlyFilesystem.into(),
            },
            Refusal::Sql(error) => OpenError::sql(self.file, &error),
        })
    }

    fn connect(&self, dir: &Path) -> Result<Connection, Refusal> {
        let mut conn = Connection::open(self.path(dir))?;
        conn.busy_timeout(super::pool::BUSY_TIMEOUT)?;
        if conn.is_readonly("main")? {
            return Err(Refusal::ReadOnly);
        }
        let found = version(&conn)?;
        if found > self.migrations.len() {
            return Err(Refusal::Newer(found));
        }
        let mode: String = conn.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
        assert_eq!(mode, "wal", "{} must be in WAL mode", self.file);
        conn.pragma_update(None, "synchronous", self.synchronous)?;
        migrate(&mut conn, found, self.migrations)?;
        Ok(conn)
    }

    /// For readers, who change nothing: the version must be exactly ours.
    pub(crate) fn check_version(&self, conn: &Connection, schema: &str) -> Result<(), OpenError> {
        let found: i64 = conn
            .query_row(&format!("PRAGMA {schema}.user_version"), [], |row| row.get(0))
            .map_err(|error| OpenError::sql(self.file, &error))?;
        let found = usize::try_from(found).unwrap_or(usize::MAX);
        if found == self.migrations.len() {
            Ok(())
        } else if found > self.migrations.len() {
            Err(OpenError::NewerSchema { file: self.file, found, known: self.migrations.len() })
        } else {
            Err(OpenError::OlderSchema { file: self.file, found, known: self.migrations.len() })
        }
    }
}

enum Refusal {
    Newer(usize),
    /// SQLite opens a file that it may not write without a word.
    ReadOnly,
    Sql(rusqlite::Error),
}

impl From<rusqlite::Error> for Refusal {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

fn version(conn: &Connection) -> rusqlite::Result<usize> {
    let version: i64 = conn.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    Ok(usize::try_from(version).unwrap_or(usize::MAX))
}

fn migrate(conn: &mut Connection, applied: usize, migrations: &[&str]) -> rusqlite::Result<()> {
    for (index, sql) in migrations.iter().enumerate().skip(applied) {
        let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        tx.execute_batch(sql)?;
        tx.pragma_update(None, "user_version", (index + 1) as i64)?;
        tx.commit()?;
    }
    Ok(())
}
