//! The parts that pages are put together from: chips, times, pips, tables.

use handbook::{Lang, LockEnd};
use maud::{Markup, html};
use model::{Timestamp, reason::Family};
use store::archive::TransactionRow;

use crate::{
    format::{Clock, currency, facts, money},
    lang::Say,
    service,
    visit::{Visit, encode},
};

/// A response code on the tint of its family.
pub(crate) fn code_chip(family: Family, code: &str) -> Markup {
    html! {
        @if code.is_empty() { span class="quiet" { "\u{2013}" } } @else { span class={ "chip mono " (family.name()) } { (code) } }
    }
}

/// A response code that leads to its page in the handbook.
pub(crate) fn code_link(family: Family, code: &str, lang: Lang) -> Markup {
    match handbook::code(code) {
        Some(entry) => html! {
            a class={ "chip " (family.name()) } href={ "/codes/" (encode(code)) } { (code) " " (entry.meaning(lang)) }
        },
        None => code_chip(family, code),
    }
}

/// A word on the tint of a family.
pub(crate) fn chip(family: Family, word: &str) -> Markup {
    html! { span class={ "chip " (family.name()) } { (word) } }
}

/// A moment, short, with the whole of it and how long ago at hand.
pub(crate) fn time(clock: &Clock, at: Timestamp) -> Markup {
    html! {
        time datetime=(clock.machine(at)) title={ (clock.full(at)) " " (clock.offset()) ", " (clock.relative(at)) } { (clock.short(at)) }
    }
}

/// A moment in full, with zone and relative time beside it.
pub(crate) fn time_full(clock: &Clock, at: Timestamp) -> Markup {
    html! {
        time class="mono" datetime=(clock.machine(at)) { (clock.full(at)) }
        " " span class="quiet" { (clock.offset()) " \u{b7} " (clock.relative(at)) }
    }
}

/// A row's amount.
pub(crate) fn amount(row: &TransactionRow) -> Markup {
    html! { @if let Some(amount) = row.amount { (money(amount, currency(row))) } @else { span class="quiet" { "\u{2013}" } } }
}

/// The verdict in a few words. A sale is the ordinary case and not named; a line that answers no payment (staff, a
/// sign-in) is named by its kind alone.
pub(crate) fn verdict(row: &TransactionRow, lang: Lang) -> String {
    let kind = kind(row, Say(lang));
    match service::reason(row).map(|reason| handbook::reason(reason).title(lang)) {
        None => kind,
        Some(_) if row.code.is_empty() => kind,
        Some(title) if matches!(row.kind.as_str(), "sale" | "refused") => title.to_owned(),
        Some(title) => format!("{kind} \u{b7} {title}"),
    }
}

/// What kind of line it is.
pub(crate) fn kind(row: &TransactionRow, say: Say) -> String {
    say.maybe(&format!("kind-{}", row.kind)).map_or_else(|| row.kind.clone(), std::borrow::Cow::into_owned)
}

/// What really happened, in one sentence.
pub(crate) fn sentence(row: &TransactionRow, lang: Lang, clock: &Clock) -> String {
    service::reason(row).map_or_else(
        || kind(row, Say(lang)),
        |reason| handbook::reason(reason).sentence(lang, &facts(row, clock)),
    )
}

/// Tries left as filled circles, tries used as hollow ones, and both in words.
pub(crate) fn pips(say: Say, left: u8, limit: u8) -> Markup {
    let class = if left == 0 {
        "pips none"
    } else if left < limit {
        "pips some"
    } else {
        "pips"
    };
    html! {
        span class=(class) {
            span aria-hidden="true" {
                @for i in 0..limit { i class=[(i < left).then_some("left")] {} }
            }
            " " (say.with("tries-left-of", [("left", left.into()), ("limit", limit.into())]))
        }
    }
}

/// How long a card is locked.
pub(crate) fn lock_words(say: Say, clock: &Clock, end: &LockEnd, until: Option<Timestamp>) -> String {
    match (end, until) {
        (LockEnd::At(_), Some(until)) if until > clock.now => say
            .with(
                "locked-until",
                [("at", clock.full(until).into()), ("relative", clock.relative(until).into())],
            )
            .into_owned(),
        (LockEnd::At(at), _) => say.with("locked-until-past", [("at", at.as_str().into())]).into_owned(),
        (LockEnd::ByStaff, _) => say.t("locked-until-staff").into_owned(),
    }
}

/// A part of a page that a script fetches again when an event says that something changed. Only what changed is put in its
/// place, so nothing jumps; without scripts it is what it was when the page was made.
pub(crate) fn live(visit: &Visit, body: Markup) -> Markup {
    html! { div id="live" hx-get=(visit.here_with("done", "")) hx-trigger="refresh" hx-select="#live" hx-swap="outerMorph" { (body) } }
}

