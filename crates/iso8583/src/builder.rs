//! Building and encoding a message.
//!
//! A [`MessageBuilder`] collects values in the readable notation and knows no dialect; [`MessageBuilder::encode`] writes them
//! as one dialect wants them, and says which field can not be written and why. A decoded [`Message`] turns into a builder that
//! keeps its bytes exactly, pads and bit 1 included, so that changing one field of a message changes nothing else.
//!
//! The MAC comes last and covers what was written before it. [`MessageBuilder::encode_for_mac`] writes the message with a place
//! for it and says which bytes to authenticate; [`MessageBuilder::encode_signed`] does the same with a closure.

use crate::bitmap::Bitmap;
use crate::encoding::{Content, Encoding, TO_EBCDIC, hex_digit, hex_into, hex_value};
use crate::error::{EncodeError, EncodeFault};
use crate::field::{Align, Composite, Extent, FieldSpec};
use crate::message::{MAX_BODY_LEN, Message};
use crate::mti::Mti;
use crate::spec::Dialect;
use crate::tlv::{self, Tag};
use std::ops::Range;

/// A message under construction.
#[derive(Clone)]
pub struct MessageBuilder {
    mti: Mti,
    fields: Bitmap,
    /// Bit 1 as it was read, where the message was read.
    bit_1: Option<bool>,
    /// Index of a field's slot, plus one.
    slots_of: [u8; 129],
    slots: Vec<Slot>,
    /// The values of all slots, one after the other.
    values: Vec<u8>,
    /// Sub-fields and data objects, in the order in which they were set.
    parts: Vec<Part>,
}

#[derive(Clone, Copy)]
struct Slot {
    kind: Kind,
    start: usize,
    end: usize,
}

#[derive(Clone, Copy)]
enum Kind {
    /// The readable notation.
    Text,
    /// The bytes that the notation stands for.
    Bytes,
    /// As it was on the wire, with so many characters.
    Wire { units: usize },
    /// Put together from [`Part`]s.
    Parts,
}

#[derive(Clone)]
struct Part {
    field: u8,
    path: String,
    value: PartValue,
}

#[derive(Clone)]
enum PartValue {
    Text(String),
    Bytes(Vec<u8>),
}

/// Where the MAC goes in an encoded message, and what it covers. Both ranges index the buffer that was written to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MacSlot {
    /// From the message type to the last byte before the MAC field.
    pub covered: Range<usize>,
    /// The MAC field's value.
    pub value: Range<usize>,
}

impl MessageBuilder {
    /// A message of this type without fields.
    pub fn new(mti: Mti) -> MessageBuilder {
        MessageBuilder {
            mti,
            fields: Bitmap::EMPTY,
            bit_1: None,
            slots_of: [0; 129],
            slots: Vec::with_capacity(24),
            values: Vec::with_capacity(256),
            parts: Vec::new(),
        }
    }

    /// The message type.
    pub const fn mti(&self) -> Mti {
        self.mti
    }

    /// Changes the message type.
    pub fn set_mti(&mut self, mti: Mti) -> &mut Self {
        self.mti = mti;
        self
    }

    /// Is field `n` set?
    pub const fn has(&self, n: u8) -> bool {
        self.fields.has(n)
    }

    /// Sets field `n` in the notation that [`Message::text`] gives. Numbers outside 2 to 128 are refused when encoding.
    pub fn set(&mut self, n: u8, text: &str) -> &mut Self {
        self.put(n, Kind::Text, text.as_bytes())
    }

    /// Sets field `n` from bytes: of a binary field its value, of a text field its characters as they go on the wire.
    pub fn set_bytes(&mut self, n: u8, bytes: &[u8]) -> &mut Self {
        self.put(n, Kind::Bytes, bytes)
    }

    /// Sets a sub-field, `set_sub(60, "2", "000001")`, or a data object in hex, `set_sub(55, "9F02", "000000010000")`. Data
    /// objects are written in the order of their tags. What the field was set to as a whole before is dropped.
    pub fn set_sub(&mut self, n: u8, id: &str, text: &str) -> &mut Self {
        self.put_part(n, id, PartValue::Text(text.to_owned()))
    }

    /// Sets one data object of a BER-TLV field.
    pub fn set_tag(&mut self, n: u8, tag: Tag, value: &[u8]) -> &mut Self {
        self.put_part(n, &tag.to_string(), PartValue::Bytes(value.to_vec()))
    }

