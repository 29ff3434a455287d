//! PIN blocks: ISO 9564-1 formats 0 to 4 and the two SM4 layouts found in China.
//!
//! Every decoder checks the control field, the length, each digit and the fill exactly, and does the
//! same work whatever is wrong: it looks at every nibble, and only the finished verdict is a branch.
//! [`PinBlockError`] tells the causes apart for the audit trail inside the security module. It must
//! never travel further: a caller who can tell "format" from "digit" has the PAN-modification oracle
//! of Clulow (2003).
//!
//! Format 2 is for submission to an IC card only and is named accordingly, so that it cannot slip into
//! an online path. Which translations are allowed is the security module's matter, not this file's.

use subtle::{Choice, ConditionallySelectable, ConstantTimeEq, ConstantTimeGreater, ConstantTimeLess};
use thiserror::Error;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::key::{AesKey, BlockKey, Sm4Key, TdesKey};
use crate::pin::{Account12, PIN_LENGTH_MAX, PIN_LENGTH_MIN, PanForPin, Pin};

/// Why a decrypted block is not a PIN block. For the internal cause only; see the head of this file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum PinBlockError {
    /// The control field is not that of the format.
    #[error("PIN block: wrong control field")]
    Control,
    /// The PIN length is not 4 to 12.
    #[error("PIN block: PIN length not 4 to 12")]
    Length,
    /// A PIN digit is not 0 to 9: usually a wrong key or a wrong account number.
    #[error("PIN block: non-decimal PIN digit")]
    Digit,
    /// A fill digit is not the one the format prescribes.
    #[error("PIN block: wrong fill")]
    Fill,
}

/// An 8-byte PIN block in clear: as secret as the PIN in it, and wiped like it.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct ClearPinBlock(u64);

impl ClearPinBlock {
    /// Takes the eight bytes of a clear block: for devices and test vectors.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; 8]) -> ClearPinBlock {
        ClearPinBlock(u64::from_be_bytes(*bytes))
    }

    /// The eight bytes.
    #[must_use]
    pub fn expose_bytes(&self) -> Zeroizing<[u8; 8]> {
        Zeroizing::new(self.0.to_be_bytes())
    }

    /// Encrypts the block under a PIN key: one TDEA block, ECB (ISO 9564-1:2017, 9.3.1).
    #[must_use]
    pub fn encrypt(&self, key: &TdesKey) -> [u8; 8] {
        key.encrypt_u64(self.0).to_be_bytes()
    }

    /// Decrypts a block. The result is a block only if one of the decoders accepts it.
    #[must_use]
    pub fn decrypt(key: &TdesKey, block: &[u8; 8]) -> ClearPinBlock {
        ClearPinBlock(key.decrypt_u64(u64::from_be_bytes(*block)))
    }

    fn nibbles(&self) -> Zeroizing<[u8; 16]> {
        let mut nibbles = Zeroizing::new([0; 16]);
        for (place, nibble) in nibbles.iter_mut().enumerate() {
            *nibble = (self.0 >> (60 - 4 * place)) as u8 & 0xF;
        }
        nibbles
    }
}

/// Format 0 (ISO 9564-1:2017, 9.3.2; ANSI X9.8; Thales 01): `0 L P… F…` XOR the account field.
#[must_use]
pub fn encode_format_0(pin: &Pin, account: &Account12) -> ClearPinBlock {
    let clear = plain_text_pin_field(0, pin, &[0xF; 14]);
    ClearPinBlock(clear.0 ^ account.account_field())
}

/// Decodes format 0.
///
/// # Errors
/// [`PinBlockError`]. A wrong account number shows in the third and later PIN digits and in the fill only:
/// the length and the first two digits are not bound to it.
pub fn decode_format_0(block: &ClearPinBlock, account: &Account12) -> Result<Pin, PinBlockError> {
    let field = ClearPinBlock(block.0 ^ account.account_field());
    decode_pin_field(field.nibbles().as_slice(), 0, Fill::Exactly(0xF))
}

/// Format 1 (ISO 9564-1:2017, 9.3.3; Thales 05): `1 L P… R…`, not bound to an account. The fill must be
/// unique for each block: each fill nibble is the nibble of `random` in the same place of the block.
#[must_use]
pub fn encode_format_1(pin: &Pin, random: &[u8; 8]) -> ClearPinBlock {
    let nibbles = ClearPinBlock::from_bytes(random).nibbles();
    let mut fill = Zeroizing::new([0; 14]);
    fill.copy_from_slice(&nibbles[2..]);
    plain_text_pin_field(1, pin, &fill)
}

