//! `GET /api/v1/transactions` and one of them.

use axum::{
    Json,
    extract::{Path, State},
};

use super::{query::ApiQuery, schema};
use crate::{
    actor::Actor,
    error::{Failure, Problem},
    router::Shared,
    seen,
    service::{self, TransactionFilter},
};

/// Transactions, newest first: payments, reversals, refusals, sign-ins and settlements.
#[utoipa::path(
    get,
    path = "/api/v1/transactions",
    tag = "transactions",
    params(TransactionFilter),
    responses(
        (status = 200, description = "A part of the list.", body = schema::TransactionPage),
        (status = 422, description = "A part of the query means nothing.", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The store is away.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn list(
    State(state): State<Shared>,
    ApiQuery(filter): ApiQuery<TransactionFilter>,
) -> Result<Json<schema::TransactionPage>, Failure> {
    let page = service::transactions(&state, &filter).await?;
    Ok(Json(page.into()))
}

/// One transaction with its messages, effects and surroundings.
#[utoipa::path(
    get,
    path = "/api/v1/transactions/{rrn}",
    tag = "transactions",
    params(("rrn" = String, Path, description = "Retrieval reference number (DE 37).")),
    responses(
        (status = 200, description = "The transaction.", body = schema::TransactionDetail),
        (status = 404, description = "No such transaction.", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The store is away.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn one(
    State(state): State<Shared>,
    Path(rrn): Path<String>,
    actor: Actor,
) -> Result<Json<schema::TransactionDetail>, Failure> {
    let detail = service::transaction(&state, &rrn).await?;
    seen::of_transaction(&state, &actor, &detail.row).await?;
    let [request, reply] = service::messages(&state, &detail);
    let after = state.web.rules.after(&detail.row).await?;
    Ok(Json(schema::TransactionDetail::new(detail, after, request, reply)))
}
