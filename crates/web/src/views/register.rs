//! The incident register: what happened, where, why, what it cost and what answered it; and the charts that show what
//! comes next.

use std::collections::BTreeMap;

use axum::{
    Json,
    extract::{Query, State},
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use maud::{Markup, html};
use model::{Amount, Currency, Timestamp};
use serde::Deserialize;
use serde_json::json;

use super::{
    incidents,
    layout::{Frame, Nav},
    parts, register_charts as charts,
};
use crate::{
    error::Failure,
    format::{grouped, money},
    insight::IncidentView,
    register,
    router::Shared,
    visit::Visit,
};

/// The windows of the register, in days.
const WINDOWS_D: [(u32, &str); 4] =
    [(1, "window-24h"), (7, "window-7d"), (30, "window-30d"), (90, "window-90d")];
/// The window when none is asked for.
const WINDOW_D: u32 = 30;
/// Rows of a trend.
const TREND_MAX: usize = 8;

/// Which window.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Filter {
    window: String,
}

impl Filter {
    fn days(&self) -> Result<u32, Failure> {
        if self.window.is_empty() {
            return Ok(WINDOW_D);
        }
        let days = self.window.parse().ok().filter(|days| WINDOWS_D.iter().any(|(d, _)| d == days));
        days.ok_or_else(|| Failure::not_understood("window", "1, 7, 30 or 90 days"))
    }

    fn since(&self, now: Timestamp) -> Result<Timestamp, Failure> {
        Ok(now.plus_s(-i64::from(self.days()?) * 86_400))
    }
}

async fn of_window(state: &Shared, since: Timestamp) -> Result<Vec<IncidentView>, Failure> {
    let mut all = state.web.insight.incidents().await?;
    all.retain(|i| i.last_seen >= since);
    Ok(all)
}

/// `GET /register`.
pub(crate) async fn page(
    State(state): State<Shared>,
    visit: Visit,
    Query(filter): Query<Filter>,
) -> Result<Markup, Failure> {
    let since = filter.since(visit.clock.now)?;
    let days = filter.days()?;
    let list = of_window(&state, since).await?;
    let figures = register::figures(&state, &visit.clock, since).await?;
    let say = visit.say;
    let title = say.t("register-title");
    let frame = Frame { actions: windows(&visit, days), ..Frame::new(&visit, Nav::Register, &title) };
    Ok(frame.page(html! {
        (sums(&visit, &list))
        section class="card" aria-labelledby="list-title" {
            div class="line" {
                h2 id="list-title" { (say.t("register-list")) }
                span {
                    a href={ "/register/incidents.csv?window=" (days) } download { "CSV" } " "
                    a href={ "/register/incidents.json?window=" (days) } download { "JSON" }
                }
            }
            @if list.is_empty() {
                (parts::empty(&say.t("register-none"), &say.t("incidents-none-words"), Some("pinward drill play wrong-key")))
            } @else {
                (incidents::table(&visit, &say.t("register-list"), &list.iter().collect::<Vec<_>>()))
            }
        }
        @if !list.is_empty() { (trends(&visit, &list)) }
        (charts::funnel(&visit, &figures))
        div class="columns" {
            (charts::heat(&visit, &figures))
            (charts::survival(&visit, &figures))
        }
        p class="quiet" {
            (say.with(if figures.is_part { "register-part" } else { "register-whole" }, [("lines", grouped(figures.lines as u64).into())]))
        }
    }))
}

fn windows(visit: &Visit, current: u32) -> Markup {
    let say = visit.say;
    html! {
        form class="window" action="/register" method="get" {
            label class="sr" for="window" { (say.t("window")) }
            select id="window" name="window" {
                @for (days, key) in WINDOWS_D { option value=(days) selected[days == current] { (say.t(key)) } }
            }
            button class="button no-js" { (say.t("show")) }
        }
    }
}

fn sums(visit: &Visit, list: &[IncidentView]) -> Markup {
    let say = visit.say;
    let cards: u64 = list.iter().map(|i| u64::from(i.cards)).sum();
    let sum: i64 = list.iter().map(|i| i.refused.1.0).sum();
    let mut took: Vec<i64> = list.iter().map(|i| i.detected.since_ms(i.onset)).collect();
    took.sort_unstable();
    let median = took.get(took.len() / 2).map_or_else(|| "\u{2013}".to_owned(), |ms| visit.clock.span(*ms));
    let waiting: u32 = list.iter().map(|i| i.to_restore).sum();
    let tiles = [
        ("register-count", grouped(list.len() as u64)),
        ("register-cards", grouped(cards)),
        ("register-sum", money(Amount(sum), Currency::CNY)),
        ("register-detection", median),
        ("register-waiting", grouped(waiting.into())),
    ];
    html! {
        ul class="tiles five" {
            @for (key, number) in tiles {
                li class="card tile" { h2 { (say.t(key)) } p class="number" { (number) } }
            }
        }
    }
}

fn trends(visit: &Visit, list: &[IncidentView]) -> Markup {
    let lang = visit.lang();
    let by = |key: &str, of: &dyn Fn(&IncidentView) -> String| trend(visit, key, list, of);
    html! {
        div class="columns three" {
            (by("trend-cause", &|i| handbook::cause_text(i.cause).name(lang).to_owned()))
            (by("trend-merchant", &|i| i.belongs.merchant.clone()))
            (by("trend-model", &|i| i.belongs.model.clone()))
            (by("trend-firmware", &|i| i.belongs.firmware.clone()))
            (by("trend-region", &|i| i.belongs.region.clone()))
        }
    }
}

