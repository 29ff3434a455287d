//! The two clocks of a case: until somebody has answered, and until it is closed. They run in working minutes of the plan's
//! calendar, and stand still while the customer's answer is waited for.

use model::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{calendar::Calendar, case::Priority};

const MINUTE_MS: i64 = 60_000;

/// Which clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClockKind {
    /// Until somebody has answered.
    Response,
    /// Until the case is closed.
    Resolve,
}

impl ClockKind {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Response, Self::Resolve];

    /// The fixed name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Response => "response",
            Self::Resolve => "resolve",
        }
    }
}

/// So many working minutes for each priority.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Minutes {
    /// For urgent cases.
    pub urgent: u32,
    /// For cases of high priority.
    pub high: u32,
    /// For ordinary ones.
    pub normal: u32,
    /// For those that can wait.
    pub low: u32,
}

impl Minutes {
    /// Those of a priority.
    #[must_use]
    pub fn of(&self, priority: Priority) -> u32 {
        match priority {
            Priority::Urgent => self.urgent,
            Priority::High => self.high,
            Priority::Normal => self.normal,
            Priority::Low => self.low,
        }
    }
}

/// What was promised when the case was opened: frozen with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Targets {
    /// The calendar's name.
    pub calendar: String,
    /// Until somebody has answered.
    pub response_min: Minutes,
    /// Until it is closed.
    pub resolve_min: Minutes,
}

impl Targets {
    /// The minutes of a clock.
    #[must_use]
    pub fn minutes(&self, clock: ClockKind, priority: Priority) -> u32 {
        match clock {
            ClockKind::Response => self.response_min.of(priority),
            ClockKind::Resolve => self.resolve_min.of(priority),
        }
    }
}

/// A time during which a clock stands still.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    /// Since when.
    pub from: Timestamp,
    /// Until when; open while it lasts.
    pub to: Option<Timestamp>,
}

/// What a clock shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Reading {
    /// Which.
    pub clock: ClockKind,
    /// The target in working minutes.
    pub target_min: u32,
    /// Working milliseconds that have passed.
    pub passed_ms: i64,
    /// When the target is, or was, reached; none while it stands still, or when it was stopped in time.
    pub due: Option<Timestamp>,
    /// It was stopped: answered, or closed.
    pub stopped: bool,
    /// It stands still just now.
    pub paused: bool,
}

impl Reading {
    /// Working minutes that have passed, rounded down.
    #[must_use]
    pub fn passed_min(&self) -> i64 {
        self.passed_ms / MINUTE_MS
    }

    /// Is more than the target gone?
    #[must_use]
    pub fn is_late(&self) -> bool {
        self.passed_ms > i64::from(self.target_min) * MINUTE_MS
    }

    /// How much of the target is gone, in percent.
    #[must_use]
    pub fn percent(&self) -> u32 {
        let target = (i64::from(self.target_min) * MINUTE_MS).max(1);
        u32::try_from(self.passed_ms.max(0).saturating_mul(100) / target).unwrap_or(u32::MAX)
    }
}

/// One clock: where it began, where it was stopped, when it stood still.
#[derive(Debug, Clone, Copy)]
pub struct Clock<'c> {
    /// Whose minutes count.
    pub calendar: &'c Calendar,
    /// When it began.
    pub from: Timestamp,
    /// When it was stopped.
    pub stopped: Option<Timestamp>,
    /// In order, without overlap; only the last may be open.
    pub pauses: &'c [Pause],
}

impl Clock<'_> {
    /// Stretches of time in which it runs, until `end`; the last is open when `end` is `None`.
    fn running(&self, end: Option<Timestamp>) -> Vec<(Timestamp, Option<Timestamp>)> {
        let mut stretches = Vec::with_capacity(self.pauses.len() + 1);
        let mut begin = self.from;
        for pause in self.pauses {
            if end.is_some_and(|end| pause.from >= end) {
                break;
            }
            stretches.push((begin, Some(pause.from)));
            match pause.to {
                Some(to) => begin = to.max(begin),
                None => return stretches,
            }
        }
        stretches.push((begin, end));
        stretches
    }

    /// Working milliseconds that have passed at `now`.
    #[must_use]
    pub fn passed_ms(&self, now: Timestamp) -> i64 {
        let end = self.stopped.map_or(now, |stopped| stopped.min(now));
        let running = self.running(Some(end));
        running
            .iter()
            .map(|(begin, until)| self.calendar.worked_ms(*begin, until.unwrap_or(end).min(end)))
            .sum()
    }

    /// When so many working milliseconds have passed; `None` while it stands still before that, or if it was stopped before.
    #[must_use]
    pub fn reaches(&self, work_ms: i64) -> Option<Timestamp> {
        let mut left = work_ms;
        for (begin, until) in self.running(self.stopped) {
            let here = until.map(|until| self.calendar.worked_ms(begin, until));
            match here {
                Some(here) if here < left => left -= here,
                _ => return self.calendar.after_ms(begin, left),
            }
        }
        None
    }

    /// What it shows.
    #[must_use]
    pub fn read(&self, clock: ClockKind, target_min: u32, now: Timestamp) -> Reading {
        Reading {
            clock,
            target_min,
            passed_ms: self.passed_ms(now),
            due: self.reaches(i64::from(target_min) * MINUTE_MS),
            stopped: self.stopped.is_some(),
            paused: self.stopped.is_none() && self.pauses.last().is_some_and(|pause| pause.to.is_none()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minute(n: i64) -> Timestamp {
        Timestamp(n * MINUTE_MS)
    }

    #[test]
    fn a_pause_puts_the_target_off_and_an_open_one_for_good() {
        let open = [Pause { from: minute(10), to: None }];
        let clock = |pauses| Clock { calendar: &Calendar::Always, from: minute(0), stopped: None, pauses };
        let paused = clock(&open).read(ClockKind::Resolve, 30, minute(100));
        assert_eq!((paused.passed_min(), paused.due, paused.paused), (10, None, true));
        let over = [Pause { from: minute(10), to: Some(minute(60)) }];
        let going = clock(&over).read(ClockKind::Resolve, 30, minute(70));
        assert_eq!((going.passed_min(), going.due, going.percent()), (20, Some(minute(80)), 66));
        assert!(clock(&over).read(ClockKind::Resolve, 30, minute(81)).is_late());
        assert!(
            !clock(&over).read(ClockKind::Resolve, 30, minute(80)).is_late(),
            "the target itself is in time"
        );
    }

    #[test]
    fn a_stopped_clock_stays() {
        let clock =
            Clock { calendar: &Calendar::Always, from: minute(0), stopped: Some(minute(5)), pauses: &[] };
        let reading = clock.read(ClockKind::Response, 30, minute(500));
        assert_eq!((reading.passed_min(), reading.due, reading.stopped), (5, None, true));
        let late = Clock { stopped: Some(minute(45)), ..clock }.read(ClockKind::Response, 30, minute(500));
        assert_eq!((late.is_late(), late.due), (true, Some(minute(30))));
    }
}
