//! An incident: one cause, one scope, since when, how sure, on what evidence, and what became of it.

use model::{CardId, MerchantId, TerminalId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{cause::Cause, observation::Symbol, verdict::Evidence};

/// What an incident is about; the narrowest scope that explains it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scope {
    /// A host instance, with its security module.
    Instance(Symbol),
    /// The zone towards one issuer.
    Zone(Symbol),
    /// A mobile operator, line or region.
    Network(Symbol),
    /// All terminals with one version of firmware or application.
    Firmware(Symbol),
    /// Cards of one bank identification number (first six digits).
    Bin(u32),
    /// All terminals of a shop.
    Merchant(MerchantId),
    /// One terminal.
    Terminal(TerminalId),
    /// One card.
    Card(CardId),
    /// A member of staff.
    Agent(Symbol),
}

impl Scope {
    /// The fixed name of its kind.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Instance(_) => "instance",
            Self::Zone(_) => "zone",
            Self::Network(_) => "network",
            Self::Firmware(_) => "firmware",
            Self::Bin(_) => "bin",
            Self::Merchant(_) => "merchant",
            Self::Terminal(_) => "terminal",
            Self::Card(_) => "card",
            Self::Agent(_) => "agent",
        }
    }
}

/// Where an incident stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// The signs point there; late evidence may still change it.
    Provisional,
    /// Going on.
    Open,
    /// A wider incident explains it.
    Absorbed,
    /// The signs are gone: repaired, or over.
    Over,
    /// Late evidence says otherwise: it was something else, or nothing.
    Retracted,
}

/// One incident.
#[derive(Debug, Clone, PartialEq)]
pub struct Incident {
    /// Its number; fed with the same observations the diagnosis gives the same numbers.
    pub id: u64,
    /// Why.
    pub cause: Cause,
    /// What it is about.
    pub scope: Scope,
    /// The first sign.
    pub onset: Timestamp,
    /// When there was enough to say so.
    pub detected: Timestamp,
    /// The last sign so far.
    pub last_seen: Timestamp,
    /// When it was over or retracted.
    pub ended: Option<Timestamp>,
    /// Calibrated probability that cause and scope are right, 0 to 1.
    pub confidence: f32,
    /// The next best explanation.
    pub second: Option<Cause>,
    /// Where it stands.
    pub status: Status,
    /// The incident that explains this one.
    pub parent: Option<u64>,
    /// What speaks for it (positive) and against it (negative).
    pub evidence: Vec<Evidence>,
    /// Card sessions from the onset to the detection.
    pub sessions_to_detection: u32,
    /// Cards that it touched.
    pub cards: u32,
    /// Payments that it refused, and their sum in minor units.
    pub refused: (u32, i64),
    /// Cards on which it consumed tries: they may be given back.
    pub harmed: Vec<CardId>,
}
