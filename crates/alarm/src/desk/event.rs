//! What is written into the book: everything that happened to alarms, silences and webhooks, one stream.

use model::Timestamp;
use serde::{Deserialize, Serialize};
use store::{BookError, Fact, StoreError, book};

use crate::alert::{Alert, Severity};

/// The stream of the book that alarms live in.
pub const STREAM: &str = "alarms";
/// The form of the bodies.
const VERSION: u8 = 1;

/// Who is told by a notice.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Target {
    /// A webhook, by its id.
    Webhook(String),
    /// A mail address.
    Mail(String),
}

/// Why there is a notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// An alarm is new.
    Opened,
    /// Nobody acknowledged it.
    Escalated,
    /// It became worse.
    Worsened,
    /// It is over.
    Over,
    /// Somebody tries a webhook.
    Test,
}

impl Reason {
    /// The type of the event in a webhook's payload.
    #[must_use]
    pub fn event_type(self) -> &'static str {
        match self {
            Self::Opened => "alarm.opened",
            Self::Escalated => "alarm.escalated",
            Self::Worsened => "alarm.worsened",
            Self::Over => "alarm.over",
            Self::Test => "webhook.test",
        }
    }
}

/// Which alarms a silence holds back: those that are all of what is given.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Matcher {
    /// The kind, such as `wrong-terminal-key`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// The kind of scope, such as `terminal`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope_kind: Option<String>,
    /// The scope's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope_id: Option<String>,
    /// At most so bad: a worse one is told all the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub most: Option<Severity>,
}

impl Matcher {
    /// Does it hold this alert back?
    #[must_use]
    pub fn matches(&self, alert: &Alert, severity: Severity) -> bool {
        let same = |wanted: &Option<String>, found: &str| wanted.as_ref().is_none_or(|w| w == found);
        same(&self.kind, &alert.kind)
            && same(&self.scope_kind, &alert.scope.kind)
            && same(&self.scope_id, &alert.scope.id)
            && self.most.is_none_or(|most| severity <= most)
    }
}

/// What came of one attempt to tell somebody.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// Was it taken?
    pub taken: bool,
    /// The status of the answer, HTTP's or SMTP's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The first words of the answer, or what went wrong.
    pub said: String,
    /// How long it took.
    pub took_ms: u32,
    /// The receiver wants nothing more (410), or can never take it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub gone: bool,
    /// The receiver's wish when to try again, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_s: Option<u32>,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// An alert that belongs to no alarm yet: a new one, whose number is this fact's.
    Raised {
        /// What was raised.
        alert: Box<Alert>,
    },
    /// More alerts of an alarm.
    Joined {
        /// The alarm.
        alarm: u32,
        /// How many.
        more: u32,
        /// The newest of them.
        alert: Box<Alert>,
    },
    /// Somebody has taken an alarm on.
    Acknowledged {
        /// The alarm.
        alarm: u32,
        /// Who.
        by: String,
        /// What he says to it.
        note: String,
    },
    /// An alarm is over.
    Over {
        /// The alarm.
        alarm: u32,
        /// Why.
        why: String,
    },
    /// Somebody is to be told.
    Notified {
        /// Of this alarm; `None` for a test.
        alarm: Option<u32>,
        /// Why.
        reason: Reason,
        /// Step of the ladder that was taken.
        step: u32,
        /// Who.
        targets: Vec<Target>,
        /// What, byte for byte.
        body: String,
    },
    /// A host has begun to tell a target.
    Attempting {
        /// The fact that says what is told.
        notice: u32,
        /// Who.
        target: Target,
        /// The process that does.
        host: String,
    },
    /// What came of it.
    Attempted {
        /// The fact that says what is told.
        notice: u32,
        /// Who.
        target: Target,
        /// What came of it.
        outcome: Outcome,
        /// When it is tried again, if it is.
        next: Option<Timestamp>,
    },
    /// Alarms are held back.
    Silenced {
        /// Which.
        matcher: Matcher,
        /// Until when.
        until: Timestamp,
        /// Who wanted it.
        by: String,
        /// Why.
        why: String,
    },
    /// A silence ends early.
    Lifted {
        /// The silence.
        silence: u32,
        /// Who wanted it.
        by: String,
    },
    /// A webhook.
    Subscribed {
        /// Its id, random.
        webhook: String,
        /// Where to.
        url: String,
        /// For people.
        description: String,
        /// Only these kinds of alarms; all when empty.
        kinds: Vec<String>,
        /// Only alarms that are at least so bad.
        least: Severity,
        /// Its secret, sealed by the book.
        secret: Vec<u8>,
        /// Who wanted it.
        by: String,
    },
    /// A webhook has a new secret; the one before signs too for a while.
    Rotated {
        /// The webhook.
        webhook: String,
        /// The new secret, sealed.
        secret: Vec<u8>,
        /// Until when the old one signs.
        old_until: Timestamp,
        /// Who wanted it.
        by: String,
    },
    /// A webhook gets nothing more until it is enabled.
    Disabled {
        /// The webhook.
        webhook: String,
        /// Why.
        why: String,
    },
    /// It gets what comes from now on.
    Enabled {
        /// The webhook.
        webhook: String,
        /// Who wanted it.
        by: String,
    },
    /// A webhook is no more.
    Removed {
        /// The webhook.
        webhook: String,
        /// Who wanted it.
        by: String,
    },
}

#[derive(Serialize)]
struct Written<'e> {
    v: u8,
    #[serde(flatten)]
    event: &'e Event,
}

#[derive(Deserialize)]
struct Read {
    v: u8,
    #[serde(flatten)]
    event: Event,
}

impl Event {
    /// Its name in the book.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Raised { .. } => "raised",
            Self::Joined { .. } => "joined",
            Self::Acknowledged { .. } => "acknowledged",
            Self::Over { .. } => "over",
            Self::Notified { .. } => "notified",
            Self::Attempting { .. } => "attempting",
            Self::Attempted { .. } => "attempted",
            Self::Silenced { .. } => "silenced",
            Self::Lifted { .. } => "lifted",
            Self::Subscribed { .. } => "subscribed",
            Self::Rotated { .. } => "rotated",
            Self::Disabled { .. } => "disabled",
            Self::Enabled { .. } => "enabled",
            Self::Removed { .. } => "removed",
        }
    }

    /// As the body of a fact.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn body(&self) -> Result<Vec<u8>, BookError> {
        book::json(&Written { v: VERSION, event: self })
    }

    /// Out of a fact.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] if it is none, or of a newer program.
    pub fn of(fact: &Fact) -> Result<Self, StoreError> {
        let read: Read = fact.read()?;
        if read.v > VERSION {
            return Err(StoreError::Corrupt(format!(
                "fact {} of {} has form {}, this program reads {VERSION}",
                fact.seq, fact.stream, read.v
            )));
        }
        Ok(read.event)
    }
}
