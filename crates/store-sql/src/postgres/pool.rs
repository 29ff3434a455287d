//! Connections: made again when they are lost, shared by many readers, and used one statement after the other by those
//! who commit.
//!
//! The client sends a statement when its future is first polled, and answers come in the order of sending. So
//! [`pipeline`] sends everything before it waits for anything: the system call and the network's round trip are the
//! cost, not the bytes.

use std::{
    collections::HashMap,
    future::{Future, poll_fn},
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    task::Poll,
    time::{Duration, Instant},
};

use store::StoreError;
use tokio_postgres::{
    Client, Config, Error, NoTls, Row, Statement,
    error::SqlState,
    types::{FromSql, ToSql},
};

/// Values of a statement.
pub(crate) type Values<'a> = [&'a (dyn ToSql + Sync)];

/// The first pause after a failed attempt to connect; it doubles up to the limit.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// Futures that [`together`] runs at once.
const AT_ONCE: usize = 32;

/// How to connect.
pub(crate) struct Door {
    config: Config,
    connect_within: Duration,
    pause_limit: Duration,
    /// Run on each new connection.
    session: &'static str,
    /// Run on each new connection; an engine that does not know them does without.
    wishes: &'static [&'static str],
}

impl Door {
    pub(crate) fn new(
        config: Config,
        connect_within: Duration,
        pause_limit: Duration,
        session: &'static str,
        wishes: &'static [&'static str],
    ) -> Self {
        Self { config, connect_within, pause_limit, session, wishes }
    }

    /// A new connection, ready for use.
    pub(crate) async fn connect(&self) -> Result<Live, StoreError> {
        match tokio::time::timeout(self.connect_within, self.try_connect()).await {
            Ok(result) => result,
            Err(_) => Err(StoreError::Away("the database does not answer".to_owned())),
        }
    }

    async fn try_connect(&self) -> Result<Live, StoreError> {
        let (client, connection) = self.config.connect(NoTls).await.map_err(|error| store_error(&error))?;
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(error = %said(&error), "a connection to the database ended");
            }
        });
        let live = Live { client, prepared: Mutex::default() };
        live.plain(self.session).await.map_err(|error| store_error(&error))?;
        for wish in self.wishes {
            if let Err(error) = live.plain(wish).await {
                tracing::debug!(error = %said(&error), %wish, "the engine does without");
            }
        }
        let read_only: String =
            column(&live.one("SELECT current_setting('transaction_read_only')", &[]).await?, 0)?;
        if read_only == "on" {
            return Err(StoreError::Away(
                "the server takes no writes: it is a standby, or set to read only".to_owned(),
            ));
        }
        Ok(live)
    }
}

/// A connection, and the statements that it has prepared.
pub(crate) struct Live {
    client: Client,
    prepared: Mutex<HashMap<String, Statement>>,
}

impl Live {
    pub(crate) async fn prepared(&self, text: &str) -> Result<Statement, Error> {
        if let Some(statement) = lock(&self.prepared).get(text) {
            return Ok(statement.clone());
        }
        let statement = self.client.prepare(text).await?;
        lock(&self.prepared).insert(text.to_owned(), statement.clone());
        Ok(statement)
    }

    pub(crate) async fn rows(&self, text: &str, values: &Values<'_>) -> Result<Vec<Row>, Error> {
        let statement = self.prepared(text).await?;
        self.client.query(&statement, values).await
    }

    pub(crate) async fn execute(&self, text: &str, values: &Values<'_>) -> Result<u64, Error> {
        let statement = self.prepared(text).await?;
        self.client.execute(&statement, values).await
    }

    /// Statements without values, not prepared.
    pub(crate) async fn plain(&self, text: &str) -> Result<(), Error> {
        self.client.batch_execute(text).await
    }

    /// The first row; a statement that must have one.
    pub(crate) async fn one(&self, text: &str, values: &Values<'_>) -> Result<Row, StoreError> {
        let rows = self.rows(text, values).await.map_err(|error| store_error(&error))?;
        rows.into_iter().next().ok_or_else(|| StoreError::Corrupt(format!("no row: {text}")))
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.client.is_closed()
    }
}

