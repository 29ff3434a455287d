//! One version of the rules: where it is on its way, how it differs from the live one, and what it would have done.

use axum::extract::{Path, Query, State};
use maud::{Markup, html};
use model::{Amount, Currency};
use risk::{
    RuleSet,
    backtest::{Report, SetReport},
    register::{State as Stage, Version},
};

use super::{
    layout::{Frame, Nav},
    parts::{self, col},
    rule_deeds::{self, After},
    rules,
};
use crate::{
    error::Failure,
    format::{grouped, money},
    router::Shared,
    rules::{BesideWork, Difference, Job, Kept, differences},
    visit::Visit,
};

/// Examples of a backtest that are listed.
const EXAMPLES_SHOWN: usize = 20;

/// `GET /rules/{digest}`.
pub(crate) async fn page(
    State(state): State<Shared>,
    visit: Visit,
    Path(digest): Path<String>,
    Query(after): Query<After>,
) -> Result<Markup, Failure> {
    let kept = state.web.rules.kept().await?;
    let version = kept.register.version(&digest).ok_or(Failure::NotFound)?;
    let set = kept.set(&digest).ok_or(Failure::NotFound)?;
    let hits = state.web.rules.hits().await;
    let job = state.web.rules.newest_job(&digest);
    let beside = state.web.rules.beside(&digest).await;
    let title = set.name().to_owned();
    let frame = Frame { beside: html! { (rules::short(&digest)) }, ..Frame::new(&visit, Nav::Rules, &title) };
    Ok(frame.page(html! {
        (rule_deeds::done(&visit, &after))
        (standing(&visit, &digest, version, &kept))
        @if matches!(version.state, Stage::Shadow(_) | Stage::Requested { .. }) { (in_shadow(&visit, beside.as_ref())) }
        (backtest(&visit, &digest, job.as_deref()))
        @if kept.register.live() != Some(&digest) { (difference(&visit, kept.live_set().as_ref(), &set)) }
        section class="card" aria-labelledby="rules-title" {
            h2 id="rules-title" { (visit.say.t("set-rules")) }
            (rules::rules_table(&visit, &set, &kept, hits.as_ref()))
        }
        section class="card" aria-labelledby="text-title" {
            h2 id="text-title" { (visit.say.t("set-text")) }
            details id="set-file" { summary { (visit.say.t("show")) } pre class="file" { (version.text) } }
        }
    }))
}

fn standing(visit: &Visit, digest: &str, version: &Version, kept: &Kept) -> Markup {
    let say = visit.say;
    let full = |at| visit.clock.full(at);
    let drafted = say.with(
        "set-drafted-words",
        [("by", version.author.as_str().into()), ("at", full(version.drafted).into())],
    );
    html! {
        section class="card" aria-labelledby="way-title" {
            h2 id="way-title" { (say.t("set-way")) }
            p { (rules::stage_chip(visit, &version.state)) " " span class="quiet" { (drafted) } }
            p {
                @match &version.state {
                    Stage::Draft => (say.t("set-draft-words")),
                    Stage::Shadow(since) => (say.with("set-shadow-words", [("at", full(*since).into())])),
                    Stage::Requested { by, .. } => (say.with("set-requested-words", [("by", by.as_str().into())])),
                    Stage::Live(since) => (say.with("set-live-words", [("at", full(*since).into())])),
                    Stage::Withdrawn => (say.t("set-withdrawn-words")),
                }
            }
            div class="deeds" {
                (rule_deeds::next_steps(visit, digest, &version.state, kept))
                a class="button" href={ "/rules/edit?from=" (digest) } { (say.t("rules-edit")) }
            }
        }
    }
}

/// What it would have done beside the live set, on real payments.
fn in_shadow(visit: &Visit, beside: Option<&BesideWork>) -> Markup {
    let say = visit.say;
    let cols = [
        col("col-hits", "num"),
        col("col-declined", "num"),
        col("shadow-both", "num"),
        col("shadow-only-this", "num"),
        col("shadow-only-live", "num"),
        col("col-errors", "num"),
    ];
    html! {
        section class="card" aria-labelledby="shadow-title" {
            h2 id="shadow-title" { (say.t("shadow-title")) }
            @match beside {
                None => p class="quiet" { (say.t("shadow-none")) },
                Some(b) => {
                    @let figures = [b.hits, b.both + b.only_this, b.both, b.only_this, b.only_live, b.errors];
                    @let row = figures.map(|n| html! { (grouped(n)) }).to_vec();
                    (parts::table(say, &say.t("shadow-title"), &cols, &[row]))
                    p class="quiet" { (say.with("shadow-since", [("at", visit.clock.full(b.since).into())])) }
                }
            }
        }
    }
}

