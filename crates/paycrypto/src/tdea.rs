//! The data encryption algorithm and its triple form (FIPS 46-3, NIST SP 800-67 Rev. 2).
//!
//! Why our own: DUKPT spends its life in key schedules, ten or more for each PIN. The combined
//! S-box-and-P tables below take about 40 % of the time of the `des` crate on that path, in safe
//! Rust. The tables are computed at build time from the standard's own S-boxes, so that a reader
//! checks FIPS 46-3 against the source and not 512 opaque words against nothing.
//!
//! Deliberately not here: a constant-time implementation. Like OpenSSL, BoringSSL and RustCrypto,
//! this is table-driven; leakage of DES keys through the cache of a shared machine is a documented
//! residual risk of the software engine, and one more reason for a hardware module in production.

use zeroize::{Zeroize, ZeroizeOnDrop};

/// The sixteen round keys of one DES key. Each holds the eight 6-bit inputs of the S-boxes: S1, S3,
/// S5, S7 in the bytes of the upper half and S2, S4, S6, S8 in the bytes of the lower half.
#[derive(Zeroize, ZeroizeOnDrop)]
pub(crate) struct Schedule([u64; 16]);

impl Schedule {
    /// The key schedule of FIPS 46-3: permuted choice 1, sixteen rotations, permuted choice 2.
    /// Parity bits are ignored, as the standard says.
    pub(crate) fn new(key: &[u8; 8]) -> Schedule {
        let mut halves = KeyHalves::new(key);
        let mut schedule = Schedule([0; 16]);
        for (round_key, &by) in schedule.0.iter_mut().zip(&ROTATIONS) {
            *round_key = halves.next_round_key(by);
        }
        schedule
    }

    /// A second copy, for the third part of a double-length key, which is its first.
    pub(crate) fn duplicate(&self) -> Schedule {
        Schedule(self.0)
    }

    /// One DES encryption.
    pub(crate) fn encrypt(&self, block: u64) -> u64 {
        final_permutation(self.forward(initial_permutation(block)))
    }

    /// One DES decryption.
    pub(crate) fn decrypt(&self, block: u64) -> u64 {
        final_permutation(self.backward(initial_permutation(block)))
    }

    /// Sixteen rounds with the exchange of the halves that follows them.
    #[inline]
    fn forward(&self, (mut left, mut right): (u32, u32)) -> (u32, u32) {
        for pair in self.0.chunks_exact(2) {
            left ^= cipher_function(right, pair[0]);
            right ^= cipher_function(left, pair[1]);
        }
        (right, left)
    }

    /// The same rounds with the keys in reverse order.
    #[inline]
    fn backward(&self, (mut left, mut right): (u32, u32)) -> (u32, u32) {
        for pair in self.0.rchunks_exact(2) {
            left ^= cipher_function(right, pair[1]);
            right ^= cipher_function(left, pair[0]);
        }
        (right, left)
    }
}

/// Encrypts one block under each of `N` keys that are used only this once: the round keys are made as the rounds need
/// them, so that there is no schedule to store and to wipe. DUKPT makes both halves of a key at a time; the two
/// computations do not depend on each other and share the processor's units.
pub(crate) fn encrypt_once<const N: usize>(keys: [u64; N], blocks: [u64; N]) -> [u64; N] {
    let mut halves = keys.map(|key| KeyHalves::new(&key.to_be_bytes()));
    let mut states = blocks.map(initial_permutation);
    for &by in &ROTATIONS {
        for (key, (left, right)) in halves.iter_mut().zip(&mut states) {
            let next = *left ^ cipher_function(*right, key.next_round_key(by));
            (*left, *right) = (*right, next);
        }
    }
    states.map(|(left, right)| final_permutation((right, left)))
}

/// The registers C and D of the key schedule.
struct KeyHalves {
    c: u32,
    d: u32,
}