/// One connection that is made again when it was lost.
pub(crate) struct Link {
    door: Arc<Door>,
    live: Mutex<Option<Arc<Live>>>,
    waiting: tokio::sync::Mutex<Waiting>,
}

struct Waiting {
    until: Instant,
    pause: Duration,
    cause: StoreError,
}

impl Link {
    pub(crate) fn new(door: Arc<Door>) -> Self {
        let cause = StoreError::Away("not connected".to_owned());
        let waiting = Waiting { until: Instant::now(), pause: FIRST_PAUSE, cause };
        Self { door, live: Mutex::default(), waiting: tokio::sync::Mutex::new(waiting) }
    }

    /// The connection. While the database is away, the next attempt is made after a pause; until then everybody is
    /// told at once.
    pub(crate) async fn live(&self) -> Result<Arc<Live>, StoreError> {
        if let Some(live) = self.open() {
            return Ok(live);
        }
        let mut waiting = self.waiting.lock().await;
        if let Some(live) = self.open() {
            return Ok(live);
        }
        if Instant::now() < waiting.until {
            return Err(waiting.cause.clone());
        }
        match self.door.connect().await {
            Ok(live) => {
                let live = Arc::new(live);
                *lock(&self.live) = Some(live.clone());
                waiting.pause = FIRST_PAUSE;
                Ok(live)
            }
            Err(cause) => {
                waiting.until = Instant::now() + waiting.pause;
                waiting.pause = (waiting.pause * 2).min(self.door.pause_limit);
                waiting.cause = cause.clone();
                Err(cause)
            }
        }
    }

    /// Gives the connection up: what it was doing is not waited for.
    pub(crate) fn drop_live(&self) {
        *lock(&self.live) = None;
    }

    fn open(&self) -> Option<Arc<Live>> {
        lock(&self.live).clone().filter(|live| !live.is_closed())
    }
}

/// Connections that many readers share.
pub(crate) struct Pool {
    links: Vec<Link>,
    next: AtomicUsize,
}

impl Pool {
    pub(crate) fn new(door: &Arc<Door>, links: usize) -> Self {
        Self {
            links: (0..links.max(1)).map(|_| Link::new(door.clone())).collect(),
            next: AtomicUsize::new(0),
        }
    }

    fn link(&self) -> &Link {
        &self.links[self.next.fetch_add(1, Ordering::Relaxed) % self.links.len()]
    }

    /// One of them.
    pub(crate) async fn live(&self) -> Result<Arc<Live>, StoreError> {
        self.link().live().await
    }

    /// Reads; once more on a new connection if the old one turns out to be lost.
    pub(crate) async fn rows(&self, text: &str, values: &Values<'_>) -> Result<Vec<Row>, StoreError> {
        let link = self.link();
        match link.live().await?.rows(text, values).await {
            Ok(rows) => Ok(rows),
            Err(error) if is_lost(&error) => {
                link.drop_live();
                link.live().await?.rows(text, values).await.map_err(|error| store_error(&error))
            }
            Err(error) => Err(store_error(&error)),
        }
    }

    /// Reads the same in each partition, all at once.
    pub(crate) async fn everywhere<'t>(
        &self,
        texts: impl Iterator<Item = &'t str> + Clone,
        values: &Values<'_>,
    ) -> Result<Vec<Vec<Row>>, StoreError> {
        let read = async |live: &Live| -> Result<Vec<Vec<Row>>, Error> {
            pipeline(texts.clone().map(|text| live.prepared(text)))
                .await
                .into_iter()
                .collect::<Result<Vec<_>, _>>()?;
            pipeline(texts.clone().map(|text| live.rows(text, values))).await.into_iter().collect()
        };
        let link = self.link();
        match read(&*link.live().await?).await {
            Ok(rows) => Ok(rows),
            Err(error) if is_lost(&error) => {
                link.drop_live();
                read(&*link.live().await?).await.map_err(|error| store_error(&error))
            }
            Err(error) => Err(store_error(&error)),
        }
    }
}

