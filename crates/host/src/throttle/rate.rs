//! Token buckets, in the form of the generic cell rate algorithm (ITU-T I.371 §5.4.1, virtual scheduling): a bucket is
//! one number, the theoretical arrival time of the next request if all came evenly. A time that lies in the past is a
//! full bucket, so a bucket that nobody uses needs no room.

use std::{
    hash::{BuildHasher, Hash, RandomState},
    sync::{Mutex, PoisonError},
};

const SECOND: u64 = 1_000_000_000;

/// How often, and how much at once after a pause. Times are in nanoseconds from any fixed moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rate {
    interval: u64,
    burst: u64,
}

impl Rate {
    /// `None` for 0: no limit.
    pub(crate) fn per_second(count: u32, burst: u32) -> Option<Self> {
        Self::per(SECOND, count, burst)
    }

    /// The minute's worth may come at once.
    pub(crate) fn per_minute(count: u32) -> Option<Self> {
        Self::per(60 * SECOND, count, count)
    }

    fn per(period: u64, count: u32, burst: u32) -> Option<Self> {
        let interval = period.checked_div(u64::from(count))?.max(1);
        Some(Self { interval, burst: interval * u64::from(burst.max(1)) })
    }
}

/// One bucket: full at first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Bucket {
    next: u64,
}

impl Bucket {
    /// Takes one, or says how long to wait for it.
    pub(crate) fn take(&mut self, rate: Rate, now: u64) -> Result<(), u64> {
        // More than the burst ahead: the clock went back. The bucket is empty then, not shut until the clock is back.
        let next = self.next.clamp(now, now.saturating_add(rate.burst));
        let wait = next.saturating_add(rate.interval) - now;
        if wait > rate.burst {
            self.next = next;
            return Err(wait - rate.burst);
        }
        self.next = next + rate.interval;
        Ok(())
    }
}

const WAYS: usize = 8;

#[derive(Clone, Copy, Default)]
struct Slot {
    /// Keyed hash of the name; 0 when free.
    tag: u64,
    bucket: Bucket,
}

/// Buckets of many names, in a fixed room. In a full set the fullest bucket makes room, so that a limited name stays
/// limited however many others are invented; what is forgotten is admitted.
pub(crate) struct Table {
    rate: Rate,
    hasher: RandomState,
    sets: Box<[Mutex<[Slot; WAYS]>]>,
}

impl Table {
    pub(crate) fn new(rate: Rate, names: usize) -> Self {
        let sets = names.div_ceil(WAYS).next_power_of_two();
        let sets = std::iter::repeat_with(Mutex::default).take(sets).collect();
        Self { rate, hasher: RandomState::new(), sets }
    }

    /// Takes one from a name's bucket, or says how long to wait for it, in nanoseconds.
    pub(crate) fn take(&self, name: &impl Hash, now: u64) -> Result<(), u64> {
        let hash = self.hasher.hash_one(name);
        // cannot fail: the mask is below the length, a power of two.
        let set = &self.sets[(hash >> 32) as usize & (self.sets.len() - 1)];
        let mut slots = set.lock().unwrap_or_else(PoisonError::into_inner);
        let tag = hash | 1;
        if let Some(slot) = slots.iter_mut().find(|slot| slot.tag == tag) {
            return slot.bucket.take(self.rate, now);
        }
        match slots.iter_mut().min_by_key(|slot| slot.bucket.next) {
            Some(slot) => {
                *slot = Slot { tag, bucket: Bucket::default() };
                slot.bucket.take(self.rate, now)
            }
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_then_the_rate() {
        let rate = Rate::per_second(10, 3).unwrap();
        let mut bucket = Bucket::default();
        let start = 5 * SECOND;
        let at_once = (0..10).filter(|_| bucket.take(rate, start).is_ok()).count();
        assert_eq!((at_once, bucket.take(rate, start)), (3, Err(SECOND / 10)));
        assert_eq!(bucket.take(rate, start + SECOND / 10), Ok(()));
        let evenly = (2..12).filter(|n| bucket.take(rate, start + n * SECOND / 10).is_ok()).count();
        assert_eq!(evenly, 10);
        let after_a_pause = (0..10).filter(|_| bucket.take(rate, start + 60 * SECOND).is_ok()).count();
        assert_eq!(after_a_pause, 3);
    }

    #[test]
    fn none_is_no_limit_and_one_is_one() {
        assert_eq!(Rate::per_second(0, 5), None);
        assert_eq!(Rate::per_minute(0), None);
        let rate = Rate::per_minute(1).unwrap();
        let mut bucket = Bucket::default();
        assert_eq!(bucket.take(rate, SECOND), Ok(()));
        assert_eq!(bucket.take(rate, 60 * SECOND), Err(SECOND));
        assert_eq!(bucket.take(rate, 61 * SECOND), Ok(()));
    }

    #[test]
    fn a_clock_that_goes_back_shuts_nobody_out() {
        let rate = Rate::per_second(1, 2).unwrap();
        let mut bucket = Bucket::default();
        assert_eq!(bucket.take(rate, 1_000_000 * SECOND), Ok(()));
        assert_eq!(bucket.take(rate, 10 * SECOND), Err(SECOND));
        assert_eq!(bucket.take(rate, 11 * SECOND), Ok(()));
    }

    /// A hundred thousand invented names wash through a table of 64; the one that is limited stays limited.
    #[test]
    fn invented_names_do_not_free_a_limited_one() {
        let rate = Rate::per_minute(5).unwrap();
        let table = Table::new(rate, 64);
        for _ in 0..5 {
            assert_eq!(table.take(&"guessed", 60 * SECOND), Ok(()));
        }
        for invented in 0..100_000_u32 {
            let _ = table.take(&invented, 60 * SECOND);
            assert!(invented % 1000 != 0 || table.take(&"guessed", 60 * SECOND).is_err(), "{invented}");
        }
    }

    #[test]
    fn names_do_not_share() {
        // Room for so many that no set of eight is full, whatever the keyed hash does.
        let table = Table::new(Rate::per_minute(1).unwrap(), 65_536);
        let admitted = (0..1000_u32).filter(|name| table.take(name, SECOND).is_ok()).count();
        let again = (0..1000_u32).filter(|name| table.take(name, SECOND).is_ok()).count();
        assert_eq!((admitted, again), (1000, 0));
    }
}
