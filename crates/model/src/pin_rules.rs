//! What an issuer asks of a new PIN, and what it must not be made of. Data only: the comparison with a PIN is made in the
//! security module, where the PIN is.

use std::fmt;

use serde::Serialize;
use zeroize::Zeroize;

/// The rules of a product for new PINs (ISO 9564-1:2017 8.1: 4 to 12 digits; within that the issuer decides).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct PinRules {
    /// The fewest digits.
    pub length_min: u8,
    /// The most digits.
    pub length_max: u8,
    /// Are guessable PINs refused: repeats, runs, dates, years, keypad patterns, the holder's own numbers?
    pub refuse_guessable: bool,
    /// So many earlier PINs are refused, the present one included.
    pub history: u8,
}

impl PinRules {
    /// The most earlier PINs that a card can remember.
    pub const HISTORY_MAX: u8 = 12;

    /// Whatever ISO 9564-1 allows; only the present PIN is refused.
    pub const ANY: Self = Self { length_min: 4, length_max: 12, refuse_guessable: false, history: 1 };
}

/// Digits that belong to a person: a date of birth, a telephone number. Prints as stars and wipes itself.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct PersonalDigits {
    digits: [u8; Self::LEN_MAX],
    len: usize,
}

impl PersonalDigits {
    /// At most so many digits: a telephone number with its country (ITU-T E.164) has 15.
    pub const LEN_MAX: usize = 20;

    /// None.
    pub const NONE: Self = Self { digits: [0; Self::LEN_MAX], len: 0 };

    /// Takes the digits of a text and leaves out everything else; of more than [`Self::LEN_MAX`] the last ones count.
    #[must_use]
    pub fn of(text: &str) -> Self {
        let all: Vec<u8> = text.bytes().filter(u8::is_ascii_digit).map(|byte| byte - b'0').collect();
        let kept = &all[all.len().saturating_sub(Self::LEN_MAX)..];
        let mut digits = [0; Self::LEN_MAX];
        digits[..kept.len()].copy_from_slice(kept);
        Self { digits, len: kept.len() }
    }

    /// The digits as values 0 to 9, for the security module.
    #[must_use]
    pub fn expose_digits(&self) -> &[u8] {
        &self.digits[..self.len]
    }
}

impl Drop for PersonalDigits {
    fn drop(&mut self) {
        self.digits.zeroize();
    }
}

impl fmt::Debug for PersonalDigits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// The numbers of a cardholder that a thief of the wallet would try first. What is not known is empty.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HolderDigits {
    /// Date of birth, YYYYMMDD.
    pub birth_date: PersonalDigits,
    /// Telephone number.
    pub phone: PersonalDigits,
    /// The end of the number of the identity document.
    pub id_tail: PersonalDigits,
}

/// Somebody of whom nothing is known.
pub static NOBODY: HolderDigits = HolderDigits {
    birth_date: PersonalDigits::NONE,
    phone: PersonalDigits::NONE,
    id_tail: PersonalDigits::NONE,
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn personal_digits_are_bounded_and_print_as_stars() {
        let phone = PersonalDigits::of("+86 138-0013-8000");
        assert_eq!(phone.expose_digits(), [8, 6, 1, 3, 8, 0, 0, 1, 3, 8, 0, 0, 0]);
        assert_eq!(format!("{phone:?}"), "***");
        assert_eq!(PersonalDigits::of(&"12".repeat(50)).expose_digits().len(), PersonalDigits::LEN_MAX);
    }
}
