//! The PIN paths of a host, in nanoseconds for each operation.
//!
//! Read them as ratios to one `des-ede3` block of `openssl speed` on the same machine, so that the machine's own
//! noise cancels: DUKPT derivation + decryption + PVV at most 25, ISO-0 translation + PVV at most 12.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use paycrypto::dukpt::{aes, tdes};
use paycrypto::key::{AesKey, BlockKey, Sm4Key, TdesKey};
use paycrypto::pin::{PanForPin, Pin};
use paycrypto::pin_block::{self, ClearPinBlock};
use paycrypto::pin_verify::pvv;

const BDK: [u8; 16] = *b"\x01\x23\x45\x67\x89\xAB\xCD\xEF\xFE\xDC\xBA\x98\x76\x54\x32\x10";

fn blocks(c: &mut Criterion) {
    let tdes = TdesKey::double(&BDK);
    c.bench_function("tdes block", |b| {
        let mut block = [0; 8];
        b.iter(|| tdes.encrypt_block(black_box(&mut block)));
    });
    c.bench_function("tdes key schedule and block", |b| {
        b.iter(|| {
            let mut block = [0; 8];
            TdesKey::double(black_box(&BDK)).encrypt_block(&mut block);
            block
        });
    });
    c.bench_function("tdes block, des crate", |b| {
        use des::cipher::{BlockCipherEncrypt, KeyInit};
        let theirs = des::TdesEde2::new(&BDK.into());
        let mut block = [0u8; 8].into();
        b.iter(|| theirs.encrypt_block(black_box(&mut block)));
    });
    let sm4 = Sm4Key::new(&BDK);
    c.bench_function("sm4 block", |b| {
        let mut block = [0; 16];
        b.iter(|| sm4.encrypt_block(black_box(&mut block)));
    });
}

fn paths(c: &mut Criterion) {
    let (pan, pin) = (PanForPin::new("6230606601007726888").unwrap(), Pin::from_ascii(b"123456").unwrap());
    let account = pan.account12();
    let bdk = tdes::BaseDerivationKey::new(&BDK).unwrap();
    let (pvk, zpk) = (TdesKey::double(b"0123456789abcdef"), TdesKey::double(b"fedcba9876543210"));
    let pvki = pvv::Pvki::new(1).unwrap();
    let stored = pvv::generate(&pvk, pvki, &pin, &account);

    // Random counters of at most ten one-bits, as terminals in the middle of their life have them.
    let mut state = 1u64;
    let transactions: Vec<_> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as u32 & 0x1F_FFFF
    })
    .filter_map(|counter| {
        let mut ksn = *b"\xFF\xFF\x98\x76\x54\x32\x10\xE0\x00\x00";
        for (byte, counter) in ksn[7..].iter_mut().zip(&counter.to_be_bytes()[1..]) {
            *byte |= counter;
        }
        tdes::KeySerialNumber::new(ksn).ok()
    })
    .take(1000)
    .map(|ksn| {
        let key = bdk.transaction_key(&ksn).pin_key();
        (ksn, pin_block::encode_format_0(&pin, &account).encrypt(&key))
    })
    .collect();
    let mut next = transactions.iter().cycle();
    c.bench_function("tdes dukpt derive, decrypt, pvv", |b| {
        b.iter(|| {
            let (ksn, block) = next.next().unwrap();
            let key = bdk.transaction_key(ksn).pin_key();
            let pin = pin_block::decode_format_0(&ClearPinBlock::decrypt(&key, block), &account).unwrap();
            pvv::verify(&pvk, pvki, &pin, &account, &stored)
        });
    });

    let incoming = pin_block::encode_format_0(&pin, &account).encrypt(&zpk);
    c.bench_function("iso-0 translate, pvv", |b| {
        b.iter(|| {
            let clear = ClearPinBlock::decrypt(&zpk, black_box(&incoming));
            let pin = pin_block::decode_format_0(&clear, &account).unwrap();
            let outgoing = pin_block::encode_format_0(&pin, &account).encrypt(&pvk);
            (outgoing, pvv::verify(&pvk, pvki, &pin, &account, &stored))
        });
    });

    let initial_key = aes::InitialKey::of_base_key(&AesKey::new(&BDK).unwrap(), *b"12345678").unwrap();
    let ksn = aes::KeySerialNumber::new(*b"12345678", 0x0A5A_5A5A).unwrap();
    let key = initial_key.transaction_key(&ksn).pin_key(aes::KeyType::Aes128).unwrap();
    let block = pin_block::encrypt_format_4(&key, &pin, &pan, &[7; 8]);
    c.bench_function("aes dukpt derive, decrypt iso-4, 14 one-bits", |b| {
        b.iter(|| {
            let key = initial_key.transaction_key(black_box(&ksn)).pin_key(aes::KeyType::Aes128).unwrap();
            pin_block::decrypt_format_4(&key, &block, &pan).is_ok()
        });
    });
}

criterion_group!(benches, blocks, paths);
criterion_main!(benches);
