//! Who asks. Every request has an [`Actor`] before it reaches a handler; what the address needs stands in [`crate::needs`], and a
//! handler that changes something takes the actor and writes its name down.
//!
//! While there are no accounts, and in a sandbox, whoever reaches the console without signing in is `console`: it listens on the
//! loopback address only, and the operator of this machine may do whatever one person may do alone. `console` is nobody's
//! second pair of eyes.

use std::{
    convert::Infallible,
    net::{IpAddr, SocketAddr},
};

use axum::{
    extract::{ConnectInfo, FromRequestParts, MatchedPath, Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header, request::Parts},
    middleware::Next,
    response::{IntoResponse, Redirect, Response},
};
use office::OfficeError;
use staff::{Role, Token, api_token};

use crate::{
    entrance::cookie_name,
    error::Failure,
    format::now,
    needs::{self, Need},
    router::Shared,
    visit::{cookie, encode},
};

/// The cookie of a session.
pub(crate) const SESSION_COOKIE: &str = "pinward_session";
/// The cookie that tells one browser from another: two sessions of one browser are one pair of eyes.
const DEVICE_COOKIE: &str = "pinward_device";
/// Where a browser comes back to from a provider of identities.
const COME_BACK: &str = "/sign-in/oidc/callback";
/// A browser is known for a year.
const DEVICE_AGE_S: u32 = 31_536_000;
/// The name of whoever has not signed in where that is allowed.
const CONSOLE: &str = "console";

/// Whoever asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Actor(pub(crate) staff::Actor);

impl Actor {
    /// The name under which it is recorded.
    pub(crate) fn name(&self) -> &str {
        &self.0.name
    }

    /// Did they sign in?
    pub(crate) fn is_signed_in(&self) -> bool {
        !self.0.session.is_empty()
    }

    fn console(device: &str) -> Self {
        Self(staff::Actor {
            name: CONSOLE.to_owned(),
            person: CONSOLE.to_owned(),
            roles: Role::ALL.to_vec(),
            session: String::new(),
            device: device.to_owned(),
            scopes: None,
        })
    }
}

impl<S: Sync> FromRequestParts<S> for Actor {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        // The layer below puts it there; without it nobody is anybody.
        Ok(parts
            .extensions
            .get::<Self>()
            .cloned()
            .unwrap_or_else(|| Self(staff::Actor { roles: Vec::new(), ..Self::console("").0 })))
    }
}

/// What the browser or program sent to say who it is.
#[derive(Debug, Clone)]
pub(crate) struct Sent {
    /// The session's secret.
    pub(crate) token: Option<Token>,
    /// A program's token.
    program: Option<Token>,
    /// Did it come in a header that says who asks? Then it must be worth something.
    bearer: bool,
    /// The hash of the browser's own cookie; programs have none.
    pub(crate) device: String,
    /// The browser had none: it is given this.
    fresh: Option<Token>,
}

impl Sent {
    fn of(headers: &HeaderMap, secure: bool) -> Result<Self, OfficeError> {
        let cookie = |name: &str| cookie(headers, &cookie_name(name, secure));
        let bearer = headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .and_then(|text| text.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .map(|(_, bearer)| bearer.trim());
        let program = bearer.and_then(api_token::sent);
        let token = match bearer {
            Some(bearer) => Token::sent(bearer),
            None => cookie(SESSION_COOKIE).and_then(|text| Token::sent(&text)),
        };
        let known = cookie(DEVICE_COOKIE).and_then(|text| Token::sent(&text));
        let fresh = if known.is_none() { Some(office::fresh_token()?) } else { None };
        let device = known.as_ref().or(fresh.as_ref()).map(|token| token.hash().public().to_owned());
        // A program sends its token in a header that no other site can make a browser send: it needs no device.
        let device = if bearer.is_some() { office::PROGRAM.to_owned() } else { device.unwrap_or_default() };
        let bearer = bearer.is_some();
        Ok(Self { token, program, bearer, device, fresh: fresh.filter(|_| !bearer) })
    }

    /// Did the browser come without a name of its own?
    pub(crate) fn is_new(&self) -> bool {
        self.fresh.is_some()
    }

    fn device_cookie(&self) -> Option<HeaderValue> {
        let fresh = self.fresh.as_ref()?;
        HeaderValue::from_str(&format!(
            "{DEVICE_COOKIE}={}; Path=/; Max-Age={DEVICE_AGE_S}; SameSite=Strict; HttpOnly",
            fresh.reveal()
        ))
        .ok()
    }
}

impl FromRequestParts<Shared> for Sent {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &Shared) -> Result<Self, Failure> {
        match parts.extensions.get::<Self>() {
            Some(sent) => Ok(sent.clone()),
            None => Self::of(&parts.headers, state.web.entrance.secure).map_err(Failure::from),
        }
    }
}

