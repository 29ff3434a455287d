//! The clear PIN and the account number that a PIN is bound to.
//!
//! [`Pin`] is the most dangerous value in the program. It exists between the decryption of a block and
//! the comparison or encryption that follows, in this crate and in the security module above it, and
//! nowhere else: it cannot be printed, cloned, serialised or compared except in constant time.

use core::fmt;

use subtle::{Choice, ConstantTimeEq};
use thiserror::Error;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// The shortest PIN (ISO 9564-1:2017, 8.1), in digits.
pub const PIN_LENGTH_MIN: usize = 4;
/// The longest PIN (ISO 9564-1:2017, 8.1), in digits.
pub const PIN_LENGTH_MAX: usize = 12;

/// A clear PIN of 4 to 12 digits.
///
/// Deliberately without `Debug`, `Display`, `Clone`, `PartialEq`; comparison is [`ConstantTimeEq`].
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Pin {
    digits: [u8; PIN_LENGTH_MAX], // values 0 to 9; unused places are 0
    length: usize,
}

impl Pin {
    /// Reads a PIN from ASCII digits, as a terminal's keyboard or a PIN mailer has them.
    ///
    /// # Errors
    /// [`PinError`], which tells the rule that was broken and nothing about the digits.
    pub fn from_ascii(text: &[u8]) -> Result<Pin, PinError> {
        if !(PIN_LENGTH_MIN..=PIN_LENGTH_MAX).contains(&text.len()) {
            return Err(PinError::Length);
        }
        let mut pin = Pin { digits: [0; PIN_LENGTH_MAX], length: text.len() };
        for (digit, character) in pin.digits.iter_mut().zip(text) {
            *digit = match character {
                b'0'..=b'9' => character - b'0',
                _ => return Err(PinError::NotADigit),
            };
        }
        Ok(pin)
    }

    /// Takes digit values 0 to 9 that the caller has already proven; `None` if they are not.
    pub(crate) fn from_digits(digits: &[u8]) -> Option<Pin> {
        if !(PIN_LENGTH_MIN..=PIN_LENGTH_MAX).contains(&digits.len()) {
            return None;
        }
        let mut pin = Pin { digits: [0; PIN_LENGTH_MAX], length: digits.len() };
        let mut all_decimal = true;
        for (to, from) in pin.digits.iter_mut().zip(digits) {
            *to = *from;
            all_decimal &= *from <= 9;
        }
        all_decimal.then_some(pin)
    }

    /// The number of digits, 4 to 12.
    #[must_use]
    #[allow(clippy::len_without_is_empty)] // there is no empty PIN
    pub fn len(&self) -> usize {
        self.length
    }

    /// The digits as values 0 to 9: for the checks of a new PIN (excluded PINs, birth dates) inside the
    /// security module.
    #[must_use]
    pub fn expose_digits(&self) -> &[u8] {
        &self.digits[..self.length.min(PIN_LENGTH_MAX)]
    }
}

impl ConstantTimeEq for Pin {
    fn ct_eq(&self, other: &Pin) -> Choice {
        self.digits.ct_eq(&other.digits) & self.length.ct_eq(&other.length)
    }
}

/// A text that is not a PIN.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum PinError {
    /// Fewer than 4 or more than 12 digits.
    #[error("a PIN has 4 to 12 digits")]
    Length,
    /// A character that is no decimal digit.
    #[error("a PIN has only decimal digits")]
    NotADigit,
}

/// The longest account number that this crate accepts (ISO/IEC 7812-1), in digits.
pub const PAN_LENGTH_MAX: usize = 19;
/// The shortest account number on a card, in digits (ISO 9564-1:2017, 9.4.2.2 goes down to 12).
pub const PAN_LENGTH_MIN: usize = 12;

/// A primary account number with its check digit, for ISO format 4 and as the source of an [`Account12`].
///
/// Prints as stars: the account number is not a PIN, but it is cardholder data.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PanForPin {
    digits: [u8; PAN_LENGTH_MAX], // values 0 to 9
    length: usize,
}

impl PanForPin {
    /// Reads an account number of 12 to 19 digits, check digit included. The check digit is not verified:
    /// that belongs to the message, and PIN blocks must be computed for whatever account was sent.
    ///
    /// # Errors
    /// [`PanError`].
    pub fn new(digits: &str) -> Result<PanForPin, PanError> {
        if !(PAN_LENGTH_MIN..=PAN_LENGTH_MAX).contains(&digits.len()) {
            return Err(PanError::Length);
        }
        PanForPin::read(digits)
    }

    /// As [`PanForPin::new`], but an account number with fewer than 12 digits is filled with zeros on the left
    /// to 12, which is what ISO 9564-1:2017 9.4.2.2 prescribes for format 4 (length field 0).
    ///
    /// # Errors
    /// [`PanError`] if there is no digit, more than 19, or something else than digits.
    pub fn zero_filled(digits: &str) -> Result<PanForPin, PanError> {
        if digits.is_empty() || digits.len() > PAN_LENGTH_MAX {
            return Err(PanError::Length);
        }
        let mut pan = PanForPin::read(digits)?;
        if pan.length < PAN_LENGTH_MIN {
            pan.digits.copy_within(..pan.length, PAN_LENGTH_MIN - pan.length);
            pan.digits[..PAN_LENGTH_MIN - pan.length].fill(0);
            pan.length = PAN_LENGTH_MIN;
        }
        Ok(pan)
    }

