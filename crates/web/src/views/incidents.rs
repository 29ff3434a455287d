//! Incidents: what many refusals have in common, and what became of it.

use axum::extract::{Path, Query, State};
use maud::{Markup, html};
use model::{Currency, reason::Family};
use serde::Deserialize;
use store::archive::TransactionRow;

use super::{
    cause, deeds, evidence,
    layout::{Frame, Nav},
    parts::{self, col, fact},
    watched,
};
use crate::{
    error::Failure,
    format::{grouped, money},
    insight::{Answer, Fate, IncidentDetail, IncidentView, Step},
    router::Shared,
    visit::Visit,
};

/// Refused payments that are listed at most.
const REFUSALS_SHOWN: usize = 20;
/// Harmed cards that are listed at most.
const CARDS_SHOWN: usize = 100;

/// Which incidents.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Filter {
    status: String,
}

const FILTERS: [(&str, &str); 4] = [
    ("open", "incidents-open"),
    ("over", "incidents-over"),
    ("retracted", "incidents-retracted"),
    ("all", "incidents-all"),
];

fn fits(filter: &str, incident: &IncidentView) -> Result<bool, Failure> {
    use diagnosis::Status;
    Ok(match filter {
        "" | "open" => incident.is_open(),
        "over" => incident.status == Status::Over || incident.handling == crate::insight::Handling::Closed,
        "retracted" => matches!(incident.status, Status::Retracted | Status::Absorbed),
        "all" => true,
        _ => return Err(Failure::not_understood("status", "open, over, retracted or all")),
    })
}

/// `GET /incidents`.
pub(crate) async fn list(
    State(state): State<Shared>,
    visit: Visit,
    Query(filter): Query<Filter>,
) -> Result<Markup, Failure> {
    let say = visit.say;
    let insight = &state.web.insight;
    let (all, behind_ms) = (insight.incidents().await?, insight.behind_ms().await?);
    let (suspicions, gaps) = (insight.suspicions().await?, insight.gaps().await?);
    let fitting: Result<Vec<bool>, Failure> = all.iter().map(|i| fits(&filter.status, i)).collect();
    let shown: Vec<&IncidentView> =
        all.iter().zip(fitting?).filter(|(_, fits)| *fits).map(|(i, _)| i).collect();
    let title = say.t("incidents-title");
    Ok(Frame::new(&visit, Nav::Incidents, &title).page(html! {
        nav class="tabs" aria-label=(say.t("incidents-which")) {
            @for (name, key) in FILTERS {
                @let current = filter.status == name || (filter.status.is_empty() && name == "open");
                a class="choice" href={ "/incidents?status=" (name) } aria-current=[current.then_some("page")] { (say.t(key)) }
            }
        }
        (parts::live(&visit, html! {
            (watched::behind(&visit, behind_ms))
            (watched::gaps(&visit, &gaps))
            section class="card" aria-label=(title) {
                @if shown.is_empty() {
                    (nothing(&visit, all.is_empty()))
                } @else {
                    (table(&visit, &title, &shown))
                }
            }
            (watched::section(&visit, &suspicions))
        }))
    }))
}

fn nothing(visit: &Visit, none_at_all: bool) -> Markup {
    let say = visit.say;
    if none_at_all {
        parts::empty(
            &say.t("incidents-none"),
            &say.t("incidents-none-words"),
            Some("pinward drill play wrong-key"),
        )
    } else {
        parts::empty(&say.t("incidents-none-here"), &say.t("incidents-none-here-words"), None)
    }
}

/// Lists of incidents have the same columns everywhere.
pub(crate) fn table(visit: &Visit, caption: &str, incidents: &[&IncidentView]) -> Markup {
    let cols = [
        col("col-cause", "grow"),
        col("col-object", ""),
        col("col-onset", "mono num"),
        col("col-confidence", "num"),
        col("col-cards", "num"),
        col("col-refused", "num"),
        col("col-status", ""),
    ];
    let rows: Vec<Vec<Markup>> = incidents
        .iter()
        .map(|i| {
            vec![
                html! { a class="row" href={ "/incidents/" (i.id) } { (cause::chip(visit, i.cause)) } },
                html! { (cause::scope_words(visit, &i.scope)) },
                parts::time(&visit.clock, i.onset),
                html! { (cause::certainty(visit.say, i.confidence)) " " span class="quiet" { (cause::confidence(i.confidence)) } },
                html! { (grouped(i.cards.into())) },
                html! { (grouped(i.refused.0.into())) },
                cause::standing(visit, i),
            ]
        })
        .collect();
    parts::table(visit.say, caption, &cols, &rows)
}

