//! A business calendar: which minutes of the year are worked. Time that passes while nobody works is not counted against anybody.
//!
//! A day's stretches are in the calendar's own time zone, so a day when clocks are changed is as long as it really is.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{civil::Date, tz::TimeZone};
use model::Timestamp;
use serde::Deserialize;

use crate::house::BadData;

/// A calendar that works so little that nothing is reached within so many days is taken for one that never works.
const DAYS_MAX: usize = 800;
/// Stretches of work in a day.
const STRETCHES_MAX: usize = 4;

/// The calendars by name.
#[derive(Debug, Clone, PartialEq)]
pub struct Calendars(BTreeMap<String, Calendar>);

/// One calendar.
#[derive(Debug, Clone, PartialEq)]
pub enum Calendar {
    /// Day and night.
    Always,
    /// By the week, with exceptions.
    Hours(Box<Hours>),
}

/// Working hours.
#[derive(Debug, Clone, PartialEq)]
pub struct Hours {
    zone: TimeZone,
    /// Monday first; minutes since midnight.
    week: [Vec<(u16, u16)>; 7],
    holidays: BTreeSet<Date>,
    working: BTreeSet<Date>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Entry {
    always: bool,
    zone: String,
    mon: Vec<String>,
    tue: Vec<String>,
    wed: Vec<String>,
    thu: Vec<String>,
    fri: Vec<String>,
    sat: Vec<String>,
    sun: Vec<String>,
    holidays: Vec<String>,
    working: Vec<String>,
}

impl Calendars {
    /// Reads `calendars.toml`.
    ///
    /// # Errors
    /// [`BadData`].
    pub fn read(text: &str) -> Result<Self, BadData> {
        let entries: BTreeMap<String, Entry> =
            toml::from_str(text).map_err(|e| BadData::of("calendars", e))?;
        let read = entries.into_iter().map(|(name, entry)| {
            let calendar =
                Calendar::of(entry).map_err(|why| BadData::of("calendars", format!("{name}: {why}")))?;
            Ok((name, calendar))
        });
        Ok(Self(read.collect::<Result<_, BadData>>()?))
    }

    /// A calendar by its name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Calendar> {
        self.0.get(name)
    }

    /// All names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

impl Calendar {
    fn of(entry: Entry) -> Result<Self, String> {
        if entry.always {
            return Ok(Self::Always);
        }
        let zone = TimeZone::get(&entry.zone).map_err(|_| format!("no such time zone: {:?}", entry.zone))?;
        let days = [entry.mon, entry.tue, entry.wed, entry.thu, entry.fri, entry.sat, entry.sun];
        let mut week: [Vec<(u16, u16)>; 7] = Default::default();
        for (day, stretches) in week.iter_mut().zip(&days) {
            *day = stretches_of(stretches)?;
        }
        if week.iter().all(Vec::is_empty) {
            return Err("it never works".to_owned());
        }
        let dates = |texts: &[String]| -> Result<BTreeSet<Date>, String> {
            texts.iter().map(|text| text.parse::<Date>().map_err(|e| format!("{text}: {e}"))).collect()
        };
        let (holidays, working) = (dates(&entry.holidays)?, dates(&entry.working)?);
        Ok(Self::Hours(Box::new(Hours { zone, week, holidays, working })))
    }

    /// Working milliseconds from one moment to a later one; none if it is earlier.
    #[must_use]
    pub fn worked_ms(&self, from: Timestamp, to: Timestamp) -> i64 {
        if to <= from {
            return 0;
        }
        let Self::Hours(hours) = self else { return to.since_ms(from) };
        hours
            .stretches(from)
            .take_while(|(begin, _)| *begin < to)
            .map(|(begin, end)| end.min(to).since_ms(begin.max(from)).max(0))
            .sum()
    }

    /// The moment at which so much working time has passed since `from`; `None` when it never comes.
    #[must_use]
    pub fn after_ms(&self, from: Timestamp, work_ms: i64) -> Option<Timestamp> {
        let Self::Hours(hours) = self else { return Some(from.plus_ms(work_ms.max(0))) };
        let mut left = work_ms.max(0);
        for (begin, end) in hours.stretches(from) {
            let begin = begin.max(from);
            let here = end.since_ms(begin).max(0);
            if here > 0 && left <= here {
                return Some(begin.plus_ms(left));
            }
            left -= here;
        }
        None
    }

    /// Is it worked at this moment?
    #[must_use]
    pub fn works_at(&self, at: Timestamp) -> bool {
        self.worked_ms(at, at.plus_ms(1)) > 0
    }
}

impl Hours {
    /// The stretches of work from the day before `from` on, in order, for a bounded number of days.
    fn stretches(&self, from: Timestamp) -> impl Iterator<Item = (Timestamp, Timestamp)> + '_ {
        let first = self.date_of(from).yesterday().unwrap_or(Date::MIN);
        first.series(jiff::Span::new().days(1)).take(DAYS_MAX).flat_map(move |date| {
            self.day(date).iter().filter_map(move |(begin, end)| {
                Some((self.moment(date, *begin)?, self.moment(date, *end)?)).filter(|(b, e)| b < e)
            })
        })
    }