/// Decodes format 1; the fill may be anything.
///
/// # Errors
/// [`PinBlockError`].
pub fn decode_format_1(block: &ClearPinBlock) -> Result<Pin, PinBlockError> {
    decode_pin_field(block.nibbles().as_slice(), 1, Fill::Any)
}

/// Format 2 (ISO 9564-1:2017, 9.3.4; EMV 4.4 Book 3, 6.5.12): `2 L P… F…`, **for submission to an IC card
/// only** (PCI PIN 3-2). The fixed fill makes it unfit for encryption under a fixed key.
#[must_use]
pub fn encode_format_2_for_ic_card(pin: &Pin) -> ClearPinBlock {
    plain_text_pin_field(2, pin, &[0xF; 14])
}

/// Decodes format 2, on the card's side of the interface.
///
/// # Errors
/// [`PinBlockError`].
pub fn decode_format_2_on_ic_card(block: &ClearPinBlock) -> Result<Pin, PinBlockError> {
    decode_pin_field(block.nibbles().as_slice(), 2, Fill::Exactly(0xF))
}

/// The fill of format 3: digits A to F, random or at least unique (ISO 9564-1:2017, 9.3.5).
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Format3Fill([u8; 14]); // by place in the block; the two first are never used

impl Format3Fill {
    /// Makes the fill out of eight random bytes. The ten digits that matter are the base-6 digits of the
    /// number modulo 6^10; the bias is below 2^-38.
    #[must_use]
    pub fn from_random(random: &[u8; 8]) -> Format3Fill {
        let mut number = u64::from_be_bytes(*random);
        let mut fill = Format3Fill([0xA; 14]);
        for digit in fill.0.iter_mut().rev().take(10) {
            *digit = 0xA + (number % 6) as u8;
            number /= 6;
        }
        number.zeroize();
        fill
    }

    /// Takes the nibbles as they stand at the end of the block, for test vectors: at most 10, each A to F.
    /// `None` otherwise.
    #[must_use]
    pub fn from_nibbles(last: &[u8]) -> Option<Format3Fill> {
        let mut fill = Format3Fill([0xA; 14]);
        if last.len() > 10 || last.iter().any(|nibble| !(0xA..=0xF).contains(nibble)) {
            return None;
        }
        fill.0[14 - last.len()..].copy_from_slice(last);
        Some(fill)
    }
}

/// Format 3 (ISO 9564-1:2017, 9.3.5; Thales 47): as format 0 with a random fill of A to F.
#[must_use]
pub fn encode_format_3(pin: &Pin, account: &Account12, fill: &Format3Fill) -> ClearPinBlock {
    let clear = plain_text_pin_field(3, pin, &fill.0);
    ClearPinBlock(clear.0 ^ account.account_field())
}

/// Decodes format 3.
///
/// # Errors
/// [`PinBlockError`].
pub fn decode_format_3(block: &ClearPinBlock, account: &Account12) -> Result<Pin, PinBlockError> {
    let field = ClearPinBlock(block.0 ^ account.account_field());
    decode_pin_field(field.nibbles().as_slice(), 3, Fill::AToF)
}

/// The plain text PIN field of format 4 (ISO 9564-1:2017, 9.4.2.1): `4 L P… A…` in eight bytes, then eight
/// random bytes.
#[must_use]
pub fn format_4_pin_field(pin: &Pin, random: &[u8; 8]) -> Zeroizing<[u8; 16]> {
    let mut field = Zeroizing::new([0; 16]);
    field[..8].copy_from_slice(plain_text_pin_field(4, pin, &[0xA; 14]).expose_bytes().as_slice());
    field[8..].copy_from_slice(random);
    field
}

/// The plain text PAN field of format 4 (ISO 9564-1:2017, 9.4.2.2): the number of digits beyond 12, the whole
/// account number with its check digit, zeros to 16 bytes.
#[must_use]
pub fn format_4_pan_field(pan: &PanForPin) -> [u8; 16] {
    let digits = pan.expose_digits();
    let mut nibbles = [0u8; 32];
    nibbles[0] = digits.len().saturating_sub(12) as u8; // 0 to 7
    for (nibble, digit) in nibbles[1..].iter_mut().zip(digits) {
        *nibble = *digit;
    }
    pack(&nibbles)
}

