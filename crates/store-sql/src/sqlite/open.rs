//! Opening a store: one process at a time, its key, its schemas, and the journal's tail folded again.
//!
//! Nothing is repaired silently. What cannot be true (a gap, a register that knows more than the journal, an entry
//! that cannot be read) is refused with the place where it is; only the archive is rebuilt without asking, because
//! it is a projection.

use std::{
    fs::{self, File, TryLockError},
    io::{self, Read, Seek, Write},
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use journal_log::{Appender, Preparer};
use rusqlite::Connection;
use store::StoreError;

use super::{
    Limits, SqliteArchive, SqliteEngine,
    archive::{self, fill::Filler},
    convert,
    core::Core,
    journal,
    migrate::{ARCHIVE, OLD_JOURNAL, REGISTERS},
    pool::Pool,
    registers, replay,
    states::States,
    threads::Threads,
    writer::Writer,
};
use crate::{
    seal::Sealer,
    store_key::{self, KeyError, StoreKey},
};

/// Held while a process has the store open.
const LOCK_FILE: &str = "store.lock";

/// Why a store does not open.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The path names no directory.
    #[error("no such directory: {0}")]
    NoDirectory(PathBuf),
    /// There is no store in it.
    #[error("no store in {0}: it has no journal")]
    NoStore(PathBuf),
    /// The directory or a file in it cannot be written.
    #[error("cannot write to {path}: {source}")]
    NotWritable {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another process has it open.
    #[error("the store is in use by process {pid}")]
    InUse {
        /// The process, as it wrote itself into the lock file.
        pid: String,
    },
    /// The store exists, its key does not. Without it the store cannot be read; restore the file.
    #[error(
        "the store's key is missing: {0}; without it the store cannot be read, restore it from the backup"
    )]
    KeyMissing(PathBuf),
    /// The key file is not one.
    #[error("the store's key {path} is {len} bytes long instead of 64; restore it from the backup")]
    KeyDamaged {
        /// The file.
        path: PathBuf,
        /// Its length.
        len: usize,
    },
    /// The key is another store's.
    #[error("the store was written under another key than {0}")]
    WrongKey(PathBuf),
    /// A newer program wrote it.
    #[error("{file} has schema {found}, this program knows {known}: start the newer program")]
    NewerSchema {
        /// The file.
        file: &'static str,
        /// Its version.
        found: usize,
        /// Ours.
        known: usize,
    },
    /// An older program wrote it, and this command may not change it.
    #[error(
        "{file} has schema {found}, this program reads {known}: start the host once to bring it up to date"
    )]
    OlderSchema {
        /// The file.
        file: &'static str,
        /// Its version.
        found: usize,
        /// Ours.
        known: usize,
    },
    /// What is in it cannot be.
    #[error("{file} is damaged: {what}")]
    Corrupt {
        /// The file.
        file: &'static str,
        /// Where and how.
        what: String,
    },
    /// SQLite's trouble.
    #[error("{file}: {what}")]
    Sql {
        /// The file.
        file: &'static str,
        /// What SQLite said.
        what: String,
    },
    /// The system's trouble.
    #[error("{path}: {source}")]
    Io {
        /// Where.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl OpenError {
    pub(crate) fn sql(file: &'static str, error: &rusqlite::Error) -> Self {
        let what = error.to_string();
        match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::DatabaseCorrupt | rusqlite::ErrorCode::NotADatabase) => {
                Self::Corrupt { file, what }
            }
            _ => Self::Sql { file, what },
        }
    }

    pub(crate) fn store(file: &'static str, error: StoreError) -> Self {
        match error {
            StoreError::Corrupt(what) => Self::Corrupt { file, what },
            other => Self::Sql { file, what: other.to_string() },
        }
    }
}

/// Opens the store in a directory, or makes one if the directory has none.
///
/// # Errors
/// [`OpenError`]; its text says what is wrong and where.
pub fn open(dir: impl AsRef<Path>) -> Result<Arc<SqliteEngine>, OpenError> {
    open_with(dir, Limits::default())
}

/// The same with other limits.
///
/// # Errors
/// [`OpenError`].
pub fn open_with(dir: impl AsRef<Path>, limits: Limits) -> Result<Arc<SqliteEngine>, OpenError> {
    let dir = dir.as_ref();
    let lock = lock(dir)?;
    let key = key(dir)?;
    let sealer = Sealer::new(&key);
    convert::run(dir, &sealer, &limits)?;
    let journal = journal::open(dir, &sealer, &limits)?;
    let registers = REGISTERS.open_for_writing(dir)?;
    let end = journal.log.end();
    let (archive, filled) = archive::open_for_writing(dir, end)?;
    sync_dir(dir)?;

    let states = States::new(&limits);
    let core = Core::new(sealer, states, Pool::new(dir), journal.log, registers, limits, filled);
    let core = Arc::new(core);
    let reader = core.pool.connect().map_err(|error| OpenError::store(REGISTERS.file, error))?;
    let mark = registers::mark(&reader).map_err(|error| OpenError::store(REGISTERS.file, error))?;
    replay::run(&core, mark, end)?;
    core.start_after(end);
    drop(reader);
    let (appender, preparer) = (journal.appender, journal.preparer);
    start(dir, core, Parts { appender, preparer, archive, filled, end, mark, lock })
}

