//! What the stored request shows beside the decision: how the card was read, the terminal's clock, what the shop says it
//! is, and the terminal's report. The request was wiped before it was stored; what is read here was left.

use diagnosis::observation::Entry;
use iso8583::Message;
use jiff::tz::TimeZone;
use model::Timestamp;

use crate::{
    profile::Profile,
    telemetry::{self, Report},
};

const DAY_S: i64 = 86_400;

/// What one request shows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Seen<'a> {
    pub(super) entry: Entry,
    /// DE 18.
    pub(super) category: Option<u16>,
    /// DE 43, as it stands there.
    pub(super) name: Option<&'a str>,
    /// The terminal's clock against ours, in seconds; positive: ahead.
    pub(super) drift_s: Option<i32>,
    pub(super) report: Option<Report<'a>>,
}

impl Default for Seen<'_> {
    fn default() -> Self {
        Self { entry: Entry::Unknown, category: None, name: None, drift_s: None, report: None }
    }
}

/// Reads a decoded request.
pub(super) fn read<'a>(
    profile: &Profile,
    message: &Message<'a>,
    received: Timestamp,
    zone: &TimeZone,
) -> Seen<'a> {
    Seen {
        entry: entry(message),
        category: message.digits(18).and_then(|code| u16::try_from(code).ok()),
        name: message.ascii(43),
        drift_s: drift(message, received, zone),
        report: telemetry::of(profile.telemetry_field, message),
    }
}

/// DE 22. In 1987 the first two digits say how the number was read; UnionPay terminals say 80 for a stripe that was swiped
/// because the chip failed, or 02 with chip condition 2 in DE 60.5. In 1993 it is the seventh character (22-7).
pub(crate) fn entry(message: &Message<'_>) -> Entry {
    let Some(mode) = message.short(22) else { return Entry::Unknown };
    if mode.len() == 12 {
        return match mode.as_bytes()[6] {
            b'1' | b'6' => Entry::Manual,
            b'2' => Entry::Stripe,
            b'5' => Entry::Chip,
            _ => Entry::Unknown,
        };
    }
    match mode.get(..2) {
        Some("01") => Entry::Manual,
        Some("02" | "90") if message.sub(60, "5").is_some_and(|chip| chip == "2") => Entry::Fallback,
        Some("02" | "90") => Entry::Stripe,
        Some("05" | "95") => Entry::Chip,
        Some("07" | "91" | "98") => Entry::Contactless,
        Some("80") => Entry::Fallback,
        _ => Entry::Unknown,
    }
}

/// DE 12 and 13 are the local time where the terminal stands, taken to be our zone; with DE 7 alone it is UTC. None of
/// them has a year: the nearest moment is meant.
fn drift(message: &Message<'_>, received: Timestamp, zone: &TimeZone) -> Option<i32> {
    let ours = received.0.div_euclid(1000);
    let local = |ours: i64| {
        Some(ours + i64::from(zone.to_offset(jiff::Timestamp::from_second(ours).ok()?).seconds()))
    };
    let (time, day, ours) = match (message.short(12), message.short(13), message.short(7)) {
        (Some(both), _, _) if both.len() == 12 => {
            (pairs(both.get(6..)?)?, day(both.get(2..6)?), local(ours)?)
        }
        (Some(time), day, _) => (pairs(&time)?, day.and_then(|text| self::day(&text)), local(ours)?),
        (None, _, Some(both)) => (pairs(both.get(4..)?)?, day(both.get(..4)?), ours),
        (None, _, None) => return None,
    };
    let [hour, minute, second] = time;
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let seconds = hour * 3600 + minute * 60 + second;
    let Some(day) = day else {
        let off = (seconds - ours).rem_euclid(DAY_S);
        return i32::try_from(if off > DAY_S / 2 { off - DAY_S } else { off }).ok();
    };
    let year = year_of(ours)?;
    let candidates = [year - 1, year, year + 1].into_iter().filter_map(|year| {
        let date = jiff::civil::Date::new(year, day.0, day.1).ok()?;
        let days = days_since_epoch(date);
        Some(days * DAY_S + seconds - ours)
    });
    candidates.min_by_key(|off| off.abs()).and_then(|off| i32::try_from(off).ok())
}

/// `hhmmss`.
fn pairs(text: &str) -> Option<[i64; 3]> {
    let two = |from: usize| text.get(from..from + 2)?.parse().ok();
    Some([two(0)?, two(2)?, two(4)?])
}

/// `MMDD`.
fn day(text: &str) -> Option<(i8, i8)> {
    Some((text.get(..2)?.parse().ok()?, text.get(2..4)?.parse().ok()?))
}

