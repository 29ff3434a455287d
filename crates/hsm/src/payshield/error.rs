//! What the device's error codes mean to a host. The rule above all others: only code 01, and only to a command that
//! verifies something, says that a PIN is wrong. A code that is not in the table is the device's trouble.

use std::fmt;

use model::Unverifiable;

use crate::module::ModuleError;

/// The two characters behind the reply code.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ErrorCode([u8; 2]);

/// What follows from an error code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// The command was carried out.
    Done,
    /// The PIN, or the authentication code, is another one.
    Mismatch,
    /// The decrypted block is no PIN block: wrong key, wrong account number or garbage.
    PinBlock,
    /// A key, a table or a field that the configuration or a key block brought in was refused.
    Refused,
    /// The device was not set up, or not authorised, to do this.
    NotPermitted,
    /// The device has trouble of its own: another one may do.
    Unavailable,
    /// The device's fraud detection stopped it. Asking another device would get round it.
    FraudLimit,
    /// The new PIN is in the device's table of excluded PINs.
    NewPin,
}

struct Row {
    code: &'static [u8; 2],
    meaning: Meaning,
    text: &'static str,
}

const fn row(code: &'static [u8; 2], meaning: Meaning, text: &'static str) -> Row {
    Row { code, meaning, text }
}

/// Codes with a meaning of their own; A1 to BD are all about key blocks and share a rule. 01 is not here: what it means
/// depends on the command.
const TABLE: &[Row] = &[
    row(
        b"02",
        Meaning::Refused,
        "the key has a length that this command only warns about, or a mode is invalid",
    ),
    row(b"03", Meaning::Refused, "invalid number of components, or input format"),
    row(b"04", Meaning::Refused, "invalid MAC algorithm or key type"),
    row(b"05", Meaning::Refused, "invalid key type or length flag"),
    row(b"06", Meaning::Refused, "invalid message length"),
    row(b"09", Meaning::Refused, "invalid padding"),
    row(b"10", Meaning::Refused, "parity of the first key"),
    row(b"11", Meaning::Refused, "parity of the second key"),
    row(b"12", Meaning::Unavailable, "no keys loaded in user storage"),
    row(b"13", Meaning::Unavailable, "the LMK is not there, or damaged"),
    row(b"14", Meaning::Unavailable, "PIN under the LMK is invalid"),
    row(b"15", Meaning::Refused, "invalid input data"),
    row(b"17", Meaning::NotPermitted, "not in the authorised state"),
    row(b"20", Meaning::PinBlock, "no valid PIN block"),
    row(b"22", Meaning::Refused, "invalid account number"),
    row(b"23", Meaning::PinBlock, "invalid PIN block format"),
    row(b"24", Meaning::PinBlock, "PIN shorter than 4 or longer than 12 digits"),
    row(b"25", Meaning::Refused, "decimalisation table"),
    row(b"26", Meaning::Refused, "invalid key scheme"),
    row(b"27", Meaning::Refused, "incompatible key length"),
    row(b"28", Meaning::Refused, "invalid key type"),
    row(b"29", Meaning::NotPermitted, "function not permitted"),
    row(b"39", Meaning::FraudLimit, "fraud detection"),
    row(b"41", Meaning::Unavailable, "internal error"),
    row(b"42", Meaning::Unavailable, "internal error of the LMK storage"),
    row(b"47", Meaning::Unavailable, "algorithm not licensed, or hardware error"),
    row(b"51", Meaning::Refused, "invalid message header"),
    row(b"67", Meaning::NotPermitted, "command not licensed"),
    row(b"68", Meaning::NotPermitted, "command disabled"),
    row(b"69", Meaning::NotPermitted, "PIN block format disabled"),
    row(b"80", Meaning::Unavailable, "length of the data"),
    row(b"81", Meaning::NewPin, "length of the excluded PINs"),
    row(b"86", Meaning::NewPin, "PIN is excluded"),
];

impl ErrorCode {
    /// No error.
    pub const DONE: Self = Self(*b"00");
    /// Not equal, for commands that verify; a warning about parity, for key import.
    pub const VERIFICATION_FAILED: Self = Self(*b"01");
    /// A PIN verification key has another length than usual: a warning, for IBM 3624.
    pub const KEY_LENGTH_WARNING: Self = Self(*b"02");

