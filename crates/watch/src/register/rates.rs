//! Did the answer help? How often incidents of a cause came before it and after.

use model::Timestamp;
use serde::Serialize;

use super::{Answer, Record, Register};

/// The time before an answer that is compared with the time after it: as long, and at most this.
const SPAN_MS: i64 = 30 * DAY_MS;
const DAY_MS: i64 = 86_400_000;
const WEEK_MS: f64 = 7.0 * DAY_MS as f64;

/// How often a cause came before an answer and after it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Rates {
    /// Incidents of the same cause in the time before.
    pub before: u32,
    /// In the time after.
    pub after: u32,
    /// The same for a week.
    pub before_per_week: f64,
    /// The same for a week.
    pub after_per_week: f64,
    /// Payments refused by them for a week.
    pub refused_before_per_week: f64,
    /// The same after.
    pub refused_after_per_week: f64,
    /// How long the time after is, in days; as long as the time before.
    pub days: f64,
}

impl Register {
    /// Before and after an answer to an incident, by now.
    pub(crate) fn rates(&self, record: &Record, answer: &Answer, now: Timestamp) -> Rates {
        let span = now.since_ms(answer.at).clamp(1, SPAN_MS);
        let (mut counts, mut refused) = ([0_u32; 2], [0_u64; 2]);
        for other in self.of_cause(record.found.cause) {
            let since = other.found.onset.since_ms(answer.at);
            let side = match since {
                ms if (-span..0).contains(&ms) => 0,
                ms if (0..=span).contains(&ms) => 1,
                _ => continue,
            };
            counts[side] += 1;
            refused[side] += u64::from(other.found.refused);
        }
        let per_week = |n: f64| n * WEEK_MS / span as f64;
        Rates {
            before: counts[0],
            after: counts[1],
            before_per_week: per_week(f64::from(counts[0])),
            after_per_week: per_week(f64::from(counts[1])),
            refused_before_per_week: per_week(refused[0] as f64),
            refused_after_per_week: per_week(refused[1] as f64),
            days: span as f64 / DAY_MS as f64,
        }
    }
}
