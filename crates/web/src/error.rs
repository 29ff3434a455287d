//! Why a page or an answer could not be given, by whose fault it is. Handlers return a [`Failure`]; one place turns
//! it into a page in the person's language or into `application/problem+json` (RFC 9457).

use axum::{
    extract::{Request, State},
    http::{HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use office::OfficeError;
use serde::Serialize;
use store::StoreError;

use crate::{
    insight::Refused,
    router::Shared,
    views,
    visit::{RequestId, Visit},
};

/// A request without the answer it asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Failure {
    /// The caller asked for something that is not here.
    #[error("not found")]
    NotFound,
    /// The caller reached this machine by a name that is not its own, as a hostile page does by DNS rebinding.
    #[error("misdirected")]
    Misdirected,
    /// A page from elsewhere tried to change something through the caller's browser.
    #[error("cross-site")]
    CrossSite,
    /// Nobody signed in, or not with these words.
    #[error("not signed in")]
    NotSignedIn,
    /// The caller may not do this.
    #[error("forbidden: {0}")]
    Forbidden(String),
    /// Something else happened meanwhile, or what was asked for does not fit what is: look again.
    #[error("conflict: {0}")]
    Conflict(String),
    /// The caller used a method that this address does not have.
    #[error("method not allowed")]
    MethodNotAllowed,
    /// The caller sent a query that means nothing.
    #[error("{parameter}: expected {expected}")]
    NotUnderstood {
        /// Which part of the query.
        parameter: String,
        /// What would have been accepted.
        expected: String,
    },
    /// Too many wrong tokens came from there: none is looked at for a minute.
    #[error("too many tries")]
    TooManyTries,
    /// Too many people listen already.
    #[error("too many listeners")]
    TooManyListeners,
    /// The store is away or has too much to do; later it may answer.
    #[error("store away: {0}")]
    StoreAway(String),
    /// The answer took too long.
    #[error("timed out")]
    TimedOut,
    /// We have a bug, or the store is corrupt.
    #[error("internal: {0}")]
    Internal(String),
}

impl Failure {
    pub(crate) fn not_understood(parameter: &str, expected: &str) -> Self {
        Self::NotUnderstood { parameter: parameter.to_owned(), expected: expected.to_owned() }
    }

    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Misdirected => StatusCode::MISDIRECTED_REQUEST,
            Self::NotSignedIn => StatusCode::UNAUTHORIZED,
            Self::CrossSite | Self::Forbidden(_) => StatusCode::FORBIDDEN,
            Self::Conflict(_) => StatusCode::CONFLICT,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::NotUnderstood { .. } => StatusCode::UNPROCESSABLE_ENTITY,
            Self::TooManyTries => StatusCode::TOO_MANY_REQUESTS,
            Self::TooManyListeners | Self::StoreAway(_) | Self::TimedOut => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The fixed name, for programs and as part of the keys of its texts.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::NotFound => "not-found",
            Self::Misdirected => "misdirected",
            Self::CrossSite => "cross-site",
            Self::NotSignedIn => "not-signed-in",
            Self::Forbidden(_) => "forbidden",
            Self::Conflict(_) => "conflict",
            Self::MethodNotAllowed => "method-not-allowed",
            Self::NotUnderstood { .. } => "not-understood",
            Self::TooManyTries => "too-many-tries",
            Self::TooManyListeners => "too-many-listeners",
            Self::StoreAway(_) => "store-away",
            Self::TimedOut => "timed-out",
            Self::Internal(_) => "internal",
        }
    }

    /// One of each, for tests of texts.
    #[cfg(test)]
    pub(crate) fn all() -> [Self; 13] {
        [
            Self::NotFound,
            Self::Misdirected,
            Self::CrossSite,
            Self::NotSignedIn,
            Self::Forbidden(String::new()),
            Self::Conflict(String::new()),
            Self::MethodNotAllowed,
            Self::not_understood("", ""),
            Self::TooManyTries,
            Self::TooManyListeners,
            Self::StoreAway(String::new()),
            Self::TimedOut,
            Self::Internal(String::new()),
        ]
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Away(_) | StoreError::Overloaded => Self::StoreAway(error.to_string()),
            StoreError::Corrupt(_) => Self::Internal(error.to_string()),
        }
    }
}

impl From<holder::NotReset> for Failure {
    fn from(error: holder::NotReset) -> Self {
        match error {
            holder::NotReset::NoCard => Self::NotFound,
            holder::NotReset::Away(why) => Self::StoreAway(why),
            holder::NotReset::NoContact | holder::NotReset::OnHold { .. } | holder::NotReset::Unsupported => {
                Self::Conflict(error.to_string())
            }
        }
    }
}

impl From<store::BookError> for Failure {
    fn from(error: store::BookError) -> Self {
        match error {
            store::BookError::Store(error) => error.into(),
            store::BookError::Collision => StoreError::Overloaded.into(),
            store::BookError::Refused(why) => Self::Conflict(why),
            store::BookError::Unknown(why) => Self::StoreAway(why),
        }
    }
}

