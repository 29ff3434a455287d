//! What is no incident: what is being watched because something may be wrong, and what could not be seen at all.

use maud::{Markup, html};
use model::Timestamp;

use super::{
    cause, evidence,
    parts::{self, col},
};
use crate::{
    insight::{GapView, SuspicionView},
    visit::Visit,
};

/// Suspicions that a page lists.
const SHOWN: usize = 20;
/// Gaps that a page mentions, and how old they may be.
const GAPS_SHOWN: usize = 3;
const GAP_AGE_MS: i64 = 86_400_000;

/// What is being watched, the likeliest first; those that an incident is open about are on its page.
pub(crate) fn section(visit: &Visit, suspicions: &[SuspicionView]) -> Markup {
    let say = visit.say;
    let title = say.t("watched-title");
    let cols = [
        col("col-object", "grow"),
        col("col-looks-like", ""),
        col("col-began", "mono num"),
        col("col-card-sessions", "num"),
        col("col-sign", "grow"),
    ];
    let rows: Vec<Vec<Markup>> = suspicions
        .iter()
        .filter(|s| s.incident.is_none())
        .take(SHOWN)
        .map(|s| {
            let sign = s.evidence.iter().max_by(|a, b| a.weight.total_cmp(&b.weight));
            vec![
                html! { (cause::scope_link(visit, &s.scope)) @if !s.belongs.merchant.is_empty() { " " span class="quiet" { (s.belongs.merchant) } } },
                cause::chip(visit, s.cause),
                parts::time(&visit.clock, s.since),
                html! { (s.sessions) },
                html! { @if let Some(sign) = sign { (evidence::sentence(visit, sign)) } },
            ]
        })
        .collect();
    html! {
        section class="card" aria-labelledby="watched" {
            h2 id="watched" { (title) }
            p class="quiet" { (say.t("watched-words")) }
            @if rows.is_empty() { p class="quiet" { (say.t("watched-none")) } }
            @else { (parts::table(say, &title, &cols, &rows)) }
        }
    }
}

/// Is something about this terminal being watched?
pub(crate) fn of_terminal<'s>(suspicions: &'s [SuspicionView], terminal: &str) -> Option<&'s SuspicionView> {
    suspicions.iter().find(|s| s.scope.kind == "terminal" && s.scope.id == terminal)
}

/// So far behind is worth a word: nobody looks at a page twice in less.
const BEHIND_MS: i64 = 5_000;

/// That the diagnosis does not see the newest payments yet.
pub(crate) fn behind(visit: &Visit, behind_ms: i64) -> Markup {
    html! {
        @if behind_ms >= BEHIND_MS {
            p class="notice neutral" { (visit.say.with("diagnosis-behind", [("seconds", (behind_ms / 1000).into())])) }
        }
    }
}

/// What could not be seen lately.
pub(crate) fn gaps(visit: &Visit, gaps: &[GapView]) -> Markup {
    let say = visit.say;
    let recent = |gap: &&GapView| visit.clock.now.since_ms(gap.until) < GAP_AGE_MS;
    let at = |at: Timestamp| visit.clock.full(at).into();
    let shown: Vec<&GapView> = gaps.iter().filter(recent).take(GAPS_SHOWN).collect();
    html! {
        @if !shown.is_empty() {
            section class="notice neutral" aria-labelledby="gaps" {
                h2 id="gaps" { (say.t("gaps-title")) }
                ul {
                    @for gap in shown {
                        li {
                            @if gap.clock { (say.with("gap-clock", [("at", at(gap.since))])) }
                            @else { (say.with("gap-silence", [("since", at(gap.since)), ("until", at(gap.until))])) }
                        }
                    }
                }
            }
        }
    }
}
