//! What became true about a case. Facts are kept as JSON; a field is only ever added, and then with a default.

use std::collections::BTreeMap;

use model::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    case::{CaseNo, Outcome, Priority, Source, Subject, WaitsOn},
    clock::{ClockKind, Targets},
    identity::{Action, Proof},
    playbook::Frozen,
};

/// Something that was looked at when the case was opened, or later: a reference, and what it said then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// Of what kind.
    pub kind: EvidenceKind,
    /// Reference, number or id; a card by its id.
    pub id: String,
    /// When it happened.
    pub at: Timestamp,
    /// What it said when it was attached, by name; masked.
    pub summary: BTreeMap<String, String>,
}

/// What can be attached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EvidenceKind {
    /// A payment, by its RRN.
    Transaction,
    /// A verdict of the diagnosis about a payment, by its RRN.
    Verdict,
    /// An incident, by its number.
    Incident,
    /// An alarm, by its number.
    Alarm,
    /// A terminal, by its number (DE 41).
    Terminal,
    /// A card, by its id.
    Card,
}

impl EvidenceKind {
    /// The fixed name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Transaction => "transaction",
            Self::Verdict => "verdict",
            Self::Incident => "incident",
            Self::Alarm => "alarm",
            Self::Terminal => "terminal",
            Self::Card => "card",
        }
    }
}

/// Everything that is fixed when a case is opened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opened {
    /// How it came.
    pub source: Source,
    /// About what.
    pub subject: Subject,
    /// How soon.
    pub priority: Priority,
    /// In a sentence.
    pub summary: String,
    /// The caller, as far as they are named: never a number that could be a card's.
    pub caller: String,
    /// Whose service plan.
    pub plan: String,
    /// The shop's segment.
    pub segment: String,
    /// What was promised.
    pub targets: Targets,
    /// What is to be done.
    pub playbook: Frozen,
    /// What was looked at.
    pub evidence: Vec<Evidence>,
}

/// A case that may be closed: made by [`crate::Case::close`] alone, which looks at the gates.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closing {
    pub(crate) outcome: Outcome,
    pub(crate) words: String,
}

impl Closing {
    /// How it ended.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        self.outcome
    }

    /// What came of it, in words.
    #[must_use]
    pub fn words(&self) -> &str {
        &self.words
    }
}

/// The question that is asked once after closing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Survey {
    /// The hash of the link's token.
    pub hash: String,
    /// The token, sealed by the store, so that the link can be shown to the desk again.
    pub sealed: String,
    /// The link is void from then on.
    pub until: Timestamp,
}

/// A one-time code, as the case keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SentCode {
    /// Its digest, bound to case and card.
    pub digest: String,
    /// Where it went, with stars.
    pub to: String,
    /// Good until then.
    pub until: Timestamp,
    /// For so many hours the number had been this one.
    pub unchanged_h: u32,
}

