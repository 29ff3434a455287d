//! What waits for a second person, who works here, and the log of who did what.

use axum::{
    Form,
    extract::{Path, Query, State},
    http::{HeaderMap, HeaderValue, header},
    response::{IntoResponse, Redirect, Response},
};
use maud::{Markup, html};
use model::reason::Family;
use serde::Deserialize;
use staff::{Proposal, proposal::Status};

use super::{
    layout::{Frame, Nav},
    parts,
};
use crate::{
    actor::Actor,
    contact::{self, NewNumber},
    error::Failure,
    perform::{self, Action, Asked},
    router::Shared,
    service,
    visit::Visit,
};

/// `GET /proposals`.
pub(crate) async fn proposals(State(state): State<Shared>, visit: Visit, actor: Actor) -> Markup {
    let say = visit.say;
    let title = say.t("proposals-title");
    let all = match &state.web.office {
        Some(office) => office.proposals().await,
        None => Vec::new(),
    };
    Frame::new(&visit, Nav::Proposals, &title).page(html! {
        p class="lead" { (say.t("proposals-lead")) }
        @if all.is_empty() { (parts::empty(&say.t("proposals-none"), &say.t("proposals-none-words"), None)) }
        @for (id, proposal) in &all { (one(&visit, &actor, id, proposal)) }
    })
}

fn one(visit: &Visit, actor: &Actor, id: &str, proposal: &Proposal) -> Markup {
    let say = visit.say;
    let open = proposal.status == Status::Open && visit.clock.now < proposal.until;
    let own = proposal.maker.name == actor.name();
    let table = staff::Permissions::builtin();
    let (family, key) = standing(proposal, open);
    let row = table.row(proposal.permission);
    let name = if visit.lang() == handbook::Lang::Zh { &row.zh } else { &row.en };
    html! {
        article class="card" id=(id) aria-label=(proposal.consequence) {
            div class="line" { h2 { (name) } (parts::chip(family, &say.t(key))) }
            p { strong { (proposal.consequence) } }
            p { (say.with("proposal-why", [("why", proposal.why.as_str().into())])) }
            p class="quiet" { (say.with("proposal-by", [("name", proposal.maker.name.as_str().into())])) " " (parts::time(&visit.clock, proposal.asked)) }
            @match &proposal.status {
                Status::Done { checker, result } => p { (say.with("proposal-done", [("name", checker.name.as_str().into())])) " " span class="quiet" { (result) } },
                Status::Declined { checker, why } => p { (say.with("proposal-declined", [("name", checker.name.as_str().into())])) " " (why) },
                _ => {}
            }
            @if open && actor.is_signed_in() && !own {
                form method="post" action=(format!("/proposals/{id}/approve")) class="inline" {
                    input type="hidden" name="shown" value=(proposal.shown());
                    button class="button primary" type="submit" { (say.t("proposal-approve")) }
                }
                form method="post" action=(format!("/proposals/{id}/decline")) class="inline" {
                    label class="sr" for=(format!("why-{id}")) { (say.t("why-label")) }
                    input id=(format!("why-{id}")) name="why" required maxlength="500" placeholder=(say.t("why-label"));
                    button class="button" type="submit" { (say.t("proposal-decline")) }
                }
            }
            @if open && !actor.is_signed_in() { p class="quiet" { a href="/sign-in?next=/proposals" { (say.t("proposal-sign-in")) } } }
            @if open && own {
                form method="post" action=(format!("/proposals/{id}/withdraw")) class="inline" { button class="button" type="submit" { (say.t("proposal-withdraw")) } }
            }
        }
    }
}

fn standing(proposal: &Proposal, open: bool) -> (Family, &'static str) {
    match proposal.status {
        Status::Open if open => (Family::Warn, "proposal-open"),
        Status::Open => (Family::Neutral, "proposal-expired"),
        Status::Approved { .. } => (Family::Sys, "proposal-approved"),
        Status::Declined { .. } => (Family::Neutral, "proposal-turned-down"),
        Status::Withdrawn => (Family::Neutral, "proposal-withdrawn"),
        Status::Done { .. } => (Family::Ok, "proposal-carried-out"),
    }
}

/// What was shown to whoever approves.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Shown {
    shown: String,
}

