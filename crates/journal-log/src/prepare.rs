//! Makes the next segment while the appender fills this one. Zeros are written at the appender's pace, a little faster: in
//! one go they would stand between it and the disk.

use std::sync::{Arc, PoisonError};

use crate::{
    append::MARK,
    error::LogError,
    log::{Log, NextState},
    open::Options,
    segment::{AT_ONCE, SMALLEST, START, Segment, Unready},
};

/// The next segment is ready when the appender has used three quarters of its own.
const AHEAD: (u64, u64) = (4, 3);
/// Nothing is made before a quarter is used: a log that hardly grows takes little room.
const BEGIN: u64 = 4;
/// No segment is smaller, whatever is asked for.
const LEAST: u64 = 2 * START;

/// Makes segments.
pub struct Preparer {
    log: Arc<Log>,
    unready: Option<Unready>,
}

/// What is to be done.
struct Job {
    number: u32,
    size: u64,
    /// So much of it is to be zeros.
    target: u64,
}

impl Preparer {
    pub(crate) fn new(log: Arc<Log>) -> Self {
        Self { log, unready: None }
    }

    /// Runs until the appender is gone.
    pub fn run(mut self) {
        let log = self.log.clone();
        while let Some(job) = self.wait(&log) {
            let made = self.zero(&job);
            let mut state = log.next.lock();
            match made {
                Ok(Some(segment)) => log.add(segment),
                Ok(None) => {}
                Err(error @ LogError::Full(_)) if state.wanted.is_none() => {
                    tracing::warn!(%error, "no room for the journal's next segment: it stops when this one is full");
                    // Until the appender says anew how far it is.
                    state.used = 0;
                }
                Err(error) => {
                    tracing::error!(%error, "the journal's next segment cannot be made: it stops when this one is full");
                    state.failed = Some(error);
                }
            }
            log.next.changed.notify_all();
        }
    }

    /// Waits for something to do.
    fn wait(&self, log: &Log) -> Option<Job> {
        let mut state = log.next.lock();
        loop {
            if state.ended {
                return None;
            }
            if let Some(job) = self.job(&state) {
                return Some(job);
            }
            state = log.next.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn job(&self, state: &NextState) -> Option<Job> {
        let (_, segments) = self.log.size();
        if segments > state.number as usize || state.failed.is_some() {
            return None;
        }
        let wished = next_size(&self.log.options, state.size).max(START + MARK + state.wanted.unwrap_or(0));
        let (size, zeroed) = self.unready.as_ref().map_or((wished, 0), |u| (u.size(), u.zeroed()));
        let number = state.number + 1;
        if state.wanted.is_some() {
            return Some(Job { number, size, target: size });
        }
        let ahead = size * state.used / state.size * AHEAD.0 / AHEAD.1;
        let target = if ahead >= size { size } else { ahead / AT_ONCE as u64 * AT_ONCE as u64 };
        (state.used >= state.size / BEGIN && target > zeroed).then_some(Job { number, size, target })
    }

    fn zero(&mut self, job: &Job) -> Result<Option<Segment>, LogError> {
        let mut unready = match self.unready.take() {
            Some(unready) => unready,
            None => {
                check_limit(&self.log, job.size)?;
                Unready::begin(&self.log.dir, job.number, job.size)?
            }
        };
        unready.zero_to(job.target)?;
        if unready.zeroed() < unready.size() {
            self.unready = Some(unready);
            return Ok(None);
        }
        unready.finish(&self.log.dir, self.log.options.label).map(Some)
    }
}

/// The size of a log's first segment.
pub(crate) fn first_size(options: &Options) -> u64 {
    let largest = options.limit_bytes.unwrap_or(u64::MAX).min(options.segment_bytes);
    SMALLEST.min(largest).max(LEAST)
}

fn next_size(options: &Options, size: u64) -> u64 {
    (2 * size).min(options.segment_bytes).max(LEAST)
}

fn check_limit(log: &Log, more: u64) -> Result<(), LogError> {
    let (bytes, _) = log.size();
    match log.options.limit_bytes {
        Some(limit) if bytes + more > limit => {
            Err(LogError::Full(format!("it has {bytes} bytes and may have {limit}")))
        }
        _ => Ok(()),
    }
}
