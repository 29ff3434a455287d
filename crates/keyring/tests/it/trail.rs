//! The trail: what was changed, moved or cut off is found and named; a crash is no attack.

use keyring::{
    KeyringError,
    audit::{Action, AuditFault},
    read_trail,
};

use super::*;

fn four_steps() -> Bench {
    let bench = bench();
    for key in ["a", "b", "c"] {
        bench.generate(key, spec(KeyUsage::PinEncryption, Algorithm::Tdea, 16));
    }
    bench.activate("b");
    bench
}

fn fault_after(change: impl FnOnce(Vec<String>) -> Vec<String>) -> AuditFault {
    let bench = four_steps();
    let lines = bench.file("audit.jsonl").lines().map(str::to_owned).collect();
    let mut text = change(lines).join("\n");
    text.push('\n');
    fs::write(bench.path().join("audit.jsonl"), text).unwrap();
    let Err(KeyringError::Audit(fault)) = read_trail(bench.path()) else { panic!("not found") };
    let refused = Keyring::open(bench.path(), NOW).unwrap_err();
    assert!(matches!(&refused, KeyringError::Audit(same) if *same == fault), "{refused}");
    fault
}

#[test]
fn a_whole_trail_says_who_did_what() {
    let bench = four_steps();
    let trail = read_trail(bench.path()).unwrap();
    assert_eq!((trail.lines.len(), trail.ahead), (4, 0));
    assert_eq!(trail.lines[3].action, Action::Activate);
    assert_eq!(trail.lines[3].who, [person("Li Wei"), person("Wang Fang")]);
    assert_eq!(trail.lines[3].at, NOW);
}

#[test]
fn the_first_bad_line_is_named() {
    let replace = |at: usize, from: &'static str, to: &'static str| {
        move |mut lines: Vec<String>| {
            assert!(lines[at].contains(from));
            lines[at] = lines[at].replace(from, to);
            lines
        }
    };
    let changed = |fault| match fault {
        AuditFault::Changed { line, .. } => line,
        other => panic!("{other}"),
    };
    assert_eq!(changed(fault_after(replace(1, "Li Wei", "Li Wie"))), 2);
    assert_eq!(changed(fault_after(replace(3, "Wang Fang", "Wang Feng"))), 4, "the last one too");
    let moved = fault_after(|mut lines| {
        lines.swap(1, 2);
        lines
    });
    assert_eq!(moved, AuditFault::Number { line: 2, found: 3 });
    let taken_out = fault_after(|mut lines| {
        lines.remove(0);
        lines
    });
    assert_eq!(taken_out, AuditFault::Number { line: 1, found: 2 });
    let cut = fault_after(|mut lines| {
        lines.pop();
        lines
    });
    assert_eq!(cut, AuditFault::Truncated { found: 3, expected: 4 });
    let garbled = fault_after(replace(2, "\"number\":3", "\"number\":"));
    assert!(matches!(garbled, AuditFault::Unreadable { line: 3, .. }), "{garbled}");
}

#[test]
fn the_trail_or_the_register_alone_is_not_enough() {
    let bench = four_steps();
    fs::rename(bench.path().join("audit.jsonl"), bench.path().join("away")).unwrap();
    let gone = read_trail(bench.path()).unwrap_err();
    assert!(matches!(gone, KeyringError::Audit(AuditFault::Truncated { found: 0, expected: 4 })), "{gone}");
    fs::rename(bench.path().join("away"), bench.path().join("audit.jsonl")).unwrap();
    fs::remove_file(bench.path().join("keys.toml")).unwrap();
    assert!(matches!(Keyring::open(bench.path(), NOW), Err(KeyringError::NoRegister(_))));
}

#[test]
fn a_crash_between_trail_and_register_is_noted_and_goes_on() {
    let bench = four_steps();
    let before = bench.file("keys.toml");
    bench.generate("late", spec(KeyUsage::PinEncryption, Algorithm::Tdea, 16));
    // The line was written, the register was not; and the next line broke off.
    fs::write(bench.path().join("keys.toml"), before).unwrap();
    let torn = bench.file("audit.jsonl") + "{\"number\":6,\"at";
    fs::write(bench.path().join("audit.jsonl"), torn).unwrap();
    assert_eq!(read_trail(bench.path()).unwrap().ahead, 1);

    bench.generate("late", spec(KeyUsage::PinEncryption, Algorithm::Tdea, 16));
    let trail = read_trail(bench.path()).unwrap();
    let actions: Vec<Action> = trail.lines.iter().map(|line| line.action).skip(4).collect();
    assert_eq!(actions, [Action::Generate, Action::Interrupted, Action::Generate]);
    assert_eq!(trail.ahead, 0);
}

#[test]
fn one_at_a_time() {
    let bench = four_steps();
    let held = bench.open();
    assert!(matches!(Keyring::open(bench.path(), NOW), Err(KeyringError::Busy(_))));
    drop(held);
    bench.open();
}

