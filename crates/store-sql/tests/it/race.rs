//! Many tasks about one card: every decision is made once, in an order, and none is lost.

use std::sync::Arc;

use model::Amount;
use store::{Card, CardWork, Engine, Step, Store};

use crate::world::*;

const TASKS: u32 = 32;
const EACH: u32 = 8;

struct Pay {
    stan: u32,
}

#[async_trait::async_trait]
impl CardWork for Pay {
    type Error = std::convert::Infallible;

    async fn decide(&mut self, card: &Card) -> Result<Step, Self::Error> {
        Ok(Step::Append(Box::new(sale(card, Tx { stan: self.stan, amount: 1, ..Tx::default() }))))
    }
}

on_both_engines!(tasks_that_race_on_one_card_all_win_once);

async fn tasks_that_race_on_one_card_all_win_once(bench: Bench) {
    race(vec![bench.engine.clone()]).await;
}

/// None of the hosts owns the card: exactly one of them wins each number.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn tasks_of_three_hosts_that_race_on_one_card_all_win_once() {
    let url = crate::server::Server::shared().database().await;
    let dir = tempfile::tempdir().unwrap();
    let mut hosts: Vec<Arc<dyn Engine>> = Vec::new();
    for _ in 0..3 {
        hosts.push(store_sql::postgres::open(dir.path(), &url, few_partitions()).await.unwrap());
    }
    race(hosts).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn they_do_so_while_states_are_saved_and_evicted() {
    let dir = tempfile::tempdir().unwrap();
    race(vec![store_sql::sqlite::open_with(dir.path(), hectic()).unwrap()]).await;
}

async fn race(engines: Vec<Arc<dyn Engine>>) {
    let engine = engines[0].clone();
    engine.register(everybody(1, 1)).await.unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    for task in 0..TASKS {
        let (store, id) =
            (Store::new(engines[task as usize % engines.len()].clone()), engine.card_id(&pan(1)));
        tasks.spawn(async move {
            let mut places = Vec::new();
            for n in 0..EACH {
                let mut work = Pay { stan: task * EACH + n + 1 };
                // A loser of 64 races in a row is told so, and nothing was decided for it: it asks again.
                let journaled = loop {
                    match store.with_card(&id, &mut work).await {
                        Ok(journaled) => break journaled,
                        Err(store::WorkError::Store(store::StoreError::Overloaded)) => {}
                        Err(error) => panic!("{error}"),
                    }
                };
                assert_eq!(journaled.reply(), format!("0210 answer {}", work.stan).as_bytes());
                places.push(journaled.journal_seq());
            }
            places
        });
    }
    let mut places: Vec<u64> = tasks.join_all().await.into_iter().flatten().collect();
    places.sort_unstable();
    let all = u64::from(TASKS * EACH);
    places.dedup();
    assert_eq!(places.len() as u64, all, "each place is given once");
    // In the order of places, the card's entries are numbered without a gap.
    for (seq, place) in (1..).zip(&places) {
        assert_eq!(engine.entry(*place).await.unwrap().unwrap().seq, seq);
    }
    for engine in &engines {
        engine.append(unlock(&*get(&**engine, 1).await, T0)).await.ok();
        let card = get(&**engine, 1).await;
        assert!(u64::from(card.state.seq) > all);
        assert_eq!(card.state.balance, Amount(1_000_000 - all as i64));
    }
}
