//! Risk rules: the editor that says what is wrong, the way to being live that takes two, lists, snoozes, backtests.

use axum::{Router, http::StatusCode};
use serde_json::{Value, json};

use crate::{Answer, console, fake_rules::digest, get, post, post_as, post_in};

const WRONG: &str = "name = \"x\"\n\n[[rule]]\nid = \"a\"\nname = { zh = \"a\", en = \"a\" }\ngroup = \"g\"\nphase = \"authorize\"\nwhen = 'amonut > 5'\naction = \"alert\"\nmode = \"live\"\nowner = \"desk\"\nscore = 1\n";

async fn send(console: &Router, path: &str, body: &Value) -> Answer {
    post_as(console, path, "application/json", &body.to_string()).await
}

fn typed(text: &str) -> String {
    text.bytes().map(|b| format!("%{b:02X}")).collect()
}

#[tokio::test]
async fn the_editor_says_where_what_and_what_instead_and_keeps_what_was_typed() {
    let console = console();
    let begin = get(&console, "/rules/edit", "en").await;
    assert!(begin.text.contains("spray-terminal"), "it begins with the starter set");
    for (form, words) in [
        (format!("text={}", typed(WRONG)), ["line 8, column 9", "amount"]),
        ("text=name".to_owned(), ["line 1, column", "1 problem"]),
    ] {
        let page = post(&console, "/rules/edit", &form).await;
        assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
        for words in words {
            assert!(page.text.contains(words), "{words}");
        }
        assert!(page.text.contains("aria-describedby=\"problems\""));
    }
    assert!(post(&console, "/rules/edit", &format!("text={}", typed(WRONG))).await.text.contains("amonut"));
    let (said, meant) = ("there is no field amonut", "did you mean amount?");
    for (lang, english) in [("en", true), ("zh", false)] {
        let form = format!("text={}", typed(WRONG));
        let page = post_in(&console, "/rules/edit", lang, "application/x-www-form-urlencoded", &form).await;
        assert_eq!((page.text.contains(said), page.text.contains(meant)), (english, english), "{lang}");
        assert!(page.text.contains("<strong>") && page.text.contains("amount"));
    }
    let well = format!("check=1&text={}", typed(&WRONG.replace("amonut", "amount")));
    let page = post(&console, "/rules/edit", &well).await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(page.text.contains("nothing is wrong with it"));
    let again = post(&console, "/rules/edit", &format!("text={}", typed(risk::STARTER))).await;
    assert_eq!(again.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(again.text.contains("put down before"));
}

async fn step(console: &Router, step: &str, form: &str) -> StatusCode {
    post(console, &format!("/rules/{}/{step}", digest()), form).await.status
}

#[tokio::test]
async fn publishing_takes_two_and_taking_back_takes_one() {
    let console = console();
    let of = format!("/rules/{}", digest());
    assert!(get(&console, &of, "en").await.text.contains("Ask for publication"));
    assert_eq!(step(&console, "activate", "by=Li").await, StatusCode::CONFLICT, "nobody asked");
    assert_eq!(step(&console, "request", "by=Wang").await, StatusCode::SEE_OTHER);
    assert_eq!(step(&console, "activate", "by=wang").await, StatusCode::CONFLICT, "the same person");
    assert_eq!(step(&console, "activate", "by=Li").await, StatusCode::SEE_OTHER);
    let page = get(&console, "/rules", "en").await.text;
    assert!(page.contains("spray-terminal") && page.contains("At work") && page.contains("Enter"));
    assert_eq!(step(&console, "withdraw", "").await, StatusCode::SEE_OTHER);
    assert!(get(&console, "/rules", "zh").await.text.contains("class=\"empty\""));
    assert_eq!(step(&console, "dance", "").await, StatusCode::NOT_FOUND);
}

async fn live() -> Router {
    let console = console();
    step(&console, "request", "by=Wang").await;
    step(&console, "activate", "by=Li").await;
    console
}

#[tokio::test]
async fn lists_and_snoozes_have_an_end() {
    let console = live().await;
    let listed =
        post(&console, "/rules/lists", "list=watched-terminals&member=T0001234&why=x&hours=24").await;
    assert_eq!(listed.header("location"), "/rules?done=entered");
    let snoozed = post(&console, "/rules/snoozes", "rule=spray-terminal&member=T0001234&why=x&hours=2").await;
    assert_eq!(snoozed.header("location"), "/rules?done=entered");
    let page = get(&console, "/rules", "en").await.text;
    assert_eq!(page.matches("/T0001234/end").count(), 2);
    for (path, form) in [
        ("/rules/lists", "list=nobody&member=T1&why=x"),
        ("/rules/snoozes", "rule=nobody&member=T1&why=x&hours=1"),
        ("/rules/snoozes", "rule=spray-terminal&member=T1&why=x&hours=8000"),
    ] {
        assert_eq!(post(&console, path, form).await.status, StatusCode::CONFLICT, "{path} {form}");
    }
    for form in ["rule=spray-terminal&member=T1&why=x", "rule=spray-terminal&member=T1&hours=x&why=x"] {
        assert_eq!(post(&console, "/rules/snoozes", form).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    }
    let end = "/rules/members/snoozes/spray-terminal/T0001234/end";
    assert_eq!(post(&console, end, "").await.status, StatusCode::SEE_OTHER);
    assert_eq!(post(&console, end, "").await.status, StatusCode::NOT_FOUND, "it is ended");
}

#[tokio::test]
async fn a_version_is_tried_on_the_past_and_compared() {
    let console = console();
    assert_eq!(step(&console, "backtest", "days=400").await, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(step(&console, "backtest", "days=7").await, StatusCode::SEE_OTHER);
    let asked = json!({ "version": digest() });
    let begun = send(&console, "/api/v1/rules/backtest", &asked).await;
    assert_eq!(begun.status, StatusCode::ACCEPTED);
    let id = begun.json()["id"].clone();
    let mut told = Value::Null;
    for _ in 0..100 {
        let list = get(&console, "/api/v1/rules/backtests", "en").await.json();
        told = list["data"].as_array().unwrap().iter().find(|job| job["id"] == id).unwrap().clone();
        if told["done"] == true {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!(told["report"]["candidate"]["declined"], 12);
    let page = get(&console, &format!("/rules/{}", digest()), "en").await.text;
    for words in ["92%", "Largest examples", "/transactions/632610004417", "912"] {
        assert!(page.contains(words), "{words}");
    }
    let unknown = send(&console, "/api/v1/rules/backtest", &json!({ "version": "x" })).await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn programs_check_draft_and_publish() {
    let console = console();
    let checked = send(&console, "/api/v1/rules/check", &json!({ "text": WRONG })).await;
    assert_eq!((checked.status, checked.json()["problems"][0]["line"].clone()), (StatusCode::OK, json!(8)));
    let refused = send(&console, "/api/v1/rules", &json!({ "text": WRONG })).await;
    assert_eq!(
        (refused.status, refused.json()["ok"].clone()),
        (StatusCode::UNPROCESSABLE_ENTITY, json!(false))
    );
    let right = json!({ "text": WRONG.replace("amonut", "amount") });
    let drafted = send(&console, "/api/v1/rules", &right).await;
    assert_eq!(drafted.status, StatusCode::CREATED);
    let publish = format!("/api/v1/rules/{}/publish", drafted.json()["version"].as_str().unwrap());
    for (by, state) in [("Li", "in shadow"), ("Li", "requested"), ("Wang", "live")] {
        let done = send(&console, &publish, &json!({ "by": by })).await;
        assert_eq!(done.json()["state"], state);
    }
    let list = get(&console, "/api/v1/rules", "en").await.json();
    assert_eq!((list["rules"][0]["id"].clone(), list["versions"].as_array().unwrap().len()), (json!("a"), 2));
    let again = send(&console, &publish, &json!({ "by": "Li" })).await;
    assert_eq!(again.status, StatusCode::CONFLICT);
    let taken = send(&console, &publish.replace("publish", "demote"), &json!({})).await;
    assert_eq!(taken.json()["state"], "withdrawn");
}

#[tokio::test]
async fn what_rules_said_stands_with_the_payment() {
    let console = console();
    let rrn = crate::fake::HERO_RRN;
    let page = get(&console, &format!("/transactions/{rrn}"), "en").await.text;
    for words in
        ["Risk rules", "amount &gt; 100000", "amount = 128000", "suspected-fraud", "country is not known"]
    {
        assert!(page.contains(words), "{words}");
    }
    let told = get(&console, &format!("/api/v1/transactions/{rrn}"), "en").await.json();
    let hit = &told["rules"]["fired"][0];
    assert_eq!((&hit["rule"], &hit["terms"][0]["values"][0]), (&json!("large"), &json!("amount = 128000")));
    let why = get(&console, &format!("/api/v1/transactions/{rrn}/diagnosis"), "en").await.json();
    assert_eq!(why["rules"]["errors"][0], "nowhere");
}
