//! One transaction: what exactly happened, whose matter is it, what now?

use axum::extract::{Path, State};
use handbook::{Audience, Lang};
use maud::{Markup, html};
use model::Timestamp;
use store::archive::{CardView, TransactionDetail, TransactionRow};

use super::{
    effects,
    layout::{Frame, Nav},
    parts::{self, fact},
};
use crate::{
    actor::Actor,
    error::Failure,
    format::{duration_us, facts},
    lang::Say,
    router::Shared,
    seen, service,
    state::DescribedField,
    visit::{Visit, encode},
};

/// `GET /transactions/{rrn}`.
pub(crate) async fn page(
    State(state): State<Shared>,
    visit: Visit,
    actor: Actor,
    Path(rrn): Path<String>,
) -> Result<Markup, Failure> {
    let detail = service::transaction(&state, &rrn).await?;
    seen::of_transaction(&state, &actor, &detail.row).await?;
    let card = match &detail.row.card {
        Some(id) => service::card_by_id(&state, id).await?,
        None => None,
    };
    let limit =
        card.as_ref().and_then(|c| state.web.products.get(&c.record.product)).map(|p| p.pin_try_limit);
    let now = card.as_ref().zip(limit).map(|(c, limit)| (c.state.tries.left(limit), limit.get()));
    let messages = service::messages(&state, &detail);
    let after = state.web.rules.after(&detail.row).await?;
    let title = title(&visit, &detail.row);
    let frame = Frame {
        beside: reference(&visit, &detail.row),
        actions: html! { (receipt_link(&visit, &detail.row)) (copy_link(visit.say)) },
        ..Frame::new(&visit, Nav::Transactions, &title)
    };
    Ok(frame.page(html! {
        (verdict(&visit, &detail))
        div class="columns two-one" {
            @if detail.row.card.is_some() {
                (timeline(&visit, "timeline-card", &detail.same_card, &detail.row))
            } @else {
                (timeline(&visit, "timeline-terminal", &detail.same_terminal, &detail.row))
            }
            (pin_state(&visit, &detail.row, card.as_ref(), now))
        }
        (todo(&visit, &detail.row))
        div class="columns two-one" {
            (particulars(&visit, &detail))
            div {
                (changes(&visit, &detail))
                (super::rule_hits::sections(&visit, detail.rules.as_deref(), after.as_ref()))
                (super::hops::waterfall(&visit, &detail))
            }
        }
        div class="columns" {
            (message(&visit, "message-request", messages[0].as_deref()))
            (message(&visit, "message-reply", messages[1].as_deref()))
        }
        @if detail.row.card.is_some() && detail.same_terminal.iter().any(|r| r.seq != detail.row.seq) {
            (timeline(&visit, "timeline-terminal", &detail.same_terminal, &detail.row))
        }
    }))
}

/// Payments have a slip.
fn receipt_link(visit: &Visit, row: &TransactionRow) -> Markup {
    html! {
        @if crate::receipts::is_payment(row) {
            a class="button" href={ (parts::transaction_href(&row.rrn)) "/receipt" } { (visit.say.t("receipt-link")) } " "
        }
    }
}

/// The reference beside the heading; a line without one is named by its place in the journal.
fn reference(visit: &Visit, row: &TransactionRow) -> Markup {
    html! {
        @if row.rrn.starts_with('-') { (visit.say.t("fact-journal")) " " (row.seq) } @else { "RRN " (row.rrn) }
    }
}

fn title(visit: &Visit, row: &TransactionRow) -> String {
    if row.code.is_empty() {
        return parts::kind(row, visit.say);
    }
    let key = if service::is_approved(row) { "why-approved" } else { "why-declined" };
    visit
        .say
        .with(key, [("code", row.code.as_str().into()), ("kind", parts::kind(row, visit.say).into())])
        .into_owned()
}

pub(crate) fn copy_link(say: Say) -> Markup {
    html! {
        button class="button js" type="button" data-copy data-said=(say.t("link-copied")) { (say.t("copy-link")) " " kbd aria-hidden="true" { "c" } }
    }
}

fn verdict(visit: &Visit, detail: &TransactionDetail) -> Markup {
    let (say, row) = (visit.say, &detail.row);
    html! {
        section class={ "card verdict " (row.family.name()) } aria-labelledby="verdict-title" {
            h2 id="verdict-title" { (say.t("verdict")) }
            p class="bold" { (parts::sentence(row, visit.lang(), &visit.clock)) }
            p class="quiet" {
                (parts::code_link(row.family, &row.code, visit.lang()))
                " " (say.t(if row.try_charged { "try-charged" } else { "try-not-charged" }))
                @if let Some(words) = opens(visit, row) { " " (words) }
            }
            @if !service::is_approved(row) && !row.code.is_empty() {
                p { a href=(parts::why_href(&row.rrn)) { (say.t("why-link")) } }
                div class="deeds" { (super::desk_forms::open_case(visit, "rrn", &row.rrn)) }
            }
        }
    }
}