/// Incidents by one property, in this half of the window and in the one before.
fn trend(visit: &Visit, key: &str, list: &[IncidentView], of: &dyn Fn(&IncidentView) -> String) -> Markup {
    let say = visit.say;
    let first = list.iter().map(|i| i.onset.0).min().unwrap_or_default();
    let middle = first + (visit.clock.now.0 - first) / 2;
    let mut counts: BTreeMap<String, (u32, u32, u32)> = BTreeMap::new();
    for i in list {
        let count = counts.entry(of(i)).or_default();
        if i.onset.0 >= middle {
            count.0 += 1
        } else {
            count.1 += 1
        }
        count.2 += i.cards;
    }
    counts.remove("");
    let mut counts: Vec<(String, (u32, u32, u32))> = counts.into_iter().collect();
    counts.sort_by_key(|(_, (now, before, _))| std::cmp::Reverse(now + before));
    counts.truncate(TREND_MAX);
    let most = counts.iter().map(|(_, c)| c.0 + c.1).max().unwrap_or(1);
    html! {
        section class="card" aria-labelledby=(key) {
            h2 id=(key) { (say.t(key)) }
            @if counts.is_empty() { p class="quiet" { (say.t("trend-none")) } }
            ul class="bars" {
                @for (name, (now, before, cards)) in &counts {
                    li {
                        span { (name) }
                        svg viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true" focusable="false" {
                            rect class="bar" width=(f64::from(now + before) / f64::from(most) * 100.0) height="10" {}
                        }
                        span class="num" { (now + before) }
                        span class="quiet" { (say.with("trend-words", [("now", (*now).into()), ("before", (*before).into()), ("cards", (*cards).into())])) }
                    }
                }
            }
        }
    }
}

/// `GET /register/incidents.json`.
pub(crate) async fn json(
    State(state): State<Shared>,
    visit: Visit,
    Query(filter): Query<Filter>,
) -> Result<Response, Failure> {
    let list = of_window(&state, filter.since(visit.clock.now)?).await?;
    let data: Vec<_> = list.iter().map(|i| row(&visit, i)).collect();
    let body: Vec<serde_json::Value> = data
        .iter()
        .map(|values| COLUMNS.iter().zip(values).map(|(k, v)| ((*k).to_owned(), v.clone())).collect())
        .collect();
    Ok((attached("incidents.json"), Json(json!({ "data": body }))).into_response())
}

/// `GET /register/incidents.csv` (RFC 4180).
pub(crate) async fn csv(
    State(state): State<Shared>,
    visit: Visit,
    Query(filter): Query<Filter>,
) -> Result<Response, Failure> {
    let list = of_window(&state, filter.since(visit.clock.now)?).await?;
    let mut text = COLUMNS.join(",") + "\r\n";
    for incident in &list {
        let cells: Vec<String> = row(&visit, incident).iter().map(cell).collect();
        text.push_str(&cells.join(","));
        text.push_str("\r\n");
    }
    let kind = [(header::CONTENT_TYPE, HeaderValue::from_static("text/csv; charset=utf-8"))];
    Ok((attached("incidents.csv"), kind, text).into_response())
}

fn attached(name: &str) -> [(header::HeaderName, HeaderValue); 1] {
    let value = HeaderValue::from_str(&format!("attachment; filename=\"{name}\""));
    [(header::CONTENT_DISPOSITION, value.unwrap_or_else(|_| HeaderValue::from_static("attachment")))]
}

const COLUMNS: [&str; 20] = [
    "id",
    "cause",
    "cause_zh",
    "cause_en",
    "scope_kind",
    "scope",
    "onset",
    "detected",
    "ended",
    "confidence",
    "status",
    "handling",
    "cards",
    "refused",
    "refused_sum_minor",
    "to_restore",
    "merchant",
    "model",
    "firmware",
    "region",
];

fn row(visit: &Visit, i: &IncidentView) -> [serde_json::Value; 20] {
    let text = handbook::cause_text(i.cause);
    let at = |at: Timestamp| visit.clock.machine(at);
    [
        json!(i.id),
        json!(i.cause),
        json!(text.name(handbook::Lang::Zh)),
        json!(text.name(handbook::Lang::En)),
        json!(i.scope.kind),
        json!(i.scope.name),
        json!(at(i.onset)),
        json!(at(i.detected)),
        json!(i.ended.map(at)),
        json!((f64::from(i.confidence) * 1000.0).round() / 1000.0),
        json!(i.status),
        json!(i.handling.name()),
        json!(i.cards),
        json!(i.refused.0),
        json!(i.refused.1.0),
        json!(i.to_restore),
        json!(i.belongs.merchant),
        json!(i.belongs.model),
        json!(i.belongs.firmware),
        json!(i.belongs.region),
    ]
}

/// A cell. What a spreadsheet would take for a formula gets an apostrophe in front.
fn cell(value: &serde_json::Value) -> String {
    let text = match value {
        serde_json::Value::Null => String::new(),
        serde_json::Value::String(text) if text.starts_with(['=', '+', '-', '@', '\t', '\r']) => {
            format!("'{text}")
        }
        serde_json::Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    if text.contains(['"', ',', '\r', '\n']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_no_formula_and_keeps_its_quotes() {
        for (value, text) in [
            (json!(null), ""),
            (json!(9), "9"),
            (json!("=1+1"), "'=1+1"),
            (json!("a,b"), "\"a,b\""),
            (json!("a\"b"), "\"a\"\"b\""),
        ] {
            assert_eq!(cell(&value), text);
        }
    }
}
