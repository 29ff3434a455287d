//! The corpus of the fuzz target for replies, without a fuzzer.

use std::{
    fs,
    path::{Path, PathBuf},
};

use hsm::payshield::fuzzing;
use proptest::{collection::vec, prelude::*};

fn corpus() -> Vec<Vec<u8>> {
    let folder: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/payshield_reply");
    let entries = fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    entries.map(|entry| fs::read(entry.unwrap().path()).unwrap()).collect()
}

#[test]
fn the_corpus_of_replies_holds() {
    let corpus = corpus();
    for data in &corpus {
        fuzzing::reply(data);
        // Every entry also as an answer to every other question.
        for choice in 0..26 {
            let mut other = data.clone();
            if let Some(first) = other.first_mut() {
                *first = choice;
            }
            fuzzing::reply(&other);
        }
    }
    assert!(corpus.len() >= 20, "{} entries", corpus.len());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn damaged_entries_hold_too(
        entry in any::<prop::sample::Index>(),
        places in vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cut in any::<prop::sample::Index>(),
        more in vec(any::<u8>(), 0..8),
    ) {
        let corpus = corpus();
        let mut data = corpus[entry.index(corpus.len())].clone();
        for (place, value) in places {
            let at = place.index(data.len());
            data[at] = value;
        }
        data.truncate(1 + cut.index(data.len()));
        data.extend(more);
        fuzzing::reply(&data);
    }
}