/// How long until the lock opens; when it does is in the sentence above.
fn opens(visit: &Visit, row: &TransactionRow) -> Option<String> {
    let until = row.locked_until.filter(|ms| *ms != 0).map(Timestamp)?;
    if until <= visit.clock.now {
        return lock(visit, row);
    }
    Some(visit.say.with("opens-by-itself", [("relative", visit.clock.relative(until).into())]).into_owned())
}

/// The lock that this transaction left behind.
fn lock(visit: &Visit, row: &TransactionRow) -> Option<String> {
    let end = facts(row, &visit.clock).locked_until?;
    let until = row.locked_until.filter(|ms| *ms != 0).map(Timestamp);
    Some(parts::lock_words(visit.say, &visit.clock, &end, until))
}

/// Lines about the same card or terminal, oldest first, this one marked.
fn timeline(visit: &Visit, key: &str, rows: &[TransactionRow], current: &TransactionRow) -> Markup {
    let rows = if rows.is_empty() { std::slice::from_ref(current) } else { rows };
    let show_card = key == "timeline-terminal";
    html! {
        section class="card" aria-labelledby=(key) {
            h2 id=(key) { (visit.say.t(key)) }
            ol class="timeline" {
                @for row in rows {
                    li class=(row.family.name()) aria-current=[(row.seq == current.seq).then_some("true")] {
                        span class="mono time" { (parts::time(&visit.clock, row.at)) }
                        i aria-hidden="true" {}
                        div { (parts::code_chip(row.family, &row.code)) " " (step(visit, row, row.seq == current.seq, show_card)) }
                    }
                }
            }
        }
    }
}

fn step(visit: &Visit, row: &TransactionRow, is_current: bool, show_card: bool) -> Markup {
    let words = parts::verdict(row, visit.lang());
    html! {
        @if is_current { strong { (words) } } @else { a href=(parts::transaction_href(&row.rrn)) { (words) } }
        @for mark in marks(visit, row, show_card) { span class="quiet" { " \u{b7} " (mark) } }
        @if is_current { " " span class="here" { (visit.say.t("this-one")) } }
    }
}

/// What a line says besides its verdict: kind, place, tries. "No try charged" is said wherever a decline left the
/// counter alone.
fn marks(visit: &Visit, row: &TransactionRow, show_card: bool) -> Vec<String> {
    let say = visit.say;
    let mut marks = Vec::new();
    match &row.pan {
        Some(pan) if show_card => marks.push(pan.to_string()),
        _ if !row.terminal.is_empty() => marks.push(row.terminal.clone()),
        _ => {}
    }
    if let Some(left) = row.tries_left.filter(|_| row.try_charged) {
        marks.push(say.with("tries-left", [("left", left.into())]).into_owned());
    } else if !service::is_approved(row) && row.card.is_some() {
        marks.push(say.t("no-try-charged").into_owned());
    }
    marks
}

fn pin_state(visit: &Visit, row: &TransactionRow, card: Option<&CardView>, now: Option<(u8, u8)>) -> Markup {
    let say = visit.say;
    html! {
        section class="card" aria-labelledby="pin-title" {
            h2 id="pin-title" { (say.t("pin-state")) }
            @if let (Some(left), Some(limit)) = (row.tries_left, row.tries_limit) {
                h3 { (say.t("pin-after-this")) }
                p { (parts::pips(say, left, limit)) }
                @if let Some(words) = lock(visit, row) { p { (parts::chip(model::reason::Family::Lock, &say.t("locked"))) " " (words) } }
            }
            @if let Some(card) = card {
                h3 { (say.t("pin-now")) }
                @if let Some((left, limit)) = now { p { (parts::pips(say, left, limit)) } }
                p { (super::card::standing(visit, card)) }
                p { a href={ "/cards/" (card.id) } { span class="mono" { (card.record.pan) } } }
            } @else {
                p class="quiet" { (say.t("pin-no-card")) }
            }
            h3 { (say.t("pin-evidence")) }
            p { (pin_words(say, &row.pin)) }
        }
    }
}

/// What the security module proved.
fn pin_words(say: Say, pin: &str) -> String {
    let (outcome, cause) = pin.split_once(':').map_or((pin, ""), |(a, b)| (a, b));
    let words = match outcome {
        "not-asked" => say.t("pin-not-asked"),
        "verified" => say.t("pin-verified"),
        "mismatch" => say.t("pin-mismatch"),
        "unverifiable" => say.t("pin-unverifiable"),
        "discarded" => say.t("pin-discarded"),
        "sent-to-issuer" => say.t("pin-sent-to-issuer"),
        other => other.to_owned().into(),
    };
    if cause.is_empty() {
        words.into_owned()
    } else {
        say.with("with-cause", [("words", words.into_owned().into()), ("cause", cause.into())]).into_owned()
    }
}

