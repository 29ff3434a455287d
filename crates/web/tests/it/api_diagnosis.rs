//! Verdicts and incidents for programs: their shapes are promises, and what is done is done once.

use axum::http::{Method, StatusCode};
use diagnosis::Cause;
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::{Answer, console, fake::HERO_RRN, fake_insight::TERMINAL, get, post_as};

async fn act(console: &axum::Router, path: &str, body: Value) -> Answer {
    post_as(console, path, "application/json", &body.to_string()).await
}

/// Both languages, both filled.
#[track_caller]
fn both(value: &Value) {
    for lang in ["zh", "en"] {
        assert!(!value[lang].as_str().unwrap_or_default().is_empty(), "{lang}: {value}");
    }
}

#[tokio::test]
async fn a_verdict_says_why_and_what_everybody_does() {
    let console = console();
    let verdict = get(&console, &format!("/api/v1/transactions/{HERO_RRN}/diagnosis"), "en").await.json();
    assert_eq!((&verdict["cause"], &verdict["incident"]), (&json!("keypad-fault"), &json!(17)));
    assert!((verdict["confidence"].as_f64().unwrap() - 0.91).abs() < 1e-6);
    assert_eq!(verdict["certainty"], "sure");
    both(&verdict["certainty_text"]);
    both(&verdict["sentence"]);
    for person in ["cardholder", "cashier", "shop_owner", "engineer", "analyst"] {
        both(&verdict["playbook"][person]);
    }
    let evidence = verdict["evidence"].as_array().unwrap();
    assert_eq!(evidence[0]["name"], "first-entry-mismatches");
    assert!(evidence.iter().any(|piece| piece["weight"].as_f64().unwrap() < 0.0));
    evidence.iter().for_each(|piece| both(&piece["text"]));
    assert!(evidence[0]["text"]["en"].as_str().unwrap().contains('9'));
    assert_eq!(verdict["others"][0]["cause"], "forgotten");
    assert_eq!(verdict["revised"]["count"], 1);
    let nobody = get(&console, "/api/v1/transactions/999999999999/diagnosis", "en").await;
    assert_eq!(nobody.status, StatusCode::NOT_FOUND);
    assert_eq!(nobody.header("content-type"), "application/problem+json");
}

#[tokio::test]
async fn incidents_are_listed_by_where_they_stand() {
    let console = console();
    let ids = async |query: &str| -> Vec<u64> {
        let page = get(&console, &format!("/api/v1/incidents{query}"), "en").await.json();
        page["data"].as_array().unwrap().iter().map(|row| row["id"].as_u64().unwrap()).collect()
    };
    assert_eq!(ids("").await, [18, 17, 12]);
    assert_eq!(ids("?status=open").await, [18, 17]);
    assert_eq!(ids("?status=provisional").await, [18]);
    assert_eq!(ids("?status=over").await, [12]);
    assert_eq!(ids("?cause=wrong-terminal-key").await, [12]);
    assert_eq!(ids("?after=18").await, [17, 12]);
    assert_eq!(ids("?to=2020-01-01T00:00:00Z").await, Vec::<u64>::new());
    let page = get(&console, "/api/v1/incidents?limit=1", "en").await.json();
    assert_eq!((&page["next"], &page["has_more"]), (&json!(18), &json!(true)));
    let row = &get(&console, "/api/v1/incidents?status=open", "en").await.json()["data"][1];
    assert_eq!(row["scope"], json!({ "kind": "terminal", "id": TERMINAL, "name": TERMINAL }));
    assert_eq!((&row["status"], &row["cause"]), (&json!("open"), &json!("keypad-fault")));
    assert!(row["onset"].as_str().unwrap().ends_with('Z') && row["detected"].is_string());
    assert_eq!(row["evidence"][0]["name"], "first-entry-mismatches");
    for (query, part) in [("?status=weird", "status"), ("?cause=bad-luck", "cause"), ("?state=open", "state")]
    {
        let refused = get(&console, &format!("/api/v1/incidents{query}"), "en").await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{query}");
        assert!(refused.json()["detail"].as_str().unwrap().contains(part), "{}", refused.text);
    }
}

