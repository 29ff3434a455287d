//! The API.

use std::collections::BTreeSet;

use axum::http::{Method, StatusCode};
use tower::ServiceExt;
use web::{ACTIONS, ROUTES};

use crate::{archive, ask, console, console_without_store, fake, filled, get};

#[tokio::test]
async fn the_document_has_every_route_and_no_other() {
    let document = get(&console(), "/api/openapi.json", "en").await.json();
    let described: BTreeSet<&str> =
        document["paths"].as_object().unwrap().keys().map(String::as_str).collect();
    let routed: BTreeSet<&str> = ROUTES
        .iter()
        .copied()
        .chain(ACTIONS.iter().map(|(_, path)| *path))
        .filter(|r| r.starts_with("/api/") || ["/livez", "/readyz", "/healthz", "/metrics"].contains(r))
        .collect();
    assert_eq!(described, routed);
    assert_eq!(document["info"]["version"], "0.1.0-test");
    for (method, path) in ACTIONS.iter().filter(|(_, path)| path.starts_with("/api/")) {
        let item = &document["paths"][path][method];
        assert!(!item["tags"].as_array().unwrap().is_empty(), "{method} {path}");
        assert!(item["responses"].as_object().unwrap().keys().any(|s| s.starts_with('2')), "{method} {path}");
    }
    let acted: usize = document["paths"]
        .as_object()
        .unwrap()
        .values()
        .map(|i| i.as_object().unwrap().keys().filter(|m| *m != "get").count())
        .sum();
    assert_eq!(acted, ACTIONS.iter().filter(|(_, path)| path.starts_with("/api/")).count());
    for (path, item) in
        document["paths"].as_object().unwrap().iter().filter(|(p, _)| p.starts_with("/api/v1/"))
    {
        for (method, operation) in item.as_object().unwrap() {
            for status in ["401", "403", "421", "422", "429", "503"] {
                let content = &operation["responses"][status]["content"]["application/problem+json"];
                assert!(content.is_object(), "{method} {path} {status}");
            }
        }
    }
    for (path, item) in document["paths"].as_object().unwrap().iter().filter(|(_, i)| i["get"].is_object()) {
        assert!(!item["get"]["tags"].as_array().unwrap().is_empty(), "{path}");
        assert!(item["get"]["responses"]["200"].is_object(), "{path}");
        for parameter in item["get"]["parameters"].as_array().into_iter().flatten() {
            assert!(parameter["description"].is_string(), "{path} {parameter}");
            assert_eq!(parameter["required"], parameter["in"] == "path", "{path} {parameter}");
        }
    }
    for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
        assert!(schema["description"].is_string(), "{name}");
    }
}

#[tokio::test]
async fn references_in_the_document_lead_somewhere() {
    let answer = get(&console(), "/api/openapi.json", "en").await;
    let document = answer.json();
    for part in answer.text.split("\"$ref\":\"").skip(1) {
        let reference = part.split('"').next().unwrap();
        assert!(document.pointer(reference.trim_start_matches('#')).is_some(), "{reference}");
    }
}

#[tokio::test]
async fn every_address_answers_json() {
    let console = console();
    for route in ROUTES.iter().filter(|r| {
        r.starts_with("/api/") && !r.ends_with("/events") && !r.ends_with(".csv") && !r.ends_with("/receipt")
    }) {
        let answer = get(&console, &filled(route), "en").await;
        assert_eq!(
            (answer.status, answer.header("content-type")),
            (StatusCode::OK, "application/json"),
            "{route}"
        );
        assert!(answer.json().is_object(), "{route}");
        assert_eq!(ask(&console, Method::HEAD, &filled(route), "en").await.status, StatusCode::OK, "{route}");
    }
}

#[tokio::test]
async fn lists_are_paged_by_cursor() {
    let console = console();
    let first = get(&console, "/api/v1/transactions?limit=3", "en").await.json();
    assert_eq!((first["data"].as_array().unwrap().len(), &first["has_more"]), (3, &true.into()));
    let next =
        get(&console, &format!("/api/v1/transactions?limit=3&after={}", first["next"]), "en").await.json();
    assert!(next["data"][0]["seq"].as_u64() < first["data"][2]["seq"].as_u64());
    let declined = get(&console, "/api/v1/transactions?declined=true&code=75", "en").await.json();
    assert!(
        declined["data"]
            .as_array()
            .unwrap()
            .iter()
            .all(|row| row["code"] == "75" && row["approved"] == false)
    );
}

