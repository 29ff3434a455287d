//! The fuzz corpus, replayed: what the fuzz targets start from, and every input that once found a bug.
#![allow(clippy::disallowed_methods, reason = "the crate reads no files; its tests do")]

use std::{fs, path::Path};

use risk::fuzzing;

fn replay(target: &str, check: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target);
    let entries: Vec<_> = fs::read_dir(&folder).expect("a corpus folder").collect();
    assert!(!entries.is_empty(), "{target} has a corpus");
    for entry in entries {
        let input = fs::read(entry.expect("an entry").path()).expect("a file");
        check(&input);
        // and what is near it: cut short, one byte away
        for place in (0..input.len()).step_by(1 + input.len() / 60) {
            check(&input[..place]);
            let mut near = input.clone();
            near[place] ^= 1 << (place % 7);
            check(&near);
        }
    }
}

#[test]
fn condition() {
    replay("condition", fuzzing::condition);
}

#[test]
fn rule_set() {
    replay("rule_set", fuzzing::rule_set);
}