/// What became true.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "fact", rename_all = "kebab-case")]
pub enum Fact {
    /// A case; its number is the fact's in the stream.
    Opened {
        /// Everything that is fixed now.
        opened: Box<Opened>,
        /// By whom.
        by: String,
    },
    /// Somebody has it, or nobody.
    Assigned {
        /// Which case.
        case: CaseNo,
        /// Who.
        to: Option<String>,
        /// By whom.
        by: String,
    },
    /// How soon.
    Prioritised {
        /// Which case.
        case: CaseNo,
        /// New priority.
        priority: Priority,
        /// Why.
        why: String,
        /// By whom.
        by: String,
    },
    /// A note.
    Noted {
        /// Which case.
        case: CaseNo,
        /// It.
        text: String,
        /// By whom.
        by: String,
    },
    /// More evidence.
    Attached {
        /// Which case.
        case: CaseNo,
        /// It.
        evidence: Evidence,
        /// By whom.
        by: String,
    },
    /// The customer was answered: the first answer stops the response clock.
    Answered {
        /// Which case.
        case: CaseNo,
        /// The reply's name; empty when it is in one's own words.
        reply: String,
        /// What was said.
        text: String,
        /// By whom.
        by: String,
    },
    /// It waits for somebody.
    Waits {
        /// Which case.
        case: CaseNo,
        /// For whom.
        on: WaitsOn,
        /// Why.
        why: String,
        /// By whom.
        by: String,
    },
    /// It goes on.
    Resumed {
        /// Which case.
        case: CaseNo,
        /// Why.
        why: String,
        /// By whom.
        by: String,
    },
    /// A step of the playbook is done.
    StepDone {
        /// Which case.
        case: CaseNo,
        /// The step's id.
        step: String,
        /// What came of it.
        note: String,
        /// By whom.
        by: String,
    },
    /// Somebody tried to prove who they are.
    Proved {
        /// Which case.
        case: CaseNo,
        /// With what result.
        proof: Proof,
        /// By whom it was taken.
        by: String,
    },
    /// A one-time code is about to be sent to the number on file.
    CodeSent {
        /// Which case.
        case: CaseNo,
        /// It.
        code: SentCode,
        /// By whom.
        by: String,
    },
    /// Something was asked for about the card.
    Asked {
        /// Which case.
        case: CaseNo,
        /// What.
        action: Action,
        /// The proposal that waits for a second person; none when it was done at once.
        proposal: Option<String>,
        /// By whom.
        by: String,
    },
    /// A step of escalation was taken.
    Escalated {
        /// Which case.
        case: CaseNo,
        /// Which clock.
        clock: ClockKind,
        /// At so much of its target.
        at_percent: u32,
        /// To whom.
        to: String,
    },
    /// Closed.
    Closed {
        /// Which case.
        case: CaseNo,
        /// That it may be.
        closing: Closing,
        /// The question that is asked now, if one is.
        survey: Option<Survey>,
        /// By whom.
        by: String,
    },
    /// Open again.
    Reopened {
        /// Which case.
        case: CaseNo,
        /// Why.
        why: String,
        /// By whom.
        by: String,
    },
    /// The customer's answer to the question.
    Rated {
        /// Which case.
        case: CaseNo,
        /// 1 to 5.
        score: u8,
        /// In their own words.
        words: String,
    },
}

impl Fact {
    /// Its fixed name.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Opened { .. } => "opened",
            Self::Assigned { .. } => "assigned",
            Self::Prioritised { .. } => "prioritised",
            Self::Noted { .. } => "noted",
            Self::Attached { .. } => "attached",
            Self::Answered { .. } => "answered",
            Self::Waits { .. } => "waits",
            Self::Resumed { .. } => "resumed",
            Self::StepDone { .. } => "step-done",
            Self::Proved { .. } => "proved",
            Self::CodeSent { .. } => "code-sent",
            Self::Asked { .. } => "asked",
            Self::Escalated { .. } => "escalated",
            Self::Closed { .. } => "closed",
            Self::Reopened { .. } => "reopened",
            Self::Rated { .. } => "rated",
        }
    }

    /// The case that it is about; none for the fact that opens one.
    #[must_use]
    pub fn case(&self) -> Option<CaseNo> {
        match self {
            Self::Opened { .. } => None,
            Self::Assigned { case, .. }
            | Self::Prioritised { case, .. }
            | Self::Noted { case, .. }
            | Self::Attached { case, .. }
            | Self::Answered { case, .. }
            | Self::Waits { case, .. }
            | Self::Resumed { case, .. }
            | Self::StepDone { case, .. }
            | Self::Proved { case, .. }
            | Self::CodeSent { case, .. }
            | Self::Asked { case, .. }
            | Self::Escalated { case, .. }
            | Self::Closed { case, .. }
            | Self::Reopened { case, .. }
            | Self::Rated { case, .. } => Some(*case),
        }
    }
}
