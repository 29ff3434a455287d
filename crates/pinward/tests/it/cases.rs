//! `pinward case` against a real host: from error 75 on a screen to a card that can pay again, with gates in between; and what was
//! done is read from the store when no host runs.

use std::{
    path::Path,
    process::{Command, Output},
};

use serde_json::Value;

use crate::{
    forgotten_pin::newest,
    sandbox::{PROGRAM, Sandbox, said},
};

fn pinward(arguments: &[&str], data: &Path) -> Output {
    Command::new(PROGRAM).args(arguments).arg("--data").arg(data).output().unwrap()
}

#[track_caller]
fn ends(arguments: &[&str], data: &Path, code: i32) -> String {
    let out = pinward(arguments, data);
    assert_eq!(out.status.code(), Some(code), "{arguments:?}: {}", said(&out));
    said(&out)
}

#[track_caller]
fn json_of(arguments: &[&str], data: &Path) -> Value {
    let out = Command::new(PROGRAM).args(arguments).arg("--json").arg("--data").arg(data).output().unwrap();
    assert!(out.status.success(), "{arguments:?}: {}", said(&out));
    serde_json::from_slice(&out.stdout).unwrap_or_else(|e| panic!("{arguments:?}: {e}: {}", said(&out)))
}

/// The newest refusal with this code.
fn refused(data: &Path, code: &str) -> String {
    let out = pinward(&["tail", "--no-follow", "--json", "--declined", "-n", "100"], data);
    let lines = String::from_utf8(out.stdout).unwrap();
    let mut rows = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    rows.find(|row| row["code"] == code).expect("a refusal")["rrn"].as_str().unwrap().to_owned()
}

#[test]
fn from_error_75_to_unlocked_at_the_command_line() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let sandbox = Sandbox::start(&data, &[]);
    sandbox.play("error-75");
    let rrn = refused(&data, "75");
    ends(&["case", "open", "--rrn", "000000000000"], &data, 3);
    ends(&["case", "open", "--rrn", &rrn, "--alarm", "1"], &data, 2);
    ends(&["case", "show", "4711"], &data, 3);

    let opened = json_of(&["case", "open", "--rrn", &rrn], &data);
    let no = opened["case"]["id"].as_u64().unwrap().to_string();
    assert_eq!(opened["case"]["source"], "refusal", "{opened}");
    let kinds: Vec<&str> =
        opened["evidence"].as_array().unwrap().iter().filter_map(|piece| piece["kind"].as_str()).collect();
    assert!(kinds.contains(&"card") && kinds.contains(&"transaction"), "{kinds:?}");
    assert_eq!(json_of(&["case", "open", "--rrn", &rrn], &data)["case"]["id"], opened["case"]["id"]);
    assert_eq!(json_of(&["case", "list"], &data)["data"][0]["id"], opened["case"]["id"]);
    let listed = ends(&["case", "list", "--lang", "en"], &data, 0);
    assert!(listed.contains(&no) && listed.contains("75"), "{listed}");

    let act = |deed: &[&str], code: i32| ends(&[&["case", "act", &no], deed].concat(), &data, code);
    let gates: Vec<&str> =
        opened["open_gates"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    let close = act(&["close", "solved", "--words", "paid"], 5);
    assert!(!gates.is_empty() && close.contains(gates[0]), "{close}");
    let unlock = act(&["unlock", "--why", "wants to pay"], 5);
    assert!(unlock.contains("L2"), "{unlock}");
    act(&["close", "fine", "--words", "paid"], 2);
    let by_hand = ["prove", "code-to-contact-on-file", "--asked", "one-time-code", "--right", "1"];
    assert!(act(&by_hand, 5).contains("by hand"), "a code is looked at, not taken at somebody's word");
    act(&["send-code"], 0);
    act(&["check-code", "not-it"], 5);
    let message = newest(&data, "identity-code");
    let code: String = message.chars().filter(char::is_ascii_digit).take(6).collect();
    act(&["check-code", &code], 0);
    act(&["check-code", &code], 5);
    // Nobody signed in to this sandbox: there is no second person to wait for.
    act(&["unlock", "--why", "wants to pay"], 0);
    let card = ends(&["card", "show", opened["case"]["subject"]["card"].as_str().unwrap()], &data, 0);
    assert!(card.contains("3 of 3 tries left") && !card.contains("locked until"), "{card}");
    for gate in gates {
        act(&["step", gate, "--note", "done and looked at"], 0);
    }
    act(&["close", "solved", "--words", "paid at the same till"], 0);
    assert!(newest(&data, "survey-link").contains("/survey/"), "the question went to the holder");
    sandbox.stop();

    let closed = json_of(&["case", "show", &no], &data);
    assert_eq!(
        (&closed["outcome"], &closed["case"]["status"]),
        (&"solved".into(), &"closed".into()),
        "{closed}"
    );
    let page = ends(&["case", "show", &no, "--lang", "zh"], &data, 0);
    assert!(page.contains("[x]") && page.contains("solved"), "{page}");
    act(&["resume", "--why", "called again"], 69);
}