/// A heading of a column and how its cells are set.
pub(crate) struct Col<'a> {
    pub(crate) key: &'a str,
    pub(crate) class: &'a str,
}

/// Shorthand for [`Col`].
pub(crate) const fn col<'a>(key: &'a str, class: &'a str) -> Col<'a> {
    Col { key, class }
}

/// A table whose rows become small cards on a narrow screen. Roles are written out because that change of layout
/// would otherwise take them away.
pub(crate) fn table(say: Say, caption: &str, cols: &[Col<'_>], rows: &[Vec<Markup>]) -> Markup {
    html! {
        table class="list" role="table" {
            caption class="sr" { (caption) }
            thead role="rowgroup" {
                tr role="row" { @for c in cols { th role="columnheader" scope="col" class=(c.class) { (say.t(c.key)) } } }
            }
            tbody role="rowgroup" {
                @for row in rows {
                    tr role="row" {
                        @for (cell, c) in row.iter().zip(cols) {
                            // One child, so that a narrow screen sets label and cell side by side.
                            td role="cell" class=(c.class) data-label=(say.t(c.key)) { @if !cell.0.is_empty() { div { (cell) } } }
                        }
                    }
                }
            }
        }
    }
}

/// The address of a transaction.
pub(crate) fn transaction_href(rrn: &str) -> String {
    format!("/transactions/{}", encode(rrn))
}

/// Lists of transactions have the same columns everywhere.
pub(crate) fn transactions(say: Say, clock: &Clock, caption: &str, rows: &[TransactionRow]) -> Markup {
    let cols = [
        col("col-time", "mono time"),
        col("col-card", "mono"),
        col("col-merchant-terminal", "grow"),
        col("col-amount", "num"),
        col("col-code", "code"),
        col("col-verdict", "grow"),
    ];
    let rows: Vec<Vec<Markup>> = rows.iter().map(|row| transaction_row(say, clock, row)).collect();
    table(say, caption, &cols, &rows)
}

/// Refused payments: each leads to why.
pub(crate) fn refusals(say: Say, clock: &Clock, caption: &str, rows: &[TransactionRow]) -> Markup {
    let cols = [
        col("col-time", "mono time"),
        col("col-card", "mono"),
        col("col-merchant-terminal", "grow"),
        col("col-code", "code"),
        col("col-tries-cost", ""),
    ];
    let row = |row: &TransactionRow| {
        vec![
            html! { a class="row" href=(why_href(&row.rrn)) { (time(clock, row.at)) } },
            html! { @if let Some(pan) = &row.pan { (pan) } @else { span class="quiet" { "\u{2013}" } } },
            html! { (merchant(row)) },
            code_chip(row.family, &row.code),
            html! { (say.t(if row.try_charged { "one-try" } else { "no-try-charged" })) },
        ]
    };
    table(say, caption, &cols, &rows.iter().map(row).collect::<Vec<_>>())
}

/// The address of the page that says why it was refused.
pub(crate) fn why_href(rrn: &str) -> String {
    format!("/why/{}", encode(rrn))
}

fn transaction_row(say: Say, clock: &Clock, row: &TransactionRow) -> Vec<Markup> {
    vec![
        html! { a class="row" href=(transaction_href(&row.rrn)) { (time(clock, row.at)) } },
        html! { @if let Some(pan) = &row.pan { (pan) } @else { span class="quiet" { "\u{2013}" } } },
        html! { (merchant(row)) },
        amount(row),
        code_chip(row.family, &row.code),
        html! { (verdict(row, say.0)) },
    ]
}

/// Merchant and terminal in one cell.
pub(crate) fn merchant(row: &TransactionRow) -> String {
    match (row.merchant_name.as_str(), row.terminal.as_str()) {
        ("", "") => "\u{2013}".to_owned(),
        ("", terminal) => terminal.to_owned(),
        (name, "") => name.to_owned(),
        (name, terminal) => format!("{name} \u{b7} {terminal}"),
    }
}

/// An empty list that says what would be here and how to get it.
pub(crate) fn empty(title: &str, words: &str, command: Option<&str>) -> Markup {
    html! {
        div class="empty" {
            p { strong { (title) } }
            p class="quiet" { (words) }
            @if let Some(command) = command { p { code { (command) } } }
        }
    }
}

/// A term and what it is.
pub(crate) fn fact(term: &str, value: Markup) -> Markup {
    html! { div { dt { (term) } dd { (value) } } }
}
