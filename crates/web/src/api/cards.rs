//! `GET /api/v1/cards` and one of them.

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use serde::{Deserialize, Serialize};

use super::{
    query::{ApiJson, ApiQuery},
    schema,
};
use crate::{
    actor::Actor,
    contact::{self, NewNumber},
    error::{Failure, Problem},
    perform::{self, Action, Asked},
    router::Shared,
    seen,
    service::{self, CardFilter},
};

/// Cards, most recently used first.
#[utoipa::path(
    get,
    path = "/api/v1/cards",
    tag = "cards",
    params(CardFilter),
    responses(
        (status = 200, description = "A part of the list.", body = schema::CardPage),
        (status = 422, description = "A part of the query means nothing.", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The store is away.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn list(
    State(state): State<Shared>,
    ApiQuery(filter): ApiQuery<CardFilter>,
) -> Result<Json<schema::CardPage>, Failure> {
    let page = service::cards(&state, &filter).await?;
    Ok(Json(schema::CardPage::new(page, &state.web.products)))
}

/// One card's PIN state.
#[utoipa::path(
    get,
    path = "/api/v1/cards/{id}",
    tag = "cards",
    params(("id" = String, Path, description = "The card's id, 32 hexadecimal digits; never its number.")),
    responses(
        (status = 200, description = "The card.", body = schema::Card),
        (status = 404, description = "No such card.", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The store is away.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn one(
    State(state): State<Shared>,
    Path(id): Path<String>,
    actor: Actor,
) -> Result<Json<schema::Card>, Failure> {
    let card = service::card(&state, &id).await?;
    seen::card(&state, &actor, card.id, "the API").await?;
    Ok(Json(schema::Card::new(card, &state.web.products)))
}

/// An action of staff on a card.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CardAction {
    /// `unlock`, `unrestrict`, `pass-step-up`, `block`, `block-lost`, `block-stolen` or `unblock`.
    #[schema(value_type = String)]
    action: authorization::desk::Action,
    /// Why, in a sentence.
    #[schema(min_length = 1, max_length = 500)]
    why: String,
}

/// What became of it.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct Answered {
    /// `done` or `waits-for-second-person`.
    status: &'static str,
    /// What came of it, when it was done.
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<String>,
    /// The proposal's id, when it waits.
    #[serde(skip_serializing_if = "Option::is_none")]
    proposal: Option<String>,
}

impl From<Asked> for (StatusCode, Json<Answered>) {
    fn from(asked: Asked) -> Self {
        let (code, status, result, proposal) = match asked {
            Asked::Done(result) => (StatusCode::OK, "done", Some(result), None),
            Asked::Waits(id) => (StatusCode::ACCEPTED, "waits-for-second-person", None, Some(id)),
        };
        (code, Json(Answered { status, result, proposal }))
    }
}

/// Acts on a card, or asks for it where a second person is needed.
#[utoipa::path(
    post,
    path = "/api/v1/cards/{id}/actions",
    tag = "cards",
    params(("id" = String, Path, description = "The card's id, 32 hexadecimal digits; never its number.")),
    request_body = CardAction,
    responses(
        (status = 200, description = "Done.", body = Answered),
        (status = 202, description = "It waits for a second person.", body = Answered),
        (status = 401, description = "Not signed in.", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "Not a role that may.", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such card.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "It does not fit the card's state.", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "The body is not understood.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn act(
    State(state): State<Shared>,
    Path(id): Path<String>,
    actor: Actor,
    ApiJson(wanted): ApiJson<CardAction>,
) -> Result<(StatusCode, Json<Answered>), Failure> {
    let card = service::card(&state, &id).await?;
    let action = Action::Card { card: card.id, pan: card.record.pan.to_string(), what: wanted.action };
    Ok(perform::ask(&state, &actor, action, &wanted.why).await?.into())
}

/// Why something is done.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CardReason {
    /// In a sentence.
    #[schema(min_length = 1, max_length = 500)]
    why: String,
}

/// Asks for a reset of the card's PIN: the old one is worth nothing, and the holder gets a one-time link to set another.
#[utoipa::path(
    post,
    path = "/api/v1/cards/{id}/reset-pin",
    tag = "cards",
    params(("id" = String, Path, description = "The card's id, 32 hexadecimal digits; never its number.")),
    request_body = CardReason,
    responses(
        (status = 200, description = "Done.", body = Answered),
        (status = 202, description = "It waits for a second person.", body = Answered),
        (status = 401, description = "Not signed in.", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "Not a role that may.", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such card.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "Nobody knows where the holder is reached, or the contact was changed a short time ago.", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "The body is not understood.", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The store is away, or the message was not taken.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn reset_pin(
    State(state): State<Shared>,
    Path(id): Path<String>,
    actor: Actor,
    ApiJson(reason): ApiJson<CardReason>,
) -> Result<(StatusCode, Json<Answered>), Failure> {
    let card = service::card(&state, &id).await?;
    let action = Action::ResetPin { card: card.id, pan: card.record.pan.to_string(), proven: None };
    Ok(perform::ask(&state, &actor, action, &reason.why).await?.into())
}

/// Sends the holder the short-lived link to the card's own page.
#[utoipa::path(
    post,
    path = "/api/v1/cards/{id}/page",
    tag = "cards",
    params(("id" = String, Path, description = "The card's id, 32 hexadecimal digits; never its number.")),
    request_body = CardReason,
    responses(
        (status = 200, description = "Done.", body = Answered),
        (status = 202, description = "It waits for a second person.", body = Answered),
        (status = 401, description = "Not signed in.", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "Not a role that may.", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such card.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "Nobody knows where the holder is reached, or the contact was changed a short time ago.", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "The body is not understood.", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The store is away, or the message was not taken.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn send_page(
    State(state): State<Shared>,
    Path(id): Path<String>,
    actor: Actor,
    ApiJson(reason): ApiJson<CardReason>,
) -> Result<(StatusCode, Json<Answered>), Failure> {
    let card = service::card(&state, &id).await?;
    let action = Action::SendPage { card: card.id, pan: card.record.pan.to_string() };
    Ok(perform::ask(&state, &actor, action, &reason.why).await?.into())
}

/// Another number for messages.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CardContact {
    /// The new number, with its country code.
    number: String,
    /// `zh` or `en`; as before when not given.
    #[serde(default)]
    language: Option<String>,
    /// Why, in a sentence.
    #[schema(min_length = 1, max_length = 500)]
    why: String,
}

/// Asks for another number for messages about the card. The old number is told, and nothing is unlocked or reset for a day.
#[utoipa::path(
    post,
    path = "/api/v1/cards/{id}/contact",
    tag = "cards",
    params(("id" = String, Path, description = "The card's id, 32 hexadecimal digits; never its number.")),
    request_body = CardContact,
    responses(
        (status = 200, description = "Done.", body = Answered),
        (status = 202, description = "It waits for a second person.", body = Answered),
        (status = 401, description = "Not signed in.", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "Not a role that may.", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such card.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "It is this number already, or it is to be asked for in a case.", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "The body is not understood.", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The store is away.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn change_contact(
    State(state): State<Shared>,
    Path(id): Path<String>,
    actor: Actor,
    ApiJson(wanted): ApiJson<CardContact>,
) -> Result<(StatusCode, Json<Answered>), Failure> {
    let card = service::card(&state, &id).await?;
    let number = NewNumber::typed(&wanted.number, wanted.language.as_deref().unwrap_or_default())?;
    let change = contact::asked_for(&state, card.id, &number).await?;
    let pan = card.record.pan.to_string();
    let action = Action::ChangeContact { card: card.id, pan, change, proven: None };
    Ok(perform::ask(&state, &actor, action, &wanted.why).await?.into())
}
