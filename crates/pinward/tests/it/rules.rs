//! `pinward rules`: a file is taken, or refused with the place and a suggestion; and tried on a journal.

use std::{
    path::Path,
    process::{Command, Output},
};

use serde_json::{Value, json};

use crate::{
    diagnosis::api,
    sandbox::{PROGRAM, Sandbox},
};

const STARTER: &str = include_str!("../../../risk/rules/starter.toml");

fn check(text: &str, more: &[&str]) -> Output {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("rules.toml"), text).expect("written");
    let mut command = Command::new(PROGRAM);
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

/// A past that one can count: error 75, three wrong PINs and a fourth attempt that nobody looks at.
#[test]
fn a_backtest_judges_the_payments_of_a_journal_and_changes_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let sandbox = Sandbox::start(&data, &[]);
    sandbox.play("error-75");
    sandbox.stop();
    let rules = |name: &str, when: &str| {
        let text = format!(
            "name = '{name}'\n[[rule]]\nid = 'wrong-pins'\nname = {{ zh = 'x', en = 'x' }}\ngroup = 'x'\n\
             phase = 'authorize'\nwhen = '{when}'\n\
             action = 'decline'\nreason = 'suspected-fraud'\nmode = 'shadow'\nowner = 'x'\nscore = 50\n"
        );
        let file = folder.path().join(format!("{name}.toml"));
        std::fs::write(&file, text).expect("written");
        file
    };
    let two = rules("two", "pin_mismatch && count(card, pin_mismatch, \"1h\") >= 2");
    let three = rules("three", "pin_mismatch && count(card, pin_mismatch, \"1h\") >= 3");
    // of the card's trail: all but the balance, which had the right PIN, have one before
    let trail = "has(event.since_last) && since_last < duration(\"1h\") && last_terminal == terminal";
    let trail = rules("trail", &format!("{trail} && since_ok >= since_last && hour < 24 && tries_left < 3"));
    let run_set = |set: &Path, more: &[&str]| {
        let mut command = Command::new(PROGRAM);
        command.args(["rules", "backtest"]).arg(set).arg("--data").arg(&data).args(more);
        command.output().expect("it runs")
    };
    let run = |more: &[&str]| run_set(&two, more);
    let against = three.to_str().expect("a path");
    let out = run(&["--against", against, "--json"]);
    assert_eq!(out.status.code(), Some(0), "{}", String::from_utf8_lossy(&out.stderr));
    let report: Value = serde_json::from_slice(&out.stdout).expect("JSON");
    let (candidate, difference) = (&report["candidate"], &report["difference"]);
    // the story's four, and the balance that is asked for before them
    assert_eq!(candidate["events"], 5, "{report:#}");
    assert_eq!(candidate["declined"], 2, "{report:#}");
    let examples = &candidate["rules"]["wrong-pins"]["examples"];
    assert_eq!(examples[0]["amount"], 128_000);
    assert_eq!((&difference["both"], &difference["only_candidate"]), (&Value::from(1), &Value::from(1)));

    // the second time says the same, with what the payments turned out to be
    let label = folder.path().join("labels.csv");
    let reference = examples[0]["reference"].as_str().expect("a reference");
    std::fs::write(&label, format!("# DE 37, what it was\n{reference}, bad\n")).expect("written");
    let out = run(&["--labels", label.to_str().expect("a path"), "--json"]);
    let labelled: Value = serde_json::from_slice(&out.stdout).expect("JSON");
    assert_eq!(labelled["candidate"]["precision"], 1.0);
    assert_eq!(labelled["candidate"]["declined"], 2);

    let out = run_set(&trail, &["--json"]);
    let trail: Value = serde_json::from_slice(&out.stdout).expect("JSON");
    let rule = &trail["candidate"]["rules"]["wrong-pins"];
    assert_eq!((&rule["hits"], &rule["errors"]), (&Value::from(4), &Value::from(0)), "{trail:#}");

    let before = run(&["--to", "2020-01-01", "--json"]);
    let nothing: Value = serde_json::from_slice(&before.stdout).expect("JSON");
    assert_eq!(nothing["candidate"]["events"], 0);
    let wrong = run(&["--from", "yesterday"]);
    assert_eq!(wrong.status.code(), Some(2));
}

/// Two people make a rule live; it declines from then on, counts what it did, goes on after a restart, and stops when it is
/// taken back.
#[test]
fn what_two_people_publish_is_carried_out() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let sandbox = Sandbox::start(&data, &[]);
    let text = "name = 'small'\n[[rule]]\nid = 'not-so-much'\nname = { zh = 'x', en = 'x' }\ngroup = 'x'\n\
                phase = 'authorize'\nwhen = 'amount > 10000'\n\
                action = 'decline'\nreason = 'suspected-fraud'\nmode = 'live'\nowner = 'x'\nscore = 50\n";
    let drafted = api(&data, "POST", "/api/v1/rules", &json!({ "text": text }));
    let digest = drafted["version"].as_str().unwrap_or_else(|| panic!("{drafted:#}")).to_owned();
    let at = |step: &str| format!("/api/v1/rules/{digest}/{step}");
    let pays = |what: &str| {
        sandbox.play_text(&format!(
            "terminal T1\ncard C1 product debit-standard\nT1: sign-in -> 00\nT1: sale C1 101.00 pin right -> {what}\n"
        ));
    };
    pays("00");
    for by in ["sun.yue", "sun.yue"] {
        api(&data, "POST", &at("publish"), &json!({ "by": by }));
    }
    pays("00");
    let live = api(&data, "POST", &at("publish"), &json!({ "by": "wang.wei" }));
    assert_eq!(live["state"], "live", "{live:#}");
    // The host hears of it within a second; a busy machine may need longer.
    std::thread::sleep(std::time::Duration::from_secs(4));
    pays("59");
    sandbox.stop();

    let again = Sandbox::start(&data, &[]);
    again.play_text(
        "terminal T1\ncard C1 product debit-standard\nT1: sign-in -> 00\nT1: sale C1 102.00 pin right -> 59\n\
         T1: sale C1 99.00 pin right -> 00\nT1: sale C1 103.00 pin wrong -> 55\n",
    );
    api(&data, "POST", &at("demote"), &json!({ "by": "sun.yue" }));
    std::thread::sleep(std::time::Duration::from_secs(4));
    again.play_text("terminal T1\ncard C1 product debit-standard\nT1: sign-in -> 00\nT1: sale C1 104.00 pin right -> 00\n");
    again.stop();
}
