//! Retrieval reference numbers (DE 37) and approval codes (DE 38).
//!
//! A reference is the last digit of the year, the day of the year, and eight digits that count up from the time of
//! day plus the journal's length at start: unique across restarts, and readable on the phone.

use std::sync::atomic::{AtomicU64, Ordering};

use authorization::decide;
use model::{ApprovalCode, Rrn, Timestamp};

const WRAP: u64 = 100_000_000;

pub(crate) struct References {
    next: AtomicU64,
}

impl References {
    pub(crate) fn new(now: Timestamp, zone: &jiff::tz::TimeZone, journal: u64) -> Self {
        let here = at(now, zone);
        let since_midnight = i64::from(here.hour()) * 3_600_000
            + i64::from(here.minute()) * 60_000
            + i64::from(here.second()) * 1000
            + i64::from(here.millisecond());
        Self { next: AtomicU64::new(since_midnight.unsigned_abs() + journal) }
    }

    /// A fresh pair.
    pub(crate) fn next(&self, now: Timestamp, zone: &jiff::tz::TimeZone) -> decide::References {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let day = at(now, zone);
        let mut rrn = [b'0'; Rrn::LEN];
        digits(&mut rrn[..1], u64::from(day.year().unsigned_abs() % 10));
        digits(&mut rrn[1..4], u64::from(day.day_of_year().unsigned_abs()));
        digits(&mut rrn[4..], number % WRAP);
        let mut approval = [b'0'; ApprovalCode::LEN];
        digits(&mut approval, number % 1_000_000);
        // Both are digits only, so both are always valid.
        decide::References {
            rrn: Rrn::new(&rrn).unwrap_or_else(|_| unreachable!("digits are a reference")),
            approval: ApprovalCode::new(&approval).unwrap_or_else(|_| unreachable!("digits are a code")),
        }
    }
}

pub(crate) fn at(now: Timestamp, zone: &jiff::tz::TimeZone) -> jiff::Zoned {
    jiff::Timestamp::from_millisecond(now.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH).to_zoned(zone.clone())
}

/// Writes a number into a fixed width, leading zeros kept.
pub(crate) fn digits(to: &mut [u8], mut value: u64) {
    for place in to.iter_mut().rev() {
        *place = b'0' + (value % 10) as u8;
        value /= 10;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_count_up_and_carry_the_day() {
        let zone = jiff::tz::TimeZone::UTC;
        let now = Timestamp(1_795_000_000_000); // 2026-11-18
        let references = References::new(now, &zone, 5);
        let (first, second) = (references.next(now, &zone).rrn, references.next(now, &zone).rrn);
        assert!(first.as_str().starts_with("6322"), "{first}");
        assert!(second > first);
    }
}