/// `GET /incidents/{incident}`.
pub(crate) async fn page(
    State(state): State<Shared>,
    visit: Visit,
    Path(id): Path<String>,
    Query(after): Query<deeds::After>,
) -> Result<Markup, Failure> {
    let id: u64 = id.parse().map_err(|_| Failure::NotFound)?;
    let incident = state.web.insight.incident(id).await?.ok_or(Failure::NotFound)?;
    let refusals = refusals(&state, &incident).await?;
    let say = visit.say;
    let title = handbook::cause_text(incident.view.cause).name(visit.lang()).to_owned();
    let no = say.with("incident-no", [("id", id.to_string().into())]);
    let frame = Frame {
        beside: html! { (no) },
        actions: super::transaction::copy_link(say),
        ..Frame::new(&visit, Nav::Incidents, &title)
    };
    Ok(frame.page(html! {
        (deeds::done(&visit, &after))
        (parts::live(&visit, html! {
            (verdict(&visit, &incident))
            div class="columns two-one" {
                div {
                    (harmed(&visit, &incident))
                    (refused(&visit, &refusals))
                    (answers(&visit, &incident))
                }
                div {
                    (evidence::list(&visit, &incident.evidence))
                    (history(&visit, &incident))
                }
            }
        }))
        (cause::playbook(&visit, incident.view.cause))
    }))
}

async fn refusals(state: &Shared, incident: &IncidentDetail) -> Result<Vec<TransactionRow>, Failure> {
    let mut rows = Vec::new();
    for rrn in incident.refusals.iter().take(REFUSALS_SHOWN) {
        if let Some(detail) = state.web.archive.transaction(rrn).await? {
            rows.push(detail.row);
        }
    }
    Ok(rows)
}

fn verdict(visit: &Visit, incident: &IncidentDetail) -> Markup {
    let (say, view) = (visit.say, &incident.view);
    html! {
        section class={ "card verdict " (cause::family(view.cause).name()) } aria-labelledby="verdict-title" {
            h2 id="verdict-title" { (say.t("verdict")) }
            p class="bold" { (cause::incident_sentence(visit, view)) }
            p class="quiet" {
                (cause::standing(visit, view)) " "
                (cause::confidence_words(visit, view.confidence))
                @if let Some(second) = view.second { " " (say.t("why-else")) " " (handbook::cause_text(second).name(visit.lang())) }
            }
            dl class="facts" {
                (fact(&say.t("col-object"), cause::scope_link(visit, &view.scope)))
                (fact(&say.t("incident-onset"), parts::time_full(&visit.clock, view.onset)))
                (fact(&say.t("incident-detected"), html! {
                    (parts::time_full(&visit.clock, view.detected))
                    " \u{b7} " (say.with("incident-sessions", [("count", incident.sessions_to_detection.into())]))
                }))
                (fact(&say.t("incident-last-seen"), parts::time_full(&visit.clock, view.ended.unwrap_or(view.last_seen))))
                @if let Some(name) = &view.assignee { (fact(&say.t("incident-assignee"), html! { (name) })) }
                (fact(&say.t("incident-touched"), html! {
                    (say.with("incident-touched-words", [
                        ("cards", view.cards.into()),
                        ("refused", view.refused.0.into()),
                        ("sum", money(view.refused.1, Currency::CNY).into()),
                    ]))
                }))
                @if let Some(parent) = incident.parent {
                    (fact(&say.t("incident-parent"), incident_link(visit, parent)))
                }
                @if !incident.children.is_empty() {
                    (fact(&say.t("incident-children"), html! { @for child in &incident.children { (incident_link(visit, *child)) " " } }))
                }
            }
            (deeds::on_incident(visit, view))
            (deeds::handle_forms(visit, view))
        }
    }
}

fn incident_link(visit: &Visit, id: u64) -> Markup {
    html! { a href={ "/incidents/" (id) } { (visit.say.with("incident-no", [("id", id.to_string().into())])) } }
}

fn harmed(visit: &Visit, incident: &IncidentDetail) -> Markup {
    let say = visit.say;
    let title = say.t("harmed-title");
    let cols = [col("col-card", "mono"), col("col-locked", ""), col("col-restored", "grow")];
    let rows: Vec<Vec<Markup>> = incident
        .harmed
        .iter()
        .take(CARDS_SHOWN)
        .map(|h| {
            vec![
                html! { a class="row" href={ "/cards/" (h.card) } { (h.pan) } },
                html! { @if h.locked { (parts::chip(Family::Lock, &say.t("locked"))) } @else { span class="quiet" { "\u{2013}" } } },
                html! {
                    @match h.fate {
                        Fate::Restored => (parts::chip(Family::Ok, &say.t("restored"))),
                        Fate::AlreadyReset => (parts::chip(Family::Neutral, &say.t("already-reset"))),
                        Fate::Waits => (parts::chip(Family::Warn, &say.t("not-restored"))),
                    }
                },
            ]
        })
        .collect();
    html! {
        section id="harmed" class="card" aria-labelledby="harmed-title" {
            h2 id="harmed-title" { (title) }
            @if rows.is_empty() {
                p class="quiet" { (say.t("harmed-none")) }
            } @else {
                (parts::table(say, &title, &cols, &rows))
                @if incident.harmed.len() > CARDS_SHOWN {
                    p class="quiet" { (say.with("and-more", [("count", (incident.harmed.len() - CARDS_SHOWN).into())])) }
                }
            }
        }
    }
}

