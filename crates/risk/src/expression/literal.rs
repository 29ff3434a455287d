//! Durations and moments as they are written in a rule.

use jiff::Timestamp;

/// Longest window and duration: 31 days.
pub const DURATION_MS_MAX: i64 = 31 * 24 * 3_600_000;

/// `10m`, `1h30m`, `90s`, `500ms` (as CEL takes them), and `7d`, which only windows may have. In milliseconds.
pub(super) fn duration_ms(text: &str, days: bool) -> Option<i64> {
    let mut rest = text;
    let mut total = 0_i64;
    let mut largest = i64::MAX;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let number: i64 = rest.get(..digits)?.parse().ok()?;
        rest = rest.get(digits..)?;
        let letters = rest.bytes().take_while(u8::is_ascii_alphabetic).count();
        let unit = match rest.get(..letters)? {
            "d" if days => 24 * 3_600_000,
            "h" => 3_600_000,
            "m" => 60_000,
            "s" => 1000,
            "ms" => 1,
            _ => return None,
        };
        // from the largest unit to the smallest, each once: nobody means 10s5m
        if unit >= largest {
            return None;
        }
        largest = unit;
        total = total.checked_add(number.checked_mul(unit)?)?;
        rest = rest.get(letters..)?;
    }
    (!text.is_empty() && total <= DURATION_MS_MAX).then_some(total)
}

/// A moment as in RFC 3339, in milliseconds since 1970.
pub(crate) fn moment_ms(text: &str) -> Option<i64> {
    text.parse::<Timestamp>().ok().map(Timestamp::as_millisecond)
}

/// Milliseconds as people write them: `1h30m`, and from two days on `7d`.
pub(crate) fn spoken(ms: i64) -> String {
    const DAY: i64 = 86_400_000;
    if ms >= 2 * DAY && ms % DAY == 0 { format!("{}d", ms / DAY) } else { in_hours(ms) }
}

/// Milliseconds as `duration("…")` takes them: hours are the largest unit of CEL.
pub(crate) fn in_hours(ms: i64) -> String {
    const UNITS: [(&str, i64); 4] = [("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];
    if ms <= 0 {
        return format!("{ms}ms");
    }
    let mut rest = ms;
    let mut text = String::new();
    for (name, unit) in UNITS {
        if rest >= unit {
            text += &format!("{}{name}", rest / unit);
            rest %= unit;
        }
    }
    text
}

/// A moment as people write it.
pub(crate) fn moment(ms: i64) -> String {
    Timestamp::from_millisecond(ms).map_or_else(|_| format!("{ms}ms"), |moment| moment.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_they_are_spoken() {
        for (text, ms) in
            [("10m", 600_000), ("1h30m", 5_400_000), ("500ms", 500), ("7d", 604_800_000), ("1m1ms", 60_001)]
        {
            assert_eq!(duration_ms(text, true), Some(ms), "{text}");
            assert_eq!(spoken(ms), text);
        }
        for bad in
            ["", "10", "m", "10s5m", "1h1h", "1.5h", "-1m", "32d", "99999999999999999999s", "1\u{5206}"]
        {
            assert_eq!(duration_ms(bad, true), None, "{bad}");
        }
        assert_eq!(duration_ms("7d", false), None);
    }

    #[test]
    fn moments_are_read_with_their_offset() {
        assert_eq!(moment_ms("2026-11-22T08:00:00+08:00"), moment_ms("2026-11-22T00:00:00Z"));
        assert_eq!(moment_ms("1970-01-01T00:00:01Z"), Some(1000));
        assert_eq!(moment_ms("yesterday"), None);
        assert_eq!(moment(1000), "1970-01-01T00:00:01Z");
    }
}
