//! BER-TLV data objects as EMV uses them (EMV 4.3 book 3, annex B): tags of one to three bytes, lengths of one to three.
//!
//! Reading allocates nothing and trusts nothing: every length is checked against what is left, unknown tags are kept, zero
//! bytes between objects are skipped (annex B1 allows them). Issuer script templates 71 and 72 have the bit of a
//! constructed object but are often filled with something else, so a value is opened only on request ([`Tlv::children`]), and
//! [`walk`] stops at [`MAX_DEPTH`] templates.

use std::fmt;
use std::str::FromStr;

/// Templates inside templates that [`walk`] opens. EMV nests two deep; four leaves room for private use.
pub const MAX_DEPTH: u8 = 4;

/// A tag of one to three bytes, as a number: `0x9F02`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag(u32);

/// One data object.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Tlv<'a> {
    /// Its tag.
    pub tag: Tag,
    /// Its value.
    pub value: &'a [u8],
    /// Where the value starts, counted from the start of what was iterated.
    pub value_offset: usize,
}

/// What breaks the rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TlvFault {
    /// The data ends inside a tag.
    #[error("the data ends inside a tag")]
    TagTruncated,
    /// A tag of four or more bytes.
    #[error("a tag has more than three bytes")]
    TagTooLong,
    /// The data ends where the length should be.
    #[error("the data ends inside a length")]
    LengthTruncated,
    /// A length in another form than 00-7F, 81 xx or 82 xx xx.
    #[error("the length is in a form that EMV does not allow")]
    LengthForm,
    /// A length that runs past the end.
    #[error("length {length} runs past the end, where {left} bytes are left")]
    ValueTruncated {
        /// As sent.
        length: usize,
        /// What there is.
        left: usize,
    },
}

/// Where a data object breaks the rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("at byte {offset}: {fault}")]
pub struct TlvError {
    /// Its tag, if that could be read.
    pub tag: Option<Tag>,
    /// First byte of the broken object.
    pub offset: usize,
    /// How.
    pub fault: TlvFault,
}

impl Tag {
    /// From its number. `None` unless the bytes have the form of one complete tag.
    pub fn new(number: u32) -> Option<Tag> {
        let bytes = number.to_be_bytes();
        let first = bytes.iter().position(|b| *b != 0)?;
        match read_tag(&bytes[first..]) {
            Ok((tag, len)) if len == 4 - first => Some(tag),
            _ => None,
        }
    }

    /// `0x9F02` for 9F02.
    pub const fn number(self) -> u32 {
        self.0
    }

    /// Is the value itself made of data objects? (bit 6 of the first byte)
    pub const fn is_constructed(self) -> bool {
        let first = if self.0 > 0xFFFF {
            self.0 >> 16
        } else if self.0 > 0xFF {
            self.0 >> 8
        } else {
            self.0
        };
        first & 0x20 != 0
    }

    fn write(self, out: &mut Vec<u8>) {
        let bytes = self.0.to_be_bytes();
        let first = bytes.iter().position(|b| *b != 0).unwrap_or(3);
        out.extend_from_slice(&bytes[first..]);
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02X}", self.0)
    }
}

impl fmt::Debug for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tag({self})")
    }
}

/// Not the hex digits of one tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a tag is one to three bytes in hex, like 9F02")]
pub struct TagError;

impl FromStr for Tag {
    type Err = TagError;

    fn from_str(text: &str) -> Result<Tag, TagError> {
        if !matches!(text.len(), 2 | 4 | 6) || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(TagError);
        }
        u32::from_str_radix(text, 16).ok().and_then(Tag::new).ok_or(TagError)
    }
}

impl fmt::Debug for Tlv<'_> {
    /// The value may be a card number: only its length is shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tlv({}, {} bytes)", self.tag, self.value.len())
    }
}

impl<'a> Tlv<'a> {
    /// The data objects inside, if the tag says that there are any.
    pub fn children(&self) -> Option<Objects<'a>> {
        self.tag.is_constructed().then(|| objects(self.value))
    }
}

