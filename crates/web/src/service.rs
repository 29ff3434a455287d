//! What pages and API share: a query is checked here, the archive is asked here.

use std::str::FromStr;

use model::{Amount, CardId, ReasonCode, ResponseCode, Timestamp, reason::Family};
use serde::Deserialize;
use store::archive::{
    CardQuery, CardView, Overview, Page, Progress, TerminalView, TransactionDetail, TransactionQuery,
    TransactionRow,
};

use crate::{
    error::Failure,
    format::now,
    router::Shared,
    state::{Check, DescribedField},
};

/// The windows of the overview, in seconds.
pub(crate) const WINDOWS_S: [u32; 4] = [900, 3_600, 21_600, 86_400];
/// The window when none is asked for.
pub(crate) const WINDOW_S: u32 = 3_600;
/// Rows per part of a list when no limit is asked for.
pub(crate) const LIMIT: u32 = 50;
/// The most rows in a part of a list.
pub(crate) const LIMIT_MAX: u32 = 500;
/// A search longer than this is no search.
const SEARCH_LEN_MAX: usize = 64;

/// The query of `/transactions`, as it came. An empty value is as good as none: forms send them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, utoipa::IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub(crate) struct TransactionFilter {
    /// Card's last four digits or masked number, RRN, terminal, merchant number or name, response code.
    #[serde(deserialize_with = "without_card_number")]
    pub(crate) q: String,
    /// Only this response code, such as `55`.
    #[param(min_length = 2, max_length = 3, required = false)]
    pub(crate) code: String,
    /// Only this family: `ok`, `warn`, `lock`, `sys`, `bad` or `neutral`.
    #[param(value_type = Option<crate::api::schema::FamilyName>)]
    pub(crate) family: String,
    /// Only declines when `true` or `1`.
    #[param(value_type = Option<bool>)]
    pub(crate) declined: String,
    /// Only this card: its id, 32 hexadecimal digits.
    pub(crate) card: String,
    /// Only this terminal.
    pub(crate) terminal: String,
    /// Only this voucher number (DE 11), as on the slip.
    #[param(value_type = Option<u32>)]
    pub(crate) voucher: String,
    /// Only this batch (DE 60.2), as on the slip.
    #[param(value_type = Option<u32>)]
    pub(crate) batch: String,
    /// Only this amount, as on the slip: `1280.00` or `1,280.00`.
    #[param(required = false)]
    pub(crate) amount: String,
    /// Decided at or after: RFC 3339, or milliseconds since 1970.
    pub(crate) from: String,
    /// Decided before: RFC 3339, or milliseconds since 1970.
    pub(crate) to: String,
    /// Rows older than this cursor: `next` of the part before.
    #[param(value_type = Option<u64>)]
    pub(crate) after: String,
    /// At most so many rows, 1 to 500; 50 when not given.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 500)]
    pub(crate) limit: String,
}

impl TransactionFilter {
    pub(crate) fn check(&self) -> Result<TransactionQuery, Failure> {
        Ok(TransactionQuery {
            search: search(&self.q)?,
            code: value::<ResponseCode>("code", &self.code, "2 or 3 letters or digits")?
                .map(|c| c.to_string()),
            family: family(&self.family)?,
            declined: flag("declined", &self.declined)?,
            card: value("card", &self.card, "32 hexadecimal digits")?,
            terminal: terminal(&self.terminal)?,
            stan: value("voucher", &self.voucher, "a number of at most six digits")?,
            batch: value("batch", &self.batch, "a number of at most six digits")?,
            amount: amount(&self.amount)?,
            from: moment("from", &self.from)?,
            to: moment("to", &self.to)?,
            after: value("after", &self.after, "a cursor: the value of next in the part before")?,
            limit: Some(limit(&self.limit)?),
        })
    }
}

/// The query of `/cards`, as it came.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, utoipa::IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub(crate) struct CardFilter {
    /// Last four digits or masked number.
    #[serde(deserialize_with = "without_card_number")]
    pub(crate) q: String,
    /// Only locked cards when `true` or `1`.
    #[param(value_type = Option<bool>)]
    pub(crate) locked: String,
    /// Rows after this cursor: `next` of the part before.
    #[param(value_type = Option<u64>)]
    pub(crate) after: String,
    /// At most so many rows, 1 to 500; 50 when not given.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 500)]
    pub(crate) limit: String,
}

impl CardFilter {
    pub(crate) fn check(&self) -> Result<CardQuery, Failure> {
        Ok(CardQuery {
            search: search(&self.q)?,
            locked: flag("locked", &self.locked)?,
            after: value("after", &self.after, "a cursor: the value of next in the part before")?,
            limit: Some(limit(&self.limit)?),
        })
    }
}

/// The query of the overview.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, utoipa::IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub(crate) struct WindowFilter {
    /// Length of the window in seconds: 900, 3600, 21600 or 86400; 3600 when not given.
    #[param(value_type = Option<u32>)]
    pub(crate) window: String,
}

