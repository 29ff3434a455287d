//! Keys: values that hold a prepared schedule, print as stars and wipe themselves.
//!
//! A key is made once and used many times, so the schedule is computed when the key is made. None of
//! the types can be cloned, displayed or compared; the only way to the bytes is `expose_bytes`, whose
//! name is meant to be found by a search. Whether a key is *good* (parity, weak keys, equal halves) is
//! a separate question, [`tdes_faults`], because test vectors and old hosts use bad ones.

use core::fmt;

use aes::{Aes128, Aes192, Aes256};
use cipher::{BlockCipherDecrypt, BlockCipherEncrypt, KeyInit};
use sm4::Sm4;
use subtle::ConstantTimeEq;
use thiserror::Error;
use zeroize::{ZeroizeOnDrop, Zeroizing};

use crate::tdea::{self, Schedule};

/// Bytes that are not a key of the wanted algorithm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum KeyError {
    /// The number of bytes is none of the algorithm's key lengths.
    #[error("no {algorithm} key has {length} bytes")]
    Length {
        /// The algorithm asked for.
        algorithm: &'static str,
        /// The number of bytes given.
        length: usize,
    },
}

/// A block cipher under one key, with blocks of `N` bytes: what the modes in [`crate::mac`] and
/// [`crate::mode`] are written over.
pub trait BlockKey<const N: usize> {
    /// Encrypts one block in place.
    fn encrypt_block(&self, block: &mut [u8; N]);
    /// Decrypts one block in place.
    fn decrypt_block(&self, block: &mut [u8; N]);
}

/// A double- or triple-length TDEA key (16 or 24 bytes; NIST SP 800-67 keying options 2 and 1).
///
/// Single-length keys are another type, [`DesKey`], so that a PIN can never meet single DES
/// (PCI PIN 2-3). Keying option 3 (equal halves) is accepted here and refused by [`tdes_faults`].
#[derive(ZeroizeOnDrop)]
pub struct TdesKey {
    bytes: [u8; 24], // a double-length key repeats its first part
    #[zeroize(skip)]
    length: usize,
    k1: Schedule,
    k2: Schedule,
    k3: Schedule,
}

impl TdesKey {
    /// Prepares a key of 16 or 24 bytes. Parity bits are ignored, as the algorithm ignores them.
    ///
    /// # Errors
    /// [`KeyError::Length`] for any other number of bytes.
    pub fn new(bytes: &[u8]) -> Result<TdesKey, KeyError> {
        match (<&[u8; 16]>::try_from(bytes), <&[u8; 24]>::try_from(bytes)) {
            (Ok(double), _) => Ok(TdesKey::double(double)),
            (_, Ok(triple)) => Ok(TdesKey::triple(triple)),
            _ => Err(KeyError::Length { algorithm: "TDES", length: bytes.len() }),
        }
    }

    /// A double-length key, for the places where the length is known.
    #[must_use]
    pub fn double(bytes: &[u8; 16]) -> TdesKey {
        let mut key = Zeroizing::new([0u8; 24]);
        key[..16].copy_from_slice(bytes);
        key[16..].copy_from_slice(&bytes[..8]);
        let [k1, k2, _] = parts(&key);
        let k1 = Schedule::new(k1);
        TdesKey { bytes: *key, length: 16, k3: k1.duplicate(), k1, k2: Schedule::new(k2) }
    }

    /// A triple-length key, for the places where the length is known.
    #[must_use]
    pub fn triple(bytes: &[u8; 24]) -> TdesKey {
        let [k1, k2, k3] = parts(bytes);
        TdesKey {
            bytes: *bytes,
            length: 24,
            k1: Schedule::new(k1),
            k2: Schedule::new(k2),
            k3: Schedule::new(k3),
        }
    }

    /// The clear key, 16 or 24 bytes: for wrapping it in a key block, and for nothing else.
    #[must_use]
    pub fn expose_bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    /// The first eight bytes as a single-length key: UnionPay terminals that received a double-length
    /// MAC key often compute the field-64 MAC with only this part.
    #[must_use]
    pub fn first_part(&self) -> DesKey {
        let [first, _, _] = parts(&self.bytes);
        DesKey::new(first)
    }

