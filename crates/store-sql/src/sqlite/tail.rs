//! A state as the files have it: the registers, and what the journal's tail adds. For another process, and for this one
//! once its states at hand are ahead of a disk that failed.

use std::sync::Arc;

use model::{CardId, TerminalId};
use rusqlite::Connection;
use store::{Card, Entry, Event, StoreError, Subject, Terminal};

use super::{
    pool::{column, place, store_error},
    registers, sql,
};
use crate::{body, seal::Sealer};

/// A card.
pub(crate) fn card(conn: &Connection, sealer: &Sealer, id: &CardId) -> Result<Option<Arc<Card>>, StoreError> {
    let Some(mut card) = registers::card(conn, sealer, id)? else { return Ok(None) };
    fold(conn, &Subject::Card(*id), |journal_seq, entry| {
        if entry.seq == card.state.seq + 1 {
            card.state.apply(entry.seq, journal_seq, entry.at, entry.event.card_effects());
        }
    })?;
    Ok(Some(Arc::new(card)))
}

/// A terminal.
pub(crate) fn terminal(conn: &Connection, id: &TerminalId) -> Result<Option<Arc<Terminal>>, StoreError> {
    let Some(mut terminal) = registers::terminal(conn, id)? else { return Ok(None) };
    fold(conn, &Subject::Terminal(*id), |journal_seq, entry| {
        if let Event::Terminal(event) = &entry.event
            && entry.seq == terminal.state.seq + 1
        {
            terminal.state.apply(entry.seq, journal_seq, entry.at, &event.effect);
        }
    })?;
    Ok(Some(Arc::new(terminal)))
}

fn fold(conn: &Connection, subject: &Subject, mut apply: impl FnMut(u64, &Entry)) -> Result<(), StoreError> {
    let mark = registers::mark(conn)?;
    let mut statement = conn.prepare_cached(sql::TAIL_OF).map_err(store_error)?;
    let mut rows = statement.query((column(mark), body::subject_key(subject))).map_err(store_error)?;
    while let Some(row) = rows.next().map_err(store_error)? {
        let journal_seq = row.get(0).map(place).map_err(store_error)?;
        let body: Vec<u8> = row.get(1).map_err(store_error)?;
        apply(journal_seq, &body::decode_sealed(journal_seq, &body)?);
    }
    Ok(())
}
