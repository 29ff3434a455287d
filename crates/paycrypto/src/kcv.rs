//! Key check values, always together with the method that made them.
//!
//! Three bytes prove to two parties that they hold the same key. The methods differ between standards for
//! the same cipher - AES by CMAC in ANSI X9.24-3 and payShield, by a zero block in older software - so a
//! value without its method means nothing, and the method is never guessed.

use core::fmt;

use subtle::ConstantTimeEq;
use thiserror::Error;

use crate::key::{AesKey, BlockKey, DesKey, Sm4Key, TdesKey};
use crate::mac::cmac;

/// How a check value is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KcvMethod {
    /// DES or TDEA encryption of eight zero bytes (ANSI X9.24-1:2009, C.1): usually 3 bytes; UnionPay key
    /// downloads send 4.
    TdesZeros,
    /// CMAC of sixteen zero bytes (ANSI X9.24-3:2017; the payShield method for AES keys).
    AesCmac,
    /// AES encryption of sixteen zero bytes: older software, not a standard.
    AesZeros,
    /// SM4 encryption of sixteen zero bytes; Chinese terminals send 8 bytes (CSDN M_Kerry/104625499).
    Sm4Zeros,
}

/// A key whose check value is wanted.
#[derive(Debug, Clone, Copy)]
pub enum KeyToCheck<'a> {
    /// A single-length DES key.
    Des(&'a DesKey),
    /// A TDEA key.
    Tdes(&'a TdesKey),
    /// An AES key.
    Aes(&'a AesKey),
    /// An SM4 key.
    Sm4(&'a Sm4Key),
}

macro_rules! from_key {
    ($($key:ident => $case:ident),*) => {$(
        impl<'a> From<&'a $key> for KeyToCheck<'a> {
            fn from(key: &'a $key) -> Self {
                KeyToCheck::$case(key)
            }
        }
    )*};
}
from_key!(DesKey => Des, TdesKey => Tdes, AesKey => Aes, Sm4Key => Sm4);

/// Why there is no check value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum KcvError {
    /// The method is for another cipher.
    #[error("the check value method does not belong to this kind of key")]
    Method,
    /// The length is not 1 to [`KCV_LENGTH_MAX`] bytes, or longer than the cipher's block.
    #[error("a check value cannot have {0} bytes")]
    Length(usize),
}

/// The longest check value in use, in bytes: more of an encrypted zero block than this helps only attackers.
pub const KCV_LENGTH_MAX: usize = 8;

/// A check value of 1 to 8 bytes; printed in upper-case hexadecimal.
#[derive(Clone, Copy)]
pub struct CheckValue {
    bytes: [u8; KCV_LENGTH_MAX],
    length: usize,
}

impl CheckValue {
    /// The bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    /// Compares with a received value in constant time; false if the lengths differ.
    #[must_use]
    pub fn matches(&self, received: &[u8]) -> bool {
        self.bytes().ct_eq(received).into()
    }
}

impl fmt::Display for CheckValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.bytes().iter().try_for_each(|byte| write!(f, "{byte:02X}"))
    }
}

impl fmt::Debug for CheckValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CheckValue({self})")
    }
}

/// Computes a check value of `length` bytes by the named method.
///
/// # Errors
/// [`KcvError`].
pub fn check_value<'a>(
    method: KcvMethod,
    key: impl Into<KeyToCheck<'a>>,
    length: usize,
) -> Result<CheckValue, KcvError> {
    let full: [u8; 8] = match (method, key.into()) {
        (KcvMethod::TdesZeros, KeyToCheck::Des(key)) => encrypted_zeros(key),
        (KcvMethod::TdesZeros, KeyToCheck::Tdes(key)) => encrypted_zeros(key),
        (KcvMethod::AesCmac, KeyToCheck::Aes(key)) => leftmost(cmac(key, &[0; 16])),
        (KcvMethod::AesZeros, KeyToCheck::Aes(key)) => leftmost(encrypted_zeros(key)),
        (KcvMethod::Sm4Zeros, KeyToCheck::Sm4(key)) => leftmost(encrypted_zeros(key)),
        (KcvMethod::TdesZeros, KeyToCheck::Aes(_) | KeyToCheck::Sm4(_))
        | (
            KcvMethod::AesCmac | KcvMethod::AesZeros,
            KeyToCheck::Des(_) | KeyToCheck::Tdes(_) | KeyToCheck::Sm4(_),
        )
        | (KcvMethod::Sm4Zeros, KeyToCheck::Des(_) | KeyToCheck::Tdes(_) | KeyToCheck::Aes(_)) => {
            return Err(KcvError::Method);
        }
    };
    if !(1..=KCV_LENGTH_MAX).contains(&length) {
        return Err(KcvError::Length(length));
    }
    let mut bytes = [0; KCV_LENGTH_MAX];
    bytes[..length].copy_from_slice(&full[..length]);
    Ok(CheckValue { bytes, length })
}

fn encrypted_zeros<const N: usize>(key: &impl BlockKey<N>) -> [u8; N] {
    let mut block = [0; N];
    key.encrypt_block(&mut block);
    block
}

fn leftmost(block: [u8; 16]) -> [u8; 8] {
    block.as_chunks::<8>().0[0]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(method: KcvMethod, key: &str, expect: &str) {
        let bytes = hex::decode(key).unwrap();
        let length = expect.len() / 2;
        let value = match method {
            KcvMethod::TdesZeros => check_value(method, &TdesKey::new(&bytes).unwrap(), length),
            KcvMethod::AesCmac | KcvMethod::AesZeros => {
                check_value(method, &AesKey::new(&bytes).unwrap(), length)
            }
            KcvMethod::Sm4Zeros => check_value(method, &Sm4Key::from_slice(&bytes).unwrap(), length),
        };
        let value = value.unwrap();
        assert_eq!(value.to_string(), expect);
        assert!(value.matches(&hex::decode(expect).unwrap()));
        assert!(!value.matches(&[]));
    }

    #[test]
    fn published_check_values() {
        check(KcvMethod::TdesZeros, "4DDB4BCC88C66F47D21D4E096F12F6A0", "07B19860"); // Ajsgn/Java8583 DateTest, ZMK
        check(KcvMethod::TdesZeros, "73FE29329283FDF12540B6F80437C107", "21DD874E"); // the same, TAK
        check(KcvMethod::Sm4Zeros, "F351D490994603795C6EBEE8FAEBB481", "861E83E31FAEBF10"); // CSDN M_Kerry/104625499
        // FIPS 197 has no zero block; this is the AES-128 known answer of NIST AESAVS for the zero key and block.
        check(KcvMethod::AesZeros, "00000000000000000000000000000000", "66E94BD4EF8A2C3B");
        check(
            KcvMethod::AesCmac,
            "BE19E6A07A760F10EF8E83A226B63AAD141F463FDDD4F47DB244B4023EC3CACC",
            "0A00E3",
        );
    }

    #[test]
    fn a_method_of_another_cipher_and_odd_lengths_are_refused() {
        let key = TdesKey::double(b"0123456789abcdef");
        assert_eq!(check_value(KcvMethod::AesCmac, &key, 3).err(), Some(KcvError::Method));
        assert_eq!(check_value(KcvMethod::TdesZeros, &key, 0).err(), Some(KcvError::Length(0)));
        assert_eq!(check_value(KcvMethod::TdesZeros, &key, 9).err(), Some(KcvError::Length(9)));
    }
}
