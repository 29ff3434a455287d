//! The desk's queue: what waits for whom, how long it may still take; and how the desk does.

use axum::extract::{Query, State};
use desk::{Case, Figures, Reading, Share, Status};
use maud::{Markup, html};
use model::{Timestamp, reason::Family};
use serde::Deserialize;

use super::{
    layout::{Frame, Nav},
    parts::{self, col, fact},
};
use crate::{
    actor::Actor, desk_figures, error::Failure, format::percent, router::Shared, service, visit::Visit,
};

/// Cases that are listed at most.
const SHOWN_MAX: usize = 200;

/// Which cases.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Filter {
    status: String,
}

const FILTERS: [(&str, &str); 5] = [
    ("", "cases-open"),
    ("mine", "cases-mine"),
    ("new", "case-status-new"),
    ("waiting", "case-status-waiting"),
    ("closed", "case-status-closed"),
];

fn fits(case: &Case, filter: &str, me: &str) -> Result<bool, Failure> {
    Ok(match filter {
        "" => !case.is_closed(),
        "mine" => !case.is_closed() && case.assignee.as_deref() == Some(me),
        "new" => case.status == Status::New,
        "waiting" => matches!(case.status, Status::Waiting(_)),
        "closed" => case.is_closed(),
        _ => return Err(Failure::not_understood("status", "mine, new, waiting or closed")),
    })
}

/// What is due first stands first; what stands still, last.
pub(crate) fn soonest(readings: &[Reading; 2]) -> Timestamp {
    let running = readings.iter().filter(|reading| !reading.stopped);
    running.filter_map(|reading| reading.due).min().unwrap_or(Timestamp(i64::MAX))
}

/// `GET /cases`.
pub(crate) async fn queue(
    State(state): State<Shared>,
    visit: Visit,
    actor: Actor,
    Query(filter): Query<Filter>,
) -> Result<Markup, Failure> {
    let house = state.web.cases.house();
    let found = state
        .web
        .cases
        .look(|desk, now| {
            let mut rows = Vec::new();
            for case in desk.cases() {
                if fits(case, &filter.status, actor.name())? {
                    rows.push((case.clone(), case.clocks(house, now)));
                }
            }
            Ok::<_, Failure>(rows)
        })
        .await?;
    let mut rows = found?;
    if filter.status != "closed" {
        rows.sort_by_key(|(case, readings)| (soonest(readings), case.opened.priority, case.no));
    }
    rows.truncate(SHOWN_MAX);
    let say = visit.say;
    let title = say.t("cases-title");
    Ok(Frame::new(&visit, Nav::Cases, &title).page(html! {
        nav class="tabs" aria-label=(say.t("cases-which")) {
            @for (name, key) in FILTERS {
                @let href = if name.is_empty() { "/cases".to_owned() } else { format!("/cases?status={name}") };
                a class="choice" href=(href) aria-current=[(filter.status == name).then_some("page")] { (say.t(key)) }
            }
            @if visit.may_open("/caller") { a class="choice" href="/caller" { (say.t("caller-title")) } }
            a class="choice" href="/cases/figures" { (say.t("desk-figures-title")) }
        }
        section class="card" aria-label=(title) {
            @if rows.is_empty() {
                (parts::empty(&say.t("cases-none"), &say.t("cases-none-words"), None))
            } @else {
                (table(&visit, &title, &rows))
            }
        }
    }))
}

fn table(visit: &Visit, caption: &str, rows: &[(Case, [Reading; 2])]) -> Markup {
    let cols = [
        col("col-case", "num"),
        col("col-priority", ""),
        col("col-about", "grow"),
        col("col-source", ""),
        col("col-status", ""),
        col("col-assignee", ""),
        col("col-clock", ""),
    ];
    let row = |(case, readings): &(Case, [Reading; 2])| {
        vec![
            html! { a class="row" href={ "/cases/" (case.no) } { (case.no) } },
            priority(visit, case),
            about(visit, case),
            html! { (visit.say.t(&format!("case-source-{}", case.opened.source))) },
            status(visit, case),
            html! { @if let Some(who) = &case.assignee { (who) } @else { span class="quiet" { "\u{2013}" } } },
            tightest(visit, readings),
        ]
    };
    let rows: Vec<Vec<Markup>> = rows.iter().map(row).collect();
    parts::table(visit.say, caption, &cols, &rows)
}

/// What a case is about, in a line.
pub(crate) fn about(visit: &Visit, case: &Case) -> Markup {
    let subject = &case.opened.subject;
    html! {
        @if let Some(cause) = subject.cause { (super::cause::chip(visit, cause)) " " }
        @if let Some(code) = &subject.code { span class="chip mono" { (code) } " " }
        @if let Some(pan) = &subject.pan { span class="mono" { (pan) } " " }
        @if let Some(terminal) = &subject.terminal { span class="mono" { (terminal) } " " }
        span class="quiet" { (case.opened.summary) }
    }
}

/// How soon.
pub(crate) fn priority(visit: &Visit, case: &Case) -> Markup {
    use desk::Priority::{High, Low, Normal, Urgent};
    let family = match case.opened.priority {
        Urgent => Family::Bad,
        High => Family::Warn,
        Normal | Low => Family::Neutral,
    };
    parts::chip(family, &visit.say.t(&format!("case-priority-{}", case.opened.priority)))
}

