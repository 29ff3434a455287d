//! A state as the files have it: the registers, and what the journal's tail adds. For another process, and for this one
//! once its states at hand are ahead of a disk that failed.

use std::sync::Arc;

use journal_log::Log;
use model::{CardId, TerminalId};
use rusqlite::Connection;
use store::{Card, Entry, Event, StoreError, Subject, Terminal};

use super::{journal, registers};
use crate::{body, seal::Sealer};

/// A card.
pub(crate) fn card(
    conn: &Connection,
    log: &Arc<Log>,
    sealer: &Sealer,
    id: &CardId,
) -> Result<Option<Arc<Card>>, StoreError> {
    let Some(mut card) = registers::card(conn, sealer, id)? else { return Ok(None) };
    fold(conn, log, Subject::Card(*id), |journal_seq, entry| {
        if entry.seq == card.state.seq + 1 {
            card.state.apply(entry.seq, journal_seq, entry.at, entry.event.card_effects());
        }
    })?;
    Ok(Some(Arc::new(card)))
}

/// A terminal.
pub(crate) fn terminal(
    conn: &Connection,
    log: &Arc<Log>,
    id: &TerminalId,
) -> Result<Option<Arc<Terminal>>, StoreError> {
    let Some(mut terminal) = registers::terminal(conn, id)? else { return Ok(None) };
    fold(conn, log, Subject::Terminal(*id), |journal_seq, entry| {
        if let Event::Terminal(event) = &entry.event
            && entry.seq == terminal.state.seq + 1
        {
            terminal.state.apply(entry.seq, journal_seq, entry.at, &event.effect);
        }
    })?;
    Ok(Some(Arc::new(terminal)))
}

fn fold(
    conn: &Connection,
    log: &Arc<Log>,
    subject: Subject,
    mut apply: impl FnMut(u64, &Entry),
) -> Result<(), StoreError> {
    let mut cursor = log.after(registers::mark(conn)?);
    while let Some((journal_seq, body)) = cursor.next().map_err(journal::store_error)? {
        if body::head(journal_seq, body)?.subject == subject {
            apply(journal_seq, &body::decode_sealed(journal_seq, body)?);
        }
    }
    Ok(())
}
