//! What the program says about refusals: a fault is named while it lasts, from real bytes on a real socket, and said again
//! after a restart and from a store at rest.

use std::{
    io::{Read, Write},
    net::TcpStream,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::{
    hosts::database,
    sandbox::{PROGRAM, Sandbox, said},
};

/// A busy machine may need its time; people need seconds.
const PATIENCE: Duration = Duration::from_secs(60);

/// Three cards that are in order, as another terminal proves, pay at one whose PIN key is not the host's.
pub(crate) const WRONG_KEY: &str = "terminal T1\nterminal T2\n\
    card C1 product debit-standard\ncard C2 product debit-standard\ncard C3 product debit-standard\n\
    T1: sign-in -> 00\nT2: sign-in -> 00\n\
    T2: balance C1 pin right -> 00\nT2: balance C2 pin right -> 00\nT2: balance C3 pin right -> 00\n\
    T1: sale C1 41.00 pin right wrong-tpk -> 99\n\
    T1: sale C2 42.00 pin right wrong-tpk -> 99\n\
    T1: sale C3 43.00 pin right wrong-tpk -> 99\n";

fn pinward(arguments: &[&str], data: &Path) -> std::process::Output {
    Command::new(PROGRAM).args(arguments).arg("--data").arg(data).output().unwrap()
}

#[track_caller]
fn json_of(arguments: &[&str], data: &Path) -> Value {
    let out = pinward(arguments, data);
    assert!(out.status.success(), "{arguments:?}: {}", said(&out));
    serde_json::from_slice(&out.stdout).unwrap_or_else(|e| panic!("{arguments:?}: {e}: {}", said(&out)))
}

/// Incidents of a cause: number, kind and id of the scope.
pub(crate) fn incidents(data: &Path, cause: &str) -> Vec<(u64, String, String)> {
    let page = json_of(&["incidents", "--json"], data);
    let rows = page["data"].as_array().unwrap().iter().filter(|row| row["cause"] == cause);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    rows.map(|row| (row["id"].as_u64().unwrap(), text(&row["scope"]["kind"]), text(&row["scope"]["id"])))
        .collect()
}

/// Waits until there is an incident of a cause.
#[track_caller]
pub(crate) fn found(data: &Path, cause: &str) -> (u64, String, String) {
    let began = Instant::now();
    loop {
        if let Some(incident) = incidents(data, cause).into_iter().next() {
            return incident;
        }
        let all = said(&pinward(&["incidents"], data));
        assert!(began.elapsed() < PATIENCE, "no incident {cause}: {all}");
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// The newest declined sales: references.
pub(crate) fn declined(data: &Path, code: &str) -> Vec<String> {
    let out = pinward(&["tail", "--no-follow", "--json", "--declined", "-n", "500"], data);
    let lines = String::from_utf8(out.stdout).unwrap();
    let rows = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    rows.filter(|row| row["code"] == code).map(|row| row["rrn"].as_str().unwrap().to_owned()).collect()
}

pub(crate) fn console(data: &Path) -> String {
    let text = std::fs::read_to_string(data.join("sandbox.json")).unwrap();
    let sandbox: Value = serde_json::from_str(&text).unwrap();
    sandbox["console"].as_str().unwrap().trim_start_matches("http://").to_owned()
}

/// Asks the API; the body of the answer.
pub(crate) fn api(data: &Path, method: &str, path: &str, body: &Value) -> Value {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let kind = if body.is_empty() { "" } else { "application/json" };
    let (status, answer) = ask(data, method, path, kind, &body);
    assert!(status == 200 || status == 201, "{method} {path}: {status} {answer}");
    serde_json::from_str(&answer).unwrap()
}

/// Asks the console: status and body.
pub(crate) fn ask(data: &Path, method: &str, path: &str, kind: &str, body: &str) -> (u16, String) {
    let address = console(data);
    let mut stream = TcpStream::connect(&address).unwrap();
    let kind = if kind.is_empty() { String::new() } else { format!("Content-Type: {kind}\r\n") };
    write!(
        stream,
        "{method} {path} HTTP/1.0\r\nHost: {address}\r\n{kind}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, body.to_owned())
}

#[test]
fn a_wrong_key_is_named_within_three_cards_and_no_card_is_locked() {
    let folder = tempfile::tempdir().unwrap();
    wrong_key(&folder.path().join("data"), &[]);
}

#[test]
fn a_wrong_key_is_named_on_a_database() {
    let folder = tempfile::tempdir().unwrap();
    wrong_key(&folder.path().join("data"), &["--store", &database()]);
}

fn wrong_key(data: &Path, more: &[&str]) {
    let sandbox = Sandbox::start(data, more);
    sandbox.play_text(WRONG_KEY);
    let played = Instant::now();
    let (number, kind, terminal) = found(data, "wrong-terminal-key");
    assert_eq!((number, kind.as_str()), (1, "terminal"));
    // Seconds, on a machine that may be busy.
    assert!(played.elapsed() < PATIENCE / 2, "{:?}", played.elapsed());
    let locked = said(&pinward(&["card", "list", "--locked"], data));
    assert!(locked.contains("no cards are locked"), "{locked}");

    // Each refusal has its verdict, with its evidence and the incident behind it.
    let refusals = declined(data, "99");
    assert_eq!(refusals.len(), 3);
    for rrn in &refusals {
        let verdict = json_of(&["why", rrn, "--json"], data);
        assert_eq!(verdict["cause"], "wrong-terminal-key", "{verdict:#}");
        assert!(verdict["confidence"].as_f64().unwrap() > 0.5, "{verdict:#}");
        assert!(!verdict["evidence"].as_array().unwrap().is_empty());
        assert_eq!(verdict["incident"], number);
    }
    for (lang, word) in [("en", "Engineer"), ("zh", "%")] {
        let page = said(&pinward(&["why", &refusals[0], "--lang", lang], data));
        assert!(page.contains(word) && page.contains("wrong-terminal-key"), "{page}");
    }
    let incident = api(data, "GET", &format!("/api/v1/incidents/{number}"), &Value::Null);
    assert_eq!(incident["scope"]["id"], json!(terminal));
    assert_eq!(incident["refusals"].as_array().unwrap().len(), 3, "{incident:#}");
    let status = json!({ "status": "acknowledged", "note": "on my way" });
    let taken = api(data, "POST", &format!("/api/v1/incidents/{number}/status"), &status);
    assert_eq!(taken["status"], "acknowledged");
    let health = api(data, "GET", "/api/v1/health", &Value::Null);
    let checks = health["checks"].as_array().unwrap();
    let ours = checks.iter().find(|check| check["name"] == "diagnosis").unwrap();
    assert!(ours["detail"].as_str().unwrap().starts_with("follows the journal"), "{ours}");

    // A store at rest says the same, and so does the next host.
    sandbox.stop();
    // Somebody else may have its port by now.
    std::fs::remove_file(data.join("sandbox.json")).unwrap();
    assert_eq!(found(data, "wrong-terminal-key"), (number, kind.clone(), terminal.clone()));
    let rested = json_of(&["why", &refusals[0], "--json"], data);
    assert_eq!((&rested["cause"], &rested["incident"]), (&json!("wrong-terminal-key"), &json!(number)));
    let again = Sandbox::start(data, &[]);
    assert_eq!(found(data, "wrong-terminal-key"), (number, kind, terminal));
    assert_eq!(incidents(data, "wrong-terminal-key").len(), 1);
    let kept = api(data, "GET", &format!("/api/v1/incidents/{number}"), &Value::Null);
    assert_eq!(kept["status"], "acknowledged", "{kept:#}");
    again.stop();
}

#[test]
fn a_refusal_that_nobody_knows_and_a_question_that_means_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let sandbox = Sandbox::start(&data, &[]);
    assert_eq!(pinward(&["why", "999999999999"], &data).status.code(), Some(3));
    assert_eq!(pinward(&["why", "../health"], &data).status.code(), Some(2));
    assert_eq!(pinward(&["incidents", "--status", "weird"], &data).status.code(), Some(2));
    sandbox.stop();
    assert_eq!(pinward(&["incidents", "--status", "weird"], &data).status.code(), Some(2));
    assert_eq!(pinward(&["why", "999999999999"], &data).status.code(), Some(3));
    let nowhere = folder.path().join("nowhere");
    assert_eq!(pinward(&["incidents"], &nowhere).status.code(), Some(2));
}
