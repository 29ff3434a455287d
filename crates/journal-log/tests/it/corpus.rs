//! The fuzz corpus, replayed: what the fuzz target starts from, and every input that once found a bug.

use std::{fs, path::Path};

use journal_log::fuzzing::{sample, segment};
use proptest::prelude::*;

#[test]
fn every_input_of_the_corpus() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/journal_segment");
    let mut inputs = 0;
    for file in fs::read_dir(folder).unwrap() {
        segment(&fs::read(file.unwrap().path()).unwrap());
        inputs += 1;
    }
    assert!(inputs >= 5, "{inputs}");
}

/// The seeds are what [`sample`] makes; `cargo test -p journal-log -- --ignored seeds` writes them again.
#[test]
#[ignore = "writes files into the source tree"]
fn seeds() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/journal_segment");
    fs::create_dir_all(&folder).unwrap();
    let seeds: [(&str, &[u32], bool); 4] = [
        ("one", &[1], false),
        ("closed", &[2, 3], true),
        ("groups", &[1, 7, 2], false),
        ("empty", &[], false),
    ];
    for (name, groups, closed) in seeds {
        fs::write(folder.join(name), sample(7, groups, closed)).unwrap();
    }
    let mut hole = sample(7, &[3, 3, 3], true);
    hole[120..200].fill(0);
    fs::write(folder.join("hole"), hole).unwrap();
}

proptest! {
    #[test]
    fn any_bytes(data in prop::collection::vec(any::<u8>(), 0..4000)) {
        segment(&data);
    }

    #[test]
    fn records_with_some_bytes_changed(
        groups in prop::collection::vec(1..9u32, 0..8),
        closed: bool,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
    ) {
        let mut data = sample(99, &groups, closed);
        for (at, byte) in changes {
            let at = at.index(data.len());
            data[at] = byte;
        }
        segment(&data);
    }
}
