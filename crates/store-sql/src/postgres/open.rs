//! Opening a store on a database: what the server must promise, the key, the schema, and the tasks.
//!
//! A server that may lose what it acknowledged is refused, with the setting and the reason. Several hosts may open the
//! same database at the same moment, an empty one too.

use std::{
    io,
    path::{Path, PathBuf},
    str::FromStr,
    sync::Arc,
    time::Duration,
};

use store::StoreError;
use tokio::sync::{broadcast, mpsc, watch};
use tokio_postgres::{
    Config,
    config::{Host, TargetSessionAttrs},
    error::SqlState,
};

use super::{
    Limits, PostgresArchive, PostgresEngine,
    archive::{fill, follow},
    checkpoint,
    core::Core,
    migrate,
    pool::{Door, Live, column, said},
    reader::{Reader, Want},
    sql, transfer,
    writer::Lane,
};
use crate::{
    seal::Sealer,
    store_key::{self, KeyError, StoreKey},
};

/// What is read of the server, in one row. A setting that the engine does not have is null.
const SERVER: &str = "SELECT version(), current_setting('server_version_num', true),
    current_setting('fsync', true), current_setting('synchronous_commit', true),
    coalesce(current_setting('synchronous_standby_names', true), ''), current_setting('server_encoding', true),
    current_setting('transaction_isolation', true)";
/// On each connection. A transaction that is left open holds the heads of partitions: it must end by itself. There is no
/// `statement_timeout`: it would also end the wait for a synchronous standby, and the commit would be acknowledged
/// without it.
const SESSION: &str = "SET default_transaction_isolation = 'read committed';
    SET idle_in_transaction_session_timeout = '10s';
    SET client_min_messages = 'warning';
    SET synchronous_commit = 'on'";
/// What PostgreSQL's planner is told on each connection, if the engine knows it. Planning a batch's INSERT anew costs
/// more than running it; and a plan that was made while a table was empty must not read all of it when it is full.
/// And a plan that reads a table anyway must not be compiled first, which takes a fifth of a second.
const WISHES: [&str; 6] = [
    "SET plan_cache_mode = 'force_generic_plan'",
    "SET enable_seqscan = off",
    "SET enable_hashjoin = off",
    "SET enable_mergejoin = off",
    "SET enable_bitmapscan = off",
    "SET jit = off",
];
/// The oldest PostgreSQL that is accepted.
const SERVER_LEAST: i32 = 140_000;
const PARTITIONS_LIMIT: u16 = 256;
/// States that wait to be saved.
const SAVES_WAITING: usize = 4096;
/// States that wait to be read; whoever wants one more waits for room.
const WANTS_WAITING: usize = 4096;
/// Cards and terminals in the memory of somebody who only looks things up.
const FEW: usize = 1000;

/// Why a store on a database does not open.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The URL is none.
    #[error("not a database URL: {0}")]
    Url(String),
    /// The path names no directory.
    #[error("no such directory: {0}")]
    NoDirectory(PathBuf),
    /// The database does not answer, or refuses us.
    #[error("the database: {0}")]
    Database(String),
    /// The server may lose or cannot take what is written.
    #[error("this database server cannot be used: {0}")]
    Server(String),
    /// The database was made by another host, and its key is not here.
    #[error(
        "the store's key is missing: {0}; every host of a database has the same one: copy it from another host"
    )]
    KeyMissing(PathBuf),
    /// The key file is not one.
    #[error("the store's key {path} is {len} bytes long instead of 64; copy it from another host")]
    KeyDamaged {
        /// The file.
        path: PathBuf,
        /// Its length.
        len: usize,
    },
    /// The key is another store's.
    #[error("the database was written under another key than {0}; every host of a database has the same one")]
    WrongKey(PathBuf),
    /// The database was cut otherwise.
    #[error(
        "the database has {found} partitions, {asked} are configured: the number is fixed when it is new"
    )]
    Partitions {
        /// Of the database.
        found: i32,
        /// Configured.
        asked: u16,
    },
    /// An embedded store is being moved into it.
    #[error("a store is being moved into the database: run pinward migrate to its end")]
    Unfinished,
    /// A limit that makes no sense.
    #[error("{0}")]
    Limits(String),
    /// A newer program wrote it.
    #[error("the database has schema {found}, this program knows {known}: start the newer program")]
    NewerSchema {
        /// Its version.
        found: i32,
        /// Ours.
        known: i32,
    },
    /// No host has made the tables yet, or an older program did, and this command may not.
    #[error("the database has schema {found}, this program reads {known}: start the host once")]
    OlderSchema {
        /// Its version.
        found: i32,
        /// Ours.
        known: i32,
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

impl From<tokio_postgres::Error> for OpenError {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Database(said(&error))
    }
}

