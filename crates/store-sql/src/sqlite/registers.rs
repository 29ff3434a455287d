//! The registers' rows: cards, terminals, batch totals, transaction keys, and the checkpoint's mark.

use std::sync::Arc;

use authorization::{
    CardState,
    settlement::Totals,
    terminal::{TerminalRecord, TerminalState},
};
use model::{BatchNumber, CardId, TerminalId, TransactionKey};
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};
use store::{Card, StoreError, Terminal};

use super::{
    pool::{column, place, store_error},
    sql,
    states::BatchSum,
};
use crate::{
    body::transaction_key,
    row::{Row, decode, encode, open_reference},
    seal::Sealer,
};

/// What a checkpoint writes at its end, when the cards are written.
pub(crate) struct Checkpoint {
    /// Everything up to this journal place is in what follows, or was written before.
    pub(crate) mark: u64,
    pub(crate) terminals: Vec<(TerminalId, Arc<Terminal>)>,
    pub(crate) sums: Vec<((TerminalId, BatchNumber), Arc<BatchSum>)>,
}

pub(crate) fn card(conn: &Connection, sealer: &Sealer, id: &CardId) -> Result<Option<Card>, StoreError> {
    let mut statement = conn.prepare_cached(sql::CARD).map_err(store_error)?;
    let row = statement
        .query_row([id.0], |row| {
            Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, Option<Vec<u8>>>(1)?, row.get::<_, Vec<u8>>(2)?))
        })
        .optional()
        .map_err(store_error)?;
    let Some((record, reference, state)) = row else { return Ok(None) };
    let reference = reference.map(|sealed| open_reference(sealer, id, &sealed)).transpose()?;
    Ok(Some(Card {
        id: *id,
        record: Arc::new(decode("card record", &record)?),
        reference: reference.map(Arc::new),
        state: decode("card state", &state)?,
    }))
}

pub(crate) fn terminal(conn: &Connection, id: &TerminalId) -> Result<Option<Terminal>, StoreError> {
    let mut statement = conn.prepare_cached(sql::TERMINAL).map_err(store_error)?;
    let row = statement
        .query_row([id.as_bytes()], |row| Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, Vec<u8>>(1)?)))
        .optional()
        .map_err(store_error)?;
    let Some((record, state)) = row else { return Ok(None) };
    Ok(Some(Terminal {
        record: Arc::new(decode::<TerminalRecord>("terminal record", &record)?),
        state: decode::<TerminalState>("terminal state", &state)?,
    }))
}

pub(crate) fn terminal_ids(conn: &Connection) -> Result<Vec<TerminalId>, StoreError> {
    let mut statement = conn.prepare_cached(sql::TERMINALS).map_err(store_error)?;
    let ids = statement.query_map([], |row| row.get::<_, Vec<u8>>(0)).map_err(store_error)?;
    ids.map(|id| {
        TerminalId::new(&id.map_err(store_error)?)
            .map_err(|e| StoreError::Corrupt(format!("terminal register: {e}")))
    })
    .collect()
}

/// A batch without a row has no movement yet.
pub(crate) fn batch_sum(
    conn: &Connection,
    terminal: &TerminalId,
    batch: BatchNumber,
) -> Result<BatchSum, StoreError> {
    let mut statement = conn.prepare_cached(sql::BATCH_TOTALS).map_err(store_error)?;
    let row = statement
        .query_row(params![terminal.as_bytes(), batch.get()], |row| {
            Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, i64>(1)?))
        })
        .optional()
        .map_err(store_error)?;
    let Some((totals, upto)) = row else { return Ok(BatchSum::default()) };
    Ok(BatchSum { totals: decode::<Totals>("batch totals", &totals)?, upto: place(upto) })
}

pub(crate) fn card_of(conn: &Connection, key: &TransactionKey) -> Result<Option<CardId>, StoreError> {
    let mut statement = conn.prepare_cached(sql::CARD_OF).map_err(store_error)?;
    statement
        .query_row([transaction_key(key)], |row| row.get::<_, [u8; 16]>(0))
        .optional()
        .map(|id| id.map(CardId))
        .map_err(store_error)
}

pub(crate) fn mark(conn: &Connection) -> Result<u64, StoreError> {
    conn.query_row(sql::MARK, [], |row| row.get(0)).map(place).map_err(store_error)
}

/// Writes states of cards in one transaction.
pub(crate) fn save_cards(conn: &mut Connection, cards: &[(CardId, Arc<Card>)]) -> Result<(), StoreError> {
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate).map_err(store_error)?;
    let mut save = tx.prepare_cached(sql::SAVE_CARD).map_err(store_error)?;
    for (id, card) in cards {
        save.execute(params![id.0, encode(&card.state)?]).map_err(store_error)?;
    }
    drop(save);
    tx.commit().map_err(store_error)
}

/// Writes whose cards transactions were about, in one transaction.
pub(crate) fn save_keys(conn: &mut Connection, keys: &[(TransactionKey, CardId)]) -> Result<(), StoreError> {
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate).map_err(store_error)?;
    let mut save = tx.prepare_cached(sql::SAVE_KEY).map_err(store_error)?;
    for (key, card) in keys {
        save.execute(params![transaction_key(key), card.0]).map_err(store_error)?;
    }
    drop(save);
    tx.commit().map_err(store_error)
}

/// Writes the end of a checkpoint in one transaction.
pub(crate) fn save(conn: &mut Connection, checkpoint: &Checkpoint) -> Result<(), StoreError> {
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate).map_err(store_error)?;
    save_rows(&tx, checkpoint)?;
    tx.commit().map_err(store_error)
}

fn save_rows(conn: &Connection, checkpoint: &Checkpoint) -> Result<(), StoreError> {
    let mut terminals = conn.prepare_cached(sql::SAVE_TERMINAL).map_err(store_error)?;
    for (id, terminal) in &checkpoint.terminals {
        terminals.execute(params![id.as_bytes(), encode(&terminal.state)?]).map_err(store_error)?;
    }
    let mut sums = conn.prepare_cached(sql::SAVE_BATCH).map_err(store_error)?;
    for ((terminal, batch), sum) in &checkpoint.sums {
        let row = params![terminal.as_bytes(), batch.get(), encode(&sum.totals)?, column(sum.upto)];
        sums.execute(row).map_err(store_error)?;
    }
    conn.execute(sql::SAVE_MARK, [column(checkpoint.mark)]).map(drop).map_err(store_error)
}

/// Writes registrations in one transaction.
pub(crate) fn register(conn: &mut Connection, rows: &[Row]) -> Result<(), StoreError> {
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate).map_err(store_error)?;
    register_rows(&tx, rows)?;
    tx.commit().map_err(store_error)
}

fn register_rows(conn: &Connection, rows: &[Row]) -> Result<(), StoreError> {
    let mut cards = conn.prepare_cached(sql::REGISTER_CARD).map_err(store_error)?;
    let mut terminals = conn.prepare_cached(sql::REGISTER_TERMINAL).map_err(store_error)?;
    for row in rows {
        match row {
            Row::Card(card) => {
                let state = encode(&CardState::new(&card.record))?;
                let record = encode(&*card.record)?;
                cards.execute(params![
                    card.id.0,
                    card.pan_masked,
                    card.pan_sealed,
                    record,
                    card.reference_sealed,
                    state
                ])
            }
            Row::Terminal { record } => {
                let state = encode(&TerminalState::default())?;
                terminals.execute(params![record.id.as_bytes(), encode(&**record)?, state])
            }
        }
        .map_err(store_error)?;
    }
    Ok(())
}
