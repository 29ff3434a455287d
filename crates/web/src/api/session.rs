//! `/api/v1/session`: signing in and out, and who one is. `/api/v1/permissions`: who may do what.

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    actor::{Actor, Sent, session_cookie},
    error::{Failure, Problem},
    router::Shared,
};

/// The words that open a session.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SignIn {
    /// The user name.
    #[schema(max_length = 64)]
    username: String,
    /// The password.
    #[schema(max_length = 128)]
    password: String,
    /// The code of the authenticator app.
    #[schema(max_length = 6)]
    totp: String,
}

/// A session that has just begun.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct Begun {
    /// For `Authorization: Bearer …`; a browser has it in its cookie.
    token: String,
    /// Whose.
    actor: Who,
}

/// Whoever asks.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct Who {
    /// The user name; `console` where nobody has to sign in.
    name: String,
    /// What they are.
    roles: Vec<String>,
    /// Did they sign in?
    signed_in: bool,
    /// What they may do, or ask for.
    may: Vec<String>,
}

fn described(state: &Shared, actor: &Actor) -> Who {
    let table = state.web.office.as_ref().map_or(staff::Permissions::builtin(), |o| o.permissions());
    Who {
        name: actor.0.name.clone(),
        roles: actor.0.roles.iter().map(ToString::to_string).collect(),
        signed_in: actor.is_signed_in(),
        may: staff::Permission::ALL
            .iter()
            .filter(|p| actor.0.may(table, **p).is_ok())
            .map(ToString::to_string)
            .collect(),
    }
}

/// Signs in with user name, password and one-time code.
#[utoipa::path(
    post,
    path = "/api/v1/session",
    tag = "staff",
    request_body = SignIn,
    responses(
        (status = 200, description = "Signed in. A browser gets a cookie too.", body = Begun),
        (status = 401, description = "Not signed in: user name, password or code is wrong, the code was used, or the account waits after too many guesses. Nobody is told which.", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "The body is not understood.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn begin(
    State(state): State<Shared>,
    sent: Sent,
    headers: HeaderMap,
    super::query::ApiJson(words): super::query::ApiJson<SignIn>,
) -> Result<(HeaderMap, Json<Begun>), Failure> {
    let office = state.web.office.as_ref().ok_or(Failure::NotSignedIn)?;
    // A program keeps the token itself; a browser is known by its cookie.
    let program = headers.get("sec-fetch-mode").is_none() && headers.get(header::COOKIE).is_none();
    let device = if program { office::PROGRAM } else { sent.device.as_str() };
    let begun = office.sign_in(&words.username, &words.password, &words.totp, device).await?;
    let mut answer = HeaderMap::new();
    if !program && let Ok(cookie) = HeaderValue::from_str(&session_cookie(Some(&begun.token))) {
        answer.insert(header::SET_COOKIE, cookie);
    }
    let actor = described(&state, &Actor(begun.actor));
    Ok((answer, Json(Begun { token: begun.token.reveal().to_owned(), actor })))
}

/// Who asks, and what they may do.
#[utoipa::path(
    get,
    path = "/api/v1/session",
    tag = "staff",
    responses(
        (status = 200, description = "Whoever asks.", body = Who),
        (status = 401, description = "Not signed in.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn show(State(state): State<Shared>, actor: Actor) -> Json<Who> {
    Json(described(&state, &actor))
}

/// Signs out. Without a session nothing happens.
#[utoipa::path(
    delete,
    path = "/api/v1/session",
    tag = "staff",
    responses((status = 204, description = "Signed out."))
)]
pub(crate) async fn end(State(state): State<Shared>, sent: Sent) -> Result<(StatusCode, HeaderMap), Failure> {
    if let (Some(office), Some(token)) = (&state.web.office, &sent.token) {
        office.sign_out(token).await?;
    }
    let mut answer = HeaderMap::new();
    if let Ok(cookie) = HeaderValue::from_str(&session_cookie(None)) {
        answer.insert(header::SET_COOKIE, cookie);
    }
    Ok((StatusCode::NO_CONTENT, answer))
}

/// Who may do what, and for what two are needed.
#[utoipa::path(
    get,
    path = "/api/v1/permissions",
    tag = "staff",
    responses((status = 200, description = "For each action: roles that may do it, whether a second person is needed, roles that may be the second.", body = Object))
)]
pub(crate) async fn permissions(State(state): State<Shared>) -> Json<Value> {
    let table = state.web.office.as_ref().map_or(staff::Permissions::builtin(), |o| o.permissions());
    let roles: Vec<_> = staff::Role::ALL.iter().map(ToString::to_string).collect();
    Json(serde_json::json!({ "roles": roles, "actions": table }))
}