/// The data objects in `data`, one after the other. After an error the iteration ends.
pub fn objects(data: &[u8]) -> Objects<'_> {
    Objects { data, at: 0 }
}

/// The value of the first object with this tag, at the top level. Broken data after it does not matter.
pub fn find(data: &[u8], tag: Tag) -> Option<&[u8]> {
    objects(data).map_while(Result::ok).find(|object| object.tag == tag).map(|object| object.value)
}

/// Visits every object and, where a template's content is well formed, the objects inside it, at most [`MAX_DEPTH`] deep.
/// Offsets are those of the whole data.
pub fn walk<'a>(data: &'a [u8], visit: &mut impl FnMut(&Tlv<'a>, u8)) {
    walk_at(data, 0, 0, visit);
}

fn walk_at<'a>(data: &'a [u8], base: usize, depth: u8, visit: &mut impl FnMut(&Tlv<'a>, u8)) {
    for object in objects(data).map_while(Result::ok) {
        let placed = Tlv { value_offset: base + object.value_offset, ..object };
        visit(&placed, depth);
        if depth + 1 < MAX_DEPTH && object.tag.is_constructed() {
            walk_at(object.value, placed.value_offset, depth + 1, visit);
        }
    }
}

/// Appends one object, with the shortest form of its length. The value is at most 65535 bytes long; more is a caller's error
/// and is cut nowhere else than in an assertion.
pub fn write(out: &mut Vec<u8>, tag: Tag, value: &[u8]) {
    assert!(value.len() <= 0xFFFF, "a data object of at most 65535 bytes");
    tag.write(out);
    match value.len() {
        len @ 0..=0x7F => out.push(len as u8),
        len @ 0x80..=0xFF => out.extend_from_slice(&[0x81, len as u8]),
        len => out.extend_from_slice(&[0x82, (len >> 8) as u8, len as u8]),
    }
    out.extend_from_slice(value);
}

/// Iterator over data objects; made by [`objects`].
#[derive(Clone, Debug)]
pub struct Objects<'a> {
    data: &'a [u8],
    at: usize,
}

impl<'a> Iterator for Objects<'a> {
    type Item = Result<Tlv<'a>, TlvError>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.data.get(self.at) == Some(&0) {
            self.at += 1;
        }
        let rest = self.data.get(self.at..).filter(|rest| !rest.is_empty())?;
        let start = self.at;
        let outcome = read_object(rest);
        self.at = match &outcome {
            Ok((_, header, value)) => start + header + value.len(),
            Err(_) => self.data.len(),
        };
        Some(match outcome {
            Ok((tag, header, value)) => Ok(Tlv { tag, value, value_offset: start + header }),
            Err((tag, fault)) => Err(TlvError { tag, offset: start, fault }),
        })
    }
}

type Broken = (Option<Tag>, TlvFault);

fn read_object(data: &[u8]) -> Result<(Tag, usize, &[u8]), Broken> {
    let (tag, tag_len) = read_tag(data).map_err(|fault| (None, fault))?;
    let (length, length_len) = read_length(&data[tag_len..]).map_err(|fault| (Some(tag), fault))?;
    let header = tag_len + length_len;
    let left = data.len() - header;
    match data.get(header..header + length) {
        Some(value) => Ok((tag, header, value)),
        None => Err((Some(tag), TlvFault::ValueTruncated { length, left })),
    }
}

/// Annex B1: when the low five bits of the first byte are all set, more bytes follow while their top bit is set.
fn read_tag(data: &[u8]) -> Result<(Tag, usize), TlvFault> {
    let first = *data.first().ok_or(TlvFault::TagTruncated)?;
    if first & 0x1F != 0x1F {
        return Ok((Tag(u32::from(first)), 1));
    }
    let mut number = u32::from(first);
    for len in 2..=3 {
        let byte = *data.get(len - 1).ok_or(TlvFault::TagTruncated)?;
        number = (number << 8) | u32::from(byte);
        if byte & 0x80 == 0 {
            return Ok((Tag(number), len));
        }
    }
    Err(TlvFault::TagTooLong)
}