impl From<StoreError> for OpenError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Away(what) | StoreError::Corrupt(what) => Self::Database(what),
            StoreError::Overloaded => Self::Database(error.to_string()),
        }
    }
}

/// Opens the store in a database, or makes one if the database is empty. `data_dir` has the store's key; the URL is
/// `postgres://user:password@host/database`, with several hosts the one that accepts writes is used. Must be called
/// inside a Tokio runtime: the engine's tasks run there.
///
/// # Errors
/// [`OpenError`]; its text says what is wrong.
pub async fn open(
    data_dir: impl AsRef<Path>,
    url: &str,
    limits: Limits,
) -> Result<Arc<PostgresEngine>, OpenError> {
    let dir = data_dir.as_ref();
    if limits.partitions == 0 || limits.partitions > PARTITIONS_LIMIT || limits.lanes == 0 {
        return Err(OpenError::Limits(format!(
            "1 to {PARTITIONS_LIMIT} partitions and at least one lane, please"
        )));
    }
    let door = door(url, &limits)?;
    let live = door.connect().await?;
    check_server(&live).await?;
    let holder = holder();
    let sealer = prepare(&live, dir, &limits).await?;
    migrate::migrate(&live, &holder, limits.partitions).await?;
    if transfer::is_unfinished(&live).await? {
        return Err(OpenError::Unfinished);
    }
    drop(live);
    let (saves, due) = mpsc::channel(SAVES_WAITING);
    let (readers, wants) = readers(&limits);
    Ok(start(Arc::new(Core::new(sealer, door, limits, holder, saves, readers)), due, wants))
}

/// Opens what people look up, for another process than the host: decides nothing, changes nothing.
///
/// # Errors
/// [`OpenError`].
pub async fn open_archive(data_dir: impl AsRef<Path>, url: &str) -> Result<Arc<PostgresArchive>, OpenError> {
    let dir = data_dir.as_ref();
    let limits = Limits::default();
    let door = door(url, &limits)?;
    let live = door.connect().await?;
    let (sealer, partitions) = existing(&live, dir).await?;
    // Whoever looks now and then would rather read a state again than all that was appended since.
    let limits = Limits {
        partitions: u16::try_from(partitions).unwrap_or(1),
        readers: 1,
        cards_cached: FEW,
        terminals_cached: FEW,
        ..limits
    };
    let (saves, _) = mpsc::channel(1);
    let (readers, wants) = readers(&limits);
    let core = Arc::new(Core::new(sealer, door, limits, holder(), saves, readers));
    let (end, ended) = watch::channel(false);
    for queue in wants {
        tokio::spawn(Reader::new(core.clone(), queue).run(ended.clone()));
    }
    let lines = broadcast::Sender::new(core.limits.subscriber_rows);
    tokio::spawn(follow(core.clone(), lines.clone(), ended));
    Ok(Arc::new(PostgresArchive::of_reader(core, lines, end)))
}

