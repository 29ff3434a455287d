//! An export as it was written verifies; any change of it is found, and the first bad entry is named.

use audit::{
    Record, Signer, Tree,
    checkpoint::{CheckpointError, Verifier},
    export::{Tampered, Trusted, verify, write_checkpoint, write_header, write_record},
    record::{NO_RECORD, Outcome},
};
use model::Timestamp;
use proptest::prelude::*;

const ORIGIN: &str = "pinward.example/audit";

fn signer() -> Signer {
    Signer::new(ORIGIN, &[7; 32]).unwrap()
}

/// A log of `n` records with a checkpoint after every `each`, and the notes of its checkpoints.
fn log(n: u64, each: u64) -> (Vec<String>, Vec<String>) {
    let (mut lines, mut notes) = (Vec::new(), Vec::new());
    let mut head = Vec::new();
    write_header(&mut head, &signer().verifier()).unwrap();
    lines.push(String::from_utf8(head).unwrap());
    let (mut tree, mut previous) = (Tree::default(), NO_RECORD);
    for index in 0..n {
        let record = Record {
            index,
            at: Timestamp(1_700_000_000_000 + i64::try_from(index).unwrap()),
            actor: "li.na".into(),
            roles: vec!["agent".into()],
            session: Some("s1".into()),
            action: "card.view".into(),
            object: Some(format!("card:{index:032x}")),
            why: Some("caller asked, 客户来电".into()),
            outcome: Outcome::Done,
            details: None,
            previous,
        };
        let line = record.line().unwrap();
        previous = Record::hash(&line);
        tree.push(previous);
        let mut out = Vec::new();
        write_record(&mut out, &line).unwrap();
        lines.push(String::from_utf8(out).unwrap());
        if (index + 1) % each == 0 || index + 1 == n {
            let note = signer().sign(index + 1, tree.root());
            let mut out = Vec::new();
            write_checkpoint(&mut out, &note).unwrap();
            lines.push(String::from_utf8(out).unwrap());
            notes.push(note);
        }
    }
    (lines, notes)
}

fn check(lines: &[String], trusted: &Trusted) -> Result<u64, String> {
    verify(lines.concat().as_bytes(), trusted).map(|report| report.records).map_err(|bad| bad.to_string())
}

fn trusted() -> Trusted {
    Trusted { key: Some(signer().verifier()), checkpoint: None }
}

#[test]
fn an_export_as_it_was_written_verifies() {
    for n in [0, 1, 2, 7, 20] {
        assert_eq!(check(&log(n, 5).0, &trusted()), Ok(n));
    }
}

#[test]
fn a_changed_record_is_named() {
    for (victim, each) in [(3, 5), (4, 5), (9, 5), (0, 1)] {
        let (mut lines, _) = log(10, each);
        let line = lines.iter_mut().find(|l| l.contains(&format!("\"index\":{victim},"))).unwrap();
        *line = line.replace("li.na", "nobody");
        assert_eq!(check(&lines, &trusted()), Err(format!("entry {victim} was changed")));
    }
}

#[test]
fn a_missing_a_moved_and_a_repeated_record_are_named() {
    let (lines, _) = log(10, 10);
    let at = |n: u64| lines.iter().position(|l| l.contains(&format!("\"index\":{n},"))).unwrap();
    let mut missing = lines.clone();
    missing.remove(at(4));
    assert_eq!(check(&missing, &trusted()), Err("line 6: entry 5 stands where entry 4 belongs".into()));
    let mut moved = lines.clone();
    moved.swap(at(4), at(5));
    assert_eq!(check(&moved, &trusted()), Err("line 6: entry 5 stands where entry 4 belongs".into()));
    let mut twice = lines.clone();
    twice.insert(at(4), lines[at(4)].clone());
    assert_eq!(check(&twice, &trusted()), Err("line 7: entry 4 stands where entry 5 belongs".into()));
}

#[test]
fn a_cut_end_is_found() {
    let (lines, notes) = log(10, 4);
    let cut = &lines[..lines.len() - 1];
    assert!(check(cut, &trusted()).unwrap_err().contains("entry 8 and what follows"));
    // Cut just behind a checkpoint the rest is in order by itself: only who has seen more can tell.
    let clean: Vec<String> = lines[..=5].to_vec();
    assert_eq!(check(&clean, &trusted()), Ok(4));
    let seen = Trusted { checkpoint: notes.last().cloned(), ..trusted() };
    assert!(check(&clean, &seen).unwrap_err().contains("entry 4 and what follows"));
    assert_eq!(check(&lines, &Trusted { checkpoint: notes.first().cloned(), ..trusted() }), Ok(10));
}

