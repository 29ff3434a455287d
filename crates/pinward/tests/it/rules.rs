//! `pinward rules`: a file is taken, or refused with the place and a suggestion; and tried on a journal.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
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
    assert_eq!((&problem["problem"], problem["zh"]["what"].is_string()), (&json!("unknown-field"), true));
    let chinese = check(&broken, &["--lang", "zh"]);
    let said = String::from_utf8_lossy(&chinese.stderr);
    assert!(said.contains(&format!("rules.toml:{line}:38: ")) && said.contains("pin_mismatch"), "{said}");
    assert!(said.contains(problem["zh"]["what"].as_str().expect("text")) && !said.contains("there is no"));
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

/// A form of the console; it answers with the page to go on with.
pub(crate) fn form(data: &Path, path: &str, body: &str) {
    let address = crate::diagnosis::console(data);
    let mut stream = TcpStream::connect(&address).expect("the console");
    let head = format!(
        "POST {path} HTTP/1.0\r\nHost: {address}\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {}",
        body.len()
    );
    write!(stream, "{head}\r\n\r\n{body}").expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    assert!(answer.contains(" 303 "), "{path}: {answer}");
}

/// Makes a set the live one, by two names, and waits until the host has heard of it.
fn publish(data: &Path, text: &str) -> String {
    let drafted = api(data, "POST", "/api/v1/rules", &json!({ "text": text }));
    let digest = drafted["version"].as_str().unwrap_or_else(|| panic!("{drafted:#}")).to_owned();
    for by in ["sun.yue", "sun.yue", "wang.wei"] {
        api(data, "POST", &format!("/api/v1/rules/{digest}/publish"), &json!({ "by": by }));
    }
    settle();
    digest
}

/// The host hears of a change within a second; a busy machine may need longer.
fn settle() {
    std::thread::sleep(std::time::Duration::from_secs(4));
}

fn rule(id: &str, when: &str, action: &str, more: &str) -> String {
    let phase = if more.contains("phase") { "" } else { "phase = 'authorize'\n" };
    format!(
        "[[rule]]\nid = '{id}'\nname = {{ zh = 'x', en = 'Rule {id}' }}\ngroup = 'x'\n{phase}when = '{when}'\n\
         action = '{action}'\nmode = 'live'\nowner = 'x'\nscore = 50\n{more}\n"
    )
}

const FRAUD: &str = "reason = 'suspected-fraud'";

/// Alarms of a kind, as the console shows them.
fn alarms(data: &Path, kind: &str) -> Vec<Value> {
    let list = api(data, "GET", "/api/v1/alerts", &Value::Null);
    let all = list["data"].as_array().cloned().unwrap_or_default();
    all.into_iter().filter(|alarm| alarm.to_string().contains(&format!("\"{kind}\""))).collect()
}

