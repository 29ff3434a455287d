//! Reads records one after the other, whatever they are stored in.

use std::{io, ops::Range, os::unix::fs::FileExt, sync::Arc};

use crate::{
    record::{HEAD, MAX_BODY, Parsed, Record, parse, size},
    segment::Segment,
};

/// Bytes that are read at first, which is enough for a few records, and at last.
const READ_FIRST: usize = 1 << 16;
const READ_LAST: usize = 1 << 20;

/// What records are stored in.
pub(crate) trait Source {
    fn size(&self) -> u64;
    fn salt(&self) -> u32;
    /// Fills `bytes` from an offset; what is asked for is inside.
    fn read_at(&self, offset: u64, bytes: &mut [u8]) -> io::Result<()>;
}

impl Source for Arc<Segment> {
    fn size(&self) -> u64 {
        self.size
    }

    fn salt(&self) -> u32 {
        self.salt
    }

    fn read_at(&self, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(bytes, offset)
    }
}

/// Bytes in memory, for tests and fuzz targets.
pub(crate) struct Slice<'a>(pub(crate) &'a [u8], pub(crate) u32);

impl Source for Slice<'_> {
    fn size(&self) -> u64 {
        self.0.len() as u64
    }

    fn salt(&self) -> u32 {
        self.1
    }

    fn read_at(&self, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        let from = self.0.get(start..).and_then(|rest| rest.get(..bytes.len()));
        bytes.copy_from_slice(from.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }
}

/// What stands where a walk is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// A record, and where its body is in the walk's buffer.
    Record(Record, Range<usize>),
    /// Nothing was written here, or there is no room for a record any more.
    Free,
    /// Something that is no record.
    Damaged,
}

/// A place in a source, with some of what follows in memory.
pub(crate) struct Walk<S> {
    pub(crate) source: S,
    pub(crate) offset: u64,
    buffer: Vec<u8>,
    /// Where the buffer begins.
    at: u64,
    at_once: usize,
}

impl<S: Source> Walk<S> {
    pub(crate) fn new(source: S, offset: u64) -> Self {
        Self { source, offset, buffer: Vec::new(), at: offset, at_once: READ_FIRST }
    }

    /// Forgets what it has read: somebody may have written there since.
    pub(crate) fn forget(&mut self) {
        self.buffer.clear();
        self.at = self.offset;
    }

    /// What stands here.
    pub(crate) fn step(&mut self) -> io::Result<Step> {
        for want in [HEAD, size(4096), size(MAX_BODY)] {
            let Some(start) = self.have(want)? else { return Ok(Step::Free) };
            match parse(&self.buffer[start..], self.source.salt()) {
                Parsed::Short => {}
                Parsed::Free => return Ok(Step::Free),
                Parsed::Damaged => return Ok(Step::Damaged),
                Parsed::Record(record) => {
                    let body = start + HEAD;
                    return Ok(Step::Record(record, body..body + record.len));
                }
            }
        }
        // It would be longer than its source.
        Ok(Step::Damaged)
    }

    /// Goes on behind a record.
    pub(crate) fn pass(&mut self, record: &Record) {
        self.offset += record.size() as u64;
    }

    pub(crate) fn body(&self, range: Range<usize>) -> &[u8] {
        &self.buffer[range]
    }

    /// Has `want` bytes from here in the buffer, or all that there are; where they begin in it. `None`: no head fits.
    fn have(&mut self, want: usize) -> io::Result<Option<usize>> {
        let left = usize::try_from(self.source.size().saturating_sub(self.offset)).unwrap_or(usize::MAX);
        if left < HEAD {
            return Ok(None);
        }
        let start = usize::try_from(self.offset - self.at).unwrap_or(usize::MAX);
        if self.buffer.len().saturating_sub(start) < want.min(left) {
            self.buffer.resize(want.max(self.at_once).min(left), 0);
            self.at = self.offset;
            self.at_once = READ_LAST.min(2 * self.at_once);
            if let Err(error) = self.source.read_at(self.offset, &mut self.buffer) {
                self.buffer.clear();
                return Err(error);
            }
            return Ok(Some(0));
        }
        Ok(Some(start))
    }
}
