//! Memory with an end: a map that keeps what was used lately and forgets the rest, the same way on every run.
//!
//! Two generations: new and used entries are in the young one; when it is full it becomes the old one, and what was old is
//! forgotten. So a map of `limit` holds between half the limit and the limit, a look-up costs at most two hashes, and
//! nothing depends on the order in which a hash map is walked.

use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hash, Hasher},
};

/// A quick hash for keys that nobody outside can choose to collide in bulk: keyed digests, small numbers, identifiers of
/// registered terminals. (Multiply and rotate, as rustc's own tables do; SipHash was a third of an observation's cost.)
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Quick(u64);

impl Hasher for Quick {
    fn finish(&self) -> u64 {
        // the map takes the upper bits for its tags and the lower for the place
        self.0 ^ (self.0 >> 32)
    }

    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.write_u64(u64::from_le_bytes(word));
        }
    }

    fn write_u8(&mut self, n: u8) {
        self.write_u64(u64::from(n));
    }

    fn write_u32(&mut self, n: u32) {
        self.write_u64(u64::from(n));
    }

    fn write_u64(&mut self, n: u64) {
        self.0 = (self.0.rotate_left(5) ^ n).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }

    fn write_usize(&mut self, n: usize) {
        self.write_u64(n as u64);
    }

    fn write_isize(&mut self, n: isize) {
        self.write_u64(n as u64);
    }
}

pub(crate) type QuickMap<K, V> = HashMap<K, V, BuildHasherDefault<Quick>>;
pub(crate) type QuickSet<K> = std::collections::HashSet<K, BuildHasherDefault<Quick>>;

/// A map that forgets what was not used lately.
#[derive(Debug)]
pub(crate) struct Remembered<K, V> {
    young: QuickMap<K, V>,
    old: QuickMap<K, V>,
    half: usize,
}

impl<K: Eq + Hash + Copy, V> Remembered<K, V> {
    pub(crate) fn new(limit: usize) -> Self {
        Self { young: QuickMap::default(), old: QuickMap::default(), half: (limit / 2).max(1) }
    }

    /// The entry, made young; a new one if it is not known.
    pub(crate) fn entry(&mut self, key: K, new: impl FnOnce() -> V) -> &mut V {
        if !self.young.contains_key(&key) && self.young.len() >= self.half {
            self.old = std::mem::replace(&mut self.young, std::mem::take(&mut self.old));
            // `young` holds what was old for a moment: what was asked for is saved from it, the rest is forgotten
            let kept = self.young.remove(&key);
            self.young.clear();
            if let Some(value) = kept {
                self.old.insert(key, value);
            }
        }
        let old = &mut self.old;
        self.young.entry(key).or_insert_with(|| old.remove(&key).unwrap_or_else(new))
    }

    pub(crate) fn get(&self, key: &K) -> Option<&V> {
        self.young.get(key).or_else(|| self.old.get(key))
    }

    pub(crate) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        self.young.get_mut(key).or_else(|| self.old.get_mut(key))
    }

    pub(crate) fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_used_stays_and_the_rest_is_forgotten() {
        let mut map = Remembered::new(20);
        for n in 0..1000_u32 {
            *map.entry(n, || 0) += 1;
            *map.entry(7, || 0) += 1;
            assert!(map.len() <= 20);
        }
        assert_eq!(map.get(&7), Some(&1001));
        assert_eq!(map.get(&500), None);
        assert_eq!(map.get_mut(&999), Some(&mut 1));
    }
}
