//! `/api/v1/webhooks`: who is told by HTTP, and what came of it.

use alarm::Target;
use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use serde::Deserialize;
use utoipa::ToSchema;

use super::{
    alarm_schema::{Deliveries, DeliveryView, NewSecret, NewWebhook, SeverityName, WebhookView, Webhooks},
    body::ApiBody,
    schema::rfc3339,
};
use crate::{
    actor::Actor,
    error::{Failure, Problem},
    perform::noted,
    router::Shared,
};

/// Deliveries of one webhook that are listed.
const DELIVERIES_SHOWN: usize = 100;

/// All webhooks.
#[utoipa::path(
    get,
    path = "/api/v1/webhooks",
    tag = "alarms",
    responses((status = 200, description = "The webhooks.", body = Webhooks))
)]
pub(crate) async fn list(State(state): State<Shared>) -> Json<Webhooks> {
    let data = state
        .web
        .alarms
        .look(|desk, now| desk.webhooks().map(|webhook| WebhookView::new(webhook, now)).collect());
    Json(Webhooks { data })
}

/// Where notices are to go.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Subscription {
    /// `https://…`; no internal address that `alarms.allow` does not list.
    url: String,
    /// For people; at most 500 characters.
    description: String,
    /// Only these kinds of alarms; all when empty.
    kinds: Vec<String>,
    /// Only alarms that are at least so bad; all when not given.
    least: SeverityName,
}

/// Tells somebody from now on. The answer has the secret, which is not told again.
#[utoipa::path(
    post,
    path = "/api/v1/webhooks",
    tag = "alarms",
    request_body = Subscription,
    responses(
        (status = 201, description = "The webhook and its secret.", body = NewWebhook),
        (status = 409, description = "There are too many.", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "A part of it means nothing, or the address leads inside.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn subscribe(
    State(state): State<Shared>,
    actor: Actor,
    ApiBody(body): ApiBody<Subscription>,
) -> Result<(StatusCode, Json<NewWebhook>), Failure> {
    let done = state
        .web
        .alarms
        .subscribe(&body.url, &body.description, &body.kinds, body.least.into(), actor.name())
        .await;
    let id = done.as_ref().map_or_else(|_| String::new(), |(id, _)| id.clone());
    let about = ("webhook", id.as_str(), body.description.as_str());
    let (id, secret) = noted(&state, &actor, "webhook.add", about, done).await?;
    let webhook = state
        .web
        .alarms
        .look(|desk, now| desk.webhook(&id).map(|webhook| WebhookView::new(webhook, now)))
        .ok_or(Failure::NotFound)?;
    Ok((StatusCode::CREATED, Json(NewWebhook { webhook, secret: secret.reveal().to_string() })))
}

/// What was and is to be told to a webhook, newest first.
#[utoipa::path(
    get,
    path = "/api/v1/webhooks/{webhook}/deliveries",
    tag = "alarms",
    params(("webhook" = String, Path, description = "The webhook's id.")),
    responses(
        (status = 200, description = "The newest deliveries.", body = Deliveries),
        (status = 404, description = "No such webhook.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn deliveries(
    State(state): State<Shared>,
    Path(id): Path<String>,
) -> Result<Json<Deliveries>, Failure> {
    let data: Option<Vec<DeliveryView>> = state.web.alarms.look(|desk, _| {
        desk.webhook(&id)?;
        let target = Target::Webhook(id.clone());
        Some(desk.deliveries(&target).take(DELIVERIES_SHOWN).map(Into::into).collect())
    });
    Ok(Json(Deliveries { data: data.ok_or(Failure::NotFound)? }))
}

/// Sends a webhook a message of type `webhook.test`; its deliveries tell what came of it.
#[utoipa::path(
    post,
    path = "/api/v1/webhooks/{webhook}/test",
    tag = "alarms",
    params(("webhook" = String, Path, description = "The webhook's id.")),
    responses(
        (status = 202, description = "It is on its way."),
        (status = 404, description = "No such webhook.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "It is disabled.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn test(
    State(state): State<Shared>,
    actor: Actor,
    Path(id): Path<String>,
) -> Result<StatusCode, Failure> {
    let done = state.web.alarms.test(&id).await;
    noted(&state, &actor, "webhook.test", ("webhook", &id, ""), done).await?;
    Ok(StatusCode::ACCEPTED)
}

/// A new secret; the old one signs too for the time that `alarms.rotation_hours` sets.
#[utoipa::path(
    post,
    path = "/api/v1/webhooks/{webhook}/rotate",
    tag = "alarms",
    params(("webhook" = String, Path, description = "The webhook's id.")),
    responses(
        (status = 200, description = "The new secret.", body = NewSecret),
        (status = 404, description = "No such webhook.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn rotate(
    State(state): State<Shared>,
    actor: Actor,
    Path(id): Path<String>,
) -> Result<Json<NewSecret>, Failure> {
    let done = state.web.alarms.rotate(&id, actor.name()).await;
    let (secret, until) = noted(&state, &actor, "webhook.rotate-secret", ("webhook", &id, ""), done).await?;
    Ok(Json(NewSecret { secret: secret.reveal().to_string(), old_secret_until: rfc3339(until) }))
}

/// A webhook that was disabled gets what comes from now on.
#[utoipa::path(
    post,
    path = "/api/v1/webhooks/{webhook}/enable",
    tag = "alarms",
    params(("webhook" = String, Path, description = "The webhook's id.")),
    responses(
        (status = 204, description = "It is enabled."),
        (status = 404, description = "No such webhook.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "It was enabled already.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn enable(
    State(state): State<Shared>,
    actor: Actor,
    Path(id): Path<String>,
) -> Result<StatusCode, Failure> {
    let done = state.web.alarms.enable(&id, actor.name()).await;
    noted(&state, &actor, "webhook.enable", ("webhook", &id, ""), done).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Removes a webhook; what was still to be told to it is not.
#[utoipa::path(
    delete,
    path = "/api/v1/webhooks/{webhook}",
    tag = "alarms",
    params(("webhook" = String, Path, description = "The webhook's id.")),
    responses(
        (status = 204, description = "It is gone."),
        (status = 404, description = "No such webhook.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn remove(
    State(state): State<Shared>,
    actor: Actor,
    Path(id): Path<String>,
) -> Result<StatusCode, Failure> {
    let done = state.web.alarms.remove(&id, actor.name()).await;
    noted(&state, &actor, "webhook.remove", ("webhook", &id, ""), done).await?;
    Ok(StatusCode::NO_CONTENT)
}
