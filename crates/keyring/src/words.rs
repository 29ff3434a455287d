//! The words of the register: usages, ciphers, modes and exportability as ANSI X9.143 writes them, times as RFC 3339.

use model::Timestamp;
use paycrypto::key_block::{Algorithm, Exportability, KeyUsage, ModeOfUse};

const MODES: [ModeOfUse; 8] = [
    ModeOfUse::EncryptAndDecrypt,
    ModeOfUse::GenerateAndVerify,
    ModeOfUse::DecryptOnly,
    ModeOfUse::EncryptOnly,
    ModeOfUse::GenerateOnly,
    ModeOfUse::NoRestriction,
    ModeOfUse::VerifyOnly,
    ModeOfUse::DeriveKeys,
];

const EXPORTABILITIES: [Exportability; 3] =
    [Exportability::Trusted, Exportability::No, Exportability::Sensitive];

/// The usage of two characters, such as `P0`; only usages of X9.143's list.
#[must_use]
pub fn usage_of(text: &str) -> Option<KeyUsage> {
    KeyUsage::ALL.iter().copied().find(|usage| usage_text(*usage).eq_ignore_ascii_case(text))
}

/// Its two characters.
#[must_use]
pub fn usage_text(usage: KeyUsage) -> String {
    usage.code().map(char::from).iter().collect()
}

/// `TDES`, `AES` or `SM4`.
#[must_use]
pub fn algorithm_of(text: &str) -> Option<Algorithm> {
    match text.to_ascii_uppercase().as_str() {
        "TDES" => Some(Algorithm::Tdea),
        "AES" => Some(Algorithm::Aes),
        "SM4" => Some(Algorithm::SM4),
        _ => None,
    }
}

/// The cipher's name.
#[must_use]
pub fn algorithm_text(algorithm: Algorithm) -> &'static str {
    match algorithm {
        Algorithm::Tdea => "TDES",
        Algorithm::Aes => "AES",
        Algorithm::SM4 => "SM4",
        _ => "other",
    }
}

/// How a cipher's check value is made.
#[must_use]
pub fn check_method(algorithm: Algorithm) -> &'static str {
    match algorithm {
        Algorithm::Aes => "aes-cmac",
        Algorithm::SM4 => "sm4-zeros",
        _ => "tdes-zeros",
    }
}

/// The mode of use of one character.
#[must_use]
pub fn mode_of(text: &str) -> Option<ModeOfUse> {
    MODES.into_iter().find(|mode| mode_text(*mode).eq_ignore_ascii_case(text))
}

/// Its character.
#[must_use]
pub fn mode_text(mode: ModeOfUse) -> String {
    char::from(mode.character()).to_string()
}

/// `N`, `E` or `S`.
#[must_use]
pub fn exportability_of(text: &str) -> Option<Exportability> {
    EXPORTABILITIES.into_iter().find(|e| exportability_text(*e).eq_ignore_ascii_case(text))
}

/// Its character.
#[must_use]
pub fn exportability_text(exportability: Exportability) -> String {
    char::from(exportability.character()).to_string()
}

/// A moment in UTC, such as `2026-11-22T08:00:00Z`.
#[must_use]
pub fn time_text(at: Timestamp) -> String {
    jiff::Timestamp::from_millisecond(at.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH).to_string()
}

/// The moment of a text.
#[must_use]
pub fn time_of(text: &str) -> Option<Timestamp> {
    text.parse::<jiff::Timestamp>().ok().map(|at| Timestamp(at.as_millisecond()))
}

/// Makes a module for `#[serde(with = …)]` from two of the functions above.
macro_rules! as_text {
    ($($module:ident $type:ty, $to:expr, $from:expr;)*) => {$(
        pub(crate) mod $module {
            use serde::{Deserialize, Deserializer, Serializer, de::Error};

            use super::*;

            pub(crate) fn serialize<S: Serializer>(value: &$type, to: S) -> Result<S::Ok, S::Error> {
                let text = $to(*value);
                to.serialize_str(&text)
            }

            pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<$type, D::Error> {
                let text = String::deserialize(from)?;
                $from(&text).ok_or_else(|| D::Error::custom(format!("unknown {}: {text:?}", stringify!($module))))
            }
        }
    )*};
}

as_text! {
    usage KeyUsage, usage_text, usage_of;
    algorithm Algorithm, algorithm_text, algorithm_of;
    mode ModeOfUse, mode_text, mode_of;
    exportability Exportability, exportability_text, exportability_of;
    time Timestamp, time_text, time_of;
}

pub(crate) mod maybe_time {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    use super::*;

    #[allow(clippy::ref_option)] // serde calls it so
    pub(crate) fn serialize<S: Serializer>(at: &Option<Timestamp>, to: S) -> Result<S::Ok, S::Error> {
        match at {
            Some(at) => to.serialize_str(&time_text(*at)),
            None => to.serialize_none(),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Timestamp>, D::Error> {
        match Option::<String>::deserialize(from)? {
            None => Ok(None),
            Some(text) => time_of(&text)
                .map(Some)
                .ok_or_else(|| D::Error::custom(format!("{text:?} is no time of RFC 3339"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_read_back() {
        assert!(KeyUsage::ALL.iter().all(|u| usage_of(&usage_text(*u)) == Some(*u)));
        assert!(MODES.iter().all(|m| mode_of(&mode_text(*m)) == Some(*m)));
        assert!(EXPORTABILITIES.iter().all(|e| exportability_of(&exportability_text(*e)) == Some(*e)));
        for algorithm in [Algorithm::Tdea, Algorithm::Aes, Algorithm::SM4] {
            assert_eq!(algorithm_of(algorithm_text(algorithm)), Some(algorithm));
        }
        assert_eq!(time_of("2026-11-22T08:00:00Z").map(time_text).as_deref(), Some("2026-11-22T08:00:00Z"));
        assert_eq!((usage_of("71"), mode_of("1"), algorithm_of("DES")), (None, None, None));
    }
}
