//! Signing in, what it opens, and everything that must not open it.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{Request, StatusCode},
};
use model::Timestamp;
use office::{NewAccount, Office};
use serde_json::{Value, json};
use staff::{Actor, Role, SessionPolicy, totp};
use store::MemoryBook;
use tower::ServiceExt;

use crate::{archive, fake};

pub(crate) const PASSWORD: &str = "correct horse battery";
const SECRET: [u8; totp::SECRET_LEN] = [5; totp::SECRET_LEN];

pub(crate) struct World {
    pub(crate) console: Router,
    pub(crate) office: Arc<Office>,
    pub(crate) now: Arc<AtomicI64>,
}

impl World {
    pub(crate) async fn new(sandbox: bool) -> Self {
        Self::entered(sandbox, web::Entrance::default()).await
    }

    /// Staff may sign in by this provider, too.
    pub(crate) async fn entered_by(oidc: Arc<oidc::Client>) -> Self {
        Self::entered(false, web::Entrance { oidc: Some(oidc), ..web::Entrance::default() }).await
    }

    async fn entered(sandbox: bool, entrance: web::Entrance) -> Self {
        let now = Arc::new(AtomicI64::new(1_700_000_000_000));
        let clock = {
            let now = now.clone();
            Arc::new(move || Timestamp(now.load(Ordering::SeqCst)))
        };
        let office = Arc::new(
            Office::open(Arc::new(MemoryBook::default()), clock, SessionPolicy::default()).await.unwrap(),
        );
        let mut state = fake::state(archive(), sandbox);
        state.entrance = entrance;
        state.office = Some(office.clone());
        state.cases = Arc::new(fake::cases::awake());
        Self { console: web::Console::new(state), office, now }
    }

    pub(crate) async fn account(&self, name: &str, role: Role) {
        let by = Actor {
            name: "system".into(),
            person: "system".into(),
            roles: vec![Role::Administrator],
            session: String::new(),
            device: String::new(),
            scopes: None,
        };
        let new =
            NewAccount { name: name.into(), display: name.into(), person: name.into(), roles: vec![role] };
        let link = self.office.open_account(&by, &new).await.unwrap();
        self.office.set_up_with(&link, PASSWORD, &SECRET).await.unwrap();
    }

    pub(crate) fn code(&self) -> String {
        let now = self.now.fetch_add(31_000, Ordering::SeqCst) + 31_000;
        totp::code(&SECRET, totp::step(Timestamp(now)))
    }

    pub(crate) async fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: String) -> Said {
        let mut request = Request::builder().method(method).uri(path).header("accept-language", "en");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = self.console.clone().oneshot(request.body(Body::from(body)).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, 4 << 20).await.unwrap();
        let cookies =
            parts.headers.get_all("set-cookie").iter().map(|v| v.to_str().unwrap().to_owned()).collect();
        let location = parts.headers.get("location").map_or("", |v| v.to_str().unwrap()).to_owned();
        Said { status: parts.status, cookies, location, text: String::from_utf8_lossy(&bytes).into_owned() }
    }

    pub(crate) async fn token(&self, name: &str) -> String {
        let words = json!({ "username": name, "password": PASSWORD, "totp": self.code() });
        let said = self.ask("POST", "/api/v1/session", &[JSON], words.to_string()).await;
        assert_eq!(said.status, StatusCode::OK, "{}", said.text);
        said.json()["token"].as_str().unwrap().to_owned()
    }

    async fn with(&self, token: &str, path: &str) -> StatusCode {
        let bearer = format!("Bearer {token}");
        self.ask("GET", path, &[("authorization", &bearer)], String::new()).await.status
    }
}

const JSON: (&str, &str) = ("content-type", "application/json");
pub(crate) const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

pub(crate) struct Said {
    pub(crate) status: StatusCode,
    cookies: Vec<String>,
    pub(crate) location: String,
    pub(crate) text: String,
}