/// Starts all, then waits for one after the other. What they do must be sent when they are first polled, and answered in
/// that order: none may wait for what another one holds. Others need [`together`].
pub(crate) async fn pipeline<F: Future>(futures: impl Iterator<Item = F>) -> Vec<F::Output> {
    enum Started<F: Future> {
        Done(F::Output),
        Waits(Pin<Box<F>>),
    }
    let mut started = Vec::new();
    for future in futures {
        let mut future = Box::pin(future);
        let first = poll_fn(|context| Poll::Ready(future.as_mut().poll(context))).await;
        started.push(match first {
            Poll::Ready(output) => Started::Done(output),
            Poll::Pending => Started::Waits(future),
        });
    }
    let mut outputs = Vec::with_capacity(started.len());
    for one in started {
        outputs.push(match one {
            Started::Done(output) => output,
            Started::Waits(future) => future.await,
        });
    }
    outputs
}

/// Runs all at once, whatever they wait for, a few dozen at a time.
pub(crate) async fn together<F: Future>(futures: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut futures = futures.map(Box::pin);
    let mut outputs = Vec::new();
    loop {
        let mut running: Vec<_> = futures.by_ref().take(AT_ONCE).map(|future| (future, None)).collect();
        if running.is_empty() {
            return outputs;
        }
        poll_fn(|context| {
            let mut waits = false;
            for (future, output) in running.iter_mut().filter(|(_, output)| output.is_none()) {
                match future.as_mut().poll(context) {
                    Poll::Ready(done) => *output = Some(done),
                    Poll::Pending => waits = true,
                }
            }
            if waits { Poll::Pending } else { Poll::Ready(()) }
        })
        .await;
        outputs.extend(running.into_iter().filter_map(|(_, output)| output));
    }
}

/// Nobody knows whether the server did what it was asked: the connection broke, the server went away, or it says itself
/// that it does not know.
pub(crate) fn is_lost(error: &Error) -> bool {
    let Some(code) = error.code() else { return true };
    let class = code.code().get(..2);
    class == Some("08")
        || code.code().starts_with("57P")
        || *code == SqlState::T_R_STATEMENT_COMPLETION_UNKNOWN
}

/// Another transaction was in the way; nothing was written, and the same may be tried again.
pub(crate) fn is_passing(error: &Error) -> bool {
    error.code().is_some_and(|code| {
        [SqlState::T_R_SERIALIZATION_FAILURE, SqlState::T_R_DEADLOCK_DETECTED, SqlState::LOCK_NOT_AVAILABLE]
            .contains(code)
    })
}

/// Whose fault a database error is.
pub(crate) fn store_error(error: &Error) -> StoreError {
    let damaged = [SqlState::DATA_CORRUPTED, SqlState::INDEX_CORRUPTED];
    match error.code() {
        Some(code) if damaged.contains(code) => StoreError::Corrupt(said(error)),
        _ => StoreError::Away(said(error)),
    }
}

/// An error's text without its detail, which may quote a row.
pub(crate) fn said(error: &Error) -> String {
    use std::error::Error as _;
    match (error.as_db_error(), error.source()) {
        (Some(db), _) => format!("{} ({})", db.message(), db.code().code()),
        (None, Some(source)) => format!("{error}: {source}"),
        (None, None) => error.to_string(),
    }
}

/// A column's value.
pub(crate) fn column<'a, T: FromSql<'a>>(row: &'a Row, index: usize) -> Result<T, StoreError> {
    row.try_get(index).map_err(|error| StoreError::Corrupt(format!("column {index}: {error}")))
}

/// SQL's integers are signed; a journal never reaches 2^63.
pub(crate) fn signed(place: u64) -> i64 {
    i64::try_from(place).unwrap_or(i64::MAX)
}

/// The other way.
pub(crate) fn place(column: i64) -> u64 {
    u64::try_from(column).unwrap_or_default()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
