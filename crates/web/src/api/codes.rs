//! `GET /api/v1/codes`, one of them, and `GET /api/v1/reasons`: the handbook for programs.

use axum::{Json, extract::Path};

use super::schema;
use crate::error::{Failure, Problem};

/// All response codes, with what they mean and what to do, in both languages.
#[utoipa::path(
    get,
    path = "/api/v1/codes",
    tag = "handbook",
    responses((status = 200, description = "The response codes.", body = schema::Codes))
)]
pub(crate) async fn list() -> Json<schema::Codes> {
    Json(schema::Codes { data: handbook::codes().iter().map(Into::into).collect() })
}

/// One response code.
#[utoipa::path(
    get,
    path = "/api/v1/codes/{code}",
    tag = "handbook",
    params(("code" = String, Path, description = "Response code (DE 39), such as `75`.")),
    responses(
        (status = 200, description = "The response code.", body = schema::Code),
        (status = 404, description = "No such response code.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn one(Path(code): Path<String>) -> Result<Json<schema::Code>, Failure> {
    handbook::code(&code).map(|entry| Json(entry.into())).ok_or(Failure::NotFound)
}

/// All reasons behind the response codes, with what to do, in both languages.
#[utoipa::path(
    get,
    path = "/api/v1/reasons",
    tag = "handbook",
    responses((status = 200, description = "The reasons.", body = schema::Reasons))
)]
pub(crate) async fn reasons() -> Json<schema::Reasons> {
    Json(schema::Reasons { data: handbook::reasons().iter().map(Into::into).collect() })
}
