//! Cards: can this person pay?

use axum::extract::{Query, State};
use maud::{Markup, html};
use store::archive::{CardView, Page};

use super::{
    card::standing,
    layout::{Frame, Nav},
    parts,
};
use crate::{
    error::Failure,
    format::money,
    router::Shared,
    service::{self, CardFilter},
    visit::Visit,
};

/// `GET /cards`.
pub(crate) async fn page(
    State(state): State<Shared>,
    visit: Visit,
    Query(filter): Query<CardFilter>,
) -> Result<Markup, Failure> {
    let list = service::cards(&state, &filter).await?;
    let title = visit.say.t("cards-title");
    Ok(Frame::new(&visit, Nav::Cards, &title).page(html! {
        (filters(&visit, &filter))
        section id="list" class="card" aria-label=(title) { (rows(&state, &visit, &filter, &list)) }
    }))
}

fn filters(visit: &Visit, filter: &CardFilter) -> Markup {
    let say = visit.say;
    html! {
        form class="filters" action="/cards" method="get" hx-get="/cards" hx-trigger="input changed delay:300ms, change, submit" hx-target="#list" hx-select="#list" hx-swap="outerMorph" hx-replace-url="true" hx-sync="replace" {
            label class="field" { span { (say.t("filter-pan")) }
                input name="q" type="search" value=(filter.q) size="18" maxlength="64" autocomplete="off" placeholder="0018";
            }
            label class="field check" {
                input type="checkbox" name="locked" value="1" checked[matches!(filter.locked.as_str(), "1" | "true" | "on")];
                span { (say.t("filter-locked")) }
            }
            button class="button no-js" { (say.t("show")) }
            @if *filter != CardFilter::default() { a class="clear" href="/cards" { (say.t("filter-clear")) } }
        }
    }
}

fn rows(state: &Shared, visit: &Visit, filter: &CardFilter, list: &Page<CardView>) -> Markup {
    let say = visit.say;
    let cols = [
        parts::col("col-card", "mono"),
        parts::col("col-tries", ""),
        parts::col("col-standing", "grow"),
        parts::col("col-product", ""),
        parts::col("col-balance", "num"),
        parts::col("col-last-used", "mono num"),
    ];
    let rows: Vec<Vec<Markup>> = list.data.iter().map(|card| row(state, visit, card)).collect();
    html! {
        @if rows.is_empty() && *filter == CardFilter::default() {
            (parts::empty(&say.t("no-cards"), &say.t("no-cards-words"), Some("pinward demo")))
        } @else if rows.is_empty() {
            (parts::empty(&say.t("no-match"), &say.t("no-match-words"), None))
        } @else {
            (parts::table(say, &say.t("cards-title"), &cols, &rows))
            nav class="paging" aria-label=(say.t("paging")) {
                span class="quiet" { (say.with("rows-shown", [("count", rows.len().into())])) }
                @if !filter.after.is_empty() { a class="button" href=(visit.here_with("after", "")) { (say.t("first-part")) } }
                @if let Some(next) = list.next.filter(|_| list.has_more) {
                    a class="button" rel="next" href=(visit.here_with("after", &next.to_string())) { (say.t("more")) }
                }
            }
        }
    }
}

fn row(state: &Shared, visit: &Visit, card: &CardView) -> Vec<Markup> {
    let limit = state.web.products.get(&card.record.product).map(|p| p.pin_try_limit);
    vec![
        html! { a class="row" href={ "/cards/" (card.id) } { (card.record.pan) } },
        html! { @if let Some(limit) = limit { (parts::pips(visit.say, card.state.tries.left(limit), limit.get())) } @else { span class="quiet" { "\u{2013}" } } },
        standing(visit, card),
        html! { (card.record.product) },
        html! { (money(card.state.balance, card.record.currency)) },
        html! { @if let Some(at) = card.last_used { (parts::time(&visit.clock, at)) } @else { span class="quiet" { "\u{2013}" } } },
    ]
}
