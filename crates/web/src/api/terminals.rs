//! `GET /api/v1/terminals`.

use axum::{Json, extract::State};

use super::schema;
use crate::{
    error::{Failure, Problem},
    router::Shared,
    service,
};

/// All terminals in the order of their numbers.
#[utoipa::path(
    get,
    path = "/api/v1/terminals",
    tag = "terminals",
    responses(
        (status = 200, description = "The terminals.", body = schema::Terminals),
        (status = 503, description = "The store is away.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn list(State(state): State<Shared>) -> Result<Json<schema::Terminals>, Failure> {
    let data = service::terminals(&state).await?.into_iter().map(Into::into).collect();
    Ok(Json(schema::Terminals { data }))
}
