//! The terminal's clock: China Standard Time, which has no summer time, so that forty lines replace a time zone library.

use std::time::{SystemTime, UNIX_EPOCH};

/// Hours that China Standard Time is ahead of UTC, in seconds.
const CHINA_AHEAD_S: i64 = 8 * 3600;

/// A date and time as terminals show it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Civil {
    /// Year.
    pub year: i64,
    /// Month, 1 to 12.
    pub month: u32,
    /// Day, 1 to 31.
    pub day: u32,
    /// Hour.
    pub hour: u32,
    /// Minute.
    pub minute: u32,
    /// Second.
    pub second: u32,
}

/// Milliseconds since 1970, UTC.
#[must_use]
pub fn now_ms() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |d| i64::try_from(d.as_millis()).unwrap_or(i64::MAX))
}

impl Civil {
    /// The time in China.
    #[must_use]
    pub fn in_china(unix_ms: i64) -> Civil {
        Civil::utc(unix_ms + CHINA_AHEAD_S * 1000)
    }

    /// The time in UTC, by the days-to-civil algorithm of H. Hinnant ("chrono-compatible low-level date algorithms").
    #[must_use]
    pub fn utc(unix_ms: i64) -> Civil {
        let unix_s = unix_ms.div_euclid(1000);
        let (days, rest) = (unix_s.div_euclid(86_400), unix_s.rem_euclid(86_400));
        let z = days + 719_468;
        let era = z.div_euclid(146_097);
        let day_of_era = z.rem_euclid(146_097);
        let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted_month = (5 * day_of_year + 2) / 153;
        let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
        Civil {
            year: year_of_era + era * 400 + i64::from(month <= 2),
            month: month as u32,
            day: (day_of_year - (153 * shifted_month + 2) / 5 + 1) as u32,
            hour: (rest / 3600) as u32,
            minute: (rest / 60 % 60) as u32,
            second: (rest % 60) as u32,
        }
    }

    /// DE 12.
    #[must_use]
    pub fn hhmmss(&self) -> String {
        format!("{:02}{:02}{:02}", self.hour, self.minute, self.second)
    }

    /// DE 13.
    #[must_use]
    pub fn mmdd(&self) -> String {
        format!("{:02}{:02}", self.month, self.day)
    }

    /// `10:43:02`.
    #[must_use]
    pub fn time_of_day(&self) -> String {
        format!("{:02}:{:02}:{:02}", self.hour, self.minute, self.second)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_right_around_the_edges() {
        let text = |ms| {
            let c = Civil::in_china(ms);
            format!("{}-{} {}", c.year, c.mmdd(), c.hhmmss())
        };
        assert_eq!(text(0), "1970-0101 080000");
        assert_eq!(text(1_795_315_382_000), "2026-1122 104302");
        assert_eq!(text(1_709_136_000_000), "2024-0229 000000");
        assert_eq!(text(1_767_196_799_999), "2025-1231 235959");
    }
}