fn refused(visit: &Visit, rows: &[TransactionRow]) -> Markup {
    let say = visit.say;
    let title = say.t("refused-title");
    html! {
        section class="card" aria-labelledby="refused-title" {
            h2 id="refused-title" { (title) }
            @if rows.is_empty() { p class="quiet" { (say.t("refused-none")) } }
            @else { (parts::refusals(say, &visit.clock, &title, rows)) }
        }
    }
}

fn answers(visit: &Visit, incident: &IncidentDetail) -> Markup {
    let say = visit.say;
    let title = say.t("answers-title");
    let cols = [
        col("answer-kind", ""),
        col("answer-name", "grow"),
        col("col-began", "mono num"),
        col("answer-before", "num"),
        col("answer-after", "num"),
    ];
    let rate = |per_week: f64| html! { (format!("{per_week:.1}")) };
    let row = |a: &Answer| {
        vec![
            html! { (say.t(deeds::answer_key(a.kind))) },
            html! { (a.name) " " span class="quiet" { (a.by) } },
            parts::time(&visit.clock, a.at),
            rate(a.before),
            rate(a.after),
        ]
    };
    html! {
        section class="card" aria-labelledby="answers-title" {
            h2 id="answers-title" { (title) }
            @if incident.answers.is_empty() { p class="quiet" { (say.t("answers-none")) } }
            @else { (parts::table(say, &title, &cols, &incident.answers.iter().map(row).collect::<Vec<_>>())) }
            (deeds::answer_form(visit, &incident.view))
        }
    }
}

fn history(visit: &Visit, incident: &IncidentDetail) -> Markup {
    let say = visit.say;
    html! {
        section class="card" aria-labelledby="history-title" {
            h2 id="history-title" { (say.t("history-title")) }
            ol class="timeline" {
                @for step in &incident.history {
                    li {
                        span class="mono time" { (parts::time(&visit.clock, step.at)) }
                        i aria-hidden="true" {}
                        div { (step_words(visit, step)) }
                    }
                }
            }
        }
    }
}

fn step_words(visit: &Visit, step: &Step) -> Markup {
    let say = visit.say;
    let key = format!("step-{}", step.what);
    html! {
        (say.maybe(&key).unwrap_or_else(|| step.what.clone().into()))
        @if let Some((cause, confidence)) = step.cause {
            " " (cause::chip(visit, cause)) " " span class="quiet" { (cause::confidence(confidence)) }
        }
        @if !step.note.is_empty() { span class="quiet" { " \u{b7} " (step.note) } }
        @if let Some(by) = &step.by { span class="quiet" { " \u{b7} " (by) } }
    }
}

/// What needs somebody first: how grave it is, how sure, and how many cards it touches, weighed together.
pub(crate) fn ranked(mut incidents: Vec<IncidentView>) -> Vec<IncidentView> {
    use diagnosis::cause::Origin;
    incidents.retain(IncidentView::is_open);
    let grave = |i: &IncidentView| match i.cause.origin() {
        Origin::Attack => 4.0,
        Origin::Fault => 3.0,
        Origin::Holder => 1.0,
    };
    let weight = |i: &IncidentView| grave(i) * f64::from(i.confidence) * (1.0 + f64::from(i.cards)).ln_1p();
    incidents.sort_by(|a, b| weight(b).total_cmp(&weight(a)).then(b.onset.cmp(&a.onset)));
    incidents
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::insight::{Belongs, Handling, ScopeView};
    use diagnosis::{Cause, Status};
    use model::{Amount, Timestamp};

    fn incident(id: u64, cause: Cause, cards: u32, status: Status) -> IncidentView {
        IncidentView {
            id,
            cause,
            second: None,
            scope: ScopeView { kind: "terminal", id: "T1".into(), name: "T1".into() },
            onset: Timestamp(0),
            detected: Timestamp(0),
            last_seen: Timestamp(0),
            ended: None,
            confidence: 0.9,
            status,
            handling: Handling::New,
            assignee: None,
            cards,
            refused: (cards, Amount(0)),
            to_restore: 0,
            belongs: Belongs::default(),
        }
    }

    #[test]
    fn attacks_come_first_and_what_is_over_does_not_come() {
        let list = ranked(vec![
            incident(1, Cause::Forgotten, 1, Status::Open),
            incident(2, Cause::KeypadFault, 9, Status::Open),
            incident(3, Cause::PinSpray, 9, Status::Provisional),
            incident(4, Cause::ZoneKey, 900, Status::Over),
        ]);
        assert_eq!(list.iter().map(|i| i.id).collect::<Vec<_>>(), [3, 2, 1]);
    }

    #[test]
    fn a_status_that_nobody_has_is_not_understood() {
        assert!(fits("red", &incident(1, Cause::Forgotten, 1, Status::Open)).is_err());
    }
}
