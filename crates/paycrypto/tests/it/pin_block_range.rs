//! PIN blocks over the whole range of PINs and account numbers, and against nonsense.

use paycrypto::key::{AesKey, Sm4Key, TdesKey};
use paycrypto::pin::{PanForPin, Pin};
use paycrypto::pin_block::{self, ClearPinBlock, Format3Fill, PinBlockError};
use paycrypto::thales;
use proptest::prelude::*;

fn digits(pin: &Pin) -> String {
    pin.expose_digits().iter().map(|digit| char::from(b'0' + digit)).collect()
}

/// Puts a PIN through every format, both SM4 layouts and the Diebold block, and gets it back.
fn check_round_trips(pin: &str, pan: &str, random: [u8; 8]) {
    let (clear, pan) = (Pin::from_ascii(pin.as_bytes()).unwrap(), PanForPin::new(pan).unwrap());
    let account = pan.account12();
    let key = TdesKey::double(b"0123456789abcdef");
    let through = |block: ClearPinBlock| ClearPinBlock::decrypt(&key, &block.encrypt(&key));

    let block = through(pin_block::encode_format_0(&clear, &account));
    assert_eq!(digits(&pin_block::decode_format_0(&block, &account).unwrap()), pin);
    let block = through(pin_block::encode_format_1(&clear, &random));
    assert_eq!(digits(&pin_block::decode_format_1(&block).unwrap()), pin);
    let block = through(pin_block::encode_format_2_for_ic_card(&clear));
    assert_eq!(digits(&pin_block::decode_format_2_on_ic_card(&block).unwrap()), pin);
    let block = through(pin_block::encode_format_3(&clear, &account, &Format3Fill::from_random(&random)));
    assert_eq!(digits(&pin_block::decode_format_3(&block, &account).unwrap()), pin);

    let aes = AesKey::new(b"0123456789abcdef").unwrap();
    let block = pin_block::encrypt_format_4(&aes, &clear, &pan, &random);
    assert_eq!(digits(&pin_block::decrypt_format_4(&aes, &block, &pan).unwrap()), pin);
    let sm4 = Sm4Key::new(b"0123456789abcdef");
    let block = pin_block::encrypt_sm4_layout_1(&sm4, &clear, &account);
    assert_eq!(digits(&pin_block::decrypt_sm4_layout_1(&sm4, &block, &account).unwrap()), pin);
    let block = pin_block::encrypt_sm4_layout_2(&sm4, &clear, &account);
    assert_eq!(digits(&pin_block::decrypt_sm4_layout_2(&sm4, &block, &account).unwrap()), pin);
    let block = through(thales::encode_diebold(&clear));
    assert_eq!(digits(&thales::decode_diebold(&block).unwrap()), pin);
}

#[test]
fn every_pin_length_with_every_pan_length() {
    for pin_length in 4..=12 {
        for pan_length in 12..=19 {
            check_round_trips(&"957284061735"[..pin_length], &"6230606601007726888"[..pan_length], [0x5C; 8]);
        }
    }
}

proptest! {
    #[test]
    fn any_pin_comes_back(pin in "[0-9]{4,12}", pan in "[0-9]{12,19}", random: [u8; 8]) {
        check_round_trips(&pin, &pan, random);
    }

    /// A random block is what a wrong key gives: a format error but for about 6 blocks in 10^8 in format 0. One that
    /// decodes must encode to itself.
    #[test]
    fn a_random_block_is_a_format_error_or_a_block(block: [u8; 8], pan in "[0-9]{12,19}") {
        let (clear, account) = (ClearPinBlock::from_bytes(&block), PanForPin::new(&pan).unwrap().account12());
        if let Ok(pin) = pin_block::decode_format_0(&clear, &account) {
            prop_assert_eq!(*pin_block::encode_format_0(&pin, &account).expose_bytes(), block);
        }
        if let Ok(pin) = pin_block::decode_format_1(&clear) {
            prop_assert_eq!(*pin_block::encode_format_1(&pin, &block).expose_bytes(), block);
        }
        if let Ok(pin) = pin_block::decode_format_2_on_ic_card(&clear) {
            prop_assert_eq!(*pin_block::encode_format_2_for_ic_card(&pin).expose_bytes(), block);
        }
        let _ = pin_block::decode_format_3(&clear, &account);
    }
}

/// Blocks under one key opened with another, twenty thousand times.
#[test]
fn a_wrong_key_is_a_format_error() {
    let account = PanForPin::new("6230606601007726888").unwrap().account12();
    let wrong = TdesKey::double(b"fedcba9876543210");
    let accepted = (0..20_000u64).filter(|number| {
        let block = ClearPinBlock::decrypt(&wrong, &number.to_be_bytes());
        pin_block::decode_format_0(&block, &account).is_ok()
    });
    // The chance of a random block is 1/16 (control) times the sum over lengths of
    // 1/16 (length) times (10/16)^L times (1/16)^(14-L): about 6e-8, nearly all of it from 12-digit PINs.
    assert_eq!(accepted.count(), 0);
    let pan = PanForPin::new("6230606601007726888").unwrap();
    let wrong = AesKey::new(b"fedcba9876543210").unwrap();
    let accepted = (0..20_000u128)
        .filter(|number| pin_block::decrypt_format_4(&wrong, &number.to_be_bytes(), &pan).is_ok());
    assert_eq!(accepted.count(), 0);
}

fn check_refused(block: &str, expect: PinBlockError) {
    let block = ClearPinBlock::from_bytes(hex::decode(block).unwrap().as_slice().try_into().unwrap());
    assert_eq!(pin_block::decode_format_2_on_ic_card(&block).err(), Some(expect));
}

#[test]
fn each_cause_has_its_name() {
    check_refused("041234FFFFFFFFFF", PinBlockError::Control);
    check_refused("231234FFFFFFFFFF", PinBlockError::Length);
    check_refused("2D1234FFFFFFFFFF", PinBlockError::Length);
    check_refused("24123AFFFFFFFFFF", PinBlockError::Digit);
    check_refused("241234FFFFFFFFFE", PinBlockError::Fill);
    check_refused("2412345FFFFFFFFF", PinBlockError::Fill);
    check_refused("0F0000000000000A", PinBlockError::Control); // the first cause of several
}

#[test]
fn sm4_layout_2_demands_zero_padding() {
    use paycrypto::key::BlockKey;
    let (key, pan) = (Sm4Key::new(&[9; 16]), PanForPin::new("6230606601007726888").unwrap());
    let account = pan.account12();
    let clear = pin_block::encode_format_0(&Pin::from_ascii(b"123456").unwrap(), &account);
    let mut block = [0u8; 16];
    block[..8].copy_from_slice(clear.expose_bytes().as_slice());
    block[15] = 1;
    key.encrypt_block(&mut block);
    assert_eq!(pin_block::decrypt_sm4_layout_2(&key, &block, &account).err(), Some(PinBlockError::Fill));
}
