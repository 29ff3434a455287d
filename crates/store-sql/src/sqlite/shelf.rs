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
//!
//! A value is open or packed. Those in use are open; of the others only their bytes are kept, a fifth as large, whether clean
//! or dirty. Slots stand in a row, and the index has four bytes for each: with millions of values the map itself counts.

use std::{
    collections::VecDeque,
    hash::{BuildHasher, Hash},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use hashbrown::HashTable;
use model::hash::Folding;

const SHARDS: usize = 64;
/// How many slots one insertion looks at for something to evict.
const EVICTION_STEPS: usize = 8;
/// And how many it may evict: more than one, so that a shelf that grew while much was dirty becomes smaller again.
const EVICTIONS: usize = 2;

/// What can be kept small while nobody uses it.
pub(crate) trait Pack<K>: Sized {
    /// `false`: there are few, and they stay as they are.
    const PACKS: bool;

    /// Its bytes.
    fn pack(&self) -> Box<[u8]>;

    /// The value under this key of these bytes, which [`pack`](Self::pack) made in this process.
    fn unpack(key: &K, bytes: &[u8]) -> Self;
}

/// Values by key.
pub(crate) struct Shelf<K, V> {
    shards: Vec<Mutex<Shard<K, V>>>,
    shard_limit: usize,
    open_limit: usize,
}

struct Shard<K, V> {
    /// Places of the slots, by the hashes of their keys.
    index: HashTable<u32>,
    slots: Vec<Slot<K, V>>,
    /// Slots without a value.
    free: Vec<u32>,
    /// Slots whose values are open, in the order in which they may be packed.
    open: VecDeque<u32>,
    /// Where the search for something to evict goes on.
    hand: usize,
    dirty: Vec<K>,
    /// Counts evictions and replaced records: a reader of the registers that finds another number than before may
    /// have read an old row, and reads again.
    generation: u64,
}

struct Slot<K, V> {
    key: K,
    value: Form<V>,
    dirty: bool,
    saving: bool,
    held: bool,
    /// Since the hand came by.
    used: bool,
    /// Since it was last looked at for packing.
    touched: bool,
}

enum Form<V> {
    Open(Arc<V>),
    Packed(Box<[u8]>),
    /// The slot is free.
    None,
}

/// What a reader saw when a value was not at hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ticket(u64);

impl<K: Copy + Eq + Hash + Ord, V: Clone + Pack<K>> Shelf<K, V> {
    /// Keeps about `limit` clean values, and about `open_limit` of all values open.
    pub(crate) fn new(limit: usize, open_limit: usize) -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Mutex::new(Shard::new())).collect(),
            shard_limit: (limit / SHARDS).max(1),
            open_limit: (open_limit / SHARDS).max(1),
        }
    }

    /// The value, or a ticket for [`put_loaded`](Self::put_loaded).
    pub(crate) fn look(&self, key: &K) -> Result<Arc<V>, Ticket> {
        let (mut shard, hash) = self.shard(key);
        let place = shard.find(hash, key).ok_or(Ticket(shard.generation))?;
        Ok(shard.open(place, self.open_limit).clone())
    }

    /// Puts a value that was read from the registers; `None` when what was read may be old by now.
    pub(crate) fn put_loaded(&self, key: K, value: V, ticket: Ticket) -> Option<Arc<V>> {
        let (mut shard, hash) = self.shard(&key);
        if let Some(place) = shard.find(hash, &key) {
            return Some(shard.open(place, self.open_limit).clone());
        }
        if Ticket(shard.generation) != ticket {
            return None;
        }
        let value = Arc::new(value);
        shard.make_room(self.shard_limit);
        shard.pack_old(self.open_limit);
        shard.insert(hash, key, value.clone());
        Some(value)
    }

    /// Keeps a value from being evicted until [`release`](Self::release); gives it, or a ticket.
    pub(crate) fn hold(&self, key: &K) -> Result<Arc<V>, Ticket> {
        let (mut shard, hash) = self.shard(key);
        let place = shard.find(hash, key).ok_or(Ticket(shard.generation))?;
        shard.slots[place].held = true;
        Ok(shard.open(place, self.open_limit).clone())
    }

    /// Ends a hold.
    pub(crate) fn release(&self, key: &K) {
        let (mut shard, hash) = self.shard(key);
        if let Some(place) = shard.find(hash, key) {
            shard.slots[place].held = false;
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
        let (mut shard, hash) = self.shard(key);
        let place = shard.find(hash, key)?;
        let value = shard.open(place, self.open_limit);
        if !fits(value) {
            return Some(false);
        }
        change(Arc::make_mut(value));
        let Shard { slots, dirty, .. } = &mut *shard;
        if !slots[place].dirty {
            slots[place].dirty = true;
            dirty.push(*key);
        }
        Some(true)
    }

    /// Changes what the registers already say; whoever read them before reads again.
    pub(crate) fn amend(&self, key: &K, change: impl FnOnce(&mut V)) {
        let (mut shard, hash) = self.shard(key);
        shard.generation += 1;
        if let Some(place) = shard.find(hash, key) {
            change(Arc::make_mut(shard.open(place, self.open_limit)));
        }
    }

    /// Takes the keys of everything dirty, in their order. None of it is evicted before [`saved`](Self::saved).
    pub(crate) fn take_dirty(&self) -> Vec<K> {
        let mut taken = Vec::new();
        for shard in &self.shards {
            let mut shard = lock(shard);
            for key in std::mem::take(&mut shard.dirty) {
                let Some(place) = shard.find(Folding.hash_one(key), &key) else { continue };
                let slot = &mut shard.slots[place];
                slot.dirty = false;
                slot.saving = true;
                taken.push(key);
            }
        }
        taken.sort_unstable();
        taken
    }

    /// Values that were taken, as they are now; what is packed stays so.
    pub(crate) fn values(&self, taken: &[K]) -> Vec<(K, Arc<V>)> {
        let value = |key: &K| {
            let (shard, hash) = self.shard(key);
            let place = shard.find(hash, key)?;
            match &shard.slots[place].value {
                Form::Open(value) => Some((*key, value.clone())),
                Form::Packed(bytes) => Some((*key, Arc::new(V::unpack(key, bytes)))),
                Form::None => None,
            }
        };
        taken.iter().filter_map(value).collect()
    }

    /// What was taken is in the registers now.
    pub(crate) fn saved(&self, taken: &[K]) {
        for key in taken {
            let (mut shard, hash) = self.shard(key);
            if let Some(place) = shard.find(hash, key) {
                shard.slots[place].saving = false;
            }
        }
    }

    /// The key's shard and hash. The index takes the hash's other end, so that a shard fills all of it.
    fn shard(&self, key: &K) -> (MutexGuard<'_, Shard<K, V>>, u64) {
        let hash = Folding.hash_one(key);
        (lock(&self.shards[(hash >> 32) as usize % SHARDS]), hash)
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.shards.iter().map(|s| lock(s).index.len()).sum()
    }

    #[cfg(test)]
    fn open_len(&self) -> usize {
        let open = |s: &Mutex<Shard<K, V>>| {
            lock(s).slots.iter().filter(|slot| matches!(slot.value, Form::Open(_))).count()
        };
        self.shards.iter().map(open).sum()
    }
}

