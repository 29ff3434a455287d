//! Key blocks: ANSI X9.143 (formerly TR-31) versions A to D and ISO 20038 version E.
//!
//! A key block is a readable header that says what the key may be used for, the key enciphered, and a MAC
//! that binds the two. Keys at rest are version D blocks, and so are keys on the way to another site.
//! Version B is for partners with TDEA; A and C are opened and made for old partners only.
//!
//! What this does not do: judge whether the usage suits the caller. It proves that the header is the one
//! the key was wrapped with; the security module decides.
//!
//! Two peers that cost others a day: payShield 10K sends blocks whose key is not padded to the longest length
//! of its algorithm, so the obfuscation padding is not demanded on import (openemv/tr31 issue #2); and
//! German DK blocks carry optional blocks of any printable ASCII (issue #1).

mod header;

use core::fmt;

use subtle::ConstantTimeEq;
use thiserror::Error;
use zeroize::{Zeroize, Zeroizing};

use crate::key::{AesKey, KeyError, TdesKey};
use crate::mac::{self, Padding};
use crate::mode;

pub use header::{
    Algorithm, BLOCK_LENGTH_MAX, Exportability, Header, KeyUsage, ModeOfUse, OptionalBlock, Version,
};
use header::{read_header, write_header};

/// The key that protects key blocks.
#[derive(Debug)]
pub enum ProtectionKey {
    /// For versions A, B, C and Thales 0.
    Tdes(TdesKey),
    /// For versions D and E.
    Aes(AesKey),
}

/// A key that came out of a key block. Prints as stars.
pub struct UnwrappedKey(Zeroizing<Vec<u8>>);

impl UnwrappedKey {
    /// The clear key: to make a [`TdesKey`], an [`AesKey`] … of it.
    #[must_use]
    pub fn expose_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for UnwrappedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UnwrappedKey(********)")
    }
}

/// Why a key block cannot be opened or made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum KeyBlockError {
    /// The version character is none of A, B, C, D, E, 0.
    #[error("key block: unknown version")]
    Version,
    /// The length field is not a number, not the length of the block, or not a multiple of the cipher block.
    #[error("key block: wrong length")]
    BlockLength,
    /// The algorithm character is unknown.
    #[error("key block: unknown algorithm")]
    Algorithm,
    /// The mode-of-use character is unknown.
    #[error("key block: unknown mode of use")]
    ModeOfUse,
    /// The exportability character is unknown.
    #[error("key block: unknown exportability")]
    Exportability,
    /// A header field holds characters that are not allowed there.
    #[error("key block: illegal character in the header")]
    Character,
    /// The optional blocks are malformed, or do not end at a cipher block.
    #[error("key block: malformed optional block")]
    OptionalBlock,
    /// The enciphered part is not hexadecimal or has an impossible length.
    #[error("key block: malformed key data")]
    KeyData,
    /// The protection key is not of the cipher of this version.
    #[error("key block: the protection key is for another version")]
    ProtectionKey,
    /// The MAC differs: wrong protection key, or something was changed.
    #[error("key block: the MAC does not match")]
    Mac,
    /// The MAC matches but the key length in it is impossible (version A and C with a wrong key, or our bug).
    #[error("key block: impossible key length")]
    KeyLength,
}

impl From<KeyError> for KeyBlockError {
    fn from(_: KeyError) -> KeyBlockError {
        KeyBlockError::KeyLength
    }
}

/// The random bytes that [`wrap`] needs: enough to pad the shortest key to the longest.
pub const RANDOM_LENGTH: usize = 48;

/// Wraps a key. The key is padded with bytes of `random` to the longest length of its algorithm, so that the
/// block does not tell how long it is.
///
/// # Errors
/// [`KeyBlockError`]; nothing is returned in part.
pub fn wrap(
    protection_key: &ProtectionKey,
    header: &Header,
    key: &[u8],
    random: &[u8; RANDOM_LENGTH],
) -> Result<String, KeyBlockError> {
    let shortest = key.len().max(header.algorithm.longest_key());
    let padding_length = (2 + shortest).next_multiple_of(header.version.data_alignment()) - 2 - key.len();
    let padding = random.get(..padding_length).ok_or(KeyBlockError::KeyLength)?;
    wrap_with_padding(protection_key, header, key, padding)
}

