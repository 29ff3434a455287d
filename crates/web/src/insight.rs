//! The door to the diagnosis: what the console shows about causes and incidents, and what people do about them. Who stands
//! behind it follows the journal; the console asks anew for each page and keeps nothing.

use async_trait::async_trait;
use diagnosis::{Cause, Status};
use model::{Amount, CardId, MaskedPan, Timestamp};
use serde::Serialize;
use store::StoreError;
use tokio::sync::broadcast;

/// What is known about causes and incidents.
#[async_trait]
pub trait Insight: Send + Sync {
    /// The verdict about a refusal; `None` when it is not known (any more), or nothing was refused.
    async fn verdict(&self, rrn: &str) -> Result<Option<VerdictView>, StoreError>;

    /// Incidents, newest first.
    async fn incidents(&self) -> Result<Vec<IncidentView>, StoreError>;

    /// One incident with everything around it.
    async fn incident(&self, id: u64) -> Result<Option<IncidentDetail>, StoreError>;

    /// The same without its refusals, for long lists.
    async fn summary(&self, id: u64) -> Result<Option<IncidentDetail>, StoreError> {
        self.incident(id).await
    }

    /// What speaks for an incident and against it.
    async fn evidence(&self, id: u64) -> Result<Vec<Piece>, StoreError> {
        Ok(self.incident(id).await?.map(|detail| detail.evidence).unwrap_or_default())
    }

    /// What people said about the verdicts of each cause.
    async fn judged(&self) -> Result<Vec<Judged>, StoreError> {
        Ok(Vec::new())
    }

    /// What may be wrong and is not sure enough for an incident, the likeliest first.
    async fn suspicions(&self) -> Result<Vec<SuspicionView>, StoreError> {
        Ok(Vec::new())
    }

    /// Stretches of time of which nothing is known, the newest first.
    async fn gaps(&self) -> Result<Vec<GapView>, StoreError> {
        Ok(Vec::new())
    }

    /// Milliseconds that it is behind the journal. Where processors are short, payments come first.
    async fn behind_ms(&self) -> Result<i64, StoreError> {
        Ok(0)
    }

    /// What answered incidents, each with the incident's number and cause; the newest first.
    async fn answers(&self) -> Result<Vec<(u64, Cause, Answer)>, StoreError> {
        Ok(Vec::new())
    }

    /// News about incidents from now on, if there is somebody to tell them.
    fn subscribe(&self) -> Option<broadcast::Receiver<News>> {
        None
    }

    /// Does something; it is recorded under the actor's name before it is done.
    async fn act(&self, deed: Deed, by: &str, at: Timestamp) -> Result<Done, Refused>;
}

/// Verdicts of one cause that people looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Judged {
    /// The cause that they said.
    pub cause: Cause,
    /// So many were right.
    pub right: u32,
    /// So many were wrong.
    pub wrong: u32,
}

/// Something happened to an incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct News {
    /// Its number.
    pub id: u64,
    /// `opened`, `revised`, `ended`, `retracted`, or `handled` by somebody.
    pub what: &'static str,
}

/// What people do about a verdict or an incident.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deed {
    /// Gives the tries back that a fault consumed, on all cards of an incident that still wait for it.
    RestoreTries {
        /// The incident.
        incident: u64,
        /// Who looked at it beside the one who asks.
        reviewer: String,
        /// Why.
        why: String,
    },
    /// Says that a verdict is right.
    Confirm {
        /// About which refusal.
        rrn: String,
        /// Why.
        why: String,
    },
    /// Says that a verdict is wrong.
    Contradict {
        /// About which refusal.
        rrn: String,
        /// What it was, if known.
        cause: Option<Cause>,
        /// Why.
        why: String,
    },
    /// Moves an incident on.
    Handle {
        /// The incident.
        incident: u64,
        /// Where it stands for people.
        handling: Handling,
        /// A note.
        note: String,
    },
    /// Gives an incident to somebody, or to nobody.
    Assign {
        /// The incident.
        incident: u64,
        /// Whose it is from now on.
        to: Option<String>,
    },
    /// Adds a line to an incident.
    Note {
        /// The incident.
        incident: u64,
        /// What is to be remembered.
        text: String,
    },
    /// Names what answered an incident.
    Answer {
        /// The incident.
        incident: u64,
        /// A rule, a firmware version, a training …
        kind: AnswerKind,
        /// Its name.
        name: String,
    },
    /// Takes a terminal out of use.
    SuspendTerminal {
        /// DE 41.
        terminal: String,
        /// Why.
        why: String,
    },
    /// Asks a terminal, in the header of its next answer, to sign in anew.
    ForceSignIn {
        /// DE 41.
        terminal: String,
        /// Why.
        why: String,
    },
}

