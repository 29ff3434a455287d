//! The journal as those who follow it get it: every entry once, in one order, on every engine.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use model::Timestamp;
use store::{Engine, Entry, memory::MemoryEngine};

use crate::world::*;

#[tokio::test]
async fn the_memory_store_is_followed() {
    followed(&MemoryEngine::default()).await;
}

on_both_engines!(a_store_is_followed);

async fn a_store_is_followed(bench: Bench) {
    followed(&*bench.engine).await;
}

async fn followed(engine: &dyn Engine) {
    engine.register(everybody(9, 1)).await.unwrap();
    assert_eq!(engine.entries(0, 10).await.unwrap(), []);
    assert!(!engine.wait_for_entries(0, Duration::from_millis(20)).await.unwrap());
    let mut appended = Vec::new();
    for stan in 1..=30 {
        let tx = Tx { stan, at: T0 + i64::from(stan) * 1000, ..Tx::default() };
        appended.push((pay(engine, 1 + stan % 9, tx).await, stan));
    }
    assert!(engine.wait_for_entries(0, Duration::from_secs(5)).await.unwrap());
    for limit in [1, 7, 100] {
        let followed = all_after(engine, 0, limit).await;
        assert_eq!(
            followed.iter().map(|(place, entry)| (*place, stan_of(entry))).collect::<Vec<_>>(),
            appended
        );
        assert!(followed.iter().all(|(_, entry)| entry.exchange.as_ref().unwrap().reply.is_empty()));
        assert!(followed.iter().all(|(_, entry)| !entry.exchange.as_ref().unwrap().request.is_empty()));
    }
    let from_the_middle = all_after(engine, appended[19].0, 4).await;
    assert_eq!(from_the_middle.len(), 10);
    assert!(engine.journal_end().await.unwrap() >= appended[29].0);
}

/// Everything after a place, in pages.
async fn all_after(engine: &dyn Engine, mut after: u64, limit: usize) -> Vec<(u64, Arc<Entry>)> {
    let mut all = Vec::new();
    loop {
        let page = engine.entries(after, limit).await.unwrap();
        assert!(page.len() <= limit);
        let Some((last, _)) = page.last() else { return all };
        after = *last;
        all.extend(page);
    }
}

fn stan_of(entry: &Entry) -> u32 {
    match &entry.event {
        store::Event::Transaction(t) => t.key.stan.get(),
        _ => 0,
    }
}

