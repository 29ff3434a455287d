//! `GET /api/v1/cards` and one of them.

use axum::{
    Json,
    extract::{Path, State},
};

use super::{query::ApiQuery, schema};
use crate::{
    error::{Failure, Problem},
    router::Shared,
    service::{self, CardFilter},
};

/// Cards, most recently used first.
#[utoipa::path(
    get,
    path = "/api/v1/cards",
    tag = "cards",
    params(CardFilter),
    responses(
        (status = 200, description = "A part of the list.", body = schema::CardPage),
        (status = 422, description = "A part of the query means nothing.", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The store is away.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn list(
    State(state): State<Shared>,
    ApiQuery(filter): ApiQuery<CardFilter>,
) -> Result<Json<schema::CardPage>, Failure> {
    let page = service::cards(&state, &filter).await?;
    Ok(Json(schema::CardPage::new(page, &state.web.products)))
}

/// One card's PIN state.
#[utoipa::path(
    get,
    path = "/api/v1/cards/{id}",
    tag = "cards",
    params(("id" = String, Path, description = "The card's id, 32 hexadecimal digits; never its number.")),
    responses(
        (status = 200, description = "The card.", body = schema::Card),
        (status = 404, description = "No such card.", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The store is away.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn one(
    State(state): State<Shared>,
    Path(id): Path<String>,
) -> Result<Json<schema::Card>, Failure> {
    let card = service::card(&state, &id).await?;
    Ok(Json(schema::Card::new(card, &state.web.products)))
}
