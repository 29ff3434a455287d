//! `GET /api/v1/suspicions`: what may be wrong and is not sure enough for an incident.

use axum::{Json, extract::State};
use diagnosis::Cause;
use handbook::cause_text;
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    incident_schema::{Belongs, Both, Evidence, Scope},
    schema::rfc3339,
};
use crate::{
    error::{Failure, Problem},
    insight::SuspicionView,
    router::Shared,
};

/// Something that may be wrong.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Suspicion {
    /// Where: a terminal, or a version of firmware.
    scope: Scope,
    /// What it looks like most: a cause's fixed name.
    #[schema(example = "keypad-fault")]
    cause: &'static str,
    /// The cause in a few words.
    title: Both,
    /// The first of the card sessions that were looked at.
    since: String,
    /// How many these were.
    sessions: u32,
    /// Natural logarithm of the odds against "nothing is wrong"; above zero, and below what an incident needs.
    log_odds: f32,
    /// What speaks for it and against it.
    evidence: Vec<Evidence>,
    /// The number of the incident that is open about it already.
    incident: Option<u64>,
    /// Merchant, model, firmware and area.
    belongs: Belongs,
}

/// What is being watched.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Suspicions {
    /// The likeliest first; at most 50.
    data: Vec<Suspicion>,
}

impl From<&SuspicionView> for Suspicion {
    fn from(view: &SuspicionView) -> Self {
        let title = |cause: Cause| Both::new(|lang| cause_text(cause).name(lang).to_owned());
        Self {
            scope: Scope::new(&view.scope),
            cause: view.cause.name(),
            title: title(view.cause),
            since: rfc3339(view.since),
            sessions: view.sessions,
            log_odds: view.log_odds,
            evidence: Evidence::all(&view.evidence),
            incident: view.incident,
            belongs: Belongs::new(&view.belongs),
        }
    }
}

/// What is being watched: terminals and versions that look as if something may be wrong. It raises no alarm, and most of it comes to
/// nothing; an incident is opened when it is sure enough.
#[utoipa::path(
    get,
    path = "/api/v1/suspicions",
    tag = "diagnosis",
    responses(
        (status = 200, description = "The likeliest first.", body = Suspicions),
        (status = 503, description = "The store is away.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn list(State(state): State<Shared>) -> Result<Json<Suspicions>, Failure> {
    let data = state.web.insight.suspicions().await?.iter().map(Suspicion::from).collect();
    Ok(Json(Suspicions { data }))
}
