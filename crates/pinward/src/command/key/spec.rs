//! What a key is to be, as options.

use hsm::soft::{KeyAttributes, KeySpec, ceremony::usual_mode};
use keyring::words;
use paycrypto::key_block::{Algorithm, Exportability, KeyUsage, ModeOfUse};

use crate::command::Usage;

/// Usage, cipher, length, mode and exportability.
#[derive(clap::Args)]
pub(super) struct SpecOptions {
    /// Usage in two characters (X9.143): P0 PIN, B0 base derivation, V1 IBM 3624, V2 PVV, K0 key encryption, K1 key
    /// blocks, M3 retail MAC, M6 CMAC …
    #[arg(long, value_parser = usage)]
    usage: KeyUsage,
    /// Cipher: TDES, AES or SM4.
    #[arg(long, value_parser = algorithm)]
    algorithm: Algorithm,
    /// Length in bits, parity included: 128 or 192 for TDES, 128 to 256 for AES, 128 for SM4.
    #[arg(long, value_name = "BITS")]
    length: u16,
    /// Mode of use in one character (X9.143); the usual one of the usage if it is left out.
    #[arg(long, value_parser = mode)]
    mode: Option<ModeOfUse>,
    /// May the key leave: N no, E under a key block protection key, S also otherwise.
    #[arg(long, default_value = "N", value_parser = exportability)]
    exportability: Exportability,
}

impl SpecOptions {
    pub(super) fn spec(&self) -> anyhow::Result<KeySpec> {
        if !self.length.is_multiple_of(8) {
            return Err(Usage(format!("--length: {} bits are no whole bytes", self.length)).into());
        }
        Ok(spec_of(self.usage, self.algorithm, self.length, self.mode, self.exportability))
    }
}

/// A spec from its parts.
pub(super) fn spec_of(
    usage: KeyUsage,
    algorithm: Algorithm,
    bits: u16,
    mode: Option<ModeOfUse>,
    exportability: Exportability,
) -> KeySpec {
    let attributes = KeyAttributes { usage, algorithm, mode: mode.unwrap_or_else(|| usual_mode(usage)) };
    KeySpec { attributes, exportability, length: usize::from(bits / 8) }
}

pub(super) fn usage(text: &str) -> Result<KeyUsage, String> {
    words::usage_of(text).ok_or_else(|| "no usage of X9.143, such as P0, B0, V2, K1".to_owned())
}

pub(super) fn algorithm(text: &str) -> Result<Algorithm, String> {
    words::algorithm_of(text).ok_or_else(|| "expected TDES, AES or SM4".to_owned())
}

pub(super) fn mode(text: &str) -> Result<ModeOfUse, String> {
    words::mode_of(text).ok_or_else(|| "no mode of use of X9.143: B, C, D, E, G, V, X".to_owned())
}

/// A check value as people write it: grouped or not, at least the three bytes that are compared.
pub(super) fn check_value(text: &str) -> Result<String, String> {
    const DIGITS: std::ops::RangeInclusive<usize> = 6..=32;
    let digits: String = text.chars().filter(|c| !c.is_whitespace() && *c != '-').collect();
    let whole = digits.len().is_multiple_of(2) && DIGITS.contains(&digits.len());
    match whole && digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        true => Ok(digits.to_ascii_uppercase()),
        false => Err("malformed: a check value is 6 hexadecimal digits or more, an even number".to_owned()),
    }
}

pub(super) fn exportability(text: &str) -> Result<Exportability, String> {
    words::exportability_of(text).ok_or_else(|| "expected N, E or S".to_owned())
}
