//! The Merkle tree of RFC 6962, clause 2.1: leaf and node hashes with prefixes of their own, so that no node can be passed
//! off as a leaf; proofs that an entry is in a tree, and that one tree begins as another did.

use std::fmt;

use sha2::{Digest, Sha256};

/// A SHA-256 value.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Hash(pub [u8; 32]);

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::str::FromStr for Hash {
    type Err = NotAHash;

    fn from_str(text: &str) -> Result<Self, NotAHash> {
        let mut bytes = [0; 32];
        let (pairs, []) = text.as_bytes().as_chunks::<2>() else { return Err(NotAHash) };
        if pairs.len() != bytes.len() {
            return Err(NotAHash);
        }
        for (byte, pair) in bytes.iter_mut().zip(pairs) {
            let digit = |c: u8| char::from(c).to_digit(16).ok_or(NotAHash);
            *byte = u8::try_from(digit(pair[0])? * 16 + digit(pair[1])?).map_err(|_| NotAHash)?;
        }
        Ok(Self(bytes))
    }
}

/// Not 64 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a hash: 64 hexadecimal digits were expected")]
pub struct NotAHash;

/// MTH of one entry: SHA-256(0x00 || entry).
#[must_use]
pub fn leaf(entry: &[u8]) -> Hash {
    Hash(Sha256::new().chain_update([0]).chain_update(entry).finalize().into())
}

/// SHA-256(0x01 || left || right).
fn node(left: Hash, right: Hash) -> Hash {
    Hash(Sha256::new().chain_update([1]).chain_update(left.0).chain_update(right.0).finalize().into())
}

/// The largest power of two smaller than `n`, for `n` above 1.
fn split(n: usize) -> usize {
    1 << (usize::BITS - 1 - (n - 1).leading_zeros())
}

/// All leaves of a log, with the hashes of its complete subtrees: a root or a proof costs a logarithm of hashes.
#[derive(Debug, Clone, Default)]
pub struct Tree {
    /// `levels[k][i]` is the hash of the complete subtree over leaves `i * 2^k .. (i + 1) * 2^k`.
    levels: Vec<Vec<Hash>>,
}

impl Tree {
    /// The number of entries.
    #[must_use]
    pub fn len(&self) -> usize {
        self.levels.first().map_or(0, Vec::len)
    }

    /// Has it none?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Appends one entry and returns its index.
    pub fn push(&mut self, leaf: Hash) -> usize {
        let index = self.len();
        let mut carried = leaf;
        let mut level = 0;
        loop {
            if level == self.levels.len() {
                self.levels.push(Vec::new());
            }
            let row = &mut self.levels[level];
            row.push(carried);
            let [.., left, right] = row.as_slice() else { return index };
            if row.len() % 2 == 1 {
                return index;
            }
            carried = node(*left, *right);
            level += 1;
        }
    }

    /// The hash of an entry.
    #[must_use]
    pub fn leaf(&self, index: usize) -> Option<Hash> {
        self.levels.first()?.get(index).copied()
    }

    /// The root of the tree over the first `size` entries; `None` if it never had so many. The empty tree's root is the
    /// hash of nothing.
    #[must_use]
    pub fn root_at(&self, size: usize) -> Option<Hash> {
        if size == 0 {
            return Some(Hash(Sha256::digest([]).into()));
        }
        (size <= self.len()).then(|| self.range(0, size))
    }

    /// The root over all entries.
    #[must_use]
    pub fn root(&self) -> Hash {
        self.root_at(self.len()).unwrap_or_else(|| Hash(Sha256::digest([]).into()))
    }

    /// The hash over `len` leaves from `start`; `start` is a multiple of a power of two that is at least `len`.
    fn range(&self, start: usize, len: usize) -> Hash {
        if len.is_power_of_two() {
            let level = len.trailing_zeros() as usize;
            return self.levels[level][start >> level];
        }
        let left = split(len);
        node(self.range(start, left), self.range(start + left, len - left))
    }

