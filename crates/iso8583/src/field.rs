//! One row of a dialect's table, compiled: everything the decoder needs to step over a field, in a few bytes.
//!
//! A row is a point on independent axes: *content* × *encoding* (see [`crate::encoding`]), *length prefix* (none, or so many
//! digits in ASCII, EBCDIC, BCD or binary, counting characters or bytes), and for packed digits *alignment* and *padding* of
//! the odd half-byte. No field has code of its own; the few that have an inner structure name it ([`Composite`]).

use crate::encoding::{ANY_BYTE, ByteClass, Content, Encoding, all_in, demanded, first_outside};
use crate::error::Fault;
use std::ops::Range;

/// How the digits of a length prefix are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PrefixEncoding {
    /// One ASCII digit per digit.
    Ascii,
    /// One EBCDIC digit per digit.
    Ebcdic,
    /// Two digits per byte, so that LL is one byte and LLL two.
    Bcd,
    /// A big-endian number: LL is one byte, LLL two.
    Binary,
}

/// What a length prefix counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Counts {
    /// Characters: digits of a packed number, characters of a text, bytes of binary data.
    Characters,
    /// Bytes on the wire.
    Bytes,
}

/// On which side packed digits stand when their number is odd.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Align {
    /// First digit in the first half-byte, the pad comes last.
    Left,
    /// Last digit in the last half-byte, the pad comes first.
    Right,
}

/// The inner structure of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Composite {
    /// None.
    Plain,
    /// BER-TLV data objects (EMV book 3 annex B).
    Tlv,
    /// Positional sub-fields.
    Sub,
}

/// Why a field must not be shown or stored as it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Sensitivity {
    /// A primary account number: first six and last four digits may remain.
    Pan,
    /// Track data: nothing may remain after authorization (PCI DSS requirement 3.3.1).
    Track,
    /// An encrypted PIN block.
    PinBlock,
    /// Keys and anything else that stays between the two ends.
    Secret,
}