/// It was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Done {
    /// How many cards, terminals or records it changed; 0 when it was done before.
    pub changed: u32,
}

/// It was not done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// There is no such incident, refusal or terminal.
    #[error("not found")]
    NotFound,
    /// It does not fit what is; the words say why.
    #[error("{0}")]
    Conflict(String),
    /// A part of what was asked makes no sense.
    #[error("{part}: expected {expected}")]
    NotUnderstood {
        /// Which part.
        part: &'static str,
        /// What would have been accepted.
        expected: &'static str,
    },
    /// The store's trouble.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The verdict about one refusal, for people.
#[derive(Debug, Clone, PartialEq)]
pub struct VerdictView {
    /// Why.
    pub cause: Cause,
    /// Calibrated probability, 0 to 1.
    pub confidence: f32,
    /// The next best explanations, best first.
    pub others: Vec<(Cause, f32)>,
    /// What speaks for it and against it.
    pub evidence: Vec<Piece>,
    /// The incident behind it.
    pub incident: Option<u64>,
    /// How often it was revised, and when last.
    pub revised: (u32, Timestamp),
    /// What people said against it: when, who, and what it was in their opinion.
    pub contradicted: Vec<(Timestamp, String, Option<Cause>)>,
}

/// A calibrated probability in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Certainty {
    /// At least nine in ten such verdicts are right.
    Sure,
    /// More than six in ten are.
    Probable,
    /// It is the best explanation, and others are near.
    Possible,
}

impl Certainty {
    /// The word for a probability.
    #[must_use]
    pub fn of(confidence: f32) -> Self {
        match confidence {
            sure if sure >= 0.9 => Self::Sure,
            probable if probable >= 0.6 => Self::Probable,
            _ => Self::Possible,
        }
    }

    /// The fixed name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Sure => "sure",
            Self::Probable => "probable",
            Self::Possible => "possible",
        }
    }
}

/// A piece of evidence.
#[derive(Debug, Clone, PartialEq)]
pub struct Piece {
    /// Its fixed name; the handbook has its words.
    pub name: String,
    /// Positive speaks for the cause, negative against it.
    pub weight: f32,
    /// The numbers of its sentence, by name.
    pub values: Vec<(String, f64)>,
}

/// What an incident is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScopeView {
    /// `terminal`, `merchant`, `card`, `bin`, `zone`, `firmware`, `network`, `instance`, `agent`.
    pub kind: &'static str,
    /// Its number, its name, or the card's id.
    pub id: String,
    /// As people know it; a card's is its masked number.
    pub name: String,
}

/// Where an incident stands for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Handling {
    /// Nobody has looked.
    New,
    /// Somebody has taken it up.
    Seen,
    /// Somebody has dealt with it.
    Closed,
}

impl Handling {
    /// Every step, in order.
    pub const ALL: [Self; 3] = [Self::New, Self::Seen, Self::Closed];

    /// The fixed name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::New => "open",
            Self::Seen => "acknowledged",
            Self::Closed => "closed",
        }
    }
}

/// What may answer an incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnswerKind {
    /// A rule.
    Rule,
    /// A version of firmware or application.
    Firmware,
    /// A training.
    Training,
    /// Anything else.
    Other,
}

impl AnswerKind {
    /// All kinds.
    pub const ALL: [Self; 4] = [Self::Rule, Self::Firmware, Self::Training, Self::Other];

    /// The fixed name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Rule => "rule",
            Self::Firmware => "firmware",
            Self::Training => "training",
            Self::Other => "other",
        }
    }
}

/// One incident, as in lists.
#[derive(Debug, Clone, PartialEq)]
pub struct IncidentView {
    /// Its number.
    pub id: u64,
    /// Why.
    pub cause: Cause,
    /// The next best explanation.
    pub second: Option<Cause>,
    /// What it is about.
    pub scope: ScopeView,
    /// The first sign.
    pub onset: Timestamp,
    /// When there was enough to say so.
    pub detected: Timestamp,
    /// The last sign so far.
    pub last_seen: Timestamp,
    /// When it was over or retracted.
    pub ended: Option<Timestamp>,
    /// Calibrated probability that cause and scope are right.
    pub confidence: f32,
    /// Where it stands for the diagnosis.
    pub status: Status,
    /// Where it stands for people.
    pub handling: Handling,
    /// Whose it is.
    pub assignee: Option<String>,
    /// Cards that it touched.
    pub cards: u32,
    /// Payments that it refused, and their sum.
    pub refused: (u32, Amount),
    /// Cards whose tries still wait to be given back.
    pub to_restore: u32,
    /// Registered merchant, model, firmware and region of its scope; empty when it has none or several.
    pub belongs: Belongs,
}

