//! One path of a PIN through a host, so many times: `pin_path SCENARIO COUNT`; `pin_path --list` names the scenarios.
//!
//! It is what `bench/instructions/count` counts the instructions of and what `bench/peers-crypto/measure` takes the time
//! of: two runs with two counts, so that the start of the program cancels. It has no clock itself. Inputs are fixed and
//! hidden from the optimiser, keys are prepared once as a host does, and a path that computes something wrong panics.

use std::hint::black_box;

use paycrypto::dukpt::{aes, tdes};
use paycrypto::key::{AesKey, Sm4Key, TdesKey};
use paycrypto::key_block::{
    self, Algorithm, Exportability, Header, KeyUsage, ModeOfUse, ProtectionKey, Version,
};
use paycrypto::mac;
use paycrypto::pin::{Account12, PanForPin, Pin};
use paycrypto::pin_block::{self, ClearPinBlock};
use paycrypto::pin_verify::ibm3624::{self, DecimalisationTable, ValidationData};
use paycrypto::pin_verify::{Verdict, pvv};

const KEY: [u8; 16] = *b"\x01\x23\x45\x67\x89\xAB\xCD\xEF\xFE\xDC\xBA\x98\x76\x54\x32\x10";
const OTHER_KEY: [u8; 16] = *b"fedcba9876543210";
const MESSAGE: [u8; 128] = [0x5A; 128];

/// A path: prepares its inputs and runs so many times.
type Path = fn(u64);

const SCENARIOS: [(&str, Path); 9] = [
    ("dukpt-tdes-pvv", dukpt_tdes_pvv),
    ("dukpt-aes-iso4-pvv", dukpt_aes_iso4_pvv),
    ("iso0-translate-pvv", iso0_translate_pvv),
    ("iso4-translate", iso4_translate),
    ("sm4-layout-1", sm4_layout_1),
    ("x919-128", x919_128),
    ("cup-ecb-128", cup_ecb_128),
    ("ibm3624-verify", ibm3624_verify),
    ("key-block-d-unwrap", key_block_d_unwrap),
];

#[allow(
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    reason = "the crate has no environment; a program has"
)]
fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let path = |name: &str| SCENARIOS.iter().find(|(known, _)| *known == name).map(|(_, path)| *path);
    match arguments.as_slice() {
        ["--list"] => SCENARIOS.iter().for_each(|(name, _)| println!("{name}")),
        [name, count] => match (path(name), count.parse()) {
            (Some(path), Ok(count)) => path(count),
            _ => usage(),
        },
        _ => usage(),
    }
}

#[allow(clippy::disallowed_macros, reason = "a program says what it was called wrongly with")]
fn usage() {
    eprintln!("usage: pin_path --list | SCENARIO COUNT");
    std::process::exit(2);
}

/// What all paths share: a card with a PIN, and how its issuer verifies it.
struct Card {
    pan: PanForPin,
    account: Account12,
    pin: Pin,
    pvk: TdesKey,
    pvki: pvv::Pvki,
    stored: pvv::Pvv,
}

impl Card {
    fn new() -> Card {
        let pan = PanForPin::new("6230606601007726888").unwrap();
        let (account, pin) = (pan.account12(), Pin::from_ascii(b"123456").unwrap());
        let (pvk, pvki) = (TdesKey::double(b"0123456789abcdef"), pvv::Pvki::new(1).unwrap());
        let stored = pvv::generate(&pvk, pvki, &pin, &account);
        Card { pan, account, pin, pvk, pvki, stored }
    }

    fn verify(&self, entered: &Pin) {
        let verdict = pvv::verify(&self.pvk, self.pvki, entered, &self.account, &self.stored);
        assert_eq!(black_box(verdict), Verdict::Right);
    }
}

/// A TDEA-DUKPT terminal's block: derive its key from the base key (nine one-bits), decrypt, decode, PVV.
fn dukpt_tdes_pvv(count: u64) {
    let card = Card::new();
    let base_key = tdes::BaseDerivationKey::new(&KEY).unwrap();
    let ksn = tdes::KeySerialNumber::new(*b"\xFF\xFF\x98\x76\x54\x32\x10\xEA\x5A\x52").unwrap();
    let key = base_key.transaction_key(&ksn).pin_key();
    let block = pin_block::encode_format_0(&card.pin, &card.account).encrypt(&key);
    for _ in 0..count {
        let key = base_key.transaction_key(black_box(&ksn)).pin_key();
        let clear = ClearPinBlock::decrypt(&key, black_box(&block));
        card.verify(&pin_block::decode_format_0(&clear, &card.account).unwrap());
    }
}

