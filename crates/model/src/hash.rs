//! How nouns become places in a table: a multiplication with a secret of this process, a fifth of the cost of the standard
//! library's hash. Whoever chooses the keys (terminal and trace numbers come from outside) does not know the secret, and
//! cannot make them collide.

use std::{
    hash::{BuildHasher, Hasher, RandomState},
    sync::LazyLock,
};

/// The secret, made once.
static SECRET: LazyLock<Secret> = LazyLock::new(|| {
    let random = RandomState::new();
    Secret { one: random.hash_one(1_u8), other: random.hash_one(2_u8) }
});

#[derive(Debug, Clone, Copy)]
struct Secret {
    one: u64,
    other: u64,
}

/// Hashes with the secret; takes no place in a table.
#[derive(Debug, Clone, Copy, Default)]
pub struct Folding;

impl BuildHasher for Folding {
    type Hasher = Folded;

    fn build_hasher(&self) -> Folded {
        let secret = *SECRET;
        Folded { secret, state: secret.one }
    }
}

/// The product of both halves, each under its secret, folded to 64 bits.
#[derive(Debug)]
pub struct Folded {
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
        let (whole, rest) = bytes.as_chunks();
        for chunk in whole {
            self.write_u128(u128::from_le_bytes(*chunk));
        }
        if !rest.is_empty() {
            let mut packed = [0; 16];
            packed[..rest.len()].copy_from_slice(rest);
            self.write_u128(u128::from_le_bytes(packed));
        }
    }

    fn write_u8(&mut self, n: u8) {
        self.write_u128(u128::from(n));
    }

    fn write_u16(&mut self, n: u16) {
        self.write_u128(u128::from(n));
    }

    fn write_u32(&mut self, n: u32) {
        self.write_u128(u128::from(n));
    }

    fn write_u64(&mut self, n: u64) {
        self.write_u128(u128::from(n));
    }

    fn write_usize(&mut self, n: usize) {
        self.write_u128(n as u128);
    }

    fn finish(&self) -> u64 {
        self.state
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::{BatchNumber, Stan, TransactionKey};

    fn key(i: u32) -> TransactionKey {
        TransactionKey {
            terminal: format!("T{:07}", i / 10).parse().unwrap(),
            batch: BatchNumber::new(1).unwrap(),
            stan: Stan::new(i % 10).unwrap(),
            day: 0,
        }
    }

    #[test]
    fn similar_keys_are_spread_over_the_table() {
        let places: HashSet<u64> = (0..10_000).map(|i| Folding.hash_one(key(i)) & 0xfffff).collect();
        // ten thousand in a million places: some fifty meet by chance
        assert!(places.len() > 9_800, "{}", places.len());
        let tops: HashSet<u64> = (0..10_000).map(|i| Folding.hash_one(key(i)) >> 44).collect();
        assert!(tops.len() > 9_800, "{}", tops.len());
    }

    #[test]
    fn each_part_of_a_key_counts() {
        let one = key(7);
        let others = [
            TransactionKey { terminal: "T0000001".parse().unwrap(), ..one },
            TransactionKey { batch: BatchNumber::new(2).unwrap(), ..one },
            TransactionKey { stan: Stan::new(8).unwrap(), ..one },
            TransactionKey { day: 1122, ..one },
        ];
        let hashes: HashSet<u64> = others.iter().chain([&one]).map(|key| Folding.hash_one(key)).collect();
        assert_eq!(hashes.len(), 5);
        // whole blocks and what is left of one
        let texts: HashSet<u64> = (0..64).map(|n| Folding.hash_one("x".repeat(n))).collect();
        assert_eq!(texts.len(), 64);
    }
}