/// Enciphers format 4 (ISO 9564-1:2017, 9.4.3): `E(E(PIN field) XOR PAN field)`. The key is the PIN working key,
/// under DUKPT too - not the transaction key.
#[must_use]
pub fn encrypt_format_4(key: &AesKey, pin: &Pin, pan: &PanForPin, random: &[u8; 8]) -> [u8; 16] {
    let mut block = format_4_pin_field(pin, random);
    key.encrypt_block(&mut block); // intermediate block A
    xor(&mut block, &format_4_pan_field(pan)); // intermediate block B
    key.encrypt_block(&mut block);
    *block
}

/// Recovers the plain text PIN field of format 4, unchecked: only for test vectors and for
/// [`decrypt_format_4`].
#[must_use]
pub fn decrypt_format_4_pin_field(key: &AesKey, block: &[u8; 16], pan: &PanForPin) -> Zeroizing<[u8; 16]> {
    let mut field = Zeroizing::new(*block);
    key.decrypt_block(&mut field);
    xor(&mut field, &format_4_pan_field(pan));
    key.decrypt_block(&mut field);
    field
}

/// Deciphers and decodes format 4.
///
/// # Errors
/// [`PinBlockError`]. A wrong key or account number gives a random field, of which about 6 in 10^8 decode.
pub fn decrypt_format_4(key: &AesKey, block: &[u8; 16], pan: &PanForPin) -> Result<Pin, PinBlockError> {
    let field = decrypt_format_4_pin_field(key, block, pan);
    let nibbles = unpack(&field);
    decode_pin_field(&nibbles[..16], 4, Fill::Exactly(0xA)) // the last eight bytes are random
}

/// SM4 layout 1: the ANSI X9.8 form stretched to 16 bytes - length byte, PIN, F to the end - XOR the twelve
/// account digits, right-justified. Published by integrators of Chinese terminals (CSDN M_Kerry/104625499);
/// no public UnionPay text confirms it, so it is a parameter of the zone.
#[must_use]
pub fn encode_sm4_layout_1(pin: &Pin, account: &Account12) -> Zeroizing<[u8; 16]> {
    let mut field = Zeroizing::new([0xFF; 16]);
    field[..8].copy_from_slice(plain_text_pin_field(0, pin, &[0xF; 14]).expose_bytes().as_slice());
    xor(&mut field, &account_field_16(account));
    field
}

/// Decodes SM4 layout 1.
///
/// # Errors
/// [`PinBlockError`].
pub fn decode_sm4_layout_1(block: &[u8; 16], account: &Account12) -> Result<Pin, PinBlockError> {
    let mut field = Zeroizing::new(*block);
    xor(&mut field, &account_field_16(account));
    decode_pin_field(unpack(&field).as_slice(), 0, Fill::Exactly(0xF))
}

/// Enciphers SM4 layout 1: one SM4 block.
#[must_use]
pub fn encrypt_sm4_layout_1(key: &Sm4Key, pin: &Pin, account: &Account12) -> [u8; 16] {
    let mut block = encode_sm4_layout_1(pin, account);
    key.encrypt_block(&mut block);
    *block
}

/// Deciphers and decodes SM4 layout 1.
///
/// # Errors
/// [`PinBlockError`].
pub fn decrypt_sm4_layout_1(
    key: &Sm4Key,
    block: &[u8; 16],
    account: &Account12,
) -> Result<Pin, PinBlockError> {
    let mut clear = Zeroizing::new(*block);
    key.decrypt_block(&mut clear);
    decode_sm4_layout_1(&clear, account)
}

/// SM4 layout 2: the 8-byte format 0 block followed by eight zero bytes, one SM4 block (same source).
#[must_use]
pub fn encrypt_sm4_layout_2(key: &Sm4Key, pin: &Pin, account: &Account12) -> [u8; 16] {
    encrypt_sm4_layout_2_block(key, &encode_format_0(pin, account))
}

/// SM4 layout 2 of an 8-byte block that already exists.
#[must_use]
pub fn encrypt_sm4_layout_2_block(key: &Sm4Key, clear: &ClearPinBlock) -> [u8; 16] {
    let mut block = Zeroizing::new([0; 16]);
    block[..8].copy_from_slice(clear.expose_bytes().as_slice());
    key.encrypt_block(&mut block);
    *block
}

