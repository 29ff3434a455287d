//! The merchant's small page: what was refused today and what to tell the customer, and the shop's own people. For telephones first,
//! without an account: whoever has the link is the shop, until it expires. Whatever link leads nowhere is one page, which does not say
//! whether there is such a merchant.

use axum::{
    Form,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use maud::{Markup, html};
use model::reason::Family;
use operator::{Password, Role};
use serde::Deserialize;
use shop::{NotDone, OperatorView, Pass};

use super::{holder, parts};
use crate::{
    error::Failure,
    router::Shared,
    shops::{self, Deed, NotDoneOrFailure, Refusal},
    visit::Visit,
};

/// What a form about one of the shop's people sends.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Typed {
    pub(crate) operator: String,
    pub(crate) deed: String,
}

/// What came of it.
pub(crate) enum After {
    Nothing,
    /// A first password, shown once.
    First(String, Password),
    Closed(String),
    /// What was typed, and the key of what is wrong with it.
    Wrong(String, &'static str),
}

/// `GET /shop/{token}`.
pub(crate) async fn page(
    State(state): State<Shared>,
    visit: Visit,
    Path(token): Path<String>,
) -> Result<Response, Failure> {
    match came(&state, &token).await? {
        Some(pass) => shown(&state, &visit, &token, &pass, After::Nothing).await,
        None => Ok(neutral(&visit)),
    }
}

/// `POST /shop/{token}`.
pub(crate) async fn act(
    State(state): State<Shared>,
    visit: Visit,
    Path(token): Path<String>,
    Form(typed): Form<Typed>,
) -> Result<Response, Failure> {
    let Some(pass) = came(&state, &token).await? else { return Ok(neutral(&visit)) };
    let by = shops::visitor(pass.merchant);
    let after = done(&state, &by, pass.merchant, &typed).await?;
    shown(&state, &visit, &token, &pass, after).await
}

/// Does what a form asks for.
pub(super) async fn done(
    state: &Shared,
    by: &crate::actor::Actor,
    merchant: model::MerchantId,
    typed: &Typed,
) -> Result<After, Failure> {
    let wrong = |key| Ok(After::Wrong(typed.operator.clone(), key));
    let Some(deed) = Deed::named(&typed.deed) else { return wrong("shop-wrong-number") };
    let Ok(operator) = typed.operator.trim().parse() else { return wrong("shop-wrong-number") };
    let number = typed.operator.trim().to_owned();
    match shops::act(state, by, merchant, operator, deed).await {
        Ok(Some(first)) => Ok(After::First(number, first)),
        Ok(None) => Ok(After::Closed(number)),
        Err(NotDoneOrFailure::NotDone(NotDone::Taken)) => wrong("shop-taken"),
        Err(NotDoneOrFailure::NotDone(_)) => wrong("shop-no-operator"),
        Err(NotDoneOrFailure::Failure(failure)) => Err(failure),
    }
}

/// Who comes by this link.
async fn came(state: &Shared, token: &str) -> Result<Option<Pass>, Failure> {
    let Some(desk) = &state.web.shop else { return Ok(None) };
    match desk.visit(token).await {
        Ok(pass) => Ok(Some(pass)),
        Err(NotDone::Store(error)) => Err(error.into()),
        Err(_) => Ok(None),
    }
}

fn neutral(visit: &Visit) -> Response {
    let say = visit.say;
    let body = html! { p { (say.t("shop-nowhere")) } };
    (StatusCode::NOT_FOUND, holder::frame(visit, &say.t("shop-nowhere-title"), body, false)).into_response()
}

async fn shown(
    state: &Shared,
    visit: &Visit,
    token: &str,
    pass: &Pass,
    after: After,
) -> Result<Response, Failure> {
    let say = visit.say;
    let refusals = shops::today(state, pass.merchant, visit.lang()).await?;
    let people = shops::desk(state)?.operators(pass.merchant).await?;
    let status =
        if matches!(after, After::Wrong(..)) { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let action = format!("/shop/{token}");
    let body = html! {
        (said(visit, &after))
        h2 { (say.t("shop-today")) }
        (today(visit, &refusals))
        h2 { (say.t("shop-people")) }
        (operators(visit, &people, &action, &after))
        p class="quiet" { (say.with("shop-until", [("until", visit.clock.full(pass.until).into())])) }
    };
    let title = say.with("shop-title", [("merchant", pass.merchant.as_str().into())]);
    Ok((status, holder::frame(visit, &title, body, false)).into_response())
}

/// What was just done.
pub(super) fn said(visit: &Visit, after: &After) -> Markup {
    let say = visit.say;
    html! {
        @match after {
            After::Nothing | After::Wrong(..) => {}
            After::First(operator, first) => {
                div class="notice ok" role="status" {
                    p { (say.with("shop-first", [("operator", operator.as_str().into())])) }
                    p class="big mono" id="first-password" { (first.reveal()) }
                    p class="quiet" { (say.t("shop-first-once")) }
                }
            }
            After::Closed(operator) => {
                p class="notice ok" role="status" { (say.with("shop-closed", [("operator", operator.as_str().into())])) }
            }
        }
    }
}

/// What was refused, and what to tell the customer.
pub(super) fn today(visit: &Visit, refusals: &[Refusal]) -> Markup {
    let say = visit.say;
    html! {
        @if refusals.is_empty() { p class="quiet" { (say.t("shop-none")) } }
        @else {
            ol class="refusals" {
                @for refusal in refusals {
                    li {
                        p {
                            (parts::time(&visit.clock, refusal.row.at)) " "
                            @if refusal.row.amount.is_some() { strong { (parts::amount(&refusal.row)) } " " }
                            span class="quiet" {
                                (say.with("shop-terminal", [("terminal", refusal.row.terminal.as_str().into())]))
                                @if let Some(tail) = tail(refusal) { " " (say.with("shop-card", [("tail", tail.into())])) }
                            }
                        }
                        p { (parts::chip(refusal.row.family, &refusal.what)) }
                        @if !refusal.cashier.is_empty() { p { (refusal.cashier) } }
                        p class="tell" { strong { (say.t("shop-tell")) } " " (refusal.customer) }
                    }
                }
            }
        }
    }
}

fn tail(refusal: &Refusal) -> Option<String> {
    let pan = refusal.row.pan.as_ref()?.to_string();
    pan.get(pan.len().checked_sub(4)?..).map(str::to_owned)
}

/// The shop's people, with a reset for each, and a form for another.
pub(super) fn operators(visit: &Visit, people: &[OperatorView], action: &str, after: &After) -> Markup {
    let say = visit.say;
    let (typed, wrong) = match after {
        After::Wrong(typed, key) => (typed.as_str(), Some(*key)),
        _ => ("", None),
    };
    html! {
        @if people.is_empty() { p class="quiet" { (say.t("shop-nobody")) } }
        @else {
            ul class="people" {
                @for one in people {
                    li {
                        span { strong class="mono" { (one.operator) } " " (say.t(role(one))) " " (state(visit, one)) }
                        form method="post" action=(action) {
                            input type="hidden" name="operator" value=(one.operator);
                            button class="button" type="submit" name="deed" value="reset" {
                                (say.t("shop-reset")) span class="sr" { " " (one.operator) }
                            }
                        }
                    }
                }
            }
        }
        form class="row-form" method="post" action=(action) autocomplete="off" {
            label {
                span { (say.t("shop-number")) }
                input name="operator" inputmode="numeric" pattern="[0-9]{2}" maxlength="2" required value=(typed)
                    aria-describedby=[wrong.map(|_| "wrong")] aria-invalid=[wrong.map(|_| "true")];
            }
            button class="button" type="submit" name="deed" value="open" { (say.t("shop-open")) }
            button class="button" type="submit" name="deed" value="close" { (say.t("shop-close")) }
        }
        @if let Some(key) = wrong { p class="problem" role="alert" id="wrong" { (say.t(key)) } }
        p class="quiet" { (say.t("shop-people-words")) }
    }
}

fn role(one: &OperatorView) -> &'static str {
    match one.role {
        Role::Cashier => "shop-cashier",
        Role::Supervisor => "shop-supervisor",
    }
}

fn state(visit: &Visit, one: &OperatorView) -> Markup {
    let say = visit.say;
    if one.locked {
        parts::chip(Family::Lock, &say.t("shop-locked"))
    } else if one.must_change {
        parts::chip(Family::Warn, &say.t("shop-must-change"))
    } else {
        html! {}
    }
}