    fn date_of(&self, at: Timestamp) -> Date {
        jiff::Timestamp::from_millisecond(at.0).unwrap_or_default().to_zoned(self.zone.clone()).date()
    }

    fn day(&self, date: Date) -> &[(u16, u16)] {
        if self.working.contains(&date) {
            return &self.week[0];
        }
        if self.holidays.contains(&date) {
            return &[];
        }
        let day = date.weekday().to_monday_zero_offset();
        usize::try_from(day).ok().and_then(|day| self.week.get(day)).map_or(&[], Vec::as_slice)
    }

    /// Minutes of a day; 1440 is the next day's midnight. What falls into an hour that is left out begins after it.
    fn moment(&self, date: Date, minutes: u16) -> Option<Timestamp> {
        let (date, minutes) = if minutes == 1440 { (date.tomorrow().ok()?, 0) } else { (date, minutes) };
        let time = date.at(i8::try_from(minutes / 60).ok()?, i8::try_from(minutes % 60).ok()?, 0, 0);
        let zoned = time.to_zoned(self.zone.clone()).ok()?;
        Some(Timestamp(zoned.timestamp().as_millisecond()))
    }
}

fn stretches_of(texts: &[String]) -> Result<Vec<(u16, u16)>, String> {
    if texts.len() > STRETCHES_MAX {
        return Err(format!("at most {STRETCHES_MAX} stretches a day"));
    }
    let mut day = Vec::with_capacity(texts.len());
    for text in texts {
        let parsed = text.split_once('-').and_then(|(a, b)| Some((minutes(a)?, minutes(b)?)));
        let (begin, end) = parsed.ok_or_else(|| format!("not HH:MM-HH:MM: {text:?}"))?;
        if begin >= end || day.last().is_some_and(|(_, before)| begin < *before) {
            return Err(format!("not in order: {text:?}"));
        }
        day.push((begin, end));
    }
    Ok(day)
}

fn minutes(text: &str) -> Option<u16> {
    let (hours, minutes) = text.trim().split_once(':')?;
    if hours.len() != 2 || minutes.len() != 2 {
        return None;
    }
    let (hours, minutes): (u16, u16) = (hours.parse().ok()?, minutes.parse().ok()?);
    (hours < 24 && minutes < 60 || hours == 24 && minutes == 0).then_some(hours * 60 + minutes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WEEK: &str = r#"
        [counter]
        zone = "Asia/Shanghai"
        mon = ["09:00-12:00", "13:00-18:00"]
        tue = ["09:00-18:00"]
        sun = ["20:00-24:00"]
        holidays = ["2026-10-06"]
        working = ["2026-10-10"]
        [always]
        always = true
    "#;

    fn at(text: &str) -> Timestamp {
        Timestamp(text.parse::<jiff::Timestamp>().unwrap().as_millisecond())
    }

    #[test]
    fn only_working_time_passes() {
        let calendars = Calendars::read(WEEK).unwrap();
        let counter = calendars.get("counter").unwrap();
        // 2026-10-05 is a Monday.
        let hours = |from: &str, to: &str| counter.worked_ms(at(from), at(to)) / 3_600_000;
        assert_eq!(hours("2026-10-05T00:00:00+08:00", "2026-10-06T00:00:00+08:00"), 8);
        assert_eq!(hours("2026-10-05T11:00:00+08:00", "2026-10-05T14:00:00+08:00"), 2);
        assert_eq!(hours("2026-10-06T00:00:00+08:00", "2026-10-07T00:00:00+08:00"), 0, "a holiday");
        assert_eq!(
            hours("2026-10-10T00:00:00+08:00", "2026-10-11T00:00:00+08:00"),
            8,
            "a Saturday that is worked"
        );
        assert_eq!(hours("2026-10-11T00:00:00+08:00", "2026-10-12T00:00:00+08:00"), 4, "until midnight");
        assert!(counter.works_at(at("2026-10-05T09:00:00+08:00")));
        assert!(!counter.works_at(at("2026-10-05T12:00:00+08:00")));
        let due = counter.after_ms(at("2026-10-05T17:00:00+08:00"), 2 * 3_600_000);
        assert_eq!(due, Some(at("2026-10-10T10:00:00+08:00")), "over the holiday");
        let always = calendars.get("always").unwrap();
        assert_eq!(always.after_ms(at("2026-10-06T00:00:00Z"), 60_000), Some(at("2026-10-06T00:01:00Z")));
    }

    #[test]
    fn a_calendar_that_makes_no_sense_is_refused() {
        let refused = |text: &str| Calendars::read(text).unwrap_err().to_string();
        assert!(refused("[a]\nzone = \"Nowhere/City\"").contains("Nowhere"));
        assert!(refused("[a]\nzone = \"Asia/Shanghai\"").contains("never works"));
        for hours in ["9-18", "09:00-09:00", "18:00-09:00", "09:00-25:00", "24:00-24:30"] {
            refused(&format!("[a]\nzone = \"Asia/Shanghai\"\nmon = [\"{hours}\"]"));
        }
        refused("[a]\nzone = \"Asia/Shanghai\"\nmon = [\"09:00-12:00\", \"11:00-13:00\"]");
        refused("[a]\nzone = \"Asia/Shanghai\"\nmon = [\"09:00-12:00\"]\nholidays = [\"2026-02-30\"]");
    }
}
