//! The incident register: what happened, where, why, what it cost and what answered it; and the charts that show what
//! comes next.

use std::collections::BTreeMap;

use axum::extract::{Query, State};
use maud::{Markup, html};
use model::{Amount, Currency, Timestamp};
use serde::Deserialize;

use super::{
    incidents,
    layout::{Frame, Nav},
    learned, parts, register_charts as charts,
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
    let (answers, judged) = (state.web.insight.answers().await?, state.web.insight.judged().await?);
    let say = visit.say;
    let title = say.t("register-title");
    let frame = Frame { actions: windows(&visit, days), ..Frame::new(&visit, Nav::Register, &title) };
    Ok(frame.page(html! {
        (sums(&visit, &list))
        section class="card" aria-labelledby="list-title" {
            div class="line" {
                h2 id="list-title" { (say.t("register-list")) }
                span {
                    a href={ "/api/v1/register.csv?from=" (since.0) } download { "CSV" } " "
                    a href={ "/api/v1/register?from=" (since.0) } download="incident-register.json" { "JSON" }
                }
            }
            @if list.is_empty() {
                (parts::empty(&say.t("register-none"), &say.t("incidents-none-words"), Some("pinward drill play wrong-key")))
            } @else {
                (incidents::table(&visit, &say.t("register-list"), &list.iter().collect::<Vec<_>>()))
            }
        }
        @if !list.is_empty() { (trends(&visit, &list)) }
        (learned::answers(&visit, &answers))
        (learned::judged(&visit, &judged))
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