    fn read(text: &str) -> Result<PanForPin, PanError> {
        let mut pan = PanForPin { digits: [0; PAN_LENGTH_MAX], length: text.len() };
        for (digit, character) in pan.digits.iter_mut().zip(text.bytes()) {
            *digit = match character {
                b'0'..=b'9' => character - b'0',
                _ => return Err(PanError::NotADigit),
            };
        }
        Ok(pan)
    }

    /// The 12 rightmost digits excluding the check digit (ISO 9564-1:2017, 9.3.2.3), filled with zeros on the
    /// left if the account number has only 11 of them. Counted from the right: a fixed offset from the left
    /// is right only for 16-digit numbers.
    #[must_use]
    pub fn account12(&self) -> Account12 {
        let mut account = [0; 12];
        let without_check_digit = &self.digits[..self.length.saturating_sub(1)];
        for (to, from) in account.iter_mut().rev().zip(without_check_digit.iter().rev()) {
            *to = *from;
        }
        Account12(account)
    }

    /// All digits, check digit included, as values 0 to 9: for the blocks of this crate, and for the check that a new PIN is no
    /// part of the number.
    #[must_use]
    pub fn expose_digits(&self) -> &[u8] {
        &self.digits[..self.length]
    }
}

/// The twelve account digits that bind a PIN block to an account: formats 0 and 3, PVV.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Account12([u8; 12]);

impl Account12 {
    /// Reads exactly twelve digits that are already without the check digit, the form in which payShield
    /// commands carry them ("account number 12N").
    ///
    /// # Errors
    /// [`PanError`].
    pub fn new(digits: &str) -> Result<Account12, PanError> {
        if digits.len() != 12 {
            return Err(PanError::Length);
        }
        let mut account = [0; 12];
        for (digit, character) in account.iter_mut().zip(digits.bytes()) {
            *digit = match character {
                b'0'..=b'9' => character - b'0',
                _ => return Err(PanError::NotADigit),
            };
        }
        Ok(Account12(account))
    }

    /// The digits as values 0 to 9.
    #[must_use]
    pub fn digits(&self) -> &[u8; 12] {
        &self.0
    }

    /// The digits as the low twelve nibbles of a number: the account field of formats 0 and 3.
    pub(crate) fn account_field(&self) -> u64 {
        self.0.iter().fold(0, |field, digit| (field << 4) | u64::from(*digit))
    }
}

impl fmt::Debug for PanForPin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PanForPin(********)")
    }
}

impl fmt::Debug for Account12 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Account12(********)")
    }
}

/// A text that is not an account number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum PanError {
    /// The number of digits is outside the limits of the constructor.
    #[error("the account number has a wrong number of digits")]
    Length,
    /// A character that is no decimal digit.
    #[error("the account number has a character that is no digit")]
    NotADigit,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_account(pan: &str, expect: &str) {
        assert!(PanForPin::zero_filled(pan).unwrap().account12() == Account12::new(expect).unwrap(), "{pan}");
    }

    #[test]
    fn account_digits_are_counted_from_the_right() {
        check_account("5432101234567891", "210123456789");
        check_account("6230606601007726888", "660100772688");
        check_account("4012345678909", "401234567890");
        check_account("401234567890", "040123456789");
        check_account("1", "000000000000");
    }

    #[test]
    fn pan_lengths() {
        for length in 0..25 {
            let text = "1".repeat(length);
            assert_eq!(PanForPin::new(&text).is_ok(), (12..=19).contains(&length), "{length}");
            assert_eq!(PanForPin::zero_filled(&text).is_ok(), (1..=19).contains(&length), "{length}");
            assert_eq!(Account12::new(&text).is_ok(), length == 12, "{length}");
        }
        assert_eq!(PanForPin::new("411111111111111\u{661}").unwrap_err(), PanError::NotADigit);
        assert_eq!(PanForPin::new("41111111111111 1").unwrap_err(), PanError::NotADigit);
    }

    #[test]
    fn pin_lengths_and_digits() {
        for length in 0..20 {
            assert_eq!(Pin::from_ascii(&vec![b'7'; length]).is_ok(), (4..=12).contains(&length), "{length}");
        }
        assert_eq!(Pin::from_ascii(b"12a4").err(), Some(PinError::NotADigit));
        assert!(Pin::from_digits(&[1, 2, 10, 4]).is_none());
    }

    #[test]
    fn a_pin_equals_only_itself() {
        let equal =
            |a: &[u8], b: &[u8]| bool::from(Pin::from_ascii(a).unwrap().ct_eq(&Pin::from_ascii(b).unwrap()));
        assert!(equal(b"1234", b"1234"));
        assert!(!equal(b"1234", b"1235"));
        assert!(!equal(b"1234", b"12340"));
    }

    #[test]
    fn account_numbers_print_as_stars() {
        let pan = PanForPin::new("4111111111111111").unwrap();
        assert_eq!(format!("{pan:?} {:?}", pan.account12()), "PanForPin(********) Account12(********)");
    }
}