impl<K: Copy + Eq + Hash, V: Clone + Pack<K>> Shard<K, V> {
    fn new() -> Self {
        Self {
            index: HashTable::new(),
            slots: Vec::new(),
            free: Vec::new(),
            open: VecDeque::new(),
            hand: 0,
            dirty: Vec::new(),
            generation: 0,
        }
    }

    fn find(&self, hash: u64, key: &K) -> Option<usize> {
        let found = self.index.find(hash, |place| self.slots[*place as usize].key == *key);
        found.map(|place| *place as usize)
    }

    /// The value of a slot, open.
    fn open(&mut self, place: usize, open_limit: usize) -> &mut Arc<V> {
        if matches!(self.slots[place].value, Form::Packed(_)) {
            // Before, so that it is not packed again itself.
            self.pack_old(open_limit);
            let slot = &mut self.slots[place];
            if let Form::Packed(bytes) = &slot.value {
                slot.value = Form::Open(Arc::new(V::unpack(&slot.key, bytes)));
                self.open.push_back(place as u32);
            }
        }
        let slot = &mut self.slots[place];
        slot.used = true;
        slot.touched = true;
        match &mut slot.value {
            Form::Open(value) => value,
            Form::Packed(_) | Form::None => {
                unreachable!("it was opened above, and what is indexed has a value")
            }
        }
    }

    fn insert(&mut self, hash: u64, key: K, value: Arc<V>) {
        let slot = Slot {
            key,
            value: Form::Open(value),
            dirty: false,
            saving: false,
            held: false,
            used: false,
            touched: true,
        };
        let place = match self.free.pop() {
            Some(place) => {
                self.slots[place as usize] = slot;
                place
            }
            None => {
                self.slots.push(slot);
                u32::try_from(self.slots.len() - 1).unwrap_or_else(|_| unreachable!("2^38 values of a shelf"))
            }
        };
        let Self { index, slots, .. } = self;
        index.insert_unique(hash, place, |place| Folding.hash_one(slots[*place as usize].key));
        if V::PACKS {
            self.open.push_back(place);
        }
    }

    /// Packs what was open longest and not used since it was last looked at.
    fn pack_old(&mut self, open_limit: usize) {
        let mut steps = 2 * EVICTION_STEPS;
        while self.open.len() >= open_limit && steps > 0 {
            steps -= 1;
            let Some(place) = self.open.pop_front() else { return };
            let slot = &mut self.slots[place as usize];
            let Form::Open(value) = &slot.value else { continue };
            if std::mem::take(&mut slot.touched) {
                self.open.push_back(place);
                continue;
            }
            slot.value = Form::Packed(value.pack());
        }
    }

