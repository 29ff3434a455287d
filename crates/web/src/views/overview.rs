//! Overview: is anything wrong now, and where?

use axum::extract::{Query, State};
use maud::{Markup, html};
use model::Timestamp;
use store::archive::{Attention, Figures, Overview, Slot};

use super::{
    incidents,
    layout::{Frame, Nav},
    parts,
};
use crate::{
    chart::{self, Column, Stacked},
    error::Failure,
    format::{duration_us, grouped, percent},
    insight::IncidentView,
    lang::Say,
    router::Shared,
    service::{self, WINDOWS_S, WindowFilter},
    visit::{Visit, encode},
};

/// The families of a slot from bottom to top: index in [`Slot::declines`], class, name.
const SERIES: [(usize, &str, &str); 5] = [
    (4, "s-neutral", "family-neutral"),
    (0, "s-warn", "family-warn"),
    (1, "s-lock", "family-lock"),
    (2, "s-sys", "family-sys"),
    (3, "s-bad", "family-bad"),
];
/// The names of [`Slot::declines`] in its own order.
const FAMILY_NAMES: [&str; 5] = ["warn", "lock", "sys", "bad", "neutral"];

/// What needs attention: more is too much to look at.
const ATTENTION_MAX: usize = 7;

/// `GET /`.
pub(crate) async fn page(
    State(state): State<Shared>,
    visit: Visit,
    Query(filter): Query<WindowFilter>,
) -> Result<Markup, Failure> {
    let window_s = filter.check()?;
    let overview = service::overview(&state, window_s).await?;
    let incidents = incidents::ranked(state.web.insight.incidents().await?);
    let title = visit.say.t("overview-title");
    let frame = Frame { actions: windows(&visit, window_s), ..Frame::new(&visit, Nav::Overview, &title) };
    Ok(frame.page(live(&visit, &overview, &incidents)))
}

/// What is fetched again when an event says that something changed, and for the figures every quarter of a minute. Only what
/// changed is put in place, so nothing jumps.
fn live(visit: &Visit, overview: &Overview, incidents: &[IncidentView]) -> Markup {
    html! {
        div id="live" hx-get=(visit.here_with("", "")) data-every="15" hx-trigger="refresh" hx-select="#live" hx-swap="outerMorph" {
            (tiles(visit, overview))
            div class="columns two-one" {
                (declines(visit, overview))
                (attention(visit, incidents, &overview.attention))
            }
            (last_declines(visit, overview))
        }
    }
}

fn windows(visit: &Visit, current: u32) -> Markup {
    let say = visit.say;
    html! {
        form class="window" action="/" method="get" {
            label class="sr" for="window" { (say.t("window")) }
            select id="window" name="window" {
                @for window in WINDOWS_S {
                    option value=(window) selected[window == current] { (say.t(window_key(window))) }
                }
            }
            button class="button no-js" { (say.t("show")) }
        }
    }
}

fn window_key(window_s: u32) -> &'static str {
    match window_s {
        900 => "window-15m",
        3_600 => "window-1h",
        21_600 => "window-6h",
        _ => "window-24h",
    }
}

/// One tile: a number that leads to its list.
struct Tile {
    key: &'static str,
    number: String,
    compare: String,
    spark: Vec<Option<f64>>,
    href: String,
}

fn tiles(visit: &Visit, o: &Overview) -> Markup {
    let tiles = [
        rate(visit, o),
        approvals(visit, o),
        wrong_pins(visit, o),
        exceeded(visit, o),
        p99(visit, o),
        terminals(visit, o),
    ];
    html! {
        ul class="tiles" {
            @for tile in tiles {
                li class="card tile" {
                    h2 { a href=(tile.href) { (visit.say.t(tile.key)) } }
                    p class="number" { (tile.number) }
                    (chart::sparkline(&tile.spark))
                    p class="compare" { (tile.compare) }
                }
            }
        }
    }
}

/// The part of a list that a window's number counts.
fn list(o: &Overview, filter: &str) -> String {
    let from = o.now.plus_s(-i64::from(o.window_s));
    let and = if filter.is_empty() { "" } else { "&" };
    format!("/transactions?{filter}{and}from={}", from.0)
}

