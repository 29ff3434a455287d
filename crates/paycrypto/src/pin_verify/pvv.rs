//! The Visa PIN verification value: four digits computed from the account, the key index and the PIN.

use core::fmt;

use subtle::ConstantTimeEq;
use thiserror::Error;
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::Verdict;
use crate::key::TdesKey;
use crate::pin::{Account12, Pin};

/// The PIN verification key index, one digit 0 to 9. Visa uses 1 to 6, and 0 for "no verification on the card";
/// other networks use the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pvki(u8);

impl Pvki {
    /// Takes the value 0 to 9.
    ///
    /// # Errors
    /// [`PvvError::Pvki`] for anything above 9.
    pub fn new(index: u8) -> Result<Pvki, PvvError> {
        if index <= 9 { Ok(Pvki(index)) } else { Err(PvvError::Pvki) }
    }

    /// The value 0 to 9.
    #[must_use]
    pub fn value(self) -> u8 {
        self.0
    }
}

/// A text that is not a PVV or not a key index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum PvvError {
    /// The key index is not one digit.
    #[error("the PIN verification key index is not a digit")]
    Pvki,
    /// The PVV is not four digits.
    #[error("a PIN verification value has four digits")]
    Pvv,
}

/// A PIN verification value. Prints as stars: with the key, it is one guess in ten thousand away from the PIN.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Pvv([u8; 4]); // values 0 to 9

impl Pvv {
    /// Reads four ASCII digits.
    ///
    /// # Errors
    /// [`PvvError::Pvv`].
    pub fn from_ascii(text: &[u8]) -> Result<Pvv, PvvError> {
        let characters = <&[u8; 4]>::try_from(text).map_err(|_| PvvError::Pvv)?;
        match characters.iter().all(u8::is_ascii_digit) {
            true => Ok(Pvv(characters.map(|character| character - b'0'))),
            false => Err(PvvError::Pvv),
        }
    }

    /// The four ASCII digits, for the card record.
    #[must_use]
    pub fn expose_ascii(&self) -> [u8; 4] {
        self.0.map(|digit| digit + b'0')
    }
}

impl fmt::Debug for Pvv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pvv(****)")
    }
}

/// Computes the PVV: the transformed security parameter - 11 rightmost account digits without the check digit,
/// key index, 4 leftmost PIN digits - enciphered E-D-E under the key pair, then decimalised in two passes.
#[must_use]
pub fn generate(pvk: &TdesKey, pvki: Pvki, pin: &Pin, account: &Account12) -> Pvv {
    let digits = account.digits()[1..].iter().chain([&pvki.0]).chain(pin.expose_digits().iter().take(4));
    let mut parameter = digits.fold(0u64, |field, digit| (field << 4) | u64::from(*digit));
    let mut enciphered = pvk.encrypt_u64(parameter);
    let pvv = decimalise(enciphered);
    parameter.zeroize();
    enciphered.zeroize();
    pvv
}

/// Computes the PVV and compares it with the stored one in constant time.
pub fn verify(pvk: &TdesKey, pvki: Pvki, pin: &Pin, account: &Account12, stored: &Pvv) -> Verdict {
    Verdict::from_equal(generate(pvk, pvki, pin, account).0.ct_eq(&stored.0))
}

/// The first four decimal digits from the left; if there are fewer than four, the rest are the hexadecimal digits
/// A to F from the left, minus ten.
fn decimalise(enciphered: u64) -> Pvv {
    let mut pvv = Pvv([0; 4]);
    let nibble = |place: u32| (enciphered >> (60 - 4 * place)) as u8 & 0xF;
    let first_pass = (0..16).map(nibble).filter(|digit| *digit <= 9);
    let second_pass = (0..16).map(nibble).filter(|digit| *digit > 9).map(|digit| digit - 10);
    for (to, digit) in pvv.0.iter_mut().zip(first_pass.chain(second_pass)) {
        *to = digit;
    }
    pvv
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_decimalisation(enciphered: u64, expect: &[u8; 4]) {
        assert_eq!(&decimalise(enciphered).expose_ascii(), expect, "{enciphered:016X}");
    }

    #[test]
    fn both_passes() {
        check_decimalisation(0x1234_5678_9ABC_DEF0, b"1234");
        check_decimalisation(0xABCD_EF12_ABCD_EF34, b"1234");
        check_decimalisation(0xCAAC_C5DE_CCBF_FD17, b"5172"); // three decimal digits, then C - 10
        check_decimalisation(0xABCD_EFAB_CDEF_ABCD, b"0123"); // none at all
        check_decimalisation(0xFFFF_FFFF_FFFF_FFF9, b"9555");
    }

    #[test]
    fn texts() {
        assert_eq!(Pvv::from_ascii(b"0459").unwrap().expose_ascii(), *b"0459");
        for wrong in [&b"045"[..], b"04599", b"04A9", b""] {
            assert_eq!(Pvv::from_ascii(wrong).err(), Some(PvvError::Pvv));
        }
        assert_eq!(Pvki::new(10).err(), Some(PvvError::Pvki));
        assert_eq!(format!("{:?}", Pvv([1, 2, 3, 4])), "Pvv(****)");
    }
}
