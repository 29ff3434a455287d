//! The soft module through its public verbs.

use hsm::{
    EncryptedPinBlock, MacAlgorithm, MacOutcome, PinBlockFormat, SecurityModule, VerifyPin, WorkKeyLayout,
    soft::{Configuration, KeyPolicy, MasterKey, SoftModule},
};
use model::{CardId, KeyBlock, Pan, PinOutcome, PinReference, Unverifiable};
use paycrypto::{
    key::TdesKey,
    key_block::KeyUsage,
    pin::{PanForPin, Pin},
    pin_block::encode_format_0,
};

const TPK: [u8; 16] = *b"\x11\x22\x33\x44\x55\x66\x77\x88\x88\x77\x66\x55\x44\x33\x22\x11";
const OTHER_TPK: [u8; 16] = *b"\x01\x23\x45\x67\x89\xab\xcd\xef\xfe\xdc\xba\x98\x76\x54\x32\x10";
const CARD: CardId = CardId([9; 16]);

struct Bench {
    module: SoftModule,
    tpk: KeyBlock,
    pan: Pan,
}

fn bench() -> Bench {
    let maker = SoftModule::new(MasterKey::new(&[7; 32]), KeyPolicy::Sandbox, Configuration::default());
    let pvk = maker.generate_key(KeyUsage::PinVerificationVisaPvv).unwrap();
    let ibm = maker.generate_key(KeyUsage::PinVerificationIbm3624).unwrap();
    let configuration = Configuration::default()
        .with_pvk("pvk", pvk)
        .with_ibm3624("ibm", ibm, "0123456789012345", "123456N")
        .unwrap();
    let module = SoftModule::new(MasterKey::new(&[7; 32]), KeyPolicy::Sandbox, configuration);
    let tpk = module.import_test_key(KeyUsage::PinEncryption, &TPK).unwrap();
    Bench { module, tpk, pan: "6299990000000009".parse().unwrap() }
}

fn block(key: &[u8; 16], pan: &Pan, pin: &str) -> EncryptedPinBlock {
    let account = PanForPin::new(pan.reveal()).unwrap().account12();
    let pin = Pin::from_ascii(pin.as_bytes()).unwrap();
    EncryptedPinBlock::new(&encode_format_0(&pin, &account).encrypt(&TdesKey::double(key))).unwrap()
}

async fn outcome(bench: &Bench, reference: &PinReference, block: EncryptedPinBlock) -> PinOutcome {
    let request = VerifyPin {
        card: CARD,
        pan: &bench.pan,
        tpk: &bench.tpk,
        block,
        format: PinBlockFormat::Iso0,
        reference,
    };
    bench.module.verify_pin(request).await
}

#[tokio::test]
async fn the_right_pin_is_verified_and_bound_to_the_card() {
    let bench = bench();
    let references = [
        bench.module.test_reference_pvv("pvk", 1, &bench.pan, "4321").unwrap(),
        bench.module.test_reference_ibm3624("ibm", &bench.pan, "4321").unwrap(),
    ];
    for reference in references {
        match outcome(&bench, &reference, block(&TPK, &bench.pan, "4321")).await {
            PinOutcome::Verified(proof) => assert_eq!(proof.card(), CARD),
            other => panic!("{other:?}"),
        }
        assert_eq!(outcome(&bench, &reference, block(&TPK, &bench.pan, "4322")).await, PinOutcome::Mismatch);
    }
}

#[tokio::test]
async fn all_six_digits_count() {
    let bench = bench();
    let reference = bench.module.test_reference_ibm3624("ibm", &bench.pan, "123456").unwrap();
    for wrong in ["123457", "123465", "023456", "12345", "1234567"] {
        assert_eq!(
            outcome(&bench, &reference, block(&TPK, &bench.pan, wrong)).await,
            PinOutcome::Mismatch,
            "{wrong}"
        );
    }
}

#[tokio::test]
async fn a_block_under_another_key_is_a_fault_and_never_a_mismatch() {
    let bench = bench();
    let reference = bench.module.test_reference_ibm3624("ibm", &bench.pan, "123456").unwrap();
    let fault = PinOutcome::Unverifiable(Unverifiable::PinBlockFormat);
    assert_eq!(outcome(&bench, &reference, block(&OTHER_TPK, &bench.pan, "123456")).await, fault);
    let counted = bench.module.integrity();
    assert_eq!(counted.control + counted.length + counted.digit + counted.fill, 1);
}

#[tokio::test]
async fn a_key_of_another_usage_or_master_key_is_refused() {
    let bench = bench();
    let reference = bench.module.test_reference_ibm3624("ibm", &bench.pan, "123456").unwrap();
    let tak = bench.module.import_test_key(KeyUsage::Mac97971Algorithm3, &TPK).unwrap();
    let stranger = SoftModule::new(MasterKey::new(&[8; 32]), KeyPolicy::Sandbox, Configuration::default());
    let foreign = stranger.import_test_key(KeyUsage::PinEncryption, &TPK).unwrap();
    for tpk in [tak, foreign, KeyBlock::new("D0000nonsense".to_owned())] {
        let request = VerifyPin {
            card: CARD,
            pan: &bench.pan,
            tpk: &tpk,
            block: block(&TPK, &bench.pan, "123456"),
            format: PinBlockFormat::Iso0,
            reference: &reference,
        };
        assert_eq!(bench.module.verify_pin(request).await, PinOutcome::Unverifiable(Unverifiable::Key));
    }
}

#[tokio::test]
async fn work_keys_reach_the_terminal_with_their_check_values() {
    let bench = bench();
    let tmk = bench.module.import_test_key(KeyUsage::KeyEncryption, &OTHER_TPK).unwrap();
    for (layout, length) in [(WorkKeyLayout::DoubleLength, 40), (WorkKeyLayout::DoubleLengthWithTrackKey, 60)]
    {
        let keys = bench.module.generate_work_keys(&tmk, layout).await.unwrap();
        assert_eq!(keys.for_terminal.len(), length);
        assert_eq!(keys.for_terminal[16..20], keys.check_values[0].0);
        let message = b"0200 and so on";
        let mac = bench.module.generate_mac(&keys.tak, MacAlgorithm::CupEcb8, message).await.unwrap();
        let verify =
            |m: &'static [u8], mac| bench.module.verify_mac(&keys.tak, MacAlgorithm::CupEcb8, m, mac);
        assert_eq!(verify(message, &mac).await.unwrap(), MacOutcome::Valid);
        assert_eq!(verify(b"0200 and so ox", &mac).await.unwrap(), MacOutcome::Invalid);
    }
}

#[test]
fn outside_a_sandbox_nothing_clear_comes_in() {
    let module = SoftModule::new(MasterKey::new(&[7; 32]), KeyPolicy::Production, Configuration::default());
    assert!(module.import_test_key(KeyUsage::PinEncryption, &TPK).is_err());
    assert!(module.test_reference_pvv("pvk", 1, &"6299990000000009".parse().unwrap(), "1234").is_err());
}

#[test]
fn a_master_key_file_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("master.key");
    MasterKey::create_file(&path).unwrap();
    MasterKey::from_file(&path).unwrap();
    assert!(MasterKey::create_file(&path).is_err(), "an existing key is never overwritten");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    assert!(MasterKey::from_file(&path).is_err());
}