/// What is kept in memory is what the log says, and where it ends the log goes on.
#[tokio::test(flavor = "multi_thread")]
async fn the_newest_entries_are_those_of_the_log() {
    const KEPT: usize = 7;
    let dir = tempfile::tempdir().unwrap();
    let limits = store_sql::Limits { newest_entries: KEPT, ..store_sql::Limits::default() };
    let engine = store_sql::sqlite::open_with(dir.path(), limits).unwrap();
    engine.register(everybody(3, 1)).await.unwrap();
    for stan in 1..=20 {
        pay(&*engine, 1 + stan % 3, Tx { stan, ..Tx::default() }).await;
    }
    let mut near = Vec::new();
    for after in 0..=20 {
        near.push((engine.entries(after, 100).await.unwrap(), engine.entries(after, 2).await.unwrap()));
    }
    let kept = |after: usize| near[after].0.first().map(|(_, entry)| Arc::strong_count(entry));
    assert_eq!(
        (kept(20 - KEPT - 1), kept(20), kept(20 - KEPT).is_some_and(|held| held > 1)),
        (Some(1), None, true)
    );
    engine.close();
    drop(engine);
    let again = open(dir.path());
    for (after, (all, two)) in near.into_iter().enumerate() {
        assert_eq!(all.len(), 20 - after);
        assert_eq!(again.entries(after as u64, 100).await.unwrap(), all);
        assert_eq!(again.entries(after as u64, 2).await.unwrap(), two);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_moment_has_a_place_in_an_embedded_store() {
    let bench = embedded();
    let engine = &*bench.engine;
    engine.register(everybody(1, 1)).await.unwrap();
    for stan in 1..=20 {
        pay(engine, 1, Tx { stan, at: T0 + i64::from(stan) * 1000, ..Tx::default() }).await;
    }
    for (seconds, before) in [(0, 0), (1, 0), (2, 1), (15, 14), (20, 19), (21, 20)] {
        let place = engine.place_before(Timestamp(T0 + seconds * 1000)).await.unwrap();
        assert_eq!(place, before, "{seconds} s");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_moment_has_a_place_in_a_database() {
    let bench = on_postgres().await;
    let engine = &*bench.engine;
    engine.register(everybody(3, 1)).await.unwrap();
    pay(engine, 1, Tx::default()).await;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as i64;
    let hour = 3_600_000;
    let before = engine.place_before(Timestamp(now - hour)).await.unwrap();
    assert_eq!(engine.entries(before, 10).await.unwrap().len(), 1);
    let after = engine.place_before(Timestamp(now + hour)).await.unwrap();
    assert_eq!(engine.entries(after, 10).await.unwrap(), []);
    assert_eq!(engine.place_before(Timestamp(0)).await.unwrap(), 0);
}

/// Two hosts append to all partitions while two others follow; what these get is all of it, each once, and in the order in
/// which the journal is read afterwards.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_is_missed_while_hosts_append() {
    const CARDS: u32 = 24;
    const ENTRIES: u32 = 600;
    let url = crate::server::Server::shared().database().await;
    let dir = tempfile::tempdir().unwrap();
    let open = || store_sql::postgres::open(dir.path(), &url, few_partitions());
    let hosts = [open().await.unwrap(), open().await.unwrap()];
    hosts[0].register(everybody(CARDS, 1)).await.unwrap();
    let (ended, next) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(1)));
    let followers: Vec<_> =
        hosts.iter().map(|host| tokio::spawn(follow(host.clone(), ended.clone()))).collect();
    let tasks: Vec<_> = (0..8_u32)
        .map(|task| {
            let (host, next) = (hosts[task as usize % 2].clone(), next.clone());
            tokio::spawn(async move {
                loop {
                    let stan = next.fetch_add(1, Ordering::Relaxed);
                    if stan > ENTRIES {
                        return;
                    }
                    // Each task has cards of its own: what is tested is the feed, not the race for a card.
                    pay(&*host, 1 + task * 3 + stan % 3, Tx { stan, ..Tx::default() }).await;
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    ended.store(true, Ordering::Release);
    let afterwards: Vec<u64> = all_after(&*hosts[0], 0, 50).await.iter().map(|(place, _)| *place).collect();
    assert_eq!(afterwards.len(), ENTRIES as usize);
    for follower in followers {
        assert_eq!(follower.await.unwrap(), afterwards);
    }
}

/// Reads on and on; after the last append once more to the end.
async fn follow(host: Arc<store_sql::PostgresEngine>, ended: Arc<AtomicBool>) -> Vec<u64> {
    let (mut places, mut seen) = (Vec::new(), BTreeSet::new());
    loop {
        let last_look = ended.load(Ordering::Acquire);
        let after = places.last().copied().unwrap_or_default();
        let page = host.entries(after, 16).await.unwrap();
        if page.is_empty() && last_look {
            return places;
        }
        for (place, _) in page {
            assert!(seen.insert(place), "{place} came twice");
            places.push(place);
        }
    }
}

/// An append holds its partition for a while: what other partitions got meanwhile waits for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_slow_commit_is_waited_for() {
    let url = crate::server::Server::shared().database().await;
    let dir = tempfile::tempdir().unwrap();
    let host = store_sql::postgres::open(dir.path(), &url, few_partitions()).await.unwrap();
    host.register(everybody(20, 1)).await.unwrap();
    let partitions = u64::from(few_partitions().partitions);
    let mut before = Vec::new();
    for n in 1..=20 {
        before.push(pay(&*host, n, Tx { stan: n, ..Tx::default() }).await);
    }
    let slow = before[0] % partitions;
    // As an append does it: the head first, and then it takes its time.
    let client = crate::server::client(&url).await;
    let head = format!("BEGIN; UPDATE p{slow:02}.head SET last = last + 1 WHERE one = 1");
    client.batch_execute(&head).await.unwrap();
    let mut others = Vec::new();
    for n in (1..=20).filter(|n| before[*n as usize - 1] % partitions != slow) {
        others.push(pay(&*host, n, Tx { stan: 100 + n, ..Tx::default() }).await);
    }
    assert!(!others.is_empty());
    let last = before[19];
    let waiting = tokio::time::timeout(Duration::from_millis(300), host.entries(last, 100)).await;
    assert!(waiting.is_err(), "it did not wait for the append that is under way");
    client.batch_execute("COMMIT").await.unwrap();
    let places: Vec<u64> = all_after(&*host, last, 3).await.iter().map(|(place, _)| *place).collect();
    assert_eq!(places, others);
}
