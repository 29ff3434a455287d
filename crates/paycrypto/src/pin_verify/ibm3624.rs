//! The IBM 3624 method: a natural PIN derived from validation data, and an offset for a chosen PIN.

use core::fmt;

use subtle::ConstantTimeEq;
use thiserror::Error;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::Verdict;
use crate::key::TdesKey;
use crate::pin::{PIN_LENGTH_MAX, PIN_LENGTH_MIN, Pin};

/// What cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Ibm3624Error {
    /// The decimalisation table is not sixteen decimal digits.
    #[error("a decimalisation table has sixteen decimal digits")]
    Table,
    /// The table has fewer than eight different digits or one digit more than four times.
    #[error("the decimalisation table is too one-sided")]
    TablePolicy,
    /// The validation data are not sixteen hexadecimal digits.
    #[error("validation data have sixteen hexadecimal digits")]
    ValidationData,
    /// The offset is not 4 to 12 decimal digits.
    #[error("an offset has 4 to 12 decimal digits")]
    Offset,
    /// The check length is not 4 to 12, or longer than the PIN or the offset.
    #[error("the check length does not fit the PIN")]
    CheckLength,
}

/// How sixteen hexadecimal digits become decimal. It belongs to the issuer's configuration; a caller that
/// may choose it can find a PIN in about fifteen verifications (Bond and Zieliński, UCAM-CL-TR-560).
#[derive(Clone, PartialEq, Eq)]
pub struct DecimalisationTable([u8; 16]);

impl DecimalisationTable {
    /// Reads sixteen decimal digits: what 0, 1, … F become.
    ///
    /// # Errors
    /// [`Ibm3624Error::Table`].
    pub fn new(digits: &str) -> Result<DecimalisationTable, Ibm3624Error> {
        let characters = <&[u8; 16]>::try_from(digits.as_bytes()).map_err(|_| Ibm3624Error::Table)?;
        match characters.iter().all(u8::is_ascii_digit) {
            true => Ok(DecimalisationTable(characters.map(|character| character - b'0'))),
            false => Err(Ibm3624Error::Table),
        }
    }

    /// The rule that payShield applies to stored tables: at least eight different digits, none more than four
    /// times. Apply it where tables are configured; published test vectors do not all obey it.
    ///
    /// # Errors
    /// [`Ibm3624Error::TablePolicy`].
    pub fn check_policy(&self) -> Result<(), Ibm3624Error> {
        let mut times = [0; 10];
        for digit in self.0 {
            times[usize::from(digit % 10)] += 1;
        }
        let different = times.iter().filter(|times| **times > 0).count();
        match different >= 8 && times.iter().all(|times| *times <= 4) {
            true => Ok(()),
            false => Err(Ibm3624Error::TablePolicy),
        }
    }

    /// Looks sixteen nibbles up by reading the whole table for each, so that no place read depends on them. The place is
    /// outside and the nibbles are inside: one comparison of a processor's vector is for all of them.
    fn decimalise(&self, nibbles: &[u8; 16]) -> Zeroizing<[u8; 16]> {
        let mut digits = Zeroizing::new([0; 16]);
        for (place, digit) in (0u8..).zip(self.0) {
            for (to, nibble) in digits.iter_mut().zip(nibbles) {
                *to |= digit & ones_if_equal(place, *nibble);
            }
        }
        digits
    }
}

/// All ones for two equal numbers below 128, zeros otherwise, without a branch: only zero borrows.
fn ones_if_equal(one: u8, other: u8) -> u8 {
    0u8.wrapping_sub((one ^ other).wrapping_sub(1) >> 7)
}

impl fmt::Debug for DecimalisationTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DecimalisationTable(****************)")
    }
}

/// The eight bytes that are enciphered, usually account digits with a fixed fill.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ValidationData(u64);

impl ValidationData {
    /// Reads sixteen hexadecimal digits.
    ///
    /// # Errors
    /// [`Ibm3624Error::ValidationData`].
    pub fn new(digits: &str) -> Result<ValidationData, Ibm3624Error> {
        let characters = <&[u8; 16]>::try_from(digits.as_bytes());
        characters.ok().and_then(Self::of_characters).ok_or(Ibm3624Error::ValidationData)
    }

    fn of_characters(characters: &[u8; 16]) -> Option<ValidationData> {
        let digits = characters.iter().map(|character| char::from(*character).to_digit(16).map(u64::from));
        digits.into_iter().try_fold(0, |number, digit| Some(number << 4 | digit?)).map(ValidationData)
    }

    /// The Thales form: at most twelve hexadecimal digits in which `N` stands for the last five digits of the
    /// twelve-digit account number, filled on the right with `F`.
    ///
    /// # Errors
    /// [`Ibm3624Error::ValidationData`].
    pub fn from_template(
        template: &str,
        account: &crate::pin::Account12,
    ) -> Result<ValidationData, Ibm3624Error> {
        let (before, behind) = template.split_once('N').map_or((template, None), |(a, b)| (a, Some(b)));
        let tail = account.digits()[7..].iter().map(|digit| b'0' + digit);
        let tail = tail.take(if behind.is_some() { 5 } else { 0 });
        let mut characters = [b'F'; 16];
        let mut places = characters.iter_mut();
        for character in before.bytes().chain(tail).chain(behind.unwrap_or_default().bytes()) {
            *places.next().ok_or(Ibm3624Error::ValidationData)? = character;
        }
        Self::of_characters(&characters).ok_or(Ibm3624Error::ValidationData)
    }
}

impl fmt::Debug for ValidationData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ValidationData(****************)")
    }
}

