//! What a terminal tells about itself (docs/reference/telemetry.md), as the simulated ones of a drill write it.

use std::fmt::Write;

/// Messages between two that tell what rarely changes.
const EVERY: u32 = 8;

/// What a terminal has to tell.
#[derive(Debug, Clone, Default)]
pub(super) struct Told {
    /// PIN entries that were cancelled since the last report.
    pub(super) cancels: u32,
    /// PIN entries that ran out of time.
    pub(super) timeouts: u32,
    /// Requests without an answer.
    pub(super) no_answers: u32,
    /// Connections made anew.
    pub(super) reconnects: u32,
    /// Round-trip time of the exchange before.
    pub(super) rtt_ms: Option<u32>,
    messages: u32,
    firmware: &'static str,
    position: (f32, f32),
}

impl Told {
    /// The text of DE 59.
    pub(super) fn write(
        &mut self,
        text: &mut String,
        firmware: &'static str,
        carrier: &str,
        position: (f32, f32),
        entry_ms: Option<u32>,
    ) {
        text.clear();
        text.push_str("PW01");
        let changed = firmware != self.firmware || position != self.position;
        if changed || self.messages.is_multiple_of(EVERY) {
            (self.firmware, self.position) = (firmware, position);
            element(text, "FW", firmware);
            element(text, "CA", carrier);
            element(text, "PO", &format!("{:+.6},{:+.6}", position.0, position.1));
        }
        self.messages += 1;
        let numbers = [("PE", entry_ms), ("RT", self.rtt_ms)];
        for (tag, value) in numbers.into_iter().filter_map(|(tag, value)| Some((tag, value?))) {
            element(text, tag, &value.to_string());
        }
        let counts =
            [("CX", self.cancels), ("ET", self.timeouts), ("NA", self.no_answers), ("RC", self.reconnects)];
        for (tag, count) in counts.into_iter().filter(|(_, count)| *count > 0) {
            element(text, tag, &count.to_string());
        }
    }

    /// The report was answered: counting begins anew.
    pub(super) fn answered(&mut self) {
        (self.cancels, self.timeouts, self.no_answers, self.reconnects) = (0, 0, 0, 0);
    }
}

fn element(text: &mut String, tag: &str, value: &str) {
    // cannot fail: a String takes everything
    let _ = write!(text, "{tag}{:03}{value}", value.len());
}
