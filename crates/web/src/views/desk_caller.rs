//! Somebody calls: who and how the card is on the left, what happened in the middle, what is done on the right. One search for
//! whatever the caller can name; at most five clicks from it to the request for an unlock.

use axum::extract::{Query, State};
use desk::Case;
use handbook::Role;
use maud::{Markup, html};
use model::CardId;
use serde::Deserialize;
use store::archive::{CardQuery, CardView, TerminalView, TransactionQuery, TransactionRow};

use super::{
    card::standing,
    cause, desk_ask, desk_case, desk_forms as forms,
    layout::{Frame, Nav},
    parts::{self, fact},
};
use crate::{
    actor::Actor,
    cases,
    error::Failure,
    router::Shared,
    service::{self, CardFilter},
    visit::{Visit, encode},
};

/// Hits that are offered at most.
const HITS_MAX: u32 = 20;
/// Payments that are looked at.
const ROWS_MAX: usize = 20;

/// What was searched.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Search {
    q: String,
    card: String,
}

/// What was found.
enum Found {
    Nothing,
    Card(Box<CardView>),
    Terminal(Box<TerminalView>),
    Several(Vec<CardView>, Vec<TransactionRow>),
}

/// `GET /caller`.
pub(crate) async fn page(
    State(state): State<Shared>,
    visit: Visit,
    actor: Actor,
    Query(search): Query<Search>,
) -> Result<Markup, Failure> {
    let found = find(&state, &search).await?;
    let say = visit.say;
    let title = say.t("caller-title");
    let body = match &found {
        Found::Nothing if search.q.trim().is_empty() => html! { p class="lead" { (say.t("caller-lead")) } },
        Found::Nothing => parts::empty(&say.t("caller-none"), &say.t("caller-none-words"), None),
        Found::Several(cards, rows) => several(&visit, cards, rows),
        Found::Card(card) => {
            let case = state
                .web
                .cases
                .look(|desk, _| desk.of_card(&card.id).find(|case| desk_case::is_live(case)).cloned())
                .await?;
            cases::seen(&state, &actor, &card.id, case.as_ref().map(|case| case.no)).await?;
            panes(&state, &visit, card, case.as_ref()).await?
        }
        Found::Terminal(terminal) => of_terminal(&state, &visit, terminal).await?,
    };
    Ok(Frame::new(&visit, Nav::Cases, &title).page(html! {
        form class="row-form caller" role="search" method="get" action="/caller" {
            label class="grow" { span { (say.t("caller-search")) } input id="caller-q" name="q" type="search" value=(shown(&search)) maxlength="64" autocomplete="off" spellcheck="false" autofocus[search.q.is_empty() && search.card.is_empty()]; }
            button class="button primary" { (say.t("caller-find")) }
        }
        (body)
    }))
}

/// What was typed, without a whole card number.
fn shown(search: &Search) -> String {
    desk::matter::masked(&search.q)
}

/// A card's tail, masked number or id; a reference; a terminal; a shop.
async fn find(state: &Shared, search: &Search) -> Result<Found, Failure> {
    let id = if search.card.is_empty() { search.q.trim() } else { search.card.trim() };
    if let Ok(id) = id.parse::<CardId>() {
        return Ok(service::card_by_id(state, &id)
            .await?
            .map_or(Found::Nothing, |c| Found::Card(Box::new(c))));
    }
    // The same door as the list of cards: a whole number is masked before anything looks at it.
    let filter: CardFilter = serde_json::from_value(serde_json::json!({ "q": search.q }))
        .map_err(|e| Failure::Internal(e.to_string()))?;
    let Some(text) = filter.check()?.search else { return Ok(Found::Nothing) };
    if text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit()) {
        let row = state.web.archive.transaction(&text).await?.map(|detail| detail.row);
        if let Some(card) = row.and_then(|row| row.card)
            && let Some(card) = service::card_by_id(state, &card).await?
        {
            return Ok(Found::Card(Box::new(card)));
        }
    }
    let terminal = service::terminals(state).await?.into_iter().find(|t| t.id.eq_ignore_ascii_case(&text));
    if let Some(terminal) = terminal {
        return Ok(Found::Terminal(Box::new(terminal)));
    }
    let query = CardQuery { search: Some(text.clone()), limit: Some(HITS_MAX), ..CardQuery::default() };
    let mut cards = state.web.archive.cards(&query).await?.data;
    if cards.len() == 1 {
        return Ok(Found::Card(Box::new(cards.remove(0))));
    }
    let query = TransactionQuery {
        search: Some(text),
        declined: true,
        limit: Some(HITS_MAX),
        ..TransactionQuery::default()
    };
    let rows = state.web.archive.transactions(&query).await?.data;
    let empty = cards.is_empty() && rows.is_empty();
    Ok(if empty { Found::Nothing } else { Found::Several(cards, rows) })
}

