//! What a terminal is, beside its keys, and what it tells the host about itself (docs/reference/telemetry.md): versions,
//! carrier and place when it is switched on and when they change, how typing and sending went with every message.

use std::fmt::Write;

use iso8583::{Dialect, Encoding};
use serde::Deserialize;

/// The data element, in dialects where it is text in ASCII.
pub(crate) const FIELD: u8 = 59;
/// So that other uses of the element are told from a report.
const MARKER: &str = "PW01";

/// A terminal as a thing: what it says of itself. `sandbox.json` has one in each terminal.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Device {
    /// Manufacturer's model.
    pub model: String,
    /// Version of the firmware.
    pub firmware: String,
    /// Version of the payment application.
    pub application: String,
    /// Mobile network operator, or kind of line.
    pub carrier: String,
    /// Degrees north and east.
    pub place: Option<[f64; 2]>,
}

/// A device, and what it has to tell since its last report was answered.
#[derive(Debug, Clone)]
pub(crate) struct Diary {
    pub(crate) device: Device,
    /// The host has not confirmed model, versions, carrier and place yet.
    introduces: bool,
    pub(crate) pin_entry_ms: Option<u32>,
    pub(crate) cancels: u32,
    pub(crate) entry_timeouts: u32,
    pub(crate) no_answers: u32,
    pub(crate) reconnects: u32,
    pub(crate) rtt_ms: Option<u64>,
}

impl Diary {
    pub(crate) fn of(device: Device) -> Diary {
        Diary {
            device,
            introduces: true,
            pin_entry_ms: None,
            cancels: 0,
            entry_timeouts: 0,
            no_answers: 0,
            reconnects: 0,
            rtt_ms: None,
        }
    }

    /// The report as it stands in the data element.
    pub(crate) fn report(&self, introduces: bool) -> String {
        let mut report = MARKER.to_owned();
        let mut tell = |tag: &str, value: &str| {
            if !value.is_empty() {
                let _ = write!(report, "{tag}{:03}{value}", value.len());
            }
        };
        let Device { model, firmware, application, carrier, place } = &self.device;
        if introduces || self.introduces {
            for (tag, name) in [("MD", model), ("FW", firmware), ("AP", application), ("CA", carrier)] {
                tell(tag, name);
            }
            if let Some([north, east]) = place {
                tell("PO", &format!("{north:+.6},{east:+.6}"));
            }
        }
        if let Some(ms) = self.pin_entry_ms {
            tell("PE", &ms.to_string());
        }
        let counts = [
            ("CX", self.cancels),
            ("ET", self.entry_timeouts),
            ("NA", self.no_answers),
            ("RC", self.reconnects),
        ];
        for (tag, count) in counts.into_iter().filter(|(_, count)| *count > 0) {
            tell(tag, &count.to_string());
        }
        if let Some(ms) = self.rtt_ms {
            tell("RT", &ms.to_string());
        }
        report
    }

    /// The report was answered: what it told is known.
    pub(crate) fn answered(&mut self, took_ms: u64) {
        *self = Diary { introduces: false, rtt_ms: Some(took_ms), ..Diary::of(self.device.clone()) };
    }

    /// Nobody answered, so nobody knows what was told.
    pub(crate) fn unanswered(&mut self) {
        self.no_answers = self.no_answers.saturating_add(1);
        self.rtt_ms = None;
    }
}

/// Can a report be sent in this dialect?
pub(crate) fn is_room_in(dialect: &Dialect) -> bool {
    dialect.axes(FIELD).is_some_and(|axes| axes.encoding == Encoding::Ascii && axes.max >= 250)
}

/// How long fingers take for so many digits, when nobody says: different every time, and always the same for the same
/// payment.
pub(crate) fn usual_typing_ms(digits: usize, stan: u32) -> u32 {
    let digits = u32::try_from(digits).unwrap_or(12);
    700 + 380 * digits + stan.wrapping_mul(2_654_435_761) % 600
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device() -> Device {
        serde_json::from_str(
            r#"{"model":"S920","firmware":"3.18.02","application":"2.41","carrier":"cmcc-4g","place":[31.230416,121.473701]}"#,
        )
        .unwrap()
    }

    #[test]
    fn a_report_says_who_it_is_until_that_is_known() {
        let mut diary = Diary::of(device());
        let whole = "PW01MD004S920FW0073.18.02AP0042.41CA007cmcc-4gPO022+31.230416,+121.473701";
        assert_eq!(diary.report(false), whole);
        diary.unanswered();
        assert_eq!(diary.report(false), format!("{whole}NA0011"));
        diary.answered(187);
        diary.pin_entry_ms = Some(4312);
        assert_eq!(diary.report(false), "PW01PE0044312RT003187");
        assert_eq!(diary.report(true), format!("{whole}PE0044312RT003187"));
    }

    #[test]
    fn there_is_room_in_the_dialects_that_terminals_speak() {
        for (dialect, room) in [
            ("cup-pos", true),
            ("cup-pos-sm4", true),
            ("ascii87-bin", true),
            ("ascii93-bin", true),
            ("ebcdic87", false),
        ] {
            assert_eq!(is_room_in(&Dialect::builtin(dialect).unwrap()), room, "{dialect}");
        }
    }
}
