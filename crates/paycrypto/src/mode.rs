//! Modes of operation over [`BlockKey`]: ECB, CBC and counter mode (ISO/IEC 10116, NIST SP 800-38A).
//!
//! They work in place on whole blocks. Bytes beyond the last whole block are left as they are by ECB and
//! CBC; callers prove the length first and [`is_whole_blocks`] is how.

use crate::key::BlockKey;

/// True if the data can be processed by [`ecb_encrypt`] and its kin without a rest.
#[must_use]
pub fn is_whole_blocks<const N: usize>(data: &[u8]) -> bool {
    data.len().is_multiple_of(N)
}

/// Encrypts each block on its own: for single keys under a master key, never for messages.
pub fn ecb_encrypt<const N: usize>(key: &impl BlockKey<N>, data: &mut [u8]) {
    data.as_chunks_mut::<N>().0.iter_mut().for_each(|block| key.encrypt_block(block));
}

/// Decrypts each block on its own: the key download of UnionPay terminals.
pub fn ecb_decrypt<const N: usize>(key: &impl BlockKey<N>, data: &mut [u8]) {
    data.as_chunks_mut::<N>().0.iter_mut().for_each(|block| key.decrypt_block(block));
}

/// Encrypts in cipher block chaining mode from the start value given.
pub fn cbc_encrypt<const N: usize>(key: &impl BlockKey<N>, start: &[u8; N], data: &mut [u8]) {
    let mut previous = *start;
    for block in data.as_chunks_mut::<N>().0 {
        xor(block, &previous);
        key.encrypt_block(block);
        previous = *block;
    }
}

/// Decrypts in cipher block chaining mode from the start value given.
pub fn cbc_decrypt<const N: usize>(key: &impl BlockKey<N>, start: &[u8; N], data: &mut [u8]) {
    let mut previous = *start;
    for block in data.as_chunks_mut::<N>().0 {
        let ciphertext = *block;
        key.decrypt_block(block);
        xor(block, &previous);
        previous = ciphertext;
    }
}

/// Encrypts or decrypts in counter mode: the whole start value is the big-endian counter.
pub fn ctr<const N: usize>(key: &impl BlockKey<N>, start: &[u8; N], data: &mut [u8]) {
    let mut counter = *start;
    for part in data.chunks_mut(N) {
        let mut stream = zeroize::Zeroizing::new(counter);
        key.encrypt_block(&mut stream);
        for (byte, with) in part.iter_mut().zip(stream.iter()) {
            *byte ^= with;
        }
        for byte in counter.iter_mut().rev() {
            *byte = byte.wrapping_add(1);
            if *byte != 0 {
                break;
            }
        }
    }
}

fn xor<const N: usize>(block: &mut [u8; N], with: &[u8; N]) {
    for (byte, with) in block.iter_mut().zip(with) {
        *byte ^= with;
    }
}
