//! The encoding axis: how one character of a value becomes bytes, and which bytes may stand for which characters.
//!
//! A field's *content* says which characters are legal (digits, letters, track data, any byte); its *encoding* says how they
//! are written (ASCII, EBCDIC, packed BCD, raw bytes, hex characters). The two are independent, and their product is one
//! number: a mask. [`class_of`] knows for each of the 256 byte values in which products it may appear, so that checking a
//! field is one table look-up and one AND per byte, whatever the dialect.

/// How the characters of a value are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// One ASCII byte per character.
    Ascii,
    /// One EBCDIC byte (code page 500) per character.
    Ebcdic,
    /// Two digits per byte.
    Bcd,
    /// The bytes themselves.
    Binary,
    /// Two ASCII hex characters per byte.
    Hex,
}

/// Which characters a value may have; the letters are those of ISO 8583:1987 clause 4.3.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Content {
    /// `n`: digits.
    Digits,
    /// `xn`: C or D, then digits.
    SignedDigits,
    /// `an`: letters, digits and the space that pads them.
    Alphanumeric,
    /// `ans`: printable characters.
    Printable,
    /// `text`: any byte; for fields in which networks put GBK text or structures of their own.
    Anything,
    /// `z`: track 2 and 3 code set: digits and the separator, written `D` or `=` (ISO 7813).
    Track,
    /// `b`: bytes.
    Bytes,
}

impl Encoding {
    pub(crate) const NAMES: [(&'static str, Encoding); 5] = [
        ("ascii", Encoding::Ascii),
        ("ebcdic", Encoding::Ebcdic),
        ("bcd", Encoding::Bcd),
        ("binary", Encoding::Binary),
        ("hex", Encoding::Hex),
    ];
}

impl Content {
    /// Is there a way to write this content in that encoding? Packed text and digits as raw bytes have none.
    pub(crate) const fn writable_in(self, encoding: Encoding) -> bool {
        match self {
            Content::Digits | Content::Track => {
                matches!(encoding, Encoding::Ascii | Encoding::Ebcdic | Encoding::Bcd)
            }
            Content::SignedDigits | Content::Alphanumeric | Content::Printable | Content::Anything => {
                matches!(encoding, Encoding::Ascii | Encoding::Ebcdic)
            }
            Content::Bytes => matches!(encoding, Encoding::Binary | Encoding::Hex),
        }
    }
}

/// A set of byte classes.
pub(crate) type ByteClass = u16;

const ASCII_DIGIT: ByteClass = 1;
const ASCII_ALNUM: ByteClass = 1 << 1;
const ASCII_PRINT: ByteClass = 1 << 2;
const ASCII_TRACK: ByteClass = 1 << 3;
const ASCII_HEX: ByteClass = 1 << 4;
const EBCDIC_DIGIT: ByteClass = 1 << 5;
const EBCDIC_ALNUM: ByteClass = 1 << 6;
const EBCDIC_PRINT: ByteClass = 1 << 7;
const EBCDIC_TRACK: ByteClass = 1 << 8;
const BCD_DIGITS: ByteClass = 1 << 9;
const BCD_TRACK: ByteClass = 1 << 10;
/// No demand: every byte is legal.
pub(crate) const ANY_BYTE: ByteClass = 0;

/// What every byte of a value of this content in this encoding must be.
pub(crate) const fn demanded(content: Content, encoding: Encoding) -> ByteClass {
    match (encoding, content) {
        (Encoding::Ascii, Content::Digits | Content::SignedDigits) => ASCII_DIGIT,
        (Encoding::Ascii, Content::Alphanumeric) => ASCII_ALNUM,
        (Encoding::Ascii, Content::Printable) => ASCII_PRINT,
        (Encoding::Ascii, Content::Track) => ASCII_TRACK,
        (Encoding::Ebcdic, Content::Digits | Content::SignedDigits) => EBCDIC_DIGIT,
        (Encoding::Ebcdic, Content::Alphanumeric) => EBCDIC_ALNUM,
        (Encoding::Ebcdic, Content::Printable) => EBCDIC_PRINT,
        (Encoding::Ebcdic, Content::Track) => EBCDIC_TRACK,
        (Encoding::Bcd, Content::Track) => BCD_TRACK,
        (Encoding::Bcd, _) => BCD_DIGITS,
        (Encoding::Hex, _) => ASCII_HEX,
        (Encoding::Binary, _) | (_, Content::Anything | Content::Bytes) => ANY_BYTE,
    }
}

static CLASSES: [ByteClass; 256] = {
    let mut classes = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        classes[byte] = class_of(byte as u8);
        byte += 1;
    }
    classes
};

