//! Reading what was typed: hexadecimal, PINs, account numbers, keys. What cannot be read is told in one sentence with
//! the name of the option, and is the caller's mistake.

use std::fmt::Display;

use paycrypto::key::{AesKey, DesKey, Sm4Key, TdesKey};
use paycrypto::pin::{Account12, PanForPin, Pin};

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
        Err(_) => Err(bad_option(option, "is not an even number of hexadecimal digits")),
    }
}

/// Hexadecimal digits of exactly N bytes.
pub(super) fn block<const N: usize>(option: &str, text: &str) -> anyhow::Result<[u8; N]> {
    let found = bytes(option, text)?;
    let length = found.len();
    found.try_into().map_err(|_| bad_option(option, format!("has {length} bytes where {N} are needed")))
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

/// An account number with its check digit; shorter ones than 12 digits are filled with zeros on the left.
pub(super) fn pan(text: &str) -> anyhow::Result<PanForPin> {
    PanForPin::zero_filled(text).map_err(|error| bad_option("pan", error))
}

pub(super) fn account(text: &str) -> anyhow::Result<Account12> {
    Ok(pan(text)?.account12())
}

pub(super) fn tdes(option: &str, text: &str) -> anyhow::Result<TdesKey> {
    TdesKey::new(&bytes(option, text)?).map_err(|error| bad_option(option, error))
}

pub(super) fn aes(option: &str, text: &str) -> anyhow::Result<AesKey> {
    AesKey::new(&bytes(option, text)?).map_err(|error| bad_option(option, error))
}

pub(super) fn sm4(option: &str, text: &str) -> anyhow::Result<Sm4Key> {
    Sm4Key::from_slice(&bytes(option, text)?).map_err(|error| bad_option(option, error))
}

pub(super) fn des(option: &str, text: &str) -> anyhow::Result<DesKey> {
    Ok(DesKey::new(&block(option, text)?))
}

/// XOR, byte by byte.
pub(super) fn xor<const N: usize>(a: &[u8; N], b: &[u8; N]) -> [u8; N] {
    std::array::from_fn(|place| a[place] ^ b[place])
}
