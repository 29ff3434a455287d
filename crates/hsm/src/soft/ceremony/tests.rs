//! The ceremony's verbs against independent arithmetic and published check values.

use paycrypto::key_block::{KeyUsage as U, ModeOfUse as M};

use super::{
    transfer::{Cryptogram, CryptogramScheme, Received, Wrapping},
    *,
};
use crate::soft::KeyAttributes;

const NAME: &str = "zone";

fn ceremony() -> Ceremony {
    Ceremony::new(MasterKey::new(&[7; 32]), KeyPolicy::Production)
}

fn spec(usage: U, algorithm: Algorithm, length: usize) -> KeySpec {
    let attributes = KeyAttributes { usage, algorithm, mode: usual_mode(usage) };
    KeySpec { attributes, exportability: Exportability::Trusted, length }
}

fn received(label: &str) -> Received<'_> {
    Received { label, version: *b"01", narrowed_to: None }
}

fn bytes(text: &str) -> Vec<u8> {
    hex::decode(text).unwrap()
}

/// Two components of the published key `whole`: a made-up one and the difference, computed here.
fn halves(whole: &str) -> [Vec<u8>; 2] {
    let first = bytes("8C3D54A1F2096BE7D01A2B7C9E4F5863");
    let second = first.iter().zip(bytes(whole)).map(|(a, b)| a ^ b).collect();
    [first, second]
}

#[test]
fn components_give_the_published_check_values() {
    let ceremony = ceremony();
    let check = |whole: &str, spec: KeySpec, expect: &str| {
        let parts: Vec<KeyBlock> = (1..)
            .zip(halves(whole))
            .map(|(part, clear)| ceremony.seal_component(&spec, NAME, part, &clear).unwrap().block)
            .collect();
        let key = ceremony.combine(&spec, NAME, *b"01", &parts).unwrap();
        assert_eq!(key.check_value.to_string(), expect);
        let found = ceremony.examine(NAME, &key.block).unwrap();
        assert_eq!((found.label.as_deref(), found.length), (Some(NAME), 16));
        assert_eq!(found.check_value.to_string(), expect);
        assert!(key.block.as_str().starts_with('D'));
    };
    // Of vectors/crypto-vectors.json, kcv-003 and kcv-005 (openemv/tr31 tests 3 and 7).
    check("3F419E1CB7079442AA37474C2EFBF8B8", spec(U::PinVerificationVisaPvv, Algorithm::Tdea, 16), "57C409");
    check("1FA1F7CEC798D91545DA8AE0C7796BD9", spec(U::KeyEncryption, Algorithm::Tdea, 16), "FF5087");
}

#[test]
fn parity_is_set_and_does_not_change_the_check_value() {
    let ceremony = ceremony();
    let spec = spec(U::KeyEncryption, Algorithm::Tdea, 16);
    let whole = "3E409F1DB6069543AB36464D2FFAF9B9"; // kcv-003 with every parity bit turned
    let parts: Vec<KeyBlock> = (1..)
        .zip(halves(whole))
        .map(|(part, clear)| ceremony.seal_component(&spec, NAME, part, &clear).unwrap().block)
        .collect();
    let key = ceremony.combine(&spec, NAME, *b"01", &parts).unwrap();
    assert!(key.parity_adjusted);
    assert_eq!(key.check_value.to_string(), "57C409");
}

