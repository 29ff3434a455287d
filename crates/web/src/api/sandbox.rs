//! `/api/v1/sandbox`: what only whoever plays with made-up cards may see. Elsewhere these addresses are not there.

use axum::{
    Json,
    extract::{Path, State},
};
use model::{CardId, Timestamp};
use serde::Serialize;
use sms::SmsError;

use crate::{
    error::{Failure, Problem},
    router::Shared,
};

/// Messages that one answer has.
const MESSAGES_MAX: usize = 500;

impl From<SmsError> for Failure {
    fn from(error: SmsError) -> Self {
        match error {
            SmsError::Limited(_) | SmsError::Busy => Self::Conflict(error.to_string()),
            SmsError::Text(error) => Self::Internal(error.to_string()),
            SmsError::Store(store::BookError::Store(error)) => error.into(),
            SmsError::Store(error) => Self::StoreAway(error.to_string()),
        }
    }
}

/// A short message as its cardholder would have got it.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct OutboxMessage {
    /// Its id.
    id: String,
    /// When, in milliseconds since 1970.
    #[schema(value_type = i64)]
    at: Timestamp,
    /// To which number.
    to: String,
    /// What it is, such as `step-up-code`.
    kind: &'static str,
    /// `zh` or `en`.
    language: &'static str,
    /// What it says.
    text: String,
}

/// Messages, newest first.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct OutboxMessages {
    /// The messages.
    data: Vec<OutboxMessage>,
}

/// The sandbox's outbox: short messages with their codes and links.
#[utoipa::path(
    get,
    path = "/api/v1/sandbox/outbox",
    tag = "sandbox",
    responses(
        (status = 200, description = "The newest messages; none when they leave through a gateway.", body = OutboxMessages),
        (status = 404, description = "This is no sandbox.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn outbox(State(state): State<Shared>) -> Result<Json<OutboxMessages>, Failure> {
    if !state.web.sandbox {
        return Err(Failure::NotFound);
    }
    let outbox = state.web.messages.as_ref().and_then(|messages| messages.outbox.as_ref());
    let kept = outbox.map(|outbox| outbox.newest(MESSAGES_MAX)).unwrap_or_default();
    let data = kept.iter().map(|one| OutboxMessage {
        id: one.id.clone(),
        at: one.at,
        to: one.to.to_string(),
        kind: one.kind.name(),
        language: one.language.name(),
        text: one.text.to_string(),
    });
    Ok(Json(OutboxMessages { data: data.collect() }))
}

/// The secret of an authenticator app.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct TotpSecret {
    /// Base32, to be typed into an authenticator app.
    secret: String,
    /// The same as a link for the app.
    uri: String,
}

/// Gives a sandbox card's holder an authenticator app; a secret before it is void.
#[utoipa::path(
    post,
    path = "/api/v1/sandbox/cards/{id}/totp",
    tag = "sandbox",
    params(("id" = String, Path, description = "The card's id.")),
    responses(
        (status = 200, description = "The secret, which is told once.", body = TotpSecret),
        (status = 404, description = "No such card, or no sandbox.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn enrol_totp(
    State(state): State<Shared>,
    Path(id): Path<String>,
) -> Result<Json<TotpSecret>, Failure> {
    let card: CardId = id.parse().map_err(|_| Failure::NotFound)?;
    let (true, Some(confirmations)) = (state.web.sandbox, &state.web.confirmations) else {
        return Err(Failure::NotFound);
    };
    state.web.archive.card_view(&card).await?.ok_or(Failure::NotFound)?;
    let secret = confirmations.enrol_totp(card, "sandbox").await.map_err(SmsError::Store)?;
    let last: String = id.chars().take(8).collect();
    Ok(Json(TotpSecret {
        secret: stepup::totp::base32(&*secret),
        uri: stepup::totp::uri(&*secret, "pinward", &last),
    }))
}