    /// The audit path of entry `index` in the tree of `size` entries (RFC 6962, 2.1.1).
    #[must_use]
    pub fn inclusion(&self, index: usize, size: usize) -> Option<Vec<Hash>> {
        if index >= size || size > self.len() {
            return None;
        }
        let mut path = Vec::new();
        let (mut start, mut len, mut at) = (0, size, index);
        while len > 1 {
            let left = split(len);
            if at < left {
                path.push(self.range(start + left, len - left));
                len = left;
            } else {
                path.push(self.range(start, left));
                (start, len, at) = (start + left, len - left, at - left);
            }
        }
        path.reverse();
        Some(path)
    }

    /// The proof that the tree of `size` entries begins with the tree of `earlier` entries (RFC 6962, 2.1.2). Empty when they
    /// are the same, or the earlier one was empty.
    #[must_use]
    pub fn consistency(&self, earlier: usize, size: usize) -> Option<Vec<Hash>> {
        if earlier > size || size > self.len() {
            return None;
        }
        let mut path = Vec::new();
        if earlier == 0 || earlier == size {
            return Some(path);
        }
        let (mut start, mut len, mut old, mut whole) = (0, size, earlier, true);
        while old != len {
            let left = split(len);
            if old <= left {
                path.push(self.range(start + left, len - left));
                len = left;
            } else {
                path.push(self.range(start, left));
                (start, len, old, whole) = (start + left, len - left, old - left, false);
            }
        }
        if !whole {
            path.push(self.range(start, len));
        }
        path.reverse();
        Some(path)
    }
}

impl FromIterator<Hash> for Tree {
    fn from_iter<I: IntoIterator<Item = Hash>>(leaves: I) -> Self {
        let mut tree = Self::default();
        for leaf in leaves {
            tree.push(leaf);
        }
        tree
    }
}

/// Is the entry with this leaf hash at `index` of the tree of `size` entries with this root? (RFC 9162, 2.1.3.2)
#[must_use]
pub fn is_included(leaf: Hash, index: usize, size: usize, path: &[Hash], root: Hash) -> bool {
    if index >= size {
        return false;
    }
    let (mut node_at, mut last, mut hash) = (index, size - 1, leaf);
    for sibling in path {
        if last == 0 {
            return false;
        }
        if node_at % 2 == 1 || node_at == last {
            hash = node(*sibling, hash);
            while node_at % 2 == 0 && node_at != 0 {
                (node_at, last) = (node_at / 2, last / 2);
            }
        } else {
            hash = node(hash, *sibling);
        }
        (node_at, last) = (node_at / 2, last / 2);
    }
    last == 0 && hash == root
}

/// Does the tree of `size` entries begin with the tree of `earlier` entries? (RFC 9162, 2.1.4.2)
#[must_use]
pub fn is_consistent(earlier: (usize, Hash), later: (usize, Hash), path: &[Hash]) -> bool {
    let ((old_size, old_root), (size, root)) = (earlier, later);
    if old_size > size {
        return false;
    }
    if old_size == size {
        return path.is_empty() && old_root == root;
    }
    if old_size == 0 {
        return path.is_empty();
    }
    let mut path = path.iter().copied();
    let first = if old_size.is_power_of_two() { Some(old_root) } else { path.next() };
    let Some(first) = first else { return false };
    let (mut at, mut last) = (old_size - 1, size - 1);
    while at % 2 == 1 {
        (at, last) = (at / 2, last / 2);
    }
    let (mut old, mut new) = (first, first);
    for sibling in path {
        if last == 0 {
            return false;
        }
        if at % 2 == 1 || at == last {
            (old, new) = (node(sibling, old), node(sibling, new));
            while at % 2 == 0 && at != 0 {
                (at, last) = (at / 2, last / 2);
            }
        } else {
            new = node(new, sibling);
        }
        (at, last) = (at / 2, last / 2);
    }
    last == 0 && old == old_root && new == root
}
