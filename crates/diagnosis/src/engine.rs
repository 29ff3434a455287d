//! The diagnosis as its users see it: observations go in, changes come out, verdicts and incidents can be looked up.

use model::{Rrn, Timestamp};

use crate::{Incident, Observation, Verdict};

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
}
