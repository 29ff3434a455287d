//! Lists of transactions, cards and terminals.

use model::{Amount, CardId, MaskedPan, Timestamp};
use store::{
    Card, StoreError, Terminal,
    archive::{CardQuery, CardView, Page, Progress, TerminalView, TransactionQuery, TransactionRow},
};
use tokio_postgres::{Row, types::ToSql};

use super::{heads, sql};
use crate::{
    line,
    listing::{escape_like, limit, page, printed_amount, printed_voucher, search_text},
    postgres::{
        core::Core,
        pool::{Values, column, pipeline, place, signed, together},
        registers,
    },
};

/// How many new lines a follower takes at once.
const FOLLOW_ROWS: i64 = 500;

type Value = Box<dyn ToSql + Sync + Send>;

/// Conditions joined by AND, with their values.
#[derive(Default)]
struct Filter {
    sql: String,
    values: Vec<Value>,
}

impl Filter {
    /// A condition; each `?` in it is the next value.
    fn and(&mut self, condition: &str, values: impl IntoIterator<Item = Value>) {
        if !self.sql.is_empty() {
            self.sql.push_str(" AND ");
        }
        let mut number = self.values.len();
        for part in condition.split_inclusive('?') {
            match part.strip_suffix('?') {
                Some(text) => {
                    number += 1;
                    self.sql.push_str(&format!("{text}${number}"));
                }
                None => self.sql.push_str(part),
            }
        }
        self.values.extend(values);
    }

    fn and_equal<T: ToSql + Sync + Send + 'static>(&mut self, name: &str, value: Option<T>) {
        if let Some(value) = value {
            self.and(&format!("{name} = ?"), [Box::new(value) as Value]);
        }
    }

    /// The whole statement and its values. Text of the program only: what people type is always a value.
    fn finish(mut self, head: &str, end: &str, limit: u32) -> (String, Vec<Value>) {
        self.values.push(Box::new(i64::from(limit)));
        let conditions = if self.sql.is_empty() { "true" } else { &self.sql };
        (format!("{head}{conditions}{end}${}", self.values.len()), self.values)
    }
}

pub(crate) async fn transactions(
    core: &Core,
    query: &TransactionQuery,
) -> Result<Page<TransactionRow>, StoreError> {
    let limit = limit(query.limit);
    let (text, values) = transaction_filter(query).finish(sql::LINES, sql::LINES_END, limit + 1);
    let rows = rows(core, &text, &refer(&values)).await?;
    Ok(page(rows, limit, |row| row.seq))
}

fn refer(values: &[Value]) -> Vec<&(dyn ToSql + Sync)> {
    values.iter().map(|value| &**value as &(dyn ToSql + Sync)).collect()
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
        filter.and("l.counted AND NOT l.approved", []);
    }
    if let Some(from) = query.from {
        filter.and("l.at >= ?", [Box::new(from.0) as Value]);
    }
    if let Some(to) = query.to {
        filter.and("l.at < ?", [Box::new(to.0) as Value]);
    }
    if let Some(after) = query.after {
        filter.and("l.seq < ?", [Box::new(signed(after)) as Value]);
    }
    if let Some(text) = search_text(query.search.as_deref()) {
        search(&mut filter, text);
    }
    filter
}

/// Whatever a person types into the one search box.
fn search(filter: &mut Filter, text: &str) {
    let contains = format!("%{}%", escape_like(text));
    let exact = ["rrn", "terminal", "merchant", "code", "last_four", "pan"];
    let any = exact.map(|name| format!("l.{name} = ?")).join(" OR ");
    let numbers = [("stan", printed_voucher(text)), ("amount", printed_amount(text))];
    let printed: String =
        numbers.iter().filter(|(_, n)| n.is_some()).map(|(name, _)| format!(" OR l.{name} = ?")).collect();
    let values =
        exact.iter().map(|_| Box::new(text.to_owned()) as Value).chain([Box::new(contains) as Value]);
    let values = values.chain(numbers.iter().filter_map(|(_, n)| n.map(|n| Box::new(n) as Value)));
    filter.and(&format!("({any} OR l.merchant_name ILIKE ?{printed})"), values);
}