    /// The second eight bytes as a single-length key: the K' of ISO/IEC 9797-1 algorithm 3.
    #[must_use]
    pub fn second_part(&self) -> DesKey {
        let [_, second, _] = parts(&self.bytes);
        DesKey::new(second)
    }

    pub(crate) fn encrypt_u64(&self, block: u64) -> u64 {
        tdea::encrypt_ede(&self.k1, &self.k2, &self.k3, block)
    }

    pub(crate) fn decrypt_u64(&self, block: u64) -> u64 {
        tdea::decrypt_ede(&self.k1, &self.k2, &self.k3, block)
    }

    pub(crate) fn schedules(&self) -> (&Schedule, &Schedule, &Schedule) {
        (&self.k1, &self.k2, &self.k3)
    }
}

impl BlockKey<8> for TdesKey {
    fn encrypt_block(&self, block: &mut [u8; 8]) {
        *block = self.encrypt_u64(u64::from_be_bytes(*block)).to_be_bytes();
    }

    fn decrypt_block(&self, block: &mut [u8; 8]) {
        *block = self.decrypt_u64(u64::from_be_bytes(*block)).to_be_bytes();
    }
}

/// A single-length DES key: for the MACs that still use one, never for PINs.
#[derive(ZeroizeOnDrop)]
pub struct DesKey {
    bytes: [u8; 8],
    schedule: Schedule,
}

impl DesKey {
    /// Prepares a key of 8 bytes. Parity bits are ignored.
    #[must_use]
    pub fn new(bytes: &[u8; 8]) -> DesKey {
        DesKey { bytes: *bytes, schedule: Schedule::new(bytes) }
    }

    /// The clear key, 8 bytes.
    #[must_use]
    pub fn expose_bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl BlockKey<8> for DesKey {
    fn encrypt_block(&self, block: &mut [u8; 8]) {
        self.schedule.encrypt_block(block);
    }

    fn decrypt_block(&self, block: &mut [u8; 8]) {
        self.schedule.decrypt_block(block);
    }
}

impl BlockKey<8> for Schedule {
    fn encrypt_block(&self, block: &mut [u8; 8]) {
        *block = self.encrypt(u64::from_be_bytes(*block)).to_be_bytes();
    }

    fn decrypt_block(&self, block: &mut [u8; 8]) {
        *block = self.decrypt(u64::from_be_bytes(*block)).to_be_bytes();
    }
}

/// An AES key of 16, 24 or 32 bytes (FIPS 197).
pub struct AesKey {
    bytes: Zeroizing<[u8; 32]>,
    cipher: AesCipher,
}

// The three hold their round keys in types that wipe themselves (feature `zeroize` of `aes`).
#[allow(clippy::large_enum_variant)] // one key, one allocation-free value
enum AesCipher {
    Aes128(Aes128),
    Aes192(Aes192),
    Aes256(Aes256),
}

impl AesKey {
    /// Prepares a key of 16, 24 or 32 bytes.
    ///
    /// # Errors
    /// [`KeyError::Length`] for any other number of bytes.
    pub fn new(bytes: &[u8]) -> Result<AesKey, KeyError> {
        let wrong_length = KeyError::Length { algorithm: "AES", length: bytes.len() };
        let cipher = match bytes.len() {
            16 => AesCipher::Aes128(Aes128::new_from_slice(bytes).map_err(|_| wrong_length)?),
            24 => AesCipher::Aes192(Aes192::new_from_slice(bytes).map_err(|_| wrong_length)?),
            32 => AesCipher::Aes256(Aes256::new_from_slice(bytes).map_err(|_| wrong_length)?),
            _ => return Err(wrong_length),
        };
        let mut kept = Zeroizing::new([0u8; 32]);
        kept[..bytes.len()].copy_from_slice(bytes);
        Ok(AesKey { bytes: kept, cipher })
    }

    /// The clear key, 16, 24 or 32 bytes.
    #[must_use]
    pub fn expose_bytes(&self) -> &[u8] {
        &self.bytes[..self.length()]
    }

