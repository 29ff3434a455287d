//! A shop as the staff see it: its people, today's refusals in the shop's words, and a link to the shop's own page.

use axum::{
    Form,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use maud::{Markup, html};
use model::MerchantId;
use serde::Deserialize;
use staff::Permission;

use super::{
    layout::{Frame, Nav},
    shop::{self, After, Typed},
};
use crate::{
    actor::Actor,
    error::Failure,
    router::Shared,
    service, shops,
    visit::{Visit, encode},
};

/// How long a link is good when nothing is said.
const LINK_HOURS: u32 = 12;

/// What the form of a link sends.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct LinkTyped {
    hours: String,
}

/// `GET /merchants/{merchant}`.
pub(crate) async fn page(
    State(state): State<Shared>,
    visit: Visit,
    Path(merchant): Path<String>,
) -> Result<Markup, Failure> {
    let (id, name) = shops::merchant(&state, &merchant).await?;
    shown(&state, &visit, (id, &name), After::Nothing, None).await
}

/// `POST /merchants/{merchant}/link`.
pub(crate) async fn link(
    State(state): State<Shared>,
    visit: Visit,
    actor: Actor,
    Path(merchant): Path<String>,
    Form(typed): Form<LinkTyped>,
) -> Result<Markup, Failure> {
    let (id, name) = shops::merchant(&state, &merchant).await?;
    let hours = hours(&typed.hours)?;
    let (address, until) = shops::link(&state, &actor, id, hours).await?;
    let made = html! {
        div class="notice ok" role="status" {
            p { (visit.say.with("merchant-link-made", [("until", visit.clock.full(until).into())])) }
            p { a class="mono wrap" id="shop-link" href=(address) rel="noreferrer" { (address) } }
        }
    };
    shown(&state, &visit, (id, &name), After::Nothing, Some(made)).await
}

/// `POST /merchants/{merchant}/people`.
pub(crate) async fn people(
    State(state): State<Shared>,
    visit: Visit,
    actor: Actor,
    Path(merchant): Path<String>,
    Form(typed): Form<Typed>,
) -> Result<Response, Failure> {
    let (id, name) = shops::merchant(&state, &merchant).await?;
    let after = shop::done(&state, &actor, id, &typed).await?;
    let status =
        if matches!(after, After::Wrong(..)) { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    Ok((status, shown(&state, &visit, (id, &name), after, None).await?).into_response())
}

pub(crate) fn hours(text: &str) -> Result<u32, Failure> {
    let hours = service::value("hours", text, "1 to 72")?.unwrap_or(LINK_HOURS);
    if (1..=::shop::LINK_HOURS_MAX).contains(&hours) {
        Ok(hours)
    } else {
        Err(Failure::not_understood("hours", "1 to 72"))
    }
}

async fn shown(
    state: &Shared,
    visit: &Visit,
    (merchant, name): (MerchantId, &str),
    after: After,
    made: Option<Markup>,
) -> Result<Markup, Failure> {
    let say = visit.say;
    let refusals = shops::today(state, merchant, visit.lang()).await?;
    let people = match &state.web.shop {
        Some(desk) => desk.operators(merchant).await?,
        None => Vec::new(),
    };
    let may = visit.may(Permission::ManageOperators) && state.web.shop.is_some();
    let here = format!("/merchants/{}", encode(merchant.as_str()));
    let frame = Frame {
        beside: html! { span class="mono" { (merchant) } },
        actions: html! { a class="button" href={ "/transactions?q=" (encode(merchant.as_str())) } { (say.t("merchant-transactions")) } },
        ..Frame::new(visit, Nav::Terminals, name)
    };
    Ok(frame.page(html! {
        @if let Some(made) = &made { (made) }
        (shop::said(visit, &after))
        div class="columns" {
            section class="card" aria-labelledby="shop-today" {
                h2 id="shop-today" { (say.t("shop-today")) }
                (shop::today(visit, &refusals))
            }
            div {
                @if may {
                    section class="card" aria-labelledby="merchant-link" {
                        h2 id="merchant-link" { (say.t("merchant-link")) }
                        p { (say.t("merchant-link-words")) }
                        form class="row-form" method="post" action={ (here) "/link" } {
                            label {
                                span { (say.t("merchant-hours")) }
                                input name="hours" type="number" min="1" max="72" value=(LINK_HOURS);
                            }
                            button class="button primary" type="submit" { (say.t("merchant-make")) }
                        }
                    }
                    section class="card" aria-labelledby="shop-people" {
                        h2 id="shop-people" { (say.t("merchant-people")) }
                        (shop::operators(visit, &people, &format!("{here}/people"), &after))
                    }
                }
            }
        }
    }))
}
