//! Opening a log: its segments, its end, and what a crash left there.

use std::{
    fs::{self, File},
    path::Path,
    sync::Arc,
};

use crate::{
    append::Appender,
    error::LogError,
    log::Log,
    prepare::{Preparer, first_size},
    recover::{self, Tail, Torn},
    segment::{self, START, Segment, Unready},
};

/// What a log is like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Whose it is; a log that was made under another label is not opened.
    pub label: [u8; 8],
    /// The largest segment. The first has 1 MiB, each further one is twice as large up to this.
    pub segment_bytes: u64,
    /// All segments together take no more; without, the disk decides.
    pub limit_bytes: Option<u64>,
    /// Does each group wait for the disk? Without it a power cut takes what was acknowledged.
    pub synced: bool,
}

/// A log that is open for its one writer.
pub struct Opened {
    /// For readers.
    pub log: Arc<Log>,
    /// For the one thread that appends.
    pub appender: Appender,
    /// For a thread of its own.
    pub preparer: Preparer,
    /// What was cut off its end.
    pub cut: Option<Cut>,
}

/// A group that was being written when the power went or the process ended: nobody was told that it is durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cut {
    /// The place of its first entry that was not whole.
    pub place: u64,
    /// Bytes that were there.
    pub bytes: u64,
}

/// Is there a log in this directory?
#[must_use]
pub fn exists(dir: &Path) -> bool {
    segment::numbers(dir).map_or(true, |numbers| !numbers.is_empty()) && dir.exists()
}

/// Makes a log in a directory, which is made if need be.
///
/// # Errors
/// [`LogError`].
pub fn create(dir: &Path, options: &Options) -> Result<(), LogError> {
    fs::create_dir_all(dir).map_err(|source| LogError::io(dir, source))?;
    let first = Unready::begin(dir, 1, first_size(options))?;
    first.finish(dir, options.label)?;
    if let Some(parent) = dir.parent() {
        let named = File::open(parent).and_then(|parent| parent.sync_all());
        named.map_err(|source| LogError::io(parent, source))?;
    }
    Ok(())
}

/// Opens a log for its one writer. What a torn group left is cut; damage is refused. Everything that it finds is durable
/// when it returns, also what the process before had not waited for.
///
/// # Errors
/// [`LogError`].
pub fn open(dir: &Path, options: Options) -> Result<Opened, LogError> {
    segment::remove_spare(dir)?;
    let segments = segments(dir, Some(options.label), true)?;
    let newest = &segments[segments.len().saturating_sub(2)..];
    newest.iter().try_for_each(|segment| settle(segment).map_err(|error| segment.io(error)))?;
    // What was read before it settled may have been what the disk does not have.
    for segment in newest {
        segment.set_first(segment.read_first()?.unwrap_or(0));
    }
    let tail = recover::find(&segments)?;
    let cut = clean(&segments, &tail)?;
    let log = Arc::new(Log::new(dir, options, segments, tail));
    let appender = Appender::new(log.clone(), tail)?;
    let preparer = Preparer::new(log.clone());
    Ok(Opened { log, appender, preparer, cut })
}

/// Opens a log that another process may be writing. [`Log::look_again`] says how far it goes.
///
/// # Errors
/// [`LogError`].
pub fn open_to_read(dir: &Path, label: [u8; 8]) -> Result<Arc<Log>, LogError> {
    let segments = segments(dir, Some(label), false)?;
    let tail = recover::find(&segments)?;
    let options = Options { label, segment_bytes: 0, limit_bytes: None, synced: true };
    let log = Log::new(dir, options, segments, tail);
    log.publish(tail.durable);
    Ok(Arc::new(log))
}

fn segments(dir: &Path, label: Option<[u8; 8]>, write: bool) -> Result<Vec<Arc<Segment>>, LogError> {
    let numbers = segment::numbers(dir)?;
    if numbers.is_empty() {
        return Err(LogError::Corrupt("it has no segment".to_owned()));
    }
    numbers.into_iter().map(|number| Segment::open(dir, number, label, write).map(Arc::new)).collect()
}

/// What the last process wrote and did not wait for is waited for now; and then read from the disk instead of from
/// memory: after a failed fsync the system may keep pages that the disk never took.
fn settle(segment: &Segment) -> std::io::Result<()> {
    segment.file.sync_data()?;
    let _ = rustix::fs::fadvise(&segment.file, 0, None, rustix::fs::Advice::DontNeed);
    Ok(())
}

/// Judges everything behind the end, and cuts what was torn.
fn clean(segments: &[Arc<Segment>], tail: &Tail) -> Result<Option<Cut>, LogError> {
    let rest = || {
        let later = segments.iter().skip(tail.segment + 1).map(|segment| (segment, START));
        segments.get(tail.segment).map(|segment| (segment, tail.offset)).into_iter().chain(later)
    };
    let mut torn = Vec::new();
    for (segment, offset) in rest() {
        let judged = recover::behind(segment, offset, tail.next).map_err(|error| segment.io(error))?;
        match judged {
            Ok(None) => {}
            Ok(Some(Torn { bytes })) => torn.push((segment, offset, bytes)),
            Err(witness) => {
                let (place, name) = (tail.next, segment.name());
                let what = format!(
                    "entry {place} is damaged: entry {witness} behind it (segment {name}) was written when it was durable"
                );
                return Err(LogError::Corrupt(what));
            }
        }
    }
    for (segment, offset, bytes) in &torn {
        recover::cut(segment, *offset, *bytes).map_err(|error| segment.io(error))?;
    }
    let bytes = torn.iter().map(|(.., bytes)| bytes).sum();
    Ok((!torn.is_empty()).then_some(Cut { place: tail.next, bytes }))
}
