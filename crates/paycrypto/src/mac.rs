//! Message authentication: ISO/IEC 9797-1 algorithms 1 and 3, CMAC, and the MACs of UnionPay terminals.
//!
//! The functions are written over [`BlockKey`], so that a standard's algorithm appears once and serves DES,
//! TDEA, AES and SM4. They return the whole last block; truncation is the caller's choice, and
//! [`verify`] compares what was received with the leftmost part in constant time.

use subtle::ConstantTimeEq;
use thiserror::Error;

use crate::key::{BlockKey, DesKey, Sm4Key, TdesKey};

/// How a message is filled to whole blocks (ISO/IEC 9797-1:2011, 6.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Padding {
    /// Method 1: as few zeros as complete the last block - none if it is complete; one block of zeros for the
    /// empty message.
    Method1,
    /// Method 2: one bit 1, then as few zeros as complete the block: always at least one byte.
    Method2,
    /// Method 3: a first block with the length in bits, then method 1.
    Method3,
}

/// The received MAC is not that of the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum MacError {
    /// The values differ.
    #[error("the MAC does not match the message")]
    Mismatch,
    /// The received value is shorter than [`MAC_LENGTH_MIN`] or longer than the computed one.
    #[error("a MAC of {0} bytes cannot be verified")]
    Length(usize),
}

/// The shortest MAC that [`verify`] accepts, in bytes: 32 bits, the field of X9.9 and of TR-31 version A.
pub const MAC_LENGTH_MIN: usize = 4;

/// Compares a received, possibly truncated MAC with the computed one in constant time.
///
/// # Errors
/// [`MacError`].
pub fn verify(computed: &[u8], received: &[u8]) -> Result<(), MacError> {
    let leftmost = match computed.get(..received.len()) {
        Some(leftmost) if received.len() >= MAC_LENGTH_MIN => leftmost,
        _ => return Err(MacError::Length(received.len())),
    };
    match bool::from(leftmost.ct_eq(received)) {
        true => Ok(()),
        false => Err(MacError::Mismatch),
    }
}

/// MAC algorithm 1 (ISO/IEC 9797-1:2011, 7.2): CBC with a zero start value; the result is the last block.
/// With [`DesKey`] and method 1 it is ANSI X9.9 / FIPS 113, with [`Sm4Key`] the SM4-CBC-MAC.
#[must_use]
pub fn algorithm_1<const N: usize>(key: &impl BlockKey<N>, padding: Padding, data: &[u8]) -> [u8; N] {
    let mut state = [0; N];
    if padding == Padding::Method3 {
        length_block(&mut state, data.len());
        key.encrypt_block(&mut state);
    }
    let (whole, rest) = data.as_chunks::<N>();
    for block in whole {
        xor(&mut state, block);
        key.encrypt_block(&mut state);
    }
    let method_2 = padding == Padding::Method2;
    let empty_message = whole.is_empty() && padding == Padding::Method1;
    if !rest.is_empty() || method_2 || empty_message {
        xor(&mut state, rest); // the zeros of the padding change nothing
        if method_2 {
            xor_at(&mut state, rest.len(), 0x80);
        }
        key.encrypt_block(&mut state);
    }
    state
}

/// MAC algorithm 3 (ISO/IEC 9797-1:2011, 7.4): algorithm 1 under `key`, then D under `key_2` and E under `key`.
#[must_use]
pub fn algorithm_3<const N: usize, K: BlockKey<N>>(
    key: &K,
    key_2: &K,
    padding: Padding,
    data: &[u8],
) -> [u8; N] {
    let mut mac = algorithm_1(key, padding, data);
    key_2.decrypt_block(&mut mac);
    key.encrypt_block(&mut mac);
    mac
}

/// The retail MAC: algorithm 3 with single DES under the two halves of a double-length key. A triple-length
/// key ends with its third part, `E(k3, D(k2, …))`, an extension that no standard prints.
#[must_use]
pub fn retail(key: &TdesKey, padding: Padding, data: &[u8]) -> [u8; 8] {
    let (k1, k2, k3) = key.schedules();
    let mac = algorithm_1(k1, padding, data);
    k3.encrypt(k2.decrypt(u64::from_be_bytes(mac))).to_be_bytes()
}

/// ANSI X9.9: algorithm 1 with single DES and zero padding. The standard transmits the leftmost 4 bytes.
#[must_use]
pub fn x9_9(key: &DesKey, data: &[u8]) -> [u8; 8] {
    algorithm_1(key, Padding::Method1, data)
}

/// ANSI X9.19: the retail MAC with zero padding.
#[must_use]
pub fn x9_19(key: &TdesKey, data: &[u8]) -> [u8; 8] {
    retail(key, Padding::Method1, data)
}

