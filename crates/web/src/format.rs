//! How figures, times and amounts are written: the same in both languages but for the words.

use handbook::{Facts, LockEnd};
use jiff::tz::TimeZone;
use model::{Amount, Currency, Timestamp};
use store::archive::TransactionRow;

use crate::lang::Say;

/// The time zone of the console.
#[derive(Debug, Clone, PartialEq)]
pub struct Zone(TimeZone);

/// Not a zone of the IANA database.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown time zone {0:?}; expected a name such as Asia/Shanghai")]
pub struct UnknownZone(String);

impl Zone {
    /// A zone named as in the IANA database.
    ///
    /// # Errors
    /// The name when it is not there.
    pub fn named(name: &str) -> Result<Self, UnknownZone> {
        TimeZone::get(name).map(Self).map_err(|_| UnknownZone(name.to_owned()))
    }
}

impl Zone {
    /// When the day of a moment began here.
    pub(crate) fn day_begins(&self, at: Timestamp) -> Timestamp {
        let here = jiff::Timestamp::from_millisecond(at.0).unwrap_or_default().to_zoned(self.0.clone());
        here.start_of_day().map_or(at, |began| Timestamp(began.timestamp().as_millisecond()))
    }

    /// The date and time on a slip.
    pub(crate) fn moment(&self, at: Timestamp) -> receipt::Moment {
        let here = jiff::Timestamp::from_millisecond(at.0).unwrap_or_default().to_zoned(self.0.clone());
        let small = |number: i8| u8::try_from(number).unwrap_or_default();
        receipt::Moment {
            year: here.year().into(),
            month: small(here.month()),
            day: small(here.day()),
            hour: small(here.hour()),
            minute: small(here.minute()),
            second: small(here.second()),
        }
    }
}

impl Default for Zone {
    /// `Asia/Shanghai`.
    fn default() -> Self {
        Self::named("Asia/Shanghai").expect("the bundled database has Shanghai")
    }
}

/// Writes times of one zone, as seen from one moment.
#[derive(Debug, Clone)]
pub(crate) struct Clock {
    zone: TimeZone,
    pub(crate) now: Timestamp,
    say: Say,
}

impl Clock {
    pub(crate) fn new(zone: &Zone, now: Timestamp, say: Say) -> Self {
        Self { zone: zone.0.clone(), now, say }
    }

    fn zoned(&self, at: Timestamp) -> jiff::Zoned {
        jiff::Timestamp::from_millisecond(at.0).unwrap_or_default().to_zoned(self.zone.clone())
    }

    /// `2026-11-22 10:43:02`.
    pub(crate) fn full(&self, at: Timestamp) -> String {
        self.zoned(at).strftime("%Y-%m-%d %H:%M:%S").to_string()
    }

    /// `10:43:02` today, `11-21 10:43:02` on other days.
    pub(crate) fn short(&self, at: Timestamp) -> String {
        let (then, now) = (self.zoned(at), self.zoned(self.now));
        let pattern = if then.date() == now.date() { "%H:%M:%S" } else { "%m-%d %H:%M:%S" };
        then.strftime(pattern).to_string()
    }

    /// `10:43`.
    pub(crate) fn minute(&self, at: Timestamp) -> String {
        self.zoned(at).strftime("%H:%M").to_string()
    }

    /// Day of the week, Monday first, and hour.
    pub(crate) fn hour_of_week(&self, at: Timestamp) -> (usize, usize) {
        let then = self.zoned(at);
        let day = usize::try_from(then.weekday().to_monday_zero_offset()).unwrap_or_default();
        (day, usize::try_from(then.hour()).unwrap_or_default())
    }

    /// `2026-11-22T10:43:02+08:00`, for programs.
    pub(crate) fn machine(&self, at: Timestamp) -> String {
        self.zoned(at).strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
    }

    /// `UTC+8`.
    pub(crate) fn offset(&self) -> String {
        let seconds = self.zoned(self.now).offset().seconds();
        let sign = if seconds < 0 { '\u{2212}' } else { '+' };
        let minutes = seconds.abs() / 60;
        match minutes % 60 {
            0 => format!("UTC{sign}{}", minutes / 60),
            rest => format!("UTC{sign}{}:{rest:02}", minutes / 60),
        }
    }

    /// `3 min ago`, `in 23 h 41 min`.
    pub(crate) fn relative(&self, at: Timestamp) -> String {
        let ms = self.now.since_ms(at);
        let span = self.span(ms.abs());
        let key = if ms < 0 { "time-in" } else { "time-ago" };
        if ms.abs() < 1000 {
            self.say.t("time-now").into_owned()
        } else {
            self.say.with(key, [("span", span.into())]).into_owned()
        }
    }

    /// A length of time in at most two units.
    pub(crate) fn span(&self, ms: i64) -> String {
        let (s, min, h, d) = (ms / 1000, ms / 60_000, ms / 3_600_000, ms / 86_400_000);
        let words =
            |key: &str, a: i64, b: i64| self.say.with(key, [("a", a.into()), ("b", b.into())]).into_owned();
        match () {
            () if d > 0 => words("span-days", d, h % 24),
            () if h > 0 => words("span-hours", h, min % 60),
            () if min > 0 => words("span-minutes", min, 0),
            () => words("span-seconds", s, 0),
        }
    }
}

/// This moment. The console is the edge; everything below it takes `now` as an argument.
pub(crate) fn now() -> Timestamp {
    Timestamp(jiff::Timestamp::now().as_millisecond())
}

