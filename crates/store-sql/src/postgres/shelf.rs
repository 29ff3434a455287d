//! States at hand: a bounded map in shards. What is in it is a starting point for decisions and may be old: the key
//! (subject, number) of the journal finds that out when the decision is appended.

use std::{
    collections::{HashMap, VecDeque},
    hash::{BuildHasher, Hash, RandomState},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

const SHARDS: usize = 64;
/// How many slots one insertion looks at for something to evict.
const EVICTION_STEPS: usize = 8;

/// A value, and which one of the subject's it is.
#[derive(Debug)]
pub(crate) struct Kept<V> {
    pub(crate) value: Arc<V>,
    /// Number of the subject's last entry in it.
    pub(crate) seq: u32,
    /// Version of the registration.
    pub(crate) version: i64,
    /// Number of the last entry in the saved state.
    pub(crate) saved: u32,
}

impl<V> Clone for Kept<V> {
    fn clone(&self) -> Self {
        Self { value: self.value.clone(), seq: self.seq, version: self.version, saved: self.saved }
    }
}

/// Values by key.
pub(crate) struct Shelf<K, V> {
    shards: Vec<Mutex<Shard<K, V>>>,
    hasher: RandomState,
    shard_limit: usize,
}

struct Shard<K, V> {
    slots: HashMap<K, Slot<V>>,
    /// Keys in the order in which they may have to go.
    queue: VecDeque<K>,
}

struct Slot<V> {
    kept: Kept<V>,
    used: bool,
    /// Known to be old: to be read again.
    old: bool,
}

impl<K: Copy + Eq + Hash, V: Clone> Shelf<K, V> {
    /// Keeps about `limit` values.
    pub(crate) fn new(limit: usize) -> Self {
        let shard = || Mutex::new(Shard { slots: HashMap::new(), queue: VecDeque::new() });
        Self {
            shards: (0..SHARDS).map(|_| shard()).collect(),
            hasher: RandomState::new(),
            shard_limit: (limit / SHARDS).max(1),
        }
    }

    pub(crate) fn look(&self, key: &K) -> Option<Kept<V>> {
        let mut shard = self.shard(key);
        let slot = shard.slots.get_mut(key).filter(|slot| !slot.old)?;
        slot.used = true;
        Some(slot.kept.clone())
    }

    /// Puts what was read from the database, unless something newer is there already.
    pub(crate) fn put(&self, key: K, kept: Kept<V>) {
        let limit = self.shard_limit;
        let mut shard = self.shard(&key);
        if let Some(slot) = shard.slots.get_mut(&key) {
            if slot.old || (slot.kept.version, slot.kept.seq) <= (kept.version, kept.seq) {
                slot.kept = kept;
                slot.old = false;
            }
            return;
        }
        if shard.slots.len() >= limit {
            shard.evict();
        }
        shard.slots.insert(key, Slot { kept, used: false, old: false });
        shard.queue.push_back(key);
    }

    /// Folds the subject's entry number `seq` into its value, if that is the next one; gives the value then.
    pub(crate) fn fold(&self, key: &K, seq: u32, change: impl FnOnce(&mut V)) -> Option<Kept<V>> {
        let mut shard = self.shard(key);
        let kept = &mut shard.slots.get_mut(key).filter(|slot| !slot.old)?.kept;
        if kept.seq.checked_add(1) != Some(seq) {
            return None;
        }
        change(Arc::make_mut(&mut kept.value));
        kept.seq = seq;
        Some(kept.clone())
    }

    /// The state up to `seq` is being saved.
    pub(crate) fn saved(&self, key: &K, seq: u32) {
        if let Some(slot) = self.shard(key).slots.get_mut(key) {
            slot.kept.saved = slot.kept.saved.max(seq);
        }
    }

    /// A value that is no newer than `seq` is read again by whoever wants it next. Says whether there was one.
    pub(crate) fn forget(&self, key: &K, seq: u32) -> bool {
        let mut shard = self.shard(key);
        let Some(slot) = shard.slots.get_mut(key).filter(|slot| slot.kept.seq <= seq) else { return false };
        !std::mem::replace(&mut slot.old, true)
    }

    fn shard(&self, key: &K) -> MutexGuard<'_, Shard<K, V>> {
        let index = self.hasher.hash_one(key) as usize % SHARDS;
        self.shards[index].lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.shards.iter().map(|s| s.lock().unwrap_or_else(PoisonError::into_inner).slots.len()).sum()
    }
}

impl<K: Copy + Eq + Hash, V> Shard<K, V> {
    /// Second chance: what was used since it was last looked at moves to the end.
    fn evict(&mut self) {
        for _ in 0..EVICTION_STEPS {
            let Some(key) = self.queue.pop_front() else { return };
            let Some(slot) = self.slots.get_mut(&key) else { continue };
            if slot.used {
                slot.used = false;
                self.queue.push_back(key);
                continue;
            }
            self.slots.remove(&key);
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(version: i64, seq: u32, value: u32) -> Kept<u32> {
        Kept { value: Arc::new(value), seq, version, saved: 0 }
    }

    #[test]
    fn what_is_newer_stays() {
        let shelf = Shelf::new(64);
        shelf.put(1, kept(1, 5, 50));
        shelf.put(1, kept(1, 4, 40));
        assert_eq!(*shelf.look(&1).unwrap().value, 50);
        shelf.put(1, kept(2, 5, 51));
        assert_eq!(*shelf.look(&1).unwrap().value, 51);
    }

    #[test]
    fn only_the_next_entry_is_folded() {
        let shelf = Shelf::new(64);
        shelf.put(1, kept(1, 5, 0));
        assert!(shelf.fold(&1, 7, |v| *v += 1).is_none());
        assert!(shelf.fold(&1, 5, |v| *v += 1).is_none());
        assert_eq!(*shelf.fold(&1, 6, |v| *v += 1).unwrap().value, 1);
        assert_eq!(shelf.look(&1).unwrap().seq, 6);
    }

    #[test]
    fn what_was_read_meanwhile_is_not_forgotten() {
        let shelf = Shelf::new(64);
        shelf.put(1, kept(1, 5, 0));
        assert!(!shelf.forget(&1, 4));
        assert!(shelf.look(&1).is_some());
        assert!(shelf.forget(&1, 5));
        assert!(shelf.look(&1).is_none());
        // Whatever the database says then is believed, even if it lost something.
        shelf.put(1, kept(1, 3, 30));
        assert_eq!(*shelf.look(&1).unwrap().value, 30);
    }

    #[test]
    fn it_is_bounded() {
        let shelf = Shelf::new(128);
        for key in 0..5000 {
            shelf.put(key, kept(1, 0, 0));
            shelf.look(&(key / 2));
        }
        assert!(shelf.len() < 700, "{}", shelf.len());
    }
}