impl Said {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap()
    }

    pub(crate) fn cookie(&self, name: &str) -> Option<String> {
        self.cookies.iter().find(|c| c.starts_with(name)).map(|c| c.split(';').next().unwrap().to_owned())
    }
}

#[tokio::test]
async fn without_accounts_the_console_is_open_and_with_them_it_is_not() {
    let world = World::new(false).await;
    assert_eq!(world.ask("GET", "/cards", &[], String::new()).await.status, StatusCode::OK);
    world.account("li.na", Role::Agent).await;
    let page = world.ask("GET", "/cards?locked=1", &[], String::new()).await;
    assert_eq!(
        (page.status, page.location.as_str()),
        (StatusCode::SEE_OTHER, "/sign-in?next=%2Fcards%3Flocked%3D1")
    );
    let api = world.ask("GET", "/api/v1/cards", &[], String::new()).await;
    assert_eq!((api.status, api.json()["code"].as_str()), (StatusCode::UNAUTHORIZED, Some("not-signed-in")));
    for open in ["/sign-in", "/livez", "/readyz"] {
        assert_eq!(world.ask("GET", open, &[], String::new()).await.status, StatusCode::OK, "{open}");
    }
    let act = world.ask("POST", "/api/v1/cards/x/actions", &[JSON], "{}".into()).await;
    assert_eq!(act.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_sandbox_stays_open_for_reading_but_nobody_is_their_own_second_person() {
    let world = World::new(true).await;
    world.account("li.na", Role::Agent).await;
    assert_eq!(world.ask("GET", "/cards", &[], String::new()).await.status, StatusCode::OK);
    let approve =
        world.ask("POST", "/api/v1/proposals/x/approve", &[JSON], json!({"shown": "x"}).to_string()).await;
    assert_eq!(approve.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn each_role_sees_what_the_table_says() {
    let world = World::new(false).await;
    for (name, role) in [("agent", Role::Agent), ("admin", Role::Administrator), ("audit", Role::Auditor)] {
        world.account(name, role).await;
    }
    let (agent, admin, auditor) =
        (world.token("agent").await, world.token("admin").await, world.token("audit").await);
    for (token, path, expected) in [
        (&agent, "/api/v1/cards", StatusCode::OK),
        (&agent, "/api/v1/audit", StatusCode::FORBIDDEN),
        (&agent, "/audit", StatusCode::FORBIDDEN),
        (&agent, "/staff", StatusCode::FORBIDDEN),
        (&admin, "/api/v1/cards", StatusCode::FORBIDDEN),
        (&admin, "/cards", StatusCode::FORBIDDEN),
        (&admin, "/staff", StatusCode::OK),
        (&auditor, "/api/v1/audit", StatusCode::OK),
        (&auditor, "/audit/export", StatusCode::OK),
    ] {
        assert_eq!(world.with(token, path).await, expected, "{path}");
    }
    let bearer = format!("Bearer {admin}");
    let block = json!({ "action": "block", "why": "test" }).to_string();
    let refused = world
        .ask(
            "POST",
            "/api/v1/cards/a05e170009080706050403020100ffee/actions",
            &[JSON, ("authorization", &bearer)],
            block,
        )
        .await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN, "{}", refused.text);
}

#[tokio::test]
async fn a_browser_signs_in_by_form_and_its_cookie_is_its_own() {
    let world = World::new(false).await;
    world.account("li.na", Role::Agent).await;
    let page = world.ask("GET", "/sign-in?next=/cards", &[], String::new()).await;
    let device = page.cookie("pinward_device").unwrap();
    assert!(page.cookies[0].contains("HttpOnly") && page.cookies[0].contains("SameSite=Strict"));
    let words = |password: &str, code: &str| {
        format!("username=li.na&password={}&totp={code}&next=%2Fcards", password.replace(' ', "+"))
    };
    let wrong = world
        .ask("POST", "/sign-in", &[FORM, ("cookie", &device)], words("wrong horse battery", "000000"))
        .await;
    assert_eq!(wrong.status, StatusCode::UNAUTHORIZED);
    assert!(wrong.text.contains("value=\"li.na\""), "what was typed stays");
    assert!(wrong.cookie("pinward_session").is_none());
    let right =
        world.ask("POST", "/sign-in", &[FORM, ("cookie", &device)], words(PASSWORD, &world.code())).await;
    assert_eq!((right.status, right.location.as_str()), (StatusCode::SEE_OTHER, "/cards"));
    let session = right.cookie("pinward_session").unwrap();
    let both = format!("{device}; {session}");
    assert_eq!(world.ask("GET", "/cards", &[("cookie", &both)], String::new()).await.status, StatusCode::OK);
    let stolen = world.ask("GET", "/cards", &[("cookie", &session)], String::new()).await;
    assert_eq!(stolen.status, StatusCode::SEE_OTHER, "a session without its browser is no session");
    let token = session.split_once('=').unwrap().1.to_owned();
    assert_eq!(world.with(&token, "/api/v1/cards").await, StatusCode::UNAUTHORIZED, "nor is it a program's");
    let foreign = [("cookie", both.as_str()), ("sec-fetch-site", "cross-site"), FORM];
    assert_eq!(world.ask("POST", "/sign-out", &foreign, String::new()).await.status, StatusCode::FORBIDDEN);
    assert_eq!(world.ask("GET", "/cards", &[("cookie", &both)], String::new()).await.status, StatusCode::OK);
    let out = world.ask("POST", "/sign-out", &[("cookie", &both), FORM], String::new()).await;
    assert!(out.cookies.iter().any(|c| c.starts_with("pinward_session=;") && c.contains("Max-Age=0")));
    assert_eq!(
        world.ask("GET", "/cards", &[("cookie", &both)], String::new()).await.status,
        StatusCode::SEE_OTHER
    );
}

#[tokio::test]
async fn two_people_lift_a_block_and_one_does_not() {
    let world = World::new(false).await;
    for (name, role) in [("boss", Role::Supervisor), ("risk", Role::RiskAnalyst), ("agent", Role::Agent)] {
        world.account(name, role).await;
    }
    let card = "/api/v1/cards/a05e170009080706050403020100ffee/actions";
    let (boss, risk, agent) =
        (world.token("boss").await, world.token("risk").await, world.token("agent").await);
    let post = async |token: &str, path: &str, body: Value| {
        let bearer = format!("Bearer {token}");
        world.ask("POST", path, &[JSON, ("authorization", &bearer)], body.to_string()).await
    };
    let asked = post(&boss, card, json!({ "action": "unblock", "why": "found again" })).await;
    assert_eq!(asked.status, StatusCode::ACCEPTED, "{}", asked.text);
    let id = asked.json()["proposal"].as_str().unwrap().to_owned();
    let list = world
        .ask("GET", "/api/v1/proposals", &[("authorization", &format!("Bearer {risk}"))], String::new())
        .await
        .json();
    let shown = list["data"][0]["shown"].as_str().unwrap().to_owned();
    let approve = format!("/api/v1/proposals/{id}/approve");
    for (token, shown, expected) in [
        (&agent, shown.as_str(), StatusCode::FORBIDDEN),
        (&boss, shown.as_str(), StatusCode::CONFLICT),
        (&risk, "something else", StatusCode::CONFLICT),
    ] {
        assert_eq!(post(token, &approve, json!({ "shown": shown })).await.status, expected);
    }
    let done = post(&risk, &approve, json!({ "shown": shown })).await;
    assert_eq!(done.status, StatusCode::CONFLICT, "approved, but this console has no store to do it with");
    let again = post(&risk, &approve, json!({ "shown": shown })).await;
    assert!(again.text.contains("not open"), "{}", again.text);
    let silent = post(&boss, card, json!({ "action": "unblock", "why": " " })).await;
    assert_eq!(silent.status, StatusCode::UNPROCESSABLE_ENTITY);
    let odd = post(&boss, card, json!({ "action": "explode", "why": "x" })).await;
    assert_eq!(odd.status, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn tries_are_given_back_by_two_and_the_log_says_so() {
    let world = World::new(false).await;
    for (name, role) in [("boss", Role::Supervisor), ("agent", Role::Agent), ("audit", Role::Auditor)] {
        world.account(name, role).await;
    }
    let (boss, agent, auditor) =
        (world.token("boss").await, world.token("agent").await, world.token("audit").await);
    let ask = async |token: &str, method: &str, path: &str, body: Value| {
        let bearer = format!("Bearer {token}");
        world.ask(method, path, &[JSON, ("authorization", &bearer)], body.to_string()).await
    };
    let open = ask(&agent, "GET", "/api/v1/incidents", Value::Null).await.json();
    let id = open["data"][0]["id"].as_u64().unwrap();
    let restore = format!("/api/v1/incidents/{id}/restore-tries");
    let asked = ask(&agent, "POST", &restore, json!({ "why": "keypad replaced" })).await;
    assert_eq!(asked.status, StatusCode::ACCEPTED, "{}", asked.text);
    let proposal = asked.json()["proposal"].as_str().unwrap().to_owned();
    let waiting = ask(&boss, "GET", "/api/v1/proposals", Value::Null).await.json();
    let shown = waiting["data"][0]["shown"].as_str().unwrap().to_owned();
    let approve = format!("/api/v1/proposals/{proposal}/approve");
    let done = ask(&boss, "POST", &approve, json!({ "shown": shown })).await;
    assert_eq!(done.status, StatusCode::OK, "{}", done.text);
    let log = ask(&auditor, "GET", "/api/v1/audit", Value::Null).await.json();
    let actions: Vec<&str> =
        log["data"].as_array().unwrap().iter().map(|record| record["action"].as_str().unwrap()).collect();
    assert_eq!(
        &actions[..4],
        ["proposal.do", "incident.restore-tries", "proposal.approve", "proposal.propose"]
    );
}

#[tokio::test]
async fn rules_become_live_when_two_people_want_it_and_the_log_says_so() {
    let world = World::new(false).await;
    for (name, role) in [
        ("boss", Role::Supervisor),
        ("risk", Role::RiskAnalyst),
        ("agent", Role::Agent),
        ("audit", Role::Auditor),
    ] {
        world.account(name, role).await;
    }
    let (boss, risk) = (world.token("boss").await, world.token("risk").await);
    let (agent, auditor) = (world.token("agent").await, world.token("audit").await);
    let ask = async |token: &str, method: &str, path: &str, body: Value| {
        let bearer = format!("Bearer {token}");
        world.ask(method, path, &[JSON, ("authorization", &bearer)], body.to_string()).await
    };
    let digest = crate::fake_rules::digest();
    let publish = format!("/api/v1/rules/{digest}/publish");
    assert_eq!(ask(&agent, "POST", &publish, json!({})).await.status, StatusCode::FORBIDDEN);
    // The name of somebody else does not count for who is signed in.
    let asked = ask(&risk, "POST", &publish, json!({ "by": "boss", "why": "spray last week" })).await;
    assert_eq!(asked.status, StatusCode::ACCEPTED, "{}", asked.text);
    let proposal = asked.json()["proposal"].as_str().unwrap().to_owned();
    let approve = format!("/api/v1/proposals/{proposal}/approve");
    let waiting = ask(&boss, "GET", "/api/v1/proposals", Value::Null).await.json();
    let shown = waiting["data"][0]["shown"].as_str().unwrap().to_owned();
    assert_ne!(
        ask(&risk, "POST", &approve, json!({ "shown": shown })).await.status,
        StatusCode::OK,
        "the same person"
    );
    let before = ask(&risk, "GET", "/api/v1/rules", Value::Null).await.json();
    assert_eq!(before["live"], Value::Null);
    let done = ask(&boss, "POST", &approve, json!({ "shown": shown })).await;
    assert_eq!(done.status, StatusCode::OK, "{}", done.text);
    let after = ask(&risk, "GET", "/api/v1/rules", Value::Null).await.json();
    assert_eq!(after["live"], digest);
    let back = format!("/api/v1/rules/{digest}/demote");
    assert_eq!(ask(&risk, "POST", &back, json!({})).await.status, StatusCode::OK);
    let log = ask(&auditor, "GET", "/api/v1/audit", Value::Null).await.json();
    let actions: Vec<&str> =
        log["data"].as_array().unwrap().iter().map(|record| record["action"].as_str().unwrap()).collect();
    assert_eq!(&actions[..3], ["rules.withdraw", "proposal.do", "rules.publish"]);
}

#[tokio::test]
async fn a_link_sets_up_an_account_once() {
    let world = World::new(false).await;
    let by = Actor {
        name: "system".into(),
        person: "system".into(),
        roles: vec![],
        session: String::new(),
        device: String::new(),
        scopes: None,
    };
    let new = NewAccount {
        name: "li.na".into(),
        display: "Li Na".into(),
        person: "p1".into(),
        roles: vec![Role::Administrator],
    };
    let link = world.office.open_account(&by, &new).await.unwrap();
    let path = format!("/set-up?link={}", link.reveal());
    let page = world.ask("GET", &path, &[], String::new()).await;
    assert_eq!(page.status, StatusCode::OK);
    let secret = page.text.split("secret=").nth(1).unwrap().split('&').next().unwrap().to_owned();
    let secret = totp::from_base32(&secret).unwrap();
    let code = totp::code(&secret, totp::step(Timestamp(world.now.load(Ordering::SeqCst))));
    let form = |password: &str, again: &str, code: &str| {
        format!(
            "link={}&password={}&again={}&totp={code}",
            link.reveal(),
            password.replace(' ', "+"),
            again.replace(' ', "+")
        )
    };
    for (password, again, code, why) in [
        ("short", "short", "000000", "fewer than 12"),
        (PASSWORD, "something else", "000000", "differ"),
        (PASSWORD, PASSWORD, "abcdef", "code is wrong"),
    ] {
        let said = world.ask("POST", "/set-up", &[FORM], form(password, again, code)).await;
        assert_eq!(said.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(said.text.contains(why), "{why}");
    }
    let done = world.ask("POST", "/set-up", &[FORM], form(PASSWORD, PASSWORD, &code)).await;
    assert_eq!((done.status, done.location.as_str()), (StatusCode::SEE_OTHER, "/sign-in"));
    assert_eq!(world.ask("GET", &path, &[], String::new()).await.status, StatusCode::NOT_FOUND, "used");
    assert_eq!(
        world.ask("GET", "/set-up?link=nonsense", &[], String::new()).await.status,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn a_webhooks_address_and_the_buttons_are_for_those_who_manage_alarms() {
    let world = World::new(false).await;
    for (name, role) in [("agent", Role::Agent), ("super", Role::Supervisor), ("keys", Role::KeyCustodian)] {
        world.account(name, role).await;
    }
    let page = async |token: &str, path: &str| {
        let bearer = format!("Bearer {token}");
        world.ask("GET", path, &[("authorization", &bearer)], String::new()).await.text
    };
    let (agent, supervisor) = (world.token("agent").await, world.token("super").await);
    let seen = page(&agent, "/alarms").await;
    assert!(
        seen.contains("https://hooks.bank.example/\u{2026}") && !seen.contains("example/pinward"),
        "{seen}"
    );
    assert!(!seen.contains("/alarms/webhooks") && !seen.contains("action=\"/alarms/silences\""), "{seen}");
    let seen = page(&supervisor, "/alarms").await;
    assert!(
        seen.contains("https://hooks.bank.example/pinward") && seen.contains("/alarms/webhooks\""),
        "{seen}"
    );
    // An agent may say that a verdict is wrong and ask for tries, and no more; what is not for a role is not in its menu.
    let seen = page(&agent, "/incidents/17").await;
    assert!(seen.contains("/incidents/17/restore") && !seen.contains("/incidents/17/assign"), "{seen}");
    assert!(!seen.contains("/suspend") && !seen.contains("href=\"/audit\""), "{seen}");
    let seen = page(&supervisor, "/incidents/17").await;
    assert!(seen.contains("/incidents/17/assign") && seen.contains("value=\"super\""), "{seen}");
    // A key custodian sees the overview, and listens to nothing that is refused.
    let seen = page(&world.token("keys").await, "/").await;
    assert!(seen.contains("id=\"live\"") && !seen.contains("data-events="), "{seen}");
}

#[tokio::test]
async fn what_is_done_about_alarms_and_incidents_is_in_the_audit_log() {
    let world = World::new(false).await;
    for (name, role) in [("super", Role::Supervisor), ("audit", Role::Auditor)] {
        world.account(name, role).await;
    }
    let (supervisor, auditor) = (world.token("super").await, world.token("audit").await);
    let bearer = format!("Bearer {supervisor}");
    for (path, body) in [
        ("/api/v1/incidents/17/assign", json!({ "to": "li.na" })),
        ("/api/v1/incidents/17/notes", json!({ "text": "the shop was called" })),
        ("/api/v1/alerts/999/ack", json!({ "note": "on it" })),
    ] {
        world.ask("POST", path, &[JSON, ("authorization", &bearer)], body.to_string()).await;
    }
    let bearer = format!("Bearer {auditor}");
    let log = world.ask("GET", "/api/v1/audit", &[("authorization", &bearer)], String::new()).await.text;
    for words in ["incident.assign", "incident.note", "the shop was called", "alarm.acknowledge", "on it"] {
        assert!(log.contains(words), "{words}: {log}");
    }
}

#[tokio::test]
async fn whoever_looks_at_a_card_is_in_the_audit_log_once_a_minute() {
    let world = World::new(false).await;
    for (name, role) in [("agent", Role::Agent), ("risk", Role::RiskAnalyst), ("audit", Role::Auditor)] {
        world.account(name, role).await;
    }
    let (agent, risk) = (world.token("agent").await, world.token("risk").await);
    let auditor = world.token("audit").await;
    let card = "a05e170009080706050403020100ffee";
    let (page, api) = (format!("/cards/{card}"), format!("/api/v1/cards/{card}"));
    let payment = format!("/transactions/{}", fake::HERO_RRN);
    let by_api = format!("/api/v1{payment}");
    // One that does not exist is not seen, and a list shows nobody's card in particular.
    assert_eq!(
        world.with(&agent, "/api/v1/cards/00000000000000000000000000000000").await,
        StatusCode::NOT_FOUND
    );
    assert_eq!(world.with(&agent, "/cards").await, StatusCode::OK);
    let caller = format!("/caller?card={card}");
    for path in [&page, &api, &page, &payment, &by_api, &caller] {
        assert_eq!(world.with(&agent, path).await, StatusCode::OK, "{path}");
    }
    assert_eq!(world.with(&risk, &by_api).await, StatusCode::OK);
    let log = world
        .ask(
            "GET",
            "/api/v1/audit?limit=50",
            &[("authorization", &format!("Bearer {auditor}"))],
            String::new(),
        )
        .await
        .json();
    let views: Vec<(&str, &str)> = log["data"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|record| record["action"] == "card.view" && record["object"] == format!("card:{card}"))
        .map(|record| (record["actor"].as_str().unwrap(), record["why"].as_str().unwrap()))
        .collect();
    assert_eq!(
        views,
        [("risk", format!("transaction {}", fake::HERO_RRN).as_str()), ("agent", "the card's page")]
    );
}