impl IncidentView {
    /// Does it still need somebody?
    #[must_use]
    pub fn is_open(&self) -> bool {
        matches!(self.status, Status::Provisional | Status::Open) && self.handling != Handling::Closed
    }
}

/// What a scope belongs to; empty where it is not known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Belongs {
    /// The shop.
    pub merchant: String,
    /// Manufacturer's model.
    pub model: String,
    /// Version of firmware and application.
    pub firmware: String,
    /// Province or city.
    pub region: String,
}

/// Something that may be wrong: to keep an eye on, and nobody's alarm.
#[derive(Debug, Clone, PartialEq)]
pub struct SuspicionView {
    /// Where.
    pub scope: ScopeView,
    /// What it looks like most.
    pub cause: Cause,
    /// The first of the card sessions that were looked at, and how many there were.
    pub since: Timestamp,
    /// How many there were.
    pub sessions: u32,
    /// Natural logarithm of the odds against "nothing is wrong".
    pub log_odds: f32,
    /// What speaks for it and against it.
    pub evidence: Vec<Piece>,
    /// The incident that is open about it already.
    pub incident: Option<u64>,
    /// Merchant, model, firmware and region.
    pub belongs: Belongs,
}

/// A stretch of time of which nothing is known; nothing is concluded across it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GapView {
    /// It begins.
    pub since: Timestamp,
    /// It ends.
    pub until: Timestamp,
    /// The host's clock went back; else nothing was decided for long.
    pub clock: bool,
}

/// One incident with everything around it.
#[derive(Debug, Clone, PartialEq)]
pub struct IncidentDetail {
    /// As in lists.
    pub view: IncidentView,
    /// What speaks for it and against it.
    pub evidence: Vec<Piece>,
    /// The wider incident that explains it.
    pub parent: Option<u64>,
    /// What it explains.
    pub children: Vec<u64>,
    /// Card sessions from the onset to the detection.
    pub sessions_to_detection: u32,
    /// What became of it, oldest first.
    pub history: Vec<Step>,
    /// Cards on which it consumed tries.
    pub harmed: Vec<HarmedCard>,
    /// References of payments that it refused, newest first.
    pub refusals: Vec<String>,
    /// What answered it.
    pub answers: Vec<Answer>,
}

/// A step in an incident's life.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// When.
    pub at: Timestamp,
    /// `opened`, `revised`, `absorbed`, `ended`, `retracted`; by people `acknowledged`, `closed`, `reopened`, `assigned`, `note`,
    /// `restored`, `answered`.
    pub what: String,
    /// Who, if it was a person.
    pub by: Option<String>,
    /// What the diagnosis said then.
    pub cause: Option<(Cause, f32)>,
    /// Note, number or name that goes with it.
    pub note: String,
}

/// A card that paid for a fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HarmedCard {
    /// Card.
    pub card: CardId,
    /// Masked number.
    pub pan: MaskedPan,
    /// Is it locked now?
    pub locked: bool,
    /// What became of the tries that it was cost.
    pub fate: Fate,
}

/// What became of tries that a fault cost a card.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// They still count: the card waits for them.
    Waits,
    /// They were given back.
    Restored,
    /// A right PIN, or staff, reset the counter before anybody gave them back.
    AlreadyReset,
}

impl Fate {
    /// The fixed name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Waits => "waits",
            Self::Restored => "restored",
            Self::AlreadyReset => "already-reset",
        }
    }
}

/// What answered an incident, and how often its cause came before and after.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// Its kind.
    pub kind: AnswerKind,
    /// Its name.
    pub name: String,
    /// Since when.
    pub at: Timestamp,
    /// Who named it.
    pub by: String,
    /// Incidents of the same cause for a week, in as much time before as after.
    pub before: f64,
    /// The same since then.
    pub after: f64,
    /// How long the time after is, in days.
    pub days: f64,
}

/// No diagnosis runs: nothing is known, and nothing can be done.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoInsight;

#[async_trait]
impl Insight for NoInsight {
    async fn verdict(&self, _: &str) -> Result<Option<VerdictView>, StoreError> {
        Ok(None)
    }

    async fn incidents(&self) -> Result<Vec<IncidentView>, StoreError> {
        Ok(Vec::new())
    }

    async fn incident(&self, _: u64) -> Result<Option<IncidentDetail>, StoreError> {
        Ok(None)
    }

    async fn act(&self, _: Deed, _: &str, _: Timestamp) -> Result<Done, Refused> {
        Err(Refused::NotFound)
    }
}
