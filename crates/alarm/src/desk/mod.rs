//! All alarms, silences and webhooks, and who is still to be told: the fold of the facts, and what follows from it at a moment.
//!
//! ```text
//!   raised ──► open ──────────────► acknowledged ──► over
//!                │  step 0, 1, 2 …       │
//!                │ ◄── it gets worse ────┘
//!                └──► over: resolved, replaced by a new one, or nobody cared for a week
//! ```
//!
//! A notice makes a delivery to each of its targets:
//!
//! ```text
//!   waiting ──► under way ──► delivered
//!      ▲            │  taken by a host; free again when that was silent for a minute
//!      └── failed ──┴──► given up: tried often enough, gone, webhook disabled or removed
//! ```
//!
//! Time and randomness are arguments.

use std::collections::{BTreeMap, BTreeSet};

use model::Timestamp;

use crate::alert::{Alert, Severity};

pub use decide::{Refusal, SILENCE_MAX_DAYS, WEBHOOKS_MAX};
pub use delivery::{Attempt, Delivery, DeliveryKey, DeliveryState};
pub use event::{Event, Matcher, Outcome, Reason, STREAM, Target};

mod apply;
mod decide;
mod delivery;
mod due;
mod event;

#[cfg(test)]
mod tests;

/// An alarm: alerts about one thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alarm {
    /// Its number.
    pub id: u32,
    /// The newest alert.
    pub alert: Alert,
    /// How bad it ever was.
    pub severity: Severity,
    /// When it was raised.
    pub raised: Timestamp,
    /// When the newest alert came.
    pub last: Timestamp,
    /// Alerts so far.
    pub count: u64,
    /// Who took it on.
    pub acknowledged: Option<Acknowledgement>,
    /// When it was over, and why.
    pub over: Option<(Timestamp, String)>,
    /// When the first step of the ladder was taken.
    pub(crate) told: Option<Timestamp>,
    /// Steps that were taken.
    pub(crate) steps: u32,
    /// Somebody is to be told that it became worse.
    pub(crate) worsened: bool,
    /// Who was told anything.
    pub(crate) targets: BTreeSet<Target>,
    /// They were told that it is over.
    pub(crate) over_told: bool,
}

/// Somebody took an alarm on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acknowledgement {
    /// Who.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// What he says to it.
    pub note: String,
}

/// Where an alarm stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// Somebody should look.
    Open,
    /// A silence holds it back.
    Silenced,
    /// Somebody does.
    Acknowledged,
    /// Nobody needs to.
    Over,
}

/// Alarms that are held back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Silence {
    /// Its number.
    pub id: u32,
    /// Which.
    pub matcher: Matcher,
    /// Since when.
    pub since: Timestamp,
    /// Until when; earlier if it was lifted.
    pub until: Timestamp,
    /// Who wanted it.
    pub by: String,
    /// Why.
    pub why: String,
    /// Who ended it early.
    pub lifted: Option<String>,
}

/// Where notices go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Webhook {
    /// Its id.
    pub id: String,
    /// Where to.
    pub url: String,
    /// For people.
    pub description: String,
    /// Only these kinds of alarms; all when empty.
    pub kinds: Vec<String>,
    /// Only alarms that are at least so bad.
    pub least: Severity,
    /// Since when.
    pub since: Timestamp,
    /// Who wanted it.
    pub by: String,
    /// Why it gets nothing, if so.
    pub disabled: Option<String>,
    /// The first failure since it last took something.
    pub failing_since: Option<Timestamp>,
    /// When it last took something.
    pub last_taken: Option<Timestamp>,
    /// Sealed secrets, the newest first; each with the moment when it ends.
    pub(crate) secrets: Vec<(Vec<u8>, Option<Timestamp>)>,
}

impl Webhook {
    /// The address without path, query and credentials, which may be secrets: for those who do not manage alarms.
    #[must_use]
    pub fn origin(&self) -> String {
        url::Url::parse(&self.url).map_or_else(|_| String::new(), |url| url.origin().ascii_serialization())
    }

