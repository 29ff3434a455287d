//! The one writer of a log.

use std::{os::unix::fs::FileExt, sync::Arc};

use crate::{
    error::{AppendError, LogError},
    log::Log,
    record::{self, MAX_BODY},
    recover::Tail,
    segment::{START, Segment},
};

/// The preparer is told after so many bytes how far the appender is.
const TOLD_EVERY: u64 = 1 << 18;

/// What a mark takes.
pub(crate) const MARK: u64 = record::HEAD as u64;

/// Appends groups. After its first failure it appends nothing more and asks the disk nothing.
pub struct Appender {
    log: Arc<Log>,
    index: usize,
    segment: Arc<Segment>,
    /// Where the next record goes.
    offset: u64,
    next: u64,
    buffer: Vec<u8>,
    told: u64,
    failed: bool,
    /// The log ends with a mark.
    marked: bool,
}

impl Appender {
    pub(crate) fn new(log: Arc<Log>, tail: Tail) -> Result<Self, LogError> {
        let no_segment = || LogError::Corrupt("it has no segment".to_owned());
        let segment = log.segment(tail.segment).ok_or_else(no_segment)?;
        let marked = tail.durable + 1 == tail.next;
        let (index, offset, next) = (tail.segment, tail.offset, tail.next);
        log.uses(&segment);
        let appender =
            Self { log, index, segment, offset, next, buffer: Vec::new(), told: 0, failed: false, marked };
        appender.tell();
        Ok(appender)
    }

    /// The place that the next body gets.
    #[must_use]
    pub fn next(&self) -> u64 {
        self.next
    }

    /// Appends bodies under the next places and makes them durable together. Then they can be read, and the last place is
    /// returned.
    ///
    /// # Errors
    /// [`AppendError`]; the log takes nothing more then.
    pub fn append<'a>(&mut self, bodies: impl IntoIterator<Item = &'a [u8]>) -> Result<u64, AppendError> {
        let durable = self.next - 1;
        let mut written = false;
        let appended = self.write_all(bodies, durable, &mut written);
        appended.map_err(|error| {
            self.failed = true;
            AppendError { in_doubt: written, error }
        })?;
        self.log.publish(self.next - 1);
        Ok(self.next - 1)
    }

    fn write_all<'a>(
        &mut self,
        bodies: impl IntoIterator<Item = &'a [u8]>,
        durable: u64,
        written: &mut bool,
    ) -> Result<(), LogError> {
        if self.failed {
            return Err(LogError::Full("it stopped before".to_owned()));
        }
        for body in bodies {
            if body.is_empty() || body.len() > MAX_BODY {
                return Err(LogError::Full(format!("an entry of {} bytes cannot be written", body.len())));
            }
            let size = record::size(body.len()) as u64;
            // Room is left for a mark.
            if self.offset + self.buffer.len() as u64 + size + MARK > self.segment.size {
                self.flush(written)?;
                self.go_on(size)?;
            }
            let offset = self.offset + self.buffer.len() as u64;
            if offset == START {
                self.segment.set_first(self.next);
            }
            self.log.note(&self.segment, self.next, offset);
            let nth = u32::try_from(self.next - durable).unwrap_or(u32::MAX);
            record::write_entry(&mut self.buffer, self.segment.salt, self.next, nth, body);
            self.next += 1;
            self.marked = false;
        }
        self.flush(written)
    }

    /// Writes what is in the buffer, and waits for the disk.
    fn flush(&mut self, written: &mut bool) -> Result<(), LogError> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        *written = true;
        let Segment { file, .. } = &*self.segment;
        let synced = file
            .write_all_at(&self.buffer, self.offset)
            .and_then(|()| if self.log.options.synced { file.sync_data() } else { Ok(()) });
        synced.map_err(|error| self.segment.io(error))?;
        self.offset += self.buffer.len() as u64;
        self.buffer.clear();
        if self.offset - self.told >= TOLD_EVERY {
            self.told = self.offset;
            self.tell();
        }
        Ok(())
    }

    /// Goes on in the next segment, when it is ready.
    fn go_on(&mut self, size: u64) -> Result<(), LogError> {
        let log = self.log.clone();
        let mut state = log.next.lock();
        let next = loop {
            if let Some(next) = log.segment(self.index + 1) {
                break next;
            }
            if let Some(error) = state.failed.take() {
                return Err(error);
            }
            if state.ended {
                return Err(LogError::Full("nobody makes a segment any more".to_owned()));
            }
            state.wanted = Some(size);
            log.next.changed.notify_all();
            state = log.next.changed.wait(state).unwrap_or_else(std::sync::PoisonError::into_inner);
        };
        state.wanted = None;
        drop(state);
        if START + size + MARK > next.size {
            return Err(LogError::Full(format!("segment {} is too small for an entry", next.name())));
        }
        (self.index, self.segment, self.offset, self.told) = (self.index + 1, next, START, 0);
        log.uses(&self.segment);
        self.tell();
        Ok(())
    }

    fn tell(&self) {
        let mut state = self.log.next.lock();
        (state.number, state.size, state.used) = (self.segment.number, self.segment.size, self.offset);
        self.log.next.changed.notify_all();
    }

    /// Ends the log with a mark, so that the next start can tell any damage in it from a torn tail.
    fn mark(&mut self) -> Result<(), LogError> {
        if self.failed || self.marked || self.next == 1 || self.offset + MARK > self.segment.size {
            return Ok(());
        }
        record::write_mark(&mut self.buffer, self.segment.salt, self.next - 1);
        self.marked = true;
        self.flush(&mut false)
    }
}

impl Drop for Appender {
    fn drop(&mut self) {
        if let Err(error) = self.mark() {
            tracing::warn!(%error, "the log ends without a mark");
        }
        self.log.next.lock().ended = true;
        self.log.next.changed.notify_all();
    }
}