fn several(visit: &Visit, cards: &[CardView], rows: &[TransactionRow]) -> Markup {
    let say = visit.say;
    html! {
        @if !cards.is_empty() {
            section class="card" aria-labelledby="hits-title" {
                h2 id="hits-title" { (say.t("caller-several")) }
                ul class="plain" {
                    @for card in cards { li { a class="row mono" href={ "/caller?card=" (card.id) } { (card.record.pan) } " " (standing(visit, card)) } }
                }
            }
        }
        @if !rows.is_empty() {
            section class="card" aria-labelledby="rows-title" {
                h2 id="rows-title" { (say.t("caller-refusals")) }
                ul class="plain" {
                    @for row in rows {
                        li {
                            (parts::time(&visit.clock, row.at)) " " (parts::code_chip(row.family, &row.code)) " "
                            @match (&row.card, &row.pan) {
                                (Some(card), Some(pan)) => a class="row mono" href={ "/caller?card=" (card) } { (pan) },
                                _ => a class="row mono" href=(parts::why_href(&row.rrn)) { (row.rrn) },
                            }
                            " " span class="quiet" { (parts::merchant(row)) }
                        }
                    }
                }
            }
        }
    }
}

/// Left: who calls and how the card is. Middle: what happened. Right: what is done.
async fn panes(
    state: &Shared,
    visit: &Visit,
    card: &CardView,
    case: Option<&Case>,
) -> Result<Markup, Failure> {
    let rows = service::attempts(state, &card.id).await?;
    let mut lines = Vec::with_capacity(rows.len());
    for row in rows.iter().take(ROWS_MAX) {
        let refused = !row.code.is_empty() && !service::is_approved(row);
        let verdict = if refused { state.web.insight.verdict(&row.rrn).await? } else { None };
        lines.push((row, verdict.map(|v| v.cause)));
    }
    let house = state.web.cases.house();
    let codes = state.web.confirmations.is_some();
    let say = visit.say;
    let facts = case.map(|case| desk_case::reply_facts(visit, case, None));
    Ok(html! {
        div class="columns three" {
            div {
                (who(state, visit, card))
                (script(visit, house, &lines, case))
                @match case {
                    Some(case) => (desk_case::identity(visit, house, case, codes, "caller")),
                    None => (first_identity(visit, house, card, codes)),
                }
            }
            div { (timeline(visit, &lines)) }
            div {
                @match case {
                    Some(case) => {
                        section class="card" aria-labelledby="case-title" {
                            div class="line" { h2 id="case-title" { a href={ "/cases/" (case.no) } { (say.with("case-title", [("no", case.no.to_string().into())])) } } (super::desk::status(visit, case)) }
                        }
                        (forms::unlock(visit, house, case, "caller"))
                        (desk_ask::more(visit, house, case, "caller"))
                        (desk_case::playbook(visit, house, case, "caller"))
                        (desk_case::clocks(visit, house, case))
                        @if let Some(facts) = &facts { (forms::replies(visit, house, case, facts, "caller")) }
                    }
                    None => {
                        section class="card" aria-labelledby="case-title" {
                            h2 id="case-title" { (say.t("caller-no-case")) }
                            p class="quiet" { (say.t("caller-no-case-words")) }
                            form method="post" action="/cases" {
                                input type="hidden" name="card" value=(card.id);
                                input type="hidden" name="back" value="caller";
                                button class="button primary" { (say.t("case-open")) }
                            }
                        }
                    }
                }
            }
        }
    })
}

fn who(state: &Shared, visit: &Visit, card: &CardView) -> Markup {
    let say = visit.say;
    let limit = state.web.products.get(&card.record.product).map(|policy| policy.pin_try_limit);
    html! {
        section class="card" aria-labelledby="who-title" {
            h2 id="who-title" { a href={ "/cards/" (card.id) } class="mono" { (card.record.pan) } }
            p { (standing(visit, card)) }
            @if let Some(limit) = limit { p { (parts::pips(say, card.state.tries.left(limit), limit.get())) } }
            dl class="facts" {
                (fact(&say.t("col-product"), html! { (card.record.product) }))
                @if let Some(at) = card.last_used { (fact(&say.t("col-last-used"), parts::time_full(&visit.clock, at))) }
            }
        }
    }
}

/// What to say: the plan's first words, and the handbook's for the cardholder about the newest refusal.
fn script(
    visit: &Visit,
    house: &desk::House,
    lines: &[(&TransactionRow, Option<diagnosis::Cause>)],
    case: Option<&Case>,
) -> Markup {
    let lang = visit.lang();
    let plan = case.map_or_else(|| house.plans.get(desk::plan::CARDHOLDER), |case| case.plan(house));
    let newest = lines.iter().find(|(row, _)| !row.code.is_empty() && !service::is_approved(row));
    html! {
        section class="card" aria-labelledby="script-title" {
            h2 id="script-title" { (visit.say.t("caller-script")) }
            p { (plan.advice(lang)) }
            @if let Some((row, cause)) = newest {
                p class="bold" {
                    @match (cause, service::reason(row)) {
                        (Some(cause), _) => (handbook::cause_text(*cause).todo(lang, Role::Cardholder)),
                        (None, Some(reason)) => (handbook::reason(reason).todo(lang, handbook::Audience::Cardholder)),
                        (None, None) => {},
                    }
                }
            }
            p class="quiet" { (visit.say.t("caller-never")) }
        }
    }
}

