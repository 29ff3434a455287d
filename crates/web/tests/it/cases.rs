//! The desk: neither page nor API closes a case over a gate, unlocks before identity is proven, or tells a stranger anything.

use axum::http::StatusCode;
use desk::Source;
use serde_json::{Value, json};
use staff::Role;

use crate::{console, fake, filled, get, post, staff::World};

const CARD: &str = "a05e170009080706050403020100ffee";

/// People with tokens, on an empty desk.
struct Desk {
    world: World,
    agent: String,
    boss: String,
}

impl Desk {
    async fn new() -> Self {
        let world = World::new(false).await;
        for (name, role) in [
            ("agent", Role::Agent),
            ("boss", Role::Supervisor),
            ("audit", Role::Auditor),
            ("admin", Role::Administrator),
        ] {
            world.account(name, role).await;
        }
        let (agent, boss) = (world.token("agent").await, world.token("boss").await);
        Self { world, agent, boss }
    }

    async fn ask(&self, token: &str, method: &str, path: &str, body: Value) -> (StatusCode, Value) {
        let bearer = format!("Bearer {token}");
        let headers = [("content-type", "application/json"), ("authorization", bearer.as_str())];
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let said = self.world.ask(method, path, &headers, body).await;
        let json = serde_json::from_str(&said.text).unwrap_or(Value::Null);
        (said.status, json)
    }

    async fn post(&self, path: &str, body: Value) -> (StatusCode, Value) {
        self.ask(&self.agent, "POST", &format!("/api/v1{path}"), body).await
    }

    /// A case about the hero's card.
    async fn case(&self) -> u64 {
        let (status, case) = self.post("/cases", json!({ "card": CARD })).await;
        assert_eq!(status, StatusCode::CREATED, "{case}");
        case["case"]["id"].as_u64().unwrap()
    }

    async fn prove(&self, no: u64, right: u8, wrong: u8) -> (StatusCode, Value) {
        let proof = json!({
            "method": "code-to-contact-on-file", "asked": ["one-time-code"],
            "right": right, "wrong": wrong, "contact_unchanged_h": 48,
        });
        self.post(&format!("/cases/{no}/identity"), proof).await
    }
}

#[tokio::test]
async fn a_case_is_opened_with_what_is_known_and_once() {
    let desk = Desk::new().await;
    let no = desk.case().await;
    let (status, again) = desk.post("/cases", json!({ "card": CARD })).await;
    assert_eq!((status, again["case"]["id"].as_u64()), (StatusCode::OK, Some(no)));
    let (_, case) = desk.ask(&desk.agent, "GET", &format!("/api/v1/cases/{no}"), Value::Null).await;
    assert_eq!(case["case"]["source"], "phone");
    assert_eq!(case["case"]["plan"], "cardholder");
    assert_eq!(case["case"]["subject"]["pan"], "621626*********0018");
    let evidence = case["evidence"].as_array().unwrap();
    let kinds: Vec<&str> = evidence.iter().map(|piece| piece["kind"].as_str().unwrap()).collect();
    assert!(kinds.contains(&"card") && kinds.contains(&"transaction"), "{kinds:?}");
    let whole = case.to_string();
    assert!(!whole.contains(fake::HERO_PAN));
    let verdicts = evidence.iter().filter(|piece| piece["summary"]["verdict"].is_string());
    assert!(verdicts.count() > 0, "the diagnosis comes along");
    for (about, source) in [
        (json!({ "rrn": fake::HERO_RRN }), "refusal"),
        (json!({ "terminal": "T0001234" }), "terminal"),
        (json!({ "incident": 17 }), "incident"),
        (json!({ "alarm": fake::alarms::ALARM.parse::<u32>().unwrap() }), "alarm"),
        (json!({ "summary": "asks how it works" }), "api"),
    ] {
        let (status, opened) = desk.post("/cases", about).await;
        assert!(matches!(status, StatusCode::CREATED | StatusCode::OK), "{opened}");
        if status == StatusCode::CREATED {
            assert_eq!(opened["case"]["source"], source);
            assert!(source == "api" || !opened["evidence"].as_array().unwrap().is_empty(), "{source}");
        }
    }
    for unknown in
        [json!({ "card": "00".repeat(16) }), json!({ "rrn": "000000000000" }), json!({ "incident": 99 })]
    {
        assert_eq!(desk.post("/cases", unknown).await.0, StatusCode::NOT_FOUND);
    }
    for nonsense in
        [json!({ "card": "0018" }), json!({ "card": CARD, "alarm": 1 }), json!({ "priority": "soon" })]
    {
        assert_eq!(desk.post("/cases", nonsense).await.0, StatusCode::UNPROCESSABLE_ENTITY);
    }
}

