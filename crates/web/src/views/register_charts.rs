//! The register's charts, each with its finding in words and its numbers as a table.

use maud::{Markup, html};

use crate::{
    chart::{
        funnel::{self, Point},
        heat,
        survival::{self, Curve},
    },
    format::{grouped, percent},
    register::{Figures, Release, survival as curve},
    visit::{Visit, encode},
};

/// The frame of a chart: its title, the drawing between its axes, the finding, the numbers.
fn card(
    id: &str,
    title: &str,
    drawing: Markup,
    finding: &str,
    table: Option<Markup>,
    visit: &Visit,
) -> Markup {
    let say = visit.say;
    html! {
        section class="card" aria-labelledby=(id) {
            h2 id=(id) { (title) }
            (drawing)
            p class="quiet finding" { (finding) }
            @if let Some(table) = table {
                details id={ (id) "-table" } {
                    summary { (say.t("as-table")) }
                    div class="scroll" tabindex="0" role="region" aria-label=(say.t("as-table")) { (table) }
                }
            }
        }
    }
}

/// Terminals: rate of wrong first entries against volume.
pub(crate) fn funnel(visit: &Visit, figures: &Figures) -> Markup {
    let say = visit.say;
    let title = say.t("funnel-title");
    let points: Vec<Point> = figures
        .terminals
        .iter()
        .map(|(name, (all, bad))| Point { name: name.clone(), all: *all, bad: *bad })
        .collect();
    if points.is_empty() {
        return card("funnel", &title, html! {}, &say.t("chart-nothing"), None, visit);
    }
    let usual = funnel::usual(&points);
    let mut outliers: Vec<&Point> = points.iter().filter(|p| p.is_outlier(usual)).collect();
    outliers.sort_by(|a, b| b.z(usual).total_cmp(&a.z(usual)));
    let finding = match outliers.first() {
        None => say.with("funnel-none", [("count", points.len().into()), ("usual", rate(usual).into())]),
        Some(worst) => say.with(
            "funnel-finding",
            [
                ("count", outliers.len().into()),
                ("of", points.len().into()),
                ("usual", rate(usual).into()),
                ("worst", worst.name.as_str().into()),
                ("rate", percent(worst.bad, worst.all).into()),
            ],
        ),
    };
    let (right, top) = funnel::axes(&points);
    let drawing = html! {
        div class="chart" {
            span class="axis-top" aria-hidden="true" { (rate(top)) }
            (funnel::draw(&title, &finding, &points))
            div class="axis" aria-hidden="true" { span { "0" } span { (say.t("funnel-axis")) } span { (grouped(right.into())) } }
            ul class="legend" {
                li { i class="key dot" {} (say.t("funnel-terminal")) }
                li { i class="key out" {} (say.t("funnel-out")) }
                li { i class="key control-95" {} "95%" }
                li { i class="key control-998" {} "99.8%" }
            }
        }
    };
    let mut rows: Vec<&Point> = points.iter().collect();
    rows.sort_by(|a, b| b.z(usual).total_cmp(&a.z(usual)));
    let table = html! {
        table {
            thead { tr { th scope="col" { (say.t("col-terminal")) } th scope="col" class="num" { (say.t("col-sessions")) } th scope="col" class="num" { (say.t("col-wrong")) } th scope="col" class="num" { (say.t("col-rate")) } } }
            tbody {
                @for p in rows {
                    tr {
                        th scope="row" class="mono" { a href={ "/transactions?terminal=" (encode(&p.name)) } { (p.name) } }
                        td class="num" { (p.all) } td class="num" { (p.bad) } td class="num" { (percent(p.bad, p.all)) }
                    }
                }
            }
        }
    };
    card("funnel", &title, drawing, &finding, Some(table), visit)
}

fn rate(share: f64) -> String {
    format!("{:.1}%", share * 100.0)
}

const DAYS: [&str; 7] = ["day-mon", "day-tue", "day-wed", "day-thu", "day-fri", "day-sat", "day-sun"];

