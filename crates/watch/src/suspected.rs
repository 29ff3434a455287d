//! What may be wrong, with names: a list to keep an eye on, that is nobody's alarm and is not kept.

use diagnosis::{Cause, Suspicion};
use model::Timestamp;
use serde::Serialize;

use crate::{
    found::{Piece, ScopeName},
    observe::Names,
};

/// So many are listed at most.
pub const SUSPICIONS_MAX: usize = 50;

/// Something that may be wrong.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Suspected {
    /// Where: a terminal, or a version of firmware.
    pub scope: ScopeName,
    /// What it looks like most.
    pub cause: Cause,
    /// The first of the card sessions that were looked at.
    pub since: Timestamp,
    /// How many these were.
    pub sessions: u32,
    /// Natural logarithm of the odds against "nothing is wrong"; above zero.
    pub log_odds: f32,
    /// Other causes with their log odds, the likeliest first.
    pub others: Vec<(Cause, f32)>,
    /// What speaks for it (positive) and against it.
    pub evidence: Vec<Piece>,
    /// The number of the incident that is open about it already.
    pub incident: Option<u64>,
}

impl Suspected {
    pub(crate) fn new(
        suspicion: &Suspicion,
        names: &dyn Names,
        number_of: impl Fn(u64) -> Option<u64>,
    ) -> Self {
        Self {
            scope: ScopeName::new(&suspicion.scope, names),
            cause: suspicion.cause,
            since: suspicion.since,
            sessions: suspicion.sessions,
            log_odds: suspicion.log_odds,
            others: suspicion.others.clone(),
            evidence: suspicion.evidence.iter().map(|piece| Piece::new(piece, &number_of)).collect(),
            incident: suspicion.incident.and_then(number_of),
        }
    }
}