fn difference(visit: &Visit, live: Option<&RuleSet>, set: &RuleSet) -> Markup {
    let say = visit.say;
    let cols = [col("col-rule", "mono"), col("diff-live", "grow"), col("diff-this", "grow")];
    let found: Vec<Difference> = differences(live, set);
    let side = |text: &Option<String>| html! { @match text { Some(text) => pre { (text) }, None => span class="quiet" { "\u{2013}" } } };
    let rows: Vec<Vec<Markup>> =
        found.iter().map(|d| vec![html! { (d.rule) }, side(&d.live), side(&d.other)]).collect();
    html! {
        section class="card" aria-labelledby="diff-title" {
            h2 id="diff-title" { (say.t("diff-title")) }
            @if live.is_none() { p class="quiet" { (say.t("diff-no-live")) } }
            @else if rows.is_empty() { p class="quiet" { (say.t("diff-none")) } }
            @else { (parts::table(say, &say.t("diff-title"), &cols, &rows)) }
        }
    }
}

fn backtest(visit: &Visit, digest: &str, job: Option<&Job>) -> Markup {
    let say = visit.say;
    let running = job.is_some_and(|job| job.result().is_none());
    html! {
        // While it runs, this part is fetched again.
        section id="live" class="card" aria-labelledby="backtest-title" hx-get=[running.then(|| visit.here_with("", ""))]
            hx-trigger=[running.then_some("every 1s")] hx-select=[running.then_some("#live")] hx-swap=[running.then_some("outerMorph")] {
            h2 id="backtest-title" { (say.t("backtest-title")) }
            @match job.map(|job| (job, job.result())) {
                None => p class="quiet" { (say.t("backtest-none")) },
                Some((job, None)) => {
                    @let (played, of) = job.progress();
                    label { (say.t("backtest-runs")) " " progress max=(of.max(1)) value=(played) { (played) "/" (of) } }
                    p class="quiet" { (say.with("backtest-progress", [("played", grouped(played).into()), ("of", grouped(of).into())])) }
                }
                Some((_, Some(Err(_)))) => p class="notice bad" role="status" { (say.t("backtest-failed")) },
                Some((job, Some(Ok(report)))) => {
                    p class="quiet" { (say.with("backtest-window", [("from", visit.clock.full(job.from).into()), ("to", visit.clock.full(job.to).into())])) }
                    (result(visit, &report))
                }
            }
            (rule_deeds::backtest_form(visit, digest))
        }
    }
}

fn result(visit: &Visit, report: &Report) -> Markup {
    let say = visit.say;
    let cols = [
        col("col-set", "grow"),
        col("col-payments", "num"),
        col("col-hits", "num"),
        col("col-declined", "num"),
        col("col-precision", "num"),
        col("col-lost", "num"),
        col("col-lost-volume", "num"),
    ];
    let row = |key: &str, set: &SetReport| {
        let volume = |currency: &u16, minor: &i128| {
            money(
                Amount(i64::try_from(*minor).unwrap_or(i64::MAX)),
                Currency(if *currency == 0 { 156 } else { *currency }),
            )
        };
        vec![
            html! { (say.t(key)) " " span class="mono quiet" { (rules::short(&set.version)) } },
            html! { (grouped(set.events)) },
            html! { (grouped(set.hits)) },
            html! { (grouped(set.declined)) },
            html! { @match set.labelled.precision() { Some(share) => (format!("{:.0}%", share * 100.0)), None => span class="quiet" { "\u{2013}" } } },
            html! { (grouped(set.approved_lost)) },
            html! { @for (currency, minor) in &set.volume_lost { (volume(currency, minor)) " " } },
        ]
    };
    let mut rows = vec![row("diff-this", &report.candidate)];
    rows.extend(report.baseline.as_ref().map(|set| row("diff-live", set)));
    html! {
        (parts::table(say, &say.t("backtest-title"), &cols, &rows))
        @if let Some(d) = &report.difference {
            p { (say.with("backtest-difference", [("both", grouped(d.both).into()), ("live", grouped(d.only_baseline).into()), ("this", grouped(d.only_candidate).into())])) }
        }
        (by_rule(visit, &report.candidate))
    }
}

fn by_rule(visit: &Visit, set: &SetReport) -> Markup {
    let say = visit.say;
    let cols = [
        col("col-rule", "mono grow"),
        col("col-hits", "num"),
        col("col-declined", "num"),
        col("col-precision", "num"),
        col("col-errors", "num"),
        col("col-examples", "grow"),
    ];
    let rows: Vec<Vec<Markup>> = set
        .rules
        .iter()
        .map(|(id, rule)| {
            vec![
                html! { (id) },
                html! { (grouped(rule.hits)) },
                html! { (grouped(rule.declined)) },
                html! { @match rule.labelled.precision() { Some(share) => (format!("{:.0}%", share * 100.0)), None => span class="quiet" { "\u{2013}" } } },
                html! { (grouped(rule.errors)) @if let Some(first) = &rule.first_error { " " span class="quiet" { (first) } } },
                html! { @for example in rule.examples.iter().take(EXAMPLES_SHOWN) { a class="mono" href=(parts::transaction_href(&example.reference)) { (example.reference) } " " } },
            ]
        })
        .collect();
    html! { (parts::table(say, &say.t("set-rules"), &cols, &rows)) }
}