    /// Does it want to hear of such an alarm?
    #[must_use]
    pub fn wants(&self, alert: &Alert, severity: Severity) -> bool {
        self.disabled.is_none()
            && severity >= self.least
            && (self.kinds.is_empty() || self.kinds.contains(&alert.kind))
    }

    /// Sealed secrets that sign now, the newest first.
    pub(crate) fn signing(&self, now: Timestamp) -> impl Iterator<Item = &[u8]> {
        let live = move |until: &Option<Timestamp>| until.is_none_or(|until| now < until);
        self.secrets.iter().filter(move |(_, until)| live(until)).map(|(secret, _)| secret.as_slice())
    }

    /// Until when the secret before the newest signs too, if it still does.
    #[must_use]
    pub fn old_secret_until(&self, now: Timestamp) -> Option<Timestamp> {
        self.secrets.iter().skip(1).filter_map(|(_, until)| *until).filter(|until| now < *until).max()
    }
}

/// The fold.
#[derive(Debug, Clone, Default)]
pub struct Desk {
    pub(crate) seq: u32,
    pub(crate) alarms: BTreeMap<u32, Alarm>,
    /// The newest alarm of what belongs together.
    pub(crate) by_key: BTreeMap<String, u32>,
    pub(crate) silences: BTreeMap<u32, Silence>,
    pub(crate) webhooks: BTreeMap<String, Webhook>,
    pub(crate) deliveries: BTreeMap<DeliveryKey, Delivery>,
}

impl Desk {
    /// Number of the last fact that it knows.
    #[must_use]
    pub fn seq(&self) -> u32 {
        self.seq
    }

    /// All alarms that are remembered, the newest first.
    pub fn alarms(&self) -> impl Iterator<Item = &Alarm> {
        self.alarms.values().rev()
    }

    /// Was an alert of this moment, or a later one, about what belongs together under a key ([`Alert::key`]) taken already? What
    /// is older than everything that is remembered was.
    #[must_use]
    pub fn knows(&self, key: &str, at: Timestamp) -> bool {
        let newest = self.by_key.get(key).and_then(|id| self.alarms.get(id));
        let forgotten = || self.alarms.values().next().filter(|_| self.alarms.len() >= apply::OVER_KEPT);
        newest.is_some_and(|alarm| alarm.alert.at >= at)
            || forgotten().is_some_and(|oldest| oldest.raised > at)
    }

    /// One of them.
    #[must_use]
    pub fn alarm(&self, id: u32) -> Option<&Alarm> {
        self.alarms.get(&id)
    }

    /// Silences, the newest first; those that ended are remembered for a while.
    pub fn silences(&self) -> impl Iterator<Item = &Silence> {
        self.silences.values().rev()
    }

    /// Webhooks, by their ids.
    pub fn webhooks(&self) -> impl Iterator<Item = &Webhook> {
        self.webhooks.values()
    }

    /// One of them.
    #[must_use]
    pub fn webhook(&self, id: &str) -> Option<&Webhook> {
        self.webhooks.get(id)
    }

    /// What was and is to be told to a target, the newest first.
    pub fn deliveries<'d>(&'d self, target: &'d Target) -> impl Iterator<Item = &'d Delivery> {
        self.deliveries.values().rev().filter(move |delivery| delivery.target == *target)
    }

    /// The silence that holds an alarm back now.
    #[must_use]
    pub fn silenced(&self, alarm: &Alarm, now: Timestamp) -> Option<&Silence> {
        let holds = |silence: &&Silence| {
            silence.is_live(now) && silence.matcher.matches(&alarm.alert, alarm.severity)
        };
        self.silences.values().find(holds)
    }

    /// Where an alarm stands.
    #[must_use]
    pub fn standing(&self, alarm: &Alarm, now: Timestamp) -> Standing {
        if alarm.over.is_some() {
            Standing::Over
        } else if alarm.acknowledged.is_some() {
            Standing::Acknowledged
        } else if self.silenced(alarm, now).is_some() {
            Standing::Silenced
        } else {
            Standing::Open
        }
    }
}

impl Silence {
    /// Does it hold anything back now?
    #[must_use]
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.lifted.is_none() && now < self.until
    }
}