    /// Takes two digits or capital letters.
    #[must_use]
    pub fn new(code: [u8; 2]) -> Option<Self> {
        code.iter().all(|c| c.is_ascii_digit() || c.is_ascii_uppercase()).then_some(Self(code))
    }

    /// What follows from it. `verifies`: the command compares a PIN or an authentication code.
    #[must_use]
    pub fn meaning(self, verifies: bool) -> Meaning {
        match self.0 {
            [b'0', b'0'] => Meaning::Done,
            [b'0', b'1'] if verifies => Meaning::Mismatch,
            [b'A', b'1'..=b'9' | b'A'..=b'Z'] | [b'B', b'0'..=b'9' | b'A'..=b'D'] => Meaning::Refused,
            code => {
                TABLE.iter().find(|row| *row.code == code).map_or(Meaning::Unavailable, |row| row.meaning)
            }
        }
    }

    /// A few words for people.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self.0 {
            [b'0', b'0'] => "no error",
            [b'0', b'1'] => "verification failed, or a warning",
            [b'A', b'4'] => "key block altered, or under another LMK",
            [b'A', b'6'] => "key block of another usage",
            [b'A', b'7'] => "key block of another algorithm",
            [b'A', b'8'] => "key block of another mode of use",
            [b'A' | b'B', _] => "key block refused",
            code => TABLE.iter().find(|row| *row.code == code).map_or("unknown error", |row| row.text),
        }
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", char::from(self.0[0]), char::from(self.0[1]))
    }
}

impl fmt::Debug for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ErrorCode({self})")
    }
}

impl Meaning {
    /// For a PIN: anything but a comparison that took place.
    #[must_use]
    pub fn unverifiable(self) -> Unverifiable {
        match self {
            Self::PinBlock => Unverifiable::PinBlockFormat,
            Self::Refused => Unverifiable::Key,
            Self::NotPermitted => Unverifiable::Unsupported,
            Self::Done | Self::Mismatch | Self::Unavailable | Self::FraudLimit | Self::NewPin => {
                Unverifiable::ModuleUnavailable
            }
        }
    }

    /// For keys and authentication codes. `what`: command, code and a few words.
    #[must_use]
    pub fn module_error(self, what: String) -> ModuleError {
        match self {
            Self::Refused => ModuleError::KeyRefused(what),
            Self::NotPermitted => ModuleError::Unsupported(what),
            Self::Done
            | Self::Mismatch
            | Self::PinBlock
            | Self::Unavailable
            | Self::FraudLimit
            | Self::NewPin => ModuleError::Away(what),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> impl Iterator<Item = ErrorCode> {
        (0..=255).flat_map(|a| (0..=255).filter_map(move |b| ErrorCode::new([a, b])))
    }

    #[test]
    fn only_01_to_a_command_that_verifies_is_a_mismatch() {
        for code in all() {
            let expect = code == ErrorCode::VERIFICATION_FAILED;
            assert_eq!(code.meaning(true) == Meaning::Mismatch, expect, "{code}");
            assert_ne!(code.meaning(false), Meaning::Mismatch, "{code}");
            assert_eq!(code.meaning(true) == Meaning::Done, code == ErrorCode::DONE, "{code}");
        }
        assert_eq!(ErrorCode::VERIFICATION_FAILED.meaning(false), Meaning::Unavailable);
    }

    #[test]
    fn the_groups_of_codes() {
        let check = |codes: &[&[u8; 2]], expect: Unverifiable| {
            for code in codes {
                let code = ErrorCode::new(**code).unwrap();
                assert_eq!(code.meaning(true).unverifiable(), expect, "{code}");
            }
        };
        check(&[b"20", b"23", b"24"], Unverifiable::PinBlockFormat);
        check(&[b"10", b"11", b"15", b"26", b"27", b"28", b"A1", b"AZ", b"B0", b"BD"], Unverifiable::Key);
        check(&[b"17", b"29", b"67", b"68", b"69"], Unverifiable::Unsupported);
        check(&[b"12", b"13", b"14", b"39", b"41", b"42", b"47", b"80"], Unverifiable::ModuleUnavailable);
        check(&[b"99", b"ZZ", b"A0", b"BE", b"07"], Unverifiable::ModuleUnavailable);
    }

    #[test]
    fn a_code_is_two_digits_or_capitals() {
        assert_eq!(ErrorCode::new(*b"0a"), None);
        assert_eq!(ErrorCode::new([b'0', 0]), None);
        assert_eq!(all().count(), 36 * 36);
    }
}
