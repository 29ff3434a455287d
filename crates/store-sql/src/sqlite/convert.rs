//! A journal that an earlier version kept in SQLite (`journal.db`) becomes a log, at the first start of this one: copied
//! beside, read again, compared by count and digest, and only then given its name. The old file is kept under another.

use std::{
    fs::{self, File},
    io,
    path::Path,
    sync::Arc,
    thread,
};

use journal_log::{Log, LogError};
use rusqlite::{Connection, OptionalExtension};
use sha2::{Digest, Sha256};

use super::{
    Limits, journal,
    migrate::OLD_JOURNAL,
    open::{OpenError, sync_dir},
    pool::{column, place},
};
use crate::{body, seal::Sealer, store_key};

/// Where it is made.
const FRESH: &str = "journal.new";
/// What the old file is called afterwards.
const CONVERTED: &str = "journal.db.converted";
/// Entries of one group.
const AT_ONCE: u64 = 1000;

const END: &str = "SELECT coalesce(max(seq), 0) FROM journal";
const ENTRIES: &str =
    "SELECT seq, subject, subject_seq, at, body FROM journal WHERE seq > ?1 ORDER BY seq LIMIT ?2";
const ENTRY: &str = "SELECT body FROM journal WHERE seq = ?1";
const KEY_CHECK: &str = "SELECT key_check FROM store";

/// Count and digest of the entries, in order.
#[derive(Default)]
struct Tally {
    entries: u64,
    hash: Sha256,
}

impl Tally {
    fn add(&mut self, body: &[u8]) {
        self.entries += 1;
        self.hash.update((body.len() as u64).to_be_bytes());
        self.hash.update(body);
    }

    fn end(self) -> (u64, Vec<u8>) {
        (self.entries, self.hash.finalize().to_vec())
    }
}

/// Converts it, if there is one.
pub(crate) fn run(dir: &Path, sealer: &Sealer, limits: &Limits) -> Result<(), OpenError> {
    if !OLD_JOURNAL.path(dir).exists() {
        return Ok(());
    }
    let old = OLD_JOURNAL.open_for_writing(dir)?;
    check_key(&old, sealer, dir)?;
    let end: u64 = old.query_row(END, [], |row| row.get(0)).map(place).map_err(|error| sql(&error))?;
    if journal::exists(dir) {
        finished_before(&old, end, dir, sealer)?;
    } else {
        tracing::warn!(entries = end, "journal.db becomes a log of its own files; this happens once");
        let copied = copy(&old, dir, sealer, limits)?;
        let kept = verify(&dir.join(FRESH), sealer, dir)?;
        if copied != kept || copied.0 != end {
            let what = format!("{} entries of {end} were copied, or not as they were", kept.0);
            return Err(OpenError::Corrupt { file: FRESH, what });
        }
        rename(dir, FRESH, journal::FOLDER)?;
    }
    // The last connection that closes folds the write-ahead log into the file.
    drop(old);
    rename(dir, OLD_JOURNAL.file, CONVERTED)?;
    tracing::warn!(entries = end, kept = CONVERTED, "journal.db is converted, verified by count and digest");
    Ok(())
}

/// A start that ended between the two renamings, or a store that an older program touched since.
fn finished_before(old: &Connection, end: u64, dir: &Path, sealer: &Sealer) -> Result<(), OpenError> {
    let last: Option<Vec<u8>> =
        old.query_row(ENTRY, [column(end)], |row| row.get(0)).optional().map_err(|error| sql(&error))?;
    let log = journal::open_to_read(dir, sealer)?;
    log.look_again(u64::MAX).map_err(|error| journal::open_error(dir, error))?;
    let here =
        if end == 0 { None } else { log.read(end).map_err(|error| journal::open_error(dir, error))? };
    if last == here {
        return Ok(());
    }
    let what = format!(
        "it has {end} entries that are not in journal/: an older version of the program wrote here after the \
         conversion; restore both from one back-up"
    );
    Err(OpenError::Corrupt { file: OLD_JOURNAL.file, what })
}

