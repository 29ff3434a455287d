//! When requests are due in an open loop, whatever the answers do.
//!
//! A request's latency counts from the moment when it was due, not from when it left: a host that stalls delays all that
//! were due meanwhile, and each of them says so ("coordinated omission" is to leave them out, G. Tene).

/// Times at which requests are due, in nanoseconds of the run.
#[derive(Debug, Clone)]
pub(crate) struct Pace {
    interval: f64,
    first: f64,
    given: u64,
}

impl Pace {
    /// So many a second. `of_threads`: this thread's number and how many there are; they take turns.
    pub(crate) fn new(per_second: f64, (thread, threads): (usize, usize)) -> Pace {
        let together = 1e9 / per_second;
        Pace { interval: together * threads as f64, first: together * thread as f64, given: 0 }
    }

    /// When the next request is due.
    pub(crate) fn next_due(&self) -> u64 {
        (self.first + self.interval * self.given as f64) as u64
    }

    /// Takes the next request if it is due by now, and says when it was.
    pub(crate) fn take(&mut self, now: u64) -> Option<u64> {
        let due = self.next_due();
        (due <= now).then(|| {
            self.given += 1;
            due
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_missed_is_due_at_its_own_time() {
        let mut pace = Pace::new(1000.0, (0, 1));
        assert_eq!(pace.take(0), Some(0));
        assert_eq!(pace.take(999_999), None);
        let late: Vec<u64> = std::iter::from_fn(|| pace.take(4_500_000)).collect();
        assert_eq!(late, [1_000_000, 2_000_000, 3_000_000, 4_000_000]);
    }

    #[test]
    fn threads_take_turns() {
        let due = |thread| {
            let mut pace = Pace::new(1000.0, (thread, 2));
            std::iter::from_fn(move || pace.take(3_000_000)).collect::<Vec<u64>>()
        };
        assert_eq!([due(0), due(1)], [vec![0, 2_000_000], vec![1_000_000, 3_000_000]]);
    }
}
