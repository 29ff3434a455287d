//! `pinward load` on a host as its users run it, and `pinward bench` in small: nothing is unanswered, and both sides have counted
//! the same.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    path::Path,
    process::{Command, Output},
};

use serde_json::Value;

use crate::{
    hosts::Served,
    sandbox::{PROGRAM, demo, said},
};

fn prepared(folder: &Path) -> std::path::PathBuf {
    let data = folder.join("data");
    let out = demo(&data)
        .args(["--prepare-only", "--more-cards", "300", "--more-terminals", "2"])
        .output()
        .unwrap();
    assert!(out.status.success(), "{}", said(&out));
    data
}

fn load(data: &Path, more: &[&str]) -> Output {
    let mut command = Command::new(PROGRAM);
    command.args(["load", "--seconds", "2", "--json"]);
    command.args(["--reply-timeout-ms", "60000", "--data"]).arg(data).args(more).output().unwrap()
}

#[track_caller]
fn clean(data: &Path, more: &[&str]) -> Value {
    let out = load(data, more);
    assert!(out.status.success(), "{more:?}: {}", said(&out));
    serde_json::from_slice(&out.stdout).unwrap()
}

/// A counter of the host's, where the labels hold this.
fn counted(console: SocketAddr, name: &str, labels: &[&str]) -> u64 {
    let mut stream = TcpStream::connect(console).unwrap();
    write!(stream, "GET /metrics HTTP/1.0\r\nHost: {console}\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let lines =
        text.lines().filter(|line| line.starts_with(name) && labels.iter().all(|label| line.contains(label)));
    lines.map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()).sum()
}

#[test]
fn both_sides_count_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let data = prepared(folder.path());
    let host = Served::start(&data);
    // At a rate: DE 48 counts to 999, and a quick host would have approved more at each terminal.
    let mix = ["--mix", "wrong-pin=20%", "--check-macs", "--rate", "800"];
    let report = clean(&data, &[&mix[..], &["--connections", "4", "--depth", "4"]].concat());
    let answers = report["answers"].as_object().unwrap();
    // What is decided again after a collision is counted once, as it is answered.
    let decided = counted(host.console, "pinward_auth_total", &[r#"mti="0200""#]);
    let answered: u64 = answers.values().filter_map(Value::as_u64).sum();
    assert_eq!(decided, answered, "{report}");
    assert!(
        report["wrong_pins"].as_u64() > Some(0) && answers.get("55") == report.get("wrong_pins"),
        "{report}"
    );
    assert_eq!(report["terminals_balanced"], 4);

    // With repeats, cuts and reversals: every approval that was not undone is in the totals, once.
    let mix = ["--mix", "wrong-pin=10%,repeats=10%,cut=5%", "--rate", "800"];
    let report = clean(&data, &[&mix[..], &["--connections", "8", "--depth", "4"]].concat());
    let happened = |what: &str| report[what].as_u64().unwrap() > 0;
    assert!(happened("repeats") && happened("cuts") && happened("reversals"), "{report}");
    assert_eq!(report["terminals_balanced"], report["terminals"]);
    assert_eq!(counted(host.console, "pinward_pin_tries_exhausted_total", &[]), 0);

    let report = clean(&data, &["--rate", "50", "--connections", "4", "--listener", "1"]);
    assert_eq!((report["loop"].as_str(), report["rate"].as_f64()), (Some("open"), Some(50.0)));
}

#[test]
fn a_wrong_argument_is_named() {
    let folder = tempfile::tempdir().unwrap();
    for (arguments, says) in [
        (["--depth", "0"], "depth"),
        (["--depth", "513"], "depth"),
        (["--connections", "0"], "connections"),
        (["--rate", "0"], "a number above 0"),
        (["--mix", "lost=1%"], "wrong-pin, repeats and cut"),
        (["--mix", "cut=2"], "is no share"),
        (["--seconds", "5"], "start a sandbox first"),
    ] {
        let out = Command::new(PROGRAM)
            .args(["load", "--data"])
            .arg(folder.path())
            .args(arguments)
            .output()
            .unwrap();
        assert_eq!(out.status.code(), Some(2), "{arguments:?}");
        assert!(said(&out).contains(says), "{arguments:?}: {}", said(&out));
    }
}

/// A journal of its own is written, read by the command that people use, and every payment of it is judged.
#[test]
fn a_backtest_is_measured_on_a_journal_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(PROGRAM);
    command.args(["bench", "--json", "--only", "backtest", "--payments", "3000", "--dir"]).arg(folder.path());
    let out = command.output().unwrap();
    assert!(out.status.success(), "{}", said(&out));
    let found: Value = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!(found["payments"], 3000, "{found:#}");
    let per_million = found["seconds_per_million"].as_f64().unwrap();
    assert!(
        per_million > 0.0 && found["minutes_per_month"].as_f64().unwrap() > per_million / 3.0,
        "{found:#}"
    );
    assert!(std::fs::read_dir(folder.path()).unwrap().next().is_none(), "it leaves nothing behind");
}

