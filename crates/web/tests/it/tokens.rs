//! A program with a token: what it may, who it is in the log, and everything that must not work.

use axum::http::StatusCode;
use serde_json::{Value, json};
use staff::Role;

use crate::staff::{Said, World};

const JSON: (&str, &str) = ("content-type", "application/json");

async fn ask(world: &World, token: &str, method: &str, path: &str, body: Value) -> Said {
    let bearer = format!("Bearer {token}");
    world.ask(method, path, &[JSON, ("authorization", &bearer)], body.to_string()).await
}

#[tokio::test]
async fn a_program_does_what_its_token_says_and_the_log_names_both() {
    let world = World::new(false).await;
    for (name, role) in [("boss", Role::Supervisor), ("audit", Role::Auditor), ("risk", Role::RiskAnalyst)] {
        world.account(name, role).await;
    }
    let (boss, auditor, risk) =
        (world.token("boss").await, world.token("audit").await, world.token("risk").await);
    let wanted = json!({ "name": "desk-bot", "scopes": ["view-cards", "unblock-card"], "days": 7 });
    let made = ask(&world, &boss, "POST", "/api/v1/tokens", wanted.clone()).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
    let (token, id) = (made.json()["token"].clone(), made.json()["id"].clone());
    let (token, id) = (token.as_str().unwrap().to_owned(), id.as_str().unwrap().to_owned());
    assert!(token.starts_with("pinward_"));
    let again = ask(&world, &boss, "POST", "/api/v1/tokens", wanted).await;
    assert_eq!(again.status, StatusCode::CONFLICT);
    let who = ask(&world, &token, "GET", "/api/v1/session", Value::Null).await.json();
    assert_eq!(
        (&who["name"], &who["may"]),
        (&"token:boss/desk-bot".into(), &json!(["view-cards", "unblock-card"]))
    );
    for (path, expected) in [
        ("/api/v1/cards", StatusCode::OK),
        ("/api/v1/transactions", StatusCode::FORBIDDEN),
        ("/api/v1/audit", StatusCode::FORBIDDEN),
        ("/transactions", StatusCode::FORBIDDEN),
    ] {
        let said = ask(&world, &token, "GET", path, Value::Null).await;
        assert_eq!(said.status, expected, "{path}");
    }
    // It asks, and neither it nor its owner is the second person; a third one is.
    let card = "/api/v1/cards/a05e170009080706050403020100ffee/actions";
    let asked = ask(&world, &token, "POST", card, json!({ "action": "unblock", "why": "found" })).await;
    assert_eq!(asked.status, StatusCode::ACCEPTED, "{}", asked.text);
    let proposal = asked.json()["proposal"].as_str().unwrap().to_owned();
    let list = ask(&world, &risk, "GET", "/api/v1/proposals", Value::Null).await.json();
    let shown = json!({ "shown": list["data"][0]["shown"] });
    let approve = format!("/api/v1/proposals/{proposal}/approve");
    let own = ask(&world, &token, "POST", &approve, shown.clone()).await;
    assert_eq!(own.status, StatusCode::FORBIDDEN, "a program has no eyes: {}", own.text);
    let owner = ask(&world, &boss, "POST", &approve, shown).await;
    assert!(owner.status == StatusCode::CONFLICT && owner.text.contains("may not approve"), "{}", owner.text);
    let log = ask(&world, &auditor, "GET", "/api/v1/audit", Value::Null).await.text;
    assert!(log.contains("\"token:boss/desk-bot\"") && log.contains("token.make"), "{log}");
    assert!(!log.contains(&token));
    let theirs = ask(&world, &risk, "DELETE", &format!("/api/v1/tokens/{id}"), Value::Null).await;
    assert_eq!(theirs.status, StatusCode::NOT_FOUND, "somebody else's is not there");
    let revoked = ask(&world, &boss, "DELETE", &format!("/api/v1/tokens/{id}"), Value::Null).await;
    assert_eq!(revoked.status, StatusCode::NO_CONTENT);
    let dead = ask(&world, &token, "GET", "/api/v1/cards", Value::Null).await;
    assert_eq!(
        (dead.status, dead.json()["code"].as_str()),
        (StatusCode::UNAUTHORIZED, Some("not-signed-in"))
    );
}

