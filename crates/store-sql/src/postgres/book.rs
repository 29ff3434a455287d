//! The book in the database, the same for all its hosts.

use std::{path::Path, sync::Arc, time::Duration};

use async_trait::async_trait;
use model::Timestamp;
use store::{
    StoreError,
    book::{self, Book, BookError, Fact, READ_MAX},
};
use tokio::sync::watch;
use tokio_postgres::{Row, error::SqlState};

use super::{
    Limits,
    open::{self, OpenError},
    pool::{Live, Pool, Values, column, is_lost, is_passing, place, said, signed, store_error},
    sql,
};
use crate::{
    seal::Sealer,
    sqlite::book::{open_sealed, seal},
};

/// Connections; each for many readers at once.
const LINKS: usize = 2;
/// So often a fact that met another transaction is tried again.
const CLASHES: usize = 8;

/// The book of a database.
pub struct PostgresBook {
    pool: Pool,
    sealer: Sealer,
    bell: watch::Sender<u64>,
    answer_within: Duration,
}

/// Opens the book of a database whose tables are there. `data_dir` has the store's key.
///
/// # Errors
/// [`OpenError`].
pub async fn open_book(data_dir: impl AsRef<Path>, url: &str) -> Result<Arc<PostgresBook>, OpenError> {
    let limits = Limits::default();
    let door = open::door(url, &limits)?;
    let live = door.connect().await?;
    let (sealer, _) = open::existing(&live, data_dir.as_ref()).await?;
    let bell = watch::Sender::new(0);
    Ok(Arc::new(PostgresBook {
        pool: Pool::new(&door, LINKS),
        sealer,
        bell,
        answer_within: limits.answer_within,
    }))
}

impl PostgresBook {
    async fn facts(&self, text: &str, values: &Values<'_>) -> Result<Vec<Fact>, StoreError> {
        match tokio::time::timeout(self.answer_within, self.pool.rows(text, values)).await {
            Ok(rows) => rows?.iter().map(fact).collect(),
            Err(_) => Err(StoreError::Away("the database does not answer".to_owned())),
        }
    }

    async fn put(&self, values: &Values<'_>) -> Result<u64, BookError> {
        let live = self.pool.live().await?;
        for _ in 0..CLASHES {
            match live.rows(sql::APPEND_FACT, values).await {
                Ok(rows) => {
                    let row = rows.first().ok_or(BookError::Collision)?;
                    return Ok(place(column(row, 0)?));
                }
                // An engine that takes the conflict for an error says so with the key's name.
                Err(error) if error.code() == Some(&SqlState::UNIQUE_VIOLATION) => {
                    return Err(BookError::Collision);
                }
                Err(error) if is_passing(&error) => {}
                Err(error) if is_lost(&error) => return Err(BookError::Unknown(said(&error))),
                Err(error) => return Err(store_error(&error).into()),
            }
        }
        Err(StoreError::Overloaded.into())
    }
}

#[async_trait]
impl Book for PostgresBook {
    async fn append(
        &self,
        stream: &str,
        expected_seq: u32,
        at: Timestamp,
        kind: &str,
        body: Vec<u8>,
    ) -> Result<u64, BookError> {
        book::check(stream, expected_seq, kind, &body)?;
        let seq =
            i32::try_from(expected_seq).map_err(|_| BookError::Refused("no more numbers".to_owned()))?;
        let values: &Values<'_> = &[&stream, &seq, &at.0, &kind, &body];
        let place = match tokio::time::timeout(self.answer_within, self.put(values)).await {
            Ok(put) => put?,
            Err(_) => return Err(BookError::Unknown("the database does not answer".to_owned())),
        };
        // Two of ours may come here in another order than the database's.
        self.bell.send_modify(|last| *last = place.max(*last));
        Ok(place)
    }

    async fn read(&self, stream: &str, after_seq: u32, limit: u32) -> Result<Vec<Fact>, StoreError> {
        let after = i32::try_from(after_seq).unwrap_or(i32::MAX);
        self.facts(sql::FACTS_OF, &[&stream, &after, &i64::from(limit.min(READ_MAX))]).await
    }

    async fn read_all(&self, after_place: u64, limit: u32) -> Result<Vec<Fact>, StoreError> {
        self.facts(sql::FACTS, &[&signed(after_place), &i64::from(limit.min(READ_MAX))]).await
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

fn fact(row: &Row) -> Result<Fact, StoreError> {
    let seq: i32 = column(row, 2)?;
    Ok(Fact {
        place: place(column(row, 0)?),
        stream: column(row, 1)?,
        seq: u32::try_from(seq).unwrap_or_default(),
        at: Timestamp(column(row, 3)?),
        kind: column(row, 4)?,
        body: column(row, 5)?,
    })
}

/// Copies the book of an embedded store; what is there already stays. Returns how many facts there are.
pub(crate) async fn copy(dir: &Path, live: &Live) -> Result<u64, StoreError> {
    let (mut last, mut count) = (0, 0);
    loop {
        let facts = crate::sqlite::book::export(dir, last)?;
        let Some(end) = facts.last() else { return Ok(count) };
        last = end.place;
        count += facts.len() as u64;
        for fact in &facts {
            let seq = i32::try_from(fact.seq)
                .map_err(|_| StoreError::Corrupt(format!("{}: no such number", fact.stream)))?;
            let place = signed(fact.place);
            let values: &Values<'_> = &[&place, &fact.stream, &seq, &fact.at.0, &fact.kind, &fact.body];
            live.execute(sql::MOVE_FACT, values).await.map_err(|error| store_error(&error))?;
        }
        live.execute(sql::BOOK_HEAD, &[&signed(last)]).await.map_err(|error| store_error(&error))?;
    }
}

/// How many facts the database has.
pub(crate) async fn count(live: &Live) -> Result<u64, StoreError> {
    Ok(place(column(&live.one(sql::FACTS_COUNT, &[]).await?, 0)?))
}
