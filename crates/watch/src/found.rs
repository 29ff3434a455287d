//! An incident as it is kept and shown: with names instead of numbers that mean something in one process only.

use diagnosis::{Cause, Evidence, Incident, Scope, Status};
use model::{CardId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::observe::Names;

/// Harmed cards that are kept: their list must fit into a fact.
pub(crate) const HARMED_MAX: usize = 16_000;

/// What an incident is about, by name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ScopeName {
    /// The kind, such as `terminal`.
    pub kind: String,
    /// Which; a card by its id.
    pub id: String,
}

impl ScopeName {
    pub(crate) fn new(scope: &Scope, names: &dyn Names) -> Self {
        let id = match scope {
            Scope::Instance(symbol)
            | Scope::Zone(symbol)
            | Scope::Network(symbol)
            | Scope::Firmware(symbol)
            | Scope::Agent(symbol) => names.name(*symbol).unwrap_or_else(|| "?".to_owned()),
            Scope::Bin(bin) => format!("{bin:06}"),
            Scope::Merchant(merchant) => merchant.to_string(),
            Scope::Terminal(terminal) => terminal.to_string(),
            Scope::Card(card) => card.to_string(),
        };
        Self { kind: scope.kind().to_owned(), id }
    }
}

/// A piece of evidence.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Piece {
    /// Its fixed name.
    pub name: String,
    /// Positive speaks for the cause, negative against it.
    pub weight: f32,
    /// The numbers of its sentence, by name.
    pub values: Vec<(String, f64)>,
}

impl Piece {
    /// With the number under which people know the incident that it names, if it names one.
    pub(crate) fn new(evidence: &Evidence, number_of: impl Fn(u64) -> Option<u64>) -> Self {
        let value = |(name, value): &(&'static str, f64)| {
            let known = if *name == "incident" { number_of(*value as u64).map(|n| n as f64) } else { None };
            ((*name).to_owned(), known.unwrap_or(*value))
        };
        Self {
            name: evidence.name.to_owned(),
            weight: evidence.weight,
            values: evidence.values.iter().map(value).collect(),
        }
    }
}

/// What the diagnosis found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Found {
    /// Why.
    pub cause: Cause,
    /// What it is about.
    pub scope: ScopeName,
    /// The first sign.
    pub onset: Timestamp,
    /// When there was enough to say so.
    pub detected: Timestamp,
    /// The last sign so far.
    pub last_seen: Timestamp,
    /// When it was over or retracted.
    pub ended: Option<Timestamp>,
    /// Calibrated probability, 0 to 1.
    pub confidence: f32,
    /// The next best explanation.
    pub second: Option<Cause>,
    /// Where it stands, as the signs go.
    pub status: Status,
    /// The number of the incident that explains this one.
    pub parent: Option<u64>,
    /// What speaks for it and against it.
    pub evidence: Vec<Piece>,
    /// Card sessions from the onset to the detection.
    pub sessions_to_detection: u32,
    /// Cards that it touched.
    pub cards: u32,
    /// Payments that it refused.
    pub refused: u32,
    /// Their sum in minor units.
    pub refused_sum: i64,
    /// Cards on which it consumed tries.
    pub harmed: Vec<CardId>,
}

impl Found {
    pub(crate) fn new(
        incident: &Incident,
        names: &dyn Names,
        number_of: impl Fn(u64) -> Option<u64>,
    ) -> Self {
        let mut harmed = incident.harmed.clone();
        harmed.sort_unstable();
        harmed.dedup();
        harmed.truncate(HARMED_MAX);
        Self {
            cause: incident.cause,
            scope: ScopeName::new(&incident.scope, names),
            onset: incident.onset,
            detected: incident.detected,
            last_seen: incident.last_seen,
            ended: incident.ended,
            confidence: incident.confidence,
            second: incident.second,
            status: incident.status,
            parent: incident.parent.and_then(&number_of),
            evidence: incident.evidence.iter().map(|e| Piece::new(e, &number_of)).collect(),
            sessions_to_detection: incident.sessions_to_detection,
            cards: incident.cards,
            refused: incident.refused.0,
            refused_sum: incident.refused.1,
            harmed,
        }
    }

    /// When it was over, or seen last.
    #[must_use]
    pub fn until(&self) -> Timestamp {
        self.ended.unwrap_or(self.last_seen)
    }

    /// Is it the same incident, found again after a restart? Its window may have begun later, so the onset may too.
    pub(crate) fn is_again(&self, other: &Self, slack_ms: i64) -> bool {
        let same_cause =
            self.cause == other.cause || self.second == Some(other.cause) || other.second == Some(self.cause);
        same_cause
            && self.scope == other.scope
            && self.onset <= other.until().plus_ms(slack_ms)
            && other.onset <= self.until().plus_ms(slack_ms)
    }

    /// Is it worth another line in the register? Numbers that grow a little are not.
    pub(crate) fn differs_from(&self, kept: &Self) -> bool {
        let grew = |now: u32, then: u32| now > then.saturating_mul(2);
        self.cause != kept.cause
            || self.scope != kept.scope
            || self.status != kept.status
            || self.parent != kept.parent
            || self.ended.is_some() != kept.ended.is_some()
            || grew(self.cards, kept.cards)
            || grew(self.refused, kept.refused)
            || grew(self.harmed.len() as u32, kept.harmed.len() as u32)
    }
}
