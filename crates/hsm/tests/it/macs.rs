//! Work keys and authentication codes.

use hsm::{
    Direction, MacAlgorithm, MacKey, MacOutcome, ModuleError, SecurityModule, WorkKeyLayout,
    soft::KeyAttributes,
};
use paycrypto::{
    key::{BlockKey, Sm4Key, TdesKey},
    key_block::{Algorithm, KeyUsage},
    mac,
};

use crate::bench::{KEY, OTHER_KEY, bench, ksn};

#[tokio::test]
async fn work_keys_reach_the_terminal_with_their_check_values() {
    let bench = bench();
    let tmk = bench.module.import_test_key(KeyAttributes::tdes(KeyUsage::KeyEncryption), &OTHER_KEY).unwrap();
    for (layout, length) in [(WorkKeyLayout::DoubleLength, 40), (WorkKeyLayout::DoubleLengthWithTrackKey, 60)]
    {
        let keys = bench.module.generate_work_keys(&tmk, layout).await.unwrap();
        assert_eq!(keys.for_terminal.len(), length);
        assert_eq!(keys.for_terminal[16..20], keys.check_values[0].0);
        check_mac(&bench.module, MacKey::Key(&keys.tak), MacAlgorithm::CupEcb8).await;
    }
}

#[tokio::test]
async fn sm4_work_keys_open_under_the_master_key() {
    let bench = bench();
    let of = KeyAttributes::of(KeyUsage::KeyEncryption, Algorithm::SM4);
    let tmk = bench.module.import_test_key(of, &OTHER_KEY).unwrap();
    let keys = bench.module.generate_work_keys(&tmk, WorkKeyLayout::Sm4).await.unwrap();
    assert_eq!((keys.for_terminal.len(), keys.tdk), (40, None));
    let mut tak: [u8; 16] = keys.for_terminal[20..36].try_into().unwrap();
    Sm4Key::new(&OTHER_KEY).decrypt_block(&mut tak);
    let mut zeros = [0; 16];
    Sm4Key::new(&tak).encrypt_block(&mut zeros);
    assert_eq!(zeros[..4], keys.for_terminal[36..40], "check value");
    let made =
        bench.module.generate_mac(MacKey::Key(&keys.tak), MacAlgorithm::CupSm4, b"0200").await.unwrap();
    assert_eq!(made, mac::union_pay_sm4(&Sm4Key::new(&tak), b"0200"));
    check_mac(&bench.module, MacKey::Key(&keys.tak), MacAlgorithm::CupSm4).await;
    let mixed = bench.module.generate_work_keys(&tmk, WorkKeyLayout::DoubleLength).await;
    assert!(matches!(mixed, Err(ModuleError::KeyRefused(_))), "TDES keys under an SM4 key");
}

/// Requests and answers of one transaction have different keys (X9.24-1:2009, A.4.1; X9.24-3:2017, 6.3.2).
#[tokio::test]
async fn transaction_keys_authenticate_each_direction_by_itself() {
    let bench = bench();
    for (algorithm, mac, serial) in [
        (Algorithm::Tdea, MacAlgorithm::X919, "FFFF9876543210E00003"),
        (Algorithm::Aes, MacAlgorithm::Cmac, "123456789012345600000003"),
    ] {
        let of = KeyAttributes::of(KeyUsage::BaseDerivation, algorithm);
        let bdk = bench.module.import_test_key(of, &KEY).unwrap();
        let key = |direction| MacKey::Derived { bdk: &bdk, ksn: ksn(serial), direction };
        check_mac(&bench.module, key(Direction::Request), mac).await;
        check_mac(&bench.module, key(Direction::Answer), mac).await;
        let request = bench.module.generate_mac(key(Direction::Request), mac, b"0200").await.unwrap();
        let verdict = bench.module.verify_mac(key(Direction::Answer), mac, b"0200", &request).await.unwrap();
        assert_eq!(verdict, MacOutcome::Invalid, "an answer's key does not verify a request");
        if algorithm == Algorithm::Tdea {
            let base = paycrypto::dukpt::tdes::BaseDerivationKey::new(&KEY).unwrap();
            let serial = paycrypto::dukpt::tdes::KeySerialNumber::from_slice(ksn(serial).as_bytes()).unwrap();
            assert_eq!(request, mac::x9_19(&base.transaction_key(&serial).mac_request_key(), b"0200"));
        }
    }
}

#[tokio::test]
async fn the_usual_macs_are_those_of_paycrypto() {
    let bench = bench();
    let tak = bench.module.import_test_key(KeyAttributes::tdes(KeyUsage::Mac97971Algorithm3), &KEY).unwrap();
    let key = TdesKey::double(&KEY);
    for (algorithm, expected) in [
        (MacAlgorithm::CupEcb8, mac::union_pay_ecb(&key.first_part(), b"message")),
        (MacAlgorithm::CupEcb16, mac::union_pay_ecb(&key, b"message")),
        (MacAlgorithm::X919, mac::x9_19(&key, b"message")),
    ] {
        let made = bench.module.generate_mac(MacKey::Key(&tak), algorithm, b"message").await.unwrap();
        assert_eq!(made, expected, "{}", algorithm.name());
    }
}

async fn check_mac(module: &dyn SecurityModule, key: MacKey<'_>, algorithm: MacAlgorithm) {
    let message = b"0200 and so on";
    let made = module.generate_mac(key, algorithm, message).await.unwrap();
    let verdict = module.verify_mac(key, algorithm, message, &made).await.unwrap();
    assert_eq!(verdict, MacOutcome::Valid, "{}", algorithm.name());
    let verdict = module.verify_mac(key, algorithm, b"0200 and so ox", &made).await.unwrap();
    assert_eq!(verdict, MacOutcome::Invalid, "{}", algorithm.name());
}
