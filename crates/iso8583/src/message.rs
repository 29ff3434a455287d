//! A decoded message: a view of the bytes it came in, with the place of every field.
//!
//! Decoding is one walk over the bitmap (ISO 8583:1987 4.2): for each bit that is set, the dialect's row says how long the field is and
//! which bytes are legal, and the walk notes where the field starts. Nothing is copied and nothing is allocated; values are
//! read out of the bytes when somebody asks. Every byte has to belong to something, the last one included.
//!
//! Structure and content fail differently. A wrong length ends the walk, since nothing after it can be trusted. A wrong
//! character does not: the walk goes on, and the first such error is reported at the end with everything else readable.

use crate::bitmap::{Bitmap, FieldNumbers};
use crate::encoding::{Content, Encoding, FROM_EBCDIC, hex_digit};
use crate::error::{DecodeError, Fault, Place};
use crate::field::{Align, Extent, FieldSpec};
use crate::mti::Mti;
use crate::spec::Dialect;
use crate::tlv::{self, Objects, Tag};
use std::fmt;

/// The longest message that is decoded or encoded. Offsets are kept in 16 bits, and no framing carries more.
pub const MAX_BODY_LEN: usize = 0xFFFF;

/// A decoded message. Cheap to pass by reference; it borrows the dialect and the bytes.
#[derive(Clone)]
pub struct Message<'a> {
    dialect: &'a Dialect,
    body: &'a [u8],
    mti: Mti,
    bitmap: Bitmap,
    /// The fields whose place is known. Equal to the bitmap's, unless decoding broke off.
    located: Bitmap,
    /// Where each located field starts, its length prefix included.
    starts: [u16; 129],
}

struct Failure {
    place: Place,
    offset: usize,
    fault: Fault,
}

impl Dialect {
    /// Reads one message. The error carries what could be read all the same.
    #[allow(
        clippy::result_large_err,
        reason = "boxing would allocate, and the error holds the partial message"
    )]
    pub fn decode<'a>(&'a self, body: &'a [u8]) -> Result<Message<'a>, DecodeError<'a>> {
        // Built where it is returned: the table of starts is the largest thing here and is not to be copied.
        let mut result = Ok(Message::unread(self, body));
        if let Ok(message) = &mut result
            && let Err(Failure { place, offset, fault }) = message.read()
        {
            let partial = message.clone();
            result = Err(DecodeError { place, offset, fault, partial });
        }
        result
    }
}