/// When wrong PINs cluster.
pub(crate) fn heat(visit: &Visit, figures: &Figures) -> Markup {
    let say = visit.say;
    let title = say.t("heat-title");
    let cells = || (0..7).flat_map(|day| (0..24).map(move |hour| (day, hour)));
    let of = |(day, hour): (usize, usize)| figures.hours[day][hour];
    let share = |cell: (usize, usize)| f64::from(of(cell).1) / f64::from(of(cell).0.max(1));
    let wrong: u32 = cells().map(|cell| of(cell).1).sum();
    // An hour with three entries says nothing about hours.
    let worst = cells().filter(|cell| of(*cell).0 >= 10).max_by(|a, b| share(*a).total_cmp(&share(*b)));
    let words = |day: usize, hour: usize| {
        let (all, wrong) = figures.hours[day][hour];
        format!("{} {hour:02}:00 \u{b7} {wrong}/{all}", say.t(DAYS[day]))
    };
    let finding = match worst.filter(|cell| of(*cell).1 > 0) {
        Some(cell) => say.with(
            "heat-finding",
            [
                ("wrong", wrong.into()),
                ("day", say.t(DAYS[cell.0]).into_owned().into()),
                ("hour", format!("{:02}:00", cell.1).into()),
                ("rate", percent(of(cell).1, of(cell).0).into()),
            ],
        ),
        None => say.with("heat-none", [("wrong", wrong.into())]),
    };
    let drawing = html! {
        div class="heat-frame" {
            ul class="days" aria-hidden="true" { @for day in DAYS { li { (say.t(day)) } } }
            div {
                (heat::draw(&title, &finding, &figures.hours, words))
                div class="axis" aria-hidden="true" { @for hour in [0, 6, 12, 18, 24] { span { (hour) } } }
            }
        }
    };
    let table = html! {
        table {
            thead { tr { th scope="col" { (say.t("col-time")) } th scope="col" class="num" { (say.t("col-entries")) } th scope="col" class="num" { (say.t("col-wrong")) } th scope="col" class="num" { (say.t("col-rate")) } } }
            tbody {
                @for (day, hour) in cells().filter(|cell| of(*cell).0 > 0) {
                    @let (all, wrong) = figures.hours[day][hour];
                    tr { th scope="row" { (say.t(DAYS[day])) " " (format!("{hour:02}:00")) } td class="num" { (all) } td class="num" { (wrong) } td class="num" { (percent(wrong, all)) } }
                }
            }
        }
    };
    card("heat", &title, drawing, &finding, Some(table), visit)
}

/// How long locks last, by what ends them.
pub(crate) fn survival(visit: &Visit, figures: &Figures) -> Markup {
    let say = visit.say;
    let title = say.t("survival-title");
    if figures.locks.is_empty() {
        return card("survival", &title, html! {}, &say.t("survival-none"), None, visit);
    }
    let methods =
        [(Release::Staff, "by-staff", "survival-staff"), (Release::Time, "by-time", "survival-time")];
    let steps = methods.map(|(release, ..)| curve(&figures.locks, release));
    let until = figures.locks.iter().map(|(ms, _)| *ms).max().unwrap_or(1).max(60_000);
    let ended = |release| figures.locks.iter().filter(|(_, how)| *how == Some(release)).count();
    let lasting = figures.locks.iter().filter(|(_, how)| how.is_none()).count();
    let finding = say.with(
        "survival-finding",
        [
            ("count", figures.locks.len().into()),
            ("staff", ended(Release::Staff).into()),
            ("time", ended(Release::Time).into()),
            ("still", lasting.into()),
        ],
    );
    let curves: Vec<Curve<'_>> =
        methods.iter().zip(&steps).map(|((_, class, _), steps)| Curve { class, steps }).collect();
    let drawing = html! {
        div class="chart" {
            span class="axis-top" aria-hidden="true" { "100%" }
            (survival::draw(&title, &finding, &curves, until))
            div class="axis" aria-hidden="true" { span { "0" } span { (visit.clock.span(until / 2)) } span { (visit.clock.span(until)) } }
            ul class="legend" { @for (_, class, key) in methods { li { i class={ "key " (class) } {} (say.t(key)) } } }
        }
    };
    let table = html! {
        table {
            thead { tr { th scope="col" { (say.t("col-lasted")) } @for (_, _, key) in methods { th scope="col" class="num" { (say.t(key)) } } } }
            tbody {
                @for quarter in 0..=8_i64 {
                    @let at = until * quarter / 8;
                    tr { th scope="row" { (visit.clock.span(at)) } @for steps in &steps { td class="num" { (rate(share_at(steps, at))) } } }
                }
            }
        }
    };
    card("survival", &title, drawing, &finding, Some(table), visit)
}

fn share_at(steps: &[(i64, f64)], at: i64) -> f64 {
    steps.iter().take_while(|(ms, _)| *ms <= at).last().map_or(1.0, |(_, share)| *share)
}
