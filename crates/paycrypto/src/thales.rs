//! Keys as a Thales payShield stores and exchanges them: under a variant LMK, or in a key block v0.
//!
//! Only the cryptography, for import from old estates and for checking recorded exchanges; the host protocol
//! lives in the `hsm` crate. Variant schemes carry no integrity (Bond 2001: key conjuring), so nothing here is a
//! way to keep keys: what is read is wrapped again in a key block of our own.
//!
//! Facts from the payShield manuals, confirmed by the recorded exchanges of `vectors/crypto-vectors.json`.

use thiserror::Error;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::key::TdesKey;
use crate::mode;
use crate::pin::{PIN_LENGTH_MAX, Pin};
use crate::pin_block::{ClearPinBlock, PinBlockError};

/// What is wrong with a request to the variant scheme.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ThalesError {
    /// The key type code is not one digit and two characters of a known LMK pair.
    #[error("unknown key type code")]
    KeyType,
    /// The scheme tag is not known, or not with this key length.
    #[error("unknown key scheme, or not for this key length")]
    Scheme,
}

/// How the parts of a key are bound together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyScheme {
    /// 16 hexadecimal digits without a tag, or tag `Z`: a single-length key, ECB.
    Single,
    /// Tag `U`: a double-length key, each part under its own variant.
    DoubleVariant,
    /// Tag `T`: a triple-length key, each part under its own variant.
    TripleVariant,
    /// Tag `X`: a double-length key in plain ECB (ANSI X9.17).
    DoubleAnsi,
    /// Tag `Y`: a triple-length key in plain ECB.
    TripleAnsi,
}

impl KeyScheme {
    /// The scheme of a tag.
    ///
    /// # Errors
    /// [`ThalesError::Scheme`].
    pub fn from_tag(tag: char) -> Result<KeyScheme, ThalesError> {
        Ok(match tag {
            'Z' => KeyScheme::Single,
            'U' => KeyScheme::DoubleVariant,
            'T' => KeyScheme::TripleVariant,
            'X' => KeyScheme::DoubleAnsi,
            'Y' => KeyScheme::TripleAnsi,
            _ => return Err(ThalesError::Scheme),
        })
    }

    /// The tag in front of the key; none for single length.
    #[must_use]
    pub fn tag(self) -> &'static str {
        match self {
            KeyScheme::Single => "",
            KeyScheme::DoubleVariant => "U",
            KeyScheme::TripleVariant => "T",
            KeyScheme::DoubleAnsi => "X",
            KeyScheme::TripleAnsi => "Y",
        }
    }

    /// The length of the key in bytes.
    #[must_use]
    pub fn key_length(self) -> usize {
        8 * self.part_variants().len()
    }

    /// What byte 8 of the LMK pair is changed by, for each part of the key.
    fn part_variants(self) -> &'static [u8] {
        match self {
            KeyScheme::Single => &[0x00],
            KeyScheme::DoubleVariant => &[0xA6, 0x5A],
            KeyScheme::TripleVariant => &[0x6A, 0xDE, 0x2B],
            KeyScheme::DoubleAnsi => &[0x00; 2],
            KeyScheme::TripleAnsi => &[0x00; 3],
        }
    }
}

/// What byte 0 of the LMK pair is changed by, for the variant digit 0 to 9 of a key type.
const KEY_TYPE_VARIANTS: [u8; 10] = [0x00, 0xA6, 0x5A, 0x6A, 0xDE, 0x2B, 0x50, 0x74, 0x9C, 0xFA];

/// A key type code such as `002`: a variant digit and the code of an LMK pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyType {
    variant: u8,
    pair: usize,
}

impl KeyType {
    /// Zone master key, 000.
    pub const ZMK: KeyType = KeyType { variant: 0, pair: 2 };
    /// Zone PIN key, 001.
    pub const ZPK: KeyType = KeyType { variant: 0, pair: 3 };
    /// Terminal PIN key, terminal master key, PIN verification key, 002.
    pub const TPK: KeyType = KeyType { variant: 0, pair: 7 };

    /// Reads the three characters: variant digit, then pair code 00 to 0D.
    ///
    /// # Errors
    /// [`ThalesError::KeyType`].
    pub fn from_code(code: &str) -> Result<KeyType, ThalesError> {
        let [variant @ b'0'..=b'9', b'0', low] = *code.as_bytes() else {
            return Err(ThalesError::KeyType);
        };
        // The codes count the pairs 04-05, 06-07, then 14-15 and on; 08 to 13 have other uses.
        let pair = match char::from(low).to_digit(16) {
            Some(low @ 0..=1) => low + 2,
            Some(low @ 2..=0xD) => low + 5,
            _ => return Err(ThalesError::KeyType),
        };
        Ok(KeyType { variant: variant - b'0', pair: pair as usize })
    }
}