/// Wraps a key with exactly the padding given: for test vectors, and for peers that refuse obfuscation padding.
///
/// # Errors
/// [`KeyBlockError`]; [`KeyBlockError::KeyData`] if the padded key is not whole cipher blocks.
pub fn wrap_with_padding(
    protection_key: &ProtectionKey,
    header: &Header,
    key: &[u8],
    padding: &[u8],
) -> Result<String, KeyBlockError> {
    let bits = u16::try_from(key.len() * 8).map_err(|_| KeyBlockError::KeyLength)?;
    if bits == 0 {
        return Err(KeyBlockError::KeyLength);
    }
    if !(2 + key.len() + padding.len()).is_multiple_of(header.version.data_alignment()) {
        return Err(KeyBlockError::KeyData);
    }
    let mut data = Zeroizing::new(Vec::with_capacity(2 + key.len() + padding.len()));
    data.extend_from_slice(&bits.to_be_bytes());
    data.extend_from_slice(key);
    data.extend_from_slice(padding);
    let header_text = write_header(header, data.len())?;
    let mac = seal(protection_key, header.version, header_text.as_bytes(), &mut data)?;
    let mut block = header_text;
    push_hex(&mut block, &data);
    push_hex(&mut block, &mac);
    Ok(block)
}

/// Opens a key block: reads the header, verifies the MAC, and returns the key only if all is in order.
///
/// # Errors
/// [`KeyBlockError`]; nothing is returned in part.
pub fn unwrap(protection_key: &ProtectionKey, block: &str) -> Result<(Header, UnwrappedKey), KeyBlockError> {
    let (header, header_length) = read_header(block)?;
    let (header_text, body) = block.split_at_checked(header_length).ok_or(KeyBlockError::BlockLength)?;
    let body = read_hex(body).ok_or(KeyBlockError::KeyData)?;
    let data_length = body.len().checked_sub(header.version.mac_length()).ok_or(KeyBlockError::KeyData)?;
    let (data, mac) = body.split_at(data_length);
    if data.len() < 3 || !data.len().is_multiple_of(header.version.data_alignment()) {
        return Err(KeyBlockError::KeyData);
    }
    let mut data = Zeroizing::new(data.to_vec());
    open(protection_key, header.version, header_text.as_bytes(), &mut data, mac)?;

    let bits = usize::from(u16::from_be_bytes([data[0], data[1]]));
    if bits == 0 || !bits.is_multiple_of(8) {
        return Err(KeyBlockError::KeyLength);
    }
    let key = data[2..].get(..bits / 8).ok_or(KeyBlockError::KeyLength)?;
    Ok((header, UnwrappedKey(Zeroizing::new(key.to_vec()))))
}

/// Reads the header only: what a block claims, before any key has confirmed it.
///
/// # Errors
/// [`KeyBlockError`].
pub fn read_unverified_header(block: &str) -> Result<Header, KeyBlockError> {
    read_header(block).map(|(header, _)| header)
}

/// Computes the MAC and enciphers the key data in place.
fn seal(
    protection_key: &ProtectionKey,
    version: Version,
    header: &[u8],
    data: &mut [u8],
) -> Result<Vec<u8>, KeyBlockError> {
    Ok(match (version, protection_key) {
        (Version::A | Version::C | Version::Thales0, ProtectionKey::Tdes(key)) => {
            let (encryption, authentication) = variants(key);
            mode::cbc_encrypt(&encryption, &variant_iv(header), data);
            variant_mac(&authentication, header, data).to_vec()
        }
        (Version::B, ProtectionKey::Tdes(key)) => {
            let (encryption, authentication) = derive_tdes(key);
            let mac = mac::cmac(&authentication, &joined(header, data));
            mode::cbc_encrypt(&encryption, &mac, data);
            mac.to_vec()
        }
        (Version::D, ProtectionKey::Aes(key)) => {
            let (encryption, authentication) = derive_aes(key, USAGE_ENCRYPTION_CBC)?;
            let mac = mac::cmac(&authentication, &joined(header, data));
            mode::cbc_encrypt(&encryption, &mac, data);
            mac.to_vec()
        }
        (Version::E, ProtectionKey::Aes(key)) => {
            let (encryption, authentication) = derive_aes(key, USAGE_ENCRYPTION_CTR)?;
            let mac = mac::cmac(&authentication, &joined(header, data));
            mode::ctr(&encryption, &mac, data);
            mac.to_vec()
        }
        (Version::A | Version::B | Version::C | Version::Thales0, ProtectionKey::Aes(_))
        | (Version::D | Version::E, ProtectionKey::Tdes(_)) => return Err(KeyBlockError::ProtectionKey),
    })
}

