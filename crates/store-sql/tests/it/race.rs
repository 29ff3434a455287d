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

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn tasks_that_race_on_one_card_all_win_once() {
    let dir = tempfile::tempdir().unwrap();
    let engine = open(dir.path());
    race(engine.clone()).await;
    engine.close();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn they_do_so_while_states_are_saved_and_evicted() {
    let dir = tempfile::tempdir().unwrap();
    race(store_sql::sqlite::open_with(dir.path(), hectic()).unwrap()).await;
}

async fn race(engine: Arc<dyn Engine>) {
    engine.register(everybody(1, 1)).await.unwrap();
    let store = Store::new(engine.clone());
    let mut tasks = tokio::task::JoinSet::new();
    for task in 0..TASKS {
        let (store, id) = (store.clone(), engine.card_id(&pan(1)));
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
    assert_eq!(places, (1..=all).collect::<Vec<_>>());
    for place in 1..=all {
        assert_eq!(u64::from(engine.entry(place).await.unwrap().unwrap().seq), place);
    }
    let card = get(&*engine, 1).await;
    assert_eq!((u64::from(card.state.seq), card.state.balance), (all, Amount(1_000_000 - all as i64)));
}
