//! Components: split knowledge, and what became of them.

use keyring::{KeyringError, State, read_register};

use super::*;

/// Exclusive or with `SECOND` is 3F419E1CB7079442AA37474C2EFBF8B8 (vectors/crypto-vectors.json, kcv-003; openemv/tr31
/// test 3), check value 57C409.
const FIRST: &str = "8C3D54A1F2096BE7D01A2B7C9E4F5863";
const SECOND: &str = "B37CCABD450EFFA57A2D6C30B0B4A0DB";

#[test]
fn two_custodians_and_two_others_make_the_published_key() {
    let bench = bench();
    bench.give(&part("visa-pvk", 1, "Chen Jie"), FIRST).unwrap();
    assert!(matches!(
        bench.open().combine(&bench.ceremony, &name("visa-pvk"), &two(), None, NOW),
        Err(KeyringError::PartMissing { missing: 2, .. })
    ));
    bench.give(&part("visa-pvk", 2, "Zhao Min"), SECOND).unwrap();

    let mut keyring = bench.open();
    let refused = keyring.combine(&bench.ceremony, &name("visa-pvk"), &two(), Some("57C408"), NOW);
    assert!(refused.unwrap_err().to_string().contains("57C409 instead of the expected 57C408"));
    assert_eq!(keyring.register().components().len(), 2, "a wrong expectation leaves everything as it was");
    let made = keyring.combine(&bench.ceremony, &name("visa-pvk"), &two(), Some("57c409"), NOW).unwrap();
    assert_eq!((made.check_value.as_str(), made.version), ("57C409", 1));
    drop(keyring);

    let register = read_register(bench.path()).unwrap();
    assert!(register.components().is_empty(), "the components are destroyed");
    let key = register.find(&name("visa-pvk"), None).unwrap();
    assert_eq!(key.state, State::Pending);
    assert_eq!(key.custodians, [person("Chen Jie"), person("Zhao Min")]);
    let (keys, trail) = (bench.file("keys.toml"), bench.file("audit.jsonl"));
    for secret in [FIRST, SECOND, "3F419E1CB7079442AA37474C2EFBF8B8"] {
        let planted = |text: &str| text.to_ascii_uppercase().contains(&secret[..12]);
        assert!(!planted(&keys) && !planted(&trail), "{secret}");
    }
    assert!(trail.contains("\"action\":\"refused\"") && trail.contains("57C408"), "{trail}");
}

#[test]
fn one_person_knows_one_component_and_never_the_key() {
    let bench = bench();
    bench.give(&part("k", 1, "Chen Jie"), FIRST).unwrap();
    let again = bench.give(&part("k", 2, "chen  jie"), SECOND);
    assert!(matches!(again, Err(KeyringError::SameCustodian { part: 1, .. })), "{again:?}");
    assert!(bench.file("audit.jsonl").lines().last().unwrap().contains("\"refused\""));
    let taken = bench.give(&part("k", 1, "Zhao Min"), SECOND);
    assert!(matches!(taken, Err(KeyringError::PartTaken { .. })), "{taken:?}");
    bench.give(&part("k", 2, "Zhao Min"), SECOND).unwrap();
    let control = DualControl::new(person("Zhao Min"), person("Li Wei")).unwrap();
    let own = bench.open().combine(&bench.ceremony, &name("k"), &control, None, NOW);
    assert!(matches!(own, Err(KeyringError::OperatorIsCustodian { .. })), "{own:?}");
}

#[test]
fn parts_agree_or_are_refused() {
    let bench = bench();
    bench.give(&part("k", 1, "Chen Jie"), FIRST).unwrap();
    let mut others = vec![part("k", 2, "Zhao Min"); 3];
    others[0].spec = spec(KeyUsage::PinVerificationIbm3624, Algorithm::Tdea, 16);
    others[1].spec.length = 24;
    others[2].of = 3;
    for other in others {
        let refused = bench.open().may_give(&other, NOW);
        assert!(matches!(refused, Err(KeyringError::Disagree { .. })), "{refused:?}");
    }
    for (part_number, of) in [(0, 2), (3, 2), (1, 1), (1, 10)] {
        let wrong = ComponentOf { part: part_number, of, ..part("other", 1, "Zhao Min") };
        assert!(matches!(bench.open().may_give(&wrong, NOW), Err(KeyringError::Part { .. })));
    }
    let zeros = bench.give(&part("k", 2, "Zhao Min"), "00000000000000000000000000000000");
    assert!(zeros.unwrap_err().to_string().contains("component is refused"));
    assert_eq!(bench.open().discard(&name("k"), &two(), NOW).unwrap(), 1);
    assert!(matches!(bench.open().discard(&name("k"), &two(), NOW), Err(KeyringError::NoComponents(_))));
    bench.give(&part("k", 1, "Zhao Min"), SECOND).unwrap();
}

#[test]
fn an_offer_that_is_not_kept_leaves_nothing() {
    let bench = bench();
    let before = {
        let mut keyring = bench.open();
        let of = part("k", 1, "Chen Jie");
        let clear = hex::decode(FIRST).unwrap();
        let offered = keyring.offer_component(&bench.ceremony, &of, &clear, NOW).unwrap();
        assert_eq!(offered.check_value().len(), 6);
        let (_, shown) = keyring.make_component(&bench.ceremony, &of).unwrap();
        assert_eq!(shown.len(), 32);
        bench.file("keys.toml")
    };
    assert!(bench.open().register().components().is_empty());
    assert_eq!(bench.file("keys.toml"), before);
    assert!(!bench.path().join("audit.jsonl").exists());
}
