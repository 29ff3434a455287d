//! Reading what was typed: hexadecimal, PINs, account numbers, keys. What cannot be read is told in one sentence with
//! the name of the option, and is the caller's mistake.

use std::fmt::Display;

use paycrypto::key::{AesKey, DesKey, Sm4Key, TdesKey};
use paycrypto::pin::{Account12, PAN_LENGTH_MAX, PAN_LENGTH_MIN, PanForPin, Pin};

use super::page::Page;
use crate::command::Usage;

/// The longest message or key data, in bytes: a page with more steps than this is read by nobody.
pub(super) const DATA_BYTES_MAX: usize = 4096;

/// The caller's mistake.
pub(super) fn bad(sentence: impl Display) -> anyhow::Error {
    Usage(sentence.to_string()).into()
}

/// The caller's mistake in an option.
pub(super) fn bad_option(option: &str, why: impl Display) -> anyhow::Error {
    bad(format!("--{option}: {why}"))
}

/// An option that this calculation cannot do without.
pub(super) fn needed<'a>(option: &str, value: Option<&'a str>) -> anyhow::Result<&'a str> {
    value.ok_or_else(|| bad_option(option, "is needed for this calculation"))
}

/// Refuses an option that this calculation would not look at: whoever typed it expects it to change the result.
pub(super) fn not_for<T>(option: &str, value: Option<&T>, here: impl Display) -> anyhow::Result<()> {
    match value {
        Some(_) => Err(bad_option(option, format!("does not apply to {here}"))),
        None => Ok(()),
    }
}

/// A number of things, with the noun in its form.
pub(super) fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// Upper-case hexadecimal.
pub(super) fn upper_hex(bytes: impl AsRef<[u8]>) -> String {
    hex::encode_upper(bytes)
}

/// Digit values as text.
pub(super) fn digit_text(digits: &[u8]) -> String {
    digits.iter().map(|digit| char::from(b'0' + digit % 10)).collect()
}

/// Hexadecimal digits of any even number.
pub(super) fn bytes(option: &str, text: &str) -> anyhow::Result<Vec<u8>> {
    match hex::decode(text) {
        Ok(bytes) if bytes.len() > DATA_BYTES_MAX => {
            Err(bad_option(option, format!("has more than {DATA_BYTES_MAX} bytes")))
        }
        Ok(bytes) => Ok(bytes),
        // The place alone: what was typed may be a key.
        Err(_) => Err(match text.chars().position(|digit| !digit.is_ascii_hexdigit()) {
            Some(place) => bad_option(option, format!("character {} is not a hexadecimal digit", place + 1)),
            None => bad_option(option, format!("has an odd number of hexadecimal digits: {}", text.len())),
        }),
    }
}

/// Hexadecimal digits of exactly N bytes.
pub(super) fn block<const N: usize>(option: &str, text: &str) -> anyhow::Result<[u8; N]> {
    let found = bytes(option, text)?;
    let length = found.len();
    found
        .try_into()
        .map_err(|_| bad_option(option, format!("has {} where {N} are needed", count(length, "byte"))))
}

/// The random bytes of a format: as typed, or fresh ones.
pub(super) fn random<const N: usize>(text: Option<&str>) -> anyhow::Result<[u8; N]> {
    if let Some(text) = text {
        return block("random", text);
    }
    let mut fresh = [0; N];
    getrandom::fill(&mut fresh).map_err(|error| anyhow::anyhow!("no randomness: {error}"))?;
    Ok(fresh)
}

pub(super) fn pin(text: &str) -> anyhow::Result<Pin> {
    Pin::from_ascii(text.as_bytes()).map_err(|error| bad_option("pin", error))
}

/// The account digits of formats 0 and 3, the SM4 layouts and the PVV, out of 12 to 19 digits with the check digit.
pub(super) fn account(page: &mut Page, text: &str) -> anyhow::Result<Account12> {
    let pan = PanForPin::new(text).map_err(|_| bad_pan(text, PAN_LENGTH_MIN))?;
    check_digit_hint(page, text);
    Ok(pan.account12())
}

