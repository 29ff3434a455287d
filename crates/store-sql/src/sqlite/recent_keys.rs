//! Whose card a transaction was about, for those that no checkpoint has saved yet.
//!
//! In shards, and in two generations: a payment adds to the current one, a checkpoint takes all of it at once and drops it
//! when it is saved. Nobody waits while a quarter of a million keys are copied, sorted or freed.

use std::{
    collections::HashMap,
    hash::BuildHasher,
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use model::{CardId, TransactionKey, hash::Folding};

const SHARDS: usize = 64;

type Keys = HashMap<TransactionKey, CardId, Folding>;

pub(crate) struct RecentKeys {
    shards: Vec<Mutex<Shard>>,
}

#[derive(Default)]
struct Shard {
    current: Keys,
    /// Taken by a checkpoint that has not saved them yet.
    taken: Arc<Keys>,
}

impl RecentKeys {
    pub(crate) fn new() -> Self {
        Self { shards: (0..SHARDS).map(|_| Mutex::default()).collect() }
    }

    pub(crate) fn insert(&self, key: TransactionKey, card: CardId) {
        self.shard(&key).current.insert(key, card);
    }

    pub(crate) fn get(&self, key: &TransactionKey) -> Option<CardId> {
        let shard = self.shard(key);
        shard.current.get(key).or_else(|| shard.taken.get(key)).copied()
    }

    /// Takes everything, in the order of keys. It can still be found, until [`saved`](Self::saved).
    pub(crate) fn take(&self) -> Vec<(TransactionKey, CardId)> {
        let taken: Vec<Arc<Keys>> = self.shards.iter().map(|shard| lock(shard).take()).collect();
        let mut keys: Vec<_> =
            taken.iter().flat_map(|keys| keys.iter().map(|(key, card)| (*key, *card))).collect();
        // As `body::transaction_key` writes them.
        keys.sort_unstable_by_key(|(k, _)| (*k.terminal.as_bytes(), k.batch.get(), k.day, k.stan.get()));
        keys
    }

    /// What was taken is in the registers now.
    pub(crate) fn saved(&self) {
        for shard in &self.shards {
            // Freed when the lock is given back.
            let freed = mem::take(&mut lock(shard).taken);
            drop(freed);
        }
    }

    fn shard(&self, key: &TransactionKey) -> MutexGuard<'_, Shard> {
        // The tables take the hash's ends.
        lock(&self.shards[(Folding.hash_one(key) >> 32) as usize % SHARDS])
    }
}

impl Shard {
    /// Moves what is current behind what an earlier checkpoint took and did not save.
    fn take(&mut self) -> Arc<Keys> {
        let current = mem::take(&mut self.current);
        if self.taken.is_empty() {
            self.taken = Arc::new(current);
        } else {
            Arc::make_mut(&mut self.taken).extend(current);
        }
        self.taken.clone()
    }
}

fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use model::{BatchNumber, Stan};

    use super::*;

    fn key(stan: u32) -> TransactionKey {
        TransactionKey {
            terminal: "10000001".parse().unwrap(),
            batch: BatchNumber::new(1).unwrap(),
            stan: Stan::new(stan).unwrap(),
            day: 0,
        }
    }

    #[test]
    fn a_key_is_found_until_it_is_saved() {
        let keys = RecentKeys::new();
        (1..=500).for_each(|stan| keys.insert(key(stan), CardId([1; 16])));
        let taken = keys.take();
        assert_eq!(
            taken.iter().map(|(key, _)| key.stan.get()).collect::<Vec<_>>(),
            (1..=500).collect::<Vec<_>>()
        );
        keys.insert(key(7), CardId([2; 16]));
        keys.insert(key(900), CardId([3; 16]));
        assert_eq!(keys.get(&key(7)), Some(CardId([2; 16])), "the newer one");
        assert_eq!(keys.get(&key(8)), Some(CardId([1; 16])));
        // A checkpoint that failed takes it again.
        assert_eq!(keys.take().len(), 501);
        keys.saved();
        assert_eq!(keys.get(&key(8)), None);
        keys.insert(key(8), CardId([4; 16]));
        assert_eq!(keys.take(), [(key(8), CardId([4; 16]))]);
    }
}