#[tokio::test]
async fn a_token_that_is_worth_nothing_is_nobody_and_too_many_are_not_looked_at() {
    let world = World::new(true).await;
    world.account("li.na", Role::Agent).await;
    let session = world.token("li.na").await;
    let free = world.ask("GET", "/api/v1/cards", &[], String::new()).await;
    assert_eq!(free.status, StatusCode::OK, "a sandbox is open to whoever does not say who they are");
    let made_up = format!("pinward_{}", "a".repeat(43));
    for wrong in [made_up.as_str(), "nonsense", "", session.get(1..).unwrap()] {
        let said = ask(&world, wrong, "GET", "/api/v1/cards", Value::Null).await;
        assert_eq!(said.status, StatusCode::UNAUTHORIZED, "{wrong}");
        assert_eq!(said.json()["status"], 401);
    }
    let program =
        ask(&world, &session, "POST", "/api/v1/tokens", json!({ "name": "x", "scopes": ["view-cards"] }))
            .await;
    let program = program.json()["token"].as_str().unwrap().to_owned();
    let none =
        ask(&world, &program, "POST", "/api/v1/tokens", json!({ "name": "y", "scopes": ["view-cards"] }))
            .await;
    assert_eq!(none.status, StatusCode::FORBIDDEN, "a token makes no tokens: {}", none.text);
    for wanted in [
        json!({ "name": "Y", "scopes": ["view-cards"] }),
        json!({ "name": "y", "scopes": [] }),
        json!({ "name": "y", "scopes": ["fly"] }),
        json!({ "name": "y", "scopes": ["manage-staff"] }),
        json!({ "name": "y", "scopes": ["view-cards"], "days": 400 }),
        json!({ "name": "y", "scopes": ["view-cards"], "forever": true }),
    ] {
        let said = ask(&world, &session, "POST", "/api/v1/tokens", wanted).await;
        assert_eq!(said.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", said.text);
    }
    let bearer = format!("Bearer {session}");
    let plain = [("content-type", "text/plain"), ("authorization", bearer.as_str())];
    let form = world
        .ask("POST", "/api/v1/tokens", &plain, json!({ "name": "y", "scopes": ["view-cards"] }).to_string())
        .await;
    assert_eq!(
        form.status,
        StatusCode::UNPROCESSABLE_ENTITY,
        "a form of another site can send text: {}",
        form.text
    );
    for _ in 0..40 {
        ask(&world, &made_up, "GET", "/api/v1/cards", Value::Null).await;
    }
    let limited = ask(&world, &program, "GET", "/api/v1/cards", Value::Null).await;
    assert_eq!(
        (limited.status, limited.json()["code"].as_str()),
        (StatusCode::TOO_MANY_REQUESTS, Some("too-many-tries"))
    );
}

#[tokio::test]
async fn a_person_makes_a_token_on_a_page_that_shows_it_once() {
    let world = World::new(false).await;
    world.account("li.na", Role::Agent).await;
    let bearer = format!("Bearer {}", world.token("li.na").await);
    let form = ("content-type", "application/x-www-form-urlencoded");
    let post = async |path: &str, body: &str| {
        world.ask("POST", path, &[form, ("authorization", &bearer)], body.to_owned()).await
    };
    let page = async || world.ask("GET", "/tokens", &[("authorization", &bearer)], String::new()).await;
    let seen = page().await.text;
    assert!(seen.contains("value=\"view-cards\"") && !seen.contains("value=\"view-audit\""), "{seen}");
    assert!(!seen.contains("name=\"owner\""), "only for themselves");
    let wrong = post("/tokens", "name=Nightly&days=30&scopes=view-cards").await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(
        wrong.text.contains("value=\"Nightly\"") && wrong.text.contains("small letters"),
        "{}",
        wrong.text
    );
    let script = post("/tokens", "name=%22%3E%3Cscript%3E&days=30&scopes=view-cards").await.text;
    assert!(script.contains("&quot;&gt;&lt;script&gt;") && !script.contains("\"><script>"), "{script}");
    let made = post("/tokens", "name=nightly&days=30&scopes=view-cards&scopes=view-terminals").await;
    assert_eq!(made.status, StatusCode::OK, "{}", made.text);
    let token = made.text.split("pinward_").nth(1).unwrap().split('<').next().unwrap().to_owned();
    let seen = page().await.text;
    assert!(seen.contains("nightly") && !seen.contains(&token), "shown once");
    // The page goes by the real clock, and the token was made by the test's.
    let own = world.ask("GET", "/api/v1/tokens", &[("authorization", &bearer)], String::new()).await.json();
    let id = own["data"][0]["id"].as_str().unwrap().to_owned();
    let program = format!("pinward_{token}");
    assert_eq!(ask(&world, &program, "GET", "/api/v1/terminals", Value::Null).await.status, StatusCode::OK);
    assert_eq!(post(&format!("/tokens/{id}/revoke"), "").await.status, StatusCode::SEE_OTHER);
    assert_eq!(
        ask(&world, &program, "GET", "/api/v1/terminals", Value::Null).await.status,
        StatusCode::UNAUTHORIZED
    );
}