/// Key and partitions of a store whose tables are up to date, for those who do not make them.
pub(crate) async fn existing(live: &Live, dir: &Path) -> Result<(Sealer, i32), OpenError> {
    let Some((key_check, partitions, version)) = store_row(live).await? else {
        return Err(OpenError::OlderSchema { found: 0, known: migrate::VERSION });
    };
    migrate::check(version)?;
    if version < migrate::VERSION {
        return Err(OpenError::OlderSchema { found: version, known: migrate::VERSION });
    }
    let sealer = Sealer::new(&read_key(dir)?);
    check_key(&sealer, &key_check, dir)?;
    Ok((sealer, partitions))
}

/// Queues of those who read states: where to put a wish, and where it comes out.
fn readers(limits: &Limits) -> (Vec<mpsc::Sender<Want>>, Vec<mpsc::Receiver<Want>>) {
    (0..limits.readers.max(1)).map(|_| mpsc::channel(WANTS_WAITING)).unzip()
}

/// The tasks of an engine.
fn start(
    core: Arc<Core>,
    due: mpsc::Receiver<store::Subject>,
    wants: Vec<mpsc::Receiver<Want>>,
) -> Arc<PostgresEngine> {
    let (end, ended) = watch::channel(false);
    let lines = broadcast::Sender::new(core.limits.subscriber_rows);
    let room = (core.limits.queue_entries / core.limits.lanes).max(1);
    let mut tasks = Vec::new();
    let mut lanes = Vec::with_capacity(core.limits.lanes);
    for _ in 0..core.limits.lanes {
        let (lane, queue) = mpsc::channel(room);
        tasks.push(tokio::spawn(Lane::new(core.clone(), queue).run(ended.clone())));
        lanes.push(lane);
    }
    for queue in wants {
        tasks.push(tokio::spawn(Reader::new(core.clone(), queue).run(ended.clone())));
    }
    tasks.push(tokio::spawn(checkpoint::run(core.clone(), due, ended.clone())));
    tasks.push(tokio::spawn(fill::Filler::new(core.clone()).run(ended.clone())));
    tasks.push(tokio::spawn(follow(core.clone(), lines.clone(), ended)));
    tracing::info!(partitions = core.limits.partitions, "store open on a database");
    Arc::new(PostgresEngine::new(core, lanes, lines, end, tasks))
}

pub(crate) fn door(url: &str, limits: &Limits) -> Result<Arc<Door>, OpenError> {
    let mut config = Config::from_str(url).map_err(|error| OpenError::Url(said(&error)))?;
    if config.get_hosts().len() > 1 {
        config.target_session_attrs(TargetSessionAttrs::ReadWrite);
    }
    if config.get_ssl_mode() == tokio_postgres::config::SslMode::Require {
        return Err(OpenError::Url("sslmode=require: this program has no TLS to databases yet".to_owned()));
    }
    if config.get_hosts().iter().any(|host| matches!(host, Host::Tcp(_))) {
        config.keepalives_idle(Duration::from_secs(10)).tcp_user_timeout(limits.answer_within);
    }
    config.application_name("pinward").connect_timeout(limits.connect_within);
    Ok(Arc::new(Door::new(config, limits.connect_within, limits.reconnect_every, SESSION, &WISHES)))
}