impl<'a> Message<'a> {
    const fn unread(dialect: &'a Dialect, body: &'a [u8]) -> Message<'a> {
        Message {
            dialect,
            body,
            mti: Mti::ZERO,
            bitmap: Bitmap::EMPTY,
            located: Bitmap::EMPTY,
            starts: [0; 129],
        }
    }

    fn read(&mut self) -> Result<(), Failure> {
        let (dialect, body) = (self.dialect, self.body);
        if body.len() > MAX_BODY_LEN {
            let fault = Fault::Oversized { length: body.len(), max: MAX_BODY_LEN };
            return Err(Failure { place: Place::Message, offset: 0, fault });
        }
        let (mti, after_mti) = dialect.mti_encoding().read(body).map_err(|fault| Failure {
            place: Place::Mti,
            offset: 0,
            fault,
        })?;
        self.mti = mti;
        let (bitmap, at) =
            dialect.bitmap_form().read(body, after_mti).map_err(|(second, offset, fault)| Failure {
                place: if second { Place::Field(1) } else { Place::Bitmap },
                offset,
                fault,
            })?;
        self.bitmap = bitmap;
        self.read_fields(at)
    }

    fn read_fields(&mut self, mut at: usize) -> Result<(), Failure> {
        let (dialect, body) = (self.dialect, self.body);
        let mut wrong_content = WrongContent::default();
        self.located = self.bitmap;
        for n in self.bitmap.fields() {
            let spec = dialect.field(n);
            let Some(extent) = spec.measure(body, at).filter(|_| spec.defined) else {
                let fault = if spec.defined { spec.misplaced(body, at) } else { Fault::Undefined };
                self.located = self.bitmap.below(n);
                let broken = Failure { place: Place::Field(n), offset: at, fault };
                return Err(wrong_content.first(self).unwrap_or(broken));
            };
            self.starts[usize::from(n)] = at as u16;
            if !spec.is_legal(body, extent) {
                let (fault, offset) = spec.illegal(body, extent);
                wrong_content.note(dialect, Failure { place: Place::Field(n), offset, fault }, n);
            }
            at = extent.end;
        }
        if let Some(failure) = wrong_content.first(self) {
            return Err(failure);
        }
        if at != body.len() {
            let fault = Fault::Trailing { count: body.len() - at };
            return Err(Failure { place: Place::Message, offset: at, fault });
        }
        Ok(())
    }

    /// The dialect it was read with.
    pub const fn dialect(&self) -> &'a Dialect {
        self.dialect
    }

    /// The bytes it was read from, from the message type to the last field.
    pub const fn body(&self) -> &'a [u8] {
        self.body
    }

    /// The message type.
    pub const fn mti(&self) -> Mti {
        self.mti
    }

    /// The bitmap as sent, bit 1 included.
    pub const fn bitmap(&self) -> Bitmap {
        self.bitmap
    }

    /// Is data element `n` (2 to 128) there?
    pub const fn has(&self, n: u8) -> bool {
        n >= 2 && self.located.has(n)
    }

    /// The numbers of the fields that are there, ascending, without 1.
    pub fn fields(&self) -> FieldNumbers {
        self.located.fields()
    }

    pub(crate) fn extent(&self, n: u8) -> Option<(&'a FieldSpec, Extent)> {
        if !self.has(n) {
            return None;
        }
        let spec = self.dialect.field(n);
        let extent = spec.measure(self.body, usize::from(self.starts[usize::from(n)]))?;
        Some((spec, extent))
    }

    /// The bytes of the value as they are on the wire, without the length prefix.
    pub fn raw(&self, n: u8) -> Option<&'a [u8]> {
        self.extent(n).map(|(_, extent)| &self.body[extent.start..extent.end])
    }

    /// Where field `n` starts in [`Message::body`], its length prefix included.
    pub fn offset_of(&self, n: u8) -> Option<usize> {
        self.has(n).then(|| usize::from(self.starts[usize::from(n)]))
    }

    /// Everything from the message type to the last byte before field `n`. Before the MAC field this is the block that the MAC
    /// is computed over (ISO 9807).
    pub fn before(&self, n: u8) -> Option<&'a [u8]> {
        self.offset_of(n).map(|offset| &self.body[..offset])
    }

    /// The field that carries the MAC: 128 where there is one, else 64.
    pub fn mac_field(&self) -> Option<u8> {
        [128, 64].into_iter().find(|n| self.has(*n))
    }

    /// The value in readable notation: digits, characters, hex for binary.
    pub fn text(&self, n: u8) -> Option<FieldText<'a>> {
        self.extent(n).map(|(spec, extent)| FieldText {
            spec,
            value: &self.body[extent.start..extent.end],
            units: extent.units,
        })
    }

    /// Appends [`Message::text`]; `false` if the field is not there.
    pub fn write_text(&self, n: u8, out: &mut String) -> bool {
        match self.text(n) {
            Some(text) => {
                out.extend(text.characters().map(char::from));
                true
            }
            None => false,
        }
    }

    /// The value as a number. `None` if the field is not there, is empty, is not all digits or does not fit.
    pub fn digits(&self, n: u8) -> Option<u64> {
        self.text(n)?.number()
    }

    /// The value where characters are ASCII on the wire, borrowed. `None` for every other encoding.
    pub fn ascii(&self, n: u8) -> Option<&'a str> {
        let (spec, extent) = self.extent(n)?;
        let value = &self.body[extent.start..extent.end];
        (spec.axes.encoding == Encoding::Ascii && value.is_ascii())
            .then(|| std::str::from_utf8(value).ok())?
    }

    /// The value in readable notation without allocation, in any encoding; `None` above [`ShortText::CAPACITY`] characters.
    pub fn short(&self, n: u8) -> Option<ShortText> {
        let text = self.text(n)?;
        text.packed_digits()
            .or_else(|| text.plain().and_then(ShortText::of))
            .or_else(|| ShortText::collect(text.characters()))
    }

    /// A sub-field of a composite field: `sub(60, "2")` is the batch number, `sub(55, "9F02")` the amount that the card saw. A
    /// sub-field that is cut off is not there; every sub-field before it is.
    pub fn sub(&self, n: u8, id: &str) -> Option<ShortText> {
        let text = self.text(n)?;
        let Some((start, end)) = self.dialect.note(n).sub_range(id, text.units) else {
            let value = self.tag(n, id.parse().ok()?)?;
            return ShortText::collect(hex_of(value));
        };
        if text.spec.axes.encoding == Encoding::Bcd {
            return ShortText::collect((start..end.min(text.units)).map(|i| text.packed_character(i)));
        }
        match text.plain().and_then(|plain| plain.get(start..end)) {
            Some(part) => ShortText::of(part),
            None => ShortText::collect(text.characters().skip(start).take(end - start)),
        }
    }

    /// The data objects of a BER-TLV field.
    pub fn objects(&self, n: u8) -> Option<Objects<'a>> {
        let (spec, extent) = self.extent(n)?;
        (spec.composite == crate::field::Composite::Tlv)
            .then(|| tlv::objects(&self.body[extent.start..extent.end]))
    }

    /// The value of one data object of a BER-TLV field.
    pub fn tag(&self, n: u8, tag: Tag) -> Option<&'a [u8]> {
        self.objects(n)?.map_while(Result::ok).find(|object| object.tag == tag).map(|object| object.value)
    }

    /// Where the value of a field starts, behind its length prefix.
    pub(crate) fn value_offset(&self, n: u8) -> Option<usize> {
        self.extent(n).map(|(_, extent)| extent.start)
    }

    /// Digit `index` (from 1) of field `n`, if it is there and is a digit.
    pub(crate) fn digit(&self, n: u8, index: u8) -> Option<u8> {
        let c = self.text(n)?.characters().nth(usize::from(index).checked_sub(1)?)?;
        c.is_ascii_digit().then(|| c - b'0')
    }
}

