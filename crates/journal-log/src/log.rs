//! What the appender, the preparer and all readers of a log share.

use std::{
    collections::VecDeque,
    path::{Path, PathBuf},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
};

use crate::{
    cursor::Cursor,
    error::LogError,
    open::Options,
    recover::Tail,
    segment::{self, START, Segment},
    walk::{Step, Walk},
};

/// Segments whose points are kept in memory, at most 16 kB each.
const INDEXED: usize = 256;

/// An open log.
pub struct Log {
    pub(crate) dir: PathBuf,
    pub(crate) options: Options,
    segments: RwLock<Vec<Arc<Segment>>>,
    /// The last place that may be read.
    end: AtomicU64,
    pub(crate) next: Next,
    indexed: Mutex<VecDeque<Arc<Segment>>>,
    /// Where a reader beside the writer's process has come to.
    seen: Mutex<Tail>,
}

/// The appointment of appender and preparer.
#[derive(Default)]
pub(crate) struct Next {
    pub(crate) state: Mutex<NextState>,
    pub(crate) changed: Condvar,
}

/// How far the appender is, and how the next segment comes on.
#[derive(Default)]
pub(crate) struct NextState {
    /// Number and size of the appender's segment, and bytes used of it.
    pub(crate) number: u32,
    pub(crate) size: u64,
    pub(crate) used: u64,
    /// The appender waits, for a segment in which a record of so many bytes fits.
    pub(crate) wanted: Option<u64>,
    /// The next segment could not be made.
    pub(crate) failed: Option<LogError>,
    /// Nobody will need one any more.
    pub(crate) ended: bool,
}

impl Next {
    pub(crate) fn lock(&self) -> MutexGuard<'_, NextState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Log {
    pub(crate) fn new(dir: &Path, options: Options, segments: Vec<Arc<Segment>>, tail: Tail) -> Self {
        Self {
            dir: dir.to_owned(),
            options,
            segments: RwLock::new(segments),
            end: AtomicU64::new(tail.next - 1),
            next: Next::default(),
            indexed: Mutex::default(),
            seen: Mutex::new(tail),
        }
    }

    /// The last place that may be read: it is durable.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.end.load(Ordering::Acquire)
    }

    pub(crate) fn publish(&self, end: u64) {
        self.end.store(end, Ordering::Release);
    }

    /// The body at a place; `None` behind the end.
    ///
    /// # Errors
    /// [`LogError`]: what is there cannot be read.
    pub fn read(self: &Arc<Self>, place: u64) -> Result<Option<Vec<u8>>, LogError> {
        if place == 0 {
            return Ok(None);
        }
        let mut cursor = Cursor::new(self.clone(), place - 1);
        Ok(cursor.next()?.map(|(_, body)| body.to_vec()))
    }

    /// Reads on behind a place.
    #[must_use]
    pub fn after(self: &Arc<Self>, place: u64) -> Cursor {
        Cursor::new(self.clone(), place)
    }

    /// For a reader beside the writer's process: looks what was written since. Of the newest group nobody outside that
    /// process knows whether it is durable, so its records are passed over unless they are among those up to `known`.
    ///
    /// # Errors
    /// [`LogError`].
    pub fn look_again(&self, known: u64) -> Result<u64, LogError> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(segment) = self.segment(seen.segment) {
            let mut walk = Walk::new(segment.clone(), seen.offset);
            while let Step::Record(record, _) = walk.step().map_err(|e| segment.io(e))? {
                if record.expects() != seen.next {
                    break;
                }
                if seen.offset == START {
                    segment.set_first(record.expects());
                }
                walk.pass(&record);
                seen.offset = walk.offset;
                seen.next = record.next();
                seen.durable = record.durable();
            }
            if !self.goes_on(seen.segment + 1, seen.next)? {
                break;
            }
            seen.segment += 1;
            seen.offset = START;
        }
        let visible = seen.durable.max(known.min(seen.next - 1));
        self.end.fetch_max(visible, Ordering::AcqRel);
        Ok(self.end())
    }

    /// Does the segment at this index exist, and begin with this place?
    fn goes_on(&self, index: usize, place: u64) -> Result<bool, LogError> {
        if self.segment(index).is_none() {
            let number = index as u32 + 1;
            if !segment::path(&self.dir, number).exists() {
                return Ok(false);
            }
            self.add(Segment::open(&self.dir, number, Some(self.options.label), false)?);
        }
        let Some(segment) = self.segment(index) else { return Ok(false) };
        Ok(segment.read_first()? == Some(place))
    }

    pub(crate) fn segment(&self, index: usize) -> Option<Arc<Segment>> {
        self.segments.read().unwrap_or_else(PoisonError::into_inner).get(index).cloned()
    }

    /// The index of the segment in which a place is.
    pub(crate) fn find(&self, place: u64) -> Option<usize> {
        let segments = self.segments.read().unwrap_or_else(PoisonError::into_inner);
        segments.partition_point(|s| s.first().is_some_and(|first| first <= place)).checked_sub(1)
    }

    pub(crate) fn add(&self, segment: Segment) {
        self.segments.write().unwrap_or_else(PoisonError::into_inner).push(Arc::new(segment));
    }

    /// Bytes of all segments, and how many there are.
    pub(crate) fn size(&self) -> (u64, usize) {
        let segments = self.segments.read().unwrap_or_else(PoisonError::into_inner);
        (segments.iter().map(|segment| segment.size).sum(), segments.len())
    }

    /// Notes where a record stands.
    pub(crate) fn note(&self, segment: &Arc<Segment>, place: u64, offset: u64) {
        segment.index.lock().unwrap_or_else(PoisonError::into_inner).note(place, offset);
    }

    /// A segment's points are about to be used or made: those of others go, when there are too many.
    pub(crate) fn uses(&self, segment: &Arc<Segment>) {
        let mut indexed = self.indexed.lock().unwrap_or_else(PoisonError::into_inner);
        if indexed.iter().any(|other| other.number == segment.number) {
            return;
        }
        indexed.push_back(segment.clone());
        if indexed.len() > INDEXED
            && let Some(oldest) = indexed.pop_front()
        {
            oldest.index.lock().unwrap_or_else(PoisonError::into_inner).clear();
        }
    }
}