fn per_slot(o: &Overview, value: impl Fn(&Slot) -> Option<f64>) -> Vec<Option<f64>> {
    o.slots.iter().map(value).collect()
}

fn rate(visit: &Visit, o: &Overview) -> Tile {
    let per_second = |count: u32, seconds: f64| {
        let rate = f64::from(count) / seconds;
        if rate >= 100.0 { grouped(rate.round() as u64) } else { format!("{rate:.1}") }
    };
    let slot_s = f64::from(o.window_s) / o.slots.len().max(1) as f64;
    let peak = o.slots.iter().map(|s| s.total).max().unwrap_or_default();
    Tile {
        key: "tile-rate",
        number: per_second(o.current.total, f64::from(o.window_s)),
        compare: visit.say.with("tile-peak", [("peak", per_second(peak, slot_s).into())]).into_owned(),
        spark: per_slot(o, |s| Some(f64::from(s.total))),
        href: list(o, ""),
    }
}

fn approvals(visit: &Visit, o: &Overview) -> Tile {
    let share = |f: &Figures| (f.total > 0).then(|| f64::from(f.approved) * 100.0 / f64::from(f.total));
    Tile {
        key: "tile-approved",
        number: percent(o.current.approved, o.current.total),
        compare: match (share(&o.current), share(&o.before)) {
            (Some(now), Some(before)) => compared(visit.say, signed_points(now - before)),
            _ => visit.say.t("tile-nothing-before").into_owned(),
        },
        spark: per_slot(o, |s| (s.total > 0).then(|| f64::from(s.approved) / f64::from(s.total))),
        href: list(o, "declined=1"),
    }
}

fn wrong_pins(visit: &Visit, o: &Overview) -> Tile {
    Tile {
        key: "tile-55",
        number: grouped(o.current.wrong_pin.into()),
        compare: share_and_change(visit.say, o, o.current.wrong_pin, o.before.wrong_pin),
        spark: per_slot(o, |s| Some(f64::from(s.declines[0]))),
        href: list(o, "code=55"),
    }
}

fn exceeded(visit: &Visit, o: &Overview) -> Tile {
    Tile {
        key: "tile-75",
        number: grouped(o.current.tries_exceeded.into()),
        compare: share_and_change(visit.say, o, o.current.tries_exceeded, o.before.tries_exceeded),
        spark: per_slot(o, |s| Some(f64::from(s.declines[1]))),
        href: list(o, "family=lock"),
    }
}

fn p99(visit: &Visit, o: &Overview) -> Tile {
    Tile {
        key: "tile-p99",
        number: if o.current.total == 0 {
            "\u{2013}".to_owned()
        } else {
            duration_us(o.current.p99_us.into())
        },
        compare: if o.before.total == 0 {
            visit.say.t("tile-nothing-before").into_owned()
        } else {
            visit
                .say
                .with("tile-before", [("before", duration_us(o.before.p99_us.into()).into())])
                .into_owned()
        },
        spark: per_slot(o, |s| (s.total > 0).then(|| f64::from(s.p99_us))),
        href: list(o, ""),
    }
}

fn terminals(visit: &Visit, o: &Overview) -> Tile {
    Tile {
        key: "tile-terminals",
        number: grouped(o.terminals_seen.into()),
        compare: visit
            .say
            .with("tile-registered", [("count", grouped(o.terminals.into()).into())])
            .into_owned(),
        spark: per_slot(o, |s| Some(f64::from(s.terminals_seen))),
        href: "/terminals".to_owned(),
    }
}

/// `1.2% · before: 61`.
fn share_and_change(say: Say, o: &Overview, now: u32, before: u32) -> String {
    let share = percent(now, o.current.total);
    let before = say.with("tile-before", [("before", grouped(before.into()).into())]);
    format!("{share} \u{b7} {before}")
}

fn compared(say: Say, change: String) -> String {
    say.with("tile-change", [("change", change.into())]).into_owned()
}

