//! States at hand: a map in shards, with a bound on what can be read again from the registers.
//!
//! ```text
//!            loaded                 folded                 taken                saved
//!  registers ───────► clean ───────────────────► dirty ─────────────► saving ───────────► clean
//!     ▲                 │                          ▲                     │ folded meanwhile
//!     └──── evicted ────┘                          └─────────────────────┘
//! ```
//!
//! Only a clean value may be evicted: what is newer than the registers exists nowhere else in this form. Whoever folds into
//! two shelves at once holds the value in one of them meanwhile.

use std::{
    collections::{HashMap, VecDeque},
    hash::{BuildHasher, Hash, RandomState},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

const SHARDS: usize = 64;
/// How many slots one insertion looks at for something to evict.
const EVICTION_STEPS: usize = 8;

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
    dirty: Vec<K>,
    /// Counts evictions and replaced records: a reader of the registers that finds another number than before may
    /// have read an old row, and reads again.
    generation: u64,
}

struct Slot<V> {
    value: Arc<V>,
    dirty: bool,
    saving: bool,
    held: bool,
    used: bool,
}

/// What a reader saw when a value was not at hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ticket(u64);

impl<K: Copy + Eq + Hash + Ord, V: Clone> Shelf<K, V> {
    /// Keeps about `limit` clean values.
    pub(crate) fn new(limit: usize) -> Self {
        let shard = || {
            Mutex::new(Shard {
                slots: HashMap::new(),
                queue: VecDeque::new(),
                dirty: Vec::new(),
                generation: 0,
            })
        };
        Self {
            shards: (0..SHARDS).map(|_| shard()).collect(),
            hasher: RandomState::new(),
            shard_limit: (limit / SHARDS).max(1),
        }
    }

    /// The value, or a ticket for [`put_loaded`](Self::put_loaded).
    pub(crate) fn look(&self, key: &K) -> Result<Arc<V>, Ticket> {
        let mut shard = self.shard(key);
        let generation = shard.generation;
        let slot = shard.slots.get_mut(key).ok_or(Ticket(generation))?;
        slot.used = true;
        Ok(slot.value.clone())
    }

    /// Puts a value that was read from the registers; `None` when what was read may be old by now.
    pub(crate) fn put_loaded(&self, key: K, value: V, ticket: Ticket) -> Option<Arc<V>> {
        let mut shard = self.shard(&key);
        if let Some(slot) = shard.slots.get(&key) {
            return Some(slot.value.clone());
        }
        if Ticket(shard.generation) != ticket {
            return None;
        }
        let value = Arc::new(value);
        shard.insert(key, value.clone(), self.shard_limit);
        Some(value)
    }

    /// Keeps a value from being evicted until [`release`](Self::release); gives it, or a ticket.
    pub(crate) fn hold(&self, key: &K) -> Result<Arc<V>, Ticket> {
        let mut shard = self.shard(key);
        let generation = shard.generation;
        let slot = shard.slots.get_mut(key).ok_or(Ticket(generation))?;
        slot.held = true;
        Ok(slot.value.clone())
    }

    /// Ends a hold.
    pub(crate) fn release(&self, key: &K) {
        if let Some(slot) = self.shard(key).slots.get_mut(key) {
            slot.held = false;
        }
    }

    /// Folds something newer than the registers into a value if it fits there. Says whether it did; `None`: the value is
    /// not at hand.
    pub(crate) fn fold(
        &self,
        key: &K,
        fits: impl FnOnce(&V) -> bool,
        change: impl FnOnce(&mut V),
    ) -> Option<bool> {
        let mut shard = self.shard(key);
        let Shard { slots, dirty, .. } = &mut *shard;
        let slot = slots.get_mut(key)?;
        if !fits(&slot.value) {
            return Some(false);
        }
        change(Arc::make_mut(&mut slot.value));
        if !slot.dirty {
            slot.dirty = true;
            dirty.push(*key);
        }
        Some(true)
    }

    /// Changes what the registers already say; whoever read them before reads again.
    pub(crate) fn amend(&self, key: &K, change: impl FnOnce(&mut V)) {
        let mut shard = self.shard(key);
        shard.generation += 1;
        if let Some(slot) = shard.slots.get_mut(key) {
            change(Arc::make_mut(&mut slot.value));
        }
    }