/// Finds out who asks, and whether the address is for them.
pub(crate) async fn admit(State(state): State<Shared>, mut request: Request, next: Next) -> Response {
    let sent = match Sent::of(request.headers(), state.web.entrance.secure) {
        Ok(sent) => sent,
        Err(error) => return Failure::from(error).into_response(),
    };
    let need = request
        .extensions()
        .get::<MatchedPath>()
        .map_or(Need::Nobody, |path| needs::of(request.method(), path.as_str()));
    let from = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip());
    let actor = match who(&state, &sent, from).await {
        // Whoever signs out or signs in anew may have something that is worth nothing any more.
        Err(Failure::NotSignedIn) if need == Need::Nobody => None,
        Ok(actor) => actor,
        Err(failure) => return turned_away(&request, failure),
    };
    if let Some(failure) = refused(&state, need, actor.as_ref()) {
        return turned_away(&request, failure);
    }
    if let Some(actor) = actor {
        request.extensions_mut().insert(actor);
    }
    let path = request.uri().path();
    // Whoever comes back from a provider has left a cookie of ours at home: it is not given another in its place.
    let page = state.web.office.is_some() && !path.starts_with("/api/") && path != COME_BACK;
    let cookie = if page { sent.device_cookie() } else { None };
    request.extensions_mut().insert(sent);
    let mut response = next.run(request).await;
    if let Some(cookie) = cookie {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

/// Whoever is signed in; `console` where nobody has to be.
async fn who(state: &Shared, sent: &Sent, from: Option<IpAddr>) -> Result<Option<Actor>, Failure> {
    let Some(office) = &state.web.office else { return Ok(Some(Actor::console(&sent.device))) };
    if sent.bearer {
        return bearer(state, office, sent, from).await.map(Some);
    }
    if let Some(token) = &sent.token {
        match office.actor(token, &sent.device).await {
            Ok(actor) => return Ok(Some(Actor(actor))),
            Err(OfficeError::NotSignedIn) => {}
            Err(other) => return Err(other.into()),
        }
    }
    let open = state.web.sandbox || !office.has_accounts().await;
    Ok(open.then(|| Actor::console(&sent.device)))
}

/// Whoever has this token. One that is worth nothing is never taken for nobody, not even where nobody has to sign in: a program
/// must learn that its token has ended.
async fn bearer(
    state: &Shared,
    office: &office::Office,
    sent: &Sent,
    from: Option<IpAddr>,
) -> Result<Actor, Failure> {
    if !state.wrong_tokens.admits(from, now()) {
        return Err(Failure::TooManyTries);
    }
    let found = match (&sent.program, &sent.token) {
        (Some(program), _) => office.program(program).await,
        (None, Some(session)) => office.actor(session, &sent.device).await,
        (None, None) => Err(OfficeError::NotSignedIn),
    };
    match found {
        Ok(actor) => Ok(Actor(actor)),
        Err(OfficeError::NotSignedIn) => {
            if state.wrong_tokens.count(from, now()) {
                tracing::warn!(from = ?from, "too many tokens that are worth nothing: none from there is looked at for a minute");
            }
            Err(Failure::NotSignedIn)
        }
        Err(other) => Err(other.into()),
    }
}

fn refused(state: &Shared, need: Need, actor: Option<&Actor>) -> Option<Failure> {
    let Some(actor) = actor else {
        return (need != Need::Nobody).then_some(Failure::NotSignedIn);
    };
    match need {
        Need::Nobody | Need::Anybody => None,
        Need::Signed => (!actor.is_signed_in()).then_some(Failure::NotSignedIn),
        Need::May(permission) => {
            let table = state.web.office.as_ref().map_or(staff::Permissions::builtin(), |o| o.permissions());
            actor.0.may(table, permission).err().map(|_| Failure::Forbidden(permission.to_string()))
        }
    }
}

/// A person is sent to the page where they sign in, and back; a program is told.
fn turned_away(request: &Request, failure: Failure) -> Response {
    let page = !request.uri().path().starts_with("/api/") && *request.method() == axum::http::Method::GET;
    if page && failure == Failure::NotSignedIn {
        let here = request.uri().path_and_query().map_or("/", |p| p.as_str());
        return Redirect::to(&format!("/sign-in?next={}", encode(here))).into_response();
    }
    let mut response = failure.clone().into_response();
    if response.status() == StatusCode::UNAUTHORIZED {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response
}

/// The cookie of a session that has just begun; `None` ends it.
pub(crate) fn session_cookie(token: Option<&Token>) -> String {
    match token {
        Some(token) => format!("{SESSION_COOKIE}={}; Path=/; SameSite=Strict; HttpOnly", token.reveal()),
        None => format!("{SESSION_COOKIE}=; Path=/; Max-Age=0; SameSite=Strict; HttpOnly"),
    }
}
