//! Whatever happens to the files, an opened log has the entries that it had, up to some place; and it does not open with
//! less than what was durable before the last group was written.

use std::{
    fs::{self, File},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use journal_log::LogError;
use proptest::prelude::*;

use crate::world::*;

/// What happens to a file.
#[derive(Debug, Clone)]
enum Damage {
    /// Some bits are others.
    Flip { at: u64, mask: u8 },
    /// A block is zero again.
    Zero { at: u64, len: u64 },
    /// A block is full of something.
    Fill { at: u64, len: u64, with: u8 },
    /// A block of the file stands where another should.
    Move { from: u64, to: u64, len: u64 },
    /// It ends early.
    Truncate { at: u64 },
}

/// Where records are, in bytes from the first; the test takes it modulo what is used.
fn damage() -> impl Strategy<Value = Damage> {
    let place = 0..200_000u64;
    prop_oneof![
        4 => (place.clone(), 1..=255u8).prop_map(|(at, mask)| Damage::Flip { at, mask }),
        4 => (place.clone(), 1..5000u64).prop_map(|(at, len)| Damage::Zero { at, len }),
        2 => (place.clone(), 1..5000u64, 1..=255u8).prop_map(|(at, len, with)| Damage::Fill { at, len, with }),
        2 => (place.clone(), place.clone(), 1..3000u64)
            .prop_map(|(from, to, len)| Damage::Move { from: from / 8 * 8, to: to / 8 * 8, len }),
        1 => place.prop_map(|at| Damage::Truncate { at }),
    ]
}

/// No record of these tests is longer.
const LONGEST: u64 = 740;

impl Damage {
    /// Behind the last byte that it changes, counted from the first record.
    fn end(&self, used: u64) -> u64 {
        let (at, len) = match *self {
            Self::Flip { at, .. } => (at, 1),
            Self::Zero { at, len } | Self::Fill { at, len, .. } => (at, len),
            Self::Move { to, len, .. } => (to, len),
            Self::Truncate { at } => (at, u64::from(u32::MAX)),
        };
        at % used.max(1) + len
    }

    fn apply(&self, path: &Path, used: u64) {
        let file = File::options().read(true).write(true).open(path).unwrap();
        let size = file.metadata().unwrap().len();
        // One that was truncated before may have nothing there.
        let place = |at: u64| (START + at % used.max(1)).min(size.saturating_sub(1));
        let clip = |at: u64, len: u64| usize::try_from(len.min(size - at)).unwrap();
        match *self {
            Self::Flip { at, mask } => {
                let mut byte = [0];
                file.read_exact_at(&mut byte, place(at)).unwrap();
                file.write_all_at(&[byte[0] ^ mask], place(at)).unwrap();
            }
            Self::Zero { at, len } => file.write_all_at(&vec![0; clip(place(at), len)], place(at)).unwrap(),
            Self::Fill { at, len, with } => {
                file.write_all_at(&vec![with; clip(place(at), len)], place(at)).unwrap();
            }
            Self::Move { from, to, len } => {
                let mut bytes = vec![0; clip(place(from).max(place(to)), len)];
                file.read_exact_at(&mut bytes, place(from)).unwrap();
                file.write_all_at(&bytes, place(to)).unwrap();
            }
            Self::Truncate { at } => file.set_len(place(at)).unwrap(),
        }
    }
}

const START: u64 = 4096;

/// The newest segment that has records, and bytes used in it.
fn newest(dir: &Path) -> (PathBuf, u64) {
    let mut files: Vec<_> = fs::read_dir(dir).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    for path in files.into_iter().rev().filter(|path| path.extension().is_some_and(|e| e == "seg")) {
        let bytes = fs::read(&path).unwrap();
        if let Some(last) = bytes[START as usize..].iter().rposition(|byte| *byte != 0) {
            return (path, last as u64 + 1);
        }
    }
    panic!("no records in {}", dir.display());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 120, ..ProptestConfig::default() })]

    #[test]
    fn a_damaged_tail_is_cut_at_the_last_group_or_refused(
        groups in prop::collection::vec(1..40u64, 1..14),
        closed: bool,
        damages in prop::collection::vec(damage(), 1..3),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let (whole, hurt) = (dir.path().join("whole"), dir.path().join("hurt"));
        let mut running = Running::fresh(&whole, small());
        groups.iter().for_each(|count| running.group(*count));
        if closed {
            drop(running);
            copy(&whole, &hurt);
        } else {
            copy(&whole, &hurt);
            drop(running);
        }
        let all: u64 = groups.iter().sum();
        // The last group, as far as it is in the newest segment, has nobody to vouch for it but a mark.
        let vouched = if closed { all } else { all - groups[groups.len() - 1] };
        let (path, used) = newest(&hurt);
        damages.iter().for_each(|damage| damage.apply(&path, used));
        match Running::open(&hurt, small()) {
            Err(LogError::Corrupt(_)) => {}
            Err(other) => prop_assert!(false, "{other}"),
            Ok(mut running) => {
                let end = running.log.end();
                // What is behind the damage vouches for what is missing, unless the damage reaches to the end.
                let witness = damages.iter().all(|damage| damage.end(used) + LONGEST < used);
                let least = if witness { vouched } else { 0 };
                prop_assert!(end >= least, "{end} of {all} entries, {vouched} vouched for");
                // Entries of earlier segments are not touched: what is read is right, or refused.
                match running.all() {
                    Ok(found) => prop_assert_eq!(found, entries(end)),
                    Err(error) => prop_assert!(damages.len() > 1, "{error}"),
                }
                // What it writes now is not mistaken for what was there.
                running.group(3);
                drop(running);
                let again = Running::open(&hurt, small());
                if let Ok(again) = again {
                    prop_assert_eq!(again.cut, None);
                    prop_assert_eq!(again.log.end(), end + 3);
                } else {
                    prop_assert!(damages.len() > 1);
                }
            }
        }
    }
}