    /// Sets what a path names, as [`crate::Fields`] lists it: `4`, `55.9F02`, `60.2`. A repeated object `55.9F02#2` is added to
    /// the first. Paths that describe the frame or the bitmap (`len`, `tpdu`, `header`, `mti`, `bitmap`, `1`) are passed over,
    /// so that a whole listing can be fed back.
    pub fn set_path(&mut self, path: &str, text: &str) -> &mut Self {
        if matches!(path, "len" | "tpdu" | "header" | "mti" | "bitmap" | "1") {
            return self;
        }
        match path.split_once('.') {
            Some((n, id)) => self.put_part(n.parse().unwrap_or(0), id, PartValue::Text(text.to_owned())),
            None => self.set(path.parse().unwrap_or(0), text),
        }
    }

    /// Takes field `n` away.
    pub fn remove(&mut self, n: u8) -> &mut Self {
        self.fields = self.fields.without(n);
        self.parts.retain(|part| part.field != n);
        self
    }

    /// Copies field `n` of a message as it is on the wire; does nothing if it is not there. Both sides must be of one dialect.
    pub fn copy(&mut self, from: &Message<'_>, n: u8) -> &mut Self {
        if let Some((_, extent)) = from.extent(n) {
            self.put(n, Kind::Wire { units: extent.units }, &from.body()[extent.start..extent.end]);
        }
        self
    }

    fn put(&mut self, n: u8, kind: Kind, value: &[u8]) -> &mut Self {
        if !self.parts.is_empty() {
            self.parts.retain(|part| part.field != n);
        }
        let start = self.values.len();
        self.values.extend_from_slice(value);
        self.slot(n, Slot { kind, start, end: self.values.len() });
        self
    }

    fn put_part(&mut self, n: u8, path: &str, value: PartValue) -> &mut Self {
        self.parts.retain(|part| !(part.field == n && part.path == path));
        self.parts.push(Part { field: n, path: path.to_owned(), value });
        self.slot(n, Slot { kind: Kind::Parts, start: 0, end: 0 });
        self
    }

    /// A number out of range is kept in slot 0, which encoding refuses.
    fn slot(&mut self, n: u8, slot: Slot) {
        let n = if (2..=128).contains(&n) { n } else { 0 };
        self.fields = self.fields.with(n);
        match usize::from(self.slots_of[usize::from(n)]) {
            0 => {
                self.slots.push(slot);
                self.slots_of[usize::from(n)] = self.slots.len() as u8;
            }
            known => self.slots[known - 1] = slot,
        }
    }

    /// Appends the message in this dialect to `out`. On an error nothing is appended.
    pub fn encode(&self, dialect: &Dialect, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let start = out.len();
        self.write(dialect, out, self.fields, None).map(drop).inspect_err(|_| out.truncate(start))
    }

    /// Appends the message with a MAC field of zeros, whether or not one was set: 128 if there are fields above 64, else 64.
    pub fn encode_for_mac(&self, dialect: &Dialect, out: &mut Vec<u8>) -> Result<MacSlot, EncodeError> {
        let start = out.len();
        let mac_field = if self.fields.without(128).secondary() != 0 { 128 } else { 64 };
        let fields = self.fields.without(128).without(64).with(mac_field);
        let value = self.write(dialect, out, fields, Some(mac_field)).inspect_err(|_| out.truncate(start))?;
        Ok(MacSlot { covered: start..value.start, value })
    }

    /// Appends the message with the MAC that `mac` computes over the bytes from the message type to the field before it.
    pub fn encode_signed(
        &self,
        dialect: &Dialect,
        out: &mut Vec<u8>,
        mac: impl FnOnce(&[u8]) -> [u8; 8],
    ) -> Result<(), EncodeError> {
        let slot = self.encode_for_mac(dialect, out)?;
        let value = mac(&out[slot.covered.clone()]);
        slot.fill(out, &value);
        Ok(())
    }

