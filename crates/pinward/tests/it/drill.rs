//! Incidents to practise on, against a running sandbox: each can be played, and the host answers as it should.

use std::process::{Command, Output};

use serde_json::Value;

use crate::sandbox::{PROGRAM, Sandbox, said};

fn drill(arguments: &[&str]) -> Output {
    Command::new(PROGRAM).arg("drill").args(arguments).output().unwrap()
}

fn lines(out: &Output) -> Vec<Value> {
    let text = String::from_utf8(out.stdout.clone()).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// What the host answered to the payments that are described so.
fn answers(played: &[Value], what: &str) -> Vec<String> {
    let of = played.iter().filter(|seen| seen["what"] == what);
    of.map(|seen| seen["answer"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn every_scene_plays() {
    let folder = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::start(&folder.path().join("data"), &[]);
    let data = sandbox.data.to_str().unwrap();
    let scenes = lines(&drill(&["list", "--json"]));
    assert!(scenes.len() >= 17, "{scenes:?}");
    for scene in &scenes {
        let name = scene["name"].as_str().unwrap();
        let out = drill(&["play", name, "--data", data, "--speed", "1000", "--json"]);
        assert!(out.status.success(), "{name}:\n{}", said(&out));
        assert!(String::from_utf8_lossy(&out.stderr).contains("It was about"), "{name}:\n{}", said(&out));
        let played = lines(&out);
        match name {
            "wrong-terminal-key" => {
                let wrong = answers(&played, "wrong key");
                assert!(wrong.len() == 12 && wrong.iter().all(|code| code == "99"), "{wrong:?}");
                assert!(answers(&played, "the same card elsewhere").iter().all(|code| code == "00"));
            }
            "pan-binding" => {
                assert!(answers(&played, "bound to another number").iter().all(|code| code == "99"));
            }
            "pin-spray" => assert!(answers(&played, "one guess").iter().any(|code| code == "55")),
            "ksn-replay" => {
                assert!(
                    answers(&played, "a number that was used").iter().all(|code| code == "63"),
                    "{played:?}"
                );
            }
            "clock-drift" => assert!(answers(&played, "clock is ahead").iter().any(|code| code == "00")),
            _ => assert!(!played.is_empty(), "{name}"),
        }
    }
    let short = drill(&["play", "wrong-key", "--data", data, "--speed", "1000", "--seed", "2"]);
    assert!(short.status.success(), "{}", said(&short));
}

#[test]
fn what_nobody_knows_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let nowhere = folder.path().to_str().unwrap();
    for (arguments, code, says) in [
        (vec!["play", "bad-luck", "--data", nowhere], 2, "no incident 'bad-luck'"),
        (vec!["play", "wrong-key", "--data", nowhere], 2, "start a sandbox first"),
        (vec!["evaluate", "--seeds", "4..4"], 2, "expected A..B"),
        (vec!["evaluate", "--seeds", "0..99999"], 2, "expected A..B"),
    ] {
        let out = drill(&arguments);
        assert_eq!(out.status.code(), Some(code), "{arguments:?}:\n{}", said(&out));
        assert!(said(&out).contains(says), "{arguments:?}:\n{}", said(&out));
    }
}
