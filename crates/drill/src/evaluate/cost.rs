//! What a day costs a diagnosis: a pass of its own, without questions, so that nothing else is counted. Processor time, where the
//! system tells it, because other programs on the machine are no part of it.

use std::time::Instant;

use diagnosis::{Diagnose, Observation};
use model::Timestamp;

use super::watch::STEP_MS;

/// Nanoseconds for all observations of a day, time that passes and changes included.
pub(super) fn nanos<D: Diagnose>(observations: &[Observation], mut diagnosis: D) -> u64 {
    let (began, before) = (Instant::now(), processor_ns());
    let mut now = observations.first().map_or(Timestamp(0), |first| first.at);
    let mut changes = 0;
    for observation in observations {
        while now.plus_ms(STEP_MS) < observation.at {
            now = now.plus_ms(STEP_MS);
            diagnosis.advance(now);
        }
        diagnosis.observe(observation);
        changes += diagnosis.changes().len();
    }
    // a pass that nobody looks at could be left out
    std::hint::black_box(changes);
    match (before, processor_ns()) {
        (Some(before), Some(after)) => after.saturating_sub(before),
        _ => u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX),
    }
}

/// Nanoseconds that this thread has run (Linux: `/proc/thread-self/schedstat`, exact to a tick of the scheduler).
fn processor_ns() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    text.split(' ').next()?.parse().ok()
}
