//! Many days side by side: each thread takes the next seed, plays it, scores it and forgets it.

use std::{
    ops::Range,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use diagnosis::Diagnose;

use super::{Tally, score};
use crate::{Day, Kit, play};

/// Steps that each day makes progress by.
pub const STEPS: u64 = crate::play::STEPS;

/// Plays and scores the days of these seeds on so many threads, each with a diagnosis of its own. `progress` hears of steps,
/// [`STEPS`] for each day.
///
/// # Errors
/// When a day cannot be played; the first error ends all.
pub fn run<D: Diagnose>(
    seeds: Range<u64>,
    threads: usize,
    diagnosis: impl Fn() -> D + Sync,
    progress: impl Fn(u64) + Sync,
) -> anyhow::Result<Tally> {
    run_days(seeds, threads, Day::new, diagnosis, progress)
}

/// The same with days of another kind.
///
/// # Errors
/// As [`run`].
pub fn run_days<D: Diagnose>(
    seeds: Range<u64>,
    threads: usize,
    day: impl Fn(u64) -> anyhow::Result<Day> + Sync,
    diagnosis: impl Fn() -> D + Sync,
    progress: impl Fn(u64) + Sync,
) -> anyhow::Result<Tally> {
    let kit = Kit::new()?;
    let next = AtomicU64::new(seeds.start);
    let sum = Mutex::new(Ok(Tally::default()));
    let work = || {
        loop {
            let seed = next.fetch_add(1, Relaxed);
            if seed >= seeds.end {
                return;
            }
            let played = day(seed).and_then(|day| play(&kit, day, &mut |steps| progress(steps)));
            let scored = played.map(|mut recorded| score(&mut recorded, &diagnosis));
            let mut sum = sum.lock().unwrap_or_else(PoisonError::into_inner);
            match (scored, &mut *sum) {
                (Ok(tally), Ok(sum)) => sum.add(tally),
                (Err(error), sum) => {
                    next.store(seeds.end, Relaxed);
                    *sum = Err(error.context(format!("seed {seed}")));
                }
                (Ok(_), Err(_)) => return,
            }
        }
    };
    std::thread::scope(|scope| {
        (0..threads.max(1)).for_each(|_| {
            scope.spawn(work);
        });
    });
    sum.into_inner().unwrap_or_else(PoisonError::into_inner)
}
