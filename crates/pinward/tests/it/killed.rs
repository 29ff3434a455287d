//! `kill -9` on the real program while terminals pay: what they were told outside is true after each restart.

use std::{
    collections::HashSet,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use simulator::Sandbox;
use store::Archive;
use store_sql::postgres;

use crate::{
    hosts::{Relay, Served, database, prepared},
    teller::{Teller, cards},
};

const TELLERS: usize = 16;
const LONG_ROUNDS: u64 = 100;

/// The sandbox as terminals behind the relay have it.
fn behind(relay: &Relay, data: &Path) -> Sandbox {
    let mut sandbox = Sandbox::read(&data.join("sandbox.json")).unwrap();
    sandbox.listeners[0].address = relay.address.to_string();
    sandbox
}

async fn archive(data: &Path, store: Option<&str>) -> Arc<dyn Archive> {
    match store {
        None => store_sql::open_archive(data).unwrap(),
        Some(url) => postgres::open_archive(data, url).await.unwrap(),
    }
}

/// So many kills under load; then every teller's account is settled.
async fn survives(store: Option<&str>, rounds: u64) {
    let folder = tempfile::tempdir().unwrap();
    let data = prepared(folder.path(), store);
    let mut host = Served::start(&data);
    let relay = Relay::start(host.address).await;
    let mut sandbox = behind(&relay, &data);
    let cards = cards(&mut sandbox);
    let stop = Arc::new(AtomicBool::new(false));
    let mut work = tokio::task::JoinSet::new();
    for (index, card) in cards.take(TELLERS).enumerate() {
        work.spawn(Teller::new(&sandbox, index, card).work(stop.clone()));
    }
    for round in 0..rounds {
        tokio::time::sleep(Duration::from_millis(400 + 137 * (round % 7))).await;
        relay.point_at(None).await;
        host.kill();
        host = Served::start(&data);
        relay.point_at(Some(host.address)).await;
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    stop.store(true, Ordering::SeqCst);
    let mut tellers = work.join_all().await;
    let archive = archive(&data, store).await;
    let (mut answers, mut repeats) = (0, 0);
    for teller in &mut tellers {
        answers += teller.settle_accounts(&*archive).await;
        repeats += teller.repeats;
    }
    let references: HashSet<&str> = tellers.iter().flat_map(Teller::references).collect();
    assert_eq!(references.len(), answers, "a reference was used twice");
    assert!(answers > TELLERS, "only {answers} answers: that was no load");
    assert!(repeats > 0, "no kill met a terminal");
    host.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_terminals_were_told_is_true_after_kills_of_an_embedded_store() {
    survives(None, 3).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_terminals_were_told_is_true_after_kills_on_postgres() {
    survives(Some(&database()), 3).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "minutes: for ./check --long"]
async fn hundreds_of_kills_of_an_embedded_store() {
    survives(None, LONG_ROUNDS).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "minutes: for ./check --long"]
async fn hundreds_of_kills_on_postgres() {
    survives(Some(&database()), LONG_ROUNDS).await;
}