impl KeyHalves {
    /// Permuted choice 1.
    #[inline]
    fn new(key: &[u8; 8]) -> KeyHalves {
        let mut halves = 0u64; // C0 in bits 55..28, D0 in bits 27..0
        for (byte, table) in key.iter().zip(&PC1) {
            halves |= table[usize::from(byte >> 1)];
        }
        KeyHalves { c: (halves >> 28) as u32, d: (halves & HALF_KEY) as u32 }
    }

    /// The rotation, then permuted choice 2.
    #[inline]
    fn next_round_key(&mut self, rotation: u32) -> u64 {
        self.c = rotate_28(self.c, rotation);
        self.d = rotate_28(self.d, rotation);
        let (c, d) = (self.c, self.d);
        PC2[0][seven(c >> 21)]
            | PC2[1][seven(c >> 14)]
            | PC2[2][seven(c >> 7)]
            | PC2[3][seven(c)]
            | PC2[4][seven(d >> 21)]
            | PC2[5][seven(d >> 14)]
            | PC2[6][seven(d >> 7)]
            | PC2[7][seven(d)]
    }
}

/// TDEA encryption, `E(k3, D(k2, E(k1, block)))` (SP 800-67 3.1). The permutations between the three
/// passes cancel, so they are done once.
#[inline]
pub(crate) fn encrypt_ede(k1: &Schedule, k2: &Schedule, k3: &Schedule, block: u64) -> u64 {
    final_permutation(k3.forward(k2.backward(k1.forward(initial_permutation(block)))))
}

/// TDEA decryption, `D(k1, E(k2, D(k3, block)))`.
#[inline]
pub(crate) fn decrypt_ede(k1: &Schedule, k2: &Schedule, k3: &Schedule, block: u64) -> u64 {
    final_permutation(k1.backward(k2.forward(k3.backward(initial_permutation(block)))))
}

const HALF_KEY: u64 = 0x0FFF_FFFF;

#[inline]
fn rotate_28(half: u32, by: u32) -> u32 {
    ((half << by) | (half >> (28 - by))) & HALF_KEY as u32
}

#[inline]
fn seven(bits: u32) -> usize {
    (bits & 0x7F) as usize
}

/// The cipher function f(R, K). The halves are kept rotated left by one bit: then the expansion E is
/// no more than two aligned views of the word, one for the even S-boxes and one for the odd.
#[inline]
fn cipher_function(half: u32, round_key: u64) -> u32 {
    let odd = half.rotate_right(4) ^ (round_key >> 32) as u32;
    let even = half ^ round_key as u32;
    SP[0][six(odd >> 24)]
        ^ SP[2][six(odd >> 16)]
        ^ SP[4][six(odd >> 8)]
        ^ SP[6][six(odd)]
        ^ SP[1][six(even >> 24)]
        ^ SP[3][six(even >> 16)]
        ^ SP[5][six(even >> 8)]
        ^ SP[7][six(even)]
}

#[inline]
fn six(bits: u32) -> usize {
    (bits & 0x3F) as usize
}

/// IP of FIPS 46-3 as five exchanges of bits between the halves, then the rotation by one.
#[inline]
fn initial_permutation(block: u64) -> (u32, u32) {
    let (mut left, mut right) = ((block >> 32) as u32, block as u32);
    exchange(&mut left, &mut right, 4, 0x0F0F_0F0F);
    exchange(&mut left, &mut right, 16, 0x0000_FFFF);
    exchange(&mut right, &mut left, 2, 0x3333_3333);
    exchange(&mut right, &mut left, 8, 0x00FF_00FF);
    exchange(&mut left, &mut right, 1, 0x5555_5555);
    (left.rotate_left(1), right.rotate_left(1))
}

/// The inverse of IP.
#[inline]
fn final_permutation((left, right): (u32, u32)) -> u64 {
    let (mut left, mut right) = (left.rotate_right(1), right.rotate_right(1));
    exchange(&mut left, &mut right, 1, 0x5555_5555);
    exchange(&mut right, &mut left, 8, 0x00FF_00FF);
    exchange(&mut right, &mut left, 2, 0x3333_3333);
    exchange(&mut left, &mut right, 16, 0x0000_FFFF);
    exchange(&mut left, &mut right, 4, 0x0F0F_0F0F);
    (u64::from(left) << 32) | u64::from(right)
}

