//! The incident register: what was found, under a number that stays, and what people did about it.
//!
//! It is a fold of the stream `incidents` of the [book](store::Book). The diagnosis is made anew after each restart and
//! numbers its incidents as it likes; here each has one number for ever, and what was found is kept as it was last seen,
//! because one day the journal of that time is out of the window. Hosts that share a store share its register: whoever
//! finds an incident first writes it down, the others recognise it.

mod act;
mod fact;
mod rates;
mod shelf;

use std::collections::BTreeMap;

use diagnosis::{Cause, Status};
use model::{CardId, Timestamp};
use serde::{Deserialize, Serialize};

pub use act::ActError;
pub use rates::Rates;

pub(crate) use act::{name, words};
pub(crate) use fact::Said;
pub(crate) use shelf::Shelf;

use crate::found::Found;

/// One incident in the register.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// Its number, for ever.
    pub number: u64,
    /// What the diagnosis found, as it was last seen.
    pub found: Found,
    /// Does the diagnosis still know it, or is it from the register alone?
    pub live: bool,
    /// What people did about it.
    pub handling: Handling,
}

impl Record {
    /// Where it stands for people: what they decided, else what the signs say.
    #[must_use]
    pub fn standing(&self) -> Standing {
        match (self.handling.decided, self.found.status) {
            (Some(decided), _) => decided,
            // The diagnosis would know it, were it still going on.
            (None, Status::Open | Status::Provisional) if !self.live => Standing::Over,
            (None, Status::Provisional) => Standing::Provisional,
            (None, Status::Open) => Standing::Open,
            (None, Status::Absorbed) => Standing::Absorbed,
            (None, Status::Over) => Standing::Over,
            (None, Status::Retracted) => Standing::Retracted,
        }
    }
}

/// Where an incident stands for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// The signs point there; late evidence may still change it.
    Provisional,
    /// Going on, and nobody has taken it up.
    Open,
    /// Somebody has taken it up.
    Acknowledged,
    /// A wider incident explains it.
    Absorbed,
    /// The signs are gone.
    Over,
    /// Late evidence says otherwise.
    Retracted,
    /// Somebody has dealt with it.
    Closed,
}

impl Standing {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Provisional,
        Self::Open,
        Self::Acknowledged,
        Self::Absorbed,
        Self::Over,
        Self::Retracted,
        Self::Closed,
    ];

    /// The fixed name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Provisional => "provisional",
            Self::Open => "open",
            Self::Acknowledged => "acknowledged",
            Self::Absorbed => "absorbed",
            Self::Over => "over",
            Self::Retracted => "retracted",
            Self::Closed => "closed",
        }
    }
}

impl std::str::FromStr for Standing {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|standing| standing.name() == text).ok_or(())
    }
}

/// What people did about an incident.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Handling {
    /// Acknowledged or closed; `None`: nobody has, or it was opened again.
    pub decided: Option<Standing>,
    /// Whose it is.
    pub assignee: Option<String>,
    /// What was said and done, oldest first.
    pub notes: Vec<Note>,
    /// What answered it: rules, firmware, training.
    pub answers: Vec<Answer>,
    /// Requests to give tries back, oldest first.
    pub requests: Vec<Request>,
}

/// A line about an incident.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Note {
    /// When.
    pub at: Timestamp,
    /// Who.
    pub by: String,
    /// What was done: `note`, or a new status or assignee.
    pub what: String,
    /// In words.
    pub text: String,
}

/// What answered an incident, so that it does not come again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Answer {
    /// Since when.
    pub at: Timestamp,
    /// Who linked it.
    pub by: String,
    /// What it is.
    pub kind: AnswerKind,
    /// Which: a rule set's version, a firmware's, a course.
    pub reference: String,
}

/// What can answer an incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AnswerKind {
    /// A risk rule.
    Rule,
    /// A version of firmware or application.
    Firmware,
    /// A course.
    Training,
    /// Something else.
    Other,
}

/// A request to give tries back to the cards that a fault cost them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Its number within the incident, from 1.
    pub number: u32,
    /// When.
    pub at: Timestamp,
    /// Who asked.
    pub by: String,
    /// Who looked at it; empty: nobody else was there.
    pub reviewer: String,
    /// Why.
    pub why: String,
    /// The cards.
    pub cards: Vec<CardId>,
    /// What became of them.
    pub results: BTreeMap<CardId, RestoreResult>,
}

impl Request {
    /// Cards whose fate is not written down yet.
    pub fn open(&self) -> impl Iterator<Item = CardId> + '_ {
        self.cards.iter().copied().filter(|card| !self.results.contains_key(card))
    }
}

/// What became of a card for which tries were to be given back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RestoreResult {
    /// It has its tries again.
    Restored,
    /// It had them already, or had lost none.
    NothingToRestore,
    /// It is not registered here.
    UnknownCard,
}

/// The fold of the register's stream.
#[derive(Debug, Default)]
pub(crate) struct Register {
    pub(crate) records: BTreeMap<u64, Record>,
}

impl Register {
    /// The number of the next incident.
    pub(crate) fn next(&self) -> u64 {
        self.records.last_key_value().map_or(1, |(number, _)| number + 1)
    }

    /// Incidents of this cause that were not taken back.
    pub(crate) fn of_cause(&self, cause: Cause) -> impl Iterator<Item = &Record> {
        self.records
            .values()
            .filter(move |record| record.found.cause == cause && record.found.status != Status::Retracted)
    }
}