/// `+0.3`, `−1.2`, `±0.0`.
fn signed_points(points: f64) -> String {
    let size = format!("{:.1}", points.abs());
    match () {
        () if size == "0.0" => "\u{b1}0.0".to_owned(),
        () if points < 0.0 => format!("\u{2212}{size}"),
        () => format!("+{size}"),
    }
}

fn declines(visit: &Visit, o: &Overview) -> Markup {
    let say = visit.say;
    let slot_s = o.window_s / o.slots.len().max(1) as u32;
    let title = if slot_s == 60 {
        say.t("declines-per-minute").into_owned()
    } else {
        say.with("declines-per-slot", [("span", visit.clock.span(i64::from(slot_s) * 1000).into())])
            .into_owned()
    };
    let finding = finding(visit, o);
    let columns: Vec<Column> = o.slots.iter().map(|slot| column(visit, slot)).collect();
    let top = chart::axis_top(columns.iter().map(|c| c.parts.iter().sum()).max().unwrap_or_default());
    let classes = SERIES.map(|(_, class, _)| class);
    html! {
        section class="card" aria-labelledby="declines-title" {
            h2 id="declines-title" { (title) }
            div class="chart" {
                span class="axis-top" aria-hidden="true" { (top) }
                (chart::stacked(&Stacked { title: &title, finding: &finding, classes: &classes, columns: &columns, top }))
            }
            (axis(visit, o))
            ul class="legend" {
                @for (index, class, key) in SERIES.into_iter().filter(|s| s.0 != 4).chain([SERIES[0]]) {
                    li { a href=(list(o, &format!("family={}&declined=1", FAMILY_NAMES[index]))) { i class=(class) {} (say.t(key)) } }
                }
            }
            p class="quiet finding" { (finding) }
            (declines_table(visit, o))
        }
    }
}

fn axis(visit: &Visit, o: &Overview) -> Markup {
    let at = |part: i64| visit.clock.minute(o.now.plus_s(-i64::from(o.window_s) * part / 4));
    html! {
        div class="axis" aria-hidden="true" { span { (at(4)) } span { (at(2)) } span { (at(0)) } }
    }
}

fn column(visit: &Visit, slot: &Slot) -> Column {
    let parts = SERIES.map(|(index, _, _)| slot.declines[index]);
    let named = SERIES
        .iter()
        .zip(parts)
        .filter(|(_, count)| *count > 0)
        .map(|((_, _, key), count)| format!("{} {count}", visit.say.t(key)));
    Column {
        words: format!(
            "{} \u{b7} {}",
            visit.clock.minute(slot.from),
            named.collect::<Vec<_>>().join(" \u{b7} ")
        ),
        parts: parts.to_vec(),
    }
}

/// The chart in one sentence: how many, what most of them were, when it was worst.
fn finding(visit: &Visit, o: &Overview) -> String {
    let of = |slot: &Slot| slot.declines.iter().sum::<u32>();
    let total: u32 = o.slots.iter().map(of).sum();
    let sums = SERIES.map(|(index, _, key)| (o.slots.iter().map(|s| s.declines[index]).sum::<u32>(), key));
    let (Some(most), Some(worst)) = (sums.iter().max_by_key(|s| s.0), o.slots.iter().max_by_key(|s| of(s)))
    else {
        return visit.say.t("declines-none").into_owned();
    };
    if total == 0 {
        return visit.say.t("declines-none").into_owned();
    }
    visit
        .say
        .with(
            "declines-finding",
            [
                ("total", grouped(total.into()).into()),
                ("count", total.into()),
                ("most", grouped(most.0.into()).into()),
                ("family", visit.say.t(most.1).into_owned().into()),
                ("at", visit.clock.minute(worst.from).into()),
                ("worst", of(worst).into()),
            ],
        )
        .into_owned()
}

