//! `/api/v1/alerts` and `/api/v1/silences`: what somebody should look at, who does, and what is held back.

use alarm::{AlarmError, Matcher, Refusal};
use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use serde::Deserialize;
use store::BookError;
use utoipa::{IntoParams, ToSchema};

use super::{
    alarm_schema::{AlarmView, Alarms, SeverityName, SilenceView, Silences},
    body::ApiBody,
    query::ApiQuery,
};
use crate::{
    actor::Actor,
    error::{Failure, Problem},
    perform::noted,
    router::Shared,
    service,
};

impl From<AlarmError> for Failure {
    fn from(error: AlarmError) -> Self {
        match error {
            AlarmError::Refused(Refusal::Unknown(_)) => Self::NotFound,
            AlarmError::Refused(Refusal::Invalid { field, why }) => Self::not_understood(field, &why),
            AlarmError::Refused(refused @ (Refusal::Conflict(_) | Refusal::TooMany(..))) => {
                Self::Conflict(refused.to_string())
            }
            AlarmError::Barred(barred) => Self::not_understood("url", &barred.to_string()),
            AlarmError::Store(BookError::Store(error)) => error.into(),
            AlarmError::Store(BookError::Unknown(what)) => Self::StoreAway(what),
            AlarmError::Store(error) => Self::Internal(error.to_string()),
        }
    }
}

/// The query of the list of alarms.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub(crate) struct AlertFilter {
    /// Only alarms that stand so: `open`, `silenced`, `acknowledged` or `over`.
    #[param(value_type = Option<super::alarm_schema::StandingName>)]
    standing: String,
    /// At most so many, 1 to 500; 50 when not given.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 500)]
    limit: String,
}

/// Alarms, newest first.
#[utoipa::path(
    get,
    path = "/api/v1/alerts",
    tag = "alarms",
    params(AlertFilter),
    responses(
        (status = 200, description = "The newest alarms.", body = Alarms),
        (status = 422, description = "A part of the query means nothing.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn list(
    State(state): State<Shared>,
    ApiQuery(filter): ApiQuery<AlertFilter>,
) -> Result<Json<Alarms>, Failure> {
    let standing = service::standing(&filter.standing)?;
    let limit = service::limit(&filter.limit)? as usize;
    let data = state.web.alarms.look(|desk, now| {
        let wanted = desk.alarms().filter(|alarm| standing.is_none_or(|s| s == desk.standing(alarm, now)));
        wanted.take(limit).map(|alarm| AlarmView::new(desk, alarm, now)).collect()
    });
    Ok(Json(Alarms { data }))
}

fn number(id: &str) -> Result<u32, Failure> {
    id.parse().map_err(|_| Failure::NotFound)
}

/// What somebody says who takes an alarm on.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Acknowledge {
    /// For whoever wonders later; at most 500 characters.
    note: String,
}

/// Somebody takes an alarm on: it climbs no further.
#[utoipa::path(
    post,
    path = "/api/v1/alerts/{alarm}/ack",
    tag = "alarms",
    params(("alarm" = u32, Path, description = "The alarm's number.")),
    request_body = Acknowledge,
    responses(
        (status = 200, description = "The alarm.", body = AlarmView),
        (status = 404, description = "No such alarm.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "It is over, or acknowledged already.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn acknowledge(
    State(state): State<Shared>,
    actor: Actor,
    Path(id): Path<String>,
    ApiBody(body): ApiBody<Acknowledge>,
) -> Result<Json<AlarmView>, Failure> {
    let id = number(&id)?;
    let done = state.web.alarms.acknowledge(id, actor.name(), &body.note).await;
    noted(&state, &actor, "alarm.acknowledge", ("alarm", &id.to_string(), &body.note), done).await?;
    let view =
        state.web.alarms.look(|desk, now| desk.alarm(id).map(|alarm| AlarmView::new(desk, alarm, now)));
    view.map(Json).ok_or(Failure::NotFound)
}

/// Silences, newest first; those that ended are listed for a while.
#[utoipa::path(
    get,
    path = "/api/v1/silences",
    tag = "alarms",
    responses((status = 200, description = "The silences.", body = Silences))
)]
pub(crate) async fn silences(State(state): State<Shared>) -> Json<Silences> {
    let data = state
        .web
        .alarms
        .look(|desk, now| desk.silences().map(|silence| SilenceView::new(silence, now)).collect());
    Json(Silences { data })
}

/// Which alarms are to be held back, and for how long. At least one of the first four is needed.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct NewSilence {
    /// Only this kind, such as `wrong-terminal-key`.
    kind: Option<String>,
    /// Only this kind of scope, such as `terminal`.
    scope_kind: Option<String>,
    /// Only this scope.
    scope_id: Option<String>,
    /// At most so bad: a worse one is told all the same.
    most: Option<SeverityName>,
    /// Until when: RFC 3339, or milliseconds since 1970; at most 90 days from now.
    until: String,
    /// Why, for whoever wonders later; at most 500 characters.
    why: String,
}

/// Holds alarms back.
#[utoipa::path(
    post,
    path = "/api/v1/silences",
    tag = "alarms",
    request_body = NewSilence,
    responses(
        (status = 201, description = "The silence.", body = SilenceView),
        (status = 409, description = "There are too many.", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "A part of it means nothing.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn silence(
    State(state): State<Shared>,
    actor: Actor,
    ApiBody(body): ApiBody<NewSilence>,
) -> Result<(StatusCode, Json<SilenceView>), Failure> {
    let until = service::moment("until", &body.until)?
        .ok_or_else(|| Failure::not_understood("until", "a moment, as RFC 3339"))?;
    let matcher = Matcher {
        kind: body.kind,
        scope_kind: body.scope_kind,
        scope_id: body.scope_id,
        most: body.most.map(Into::into),
    };
    let done = state.web.alarms.silence(matcher, until, actor.name(), &body.why).await;
    let made = done.as_ref().map_or_else(|_| String::new(), ToString::to_string);
    let id = noted(&state, &actor, "alarm.silence", ("silence", &made, &body.why), done).await?;
    let find = |silence: &&alarm::Silence| silence.id == id;
    let view = state
        .web
        .alarms
        .look(|desk, now| desk.silences().find(find).map(|silence| SilenceView::new(silence, now)));
    Ok((StatusCode::CREATED, Json(view.ok_or(Failure::NotFound)?)))
}

/// Ends a silence early.
#[utoipa::path(
    delete,
    path = "/api/v1/silences/{silence}",
    tag = "alarms",
    params(("silence" = u32, Path, description = "The silence's number.")),
    responses(
        (status = 204, description = "It is over."),
        (status = 404, description = "No such silence.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "It was over already.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn lift(
    State(state): State<Shared>,
    actor: Actor,
    Path(id): Path<String>,
) -> Result<StatusCode, Failure> {
    let done = state.web.alarms.lift(number(&id)?, actor.name()).await;
    noted(&state, &actor, "alarm.lift-silence", ("silence", &id, ""), done).await?;
    Ok(StatusCode::NO_CONTENT)
}