    /// Writes everything and returns where the value of `mac_field` is, for which zeros are written.
    fn write(
        &self,
        dialect: &Dialect,
        out: &mut Vec<u8>,
        fields: Bitmap,
        mac_field: Option<u8>,
    ) -> Result<Range<usize>, EncodeError> {
        let start = out.len();
        if self.slots_of[0] != 0 {
            return Err(EncodeError { field: 0, path: String::new(), fault: EncodeFault::Undefined });
        }
        dialect.mti_encoding().write(self.mti, out);
        dialect.bitmap_form().write(fields, self.bit_1, out);
        let mut mac = 0..0;
        for n in fields.fields() {
            let field = FieldWriter::new(dialect, n)?;
            if mac_field == Some(n) {
                mac = field.write_placeholder(out)?;
                continue;
            }
            field.write_slot(self, self.slots[usize::from(self.slots_of[usize::from(n)]) - 1], out)?;
        }
        let length = out.len() - start;
        if length > MAX_BODY_LEN {
            let fault = EncodeFault::Oversized { length, max: MAX_BODY_LEN };
            return Err(EncodeError { field: 0, path: String::new(), fault });
        }
        Ok(mac)
    }
}

impl MacSlot {
    /// Puts the MAC into the message, in hex where the field is twice as long.
    pub fn fill(&self, out: &mut [u8], mac: &[u8; 8]) {
        let place = &mut out[self.value.clone()];
        if place.len() == mac.len() {
            place.copy_from_slice(mac);
        } else {
            for (pair, byte) in place.chunks_exact_mut(2).zip(mac) {
                pair.copy_from_slice(&[hex_digit(byte >> 4), hex_digit(*byte)]);
            }
        }
    }
}

impl From<&Message<'_>> for MessageBuilder {
    fn from(message: &Message<'_>) -> MessageBuilder {
        let mut builder = MessageBuilder::new(message.mti());
        builder.bit_1 = Some(message.bitmap().has(1));
        for n in message.fields() {
            builder.copy(message, n);
        }
        builder
    }
}

impl std::fmt::Debug for MessageBuilder {
    /// No values: a message is mostly card data.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "MessageBuilder({} ", self.mti)?;
        f.debug_list().entries(self.fields.fields()).finish()?;
        f.write_str(")")
    }
}

struct FieldWriter<'d> {
    dialect: &'d Dialect,
    spec: &'d FieldSpec,
    n: u8,
}