/// Annex B2, at most two bytes of length.
fn read_length(data: &[u8]) -> Result<(usize, usize), TlvFault> {
    match *data {
        [] | [0x81] | [0x82] | [0x82, _] => Err(TlvFault::LengthTruncated),
        [len @ 0..=0x7F, ..] => Ok((usize::from(len), 1)),
        [0x81, len, ..] => Ok((usize::from(len), 2)),
        [0x82, high, low, ..] => Ok((usize::from(u16::from_be_bytes([high, low])), 3)),
        _ => Err(TlvFault::LengthForm),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(hex: &str, expected: Result<&[(&str, usize)], (usize, TlvFault)>) {
        let data = crate::encoding::hex_bytes(hex).unwrap();
        let got: Result<Vec<_>, _> =
            objects(&data).map(|o| o.map(|o| (o.tag.to_string(), o.value.len()))).collect();
        match (got, expected) {
            (Ok(got), Ok(expected)) => {
                let got: Vec<_> = got.iter().map(|(tag, len)| (tag.as_str(), *len)).collect();
                assert_eq!(got, expected, "{hex}");
            }
            (Err(e), Err(expected)) => assert_eq!((e.offset, e.fault), expected, "{hex}"),
            (got, expected) => panic!("{hex}: {got:?} instead of {expected:?}"),
        }
    }

    #[test]
    fn tags_of_one_to_three_bytes_and_lengths_of_one_to_three() {
        check("82023900", Ok(&[("82", 2)]));
        check("9F360200349F3700", Ok(&[("9F36", 2), ("9F37", 0)]));
        check("DF812904AABBCCDD", Ok(&[("DF8129", 4)]));
        check("848101AA84820002AABB", Ok(&[("84", 1), ("84", 2)]));
        check("0000820239000000950100", Ok(&[("82", 2), ("95", 1)]));
        check("", Ok(&[]));
        check("0000", Ok(&[]));
    }

    #[test]
    fn what_is_broken_is_said_with_its_place() {
        check("82", Err((0, TlvFault::LengthTruncated)));
        check("9F", Err((0, TlvFault::TagTruncated)));
        check("9F02", Err((0, TlvFault::LengthTruncated)));
        check("DF8181", Err((0, TlvFault::TagTooLong)));
        check("8202390095050000", Err((4, TlvFault::ValueTruncated { length: 5, left: 2 })));
        check("8481", Err((0, TlvFault::LengthTruncated)));
        check("848200", Err((0, TlvFault::LengthTruncated)));
        check("8480", Err((0, TlvFault::LengthForm)));
        check("8483000001AA", Err((0, TlvFault::LengthForm)));
    }

    #[test]
    fn templates_are_walked_but_not_without_end() {
        let mut data = vec![0x82, 0x00];
        for _ in 0..20 {
            let inner = std::mem::take(&mut data);
            write(&mut data, Tag::new(0x70).unwrap(), &inner);
        }
        let mut deepest = 0;
        walk(&data, &mut |_, depth| deepest = deepest.max(depth));
        assert_eq!(deepest, MAX_DEPTH - 1);
    }

    #[test]
    fn what_is_written_is_read_again() {
        for len in [0, 1, 0x7F, 0x80, 0xFF, 0x100, 0xFFFF] {
            for tag in [0x82, 0x9F02, 0xDF_8129] {
                let (tag, value, mut out) = (Tag::new(tag).unwrap(), vec![0xA5; len], Vec::new());
                write(&mut out, tag, &value);
                assert_eq!(find(&out, tag), Some(value.as_slice()));
            }
        }
    }

    #[test]
    fn a_tag_is_read_from_hex() {
        assert_eq!("9F02".parse::<Tag>().map(Tag::number), Ok(0x9F02));
        for bad in ["", "9", "9F", "9F8", "9F81", "8202", "DF81298", "ZZ", "00"] {
            assert_eq!(bad.parse::<Tag>(), Err(TagError), "{bad}");
        }
    }
}