#[test]
fn a_rewritten_log_does_not_fit_an_earlier_checkpoint() {
    let (lines, _) = log(6, 6);
    let other = signer().sign(3, audit::tree::leaf(b"another story"));
    let seen = Trusted { checkpoint: Some(other), ..trusted() };
    assert!(check(&lines, &seen).unwrap_err().contains("entry 2 or one before it"));
}

/// What the verifier that stands in docs/reference, which shares no line with this crate, says of an export.
fn independent(lines: &[String], key: &Verifier) -> (bool, String) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("audit.jsonl");
    std::fs::write(&file, lines.concat()).unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference/verify_audit.py");
    let said = std::process::Command::new("python3").arg(script).arg(&file).arg(key.text()).output().unwrap();
    let text = if said.status.success() { said.stdout } else { said.stderr };
    (said.status.success(), String::from_utf8(text).unwrap().trim_end().to_owned())
}

#[test]
fn the_independent_verifier_says_the_same() {
    let key = signer().verifier();
    let (lines, _) = log(13, 4);
    let root = verify(lines.concat().as_bytes(), &trusted()).unwrap().root;
    assert_eq!(independent(&lines, &key), (true, format!("13 records, root {root}: in order")));
    let changed: Vec<String> = lines.iter().map(|l| l.replace("\"index\":6,", "\"index\": 6,")).collect();
    assert_eq!(check(&changed, &trusted()), Err("entry 6 was changed".into()));
    assert_eq!(independent(&changed, &key), (false, "entry 6 was changed".into()));
    let cut = &lines[..lines.len() - 1];
    assert!(independent(cut, &key).1.contains("entry 12 and what follows is not covered"));
    let other = Signer::new(ORIGIN, &[8; 32]).unwrap().verifier();
    assert_eq!(independent(&lines, &other), (false, "the export is signed by another key".into()));
    let note = signer().sign(13, audit::tree::leaf(b"another root"));
    let mut forged = Vec::new();
    write_checkpoint(&mut forged, &note.replace("\n13\n", "\n12\n")).unwrap();
    let forged: Vec<String> = lines.iter().cloned().chain([String::from_utf8(forged).unwrap()]).collect();
    assert_eq!(independent(&forged, &key), (false, "the signature after entry 12 is wrong".into()));
}

#[test]
fn another_signer_is_not_believed() {
    let (lines, _) = log(3, 3);
    let other = Signer::new(ORIGIN, &[8; 32]).unwrap().verifier();
    let trusted = Trusted { key: Some(other.clone()), checkpoint: None };
    assert!(matches!(verify(lines.concat().as_bytes(), &trusted), Err(Tampered::OtherKey { .. })));
    let note = signer().sign(0, NO_RECORD);
    assert_eq!(other.open(&note), Err(CheckpointError::OtherSigner(ORIGIN.into())));
    let forged = note.replace("\n0\n", "\n1\n");
    assert_eq!(signer().verifier().open(&forged), Err(CheckpointError::BadSignature(ORIGIN.into())));
}

#[test]
fn a_key_survives_its_text() {
    let key = signer().verifier();
    assert_eq!(Verifier::read(&key.text()), Ok(key.clone()));
    assert!(Verifier::read(&key.text().replace("pinward", "pinword")).is_err(), "its id fits no other name");
    assert!(Signer::new("two words", &[7; 32]).is_err());
    assert!(Signer::new(ORIGIN, &[7; 31]).is_err());
}

proptest! {
    #[test]
    fn no_change_of_any_byte_goes_unnoticed(at in 0_usize..10_000, to in any::<u8>()) {
        let (lines, _) = log(6, 2);
        let mut bytes = lines.concat().into_bytes();
        let at = at % bytes.len();
        prop_assume!(bytes[at] != to);
        bytes[at] = to;
        // The head only names the key: what it says beside is not part of the log.
        prop_assert!(verify(bytes.as_slice(), &trusted()).is_err(), "byte {at}");
    }

    #[test]
    fn nonsense_is_refused(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(verify(bytes.as_slice(), &Trusted::default()).is_err());
    }
}