    /// The length of the key in bytes.
    #[must_use]
    pub fn length(&self) -> usize {
        match self.cipher {
            AesCipher::Aes128(_) => 16,
            AesCipher::Aes192(_) => 24,
            AesCipher::Aes256(_) => 32,
        }
    }
}

impl BlockKey<16> for AesKey {
    fn encrypt_block(&self, block: &mut [u8; 16]) {
        match &self.cipher {
            AesCipher::Aes128(aes) => aes.encrypt_block(block.into()),
            AesCipher::Aes192(aes) => aes.encrypt_block(block.into()),
            AesCipher::Aes256(aes) => aes.encrypt_block(block.into()),
        }
    }

    fn decrypt_block(&self, block: &mut [u8; 16]) {
        match &self.cipher {
            AesCipher::Aes128(aes) => aes.decrypt_block(block.into()),
            AesCipher::Aes192(aes) => aes.decrypt_block(block.into()),
            AesCipher::Aes256(aes) => aes.decrypt_block(block.into()),
        }
    }
}

/// An SM4 key of 16 bytes (GB/T 32907-2016).
pub struct Sm4Key {
    bytes: Zeroizing<[u8; 16]>,
    cipher: Sm4,
}

impl Sm4Key {
    /// Prepares a key of 16 bytes.
    #[must_use]
    pub fn new(bytes: &[u8; 16]) -> Sm4Key {
        Sm4Key { bytes: Zeroizing::new(*bytes), cipher: Sm4::new(bytes.into()) }
    }

    /// Prepares a key given as a slice.
    ///
    /// # Errors
    /// [`KeyError::Length`] unless there are 16 bytes.
    pub fn from_slice(bytes: &[u8]) -> Result<Sm4Key, KeyError> {
        <&[u8; 16]>::try_from(bytes)
            .map(Sm4Key::new)
            .map_err(|_| KeyError::Length { algorithm: "SM4", length: bytes.len() })
    }

    /// The clear key, 16 bytes.
    #[must_use]
    pub fn expose_bytes(&self) -> &[u8] {
        self.bytes.as_slice()
    }
}

impl BlockKey<16> for Sm4Key {
    fn encrypt_block(&self, block: &mut [u8; 16]) {
        self.cipher.encrypt_block(block.into());
    }

    fn decrypt_block(&self, block: &mut [u8; 16]) {
        self.cipher.decrypt_block(block.into());
    }
}

macro_rules! prints_as_stars {
    ($($key:ident),*) => {$(
        impl fmt::Debug for $key {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($key), "(********)"))
            }
        }
    )*};
}
prints_as_stars!(TdesKey, DesKey, AesKey, Sm4Key);

fn parts(bytes: &[u8; 24]) -> [&[u8; 8]; 3] {
    let (parts, _) = bytes.as_chunks::<8>();
    [&parts[0], &parts[1], &parts[2]]
}

/// Sets the lowest bit of each byte so that the byte has an odd number of ones (FIPS 46-3, SP 800-67 3.3).
pub fn adjust_parity(key: &mut [u8]) {
    for byte in key {
        *byte = (*byte & 0xFE) | u8::from((*byte >> 1).count_ones().is_multiple_of(2));
    }
}

/// What is wrong with the bytes of a DES or TDEA key; see [`tdes_faults`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TdesFaults {
    /// Some byte has an even number of ones. payShield says 10 or 11.
    pub even_parity: bool,
    /// Some 8-byte part is one of the 64 keys of SP 800-67 3.4.2, parity disregarded.
    pub weak_part: bool,
    /// K1 = K2 or K2 = K3 (parity disregarded), which reduces TDEA to single DES, or K1 = K3 in a
    /// triple-length key, which is a double-length key that claims to be more.
    pub equal_parts: bool,
}

impl TdesFaults {
    /// True if nothing is wrong.
    #[must_use]
    pub fn none(self) -> bool {
        self == TdesFaults::default()
    }
}

