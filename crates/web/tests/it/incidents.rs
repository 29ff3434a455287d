//! Why, incidents and the register; and what people do from them.

use std::sync::Arc;

use axum::http::StatusCode;
use web::{Console, insight::Deed};

use crate::{archive, console, fake, fake_insight::FakeInsight, filled, get, post};

#[tokio::test]
async fn the_verdict_is_one_sentence_with_its_evidence_and_playbook() {
    let page = get(&console(), &filled("/why/{rrn}"), "en").await;
    for words in [
        "9 different cards failed here",
        "Sure",
        "(confidence 0.91: of 100 verdicts that say so, about 91 are right).",
        "What speaks against it:",
        "9 of 14 first entries were wrong; usual is 3.1%.",
        "Restore tries of 9 cards",
        "no try charged",
        "Shop owner",
        "Analyst",
        "Wrong verdict",
        "No. 17",
    ] {
        assert!(page.text.contains(words), "{words}");
    }
    let file = get(&console(), &filled("/why/{rrn}/evidence.json"), "en").await;
    assert_eq!(file.json()["cause"], "keypad-fault");
    assert!(file.header("content-disposition").starts_with("attachment"));
}

#[tokio::test]
async fn without_a_verdict_the_reason_still_stands_there() {
    let console = console();
    let list = get(&console, "/api/v1/transactions?limit=500", "en").await.json();
    let of = |code: &str| {
        let row = list["data"].as_array().unwrap().iter().find(|row| row["code"] == code).unwrap();
        format!("/why/{}", row["rrn"].as_str().unwrap())
    };
    assert!(get(&console, &of("51"), "en").await.text.contains("There is no diagnosis of this refusal"));
    assert!(get(&console, &of("00"), "en").await.text.contains("This was not refused"));
    assert_eq!(get(&console, "/why/000000000000", "en").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn attention_begins_with_what_needs_somebody_most() {
    let page = get(&console(), "/", "en").await.text;
    let (spray, keypad) = (page.find("/incidents/18").unwrap(), page.find("/incidents/17").unwrap());
    assert!(keypad < spray && !page.contains("/incidents/12"), "the one that is over is not there");
}

#[tokio::test]
async fn a_list_is_filtered_and_says_what_it_understands() {
    let console = console();
    let open = get(&console, "/incidents", "en").await.text;
    assert!(open.contains("/incidents/17") && !open.contains("/incidents/12"));
    assert!(get(&console, "/incidents?status=over", "en").await.text.contains("/incidents/12"));
    assert!(get(&console, "/incidents?status=retracted", "en").await.text.contains("class=\"empty\""));
    assert_eq!(get(&console, "/incidents?status=red", "en").await.status, StatusCode::UNPROCESSABLE_ENTITY);
    for missing in ["/incidents/99", "/incidents/x"] {
        assert_eq!(get(&console, missing, "en").await.status, StatusCode::NOT_FOUND, "{missing}");
    }
}

#[tokio::test]
async fn tries_are_restored_once_and_the_page_says_so() {
    let now = model::Timestamp(jiff::Timestamp::now().as_millisecond());
    let insight = Arc::new(FakeInsight::new(now));
    let mut state = fake::state(archive(), true);
    state.insight = insight.clone();
    let console = Console::new(state);
    let asked = "why=keypad&reviewer=Li&rrn=632610004417";
    let done = post(&console, "/incidents/17/restore", asked).await;
    assert_eq!(done.status, StatusCode::SEE_OTHER);
    // back to where the restore was asked for
    let there = done.header("location").to_owned();
    assert_eq!(there, "/why/632610004417?done=restored&n=9");
    let page = get(&console, &there, "en").await.text;
    assert!(page.contains("The tries of 9 cards are restored.") && !page.contains("Restore tries of"));
    let deeds = insight.deeds.lock().unwrap().clone();
    let Deed::RestoreTries { incident: 17, reviewer, why } = &deeds[0].0 else { panic!("{deeds:?}") };
    assert_eq!((reviewer.as_str(), why.as_str(), deeds[0].1.as_str()), ("Li", "keypad", "console"));
}

#[tokio::test]
async fn a_deed_needs_its_reason_and_its_reviewer() {
    let console = console();
    for form in ["", "why=x", "why=&reviewer=Li", "why=x&reviewer=console"] {
        let refused = post(&console, "/incidents/17/restore", form).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{form}");
    }
    let refused = post(&console, "/why/632610004417/wrong", "why=x&cause=bad-luck").await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    let unknown = post(&console, "/terminals/T9999999/suspend", "why=x&incident=17").await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn every_deed_comes_back_to_its_page() {
    let console = console();
    for (path, form, back) in [
        ("/why/632610004417/wrong", "why=x&cause=forgotten", "/why/632610004417?done=contradicted&n=1"),
        ("/incidents/17/handle", "why=x&handling=acknowledged", "/incidents/17?done=handled&n=1"),
        ("/incidents/17/assign", "name=li.na", "/incidents/17?done=assigned&n=1"),
        ("/incidents/17/assign", "name=", "/incidents/17?done=assigned&n=1"),
        ("/incidents/17/note", "why=the+shop+was+called", "/incidents/17?done=noted&n=1"),
        ("/incidents/17/answer", "kind=rule&name=keypad-7", "/incidents/17?done=answered&n=1"),
        ("/terminals/T0001234/suspend", "why=x&rrn=632610004417", "/why/632610004417?done=suspended&n=1"),
        ("/terminals/T0001234/sign-in", "why=x&incident=17", "/incidents/17?done=sign-in&n=1"),
    ] {
        let done = post(&console, path, form).await;
        assert_eq!((done.status, done.header("location")), (StatusCode::SEE_OTHER, back), "{path}");
        assert!(get(&console, back, "zh").await.text.contains("class=\"notice ok\""), "{back}");
    }
    // no page of anybody else can be named
    let done = post(&console, "/terminals/T0001234/sign-in", "why=x&rrn=//evil.example/").await;
    assert_eq!(done.header("location"), "/why/%2F%2Fevil.example%2F?done=sign-in&n=1");
}

#[tokio::test]
async fn the_register_has_its_charts_in_words_and_is_exported() {
    let console = console();
    let page = get(&console, "/register?window=7", "en").await.text;
    assert_eq!(page.matches("role=\"img\"").count(), 3);
    assert_eq!(page.matches("<desc>").count(), 3);
    for words in ["As a table", "By firmware", "3.2.1", "terminals", "Median time to detection"] {
        assert!(page.contains(words), "{words}");
    }
    let export = page.split("/api/v1/register.csv?from=").nth(1).unwrap().split('"').next().unwrap();
    let csv = get(&console, &format!("/api/v1/register.csv?from={export}"), "en").await;
    assert_eq!((csv.status, csv.text.lines().count()), (StatusCode::OK, 4));
    assert_eq!(get(&console, "/register?window=2", "en").await.status, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn an_incident_has_an_owner_and_notes() {
    let console = console();
    post(&console, "/incidents/17/assign", "name=li.na").await;
    post(&console, "/incidents/17/note", "why=card+9000001234567891+was+here").await;
    let page = get(&console, "/incidents/17", "en").await.text;
    for words in ["Whose it is", "li.na", "Note", "900000******7891 was here", "Take it"] {
        assert!(page.contains(words), "{words}");
    }
    assert_eq!(post(&console, "/incidents/17/note", "why=").await.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(post(&console, "/incidents/99/note", "why=x").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn what_is_watched_and_what_could_not_be_seen_are_no_incidents() {
    let console = console();
    let page = get(&console, "/incidents", "en").await.text;
    for words in [
        "Being watched",
        "Terminal T0001237",
        "Strongest sign",
        "clock went back",
        "No payment was decided from",
        "The diagnosis is 7 s behind",
    ] {
        assert!(page.contains(words), "{words}");
    }
    assert!(get(&console, "/terminals", "en").await.text.contains("Signed in"));
    let said = get(&console, "/api/v1/suspicions", "en").await.json();
    let first = &said["data"][0];
    assert_eq!((&first["cause"], &first["scope"]["id"]), (&"keypad-fault".into(), &"T0001237".into()));
    assert!(first["evidence"][0]["text"]["zh"].is_string() && first["log_odds"].as_f64().unwrap() > 0.0);
    let listed = get(&console, "/api/v1/incidents", "en").await.json();
    assert_eq!(listed["behind_ms"], 7_200);
    let gaps = &listed["gaps"];
    assert_eq!((&gaps[0]["kind"], &gaps[1]["kind"]), (&"clock-back".into(), &"silence".into()));
}

#[tokio::test]
async fn the_register_says_what_was_learned() {
    let console = console();
    let page = get(&console, "/register", "en").await.text;
    assert!(page.contains("key-swap-checklist") && page.contains("Nobody has said yet"), "{page}");
    post(&console, "/why/632610004417/wrong", "why=x&cause=forgotten").await;
    let page = get(&console, "/register", "en").await.text;
    assert!(page.contains("75.0%"), "three of four verdicts about a keypad were right");
    let line = &get(&console, "/api/v1/register?cause=wrong-terminal-key", "en").await.json()["data"][0];
    assert_eq!(line["answers"][0]["name"], "key-swap-checklist");
    let csv = get(&console, "/api/v1/register.csv?cause=wrong-terminal-key", "en").await.text;
    assert!(csv.contains("training key-swap-checklist: 2.1 -> 0.0 a week"), "{csv}");
}
