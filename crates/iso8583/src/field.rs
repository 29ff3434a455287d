//! One row of a dialect's table, compiled: everything the decoder needs to step over a field, in a few bytes.
//!
//! A row is a point on independent axes: *content* × *encoding* (see [`crate::encoding`]), *length prefix* (none, or so many
//! digits in ASCII, EBCDIC, BCD or binary, counting characters or bytes), and for packed digits *alignment* and *padding* of
//! the odd half-byte. No field has code of its own; the few that have an inner structure name it ([`Composite`]).

use crate::encoding::{ANY_BYTE, ByteClass, Content, Encoding, all_in, demanded, first_outside};
use crate::error::Fault;

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

    /// Where the value of a field that starts at `at` lies. Structure only; the content is not looked at.
    #[inline]
    pub(crate) fn measure(&self, body: &[u8], at: usize) -> Result<Extent, Fault> {
        if self.prefix_len == 0 {
            let end = at + usize::from(self.fixed_len);
            if end > body.len() {
                return Err(Fault::Truncated { needed: usize::from(self.fixed_len), left: body.len() - at });
            }
            return Ok(Extent { start: at, end, units: usize::from(self.axes.max) });
        }
        self.measure_variable(body, at)
    }

    #[inline]
    fn measure_variable(&self, body: &[u8], at: usize) -> Result<Extent, Fault> {
        let start = at + self.prefix_len();
        let prefix = body
            .get(at..start)
            .ok_or_else(|| Fault::Truncated { needed: self.prefix_len(), left: body.len() - at })?;
        let counted = self.read_prefix(prefix).ok_or(Fault::LengthPrefix)?;
        let (units, bytes) = match self.axes.counts {
            Counts::Characters => (counted, self.wire_len(counted)),
            Counts::Bytes => (self.units_in(counted).ok_or(Fault::OddHex { bytes: counted })?, counted),
        };
        if units > self.longest() {
            return Err(Fault::TooLong { length: units, max: self.longest() });
        }
        let end = start + bytes;
        if end > body.len() {
            return Err(Fault::Truncated { needed: bytes, left: body.len() - start });
        }
        Ok(Extent { start, end, units })
    }

    /// The most characters that can be counted; a prefix that counts bytes can not say that packed digits are odd in number.
    pub(crate) const fn longest(&self) -> usize {
        let max = self.axes.max as usize;
        match (self.axes.encoding, self.axes.counts) {
            (Encoding::Bcd, Counts::Bytes) => max + max % 2,
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

    /// Appends the length prefix for a value of so many characters and bytes. The caller has checked both against the maximum.
    pub(crate) fn write_prefix(&self, out: &mut Vec<u8>, units: usize, bytes: usize) {
        let count = match self.axes.counts {
            Counts::Characters => units,
            Counts::Bytes => bytes,
        };
        let digit = |place: u32| (count / 10usize.pow(place) % 10) as u8;
        let places = (0..u32::from(self.axes.prefix_digits)).rev();
        match self.axes.prefix_encoding {
            PrefixEncoding::Ascii => out.extend(places.map(|p| b'0' + digit(p))),
            PrefixEncoding::Ebcdic => out.extend(places.map(|p| 0xF0 + digit(p))),
            PrefixEncoding::Bcd => {
                let bytes = u32::from(self.prefix_len);
                out.extend((0..bytes).rev().map(|p| (digit(2 * p + 1) << 4) | digit(2 * p)));
            }
            PrefixEncoding::Binary => out.extend((0..self.prefix_len).rev().map(|p| (count >> (8 * p)) as u8)),
        }
    }

    /// Are all characters of the value legal? `Err` says what is wrong and how far into the value.
    #[inline]
    pub(crate) fn check(&self, value: &[u8], units: usize) -> Result<(), (Fault, usize)> {
        if !self.special {
            return if all_in(value, self.demanded) { Ok(()) } else { Err(self.bad_character(value, 0)) };
        }
        self.check_special(value, units)
    }

    fn check_special(&self, value: &[u8], units: usize) -> Result<(), (Fault, usize)> {
        if self.axes.content == Content::SignedDigits {
            return self.check_signed(value);
        }
        if self.axes.encoding == Encoding::Bcd {
            return self.check_packed(value, units);
        }
        // What is left is BER-TLV in raw bytes.
        for object in crate::tlv::objects(value) {
            object.map_err(|e| (Fault::Tlv { tag: e.tag, fault: e.fault }, e.offset))?;
        }
        Ok(())
    }

    fn check_signed(&self, value: &[u8]) -> Result<(), (Fault, usize)> {
        let signs: &[u8] = if self.axes.encoding == Encoding::Ebcdic { &[0xC3, 0xC4] } else { b"CD" };
        match value.split_first() {
            None => Ok(()),
            Some((sign, _)) if !signs.contains(sign) => Err((Fault::Character(self.axes.content), 0)),
            Some((_, digits)) if all_in(digits, self.demanded) => Ok(()),
            Some((_, digits)) => Err(self.bad_character(digits, 1)),
        }
    }

    #[inline]
    fn check_packed(&self, value: &[u8], units: usize) -> Result<(), (Fault, usize)> {
        if units % 2 == 0 {
            return if all_in(value, self.demanded) { Ok(()) } else { Err(self.bad_character(value, 0)) };
        }
        // The byte that holds the pad is judged by its halves.
        let split = match self.axes.align {
            Align::Left => value.split_last().map(|(byte, rest)| (rest, 0, value.len() - 1, byte >> 4, byte & 0xF)),
            Align::Right => value.split_first().map(|(byte, rest)| (rest, 1, 0, byte & 0xF, byte >> 4)),
        };
        let Some((whole, whole_at, odd_at, digit, pad)) = split else { return Ok(()) };
        if !all_in(whole, self.demanded) {
            return Err(self.bad_character(whole, whole_at));
        }
        if !all_in(&[digit], self.demanded) {
            return Err((Fault::Character(self.axes.content), odd_at));
        }
        if pad != 0 && pad != 0xF {
            return Err((Fault::Padding, odd_at));
        }
        Ok(())
    }

    #[cold]
    fn bad_character(&self, value: &[u8], before: usize) -> (Fault, usize) {
        (Fault::Character(self.axes.content), before + first_outside(value, self.demanded).unwrap_or(0))
    }

    /// The half-byte at position `i` of a packed value, pads not counted.
    pub(crate) fn nibble(&self, value: &[u8], units: usize, i: usize) -> u8 {
        let shift = usize::from(units % 2 == 1 && self.axes.align == Align::Right);
        let at = i + shift;
        value.get(at / 2).map_or(0, |byte| if at % 2 == 0 { byte >> 4 } else { byte & 0x0F })
    }
}

const fn wire_len(encoding: Encoding, units: usize) -> usize {
    match encoding {
        Encoding::Ascii | Encoding::Ebcdic | Encoding::Binary => units,
        Encoding::Bcd => units.div_ceil(2),
        Encoding::Hex => units * 2,
    }
}
