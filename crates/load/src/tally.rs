//! What came back, after how long, and what should not have been.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;
use model::ResponseCode;

/// Something that must not be. One is enough for a run to fail.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trouble {
    /// Sent, and no answer within the time-out.
    NotAnswered,
    /// An answer to nothing that is under way on its connection: a second one, or a late one.
    NobodyAsked,
    /// An answer that cannot be read.
    Unreadable,
    /// An answer of another message type or for another terminal than its trace number's.
    OtherRequest,
    /// An approval whose MAC is missing or wrong.
    Mac,
    /// A repeat was answered with other bytes than the first time.
    RepeatDiffers,
    /// A wrong PIN was answered otherwise than as one.
    WrongPinAnswered(String),
    /// A right PIN was answered as a wrong one.
    RightPinRefused,
    /// A reversal was refused.
    ReversalRefused(String),
    /// A code that says that host or line is in trouble.
    Refused(String),
    /// The host has closed a connection.
    Closed,
    /// There is no connection to be had any more.
    Unreachable,
    /// All cards are retired.
    NoCards,
    /// A terminal has used all trace numbers of its batch.
    NoTraceNumbers,
    /// A terminal cannot write its messages.
    Terminal(String),
    /// The host has counted other totals than the terminals.
    NotBalanced,
    /// A terminal's settlement was not answered with an approval.
    NotSettled(String),
}

impl std::fmt::Display for Trouble {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Trouble::NotAnswered => f.write_str("requests were not answered in time"),
            Trouble::NobodyAsked => f.write_str("answers to nothing that was under way"),
            Trouble::Unreadable => f.write_str("answers that cannot be read"),
            Trouble::OtherRequest => f.write_str("answers with another type or terminal than their request"),
            Trouble::Mac => f.write_str("approvals whose MAC is missing or wrong"),
            Trouble::RepeatDiffers => f.write_str("repeats that were answered with other bytes"),
            Trouble::WrongPinAnswered(code) => write!(f, "wrong PINs that were answered {code}"),
            Trouble::RightPinRefused => f.write_str("right PINs that were taken for wrong ones"),
            Trouble::ReversalRefused(code) => write!(f, "reversals that were answered {code}"),
            Trouble::Refused(code) => write!(f, "payments that were answered {code}"),
            Trouble::Closed => f.write_str("connections that the host closed"),
            Trouble::Unreachable => f.write_str("connections that could not be made again"),
            Trouble::NoCards => f.write_str("threads without a card that can pay"),
            Trouble::NoTraceNumbers => f.write_str("terminals whose batch has no trace number left"),
            Trouble::Terminal(why) => write!(f, "messages that could not be written: {why}"),
            Trouble::NotBalanced => f.write_str("terminals whose totals are not the host's"),
            Trouble::NotSettled(why) => write!(f, "terminals that could not settle: {why}"),
        }
    }
}

/// Latencies in microseconds, to three digits, up to ten minutes.
pub(crate) fn histogram() -> Histogram<u64> {
    const LONGEST: u64 = 600_000_000;
    Histogram::new_with_bounds(1, LONGEST, 3).expect("bounds and digits that go together") // cannot fail: constants
}

/// Counts of one thread, or of several together.
#[derive(Debug, Clone)]
pub(crate) struct Tally {
    /// Of what was answered while it was measured, and of what was under way then.
    pub(crate) latency: Histogram<u64>,
    /// Of the interval since they were last collected.
    pub(crate) recent: Histogram<u64>,
    /// Answered while it was measured.
    pub(crate) answered: u64,
    pub(crate) codes: Vec<(ResponseCode, u64)>,
    pub(crate) wrong_pins: u64,
    pub(crate) repeats: u64,
    pub(crate) cuts: u64,
    pub(crate) reversals: u64,
    pub(crate) retired: u64,
    pub(crate) cpu_ns: u64,
    pub(crate) troubles: BTreeMap<Trouble, u64>,
}

impl Tally {
    pub(crate) fn new() -> Tally {
        Tally {
            latency: histogram(),
            recent: histogram(),
            answered: 0,
            codes: Vec::new(),
            wrong_pins: 0,
            repeats: 0,
            cuts: 0,
            reversals: 0,
            retired: 0,
            cpu_ns: 0,
            troubles: BTreeMap::new(),
        }
    }

    pub(crate) fn answer(&mut self, code: ResponseCode, took_ns: u64) {
        self.recent.saturating_record(took_ns / 1000);
        match self.codes.iter_mut().find(|(known, _)| *known == code) {
            Some((_, count)) => *count += 1,
            None => self.codes.push((code, 1)),
        }
    }

    pub(crate) fn trouble(&mut self, trouble: Trouble) {
        *self.troubles.entry(trouble).or_default() += 1;
    }

    /// Moves the interval's latencies to the others.
    pub(crate) fn collect(&mut self) {
        // Both have the same bounds, so that there is nothing to refuse.
        let _ = self.latency.add(&self.recent);
        self.recent.reset();
    }

    /// What is measured begins now; what went wrong before stays.
    pub(crate) fn begin(&mut self) {
        self.latency.reset();
        self.recent.reset();
        self.answered = 0;
    }

    pub(crate) fn add(&mut self, other: &Tally) {
        let _ = self.latency.add(&other.latency);
        self.answered += other.answered;
        for (code, count) in &other.codes {
            match self.codes.iter_mut().find(|(known, _)| known == code) {
                Some((_, total)) => *total += count,
                None => self.codes.push((*code, *count)),
            }
        }
        self.wrong_pins += other.wrong_pins;
        self.repeats += other.repeats;
        self.cuts += other.cuts;
        self.reversals += other.reversals;
        self.retired += other.retired;
        self.cpu_ns += other.cpu_ns;
        for (trouble, count) in &other.troubles {
            *self.troubles.entry(trouble.clone()).or_default() += count;
        }
    }
}

/// What a code means for the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Meaning {
    Approved,
    WrongPin,
    /// Refused for the card's sake: it is asked no more.
    Card,
    /// Host, line or terminal are in trouble.
    Trouble,
}

/// Of a payment's DE 39.
pub(crate) fn meaning(code: ResponseCode) -> Meaning {
    match code.as_str() {
        "00" | "000" => Meaning::Approved,
        "55" | "117" => Meaning::WrongPin,
        // Funds, limits, expiry, state of the card, tries, pick-up (and the same in the 1993 edition).
        "01" | "04" | "14" | "33" | "36" | "38" | "41" | "43" | "51" | "54" | "57" | "61" | "62" | "65"
        | "67" | "75" | "100" | "101" | "104" | "106" | "107" | "116" | "119" | "121" | "123" | "200"
        | "206" => Meaning::Card,
        _ => Meaning::Trouble,
    }
}