#[test]
fn a_bench_in_small_has_all_its_figures() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(PROGRAM);
    command.args([
        "bench",
        "--json",
        "--only",
        "embedded",
        "--seconds",
        "1",
        "--connections",
        "2",
        "--depth",
        "2",
    ]);
    command
        .args(["--cards", "100", "--dir"])
        .arg(folder.path())
        .arg("--save")
        .arg(folder.path().join("runs"));
    let out = command.output().unwrap();
    assert!(out.status.success(), "{}", said(&out));
    let found: Value = serde_json::from_slice(&out.stdout).unwrap();
    let runs = found["runs"].as_array().unwrap();
    let names: Vec<_> = runs
        .iter()
        .map(|run| {
            (run["name"].as_str().unwrap(), run["loop"].as_str().unwrap(), run["depth"].as_u64().unwrap())
        })
        .collect();
    let expected = [
        ("floor", "closed", 2),
        ("floor", "closed", 1),
        ("embedded", "closed", 2),
        ("embedded", "closed", 1),
        ("embedded", "open", 2),
    ];
    assert_eq!(names, expected);
    for run in runs {
        // Processor time comes in hundredths of a second: on a busy machine there may be none.
        assert!(run["cpu_us_per_request"].is_f64(), "{run}");
        for figure in ["connections", "rate_per_s", "p50_us", "p99_us"] {
            assert!(run[figure].as_f64().unwrap() > 0.0, "{figure}: {run}");
        }
        assert_eq!(run["name"] == "embedded", run["journal_writer"].is_string(), "{run}");
    }
    let ratios = &found["ratios"];
    assert!(ratios["embedded_to_floor"].is_f64() && ratios["embedded_to_floor_depth1"].is_f64(), "{ratios}");
    assert!(ratios["postgres_to_pgbench"].is_null());
    assert!(found["machine"]["fdatasync_p50_us"].is_u64() && found["machine"]["build"].is_string());
    let kept: Vec<_> = std::fs::read_dir(folder.path().join("runs")).unwrap().collect();
    assert_eq!(kept.len(), 1);
    // The run's own folder is gone with it.
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn what_diagnosis_and_rules_cost_is_measured_in_turn() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(PROGRAM);
    command.args([
        "bench",
        "--json",
        "--only",
        "watched",
        "--seconds",
        "1",
        "--connections",
        "2",
        "--depth",
        "2",
    ]);
    let out = command.args(["--cards", "100", "--dir"]).arg(folder.path()).output().unwrap();
    assert!(out.status.success(), "{}", said(&out));
    let found: Value = serde_json::from_slice(&out.stdout).unwrap();
    let names: Vec<_> =
        found["runs"].as_array().unwrap().iter().map(|run| run["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["bare", "watched", "bare", "watched"]);
    assert!(found["ratios"]["watched_to_bare"].as_f64().unwrap() > 0.0);
}
