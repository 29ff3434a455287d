//! `/api/v1/proposals`: what waits for a second person. `/api/v1/audit`: who did what.

use axum::{
    Json,
    extract::{Path, State},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::query::{ApiJson, ApiQuery};
use crate::{
    actor::Actor,
    error::{Failure, Problem},
    perform,
    router::Shared,
};

/// A proposal.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct ProposalRow {
    /// Its id.
    id: String,
    /// Names exactly what was shown: whoever approves says it.
    shown: String,
    /// What is proposed, why, by whom, until when, and where it stands.
    #[serde(flatten)]
    #[schema(value_type = Object)]
    proposal: Value,
}

/// Proposals, newest first.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct ProposalList {
    /// The rows.
    data: Vec<ProposalRow>,
}

/// What is approved.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ShownProposal {
    /// `shown` of the proposal as it was read.
    #[schema(max_length = 64)]
    shown: String,
}

/// Why it is turned down.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Declined {
    /// In a sentence.
    #[schema(max_length = 500)]
    why: String,
}

/// What waits for a second person, and what became of it.
#[utoipa::path(
    get,
    path = "/api/v1/proposals",
    tag = "staff",
    responses((status = 200, description = "Proposals, newest first.", body = ProposalList))
)]
pub(crate) async fn proposals(State(state): State<Shared>) -> Result<Json<ProposalList>, Failure> {
    let mut data = Vec::new();
    if let Some(office) = &state.web.office {
        for (id, proposal) in office.proposals().await {
            let value = serde_json::to_value(&proposal).map_err(|e| Failure::Internal(e.to_string()))?;
            data.push(ProposalRow { id, shown: proposal.shown(), proposal: value });
        }
    }
    Ok(Json(ProposalList { data }))
}

/// Approves what was shown, and does it.
#[utoipa::path(
    post,
    path = "/api/v1/proposals/{id}/approve",
    tag = "staff",
    params(("id" = String, Path, description = "The proposal's id.")),
    request_body = ShownProposal,
    responses(
        (status = 200, description = "Approved and done; what came of it.", body = Object),
        (status = 401, description = "Not signed in.", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "Not a role that may approve it.", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such proposal.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The same person, session or device, too late, not open, or not what was shown.", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "The body is not understood.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn approve(
    State(state): State<Shared>,
    Path(id): Path<String>,
    actor: Actor,
    ApiJson(approval): ApiJson<ShownProposal>,
) -> Result<Json<Value>, Failure> {
    let result = perform::approve(&state, &actor, &id, &approval.shown).await?;
    Ok(Json(serde_json::json!({ "id": id, "result": result })))
}

/// Turns a proposal down.
#[utoipa::path(
    post,
    path = "/api/v1/proposals/{id}/decline",
    tag = "staff",
    params(("id" = String, Path, description = "The proposal's id.")),
    request_body = Declined,
    responses(
        (status = 200, description = "Turned down.", body = Object),
        (status = 401, description = "Not signed in.", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such proposal.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "Not open, or not a role that may.", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "The body is not understood.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn decline(
    State(state): State<Shared>,
    Path(id): Path<String>,
    actor: Actor,
    ApiJson(declined): ApiJson<Declined>,
) -> Result<Json<Value>, Failure> {
    perform::decline(&state, &actor, &id, &declined.why).await?;
    Ok(Json(serde_json::json!({ "id": id, "status": "declined" })))
}

/// Takes one's own proposal back.
#[utoipa::path(
    post,
    path = "/api/v1/proposals/{id}/withdraw",
    tag = "staff",
    params(("id" = String, Path, description = "The proposal's id.")),
    responses(
        (status = 200, description = "Taken back.", body = Object),
        (status = 404, description = "No such proposal.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "Another's, or not open any more.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn withdraw(
    State(state): State<Shared>,
    Path(id): Path<String>,
    actor: Actor,
) -> Result<Json<Value>, Failure> {
    perform::withdraw(&state, &actor, &id).await?;
    Ok(Json(serde_json::json!({ "id": id, "status": "withdrawn" })))
}

/// Which records.
#[derive(Debug, Clone, Default, Deserialize, utoipa::IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub(crate) struct AuditFilter {
    /// Records older than this cursor: `next` of the part before.
    before: Option<u32>,
    /// At most so many rows, 1 to 500; 50 when not given.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<u32>,
}

/// A part of the audit log.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct AuditPage {
    /// The records, newest first.
    #[schema(value_type = Vec<Object>)]
    data: Vec<audit::Record>,
    /// Cursor for the next part; none when there is none.
    next: Option<u32>,
    /// The key that verifies signed checkpoints.
    key: String,
}

/// The audit log, newest first.
#[utoipa::path(
    get,
    path = "/api/v1/audit",
    tag = "staff",
    params(AuditFilter),
    responses(
        (status = 200, description = "A part of the log.", body = AuditPage),
        (status = 401, description = "Not signed in.", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "Not a role that may see it.", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "A part of the query means nothing.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn audit_log(
    State(state): State<Shared>,
    ApiQuery(filter): ApiQuery<AuditFilter>,
) -> Result<Json<AuditPage>, Failure> {
    let Some(office) = &state.web.office else {
        return Ok(Json(AuditPage { data: Vec::new(), next: None, key: String::new() }));
    };
    let limit = filter.limit.unwrap_or(50);
    if !(1..=500).contains(&limit) {
        return Err(Failure::not_understood("limit", "1 to 500"));
    }
    let records = office.records(filter.before, limit).await?;
    let next = records.last().map(|(seq, _)| *seq).filter(|seq| *seq > 1);
    Ok(Json(AuditPage { data: records.into_iter().map(|(_, r)| r).collect(), next, key: office.audit_key() }))
}