/// Deciphers and decodes SM4 layout 2; the eight bytes after the block must be zero.
///
/// # Errors
/// [`PinBlockError`]; [`PinBlockError::Fill`] also for padding that is not zero.
pub fn decrypt_sm4_layout_2(
    key: &Sm4Key,
    block: &[u8; 16],
    account: &Account12,
) -> Result<Pin, PinBlockError> {
    let mut clear = Zeroizing::new(*block);
    key.decrypt_block(&mut clear);
    let (halves, _) = clear.as_chunks::<8>();
    let pin = decode_format_0(&ClearPinBlock::from_bytes(&halves[0]), account);
    match bool::from(halves[1].ct_eq(&[0; 8])) {
        true => pin,
        false => Err(pin.err().unwrap_or(PinBlockError::Fill)),
    }
}

/// The plain text PIN field of 8 bytes: control, length, PIN, then the fill of the same places.
fn plain_text_pin_field(control: u8, pin: &Pin, fill: &[u8; 14]) -> ClearPinBlock {
    let mut field = (u64::from(control) << 4) | pin.len() as u64;
    let digits = pin.expose_digits();
    for (place, fill) in fill.iter().enumerate() {
        field = (field << 4) | u64::from(*digits.get(place).unwrap_or(fill));
    }
    let block = ClearPinBlock(field);
    field.zeroize();
    block
}

/// What a format allows behind the PIN.
enum Fill {
    Exactly(u8),
    AToF,
    Any,
}

impl Fill {
    fn refuses(&self, nibble: u8) -> Choice {
        match self {
            Fill::Exactly(fill) => !nibble.ct_eq(fill),
            Fill::AToF => nibble.ct_lt(&0xA),
            Fill::Any => Choice::from(0),
        }
    }
}

/// Decodes `control, length, digits, fill` from nibbles. Looks at all of them in every case.
fn decode_pin_field(nibbles: &[u8], control: u8, fill: Fill) -> Result<Pin, PinBlockError> {
    let [found_control, length, places @ ..] = nibbles else {
        return Err(PinBlockError::Control); // no caller passes fewer than 16
    };
    let wrong_control = !found_control.ct_eq(&control);
    let wrong_length = length.ct_lt(&(PIN_LENGTH_MIN as u8)) | length.ct_gt(&(PIN_LENGTH_MAX as u8));
    let mut wrong_digit = Choice::from(0);
    let mut wrong_fill = Choice::from(0);
    let mut digits = Zeroizing::new([0u8; PIN_LENGTH_MAX]);
    for (place, nibble) in places.iter().enumerate() {
        let in_pin = (place as u8).ct_lt(length);
        wrong_digit |= in_pin & nibble.ct_gt(&9);
        wrong_fill |= !in_pin & fill.refuses(*nibble);
        if let Some(digit) = digits.get_mut(place) {
            *digit = u8::conditional_select(&0, nibble, in_pin);
        }
    }
    let verdict = [
        (wrong_control, PinBlockError::Control),
        (wrong_length, PinBlockError::Length),
        (wrong_digit, PinBlockError::Digit),
        (wrong_fill, PinBlockError::Fill),
    ];
    if let Some((_, error)) = verdict.iter().find(|(wrong, _)| bool::from(*wrong)) {
        return Err(*error);
    }
    let length = usize::from(*length).min(PIN_LENGTH_MAX);
    Pin::from_digits(&digits[..length]).ok_or(PinBlockError::Digit)
}

/// The twelve account digits right-justified in 16 bytes.
fn account_field_16(account: &Account12) -> [u8; 16] {
    u128::from(account.account_field()).to_be_bytes()
}

fn xor(block: &mut [u8; 16], with: &[u8; 16]) {
    for (byte, with) in block.iter_mut().zip(with) {
        *byte ^= with;
    }
}

fn pack(nibbles: &[u8; 32]) -> [u8; 16] {
    let mut bytes = [0; 16];
    for (byte, pair) in bytes.iter_mut().zip(nibbles.chunks_exact(2)) {
        *byte = (pair[0] << 4) | pair[1];
    }
    bytes
}

fn unpack(bytes: &[u8; 16]) -> Zeroizing<[u8; 32]> {
    let mut nibbles = Zeroizing::new([0; 32]);
    for (pair, byte) in nibbles.chunks_exact_mut(2).zip(bytes) {
        pair[0] = byte >> 4;
        pair[1] = byte & 0xF;
    }
    nibbles
}