/// What the server itself is set to, not what we set for our connection, says what its keepers want of it.
pub(crate) async fn check_server(live: &Live) -> Result<(), OpenError> {
    live.plain("RESET synchronous_commit").await?;
    let row = live.one(SERVER, &[]).await?;
    let text = |index| column::<Option<String>>(&row, index);
    let (version, number) = (text(0)?.unwrap_or_default(), text(1)?.unwrap_or_default());
    let refuse = |why: String| Err(OpenError::Server(why));
    if number.parse::<i32>().is_ok_and(|number| number < SERVER_LEAST) {
        return refuse(format!("{version} is too old, PostgreSQL 14 is the least"));
    }
    if text(2)?.as_deref() == Some("off") {
        return refuse(
            "fsync = off: a crash of the machine loses what was acknowledged; set fsync = on".to_owned(),
        );
    }
    let standbys = text(4)?.is_some_and(|names| !names.trim().is_empty());
    match text(3)?.as_deref() {
        Some("off") => {
            return refuse(
                "synchronous_commit = off: a commit is acknowledged before it is on disk; set it to on"
                    .to_owned(),
            );
        }
        Some(weak @ ("local" | "remote_write")) if standbys => {
            return refuse(format!(
                "synchronous_commit = {weak} with synchronous standbys: a fail-over loses what was acknowledged; \
                 set it to on"
            ));
        }
        _ => {}
    }
    if text(5)?.is_some_and(|encoding| encoding != "UTF8") {
        return refuse("the database's encoding is not UTF8".to_owned());
    }
    let isolation = text(6)?.unwrap_or_default();
    if isolation == "read uncommitted" {
        return refuse(format!("transactions are {isolation}"));
    }
    Ok(())
}

/// Key and partitions: of the first host that came, and then of all.
pub(crate) async fn prepare(live: &Live, dir: &Path, limits: &Limits) -> Result<Sealer, OpenError> {
    if !dir.is_dir() {
        return Err(OpenError::NoDirectory(dir.to_owned()));
    }
    let mut made = false;
    if store_row(live).await?.is_none() {
        let key = match store_key::read(dir) {
            Err(KeyError::Missing) => {
                made = true;
                store_key::create(dir)
            }
            other => other,
        };
        let key = key.map_err(|error| key_error(dir, error))?;
        migrate::bootstrap(live).await?;
        let (check, partitions) = (Sealer::new(&key).check_value().to_vec(), i32::from(limits.partitions));
        live.execute(sql::NEW_STORE, &[&check, &partitions]).await?;
    }
    let Some((key_check, partitions, version)) = store_row(live).await? else {
        return Err(OpenError::Database("pinward.store has no row".to_owned()));
    };
    migrate::check(version)?;
    let key = read_key(dir)?;
    let sealer = Sealer::new(&key);
    let checked = check_key(&sealer, &key_check, dir);
    if checked.is_err() && made {
        // Another host came first with its key; the one that was made here names nothing.
        let _ = std::fs::remove_file(dir.join(store_key::FILE_NAME));
    }
    checked?;
    if partitions != i32::from(limits.partitions) {
        return Err(OpenError::Partitions { found: partitions, asked: limits.partitions });
    }
    Ok(sealer)
}

/// The database's one row about itself, if it has one.
pub(crate) async fn store_row(live: &Live) -> Result<Option<(Vec<u8>, i32, i32)>, OpenError> {
    let rows = match live.rows(sql::STORE, &[]).await {
        Err(error)
            if error.code().is_some_and(|code| {
                [SqlState::UNDEFINED_TABLE, SqlState::INVALID_SCHEMA_NAME].contains(code)
            }) =>
        {
            return Ok(None);
        }
        other => other?,
    };
    let Some(row) = rows.first() else { return Ok(None) };
    Ok(Some((column(row, 0)?, column(row, 1)?, column(row, 2)?)))
}

fn read_key(dir: &Path) -> Result<StoreKey, OpenError> {
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

fn check_key(sealer: &Sealer, found: &[u8], dir: &Path) -> Result<(), OpenError> {
    if sealer.check_value() == found {
        Ok(())
    } else {
        Err(OpenError::WrongKey(dir.join(store_key::FILE_NAME)))
    }
}

/// A name that no other host has, for leases.
pub(crate) fn holder() -> String {
    let mut random = [0; 8];
    // Without randomness, the process alone: two hosts of the same number are told apart by their connections' luck.
    let _ = getrandom::fill(&mut random);
    let number = u64::from_be_bytes(random);
    format!("{}-{number:016x}", std::process::id())
}
