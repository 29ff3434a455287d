//! Keys exist only as key blocks, each for one purpose; outside a sandbox none is clear, weak or public.

use hsm::{
    MacAlgorithm, MacKey, ModuleError, PinBlockFormat, PinKey, SecurityModule, WorkKeyLayout,
    soft::{Configuration, KeyAttributes, KeyPolicy, MasterKey, SoftModule},
};
use model::{KeyBlock, PinOutcome, Unverifiable};
use paycrypto::key_block::{Algorithm, KeyUsage, ModeOfUse};

use crate::bench::{KEY, PAN, bench, block, ibm, pvv, soft};

/// Every usage, cipher and mode that a key block may claim, against the one purpose of a PIN key.
#[tokio::test]
async fn a_key_serves_its_own_purpose_and_no_other() {
    let bench = bench();
    let reference = bench.reference(&ibm(), "123456");
    let modes = [
        ModeOfUse::EncryptAndDecrypt,
        ModeOfUse::GenerateAndVerify,
        ModeOfUse::DecryptOnly,
        ModeOfUse::EncryptOnly,
        ModeOfUse::GenerateOnly,
        ModeOfUse::NoRestriction,
        ModeOfUse::VerifyOnly,
        ModeOfUse::DeriveKeys,
    ];
    let mut accepted = Vec::new();
    for usage in KeyUsage::ALL {
        for algorithm in [Algorithm::Tdea, Algorithm::Aes, Algorithm::SM4] {
            for mode in modes {
                let of = KeyAttributes { usage: *usage, algorithm, mode };
                let key = bench.module.import_test_key(of, &KEY).unwrap();
                let sent = block(&KEY, PinBlockFormat::Iso0, PAN, "123456");
                match bench.verify(PinKey::Key(&key), PinBlockFormat::Iso0, sent, &reference).await {
                    PinOutcome::Verified(_) => accepted.push(of),
                    PinOutcome::Unverifiable(Unverifiable::Key | Unverifiable::Unsupported) => {}
                    other => panic!("{of:?}: {other:?}"),
                }
            }
        }
    }
    assert_eq!(accepted, [KeyAttributes::tdes(KeyUsage::PinEncryption)]);
}

#[tokio::test]
async fn a_damaged_foreign_or_truncated_block_is_refused() {
    let bench = bench();
    let reference = bench.reference(&ibm(), "123456");
    let good = bench.tpk(PinBlockFormat::Iso0);
    let stranger = SoftModule::new(MasterKey::new(&[8; 32]), KeyPolicy::Sandbox, Configuration::default());
    let foreign = stranger.import_test_key(KeyAttributes::tdes(KeyUsage::PinEncryption), &KEY).unwrap();
    let mut bad = vec![foreign, KeyBlock::new("D0000nonsense".to_owned()), KeyBlock::new(String::new())];
    for place in 0..good.as_str().len() {
        let mut letters = good.as_str().as_bytes().to_vec();
        letters[place] = if letters[place] == b'0' { b'1' } else { b'0' };
        bad.push(KeyBlock::new(String::from_utf8(letters).unwrap()));
        bad.push(KeyBlock::new(good.as_str()[..place].to_owned()));
    }
    for tpk in bad {
        let sent = block(&KEY, PinBlockFormat::Iso0, PAN, "123456");
        let outcome = bench.verify(PinKey::Key(&tpk), PinBlockFormat::Iso0, sent, &reference).await;
        assert_eq!(outcome, PinOutcome::Unverifiable(Unverifiable::Key), "{tpk:?}");
    }
}

#[test]
fn outside_a_sandbox_nothing_clear_comes_in() {
    let module = soft(KeyPolicy::Production, Configuration::default());
    assert!(module.import_test_key(KeyAttributes::tdes(KeyUsage::PinEncryption), &KEY).is_err());
    assert!(module.test_reference(&pvv(), &PAN.parse().unwrap(), "1234").is_err());
}

#[tokio::test]
async fn outside_a_sandbox_weak_and_published_keys_are_refused() {
    let sandbox = soft(KeyPolicy::Sandbox, Configuration::default());
    let production = soft(KeyPolicy::Production, Configuration::default());
    let attributes = |usage, algorithm| KeyAttributes::of(usage, algorithm);
    let tak = attributes(KeyUsage::Mac97971Algorithm3, Algorithm::Tdea);
    let cases: [(KeyAttributes, &str, &str); 5] = [
        (tak, "132A4B3D4C5E6E70132A4B3D4C5E6E70", "equal halves"),
        (tak, "01010101010101018F91A2B3C4D5E6F7", "weak key"),
        (tak, "122A4B3D4C5E6E708F91A2B3C4D5E6F7", "wrong parity"),
        (tak, "0123456789ABCDEFFEDCBA9876543210", "published test key"),
        (
            attributes(KeyUsage::Mac97971Algorithm1, Algorithm::SM4),
            "0123456789ABCDEFFEDCBA9876543210",
            "published",
        ),
    ];
    for (of, clear, says) in cases {
        let key = sandbox.import_test_key(of, &hex(clear)).unwrap();
        let algorithm =
            if of.algorithm == Algorithm::SM4 { MacAlgorithm::CupSm4 } else { MacAlgorithm::X919 };
        assert!(
            sandbox.generate_mac(MacKey::Key(&key), algorithm, b"m").await.is_ok(),
            "{clear} in a sandbox"
        );
        match production.generate_mac(MacKey::Key(&key), algorithm, b"m").await {
            Err(ModuleError::KeyRefused(why)) => assert!(why.contains(says), "{clear}: {why}"),
            other => panic!("{clear}: {other:?}"),
        }
    }
    let fresh = sandbox.generate_key(tak).unwrap();
    assert!(production.generate_mac(MacKey::Key(&fresh), MacAlgorithm::X919, b"m").await.is_ok());
    let tmk = sandbox.generate_key(KeyAttributes::tdes(KeyUsage::KeyEncryption)).unwrap();
    assert!(production.generate_work_keys(&tmk, WorkKeyLayout::DoubleLength).await.is_ok());
}

#[test]
fn a_table_that_is_too_regular_is_refused_by_name() {
    let maker = soft(KeyPolicy::Sandbox, Configuration::default());
    let key = maker.generate_key(KeyAttributes::tdes(KeyUsage::PinVerificationIbm3624)).unwrap();
    let refused = Configuration::default().with_ibm3624("issuer", key, "0000000000000001", "123456N");
    let Err(why) = refused else { panic!("accepted") };
    assert!(why.to_string().contains("issuer"), "{why}");
}

fn hex(text: &str) -> Vec<u8> {
    hex::decode(text).unwrap()
}

/// A component of a ceremony is sealed like a key, and is half of one.
#[tokio::test]
async fn a_component_is_no_key() {
    use hsm::soft::{Ceremony, ceremony::KeySpec};
    let bench = bench();
    let spec = KeySpec {
        attributes: KeyAttributes::tdes(KeyUsage::PinEncryption),
        length: 16,
        exportability: paycrypto::key_block::Exportability::No,
    };
    let ceremony = Ceremony::new(MasterKey::new(&[7; 32]), KeyPolicy::Sandbox);
    let component = ceremony.seal_component(&spec, "tpk", 1, &KEY).unwrap().block;
    let reference = bench.reference(&ibm(), "123456");
    let sent = block(&KEY, PinBlockFormat::Iso0, PAN, "123456");
    let outcome = bench.verify(PinKey::Key(&component), PinBlockFormat::Iso0, sent, &reference).await;
    assert_eq!(outcome, PinOutcome::Unverifiable(Unverifiable::Key));
}