impl WindowFilter {
    pub(crate) fn check(&self) -> Result<u32, Failure> {
        const EXPECTED: &str = "900, 3600, 21600 or 86400 seconds";
        match value("window", &self.window, EXPECTED)? {
            None => Ok(WINDOW_S),
            Some(window) if WINDOWS_S.contains(&window) => Ok(window),
            Some(_) => Err(Failure::not_understood("window", EXPECTED)),
        }
    }
}

/// Does a row belong to what a listener asked for? Search, time and cursor are not asked of a live row.
pub(crate) fn wants(query: &TransactionQuery, row: &TransactionRow) -> bool {
    query.code.as_ref().is_none_or(|code| *code == row.code)
        && query.family.is_none_or(|family| family == row.family)
        && !(query.declined && is_approved(row))
        && query.card.is_none_or(|card| Some(card) == row.card)
        && query.terminal.as_ref().is_none_or(|terminal| *terminal == row.terminal)
}

/// Was it done as asked?
pub(crate) fn is_approved(row: &TransactionRow) -> bool {
    ResponseCode::new(&row.code).is_ok_and(|code| code.is_approval())
}

/// The row's reason, if this version of the program knows it.
pub(crate) fn reason(row: &TransactionRow) -> Option<ReasonCode> {
    row.reason.parse().ok()
}

pub(crate) async fn overview(state: &Shared, window_s: u32) -> Result<Overview, Failure> {
    Ok(state.web.archive.overview(window_s, now()).await?)
}

pub(crate) async fn transactions(
    state: &Shared,
    filter: &TransactionFilter,
) -> Result<Page<TransactionRow>, Failure> {
    Ok(state.web.archive.transactions(&filter.check()?).await?)
}

pub(crate) async fn transaction(state: &Shared, rrn: &str) -> Result<TransactionDetail, Failure> {
    state.web.archive.transaction(rrn).await?.ok_or(Failure::NotFound)
}

pub(crate) async fn cards(state: &Shared, filter: &CardFilter) -> Result<Page<CardView>, Failure> {
    Ok(state.web.archive.cards(&filter.check()?).await?)
}

pub(crate) async fn card(state: &Shared, id: &str) -> Result<CardView, Failure> {
    let id = id.parse().map_err(|_| Failure::NotFound)?;
    card_by_id(state, &id).await?.ok_or(Failure::NotFound)
}

pub(crate) async fn card_by_id(state: &Shared, id: &CardId) -> Result<Option<CardView>, Failure> {
    Ok(state.web.archive.card_view(id).await?)
}

/// The newest lines about a card.
pub(crate) async fn attempts(state: &Shared, card: &CardId) -> Result<Vec<TransactionRow>, Failure> {
    let query = TransactionQuery { card: Some(*card), limit: Some(20), ..TransactionQuery::default() };
    Ok(state.web.archive.transactions(&query).await?.data)
}

pub(crate) async fn terminals(state: &Shared) -> Result<Vec<TerminalView>, Failure> {
    Ok(state.web.archive.terminals().await?)
}

pub(crate) async fn progress(state: &Shared) -> Result<Progress, Failure> {
    Ok(state.web.archive.progress().await?)
}

/// All checks; they may block, so they run aside.
pub(crate) async fn health(state: &Shared) -> Result<Vec<Check>, Failure> {
    let health = state.web.health.clone();
    tokio::task::spawn_blocking(move || health.checks()).await.map_err(|e| Failure::Internal(e.to_string()))
}

/// The request's and the answer's fields, as far as they are kept and can be read.
pub(crate) fn messages(state: &Shared, detail: &TransactionDetail) -> [Option<Vec<DescribedField>>; 2] {
    let describe = |wire: &Option<store::archive::Wire>, is_reply_frame| {
        wire.as_ref().map(|w| {
            let mut fields = state.web.describer.describe(&w.dialect, &w.bytes, is_reply_frame);
            for field in &mut fields {
                field.value = crate::format::mask_digits(&field.value, &[&detail.row.merchant]);
            }
            fields
        })
    };
    [describe(&detail.request, false), describe(&detail.reply, true)]
}

/// A whole card number in the search box becomes its masked form before anything looks at it. References have 12 digits
/// and merchant numbers 15, so only 16 to 19 digits are taken for one.
fn without_card_number<'de, D: serde::Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    let text = String::deserialize(from)?;
    Ok(match text.trim() {
        number if number.len() >= 16 => {
            number.parse::<model::Pan>().map_or(text, |pan| pan.masked().to_string())
        }
        _ => text,
    })
}

fn search(text: &str) -> Result<Option<String>, Failure> {
    let text = text.trim();
    if text.chars().count() > SEARCH_LEN_MAX {
        return Err(Failure::not_understood("q", "at most 64 characters"));
    }
    Ok((!text.is_empty()).then(|| text.to_owned()))
}