impl PrefixEncoding {
    pub(crate) const NAMES: [(&'static str, PrefixEncoding); 4] = [
        ("ascii", PrefixEncoding::Ascii),
        ("ebcdic", PrefixEncoding::Ebcdic),
        ("bcd", PrefixEncoding::Bcd),
        ("binary", PrefixEncoding::Binary),
    ];
}

impl Counts {
    pub(crate) const NAMES: [(&'static str, Counts); 2] =
        [("characters", Counts::Characters), ("bytes", Counts::Bytes)];
}

impl Align {
    pub(crate) const NAMES: [(&'static str, Align); 2] = [("left", Align::Left), ("right", Align::Right)];
}

impl Composite {
    pub(crate) const NAMES: [(&'static str, Composite); 2] =
        [("tlv", Composite::Tlv), ("plain", Composite::Plain)];
}

impl Sensitivity {
    pub(crate) const NAMES: [(&'static str, Sensitivity); 4] = [
        ("pan", Sensitivity::Pan),
        ("track", Sensitivity::Track),
        ("pin-block", Sensitivity::PinBlock),
        ("secret", Sensitivity::Secret),
    ];
}

/// The axes of one field as the spec file states them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Axes {
    /// Which characters.
    pub content: Content,
    /// How they are written.
    pub encoding: Encoding,
    /// Digits of the length prefix; 0 for a field of fixed length.
    pub prefix_digits: u8,
    /// How the prefix is written.
    pub prefix_encoding: PrefixEncoding,
    /// What the prefix counts.
    pub counts: Counts,
    /// The fixed, or the greatest, number of characters (bytes for `b`).
    pub max: u16,
    /// Side of packed digits.
    pub align: Align,
    /// The half-byte that fills an odd number of digits when *we* write; 0 and F are both understood.
    pub pad: u8,
}

/// [`Axes`], compiled. The decoder's inner loop reads nothing else.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FieldSpec {
    pub(crate) axes: Axes,
    pub(crate) composite: Composite,
    /// What every byte must be.
    demanded: ByteClass,
    /// Bytes of the length prefix on the wire; 0 for a field of fixed length.
    prefix_len: u8,
    /// Bytes on the wire of a field of fixed length.
    fixed_len: u16,
    /// Packed, and of an odd fixed length, or signed, or composite: needs more than the one look-up per byte.
    special: bool,
    /// No field of this number exists in the dialect.
    pub(crate) defined: bool,
}

/// Where a field's value lies, and how many characters it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Extent {
    /// First byte of the value, after the length prefix.
    pub(crate) start: usize,
    /// One past its last byte.
    pub(crate) end: usize,
    /// Characters: digits, letters, or bytes for `b`.
    pub(crate) units: usize,
}

impl FieldSpec {
    pub(crate) const UNDEFINED: FieldSpec = FieldSpec {
        axes: Axes {
            content: Content::Bytes,
            encoding: Encoding::Binary,
            prefix_digits: 0,
            prefix_encoding: PrefixEncoding::Ascii,
            counts: Counts::Characters,
            max: 0,
            align: Align::Left,
            pad: 0,
        },
        composite: Composite::Plain,
        demanded: ANY_BYTE,
        prefix_len: 0,
        fixed_len: 0,
        special: false,
        defined: false,
    };

    pub(crate) fn compile(axes: Axes, composite: Composite) -> FieldSpec {
        let packed = axes.encoding == Encoding::Bcd;
        let variable = axes.prefix_digits > 0;
        FieldSpec {
            axes,
            composite,
            demanded: demanded(axes.content, axes.encoding),
            prefix_len: match axes.prefix_encoding {
                PrefixEncoding::Ascii | PrefixEncoding::Ebcdic => axes.prefix_digits,
                PrefixEncoding::Bcd | PrefixEncoding::Binary => axes.prefix_digits.div_ceil(2),
            },
            fixed_len: if variable { 0 } else { wire_len(axes.encoding, usize::from(axes.max)) as u16 },
            special: axes.content == Content::SignedDigits
                || composite == Composite::Tlv
                || (packed && (variable || axes.max % 2 == 1)),
            defined: true,
        }
    }

    pub(crate) const fn is_variable(&self) -> bool {
        self.prefix_len > 0
    }

    pub(crate) const fn prefix_len(&self) -> usize {
        self.prefix_len as usize
    }

    /// Bytes on the wire for so many characters.
    pub(crate) const fn wire_len(&self, units: usize) -> usize {
        wire_len(self.axes.encoding, units)
    }

    /// Where the value of a field that starts at `at` lies. Structure only; the content is not looked at. `None` if it can not
    /// be there; [`FieldSpec::misplaced`] says why, and is apart so that the way of a good message stays short.
    #[inline(always)]
    pub(crate) fn measure(&self, body: &[u8], at: usize) -> Option<Extent> {
        if self.prefix_len > 0 {
            return self.measure_variable(body, at);
        }
        let end = at + usize::from(self.fixed_len);
        (end <= body.len()).then_some(Extent { start: at, end, units: usize::from(self.axes.max) })
    }

    fn measure_variable(&self, body: &[u8], at: usize) -> Option<Extent> {
        let start = at + self.prefix_len();
        let counted = self.read_prefix(body.get(at..start)?)?;
        let (units, bytes) = match self.axes.counts {
            Counts::Characters => (counted, self.wire_len(counted)),
            Counts::Bytes => (self.units_in(counted)?, counted),
        };
        let end = start + bytes;
        if units > self.longest() || end > body.len() {
            return None;
        }
        let units =
            if self.axes.counts == Counts::Bytes { self.without_pad(body, start, end, units) } else { units };
        Some(Extent { start, end, units })
    }

    /// A count of bytes can not say that packed digits are odd in number, but a pad of F can. A pad of 0 is taken for a digit.
    fn without_pad(&self, body: &[u8], start: usize, end: usize, units: usize) -> usize {
        if self.axes.encoding != Encoding::Bcd || start == end {
            return units;
        }
        let (_, odd_at) = self.around_pad(Extent { start, end, units });
        units - usize::from(self.halves(body[odd_at]).1 == 0xF)
    }

    /// Why [`FieldSpec::measure`] found no place for the field.
    #[cold]
    pub(crate) fn misplaced(&self, body: &[u8], at: usize) -> Fault {
        let left = body.len().saturating_sub(at);
        if self.prefix_len == 0 {
            return Fault::Truncated { needed: usize::from(self.fixed_len), left };
        }
        let Some(prefix) = body.get(at..at + self.prefix_len()) else {
            return Fault::Truncated { needed: self.prefix_len(), left };
        };
        let Some(counted) = self.read_prefix(prefix) else { return Fault::LengthPrefix };
        let units = match self.axes.counts {
            Counts::Characters => Some(counted),
            Counts::Bytes => self.units_in(counted),
        };
        let Some(units) = units else { return Fault::OddHex { bytes: counted } };
        if units > self.longest() {
            return Fault::TooLong { length: units, max: self.longest() };
        }
        Fault::Truncated { needed: self.wire_len(units), left: left - self.prefix_len() }
    }

    /// The most characters that can be counted; a prefix that counts bytes can not say that packed digits are odd in number.
    pub(crate) const fn longest(&self) -> usize {
        let max = self.axes.max as usize;
        match (self.axes.encoding, self.axes.counts) {
            (Encoding::Bcd, Counts::Bytes) if self.is_variable() => max + max % 2,
            _ => max,
        }
    }

    fn units_in(&self, bytes: usize) -> Option<usize> {
        match self.axes.encoding {
            Encoding::Ascii | Encoding::Ebcdic | Encoding::Binary => Some(bytes),
            Encoding::Bcd => Some(bytes * 2),
            Encoding::Hex => bytes.is_multiple_of(2).then_some(bytes / 2),
        }
    }

    #[inline]
    fn read_prefix(&self, prefix: &[u8]) -> Option<usize> {
        // LL and LLL in BCD, the prefixes of the terminals, are worth their own lines.
        match (self.axes.prefix_encoding, prefix) {
            (PrefixEncoding::Bcd, &[ll]) => return packed_number(ll),
            (PrefixEncoding::Bcd, &[l, ll]) => return Some(packed_number(l)? * 100 + packed_number(ll)?),
            _ => {}
        }
        self.read_any_prefix(prefix)
    }

    fn read_any_prefix(&self, prefix: &[u8]) -> Option<usize> {
        let digit = |value: u8, sum: usize| (value <= 9).then_some(sum * 10 + usize::from(value));
        match self.axes.prefix_encoding {
            PrefixEncoding::Ascii => prefix.iter().try_fold(0, |sum, b| digit(b.wrapping_sub(b'0'), sum)),
            PrefixEncoding::Ebcdic => prefix.iter().try_fold(0, |sum, b| digit(b.wrapping_sub(0xF0), sum)),
            PrefixEncoding::Bcd => {
                prefix.iter().try_fold(0, |sum, b| digit(b >> 4, sum).and_then(|sum| digit(b & 0x0F, sum)))
            }
            PrefixEncoding::Binary => Some(prefix.iter().fold(0, |sum, b| (sum << 8) | usize::from(*b))),
        }
    }

    /// Appends the length prefix for a value of so many characters and bytes; nothing for a field of fixed length. The caller
    /// has checked both against the maximum.
    #[inline]
    pub(crate) fn write_prefix(&self, out: &mut Vec<u8>, units: usize, bytes: usize) {
        if self.prefix_len > 0 {
            let (digits, len) = self.prefix(units, bytes);
            out.extend_from_slice(&digits[..len]);
        }
    }

    /// The length prefix, in the first bytes of four.
    pub(crate) fn prefix(&self, units: usize, bytes: usize) -> ([u8; 4], usize) {
        let mut rest = match self.axes.counts {
            Counts::Characters => units,
            Counts::Bytes => bytes,
        };
        let mut prefix = [0; 4];
        let mut digit = || {
            let digit = (rest % 10) as u8;
            rest /= 10;
            digit
        };
        let len = self.prefix_len();
        for byte in prefix[..len].iter_mut().rev() {
            *byte = match self.axes.prefix_encoding {
                PrefixEncoding::Ascii => b'0' + digit(),
                PrefixEncoding::Ebcdic => 0xF0 + digit(),
                PrefixEncoding::Bcd => digit() | (digit() << 4),
                PrefixEncoding::Binary => 0,
            };
        }
        if self.axes.prefix_encoding == PrefixEncoding::Binary {
            prefix[..len].copy_from_slice(&(rest as u32).to_be_bytes()[4 - len..]);
        }
        (prefix, len)
    }

    /// Are all characters of the value legal?
    #[inline(always)]
    pub(crate) fn is_legal(&self, body: &[u8], extent: Extent) -> bool {
        let (run, pad_is_legal) = match self.special {
            false => (extent.start..extent.end, true),
            true if self.axes.encoding == Encoding::Bcd => self.whole_bytes(body, extent),
            true => return self.is_legal_special(body, extent),
        };
        all_in(body, run.start, run.end, self.demanded) && pad_is_legal
    }

    /// The run of whole bytes that a packed value has, and whether the byte with the pad beside it is legal.
    #[inline]
    fn whole_bytes(&self, body: &[u8], extent: Extent) -> (Range<usize>, bool) {
        if extent.units.is_multiple_of(2) {
            return (extent.start..extent.end, true);
        }
        let (run, odd_at) = self.around_pad(extent);
        let (digit, pad) = self.halves(body[odd_at]);
        (run, self.is_digit(digit) && (pad == 0 || pad == 0xF))
    }

    fn is_legal_special(&self, body: &[u8], Extent { start, end, .. }: Extent) -> bool {
        if self.axes.content == Content::SignedDigits {
            let sign = body[start..end].first();
            return sign
                .is_none_or(|sign| self.is_sign(*sign) && all_in(body, start + 1, end, self.demanded));
        }
        // What is left is BER-TLV in raw bytes.
        crate::tlv::objects(&body[start..end]).all(|object| object.is_ok())
    }

    /// The first character that is not legal: what is wrong with it, and where in the body it is.
    #[cold]
    pub(crate) fn illegal(&self, body: &[u8], extent: Extent) -> (Fault, usize) {
        let (bad_character, start) = (Fault::Character(self.axes.content), extent.start);
        let value = &body[start..extent.end];
        if let Some(Err(e)) = (self.composite == Composite::Tlv)
            .then(|| crate::tlv::objects(value).find(Result::is_err))
            .flatten()
        {
            return (Fault::Tlv { tag: e.tag, fault: e.fault }, start + e.offset);
        }
        let run = match self.axes.encoding {
            Encoding::Bcd if !extent.units.is_multiple_of(2) => self.around_pad(extent).0,
            _ if self.axes.content == Content::SignedDigits => match value.first() {
                Some(sign) if !self.is_sign(*sign) => return (bad_character, start),
                _ => start + 1..extent.end,
            },
            _ => start..extent.end,
        };
        if let Some(within) = first_outside(&body[run.clone()], self.demanded) {
            return (bad_character, run.start + within);
        }
        let odd_at = self.around_pad(extent).1;
        let (digit, _) = self.halves(body[odd_at]);
        (if self.is_digit(digit) { Fault::Padding } else { bad_character }, odd_at)
    }

    /// The whole bytes of an odd number of packed digits, and the byte that holds the pad.
    const fn around_pad(&self, Extent { start, end, .. }: Extent) -> (Range<usize>, usize) {
        match self.axes.align {
            Align::Left => (start..end - 1, end - 1),
            Align::Right => (start + 1..end, start),
        }
    }

    /// The digit and the pad of that byte.
    const fn halves(&self, odd: u8) -> (u8, u8) {
        match self.axes.align {
            Align::Left => (odd >> 4, odd & 0x0F),
            Align::Right => (odd & 0x0F, odd >> 4),
        }
    }

    fn is_digit(&self, half: u8) -> bool {
        half <= 9 || (half == 0xD && self.axes.content == Content::Track)
    }

    const fn is_sign(&self, byte: u8) -> bool {
        match self.axes.encoding {
            Encoding::Ebcdic => matches!(byte, 0xC3 | 0xC4),
            _ => matches!(byte, b'C' | b'D'),
        }
    }

    /// The half-byte at position `i` of a packed value, pads not counted.
    pub(crate) fn nibble(&self, value: &[u8], units: usize, i: usize) -> u8 {
        let shift = usize::from(units % 2 == 1 && self.axes.align == Align::Right);
        let at = i + shift;
        value.get(at / 2).map_or(0, |byte| if at.is_multiple_of(2) { byte >> 4 } else { byte & 0x0F })
    }
}

/// Two digits in a byte.
#[inline]
const fn packed_number(byte: u8) -> Option<usize> {
    let (tens, ones) = (byte >> 4, byte & 0x0F);
    if tens <= 9 && ones <= 9 { Some((tens * 10 + ones) as usize) } else { None }
}

const fn wire_len(encoding: Encoding, units: usize) -> usize {
    match encoding {
        Encoding::Ascii | Encoding::Ebcdic | Encoding::Binary => units,
        Encoding::Bcd => units.div_ceil(2),
        Encoding::Hex => units * 2,
    }
}