fn year_of(seconds: i64) -> Option<i16> {
    let there = jiff::Timestamp::from_second(seconds).ok()?;
    Some(jiff::tz::Offset::UTC.to_datetime(there).year())
}

fn days_since_epoch(date: jiff::civil::Date) -> i64 {
    jiff::civil::date(1970, 1, 1).duration_until(date).as_hours() / 24
}

#[cfg(test)]
mod tests {
    use iso8583::{Dialect, MessageBuilder};

    use super::*;

    /// 2026-11-22T02:43:02Z is 10:43:02 in Shanghai.
    const RECEIVED: Timestamp = Timestamp(1_795_315_382_000);

    #[track_caller]
    fn check(dialect: &str, fields: &[(u8, &str)], received: Timestamp, expect: impl Fn(&Seen<'_>) -> bool) {
        let dialect = Dialect::builtin(dialect).unwrap();
        let mut builder = MessageBuilder::new("0200".parse().unwrap());
        for (n, value) in fields {
            builder.set(*n, value);
        }
        let mut body = Vec::new();
        builder.encode(&dialect, &mut body).unwrap();
        let message = dialect.decode(&body).unwrap();
        let profile = Profile::builtin(Profile::for_dialect(dialect.name())).unwrap();
        let zone = TimeZone::get("Asia/Shanghai").unwrap();
        let seen = read(&profile, &message, received, &zone);
        assert!(expect(&seen), "{fields:?}: {seen:?}");
    }

    #[test]
    fn how_the_card_was_read() {
        for (mode, expected) in [
            ("021", Entry::Stripe),
            ("012", Entry::Manual),
            ("051", Entry::Chip),
            ("071", Entry::Contactless),
            ("801", Entry::Fallback),
            ("951", Entry::Chip),
            ("981", Entry::Contactless),
            ("000", Entry::Unknown),
        ] {
            check("cup-pos", &[(22, mode)], RECEIVED, |seen| seen.entry == expected);
        }
        // Chip condition 2: the last transaction at this reader was a failed chip.
        check("cup-pos", &[(22, "021"), (60, "22000001000520")], RECEIVED, |s| s.entry == Entry::Fallback);
        check("cup-pos", &[(22, "021"), (60, "22000001000500")], RECEIVED, |s| s.entry == Entry::Stripe);
        check("cup-pos", &[], RECEIVED, |s| s.entry == Entry::Unknown);
        check("ascii93-bin", &[(22, "000000500000")], RECEIVED, |s| s.entry == Entry::Chip);
    }

    #[test]
    fn how_far_a_clock_is_off() {
        let check = |fields: &[(u8, &str)], received, expected: Option<i32>| {
            check("cup-pos", fields, received, |seen| seen.drift_s == expected);
        };
        check(&[(12, "104302"), (13, "1122")], RECEIVED, Some(0));
        check(&[(12, "105602"), (13, "1122")], RECEIVED, Some(780));
        check(&[(12, "104202")], RECEIVED, Some(-60));
        check(&[(12, "104302"), (13, "1121")], RECEIVED, Some(-86_400));
        // DE 7 is in UTC, and asked only where there is no local time.
        check(&[(7, "1122024307")], RECEIVED, Some(5));
        // New Year's Eve, 23:59:30 at the terminal and 00:00:10 here.
        let new_year = Timestamp(1_798_732_810_000);
        check(&[(12, "235930"), (13, "1231")], new_year, Some(-40));
        check(&[(12, "235930")], new_year, Some(-40));
        check(&[(12, "996161")], RECEIVED, None);
        check(&[(12, "104302"), (13, "9999")], RECEIVED, None);
        check(&[], RECEIVED, None);
    }

    #[test]
    fn a_leap_day_is_a_day() {
        let leap = Timestamp(1_709_168_582_000); // 2024-02-29T01:03:02Z
        check("cup-pos", &[(12, "090302"), (13, "0229")], leap, |seen| seen.drift_s == Some(0));
    }

    #[test]
    fn what_the_shop_says_and_what_the_terminal_tells() {
        let name = format!("{:<40}", "CORNER SHOP");
        check("cup-pos", &[(18, "5411"), (43, &name), (59, "PW01RT00242")], RECEIVED, |seen| {
            seen.category == Some(5411)
                && seen.name.is_some_and(|n| n.trim_end() == "CORNER SHOP")
                && seen.report.is_some_and(|report| report.telemetry.rtt_ms == Some(42))
        });
        check("cup-pos", &[(59, "A3019QR")], RECEIVED, |seen| seen.report.is_none());
    }
}