/// Looks for the faults that a host must refuse when a DES or TDEA key is entered or imported
/// (PCI PIN requirement 2-3 and its normative annexes; SP 800-67 3.4.2). Bytes beyond the last whole
/// 8-byte part are looked at for parity only.
#[must_use]
pub fn tdes_faults(key: &[u8]) -> TdesFaults {
    let (parts, _) = key.as_chunks::<8>();
    let without_parity = |part: &[u8; 8]| u64::from_be_bytes(*part) & !PARITY_BITS;
    let equal = |a: usize, b: usize| match (parts.get(a), parts.get(b)) {
        (Some(a), Some(b)) => bool::from(without_parity(a).ct_eq(&without_parity(b))),
        _ => false,
    };
    TdesFaults {
        even_parity: key.iter().any(|byte| byte.count_ones().is_multiple_of(2)),
        weak_part: parts.iter().any(is_weak_des_key),
        equal_parts: equal(0, 1) || equal(1, 2) || equal(0, 2),
    }
}

/// True for the 4 weak, 12 semi-weak and 48 possibly weak keys of NIST SP 800-67 Rev. 2, 3.4.2, whatever
/// the parity bits.
#[must_use]
pub fn is_weak_des_key(part: &[u8; 8]) -> bool {
    let candidate = u64::from_be_bytes(*part) & !PARITY_BITS;
    let listed = |list: &[u64]| {
        list.iter()
            .fold(subtle::Choice::from(0), |found, weak| found | candidate.ct_eq(&(weak & !PARITY_BITS)))
    };
    (listed(&WEAK) | listed(&SEMI_WEAK) | listed(&POSSIBLY_WEAK)).into()
}

const PARITY_BITS: u64 = 0x0101_0101_0101_0101;

/// The four weak keys: encryption is its own inverse. NIST SP 800-67 Rev. 2, 3.4.2.
#[rustfmt::skip]
pub const WEAK: [u64; 4] = [
    0x0101_0101_0101_0101, 0xFEFE_FEFE_FEFE_FEFE, 0xE0E0_E0E0_F1F1_F1F1, 0x1F1F_1F1F_0E0E_0E0E,
];

/// The six pairs of semi-weak keys: each inverts its partner. NIST SP 800-67 Rev. 2, 3.4.2.
#[rustfmt::skip]
pub const SEMI_WEAK: [u64; 12] = [
    0x011F_011F_010E_010E, 0x1F01_1F01_0E01_0E01, 0x01E0_01E0_01F1_01F1, 0xE001_E001_F101_F101,
    0x01FE_01FE_01FE_01FE, 0xFE01_FE01_FE01_FE01, 0x1FE0_1FE0_0EF1_0EF1, 0xE01F_E01F_F10E_F10E,
    0x1FFE_1FFE_0EFE_0EFE, 0xFE1F_FE1F_FE0E_FE0E, 0xE0FE_E0FE_F1FE_F1FE, 0xFEE0_FEE0_FEF1_FEF1,
];

/// The 48 keys that give only four different round keys. NIST SP 800-67 Rev. 2, 3.4.2.
#[rustfmt::skip]
pub const POSSIBLY_WEAK: [u64; 48] = [
    0x0101_1F1F_0101_0E0E, 0x1F1F_0101_0E0E_0101, 0xE0E0_1F1F_F1F1_0E0E, 0x0101_E0E0_0101_F1F1,
    0x1F1F_E0E0_0E0E_F1F1, 0xE0E0_FEFE_F1F1_FEFE, 0x0101_FEFE_0101_FEFE, 0x1F1F_FEFE_0E0E_FEFE,
    0xE0FE_011F_F1FE_010E, 0x011F_1F01_010E_0E01, 0x1FE0_01FE_0EF1_01FE, 0xE0FE_1F01_F1FE_0E01,
    0x011F_E0FE_010E_F1FE, 0x1FE0_E01F_0EF1_F10E, 0xE0FE_FEE0_F1FE_FEF1, 0x011F_FEE0_010E_FEF1,
    0x1FE0_FE01_0EF1_FE01, 0xFE01_01FE_FE01_01FE, 0x01E0_1FFE_01F1_0EFE, 0x1FFE_01E0_0EFE_01F1,
    0xFE01_1FE0_FE01_0EF1, 0xFE01_E01F_FE01_F10E, 0x1FFE_E001_0EFE_F101, 0xFE1F_01E0_FE0E_01F1,
    0x01E0_E001_01F1_F101, 0x1FFE_FE1F_0EFE_FE0E, 0xFE1F_E001_FE0E_F101, 0x01E0_FE1F_01F1_FE0E,
    0xE001_01E0_F101_01F1, 0xFE1F_1FFE_FE0E_0EFE, 0x01FE_1FE0_01FE_0EF1, 0xE001_1FFE_F101_0EFE,
    0xFEE0_011F_FEF1_010E, 0x01FE_E01F_01FE_F10E, 0xE001_FE1F_F101_FE0E, 0xFEE0_1F01_FEF1_0E01,
    0x01FE_FE01_01FE_FE01, 0xE01F_01FE_F10E_01FE, 0xFEE0_E0FE_FEF1_F1FE, 0x1F01_011F_0E01_010E,
    0xE01F_1FE0_F10E_0EF1, 0xFEFE_0101_FEFE_0101, 0x1F01_E0FE_0E01_F1FE, 0xE01F_FE01_F10E_FE01,
    0xFEFE_1F1F_FEFE_0E0E, 0x1F01_FEE0_0E01_FEF1, 0xE0E0_0101_F1F1_0101, 0xFEFE_E0E0_FEFE_F1F1,
];