#[tokio::test]
async fn a_transaction_is_whole() {
    let detail = get(&console(), &filled("/api/v1/transactions/{rrn}"), "en").await.json();
    let row = &detail["transaction"];
    assert_eq!(
        (&row["rrn"], &row["code"], &row["reason"]),
        (&fake::HERO_RRN.into(), &"75".into(), &"pin-tries-exceeded".into())
    );
    assert_eq!((&row["amount"]["minor"], &row["amount"]["currency"]), (&128_000.into(), &"156".into()));
    assert_eq!(
        (&row["tries_left"], &row["try_charged"], &row["family"]),
        (&0.into(), &true.into(), &"lock".into())
    );
    assert!(row["at"].as_str().unwrap().ends_with('Z'));
    assert!(row["lock"]["until"].is_string());
    assert!(detail["same_card"].as_array().unwrap().len() > 3);
    let masked = detail["request"].as_array().unwrap().iter().find(|f| f["path"] == "DE 60").unwrap();
    assert_eq!(masked["value"], "22000001 PAN 621626*********0018");
}

#[tokio::test]
async fn failures_are_problems() {
    let console = console();
    for (path, status, code) in [
        ("/api/v1/nothing", 404, "not-found"),
        ("/api/v1/transactions/000000000000", 404, "not-found"),
        ("/api/v1/cards/xyz", 404, "not-found"),
        ("/api/v1/codes/ZZ", 404, "not-found"),
        ("/api/v1/transactions?limit=0", 422, "not-understood"),
        ("/api/v1/transactions?limit=501", 422, "not-understood"),
        ("/api/v1/transactions?code=5", 422, "not-understood"),
        ("/api/v1/transactions?declined=maybe", 422, "not-understood"),
        ("/api/v1/transactions?from=yesterday", 422, "not-understood"),
        ("/api/v1/transactions?card=0018", 422, "not-understood"),
        ("/api/v1/transactions?famly=warn", 422, "not-understood"),
        ("/api/v1/overview?window=7", 422, "not-understood"),
        ("/api/v1/transactions/panic", 500, "internal"),
    ] {
        let answer = get(&console, path, "en").await;
        assert_eq!(answer.status.as_u16(), status, "{path}");
        assert_eq!(answer.header("content-type"), "application/problem+json", "{path}");
        let problem = answer.json();
        assert_eq!((&problem["code"], &problem["status"]), (&code.into(), &status.into()), "{path}");
        assert_eq!(problem["type"], format!("/docs#problem-{code}"), "{path}");
        assert_eq!(problem["request_id"], answer.header("x-request-id"), "{path}");
        assert!(problem["title"].is_string() && problem["detail"].is_string(), "{path}");
    }
    let zh = get(&console, "/api/v1/nothing", "zh").await.json();
    assert_ne!(zh["title"], get(&console, "/api/v1/nothing", "en").await.json()["title"]);
    let away = get(&console_without_store(), "/api/v1/overview", "en").await;
    assert_eq!((away.status, away.header("retry-after")), (StatusCode::SERVICE_UNAVAILABLE, "5"));
}

#[tokio::test]
async fn probes_say_how_the_host_is() {
    let console = console();
    assert_eq!(get(&console, "/livez", "en").await.text, "ok\n");
    assert_eq!(get(&console, "/readyz", "en").await.text, "ok\n");
    assert_eq!(get(&console, "/healthz", "en").await.json()["checks"][0]["name"], "store");
    assert!(get(&console, "/metrics", "en").await.text.contains("pinward_auth_total"));

    let mut state = fake::state(archive(), true);
    state.health = std::sync::Arc::new(fake::FakeHealth { ok: false });
    let ill = web::Console::new(state);
    assert_eq!(get(&ill, "/livez", "en").await.status, StatusCode::OK);
    let ready = get(&ill, "/readyz", "en").await;
    assert_eq!(ready.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(ready.text.contains("security-module"), "{}", ready.text);
    let health = get(&ill, "/api/v1/health", "en").await;
    assert_eq!((health.status, &health.json()["ok"]), (StatusCode::SERVICE_UNAVAILABLE, &false.into()));
}

#[tokio::test]
async fn events_come_as_they_happen() {
    use axum::{body::Body, http::Request};

    let archive = archive();
    let console = web::Console::new(fake::state(archive.clone(), true));
    let request = Request::get("/api/v1/events?declined=false").body(Body::empty()).unwrap();
    let response = console.oneshot(request).await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    archive.announce();
    let mut stream = std::pin::pin!(response.into_body().into_data_stream());
    let first = std::future::poll_fn(|cx| futures_core::Stream::poll_next(stream.as_mut(), cx))
        .await
        .unwrap()
        .unwrap();
    let text = String::from_utf8(first.to_vec()).unwrap();
    assert!(text.contains("event: transaction\n") && text.contains("\"rrn\":"), "{text}");
}
