//! Transaction keys against a second derivation, written down here from the standards over other people's ciphers: for
//! each counter with one or two one-bits, which together take every step of the derivation from every other.

use aes::cipher::{BlockCipherEncrypt, KeyInit};
use paycrypto::dukpt::{aes as aes_dukpt, tdes};
use paycrypto::key::AesKey;

const BDK: [u8; 16] = *b"\x01\x23\x45\x67\x89\xAB\xCD\xEF\xFE\xDC\xBA\x98\x76\x54\x32\x10";
const DEVICE: [u8; 8] = [0xFF, 0xFF, 0x98, 0x76, 0x54, 0x32, 0x10, 0xE0];
const AES_DEVICE: [u8; 8] = [0x12, 0x34, 0x56, 0x78, 0x90, 0x12, 0x34, 0x56];

/// Counters with one and with two one-bits out of `bits`.
fn counters(bits: u32) -> Vec<u32> {
    let two = (0..bits).flat_map(|high| (0..high).map(move |low| 1 << high | 1 << low));
    (0..bits).map(|bit| 1 << bit).chain(two).collect()
}

fn xor<const N: usize>(a: [u8; N], b: [u8; N]) -> [u8; N] {
    core::array::from_fn(|place| a[place] ^ b[place])
}

fn des(key: [u8; 8], block: [u8; 8]) -> [u8; 8] {
    let mut block = block.into();
    des::Des::new(&key.into()).encrypt_block(&mut block);
    block.into()
}

fn tdes(key: [u8; 16], block: [u8; 8]) -> [u8; 8] {
    let mut block = block.into();
    des::TdesEde2::new(&key.into()).encrypt_block(&mut block);
    block.into()
}

const C0: [u8; 16] = *b"\xC0\xC0\xC0\xC0\0\0\0\0\xC0\xC0\xC0\xC0\0\0\0\0";

/// X9.24-1:2009 A.6 and A.3: the initial key, then one pass through the generator for each one-bit.
fn rederived_tdes(counter: u32) -> [u8; 16] {
    let left_of_ksn = DEVICE; // the eight leftmost bytes, none of which has a counter bit in it that is set
    let mut key = [tdes(BDK, left_of_ksn), tdes(xor(BDK, C0), left_of_ksn)].concat();
    let mut register = u64::from_be_bytes([0x98, 0x76, 0x54, 0x32, 0x10, 0xE0, 0, 0]);
    for bit in (0..21).rev().filter(|bit| counter >> bit & 1 == 1) {
        register |= 1 << bit;
        let pass = |key: [u8; 16]| {
            let (left, right) = (key[..8].try_into().unwrap(), key[8..].try_into().unwrap());
            xor(des(left, xor(register.to_be_bytes(), right)), right)
        };
        let current: [u8; 16] = key.as_slice().try_into().unwrap();
        key = [pass(xor(current, C0)), pass(current)].concat();
    }
    key.try_into().unwrap()
}

#[test]
fn tdes_keys_of_counters_with_one_or_two_one_bits() {
    let bdk = tdes::BaseDerivationKey::new(&BDK).unwrap();
    let counters = counters(21);
    assert_eq!(counters.len(), 21 + 210);
    let mut keys = std::collections::BTreeSet::new();
    for counter in counters {
        let mut ksn = [0; 10];
        ksn[..8].copy_from_slice(&DEVICE);
        ksn[7] |= (counter >> 16) as u8;
        ksn[8..].copy_from_slice(&(counter as u16).to_be_bytes());
        let ksn = tdes::KeySerialNumber::new(ksn).unwrap();
        assert_eq!(ksn.counter(), counter);
        let key = *bdk.transaction_key(&ksn).expose_bytes();
        assert_eq!(key, rederived_tdes(counter), "{ksn:?}");
        assert!(keys.insert(key), "a key came twice: {ksn:?}");
    }
}

fn aes_block(key: &[u8], mut block: [u8; 16]) -> [u8; 16] {
    let bytes = (&mut block).into();
    match key.len() {
        16 => aes::Aes128::new_from_slice(key).unwrap().encrypt_block(bytes),
        24 => aes::Aes192::new_from_slice(key).unwrap().encrypt_block(bytes),
        _ => aes::Aes256::new_from_slice(key).unwrap().encrypt_block(bytes),
    }
    block
}

/// X9.24-3:2017 6.3: one derivation, of a key as long as the one it is made from.
fn aes_step(key: &[u8], usage: u16, context: [u8; 8]) -> Vec<u8> {
    let (algorithm, bits) = match key.len() {
        16 => (2u16, 128u16),
        24 => (3, 192),
        _ => (4, 256),
    };
    let block = |number: u8| {
        let mut data = vec![1, number];
        for field in [usage, algorithm, bits] {
            data.extend(field.to_be_bytes());
        }
        data.extend(context);
        aes_block(key, data.try_into().unwrap())
    };
    [block(1), block(2)].concat()[..key.len()].to_vec()
}

fn rederived_aes(bdk: &[u8], counter: u32) -> Vec<u8> {
    let mut key = aes_step(bdk, 0x8001, AES_DEVICE);
    let mut so_far = 0u32;
    for bit in (0..32).rev().filter(|bit| counter >> bit & 1 == 1) {
        so_far |= 1 << bit;
        let mut context = [0; 8];
        context[..4].copy_from_slice(&AES_DEVICE[4..]);
        context[4..].copy_from_slice(&so_far.to_be_bytes());
        key = aes_step(&key, 0x8000, context);
    }
    key
}

#[test]
fn aes_keys_of_counters_with_one_or_two_one_bits() {
    let counters = counters(32);
    assert_eq!(counters.len(), 32 + 496);
    for length in [16, 24, 32] {
        let bdk = &[BDK, xor(BDK, C0)].concat()[..length];
        let initial_key = aes_dukpt::InitialKey::of_base_key(&AesKey::new(bdk).unwrap(), AES_DEVICE).unwrap();
        let mut keys = std::collections::BTreeSet::new();
        for &counter in &counters {
            let ksn = aes_dukpt::KeySerialNumber::new(AES_DEVICE, counter).unwrap();
            let key = initial_key.transaction_key(&ksn).expose_bytes().to_vec();
            assert_eq!(key, rederived_aes(bdk, counter), "{ksn:?}");
            assert!(keys.insert(key), "a key came twice: {ksn:?}");
        }
    }
}