/// As people write it: major units with two decimals, perhaps in groups of three.
fn amount(text: &str) -> Result<Option<Amount>, Failure> {
    if text.is_empty() {
        return Ok(None);
    }
    let digits = text.replace(',', "");
    let (major, minor) = digits.split_once('.').unwrap_or((&digits, "00"));
    let number = |part: &str| part.parse::<i64>().ok().filter(|_| part.bytes().all(|b| b.is_ascii_digit()));
    let minor = number(minor).filter(|_| minor.len() == 2);
    let sum = number(major).zip(minor).and_then(|(a, b)| a.checked_mul(100)?.checked_add(b));
    sum.map(|sum| Some(Amount(sum)))
        .ok_or_else(|| Failure::not_understood("amount", "an amount such as 1280.00"))
}

pub(crate) fn value<T: FromStr>(name: &str, text: &str, expected: &str) -> Result<Option<T>, Failure> {
    if text.is_empty() {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|_| Failure::not_understood(name, expected))
}

fn family(text: &str) -> Result<Option<Family>, Failure> {
    if text.is_empty() {
        return Ok(None);
    }
    FAMILIES
        .into_iter()
        .find(|f| f.name() == text)
        .map(Some)
        .ok_or_else(|| Failure::not_understood("family", "ok, warn, lock, sys, bad or neutral"))
}

/// All families, in the order of the filter.
pub(crate) const FAMILIES: [Family; 6] =
    [Family::Ok, Family::Warn, Family::Lock, Family::Sys, Family::Bad, Family::Neutral];

pub(crate) fn flag(name: &str, text: &str) -> Result<bool, Failure> {
    match text {
        "" | "0" | "false" => Ok(false),
        "1" | "true" | "on" => Ok(true),
        _ => Err(Failure::not_understood(name, "true or false")),
    }
}

fn terminal(text: &str) -> Result<Option<String>, Failure> {
    let fits = text.len() <= 8 && text.bytes().all(|b| b.is_ascii_graphic());
    if !fits {
        return Err(Failure::not_understood("terminal", "at most 8 characters, as in DE 41"));
    }
    Ok((!text.is_empty()).then(|| text.to_owned()))
}

pub(crate) fn moment(name: &str, text: &str) -> Result<Option<Timestamp>, Failure> {
    if text.is_empty() {
        return Ok(None);
    }
    let ms = text.parse::<i64>().ok();
    let at = ms.or_else(|| text.parse::<jiff::Timestamp>().ok().map(|t| t.as_millisecond()));
    at.map(|ms| Some(Timestamp(ms)))
        .ok_or_else(|| Failure::not_understood(name, "RFC 3339, such as 2026-11-22T10:43:02+08:00"))
}

/// Alarms that somebody should look at.
pub(crate) fn open_alarms(state: &Shared) -> usize {
    state.web.alarms.look(|desk, now| {
        desk.alarms().filter(|alarm| desk.standing(alarm, now) == alarm::Standing::Open).count()
    })
}

/// Where an alarm stands, as it came.
pub(crate) fn standing(text: &str) -> Result<Option<alarm::Standing>, Failure> {
    use alarm::Standing::{Acknowledged, Open, Over, Silenced};
    match text {
        "" => Ok(None),
        "open" => Ok(Some(Open)),
        "silenced" => Ok(Some(Silenced)),
        "acknowledged" => Ok(Some(Acknowledged)),
        "over" => Ok(Some(Over)),
        _ => Err(Failure::not_understood("standing", "open, silenced, acknowledged or over")),
    }
}

pub(crate) fn limit(text: &str) -> Result<u32, Failure> {
    const EXPECTED: &str = "a number from 1 to 500";
    match value("limit", text, EXPECTED)? {
        None => Ok(LIMIT),
        Some(n) if (1..=LIMIT_MAX).contains(&n) => Ok(n),
        Some(_) => Err(Failure::not_understood("limit", EXPECTED)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn searched(typed: &str, looked_up: &str) {
        let filter: TransactionFilter = serde_json::from_value(serde_json::json!({ "q": typed })).unwrap();
        assert_eq!(filter.check().unwrap().search.as_deref(), Some(looked_up));
    }

    #[test]
    fn a_card_number_is_looked_up_masked_and_references_as_they_are() {
        searched("6216261000000000018", "621626*********0018");
        searched("632676497850", "632676497850");
        searched("898510154110283", "898510154110283");
        searched("0018", "0018");
    }

    #[test]
    fn amounts_are_read_as_they_are_printed() {
        for (text, minor) in [("1,280.00", 128_000), ("1280.00", 128_000), ("7", 700), ("0.01", 1)] {
            assert_eq!(amount(text).unwrap(), Some(Amount(minor)), "{text}");
        }
        for text in ["1.2", "-1.00", "a", "1.2.3", "+1.00", "99999999999999999999"] {
            assert!(amount(text).is_err(), "{text}");
        }
        assert_eq!(amount("").unwrap(), None);
    }
}
