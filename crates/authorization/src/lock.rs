//! The lock that follows the last wrong PIN, and when it opens by itself.

use jiff::{civil::Time, tz::TimeZone};
use minicbor::{Decode, Encode};
use model::Timestamp;
use serde::{Deserialize, Serialize};

/// A locked card answers 75 (or 38) without asking the security module, and the right PIN does not unlock it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct Lock {
    /// When the last try was used up.
    #[n(0)]
    pub since: Timestamp,
    /// When it opens by itself; `None`: staff must act.
    #[n(1)]
    pub until: Option<Timestamp>,
}

impl Lock {
    /// Has its time come? The deadline is absolute, so neither a restart nor a second host moves it; a clock that
    /// went back only lengthens the lock.
    #[must_use]
    pub fn has_expired(&self, now: Timestamp) -> bool {
        self.until.is_some_and(|until| until <= now)
    }
}

/// How a lock is released, as the product's policy says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Release {
    /// After so many hours.
    AfterH(u32),
    /// At the next midnight in a time zone named as in the IANA database, such as `Asia/Shanghai`.
    NextDayIn(String),
    /// Never by itself.
    ByStaff,
}

impl Release {
    /// The moment of release for a lock that starts `now`; `None` when staff must act.
    ///
    /// # Errors
    /// The zone's name when it is not in the bundled IANA database. Policies are checked when they are loaded, so
    /// a decision never meets this.
    pub fn until(&self, now: Timestamp) -> Result<Option<Timestamp>, UnknownZone> {
        match self {
            Self::AfterH(hours) => Ok(Some(now.plus_s(i64::from(*hours) * 3600))),
            Self::NextDayIn(zone) => next_midnight(zone, now).map(Some),
            Self::ByStaff => Ok(None),
        }
    }
}

/// A time zone name that the bundled IANA database does not have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown time zone {0:?}")]
pub struct UnknownZone(pub String);

/// The first moment of the next calendar day; where midnight does not exist (a clock change), the first moment
/// that does.
fn next_midnight(zone: &str, now: Timestamp) -> Result<Timestamp, UnknownZone> {
    let unknown = || UnknownZone(zone.to_owned());
    let tz = TimeZone::get(zone).map_err(|_| unknown())?;
    let here = jiff::Timestamp::from_millisecond(now.0).map_err(|_| unknown())?.to_zoned(tz.clone());
    let tomorrow = here.date().tomorrow().map_err(|_| unknown())?.to_datetime(Time::midnight());
    let midnight = tz.to_zoned(tomorrow).map_err(|_| unknown())?;
    Ok(Timestamp(midnight.timestamp().as_millisecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp(text.parse::<jiff::Timestamp>().unwrap().as_millisecond())
    }

    #[track_caller]
    fn check(release: Release, from: &str, until: &str) {
        assert_eq!(release.until(at(from)).unwrap(), Some(at(until)));
    }

    #[test]
    fn a_day_ends_where_the_bank_is() {
        let shanghai = || Release::NextDayIn("Asia/Shanghai".into());
        check(shanghai(), "2026-11-22T15:59:59Z", "2026-11-22T16:00:00Z");
        check(shanghai(), "2026-11-22T16:00:00Z", "2026-11-23T16:00:00Z");
        check(Release::NextDayIn("America/New_York".into()), "2026-03-08T06:00:00Z", "2026-03-09T04:00:00Z");
        check(Release::AfterH(24), "2026-11-22T10:43:02Z", "2026-11-23T10:43:02Z");
    }

    #[test]
    fn midnight_that_does_not_exist_is_the_first_moment_after() {
        // Cairo skipped 2026-04-24 00:00 to 01:00.
        check(Release::NextDayIn("Africa/Cairo".into()), "2026-04-23T12:00:00Z", "2026-04-23T22:00:00Z");
    }

    #[test]
    fn staff_locks_have_no_deadline() {
        assert_eq!(Release::ByStaff.until(at("2026-11-22T00:00:00Z")).unwrap(), None);
        assert!(Release::NextDayIn("Mars/Olympus".into()).until(Timestamp(0)).is_err());
    }
}
