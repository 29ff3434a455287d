//! How keys become places in a table: a multiplication with a secret of this process, a third of the cost of the standard
//! library's hash. Keys are sixteen bytes already; whoever chooses them (terminal and card numbers come from outside) does not
//! know the secret, and cannot make them collide.

use std::{
    hash::{BuildHasher, Hasher, RandomState},
    sync::LazyLock,
};

/// The secret, made once.
static SECRET: LazyLock<Secret> = LazyLock::new(|| {
    let random = RandomState::new();
    Secret { one: random.hash_one(1_u8), other: random.hash_one(2_u8) }
});

#[derive(Clone, Copy)]
struct Secret {
    one: u64,
    other: u64,
}

/// Hashes with the secret; takes no place in a table.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Folding;

impl BuildHasher for Folding {
    type Hasher = Folded;

    fn build_hasher(&self) -> Folded {
        let secret = *SECRET;
        Folded { secret, state: secret.one }
    }
}

/// The product of both halves, each under its secret, folded to 64 bits.
pub(super) struct Folded {
    secret: Secret,
    state: u64,
}

impl Hasher for Folded {
    fn write_u128(&mut self, key: u128) {
        let (low, high) = (key as u64 ^ self.state, (key >> 64) as u64 ^ self.secret.other);
        let product = u128::from(low).wrapping_mul(u128::from(high));
        let once = product as u64 ^ (product >> 64) as u64;
        // once more: a half that meets its secret makes a product of nothing
        let again =
            u128::from(once ^ low.rotate_left(32) ^ high).wrapping_mul(u128::from(self.secret.one | 1));
        self.state = again as u64 ^ (again >> 64) as u64;
    }

    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(16) {
            let mut packed = [0; 16];
            packed[..chunk.len()].copy_from_slice(chunk);
            self.write_u128(u128::from_le_bytes(packed));
        }
    }

    fn finish(&self) -> u64 {
        self.state
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::key::Key;

    #[test]
    fn similar_keys_are_spread_over_the_table() {
        let hash = Folding;
        let places: HashSet<u64> =
            (0..10_000).map(|i| hash.hash_one(Key::text(&format!("T{i:07}"))) & 0xfffff).collect();
        // ten thousand in a million places: some fifty meet by chance
        assert!(places.len() > 9_800, "{}", places.len());
        let tops: HashSet<u64> =
            (0..10_000).map(|i| hash.hash_one(Key::text(&format!("T{i:07}"))) >> 44).collect();
        assert!(tops.len() > 9_800, "{}", tops.len());
    }
}