/// Exchanges the bits of `a` selected by `mask << by` with the bits of `b` selected by `mask`.
#[inline]
fn exchange(a: &mut u32, b: &mut u32, by: u32, mask: u32) {
    let difference = ((*a >> by) ^ *b) & mask;
    *b ^= difference;
    *a ^= difference << by;
}

// Tables of FIPS 46-3, in the standard's own order and counting (bit 1 is the leftmost).

/// Left shifts of the key schedule.
const ROTATIONS: [u32; 16] = [1, 1, 2, 2, 2, 2, 2, 2, 1, 2, 2, 2, 2, 2, 2, 1];

/// Permuted choice 1: the bits of C0, then of D0.
const PERMUTED_CHOICE_1: [u8; 56] = [
    57, 49, 41, 33, 25, 17, 9, 1, 58, 50, 42, 34, 26, 18, 10, 2, 59, 51, 43, 35, 27, 19, 11, 3, 60, 52, 44,
    36, 63, 55, 47, 39, 31, 23, 15, 7, 62, 54, 46, 38, 30, 22, 14, 6, 61, 53, 45, 37, 29, 21, 13, 5, 28, 20,
    12, 4,
];

/// Permuted choice 2: the bits of a round key out of C and D.
const PERMUTED_CHOICE_2: [u8; 48] = [
    14, 17, 11, 24, 1, 5, 3, 28, 15, 6, 21, 10, 23, 19, 12, 4, 26, 8, 16, 7, 27, 20, 13, 2, 41, 52, 31, 37,
    47, 55, 30, 40, 51, 45, 33, 48, 44, 49, 39, 56, 34, 53, 46, 42, 50, 36, 29, 32,
];

/// The permutation P.
const PERMUTATION_P: [u8; 32] = [
    16, 7, 20, 21, 29, 12, 28, 17, 1, 15, 23, 26, 5, 18, 31, 10, 2, 8, 24, 14, 32, 27, 3, 9, 19, 13, 30, 6,
    22, 11, 4, 25,
];