impl fmt::Debug for Message<'_> {
    /// No values: a message is mostly card data.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Message({} {} ", self.dialect.name(), self.mti)?;
        f.debug_list().entries(self.fields()).finish()?;
        f.write_str(")")
    }
}

/// Fields whose characters are wrong. Track data may be encrypted when another field says so, and that field comes later, so
/// its verdict waits for the end of the walk.
#[derive(Default)]
struct WrongContent {
    first: Option<Failure>,
    unless_encrypted: Option<(Failure, (u8, u8))>,
}

impl WrongContent {
    #[cold]
    fn note(&mut self, dialect: &Dialect, failure: Failure, n: u8) {
        match (dialect.note(n).encrypted_by, failure.fault) {
            (Some(condition), Fault::Character(Content::Track) | Fault::Padding) => {
                self.unless_encrypted.get_or_insert((failure, condition));
            }
            _ => {
                self.first.get_or_insert(failure);
            }
        }
    }

    #[inline]
    fn first(&mut self, message: &Message<'_>) -> Option<Failure> {
        if self.first.is_none() && self.unless_encrypted.is_none() {
            return None;
        }
        self.judge(message)
    }

    #[cold]
    fn judge(&mut self, message: &Message<'_>) -> Option<Failure> {
        let track = self
            .unless_encrypted
            .take()
            .filter(|(_, (field, digit))| message.digit(*field, *digit) != Some(1))
            .map(|(failure, _)| failure);
        match (self.first.take(), track) {
            (Some(a), Some(b)) => Some(if a.offset <= b.offset { a } else { b }),
            (a, b) => a.or(b),
        }
    }
}

/// A field's value, ready to be shown: digits for packed numbers, characters for text (a byte that is not printable is written
/// `\xNN`, with NN the byte on the wire), track data with `D`, upper-case hex for binary. Spaces that pad a text stay.
#[derive(Clone, Copy)]
pub struct FieldText<'a> {
    spec: &'a FieldSpec,
    value: &'a [u8],
    units: usize,
}

impl<'a> FieldText<'a> {
    /// Characters of the value; bytes for binary fields.
    pub const fn len(&self) -> usize {
        self.units
    }

    /// Is the value of no length? Legal for variable fields.
    pub const fn is_empty(&self) -> bool {
        self.units == 0
    }

    /// The characters of the notation, all ASCII.
    pub fn characters(&self) -> Characters<'a> {
        Characters { text: *self, at: 0, pending: [0; 3], pending_len: 0 }
    }

    /// The value as a number, if it is all digits and fits.
    pub fn number(&self) -> Option<u64> {
        if self.units == 0 {
            return None;
        }
        let append = |sum: u64, c: u8| {
            let digit = c.is_ascii_digit().then(|| u64::from(c - b'0'))?;
            sum.checked_mul(10)?.checked_add(digit)
        };
        match self.spec.axes.encoding {
            Encoding::Bcd => (0..self.units).map(|i| self.packed_character(i)).try_fold(0, append),
            _ => self.characters().try_fold(0, append),
        }
    }

    /// The value where its bytes are its notation: printable ASCII without a backslash.
    fn plain(&self) -> Option<&'a [u8]> {
        let plain = |c: &u8| (0x20..=0x7E).contains(c) & (*c != b'\\');
        (self.spec.axes.encoding == Encoding::Ascii && self.value.iter().all(plain)).then_some(self.value)
    }

    fn packed_character(&self, i: usize) -> u8 {
        hex_digit(self.spec.nibble(self.value, self.units, i))
    }

    fn byte(&self, at: usize) -> Option<u8> {
        self.value.get(at).copied()
    }

    /// Packed digits, unpacked byte by byte instead of digit by digit.
    fn packed_digits(&self) -> Option<ShortText> {
        if self.spec.axes.encoding != Encoding::Bcd || self.value.len() * 2 > ShortText::CAPACITY {
            return None;
        }
        let mut text = ShortText { len: self.units as u8, bytes: [0; ShortText::CAPACITY] };
        for (pair, byte) in text.bytes.chunks_exact_mut(2).zip(self.value) {
            pair.copy_from_slice(&[hex_digit(byte >> 4), hex_digit(*byte)]);
        }
        if self.units % 2 == 1 && self.spec.axes.align == Align::Right {
            text.bytes.copy_within(1..=self.units, 0);
        }
        Some(text)
    }
}