/// The account number of format 4, which alone has a rule for fewer than 12 digits (ISO 9564-1:2017, 9.4.2.2).
pub(super) fn pan_of_format_4(page: &mut Page, text: &str) -> anyhow::Result<PanForPin> {
    let pan = PanForPin::zero_filled(text).map_err(|_| bad_pan(text, 1))?;
    check_digit_hint(page, text);
    if text.len() < PAN_LENGTH_MIN {
        page.step("account number, filled with zeros on the left to 12 digits", format!("{text:0>12}"));
    }
    Ok(pan)
}

fn bad_pan(text: &str, shortest: usize) -> anyhow::Error {
    match text.bytes().all(|digit| digit.is_ascii_digit()) {
        true => {
            let why =
                format!("has {} where {shortest} to {PAN_LENGTH_MAX} are needed", count(text.len(), "digit"));
            bad_option("pan", format!("{why}, the check digit included"))
        }
        false => bad_option("pan", "has only decimal digits"),
    }
}

/// A number typed without its check digit gives a wrong result that looks right. Only a hint, because published
/// vectors and test systems have numbers whose last digit is none.
fn check_digit_hint(page: &mut Page, pan: &str) {
    if !ends_with_check_digit(pan) {
        page.hint("--pan: the last digit is not this number's check digit; the PAN is typed with it");
    }
}

/// The Luhn formula (ISO/IEC 7812-1, annex B).
fn ends_with_check_digit(pan: &str) -> bool {
    let digits = pan.bytes().rev().map(|digit| u32::from(digit.wrapping_sub(b'0')));
    let sum: u32 = digits
        .enumerate()
        .map(|(place, digit)| if place % 2 == 1 { digit * 2 / 10 + digit * 2 % 10 } else { digit })
        .sum();
    sum.is_multiple_of(10)
}

fn no_key(option: &str, key: &str, lengths: &str, bytes: &[u8]) -> anyhow::Error {
    bad_option(option, format!("{key} key has {lengths} bytes, and not {}", bytes.len()))
}

pub(super) fn tdes(option: &str, text: &str) -> anyhow::Result<TdesKey> {
    let bytes = bytes(option, text)?;
    TdesKey::new(&bytes).map_err(|_| no_key(option, "a TDEA", "16 or 24", &bytes))
}

/// A double-length TDEA key, for methods that know two parts only.
pub(super) fn tdes_pair(option: &str, text: &str) -> anyhow::Result<TdesKey> {
    let key = tdes(option, text)?;
    match key.expose_bytes().len() {
        16 => Ok(key),
        _ => Err(bad_option(option, "has two parts of 8 bytes here, 16 bytes")),
    }
}

pub(super) fn aes(option: &str, text: &str) -> anyhow::Result<AesKey> {
    let bytes = bytes(option, text)?;
    AesKey::new(&bytes).map_err(|_| no_key(option, "an AES", "16, 24 or 32", &bytes))
}

pub(super) fn sm4(option: &str, text: &str) -> anyhow::Result<Sm4Key> {
    let bytes = bytes(option, text)?;
    Sm4Key::from_slice(&bytes).map_err(|_| no_key(option, "an SM4", "16", &bytes))
}

pub(super) fn des(option: &str, text: &str) -> anyhow::Result<DesKey> {
    Ok(DesKey::new(&block(option, text)?))
}

/// XOR, byte by byte.
pub(super) fn xor<const N: usize>(a: &[u8; N], b: &[u8; N]) -> [u8; N] {
    std::array::from_fn(|place| a[place] ^ b[place])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn check_digits() {
        for (pan, right) in [("4111111111111111", true), ("4111111111111112", false), ("79927398713", true)] {
            assert_eq!(ends_with_check_digit(pan), right, "{pan}");
        }
    }

    #[test]
    fn a_wrong_digit_is_told_by_its_place_and_not_quoted() {
        let why = |text: &str| bytes("key", text).unwrap_err().to_string();
        assert_eq!(why("G0F4543F"), "--key: character 1 is not a hexadecimal digit");
        assert_eq!(why("E0F4543O"), "--key: character 8 is not a hexadecimal digit");
        assert_eq!(why("E0F4 543"), "--key: character 5 is not a hexadecimal digit");
        assert_eq!(why("E0F45"), "--key: has an odd number of hexadecimal digits: 5");
    }

    #[test]
    fn nouns() {
        assert_eq!((count(1, "byte"), count(2, "byte")), ("1 byte".into(), "2 bytes".into()));
    }
}
