//! Lists of transactions, cards and terminals.

use model::{Amount, CardId, MaskedPan, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row, ToSql, types::Value};
use store::{
    Card, StoreError,
    archive::{CardQuery, CardView, Page, TerminalView, TransactionQuery, TransactionRow},
};

use super::{Source, sql};
use crate::{
    line,
    listing::{escape_like, limit, page, printed_amount, printed_voucher, search_text},
    sqlite::{
        pool::{column, place, store_error},
        registers,
    },
};

/// How many new lines a follower takes at once.
const FOLLOW_ROWS: u32 = 500;

/// Conditions joined by AND, with their values.
#[derive(Default)]
struct Filter {
    sql: String,
    values: Vec<Value>,
}

impl Filter {
    fn and(&mut self, condition: &str, values: impl IntoIterator<Item = Value>) {
        if !self.sql.is_empty() {
            self.sql.push_str(" AND ");
        }
        self.sql.push_str(condition);
        self.values.extend(values);
    }

    fn and_equal(&mut self, name: &str, value: Option<impl Into<Value>>) {
        if let Some(value) = value {
            self.and(&format!("{name} = ?"), [value.into()]);
        }
    }

    fn statement(&self, head: &str, end: &str, limit: u32) -> String {
        let conditions = if self.sql.is_empty() { "1" } else { &self.sql };
        format!("{head}{conditions}{end}{limit}")
    }

    fn values(&self) -> impl Iterator<Item = &dyn ToSql> {
        self.values.iter().map(|value| value as &dyn ToSql)
    }
}

pub(crate) fn transactions(
    conn: &Connection,
    query: &TransactionQuery,
) -> Result<Page<TransactionRow>, StoreError> {
    let limit = limit(query.limit);
    let filter = transaction_filter(query);
    let statement = filter.statement(sql::LINES, sql::LINES_END, limit + 1);
    let values: Vec<_> = filter.values().collect();
    let rows = rows(conn, &statement, values.as_slice())?;
    Ok(page(rows, limit, |row| row.seq))
}

fn transaction_filter(query: &TransactionQuery) -> Filter {
    let mut filter = Filter::default();
    filter.and_equal("l.code", query.code.clone());
    filter.and_equal("l.family", query.family.map(|family| family.name().to_owned()));
    filter.and_equal("l.card", query.card.map(|card| card.0.to_vec()));
    filter.and_equal("l.terminal", query.terminal.clone());
    filter.and_equal("l.stan", query.stan.map(i64::from));
    filter.and_equal("l.batch", query.batch.map(i64::from));
    filter.and_equal("l.amount", query.amount.map(|amount| amount.0));
    if query.declined {
        filter.and("l.counted = 1 AND l.approved = 0", []);
    }
    if let Some(from) = query.from {
        filter.and("l.at >= ?", [from.0.into()]);
    }
    if let Some(to) = query.to {
        filter.and("l.at < ?", [to.0.into()]);
    }
    if let Some(after) = query.after {
        filter.and("l.seq < ?", [column(after).into()]);
    }
    if let Some(text) = search_text(query.search.as_deref()) {
        search(&mut filter, text);
    }
    filter
}

/// Whatever a person types into the one search box.
fn search(filter: &mut Filter, text: &str) {
    let text = text.to_owned();
    let contains = format!("%{}%", escape_like(&text));
    let exact = ["rrn", "terminal", "merchant", "code", "last_four", "pan"];
    let any = exact.map(|name| format!("l.{name} = ?")).join(" OR ");
    let numbers = [("stan", printed_voucher(&text)), ("amount", printed_amount(&text))];
    let printed: String =
        numbers.iter().filter(|(_, n)| n.is_some()).map(|(name, _)| format!(" OR l.{name} = ?")).collect();
    let values = exact.iter().map(|_| Value::from(text.clone())).chain([contains.into()]);
    let values = values.chain(numbers.iter().filter_map(|(_, n)| n.map(Value::from)));
    filter.and(&format!("({any} OR l.merchant_name LIKE ? ESCAPE '\\'{printed})"), values);
}

pub(crate) fn cards(
    source: &Source,
    conn: &Connection,
    query: &CardQuery,
) -> Result<Page<CardView>, StoreError> {
    let limit = limit(query.limit);
    let filter = card_filter(query);
    let statement = filter.statement(sql::CARDS, sql::CARDS_END, limit + 1);
    let values: Vec<_> = filter.values().collect();
    let mut statement = conn.prepare_cached(&statement).map_err(store_error)?;
    let found = statement
        .query_map(values.as_slice(), |row| {
            Ok((CardId(row.get(0)?), place(row.get(1)?), row.get::<_, Option<i64>>(2)?.map(Timestamp)))
        })
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(store_error)?;
    let mut views = Vec::with_capacity(found.len());
    for (id, cursor, last_used) in found {
        if let Some(card) = source.card(conn, &id)? {
            views.push((cursor, view(&card, last_used)));
        }
    }
    let Page { data, has_more, next } = page(views, limit, |(cursor, _)| *cursor);
    Ok(Page { data: data.into_iter().map(|(_, view)| view).collect(), has_more, next })
}