impl fmt::Display for FieldText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write;
        self.characters().try_for_each(|c| f.write_char(char::from(c)))
    }
}

/// Iterator over the notation of a value.
#[derive(Clone)]
pub struct Characters<'a> {
    text: FieldText<'a>,
    at: usize,
    pending: [u8; 3],
    pending_len: u8,
}

impl Characters<'_> {
    fn escape(&mut self, byte: u8) -> u8 {
        self.pending = [hex_digit(byte), hex_digit(byte >> 4), b'x'];
        self.pending_len = 3;
        b'\\'
    }

    fn next_character(&mut self) -> Option<u8> {
        let (byte, encoding) = (self.text.byte(self.at)?, self.text.spec.axes.encoding);
        self.at += 1;
        let c = if encoding == Encoding::Ebcdic { FROM_EBCDIC[usize::from(byte)] } else { byte };
        let printable = (0x20..=0x7E).contains(&c);
        // A backslash that would read as the start of an escape is escaped itself.
        if !printable || (c == b'\\' && self.looks_like_escape()) { Some(self.escape(byte)) } else { Some(c) }
    }

    fn looks_like_escape(&self) -> bool {
        let ebcdic = self.text.spec.axes.encoding == Encoding::Ebcdic;
        let c = |i: usize| {
            self.text.byte(self.at + i).map(|b| if ebcdic { FROM_EBCDIC[usize::from(b)] } else { b })
        };
        c(0) == Some(b'x') && [c(1), c(2)].iter().all(|c| c.is_some_and(|c| c.is_ascii_hexdigit()))
    }
}

impl Iterator for Characters<'_> {
    type Item = u8;

    fn next(&mut self) -> Option<u8> {
        if self.pending_len > 0 {
            self.pending_len -= 1;
            return Some(self.pending[usize::from(self.pending_len)]);
        }
        match self.text.spec.axes.encoding {
            Encoding::Ascii | Encoding::Ebcdic => self.next_character(),
            Encoding::Bcd => {
                let i = self.at;
                self.at += 1;
                (i < self.text.units).then(|| self.text.packed_character(i))
            }
            Encoding::Binary => {
                let i = self.at;
                self.at += 1;
                let byte = self.text.byte(i / 2)?;
                Some(hex_digit(if i.is_multiple_of(2) { byte >> 4 } else { byte }))
            }
            Encoding::Hex => self.next_character().map(|c| c.to_ascii_uppercase()),
        }
    }
}

pub(crate) fn hex_of(bytes: &[u8]) -> impl Iterator<Item = u8> {
    bytes.iter().flat_map(|b| [hex_digit(b >> 4), hex_digit(*b)])
}

/// A short text in place, so that a trace number or a terminal costs no allocation. It reads as a `str`.
#[derive(Clone, Copy)]
pub struct ShortText {
    len: u8,
    bytes: [u8; ShortText::CAPACITY],
}

impl ShortText {
    /// Long enough for the longest track 2, the original data elements (F90, 42) and a 32-byte binary value.
    pub const CAPACITY: usize = 64;

    fn collect(characters: impl Iterator<Item = u8>) -> Option<ShortText> {
        let mut text = ShortText { len: 0, bytes: [0; ShortText::CAPACITY] };
        for c in characters {
            *text.bytes.get_mut(usize::from(text.len))? = c;
            text.len += 1;
        }
        Some(text)
    }

    /// Of ASCII characters, if they are few enough.
    fn of(characters: &[u8]) -> Option<ShortText> {
        let mut text = ShortText { len: characters.len() as u8, bytes: [0; ShortText::CAPACITY] };
        text.bytes.get_mut(..characters.len())?.copy_from_slice(characters);
        Some(text)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        // Only ASCII is collected.
        std::str::from_utf8(&self.bytes[..usize::from(self.len)]).unwrap_or_default()
    }
}

impl std::ops::Deref for ShortText {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl AsRef<str> for ShortText {
    fn as_ref(&self) -> &str {
        self
    }
}

impl PartialEq for ShortText {
    fn eq(&self, other: &ShortText) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for ShortText {}

impl PartialEq<str> for ShortText {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<&str> for ShortText {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

impl fmt::Display for ShortText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}

impl fmt::Debug for ShortText {
    /// Only the length: it may be a card number.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ShortText({} characters)", self.len)
    }
}
