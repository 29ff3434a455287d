//! Moves an embedded store into a database: registers, states and the journal, every sealed byte as it is, under the same
//! key. What is moved is counted and hashed on both sides before a host may open it.
//!
//! Entry *n* of the embedded journal gets the place `n × partitions + partition`, far below every place that the
//! database's clock will give, so the order stays and the same row is made however often it is tried. How far it is
//! stands in `pinward.transfer`, in the same transaction as the rows: whoever goes on after a crash begins there.

use std::path::Path;

use authorization::{CardState, terminal::TerminalState};
use store::StoreError;
use tokio_postgres::Error;

use self::copy::Copying;
use super::{
    Limits, book,
    look::take_over,
    migrate,
    open::{self, OpenError, check_server, prepare, store_row},
    pool::{Live, column, store_error},
    sql,
};
use crate::{
    row::{decode, encode},
    sqlite,
    sqlite::export::Export,
};

mod copy;
mod verify;

pub use verify::{PartitionDigest, TableDigest};

/// Another process may take over from one that has been silent for so long.
const LEASE_MS: f64 = 60_000.0;
const FILL: &str = "fill";

/// What is being done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Cards are copied.
    Cards,
    /// Terminals are copied.
    Terminals,
    /// Journal entries are copied.
    Entries,
    /// Both sides are read again and compared.
    Verifying,
}

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// What is being done.
    pub stage: Stage,
    /// Rows of it.
    pub done: u64,
    /// Of so many.
    pub total: u64,
}

/// What was moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transferred {
    /// It was all there already, from an earlier run.
    pub was_done: bool,
    /// An earlier run had begun it.
    pub resumed: bool,
    /// Cards.
    pub cards: u64,
    /// Terminals.
    pub terminals: u64,
    /// Journal entries.
    pub entries: u64,
    /// Counts and digests, equal on both sides.
    pub partitions: Vec<PartitionDigest>,
}

/// Why a store was not moved.
#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    /// The embedded store does not open, or its host runs.
    #[error("the embedded store: {0}")]
    Source(#[from] sqlite::OpenError),
    /// The database does not open.
    #[error("the database: {0}")]
    Target(#[from] OpenError),
    /// It is not empty.
    #[error("the database holds another store already: name an empty one")]
    Occupied,
    /// Somebody works with it.
    #[error("the database is in use: a host runs on it, or was killed a few seconds ago")]
    InUse,
    /// The copy is not what it was made of.
    #[error(
        "{table} of partition {partition} differ: {source_rows} rows there, {target_rows} here; if the embedded host ran \
         in between, empty the database and begin anew"
    )]
    Differs {
        /// Which table.
        table: &'static str,
        /// Which partition.
        partition: u16,
        /// Rows in the embedded store.
        source_rows: u64,
        /// Rows in the database.
        target_rows: u64,
    },
    /// One of the two has trouble; what is there stays, and the next run goes on.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<Error> for TransferError {
    fn from(error: Error) -> Self {
        Self::Store(store_error(&error))
    }
}

/// What is known of an earlier run.
struct Begun {
    cards: i64,
    terminals: Vec<u8>,
    entries: u64,
    done: bool,
}

/// Moves the store in `dir` into the database, or goes on where an earlier run was interrupted. References (DE 37) will
/// be counted from `references_from`. Must be called inside a Tokio runtime.
///
/// # Errors
/// [`TransferError`]; the embedded store is never changed.
pub async fn transfer(
    dir: &Path,
    url: &str,
    limits: Limits,
    references_from: u64,
    progress: &mut dyn FnMut(Step),
) -> Result<Transferred, TransferError> {
    let source = Export::open(dir)?;
    let live = open::door(url, &limits)?.connect().await?;
    check_server(&live).await?;
    let found = store_row(&live).await?.map(|(_, partitions, _)| u16::try_from(partitions).unwrap_or(1));
    let limits = Limits { partitions: found.unwrap_or(limits.partitions), ..limits };
    let sealer = match prepare(&live, dir, &limits).await {
        Err(OpenError::WrongKey(_)) => return Err(TransferError::Occupied),
        other => other?,
    };
    // The same for each run, so that one goes on at once after another was killed; the store's lock keeps two apart.
    let holder = format!("transfer-{:016x}", u64::from_be_bytes(sealer.check_value()));
    migrate::migrate(&live, &holder, limits.partitions).await?;
    let begun = begun(&live).await?;
    if begun.as_ref().is_some_and(|begun| begun.done) {
        return Ok(Transferred { was_done: true, resumed: true, ..summary(&source) });
    }
    if !take_over(&live, &holder, limits.lease * 2).await? {
        return Err(TransferError::InUse);
    }
    if begun.is_none() && !is_empty(&live, limits.partitions).await? {
        live.execute(sql::DROP_LEASE, &[&FILL, &holder]).await?;
        return Err(TransferError::Occupied);
    }
    live.execute(BEGIN, &[]).await?;
    let copying = Copying::new(&live, &holder, limits.partitions);
    copying.all(&source, begun.as_ref(), progress).await?;
    let partitions = verify::compare(&source, &live, limits.partitions, progress).await?;
    move_book(dir, &live).await?;
    let references_from = super::pool::signed(references_from + source.entries);
    live.execute(NUMBERS, &[&references_from]).await?;
    live.execute("UPDATE pinward.transfer SET done = true WHERE one = 1", &[]).await?;
    live.execute(sql::DROP_LEASE, &[&FILL, &holder]).await?;
    Ok(Transferred { resumed: begun.is_some(), partitions, ..summary(&source) })
}

