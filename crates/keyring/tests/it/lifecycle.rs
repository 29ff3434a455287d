//! From pending to destroyed, out and in, and what `check` finds.

use std::os::unix::fs::MetadataExt;

use hsm::soft::{
    CeremonyError,
    ceremony::transfer::{Cryptogram, CryptogramScheme},
};
use keyring::{ElsewhereKey, Finding, ImportFrom, KeyringError, State};

use super::*;

const DAY_S: i64 = 86_400;

#[test]
fn rotation_overlaps_and_then_the_old_key_ends() {
    let bench = bench();
    let of = spec(KeyUsage::BaseDerivation, Algorithm::Aes, 32);
    bench.generate("bdk", of);
    bench.activate("bdk");
    let made = bench.open().rotate(&bench.ceremony, &name("bdk"), &person("Li Wei"), NOW).unwrap();
    assert_eq!(made.version, 2);
    let twice = bench.open().rotate(&bench.ceremony, &name("bdk"), &person("Li Wei"), NOW);
    assert!(matches!(twice, Err(KeyringError::Pending { version: 2, .. })), "{twice:?}");
    bench.open().activate(&name("bdk"), 7 * DAY_S, &two(), NOW).unwrap();

    let keyring = bench.open();
    let active = |now| -> Vec<u8> {
        keyring.register().active(&name("bdk"), now).iter().map(|key| key.version).collect()
    };
    assert_eq!(active(NOW), [2, 1]);
    assert_eq!(active(NOW.plus_s(7 * DAY_S - 1)), [2, 1]);
    assert_eq!(active(NOW.plus_s(7 * DAY_S)), [2]);
    let in_use = keyring.register().in_use(KeyUsage::BaseDerivation, NOW);
    assert_eq!(in_use.iter().map(|key| key.version).collect::<Vec<_>>(), [2]);
    assert_eq!(keyring.register().find(&name("bdk"), Some(2)).unwrap().replaces, Some(1));
    drop(keyring);

    let early = bench.open().destroy(&name("bdk"), 1, &two(), NOW);
    assert!(matches!(early, Err(KeyringError::State { .. })), "{early:?}");
    bench.open().destroy(&name("bdk"), 1, &two(), NOW.plus_s(8 * DAY_S)).unwrap();
    let keyring = bench.open();
    let gone = keyring.register().find(&name("bdk"), Some(1)).unwrap();
    assert!(gone.state == State::Destroyed && gone.key_block().is_none());
    assert_eq!(bench.file("keys.toml").matches("key_block").count(), 1);
    let mode = fs::metadata(bench.path().join("keys.toml")).unwrap().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_key_travels_to_another_site_and_is_the_same() {
    let (here, there) = (bench(), bench_under(&[9; 32]));
    // Both sites have the protection key from the same components.
    let [first, second] = ["5B1E9A07C3D84F62A1759E30B86D24F1", "D407B3E86129FA5C0E93C71A4FB8256D"];
    for site in [&here, &there] {
        for (number, custodian, clear) in [(1, "Chen Jie", first), (2, "Zhao Min", second)] {
            let spec = spec(KeyUsage::KeyBlockProtection, Algorithm::Aes, 16);
            let of = ComponentOf { spec, ..part("kbpk", number, custodian) };
            site.give(&of, clear).unwrap();
        }
        site.open().combine(&site.ceremony, &name("kbpk"), &two(), None, NOW).unwrap();
    }
    let made = here.generate("zpk", spec(KeyUsage::PinEncryption, Algorithm::Tdea, 24));
    let export = || here.open().export(&here.ceremony, (&name("zpk"), None), &name("kbpk"), &two(), NOW);
    assert!(matches!(export(), Err(KeyringError::State { .. })), "a pending key protects nothing");
    here.activate("kbpk");
    there.activate("kbpk");
    let block = export().unwrap();
    let from = |expected| ImportFrom::Block { block: &block, narrowed_to: None, expected };
    let import = |expected| {
        let (theirs, kbpk) = (name("from-partner"), name("kbpk"));
        there.open().import(&there.ceremony, &theirs, &kbpk, &from(expected), &two(), NOW)
    };
    assert!(import(Some("000000")).is_err());
    assert_eq!(import(Some(&made.check_value)).unwrap().check_value, made.check_value);
    let again = there.open().import(&there.ceremony, &name("again"), &name("kbpk"), &from(None), &two(), NOW);
    assert!(matches!(again, Err(KeyringError::SameKey { .. })), "{again:?}");
    let trail = there.file("audit.jsonl");
    assert!(trail.contains("\"import\"") && here.file("audit.jsonl").contains("\"export\""));
    assert!(!trail.contains(&block[40..]), "no key block in the trail");
}

#[test]
fn what_must_stay_stays_and_cryptograms_are_accepted_by_word_only() {
    let bench = bench();
    bench.generate("kbpk", spec(KeyUsage::KeyBlockProtection, Algorithm::Tdea, 16));
    bench.generate("kek", spec(KeyUsage::KeyEncryption, Algorithm::Tdea, 16));
    bench.activate("kbpk");
    bench.activate("kek");
    let mut stays = spec(KeyUsage::PinEncryption, Algorithm::Tdea, 16);
    stays.exportability = Exportability::No;
    bench.generate("stays", stays);
    bench.generate("strong", spec(KeyUsage::PinEncryption, Algorithm::Aes, 16));
    let export = |key: &str| {
        bench.open().export(&bench.ceremony, (&name(key), None), &name("kbpk"), &two(), NOW).unwrap_err()
    };
    assert!(matches!(export("stays"), KeyringError::Ceremony(CeremonyError::NotExportable(_))));
    assert!(matches!(export("strong"), KeyringError::Ceremony(CeremonyError::WeakerWrapping { .. })));
    assert_eq!(bench.file("audit.jsonl").matches("\"refused\"").count(), 2);

    let cryptogram =
        Cryptogram { encrypted: &[5; 16], scheme: CryptogramScheme::Ecb, check_value: &[1, 2, 3] };
    let from = ImportFrom::Cryptogram {
        spec: spec(KeyUsage::PinEncryption, Algorithm::Tdea, 16),
        cryptogram,
        accepted: false,
    };
    let refused = bench.open().import(&bench.ceremony, &name("old"), &name("kek"), &from, &two(), NOW);
    assert!(matches!(refused, Err(KeyringError::CryptogramNotAccepted)), "{refused:?}");
}

#[test]
fn changes_in_the_register_and_keys_in_two_places_are_found() {
    let bench = bench();
    let check = |elsewhere: Vec<ElsewhereKey>| {
        Keyring::open_to_check(bench.path()).unwrap().check(&bench.ceremony, elsewhere).unwrap()
    };
    let pin = bench.generate("a", spec(KeyUsage::PinEncryption, Algorithm::Tdea, 16));
    bench.generate("b", spec(KeyUsage::PinEncryption, Algorithm::Tdea, 16));
    assert_eq!(check(Vec::new()), []);
    let block = bench.open().register().find(&name("a"), None).unwrap().key_block();
    let terminal = |block| ElsewhereKey {
        place: "terminal T0000001".to_owned(),
        check_value: pin.check_value.to_lowercase(),
        block,
    };
    let words =
        |findings: &[Finding]| findings.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    assert!(words(&check(vec![terminal(None)])).contains("have the same check value"));
    assert!(words(&check(vec![terminal(block)])).contains("are the same key"));
    let other = bench.open().register().find(&name("b"), None).unwrap().key_block();
    assert_eq!(check(vec![terminal(other)]), [], "chance is no alarm");

    let path = bench.path().join("keys.toml");
    let whole = bench.file("keys.toml");
    fs::write(&path, whole.replacen("mode = \"D\"", "mode = \"E\"", 1)).unwrap();
    assert!(words(&check(Vec::new())).contains("another mode of use"));
    // Two key blocks that change places are found by the names inside.
    let blocks: Vec<&str> = whole.split('"').filter(|text| text.starts_with("D0")).collect();
    let swapped = whole.replace(blocks[0], "X").replace(blocks[1], blocks[0]).replace('X', blocks[1]);
    fs::write(&path, swapped).unwrap();
    assert!(words(&check(Vec::new())).contains("another name"));
    let torn = whole.replacen(&blocks[0][60..64], "0000", 1);
    fs::write(&path, torn).unwrap();
    assert!(words(&check(Vec::new())).contains("does not open"));
    fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    assert!(matches!(Keyring::open(bench.path(), NOW), Err(KeyringError::Damaged { .. })));
}

#[test]
fn only_a_key_that_was_made_here_is_rotated() {
    let bench = bench();
    let of = spec(KeyUsage::PinVerificationVisaPvv, Algorithm::Tdea, 16);
    for (number, custodian, clear) in [
        (1, "Chen Jie", "8C3D54A1F2096BE7D01A2B7C9E4F5863"),
        (2, "Zhao Min", "B37CCABD450EFFA57A2D6C30B0B4A0DB"),
    ] {
        bench.give(&ComponentOf { spec: of, ..part("pvk", number, custodian) }, clear).unwrap();
    }
    bench.open().combine(&bench.ceremony, &name("pvk"), &two(), None, NOW).unwrap();
    bench.activate("pvk");
    let before = bench.file("keys.toml");
    let refused = bench.open().rotate(&bench.ceremony, &name("pvk"), &person("Li Wei"), NOW).unwrap_err();
    assert!(refused.to_string().contains("hold a new ceremony"), "{refused}");
    assert_eq!(bench.file("keys.toml"), before);
}

#[test]
fn every_version_of_a_key_can_be_retired_at_once() {
    let bench = bench();
    bench.generate("bdk", spec(KeyUsage::BaseDerivation, Algorithm::Aes, 32));
    bench.activate("bdk");
    bench.open().rotate(&bench.ceremony, &name("bdk"), &person("Li Wei"), NOW).unwrap();
    bench.open().activate(&name("bdk"), 7 * DAY_S, &two(), NOW).unwrap();
    let retired = bench.open().retire_all(&name("bdk"), &person("Li Wei"), NOW).unwrap();
    assert_eq!(retired, ["bdk version 2", "bdk version 1"]);
    assert!(bench.open().register().active(&name("bdk"), NOW).is_empty());
    let again = bench.open().retire_all(&name("bdk"), &person("Li Wei"), NOW);
    assert!(matches!(again, Err(KeyringError::State { .. })), "{again:?}");
}
