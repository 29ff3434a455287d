//! The swim-lane timeline of a refusal: what the cardholder did, what the terminal did, what line and host did, what the
//! issuer did. Whose matter a line was is then seen at a glance, and so is that a fault charged no try.

use maud::{Markup, html};
use model::ReasonCode;
use store::archive::{TransactionDetail, TransactionRow};

use super::parts::{self, col};
use crate::{service, visit::Visit};

/// Lines shown at most.
const LINES_MAX: usize = 40;

/// Who acts in a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lane {
    Card,
    Terminal,
    Host,
    Issuer,
}

/// Lines about the card and its terminal, oldest first, this one marked.
pub(crate) fn timeline(visit: &Visit, detail: &TransactionDetail) -> Markup {
    let say = visit.say;
    let title = say.t("lanes-title");
    let cols = [
        col("col-time", "mono time"),
        col("lane-card", "lane"),
        col("lane-terminal", "lane"),
        col("lane-host", "lane"),
        col("lane-issuer", "lane"),
    ];
    let rows = lines(detail);
    let cells: Vec<Vec<Markup>> = rows.iter().map(|row| cells(visit, row, &detail.row)).collect();
    html! {
        section class="card lanes" aria-labelledby="lanes-title" {
            h2 id="lanes-title" { (title) }
            (parts::table(say, &title, &cols, &cells))
        }
    }
}

/// The card's lines, and those of its terminal that were no approvals: the newest around the refusal.
fn lines(detail: &TransactionDetail) -> Vec<&TransactionRow> {
    let here = detail.same_terminal.iter().filter(|row| !service::is_approved(row) || row.card.is_none());
    let mut rows: Vec<&TransactionRow> = detail.same_card.iter().chain(here).chain([&detail.row]).collect();
    rows.sort_by_key(|row| row.seq);
    rows.dedup_by_key(|row| row.seq);
    let at = rows.iter().position(|row| row.seq == detail.row.seq).unwrap_or_default();
    let from = at.saturating_sub(LINES_MAX * 3 / 4);
    rows.into_iter().skip(from).take(LINES_MAX).collect()
}

fn lane(row: &TransactionRow) -> Lane {
    let Some(reason) = service::reason(row) else { return Lane::Host };
    if row.code.is_empty() || row.terminal.is_empty() {
        return Lane::Issuer;
    }
    match reason {
        ReasonCode::IssuerWrongPin
        | ReasonCode::IssuerTriesExceeded
        | ReasonCode::IssuerDeclined
        | ReasonCode::IssuerFault
        | ReasonCode::IssuerKeyFault
        | ReasonCode::IssuerTimeout
        | ReasonCode::IssuerUnreachable
        | ReasonCode::IssuerLateReply
        | ReasonCode::StaffAction => Lane::Issuer,
        ReasonCode::StoreAway
        | ReasonCode::Overloaded
        | ReasonCode::SecurityModuleAway
        | ReasonCode::KeyFault
        | ReasonCode::DuplicateTrace
        | ReasonCode::OvertakenByReversal
        | ReasonCode::Reversed => Lane::Host,
        ReasonCode::PinBlockUnreadable
        | ReasonCode::KsnReplayed
        | ReasonCode::MacInvalid
        | ReasonCode::FormatError
        | ReasonCode::SignInRequired
        | ReasonCode::TerminalSuspended
        | ReasonCode::UnknownTerminal
        | ReasonCode::UnknownMerchant => Lane::Terminal,
        _ if row.card.is_none() => Lane::Terminal,
        _ => Lane::Card,
    }
}

fn cells(visit: &Visit, row: &TransactionRow, current: &TransactionRow) -> Vec<Markup> {
    let is_current = row.seq == current.seq;
    let lane = lane(row);
    let at = html! {
        (parts::time(&visit.clock, row.at))
        @if is_current { " " span class="here" { (visit.say.t("this-one")) } }
    };
    let mut cells = vec![at];
    for place in [Lane::Card, Lane::Terminal, Lane::Host, Lane::Issuer] {
        cells.push(if place == lane {
            event(visit, row, current)
        } else {
            html! {}
        });
    }
    cells
}

fn event(visit: &Visit, row: &TransactionRow, current: &TransactionRow) -> Markup {
    let say = visit.say;
    let words = parts::verdict(row, visit.lang());
    let is_other = row.card.is_some() && row.card != current.card;
    html! {
        @if !row.code.is_empty() { (parts::code_chip(row.family, &row.code)) " " }
        @if row.seq == current.seq { strong { (words) } } @else { a href=(parts::transaction_href(&row.rrn)) { (words) } }
        @if let Some(pan) = row.pan.as_ref().filter(|_| is_other) { " " (last_four(&pan.to_string())) }
        @if row.terminal != current.terminal && !row.terminal.is_empty() { " " span class="mono quiet" { (row.terminal) } }
        @if row.try_charged {
            @if let Some(left) = row.tries_left { " " span class="mark" { (say.with("tries-left", [("left", left.into())])) } }
        } @else if row.card.is_some() && !service::is_approved(row) {
            " " span class="mark free" { (say.t("no-try-charged")) }
        }
    }
}

/// A lane is too narrow for a whole masked number: its end tells the cards of one line apart.
fn last_four(pan: &str) -> Markup {
    let end = pan.get(pan.len().saturating_sub(4)..).unwrap_or(pan);
    html! { span class="mono quiet" title=(pan) { "\u{2026}" (end) } }
}
