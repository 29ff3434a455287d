//! The diagnosis as its users see it: observations go in, changes come out, verdicts and incidents can be looked up.

use std::ops::Range;

use model::{Rrn, TerminalId, Timestamp};

use crate::{Incident, Observation, Suspicion, Verdict, observation::Symbol};

/// Something that people should hear of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// An incident was opened.
    Opened(u64),
    /// Its cause, scope, confidence or harm changed.
    Revised(u64),
    /// It is over.
    Ended(u64),
    /// It was something else, or nothing.
    Retracted(u64),
    /// The verdict about a refusal changed after it was given.
    Verdict(Rrn),
}

/// What the program, the console and the drills need of a diagnosis.
pub trait Diagnose: Send {
    /// Takes one observation. They come in the order of the journal; an observation that was taken before changes nothing.
    fn observe(&mut self, observation: &Observation);

    /// Time passes without observations: sessions close, incidents end.
    fn advance(&mut self, now: Timestamp);

    /// What changed since the last call, oldest first.
    fn changes(&mut self) -> Vec<Change>;

    /// The verdict about a refusal among those that are remembered.
    fn verdict(&self, rrn: &Rrn) -> Option<Verdict>;

    /// One incident.
    fn incident(&self, id: u64) -> Option<&Incident>;

    /// All that are remembered, newest first.
    fn incidents(&self) -> Vec<&Incident>;

    /// Memory that a terminal takes on average, its card sessions included.
    fn bytes_per_terminal(&self) -> usize {
        0
    }

    /// What looks as if something were wrong, the oddest first, long before it is an alarm and without ever being one: what
    /// people keep an eye on.
    fn suspicions(&self, most: usize) -> Vec<Suspicion> {
        let _ = most;
        Vec::new()
    }

    /// The numbers of a terminal's card sessions that are remembered; the end is the number that the next one will have. None
    /// for a terminal that is not remembered.
    fn sessions_at(&self, terminal: &TerminalId) -> Option<Range<u32>> {
        let _ = terminal;
        None
    }

    /// What some of a terminal's card sessions look like, by their numbers ([`sessions_at`](Self::sessions_at)), with what is
    /// known by now; none when they are not remembered. Its log odds may be below zero: nothing is wrong.
    fn looks_like(&self, terminal: &TerminalId, sessions: Range<u32>) -> Option<Suspicion> {
        let _ = (terminal, sessions);
        None
    }

    /// The same of a version of firmware, against all others.
    fn version_looks_like(&self, firmware: Symbol) -> Option<Suspicion> {
        let _ = firmware;
        None
    }
}