/// `POST /proposals/{id}/approve`.
pub(crate) async fn approve(
    State(state): State<Shared>,
    Path(id): Path<String>,
    actor: Actor,
    Form(form): Form<Shown>,
) -> Result<Redirect, Failure> {
    perform::approve(&state, &actor, &id, &form.shown).await?;
    Ok(Redirect::to("/proposals"))
}

/// Why.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Why {
    why: String,
}

/// `POST /proposals/{id}/decline`.
pub(crate) async fn decline(
    State(state): State<Shared>,
    Path(id): Path<String>,
    actor: Actor,
    Form(form): Form<Why>,
) -> Result<Redirect, Failure> {
    perform::decline(&state, &actor, &id, &form.why).await?;
    Ok(Redirect::to("/proposals"))
}

/// `POST /proposals/{id}/withdraw`.
pub(crate) async fn withdraw(
    State(state): State<Shared>,
    Path(id): Path<String>,
    actor: Actor,
) -> Result<Redirect, Failure> {
    perform::withdraw(&state, &actor, &id).await?;
    Ok(Redirect::to("/proposals"))
}

/// An action from a card's page.
#[derive(Deserialize)]
pub(crate) struct CardForm {
    action: authorization::desk::Action,
    #[serde(default)]
    why: String,
}

/// `POST /cards/{id}/actions`.
pub(crate) async fn act_on_card(
    State(state): State<Shared>,
    Path(id): Path<String>,
    actor: Actor,
    Form(form): Form<CardForm>,
) -> Result<Redirect, Failure> {
    let card = service::card(&state, &id).await?;
    let action = Action::Card { card: card.id, pan: card.record.pan.to_string(), what: form.action };
    go_on(&id, perform::ask(&state, &actor, action, &form.why).await?)
}

/// `POST /cards/{id}/reset-pin`.
pub(crate) async fn reset_pin(
    State(state): State<Shared>,
    Path(id): Path<String>,
    actor: Actor,
    Form(form): Form<Why>,
) -> Result<Redirect, Failure> {
    let card = service::card(&state, &id).await?;
    let action = Action::ResetPin { card: card.id, pan: card.record.pan.to_string(), proven: None };
    go_on(&id, perform::ask(&state, &actor, action, &form.why).await?)
}

/// `POST /cards/{id}/page`.
pub(crate) async fn send_page(
    State(state): State<Shared>,
    Path(id): Path<String>,
    actor: Actor,
    Form(form): Form<Why>,
) -> Result<Redirect, Failure> {
    let card = service::card(&state, &id).await?;
    let action = Action::SendPage { card: card.id, pan: card.record.pan.to_string() };
    go_on(&id, perform::ask(&state, &actor, action, &form.why).await?)
}

/// Another number, from a card's page.
#[derive(Deserialize)]
pub(crate) struct ContactForm {
    #[serde(default)]
    number: String,
    #[serde(default)]
    language: String,
    #[serde(default)]
    why: String,
}

/// `POST /cards/{id}/contact`.
pub(crate) async fn change_contact(
    State(state): State<Shared>,
    Path(id): Path<String>,
    actor: Actor,
    Form(form): Form<ContactForm>,
) -> Result<Redirect, Failure> {
    let card = service::card(&state, &id).await?;
    let number = NewNumber::typed(&form.number, &form.language)?;
    let change = contact::asked_for(&state, card.id, &number).await?;
    let pan = card.record.pan.to_string();
    let action = Action::ChangeContact { card: card.id, pan, change, proven: None };
    go_on(&id, perform::ask(&state, &actor, action, &form.why).await?)
}

fn go_on(card: &str, asked: Asked) -> Result<Redirect, Failure> {
    Ok(match asked {
        Asked::Done(_) => Redirect::to(&format!("/cards/{card}")),
        Asked::Waits(proposal) => Redirect::to(&format!("/proposals#{proposal}")),
    })
}

/// Which part of the log.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Part {
    before: Option<u32>,
}

