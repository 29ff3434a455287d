//! A sandbox on a database, through the program's commands: made, served, looked at, changed beside the host; and what is
//! never printed.

use std::{
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    path::Path,
    process::{Command, Output},
    time::{Duration, Instant},
};

use crate::{
    hosts::{Served, database, prepared},
    sandbox::{PROGRAM, demo, said},
};

const PASSWORD: &str = "geheim-7391";

fn run(arguments: &[&str], data: &Path) -> Output {
    Command::new(PROGRAM).args(arguments).arg("--data").arg(data).output().unwrap()
}

#[track_caller]
fn ok(arguments: &[&str], data: &Path) -> String {
    let out = run(arguments, data);
    assert!(out.status.success(), "{arguments:?}: {}", said(&out));
    said(&out)
}

fn get(console: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(console).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {console}\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// The same database, named with a password that a server of ours does not ask for.
fn with_password(url: &str) -> String {
    url.replacen("postgres@", &format!("postgres:{PASSWORD}@"), 1)
}

#[test]
fn every_command_works_on_a_database_beside_its_host() {
    let folder = tempfile::tempdir().unwrap();
    let data = prepared(folder.path(), Some(&with_password(&database())));
    assert!(!data.join("journal").exists(), "nothing of it is in files");
    assert_eq!(ok(&["card", "list"], &data).lines().count(), 61, "every card is listed before a host ran");
    let host = Served::start(&data);
    let mut everything = host.said.clone();
    everything += &ok(&["trigger", "error-75"], &data);
    let mut locked = String::new();
    let began = Instant::now();
    while !locked.contains("0 of 3 tries left") {
        // Lists follow the payments, a moment later.
        assert!(began.elapsed() < Duration::from_secs(20), "{locked}");
        locked = ok(&["card", "list", "--locked"], &data);
    }
    let card = locked.split_whitespace().next().unwrap().to_owned();
    assert!(locked.lines().count() == 1, "{locked}");
    everything += &ok(&["tail", "--no-follow"], &data);
    everything += &ok(&["key", "check"], &data);
    everything += &ok(&["card", "unlock", &card, "--reason", "a test beside the host"], &data);
    assert!(ok(&["card", "show", &card], &data).contains("3 of 3 tries left"));
    let ready = get(host.console, "/readyz");
    assert!(ready.starts_with("HTTP/1.1 200"), "{ready}");
    let health = get(host.console, "/api/v1/health");
    assert!(health.contains("PostgreSQL"), "{health}");
    everything += &(ready + &health);
    assert!(!everything.contains(PASSWORD), "{everything}");
    host.stop();
}

#[test]
fn a_password_is_in_no_error() {
    let folder = tempfile::tempdir().unwrap();
    let url = with_password("postgres://postgres@127.0.0.1:1/none");
    let data = folder.path().join("data");
    let refused = demo(&data).args(["--prepare-only", "--store", &url]).output().unwrap();
    assert!(!refused.status.success() && !data.exists(), "{}", said(&refused));
    assert!(
        said(&refused).contains("127.0.0.1:1") && !said(&refused).contains(PASSWORD),
        "{}",
        said(&refused)
    );
    for text in [
        format!("data = 'x'\nstore = '{url}\n"),
        format!("data = 'x'\nstore = '{}'\n", url.replace("postgres:", "mysql:")),
        format!("data = 'x'\nstores = '{url}'\n"),
        format!("data = 'x'\nstore = '{url}'\nlistener = []\n"),
    ] {
        let file = folder.path().join("pinward.toml");
        fs::write(&file, text).unwrap();
        for command in [&["config", "check"][..], &["serve", "--config"]] {
            let out = Command::new(PROGRAM).args(command).arg(&file).output().unwrap();
            assert_eq!(out.status.code(), Some(2), "{}", said(&out));
            assert!(!said(&out).contains(PASSWORD), "{}", said(&out));
        }
    }
}

#[test]
fn a_database_or_a_directory_that_has_a_store_already_is_left_alone() {
    let (folder, url) = (tempfile::tempdir().unwrap(), database());
    let data = prepared(folder.path(), Some(&url));
    let other = folder.path().join("other");
    let refused = demo(&other).args(["--prepare-only", "--store", &url]).output().unwrap();
    assert_eq!(refused.status.code(), Some(2), "{}", said(&refused));
    assert!(said(&refused).contains("another data directory") && !other.exists(), "{}", said(&refused));
    let elsewhere = demo(&data).args(["--prepare-only", "--store", &database()]).output().unwrap();
    assert!(said(&elsewhere).contains("pinward migrate"), "{}", said(&elsewhere));
    // As it was.
    ok(&["card", "list"], &data);
}