/// The number of pairs in a variant LMK set: 00-01 to 38-39.
pub const LMK_PAIRS: usize = 20;

/// A set of variant local master keys, twenty double-length pairs.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct VariantLmk([[u8; 16]; LMK_PAIRS]);

impl VariantLmk {
    /// Takes the pairs 00-01, 02-03, … 38-39 in this order.
    #[must_use]
    pub fn new(pairs: &[[u8; 16]; LMK_PAIRS]) -> VariantLmk {
        VariantLmk(*pairs)
    }

    /// Encrypts a key under the pair of its type.
    ///
    /// # Errors
    /// [`ThalesError::Scheme`] if the key has not the length of the scheme, [`ThalesError::KeyType`].
    pub fn encrypt_key(&self, of: KeyType, scheme: KeyScheme, key: &[u8]) -> Result<Vec<u8>, ThalesError> {
        let mut data = key.to_vec();
        self.for_each_part(of, scheme, &mut data, mode::ecb_encrypt::<8>)?;
        Ok(data)
    }

    /// Decrypts a key. Without integrity, any input of the right length gives a key.
    ///
    /// # Errors
    /// As [`VariantLmk::encrypt_key`].
    pub fn decrypt_key(
        &self,
        of: KeyType,
        scheme: KeyScheme,
        encrypted: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, ThalesError> {
        let mut data = Zeroizing::new(encrypted.to_vec());
        self.for_each_part(of, scheme, &mut data, mode::ecb_decrypt::<8>)?;
        Ok(data)
    }

    fn for_each_part(
        &self,
        of: KeyType,
        scheme: KeyScheme,
        data: &mut [u8],
        apply: fn(&TdesKey, &mut [u8]),
    ) -> Result<(), ThalesError> {
        let pair = self.0.get(of.pair).ok_or(ThalesError::KeyType)?;
        let variant = KEY_TYPE_VARIANTS.get(usize::from(of.variant)).ok_or(ThalesError::KeyType)?;
        let mut lmk = Zeroizing::new(*pair);
        lmk[0] ^= variant;
        for_each_part_under(&lmk, scheme, data, apply)
    }
}

/// Decrypts a key that was sent under a double-length zone master key in one of the schemes; `U` and `T` change the
/// master key's right half for each part, `X`, `Y` and single length are plain ECB.
///
/// # Errors
/// [`ThalesError::Scheme`] if the key has not the length of the scheme.
pub fn decrypt_key_under_zmk(
    zmk: &[u8; 16],
    scheme: KeyScheme,
    encrypted: &[u8],
) -> Result<Zeroizing<Vec<u8>>, ThalesError> {
    let mut data = Zeroizing::new(encrypted.to_vec());
    for_each_part_under(zmk, scheme, &mut data, mode::ecb_decrypt::<8>)?;
    Ok(data)
}

fn for_each_part_under(
    key: &[u8; 16],
    scheme: KeyScheme,
    data: &mut [u8],
    apply: fn(&TdesKey, &mut [u8]),
) -> Result<(), ThalesError> {
    if data.len() != scheme.key_length() {
        return Err(ThalesError::Scheme);
    }
    for (part, variant) in data.chunks_mut(8).zip(scheme.part_variants()) {
        let mut changed = Zeroizing::new(*key);
        changed[8] ^= variant;
        apply(&TdesKey::double(&changed), part);
    }
    Ok(())
}

/// The Diebold block (Thales 03): PIN digits, then F. Known only from old exchanges: it is not a format of ISO 9564, and
/// no translation into it may be offered (PCI PIN 3-3).
#[must_use]
pub fn encode_diebold(pin: &Pin) -> ClearPinBlock {
    let mut block = u64::MAX;
    for digit in pin.expose_digits().iter().rev() {
        block = (block >> 4) | (u64::from(*digit) << 60);
    }
    let clear = ClearPinBlock::from_bytes(&block.to_be_bytes());
    block.zeroize();
    clear
}

/// Decodes the Diebold block: the digits up to the first F, which must be followed by nothing but F.
///
/// # Errors
/// [`PinBlockError`].
pub fn decode_diebold(block: &ClearPinBlock) -> Result<Pin, PinBlockError> {
    let mut digits = Zeroizing::new([0u8; 16]);
    for (pair, byte) in digits.chunks_exact_mut(2).zip(block.expose_bytes().iter()) {
        pair[0] = byte >> 4;
        pair[1] = byte & 0xF;
    }
    let length = digits.iter().take_while(|digit| **digit <= 9).count();
    if digits[length..].iter().any(|digit| *digit != 0xF) {
        return Err(PinBlockError::Fill);
    }
    if length > PIN_LENGTH_MAX {
        return Err(PinBlockError::Length);
    }
    Pin::from_digits(&digits[..length]).ok_or(PinBlockError::Length)
}
