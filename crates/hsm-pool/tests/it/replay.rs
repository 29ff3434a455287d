//! The corpus of the fuzz target for replies, without a fuzzer.

use std::{fs, path::Path};

#[test]
fn the_corpus_of_replies_holds() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/payshield_reply");
    let mut count = 0;
    for entry in fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display())) {
        let path = entry.unwrap().path();
        let data = fs::read(&path).unwrap();
        // Every entry also as an answer to every other question.
        for choice in 0..26 {
            let mut other = data.clone();
            if let Some(first) = other.first_mut() {
                *first = choice;
            }
            hsm::payshield::fuzzing::reply(&other);
        }
        hsm::payshield::fuzzing::reply(&data);
        count += 1;
    }
    assert!(count >= 20, "{count} entries");
}