impl<'d> FieldWriter<'d> {
    fn new(dialect: &'d Dialect, n: u8) -> Result<FieldWriter<'d>, EncodeError> {
        let spec = dialect.field(n);
        let writer = FieldWriter { dialect, spec, n };
        if spec.defined { Ok(writer) } else { Err(writer.error(EncodeFault::Undefined)) }
    }

    fn error(&self, fault: EncodeFault) -> EncodeError {
        self.error_in("", fault)
    }

    fn error_in(&self, path: &str, fault: EncodeFault) -> EncodeError {
        EncodeError { field: self.n, path: path.to_owned(), fault }
    }

    fn write_slot(&self, builder: &MessageBuilder, slot: Slot, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let value = &builder.values[slot.start..slot.end];
        match slot.kind {
            Kind::Wire { units } => self.write_wire(value, units, out),
            Kind::Text => self.write_text(value, out),
            Kind::Bytes => self.write_bytes(value, out),
            Kind::Parts => {
                let parts = builder.parts.iter().filter(|part| part.field == self.n);
                match self.spec.composite {
                    Composite::Tlv => self.write_objects(parts, out),
                    Composite::Sub => self.write_subs(parts, out),
                    Composite::Plain => Err(self.error(EncodeFault::NoSuchSubfield)),
                }
            }
        }
    }

    fn write_placeholder(&self, out: &mut Vec<u8>) -> Result<Range<usize>, EncodeError> {
        self.check_length(8)?;
        let field_start = out.len();
        let filler = if self.spec.axes.encoding == Encoding::Binary { 0 } else { b'0' };
        let bytes = self.spec.wire_len(8);
        self.spec.write_prefix(out, 8, bytes);
        debug_assert_eq!(out.len() - field_start, self.spec.prefix_len());
        let start = out.len();
        out.resize(start + bytes, filler);
        Ok(start..out.len())
    }

    fn write_wire(&self, value: &[u8], units: usize, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        self.check_length(units)?;
        if value.len() != self.spec.wire_len(units) {
            return Err(
                self.error(EncodeFault::Length { length: value.len(), max: self.spec.wire_len(units) })
            );
        }
        self.spec.write_prefix(out, units, value.len());
        out.extend_from_slice(value);
        Ok(())
    }

    fn check_length(&self, units: usize) -> Result<(), EncodeError> {
        let (length, max) = (units, self.spec.longest());
        match self.spec.is_variable() {
            true if length > max => Err(self.error(EncodeFault::TooLong { length, max })),
            false if length != max => Err(self.error(EncodeFault::Length { length, max })),
            _ => Ok(()),
        }
    }

    fn write_text(&self, text: &[u8], out: &mut Vec<u8>) -> Result<(), EncodeError> {
        match self.spec.axes.encoding {
            Encoding::Ascii | Encoding::Ebcdic => self.write_characters(text, out),
            Encoding::Bcd => self.write_packed(text, out),
            Encoding::Binary | Encoding::Hex => {
                let mut bytes = vec![0; text.len() / 2];
                hex_into(text, &mut bytes).ok_or_else(|| self.error(EncodeFault::NotHex))?;
                self.write_binary(&bytes, out)
            }
        }
    }

    fn write_bytes(&self, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), EncodeError> {
        match self.spec.axes.encoding {
            Encoding::Ascii | Encoding::Ebcdic => {
                self.check_length(bytes.len())?;
                self.spec.write_prefix(out, bytes.len(), bytes.len());
                self.check_characters(bytes, bytes.len())?;
                out.extend_from_slice(bytes);
                Ok(())
            }
            Encoding::Bcd => {
                let units = if self.spec.is_variable() { bytes.len() * 2 } else { self.spec.longest() };
                self.check_characters(bytes, units)?;
                self.write_wire(bytes, units, out)
            }
            Encoding::Binary | Encoding::Hex => self.write_binary(bytes, out),
        }
    }

    fn write_binary(&self, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), EncodeError> {
        self.check_length(bytes.len())?;
        self.spec.write_prefix(out, bytes.len(), self.spec.wire_len(bytes.len()));
        if self.spec.axes.encoding == Encoding::Hex {
            out.extend(crate::message::hex_of(bytes));
        } else {
            out.extend_from_slice(bytes);
        }
        Ok(())
    }

    /// Text: a fixed field that is too short is filled with spaces, as the standard pads `an` and `ans`; digits never are,
    /// because a number that is too short is more often a mistake than a number with leading zeros.
    fn write_characters(&self, text: &[u8], out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let ebcdic = self.spec.axes.encoding == Encoding::Ebcdic;
        let start = out.len();
        let prefix_len = self.spec.prefix_len();
        out.resize(start + prefix_len, 0);
        self.write_unescaped(text, out)?;
        let value_start = start + prefix_len;
        if self.pads_with_spaces() {
            let full = value_start + self.spec.longest();
            out.resize(out.len().max(full), if ebcdic { 0x40 } else { b' ' });
        }
        let units = out.len() - value_start;
        self.check_length(units)?;
        self.check_characters(&out[value_start..], units)?;
        let (prefix, _) = self.spec.prefix(units, units);
        out[start..value_start].copy_from_slice(&prefix[..prefix_len]);
        Ok(())
    }

    fn write_unescaped(&self, text: &[u8], out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let ebcdic = self.spec.axes.encoding == Encoding::Ebcdic;
        if !ebcdic && text.iter().all(|c| c.is_ascii() && *c != b'\\') {
            out.extend_from_slice(text);
            return Ok(());
        }
        let mut rest = text;
        while let Some((&c, after)) = rest.split_first() {
            rest = match escaped(rest) {
                Some((byte, after)) => {
                    out.push(byte);
                    after
                }
                None if !c.is_ascii() => {
                    return Err(self.error(EncodeFault::Character(self.spec.axes.content)));
                }
                None => {
                    out.push(if ebcdic { TO_EBCDIC[usize::from(c)] } else { c });
                    after
                }
            };
        }
        Ok(())
    }

    fn pads_with_spaces(&self) -> bool {
        !self.spec.is_variable()
            && matches!(
                self.spec.axes.content,
                Content::Alphanumeric | Content::Printable | Content::Anything
            )
    }

    fn check_characters(&self, value: &[u8], units: usize) -> Result<(), EncodeError> {
        let legal = self.spec.is_legal(value, Extent { start: 0, end: value.len(), units });
        if legal { Ok(()) } else { Err(self.error(EncodeFault::Character(self.spec.axes.content))) }
    }

    fn write_packed(&self, text: &[u8], out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let axes = &self.spec.axes;
        self.check_length(text.len())?;
        let bytes = self.spec.wire_len(text.len());
        self.spec.write_prefix(out, text.len(), bytes);
        let odd = text.len() % 2 == 1;
        let (first, rest, last) = match axes.align {
            Align::Right if odd => (&text[..1], &text[1..], &text[..0]),
            _ => (&text[..0], text, &text[text.len() & !1..]),
        };
        for c in first {
            out.push((axes.pad << 4) | self.nibble(*c)?);
        }
        for pair in rest.chunks_exact(2) {
            out.push((self.nibble(pair[0])? << 4) | self.nibble(pair[1])?);
        }
        for c in last {
            out.push((self.nibble(*c)? << 4) | axes.pad);
        }
        Ok(())
    }

    /// Encrypted tracks have any half-byte, so hex letters pass where the dialect knows of encryption.
    #[inline]
    fn nibble(&self, c: u8) -> Result<u8, EncodeError> {
        let digit = c.wrapping_sub(b'0');
        if digit <= 9 { Ok(digit) } else { self.track_nibble(c) }
    }

    fn track_nibble(&self, c: u8) -> Result<u8, EncodeError> {
        let content = self.spec.axes.content;
        let encrypted = self.dialect.note(self.n).encrypted_by.is_some();
        let nibble = match (content, c) {
            (Content::Track, b'D' | b'=') => Some(0xD),
            (Content::Track, _) if encrypted => hex_value(c),
            _ => None,
        };
        nibble.ok_or_else(|| self.error(EncodeFault::Character(content)))
    }

    /// Data objects carry no order; ascending tags with the short ones first is how kernels and the samples write them.
    fn write_objects<'p>(
        &self,
        parts: impl Iterator<Item = &'p Part>,
        out: &mut Vec<u8>,
    ) -> Result<(), EncodeError> {
        let mut objects = Vec::new();
        for part in parts {
            let id = part.path.split_once('#').map_or(part.path.as_str(), |(id, _)| id);
            let tag: Tag = id.parse().map_err(|_| self.error_in(&part.path, EncodeFault::Tag))?;
            let value = match &part.value {
                PartValue::Bytes(bytes) => bytes.clone(),
                PartValue::Text(text) => crate::encoding::hex_bytes(text)
                    .ok_or_else(|| self.error_in(&part.path, EncodeFault::NotHex))?,
            };
            let max = self.spec.longest();
            if value.len() > max {
                let fault = EncodeFault::TooLong { length: value.len(), max };
                return Err(self.error_in(&part.path, fault));
            }
            objects.push((tag, value));
        }
        objects.sort_by_key(|(tag, _)| *tag);
        let mut data = Vec::new();
        for (tag, value) in objects {
            tlv::write(&mut data, tag, &value);
        }
        self.write_binary(&data, out)
    }