#[cfg(test)]
mod tests {
    use super::*;

    fn check_faults(key: &str, expect: TdesFaults) {
        assert_eq!(tdes_faults(&hex::decode(key).unwrap()), expect, "{key}");
    }

    #[test]
    fn faults_of_imported_keys() {
        let good = TdesFaults::default();
        check_faults("0123456789ABCDEFFEDCBA9876543210", good);
        check_faults("0023456789ABCDEFFEDCBA9876543210", TdesFaults { even_parity: true, ..good });
        check_faults(
            "0123456789ABCDEF0022446688AACCEE",
            TdesFaults { even_parity: true, equal_parts: true, ..good },
        );
        check_faults(
            "0123456789ABCDEFFEDCBA98765432100123456789ABCDEF",
            TdesFaults { equal_parts: true, ..good },
        );
        check_faults("0123456789ABCDEF1FE01FE00EF10EF1", TdesFaults { weak_part: true, ..good });
        check_faults(
            "00000000000000001EE01EE00EF00EF0",
            TdesFaults { even_parity: true, weak_part: true, ..good },
        );
    }

    #[test]
    fn all_64_weak_keys_have_odd_parity_and_are_found() {
        let all = WEAK.iter().chain(&SEMI_WEAK).chain(&POSSIBLY_WEAK);
        assert_eq!(all.clone().collect::<std::collections::BTreeSet<_>>().len(), 64);
        for weak in all {
            assert!(is_weak_des_key(&weak.to_be_bytes()));
            assert!(weak.to_be_bytes().iter().all(|byte| byte.count_ones() % 2 == 1), "{weak:016X}");
        }
        assert!(!is_weak_des_key(b"\x01\x23\x45\x67\x89\xAB\xCD\xEF"));
    }

    #[test]
    fn parity_is_made_odd_and_nothing_else_changes() {
        let mut key: Vec<u8> = (0..=255).collect();
        adjust_parity(&mut key);
        for (before, after) in (0..=255u8).zip(key) {
            assert_eq!(before & 0xFE, after & 0xFE);
            assert_eq!(after.count_ones() % 2, 1);
        }
    }

    #[test]
    fn no_key_prints_its_bytes() {
        let bytes = [0xA5u8; 16];
        let printed = format!(
            "{:?} {:?} {:?} {:?}",
            TdesKey::double(&bytes),
            DesKey::new(&[0xA5; 8]),
            AesKey::new(&bytes).unwrap(),
            Sm4Key::new(&bytes)
        );
        assert_eq!(printed, "TdesKey(********) DesKey(********) AesKey(********) Sm4Key(********)");
    }

    #[test]
    fn lengths_are_refused_by_name() {
        assert_eq!(TdesKey::new(&[0; 8]).unwrap_err(), KeyError::Length { algorithm: "TDES", length: 8 });
        assert_eq!(AesKey::new(&[0; 20]).unwrap_err(), KeyError::Length { algorithm: "AES", length: 20 });
        assert_eq!(Sm4Key::from_slice(&[]).unwrap_err(), KeyError::Length { algorithm: "SM4", length: 0 });
    }
}
