//! One request by one person: which language, which theme, where they are.

use std::{
    convert::Infallible,
    fmt,
    sync::{
        LazyLock,
        atomic::{AtomicU32, Ordering},
    },
};

use axum::{
    extract::{FromRequestParts, Query, Request},
    http::{HeaderMap, HeaderValue, Method, Uri, header, request::Parts},
    middleware::Next,
    response::Response,
};
use handbook::Lang;
use staff::Permission;

use crate::{
    actor::Actor,
    format::{Clock, now},
    lang::{Say, accepted},
    needs::{self, Need},
    router::Shared,
    service,
};

/// Cookies that hold a person's choices live for a year.
const COOKIE_AGE_S: u32 = 31_536_000;

/// Light, dark, or as the system is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Theme {
    #[default]
    System,
    Light,
    Dark,
}

impl Theme {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    fn named(name: &str) -> Option<Self> {
        [Self::System, Self::Light, Self::Dark].into_iter().find(|t| t.name() == name)
    }
}

/// The request as far as the layout of a page depends on it.
#[derive(Clone)]
pub(crate) struct Visit {
    pub(crate) say: Say,
    pub(crate) theme: Theme,
    /// Are single-key shortcuts on?
    pub(crate) keys: bool,
    pub(crate) sandbox: bool,
    pub(crate) clock: Clock,
    /// Whoever asks; `None` where that is not known.
    actor: Option<Actor>,
    /// What they may do.
    rights: Option<Vec<Permission>>,
    state: Shared,
    uri: Uri,
}

impl Visit {
    /// The language that the page is not in.
    pub(crate) fn other_lang(&self) -> Lang {
        match self.lang() {
            Lang::Zh => Lang::En,
            Lang::En => Lang::Zh,
        }
    }

    pub(crate) fn new(state: &Shared, uri: &Uri, headers: &HeaderMap, actor: Option<&Actor>) -> Self {
        let chosen = |name: &str| query_value(uri, name).or_else(|| cookie(headers, name));
        let lang = chosen("lang").and_then(|l| l.parse().ok()).unwrap_or_else(|| {
            headers.get(header::ACCEPT_LANGUAGE).and_then(|h| h.to_str().ok()).map_or(Lang::En, accepted)
        });
        let say = Say(lang);
        Self {
            say,
            theme: chosen("theme").and_then(|t| Theme::named(&t)).unwrap_or_default(),
            keys: chosen("keys").as_deref() != Some("off"),
            sandbox: state.web.sandbox,
            clock: Clock::new(&state.web.zone, now(), say),
            actor: actor.cloned(),
            rights: actor.map(|actor| rights(state, actor)),
            state: state.clone(),
            uri: uri.clone(),
        }
    }

    /// May whoever asks do this? What they may not do they need no button for.
    pub(crate) fn may(&self, permission: Permission) -> bool {
        self.rights.as_ref().is_some_and(|rights| rights.contains(&permission))
    }

    /// The name under which whoever asks is recorded.
    pub(crate) fn name(&self) -> Option<&str> {
        self.actor.as_ref().map(Actor::name)
    }

    /// Did they sign in?
    pub(crate) fn signed_in(&self) -> bool {
        self.actor.as_ref().is_some_and(Actor::is_signed_in)
    }

    /// Is a page of the console for whoever asks? On a page that says what went wrong it is not known who asks.
    pub(crate) fn may_open(&self, path: &str) -> bool {
        match needs::of(&Method::GET, path) {
            Need::May(permission) => self.rights.is_none() || self.may(permission),
            Need::Nobody | Need::Anybody | Need::Signed => true,
        }
    }

    /// How many alarms somebody should look at, for those who may see them.
    pub(crate) fn open_alarms(&self) -> usize {
        if self.may(Permission::ViewIncidents) { service::open_alarms(&self.state) } else { 0 }
    }

    pub(crate) fn lang(&self) -> Lang {
        self.say.0
    }

