//! What the desk sends and asks for from a case: the code that proves who calls, a reset, another number; and whoever tries to get a
//! PIN by way of a number that was changed.

use axum::http::StatusCode;
use serde_json::{Value, json};
use staff::Role;

use crate::holder::{PAN, PHONE, RECEIPTS, World};

const OTHER_PHONE: &str = "+99900000077";

struct Desk {
    world: World,
    agent: String,
    boss: String,
}

impl Desk {
    async fn new() -> Self {
        let world = World::new().await;
        let agent = world.account("agent", Role::Agent).await;
        let boss = world.account("boss", Role::Supervisor).await;
        Self { world, agent, boss }
    }

    async fn post(&self, path: &str, body: Value) -> (StatusCode, Value) {
        self.world.post(&self.agent, &format!("/api/v1{path}"), body).await
    }

    async fn case(&self) -> u64 {
        let (status, case) = self.post("/cases", json!({ "card": self.world.card.to_string() })).await;
        assert_eq!(status, StatusCode::CREATED, "{case}");
        case["case"]["id"].as_u64().unwrap()
    }

    /// Proves that it is the person, who came to a branch.
    async fn proven(&self, no: u64) {
        let proof = json!({ "method": "branch", "asked": ["document-checked"], "right": 1, "wrong": 0 });
        let (status, case) = self.post(&format!("/cases/{no}/identity"), proof).await;
        assert_eq!((status, &case["level"]), (StatusCode::OK, &json!("L3")), "{case}");
    }