/// Opens what people look up while the host has the store open, or while nobody has: reads only, locks nothing.
///
/// # Errors
/// [`OpenError`].
pub fn open_archive(dir: impl AsRef<Path>) -> Result<Arc<SqliteArchive>, OpenError> {
    let dir = dir.as_ref();
    check_directory(dir)?;
    if !journal::exists(dir) {
        if OLD_JOURNAL.path(dir).exists() {
            return Err(OpenError::OlderSchema { file: OLD_JOURNAL.file, found: 1, known: 2 });
        }
        return Err(OpenError::NoStore(dir.to_owned()));
    }
    let sealer = Sealer::new(&read_key(dir)?);
    let log = journal::open_to_read(dir, &sealer)?;
    let pool = Pool::new(dir);
    let conn = pool.connect().map_err(|error| OpenError::store(REGISTERS.file, error))?;
    for (schema, name) in [(&REGISTERS, "main"), (&ARCHIVE, "archive")] {
        schema.check_version(&conn, name)?;
    }
    Ok(Arc::new(SqliteArchive::of_files(pool, log, sealer, conn)))
}

/// What opening has made, before the threads get it.
struct Parts {
    appender: Appender,
    preparer: Preparer,
    archive: Connection,
    filled: u64,
    end: u64,
    mark: u64,
    lock: File,
}

fn start(dir: &Path, core: Arc<Core>, parts: Parts) -> Result<Arc<SqliteEngine>, OpenError> {
    let Parts { appender, preparer, archive, filled, end, mark, lock } = parts;
    let connect = || core.pool.connect().map_err(|error| OpenError::store(REGISTERS.file, error));
    let lines = tokio::sync::broadcast::Sender::new(core.limits.subscriber_rows);
    let filler = Filler::new(archive, connect()?, filled, lines.clone());
    let writer = Writer::new(core.clone(), appender);
    let threads = Threads::start(&core, writer, preparer, filler, mark, lock)
        .map_err(|source| OpenError::Io { path: dir.to_owned(), source })?;
    let archive = SqliteArchive::live(core.clone(), lines, threads.filler());
    tracing::info!(dir = %dir.display(), journal = end, replayed = end - mark, "store open");
    Ok(Arc::new(SqliteEngine { core, archive, threads: Mutex::new(Some(threads)) }))
}

pub(crate) fn check_directory(dir: &Path) -> Result<(), OpenError> {
    if dir.is_dir() { Ok(()) } else { Err(OpenError::NoDirectory(dir.to_owned())) }
}

/// Takes the lock file, and with it the store; the system gives it back however the process ends.
pub(crate) fn lock(dir: &Path) -> Result<File, OpenError> {
    check_directory(dir)?;
    let not_writable = |source| OpenError::NotWritable { path: dir.to_owned(), source };
    let path = dir.join(LOCK_FILE);
    let open = File::options().read(true).write(true).create(true).truncate(false).open(&path);
    let mut file = open.map_err(not_writable)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut pid = String::new();
            let _ = file.read_to_string(&mut pid);
            return Err(OpenError::InUse { pid: pid.trim().to_owned() });
        }
        Err(TryLockError::Error(source)) => return Err(OpenError::Io { path, source }),
    }
    write_pid(&mut file).map_err(not_writable)?;
    Ok(file)
}

fn write_pid(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{}", std::process::id())
}

/// The key of the store; a new one only where there is no store yet.
fn key(dir: &Path) -> Result<StoreKey, OpenError> {
    let exists =
        journal::exists(dir) || [&OLD_JOURNAL, &REGISTERS].iter().any(|schema| schema.path(dir).exists());
    match store_key::read(dir) {
        Err(KeyError::Missing) if !exists => store_key::create(dir).map_err(|error| key_error(dir, error)),
        other => other.map_err(|error| key_error(dir, error)),
    }
}

pub(crate) fn read_key(dir: &Path) -> Result<StoreKey, OpenError> {
    store_key::read(dir).map_err(|error| key_error(dir, error))
}

fn key_error(dir: &Path, error: KeyError) -> OpenError {
    let path = dir.join(store_key::FILE_NAME);
    match error {
        KeyError::Missing => OpenError::KeyMissing(path),
        KeyError::Length(len) => OpenError::KeyDamaged { path, len },
        KeyError::Io(source) => OpenError::Io { path, source },
    }
}

/// The names of new files are durable too.
pub(crate) fn sync_dir(dir: &Path) -> Result<(), OpenError> {
    let synced = File::open(dir).and_then(|dir| dir.sync_all());
    synced.map_err(|source| OpenError::Io { path: dir.to_owned(), source })
}

/// Removes one of the store's files with its companions.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    for suffix in ["", "-wal", "-shm"] {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        match fs::remove_file(PathBuf::from(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}