pub(crate) fn until(what: &str, is_so: impl Fn() -> bool) {
    for _ in 0..600 {
        if is_so() {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    panic!("not in time: {what}");
}

/// The rule without a truth value is shown as one, and why.
fn shows_the_error(data: &Path) -> bool {
    let rules = api(data, "GET", "/api/v1/rules", &Value::Null);
    let row = rules["rules"].as_array().expect("rules").iter().find(|rule| rule["id"] == "nowhere").cloned();
    row.is_some_and(|row| row["hits"]["errors"] == 1 && row["hits"]["last_error"] == "country is not known")
}

/// Each action does at the till what it says; people are told, lists and snoozes count, and what happened stands with the
/// payment and in `pinward why`.
#[test]
fn rules_do_at_the_till_what_they_say() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let sandbox = Sandbox::start(&data, &[]);
    let set = [
        "name = 'all kinds'\n".to_owned(),
        rule("declines", "amount == 10100", "decline", FRAUD),
        rule("steps-up", "amount == 20200", "step-up", ""),
        rule("blocks-card", "amount == 30300", "block-card", FRAUD),
        rule("blocks-terminal", "amount == 50500", "block-terminal", FRAUD),
        rule(
            "listed",
            "amount == 600 && terminal in list(\"watched\")",
            "decline",
            "reason = 'restricted-card'",
        ),
        rule("nowhere", "has(event.amount) && amount == 700 && country == \"CN\"", "decline", FRAUD),
        rule("often", "count(terminal, \"1h\") >= 3", "alert", "phase = 'after'"),
        "[lists.watched]\nzh = 'x'\nen = 'watched terminals'\n".to_owned(),
    ]
    .concat();
    publish(&data, &set);
    let till = |story: &str| {
        let cards: String =
            ["C1", "C2", "C3"].map(|card| format!("card {card} product debit-standard\n")).concat();
        sandbox.play_text(&format!("terminal T1\n{cards}T1: sign-in -> 00\n{story}"));
    };
    till(
        "T1: sale C1 6.00 pin right -> 00\nT1: sale C1 101.00 pin right -> 59\nT1: sale C1 7.00 pin right -> 00\n\
         T1: sale C2 202.00 pin right -> 65\n",
    );
    let list = api(&data, "GET", "/api/v1/transactions?limit=10", &Value::Null);
    let sales: Vec<&Value> =
        list["data"].as_array().expect("rows").iter().filter(|row| row["kind"] == "sale").collect();
    let of = |minor: i64| sales.iter().find(|row| row["amount"]["minor"] == minor).expect("a sale");
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let terminal = text(&of(10_100)["terminal"]);
    let detail = |minor: i64| {
        api(&data, "GET", &format!("/api/v1/transactions/{}", text(&of(minor)["rrn"])), &Value::Null)
    };
    let hit = detail(10_100)["rules"]["fired"][0].clone();
    assert_eq!((&hit["rule"], &hit["reason"]), (&json!("declines"), &json!("suspected-fraud")), "{hit:#}");
    assert_eq!(hit["terms"][0]["values"][0], "amount = 10100");
    // a missing value is an error, and no decline
    assert_eq!(detail(700)["rules"]["errors"][0], "nowhere");
    until("the error is shown", || shows_the_error(&data));
    // the third payment of the hour, told after it was decided
    until("an alarm of the rule that comes after", || !alarms(&data, "rule-alert").is_empty());
    assert!(alarms(&data, "rule-alert")[0].to_string().contains("Rule often"));
    form(&data, "/rules/lists", &format!("list=watched&member={terminal}&why=test&hours=1"));
    form(&data, "/rules/snoozes", &format!("rule=declines&member={terminal}&why=test&hours=1"));
    settle();
    till(
        "T1: sale C1 6.00 pin right -> 62\nT1: sale C1 101.00 pin right -> 00\nT1: sale C1 303.00 pin right -> 59\n\
         T1: sale C1 1.00 pin right -> 62\n",
    );
    until("an alarm about the card", || !alarms(&data, "rule-block-card").is_empty());
    till("T1: sale C3 505.00 pin right -> 59\n");
    until("the terminal is suspended", || {
        let list = api(&data, "GET", "/api/v1/terminals?limit=200", &Value::Null);
        let rows = list["data"].as_array().expect("terminals");
        rows.iter().any(|row| row.to_string().contains(&terminal) && row["suspended"] == true)
    });
    until("an alarm about the terminal", || !alarms(&data, "rule-block-terminal").is_empty());
    sandbox.stop();
}

/// A host that is killed right after it answered: what a rule had to say about the payment is told by the next one, once, and
/// stands with the payment.
#[test]
fn a_kill_between_payment_and_alarm_loses_neither() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let mut sandbox = Sandbox::start(&data, &[]);
    let set = [
        "name = 'told'\n".to_owned(),
        rule("small", "has(event.amount) && amount == 600", "alert", "phase = 'after'"),
        rule(
            "again",
            "kind == \"sale\" && count(card, kind == \"sale\", \"1h\") >= 2",
            "alert",
            "phase = 'after'",
        ),
        rule("looked-at", "has(event.amount) && amount == 700", "review", ""),
    ]
    .concat();
    let head = "terminal T1\ncard C1 product debit-standard\nT1: sign-in -> 00\n";
    // before the rules: nobody is told of it, now or later
    sandbox.play_text(&format!("{head}T1: sale C1 6.00 pin right -> 00\n"));
    publish(&data, &set);
    sandbox.play_text(&format!("{head}T1: sale C1 6.00 pin right -> 00\nT1: sale C1 7.00 pin right -> 00\n"));
    sandbox.process.0.kill().expect("killed");
    sandbox.process.0.wait().expect("ended");

    let count = |kind: &str| {
        alarms(&data, kind).iter().map(|alarm| alarm["count"].as_u64().unwrap_or(1)).sum::<u64>()
    };
    let told = || (count("rule-alert"), count("rule-review"));
    let sandbox = Sandbox::start(&data, &[]);
    // one sale of 6.00, and two that are not the first of the hour
    until("everything is told", || told() == (3, 1));
    assert_eq!(alarms(&data, "rule-alert").len(), 2);
    let list = api(&data, "GET", "/api/v1/transactions?limit=20", &Value::Null);
    let sales = list["data"].as_array().expect("rows").iter().filter(|row| row["amount"]["minor"] == 600);
    let after: Vec<Value> = sales
        .map(|row| row["rrn"].as_str().expect("a reference").to_owned())
        .map(|rrn| {
            api(&data, "GET", &format!("/api/v1/transactions/{rrn}"), &Value::Null)["rules_after"].clone()
        })
        .collect();
    assert_eq!(after.len(), 2, "{after:#?}");
    assert_eq!(after[0]["fired"][0]["rule"], "small", "{after:#?}");
    assert!(after[1].is_null(), "it was decided before the rules were there: {after:#?}");
    sandbox.stop();
    // and not again
    let again = Sandbox::start(&data, &[]);
    again.play_text(&format!("{head}T1: sale C1 6.00 pin right -> 00\n"));
    until("what is new is told", || told().0 >= 5);
    assert_eq!(told(), (5, 1));
    again.stop();
}

