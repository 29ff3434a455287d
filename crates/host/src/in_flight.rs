//! One request per transaction key at a time: a repeat, or a reversal of it, waits for the first
//! (docs/reference/rules.md R3). What is kept is bounded by what is under way.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use model::{TransactionKey, hash::Folding};
use tokio::sync::OwnedMutexGuard;

#[derive(Default)]
pub(crate) struct InFlight {
    keys: Mutex<HashMap<TransactionKey, Arc<tokio::sync::Mutex<()>>, Folding>>,
}

/// Holds the key until it is dropped.
pub(crate) struct Turn<'a> {
    owner: &'a InFlight,
    key: TransactionKey,
    guard: Option<OwnedMutexGuard<()>>,
}

impl InFlight {
    pub(crate) async fn turn(&self, key: TransactionKey) -> Turn<'_> {
        let lock = {
            let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(keys.entry(key).or_default())
        };
        Turn { owner: self, key, guard: Some(lock.lock_owned().await) }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.guard = None;
        let mut keys = self.owner.keys.lock().unwrap_or_else(PoisonError::into_inner);
        // Nobody else holds or waits for it: the map has the only handle.
        if keys.get(&self.key).is_some_and(|lock| Arc::strong_count(lock) == 1) {
            keys.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_second_waits_and_nothing_is_left_behind() {
        let in_flight = InFlight::default();
        let key = TransactionKey {
            terminal: "10000001".parse().unwrap(),
            batch: model::BatchNumber::new(1).unwrap(),
            stan: model::Stan::new(7).unwrap(),
            day: 0,
        };
        let first = in_flight.turn(key).await;
        let second = tokio::time::timeout(std::time::Duration::from_millis(20), in_flight.turn(key)).await;
        assert!(second.is_err(), "the key is taken");
        drop(first);
        drop(in_flight.turn(key).await);
        assert!(in_flight.keys.lock().unwrap().is_empty());
    }
}