    fn write_subs<'p>(
        &self,
        parts: impl Iterator<Item = &'p Part>,
        out: &mut Vec<u8>,
    ) -> Result<(), EncodeError> {
        let table = &self.dialect.note(self.n).subs;
        let parts: Vec<&Part> = parts.collect();
        if let Some(part) = parts.iter().find(|part| table.iter().all(|row| row.id != part.path)) {
            return Err(self.error_in(&part.path, EncodeFault::NoSuchSubfield));
        }
        let mut text = Vec::new();
        let mut ended = false;
        for row in table {
            let Some(part) = parts.iter().find(|part| part.path == row.id) else {
                ended = true;
                continue;
            };
            if ended {
                return Err(self.error_in(&part.path, EncodeFault::Gap));
            }
            let value = match &part.value {
                PartValue::Text(text) => text.as_bytes(),
                PartValue::Bytes(bytes) => bytes,
            };
            let (length, max) = (value.len(), row.len);
            match row.open {
                true if length > max => {
                    return Err(self.error_in(&part.path, EncodeFault::TooLong { length, max }));
                }
                false if length != max => {
                    return Err(self.error_in(&part.path, EncodeFault::Length { length, max }));
                }
                _ => text.extend_from_slice(value),
            }
        }
        self.write_text(&text, out)
    }
}

/// A byte written as `\xNN` at the start of `text`, and what follows it.
fn escaped(text: &[u8]) -> Option<(u8, &[u8])> {
    let (head, after) = text.split_first_chunk::<4>()?;
    let [b'\\', b'x', high, low] = *head else { return None };
    Some(((hex_value(high)? << 4) | hex_value(low)?, after))
}
