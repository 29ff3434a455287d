//! Transactions: where is this payment?

use axum::extract::{Query, State};
use maud::{Markup, html};
use store::archive::{Page, TransactionRow};

use super::{
    layout::{Frame, Nav},
    parts,
};
use crate::{
    error::Failure,
    router::Shared,
    service::{self, FAMILIES, TransactionFilter},
    visit::Visit,
};

/// `GET /transactions`.
pub(crate) async fn page(
    State(state): State<Shared>,
    visit: Visit,
    Query(filter): Query<TransactionFilter>,
) -> Result<Markup, Failure> {
    let list = service::transactions(&state, &filter).await?;
    let title = visit.say.t("transactions-title");
    let frame =
        Frame { search: &filter.q, live_search: true, ..Frame::new(&visit, Nav::Transactions, &title) };
    Ok(frame.page(html! {
        (filters(&visit, &filter))
        (rows(&visit, &filter, &list))
    }))
}

/// The filters belong to the form of the search box, so that one address holds all of it.
fn filters(visit: &Visit, filter: &TransactionFilter) -> Markup {
    let say = visit.say;
    html! {
        div class="filters" role="group" aria-label=(say.t("filters")) {
            label class="field" { span { (say.t("filter-code")) }
                input name="code" form="search" value=(filter.code) size="4" maxlength="3" autocomplete="off" placeholder="75";
            }
            label class="field" { span { (say.t("filter-family")) }
                select name="family" form="search" {
                    option value="" { (say.t("filter-any")) }
                    @for family in FAMILIES {
                        option value=(family.name()) selected[filter.family == family.name()] { (say.t(family_key(family.name()))) }
                    }
                }
            }
            label class="field check" {
                input type="checkbox" name="declined" value="1" form="search" checked[matches!(filter.declined.as_str(), "1" | "true" | "on")];
                span { (say.t("filter-declined")) }
            }
            @for (name, value, words) in extras(visit, filter) {
                input type="hidden" name=(name) value=(value) form="search";
                a class="chip neutral removable" href=(visit.here_with(name, "")) {
                    (words) " " span aria-hidden="true" { "\u{d7}" } span class="sr" { (say.t("filter-remove")) }
                }
            }
            button class="button no-js" form="search" { (say.t("show")) }
            @if *filter != TransactionFilter::default() { a class="clear" href="/transactions" { (say.t("filter-clear")) } }
        }
    }
}

fn family_key(name: &str) -> &'static str {
    match name {
        "ok" => "family-ok",
        "warn" => "family-warn",
        "lock" => "family-lock",
        "sys" => "family-sys",
        "bad" => "family-bad",
        _ => "family-neutral",
    }
}

/// Filters that came with a link and can only be taken away.
fn extras(visit: &Visit, filter: &TransactionFilter) -> Vec<(&'static str, String, String)> {
    let moment = |text: &str| {
        let ms = text
            .parse::<i64>()
            .ok()
            .or_else(|| text.parse::<jiff::Timestamp>().ok().map(|t| t.as_millisecond()));
        ms.map_or_else(|| text.to_owned(), |ms| visit.clock.full(model::Timestamp(ms)))
    };
    let short = |id: &str| id.chars().take(8).collect::<String>();
    [
        ("card", &filter.card, "filter-card", short(&filter.card)),
        ("terminal", &filter.terminal, "filter-terminal", filter.terminal.clone()),
        ("voucher", &filter.voucher, "filter-voucher", filter.voucher.clone()),
        ("batch", &filter.batch, "filter-batch", filter.batch.clone()),
        ("amount", &filter.amount, "filter-amount", filter.amount.clone()),
        ("from", &filter.from, "filter-from", moment(&filter.from)),
        ("to", &filter.to, "filter-to", moment(&filter.to)),
    ]
    .into_iter()
    .filter(|(_, value, _, _)| !value.is_empty())
    .map(|(name, value, key, shown)| {
        (name, value.clone(), visit.say.with(key, [("value", shown.into())]).into_owned())
    })
    .collect()
}

fn rows(visit: &Visit, filter: &TransactionFilter, list: &Page<TransactionRow>) -> Markup {
    let say = visit.say;
    html! {
        section id="list" class="card" aria-label=(say.t("transactions-title")) data-events=[events(visit, filter)] data-new=(say.t("new-rows")) {
            a id="new-rows" class="new-rows" href=(visit.here_with("after", "")) hidden {}
            @if list.data.is_empty() {
                (nothing(visit, filter))
            } @else {
                (parts::transactions(say, &visit.clock, &say.t("transactions-title"), &list.data))
                (paging(visit, filter, list))
            }
        }
    }
}

/// Where a script listens for new rows: only at the top of the list, and not while a search narrows it.
fn events(visit: &Visit, filter: &TransactionFilter) -> Option<String> {
    let live = filter.q.is_empty() && filter.after.is_empty() && filter.to.is_empty();
    live.then(|| {
        let here = visit.here_with("from", "");
        format!("/api/v1/events{}", here.find('?').map_or("", |at| &here[at..]))
    })
}

fn nothing(visit: &Visit, filter: &TransactionFilter) -> Markup {
    let say = visit.say;
    if *filter == TransactionFilter::default() {
        parts::empty(
            &say.t("no-transactions"),
            &say.t("no-transactions-words"),
            Some("pinward trigger error-75"),
        )
    } else {
        parts::empty(&say.t("no-match"), &say.t("no-match-words"), None)
    }
}

fn paging(visit: &Visit, filter: &TransactionFilter, list: &Page<TransactionRow>) -> Markup {
    let say = visit.say;
    html! {
        nav class="paging" aria-label=(say.t("paging")) {
            span class="quiet" { (say.with("rows-shown", [("count", list.data.len().into())])) " \u{b7} " (visit.clock.offset()) }
            @if !filter.after.is_empty() { a class="button" href=(visit.here_with("after", "")) { (say.t("newest")) } }
            @if let Some(next) = list.next.filter(|_| list.has_more) {
                a class="button" rel="next" href=(visit.here_with("after", &next.to_string())) { (say.t("older")) }
            }
        }
    }
}