impl From<confirmation::NoCode> for Failure {
    fn from(error: confirmation::NoCode) -> Self {
        match error {
            confirmation::NoCode::Store(error) => error.into(),
            confirmation::NoCode::NotSent(error) => error.into(),
            confirmation::NoCode::NoContact | confirmation::NoCode::OnHold { .. } => {
                Self::Conflict(error.to_string())
            }
        }
    }
}

impl From<Refused> for Failure {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::NotFound => Self::NotFound,
            Refused::Conflict(why) => Self::Conflict(why),
            Refused::NotUnderstood { part, expected } => Self::not_understood(part, expected),
            Refused::Store(error) => error.into(),
        }
    }
}

impl From<OfficeError> for Failure {
    fn from(error: OfficeError) -> Self {
        match error {
            OfficeError::NotSignedIn => Self::NotSignedIn,
            OfficeError::Forbidden(forbidden) => Self::Forbidden(forbidden.permission.to_string()),
            OfficeError::NotApproved(staff::proposal::NotApproved::Role) => {
                Self::Forbidden(error.to_string())
            }
            OfficeError::NotApproved(_) | OfficeError::Conflict(_) => Self::Conflict(error.to_string()),
            OfficeError::NoToken(staff::api_token::NotMade::Program) => Self::Forbidden(error.to_string()),
            OfficeError::NoToken(_) => Self::not_understood("token", &error.to_string()),
            OfficeError::BadLink | OfficeError::Unknown(_) => Self::NotFound,
            OfficeError::Weak(_) => Self::not_understood("password", &error.to_string()),
            OfficeError::NotFresh => Self::Forbidden(error.to_string()),
            OfficeError::NotRegistered(_) => Self::not_understood("passkey", &error.to_string()),
            OfficeError::WrongCode => Self::not_understood("totp", &error.to_string()),
            OfficeError::Invalid(why) => Self::not_understood("request", why),
            OfficeError::Store(error) => error.into(),
        }
    }
}

impl IntoResponse for Failure {
    /// Status alone; [`explain`] writes the words.
    fn into_response(self) -> Response {
        let mut response = self.status().into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// A failure for programs (RFC 9457).
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct Problem {
    /// Names the kind of problem: a path on this host, where the API is described.
    #[serde(rename = "type")]
    pub(crate) kind: String,
    /// The problem in a few words, in the caller's language.
    pub(crate) title: String,
    /// HTTP status.
    pub(crate) status: u16,
    /// What to do about it.
    pub(crate) detail: String,
    /// The problem's fixed name, such as `not-found`.
    pub(crate) code: String,
    /// Names this request in the host's log.
    pub(crate) request_id: String,
}

/// Writes the words of a failure: JSON below `/api`, a page elsewhere.
pub(crate) async fn explain(State(state): State<Shared>, request: Request, next: Next) -> Response {
    let visit = Visit::new(&state, request.uri(), request.headers(), None);
    let for_programs = request.uri().path().starts_with("/api/");
    let id = request.extensions().get::<RequestId>().map_or_else(String::new, ToString::to_string);
    let response = next.run(request).await;
    let Some(failure) = response.extensions().get::<Failure>().cloned() else { return response };
    if failure.status().is_server_error() {
        tracing::error!(request_id = id, error = %failure, "failed to answer");
    }
    let mut explained = if for_programs {
        problem(&failure, &visit, id)
    } else {
        views::error::page(&failure, &visit, &id).into_response()
    };
    *explained.status_mut() = failure.status();
    if failure == Failure::TooManyTries {
        explained.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("60"));
    }
    if failure.status() == StatusCode::SERVICE_UNAVAILABLE {
        explained.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
    }
    if let Some(allow) = response.headers().get(header::ALLOW) {
        explained.headers_mut().insert(header::ALLOW, allow.clone());
    }
    explained
}

fn problem(failure: &Failure, visit: &Visit, request_id: String) -> Response {
    let problem = Problem {
        kind: format!("/docs#problem-{}", failure.code()),
        title: title(failure, visit),
        status: failure.status().as_u16(),
        detail: detail(failure, visit),
        code: failure.code().to_owned(),
        request_id,
    };
    let body = serde_json::to_string(&problem).unwrap_or_default();
    ([(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"))], body).into_response()
}

/// The failure in a few words.
pub(crate) fn title(failure: &Failure, visit: &Visit) -> String {
    visit.say.t(&format!("error-{}", failure.code())).into_owned()
}

/// What to do about it.
pub(crate) fn detail(failure: &Failure, visit: &Visit) -> String {
    match failure {
        Failure::NotUnderstood { parameter, expected } => visit
            .say
            .with(
                "error-not-understood-detail",
                [("parameter", parameter.as_str().into()), ("expected", expected.as_str().into())],
            )
            .into_owned(),
        Failure::Forbidden(what) | Failure::Conflict(what) => visit
            .say
            .with(&format!("error-{}-detail", failure.code()), [("what", what.as_str().into())])
            .into_owned(),
        other => visit.say.t(&format!("error-{}-detail", other.code())).into_owned(),
    }
}