const fn class_of(byte: u8) -> ByteClass {
    let ascii = character_class(byte);
    let ebcdic = character_class(FROM_EBCDIC[byte as usize]) & !ASCII_HEX;
    let (high, low) = (byte >> 4, byte & 0x0F);
    let digits = if high <= 9 && low <= 9 { BCD_DIGITS } else { 0 };
    let track = if is_track_nibble(high) && is_track_nibble(low) { BCD_TRACK } else { 0 };
    ascii | (ebcdic << 5) | digits | track
}

const fn character_class(c: u8) -> ByteClass {
    let mut class = 0;
    if c.is_ascii_digit() {
        class |= ASCII_DIGIT;
    }
    if c.is_ascii_alphanumeric() || c == b' ' {
        class |= ASCII_ALNUM;
    }
    if c >= 0x20 && c <= 0x7E {
        class |= ASCII_PRINT;
    }
    if c.is_ascii_digit() || c == b'D' || c == b'=' {
        class |= ASCII_TRACK;
    }
    if c.is_ascii_hexdigit() {
        class |= ASCII_HEX;
    }
    class
}

const fn is_track_nibble(nibble: u8) -> bool {
    nibble <= 9 || nibble == 0xD
}

/// Are all bytes of `body[start..end]` of the demanded class?
///
/// Most fields are at most eight bytes long, and for the common classes eight bytes are judged at once, in one register: the
/// word is read where the field starts, what lies beyond the field is replaced by something legal, and no byte decides a
/// branch. The bytes beyond must exist; near the end of the body the table decides, byte by byte.
#[inline(always)]
pub(crate) fn all_in(body: &[u8], start: usize, end: usize, demanded: ByteClass) -> bool {
    match demanded {
        ANY_BYTE => true,
        BCD_DIGITS => words_are(body, start, end, demanded, 0, bcd_digits),
        ASCII_PRINT => words_are(body, start, end, demanded, u64::from_ne_bytes([b' '; 8]), ascii_printable),
        BCD_TRACK => words_are(body, start, end, demanded, 0, bcd_track),
        ASCII_DIGIT => {
            words_are(body, start, end, demanded, u64::from_ne_bytes([b'0'; 8]), |w| digits_above(w, b'0'))
        }
        EBCDIC_DIGIT => {
            words_are(body, start, end, demanded, u64::from_ne_bytes([0xF0; 8]), |w| digits_above(w, 0xF0))
        }
        _ => bytes_are(&body[start..end], demanded),
    }
}

#[inline(always)]
fn words_are(
    body: &[u8],
    mut start: usize,
    end: usize,
    demanded: ByteClass,
    legal: u64,
    judge: impl Fn(u64) -> bool,
) -> bool {
    while start < end {
        let Some(word) = body.get(start..).and_then(|rest| rest.first_chunk::<8>()) else {
            return bytes_are(&body[start..end], demanded);
        };
        let word = u64::from_le_bytes(*word);
        let left = end - start;
        let word = if left < 8 {
            let inside = (1 << (8 * left)) - 1;
            (word & inside) | (legal & !inside)
        } else {
            word
        };
        if !judge(word) {
            return false;
        }
        start += 8;
    }
    true
}

#[inline(never)]
fn bytes_are(bytes: &[u8], demanded: ByteClass) -> bool {
    bytes.iter().fold(demanded, |seen, &b| seen & CLASSES[usize::from(b)]) == demanded
}

#[inline(always)]
const fn every(byte: u8) -> u64 {
    u64::from_ne_bytes([byte; 8])
}

/// A half-byte above 9 has bit 3 together with bit 2 or bit 1.
#[inline(always)]
const fn bcd_digits(word: u64) -> bool {
    (word >> 3) & ((word >> 2) | (word >> 1)) & every(0x11) == 0
}

/// Of the half-bytes above 9 only D, binary 1101, is legal: bit 3 with bit 1 is not, and bit 3 with bit 2 is not without bit 0.
#[inline(always)]
const fn bcd_track(word: u64) -> bool {
    (word >> 3) & ((word >> 1) | ((word >> 2) & !word)) & every(0x11) == 0
}

