//! Everything that is in an embedded store, for whoever moves it elsewhere. The store's host is stopped and stays so:
//! its lock is held here.

use std::{fs::File, path::Path, sync::Arc};

use journal_log::Log;
use rusqlite::{Connection, Row};
use store::StoreError;

use super::{
    journal::{self, FOLDER},
    migrate::{OLD_JOURNAL, REGISTERS},
    open::{self, OpenError},
    pool::{self, place, store_error},
    registers,
};
use crate::{body, seal::Sealer};

const CARDS: &str = "SELECT n, id, pan_masked, pan_sealed, record, reference, state FROM main.cards
    WHERE n > ?1 ORDER BY n LIMIT ?2";
const TERMINALS: &str = "SELECT id, record, state FROM main.terminals WHERE id > ?1 ORDER BY id LIMIT ?2";
const COUNTS: &str = "SELECT (SELECT count(*) FROM main.cards), (SELECT count(*) FROM main.terminals)";

/// A stopped store.
pub(crate) struct Export {
    conn: Connection,
    log: Arc<Log>,
    /// Entries of its journal, which are numbered without gaps.
    pub(crate) entries: u64,
    pub(crate) cards: u64,
    pub(crate) terminals: u64,
    _lock: File,
}

/// A card's row, whatever is sealed in it sealed.
pub(crate) struct CardRow {
    pub(crate) n: i64,
    pub(crate) id: Vec<u8>,
    pub(crate) pan_masked: String,
    pub(crate) pan_sealed: Vec<u8>,
    pub(crate) record: Vec<u8>,
    pub(crate) reference: Option<Vec<u8>>,
    pub(crate) state: Vec<u8>,
}

/// A terminal's row.
pub(crate) struct TerminalRow {
    pub(crate) id: Vec<u8>,
    pub(crate) record: Vec<u8>,
    pub(crate) state: Vec<u8>,
}

/// A journal entry's row.
pub(crate) struct EntryRow {
    pub(crate) place: u64,
    pub(crate) subject: Vec<u8>,
    pub(crate) seq: i32,
    pub(crate) at: i64,
    pub(crate) body: Vec<u8>,
}

impl Export {
    /// Opens the store once as its host would, so that the registers have the states up to the journal's end, and then
    /// for reading.
    pub(crate) fn open(dir: &Path) -> Result<Self, OpenError> {
        if !journal::exists(dir) && !OLD_JOURNAL.path(dir).exists() {
            return Err(OpenError::NoStore(dir.to_owned()));
        }
        open::open(dir)?.close();
        let lock = open::lock(dir)?;
        let failed = |error| OpenError::sql(REGISTERS.file, &error);
        let conn = pool::connect(dir).map_err(failed)?;
        let sealer = Sealer::new(&open::read_key(dir)?);
        let log = journal::open_to_read(dir, &sealer)?;
        // Nobody writes it now: everything that is in it counts.
        let entries = log.look_again(u64::MAX).map_err(|error| journal::open_error(dir, error))?;
        let (cards, terminals) =
            conn.query_row(COUNTS, [], |row| Ok((place(row.get(0)?), place(row.get(1)?)))).map_err(failed)?;
        let mark = registers::mark(&conn).map_err(|error| OpenError::store(REGISTERS.file, error))?;
        if mark != entries {
            let what = format!("the registers are saved up to entry {mark} of {entries}");
            return Err(OpenError::Corrupt { file: FOLDER, what });
        }
        Ok(Self { conn, log, entries, cards, terminals, _lock: lock })
    }

    pub(crate) fn cards_after(&self, n: i64, limit: usize) -> Result<Vec<CardRow>, StoreError> {
        self.rows(CARDS, (n, limit as i64), |row| {
            Ok(CardRow {
                n: row.get(0)?,
                id: row.get(1)?,
                pan_masked: row.get(2)?,
                pan_sealed: row.get(3)?,
                record: row.get(4)?,
                reference: row.get(5)?,
                state: row.get(6)?,
            })
        })
    }

    pub(crate) fn terminals_after(&self, id: &[u8], limit: usize) -> Result<Vec<TerminalRow>, StoreError> {
        self.rows(TERMINALS, (id, limit as i64), |row| {
            Ok(TerminalRow { id: row.get(0)?, record: row.get(1)?, state: row.get(2)? })
        })
    }

    pub(crate) fn entries_after(&self, seq: u64, limit: usize) -> Result<Vec<EntryRow>, StoreError> {
        let mut cursor = self.log.after(seq);
        let mut rows = Vec::with_capacity(limit);
        while rows.len() < limit
            && let Some((place, body)) = cursor.next().map_err(journal::store_error)?
        {
            let head = body::head(place, body)?;
            let seq = i32::try_from(head.seq)
                .map_err(|_| StoreError::Corrupt(format!("entry {place} has number {}", head.seq)))?;
            let subject = body::subject_key(&head.subject);
            rows.push(EntryRow { place, subject, seq, at: head.at.0, body: body.to_vec() });
        }
        Ok(rows)
    }

    fn rows<T>(
        &self,
        text: &str,
        values: impl rusqlite::Params,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, StoreError> {
        let mut statement = self.conn.prepare_cached(text).map_err(store_error)?;
        let rows = statement.query_map(values, read).map_err(store_error)?;
        rows.collect::<Result<_, _>>().map_err(store_error)
    }
}
