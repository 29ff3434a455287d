//! RFC 6962's tree: roots of the eight entries that implementations of Certificate Transparency test with, and proofs
//! against the definitions as the RFC writes them.

use audit::tree::{Hash, Tree, is_consistent, is_included, leaf};
use proptest::prelude::*;
use sha2::{Digest, Sha256};

const ENTRIES: [&str; 8] =
    ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];
const ROOTS: [&str; 8] = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

fn bytes(hex: &str) -> Vec<u8> {
    hex::decode(hex).unwrap()
}

#[test]
fn the_roots_are_those_of_certificate_transparency() {
    let mut tree = Tree::default();
    assert_eq!(tree.root(), Hash(Sha256::digest([]).into()));
    for (entry, root) in ENTRIES.iter().zip(ROOTS) {
        tree.push(leaf(&bytes(entry)));
        assert_eq!(tree.root().to_string(), root);
    }
    for (index, root) in ROOTS.iter().enumerate() {
        assert_eq!(tree.root_at(index + 1), Some(root.parse().unwrap()), "the tree as it was");
    }
    assert_eq!(tree.root_at(9), None);
}

/// MTH as the RFC defines it, by recursion over the entries.
fn definition(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => Hash(Sha256::digest([]).into()),
        [one] => *one,
        many => {
            let k = many.len().next_power_of_two() / 2;
            let (left, right) = (definition(&many[..k]), definition(&many[k..]));
            Hash(Sha256::new().chain_update([1]).chain_update(left.0).chain_update(right.0).finalize().into())
        }
    }
}

#[test]
fn every_proof_of_every_small_tree_holds_and_no_other_does() {
    let leaves: Vec<Hash> = (0_u8..40).map(|n| leaf(&[n])).collect();
    let tree: Tree = leaves.iter().copied().collect();
    for size in 1..=leaves.len() {
        let root = tree.root_at(size).unwrap();
        assert_eq!(root, definition(&leaves[..size]));
        for (index, entry) in leaves[..size].iter().copied().enumerate() {
            let path = tree.inclusion(index, size).unwrap();
            assert!(is_included(entry, index, size, &path, root), "{index} of {size}");
            assert!(!is_included(leaf(b"other"), index, size, &path, root));
            for other in (0..size).filter(|o| *o != index) {
                assert!(!is_included(entry, other, size, &path, root), "{index} as {other} of {size}");
            }
            let longer: Vec<Hash> = path.iter().copied().chain([root]).collect();
            assert!(!is_included(entry, index, size, &longer, root));
        }
        for earlier in 0..=size {
            let old = tree.root_at(earlier).unwrap();
            let path = tree.consistency(earlier, size).unwrap();
            assert!(is_consistent((earlier, old), (size, root), &path), "{earlier} to {size}");
            if earlier > 0 && earlier < size {
                assert!(!is_consistent((earlier, leaf(b"other")), (size, root), &path));
                assert!(!is_consistent((earlier, old), (size, leaf(b"other")), &path));
                assert!(!is_consistent((earlier, old), (size, root), &path[1..]), "{earlier} to {size}");
            }
        }
    }
    assert_eq!(tree.inclusion(40, 40), None);
    assert_eq!(tree.inclusion(0, 41), None);
    assert_eq!(tree.consistency(3, 2), None);
}

proptest! {
    #[test]
    fn a_changed_proof_proves_nothing(size in 2_usize..200, index in 0_usize..200, at in 0_usize..8, bit in 0_usize..256) {
        let index = index % size;
        let tree: Tree = (0..size).map(|n| leaf(&n.to_be_bytes())).collect();
        let mut path = tree.inclusion(index, size).unwrap();
        let at = at % path.len();
        path[at].0[bit / 8] ^= 1 << (bit % 8);
        prop_assert!(!is_included(tree.leaf(index).unwrap(), index, size, &path, tree.root()));
    }
}
