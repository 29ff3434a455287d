//! A record: 24 bytes, then its body, then zeros up to a multiple of eight.
//!
//! ```text
//!  0   4   8           16    20    24
//!  crc len place       nth   kind  body …
//! ```
//!
//! Numbers are little-endian. The CRC-32C begins with the segment's salt and covers everything behind itself. `nth` counts
//! from 1 within the group that was written at once, so `place - nth` was durable when this was written.

use crate::crc::crc32c;

/// Bytes in front of a body.
pub(crate) const HEAD: usize = 24;
/// The longest body.
pub const MAX_BODY: usize = 1 << 20;

/// What a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A body under the next place.
    Entry,
    /// No place of its own: everything up to `place` is durable.
    Mark,
}

/// What stands at some offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Parsed {
    /// Nothing was written here.
    Free,
    /// More bytes are needed to say.
    Short,
    /// Something, and no record of this segment.
    Damaged,
    /// A record.
    Record(Record),
}

/// A record without its body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) kind: Kind,
    pub(crate) place: u64,
    nth: u32,
    /// Of its body.
    pub(crate) len: usize,
}

impl Record {
    /// Everything up to here was durable when it was written.
    pub(crate) fn durable(&self) -> u64 {
        self.place - u64::from(self.nth)
    }

    /// The place of the next entry.
    pub(crate) fn next(&self) -> u64 {
        self.place + 1
    }

    /// The place that must have been next for this record to stand here.
    pub(crate) fn expects(&self) -> u64 {
        match self.kind {
            Kind::Entry => self.place,
            Kind::Mark => self.place + 1,
        }
    }

    pub(crate) fn size(&self) -> usize {
        size(self.len)
    }
}

/// What a record with such a body takes.
pub(crate) fn size(body: usize) -> usize {
    (HEAD + body).next_multiple_of(8)
}

/// Writes an entry, the `nth` of its group.
pub(crate) fn write_entry(to: &mut Vec<u8>, salt: u32, place: u64, nth: u32, body: &[u8]) {
    write(to, salt, place, [nth, 1], body);
}

/// Writes that everything up to `place` is durable.
pub(crate) fn write_mark(to: &mut Vec<u8>, salt: u32, place: u64) {
    write(to, salt, place, [0, 2], &[]);
}

fn write(to: &mut Vec<u8>, salt: u32, place: u64, [nth, kind]: [u32; 2], body: &[u8]) {
    let start = to.len();
    to.extend_from_slice(&[0; 4]);
    to.extend_from_slice(&(body.len() as u32).to_le_bytes());
    to.extend_from_slice(&place.to_le_bytes());
    to.extend_from_slice(&nth.to_le_bytes());
    to.extend_from_slice(&kind.to_le_bytes());
    to.extend_from_slice(body);
    let crc = crc32c(salt, &to[start + 4..]);
    to[start..start + 4].copy_from_slice(&crc.to_le_bytes());
    to.resize(start + size(body.len()), 0);
}

/// Reads what stands at the beginning of `bytes`.
pub(crate) fn parse(bytes: &[u8], salt: u32) -> Parsed {
    let Some(head) = bytes.first_chunk::<HEAD>() else { return Parsed::Short };
    if head.iter().all(|byte| *byte == 0) {
        return Parsed::Free;
    }
    let Some(record) = plausible(head) else { return Parsed::Damaged };
    let Some(covered) = bytes.get(4..HEAD + record.len) else { return Parsed::Short };
    if crc32c(salt, covered) == word(head, 0) { Parsed::Record(record) } else { Parsed::Damaged }
}

/// What a head says, unless no record can say that.
pub(crate) fn plausible(head: &[u8; HEAD]) -> Option<Record> {
    let (len, nth) = (word(head, 4) as usize, word(head, 16));
    let place = u64::from(word(head, 8)) | u64::from(word(head, 12)) << 32;
    let kind = match word(head, 20) {
        1 if nth > 0 => Kind::Entry,
        2 if nth == 0 && len == 0 => Kind::Mark,
        _ => return None,
    };
    let possible = len <= MAX_BODY && u64::from(nth) <= place && place < u64::MAX;
    possible.then_some(Record { kind, place, nth, len })
}

fn word(head: &[u8; HEAD], at: usize) -> u32 {
    u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]])
}
