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
    /// Method 3: a first block with the length in bits, then as method 1, the empty message's block of zeros included.
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
    // Methods 1 and 3 fill to a positive number of blocks: the empty message becomes one block of zeros (6.3.2, 6.3.4).
    if !rest.is_empty() || method_2 || whole.is_empty() {
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

/// The same with the first eight bytes of a longer key ([`TdesKey::first_part`]), whose schedule is ready.
#[must_use]
pub fn union_pay_ecb_first_part(key: &TdesKey, data: &[u8]) -> [u8; 8] {
    union_pay_ecb(key.schedules().0, data)
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
    let (whole, rest) = data.as_chunks::<N>();
    for block in whole {
        xor(&mut folded, block);
    }
    xor(&mut folded, rest);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::AesKey;
    use ::cmac::{Cmac, KeyInit, Mac};
    use proptest::prelude::*;

    fn bytes(text: &str) -> Vec<u8> {
        hex::decode(text).unwrap()
    }

    fn check_union_pay(key: &str, message: &str, expect: &[u8; 8]) {
        let key = bytes(key);
        let mac = match key.len() {
            8 => union_pay_ecb(&DesKey::new(key.as_slice().try_into().unwrap()), &bytes(message)),
            _ => {
                let (key, message) = (TdesKey::new(&key).unwrap(), bytes(message));
                let mac = union_pay_ecb(&key.first_part(), &message);
                assert_eq!(mac, union_pay_ecb_first_part(&key, &message));
                mac
            }
        };
        assert_eq!(&mac, expect);
    }

    /// A purchase with the test keys of this project (synthetic).
    const PURCHASE: &str = "0200302004C020C0981100000000000001000000012302100012376299990000000009D3012201000001230000\
        003130303030303031333035333130303435313130303031313536C4D37EC26B23F11D26000000000000000014\
        22000001000500";

    #[test]
    fn union_pay_field_64() {
        // q.cnblogs.com/q/128930: a published terminal trace
        check_union_pay(
            "0723C80DB5F4CD3D",
            "02003020048000C080150000000000000012340000020300993030303030303031393532373138313832323137\
             38373531353600192600000100060000000000435F01123238343431323334353637383930313233345F030631\
             36303033365F04063230303832365C023031",
            b"B3A092AE",
        );
        check_union_pay("0123456789ABCDEFFEDCBA9876543210", PURCHASE, b"3125D152");
    }

    /// From the description only, as the function says: this fixes our reading, it does not confirm it.
    #[test]
    fn union_pay_sm4_as_we_read_it() {
        let key = Sm4Key::from_slice(&bytes("0123456789ABCDEFFEDCBA9876543210")).unwrap();
        assert_eq!(&union_pay_sm4(&key, &bytes(PURCHASE)), b"012FE572");
        let whole = union_pay_sm4_block(&key, &bytes(PURCHASE));
        assert_eq!(hex::encode_upper(whole), "012FE572566E4C67A96FDA677843C12F");
    }

    #[test]
    fn x9_19_of_a_terminal_and_of_our_purchase() {
        // Ajsgn/Java8583 DateTest
        let key = TdesKey::new(&bytes("73FE29329283FDF12540B6F80437C107")).unwrap();
        let message = "04007038048002C080191612345678901234560000000000000005006811862335210529021065393861787465\
            7374332D33303635383130353439393030303331353600082216052900162334156811860529";
        assert_eq!(hex::encode_upper(x9_19(&key, &bytes(message))), "284C79DC9A2E50FC");
        let key = TdesKey::new(&bytes("0123456789ABCDEFFEDCBA9876543210")).unwrap();
        assert_eq!(hex::encode_upper(x9_19(&key, &bytes(PURCHASE))), "9D5709FBDDEB539F");
    }

    #[test]
    fn the_empty_message_has_one_block_in_every_padding_and_its_length_before_in_method_3() {
        let key = DesKey::new(&[0x10; 8]);
        let encrypted = |block: u64| {
            let mut block = block.to_be_bytes();
            key.encrypt_block(&mut block);
            block
        };
        assert_eq!(algorithm_1(&key, Padding::Method1, &[]), encrypted(0));
        assert_eq!(algorithm_1(&key, Padding::Method2, &[]), encrypted(0x8000_0000_0000_0000));
        // The length block, zero bits, then a block of zeros: psec 1.3.0 gives the same.
        assert_eq!(algorithm_1(&key, Padding::Method3, &[]), encrypted(u64::from_be_bytes(encrypted(0))));
    }

    #[test]
    fn truncated_macs_verify_down_to_four_bytes() {
        let mac = [1, 2, 3, 4, 5, 6, 7, 8];
        for length in 4..=8 {
            assert_eq!(verify(&mac, &mac[..length]), Ok(()));
        }
        assert_eq!(verify(&mac, &[1, 2, 3]), Err(MacError::Length(3)));
        assert_eq!(verify(&mac, &[1; 9]), Err(MacError::Length(9)));
        assert_eq!(verify(&mac, &[]), Err(MacError::Length(0)));
        assert_eq!(verify(&mac, &[1, 2, 3, 5]), Err(MacError::Mismatch));
    }

    proptest! {
        /// The `cmac` crate as the second opinion, for each cipher and for messages around the block length.
        #[test]
        fn cmac_agrees_with_the_cmac_crate(key: [u8; 24], message in prop::collection::vec(any::<u8>(), 0..70)) {
            let mut theirs = Cmac::<des::TdesEde3>::new(&key.into());
            theirs.update(&message);
            prop_assert_eq!(&theirs.finalize().into_bytes()[..], cmac(&TdesKey::triple(&key), &message));
            let mut theirs = Cmac::<aes::Aes192>::new(&key.into());
            theirs.update(&message);
            prop_assert_eq!(&theirs.finalize().into_bytes()[..], cmac(&AesKey::new(&key).unwrap(), &message));
            let short: [u8; 16] = key[..16].try_into().unwrap();
            let mut theirs = Cmac::<sm4::Sm4>::new(&short.into());
            theirs.update(&message);
            prop_assert_eq!(&theirs.finalize().into_bytes()[..], cmac(&Sm4Key::new(&short), &message));
        }

        /// Padding methods on a message are method 1 on the message padded by hand.
        #[test]
        fn paddings_are_what_they_say(key: [u8; 8], message in prop::collection::vec(any::<u8>(), 1..40)) {
            let key = DesKey::new(&key);
            let mut by_hand = message.clone();
            by_hand.push(0x80);
            prop_assert_eq!(
                algorithm_1(&key, Padding::Method2, &message),
                algorithm_1(&key, Padding::Method1, &by_hand)
            );
            let mut by_hand = (message.len() as u64 * 8).to_be_bytes().to_vec();
            by_hand.extend(&message);
            prop_assert_eq!(
                algorithm_1(&key, Padding::Method3, &message),
                algorithm_1(&key, Padding::Method1, &by_hand)
            );
        }
    }
}