    /// This page with one part of its query changed; everything else stays.
    pub(crate) fn here_with(&self, name: &str, value: &str) -> String {
        let kept = self.uri.query().unwrap_or_default().split('&').filter(|pair| {
            let key = pair.split('=').next().unwrap_or_default();
            !pair.is_empty() && key != name && !CHOICES.contains(&key)
        });
        // What was searched may be a whole card number: links do not carry it on.
        let searched = || {
            let pairs = Query::<Vec<(String, String)>>::try_from_uri(&self.uri).map(|Query(pairs)| pairs);
            let q = pairs.unwrap_or_default().into_iter().find(|(name, _)| name == "q");
            q.map(|(_, q)| desk::matter::masked(&q)).unwrap_or_default()
        };
        let carried = |pair: &str| match pair.strip_prefix("q=") {
            Some(_) => format!("q={}", encode(&searched())),
            None => pair.to_owned(),
        };
        let mut query: Vec<String> = kept.map(carried).collect();
        if !value.is_empty() {
            query.push(format!("{name}={}", encode(value)));
        }
        if query.is_empty() {
            self.uri.path().to_owned()
        } else {
            format!("{}?{}", self.uri.path(), query.join("&"))
        }
    }
}

fn rights(state: &Shared, actor: &Actor) -> Vec<Permission> {
    let table = state.web.office.as_ref().map_or(staff::Permissions::builtin(), |o| o.permissions());
    Permission::ALL.iter().copied().filter(|permission| actor.0.may(table, *permission).is_ok()).collect()
}

/// What a person chooses once and a cookie keeps.
const CHOICES: [&str; 3] = ["lang", "theme", "keys"];

impl FromRequestParts<Shared> for Visit {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &Shared) -> Result<Self, Infallible> {
        Ok(Self::new(state, &parts.uri, &parts.headers, parts.extensions.get::<Actor>()))
    }
}

/// Keeps a choice made by a link such as `?lang=zh` in a cookie.
pub(crate) async fn remember_choices(request: Request, next: Next) -> Response {
    let uri = request.uri().clone();
    let mut response = next.run(request).await;
    for name in CHOICES {
        let Some(value) = query_value(&uri, name).filter(|v| is_choice(name, v)) else { continue };
        let cookie = format!("{name}={value}; Path=/; Max-Age={COOKIE_AGE_S}; SameSite=Lax; HttpOnly");
        if let Ok(value) = HeaderValue::from_str(&cookie) {
            response.headers_mut().append(header::SET_COOKIE, value);
        }
    }
    response
}

fn is_choice(name: &str, value: &str) -> bool {
    match name {
        "lang" => value.parse::<Lang>().is_ok(),
        "theme" => Theme::named(value).is_some(),
        _ => matches!(value, "on" | "off"),
    }
}

/// Choices are plain words, so nothing needs decoding.
fn query_value(uri: &Uri, name: &str) -> Option<String> {
    uri.query()?
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .find(|(n, _)| *n == name)
        .map(|(_, v)| v.to_owned())
}

pub(crate) fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|h| h.to_str().ok())
        .flat_map(|h| h.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(n, _)| *n == name)
        .map(|(_, v)| v.to_owned())
}

/// A value for a query string or path segment.
pub(crate) fn encode(text: &str) -> String {
    text.bytes()
        .map(|b| match b {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => char::from(b).to_string(),
            _ => format!("%{b:02X}"),
        })
        .collect()
}

/// Names a request in an error page, in the log and in the header `x-request-id`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RequestId(String);

impl RequestId {
    fn next() -> Self {
        static STARTED: LazyLock<i64> = LazyLock::new(|| now().0 / 1000);
        static COUNT: AtomicU32 = AtomicU32::new(0);
        Self(format!("{:x}-{:06x}", *STARTED, COUNT.fetch_add(1, Ordering::Relaxed)))
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Gives each request its name.
pub(crate) async fn name_request(mut request: Request, next: Next) -> Response {
    let id = RequestId::next();
    let header = HeaderValue::from_str(&id.0);
    request.extensions_mut().insert(id);
    let mut response = next.run(request).await;
    if let Ok(value) = header {
        response.headers_mut().insert("x-request-id", value);
    }
    response
}
