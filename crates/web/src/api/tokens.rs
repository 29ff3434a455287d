//! `/api/v1/tokens`: tokens for programs.

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use serde::{Deserialize, Serialize};
use staff::{
    ApiToken, Permission,
    api_token::{self, DAYS_MAX, NewToken},
};

use super::query::ApiJson;
use crate::{
    actor::Actor,
    error::{Failure, Problem},
    format::rfc3339,
    router::Shared,
};

/// A token is asked for so many days when nobody says how many.
pub(crate) const DAYS: u16 = 90;

/// The token that is wanted.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TokenWanted {
    /// What its owner calls it: small letters, digits, dots, dashes, beginning with a letter.
    #[schema(max_length = 64)]
    name: String,
    /// Whose it is: the account's user name; the caller's when not given. For somebody else's `manage-tokens` is needed.
    #[schema(max_length = 64)]
    owner: Option<String>,
    /// What it may do: actions of `/api/v1/permissions` that its owner, and whoever makes it, may do.
    #[schema(min_items = 1, max_items = 64)]
    scopes: Vec<String>,
    /// For so many days; 90 when not given.
    #[schema(minimum = 1, maximum = 365)]
    days: Option<u16>,
}

/// A token that has just been made.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct TokenMade {
    /// For `Authorization: Bearer …`. It is shown here and never again.
    token: String,
    /// What is known of it.
    #[serde(flatten)]
    row: TokenRow,
}

/// What is known of a token; not the token.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct TokenRow {
    /// Its public id.
    id: String,
    /// What its owner calls it.
    name: String,
    /// Whose it is.
    owner: String,
    /// Who made it.
    made_by: String,
    /// What it may do, as far as its owner may.
    scopes: Vec<String>,
    /// When it was made.
    #[schema(format = DateTime)]
    since: String,
    /// Worth nothing from then on.
    #[schema(format = DateTime)]
    until: String,
    /// Last used, to within ten minutes.
    #[schema(format = DateTime)]
    used: Option<String>,
    /// When it was revoked.
    #[schema(format = DateTime)]
    revoked: Option<String>,
}

impl From<&ApiToken> for TokenRow {
    fn from(token: &ApiToken) -> Self {
        Self {
            id: token.id.clone(),
            name: token.name.clone(),
            owner: token.owner.clone(),
            made_by: token.by.clone(),
            scopes: token.scopes.iter().map(ToString::to_string).collect(),
            since: rfc3339(token.since),
            until: rfc3339(token.until),
            used: token.used.map(rfc3339),
            revoked: token.revoked.as_ref().map(|(_, at)| rfc3339(*at)),
        }
    }
}

/// Tokens, newest first.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct TokenList {
    /// The rows.
    data: Vec<TokenRow>,
}

/// The own tokens, or all for those who manage them.
#[utoipa::path(
    get,
    path = "/api/v1/tokens",
    tag = "staff",
    responses((status = 200, description = "Tokens, newest first; what is shown is not the token.", body = TokenList))
)]
pub(crate) async fn list(State(state): State<Shared>, actor: Actor) -> Result<Json<TokenList>, Failure> {
    let tokens = match &state.web.office {
        Some(office) => office.tokens(&actor.0).await?,
        None => Vec::new(),
    };
    Ok(Json(TokenList { data: tokens.iter().map(TokenRow::from).collect() }))
}

/// Makes a token for a program.
#[utoipa::path(
    post,
    path = "/api/v1/tokens",
    tag = "staff",
    request_body = TokenWanted,
    responses(
        (status = 201, description = "Made. The token is in this answer and nowhere else.", body = TokenMade),
        (status = 401, description = "Not signed in.", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "For somebody else without `manage-tokens`, or asked for by a token.", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such account.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "There is such a token, there are too many, or the account is closed.", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "A part of the body means nothing, or a scope is more than its owner, or whoever makes it, may do.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn make(
    State(state): State<Shared>,
    actor: Actor,
    ApiJson(wanted): ApiJson<TokenWanted>,
) -> Result<(StatusCode, Json<TokenMade>), Failure> {
    let office = state.web.office.as_ref().ok_or(Failure::NotSignedIn)?;
    let new = NewToken {
        name: wanted.name,
        owner: wanted.owner.unwrap_or_else(|| actor.0.name.clone()),
        scopes: scopes(wanted.scopes.iter().map(String::as_str))?,
        days: wanted.days.unwrap_or(DAYS),
    };
    let (token, row) = office.make_token(&actor.0, &new).await?;
    let made = TokenMade { token: api_token::reveal(&token), row: TokenRow::from(&row) };
    Ok((StatusCode::CREATED, Json(made)))
}

/// Actions by their names.
pub(crate) fn scopes<'a>(names: impl Iterator<Item = &'a str>) -> Result<Vec<Permission>, Failure> {
    names
        .map(|name| {
            name.parse()
                .map_err(|_| Failure::not_understood("scopes", "actions of the table at /api/v1/permissions"))
        })
        .collect()
}

/// Days as they were typed.
pub(crate) fn days(text: &str) -> Result<u16, Failure> {
    match text.trim() {
        "" => Ok(DAYS),
        number => number
            .parse()
            .map_err(|_| Failure::not_understood("days", &format!("a number from 1 to {DAYS_MAX}"))),
    }
}

/// Revokes a token: from now on it is worth nothing.
#[utoipa::path(
    delete,
    path = "/api/v1/tokens/{token}",
    tag = "staff",
    params(("token" = String, Path, description = "The token's public id.")),
    responses(
        (status = 204, description = "Revoked, or it was already."),
        (status = 401, description = "Not signed in.", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such token, or somebody else's.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn revoke(
    State(state): State<Shared>,
    Path(token): Path<String>,
    actor: Actor,
) -> Result<StatusCode, Failure> {
    let office = state.web.office.as_ref().ok_or(Failure::NotSignedIn)?;
    office.revoke_token(&actor.0, &token).await?;
    Ok(StatusCode::NO_CONTENT)
}