pub(crate) async fn cards(core: &Core, query: &CardQuery) -> Result<Page<CardView>, StoreError> {
    let limit = limit(query.limit);
    let (text, values) = card_filter(query).finish(sql::CARDS, sql::CARDS_END, limit + 1);
    let found = core.shelves.rows(&text, &refer(&values)).await?;
    let ids = found.iter().map(|row| card_id(row, 0)).collect::<Result<Vec<_>, _>>()?;
    let cards = together(ids.iter().map(|id| core.fresh::<Card>(id))).await;
    let mut views = Vec::with_capacity(found.len());
    for (row, card) in found.iter().zip(cards) {
        let (cursor, last_used) = (place(column(row, 1)?), column::<Option<i64>>(row, 2)?.map(Timestamp));
        if let Some(card) = card? {
            views.push((cursor, view(&card.value, last_used)));
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
        filter.and("place < ?", [Box::new(signed(after)) as Value]);
    }
    if let Some(text) = search_text(query.search.as_deref()) {
        let value = || Box::new(text.to_owned()) as Value;
        filter.and("(last_four = ? OR pan = ?)", [value(), value()]);
    }
    filter
}

pub(crate) async fn card_view(core: &Core, id: &CardId) -> Result<Option<CardView>, StoreError> {
    let Some(card) = core.fresh::<Card>(id).await? else { return Ok(None) };
    let rows = core.shelves.rows(sql::CARD_USED, &[&id.0.as_slice()]).await?;
    let used = rows.first().map_or(Ok(None), |row| column::<Option<i64>>(row, 0))?;
    Ok(Some(view(&card.value, used.map(Timestamp))))
}

fn view(card: &Card, last_used: Option<Timestamp>) -> CardView {
    CardView { id: card.id, record: (*card.record).clone(), state: card.state.clone(), last_used }
}

pub(crate) async fn terminals(core: &Core) -> Result<Vec<TerminalView>, StoreError> {
    let ids = registers::terminal_ids(core, &core.shelves).await?;
    let found = together(ids.iter().map(|id| core.fresh::<Terminal>(id))).await;
    let live = core.shelves.live().await?;
    let seen = pipeline(ids.iter().map(|id| {
        let live = &live;
        async move { live.rows(sql::TERMINAL_SEEN, &[&id.as_str()]).await }
    }))
    .await;
    let mut views = Vec::with_capacity(ids.len());
    for ((id, terminal), seen) in ids.iter().zip(found).zip(seen) {
        let Some(terminal) = terminal? else { continue };
        let seen = seen.map_err(|error| crate::postgres::pool::store_error(&error))?;
        let last_seen = seen.first().map(|row| column(row, 0)).transpose()?;
        let (record, state) = (&terminal.value.record, &terminal.value.state);
        views.push(TerminalView {
            id: id.as_str().to_owned(),
            merchant: record.merchant.as_str().to_owned(),
            merchant_name: record.merchant_name.clone(),
            batch: state.batch.get(),
            session: state.session.as_ref().map(Into::into),
            keys: state.key_sets.view(&record.keys),
            suspended: state.suspended,
            last_seen: last_seen.map(Timestamp),
        });
    }
    Ok(views)
}

/// In entries: places have gaps.
pub(crate) async fn progress(core: &Core) -> Result<Progress, StoreError> {
    let rows = core.shelves.rows(sql::FILLED, &[]).await?;
    let mut filled = 0;
    let mut cursors = std::collections::HashMap::new();
    for row in &rows {
        filled = place(column(row, 0)?);
        if let Some(partition) = column::<Option<i32>>(row, 1)? {
            cursors.insert(partition, column::<i64>(row, 2)?);
        }
    }
    let mut waiting = 0;
    for (partition, end) in heads(core).await? {
        let from = cursors.get(&i32::from(partition)).copied().unwrap_or_default();
        if end > place(from) {
            let rows = core.shelves.rows(&core.texts[usize::from(partition)].backlog, &[&from]).await?;
            waiting += rows.first().map_or(Ok(0), |row| column(row, 0).map(place))?;
        }
    }
    Ok(Progress { filled, journal: filled + waiting })
}

/// Lines that were filled after the number `last`, and the number of the last one; without a number, only that.
pub(crate) async fn new_lines(
    core: &Core,
    last: Option<i64>,
) -> Result<(Vec<TransactionRow>, i64), StoreError> {
    let Some(last) = last else {
        let rows = core.shelves.rows(sql::PROGRESS, &[]).await?;
        return Ok((Vec::new(), rows.first().map_or(Ok(0), |row| column(row, 0))?));
    };
    let found = core.shelves.rows(sql::NEW_LINES, &[&last, &FOLLOW_ROWS]).await?;
    let upto = found.last().map_or(Ok(last), |row| column(row, 22))?;
    Ok((found.iter().map(row).collect::<Result<_, _>>()?, upto))
}

/// Lines that a statement finds.
pub(crate) async fn rows(
    core: &Core,
    text: &str,
    values: &Values<'_>,
) -> Result<Vec<TransactionRow>, StoreError> {
    core.shelves.rows(text, values).await?.iter().map(row).collect()
}

/// Reads the columns of a line.
pub(crate) fn row(row: &Row) -> Result<TransactionRow, StoreError> {
    let family: &str = column(row, 15)?;
    let pan: Option<&str> = column(row, 6)?;
    let card = column::<Option<&[u8]>>(row, 7)?.map(id_of).transpose()?;
    Ok(TransactionRow {
        seq: place(column(row, 0)?),
        at: Timestamp(column(row, 1)?),
        rrn: column(row, 2)?,
        kind: column(row, 3)?,
        stan: small(row, 4)?,
        batch: small(row, 5)?,
        pan: pan.and_then(|text| MaskedPan::new(text).ok()),
        card,
        terminal: column(row, 8)?,
        merchant: column(row, 9)?,
        merchant_name: column(row, 10)?,
        amount: column::<Option<i64>>(row, 11)?.map(Amount),
        currency: small(row, 12)?,
        code: column(row, 13)?,
        reason: column(row, 14)?,
        family: line::family(family)
            .ok_or_else(|| StoreError::Corrupt(format!("no such family: {family}")))?,
        pin: column(row, 16)?,
        try_charged: column(row, 17)?,
        tries_left: small(row, 18)?,
        tries_limit: small(row, 19)?,
        locked_until: column(row, 20)?,
        took_us: small(row, 21)?,
    })
}

/// A number that is smaller than its column.
pub(crate) fn small<T: TryFrom<i64>>(row: &Row, index: usize) -> Result<Option<T>, StoreError> {
    let number: Option<i64> = column(row, index)?;
    let fits =
        |number| T::try_from(number).map_err(|_| StoreError::Corrupt(format!("column {index}: {number}")));
    number.map(fits).transpose()
}

fn card_id(row: &Row, index: usize) -> Result<CardId, StoreError> {
    id_of(column(row, index)?)
}

pub(crate) fn id_of(bytes: &[u8]) -> Result<CardId, StoreError> {
    let id =
        bytes.try_into().map_err(|_| StoreError::Corrupt("a card's id has another length".to_owned()))?;
    Ok(CardId(id))
}
