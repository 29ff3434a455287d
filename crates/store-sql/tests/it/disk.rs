//! Disks that fail: the system calls of a real process are answered with errors from a given moment on (`strace`,
//! `--inject`). The store stops at the first of them, asks the disk nothing again, and has kept what it acknowledged.

use std::{
    collections::HashSet,
    fs,
    path::Path,
    process::{Command, Stdio},
};

use store::{AppendError, Engine, StoreError};
use store_sql::sqlite::open_with;

use crate::world::*;

const APPENDS_LIMIT: u32 = 3_000;
const FOLDER: &str = "STORE_SQL_DISK_DIR";

/// The child: one decision after the other until the store stops, then a few more that it must refuse.
#[tokio::test(flavor = "multi_thread")]
async fn child_on_a_failing_disk() {
    let Ok(dir) = std::env::var(FOLDER) else { return };
    let engine = open_with(Path::new(&dir), never_saving()).unwrap();
    engine.register(everybody(1, 1)).await.unwrap();
    let card = get(&*engine, 1).await;
    let mut decided = (*card).clone();
    for stan in 1..=APPENDS_LIMIT {
        match engine.append(sale(&decided, Tx { stan, ..Tx::default() })).await {
            Ok(place) => {
                println!("ack {place}");
                decided = (*get(&*engine, 1).await).clone();
            }
            // Refused before it was written, or in doubt because its commit failed.
            Err(AppendError::Store(StoreError::Away(why)) | AppendError::Unknown(why)) => {
                println!("stopped {why}");
                break;
            }
            Err(other) => panic!("{other}"),
        }
    }
    for stan in 1..=5 {
        let refused = engine.append(sale(&decided, Tx { stan: 100_000 + stan, ..Tx::default() })).await;
        assert!(matches!(refused, Err(AppendError::Store(StoreError::Away(_)))), "{refused:?}");
    }
    assert!(engine.check().await.is_err());
    println!("refuses");
    // Not closed: a process that stops is restarted by whoever watches it.
    std::process::exit(0);
}

/// What a run on a failing disk left.
struct Failed {
    acknowledged: HashSet<u64>,
    stopped: String,
    /// Each line of the trace: thread and call.
    trace: Vec<(String, String)>,
}

/// Runs the child with `calls` answered by `error` from the `nth` of each thread on.
fn run(dir: &Path, calls: &str, error: &str, nth: u32) -> Failed {
    let trace = dir.join("trace");
    let output = Command::new("strace")
        .args(["--quiet=all", "-f", "-o"])
        .arg(&trace)
        .args(["-e", &format!("trace={calls}"), "-e", &format!("inject={calls}:error={error}:when={nth}+")])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "disk::child_on_a_failing_disk", "--nocapture"])
        .env(FOLDER, dir.join("store"))
        .stdin(Stdio::null())
        .output()
        .expect("strace is missing; Debian: apt-get install strace");
    let said = String::from_utf8_lossy(&output.stdout);
    let heard = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("refuses"), "the child did not come to its end: {said}{heard}");
    let words = |word: &'static str| said.lines().filter_map(move |line| line.strip_prefix(word));
    let split = |line: &str| {
        let (thread, call) = line.split_once(' ').unwrap_or_default();
        (thread.to_owned(), call.trim().to_owned())
    };
    Failed {
        acknowledged: words("ack ").map(|place| place.parse().unwrap()).collect(),
        stopped: words("stopped ").next().expect("it stopped").to_owned(),
        trace: fs::read_to_string(&trace).unwrap().lines().map(split).collect(),
    }
}

async fn everything_acknowledged_is_there(dir: &Path, acknowledged: &HashSet<u64>) {
    assert!(acknowledged.len() > 3, "{acknowledged:?}");
    let engine = open(&dir.join("store"));
    for place in acknowledged {
        assert!(engine.entry(*place).await.unwrap().is_some(), "entry {place} was acknowledged");
    }
    let head = u64::from(get(&*engine, 1).await.state.seq);
    assert!(head >= acknowledged.len() as u64);
    pay(&*engine, 1, Tx { stan: 500_000, ..Tx::default() }).await;
}

fn folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("store")).unwrap();
    dir
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_failed_fsync_the_journal_is_not_asked_again() {
    let dir = folder();
    let failed = run(dir.path(), "fsync,fdatasync", "EIO", 60);
    let first =
        failed.trace.iter().position(|(_, call)| call.contains("INJECTED")).expect("a call that failed");
    let (thread, _) = &failed.trace[first];
    let again = failed.trace[first + 1..].iter().filter(|(other, _)| other == thread).count();
    assert_eq!(again, 0, "the thread whose fsync failed asked again: {:?}", &failed.trace[first..]);
    assert!(failed.stopped.contains("Input/output error"), "{}", failed.stopped);
    everything_acknowledged_is_there(dir.path(), &failed.acknowledged).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_stops_the_store_and_keeps_what_was_acknowledged() {
    let dir = folder();
    let failed = run(dir.path(), "pwrite64", "ENOSPC", 400);
    assert!(failed.stopped.contains("full"), "{}", failed.stopped);
    everything_acknowledged_is_there(dir.path(), &failed.acknowledged).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_becomes_read_only_stops_the_store() {
    let dir = folder();
    let failed = run(dir.path(), "pwrite64", "EROFS", 400);
    assert!(!failed.stopped.is_empty());
    everything_acknowledged_is_there(dir.path(), &failed.acknowledged).await;
}
