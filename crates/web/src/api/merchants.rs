//! `/api/v1/merchants/{merchant}/…`: a link to the shop's own page, and the shop's people.

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use serde::{Deserialize, Serialize};

use super::query::ApiJson;
use crate::{
    actor::Actor,
    error::{Failure, Problem},
    format::rfc3339,
    router::Shared,
    shops::{self, Deed},
    views::merchant::hours,
};

/// A link that is wanted.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LinkWanted {
    /// For how many hours it is good, 1 to 72; 12 when not given.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 72)]
    hours: Option<u32>,
}

/// A link; whoever has it is the shop.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct MerchantLink {
    /// The page's address. It is shown once.
    address: String,
    /// Good until then, RFC 3339.
    until: String,
}

/// Makes a link to the shop's own page, for a merchant who is on the telephone.
#[utoipa::path(
    post,
    path = "/api/v1/merchants/{merchant}/link",
    tag = "terminals",
    params(("merchant" = String, Path, description = "Merchant number (DE 42).")),
    request_body = LinkWanted,
    responses(
        (status = 201, description = "The link.", body = MerchantLink),
        (status = 401, description = "Not signed in.", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "Not a role that may.", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such merchant.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "This console only shows.", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "The body is not understood.", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The store is away.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn link(
    State(state): State<Shared>,
    Path(merchant): Path<String>,
    actor: Actor,
    ApiJson(wanted): ApiJson<LinkWanted>,
) -> Result<(StatusCode, Json<MerchantLink>), Failure> {
    let hours = hours(&wanted.hours.map(|hours| hours.to_string()).unwrap_or_default())?;
    let (id, _) = shops::merchant(&state, &merchant).await?;
    let (address, until) = shops::link(&state, &actor, id, hours).await?;
    Ok((StatusCode::CREATED, Json(MerchantLink { address, until: rfc3339(until) })))
}

/// One of the shop's own people.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct ShopOperator {
    /// Two digits.
    #[schema(example = "01")]
    operator: String,
    /// `cashier` or `supervisor`.
    role: &'static str,
    /// Too many wrong passwords.
    locked: bool,
    /// The password was given by somebody else and must be changed at the first sign-on.
    must_change: bool,
    /// Since when the password is what it is, RFC 3339.
    since: String,
}

/// A shop's people.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct ShopOperators {
    /// All of them, by number.
    data: Vec<ShopOperator>,
}

/// The shop's own people. Their passwords and tries are not shown to anybody.
#[utoipa::path(
    get,
    path = "/api/v1/merchants/{merchant}/operators",
    tag = "terminals",
    params(("merchant" = String, Path, description = "Merchant number (DE 42).")),
    responses(
        (status = 200, description = "All of them.", body = ShopOperators),
        (status = 404, description = "No such merchant.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "This console only shows.", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The store is away.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn operators(
    State(state): State<Shared>,
    Path(merchant): Path<String>,
) -> Result<Json<ShopOperators>, Failure> {
    let (id, _) = shops::merchant(&state, &merchant).await?;
    let people = shops::desk(&state)?.operators(id).await?;
    let shown = people.into_iter().map(|one| ShopOperator {
        operator: one.operator.to_string(),
        role: one.role.name(),
        locked: one.locked,
        must_change: one.must_change,
        since: rfc3339(one.since),
    });
    Ok(Json(ShopOperators { data: shown.collect() }))
}

/// What is done about one of them.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct OperatorDeed {
    /// `open`, `reset` or `close`.
    #[schema(example = "reset")]
    deed: String,
}

/// What came of it.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct OperatorDone {
    /// Two digits.
    operator: String,
    /// The first password, shown once; it must be changed at the first sign-on. `null` when there is none any more.
    first_password: Option<String>,
}

/// Opens an operator, gives a locked one a first password, or takes one off.
#[utoipa::path(
    post,
    path = "/api/v1/merchants/{merchant}/operators/{operator}",
    tag = "terminals",
    params(
        ("merchant" = String, Path, description = "Merchant number (DE 42)."),
        ("operator" = String, Path, description = "Two digits; 00 and 99 are supervisors."),
    ),
    request_body = OperatorDeed,
    responses(
        (status = 200, description = "Done.", body = OperatorDone),
        (status = 401, description = "Not signed in.", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "Not a role that may.", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such merchant or operator.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "There is one with this number, or this console only shows.", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "The body is not understood.", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The store is away.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn act(
    State(state): State<Shared>,
    Path((merchant, operator)): Path<(String, String)>,
    actor: Actor,
    ApiJson(wanted): ApiJson<OperatorDeed>,
) -> Result<Json<OperatorDone>, Failure> {
    let deed = Deed::named(&wanted.deed);
    let deed = deed.ok_or_else(|| Failure::not_understood("deed", "open, reset or close"))?;
    let (id, _) = shops::merchant(&state, &merchant).await?;
    let number = operator.parse().map_err(|_| Failure::NotFound)?;
    let first = shops::act(&state, &actor, id, number, deed).await?;
    Ok(Json(OperatorDone { operator, first_password: first.map(|first| first.reveal().to_owned()) }))
}