#[tokio::test]
async fn no_door_closes_a_case_over_a_gate() {
    let desk = Desk::new().await;
    let no = desk.case().await;
    let close = json!({ "outcome": "solved", "words": "paid" });
    let (status, refused) = desk.post(&format!("/cases/{no}/close"), close.clone()).await;
    assert_eq!(status, StatusCode::CONFLICT);
    let (_, case) = desk.ask(&desk.agent, "GET", &format!("/api/v1/cases/{no}"), Value::Null).await;
    let gates: Vec<String> =
        case["open_gates"].as_array().unwrap().iter().map(|g| g.as_str().unwrap().to_owned()).collect();
    assert!(!gates.is_empty() && refused["detail"].as_str().unwrap().contains(&gates[0]), "{refused}");
    // The page's form goes through the same function.
    let form = "outcome=solved&text=paid";
    let bearer = format!("Bearer {}", desk.agent);
    let headers = [("content-type", "application/x-www-form-urlencoded"), ("authorization", bearer.as_str())];
    let page = desk.world.ask("POST", &format!("/cases/{no}/close"), &headers, form.to_owned()).await;
    assert_eq!(page.status, StatusCode::CONFLICT);
    for gate in gates {
        let step = json!({ "step": gate, "note": "done and looked at" });
        let (status, _) = desk.post(&format!("/cases/{no}/steps"), step).await;
        assert_eq!(status, StatusCode::OK, "{gate}");
    }
    let (status, closed) = desk.post(&format!("/cases/{no}/close"), close).await;
    assert_eq!((status, &closed["outcome"]), (StatusCode::OK, &json!("solved")), "{closed}");
    assert!(!closed.to_string().contains("sealed"), "the question's link is not told to every program");
    let (status, _) = desk.post(&format!("/cases/{no}/notes"), json!({ "text": "late" })).await;
    assert_eq!(status, StatusCode::CONFLICT);
}

