//! `/api/v1/incidents`: what was found behind many refusals, and what people do about it.

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use store::StoreError;
use utoipa::ToSchema;

use super::{body::ApiBody, incident_schema as schema, query::ApiQuery, refused::DeedRefused, register};
use crate::{
    actor::Actor,
    error::{Failure, Problem},
    insight::{AnswerKind, Deed, Handling, IncidentDetail, Insight},
    perform::{self, Action},
    router::Shared,
    service,
};

/// Transactions that one incident is shown with.
const TRANSACTIONS_SHOWN: usize = 50;
/// The longest note or reason, in characters.
pub(super) const WORDS_MAX: usize = 500;

/// Incidents, newest first.
#[utoipa::path(
    get,
    path = "/api/v1/incidents",
    tag = "diagnosis",
    params(register::IncidentFilter),
    responses(
        (status = 200, description = "A part of the list.", body = schema::IncidentPage),
        (status = 422, description = "A part of the query means nothing.", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The store is away.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn list(
    State(state): State<Shared>,
    ApiQuery(filter): ApiQuery<register::IncidentFilter>,
) -> Result<Json<schema::IncidentPage>, Failure> {
    Ok(Json(page(&*state.web.insight, &filter.check()?).await?))
}

pub(super) async fn page(
    insight: &dyn Insight,
    wanted: &register::Wanted,
) -> Result<schema::IncidentPage, StoreError> {
    let mut rows = wanted.choose(insight.incidents().await?);
    let has_more = rows.len() > wanted.limit;
    rows.truncate(wanted.limit);
    let next = rows.last().filter(|_| has_more).map(|row| row.id);
    let mut data = Vec::with_capacity(rows.len());
    for row in rows {
        let evidence = insight.evidence(row.id).await?;
        data.push(schema::Incident::new(&row, &evidence));
    }
    let gaps = insight.gaps().await?.iter().map(Into::into).collect();
    let behind_ms = insight.behind_ms().await?;
    Ok(schema::IncidentPage { data, next, has_more, gaps, behind_ms })
}

/// One incident: its cards, transactions and history.
#[utoipa::path(
    get,
    path = "/api/v1/incidents/{incident}",
    tag = "diagnosis",
    params(("incident" = u64, Path, description = "The incident's number.")),
    responses(
        (status = 200, description = "The incident.", body = schema::IncidentDetail),
        (status = 404, description = "No such incident.", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The store is away.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn one(
    State(state): State<Shared>,
    Path(id): Path<String>,
) -> Result<Json<schema::IncidentDetail>, Failure> {
    let detail = detail(&state, number(&id)?).await?;
    shown(&state, &detail).await.map(Json)
}

/// Where an incident stands for people.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct StatusBody {
    /// `open` (again), `acknowledged` or `closed`.
    status: String,
    /// A note, at most 500 characters.
    #[serde(default)]
    note: String,
}

/// Takes an incident up, closes it, or opens it again.
#[utoipa::path(
    post,
    path = "/api/v1/incidents/{incident}/status",
    tag = "diagnosis",
    params(("incident" = u64, Path, description = "The incident's number.")),
    request_body = StatusBody,
    responses(
        (status = 200, description = "The incident as it is now.", body = schema::IncidentDetail),
        DeedRefused,
    )
)]
pub(crate) async fn set_status(
    State(state): State<Shared>,
    Path(id): Path<String>,
    actor: Actor,
    ApiBody(body): ApiBody<StatusBody>,
) -> Result<Json<schema::IncidentDetail>, Failure> {
    let incident = number(&id)?;
    let handling = match body.status.as_str() {
        "open" => Handling::New,
        "acknowledged" => Handling::Seen,
        "closed" => Handling::Closed,
        _ => return Err(Failure::not_understood("status", "open, acknowledged or closed")),
    };
    let deed = Deed::Handle { incident, handling, note: words("note", &body.note)? };
    perform::deed(&state, &actor, deed).await?;
    shown(&state, &detail(&state, incident).await?).await.map(Json)
}

/// Why tries are given back.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RestoreBody {
    /// Why, at most 500 characters.
    #[serde(default)]
    why: String,
    /// The second person who looked at it, if there was one; not the one who asks.
    #[serde(default)]
    reviewer: String,
}

