//! Alarms, silences and webhooks through the API: what is done is seen, what makes no sense is refused with the place.

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{Method, Request, StatusCode},
};
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::{archive, console, fake, get};

async fn send(router: &Router, method: Method, path: &str, body: &Value) -> (StatusCode, Value) {
    let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
    let request =
        Request::builder().method(method).uri(path).header("accept-language", "en").body(body).unwrap();
    let response = router.clone().oneshot(request).await.unwrap();
    let status = response.status();
    let bytes = to_bytes(response.into_body(), 1 << 20).await.unwrap();
    (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
}

async fn post(router: &Router, path: &str, body: Value) -> (StatusCode, Value) {
    send(router, Method::POST, path, &body).await
}

/// A console whose alarms work.
async fn working() -> (Router, alarm::AlarmService) {
    let alarms = fake::alarms::awake().await;
    let mut state = fake::state(archive(), true);
    state.alarms = alarms.clone();
    (web::Console::new(state), alarms)
}

/// The only alarm, once it is there.
async fn raised(router: &Router, alarms: &alarm::AlarmService) -> Value {
    alarms.raise(fake::alarms::alert("wrong-terminal-key", "T9", alarm::Severity::Critical)).unwrap();
    for _ in 0..3000 {
        let list = get(router, "/api/v1/alerts", "en").await.json();
        if let Some(alarm) = list["data"].as_array().unwrap().first() {
            return alarm.clone();
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("no alarm");
}

#[tokio::test]
async fn alarms_are_listed_by_where_they_stand() {
    let console = console();
    let all = get(&console, "/api/v1/alerts", "en").await.json();
    let standings: Vec<&str> =
        all["data"].as_array().unwrap().iter().map(|a| a["standing"].as_str().unwrap()).collect();
    assert_eq!(standings, ["open", "silenced", "acknowledged", "over"], "newest first");
    let open = get(&console, "/api/v1/alerts?standing=open", "en").await.json();
    let alarm = &open["data"][0];
    assert_eq!((open["data"].as_array().unwrap().len(), &alarm["severity"]), (1, &json!("critical")));
    assert_eq!(alarm["scope"], json!({"kind": "terminal", "id": "T0000001"}));
    assert!(alarm["title"]["zh"].is_string() && alarm["title"]["en"].is_string());
    assert_eq!(
        get(&console, "/api/v1/alerts?limit=2", "en").await.json()["data"].as_array().unwrap().len(),
        2
    );
    for wrong in ["?standing=loud", "?limit=0", "?stand=open"] {
        let answer = get(&console, &format!("/api/v1/alerts{wrong}"), "en").await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{wrong}");
    }
}

#[tokio::test]
async fn somebody_takes_an_alarm_on() {
    let (console, alarms) = working().await;
    let id = raised(&console, &alarms).await["id"].clone();
    let path = format!("/api/v1/alerts/{id}/ack");
    let (status, alarm) = post(&console, &path, json!({"note": "on it"})).await;
    assert_eq!((status, &alarm["standing"]), (StatusCode::OK, &json!("acknowledged")));
    assert_eq!(
        (&alarm["acknowledged"]["note"], &alarm["acknowledged"]["by"]),
        (&json!("on it"), &json!("console"))
    );
    assert_eq!(post(&console, &path, Value::Null).await.0, StatusCode::CONFLICT);
    for nobody in ["/api/v1/alerts/999/ack", "/api/v1/alerts/x/ack"] {
        assert_eq!(post(&console, nobody, Value::Null).await.0, StatusCode::NOT_FOUND, "{nobody}");
    }
    alarms.stop().await;
}

#[tokio::test]
async fn a_silence_is_made_and_lifted() {
    let (console, alarms) = working().await;
    let until = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(1);
    let wish =
        json!({"scope_kind": "terminal", "scope_id": "T9", "until": until.to_string(), "why": "repair"});
    let (status, silence) = post(&console, "/api/v1/silences", wish.clone()).await;
    assert_eq!((status, &silence["live"]), (StatusCode::CREATED, &json!(true)), "{silence}");
    assert_eq!(raised(&console, &alarms).await["standing"], "silenced");
    let path = format!("/api/v1/silences/{}", silence["id"]);
    assert_eq!(send(&console, Method::DELETE, &path, &Value::Null).await.0, StatusCode::NO_CONTENT);
    assert_eq!(send(&console, Method::DELETE, &path, &Value::Null).await.0, StatusCode::CONFLICT);
    let list = get(&console, "/api/v1/silences", "en").await.json();
    assert_eq!((&list["data"][0]["live"], &list["data"][0]["lifted_by"]), (&json!(false), &json!("console")));
    for (field, value, said) in [
        ("until", json!("tomorrow"), "until"),
        ("until", json!("2020-01-01T00:00:00Z"), "until"),
        ("why", json!(""), "why"),
        ("scope_id", json!(""), "scope_id"),
        ("most", json!("loud"), "body"),
        ("untli", json!("x"), "body"),
    ] {
        let mut wrong = wish.clone();
        wrong[field] = value;
        let (status, problem) = post(&console, "/api/v1/silences", wrong).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{field}");
        assert!(problem["detail"].as_str().unwrap().contains(said), "{field}: {problem}");
    }
    alarms.stop().await;
}

#[tokio::test]
async fn a_webhook_lives_and_dies() {
    let (console, alarms) = working().await;
    let wish = json!({"url": "http://127.0.0.1:9/hook", "kinds": ["pin-spray"], "least": "warning"});
    let (status, made) = post(&console, "/api/v1/webhooks", wish).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    let secret = made["secret"].as_str().unwrap().to_owned();
    assert!(secret.starts_with("whsec_"));
    let id = made["webhook"]["id"].as_str().unwrap().to_owned();
    let list = get(&console, "/api/v1/webhooks", "en").await;
    assert!(!list.text.contains(&secret[6..]), "it is told once");
    assert_eq!(list.json()["data"][0]["least"], "warning");

    let path = |what: &str| format!("/api/v1/webhooks/{id}{what}");
    let (status, new) = post(&console, &path("/rotate"), Value::Null).await;
    assert_eq!(status, StatusCode::OK);
    assert_ne!(new["secret"], secret.as_str());
    assert!(get(&console, "/api/v1/webhooks", "en").await.json()["data"][0]["old_secret_until"].is_string());
    assert_eq!(post(&console, &path("/test"), Value::Null).await.0, StatusCode::ACCEPTED);
    // Nobody listens there; what came of it stands in the log of deliveries.
    let mut delivery = Value::Null;
    for _ in 0..3000 {
        delivery = get(&console, &path("/deliveries"), "en").await.json()["data"][0].clone();
        if delivery["tried"] == 1 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert_eq!(
        (&delivery["type"], &delivery["state"]),
        (&json!("webhook.test"), &json!("waiting")),
        "{delivery}"
    );
    assert!(delivery["attempts"][0]["said"].as_str().unwrap().contains("connect"), "{delivery}");
    assert!(delivery["next"].is_string());
    assert_eq!(post(&console, &path("/enable"), Value::Null).await.0, StatusCode::CONFLICT);
    assert_eq!(send(&console, Method::DELETE, &path(""), &Value::Null).await.0, StatusCode::NO_CONTENT);
    for gone in ["/rotate", "/test", "/enable"] {
        assert_eq!(post(&console, &path(gone), Value::Null).await.0, StatusCode::NOT_FOUND, "{gone}");
    }
    assert_eq!(get(&console, &path("/deliveries"), "en").await.status, StatusCode::NOT_FOUND);
    alarms.stop().await;
}

#[tokio::test]
async fn an_internal_address_is_refused_with_the_reason() {
    let (console, alarms) = working().await;
    for (url, said) in [
        ("https://10.0.0.1/", "10.0.0.1 is an internal address"),
        ("https://169.254.169.254/latest/meta-data", "internal"),
        ("http://8.8.8.8/", "https only"),
        ("ftp://8.8.8.8/", "not of the web"),
        ("https://u:p@8.8.8.8/", "no user and password"),
        ("", "not an address"),
    ] {
        let (status, problem) = post(&console, "/api/v1/webhooks", json!({ "url": url })).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{url}");
        assert!(problem["detail"].as_str().unwrap().contains(said), "{url}: {problem}");
    }
    alarms.stop().await;
}

#[tokio::test]
async fn another_sites_page_changes_nothing() {
    let (console, alarms) = working().await;
    let request = Request::post("/api/v1/webhooks")
        .header("origin", "https://evil.example")
        .body(Body::from(r#"{"url":"http://127.0.0.1:9/"}"#))
        .unwrap();
    assert_eq!(console.clone().oneshot(request).await.unwrap().status(), StatusCode::FORBIDDEN);
    assert_eq!(get(&console, "/api/v1/webhooks", "en").await.json()["data"], json!([]));
    alarms.stop().await;
}

#[tokio::test]
async fn the_page_leads_from_an_alarm_to_whoever_takes_it_on() {
    let (console, alarms) = working().await;
    let id = raised(&console, &alarms).await["id"].clone();
    let list = get(&console, "/alarms", "en").await;
    assert!(
        list.text.contains(&format!("href=\"/alarms/{id}\"")) && list.text.contains("T9: key out of step")
    );
    let page = get(&console, &format!("/alarms/{id}"), "en").await;
    for words in
        ["Critical", "Open", "Take it on", "Silence", "Sign in again.", "value=\"wrong-terminal-key\""]
    {
        assert!(page.text.contains(words), "{words}");
    }
    let taken = crate::post(&console, &format!("/alarms/{id}/acknowledge"), "note=on+it").await;
    assert_eq!(
        (taken.status, taken.header("location")),
        (StatusCode::SEE_OTHER, format!("/alarms/{id}").as_str())
    );
    let page = get(&console, &format!("/alarms/{id}"), "en").await;
    assert!(page.text.contains("on it") && !page.text.contains("Take it on"));
    let again = crate::post(&console, &format!("/alarms/{id}/acknowledge"), "").await;
    assert_eq!(again.status, StatusCode::CONFLICT);
    assert_eq!(get(&console, "/alarms/999", "en").await.status, StatusCode::NOT_FOUND);
    alarms.stop().await;
}

#[tokio::test]
async fn the_page_makes_and_ends_a_silence() {
    let (console, alarms) = working().await;
    let made = crate::post(&console, "/alarms/silences", "kind=pin-spray&hours=2&why=drill").await;
    assert_eq!(made.status, StatusCode::SEE_OTHER, "{}", made.text);
    let list = get(&console, "/alarms", "en").await;
    let lift = list.text.split("/alarms/silences/").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let ended = crate::post(&console, &format!("/alarms/silences/{lift}"), "").await;
    assert_eq!(ended.status, StatusCode::SEE_OTHER);
    assert!(get(&console, "/alarms", "en").await.text.contains("Ended"));
    for wrong in
        ["kind=a&hours=0&why=x", "hours=1&why=x", "kind=a&hours=1&why=", "kind=a&hours=1&why=x&most=loud"]
    {
        let refused = crate::post(&console, "/alarms/silences", wrong).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{wrong}");
    }
    alarms.stop().await;
}

#[tokio::test]
async fn the_page_shows_a_secret_once() {
    let (console, alarms) = working().await;
    let form = "url=http%3A%2F%2F127.0.0.1%3A9%2Fhook&kinds=pin-spray%2C+zone-key&least=warning";
    let made = crate::post(&console, "/alarms/webhooks", form).await;
    assert_eq!(made.status, StatusCode::OK, "{}", made.text);
    let secret = made.text.split("whsec_").nth(1).unwrap().split('<').next().unwrap().to_owned();
    let id = made.text.split("/alarms/webhooks/").nth(1).unwrap().split('/').next().unwrap().to_owned();
    for page in ["/alarms".to_owned(), format!("/alarms/webhooks/{id}")] {
        assert!(!get(&console, &page, "en").await.text.contains(&secret), "{page}");
    }
    let rotated = crate::post(&console, &format!("/alarms/webhooks/{id}/rotate"), "").await;
    assert!(rotated.text.contains("whsec_") && rotated.text.contains("The old secret signs too until"));
    let tested = crate::post(&console, &format!("/alarms/webhooks/{id}/test"), "").await;
    assert_eq!(tested.status, StatusCode::SEE_OTHER);
    assert!(get(&console, &format!("/alarms/webhooks/{id}"), "en").await.text.contains("webhook.test"));
    let removed = crate::post(&console, &format!("/alarms/webhooks/{id}/remove"), "").await;
    assert_eq!(removed.status, StatusCode::SEE_OTHER);
    assert_eq!(get(&console, &format!("/alarms/webhooks/{id}"), "en").await.status, StatusCode::NOT_FOUND);
    let refused = crate::post(&console, "/alarms/webhooks", "url=https%3A%2F%2F10.0.0.1%2F").await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(refused.text.contains("internal address"));
    alarms.stop().await;
}
