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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::{AesKey, TdesKey};
    use proptest::prelude::*;

    /// NIST SP 800-38A, F.2.1 (CBC) and F.5.1 (CTR), AES-128, first two blocks.
    #[test]
    fn published_cbc_and_ctr() {
        let key = AesKey::new(&hex::decode("2B7E151628AED2A6ABF7158809CF4F3C").unwrap()).unwrap();
        let clear = hex::decode("6BC1BEE22E409F96E93D7E117393172AAE2D8A571E03AC9C9EB76FAC45AF8E51").unwrap();
        let check = |apply: &dyn Fn(&mut [u8]), expect: &str| {
            let mut data = clear.clone();
            apply(&mut data);
            assert_eq!(hex::encode_upper(data), expect);
        };
        let start = core::array::from_fn(|place| place as u8);
        check(
            &|data| cbc_encrypt(&key, &start, data),
            "7649ABAC8119B246CEE98E9B12E9197D5086CB9B507219EE95DB113A917678B2",
        );
        let start = core::array::from_fn(|place| 0xF0 + place as u8); // the second block carries into the next byte
        check(
            &|data| ctr(&key, &start, data),
            "874D6191B620E3261BEF6864990DB6CE9806F66B7970FDFF8617187BB9FFFDFF",
        );
    }

    proptest! {
        #[test]
        fn what_is_encrypted_is_decrypted(key: [u8; 24], start: [u8; 8], blocks in prop::collection::vec(any::<[u8; 8]>(), 0..9)) {
            let (key, clear) = (TdesKey::triple(&key), blocks.concat());
            let mut data = clear.clone();
            cbc_encrypt(&key, &start, &mut data);
            cbc_decrypt(&key, &start, &mut data);
            prop_assert_eq!(&data, &clear);
            ecb_encrypt(&key, &mut data);
            ecb_decrypt(&key, &mut data);
            prop_assert_eq!(&data, &clear);
            data.push(7);
            ctr(&key, &start, &mut data);
            ctr(&key, &start, &mut data);
            data.pop();
            prop_assert_eq!(data, clear);
        }
    }
}
