//! Cards of other issuers for which something may be outstanding, and their numbers: what the queue of reversals is found
//! again from after a restart.

use std::sync::Arc;

use model::{CardId, Pan, Timestamp};
use rusqlite::{Connection, OptionalExtension, params};
use store::{Outstanding, StoreError};

use super::{core::Core, pool::store_error, sql};
use crate::row::open_pan;

impl Core {
    /// The card's number.
    pub(crate) fn pan(&self, conn: &Connection, id: &CardId) -> Result<Option<Pan>, StoreError> {
        let mut statement = conn.prepare_cached(sql::PAN).map_err(store_error)?;
        let sealed: Option<Vec<u8>> =
            statement.query_row([id.0], |row| row.get(0)).optional().map_err(store_error)?;
        sealed.map(|sealed| open_pan(&self.sealer, id, &sealed)).transpose()
    }

    /// What was noted, with the states at hand: they are never older than the journal.
    pub(crate) fn outstanding(&self, conn: &Connection) -> Result<Vec<Outstanding>, StoreError> {
        let mut found = Vec::new();
        for (id, noted) in noted(conn)? {
            if let Some(card) = self.states.card(conn, &self.sealer, &id)? {
                found.push(Outstanding { card: Arc::clone(&card), noted });
            }
        }
        Ok(found)
    }

    pub(crate) fn note_outstanding(&self, id: &CardId, at: Timestamp) -> Result<(), StoreError> {
        self.write_registers(|conn| {
            conn.execute(sql::NOTE_OUTSTANDING, params![id.0, at.0]).map(drop).map_err(store_error)
        })
    }

    pub(crate) fn forget_outstanding(&self, id: &CardId, noted: Timestamp) -> Result<(), StoreError> {
        self.write_registers(|conn| {
            conn.execute(sql::FORGET_OUTSTANDING, params![id.0, noted.0]).map(drop).map_err(store_error)
        })
    }
}

fn noted(conn: &Connection) -> Result<Vec<(CardId, Timestamp)>, StoreError> {
    let mut statement = conn.prepare_cached(sql::OUTSTANDING).map_err(store_error)?;
    let rows = statement
        .query_map([], |row| Ok((CardId(row.get::<_, [u8; 16]>(0)?), Timestamp(row.get(1)?))))
        .map_err(store_error)?;
    rows.map(|row| row.map_err(store_error)).collect()
}