#[tokio::test]
async fn an_unlock_waits_for_proof_and_for_a_second_person_who_sees_both() {
    let desk = Desk::new().await;
    let outside =
        desk.post(&format!("/cards/{CARD}/actions"), json!({ "action": "unlock", "why": "asks" })).await;
    assert_eq!(outside.0, StatusCode::CONFLICT, "{}", outside.1);
    let no = desk.case().await;
    let unlock = json!({ "action": "unlock", "why": "wants to pay" });
    let path = format!("/cases/{no}/actions");
    assert_eq!(desk.post(&path, unlock.clone()).await.0, StatusCode::CONFLICT, "nobody proved anything");
    let (_, weak) = desk.prove(no, 0, 1).await;
    assert_eq!(weak["level"], "L0");
    let (_, proven) = desk.prove(no, 1, 0).await;
    assert_eq!(proven["level"], "L2");
    let (status, asked) = desk.post(&path, unlock.clone()).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{asked}");
    let (_, proposals) = desk.ask(&desk.boss, "GET", "/api/v1/proposals", Value::Null).await;
    let shown = proposals["data"][0]["consequence"].as_str().unwrap();
    assert!(shown.contains("621626*********0018") && shown.contains(&format!("case {no}")), "{shown}");
    assert!(shown.contains("L2"), "{shown}");
    let (_, case) = desk.ask(&desk.agent, "GET", &format!("/api/v1/cases/{no}"), Value::Null).await;
    assert_eq!(
        (&case["case"]["status"], &case["case"]["waits_on"]),
        (&json!("waiting"), &json!("second-person"))
    );
    let (status, twice) = desk.post(&path, unlock.clone()).await;
    assert_eq!(status, StatusCode::CONFLICT, "{twice}");
    // This console has no store to unlock with; what became of the approval stands in the case, which goes on.
    let approve = format!("/api/v1/proposals/{}/approve", proposals["data"][0]["id"].as_str().unwrap());
    let digest = json!({ "shown": proposals["data"][0]["shown"] });
    assert_eq!(desk.ask(&desk.boss, "POST", &approve, digest).await.0, StatusCode::CONFLICT);
    let (_, case) = desk.ask(&desk.agent, "GET", &format!("/api/v1/cases/{no}"), Value::Null).await;
    assert_eq!(case["case"]["status"], "in-work");
    assert!(case.to_string().contains("approved by boss, not done"), "{case}");
    let (status, _) = desk.post(&path, unlock.clone()).await;
    assert_eq!(status, StatusCode::ACCEPTED, "what was not done may be asked for again");
    let (_, proposals) = desk.ask(&desk.boss, "GET", "/api/v1/proposals", Value::Null).await;
    let waits = proposals["data"].as_array().unwrap().iter().find(|p| p["status"] == "open").unwrap();
    let decline = format!("/api/v1/proposals/{}/decline", waits["id"].as_str().unwrap());
    let (status, _) = desk.ask(&desk.boss, "POST", &decline, json!({ "why": "call them back first" })).await;
    assert_eq!(status, StatusCode::OK);
    let (_, case) = desk.ask(&desk.agent, "GET", &format!("/api/v1/cases/{no}"), Value::Null).await;
    assert_eq!(case["case"]["status"], "in-work");
    assert!(case.to_string().contains("unlock: declined: call them back first"), "{case}");
    let (_, _) = desk.prove(no, 0, 2).await;
    let (status, shut) = desk.post(&path, unlock).await;
    assert_eq!(status, StatusCode::CONFLICT);
    assert!(shut["detail"].as_str().unwrap().contains("wrong answers"), "{shut}");
    let supervisor = json!({ "action": "unlock", "why": "the branch asks" });
    let (status, _) =
        desk.ask(&desk.boss, "POST", &format!("/api/v1/cards/{CARD}/actions"), supervisor).await;
    assert_eq!(status, StatusCode::ACCEPTED, "a supervisor may ask outside a case");
    let (_, proposals) = desk.ask(&desk.boss, "GET", "/api/v1/proposals", Value::Null).await;
    let told = |p: &Value| p["consequence"].as_str().unwrap().contains("nobody proved who they are");
    assert!(proposals["data"].as_array().unwrap().iter().any(told), "and whoever approves sees that");
}

#[tokio::test]
async fn who_may_not_work_on_cases_does_not() {
    let desk = Desk::new().await;
    let no = desk.case().await;
    let (audit, admin) = (desk.world.token("audit").await, desk.world.token("admin").await);
    let path = format!("/api/v1/cases/{no}");
    assert_eq!(desk.ask(&audit, "GET", &path, Value::Null).await.0, StatusCode::OK);
    assert_eq!(desk.ask(&admin, "GET", &path, Value::Null).await.0, StatusCode::FORBIDDEN);
    let note = json!({ "text": "x" });
    assert_eq!(desk.ask(&audit, "POST", &format!("{path}/notes"), note).await.0, StatusCode::FORBIDDEN);
    let (_, log) = desk.ask(&audit, "GET", "/api/v1/audit?limit=100", Value::Null).await;
    let of = |action: &str| log["data"].as_array().unwrap().iter().any(|record| record["action"] == action);
    assert!(of("case.open") && of("card.view"), "{log}");
}