/// Deciphers the key data in place and verifies the MAC; on failure the data are wiped.
fn open(
    protection_key: &ProtectionKey,
    version: Version,
    header: &[u8],
    data: &mut [u8],
    mac: &[u8],
) -> Result<(), KeyBlockError> {
    let matches: bool = match (version, protection_key) {
        (Version::A | Version::C | Version::Thales0, ProtectionKey::Tdes(key)) => {
            let (encryption, authentication) = variants(key);
            let computed = variant_mac(&authentication, header, data);
            mode::cbc_decrypt(&encryption, &variant_iv(header), data);
            computed.ct_eq(mac).into()
        }
        (Version::B, ProtectionKey::Tdes(key)) => {
            let (encryption, authentication) = derive_tdes(key);
            let iv = <&[u8; 8]>::try_from(mac).map_err(|_| KeyBlockError::KeyData)?;
            mode::cbc_decrypt(&encryption, iv, data);
            mac::cmac(&authentication, &joined(header, data)).ct_eq(mac).into()
        }
        (Version::D, ProtectionKey::Aes(key)) => {
            let (encryption, authentication) = derive_aes(key, USAGE_ENCRYPTION_CBC)?;
            let iv = <&[u8; 16]>::try_from(mac).map_err(|_| KeyBlockError::KeyData)?;
            mode::cbc_decrypt(&encryption, iv, data);
            mac::cmac(&authentication, &joined(header, data)).ct_eq(mac).into()
        }
        (Version::E, ProtectionKey::Aes(key)) => {
            let (encryption, authentication) = derive_aes(key, USAGE_ENCRYPTION_CTR)?;
            let iv = <&[u8; 16]>::try_from(mac).map_err(|_| KeyBlockError::KeyData)?;
            mode::ctr(&encryption, iv, data);
            mac::cmac(&authentication, &joined(header, data)).ct_eq(mac).into()
        }
        (Version::A | Version::B | Version::C | Version::Thales0, ProtectionKey::Aes(_))
        | (Version::D | Version::E, ProtectionKey::Tdes(_)) => return Err(KeyBlockError::ProtectionKey),
    };
    if matches {
        return Ok(());
    }
    data.zeroize();
    Err(KeyBlockError::Mac)
}

// The variant method of versions A and C (TR-31:2018, 5.3.1).

const VARIANT_ENCRYPTION: u8 = 0x45; // "E"
const VARIANT_AUTHENTICATION: u8 = 0x4D; // "M"

fn variants(key: &TdesKey) -> (TdesKey, TdesKey) {
    let variant = |with: u8| {
        let mut bytes = Zeroizing::new([0u8; 24]);
        for (to, from) in bytes.iter_mut().zip(key.expose_bytes().iter().cycle()) {
            *to = from ^ with;
        }
        TdesKey::triple(&bytes)
    };
    (variant(VARIANT_ENCRYPTION), variant(VARIANT_AUTHENTICATION))
}

/// The start value is the leftmost eight characters of the header.
fn variant_iv(header: &[u8]) -> [u8; 8] {
    header.first_chunk().copied().unwrap_or_default()
}

/// CBC-MAC over header and ciphertext, leftmost four bytes.
fn variant_mac(key: &TdesKey, header: &[u8], ciphertext: &[u8]) -> [u8; 4] {
    let [a, b, c, d, ..] = mac::algorithm_1(key, Padding::Method1, &joined(header, ciphertext));
    [a, b, c, d]
}

// The derivation method of versions B, D and E (X9.143:2021, 7.2; ISO 20038:2017, 6.3).

const USAGE_ENCRYPTION_CBC: u16 = 0x0000;
const USAGE_AUTHENTICATION: u16 = 0x0001;
const USAGE_ENCRYPTION_CTR: u16 = 0x0002;

/// The input of one derivation step: counter, usage, separator, algorithm, length in bits.
fn derivation_input(counter: u8, usage: u16, algorithm: u16, bits: u16) -> [u8; 8] {
    let ([u, v], [a, b], [l, m]) = (usage.to_be_bytes(), algorithm.to_be_bytes(), bits.to_be_bytes());
    [counter, u, v, 0x00, a, b, l, m]
}