#[test]
fn components_that_somebody_knows_and_ones_of_another_key_are_refused() {
    let ceremony = ceremony();
    let spec = spec(U::KeyEncryption, Algorithm::Tdea, 16);
    for known in ["00000000000000000000000000000000", "0123456789ABCDEFFEDCBA9876543210"] {
        let refused = ceremony.seal_component(&spec, NAME, 1, &bytes(known));
        assert!(matches!(refused, Err(CeremonyError::Weak { .. })), "{known}: {refused:?}");
    }
    assert!(ceremony.seal_component(&spec, NAME, 1, &[1; 8]).is_err());
    let [first, second] = halves("3F419E1CB7079442AA37474C2EFBF8B8");
    let seal = |name, part, clear: &[u8]| ceremony.seal_component(&spec, name, part, clear).unwrap().block;
    let one = seal(NAME, 1, &first);
    let combine = |parts: &[KeyBlock]| ceremony.combine(&spec, NAME, *b"01", parts);
    assert!(matches!(combine(std::slice::from_ref(&one)), Err(CeremonyError::Components(_))));
    for other in [one.clone(), seal("elsewhere", 2, &second), seal(NAME, 3, &second)] {
        assert!(matches!(combine(&[one.clone(), other]), Err(CeremonyError::OwnBlockDiffers { .. })));
    }
    // Two equal components cancel each other out: the key would be zeros.
    let same = seal(NAME, 2, &first);
    assert!(matches!(combine(&[one, same]), Err(CeremonyError::Weak { what: "key", .. })));
}

#[test]
fn a_key_goes_out_and_comes_in_elsewhere() {
    let here = ceremony();
    let there = Ceremony::new(MasterKey::new(&[9; 32]), KeyPolicy::Production);
    for (cipher, length, version) in [(Algorithm::Tdea, 24, 'B'), (Algorithm::Aes, 16, 'D')] {
        let protection = spec(U::KeyBlockProtection, cipher, length);
        let parts = |ceremony: &Ceremony| -> KeyBlock {
            let clear = &bytes("8C3D54A1F2096BE7D01A2B7C9E4F58631FA1F7CEC798D915")[..length];
            ceremony.seal_key(&protection, "kbpk", *b"01", clear, Vec::new()).unwrap().block
        };
        let (ours, theirs) = (parts(&here), parts(&there));
        let key = here.generate(&spec(U::PinEncryption, Algorithm::Tdea, 16), NAME, *b"01").unwrap();
        let under = Wrapping { label: "kbpk", block: &ours };
        let sent = here.export_block(under, NAME, &key.block).unwrap();
        assert!(sent.starts_with(version), "{sent}");
        let under = Wrapping { label: "kbpk", block: &theirs };
        let back = there.import_block(under, received("from-partner"), &sent).unwrap();
        assert_eq!(back.check_value.to_string(), key.check_value.to_string());
        assert_eq!(back.spec, key.spec);
        let less = Received { narrowed_to: Some(M::EncryptAndDecrypt), ..received("x") };
        assert!(there.import_block(under, less, &sent).is_err(), "decrypt only never becomes both");

        let mut changed = sent.clone().into_bytes();
        changed[8] = b'E';
        let changed = String::from_utf8(changed).unwrap();
        let refused = there.import_block(under, received("x"), &changed);
        assert!(matches!(refused, Err(CeremonyError::ReceivedBlock(KeyBlockError::Mac))));
    }
}

#[test]
fn what_may_not_leave_does_not_leave() {
    let ceremony = ceremony();
    let make = |usage, cipher, length| ceremony.generate(&spec(usage, cipher, length), "k", *b"01").unwrap();
    let double = make(U::KeyBlockProtection, Algorithm::Tdea, 16);
    let triple = make(U::KeyBlockProtection, Algorithm::Tdea, 24);
    let small_aes = make(U::KeyBlockProtection, Algorithm::Aes, 16);
    let export = |under: &SealedKey, key: &SealedKey| {
        ceremony.export_block(Wrapping { label: "zmk", block: &under.block }, "k", &key.block)
    };
    let weaker = |result| matches!(result, Err(CeremonyError::WeakerWrapping { .. }));
    let aes = make(U::PinEncryption, Algorithm::Aes, 16);
    let sm4 = make(U::PinEncryption, Algorithm::SM4, 16);
    assert!(weaker(export(&double, &make(U::PinEncryption, Algorithm::Tdea, 24))));
    assert!(weaker(export(&triple, &aes)) && weaker(export(&double, &aes)) && weaker(export(&triple, &sm4)));
    assert!(weaker(export(&small_aes, &make(U::PinEncryption, Algorithm::Aes, 32))));
    export(&small_aes, &aes).unwrap();
    export(&small_aes, &sm4).unwrap();

    let mut stays = spec(U::PinEncryption, Algorithm::Tdea, 16);
    stays.exportability = Exportability::No;
    let stays = ceremony.generate(&stays, "k", *b"01").unwrap();
    assert!(matches!(export(&small_aes, &stays), Err(CeremonyError::NotExportable(_))));
    let kek = make(U::KeyEncryption, Algorithm::Tdea, 16);
    assert!(matches!(export(&kek, &double), Err(CeremonyError::NotForWrapping { .. })));
    let component =
        ceremony.seal_component(&stays.spec, "k", 1, &halves("3F419E1CB7079442AA37474C2EFBF8B8")[0]);
    assert!(matches!(export(&small_aes, &component.unwrap()), Err(CeremonyError::NotExportable(_))));
}