/// `¥1,280.00`; other currencies by their ISO 4217 number, `840 1,280.00`.
pub(crate) fn money(amount: Amount, currency: Currency) -> String {
    let sign = if amount.0 < 0 { "\u{2212}" } else { "" };
    let minor = amount.0.unsigned_abs();
    let unit = if currency == Currency::CNY { "\u{a5}".to_owned() } else { format!("{currency} ") };
    format!("{sign}{unit}{}.{:02}", grouped(minor / 100), minor % 100)
}

/// `1,284`.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `38 ms`, `0.42 ms`, `1.20 s`.
pub(crate) fn duration_us(us: u64) -> String {
    match us {
        0..1_000 => format!("{us} \u{b5}s"),
        1_000..10_000 => format!("{}.{} ms", us / 1000, us % 1000 / 100),
        10_000..1_000_000 => format!("{} ms", us / 1000),
        _ => format!("{}.{:02} s", us / 1_000_000, us % 1_000_000 / 10_000),
    }
}

/// `96.4%`; a dash when there is nothing to divide.
pub(crate) fn percent(part: u32, whole: u32) -> String {
    if whole == 0 {
        "\u{2013}".to_owned()
    } else {
        format!("{:.1}%", f64::from(part) * 100.0 / f64::from(whole))
    }
}

/// A row's currency; amounts without one are yuan.
pub(crate) fn currency(row: &TransactionRow) -> Currency {
    row.currency.map_or(Currency::CNY, Currency)
}

/// The facts that a handbook sentence may name.
pub(crate) fn facts(row: &TransactionRow, clock: &Clock) -> Facts {
    Facts {
        tries_left: row.tries_left,
        tries_limit: row.tries_limit,
        locked_until: row.locked_until.map(|until| match until {
            0 => LockEnd::ByStaff,
            ms => LockEnd::At(clock.full(Timestamp(ms))),
        }),
        terminal: row.terminal.parse().ok(),
        amount: row.amount.map(|amount| (amount, currency(row))),
    }
}

/// A second pair of eyes on text that others wrote: runs of 16 to 19 digits are masked like card numbers, and so
/// are runs of 13 to 15 that end in a right check digit, unless they are known to be something else.
pub(crate) fn mask_digits(text: &str, known: &[&str]) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(|c: char| c.is_ascii_digit()) {
        out.push_str(&rest[..start]);
        let run_end = rest[start..].find(|c: char| !c.is_ascii_digit()).map_or(rest.len(), |n| start + n);
        let run = &rest[start..run_end];
        let is_card = match run.len() {
            16..=19 => true,
            13..=15 => luhn(run),
            _ => false,
        };
        if is_card && !known.contains(&run) {
            out.push_str(&run[..6]);
            out.extend(std::iter::repeat_n('*', run.len() - 10));
            out.push_str(&run[run.len() - 4..]);
        } else {
            out.push_str(run);
        }
        rest = &rest[run_end..];
    }
    out + rest
}

fn luhn(digits: &str) -> bool {
    let sum: u32 = digits
        .bytes()
        .rev()
        .enumerate()
        .map(|(i, b)| {
            let d = u32::from(b - b'0') * if i % 2 == 1 { 2 } else { 1 };
            if d > 9 { d - 9 } else { d }
        })
        .sum();
    sum.is_multiple_of(10)
}

/// A moment as RFC 3339 in UTC, with milliseconds.
pub(crate) fn rfc3339(at: Timestamp) -> String {
    jiff::Timestamp::from_millisecond(at.0).map_or_else(|_| at.0.to_string(), |t| format!("{t:.3}"))
}

#[cfg(test)]
mod tests {
    use handbook::Lang;

    use super::*;

    #[test]
    fn amounts_are_grouped() {
        assert_eq!(money(Amount(128_000), Currency::CNY), "\u{a5}1,280.00");
        assert_eq!(money(Amount(-5), Currency::CNY), "\u{2212}\u{a5}0.05");
        assert_eq!(money(Amount(123_456_789), Currency(840)), "840 1,234,567.89");
    }

    #[test]
    fn times_are_of_the_zone() {
        let at = |text: &str| Timestamp(text.parse::<jiff::Timestamp>().unwrap().as_millisecond());
        let clock = Clock::new(&Zone::default(), at("2026-11-22T02:43:02Z"), Say(Lang::En));
        assert_eq!(clock.full(clock.now), "2026-11-22 10:43:02");
        assert_eq!(clock.short(at("2026-11-21T02:43:02Z")), "11-21 10:43:02");
        assert_eq!(clock.offset(), "UTC+8");
        assert_eq!(clock.machine(clock.now), "2026-11-22T10:43:02+08:00");
        assert_eq!(clock.relative(at("2026-11-23T02:24:02Z")), "in 23 h 41 min");
        assert_eq!(clock.relative(at("2026-11-22T02:40:02Z")), "3 min ago");
    }

    #[test]
    fn a_card_number_in_a_foreign_text_is_masked() {
        assert_eq!(mask_digits("PAN 6216261000000000018.", &[]), "PAN 621626*********0018.");
        assert_eq!(
            mask_digits("378282246310005 898510154110283", &["898510154110283"]),
            "378282*****0005 898510154110283"
        );
        assert_eq!(mask_digits("RRN 632610004417", &[]), "RRN 632610004417");
    }
}