/// The "ECB" MAC of UnionPay terminals (field 64): fold the zero-padded message to one block with XOR, write
/// it as 16 upper-case hexadecimal characters, encrypt the first 8 characters, XOR with the last 8, encrypt,
/// and send the first 8 hexadecimal characters of the result.
///
/// Pass a [`DesKey`] for terminals that use 8 bytes ([`TdesKey::first_part`]), a [`TdesKey`] for the
/// double-length form: which one is a setting of the acquirer, not a property of the key.
#[must_use]
pub fn union_pay_ecb(key: &impl BlockKey<8>, data: &[u8]) -> [u8; 8] {
    let folded = fold::<8>(data);
    let [mut block, last] = hex_characters(&folded);
    key.encrypt_block(&mut block);
    xor(&mut block, &last);
    key.encrypt_block(&mut block);
    let [first, _] = hex_characters(&block);
    first
}

/// The SM4 form of the UnionPay "ECB" MAC, with blocks of 16 bytes and 32 characters; the first 8 hexadecimal
/// characters are sent. From one description only (CSDN weixin_39142884/139765880): **no published vector
/// confirms it**.
#[must_use]
pub fn union_pay_sm4(key: &Sm4Key, data: &[u8]) -> [u8; 8] {
    let [first, _] = hex_characters::<8>(&union_pay_sm4_block(key, data)[..8]);
    first
}

/// The whole last block of [`union_pay_sm4`], before it is written as characters and cut.
#[must_use]
pub fn union_pay_sm4_block(key: &Sm4Key, data: &[u8]) -> [u8; 16] {
    let folded = fold::<16>(data);
    let [mut block, last] = hex_characters(&folded);
    key.encrypt_block(&mut block);
    xor(&mut block, &last);
    key.encrypt_block(&mut block);
    block
}

/// CMAC (NIST SP 800-38B; ISO/IEC 9797-1:2011 algorithm 5) with TDEA, AES or SM4.
#[must_use]
pub fn cmac<const N: usize>(key: &impl BlockKey<N>, data: &[u8]) -> [u8; N] {
    let mut subkey = [0; N];
    key.encrypt_block(&mut subkey);
    double(&mut subkey); // K1, for a complete last block

    // All blocks but the last, which is never empty unless the message is.
    let before_last = data.len().saturating_sub(1) / N * N;
    let (whole, last) = data.split_at(before_last);
    let mut state = [0; N];
    for block in whole.as_chunks::<N>().0 {
        xor(&mut state, block);
        key.encrypt_block(&mut state);
    }
    xor(&mut state, last);
    if last.len() < N {
        xor_at(&mut state, last.len(), 0x80);
        double(&mut subkey); // K2, for an incomplete one
    }
    xor(&mut state, &subkey);
    key.encrypt_block(&mut state);
    zeroize::Zeroize::zeroize(&mut subkey);
    state
}

/// Multiplies by x in GF(2^64) or GF(2^128) (SP 800-38B, 6.1), without a branch on the secret bit.
fn double<const N: usize>(block: &mut [u8; N]) {
    let reduction: u8 = if N == 8 { 0x1B } else { 0x87 };
    let mut carry = 0;
    for byte in block.iter_mut().rev() {
        let next = *byte >> 7;
        *byte = (*byte << 1) | carry;
        carry = next;
    }
    if let Some(last) = block.last_mut() {
        *last ^= reduction & 0u8.wrapping_sub(carry);
    }
}

/// The first block of padding method 3: the number of bits, big-endian.
fn length_block<const N: usize>(block: &mut [u8; N], bytes: usize) {
    let bits = (bytes as u64).wrapping_mul(8).to_be_bytes();
    for (to, from) in block.iter_mut().rev().zip(bits.iter().rev()) {
        *to = *from;
    }
}

/// XOR of all blocks of the zero-padded message.
fn fold<const N: usize>(data: &[u8]) -> [u8; N] {
    let mut folded = [0; N];
    for block in data.chunks(N) {
        xor(&mut folded, block);
    }
    folded
}

/// Upper-case hexadecimal characters of N bytes, as two blocks of N characters.
fn hex_characters<const N: usize>(bytes: &[u8]) -> [[u8; N]; 2] {
    const DIGITS: [u8; 16] = *b"0123456789ABCDEF";
    let mut characters = [[0; N]; 2];
    let nibbles = bytes.iter().flat_map(|byte| [byte >> 4, byte & 0xF]);
    for (character, nibble) in characters.iter_mut().flatten().zip(nibbles) {
        *character = DIGITS[usize::from(nibble)];
    }
    characters
}

fn xor<const N: usize>(block: &mut [u8; N], with: &[u8]) {
    for (byte, with) in block.iter_mut().zip(with) {
        *byte ^= with;
    }
}

fn xor_at<const N: usize>(block: &mut [u8; N], place: usize, with: u8) {
    if let Some(byte) = block.get_mut(place) {
        *byte ^= with;
    }
}