/// Where it stands.
pub(crate) fn status(visit: &Visit, case: &Case) -> Markup {
    let say = visit.say;
    let family = match case.status {
        Status::New => Family::Warn,
        Status::InWork => Family::Sys,
        Status::Waiting(_) => Family::Neutral,
        Status::Closed => Family::Ok,
    };
    html! {
        (parts::chip(family, &say.t(&format!("case-status-{}", case.status.name()))))
        @if let Status::Waiting(on) = case.status { " " span class="quiet" { (say.t(&format!("case-waits-{on}"))) } }
    }
}

/// What the service plan of a shop says is done first for it; nothing where no shop is known.
pub(crate) fn advice(visit: &Visit, merchant: &str) -> Markup {
    let plans = &desk::House::builtin().plans;
    let plan = plans.get(plans.of_merchant(merchant).1);
    html! {
        @if !merchant.is_empty() {
            p { strong { (visit.say.t("case-plan")) ": " (plan.name(visit.lang())) } " " (plan.advice(visit.lang())) }
        }
    }
}

/// The clock that is due first.
fn tightest(visit: &Visit, readings: &[Reading; 2]) -> Markup {
    let running = readings.iter().filter(|reading| !reading.stopped);
    match running.min_by_key(|reading| reading.due.unwrap_or(Timestamp(i64::MAX))) {
        Some(reading) => clock(visit, reading),
        None => clock(visit, &readings[1]),
    }
}

/// A clock: so many of so many working minutes, and when the target is reached.
pub(crate) fn clock(visit: &Visit, reading: &Reading) -> Markup {
    let say = visit.say;
    let family = match (reading.is_late(), reading.stopped, reading.paused) {
        (true, ..) => Family::Bad,
        (_, true, _) => Family::Ok,
        (_, _, true) => Family::Neutral,
        _ if reading.percent() >= 75 => Family::Warn,
        _ => Family::Sys,
    };
    let words = say
        .with("clock-of", [("passed", reading.passed_min().into()), ("target", reading.target_min.into())]);
    html! {
        (parts::chip(family, &words))
        @if reading.paused { " " span class="quiet" { (say.t("clock-paused")) } }
        @else if let (false, Some(due)) = (reading.stopped, reading.due) {
            " " span class="quiet" title=(visit.clock.full(due)) { (visit.clock.relative(due)) }
        }
    }
}

/// Which window of the figures.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Window {
    days: String,
}

/// Windows that the page offers, in days.
const WINDOWS: [u32; 3] = [1, 7, 30];

/// `GET /cases/figures`.
pub(crate) async fn figures(
    State(state): State<Shared>,
    visit: Visit,
    Query(window): Query<Window>,
) -> Result<Markup, Failure> {
    let days = service::value::<u32>("days", &window.days, "a number of days")?.unwrap_or(7);
    let figures = desk_figures::of(&state, days, desk_figures::REPEAT_DAYS).await?;
    let say = visit.say;
    let title = say.t("desk-figures-title");
    Ok(Frame::new(&visit, Nav::Cases, &title).page(html! {
        nav class="tabs" aria-label=(say.t("window")) {
            @for n in WINDOWS {
                a class="choice" href={ "/cases/figures?days=" (n) } aria-current=[(n == days).then_some("page")] { (say.with("days-count", [("days", n.into())])) }
            }
            a class="choice" href="/cases" { (say.t("cases-title")) }
        }
        (figure_list(&visit, &figures))
    }))
}

fn figure_list(visit: &Visit, figures: &Figures) -> Markup {
    let say = visit.say;
    let share = |share: Share| html! { strong { (percent(share.part, share.of)) } " " span class="quiet" { (share.part) " / " (share.of) } };
    let minutes = |value: Option<i64>| match value {
        Some(minutes) => html! { strong { (say.with("minutes-count", [("minutes", minutes.into())])) } },
        None => html! { "\u{2013}" },
    };
    let again = say.with("figure-repeat-lock", [("days", figures.repeat_days.into())]);
    html! {
        section class="card" aria-label=(say.t("desk-figures-title")) {
            dl class="facts" {
                (fact(&say.t("figure-opened"), html! { (figures.opened) }))
                (fact(&say.t("figure-closed"), html! { (figures.closed) }))
                (fact(&say.t("cases-open"), html! { (figures.open) }))
                (fact(&say.t("figure-first-contact"), share(figures.first_contact)))
                (fact(&say.t("figure-sla-kept"), share(figures.sla_kept)))
                (fact(&say.t("figure-response-kept"), share(figures.response_kept)))
                (fact(&say.t("figure-resolve-kept"), share(figures.resolve_kept)))
                (fact(&say.t("figure-p50"), minutes(figures.resolve_p50_min)))
                (fact(&say.t("figure-p95"), minutes(figures.resolve_p95_min)))
                (fact(&again, share(figures.repeat_lock)))
                (fact(&say.t("figure-reopened"), share(figures.reopened)))
                (fact(&say.t("figure-satisfaction"), satisfaction(visit, figures.satisfaction)))
            }
        }
    }
}

/// The mean of what customers said.
fn satisfaction(visit: &Visit, scores: Share) -> Markup {
    if scores.of == 0 {
        return html! { "\u{2013}" };
    }
    let mean = format!("{:.1}", f64::from(scores.part) / f64::from(scores.of));
    html! { strong { (mean) " / 5" } " " span class="quiet" { (visit.say.with("figure-answers", [("count", scores.of.into())])) } }
}