    /// Takes everything dirty, in the order of keys. It is not evicted before [`saved`](Self::saved).
    pub(crate) fn take_dirty(&self) -> Vec<(K, Arc<V>)> {
        let mut taken = Vec::new();
        for shard in &self.shards {
            let mut shard = lock(shard);
            let Shard { slots, dirty, .. } = &mut *shard;
            for key in dirty.drain(..) {
                let Some(slot) = slots.get_mut(&key) else { continue };
                slot.dirty = false;
                slot.saving = true;
                taken.push((key, slot.value.clone()));
            }
        }
        taken.sort_unstable_by_key(|(key, _)| *key);
        taken
    }

    /// What was taken is in the registers now.
    pub(crate) fn saved(&self, taken: &[(K, Arc<V>)]) {
        for (key, _) in taken {
            if let Some(slot) = self.shard(key).slots.get_mut(key) {
                slot.saving = false;
            }
        }
    }

    fn shard(&self, key: &K) -> MutexGuard<'_, Shard<K, V>> {
        let index = self.hasher.hash_one(key) as usize % SHARDS;
        lock(&self.shards[index])
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.shards.iter().map(|s| lock(s).slots.len()).sum()
    }
}

impl<K: Copy + Eq + Hash, V> Shard<K, V> {
    fn insert(&mut self, key: K, value: Arc<V>, limit: usize) {
        if self.slots.len() >= limit {
            self.evict();
        }
        self.slots.insert(key, Slot { value, dirty: false, saving: false, held: false, used: false });
        self.queue.push_back(key);
    }

    /// Second chance: what was used since it was last looked at, and what may not go, moves to the end.
    fn evict(&mut self) {
        for _ in 0..EVICTION_STEPS {
            let Some(key) = self.queue.pop_front() else { return };
            let Some(slot) = self.slots.get_mut(&key) else { continue };
            if slot.dirty || slot.saving || slot.held || slot.used {
                slot.used = false;
                self.queue.push_back(key);
                continue;
            }
            self.slots.remove(&key);
            self.generation += 1;
            return;
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(shelf: &Shelf<u32, u32>, key: u32, value: u32) -> Option<Arc<u32>> {
        match shelf.look(&key) {
            Ok(value) => Some(value),
            Err(ticket) => shelf.put_loaded(key, value, ticket),
        }
    }

    #[test]
    fn clean_values_are_bounded_and_dirty_ones_stay() {
        let shelf = Shelf::new(128);
        for key in 0..1000 {
            load(&shelf, key, 0);
            if key % 10 == 0 {
                assert!(shelf.fold(&key, |_| true, |v| *v += 1).unwrap());
            }
        }
        assert!(shelf.len() < 400, "{}", shelf.len());
        for key in (0..1000).step_by(10) {
            assert_eq!(*shelf.look(&key).unwrap(), 1);
        }
        let taken = shelf.take_dirty();
        assert!(taken.is_sorted_by_key(|(key, _)| *key));
        assert_eq!(taken.len(), 100);
    }

    #[test]
    fn a_row_read_before_an_eviction_is_read_again() {
        let shelf: Shelf<u32, u32> = Shelf::new(1);
        let Err(before) = shelf.look(&7) else { panic!() };
        shelf.amend(&7, |_| ());
        assert!(shelf.put_loaded(7, 70, before).is_none());
        let Err(now) = shelf.look(&7) else { panic!() };
        assert_eq!(*shelf.put_loaded(7, 71, now).unwrap(), 71);
    }

    #[test]
    fn what_is_folded_while_it_is_saved_is_dirty_again() {
        let shelf = Shelf::new(64);
        load(&shelf, 1, 0);
        shelf.fold(&1, |_| true, |v| *v = 1);
        let taken = shelf.take_dirty();
        shelf.fold(&1, |_| true, |v| *v = 2);
        shelf.saved(&taken);
        assert_eq!(*taken[0].1, 1);
        assert_eq!(*shelf.take_dirty()[0].1, 2);
        assert!(shelf.take_dirty().is_empty());
    }

    #[test]
    fn a_held_value_is_not_evicted() {
        let shelf: Shelf<u32, u32> = Shelf::new(1);
        load(&shelf, 1, 10);
        shelf.hold(&1).unwrap();
        for key in 2..500 {
            load(&shelf, key, 0);
        }
        assert_eq!(*shelf.look(&1).unwrap(), 10);
    }
}
