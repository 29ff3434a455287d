//! Why a payment was refused: the verdict about one refusal, what people say about it, and what causes there are.

use axum::{
    Json,
    extract::{Path, State},
};
use diagnosis::Cause;
use serde::Deserialize;
use store::{Archive, StoreError};
use utoipa::ToSchema;

use super::{body::ApiBody, cause_schema, incident_schema as schema, incidents::words, refused::DeedRefused};
use crate::{
    actor::Actor,
    error::{Failure, Problem},
    insight::{Deed, Insight},
    perform,
    router::Shared,
};

/// Why a payment was refused: the cause with its probability, the evidence, what everybody does now, and the incident behind it.
#[utoipa::path(
    get,
    path = "/api/v1/transactions/{rrn}/diagnosis",
    tag = "diagnosis",
    params(("rrn" = String, Path, description = "Retrieval reference number (DE 37).")),
    responses(
        (status = 200, description = "The verdict.", body = schema::Diagnosis),
        (status = 404, description = "No such refusal, or too long ago.", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The store is away, or the journal is being read again after a start.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn one(
    State(state): State<Shared>,
    Path(rrn): Path<String>,
) -> Result<Json<schema::Diagnosis>, Failure> {
    diagnosis(&state, &rrn).await.map(Json)
}

async fn diagnosis(state: &Shared, rrn: &str) -> Result<schema::Diagnosis, Failure> {
    of(&*state.web.insight, &*state.web.archive, rrn).await?.ok_or(Failure::NotFound)
}

pub(super) async fn of(
    insight: &dyn Insight,
    archive: &dyn Archive,
    rrn: &str,
) -> Result<Option<schema::Diagnosis>, StoreError> {
    let Some(verdict) = insight.verdict(rrn).await? else { return Ok(None) };
    // The look-up tables may be a moment behind; the verdict stands without them.
    let found = archive.transaction(rrn).await?;
    Ok(Some(schema::Diagnosis::new(rrn, &verdict, found.as_ref())))
}

/// What somebody says about a verdict.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FeedbackBody {
    /// Was it right?
    right: bool,
    /// What it really was, if it was wrong and somebody knows: a cause's name.
    #[serde(default)]
    cause: Option<String>,
    /// A note, at most 500 characters.
    #[serde(default)]
    note: String,
}

/// Says that a verdict is right or wrong. It is kept and counted; who says it again replaces what he said.
#[utoipa::path(
    post,
    path = "/api/v1/transactions/{rrn}/diagnosis/feedback",
    tag = "diagnosis",
    params(("rrn" = String, Path, description = "Retrieval reference number (DE 37).")),
    request_body = FeedbackBody,
    responses(
        (status = 200, description = "The verdict with what was said about it.", body = schema::Diagnosis),
        DeedRefused,
    )
)]
pub(crate) async fn feedback(
    State(state): State<Shared>,
    Path(rrn): Path<String>,
    actor: Actor,
    ApiBody(body): ApiBody<FeedbackBody>,
) -> Result<Json<schema::Diagnosis>, Failure> {
    let why = words("note", &body.note)?;
    let cause = body.cause.map(|name| name.parse::<Cause>()).transpose();
    let cause = cause.map_err(|_| Failure::not_understood("cause", "a name of GET /api/v1/causes"))?;
    let deed = if body.right {
        Deed::Confirm { rrn: rrn.clone(), why }
    } else {
        Deed::Contradict { rrn: rrn.clone(), cause, why }
    };
    perform::deed(&state, &actor, deed).await?;
    diagnosis(&state, &rrn).await.map(Json)
}

/// Every cause that the diagnosis can name, in words, with what everybody does and how often people found it right.
#[utoipa::path(
    get,
    path = "/api/v1/causes",
    tag = "handbook",
    responses(
        (status = 200, description = "All causes.", body = cause_schema::Causes),
        (status = 503, description = "The store is away.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn causes(State(state): State<Shared>) -> Result<Json<cause_schema::Causes>, Failure> {
    Ok(Json(cause_schema::Causes::new(&state.web.insight.judged().await?)))
}

/// Why something is done to a terminal.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WhyBody {
    /// Why, at most 500 characters.
    #[serde(default)]
    why: String,
}

/// Takes a terminal out of use: what it asks is refused until staff let it in again.
#[utoipa::path(
    post,
    path = "/api/v1/terminals/{terminal}/suspend",
    tag = "terminals",
    params(("terminal" = String, Path, description = "Terminal (DE 41).")),
    request_body = WhyBody,
    responses(
        (status = 200, description = "Done, or done before.", body = schema::Done),
        DeedRefused,
    )
)]
pub(crate) async fn suspend(
    State(state): State<Shared>,
    Path(terminal): Path<String>,
    actor: Actor,
    ApiBody(body): ApiBody<WhyBody>,
) -> Result<Json<schema::Done>, Failure> {
    let deed = Deed::SuspendTerminal { terminal, why: words("why", &body.why)? };
    let done = perform::deed(&state, &actor, deed).await?;
    Ok(Json(schema::Done { changed: done.changed }))
}

/// Asks a terminal to sign in anew: the header of its next answer says so, and new working keys are made then.
#[utoipa::path(
    post,
    path = "/api/v1/terminals/{terminal}/force-sign-in",
    tag = "terminals",
    params(("terminal" = String, Path, description = "Terminal (DE 41).")),
    request_body = WhyBody,
    responses(
        (status = 200, description = "Done, or done before.", body = schema::Done),
        DeedRefused,
    )
)]
pub(crate) async fn force_sign_in(
    State(state): State<Shared>,
    Path(terminal): Path<String>,
    actor: Actor,
    ApiBody(body): ApiBody<WhyBody>,
) -> Result<Json<schema::Done>, Failure> {
    let deed = Deed::ForceSignIn { terminal, why: words("why", &body.why)? };
    let done = perform::deed(&state, &actor, deed).await?;
    Ok(Json(schema::Done { changed: done.changed }))
}
