//! An embedded store is moved into a database by the program, which is killed in the middle: afterwards its terminals hear
//! the same answers, byte for byte, and locked cards are locked.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Output, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use authorization::desk::Action;
use model::Timestamp;
use simulator::Sandbox;
use store::{
    Archive, Engine, Entry, Event, Subject,
    archive::{CardQuery, CardView},
    journal::DeskAction,
};
use store_sql::postgres;

use crate::{
    hosts::{Relay, Served, database, filled, prepared},
    sandbox::{PROGRAM, Process, demo, said},
    teller::{Teller, cards},
};

const TELLERS: usize = 6;
/// Entries of desk actions, beside those of the terminals: enough chunks to be killed between them.
const ACTIONS: u32 = 100;
const ACTED_ON: usize = 50;

fn migrate(data: &Path, url: &str) -> Command {
    let mut command = Command::new(PROGRAM);
    command.args(["migrate", "--json", "--to", url, "--data"]).arg(data);
    command.env("PINWARD__DATABASE__PARTITIONS", "5");
    command
}

fn run(mut command: Command) -> (Output, serde_json::Value) {
    let out = command.output().unwrap();
    let document = serde_json::from_slice(&out.stdout).unwrap_or_default();
    (out, document)
}

/// Blocks and unblocks some cards, many times.
async fn act(data: &Path, cards: &[CardView]) {
    let engine = store_sql::open(data).unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    for card in &cards[..ACTED_ON] {
        let (engine, id) = (engine.clone(), card.id);
        tasks.spawn(async move {
            for _ in 0..ACTIONS {
                let card = engine.card(&id).await.unwrap().unwrap();
                let action = if card.state.block.is_none() { Action::Block } else { Action::Unblock };
                let effects = authorization::desk::act(&card.state, action, Timestamp(1)).unwrap();
                let name = DeskAction::name(action).to_owned();
                let event = Event::Desk(DeskAction {
                    action: name,
                    actor: "a test".into(),
                    why: "a test".into(),
                    effects,
                });
                let (subject, seq, at) = (Subject::Card(id), card.state.seq + 1, Timestamp(1));
                drop(card);
                engine.append(Entry { subject, seq, at, event, exchange: None }).await.unwrap();
            }
        });
    }
    tasks.join_all().await;
    engine.close();
}

/// All cards with their states; places of answers are other ones in a database.
async fn picture(archive: &dyn Archive) -> Vec<CardView> {
    let mut cards =
        archive.cards(&CardQuery { limit: Some(500), ..CardQuery::default() }).await.unwrap().data;
    cards.sort_by_key(|card| card.id);
    for card in &mut cards {
        card.last_used = None;
        card.state.traces.iter_mut().for_each(|trace| trace.journal_seq = 0);
    }
    cards
}