fn derive_tdes(key: &TdesKey) -> (TdesKey, TdesKey) {
    let (algorithm, bits) = match key.expose_bytes().len() {
        16 => (0x0000, 128), // two-key TDEA
        _ => (0x0001, 192),  // three-key TDEA
    };
    let derive = |usage: u16| {
        let mut derived = Zeroizing::new([0u8; 24]);
        for (counter, part) in (1..).zip(derived.as_chunks_mut::<8>().0) {
            *part = mac::cmac(key, &derivation_input(counter, usage, algorithm, bits));
        }
        if bits == 128 {
            derived.copy_within(..8, 16);
        }
        TdesKey::triple(&derived)
    };
    (derive(USAGE_ENCRYPTION_CBC), derive(USAGE_AUTHENTICATION))
}

fn derive_aes(key: &AesKey, encryption: u16) -> Result<(AesKey, AesKey), KeyBlockError> {
    let (algorithm, bits) = match key.length() {
        16 => (0x0002, 128),
        24 => (0x0003, 192),
        _ => (0x0004, 256),
    };
    let derive = |usage: u16| {
        let mut derived = Zeroizing::new([0u8; 32]);
        for (counter, part) in (1..).zip(derived.as_chunks_mut::<16>().0) {
            *part = mac::cmac(key, &derivation_input(counter, usage, algorithm, bits));
        }
        AesKey::new(&derived[..key.length()])
    };
    Ok((derive(encryption)?, derive(USAGE_AUTHENTICATION)?))
}

fn joined(header: &[u8], data: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut all = Zeroizing::new(Vec::with_capacity(header.len() + data.len()));
    all.extend_from_slice(header);
    all.extend_from_slice(data);
    all
}

/// Upper- or lower-case: X9.143 prints upper case, and some peers send lower.
fn read_hex(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    let bytes: Option<Vec<u8>> =
        pairs.iter().map(|[high, low]| Some((nibble(*high)? << 4) | nibble(*low)?)).collect();
    bytes.map(Zeroizing::new)
}

fn nibble(character: u8) -> Option<u8> {
    char::from(character).to_digit(16).map(|digit| digit as u8)
}

