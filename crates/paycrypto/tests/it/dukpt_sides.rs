//! The originating device against the host: two computations that share only the derivation step.

use paycrypto::dukpt::{DukptError, aes, tdes};
use paycrypto::key::AesKey;

const BDK: [u8; 16] =
    [0x01, 0x23, 0x45, 0x67, 0x89, 0xAB, 0xCD, 0xEF, 0xFE, 0xDC, 0xBA, 0x98, 0x76, 0x54, 0x32, 0x10];
const TDES_DEVICE: [u8; 10] = [0xFF, 0xFF, 0x98, 0x76, 0x54, 0x32, 0x10, 0xE0, 0x00, 0x00];
const AES_DEVICE: aes::InitialKeyId = [0x12, 0x34, 0x56, 0x78, 0x90, 0x12, 0x34, 0x56];

fn check_tdes_device(transactions: usize) -> tdes::Device {
    let bdk = tdes::BaseDerivationKey::new(&BDK).unwrap();
    let start = tdes::KeySerialNumber::new(TDES_DEVICE).unwrap();
    let mut device = tdes::Device::load(&bdk.initial_key(&start), &start);
    let mut expected = (1u32..).filter(|counter| counter.count_ones() <= tdes::ONE_BITS_MAX);
    for _ in 0..transactions {
        let (ksn, key) = device.next_transaction().unwrap();
        assert_eq!(Some(ksn.counter()), expected.next());
        assert_eq!(key.expose_bytes(), bdk.transaction_key(&ksn).expose_bytes(), "{ksn:?}");
    }
    device
}

#[test]
fn tdes_device_and_host_agree_on_the_first_twenty_thousand_counters() {
    check_tdes_device(20_000);
}

/// Every valid counter and the end of the device's life: 1,048,575 transactions.
#[test]
#[ignore = "a minute without optimisation; run with --release -- --ignored"]
fn tdes_device_and_host_agree_on_every_counter() {
    let mut device = check_tdes_device(1_048_575);
    for _ in 0..3 {
        assert_eq!(device.next_transaction().err(), Some(DukptError::Exhausted)); // and stays so: it never wraps
    }
}

#[test]
fn tdes_counters_with_one_bit_differ_from_each_other_and_survive_the_serial_number() {
    let bdk = tdes::BaseDerivationKey::new(&BDK).unwrap();
    let mut keys = std::collections::BTreeSet::new();
    for bit in 0..21 {
        let mut bytes = TDES_DEVICE;
        for (byte, counter) in bytes[7..].iter_mut().zip(&(1u32 << bit).to_be_bytes()[1..]) {
            *byte |= counter;
        }
        let ksn = tdes::KeySerialNumber::new(bytes).unwrap();
        assert_eq!(ksn.counter(), 1 << bit);
        assert_eq!(ksn.device(), TDES_DEVICE);
        assert!(keys.insert(*bdk.transaction_key(&ksn).expose_bytes()));
    }
}

#[test]
fn serial_numbers_that_no_device_sends_are_refused() {
    let mut bytes = TDES_DEVICE;
    bytes[8..].copy_from_slice(&[0x07, 0xFF]); // eleven one-bits
    assert_eq!(tdes::KeySerialNumber::new(bytes), Err(DukptError::Counter));
    bytes[8..].copy_from_slice(&[0x03, 0xFF]);
    assert!(tdes::KeySerialNumber::new(bytes).is_ok());
    assert_eq!(tdes::KeySerialNumber::from_slice(&[0; 9]), Err(DukptError::KsnLength(9)));
    assert_eq!(aes::KeySerialNumber::new(AES_DEVICE, 0x0001_FFFF), Err(DukptError::Counter));
    assert!(aes::KeySerialNumber::new(AES_DEVICE, 0xFFFF_0000).is_ok());
    assert_eq!(aes::KeySerialNumber::from_slice(&[0; 13]), Err(DukptError::KsnLength(13)));
}

#[test]
fn aes_device_and_host_agree_for_each_key_length() {
    for length in [16, 24, 32] {
        let bdk = AesKey::new(&[BDK, BDK].concat()[..length]).unwrap();
        let initial_key = aes::InitialKey::of_base_key(&bdk, AES_DEVICE).unwrap();
        let mut device = aes::Device::load(&initial_key);
        for expected in 1u32..=20_000 {
            let (ksn, key) = device.next_transaction().unwrap();
            assert_eq!(ksn.counter(), expected); // none of these has more than sixteen one-bits
            assert_eq!(key.expose_bytes(), initial_key.transaction_key(&ksn).expose_bytes(), "{ksn:?}");
        }
    }
}

/// Seventeen one-bits are skipped: 0xFFFF is followed by 0x10000, 0x1FFFE by 0x20000.
#[test]
fn aes_device_rolls_over_counters_with_too_many_one_bits() {
    let initial_key = aes::InitialKey::of_base_key(&AesKey::new(&BDK).unwrap(), AES_DEVICE).unwrap();
    let mut device = aes::Device::load(&initial_key);
    let mut previous = 0;
    loop {
        let (ksn, key) = device.next_transaction().unwrap();
        let counter = ksn.counter();
        let expected = (previous + 1..).find(|counter: &u32| counter.count_ones() <= aes::ONE_BITS_MAX);
        assert_eq!(Some(counter), expected);
        if (0xFFF0..0x1_0010).contains(&counter) || counter > 0x1_FFF0 {
            assert_eq!(key.expose_bytes(), initial_key.transaction_key(&ksn).expose_bytes(), "{ksn:?}");
        }
        if counter > 0x2_0010 {
            break;
        }
        previous = counter;
    }
}

#[test]
fn aes_working_keys_are_never_stronger_than_the_base_key() {
    let initial_key = aes::InitialKey::of_base_key(&AesKey::new(&BDK).unwrap(), AES_DEVICE).unwrap();
    let ksn = aes::KeySerialNumber::new(AES_DEVICE, 1).unwrap();
    let key = initial_key.transaction_key(&ksn);
    for (key_type, allowed) in [
        (aes::KeyType::Tdes2, true),
        (aes::KeyType::Tdes3, true),
        (aes::KeyType::Aes128, true),
        (aes::KeyType::Hmac128, true),
        (aes::KeyType::Aes192, false),
        (aes::KeyType::Aes256, false),
        (aes::KeyType::Hmac256, false),
    ] {
        let working = key.working_key(aes::KeyUsage::DataBothWays, key_type);
        assert_eq!(working.as_ref().is_ok(), allowed, "{key_type:?}");
        assert_eq!(working.ok().map(|key| key.expose_bytes().len()), allowed.then(|| key_type.length()));
    }
}