    /// Second chance: what was used since the hand came by, and what may not go, is passed over.
    fn make_room(&mut self, limit: usize) {
        let mut evicted = 0;
        for _ in 0..EVICTION_STEPS {
            if self.index.len() < limit || evicted == EVICTIONS {
                return;
            }
            self.hand = (self.hand + 1) % self.slots.len().max(1);
            let Some(slot) = self.slots.get_mut(self.hand) else { return };
            let kept = slot.dirty || slot.saving || slot.held || std::mem::take(&mut slot.used);
            if kept || matches!(slot.value, Form::None) {
                continue;
            }
            slot.value = Form::None;
            let (hash, place) = (Folding.hash_one(slot.key), self.hand as u32);
            if let Ok(entry) = self.index.find_entry(hash, |found| *found == place) {
                entry.remove();
            }
            self.free.push(place);
            self.generation += 1;
            evicted += 1;
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Pack<u32> for u32 {
        const PACKS: bool = true;

        fn pack(&self) -> Box<[u8]> {
            Box::new(self.to_be_bytes())
        }

        fn unpack(_: &u32, bytes: &[u8]) -> Self {
            Self::from_be_bytes(bytes.try_into().unwrap())
        }
    }

    fn load(shelf: &Shelf<u32, u32>, key: u32, value: u32) -> Option<Arc<u32>> {
        match shelf.look(&key) {
            Ok(value) => Some(value),
            Err(ticket) => shelf.put_loaded(key, value, ticket),
        }
    }

    #[test]
    fn clean_values_are_bounded_and_dirty_ones_stay() {
        let shelf = Shelf::new(128, 64);
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
        assert!(taken.is_sorted());
        assert_eq!(taken.len(), 100);
    }

    #[test]
    fn a_row_read_before_an_eviction_is_read_again() {
        let shelf: Shelf<u32, u32> = Shelf::new(1, 64);
        let Err(before) = shelf.look(&7) else { panic!() };
        shelf.amend(&7, |_| ());
        assert!(shelf.put_loaded(7, 70, before).is_none());
        let Err(now) = shelf.look(&7) else { panic!() };
        assert_eq!(*shelf.put_loaded(7, 71, now).unwrap(), 71);
    }

    #[test]
    fn what_is_folded_while_it_is_saved_is_dirty_again() {
        let shelf = Shelf::new(64, 64);
        load(&shelf, 1, 0);
        shelf.fold(&1, |_| true, |v| *v = 1);
        let taken = shelf.take_dirty();
        let first = shelf.values(&taken);
        shelf.fold(&1, |_| true, |v| *v = 2);
        shelf.saved(&taken);
        assert_eq!(first, [(1, Arc::new(1))]);
        assert_eq!(shelf.values(&shelf.take_dirty()), [(1, Arc::new(2))]);
        assert!(shelf.take_dirty().is_empty());
    }

    #[test]
    fn a_held_value_is_not_evicted() {
        let shelf: Shelf<u32, u32> = Shelf::new(1, 64);
        load(&shelf, 1, 10);
        shelf.hold(&1).unwrap();
        for key in 2..500 {
            load(&shelf, key, 0);
        }
        assert_eq!(*shelf.look(&1).unwrap(), 10);
    }

    #[test]
    fn few_values_are_open_and_all_are_what_they_were() {
        let shelf = Shelf::new(100_000, 256);
        for key in 0..10_000 {
            load(&shelf, key, key);
            if key % 3 == 0 {
                shelf.fold(&key, |_| true, |v| *v += 7);
            }
        }
        assert!(shelf.open_len() < 600, "{}", shelf.open_len());
        assert_eq!(shelf.len(), 10_000);
        for key in 0..10_000 {
            assert_eq!(*shelf.look(&key).unwrap(), if key % 3 == 0 { key + 7 } else { key });
        }
        assert!(shelf.open_len() < 600, "{}", shelf.open_len());
        let taken = shelf.take_dirty();
        assert_eq!(taken.len(), 3_334);
        assert!(shelf.values(&taken).iter().all(|(key, value)| **value == key + 7));
    }

    #[test]
    fn a_shelf_that_grew_while_much_was_dirty_becomes_smaller_again() {
        let shelf = Shelf::new(640, 64);
        for key in 0..20_000 {
            load(&shelf, key, 0);
            shelf.fold(&key, |_| true, |v| *v = 1);
        }
        assert_eq!(shelf.len(), 20_000);
        shelf.saved(&shelf.take_dirty());
        for key in 20_000..120_000 {
            load(&shelf, key, 0);
        }
        // Not to its limit: one slot in eight is enough to find one at each step of the hand.
        assert!(shelf.len() < 4_000, "{}", shelf.len());
    }
}
