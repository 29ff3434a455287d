//! The bitmap: one bit per data element, 64 or 128 of them, and the two ways of writing it.
//!
//! Bit 1 announces the second half (ISO 8583:1987 4.2). Some systems send 128 bits always and leave bit 1 clear; that is an
//! axis of the dialect ([`BitmapSize::Fixed128`]) and the bit is kept as it came, so that a message is written as it was read.

use crate::encoding::hex_value;
use crate::encoding::{FROM_EBCDIC, TO_EBCDIC, hex_digit};
use crate::error::Fault;
use crate::mti::Mti;
use std::fmt;

/// The presence bits of fields 1 to 128; field 1 is the most significant bit, as on the wire.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Bitmap(u128);

impl Bitmap {
    /// No field.
    pub const EMPTY: Bitmap = Bitmap(0);

    /// Is bit `n` (1 to 128) set?
    pub const fn has(self, n: u8) -> bool {
        n >= 1 && n <= 128 && (self.0 >> (128 - n as u32)) & 1 == 1
    }

    /// The same with bit `n` (1 to 128) set.
    #[must_use]
    pub const fn with(self, n: u8) -> Bitmap {
        if n >= 1 && n <= 128 { Bitmap(self.0 | (1 << (128 - n as u32))) } else { self }
    }

    /// The same with bit `n` clear.
    #[must_use]
    pub const fn without(self, n: u8) -> Bitmap {
        if n >= 1 && n <= 128 { Bitmap(self.0 & !(1 << (128 - n as u32))) } else { self }
    }

    /// Only the bits before `n`.
    pub(crate) const fn below(self, n: u8) -> Bitmap {
        if n <= 1 { Bitmap::EMPTY } else { Bitmap(self.0 & !(u128::MAX >> (n as u32 - 1))) }
    }

    /// The first 64 bits, as hexadecimal readers know them: `302004C020C09811`.
    pub const fn primary(self) -> u64 {
        (self.0 >> 64) as u64
    }

    /// The bits of fields 65 to 128.
    pub const fn secondary(self) -> u64 {
        self.0 as u64
    }

    /// The numbers of the fields that are present, ascending, without 1.
    pub const fn fields(self) -> FieldNumbers {
        FieldNumbers { halves: [self.primary() & (u64::MAX >> 1), self.secondary()] }
    }
}

impl fmt::Display for Bitmap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016X}", self.primary())?;
        if self.has(1) || self.secondary() != 0 { write!(f, "{:016X}", self.secondary()) } else { Ok(()) }
    }
}

impl fmt::Debug for Bitmap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Bitmap({self})")
    }
}

/// Iterator over field numbers.
#[derive(Clone, Debug)]
pub struct FieldNumbers {
    halves: [u64; 2],
}

impl Iterator for FieldNumbers {
    type Item = u8;

    #[inline]
    fn next(&mut self) -> Option<u8> {
        let half = usize::from(self.halves[0] == 0);
        let bits = &mut self.halves[half];
        if *bits == 0 {
            return None;
        }
        let zeros = bits.leading_zeros();
        *bits &= !(1 << (63 - zeros));
        Some((half as u32 * 64 + zeros + 1) as u8)
    }
}

/// How the four digits of the message type are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MtiEncoding {
    /// Four ASCII characters.
    Ascii,
    /// Four EBCDIC characters.
    Ebcdic,
    /// Two bytes.
    Bcd,
}