/// 0x20 to 0x7E: the top bit is clear, adding 0x60 sets it, adding 1 does not.
#[inline(always)]
const fn ascii_printable(word: u64) -> bool {
    let top = every(0x80);
    word & top == 0 && word.wrapping_add(every(0x60)) & !word.wrapping_add(every(0x01)) & top == top
}

/// `zero` to `zero + 9`. A sum that carries into the next byte comes from a byte that is wrong already.
#[inline(always)]
const fn digits_above(word: u64, zero: u8) -> bool {
    let value = word ^ every(zero);
    (value | value.wrapping_add(every(0x76))) & every(0x80) == 0
}

/// The first byte that is not of the demanded class.
pub(crate) fn first_outside(bytes: &[u8], demanded: ByteClass) -> Option<usize> {
    bytes.iter().position(|&b| CLASSES[usize::from(b)] & demanded != demanded)
}

/// Upper-case hex digit of a nibble.
pub(crate) const fn hex_digit(nibble: u8) -> u8 {
    b"0123456789ABCDEF"[(nibble & 0x0F) as usize]
}

/// The value of one hex digit, either case.
pub(crate) const fn hex_value(c: u8) -> Option<u8> {
    match c {
        b'0'..=b'9' => Some(c - b'0'),
        b'A'..=b'F' => Some(c - b'A' + 10),
        b'a'..=b'f' => Some(c - b'a' + 10),
        _ => None,
    }
}

/// Fills `out` from exactly twice as many hex digits.
pub(crate) fn hex_into(digits: &[u8], out: &mut [u8]) -> Option<()> {
    if digits.len() != out.len() * 2 {
        return None;
    }
    for (byte, pair) in out.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = (hex_value(pair[0])? << 4) | hex_value(pair[1])?;
    }
    Some(())
}

/// The bytes that an even number of hex digits stands for.
pub(crate) fn hex_bytes(digits: &str) -> Option<Vec<u8>> {
    let mut out = vec![0; digits.len() / 2];
    hex_into(digits.as_bytes(), &mut out)?;
    Some(out)
}

/// Code page 500 to Latin-1, from the Unicode consortium's mapping table CP500.TXT.
pub(crate) static FROM_EBCDIC: [u8; 256] = [
    0x00, 0x01, 0x02, 0x03, 0x9C, 0x09, 0x86, 0x7F, 0x97, 0x8D, 0x8E, 0x0B, 0x0C, 0x0D, 0x0E, 0x0F, 0x10,
    0x11, 0x12, 0x13, 0x9D, 0x85, 0x08, 0x87, 0x18, 0x19, 0x92, 0x8F, 0x1C, 0x1D, 0x1E, 0x1F, 0x80, 0x81,
    0x82, 0x83, 0x84, 0x0A, 0x17, 0x1B, 0x88, 0x89, 0x8A, 0x8B, 0x8C, 0x05, 0x06, 0x07, 0x90, 0x91, 0x16,
    0x93, 0x94, 0x95, 0x96, 0x04, 0x98, 0x99, 0x9A, 0x9B, 0x14, 0x15, 0x9E, 0x1A, 0x20, 0xA0, 0xE2, 0xE4,
    0xE0, 0xE1, 0xE3, 0xE5, 0xE7, 0xF1, 0x5B, 0x2E, 0x3C, 0x28, 0x2B, 0x21, 0x26, 0xE9, 0xEA, 0xEB, 0xE8,
    0xED, 0xEE, 0xEF, 0xEC, 0xDF, 0x5D, 0x24, 0x2A, 0x29, 0x3B, 0x5E, 0x2D, 0x2F, 0xC2, 0xC4, 0xC0, 0xC1,
    0xC3, 0xC5, 0xC7, 0xD1, 0xA6, 0x2C, 0x25, 0x5F, 0x3E, 0x3F, 0xF8, 0xC9, 0xCA, 0xCB, 0xC8, 0xCD, 0xCE,
    0xCF, 0xCC, 0x60, 0x3A, 0x23, 0x40, 0x27, 0x3D, 0x22, 0xD8, 0x61, 0x62, 0x63, 0x64, 0x65, 0x66, 0x67,
    0x68, 0x69, 0xAB, 0xBB, 0xF0, 0xFD, 0xFE, 0xB1, 0xB0, 0x6A, 0x6B, 0x6C, 0x6D, 0x6E, 0x6F, 0x70, 0x71,
    0x72, 0xAA, 0xBA, 0xE6, 0xB8, 0xC6, 0xA4, 0xB5, 0x7E, 0x73, 0x74, 0x75, 0x76, 0x77, 0x78, 0x79, 0x7A,
    0xA1, 0xBF, 0xD0, 0xDD, 0xDE, 0xAE, 0xA2, 0xA3, 0xA5, 0xB7, 0xA9, 0xA7, 0xB6, 0xBC, 0xBD, 0xBE, 0xAC,
    0x7C, 0xAF, 0xA8, 0xB4, 0xD7, 0x7B, 0x41, 0x42, 0x43, 0x44, 0x45, 0x46, 0x47, 0x48, 0x49, 0xAD, 0xF4,
    0xF6, 0xF2, 0xF3, 0xF5, 0x7D, 0x4A, 0x4B, 0x4C, 0x4D, 0x4E, 0x4F, 0x50, 0x51, 0x52, 0xB9, 0xFB, 0xFC,
    0xF9, 0xFA, 0xFF, 0x5C, 0xF7, 0x53, 0x54, 0x55, 0x56, 0x57, 0x58, 0x59, 0x5A, 0xB2, 0xD4, 0xD6, 0xD2,
    0xD3, 0xD5, 0x30, 0x31, 0x32, 0x33, 0x34, 0x35, 0x36, 0x37, 0x38, 0x39, 0xB3, 0xDB, 0xDC, 0xD9, 0xDA,
    0x9F,
];

