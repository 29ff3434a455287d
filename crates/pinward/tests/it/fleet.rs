//! A fleet moves from TDES work keys to SM4 and to AES DUKPT: staged, moved, fallen back, moved again, finished.

use std::{fs, path::Path, process::Command};

use serde_json::Value;

use crate::sandbox::{PROGRAM, Sandbox, demo, said};

fn fleet(data: &Path, arguments: &[&str]) -> (bool, Value) {
    let mut command = Command::new(PROGRAM);
    command.args(["fleet", "--json", "--data"]).arg(data).args(arguments);
    let out = command.output().unwrap();
    let document = serde_json::from_slice(&out.stdout).unwrap_or_else(|e| panic!("{e}: {}", said(&out)));
    (out.status.success(), document)
}

fn plan(folder: &Path, name: &str, scheme: &str, rest: &str) -> String {
    let path = folder.join(format!("{name}.toml"));
    let text = format!(
        "name = \"{name}\"\nscheme = \"{scheme}\"\nquiet_hours = 0\n\
         [[cohort]]\nname = \"pilot\"\nterminals = [\"10000023\"]\n{rest}"
    );
    fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

fn count(status: &Value, cohort: usize, what: &str) -> u64 {
    status["cohorts"][cohort]["count"][what].as_u64().unwrap()
}

/// One cohort through all of it, with terminals that are played over the wire.
fn moves_to(scheme: &str) {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    assert!(demo(&data).arg("--prepare-only").output().unwrap().status.success());
    let rest = "[[cohort]]\nname = \"rest\"\nterminals = [\"10000024\"]\n";
    let whole = plan(folder.path(), "whole", scheme, rest);
    assert_eq!(fleet(&data, &["stage", &whole, "--cohort", "pilot"]).1["staged"], 1);
    assert_eq!(fleet(&data, &["stage", &whole, "--cohort", "pilot"]).1["staged"], 0, "once is enough");

    let sandbox = Sandbox::start(&data, &[]);
    let status = || fleet(&data, &["status", &whole]).1;
    assert_eq!((count(&status(), 0, "staged"), count(&status(), 1, "untouched")), (1, 1));
    let head = "terminal T1 id 10000023\ncard C1 product debit-standard\n";
    let pay = "T1: sign-in -> 00\nT1: sale C1 5.00 pin wrong -> 55\nT1: sale C1 5.00 pin right -> 00\n";
    sandbox.play_text(&format!("{head}{pay}"));
    assert_eq!(count(&status(), 0, "staged"), 1, "it goes on with its old keys");
    sandbox.play_text(&format!("{head}T1: switch-keys\n{pay}"));
    assert_eq!(count(&status(), 0, "moved"), 1);
    sandbox.play_text(&format!("{head}T1: switch-back\n{pay}"));
    assert_eq!(count(&status(), 0, "fell_back"), 1, "the old keys are accepted again");
    sandbox.play_text(&format!("{head}T1: switch-keys\n{pay}"));
    assert_eq!(count(&status(), 0, "moved"), 1);

    let (finished, refused) = fleet(&data, &["finish", &whole]);
    assert!(!finished, "while a terminal is on its old keys");
    assert_eq!(refused["unfinished"]["on_old_keys"][0], "10000024");
    let running = Command::new(PROGRAM)
        .args(["fleet", "stage", &whole, "--cohort", "rest", "--data"])
        .arg(&data)
        .output()
        .unwrap();
    assert!(!running.status.success() && said(&running).contains("in use"), "{}", said(&running));
    sandbox.stop();

    // The plan without the cohort that did not move.
    let pilot = plan(folder.path(), "whole", scheme, "");
    let (finished, document) = fleet(&data, &["finish", &pilot]);
    assert!(finished && document["finished"] == 1, "{document}");
    let sandbox = Sandbox::start(&data, &[]);
    sandbox.play_text(&format!("{head}{pay}"));
    let published: Value = serde_json::from_slice(&fs::read(data.join("sandbox.json")).unwrap()).unwrap();
    let now =
        published["scheme_terminals"].as_array().unwrap().iter().find(|t| t["tid"] == "10000023").unwrap();
    assert!(now["scheme"] == scheme && now.get("next").is_none(), "the new keys are its keys");
}

#[test]
fn a_fleet_moves_to_sm4() {
    moves_to("sm4");
}

#[test]
fn a_fleet_moves_to_aes_dukpt() {
    moves_to("aes-dukpt");
}

#[test]
fn a_cohort_of_mistyped_numbers_is_not_done() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    assert!(demo(&data).arg("--prepare-only").output().unwrap().status.success());
    let path = plan(folder.path(), "typo", "sm4", "[[cohort]]\nname = \"b\"\nterminals = [\"7777*\"]\n");
    for arguments in [&["stage", &path, "--cohort", "b"][..], &["finish", &path]] {
        let mut command = Command::new(PROGRAM);
        let out = command.arg("fleet").args(arguments).arg("--data").arg(&data).output().unwrap();
        assert_eq!(out.status.code(), Some(2), "{}", said(&out));
        assert!(said(&out).contains("no registered terminal is in cohort \"b\""), "{}", said(&out));
    }
}

#[test]
fn a_plan_that_makes_no_sense_is_refused_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("plan.toml");
    fs::write(&path, "name = \"x\"\nscheme = \"rot13\"\n[[cohort]]\nname = \"a\"\nterminals = [\"1\"]")
        .unwrap();
    let out = Command::new(PROGRAM).args(["fleet", "status"]).arg(&path).output().unwrap();
    assert_eq!(out.status.code(), Some(2));
    let text = said(&out);
    assert!(text.contains("plan.toml") && text.contains("scheme") && text.contains("aes-dukpt"), "{text}");
}