fn declines_table(visit: &Visit, o: &Overview) -> Markup {
    let say = visit.say;
    let busy = || o.slots.iter().rev().filter(|s| s.declines.iter().any(|n| *n > 0));
    html! {
        @if busy().next().is_some() {
            details id="declines-table" {
                summary { (say.t("as-table")) }
                div class="scroll" tabindex="0" role="region" aria-label=(say.t("as-table")) {
                    table {
                        thead { tr { th scope="col" { (say.t("col-time")) } @for (_, _, key) in SERIES { th scope="col" class="num" { (say.t(key)) } } } }
                        tbody {
                            @for slot in busy() {
                                tr { th scope="row" class="mono" { (slot_link(visit, o, slot)) } @for (index, _, _) in SERIES { td class="num" { (slot.declines[index]) } } }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn slot_link(visit: &Visit, o: &Overview, slot: &Slot) -> Markup {
    let to = Timestamp(slot.from.0).plus_s(i64::from(o.window_s) / o.slots.len().max(1) as i64);
    html! { a href={ "/transactions?declined=1&from=" (slot.from.0) "&to=" (to.0) } { (visit.clock.minute(slot.from)) } }
}

/// Incidents first; then what is no incident (yet), as far as there is room.
fn attention(visit: &Visit, incidents: &[IncidentView], list: &[Attention]) -> Markup {
    let say = visit.say;
    let cols =
        [parts::col("col-alert", "grow"), parts::col("col-object", "mono"), parts::col("col-when", "num")];
    let said = |a: &&Attention| !incidents.iter().any(|i| i.scope.name == a.object);
    let rows: Vec<Vec<Markup>> = incidents
        .iter()
        .map(|i| incident_row(visit, i))
        .chain(list.iter().filter(said).map(|a| attention_row(visit, a)))
        .take(ATTENTION_MAX)
        .collect();
    html! {
        section class="card" aria-labelledby="attention-title" {
            div class="line" {
                h2 id="attention-title" { (say.t("attention-title")) }
                @if incidents.len() > ATTENTION_MAX { a href="/incidents" { (say.with("attention-all", [("count", incidents.len().into())])) } }
            }
            @if rows.is_empty() {
                (parts::empty(&say.t("attention-none"), &say.t("attention-none-words"), None))
            } @else {
                (parts::table(say, &say.t("attention-title"), &cols, &rows))
            }
        }
    }
}

fn incident_row(visit: &Visit, i: &IncidentView) -> Vec<Markup> {
    let words = format!(
        "{} {}",
        handbook::cause_text(i.cause).name(visit.lang()),
        super::cause::confidence(i.confidence)
    );
    vec![
        html! { a class="row" href={ "/incidents/" (i.id) } { (parts::chip(super::cause::family(i.cause), &words)) } },
        html! { (i.scope.name) },
        html! { time datetime=(visit.clock.machine(i.onset)) title=(visit.clock.full(i.onset)) { (visit.clock.relative(i.onset)) } },
    ]
}

fn attention_row(visit: &Visit, a: &Attention) -> Vec<Markup> {
    let key = format!("attention-{}", a.what);
    let words = if visit.say.has(&key) {
        visit.say.with(&key, [("count", a.count.into())]).into_owned()
    } else {
        a.what.clone()
    };
    let href = match (&a.card, a.object_kind.as_str()) {
        (Some(card), _) => format!("/cards/{card}"),
        (None, "terminal") => format!("/transactions?terminal={}", encode(&a.object)),
        (None, _) => parts::transaction_href(&a.rrn),
    };
    vec![
        html! { a class="row" href=(href) { (parts::chip(a.family, &words)) } },
        html! { (a.object) },
        html! { time datetime=(visit.clock.machine(a.at)) title=(visit.clock.full(a.at)) { (visit.clock.relative(a.at)) } },
    ]
}

fn last_declines(visit: &Visit, o: &Overview) -> Markup {
    let say = visit.say;
    let title = say.t("last-declines");
    html! {
        section class="card" aria-labelledby="last-title" {
            div class="line" {
                h2 id="last-title" { (title) }
                a href="/transactions?declined=1" { (say.t("all-declines")) }
            }
            @if o.last_declines.is_empty() {
                (parts::empty(&say.t("no-declines"), &say.t("no-transactions-words"), Some("pinward trigger error-75")))
            } @else {
                (parts::transactions(say, &visit.clock, &title, &o.last_declines))
            }
        }
    }
}