/// An AES-DUKPT terminal's block: derive its key from the base key (fourteen one-bits), decipher format 4, PVV.
fn dukpt_aes_iso4_pvv(count: u64) {
    let card = Card::new();
    let base_key = AesKey::new(&KEY).unwrap();
    let ksn = aes::KeySerialNumber::new(*b"12345678", 0x0A5A_5A5A).unwrap();
    let derive = |ksn: &aes::KeySerialNumber| {
        let initial_key = aes::InitialKey::of_base_key(&base_key, ksn.initial_key_id()).unwrap();
        initial_key.transaction_key(ksn).pin_key(aes::KeyType::Aes128).unwrap()
    };
    let block = pin_block::encrypt_format_4(&derive(&ksn), &card.pin, &card.pan, &[7; 8]);
    for _ in 0..count {
        let key = derive(black_box(&ksn));
        card.verify(&pin_block::decrypt_format_4(&key, black_box(&block), &card.pan).unwrap());
    }
}

/// Format 0 from one zone key to another, and PVV.
fn iso0_translate_pvv(count: u64) {
    let card = Card::new();
    let (from, to) = (TdesKey::double(&KEY), TdesKey::double(&OTHER_KEY));
    let block = pin_block::encode_format_0(&card.pin, &card.account).encrypt(&from);
    for _ in 0..count {
        let clear = ClearPinBlock::decrypt(&from, black_box(&block));
        let pin = pin_block::decode_format_0(&clear, &card.account).unwrap();
        black_box(pin_block::encode_format_0(&pin, &card.account).encrypt(&to));
        card.verify(&pin);
    }
}

/// Format 4 from one zone key to another.
fn iso4_translate(count: u64) {
    let card = Card::new();
    let (from, to) = (AesKey::new(&KEY).unwrap(), AesKey::new(&OTHER_KEY).unwrap());
    let block = pin_block::encrypt_format_4(&from, &card.pin, &card.pan, &[7; 8]);
    for _ in 0..count {
        let pin = pin_block::decrypt_format_4(&from, black_box(&block), &card.pan).unwrap();
        black_box(pin_block::encrypt_format_4(&to, &pin, &card.pan, black_box(&[9; 8])));
    }
}

/// SM4 layout 1 from one zone key to another.
fn sm4_layout_1(count: u64) {
    let card = Card::new();
    let (from, to) = (Sm4Key::new(&KEY), Sm4Key::new(&OTHER_KEY));
    let block = pin_block::encrypt_sm4_layout_1(&from, &card.pin, &card.account);
    for _ in 0..count {
        let pin = pin_block::decrypt_sm4_layout_1(&from, black_box(&block), &card.account).unwrap();
        black_box(pin_block::encrypt_sm4_layout_1(&to, &pin, &card.account));
    }
}

/// The X9.19 MAC of 128 bytes.
fn x919_128(count: u64) {
    let key = TdesKey::double(&KEY);
    for _ in 0..count {
        black_box(mac::x9_19(&key, black_box(&MESSAGE)));
    }
}

/// The "ECB" MAC of UnionPay terminals of 128 bytes, with a double-length key.
fn cup_ecb_128(count: u64) {
    let key = TdesKey::double(&KEY);
    for _ in 0..count {
        black_box(mac::union_pay_ecb(&key, black_box(&MESSAGE)));
    }
}

/// An IBM 3624 offset of six digits.
fn ibm3624_verify(count: u64) {
    let card = Card::new();
    let table = DecimalisationTable::new("0123456789012345").unwrap();
    let data = ValidationData::from_template("6230606N", &card.account).unwrap();
    let offset = ibm3624::offset(&card.pvk, &table, data, &card.pin, 6).unwrap();
    for _ in 0..count {
        let verdict = ibm3624::verify(&card.pvk, &table, data, &offset, black_box(&card.pin), 6);
        assert_eq!(black_box(verdict), Ok(Verdict::Right));
    }
}

/// A double-length PIN key in a version D block under an AES-256 key.
fn key_block_d_unwrap(count: u64) {
    let protection_key = ProtectionKey::Aes(AesKey::new(&[KEY, OTHER_KEY].concat()).unwrap());
    let header = Header::new(
        Version::D,
        KeyUsage::PinEncryption,
        Algorithm::Tdea,
        ModeOfUse::EncryptAndDecrypt,
        Exportability::No,
    );
    let block = key_block::wrap(&protection_key, &header, &KEY, &[7; key_block::RANDOM_LENGTH]).unwrap();
    for _ in 0..count {
        let (_, key) = key_block::unwrap(&protection_key, black_box(&block)).unwrap();
        assert_eq!(black_box(key).expose_bytes(), KEY);
    }
}
