//! Every scenario in both worlds.

use std::{fs, path::PathBuf};

use store_sql::postgres::local_server::LocalServer;
use testkit::{core, scenario::Scenario, wire};

/// Those that both worlds play.
fn scenarios() -> Vec<Scenario> {
    let scenarios = of_folder("scenarios");
    assert!(scenarios.len() >= 10, "the scenarios are gone");
    scenarios
}

/// And those with risk rules, which are asked by the host.
fn all_scenarios() -> Vec<Scenario> {
    let with_rules = of_folder("scenarios/rules");
    assert!(with_rules.len() >= 4, "the scenarios with rules are gone");
    scenarios().into_iter().chain(with_rules).collect()
}

fn of_folder(folder: &str) -> Vec<Scenario> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..").join(folder);
    let mut files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|e| e == "scn"));
    files.sort();
    let parse = |path: &PathBuf| {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        Scenario::parse(&name, &fs::read_to_string(path).unwrap()).unwrap_or_else(|e| panic!("{e:#}"))
    };
    files.iter().map(parse).collect()
}

#[tokio::test]
async fn every_scenario_holds_in_the_pure_core() {
    let mut failures = Vec::new();
    for scenario in scenarios() {
        if let Err(error) = core::run(&scenario).await {
            failures.push(format!("{error:#}"));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_scenario_holds_over_tcp_on_sqlite() {
    let mut failures = Vec::new();
    for scenario in all_scenarios() {
        if let Err(error) = wire::run(&scenario).await {
            failures.push(format!("{error:#}"));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_scenario_holds_over_tcp_on_postgres() {
    let server = LocalServer::start(&std::env::temp_dir(), &[]).unwrap();
    let mut failures = Vec::new();
    for scenario in all_scenarios() {
        if let Err(error) = wire::run_on_postgres(&scenario, &server.database().unwrap()).await {
            failures.push(format!("{error:#}"));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn a_wrong_scenario_is_refused_with_its_line() {
    for (text, says) in [
        ("terminal T1\nclock yesterday\n", "line 2"),
        ("terminal T1\nT1: sale C9 1.00 pin right -> 00\n", "line 2"),
        ("terminal T1\ncard C1\nT1: sale C1 1.00 pin right -> 00 tries_left=x\n", "line 3"),
        ("terminal T1\nT1: dance -> 00\n", "line 2"),
        ("terminal T1\nlist watched T1\n", "line 2"),
        ("terminal T1\nsnooze not-so-much X1 +1h\n", "line 2"),
    ] {
        let error = format!("{:#}", Scenario::parse("x", text).err().expect("refused"));
        assert!(error.contains(says), "{error}");
    }
}

#[tokio::test]
async fn a_scenario_that_does_not_hold_fails() {
    let text = "terminal T1\ncard C1\nT1: sign-in -> 00\nT1: sale C1 1.00 pin wrong -> 55 tries_left=3\n";
    let scenario = Scenario::parse("planted", text).unwrap();
    for error in [core::run(&scenario).await.unwrap_err(), wire::run(&scenario).await.unwrap_err()] {
        let error = format!("{error:#}");
        assert!(error.contains("line 4") && error.contains("tries_left"), "{error}");
    }
}
