//! Finds where a log ends, after whatever end its writer had.
//!
//! The records are followed to the first place where none stands. If everything behind is zero, that is the end. If not, a
//! record behind that says "what is missing here was durable when I was written" makes it damage; without such a witness
//! it is the group that was being written, and is cut: filled with zeros again, so that the next start finds a clean end.

use std::{
    io,
    os::unix::fs::FileExt,
    sync::{Arc, PoisonError},
};

use crate::{
    error::LogError,
    record::{HEAD, Kind, Parsed, Record, parse, plausible, size},
    segment::{START, Segment},
    walk::{Source, Step, Walk},
};

/// Bytes that are searched at a time.
const WINDOW: usize = 1 << 20;

/// Where a log ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tail {
    /// Index of the segment, and the offset in it at which the next record is written.
    pub(crate) segment: usize,
    pub(crate) offset: u64,
    /// The next entry's place.
    pub(crate) next: u64,
    /// What the last record knew to be durable.
    pub(crate) durable: u64,
}

/// What a group that was torn left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Torn {
    /// Bytes up to the last one that is not zero.
    pub(crate) bytes: u64,
}

/// Follows the last segment that has records.
pub(crate) fn find(segments: &[Arc<Segment>]) -> Result<Tail, LogError> {
    let last = segments.iter().rposition(|segment| segment.first().is_some());
    if let Some(hole) = segments.iter().take(last.unwrap_or(0)).find(|s| s.first().is_none()) {
        return Err(LogError::Corrupt(format!("segment {}: its first entry is damaged", hole.name())));
    }
    let Some(segment) = last else { return Ok(Tail { segment: 0, offset: START, next: 1, durable: 0 }) };
    let source = &segments[segment];
    let next = source.first().unwrap_or(1);
    let note =
        |place, offset| source.index.lock().unwrap_or_else(PoisonError::into_inner).note(place, offset);
    follow(source.clone(), START, next, note)
        .map(|end| Tail { segment, ..end })
        .map_err(|error| source.io(error))
}

/// Follows records from an offset at which the one that expects `next` stands. A first segment begins with place 1.
pub(crate) fn follow<S: Source>(
    source: S,
    offset: u64,
    next: u64,
    mut seen: impl FnMut(u64, u64),
) -> io::Result<Tail> {
    let mut tail = Tail { segment: 0, offset, next, durable: next - 1 };
    let mut walk = Walk::new(source, offset);
    while let Step::Record(record, _) = walk.step()? {
        if record.expects() != tail.next {
            break;
        }
        if record.kind == Kind::Entry {
            seen(record.place, walk.offset);
        }
        walk.pass(&record);
        (tail.offset, tail.next, tail.durable) = (walk.offset, record.next(), record.durable());
    }
    Ok(tail)
}

/// Judges what stands behind the end of a source.
///
/// # Errors
/// The record that vouches for what is missing, as a place.
pub(crate) fn behind<S: Source>(source: &S, offset: u64, next: u64) -> io::Result<Result<Option<Torn>, u64>> {
    let mut search = Search { source, bytes: Vec::new(), last: None };
    let mut at = offset;
    while at < source.size() {
        let len = search.load(at, WINDOW + size(0))?;
        for start in (0..len.min(WINDOW)).step_by(8) {
            if let Some(witness) = search.witness(at, start, next)? {
                return Ok(Err(witness));
            }
        }
        at += WINDOW as u64;
    }
    Ok(Ok(search.last.map(|last| Torn { bytes: last - offset })))
}

struct Search<'a, S> {
    source: &'a S,
    bytes: Vec<u8>,
    /// Behind the last byte that is not zero.
    last: Option<u64>,
}

impl<S: Source> Search<'_, S> {
    fn load(&mut self, at: u64, want: usize) -> io::Result<usize> {
        let left = usize::try_from(self.source.size() - at).unwrap_or(usize::MAX);
        self.bytes.resize(want.min(left), 0);
        self.source.read_at(at, &mut self.bytes)?;
        Ok(self.bytes.len())
    }

    /// Does a record stand there for which the place `next` was durable?
    fn witness(&mut self, at: u64, start: usize, next: u64) -> io::Result<Option<u64>> {
        let rest = &self.bytes[start..];
        let eight = &rest[..rest.len().min(8)];
        let Some(used) = eight.iter().rposition(|byte| *byte != 0) else { return Ok(None) };
        let offset = at + start as u64;
        self.last = Some(offset + used as u64 + 1);
        let vouches = |record: &Record| record.durable() >= next;
        let Some(record) = rest.first_chunk::<HEAD>().and_then(plausible).filter(vouches) else {
            return Ok(None);
        };
        let end = offset + record.size() as u64;
        if end > self.source.size() {
            return Ok(None);
        }
        let mut whole = vec![0; record.size()];
        self.source.read_at(offset, &mut whole)?;
        Ok(matches!(parse(&whole, self.source.salt()), Parsed::Record(_)).then_some(record.place))
    }
}

/// Fills a torn group with zeros, durably.
pub(crate) fn cut(segment: &Segment, offset: u64, bytes: u64) -> io::Result<()> {
    let zeros = vec![0; usize::try_from(bytes).unwrap_or(usize::MAX).min(WINDOW)];
    let mut done = 0;
    while done < bytes {
        let len = zeros.len().min(usize::try_from(bytes - done).unwrap_or(usize::MAX));
        segment.file.write_all_at(&zeros[..len], offset + done)?;
        done += len as u64;
    }
    segment.file.sync_data()
}
