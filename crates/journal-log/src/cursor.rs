//! Reads a log in order. Every record is checked again: its place follows the one before, and its checksum fits.

use std::{ops::Range, sync::Arc};

use crate::{
    error::LogError,
    log::Log,
    record::Kind,
    segment::{START, Segment},
    walk::{Step, Walk},
};

/// A reader's place in a log. When it has come to the end it can be asked again later.
pub struct Cursor {
    log: Arc<Log>,
    /// The place that is read next.
    next: u64,
    at: Option<At>,
}

/// Where it reads.
struct At {
    segment: usize,
    walk: Walk<Arc<Segment>>,
    /// The place that stands here; before [`Cursor::next`] while it is being looked for.
    place: u64,
}

impl Cursor {
    pub(crate) fn new(log: Arc<Log>, after: u64) -> Self {
        Self { log, next: after + 1, at: None }
    }

    /// The place that was read last, or behind which reading began.
    #[must_use]
    pub fn place(&self) -> u64 {
        self.next - 1
    }

    /// The next place and its body; `None` at the log's end.
    ///
    /// # Errors
    /// [`LogError`]: what is there cannot be read.
    #[expect(clippy::should_implement_trait, reason = "what it lends lives until the next call")]
    pub fn next(&mut self) -> Result<Option<(u64, &[u8])>, LogError> {
        if self.next > self.log.end() {
            return Ok(None);
        }
        let body = self.find()?;
        let place = self.next;
        self.next += 1;
        Ok(self.at.as_ref().map(|at| (place, at.walk.body(body))))
    }

    /// Goes to the record of the next place and behind it; where its body is in the buffer.
    fn find(&mut self) -> Result<Range<usize>, LogError> {
        let mut at = match self.at.take() {
            Some(at) => at,
            None => self.seek()?,
        };
        let mut fresh = false;
        loop {
            let step = at.walk.step().map_err(|error| at.walk.source.io(error))?;
            match step {
                Step::Record(record, body) if record.expects() == at.place => {
                    if record.kind == Kind::Entry {
                        self.log.note(&at.walk.source, record.place, at.walk.offset);
                        at.place += 1;
                    }
                    at.walk.pass(&record);
                    if record.kind == Kind::Entry && record.place == self.next {
                        self.at = Some(at);
                        return Ok(body);
                    }
                }
                // What was read may be older than what was written here since.
                _ if !fresh => {
                    at.walk.forget();
                    fresh = true;
                    continue;
                }
                Step::Free => self.cross(&mut at)?,
                Step::Record(..) | Step::Damaged => {
                    let (place, segment, offset) = (at.place, at.walk.source.name(), at.walk.offset);
                    let what = format!("entry {place} is damaged (segment {segment}, byte {offset})");
                    return Err(LogError::Corrupt(what));
                }
            }
            fresh = false;
        }
    }

    /// Goes on in the next segment, which must go on where this one ended.
    fn cross(&self, at: &mut At) -> Result<(), LogError> {
        let next = self.log.segment(at.segment + 1);
        let Some(next) = next.filter(|next| next.first() == Some(at.place)) else {
            let what = format!("entry {} is missing (after segment {})", at.place, at.walk.source.name());
            return Err(LogError::Corrupt(what));
        };
        at.segment += 1;
        self.log.uses(&next);
        at.walk = Walk::new(next, START);
        Ok(())
    }

    /// Begins at or before the next place.
    fn seek(&self) -> Result<At, LogError> {
        let missing = || LogError::Corrupt(format!("entry {} is missing", self.next));
        let index = self.log.find(self.next).ok_or_else(missing)?;
        let segment = self.log.segment(index).ok_or_else(missing)?;
        self.log.uses(&segment);
        let known = segment.index.lock().unwrap_or_else(std::sync::PoisonError::into_inner).before(self.next);
        let (place, offset) = match known {
            Some(point) => (point.place, point.offset),
            None => (segment.first().ok_or_else(missing)?, START),
        };
        Ok(At { segment: index, place, walk: Walk::new(segment, offset) })
    }
}
