//! One case: a fold of its facts.
//!
//! ```text
//!        ┌───────────────── waits ─────────────────┐
//!        ▼                                          │
//!  new ──► in work ◄── resumed ── waiting (customer: the clocks stand still; second person, engineer: they run)
//!   │         │
//!   └────┬────┘ every gate of the playbook is done
//!        ▼
//!     closed ── reopened ──► in work
//! ```

use std::{collections::BTreeMap, fmt, str::FromStr};

use diagnosis::Cause;
use model::{CardId, MaskedPan, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{
    clock::{Clock, ClockKind, Pause, Reading},
    fact::{Closing, Fact, Opened, SentCode, Survey},
    house::House,
    identity::{Action, CODE_METHOD, Level, Proof},
    playbook::FrozenStep,
};

/// A case's number: that of its opening fact in the stream.
pub type CaseNo = u32;

macro_rules! names {
    ($(#[$outer:meta])* $kind:ident; $( $(#[$doc:meta])* $variant:ident = $name:literal ),* $(,)?) => {
        $(#[$outer])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum $kind {
            $( $(#[$doc])* #[serde(rename = $name)] $variant, )*
        }

        impl $kind {
            /// Every one.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The fixed kebab-case name.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }

        impl fmt::Display for $kind {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.name())
            }
        }

        impl FromStr for $kind {
            type Err = UnknownName;

            fn from_str(text: &str) -> Result<Self, UnknownName> {
                Self::ALL.iter().copied().find(|one| one.name() == text).ok_or(UnknownName)
            }
        }
    };
}

/// None of the names that there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no such name")]
pub struct UnknownName;

names! {
    /// How a case came.
    Source;
    /// Somebody called.
    Phone = "phone",
    /// Opened from the page of a refused payment.
    Refusal = "refusal",
    /// Opened from a terminal.
    Terminal = "terminal",
    /// Opened from an alarm.
    Alarm = "alarm",
    /// Opened from an incident.
    Incident = "incident",
    /// A program opened it.
    Api = "api",
}

names! {
    /// How soon.
    Priority;
    /// Somebody stands at a till, or abroad without money.
    Urgent = "urgent",
    /// Today.
    High = "high",
    /// In its turn.
    Normal = "normal",
    /// When there is time.
    Low = "low",
}

names! {
    /// For whom a case waits.
    WaitsOn;
    /// The customer: the clocks stand still.
    Customer = "customer",
    /// A second person who has to approve: the clocks run.
    SecondPerson = "second-person",
    /// An engineer at the terminal: the clocks run.
    Engineer = "engineer",
}

names! {
    /// How a case ended.
    Outcome;
    /// The customer can pay again.
    Solved = "solved",
    /// Explained; nothing was to be changed.
    Explained = "explained",
    /// Handed on: a reset, a dispute, another bank.
    HandedOn = "handed-on",
    /// The customer was not reached any more.
    NotReached = "not-reached",
    /// The same as another case.
    Duplicate = "duplicate",
    /// Not what it was said to be.
    Refused = "refused",
}

/// What a case is about; whatever is known of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Subject {
    /// The card, by its id.
    pub card: Option<CardId>,
    /// Its masked number.
    pub pan: Option<MaskedPan>,
    /// DE 41.
    pub terminal: Option<String>,
    /// DE 42.
    pub merchant: Option<String>,
    /// The shop's registered name.
    pub merchant_name: String,
    /// DE 37 of the refused payment.
    pub rrn: Option<String>,
    /// DE 39 of the refused payment.
    pub code: Option<String>,
    /// What the diagnosis said.
    pub cause: Option<Cause>,
    /// The incident behind it.
    pub incident: Option<u64>,
    /// The alarm that it came from.
    pub alarm: Option<u32>,
}

/// Where a case stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "status", content = "on", rename_all = "kebab-case")]
pub enum Status {
    /// Nobody has it.
    New,
    /// Somebody has it.
    InWork,
    /// It waits.
    Waiting(WaitsOn),
    /// It is closed.
    Closed,
}

impl Status {
    /// The fixed name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::InWork => "in-work",
            Self::Waiting(_) => "waiting",
            Self::Closed => "closed",
        }
    }
}

/// A step that was done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StepDone {
    /// When.
    pub at: Timestamp,
    /// By whom.
    pub by: String,
    /// What came of it.
    pub note: String,
}

/// How and when it was closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closed {
    /// When.
    pub at: Timestamp,
    /// By whom.
    pub by: String,
    /// How.
    pub closing: Closing,
    /// The question, if one was asked.
    pub survey: Option<Survey>,
}

/// One case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    /// Its number.
    pub no: CaseNo,
    /// When it was opened.
    pub at: Timestamp,
    /// By whom.
    pub by: String,
    /// What was fixed then. Its priority and evidence are as they are now.
    pub opened: Opened,
    /// Where it stands.
    pub status: Status,
    /// Who has it.
    pub assignee: Option<String>,
    /// When somebody first answered.
    pub responded: Option<Timestamp>,
    /// When its clocks stood still.
    pub pauses: Vec<Pause>,
    /// Steps that are done, by id.
    pub done: BTreeMap<String, StepDone>,
    /// What was tried to prove who calls.
    pub proofs: Vec<(Timestamp, Proof)>,
    /// The code that was sent last and is not used.
    pub code: Option<SentCode>,
    /// What was asked for about the card, with the proposals that wait for a second person.
    pub asked: Vec<(Timestamp, Action, Option<String>)>,
    /// Steps of escalation that were taken.
    pub escalated: Vec<(ClockKind, u32)>,
    /// How it was closed, when it is.
    pub closed: Option<Closed>,
    /// How often it was opened again.
    pub reopened: u32,
    /// What the customer said: 1 to 5, and words.
    pub rated: Option<(Timestamp, u8, String)>,
    /// Everything that happened, oldest first.
    pub history: Vec<(Timestamp, Fact)>,
}

