//! States at hand: a bounded map in shards. What is in it is a starting point for decisions and may be old: the key
//! (subject, number) of the journal finds that out when the decision is appended.

use std::{
    collections::{HashMap, VecDeque},
    hash::{BuildHasher, Hash},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use model::hash::Folding;

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
    shard_limit: usize,
}

struct Shard<K, V> {
    slots: HashMap<K, Slot<V>, Folding>,
    /// What is being read, and the number that it must have reached to be newer than what is known of it meanwhile.
    reading: HashMap<K, u32, Folding>,
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
        let shard = || {
            Mutex::new(Shard {
                slots: HashMap::default(),
                reading: HashMap::default(),
                queue: VecDeque::new(),
            })
        };
        Self { shards: (0..SHARDS).map(|_| shard()).collect(), shard_limit: (limit / SHARDS).max(1) }
    }

    pub(crate) fn look(&self, key: &K) -> Option<Kept<V>> {
        let mut shard = self.shard(key);
        let slot = shard.slots.get_mut(key).filter(|slot| !slot.old)?;
        slot.used = true;
        Some(slot.kept.clone())
    }

    /// Version of the registration, and number of the last entry, of what is at hand.
    pub(crate) fn at(&self, key: &K) -> Option<(i64, u32)> {
        let shard = self.shard(key);
        let slot = shard.slots.get(key).filter(|slot| !slot.old)?;
        Some((slot.kept.version, slot.kept.seq))
    }

    /// It is about to be read from the database. One reader at a time.
    pub(crate) fn reading(&self, key: &K) {
        self.shard(key).reading.insert(*key, 0);
    }

    /// Puts what was read, unless something newer is there already. Says no if it is old itself: it was changed while it
    /// was read.
    pub(crate) fn put(&self, key: K, kept: Kept<V>) -> bool {
        let limit = self.shard_limit;
        let mut shard = self.shard(&key);
        if shard.reading.remove(&key).is_some_and(|least| kept.seq < least) {
            return false;
        }
        if let Some(slot) = shard.slots.get_mut(&key) {
            if slot.old || (slot.kept.version, slot.kept.seq) <= (kept.version, kept.seq) {
                slot.kept = kept;
                slot.old = false;
            }
            return true;
        }
        if shard.slots.len() >= limit {
            shard.evict();
        }
        shard.slots.insert(key, Slot { kept, used: false, old: false });
        shard.queue.push_back(key);
        true
    }

    /// It was not read after all, or is not there.
    pub(crate) fn not_read(&self, key: &K) {
        self.shard(key).reading.remove(key);
    }

    /// Folds the subject's entry number `seq` into its value, if that is the next one; says then how many entries its
    /// saved state is behind.
    pub(crate) fn fold(&self, key: &K, seq: u32, change: impl FnOnce(&mut V)) -> Option<u32> {
        let mut shard = self.shard(key);
        shard.at_least(key, seq);
        let kept = &mut shard.slots.get_mut(key).filter(|slot| !slot.old)?.kept;
        if kept.seq.checked_add(1) != Some(seq) {
            return None;
        }
        change(Arc::make_mut(&mut kept.value));
        kept.seq = seq;
        Some(seq.saturating_sub(kept.saved))
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
        shard.at_least(key, seq.saturating_add(1));
        let Some(slot) = shard.slots.get_mut(key).filter(|slot| slot.kept.seq <= seq) else { return false };
        !std::mem::replace(&mut slot.old, true)
    }

    /// All values of these keys are read again.
    pub(crate) fn forget_all(&self, which: impl Fn(&K) -> bool) {
        for shard in &self.shards {
            let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            shard.slots.iter_mut().filter(|(key, _)| which(key)).for_each(|(_, slot)| slot.old = true);
            shard.reading.iter_mut().filter(|(key, _)| which(key)).for_each(|(_, least)| *least = u32::MAX);
        }
    }

    fn shard(&self, key: &K) -> MutexGuard<'_, Shard<K, V>> {
        let index = (Folding.hash_one(key) >> 32) as usize % SHARDS;
        self.shards[index].lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.shards.iter().map(|s| s.lock().unwrap_or_else(PoisonError::into_inner).slots.len()).sum()
    }
}

impl<K: Copy + Eq + Hash, V> Shard<K, V> {
    /// Whatever is being read of it must have reached this number.
    fn at_least(&mut self, key: &K, seq: u32) {
        // Mostly nothing of this shard is being read.
        if !self.reading.is_empty()
            && let Some(least) = self.reading.get_mut(key)
        {
            *least = seq.max(*least);
        }
    }

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
        assert_eq!(shelf.fold(&1, 6, |v| *v += 1), Some(6));
        assert_eq!((shelf.look(&1).unwrap().seq, *shelf.look(&1).unwrap().value), (6, 1));
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

    /// What a statement found is as old as its snapshot: an entry may have been folded, and its slot be gone, since then.
    #[test]
    fn what_changed_while_it_was_read_is_not_put() {
        let shelf = Shelf::new(64);
        let changes: [fn(&Shelf<u32, u32>); 2] = [|s| _ = s.fold(&1, 6, |_| ()), |s| _ = s.forget(&1, 5)];
        for change in changes {
            shelf.reading(&1);
            change(&shelf);
            assert!(!shelf.put(1, kept(1, 5, 50)));
            assert!(shelf.look(&1).is_none());
            shelf.reading(&1);
            assert!(shelf.put(1, kept(1, 6, 60)));
            shelf.forget(&1, u32::MAX);
        }
        shelf.reading(&1);
        shelf.forget_all(|key| *key == 1);
        assert!(!shelf.put(1, kept(1, 7, 70)));
        shelf.reading(&1);
        shelf.not_read(&1);
        shelf.fold(&1, 9, |_| ());
        assert!(shelf.put(1, kept(1, 7, 70)));
    }

    #[test]
    fn all_of_some_are_forgotten() {
        let shelf = Shelf::new(6400);
        for key in 0..100 {
            shelf.put(key, kept(1, 1, key));
        }
        shelf.forget_all(|key| key % 2 == 0);
        assert!((0..100).all(|key| shelf.look(&key).is_some() == (key % 2 == 1)));
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