/// Before there is a case: recording the proof opens one.
fn first_identity(visit: &Visit, house: &desk::House, card: &CardView, codes: bool) -> Markup {
    let say = visit.say;
    html! {
        section class="card" aria-labelledby="identity-title" {
            div class="line" { h2 id="identity-title" { (say.t("identity-title")) } (desk_case::level_chip(desk::Level::L0)) }
            (desk_case::matrix(visit, house, desk::Level::L0))
            (forms::identity(visit, house, None, codes, "caller", html! { input type="hidden" name="card" value=(card.id); }))
        }
    }
}

fn timeline(visit: &Visit, lines: &[(&TransactionRow, Option<diagnosis::Cause>)]) -> Markup {
    let say = visit.say;
    html! {
        section class="card" aria-labelledby="timeline-card" {
            h2 id="timeline-card" { (say.t("timeline-card")) }
            @if lines.is_empty() { (parts::empty(&say.t("no-attempts"), &say.t("no-attempts-words"), None)) }
            ol class="timeline" {
                @for (row, cause) in lines {
                    li class=(row.family.name()) {
                        span class="mono time" { (parts::time(&visit.clock, row.at)) }
                        i aria-hidden="true" {}
                        div {
                            (parts::code_chip(row.family, &row.code)) " "
                            @if row.code.is_empty() || service::is_approved(row) { a href=(parts::transaction_href(&row.rrn)) { (parts::verdict(row, visit.lang())) } }
                            @else { a href=(parts::why_href(&row.rrn)) { (parts::verdict(row, visit.lang())) } }
                            @if let Some(cause) = cause { " " (cause::chip(visit, *cause)) }
                            span class="quiet" {
                                @if !row.terminal.is_empty() { " \u{b7} " (parts::merchant(row)) }
                                @if row.try_charged { " \u{b7} " (say.t("one-try")) } @else if !row.code.is_empty() && !service::is_approved(row) { " \u{b7} " (say.t("no-try-charged")) }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// A shop calls about its terminal.
async fn of_terminal(state: &Shared, visit: &Visit, terminal: &TerminalView) -> Result<Markup, Failure> {
    let query = TransactionQuery {
        terminal: Some(terminal.id.clone()),
        limit: Some(HITS_MAX),
        ..TransactionQuery::default()
    };
    let rows = state.web.archive.transactions(&query).await?.data;
    let house = state.web.cases.house();
    let (segment, plan) = house.plans.of_merchant(&terminal.merchant);
    let (say, lang) = (visit.say, visit.lang());
    let title = house.plans.segments().iter().find(|s| s.name == segment).map(|s| s.title(lang));
    let open = state
        .web
        .cases
        .look(|desk, _| {
            let about = |case: &&Case| case.opened.subject.terminal.as_deref() == Some(terminal.id.as_str());
            desk.cases()
                .filter(|case| desk_case::is_live(case))
                .filter(about)
                .map(|case| case.no)
                .collect::<Vec<_>>()
        })
        .await?;
    Ok(html! {
        div class="columns three" {
            section class="card" aria-labelledby="who-title" {
                h2 id="who-title" class="mono" { (terminal.id) }
                dl class="facts" {
                    (fact(&say.t("col-merchant"), html! { (terminal.merchant_name) " " span class="quiet mono" { (terminal.merchant) } }))
                    @if let Some(title) = title { (fact(&say.t("case-segment"), html! { (title) })) }
                    (fact(&say.t("case-plan"), html! { (house.plans.get(plan).name(lang)) }))
                    (fact(&say.t("col-session"), html! { (say.t(if terminal.suspended { "terminal-suspended" } else if terminal.session.is_some() { "terminal-signed-in" } else { "terminal-signed-out" })) }))
                }
                p { (house.plans.get(plan).advice(lang)) }
            }
            section class="card" aria-labelledby="recent-title" {
                h2 id="recent-title" { (say.t("timeline-terminal")) }
                ol class="timeline" {
                    @for row in &rows {
                        li class=(row.family.name()) {
                            span class="mono time" { (parts::time(&visit.clock, row.at)) }
                            i aria-hidden="true" {}
                            div { (parts::code_chip(row.family, &row.code)) " " a href=(parts::transaction_href(&row.rrn)) { (parts::verdict(row, lang)) } @if let Some(pan) = &row.pan { " " span class="mono quiet" { (pan) } } }
                        }
                    }
                }
            }
            section class="card" aria-labelledby="case-title" {
                h2 id="case-title" { (say.t("cases-title")) }
                @for no in &open { p { a href={ "/cases/" (no) } { (say.with("case-title", [("no", no.to_string().into())])) } } }
                p { a href={ "/transactions?terminal=" (encode(&terminal.id)) } { (say.t("all-attempts")) } }
                (forms::open_case(visit, "terminal", &terminal.id))
            }
        }
    })
}