impl Case {
    /// The case after its first fact.
    pub(crate) fn open(no: CaseNo, at: Timestamp, opened: &Opened, by: &str) -> Self {
        // Whoever opens a case while the customer is on the line has answered; a case that a machine or a page opens has not.
        let responded = (opened.source == Source::Phone).then_some(at);
        Self {
            no,
            at,
            by: by.to_owned(),
            opened: opened.clone(),
            status: if responded.is_some() { Status::InWork } else { Status::New },
            assignee: responded.map(|_| by.to_owned()),
            responded,
            pauses: Vec::new(),
            done: BTreeMap::new(),
            proofs: Vec::new(),
            code: None,
            asked: Vec::new(),
            escalated: Vec::new(),
            closed: None,
            reopened: 0,
            rated: None,
            history: Vec::new(),
        }
    }

    /// Folds the next fact about it.
    pub(crate) fn apply(&mut self, at: Timestamp, fact: &Fact) {
        match fact {
            Fact::Opened { .. } => {}
            Fact::Assigned { to, .. } => {
                self.assignee.clone_from(to);
                if to.is_some() && self.status == Status::New {
                    self.status = Status::InWork;
                }
            }
            Fact::Prioritised { priority, .. } => self.opened.priority = *priority,
            Fact::Noted { .. } => {}
            Fact::Attached { evidence, .. } => self.opened.evidence.push(evidence.clone()),
            Fact::Answered { .. } => {
                self.responded.get_or_insert(at);
            }
            Fact::Waits { on, .. } => {
                self.go_on(at);
                self.status = Status::Waiting(*on);
                if *on == WaitsOn::Customer {
                    self.pauses.push(Pause { from: at, to: None });
                }
            }
            Fact::Resumed { .. } => {
                self.go_on(at);
                self.status = Status::InWork;
            }
            Fact::StepDone { step, note, by, .. } => {
                self.done.insert(step.clone(), StepDone { at, by: by.clone(), note: note.clone() });
            }
            Fact::Proved { proof, .. } => {
                if proof.method == CODE_METHOD && proof.right > 0 {
                    // Used: it proves nothing a second time.
                    self.code = None;
                }
                self.proofs.push((at, proof.clone()));
            }
            Fact::CodeSent { code, .. } => self.code = Some(code.clone()),
            Fact::Asked { action, proposal, .. } => self.asked.push((at, *action, proposal.clone())),
            Fact::Escalated { clock, at_percent, .. } => self.escalated.push((*clock, *at_percent)),
            Fact::Closed { closing, survey, by, .. } => {
                self.go_on(at);
                self.status = Status::Closed;
                self.closed =
                    Some(Closed { at, by: by.clone(), closing: closing.clone(), survey: survey.clone() });
            }
            Fact::Reopened { .. } => self.begin_again(at),
            Fact::Rated { score, words, .. } => {
                if self.rated.is_none() {
                    self.rated = Some((at, *score, words.clone()));
                }
            }
        }
        self.history.push((at, fact.clone()));
    }

    /// Ends a pause that is open.
    fn go_on(&mut self, at: Timestamp) {
        if let Some(pause) = self.pauses.last_mut().filter(|pause| pause.to.is_none()) {
            pause.to = Some(at);
        }
    }

    /// While it was closed its clock stood still.
    fn begin_again(&mut self, at: Timestamp) {
        if let Some(closed) = self.closed.take() {
            self.pauses.push(Pause { from: closed.at, to: Some(at) });
        }
        self.status = Status::InWork;
        self.reopened += 1;
    }

    /// Is it closed?
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.status == Status::Closed
    }

    /// Gates that are still open: while there is one, the case stays open.
    pub fn open_gates(&self) -> impl Iterator<Item = &FrozenStep> {
        self.opened.playbook.steps.iter().filter(|step| step.gate && !self.done.contains_key(&step.id))
    }

    /// What its clocks show.
    #[must_use]
    pub fn clocks(&self, house: &House, now: Timestamp) -> [Reading; 2] {
        ClockKind::ALL.map(|kind| self.clock(house, kind, now))
    }

    /// What one of its clocks shows.
    #[must_use]
    pub fn clock(&self, house: &House, kind: ClockKind, now: Timestamp) -> Reading {
        let targets = &self.opened.targets;
        let stopped = match kind {
            // A case that was closed without an answer has had one: it was dealt with.
            ClockKind::Response => self.responded.or(self.closed.as_ref().map(|closed| closed.at)),
            ClockKind::Resolve => self.closed.as_ref().map(|closed| closed.at),
        };
        let calendar = house.calendar(&targets.calendar);
        let clock = Clock { calendar, from: self.at, stopped, pauses: &self.pauses };
        clock.read(kind, targets.minutes(kind, self.opened.priority), now)
    }

    /// How far the caller's identity is proven just now, by this case's proofs alone.
    #[must_use]
    pub fn level(&self, house: &House, now: Timestamp) -> Level {
        house.identity.level(&self.proofs, now)
    }
}
