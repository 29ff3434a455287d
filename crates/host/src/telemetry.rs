//! What a terminal tells about itself beside a message: model, versions, carrier, position, and how typing and sending went.
//!
//! A private TLV in one data element (the profile's `telemetry_field`), which begins with `PW01` so that other uses of that
//! element are left alone (docs/reference/telemetry.md). It decides nothing: a part that cannot be read is counted and
//! ignored, and what stood before it counts. Nobody vouches for it but the message's MAC.

use diagnosis::observation::{Position, Telemetry};

/// The first characters of ours.
const MARKER: &[u8] = b"PW01";
/// More elements than this are not read.
const ELEMENTS_MAX: usize = 32;
/// The longest name of a model, version or carrier.
const NAME_MAX: usize = 40;

/// One report, as it stands in a message.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Report<'a> {
    /// `MD`: manufacturer's model.
    pub model: Option<&'a str>,
    /// `FW`: version of the firmware.
    pub firmware: Option<&'a str>,
    /// `AP`: version of the payment application.
    pub application: Option<&'a str>,
    /// `CA`: mobile network operator, or kind of line.
    pub carrier: Option<&'a str>,
    /// `PO`: where it stands.
    pub position: Option<Position>,
    /// `PE`, `CX`, `ET`, `NA`, `RC`, `RT`.
    pub telemetry: Telemetry,
    /// Elements that were ours by their tag and made no sense, and one for a broken end.
    pub unreadable: u32,
}

/// Is this a report of ours?
#[must_use]
pub fn is_report(value: &[u8]) -> bool {
    value.starts_with(MARKER)
}

/// Reads the value of the data element; `None` if it is something else.
#[must_use]
pub fn read(value: &[u8]) -> Option<Report<'_>> {
    let mut rest = value.strip_prefix(MARKER)?;
    let mut report = Report::default();
    for _ in 0..ELEMENTS_MAX {
        let Some((head, behind)) = rest.split_at_checked(5) else { break };
        let element = length(&head[2..]).and_then(|length| behind.split_at_checked(length));
        let Some((value, behind)) = element else { break };
        if report.take(&head[..2], value).is_none() {
            report.unreadable += 1;
        }
        rest = behind;
    }
    // Fields of fixed length are padded.
    if rest.iter().any(|byte| *byte != b' ') {
        report.unreadable += 1;
    }
    Some(report)
}

/// The report in a message, if there is one.
pub(crate) fn of<'a>(field: Option<u8>, message: &iso8583::Message<'a>) -> Option<Report<'a>> {
    read(message.raw(field?)?)
}

/// Counts what could not be read of a message's report.
pub(crate) fn count_unreadable(report: Option<&Report<'_>>) {
    let unreadable = report.map_or(0, |report| report.unreadable);
    if unreadable > 0 {
        crate::metrics::telemetry_unreadable(u64::from(unreadable));
    }
}

impl<'a> Report<'a> {
    /// Takes one element; `None` if its value makes no sense. Unknown tags are for others.
    fn take(&mut self, tag: &[u8], value: &'a [u8]) -> Option<()> {
        let Telemetry { pin_entry_ms, cancels, entry_timeouts, no_answers, reconnects, rtt_ms } =
            &mut self.telemetry;
        match tag {
            b"MD" => self.model = Some(name(value)?),
            b"FW" => self.firmware = Some(name(value)?),
            b"AP" => self.application = Some(name(value)?),
            b"CA" => self.carrier = Some(name(value)?),
            b"PO" => self.position = Some(position(value)?),
            b"PE" => *pin_entry_ms = Some(number(value)?),
            b"RT" => *rtt_ms = Some(number(value)?),
            b"CX" => *cancels = few(value)?,
            b"ET" => *entry_timeouts = few(value)?,
            b"NA" => *no_answers = few(value)?,
            b"RC" => *reconnects = few(value)?,
            _ => {}
        }
        Some(())
    }
}

fn length(digits: &[u8]) -> Option<usize> {
    usize::try_from(number(digits)?).ok()
}

/// Printable ASCII without blanks at the ends.
fn name(value: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(value).ok()?.trim_matches(' ');
    let plain = text.bytes().all(|byte| (0x20..0x7f).contains(&byte));
    (plain && (1..=NAME_MAX).contains(&text.len())).then_some(text)
}

/// One to nine digits.
fn number(value: &[u8]) -> Option<u32> {
    let digits = (1..=9).contains(&value.len()) && value.iter().all(u8::is_ascii_digit);
    digits.then(|| value.iter().fold(0, |sum, digit| sum * 10 + u32::from(digit - b'0')))
}

