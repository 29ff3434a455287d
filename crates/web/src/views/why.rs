//! Why was it refused: the verdict in one sentence, how sure, on what evidence, what was around it, and what everybody
//! does now.

use axum::{
    Json,
    extract::{Path, Query, State},
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use maud::{Markup, html};
use model::reason::Family;
use serde_json::json;
use store::archive::TransactionDetail;

use super::{
    cause, deeds, evidence, lanes,
    layout::{Frame, Nav},
    parts,
};
use crate::{
    actor::Actor,
    error::Failure,
    insight::{IncidentDetail, VerdictView},
    router::Shared,
    seen, service,
    visit::{Visit, encode},
};

/// `GET /why/{rrn}`.
pub(crate) async fn page(
    State(state): State<Shared>,
    visit: Visit,
    actor: Actor,
    Path(rrn): Path<String>,
    Query(after): Query<deeds::After>,
) -> Result<Markup, Failure> {
    let (detail, verdict, incident) = found(&state, &rrn).await?;
    seen::of_transaction(&state, &actor, &detail.row).await?;
    let said_after = state.web.rules.after(&detail.row).await?;
    let rules = super::rule_hits::sections(&visit, detail.rules.as_deref(), said_after.as_ref());
    let title = title(&visit, &detail);
    let frame = Frame {
        beside: html! { a href=(parts::transaction_href(&rrn)) { "RRN " (rrn) } },
        actions: super::transaction::copy_link(visit.say),
        ..Frame::new(&visit, Nav::Incidents, &title)
    };
    Ok(frame.page(html! {
        (deeds::done(&visit, &after))
        @match &verdict {
            None => (unknown(&visit, &detail)),
            Some(v) => (known(&visit, &detail, v, incident.as_ref(), &rules)),
        }
    }))
}

async fn found(
    state: &Shared,
    rrn: &str,
) -> Result<(TransactionDetail, Option<VerdictView>, Option<IncidentDetail>), Failure> {
    let detail = service::transaction(state, rrn).await?;
    let verdict = state.web.insight.verdict(rrn).await?;
    let incident = match verdict.as_ref().and_then(|v| v.incident) {
        Some(id) => state.web.insight.incident(id).await?,
        None => None,
    };
    Ok((detail, verdict, incident))
}

fn title(visit: &Visit, detail: &TransactionDetail) -> String {
    let kind = parts::kind(&detail.row, visit.say);
    visit
        .say
        .with("why-declined", [("code", detail.row.code.as_str().into()), ("kind", kind.into())])
        .into_owned()
}

/// Nothing was refused, or it was too long ago.
fn unknown(visit: &Visit, detail: &TransactionDetail) -> Markup {
    let say = visit.say;
    let row = &detail.row;
    let key = if service::is_approved(row) { "why-none-approved" } else { "why-none" };
    html! {
        section class={ "card verdict " (row.family.name()) } aria-labelledby="verdict-title" {
            h2 id="verdict-title" { (say.t("verdict")) }
            p class="bold" { (parts::sentence(row, visit.lang(), &visit.clock)) }
            p class="quiet" { (say.t(key)) }
        }
        (lanes::timeline(visit, detail))
    }
}

fn known(
    visit: &Visit,
    detail: &TransactionDetail,
    v: &VerdictView,
    incident: Option<&IncidentDetail>,
    rules: &Markup,
) -> Markup {
    html! {
        (verdict(visit, detail, v, incident))
        div class="columns two-one" {
            div {
                (lanes::timeline(visit, detail))
                (pattern(visit, incident))
            }
            div {
                (evidence::list(visit, &v.evidence))
                (rules)
                (feedback(visit, detail, v))
            }
        }
        (cause::playbook(visit, v.cause))
    }
}

fn verdict(
    visit: &Visit,
    detail: &TransactionDetail,
    v: &VerdictView,
    incident: Option<&IncidentDetail>,
) -> Markup {
    let (say, row) = (visit.say, &detail.row);
    let view = incident.map(|i| &i.view);
    html! {
        section class={ "card verdict " (cause::family(v.cause).name()) } aria-labelledby="verdict-title" {
            h2 id="verdict-title" { (say.t("verdict")) }
            p class="bold" { (cause::sentence(visit, v.cause, row, view)) }
            p class="quiet" {
                (cause::chip(visit, v.cause)) " "
                (cause::confidence_words(visit, v.confidence)) " "
                (say.t(if row.try_charged { "try-charged" } else { "try-not-charged" }))
                @if v.revised.0 > 0 {
                    " " (say.with("why-revised", [("count", v.revised.0.into()), ("when", visit.clock.relative(v.revised.1).into())]))
                }
            }
            (counter(visit, v))
            (super::desk::advice(visit, &row.merchant))
            (deeds::on_refusal(visit, row, incident))
        }
    }
}

/// What speaks against it, and what else it could be.
fn counter(visit: &Visit, v: &VerdictView) -> Markup {
    let say = visit.say;
    let against = v.evidence.iter().filter(|e| e.weight < 0.0).min_by(|a, b| a.weight.total_cmp(&b.weight));
    html! {
        p {
            strong { (say.t("why-against")) } " "
            @match against {
                Some(piece) => (evidence::sentence(visit, piece)),
                None => (say.t("why-against-none")),
            }
            @if let Some((next, probability)) = v.others.first() {
                " " (say.t("why-else")) " " (handbook::cause_text(*next).name(visit.lang()))
                " " span class="quiet" { "(" (cause::confidence(*probability)) ")" }
            }
        }
    }
}

/// The incident behind it.
fn pattern(visit: &Visit, incident: Option<&IncidentDetail>) -> Markup {
    let say = visit.say;
    html! {
        section class="card" aria-labelledby="pattern-title" {
            h2 id="pattern-title" { (say.t("pattern-title")) }
            @match incident {
                None => p class="quiet" { (say.t("pattern-none")) },
                Some(i) => {
                    p {
                        a href={ "/incidents/" (i.view.id) } { (say.with("incident-no", [("id", i.view.id.to_string().into())])) }
                        " " (cause::chip(visit, i.view.cause)) " " (cause::scope_link(visit, &i.view.scope)) " " (cause::standing(visit, &i.view))
                    }
                    p class="quiet" {
                        (say.with("pattern-words", [
                            ("cards", i.view.cards.into()),
                            ("refused", i.view.refused.0.into()),
                            ("onset", visit.clock.relative(i.view.onset).into()),
                        ]))
                    }
                }
            }
        }
    }
}

/// "Wrong verdict", and what was said so far.
fn feedback(visit: &Visit, detail: &TransactionDetail, v: &VerdictView) -> Markup {
    let say = visit.say;
    html! {
        section class="card" aria-labelledby="feedback-title" {
            h2 id="feedback-title" { (say.t("feedback-title")) }
            @if !v.contradicted.is_empty() {
                ul class="plain" {
                    @for (at, who, cause) in &v.contradicted {
                        li {
                            (parts::chip(Family::Warn, &say.t("feedback-wrong"))) " " (who) " \u{b7} " (visit.clock.relative(*at))
                            @if let Some(cause) = cause { " \u{b7} " (handbook::cause_text(*cause).name(visit.lang())) }
                        }
                    }
                }
            }
            (deeds::contradict_form(visit, &detail.row.rrn))
        }
    }
}

/// `GET /why/{rrn}/evidence.json`: all of it as a file, for a case.
pub(crate) async fn file(
    State(state): State<Shared>,
    Path(rrn): Path<String>,
    actor: Actor,
) -> Result<Response, Failure> {
    let (detail, verdict, incident) = found(&state, &rrn).await?;
    seen::of_transaction(&state, &actor, &detail.row).await?;
    let verdict = verdict.ok_or(Failure::NotFound)?;
    let text = handbook::cause_text(verdict.cause);
    let pieces = |pieces: &[crate::insight::Piece]| {
        pieces
            .iter()
            .map(|p| json!({ "name": p.name, "weight": p.weight, "values": p.values.iter().cloned().collect::<std::collections::BTreeMap<_, _>>() }))
            .collect::<Vec<_>>()
    };
    let lines = detail.same_card.iter().map(|row| {
        json!({ "at": row.at.0, "rrn": row.rrn, "code": row.code, "reason": row.reason, "pan": row.pan, "terminal": row.terminal, "try_charged": row.try_charged })
    });
    let body = json!({
        "rrn": rrn,
        "cause": verdict.cause,
        "name": { "zh": text.name(handbook::Lang::Zh), "en": text.name(handbook::Lang::En) },
        "confidence": verdict.confidence,
        "evidence": pieces(&verdict.evidence),
        "incident": incident.map(|i| json!({
            "id": i.view.id, "cause": i.view.cause, "scope": { "kind": i.view.scope.kind, "id": i.view.scope.id },
            "onset": i.view.onset.0, "detected": i.view.detected.0, "evidence": pieces(&i.evidence),
        })),
        "lines": lines.collect::<Vec<_>>(),
    });
    let name = format!("attachment; filename=\"evidence-{}.json\"", encode(&rrn));
    let name = HeaderValue::from_str(&name).map_err(|e| Failure::Internal(e.to_string()))?;
    Ok(([(header::CONTENT_DISPOSITION, name)], Json(body)).into_response())
}