/// The selection functions S1 to S8, four rows of sixteen.
#[rustfmt::skip]
const S_BOXES: [[u8; 64]; 8] = [
    [
        14, 4, 13, 1, 2, 15, 11, 8, 3, 10, 6, 12, 5, 9, 0, 7,
        0, 15, 7, 4, 14, 2, 13, 1, 10, 6, 12, 11, 9, 5, 3, 8,
        4, 1, 14, 8, 13, 6, 2, 11, 15, 12, 9, 7, 3, 10, 5, 0,
        15, 12, 8, 2, 4, 9, 1, 7, 5, 11, 3, 14, 10, 0, 6, 13,
    ],
    [
        15, 1, 8, 14, 6, 11, 3, 4, 9, 7, 2, 13, 12, 0, 5, 10,
        3, 13, 4, 7, 15, 2, 8, 14, 12, 0, 1, 10, 6, 9, 11, 5,
        0, 14, 7, 11, 10, 4, 13, 1, 5, 8, 12, 6, 9, 3, 2, 15,
        13, 8, 10, 1, 3, 15, 4, 2, 11, 6, 7, 12, 0, 5, 14, 9,
    ],
    [
        10, 0, 9, 14, 6, 3, 15, 5, 1, 13, 12, 7, 11, 4, 2, 8,
        13, 7, 0, 9, 3, 4, 6, 10, 2, 8, 5, 14, 12, 11, 15, 1,
        13, 6, 4, 9, 8, 15, 3, 0, 11, 1, 2, 12, 5, 10, 14, 7,
        1, 10, 13, 0, 6, 9, 8, 7, 4, 15, 14, 3, 11, 5, 2, 12,
    ],
    [
        7, 13, 14, 3, 0, 6, 9, 10, 1, 2, 8, 5, 11, 12, 4, 15,
        13, 8, 11, 5, 6, 15, 0, 3, 4, 7, 2, 12, 1, 10, 14, 9,
        10, 6, 9, 0, 12, 11, 7, 13, 15, 1, 3, 14, 5, 2, 8, 4,
        3, 15, 0, 6, 10, 1, 13, 8, 9, 4, 5, 11, 12, 7, 2, 14,
    ],
    [
        2, 12, 4, 1, 7, 10, 11, 6, 8, 5, 3, 15, 13, 0, 14, 9,
        14, 11, 2, 12, 4, 7, 13, 1, 5, 0, 15, 10, 3, 9, 8, 6,
        4, 2, 1, 11, 10, 13, 7, 8, 15, 9, 12, 5, 6, 3, 0, 14,
        11, 8, 12, 7, 1, 14, 2, 13, 6, 15, 0, 9, 10, 4, 5, 3,
    ],
    [
        12, 1, 10, 15, 9, 2, 6, 8, 0, 13, 3, 4, 14, 7, 5, 11,
        10, 15, 4, 2, 7, 12, 9, 5, 6, 1, 13, 14, 0, 11, 3, 8,
        9, 14, 15, 5, 2, 8, 12, 3, 7, 0, 4, 10, 1, 13, 11, 6,
        4, 3, 2, 12, 9, 5, 15, 10, 11, 14, 1, 7, 6, 0, 8, 13,
    ],
    [
        4, 11, 2, 14, 15, 0, 8, 13, 3, 12, 9, 7, 5, 10, 6, 1,
        13, 0, 11, 7, 4, 9, 1, 10, 14, 3, 5, 12, 2, 15, 8, 6,
        1, 4, 11, 13, 12, 3, 7, 14, 10, 15, 6, 8, 0, 5, 9, 2,
        6, 11, 13, 8, 1, 4, 10, 7, 9, 5, 0, 15, 14, 2, 3, 12,
    ],
    [
        13, 2, 8, 4, 6, 15, 11, 1, 10, 9, 3, 14, 5, 0, 12, 7,
        1, 15, 13, 8, 10, 3, 7, 4, 12, 5, 6, 11, 0, 14, 9, 2,
        7, 11, 4, 1, 9, 12, 14, 2, 0, 6, 10, 13, 15, 3, 5, 8,
        2, 1, 14, 7, 4, 10, 8, 13, 15, 12, 9, 0, 3, 5, 6, 11,
    ],
];

/// S-box and permutation P together, rotated left by one like the halves they are added to.
static SP: [[u32; 64]; 8] = combine_s_boxes_with_p();
/// Where the seven key bits of each key byte go in C0 and D0.
static PC1: [[u64; 128]; 8] = tabulate_permuted_choice_1();
/// Where seven bits of C (four tables), then of D (four tables) go in a round key.
static PC2: [[u64; 128]; 8] = tabulate_permuted_choice_2();

const fn combine_s_boxes_with_p() -> [[u32; 64]; 8] {
    let mut tables = [[0u32; 64]; 8];
    let mut s = 0;
    while s < 8 {
        let mut input = 0;
        while input < 64 {
            let row = ((input >> 4) & 2) | (input & 1); // the outer two bits
            let column = (input >> 1) & 15; // the inner four
            let output = (S_BOXES[s][row * 16 + column] as u32) << (28 - 4 * s);
            let mut permuted = 0u32;
            let mut bit = 0;
            while bit < 32 {
                permuted |= ((output >> (32 - PERMUTATION_P[bit] as u32)) & 1) << (31 - bit);
                bit += 1;
            }
            tables[s][input] = permuted.rotate_left(1);
            input += 1;
        }
        s += 1;
    }
    tables
}

const fn tabulate_permuted_choice_1() -> [[u64; 128]; 8] {
    let mut tables = [[0u64; 128]; 8];
    let mut bit = 0;
    while bit < 56 {
        let source = PERMUTED_CHOICE_1[bit] as usize - 1;
        let (byte, within) = (source / 8, source % 8); // `within` is 0..=6: parity bits are dropped
        let mut value = 0;
        while value < 128 {
            if (value >> (6 - within)) & 1 == 1 {
                tables[byte][value] |= 1 << (55 - bit);
            }
            value += 1;
        }
        bit += 1;
    }
    tables
}

