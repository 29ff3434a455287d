//! The circuit breaker of one device: after so many failures in a row nobody asks it any more, until a probe (NC) over a
//! connection of its own was answered.
//!
//! ```text
//!              failures in a row                 time over
//!   Closed ------------------------> Open ------------------> Probing
//!     ^                                ^                        |  |
//!     |                                +------ no answer -------+  |
//!     +--------------------- answered -----------------------------+
//! ```

use std::time::Duration;

use tokio::time::Instant;

/// See the picture above.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Closed { failures: u32 },
    Open { until: Instant },
    Probing,
}

/// One device's breaker.
#[derive(Debug)]
pub(crate) struct Breaker {
    most_failures: u32,
    open_for: Duration,
    state: State,
}

impl Breaker {
    /// Begins open and due: a device is probed before it is used.
    pub(crate) fn new(most_failures: u32, open_for: Duration, now: Instant) -> Self {
        Self { most_failures, open_for, state: State::Open { until: now } }
    }

    /// May the device be asked?
    pub(crate) fn is_closed(&self) -> bool {
        matches!(self.state, State::Closed { .. })
    }

    /// When the next probe is due; `None` while it is closed or probing.
    pub(crate) fn probe_due(&self) -> Option<Instant> {
        match self.state {
            State::Open { until } => Some(until),
            State::Closed { .. } | State::Probing => None,
        }
    }

    /// A probe begins.
    pub(crate) fn probing(&mut self) {
        self.state = State::Probing;
    }

    /// A probe ended. Gives whether the breaker is closed now.
    pub(crate) fn probed(&mut self, answered: bool, now: Instant) -> bool {
        self.state =
            if answered { State::Closed { failures: 0 } } else { State::Open { until: now + self.open_for } };
        answered
    }

    /// A command was answered.
    pub(crate) fn succeeded(&mut self) {
        if let State::Closed { failures } = &mut self.state {
            *failures = 0;
        }
    }

    /// A command or a connection failed. Gives whether the breaker opened by it.
    pub(crate) fn failed(&mut self, now: Instant) -> bool {
        let State::Closed { failures } = &mut self.state else { return false };
        *failures += 1;
        let opens = *failures >= self.most_failures;
        if opens {
            self.state = State::Open { until: now + self.open_for };
        }
        opens
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_opens_after_failures_in_a_row_and_closes_after_a_probe() {
        let now = Instant::now();
        let open_for = Duration::from_secs(5);
        let mut breaker = Breaker::new(3, open_for, now);
        assert_eq!((breaker.is_closed(), breaker.probe_due()), (false, Some(now)));
        breaker.probing();
        assert_eq!((breaker.is_closed(), breaker.probe_due()), (false, None));
        assert!(breaker.probed(true, now) && breaker.is_closed());

        assert!(!breaker.failed(now) && !breaker.failed(now));
        breaker.succeeded();
        assert!(!breaker.failed(now) && !breaker.failed(now) && breaker.is_closed(), "counted in a row");
        assert!(breaker.failed(now) && !breaker.is_closed());
        assert_eq!(breaker.probe_due(), Some(now + open_for));
        assert!(!breaker.failed(now), "it opens once");
        breaker.succeeded();
        assert!(!breaker.is_closed(), "a late answer does not close it");

        breaker.probing();
        let later = now + open_for;
        assert!(!breaker.probed(false, later));
        assert_eq!(breaker.probe_due(), Some(later + open_for));
    }
}
