//! The fuzz corpus, replayed: what the fuzz targets start from, and every input that once found a bug.

use iso8583::fuzzing;
use std::path::Path;

#[allow(clippy::disallowed_methods, reason = "the crate reads no files; its tests do")]
fn replay(target: &str, check: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target);
    let entries: Vec<_> = std::fs::read_dir(&folder).expect("a corpus folder").collect();
    assert!(!entries.is_empty(), "{target} has a corpus");
    for entry in entries {
        check(&std::fs::read(entry.expect("an entry").path()).expect("a file"));
    }
}

#[test]
fn frame() {
    replay("frame", fuzzing::frame);
}

#[test]
fn message() {
    replay("message", fuzzing::message);
}

#[test]
fn tlv() {
    replay("tlv", fuzzing::tlv);
}

#[test]
fn spec() {
    replay("spec", fuzzing::spec);
}

#[test]
fn sanitize() {
    replay("sanitize", fuzzing::sanitize);
}
