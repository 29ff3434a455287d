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
