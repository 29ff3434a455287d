//! `GET /api/v1/overview`.

use axum::{Json, extract::State};

use super::{query::ApiQuery, schema};
use crate::{
    error::{Failure, Problem},
    router::Shared,
    service::{self, WindowFilter},
};

/// The figures of the window that ends now, and of the window before it.
#[utoipa::path(
    get,
    path = "/api/v1/overview",
    tag = "transactions",
    params(WindowFilter),
    responses(
        (status = 200, description = "The figures.", body = schema::Overview),
        (status = 422, description = "A part of the query means nothing.", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The store is away.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn overview(
    State(state): State<Shared>,
    ApiQuery(filter): ApiQuery<WindowFilter>,
) -> Result<Json<schema::Overview>, Failure> {
    let overview = service::overview(&state, filter.check()?).await?;
    Ok(Json(overview.into()))
}
