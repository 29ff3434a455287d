//! One transaction and what surrounds it.

use std::sync::Arc;

use journal_log::Log;
use model::CardId;
use rusqlite::{Connection, OptionalExtension, params};
use store::{
    Entry, StoreError,
    archive::{TransactionDetail, TransactionRow, Wire},
};

use super::{lists, sql};
use crate::{
    body, line,
    seal::Sealer,
    sqlite::{
        journal,
        pool::{column, store_error},
    },
};

/// So many lines about the same card, and at the same terminal, before and after it.
const AROUND: u32 = 8;

/// A line with the columns beside it.
struct Found {
    row: TransactionRow,
    approval: Option<String>,
    key: Option<Vec<u8>>,
    original: Option<Vec<u8>>,
}

pub(crate) fn transaction(
    conn: &Connection,
    log: &Arc<Log>,
    sealer: &Sealer,
    rrn: &str,
) -> Result<Option<TransactionDetail>, StoreError> {
    let Some(found) = find(conn, rrn)? else { return Ok(None) };
    let entry = entry(log, sealer, found.row.seq)?;
    let exchange = entry.exchange.as_ref();
    let wire = |bytes: &[u8]| {
        let dialect = exchange.map(|e| e.dialect.clone()).unwrap_or_default();
        (!bytes.is_empty()).then(|| Wire { dialect, bytes: bytes.to_vec() })
    };
    Ok(Some(TransactionDetail {
        original_rrn: original_rrn(conn, &found)?,
        followed_by: followed_by(conn, &found)?,
        effects: line::changes(&entry.event),
        rules: entry.event.rules().cloned().map(Box::new),
        operator: entry.event.operator(),
        request: exchange.and_then(|e| wire(&e.request)),
        reply: exchange.and_then(|e| wire(&e.reply)),
        same_card: same_card(conn, &found.row)?,
        same_terminal: same_terminal(conn, &found.row)?,
        approval: found.approval,
        row: found.row,
    }))
}

fn find(conn: &Connection, rrn: &str) -> Result<Option<Found>, StoreError> {
    let mut statement = conn.prepare_cached(sql::BY_RRN).map_err(store_error)?;
    statement
        .query_row([rrn], |row| {
            Ok(Found {
                row: lists::row(row)?,
                approval: row.get(22)?,
                key: row.get(23)?,
                original: row.get(24)?,
            })
        })
        .optional()
        .map_err(store_error)
}

fn entry(log: &Arc<Log>, sealer: &Sealer, journal_seq: u64) -> Result<Entry, StoreError> {
    let body = log.read(journal_seq).map_err(journal::store_error)?;
    let body = body.ok_or_else(|| StoreError::Corrupt(format!("journal entry {journal_seq} is missing")))?;
    body::decode(sealer, journal_seq, &body)
}

/// An original is always a transaction of the same card.
fn original_rrn(conn: &Connection, found: &Found) -> Result<Option<String>, StoreError> {
    let (Some(CardId(card)), Some(original)) = (found.row.card, &found.original) else { return Ok(None) };
    conn.query_row(sql::ORIGINAL, params![card, original, column(found.row.seq)], |row| row.get(0))
        .optional()
        .map_err(store_error)
}

/// A reversal shares its original's key in some dialects; nothing follows a reversal.
fn followed_by(conn: &Connection, found: &Found) -> Result<Vec<String>, StoreError> {
    let (Some(CardId(card)), Some(key)) = (found.row.card, &found.key) else { return Ok(Vec::new()) };
    if found.row.kind == "reversal" {
        return Ok(Vec::new());
    }
    let mut statement = conn.prepare_cached(sql::FOLLOWED_BY).map_err(store_error)?;
    statement
        .query_map(params![card, key, column(found.row.seq)], |row| row.get(0))
        .and_then(Iterator::collect)
        .map_err(store_error)
}

fn same_card(conn: &Connection, row: &TransactionRow) -> Result<Vec<TransactionRow>, StoreError> {
    let Some(CardId(card)) = row.card else { return Ok(vec![row.clone()]) };
    let mut lines = lists::rows(conn, sql::CARD_BEFORE, params![card, column(row.seq), AROUND + 1])?;
    lines.reverse();
    lines.extend(lists::rows(conn, sql::CARD_AFTER, params![card, column(row.seq), AROUND])?);
    Ok(lines)
}

fn same_terminal(conn: &Connection, row: &TransactionRow) -> Result<Vec<TransactionRow>, StoreError> {
    if row.terminal.is_empty() {
        return Ok(Vec::new());
    }
    let seq = column(row.seq);
    let mut lines = lists::rows(conn, sql::TERMINAL_BEFORE, params![row.terminal, seq, AROUND + 1])?;
    lines.reverse();
    lines.extend(lists::rows(conn, sql::TERMINAL_AFTER, params![row.terminal, seq, AROUND])?);
    Ok(lines)
}