/// A count since the last report; more than 255 is 255.
fn few(value: &[u8]) -> Option<u8> {
    number(value).map(|count| u8::try_from(count).unwrap_or(u8::MAX))
}

/// `+31.230416,+121.473701`: degrees north, degrees east.
fn position(value: &[u8]) -> Option<Position> {
    let text = std::str::from_utf8(value).ok()?;
    let (north, east) = text.split_once(',')?;
    let degrees = |text: &str, most: f32| {
        let plain = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.'));
        let degrees = text.parse::<f32>().ok().filter(|_| plain)?;
        (-most..=most).contains(&degrees).then_some(degrees)
    };
    Some(Position { latitude: degrees(north, 90.0)?, longitude: degrees(east, 180.0)? })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_whole_report_is_read() {
        let text = b"PW01MD004S920FW0073.18.02AP0042.41CA007cmcc-4gPO022+31.230416,+121.473701PE0044312CX0011ET0010NA0012RC0013RT003187";
        let report = read(text).unwrap();
        assert_eq!((report.model, report.firmware), (Some("S920"), Some("3.18.02")));
        assert_eq!((report.application, report.carrier), (Some("2.41"), Some("cmcc-4g")));
        let position = report.position.unwrap();
        assert!(
            (position.latitude - 31.230_416).abs() < 1e-4 && (position.longitude - 121.473_7).abs() < 1e-4
        );
        let told = Telemetry {
            pin_entry_ms: Some(4312),
            cancels: 1,
            entry_timeouts: 0,
            no_answers: 2,
            reconnects: 3,
            rtt_ms: Some(187),
        };
        assert_eq!((report.telemetry, report.unreadable), (told, 0));
    }

    #[test]
    fn other_uses_of_the_element_are_left_alone() {
        for other in [&b""[..], b"A3019QR", b"PW1", b"pw01MD004S920"] {
            assert_eq!(read(other), None);
            assert!(!is_report(other));
        }
    }

    #[track_caller]
    fn check(tail: &str, unreadable: u32, expect: impl Fn(&Report<'_>) -> bool) {
        let text = format!("PW01MD004S920{tail}");
        let report = read(text.as_bytes()).unwrap();
        assert_eq!(report.unreadable, unreadable, "{tail}");
        assert!(report.model == Some("S920") && expect(&report), "{tail}: {report:?}");
    }

    #[test]
    fn garbage_is_counted_and_what_is_around_it_counts() {
        check("RT0013", 0, |r| r.telemetry.rtt_ms == Some(3));
        check("   ", 0, |_| true);
        check("RT003abcCX0012", 1, |r| r.telemetry.rtt_ms.is_none() && r.telemetry.cancels == 2);
        check("CX00512345", 0, |r| r.telemetry.cancels == 255);
        check("ZZ0041234CX0011", 0, |r| r.telemetry.cancels == 1);
        check("RT999123", 1, |r| r.telemetry.rtt_ms.is_none());
        check("RT", 1, |_| true);
        check("RT00", 1, |_| true);
        check("FW000", 1, |r| r.firmware.is_none());
        check("PO009+91.0,0.0", 1, |r| r.position.is_none());
        check("PO007nan,0.0", 1, |r| r.position.is_none());
        check("RT0101234567890", 1, |r| r.telemetry.rtt_ms.is_none());
        check(&format!("FW041{}", "x".repeat(41)), 1, |r| r.firmware.is_none());
        check(&"ZZ000".repeat(40), 1, |_| true);
    }

    /// What the fuzz target starts from, and what it found.
    #[test]
    fn the_corpus_holds() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/telemetry");
        let inputs: Vec<Vec<u8>> = std::fs::read_dir(folder)
            .unwrap()
            .map(|file| std::fs::read(file.unwrap().path()).unwrap())
            .collect();
        assert!(inputs.len() >= 9);
        let reports: Vec<Report<'_>> = inputs.iter().filter_map(|input| read(input)).collect();
        assert_eq!(reports.len(), inputs.len() - 1, "one is another use of the element");
        assert_eq!(reports.iter().filter(|report| report.unreadable == 0).count(), 2);
    }

    proptest! {
        #[test]
        fn nothing_that_is_sent_hurts(tail in prop::collection::vec(any::<u8>(), 0..999)) {
            let _ = read(&tail);
            let mut marked = MARKER.to_vec();
            marked.extend(&tail);
            let report = read(&marked).unwrap();
            prop_assert!(report.unreadable <= ELEMENTS_MAX as u32 + 1);
            let names = [report.model, report.firmware, report.application, report.carrier];
            prop_assert!(names.into_iter().flatten().all(|name| name.len() <= NAME_MAX));
        }
    }
}