impl MtiEncoding {
    pub(crate) const NAMES: [(&'static str, MtiEncoding); 3] =
        [("ascii", MtiEncoding::Ascii), ("ebcdic", MtiEncoding::Ebcdic), ("bcd", MtiEncoding::Bcd)];

    /// The message type at the start of `body`, and where it ends.
    pub(crate) fn read(self, body: &[u8]) -> Result<(Mti, usize), Fault> {
        let packed = match self {
            MtiEncoding::Bcd => {
                let bytes =
                    body.first_chunk::<2>().ok_or(Fault::Truncated { needed: 2, left: body.len() })?;
                return Mti::packed(u16::from_be_bytes(*bytes)).map(|mti| (mti, 2)).ok_or(Fault::Mti);
            }
            MtiEncoding::Ascii | MtiEncoding::Ebcdic => {
                let zero = if self == MtiEncoding::Ascii { b'0' } else { 0xF0 };
                let bytes =
                    body.first_chunk::<4>().ok_or(Fault::Truncated { needed: 4, left: body.len() })?;
                bytes.iter().try_fold(0u16, |sum, b| {
                    let digit = b.wrapping_sub(zero);
                    (digit <= 9).then_some((sum << 4) | u16::from(digit))
                })
            }
        };
        packed.and_then(Mti::packed).map(|mti| (mti, 4)).ok_or(Fault::Mti)
    }

    pub(crate) fn write(self, mti: Mti, out: &mut Vec<u8>) {
        let packed = mti.to_packed();
        let digits = [12, 8, 4, 0].map(|shift| (packed >> shift) as u8 & 0x0F);
        match self {
            MtiEncoding::Ascii => out.extend(digits.map(|d| b'0' + d)),
            MtiEncoding::Ebcdic => out.extend(digits.map(|d| 0xF0 + d)),
            MtiEncoding::Bcd => out.extend_from_slice(&packed.to_be_bytes()),
        }
    }
}

/// How the bits are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BitmapEncoding {
    /// Eight bytes per half.
    Binary,
    /// Sixteen ASCII hex characters per half.
    Hex,
    /// Sixteen EBCDIC hex characters per half.
    EbcdicHex,
}

/// When the second half is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BitmapSize {
    /// `iso`: when bit 1 says so.
    Iso,
    /// `64`: never; bit 1 is refused.
    Single,
    /// `fixed-128`: always, whatever bit 1 says.
    Fixed128,
}

impl BitmapEncoding {
    pub(crate) const NAMES: [(&'static str, BitmapEncoding); 3] = [
        ("binary", BitmapEncoding::Binary),
        ("hex", BitmapEncoding::Hex),
        ("ebcdic-hex", BitmapEncoding::EbcdicHex),
    ];

    const fn half_len(self) -> usize {
        match self {
            BitmapEncoding::Binary => 8,
            BitmapEncoding::Hex | BitmapEncoding::EbcdicHex => 16,
        }
    }

    fn read_half(self, body: &[u8], at: usize) -> Result<u64, Fault> {
        let needed = self.half_len();
        let bytes = body
            .get(at..at + needed)
            .ok_or(Fault::Truncated { needed, left: body.len().saturating_sub(at) })?;
        let from_hex = |decode: fn(u8) -> u8| {
            bytes.iter().try_fold(0u64, |sum, b| hex_value(decode(*b)).map(|v| (sum << 4) | u64::from(v)))
        };
        match self {
            BitmapEncoding::Binary => bytes.first_chunk().map(|b| u64::from_be_bytes(*b)),
            BitmapEncoding::Hex => from_hex(|b| b),
            BitmapEncoding::EbcdicHex => from_hex(|b| FROM_EBCDIC[usize::from(b)]),
        }
        .ok_or(Fault::Bitmap)
    }

    fn write_half(self, bits: u64, out: &mut Vec<u8>) {
        let hex = (0..16).rev().map(|i| hex_digit((bits >> (4 * i)) as u8));
        match self {
            BitmapEncoding::Binary => out.extend_from_slice(&bits.to_be_bytes()),
            BitmapEncoding::Hex => out.extend(hex),
            BitmapEncoding::EbcdicHex => out.extend(hex.map(|c| TO_EBCDIC[usize::from(c)])),
        }
    }
}

impl BitmapSize {
    pub(crate) const NAMES: [(&'static str, BitmapSize); 3] =
        [("iso", BitmapSize::Iso), ("64", BitmapSize::Single), ("fixed-128", BitmapSize::Fixed128)];
}

/// Both axes of the bitmap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BitmapForm {
    /// How the bits are written.
    pub encoding: BitmapEncoding,
    /// How many of them.
    pub size: BitmapSize,
}

impl BitmapForm {
    /// The bitmap at `at`, and where it ends. The error says whether it is in the second half, and where.
    pub(crate) fn read(self, body: &[u8], at: usize) -> Result<(Bitmap, usize), (bool, usize, Fault)> {
        let first = self.encoding.read_half(body, at).map_err(|fault| (false, at, fault))?;
        let bit_1 = first >> 63 == 1;
        let after = at + self.encoding.half_len();
        match self.size {
            BitmapSize::Single if bit_1 => Err((false, at, Fault::SecondBitmap)),
            BitmapSize::Iso if bit_1 => self.read_second(first, body, after),
            BitmapSize::Fixed128 => self.read_second(first, body, after),
            BitmapSize::Iso | BitmapSize::Single => Ok((Bitmap(u128::from(first) << 64), after)),
        }
    }