/// Latin-1 to code page 500: the inverse, which exists because the code page is a permutation.
pub(crate) static TO_EBCDIC: [u8; 256] = {
    let mut inverse = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        inverse[FROM_EBCDIC[byte] as usize] = byte as u8;
        byte += 1;
    }
    inverse
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ebcdic_is_a_permutation() {
        for byte in 0..=255u8 {
            assert_eq!(FROM_EBCDIC[usize::from(TO_EBCDIC[usize::from(byte)])], byte);
        }
        assert_eq!(TO_EBCDIC[usize::from(b'0')], 0xF0);
        assert_eq!(TO_EBCDIC[usize::from(b'=')], 0x7E);
    }

    fn check(content: Content, encoding: Encoding, legal: &[u8], illegal: &[u8]) {
        let mask = demanded(content, encoding);
        assert!(all_in(legal, 0, legal.len(), mask), "{content:?} in {encoding:?}");
        for byte in illegal {
            assert_eq!(first_outside(&[*byte], mask), Some(0), "{content:?} in {encoding:?}: {byte:02X}");
        }
    }

    /// The word-wise and the byte-wise judgement agree on every byte at every place of a field of every length.
    #[test]
    fn words_are_judged_like_bytes() {
        for demanded in [BCD_DIGITS, BCD_TRACK, ASCII_PRINT, ASCII_DIGIT, EBCDIC_DIGIT, ASCII_ALNUM, ANY_BYTE]
        {
            let legal = (0..=255u8).find(|b| CLASSES[usize::from(*b)] & demanded == demanded).unwrap();
            for len in 1..20 {
                for at in 0..len {
                    for byte in 0..=255u8 {
                        let mut body = [0xFFu8; 40];
                        body[3..3 + len].fill(legal);
                        body[3 + at] = byte;
                        let expected = CLASSES[usize::from(byte)] & demanded == demanded;
                        assert_eq!(all_in(&body, 3, 3 + len, demanded), expected, "{demanded:b} {byte:02X}");
                        assert_eq!(all_in(&body[..3 + len], 3, 3 + len, demanded), expected);
                    }
                }
            }
        }
    }

    #[test]
    fn each_product_of_content_and_encoding_has_its_bytes() {
        check(Content::Digits, Encoding::Ascii, b"0189", b"A :/");
        check(Content::Digits, Encoding::Bcd, &[0x00, 0x99], &[0x0A, 0xA0, 0xFF]);
        check(Content::Digits, Encoding::Ebcdic, &[0xF0, 0xF9], b"0A");
        check(Content::Track, Encoding::Bcd, &[0x1D, 0xD9], &[0xA0, 0x0F]);
        check(Content::Track, Encoding::Ascii, b"12=D", b"Z ");
        check(Content::Alphanumeric, Encoding::Ascii, b"aZ 9", b"-\x7F");
        check(Content::Printable, Encoding::Ascii, b" ~|", &[0x1F, 0x80]);
        check(Content::Anything, Encoding::Ascii, &[0x00, 0xFF], &[]);
        check(Content::Bytes, Encoding::Hex, b"09afAF", b"gG ");
    }
}