/// Gives tries back to every card that the incident cost some: each once, however often this is asked for.
#[utoipa::path(
    post,
    path = "/api/v1/incidents/{incident}/restore-tries",
    tag = "diagnosis",
    params(("incident" = u64, Path, description = "The incident's number.")),
    request_body = RestoreBody,
    responses(
        (status = 200, description = "What became of each card.", body = schema::RestoredCards),
        (status = 202, description = "Asked for by somebody who signed in: it waits for a second person.", body = super::cards::Answered),
        (status = 403, description = "Asked for by a page from elsewhere.", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such incident.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "It does not fit what is.", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "A part of the body means nothing.", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The store is away; the same again goes on from there.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn restore_tries(
    State(state): State<Shared>,
    Path(id): Path<String>,
    actor: Actor,
    ApiBody(body): ApiBody<RestoreBody>,
) -> Result<Response, Failure> {
    let incident = number(&id)?;
    if actor.is_signed_in() {
        let why = words("why", &body.why)?;
        let asked = perform::ask(&state, &actor, Action::RestoreTries { incident }, &why).await?;
        let answer: (StatusCode, Json<super::cards::Answered>) = asked.into();
        return Ok(answer.into_response());
    }
    let (why, reviewer) = (words("why", &body.why)?, words("reviewer", &body.reviewer)?);
    let done = perform::deed(&state, &actor, Deed::RestoreTries { incident, why, reviewer }).await?;
    let detail = detail(&state, incident).await?;
    Ok(Json(schema::RestoredCards::new(incident, done.changed, &detail.harmed)).into_response())
}

/// Whose an incident is.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AssignBody {
    /// A name of 1 to 64 characters; `null`: nobody's.
    to: Option<String>,
}

/// Gives an incident to somebody, or to nobody.
#[utoipa::path(
    post,
    path = "/api/v1/incidents/{incident}/assign",
    tag = "diagnosis",
    params(("incident" = u64, Path, description = "The incident's number.")),
    request_body = AssignBody,
    responses(
        (status = 200, description = "The incident as it is now.", body = schema::IncidentDetail),
        DeedRefused,
    )
)]
pub(crate) async fn assign(
    State(state): State<Shared>,
    Path(id): Path<String>,
    actor: Actor,
    ApiBody(body): ApiBody<AssignBody>,
) -> Result<Json<schema::IncidentDetail>, Failure> {
    let incident = number(&id)?;
    perform::deed(&state, &actor, Deed::Assign { incident, to: body.to }).await?;
    shown(&state, &detail(&state, incident).await?).await.map(Json)
}

/// What is to be remembered about an incident.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NoteBody {
    /// 1 to 500 characters; what looks like a card number is masked.
    text: String,
}

/// Adds a line to an incident.
#[utoipa::path(
    post,
    path = "/api/v1/incidents/{incident}/notes",
    tag = "diagnosis",
    params(("incident" = u64, Path, description = "The incident's number.")),
    request_body = NoteBody,
    responses(
        (status = 200, description = "The incident as it is now.", body = schema::IncidentDetail),
        DeedRefused,
    )
)]
pub(crate) async fn note(
    State(state): State<Shared>,
    Path(id): Path<String>,
    actor: Actor,
    ApiBody(body): ApiBody<NoteBody>,
) -> Result<Json<schema::IncidentDetail>, Failure> {
    let incident = number(&id)?;
    let text = words("text", &body.text)?;
    if text.is_empty() {
        return Err(Failure::not_understood("text", "1 to 500 characters"));
    }
    perform::deed(&state, &actor, Deed::Note { incident, text: crate::format::mask_digits(&text, &[]) })
        .await?;
    shown(&state, &detail(&state, incident).await?).await.map(Json)
}

/// What answered an incident.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AnswerBody {
    /// `rule`, `firmware`, `training` or `other`.
    kind: String,
    /// Its name or version.
    name: String,
}

/// Links the rule, firmware or training that answers an incident; its effect is measured from then on.
#[utoipa::path(
    post,
    path = "/api/v1/incidents/{incident}/answers",
    tag = "diagnosis",
    params(("incident" = u64, Path, description = "The incident's number.")),
    request_body = AnswerBody,
    responses(
        (status = 200, description = "The incident as it is now.", body = schema::IncidentDetail),
        DeedRefused,
    )
)]
pub(crate) async fn answer(
    State(state): State<Shared>,
    Path(id): Path<String>,
    actor: Actor,
    ApiBody(body): ApiBody<AnswerBody>,
) -> Result<Json<schema::IncidentDetail>, Failure> {
    let incident = number(&id)?;
    let kind = AnswerKind::ALL.into_iter().find(|kind| kind.name() == body.kind);
    let kind = kind.ok_or_else(|| Failure::not_understood("kind", "rule, firmware, training or other"))?;
    let name = words("name", &body.name)?;
    if name.is_empty() {
        return Err(Failure::not_understood("name", "a name or version"));
    }
    perform::deed(&state, &actor, Deed::Answer { incident, kind, name }).await?;
    shown(&state, &detail(&state, incident).await?).await.map(Json)
}

async fn detail(state: &Shared, id: u64) -> Result<IncidentDetail, Failure> {
    state.web.insight.incident(id).await?.ok_or(Failure::NotFound)
}

async fn shown(state: &Shared, detail: &IncidentDetail) -> Result<schema::IncidentDetail, Failure> {
    let mut transactions = Vec::new();
    for rrn in detail.refusals.iter().take(TRANSACTIONS_SHOWN) {
        match service::transaction(state, rrn).await {
            Ok(found) => transactions.push(found.row.into()),
            // The look-up tables may be a moment behind the journal.
            Err(Failure::NotFound) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(schema::IncidentDetail::new(detail, transactions))
}

fn number(text: &str) -> Result<u64, Failure> {
    text.parse().map_err(|_| Failure::NotFound)
}

/// Words that people type.
pub(super) fn words(part: &str, text: &str) -> Result<String, Failure> {
    if text.chars().count() > WORDS_MAX {
        return Err(Failure::not_understood(part, "at most 500 characters"));
    }
    Ok(text.trim().to_owned())
}
