//! One transaction and what surrounds it.

use model::CardId;
use store::{
    Entry, StoreError,
    archive::{TransactionDetail, TransactionRow, Wire},
};

use super::{lists, sql};
use crate::{
    body, line,
    postgres::{
        core::Core,
        pool::{column, signed},
    },
};

/// So many lines about the same card, and at the same terminal, before and after it.
const AROUND: i64 = 8;

/// A line with the columns beside it.
struct Found {
    row: TransactionRow,
    approval: Option<String>,
    key: Option<Vec<u8>>,
    original: Option<Vec<u8>>,
}

pub(crate) async fn transaction(core: &Core, rrn: &str) -> Result<Option<TransactionDetail>, StoreError> {
    let Some(found) = find(core, rrn).await? else { return Ok(None) };
    let entry = entry(core, found.row.seq).await?;
    let exchange = entry.exchange.as_ref();
    let wire = |bytes: &[u8]| {
        let dialect = exchange.map(|e| e.dialect.clone()).unwrap_or_default();
        (!bytes.is_empty()).then(|| Wire { dialect, bytes: bytes.to_vec() })
    };
    Ok(Some(TransactionDetail {
        original_rrn: original_rrn(core, &found).await?,
        followed_by: followed_by(core, &found).await?,
        effects: line::changes(&entry.event),
        rules: entry.event.rules().cloned().map(Box::new),
        operator: entry.event.operator(),
        request: exchange.and_then(|e| wire(&e.request)),
        reply: exchange.and_then(|e| wire(&e.reply)),
        same_card: same_card(core, &found.row).await?,
        same_terminal: same_terminal(core, &found.row).await?,
        approval: found.approval,
        row: found.row,
    }))
}

async fn find(core: &Core, rrn: &str) -> Result<Option<Found>, StoreError> {
    let rows = core.shelves.rows(sql::BY_RRN, &[&rrn]).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    Ok(Some(Found {
        row: lists::row(row)?,
        approval: column(row, 22)?,
        key: column(row, 23)?,
        original: column(row, 24)?,
    }))
}

async fn entry(core: &Core, journal_seq: u64) -> Result<Entry, StoreError> {
    let texts = &core.texts[(journal_seq % u64::from(core.limits.partitions)) as usize];
    let rows = core.shelves.rows(&texts.entry, &[&signed(journal_seq)]).await?;
    let missing = || StoreError::Corrupt(format!("journal entry {journal_seq} is missing"));
    body::decode(&core.sealer, journal_seq, column(rows.first().ok_or_else(missing)?, 0)?)
}

/// An original is always a transaction of the same card.
async fn original_rrn(core: &Core, found: &Found) -> Result<Option<String>, StoreError> {
    let (Some(CardId(card)), Some(original)) = (found.row.card, &found.original) else { return Ok(None) };
    let values: &super::super::pool::Values<'_> = &[&card.as_slice(), original, &signed(found.row.seq)];
    let rows = core.shelves.rows(sql::ORIGINAL, values).await?;
    rows.first().map(|row| column(row, 0)).transpose()
}

/// A reversal shares its original's key in some dialects; nothing follows a reversal.
async fn followed_by(core: &Core, found: &Found) -> Result<Vec<String>, StoreError> {
    let (Some(CardId(card)), Some(key)) = (found.row.card, &found.key) else { return Ok(Vec::new()) };
    if found.row.kind == "reversal" {
        return Ok(Vec::new());
    }
    let values: &super::super::pool::Values<'_> = &[&card.as_slice(), key, &signed(found.row.seq)];
    core.shelves.rows(sql::FOLLOWED_BY, values).await?.iter().map(|row| column(row, 0)).collect()
}

async fn same_card(core: &Core, row: &TransactionRow) -> Result<Vec<TransactionRow>, StoreError> {
    let Some(CardId(card)) = row.card else { return Ok(vec![row.clone()]) };
    let (card, seq) = (card.as_slice(), signed(row.seq));
    let mut lines = lists::rows(core, sql::CARD_BEFORE, &[&card, &seq, &(AROUND + 1)]).await?;
    lines.reverse();
    lines.extend(lists::rows(core, sql::CARD_AFTER, &[&card, &seq, &AROUND]).await?);
    Ok(lines)
}

async fn same_terminal(core: &Core, row: &TransactionRow) -> Result<Vec<TransactionRow>, StoreError> {
    if row.terminal.is_empty() {
        return Ok(Vec::new());
    }
    let seq = signed(row.seq);
    let mut lines = lists::rows(core, sql::TERMINAL_BEFORE, &[&row.terminal, &seq, &(AROUND + 1)]).await?;
    lines.reverse();
    lines.extend(lists::rows(core, sql::TERMINAL_AFTER, &[&row.terminal, &seq, &AROUND]).await?);
    Ok(lines)
}