#[test]
fn a_cryptogram_comes_in_with_the_right_check_value_only() {
    let ceremony = ceremony();
    // Key and check value of vector kcv-003 under that of kcv-005, in ECB.
    let zmk = bytes("1FA1F7CEC798D91545DA8AE0C7796BD9");
    let mut encrypted = bytes("3F419E1CB7079442AA37474C2EFBF8B8");
    paycrypto::mode::ecb_encrypt::<8>(&TdesKey::new(&zmk).unwrap(), &mut encrypted);
    let kek = spec(U::KeyEncryption, Algorithm::Tdea, 16);
    let kek = ceremony.seal_key(&kek, "zmk", *b"01", &zmk, Vec::new()).unwrap();
    let import = |check_value: &str, scheme| {
        let check_value = &bytes(check_value);
        ceremony.import_cryptogram(
            Wrapping { label: "zmk", block: &kek.block },
            received("old"),
            &spec(U::PinEncryption, Algorithm::Tdea, 16),
            Cryptogram { encrypted: &encrypted, scheme, check_value },
        )
    };
    assert_eq!(import("57C409", CryptogramScheme::Ecb).unwrap().check_value.to_string(), "57C409");
    for (wrong, scheme) in [("57C408", CryptogramScheme::Ecb), ("57C409", CryptogramScheme::ThalesVariant)] {
        assert!(matches!(import(wrong, scheme), Err(CeremonyError::CheckValue { .. })));
    }
    assert!(matches!(import("57C4", CryptogramScheme::Ecb), Err(CeremonyError::Spec(_))));
}

#[test]
fn what_goes_together_is_settled_before_a_key_exists() {
    let check = |usage, algorithm, length, fits: bool| {
        assert_eq!(spec(usage, algorithm, length).check().is_ok(), fits, "{usage:?} {algorithm:?} {length}");
    };
    check(U::PinEncryption, Algorithm::Des, 8, false);
    check(U::PinEncryption, Algorithm::Tdea, 8, false);
    check(U::PinVerificationVisaPvv, Algorithm::Aes, 16, false);
    check(U::BaseDerivation, Algorithm::Tdea, 24, false);
    check(U::BaseDerivation, Algorithm::Aes, 32, true);
    check(U::KeyBlockProtection, Algorithm::SM4, 16, false);
    check(U::AsymmetricSignature, Algorithm::Aes, 16, false);
    assert!(!mode_suits(U::PinEncryption, M::GenerateAndVerify));
    assert!(!mode_suits(U::BaseDerivation, M::EncryptAndDecrypt));
}

#[test]
fn another_master_key_opens_nothing_until_the_keys_are_wrapped_again() {
    let (old, new) = (ceremony(), MasterKey::new(&[8; 32]));
    let key = old.generate(&spec(U::PinEncryption, Algorithm::Aes, 32), NAME, *b"01").unwrap();
    let moved = old.rewrap(&new, NAME, &key.block).unwrap();
    let new = Ceremony::new(new, KeyPolicy::Production);
    assert!(matches!(new.examine(NAME, &key.block), Err(CeremonyError::OwnBlock { .. })));
    assert_eq!(new.examine(NAME, &moved).unwrap().check_value.to_string(), key.check_value.to_string());
    assert!(old.same_key(&key.block, &key.block).unwrap());
}