/// Power goes while a group is written: of its blocks some reached the disk, in any order.
#[test]
fn a_torn_group_is_cut_whichever_of_its_blocks_are_there() {
    let dir = tempfile::tempdir().unwrap();
    let whole = dir.path().join("whole");
    let big = journal_log::Options { segment_bytes: 1 << 20, ..small() };
    let mut running = Running::fresh(&whole, big.clone());
    running.group(20);
    let before = fs::read(newest(&whole).0).unwrap();
    running.group(60);
    let (path, used) = newest(&whole);
    let after = fs::read(&path).unwrap();
    let blocks: Vec<usize> =
        (0..after.len()).step_by(512).filter(|at| before[*at..*at + 512] != after[*at..*at + 512]).collect();
    assert!(blocks.len() > 20, "{} blocks, {used} bytes", blocks.len());
    let mut random = 1u32;
    for round in 0..200 {
        let hurt = dir.path().join(format!("hurt-{round}"));
        copy(&whole, &hurt);
        let file = File::options().write(true).open(hurt.join(path.file_name().unwrap())).unwrap();
        for at in &blocks {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            if random >> 16 & 3 == 0 {
                file.write_all_at(&before[*at..*at + 512], *at as u64).unwrap();
            }
        }
        let mut running = Running::open(&hurt, big.clone()).unwrap();
        let end = running.log.end();
        assert!((20..=80).contains(&end), "{end}");
        assert_eq!(running.cut.map(|cut| cut.place), (end < 80).then_some(end + 1));
        assert_eq!(running.all().unwrap(), entries(end));
        running.group(2);
        drop(running);
        let again = Running::open(&hurt, big.clone()).unwrap();
        assert_eq!((again.cut, again.all().unwrap()), (None, entries(end + 2)));
        drop(again);
        fs::remove_dir_all(hurt).unwrap();
    }
}

/// What is cut or missing in the middle of the files.
#[test]
fn a_segment_that_is_missing_or_another() {
    let dir = tempfile::tempdir().unwrap();
    let whole = dir.path().join("whole");
    let mut running = Running::fresh(&whole, small());
    (0..40).for_each(|_| running.group(10));
    drop(running);
    let check = |change: &dyn Fn(&Path), expected: &str| {
        let hurt = dir.path().join("hurt");
        copy(&whole, &hurt);
        change(&hurt);
        let error = match Running::open(&hurt, small()) {
            Err(error) => error,
            Ok(running) => running.all().unwrap_err(),
        };
        assert!(error.to_string().contains(expected), "{error} does not say {expected:?}");
        fs::remove_dir_all(hurt).unwrap();
    };
    let segment = |n: u32| format!("{n:08}.seg");
    check(&|hurt| fs::remove_file(hurt.join(segment(3))).unwrap(), "segment 00000003.seg is missing");
    check(
        &|hurt| fs::copy(hurt.join(segment(2)), hurt.join(segment(3))).map(drop).unwrap(),
        "its head says that it is number 2",
    );
    check(
        &|hurt| File::options().write(true).open(hurt.join(segment(2))).unwrap().set_len(9000).unwrap(),
        "9000 bytes long instead of",
    );
    let damage = |n: u32, at: u64| {
        move |hurt: &Path| {
            let file = File::options().write(true).open(hurt.join(segment(n))).unwrap();
            file.write_all_at(&[0xA5; 16], at).unwrap();
        }
    };
    check(&damage(2, 10), "its head cannot be read");
    check(&damage(2, START), "its first entry is damaged");
    check(&damage(2, START + 3000), "is damaged (segment 00000002.seg");
    // The same with zeros: an end in the middle.
    check(
        &|hurt| {
            let file = File::options().write(true).open(hurt.join(segment(2))).unwrap();
            file.write_all_at(&[0; 9000], START + 2000).unwrap();
        },
        "is damaged",
    );
}
