//! PVV and IBM 3624 over all PIN lengths, with right and wrong PINs.

use paycrypto::key::TdesKey;
use paycrypto::pin::{Account12, PanForPin, Pin};
use paycrypto::pin_verify::ibm3624::{self, DecimalisationTable, Ibm3624Error, Offset, ValidationData};
use paycrypto::pin_verify::{Verdict, pvv};
use proptest::prelude::*;

fn pin(digits: &str) -> Pin {
    Pin::from_ascii(digits.as_bytes()).unwrap()
}

fn other(digits: &str, place: usize) -> String {
    let mut changed = digits.as_bytes().to_vec();
    changed[place] = b'0' + (changed[place] - b'0' + 1) % 10;
    String::from_utf8(changed).unwrap()
}

proptest! {
    #[test]
    fn offsets_verify_their_pin_and_no_other(
        key: [u8; 16], digits in "[0-9]{4,12}", table in "[0-9]{16}", data in "[0-9A-F]{16}", shorter in 0usize..9,
        place: prop::sample::Index,
    ) {
        let (key, chosen) = (TdesKey::double(&key), pin(&digits));
        let table = DecimalisationTable::new(&table).unwrap();
        let data = ValidationData::new(&data).unwrap();
        let check_length = digits.len().saturating_sub(shorter).max(4);
        let offset = ibm3624::offset(&key, &table, data, &chosen, check_length).unwrap();
        let verify = |entered: &Pin| ibm3624::verify(&key, &table, data, &offset, entered, check_length).unwrap();
        prop_assert_eq!(verify(&chosen), Verdict::Right);
        // A changed digit matters if it is one of the rightmost `check_length`.
        let place = place.index(digits.len());
        let matters = place >= digits.len() - check_length;
        let expected = if matters { Verdict::Wrong } else { Verdict::Right };
        prop_assert_eq!(verify(&pin(&other(&digits, place))), expected);
        if check_length == digits.len() {
            let found = ibm3624::pin_of_offset(&key, &table, data, &offset).unwrap();
            prop_assert_eq!(found.expose_digits(), chosen.expose_digits());
        }
    }

    #[test]
    fn a_pvv_verifies_its_pin(key: [u8; 16], digits in "[0-9]{4,12}", pan in "[0-9]{12,19}", index in 0u8..10) {
        let (key, account) = (TdesKey::double(&key), PanForPin::new(&pan).unwrap().account12());
        let index = pvv::Pvki::new(index).unwrap();
        let stored = pvv::generate(&key, index, &pin(&digits), &account);
        prop_assert_eq!(pvv::verify(&key, index, &pin(&digits), &account, &stored), Verdict::Right);
        // Only the four leftmost digits count.
        let longer = format!("{}99", &digits[..4]);
        prop_assert_eq!(pvv::verify(&key, index, &pin(&longer), &account, &stored), Verdict::Right);
    }
}

#[test]
fn nearly_every_wrong_pin_fails_the_pvv() {
    let (key, pan) = (TdesKey::double(b"0123456789abcdef"), PanForPin::new("6230606601007726888").unwrap());
    let (index, account) = (pvv::Pvki::new(1).unwrap(), pan.account12());
    let stored = pvv::generate(&key, index, &pin("4711"), &account);
    let right = (0..10_000).filter(|number| {
        pvv::verify(&key, index, &pin(&format!("{number:04}")), &account, &stored) == Verdict::Right
    });
    assert!((1..=6).contains(&right.count())); // the right one, and the chance matches that any 4-digit value has
}

#[test]
fn a_short_pin_is_wrong_and_a_bad_check_length_is_a_fault() {
    let key = TdesKey::double(b"0123456789abcdef");
    let table = DecimalisationTable::new("0123456789012345").unwrap();
    let data = ValidationData::new("1122334455667788").unwrap();
    let offset = Offset::from_ascii(b"123456").unwrap();
    let verify = |entered: &str, length| ibm3624::verify(&key, &table, data, &offset, &pin(entered), length);
    assert_eq!(verify("1234", 6), Ok(Verdict::Wrong));
    assert_eq!(verify("123456", 3), Err(Ibm3624Error::CheckLength));
    assert_eq!(verify("1234567", 7), Err(Ibm3624Error::CheckLength));
}

#[test]
fn decimalisation_tables_are_judged() {
    let check = |table: &str, ok: bool| {
        assert_eq!(DecimalisationTable::new(table).unwrap().check_policy().is_ok(), ok, "{table}");
    };
    check("0123456789012345", true);
    check("0000111122223333", false); // four different digits
    check("0123456700000123", false); // 0 six times
    check("0123456701234567", true); // eight different, each twice
    check("0000123456700000", false);
    assert_eq!(DecimalisationTable::new("012345678901234A").err(), Some(Ibm3624Error::Table));
    assert_eq!(DecimalisationTable::new("0123").err(), Some(Ibm3624Error::Table));
}

/// The PVV by the book, over other people's DES: scan for decimal digits from the left, and if four do not come together,
/// scan again for A to F, each less ten. The second value says whether the second scan was needed.
fn pvv_by_the_book(key: [u8; 16], account: &str, index: u8, pin: &str) -> (String, bool) {
    use des::cipher::{BlockCipherEncrypt, KeyInit};
    let parameter = format!("{}{index}{}", &account[1..], &pin[..4]);
    let mut block: [u8; 8] = hex::decode(parameter).unwrap().try_into().unwrap();
    des::TdesEde2::new(&key.into()).encrypt_block((&mut block).into());
    let digits = hex::encode_upper(block);
    let mut pvv: String = digits.chars().filter(char::is_ascii_digit).take(4).collect();
    let second = pvv.len() < 4;
    let letters =
        digits.bytes().filter(u8::is_ascii_alphabetic).map(|letter| char::from(letter - b'A' + b'0'));
    pvv.extend(letters.take(4 - pvv.len()));
    (pvv, second)
}

#[test]
fn the_second_decimalisation_pass_is_that_of_the_book() {
    let key = *b"0123456789abcdef";
    let (prepared, account) = (TdesKey::double(&key), "660100772688");
    let mut second_passes = 0;
    for number in 0..10_000 {
        for index in 1..=3 {
            let digits = format!("{number:04}");
            let (expected, second) = pvv_by_the_book(key, account, index, &digits);
            let found = pvv::generate(
                &prepared,
                pvv::Pvki::new(index).unwrap(),
                &pin(&digits),
                &Account12::new(account).unwrap(),
            );
            assert_eq!(found.expose_ascii(), expected.as_bytes(), "{index} {digits}");
            second_passes += usize::from(second);
        }
    }
    assert!(second_passes >= 3, "of 30,000 about a dozen need the second pass, not {second_passes}");
}