#[test]
fn a_register_that_was_restored_alone_is_an_alarm() {
    let bench = four_steps();
    let before = bench.file("keys.toml");
    bench.open().retire(&name("b"), None, &person("Li Wei"), NOW).unwrap();
    bench.open().destroy(&name("b"), 1, &two(), NOW).unwrap();
    fs::write(bench.path().join("keys.toml"), before).unwrap();
    let fault = AuditFault::RegisterBehind { register: 4, found: 6 };
    for error in [read_trail(bench.path()).unwrap_err(), Keyring::open(bench.path(), NOW).unwrap_err()] {
        assert!(matches!(&error, KeyringError::Audit(found) if *found == fault), "{error}");
        assert!(error.to_string().contains("restore keys.toml and audit.jsonl together"), "{error}");
    }
}

#[test]
fn a_note_of_a_crash_that_crashed_too_is_no_alarm() {
    let bench = four_steps();
    let before = bench.file("keys.toml");
    bench.generate("late", spec(KeyUsage::PinEncryption, Algorithm::Tdea, 16));
    for _ in 0..2 {
        fs::write(bench.path().join("keys.toml"), &before).unwrap();
        bench.open();
    }
    bench.generate("late", spec(KeyUsage::PinEncryption, Algorithm::Tdea, 16));
    assert_eq!(Keyring::open_to_check(bench.path()).unwrap().check(&bench.ceremony, []).unwrap(), []);
}

/// What is said of a register that somebody edited: the same by `read_trail`, `open` and `check`.
fn said_after(bench: &Bench, change: impl FnOnce(&str) -> String) -> String {
    let whole = bench.file("keys.toml");
    let changed = change(&whole);
    assert_ne!(changed, whole);
    fs::write(bench.path().join("keys.toml"), changed).unwrap();
    let said = read_trail(bench.path()).unwrap_err();
    assert!(matches!(said, KeyringError::Altered(_)), "{said}");
    assert_eq!(Keyring::open(bench.path(), NOW).unwrap_err().to_string(), said.to_string());
    let findings = Keyring::open_to_check(bench.path()).unwrap().check(&bench.ceremony, []).unwrap();
    assert!(said.to_string().contains(&findings[0].to_string()), "{said}: {findings:?}");
    fs::write(bench.path().join("keys.toml"), whole).unwrap();
    said.to_string()
}

#[test]
fn what_a_hand_changed_in_the_register_is_named() {
    let bench = four_steps();
    for (number, custodian, clear) in [
        (1, "Chen Jie", "8C3D54A1F2096BE7D01A2B7C9E4F5863"),
        (2, "Zhao Min", "B37CCABD450EFFA57A2D6C30B0B4A0DB"),
    ] {
        bench.give(&part("pvk", number, custodian), clear).unwrap();
        bench.give(&part("waits", number, custodian), clear).unwrap();
    }
    bench.open().combine(&bench.ceremony, &name("pvk"), &two(), None, NOW).unwrap();
    assert_eq!(bench.open().check(&bench.ceremony, []).unwrap(), []);

    let said = said_after(&bench, |all| all.replacen("state = \"pending\"", "state = \"active\"", 1));
    assert!(said.contains("a version 1: state: the register says active, the trail pending"), "{said}");
    let said = said_after(&bench, |all| all.replacen("[\"Chen Jie\", \"Zhao Min\"]", "[\"Li Wei\"]", 1));
    assert!(said.contains("pvk version 1: custodians: the register says Li Wei"), "{said}");
    let said = said_after(&bench, |all| {
        let tables: Vec<&str> = all.split("[[").collect();
        let kept: Vec<&str> = tables.into_iter().filter(|t| !t.contains("name = \"c\"")).collect();
        kept.join("[[")
    });
    assert!(said.contains("c version 1: the trail says that it is pending, and it is not in"), "{said}");
    let said =
        said_after(&bench, |all| all.replacen("custodian = \"Chen Jie\"", "custodian = \"Li Wei\"", 1));
    assert!(said.contains("component 1 of waits"), "{said}");
    let said = said_after(&bench, |all| all.replacen("created = \"2026", "created = \"2025", 1));
    assert!(said.contains("its contents are not those that line 9"), "{said}");
}

#[test]
fn a_long_life_is_played_again_without_a_difference() {
    let bench = bench();
    let (bdk, li) = (name("bdk"), person("Li Wei"));
    bench.generate("bdk", spec(KeyUsage::BaseDerivation, Algorithm::Aes, 32));
    bench.activate("bdk");
    for overlap_s in [86_400, 60, 0] {
        bench.open().rotate(&bench.ceremony, &bdk, &li, NOW).unwrap();
        let mut keyring = bench.open();
        keyring.remark("with a remark");
        keyring.activate(&bdk, overlap_s, &two(), NOW.plus_s(30)).unwrap();
    }
    let later = NOW.plus_s(90_000);
    bench.open().destroy(&bdk, 1, &two(), later).unwrap();
    let mut keyring = bench.open();
    keyring.remark("with a remark");
    keyring.retire_all(&bdk, &li, later).unwrap();
    drop(keyring);
    bench.give(&part("k", 1, "Chen Jie"), "8C3D54A1F2096BE7D01A2B7C9E4F5863").unwrap();
    bench.open().discard(&name("k"), &two(), later).unwrap();
    assert_eq!(bench.open().check(&bench.ceremony, []).unwrap(), []);
    assert!(bench.file("audit.jsonl").contains("with a remark"));
}