/// Kills it after its first thousand journal entries.
fn kill_in_the_middle(mut command: Command) {
    let child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut process = Process(child);
    let mut lines = BufReader::new(process.0.stderr.take().unwrap()).lines();
    let begun = lines.find(|line| line.as_ref().unwrap().starts_with("journal entries: "));
    process.0.kill().unwrap();
    let ended = process.0.wait().unwrap();
    assert!(begun.is_some() && !ended.success(), "it was to be killed in the middle: {begun:?}, {ended}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_is_moved_also_when_the_move_is_killed_and_everything_is_as_it_was() {
    let (folder, url) = (tempfile::tempdir().unwrap(), database());
    let data = prepared(folder.path(), None);
    let host = Served::start(&data);
    let relay = Relay::start(host.address).await;
    let mut sandbox = Sandbox::read(&data.join("sandbox.json")).unwrap();
    sandbox.listeners[0].address = relay.address.to_string();
    let stop = Arc::new(AtomicBool::new(false));
    let mut work = tokio::task::JoinSet::new();
    for (index, card) in cards(&mut sandbox).take(TELLERS).enumerate() {
        work.spawn(Teller::new(&sandbox, index, card).work(stop.clone()));
    }
    tokio::time::sleep(Duration::from_millis(2500)).await;
    let (refused, _) = run(migrate(&data, &url));
    assert!(!refused.status.success() && said(&refused).contains("in use by process"), "{}", said(&refused));
    stop.store(true, Ordering::SeqCst);
    let mut tellers = work.join_all().await;
    relay.point_at(None).await;
    host.stop();
    let last = picture(&*store_sql::open_archive(&data).unwrap()).await;
    let others: Vec<CardView> = last.iter().filter(|card| card.state.seq == 0).cloned().collect();
    act(&data, &others).await;
    let before = picture(&*store_sql::open_archive(&data).unwrap()).await;

    kill_in_the_middle(migrate(&data, &url));
    let early = run_serve(&data, &[("PINWARD__STORE", &url)]);
    assert!(said(&early).contains("run pinward migrate to its end"), "{}", said(&early));
    let (done, document) = run(migrate(&data, &url));
    assert!(done.status.success() && document["resumed"] == true, "{}", said(&done));
    let moved = document["entries"].as_u64().unwrap();
    let partitions = document["partitions"].as_array().unwrap();
    let rows: u64 = partitions.iter().map(|p| p["entries"]["rows"].as_u64().unwrap()).sum();
    assert!(rows == moved && moved > u64::from(ACTIONS) * ACTED_ON as u64, "{rows} of {moved}");
    let (again, document) = run(migrate(&data, &url));
    assert!(again.status.success() && document["was_done"] == true, "{}", said(&again));

    let old = run_serve(&data.join("pinward.toml.bak"), &[]);
    assert!(said(&old).contains("was moved to postgres://"), "{}", said(&old));
    let host = Served::start(&data);
    assert!(host.said.contains("postgres://"), "{}", host.said);
    relay.point_at(Some(host.address)).await;
    let archive = postgres::open_archive(&data, &url).await.unwrap();
    filled(&*archive).await;
    assert!(picture(&*archive).await == before, "states");
    for teller in &mut tellers {
        assert!(teller.hears_the_same_again().await);
        teller.settle_accounts(&*archive).await;
    }
    let stop = Arc::new(AtomicBool::new(false));
    let mut work = tokio::task::JoinSet::new();
    tellers.into_iter().for_each(|teller| drop(work.spawn(teller.work(stop.clone()))));
    tokio::time::sleep(Duration::from_millis(500)).await;
    stop.store(true, Ordering::SeqCst);
    for mut teller in work.join_all().await {
        teller.settle_accounts(&*archive).await;
    }
    host.stop();
}

/// `pinward serve` that ends by itself, with the data directory's configuration or another.
fn run_serve(config: &Path, environment: &[(&str, &str)]) -> Output {
    let config = if config.is_dir() { config.join("pinward.toml") } else { config.to_owned() };
    let mut command = Command::new(PROGRAM);
    command.args(["serve", "--listen", "127.0.0.1:0", "--console", "127.0.0.1:0", "--config"]).arg(config);
    command.envs(environment.iter().copied());
    let out = command.output().unwrap();
    assert!(!out.status.success());
    out
}

#[test]
fn a_database_with_something_in_it_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let (here, there) = (folder.path().join("here"), folder.path().join("there"));
    std::fs::create_dir_all(&here).unwrap();
    std::fs::create_dir_all(&there).unwrap();
    let data = prepared(&here, None);
    let url = database();
    let other = prepared(&there, Some(&url));
    let (refused, _) = run(migrate(&data, &url));
    assert!(
        !refused.status.success() && said(&refused).contains("holds another store"),
        "{}",
        said(&refused)
    );
    assert!(!data.join("store.moved").exists() && !data.join("pinward.toml.bak").exists());
    let mut list = Command::new(PROGRAM);
    assert!(list.args(["card", "list", "--data"]).arg(&other).output().unwrap().status.success());
    // The embedded one goes on.
    assert!(demo(&data).arg("--prepare-only").output().unwrap().status.success());
}