    fn read_second(
        self,
        first: u64,
        body: &[u8],
        at: usize,
    ) -> Result<(Bitmap, usize), (bool, usize, Fault)> {
        let second = self.encoding.read_half(body, at).map_err(|fault| (true, at, fault))?;
        Ok((Bitmap((u128::from(first) << 64) | u128::from(second)), at + self.encoding.half_len()))
    }

    /// Writes the bits. `bit_1` is what a message that was read before had; without it, bit 1 says whether fields above 64
    /// follow, except where it never does.
    pub(crate) fn write(self, fields: Bitmap, bit_1: Option<bool>, out: &mut Vec<u8>) {
        let needed = fields.secondary() != 0;
        let announced = match self.size {
            BitmapSize::Iso => needed || bit_1 == Some(true),
            BitmapSize::Single => false,
            BitmapSize::Fixed128 => bit_1 == Some(true),
        };
        let bits = if announced { fields.with(1) } else { fields.without(1) };
        self.encoding.write_half(bits.primary(), out);
        if announced || self.size == BitmapSize::Fixed128 {
            self.encoding.write_half(bits.secondary(), out);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_are_counted_from_the_left() {
        let bitmap = Bitmap::EMPTY.with(2).with(64).with(65).with(128).with(1);
        assert_eq!(bitmap.to_string(), "C0000000000000018000000000000001");
        assert_eq!(bitmap.fields().collect::<Vec<_>>(), [2, 64, 65, 128]);
        assert_eq!(bitmap.below(65).fields().collect::<Vec<_>>(), [2, 64]);
        assert!(!bitmap.has(0) && !bitmap.has(129) && !bitmap.has(3));
        assert_eq!(bitmap.without(1).without(65).without(128).to_string(), "4000000000000001");
    }

    #[test]
    fn bit_1_stays_as_it_was_read() {
        for (size, wire) in [
            (BitmapSize::Iso, &[0x80u8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0][..]),
            (BitmapSize::Iso, &[0x40, 0, 0, 0, 0, 0, 0, 0]),
            (BitmapSize::Fixed128, &[0x40, 0, 0, 0, 0, 0, 0, 0, 0x04, 0, 0, 0, 0, 0, 0, 0]),
            (BitmapSize::Fixed128, &[0xC0, 0, 0, 0, 0, 0, 0, 0, 0x04, 0, 0, 0, 0, 0, 0, 0]),
        ] {
            let form = BitmapForm { encoding: BitmapEncoding::Binary, size };
            let (bitmap, end) = form.read(wire, 0).unwrap();
            let mut out = Vec::new();
            form.write(bitmap, Some(bitmap.has(1)), &mut out);
            assert_eq!((end, out.as_slice()), (wire.len(), wire));
        }
    }
}