fn copy(old: &Connection, dir: &Path, sealer: &Sealer, limits: &Limits) -> Result<(u64, Vec<u8>), OpenError> {
    let fresh = dir.join(FRESH);
    match fs::remove_dir_all(&fresh) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            return Err(OpenError::Io { path: fresh, source });
        }
        _ => {}
    }
    let options = journal::options(sealer, limits);
    let failed = |error: LogError| journal::open_error(dir, error);
    journal_log::create(&fresh, &options).map_err(failed)?;
    let opened = journal_log::open(&fresh, options).map_err(failed)?;
    let preparer = opened.preparer;
    thread::scope(|scope| {
        scope.spawn(move || preparer.run());
        // Dropped at the end of this, and with it ends its preparer.
        let mut appender = opened.appender;
        let mut tally = Tally::default();
        loop {
            let bodies = read(old, tally.entries)?;
            if bodies.is_empty() {
                return Ok(tally.end());
            }
            bodies.iter().for_each(|body| tally.add(body));
            appender.append(bodies.iter().map(Vec::as_slice)).map_err(|failure| failed(failure.error))?;
        }
    })
}

/// Entries after a place: each place once and without gaps, each body as its columns say.
fn read(old: &Connection, after: u64) -> Result<Vec<Vec<u8>>, OpenError> {
    let mut statement = old.prepare_cached(ENTRIES).map_err(|error| sql(&error))?;
    let rows = statement.query_map((column(after), column(AT_ONCE)), |row| {
        let columns: (Vec<u8>, u32, i64) = (row.get(1)?, row.get(2)?, row.get(3)?);
        Ok((place(row.get(0)?), columns, row.get::<_, Vec<u8>>(4)?))
    });
    let rows = rows.and_then(Iterator::collect::<Result<Vec<_>, _>>).map_err(|error| sql(&error))?;
    let mut bodies = Vec::with_capacity(rows.len());
    for (expected, (seq, columns, body)) in (after + 1..).zip(rows) {
        let damaged = |what: &str| OpenError::Corrupt {
            file: OLD_JOURNAL.file,
            what: format!("entry {expected} {what}"),
        };
        if seq != expected {
            return Err(damaged("is missing"));
        }
        let head = body::head(seq, &body).map_err(|error| OpenError::store(OLD_JOURNAL.file, error))?;
        if columns != (body::subject_key(&head.subject), head.seq, head.at.0) {
            return Err(damaged("has columns that its body disagrees with"));
        }
        bodies.push(body);
    }
    Ok(bodies)
}

/// Reads what was written.
fn verify(fresh: &Path, sealer: &Sealer, dir: &Path) -> Result<(u64, Vec<u8>), OpenError> {
    let failed = |error| journal::open_error(dir, error);
    let log: Arc<Log> = journal_log::open_to_read(fresh, sealer.check_value()).map_err(failed)?;
    log.look_again(u64::MAX).map_err(failed)?;
    let (mut tally, mut cursor) = (Tally::default(), log.after(0));
    while let Some((_, body)) = cursor.next().map_err(failed)? {
        tally.add(body);
    }
    Ok(tally.end())
}

/// Was it written under this key?
fn check_key(old: &Connection, sealer: &Sealer, dir: &Path) -> Result<(), OpenError> {
    let found: Option<Vec<u8>> =
        old.query_row(KEY_CHECK, [], |row| row.get(0)).optional().map_err(|error| sql(&error))?;
    match found {
        Some(found) if found != sealer.check_value() => {
            Err(OpenError::WrongKey(dir.join(store_key::FILE_NAME)))
        }
        _ => Ok(()),
    }
}

fn rename(dir: &Path, from: &str, to: &str) -> Result<(), OpenError> {
    let path = dir.join(to);
    let renamed = fs::rename(dir.join(from), &path).and_then(|()| File::open(dir)?.sync_all());
    renamed.map_err(|source| OpenError::Io { path, source })?;
    sync_dir(dir)
}

fn sql(error: &rusqlite::Error) -> OpenError {
    OpenError::sql(OLD_JOURNAL.file, error)
}