#[tokio::test]
async fn an_incident_has_its_cards_transactions_and_history() {
    let console = console();
    let incident = get(&console, "/api/v1/incidents/17", "en").await.json();
    assert_eq!((&incident["id"], &incident["to_restore"]), (&json!(17), &json!(9)));
    assert_eq!(incident["harmed"].as_array().unwrap().len(), 9);
    assert_eq!(incident["transactions"][0]["rrn"], HERO_RRN);
    assert_eq!(incident["timeline"][0]["what"], "opened");
    both(&incident["prevention"]);
    assert_eq!(get(&console, "/api/v1/incidents/99", "en").await.status, StatusCode::NOT_FOUND);
    assert_eq!(get(&console, "/api/v1/incidents/x", "en").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn what_is_done_is_done_once_and_a_mistake_is_told() {
    let console = console();
    let path = "/api/v1/incidents/17/restore-tries";
    let done = act(&console, path, json!({ "why": "keypad", "reviewer": "wang.wei" })).await;
    assert_eq!((done.status, &done.json()["changed"]), (StatusCode::OK, &json!(9)));
    assert!(
        done.json()["cards"]
            .as_array()
            .unwrap()
            .iter()
            .all(|card| card["restored"] == true && card["fate"] == "restored")
    );
    assert_eq!(act(&console, path, json!({})).await.json()["changed"], 0);
    let taken = act(&console, "/api/v1/incidents/17/status", json!({ "status": "acknowledged" })).await;
    assert_eq!(taken.json()["status"], "acknowledged");
    let closed =
        act(&console, "/api/v1/incidents/17/status", json!({ "status": "closed", "note": "x" })).await;
    assert_eq!(closed.json()["status"], "closed");
    assert_eq!(closed.json()["assignee"], Value::Null);
    let given = act(&console, "/api/v1/incidents/17/assign", json!({ "to": "li.na" })).await;
    assert_eq!(given.json()["assignee"], "li.na");
    let noted = act(&console, "/api/v1/incidents/17/notes", json!({ "text": "the shop was called" })).await;
    let last = noted.json()["timeline"].as_array().unwrap().last().unwrap().clone();
    assert_eq!((&last["what"], &last["note"]), (&json!("note"), &json!("the shop was called")));
    let answer = json!({ "kind": "firmware", "name": "3.2.2" });
    let answered = act(&console, "/api/v1/incidents/17/answers", answer).await.json();
    assert_eq!(answered["answers"][0]["kind"], "firmware");
    for (path, body) in [
        ("/api/v1/incidents/17/status", json!({ "status": "gone" })),
        ("/api/v1/incidents/17/status", json!({})),
        ("/api/v1/incidents/17/status", json!({ "status": "closed", "why": "x" })),
        ("/api/v1/incidents/17/notes", json!({ "text": " " })),
        ("/api/v1/incidents/17/assign", json!({ "who": "li.na" })),
        ("/api/v1/incidents/17/answers", json!({ "kind": "prayer", "name": "x" })),
        ("/api/v1/incidents/17/restore-tries", json!({ "why": "x".repeat(501) })),
    ] {
        assert_eq!(
            act(&console, path, body.clone()).await.status,
            StatusCode::UNPROCESSABLE_ENTITY,
            "{body}"
        );
    }
    let unknown = act(&console, "/api/v1/incidents/99/restore-tries", json!({})).await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn feedback_and_terminals() {
    let console = console();
    let path = format!("/api/v1/transactions/{HERO_RRN}/diagnosis/feedback");
    let said =
        act(&console, &path, json!({ "right": false, "cause": "zone-key", "note": "all shops" })).await;
    assert_eq!(said.json()["contradicted"][0]["cause"], "zone-key");
    assert_eq!(act(&console, &path, json!({ "right": true })).await.status, StatusCode::OK);
    for body in [json!({}), json!({ "right": false, "cause": "bad-luck" })] {
        assert_eq!(act(&console, &path, body).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    }
    for action in ["suspend", "force-sign-in"] {
        let path = |terminal: &str| format!("/api/v1/terminals/{terminal}/{action}");
        assert_eq!(act(&console, &path(TERMINAL), json!({ "why": "x" })).await.json()["changed"], 1);
        assert_eq!(act(&console, &path("T9999999"), json!({})).await.status, StatusCode::NOT_FOUND);
    }
}

/// A page from elsewhere cannot act through somebody's browser.
#[tokio::test]
async fn a_page_from_elsewhere_cannot_act() {
    let request = axum::http::Request::builder()
        .method(Method::POST)
        .uri("/api/v1/incidents/17/restore-tries")
        .header("sec-fetch-site", "cross-site")
        .body(axum::body::Body::from("{}"))
        .unwrap();
    let response = console().oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn every_cause_has_its_words() {
    let causes = get(&console(), "/api/v1/causes", "en").await.json();
    let causes = causes["data"].as_array().unwrap();
    assert_eq!(causes.len(), Cause::ALL.len());
    for cause in causes {
        assert!(cause["name"].as_str().unwrap().parse::<Cause>().is_ok());
        both(&cause["title"]);
        both(&cause["sentence"]);
        both(&cause["prevention"]);
        both(&cause["playbook"]["shop_owner"]);
    }
}

#[tokio::test]
async fn the_register_is_a_table_with_trends() {
    let console = console();
    let register = get(&console, "/api/v1/register", "en").await.json();
    assert_eq!(register["data"].as_array().unwrap().len(), 3);
    assert_eq!(register["data"][1]["cards_harmed"], 9);
    let by_model = &register["trends"]["model"][0];
    assert_eq!((&by_model["key"], &by_model["incidents"]), (&json!("A930"), &json!(3)));
    assert_eq!(register["trends"]["cause"].as_array().unwrap().len(), 3);
    let table = get(&console, "/api/v1/register.csv?cause=keypad-fault", "en").await;
    assert_eq!(table.header("content-type"), "text/csv; charset=utf-8; header=present");
    let lines: Vec<&str> = table.text.trim_start_matches('\u{feff}').split("\r\n").collect();
    assert_eq!(lines.len(), 3);
    assert!(lines[0].starts_with("id,onset,detected,ended,status,cause,"));
    assert!(lines[1].starts_with("17,") && lines[1].contains("keypad-fault"));
}
