//! The console from outside: every page in both languages, every address of the API, on made-up data.

mod fake;
mod fake_insight;
mod fake_rules;

mod alarms;
mod api;
mod api_diagnosis;
mod cases;
mod contact;
mod holder;
mod incidents;
mod live;
mod merchant;
mod oidc;
mod pages;
mod passkeys;
mod receipts;
mod rules;
mod staff;
mod texts;
mod tokens;

use std::sync::{Arc, atomic::Ordering};

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{HeaderMap, Method, Request, StatusCode},
};
use fake::FakeArchive;
use model::Timestamp;
use tower::ServiceExt;

/// What came back.
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    text: String,
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |v| v.to_str().unwrap())
    }

    fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.text).unwrap_or_else(|e| panic!("{e}: {}", self.text))
    }
}

fn archive() -> Arc<FakeArchive> {
    Arc::new(FakeArchive::new(Timestamp(jiff::Timestamp::now().as_millisecond())))
}

fn console() -> Router {
    web::Console::new(fake::state(archive(), true))
}

/// A console whose store is away.
fn console_without_store() -> Router {
    let archive = archive();
    archive.away.store(true, Ordering::Relaxed);
    web::Console::new(fake::state(archive, false))
}

async fn ask(router: &Router, method: Method, path: &str, lang: &str) -> Answer {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("accept-language", lang)
        .body(Body::empty())
        .unwrap();
    let response = router.clone().oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let bytes = to_bytes(body, 4 << 20).await.unwrap();
    Answer {
        status: parts.status,
        headers: parts.headers,
        text: String::from_utf8_lossy(&bytes).into_owned(),
    }
}

async fn get(router: &Router, path: &str, lang: &str) -> Answer {
    ask(router, Method::GET, path, lang).await
}

/// Addresses with the places for values filled in from the fake.
fn filled(route: &str) -> String {
    let card = "a05e170009080706050403020100ffee";
    route
        .replace("{webhook}", fake::alarms::WEBHOOK)
        .replace("{alarm}", fake::alarms::ALARM)
        .replace("{rrn}", fake::HERO_RRN)
        .replace("{id}", card)
        .replace("{code}", "75")
        .replace("{incident}", "17")
        .replace("{digest}", &fake_rules::digest())
        .replace("{case}", fake::cases::CASE)
        .replace("{survey}", fake::cases::survey().reveal())
        .replace("{terminal}", fake_insight::TERMINAL)
        .replace("{merchant}", fake::MERCHANT)
        .replace("{operator}", "01")
}

/// What a form of the console sends.
async fn post(router: &Router, path: &str, form: &str) -> Answer {
    post_as(router, path, "application/x-www-form-urlencoded", form).await
}

async fn post_as(router: &Router, path: &str, kind: &str, body: &str) -> Answer {
    post_in(router, path, "en", kind, body).await
}

async fn post_in(router: &Router, path: &str, lang: &str, kind: &str, body: &str) -> Answer {
    let request = Request::builder()
        .method(Method::POST)
        .uri(path)
        .header("accept-language", lang)
        .header("content-type", kind)
        .body(Body::from(body.to_owned()))
        .unwrap();
    let response = router.clone().oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let bytes = to_bytes(body, 4 << 20).await.unwrap();
    Answer {
        status: parts.status,
        headers: parts.headers,
        text: String::from_utf8_lossy(&bytes).into_owned(),
    }
}