fn push_hex(to: &mut String, bytes: &[u8]) {
    const DIGITS: [char; 16] =
        ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F'];
    for byte in bytes {
        to.push(DIGITS[usize::from(byte >> 4)]);
        to.push(DIGITS[usize::from(byte & 0xF)]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn protection_key(version: Version, hex_key: &str) -> ProtectionKey {
        let bytes = hex::decode(hex_key).unwrap();
        match version {
            Version::D | Version::E => ProtectionKey::Aes(AesKey::new(&bytes).unwrap()),
            _ => ProtectionKey::Tdes(TdesKey::new(&bytes).unwrap()),
        }
    }

    /// Opens a published block, then makes it again from what was found in it, padding included.
    fn check(kbpk: &str, block: &str, expect_key: &str) {
        let version = Version::from_character(block.as_bytes()[0]).unwrap();
        let kbpk = protection_key(version, kbpk);
        let (header, key) = unwrap(&kbpk, block).unwrap();
        assert_eq!(hex::encode_upper(key.expose_bytes()), expect_key, "{block}");

        let (_, header_length) = read_header(block).unwrap();
        let (header_text, body) = block.split_at(header_length);
        let body = read_hex(body).unwrap();
        let (data, mac) = body.split_at(body.len() - version.mac_length());
        let mut clear = data.to_vec();
        open(&kbpk, version, header_text.as_bytes(), &mut clear, mac).unwrap();
        let padding = &clear[2 + key.expose_bytes().len()..];
        assert_eq!(wrap_with_padding(&kbpk, &header, key.expose_bytes(), padding).unwrap(), block);
    }

    /// Sources: ANSI X9.143 and ISO 20038 examples by way of openemv/tr31 (test/), psec and payShield; see
    /// vectors/crypto-vectors.json, which names each.
    #[test]
    fn published_blocks_open_and_are_made_again() {
        check(
            "EFE0853B256B583D868F251CE99EA1D9",
            "A0072K0TN00N0000F40D5672C6D0EC86F860BA88D44D00F0CA9A8CE8CD2F640287A9A9EB",
            "5DB50B454F8389ADCE573BE50861F2BF",
        );
        check(
            "EFE0853B256B583D868F251CE99EA1D9",
            "C0072K0TN00N0000C9B875FF7A5316BF221C09ED52080DE0B45632A4EA9CE87699CB565E",
            "5DB50B454F8389ADCE573BE50861F2BF",
        );
        check(
            "1D22BF32387C600AD97F9B97A51311AC",
            "B0104B0TX12S0100KS1800604B120F9292800000BB68BE8680A400D9191AD4ECE45B6E6C0D21C4738A52190E248719E24B433627",
            "E8BC63E5479455E26577F715D587FE68",
        );
        check(
            "4141414141414141414141414141414141414141414141414141414141414141",
            "D0112B0TN00N000037DB9B046B7B0048785690759580ABC3B9842AB4BB7717B49E92528E575785D8123559376A2553B27BE94F054F4E971C",
            "1FA1F7CEC798D91545DA8AE0C7796BD9",
        );
        check(
            "3235362D62697420414553207772617070696E67202849534F20323030333829",
            "E0084B0TV16N0000B2AE5E26BBA7F246E84D5EA24167E208A6B66EF2E27E55A52DB52F0AEACB94C57547",
            "777261707065642033444553206B6579",
        );
    }

    fn any_block() -> impl Strategy<Value = (Version, usize, Vec<u8>, [u8; RANDOM_LENGTH], Vec<String>)> {
        (
            prop::sample::select(vec![Version::A, Version::B, Version::C, Version::D, Version::E]),
            prop::sample::select(vec![16usize, 24, 32]),
            prop::collection::vec(any::<u8>(), 1..=32),
            prop::array::uniform::<_, RANDOM_LENGTH>(any::<u8>()),
            prop::collection::vec("[ -~]{0,300}", 0..4),
        )
    }

    proptest! {
        #[test]
        fn what_is_wrapped_is_unwrapped_and_no_changed_character_passes(
            (version, kbpk_length, key, random, optional) in any_block(),
            at: prop::sample::Index,
            character in 0x20u8..0x7F,
        ) {
            let kbpk = match version {
                Version::D | Version::E => ProtectionKey::Aes(AesKey::new(&[0x5A; 32][..kbpk_length]).unwrap()),
                _ => ProtectionKey::Tdes(TdesKey::new(&b"0123456789abcdefghijklmn"[..kbpk_length.min(24)]).unwrap()),
            };
            let mut header = Header::new(
                version,
                KeyUsage::PinEncryption,
                Algorithm::Tdea,
                ModeOfUse::EncryptAndDecrypt,
                Exportability::No,
            );
            header.optional_blocks = optional.into_iter().map(|data| OptionalBlock { id: *b"10", data }).collect();
            let block = wrap(&kbpk, &header, &key, &random).unwrap();
            let (found_header, found_key) = unwrap(&kbpk, &block).unwrap();
            prop_assert_eq!(&found_header, &header);
            prop_assert_eq!(found_key.expose_bytes(), &key);

            let mut changed = block.clone().into_bytes();
            let at = at.index(changed.len());
            changed[at] = character;
            let changed = String::from_utf8(changed).unwrap();
            // Hexadecimal digits of the enciphered part may be written in either case.
            if !changed.eq_ignore_ascii_case(&block) {
                prop_assert!(unwrap(&kbpk, &changed).is_err());
            }
        }

        #[test]
        fn nonsense_is_refused_without_a_panic(block in "[ABCDE0][0-9]{4}[ -~]{0,200}") {
            let kbpk = ProtectionKey::Aes(AesKey::new(&[7; 16]).unwrap());
            prop_assert!(unwrap(&kbpk, &block).is_err());
            let kbpk = ProtectionKey::Tdes(TdesKey::double(&[7; 16]));
            prop_assert!(unwrap(&kbpk, &block).is_err());
        }
    }

    #[test]
    fn every_usage_code_is_read_as_it_is_written() {
        for usage in KeyUsage::ALL {
            assert_eq!(KeyUsage::from_code(usage.code()), *usage);
        }
        assert_eq!(KeyUsage::from_code(*b"71"), KeyUsage::Other(*b"71"));
    }
}