#[tokio::test]
async fn the_list_and_the_figures_say_what_they_understand() {
    let console = console();
    let open = get(&console, "/api/v1/cases", "en").await.json();
    assert_eq!(open["data"].as_array().unwrap().len(), 1);
    let closed = get(&console, "/api/v1/cases?status=closed", "en").await.json();
    assert_eq!(closed["data"][0]["source"], Source::Terminal.name());
    let about = get(&console, &format!("/api/v1/cases?status=all&card={CARD}"), "en").await.json();
    assert_eq!(about["data"].as_array().unwrap().len(), 1);
    let figures = get(&console, "/api/v1/cases/figures", "en").await.json();
    assert_eq!((&figures["closed"], &figures["open"]), (&json!(1), &json!(1)));
    for path in ["/cases?status=red", "/cases/figures?days=0", "/cases/figures?days=many", "/cases?limit=0"] {
        let answer = get(&console, &format!("/api/v1{path}"), "en").await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{path}");
    }
    for path in ["/api/v1/cases/99", "/api/v1/cases/x", "/cases/99", "/cases/x"] {
        assert_eq!(get(&console, path, "en").await.status, StatusCode::NOT_FOUND, "{path}");
    }
}

#[tokio::test]
async fn the_callers_screen_finds_what_a_caller_can_name() {
    let console = console();
    let one = get(&console, &format!("/caller?card={CARD}"), "en").await.text;
    for words in ["621626*********0018", "Who is calling", "Early unlock", "must be done before closing"] {
        assert!(one.contains(words), "{words}");
    }
    assert!(!one.contains(fake::HERO_PAN));
    for q in ["0018", fake::HERO_RRN, fake::HERO_PAN] {
        let page = get(&console, &format!("/caller?q={q}"), "en").await.text;
        assert!(page.contains("621626*********0018") && !page.contains(fake::HERO_PAN), "{q}");
    }
    let grouped = get(&console, "/caller?q=6216+2610%200000+0000+018", "en").await.text;
    assert!(!grouped.contains("0000+0000") && !grouped.contains("0000 0000"), "typed in groups");
    let spaced = get(&console, "/caller?q=a%20b%26c", "en").await.text;
    assert!(spaced.contains("q=a%20b%26c&amp;lang=") && !spaced.contains("%2520"), "{spaced}");
    assert!(get(&console, "/caller?q=T0001234", "en").await.text.contains("T0001234"));
    assert!(get(&console, "/caller?q=nothing-like-this", "en").await.text.contains("Nothing found"));
    // A case can be opened from each place where somebody sees a reason to.
    for path in ["/why/{rrn}", "/transactions/{rrn}", "/incidents/{incident}", "/alarms/{alarm}"] {
        assert!(get(&console, &filled(path), "en").await.text.contains("action=\"/cases\""), "{path}");
    }
    assert!(get(&console, "/terminals", "en").await.text.contains("/caller?q="));
}

#[tokio::test]
async fn a_strange_link_gets_one_page_whatever_is_wrong_with_it() {
    let console = console();
    let good = get(&console, &filled("/survey/{survey}"), "en").await;
    assert_eq!(good.status, StatusCode::OK);
    assert!(!good.text.contains("Case") || !good.text.contains("0018"), "nothing of the case");
    let strange = staff::Token::new([8; staff::session::TOKEN_LEN]);
    let pages = [
        get(&console, "/survey/x", "en").await,
        get(&console, &format!("/survey/{}", strange.reveal()), "en").await,
        post(&console, &format!("/survey/{}", strange.reveal()), "score=5").await,
        post(&console, &format!("/survey/{}", strange.reveal()), "score=9").await,
    ];
    for page in &pages {
        assert_eq!((page.status, &page.text), (StatusCode::NOT_FOUND, &pages[0].text));
    }
    let wrong = post(&console, &filled("/survey/{survey}"), "score=9&words=quick").await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(wrong.text.contains(">quick</textarea>"), "what was typed is kept");
}