/// The stored difference between a chosen PIN and the natural one. Prints as stars.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Offset {
    digits: [u8; PIN_LENGTH_MAX], // values 0 to 9
    length: usize,
}

impl Offset {
    /// Reads 4 to 12 ASCII digits.
    ///
    /// # Errors
    /// [`Ibm3624Error::Offset`].
    pub fn from_ascii(text: &[u8]) -> Result<Offset, Ibm3624Error> {
        if !(PIN_LENGTH_MIN..=PIN_LENGTH_MAX).contains(&text.len()) || !text.iter().all(u8::is_ascii_digit) {
            return Err(Ibm3624Error::Offset);
        }
        let mut offset = Offset { digits: [0; PIN_LENGTH_MAX], length: text.len() };
        for (digit, character) in offset.digits.iter_mut().zip(text) {
            *digit = character - b'0';
        }
        Ok(offset)
    }

    /// The offset as ASCII digits, for the card record.
    #[must_use]
    pub fn expose_ascii(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(self.digits[..self.length].iter().map(|digit| digit + b'0').collect())
    }
}

impl fmt::Debug for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Offset(************)")
    }
}

/// The sixteen decimalised digits of the enciphered validation data; the natural PIN is its left part.
#[must_use]
pub fn natural_digits(
    pvk: &TdesKey,
    table: &DecimalisationTable,
    validation_data: ValidationData,
) -> Zeroizing<[u8; 16]> {
    let enciphered = Zeroizing::new(pvk.encrypt_u64(validation_data.0).to_be_bytes());
    let mut nibbles = Zeroizing::new([0; 16]);
    for (pair, byte) in nibbles.as_chunks_mut().0.iter_mut().zip(enciphered.iter()) {
        *pair = [byte >> 4, byte & 0xF];
    }
    table.decimalise(&nibbles)
}

/// The natural PIN: the leftmost `length` decimalised digits.
///
/// # Errors
/// [`Ibm3624Error::CheckLength`] if the length is not 4 to 12.
pub fn natural_pin(
    pvk: &TdesKey,
    table: &DecimalisationTable,
    validation_data: ValidationData,
    length: usize,
) -> Result<Pin, Ibm3624Error> {
    let digits = natural_digits(pvk, table, validation_data);
    digits.get(..length).and_then(Pin::from_digits).ok_or(Ibm3624Error::CheckLength)
}

/// The offset of a chosen PIN: digit by digit, PIN minus natural PIN modulo 10, over the rightmost `check_length` digits
/// of the two (IBM 4758 CCA, Appendix E: "the subtraction begins with the low order PIN digit").
///
/// # Errors
/// [`Ibm3624Error::CheckLength`] unless 4 <= `check_length` <= the PIN's length.
pub fn offset(
    pvk: &TdesKey,
    table: &DecimalisationTable,
    validation_data: ValidationData,
    pin: &Pin,
    check_length: usize,
) -> Result<Offset, Ibm3624Error> {
    if !(PIN_LENGTH_MIN..=pin.len()).contains(&check_length) {
        return Err(Ibm3624Error::CheckLength);
    }
    let natural = natural_digits(pvk, table, validation_data);
    let mut offset = Offset { digits: [0; PIN_LENGTH_MAX], length: check_length };
    let pairs = pin.expose_digits().iter().zip(natural.iter()).skip(pin.len() - check_length);
    for (to, (chosen, natural)) in offset.digits.iter_mut().zip(pairs) {
        *to = (10 + chosen - natural) % 10;
    }
    Ok(offset)
}

/// The PIN that belongs to an offset: natural PIN plus offset, modulo 10 in each digit.
///
/// # Errors
/// Never for an offset that exists, whose length is 4 to 12.
pub fn pin_of_offset(
    pvk: &TdesKey,
    table: &DecimalisationTable,
    validation_data: ValidationData,
    offset: &Offset,
) -> Result<Pin, Ibm3624Error> {
    let natural = natural_digits(pvk, table, validation_data);
    let mut digits = Zeroizing::new([0; PIN_LENGTH_MAX]);
    for ((to, natural), offset) in digits.iter_mut().zip(natural.iter()).zip(&offset.digits) {
        *to = (natural + offset) % 10;
    }
    digits.get(..offset.length).and_then(Pin::from_digits).ok_or(Ibm3624Error::Offset)
}

/// Verifies a PIN: the rightmost `check_length` digits of natural PIN plus offset must be those of the PIN. The natural
/// PIN is as long as the PIN entered; if the offset is longer than `check_length`, its rightmost digits count (IBM z/OS
/// ICSF, "3624 PIN Verification Algorithm"). Compared in constant time.
///
/// # Errors
/// [`Ibm3624Error::CheckLength`] unless 4 <= `check_length` <= the offset's length: a configuration fault. A PIN
/// shorter than `check_length` is a wrong PIN, not an error.
pub fn verify(
    pvk: &TdesKey,
    table: &DecimalisationTable,
    validation_data: ValidationData,
    stored: &Offset,
    pin: &Pin,
    check_length: usize,
) -> Result<Verdict, Ibm3624Error> {
    if !(PIN_LENGTH_MIN..=stored.length).contains(&check_length) {
        return Err(Ibm3624Error::CheckLength);
    }
    // A PIN that is too short is compared over its own length and then refused: the same work.
    let compared = check_length.min(pin.len());
    let computed = offset(pvk, table, validation_data, pin, compared)?;
    let stored = &stored.digits[stored.length - compared..stored.length];
    let equal = computed.digits[..compared].ct_eq(stored) & compared.ct_eq(&check_length);
    Ok(Verdict::from_equal(equal))
}
