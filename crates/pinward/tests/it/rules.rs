//! `pinward rules`: a file is taken, or refused with the place and a suggestion.

use std::process::{Command, Output};

use serde_json::Value;

const STARTER: &str = include_str!("../../../risk/rules/starter.toml");

fn check(text: &str, more: &[&str]) -> Output {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("rules.toml"), text).expect("written");
    let mut command = Command::new(env!("CARGO_BIN_EXE_pinward"));
    command.args(["rules", "check", "rules.toml"]).args(more).current_dir(folder.path());
    command.output().expect("it runs")
}

#[test]
fn the_starter_set_is_taken_and_a_slip_is_refused_at_its_place() {
    let taken = check(STARTER, &["--json"]);
    assert_eq!(taken.status.code(), Some(0));
    let report: Value = serde_json::from_slice(&taken.stdout).expect("JSON");
    assert_eq!((&report["ok"], &report["name"]), (&Value::Bool(true), &Value::from("starter")));

    let broken = STARTER.replacen(
        "  && distinct_unless(terminal, card, pin_mismatch",
        "  && distinct_unless(terminal, card, pin_mismach",
        1,
    );
    let line = 1 + broken.lines().position(|line| line.contains("pin_mismach")).expect("the line");
    let refused = check(&broken, &[]);
    assert_eq!((refused.status.code(), refused.stdout.len()), (Some(1), 0));
    let said = String::from_utf8_lossy(&refused.stderr);
    let place = format!(
        "rules.toml:{line}:38: rule spray-terminal: there is no field pin_mismach; did you mean pin_mismatch?"
    );
    assert!(said.contains(&place), "{said}");

    let refused = check(&broken, &["--json"]);
    let report: Value = serde_json::from_slice(&refused.stdout).expect("JSON");
    let problem = &report["problems"][0];
    assert_eq!((refused.status.code(), &report["ok"]), (Some(1), &Value::Bool(false)));
    assert_eq!((&problem["line"], &problem["rule"]), (&Value::from(line), &Value::from("spray-terminal")));
    assert_eq!(problem["suggestion"], "did you mean pin_mismatch?");
}
