//! Full queues push back, a full journal stops the store; neither loses what was acknowledged.

use std::sync::Arc;

use store::{AppendError, Engine, StoreError};
use store_sql::{Limits, sqlite::open_with};

use crate::world::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_full_journal_stops_the_store_and_keeps_what_was_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let engine = open_with(dir.path(), Limits { journal_bytes: Some(32 * 1024), ..never_saving() }).unwrap();
    engine.register(everybody(1, 1)).await.unwrap();
    let mut acknowledged = 0;
    let error = loop {
        let card = get(&*engine, 1).await;
        match engine.append(sale(&card, Tx { stan: acknowledged + 1, ..Tx::default() })).await {
            Ok(place) => acknowledged = u32::try_from(place).unwrap(),
            Err(error) => break error,
        }
    };
    assert!(acknowledged > 10, "{acknowledged}");
    assert!(matches!(&error, AppendError::Store(StoreError::Away(why)) if why.contains("full")), "{error}");
    // It stays stopped, says so, and still reads.
    let card = get(&*engine, 1).await;
    assert_eq!(card.state.seq, acknowledged);
    let again = engine.append(sale(&card, Tx { stan: 900, ..Tx::default() })).await;
    assert!(matches!(again, Err(AppendError::Store(StoreError::Away(_)))));
    assert!(engine.check().await.is_err());
    assert!(engine.entry(u64::from(acknowledged)).await.unwrap().is_some());
    drop(engine);
    let engine = open(dir.path());
    assert_eq!(get(&*engine, 1).await.state.seq, acknowledged);
    pay(&*engine, 1, Tx { stan: 901, ..Tx::default() }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_full_queue_pushes_back() {
    let dir = tempfile::tempdir().unwrap();
    let engine = open_with(dir.path(), Limits { queue_entries: 2, ..never_saving() }).unwrap();
    engine.register(everybody(64, 1)).await.unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    for n in 1..=64 {
        let engine: Arc<dyn Engine> = engine.clone();
        tasks.spawn(async move {
            let card = get(&*engine, n).await;
            engine.append(sale(&card, Tx { stan: n, ..Tx::default() })).await
        });
    }
    let outcomes = tasks.join_all().await;
    let refused = |o: &&Result<u64, AppendError>| **o == Err(AppendError::Store(StoreError::Overloaded));
    let (refused, accepted): (Vec<_>, Vec<_>) = outcomes.iter().partition(refused);
    assert!(!refused.is_empty(), "64 tasks and a queue of 2");
    assert!(accepted.iter().all(|o| o.is_ok()), "{accepted:?}");
    for n in 1..=accepted.len() as u64 {
        assert!(engine.entry(n).await.unwrap().is_some());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_store_takes_no_more() {
    let dir = tempfile::tempdir().unwrap();
    let engine = open(dir.path());
    engine.register(everybody(1, 1)).await.unwrap();
    engine.close();
    engine.close();
    let card = get(&*engine, 1).await;
    let refused = engine.append(sale(&card, Tx::default())).await;
    assert_eq!(refused, Err(AppendError::Store(StoreError::Away("closed".into()))));
    assert!(engine.register(everybody(1, 1)).await.is_err());
    // Its directory is free again.
    drop(open(dir.path()));
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_thousand_cards_are_registered_in_seconds() {
    let dir = tempfile::tempdir().unwrap();
    let engine = open(dir.path());
    let started = std::time::Instant::now();
    engine.register(everybody(50_000, 100)).await.unwrap();
    println!("50,000 cards registered in {:?}", started.elapsed());
    assert!(get(&*engine, 50_000).await.reference.is_some());
}