fn todo(visit: &Visit, row: &TransactionRow) -> Markup {
    let say = visit.say;
    let Some(reason) = service::reason(row) else { return html! {} };
    let text = handbook::reason(reason);
    let cols = [parts::col("col-for", "who"), parts::col("col-do", "grow prose")];
    let rows: Vec<Vec<Markup>> = Audience::ALL
        .iter()
        .map(|who| vec![html! { (who.text(visit.lang())) }, html! { (text.todo(visit.lang(), *who)) }])
        .collect();
    html! {
        section class="card" aria-labelledby="todo-title" {
            h2 id="todo-title" { (say.t("todo")) }
            (parts::table(say, &say.t("todo"), &cols, &rows))
        }
    }
}

fn particulars(visit: &Visit, detail: &TransactionDetail) -> Markup {
    let (say, row) = (visit.say, &detail.row);
    let number = |n: Option<u32>| n.map(|n| format!("{n:06}"));
    html! {
        section class="card" aria-labelledby="particulars-title" {
            h2 id="particulars-title" { (say.t("particulars")) }
            dl class="facts" {
                (fact(&say.t("col-time"), parts::time_full(&visit.clock, row.at)))
                (fact(&say.t("col-kind"), html! { (parts::kind(row, say)) }))
                @if row.amount.is_some() { (fact(&say.t("col-amount"), parts::amount(row))) }
                @if let (Some(pan), Some(card)) = (&row.pan, &row.card) {
                    (fact(&say.t("col-card"), html! { a class="mono" href={ "/cards/" (card) } { (pan) } }))
                }
                @if !row.terminal.is_empty() {
                    (fact(&say.t("col-terminal"), html! { a class="mono" href={ "/transactions?terminal=" (encode(&row.terminal)) } { (row.terminal) } }))
                }
                @if !row.merchant.is_empty() {
                    (fact(&say.t("col-merchant"), html! { (row.merchant_name) " " span class="mono quiet" { (row.merchant) } }))
                }
                @if let Some(operator) = detail.operator { (fact(&say.t("operator-on-duty"), html! { span class="mono" { (operator) } })) }
                @if let Some(stan) = number(row.stan) { (fact(&say.t("fact-stan"), html! { span class="mono" { (stan) } })) }
                @if let Some(batch) = number(row.batch) { (fact(&say.t("fact-batch"), html! { span class="mono" { (batch) } })) }
                @if let Some(approval) = &detail.approval { (fact(&say.t("fact-approval"), html! { span class="mono" { (approval) } })) }
                (fact(&say.t("fact-reason"), html! { span class="mono" { (row.reason) } }))
                @if let Some(took) = row.took_us { (fact(&say.t("fact-took"), html! { (duration_us(took.into())) })) }
                (fact(&say.t("fact-journal"), html! { span class="mono" { (row.seq) } }))
                @if let Some(original) = &detail.original_rrn { (fact(&say.t("fact-original"), rrn_link(original))) }
                @for follower in &detail.followed_by { (fact(&say.t("fact-followed-by"), rrn_link(follower))) }
            }
        }
    }
}

fn rrn_link(rrn: &str) -> Markup {
    html! { a class="mono" href=(parts::transaction_href(rrn)) { (rrn) } }
}

fn changes(visit: &Visit, detail: &TransactionDetail) -> Markup {
    let say = visit.say;
    html! {
        section class="card" aria-labelledby="effects-title" {
            h2 id="effects-title" { (say.t("effects")) }
            @if detail.effects.is_empty() {
                p class="quiet" { (say.t("effects-none")) }
            } @else {
                ul class="plain" { @for effect in &detail.effects { li { (effects::words(visit, effect, crate::format::currency(&detail.row))) } } }
            }
        }
    }
}

fn message(visit: &Visit, key: &str, fields: Option<&[DescribedField]>) -> Markup {
    let say = visit.say;
    let cols = [
        parts::col("col-field", "mono path"),
        parts::col("col-name", "name"),
        parts::col("col-value", "mono value grow"),
        parts::col("col-offset", "num mono"),
    ];
    html! {
        section class="card" aria-labelledby=(key) {
            h2 id=(key) { (say.t(key)) }
            @match fields {
                None => p class="quiet" { (say.t("message-not-kept")) },
                Some([]) => p class="quiet" { (say.t("message-unreadable")) },
                Some(fields) => (parts::table(say, &say.t(key), &cols, &fields.iter().map(|f| field(visit.lang(), f)).collect::<Vec<_>>())),
            }
        }
    }
}

fn field(lang: Lang, field: &DescribedField) -> Vec<Markup> {
    let name = match lang {
        Lang::Zh => &field.name_zh,
        Lang::En => &field.name_en,
    };
    vec![html! { (field.path) }, html! { (name) }, html! { (field.value) }, html! { (field.offset) }]
}
