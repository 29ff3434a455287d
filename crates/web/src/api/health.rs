//! Is the host alive, is it ready, how is it: for people, load balancers and collectors.

use axum::{
    Json,
    extract::State,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};

use super::schema;
use crate::{
    error::{Failure, Problem},
    router::Shared,
    service,
};

/// All checks, with how long each took. 503 when one is not well.
#[utoipa::path(
    get,
    path = "/api/v1/health",
    tag = "host",
    responses(
        (status = 200, description = "All is well.", body = schema::Health),
        (status = 503, description = "A check is not well, or the store is away.", body = schema::Health),
        (status = 500, description = "A check failed to run.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn health(State(state): State<Shared>) -> Result<Response, Failure> {
    report(&state).await
}

/// The same as `/api/v1/health`, where health checkers look for it.
#[utoipa::path(
    get,
    path = "/healthz",
    tag = "host",
    responses(
        (status = 200, description = "All is well.", body = schema::Health),
        (status = 503, description = "A check is not well.", body = schema::Health),
    )
)]
pub(crate) async fn healthz(State(state): State<Shared>) -> Result<Response, Failure> {
    report(&state).await
}

/// The process runs.
#[utoipa::path(get, path = "/livez", tag = "host", responses((status = 200, description = "It runs.", body = String)))]
pub(crate) async fn livez() -> &'static str {
    "ok\n"
}

/// The host can take transactions.
#[utoipa::path(
    get,
    path = "/readyz",
    tag = "host",
    responses(
        (status = 200, description = "It can.", body = String),
        (status = 503, description = "It cannot; the body names the checks that are not well.", body = String),
    )
)]
pub(crate) async fn readyz(State(state): State<Shared>) -> Result<Response, Failure> {
    let unwell: Vec<String> = service::health(&state)
        .await?
        .into_iter()
        .filter(|c| !c.ok)
        .map(|c| format!("{}: {}\n", c.name, c.detail))
        .collect();
    Ok(if unwell.is_empty() {
        "ok\n".into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, unwell.concat()).into_response()
    })
}

/// Figures for a metrics collector, in Prometheus' text format.
#[utoipa::path(get, path = "/metrics", tag = "host", responses((status = 200, description = "The figures.", body = String)))]
pub(crate) async fn metrics(State(state): State<Shared>) -> Response {
    let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    ([(header::CONTENT_TYPE, kind)], (state.web.metrics)()).into_response()
}

async fn report(state: &Shared) -> Result<Response, Failure> {
    let checks = service::health(state).await?;
    let ok = checks.iter().all(|c| c.ok);
    let status = if ok { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let health =
        schema::Health { ok, version: state.web.version.clone(), sandbox: state.web.sandbox, checks };
    Ok((status, Json(health)).into_response())
}