/// The book is small: it is copied whole, and counted.
async fn move_book(dir: &Path, live: &Live) -> Result<(), TransferError> {
    let source_rows = book::copy(dir, live).await?;
    let target_rows = book::count(live).await?;
    if source_rows == target_rows {
        Ok(())
    } else {
        Err(TransferError::Differs { table: "book", partition: 0, source_rows, target_rows })
    }
}

fn summary(source: &Export) -> Transferred {
    Transferred {
        was_done: false,
        resumed: false,
        cards: source.cards,
        terminals: source.terminals,
        entries: source.entries,
        partitions: Vec::new(),
    }
}

const BEGIN: &str = "INSERT INTO pinward.transfer (one, cards, terminals, entries, done)
    VALUES (1, 0, '', 0, false) ON CONFLICT (one) DO NOTHING";
const BEGUN: &str = "SELECT cards, terminals, entries, done FROM pinward.transfer WHERE one = 1";
const NUMBERS: &str = "UPDATE pinward.numbers SET next = $1 WHERE one = 1 AND next < $1";

async fn begun(live: &Live) -> Result<Option<Begun>, TransferError> {
    let rows = live.rows(BEGUN, &[]).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    Ok(Some(Begun {
        cards: column(row, 0)?,
        terminals: column(row, 1)?,
        entries: super::pool::place(column(row, 2)?),
        done: column(row, 3)?,
    }))
}

/// Is a move into this database under way? Then no host opens it.
pub(crate) async fn is_unfinished(live: &Live) -> Result<bool, OpenError> {
    let rows = live.rows(BEGUN, &[]).await?;
    Ok(rows.first().map(|row| column::<bool>(row, 3)).transpose()? == Some(false))
}

/// Does the store have nothing in it yet?
async fn is_empty(live: &Live, partitions: u16) -> Result<bool, TransferError> {
    let registered: i64 = column(&live.one(sql::REGISTERED, &[]).await?, 0)?;
    let mut found = registered > 0;
    for partition in 0..partitions {
        let schema = sql::schema(partition);
        let text = format!(
            "SELECT (SELECT count(*) FROM {schema}.subjects) + (SELECT last FROM {schema}.head WHERE one = 1)"
        );
        found |= column::<i64>(&live.one(&text, &[]).await?, 0)? > 0;
    }
    Ok(!found)
}

/// Where entry `n` of the embedded journal is, if its subject is in this partition.
fn place_of(n: u64, partition: u16, partitions: u16) -> u64 {
    n * u64::from(partitions) + u64::from(partition)
}

/// A card's state remembers where answers are.
fn card_state(state: &[u8], partition: u16, partitions: u16) -> Result<(Vec<u8>, i32), StoreError> {
    let mut state: CardState = decode("card state", state)?;
    for trace in &mut state.traces {
        trace.journal_seq = place_of(trace.journal_seq, partition, partitions);
    }
    Ok((encode(&state)?, number(state.seq)?))
}

/// So does a terminal's.
fn terminal_state(state: &[u8], partition: u16, partitions: u16) -> Result<(Vec<u8>, i32), StoreError> {
    let mut state: TerminalState = decode("terminal state", state)?;
    for tombstone in &mut state.tombstones {
        tombstone.journal_seq = place_of(tombstone.journal_seq, partition, partitions);
    }
    Ok((encode(&state)?, number(state.seq)?))
}

fn number(seq: u32) -> Result<i32, StoreError> {
    i32::try_from(seq).map_err(|_| StoreError::Corrupt("a subject has no more numbers".to_owned()))
}