const fn tabulate_permuted_choice_2() -> [[u64; 128]; 8] {
    let mut tables = [[0u64; 128]; 8];
    let mut bit = 0;
    while bit < 48 {
        let source = PERMUTED_CHOICE_2[bit] as usize - 1;
        let (group, within) = (source / 7, source % 7);
        let (s_box, s_bit) = (bit / 6, bit % 6);
        // S1, S3, S5, S7 (s_box 0, 2, 4, 6) in the upper half, S2, S4, S6, S8 in the lower
        let byte = if s_box.is_multiple_of(2) { 7 - s_box / 2 } else { 3 - s_box / 2 };
        let target = byte * 8 + (5 - s_bit);
        let mut value = 0;
        while value < 128 {
            if (value >> (6 - within)) & 1 == 1 {
                tables[group][value] |= 1 << target;
            }
            value += 1;
        }
        bit += 1;
    }
    tables
}

#[cfg(test)]
mod tests {
    use super::*;
    use des::cipher::{BlockCipherDecrypt, BlockCipherEncrypt, KeyInit};
    use proptest::prelude::*;

    fn check(key: u64, clear: u64, expect: u64) {
        let schedule = Schedule::new(&key.to_be_bytes());
        assert_eq!(schedule.encrypt(clear), expect, "E({key:016X}, {clear:016X})");
        assert_eq!(schedule.decrypt(expect), clear, "D({key:016X}, {expect:016X})");
    }

    /// NIST SP 800-17 Appendix A samples, the worked example every DES text prints, FIPS 81.
    #[test]
    fn published_des_blocks() {
        check(0x133457799BBCDFF1, 0x0123456789ABCDEF, 0x85E813540F0AB405);
        check(0x0101010101010101, 0x8000000000000000, 0x95F8A5E5DD31D900);
        check(0x0101010101010101, 0x0000000000000001, 0x166B40B44ABA4BD6);
        check(0x8001010101010101, 0x0000000000000000, 0x95A8D72813DAA94D);
        check(0x1046913489980131, 0x0000000000000000, 0x88D55E54F54C97B4);
        check(0x7CA110454A1A6E57, 0x01A1D6D039776742, 0x690F5B0D9A26939B);
        check(0x0123456789ABCDEF, 0x4E6F772069732074, 0x3FA40E8A984D4815);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn agrees_with_the_des_crate(k1: [u8; 8], k2: [u8; 8], k3: [u8; 8], block: u64) {
            let (s1, s2, s3) = (Schedule::new(&k1), Schedule::new(&k2), Schedule::new(&k3));
            let mut key = [0u8; 24];
            key[..8].copy_from_slice(&k1);
            key[8..16].copy_from_slice(&k2);
            key[16..].copy_from_slice(&k3);
            let theirs = des::TdesEde3::new(&key.into());
            let mut expect: des::cipher::Array<u8, _> = block.to_be_bytes().into();
            theirs.encrypt_block(&mut expect);
            prop_assert_eq!(encrypt_ede(&s1, &s2, &s3, block), u64::from_be_bytes(expect.into()));
            let mut expect: des::cipher::Array<u8, _> = block.to_be_bytes().into();
            theirs.decrypt_block(&mut expect);
            prop_assert_eq!(decrypt_ede(&s1, &s2, &s3, block), u64::from_be_bytes(expect.into()));
            let single = des::Des::new(&k1.into());
            let mut expect: des::cipher::Array<u8, _> = block.to_be_bytes().into();
            single.encrypt_block(&mut expect);
            prop_assert_eq!(s1.encrypt(block), u64::from_be_bytes(expect.into()));
            prop_assert_eq!(s1.decrypt(s1.encrypt(block)), block);
            let (k1, k2) = (u64::from_be_bytes(k1), u64::from_be_bytes(k2));
            prop_assert_eq!(encrypt_once([k1, k2], [block, !block]), [s1.encrypt(block), s2.encrypt(!block)]);
        }
    }
}