/// `GET /audit`.
pub(crate) async fn audit_log(
    State(state): State<Shared>,
    visit: Visit,
    Query(part): Query<Part>,
) -> Result<Markup, Failure> {
    let say = visit.say;
    let title = say.t("audit-title");
    let records = match &state.web.office {
        Some(office) => office.records(part.before, service::LIMIT).await?,
        None => Vec::new(),
    };
    let cols = [
        parts::col("col-number", "num"),
        parts::col("col-time", ""),
        parts::col("col-who", ""),
        parts::col("audit-action", "mono"),
        parts::col("audit-object", "mono"),
        parts::col("why-label", "grow"),
        parts::col("col-outcome", ""),
    ];
    let rows: Vec<Vec<Markup>> = records.iter().map(|(_, record)| audit_row(&visit, record)).collect();
    let older = records.last().map(|(seq, _)| *seq).filter(|seq| *seq > 1);
    Ok(Frame::new(&visit, Nav::Audit, &title).page(html! {
        p class="lead" { (say.t("audit-lead")) }
        @if rows.is_empty() {
            (parts::empty(&say.t("audit-none"), &say.t("audit-none-words"), None))
        } @else {
            (parts::table(say, &title, &cols, &rows))
            p { @if let Some(before) = older { a class="button" href=(format!("/audit?before={before}")) { (say.t("more")) } " " } a class="button" href="/audit/export" { (say.t("audit-export")) } }
        }
        @if let Some(office) = &state.web.office { p class="quiet" { (say.t("audit-key")) " " span class="mono wrap" { (office.audit_key()) } } }
    }))
}

fn audit_row(visit: &Visit, record: &audit::Record) -> Vec<Markup> {
    let (family, key) = match record.outcome {
        audit::record::Outcome::Done => (Family::Ok, "outcome-done"),
        audit::record::Outcome::Refused => (Family::Warn, "outcome-refused"),
        audit::record::Outcome::Failed => (Family::Sys, "outcome-failed"),
    };
    vec![
        html! { (record.index) },
        parts::time(&visit.clock, record.at),
        html! { (record.actor) },
        html! { (record.action) },
        html! { @if let Some(object) = &record.object { (object) } },
        html! { @if let Some(why) = &record.why { (why) } },
        parts::chip(family, &visit.say.t(key)),
    ]
}

/// `GET /audit/export`.
pub(crate) async fn export(State(state): State<Shared>, actor: Actor) -> Result<Response, Failure> {
    let office = state.web.office.as_ref().ok_or(Failure::NotFound)?;
    let mut out = Vec::new();
    office.export(&actor.0, &mut out).await?;
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/jsonl"));
    headers.insert(
        header::CONTENT_DISPOSITION,
        HeaderValue::from_static("attachment; filename=\"audit.jsonl\""),
    );
    Ok((headers, out).into_response())
}

/// `GET /staff`.
pub(crate) async fn staff(State(state): State<Shared>, visit: Visit) -> Markup {
    let say = visit.say;
    let title = say.t("staff-title");
    let accounts = match &state.web.office {
        Some(office) => office.accounts().await,
        None => Vec::new(),
    };
    let cols = [
        parts::col("col-username", "mono"),
        parts::col("col-name", "grow"),
        parts::col("col-role", ""),
        parts::col("col-signed-in", ""),
        parts::col("col-state", ""),
    ];
    let rows: Vec<Vec<Markup>> = accounts
        .iter()
        .map(|account| {
            let (family, key) = if account.closed {
                (Family::Neutral, "staff-closed")
            } else if account.password.is_none() {
                (Family::Warn, "staff-not-set-up")
            } else if account.waits_until(visit.clock.now).is_some() {
                (Family::Lock, "staff-waits")
            } else {
                (Family::Ok, "staff-open")
            };
            vec![
                html! { (account.name) },
                html! { (account.display) },
                html! { @for role in &account.roles { span class="chip" { (say.t(&format!("role-{role}"))) } " " } },
                html! { @if let Some(at) = account.signed_in { (parts::time(&visit.clock, at)) } },
                parts::chip(family, &say.t(key)),
            ]
        })
        .collect();
    Frame::new(&visit, Nav::Staff, &title).page(html! {
        @if rows.is_empty() {
            (parts::empty(&say.t("staff-none"), &say.t("staff-none-words"), Some("pinward staff open NAME --role administrator")))
        } @else {
            (parts::table(say, &title, &cols, &rows))
        }
    })
}