    /// What the newest message of a kind says, and to which number it went.
    async fn message(&self, kind: &str) -> (String, String) {
        for _ in 0..500 {
            let sent = self.world.outbox.newest(20);
            if let Some(one) = sent.iter().find(|one| one.kind.name() == kind) {
                return (one.to.to_string(), one.text.to_string());
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        panic!("no {kind}");
    }

    async fn code(&self) -> String {
        let (to, text) = self.message("identity-code").await;
        assert_eq!(to, PHONE, "the number on file and no other");
        text.chars().filter(char::is_ascii_digit).take(6).collect()
    }
}

fn change(number: &str) -> Value {
    json!({ "action": "change-contact", "number": number, "why": "lost the telephone" })
}

#[tokio::test]
async fn a_code_is_sent_and_looked_at_by_the_program_and_proves_once() {
    let desk = Desk::new().await;
    let no = desk.case().await;
    let at = format!("/cases/{no}/code");
    let by_hand = json!({ "method": "code-to-contact-on-file", "asked": ["one-time-code"], "right": 1, "wrong": 0, "contact_unchanged_h": 48 });
    let (status, _) = desk.post(&format!("/cases/{no}/identity"), by_hand).await;
    assert_eq!(status, StatusCode::CONFLICT, "nobody types that a code was right");
    assert_eq!(desk.post(&at, json!({ "code": "123456" })).await.0, StatusCode::CONFLICT, "none was sent");
    let (status, sent) = desk.post(&at, json!({})).await;
    assert_eq!(status, StatusCode::OK, "{sent}");
    let code = desk.code().await;
    assert!(!sent.to_string().contains(&code), "staff see no code: {sent}");
    let other = json!({ "terminal": "T0001234" });
    let shop = desk.post("/cases", other).await.1["case"]["id"].as_u64().unwrap();
    let (status, _) = desk.post(&format!("/cases/{shop}/code"), json!({ "code": code })).await;
    assert_eq!(status, StatusCode::CONFLICT, "a code of another case");
    let wrong = if code == "000000" { "000001" } else { "000000" };
    assert_eq!(desk.post(&at, json!({ "code": wrong })).await.0, StatusCode::CONFLICT);
    let (status, right) = desk.post(&at, json!({ "code": code })).await;
    assert_eq!((status, &right["level"]), (StatusCode::OK, &json!("L2")), "{right}");
    assert_eq!(desk.post(&at, json!({ "code": code })).await.0, StatusCode::CONFLICT, "a second time");
    let reset = json!({ "action": "reset-pin", "why": "forgotten" });
    let (status, refused) = desk.post(&format!("/cases/{no}/actions"), reset).await;
    assert_eq!(status, StatusCode::CONFLICT);
    assert!(refused["detail"].as_str().unwrap().contains("L3"), "a code alone resets nothing: {refused}");
}

#[tokio::test]
async fn a_reset_from_a_case_says_which_and_the_closed_case_asks_its_holder() {
    let desk = Desk::new().await;
    let no = desk.case().await;
    desk.proven(no).await;
    let outside = format!("/cards/{}/reset-pin", desk.world.card);
    assert_eq!(desk.post(&outside, json!({ "why": "forgotten" })).await.0, StatusCode::CONFLICT);
    let reset = json!({ "action": "reset-pin", "why": "forgotten" });
    let (status, asked) = desk.post(&format!("/cases/{no}/actions"), reset.clone()).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{asked}");
    let shown = desk.world.consequence(&asked).await;
    assert!(shown.contains(&format!("case {no}, identity proven to L3")), "{shown}");
    let (status, _) = desk.post(&format!("/cases/{no}/actions"), reset).await;
    assert_eq!(status, StatusCode::CONFLICT, "one thing at a time");
    assert_eq!(
        desk.world.approve(&desk.agent, &asked).await.0,
        StatusCode::FORBIDDEN,
        "an agent approves nothing"
    );
    assert!(desk.world.telephone.0.lock().unwrap().is_empty());
    let (status, done) = desk.world.approve(&desk.boss, &asked).await;
    assert_eq!(status, StatusCode::OK, "{done}");
    assert_eq!(desk.world.telephone.0.lock().unwrap().len(), 1);
    let (_, case) = desk.post(&format!("/cases/{no}/notes"), json!({ "text": "link is out" })).await;
    assert!(case.to_string().contains("reset-pin: done, approved by boss"), "{case}");
    for gate in case["open_gates"].as_array().unwrap() {
        let step = json!({ "step": gate, "note": "done and looked at" });
        assert_eq!(desk.post(&format!("/cases/{no}/steps"), step).await.0, StatusCode::OK, "{gate}");
    }
    let close = json!({ "outcome": "solved", "words": "sets a new PIN now" });
    assert_eq!(desk.post(&format!("/cases/{no}/close"), close).await.0, StatusCode::OK);
    let (to, text) = desk.message("survey-link").await;
    assert_eq!(to, PHONE);
    let link = &text[text.find("/survey/").unwrap()..];
    assert_eq!(desk.world.ask("GET", link.trim(), &[], String::new()).await.0, StatusCode::OK, "{link}");
}

#[tokio::test]
async fn a_changed_number_gets_no_reset_no_unlock_and_no_code_and_the_old_one_is_told() {
    let desk = Desk::new().await;
    let no = desk.case().await;
    let (status, _) = desk.post(&format!("/cases/{no}/actions"), change(OTHER_PHONE)).await;
    assert_eq!(status, StatusCode::CONFLICT, "nobody proved anything");
    let card = format!("/api/v1/cards/{}", desk.world.card);
    let outside = json!({ "number": OTHER_PHONE, "why": "the branch asks" });
    let (status, _) = desk.world.post(&desk.agent, &format!("{card}/contact"), outside.clone()).await;
    assert_eq!(status, StatusCode::CONFLICT, "an agent asks in a case");
    desk.proven(no).await;
    let bad = desk.post(&format!("/cases/{no}/actions"), change("12")).await;
    assert_eq!(bad.0, StatusCode::UNPROCESSABLE_ENTITY);
    let (status, asked) = desk.post(&format!("/cases/{no}/actions"), change(OTHER_PHONE)).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{asked}");
    let shown = desk.world.consequence(&asked).await;
    assert!(shown.contains("24 hours") && shown.contains("0077") && shown.contains("L3"), "{shown}");
    assert!(!shown.contains(OTHER_PHONE) && !shown.contains(PAN), "{shown}");
    // A reset that was asked for before the change and is approved after it.
    let (status, reset) =
        desk.world.post(&desk.boss, &format!("{card}/reset-pin"), json!({ "why": "the branch asks" })).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{reset}");
    let third = desk.world.account("third", Role::Supervisor).await;
    assert_eq!(desk.world.approve(&third, &asked).await.0, StatusCode::OK);
    let (to, text) = desk.message("contact-changed").await;
    assert_eq!(to, PHONE, "the old number: {text}");
    let (status, held) = desk.world.approve(&third, &reset).await;
    assert_eq!(status, StatusCode::CONFLICT, "{held}");
    assert!(desk.world.telephone.0.lock().unwrap().is_empty(), "no link went out");
    let unlock = json!({ "action": "unlock", "why": "the branch asks" });
    assert_eq!(desk.world.post(&desk.boss, &format!("{card}/actions"), unlock).await.0, StatusCode::CONFLICT);
    let again = json!({ "why": "once more" });
    assert_eq!(
        desk.world.post(&desk.boss, &format!("{card}/reset-pin"), again).await.0,
        StatusCode::CONFLICT
    );
    assert_eq!(desk.post(&format!("/cases/{no}/code"), json!({})).await.0, StatusCode::CONFLICT, "no code");
    // Whoever asked cannot approve; two changes that were shown one after the other do not both happen.
    let (_, first) = desk.world.post(&desk.boss, &format!("{card}/contact"), outside.clone()).await;
    assert_eq!(first["code"], "conflict", "it is this number already");
    let back = json!({ "number": PHONE, "why": "the branch asks" });
    let (_, first) = desk.world.post(&desk.boss, &format!("{card}/contact"), back.clone()).await;
    let (_, second) = desk.world.post(&desk.boss, &format!("{card}/contact"), back).await;
    assert_eq!(desk.world.approve(&desk.boss, &first).await.0, StatusCode::CONFLICT);
    assert_eq!(desk.world.approve(&third, &first).await.0, StatusCode::OK);
    assert_eq!(desk.world.approve(&third, &second).await.0, StatusCode::CONFLICT, "it is another number now");
}

#[tokio::test]
async fn a_gateway_is_heard_at_its_own_address_only() {
    let world = World::new().await;
    let say =
        async |key: &str| world.ask("POST", &format!("/sms/receipts/{key}"), &[], "[]".to_owned()).await.0;
    assert_eq!(say(&RECEIPTS.to_uppercase()).await, StatusCode::NOT_FOUND);
    assert_eq!(say("0").await, StatusCode::NOT_FOUND);
    // This one has an outbox, which says nothing later.
    assert_eq!(say(RECEIPTS).await, StatusCode::UNPROCESSABLE_ENTITY);
}