/// A lock whose time has come is still in the state until the card is used next; the list shows locks as the state
/// has them.
fn card_filter(query: &CardQuery) -> Filter {
    let mut filter = Filter::default();
    if query.locked {
        filter.and("locked_until IS NOT NULL", []);
    }
    if let Some(after) = query.after {
        filter.and("place < ?", [column(after).into()]);
    }
    if let Some(text) = search_text(query.search.as_deref()) {
        let value = || Value::from(text.to_owned());
        filter.and("(last_four = ? OR pan = ?)", [value(), value()]);
    }
    filter
}

pub(crate) fn card_view(
    source: &Source,
    conn: &Connection,
    id: &CardId,
) -> Result<Option<CardView>, StoreError> {
    let Some(card) = source.card(conn, id)? else { return Ok(None) };
    let used: Option<Option<i64>> =
        conn.query_row(sql::CARD_USED, [id.0], |row| row.get(0)).optional().map_err(store_error)?;
    Ok(Some(view(&card, used.flatten().map(Timestamp))))
}

fn view(card: &Card, last_used: Option<Timestamp>) -> CardView {
    CardView { id: card.id, record: (*card.record).clone(), state: card.state.clone(), last_used }
}

pub(crate) fn terminals(source: &Source, conn: &Connection) -> Result<Vec<TerminalView>, StoreError> {
    let mut views = Vec::new();
    for id in registers::terminal_ids(conn)? {
        let Some(terminal) = source.terminal(conn, &id)? else { continue };
        let mut seen = conn.prepare_cached(sql::TERMINAL_SEEN).map_err(store_error)?;
        let last_seen: Option<i64> =
            seen.query_row([id.as_str()], |row| row.get(0)).optional().map_err(store_error)?;
        views.push(TerminalView {
            id: id.as_str().to_owned(),
            merchant: terminal.record.merchant.as_str().to_owned(),
            merchant_name: terminal.record.merchant_name.clone(),
            batch: terminal.state.batch.get(),
            session: terminal.state.session.as_ref().map(Into::into),
            keys: terminal.state.key_sets.view(&terminal.record.keys),
            suspended: terminal.state.suspended,
            last_seen: last_seen.map(Timestamp),
        });
    }
    Ok(views)
}

/// How far the look-up tables are filled.
pub(crate) fn filled(conn: &Connection) -> Result<u64, StoreError> {
    conn.query_row(sql::PROGRESS, [], |row| row.get(0)).map(place).map_err(store_error)
}

/// Lines after a place, oldest first.
pub(crate) fn new_lines(conn: &Connection, after: u64) -> Result<Vec<TransactionRow>, StoreError> {
    rows(conn, sql::NEW_LINES, (column(after), FOLLOW_ROWS))
}

/// Lines that a statement finds.
pub(crate) fn rows(
    conn: &Connection,
    statement: &str,
    values: impl rusqlite::Params,
) -> Result<Vec<TransactionRow>, StoreError> {
    let mut statement = conn.prepare_cached(statement).map_err(store_error)?;
    statement.query_map(values, row).and_then(Iterator::collect).map_err(store_error)
}

/// Reads the columns of a line.
pub(crate) fn row(row: &Row<'_>) -> rusqlite::Result<TransactionRow> {
    let family: String = row.get(15)?;
    let pan: Option<String> = row.get(6)?;
    Ok(TransactionRow {
        seq: place(row.get(0)?),
        at: Timestamp(row.get(1)?),
        rrn: row.get(2)?,
        kind: row.get(3)?,
        stan: row.get(4)?,
        batch: row.get(5)?,
        pan: pan.and_then(|text| MaskedPan::new(&text).ok()),
        card: row.get::<_, Option<[u8; 16]>>(7)?.map(CardId),
        terminal: row.get(8)?,
        merchant: row.get(9)?,
        merchant_name: row.get(10)?,
        amount: row.get::<_, Option<i64>>(11)?.map(Amount),
        currency: row.get(12)?,
        code: row.get(13)?,
        reason: row.get(14)?,
        family: line::family(&family).ok_or(rusqlite::Error::InvalidQuery)?,
        pin: row.get(16)?,
        try_charged: row.get(17)?,
        tries_left: row.get(18)?,
        tries_limit: row.get(19)?,
        locked_until: row.get(20)?,
        took_us: row.get(21)?,
    })
}