/// A rule that declines too much is put into shadow by itself; people are told, and the page says so.
#[test]
fn the_breaker_demotes_a_rule_that_declines_too_much() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let sandbox = Sandbox::start(&data, &[]);
    let set = format!(
        "name = 'too much'\n[breaker]\nshare_percent = 10\nwindow = '10m'\nevents_min = 5\n{}",
        rule("all", "amount > 1", "decline", FRAUD)
    );
    publish(&data, &set);
    let mut story = "terminal T1\ncard C1 product debit-standard\nT1: sign-in -> 00\n".to_owned();
    // the balance that a story begins with, and four payments
    for sale in 1..5 {
        story += &format!("T1: sale C1 {sale}.00 pin right -> 59\n");
    }
    sandbox.play_text(&format!("{story}T1: sale C1 9.00 pin right -> 00\n"));
    until("an alarm", || !alarms(&data, "rule-demoted").is_empty());
    until("it is written down", || {
        api(&data, "GET", "/api/v1/rules", &Value::Null)["demoted"] == json!(["all"])
    });
    sandbox.stop();
    // and stays so
    let again = Sandbox::start(&data, &[]);
    again.play_text(
        "terminal T1\ncard C1 product debit-standard\nT1: sign-in -> 00\nT1: sale C1 2.00 pin right -> 00\n",
    );
    again.stop();
}

/// A set in shadow is asked beside the live one, declines nothing, and says what it would have done.
#[test]
fn a_set_in_shadow_tells_how_it_differs() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let sandbox = Sandbox::start(&data, &[]);
    publish(&data, &format!("name = 'live'\n{}", rule("large", "amount > 20000", "decline", FRAUD)));
    let strict = format!(
        "name = 'strict'\n{}",
        rule("small", "count(card, \"1h\") >= 2 && amount < 20000", "decline", FRAUD)
    );
    let drafted = api(&data, "POST", "/api/v1/rules", &json!({ "text": strict }));
    let digest = drafted["version"].as_str().expect("a version").to_owned();
    let begun = api(&data, "POST", &format!("/api/v1/rules/{digest}/publish"), &json!({ "by": "sun.yue" }));
    assert_eq!(begun["state"], "in shadow");
    settle();
    sandbox.play_text(
        "terminal T1\ncard C1 product debit-standard\nT1: sign-in -> 00\nT1: sale C1 1.00 pin right -> 00\n\
         T1: sale C1 2.00 pin right -> 00\nT1: sale C1 201.00 pin right -> 59\n",
    );
    until("it is counted", || {
        let told = api(&data, "GET", &format!("/api/v1/rules/{digest}"), &Value::Null)["beside"].clone();
        (&told["hits"], &told["only_this"], &told["only_live"]) == (&json!(2), &json!(2), &json!(1))
    });
    sandbox.stop();
}
