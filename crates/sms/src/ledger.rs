//! What was sent, folded from the book. Each day (UTC) has a stream of its own, so that a host that starts reads two days and
//! not years. The facts have a number's digest and its form with stars, and never what a message said.

use std::collections::{BTreeMap, VecDeque};

use model::{CardId, Timestamp};
use serde::{Deserialize, Serialize};
use store::{StoreError, book::Fact};

use crate::{
    limits::{Counted, DAY_MS},
    text::{Kind, Language},
};

/// Streams begin so.
const STREAM: &str = "sms/";
/// The kind of all facts here; the body says which.
pub(crate) const FACT: &str = "sms";
/// Messages of which is shown what became of them.
const SHOWN: usize = 500;

/// What became of a message.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "fact", rename_all = "kebab-case")]
pub(crate) enum SmsFact {
    /// It was counted and is about to leave.
    Counted {
        id: String,
        number: String,
        masked: String,
        card: Option<CardId>,
        kind: Kind,
        language: Language,
        gateway: String,
    },
    /// The gateway took it.
    Taken { id: String, reference: Option<String> },
    /// It was given up.
    GivenUp { id: String, why: String },
    /// The gateway says what became of it.
    Received { id: String, delivered: bool, said: String },
}

/// Where a message is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status {
    /// On its way to the gateway.
    Leaving,
    /// The gateway has it.
    Taken,
    /// It arrived.
    Delivered,
    /// It did not, with the gateway's word.
    Undelivered(String),
    /// The gateway did not take it.
    GivenUp(String),
}

impl Status {
    /// Its fixed name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Leaving => "leaving",
            Self::Taken => "taken",
            Self::Delivered => "delivered",
            Self::Undelivered(_) => "undelivered",
            Self::GivenUp(_) => "given-up",
        }
    }
}

/// A message, as people may see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// Its id.
    pub id: String,
    /// When it was counted.
    pub at: Timestamp,
    /// To whom, with stars.
    pub masked: String,
    /// About which card.
    pub card: Option<CardId>,
    /// What it is.
    pub kind: Kind,
    /// In which language.
    pub language: Language,
    /// By which gateway.
    pub gateway: String,
    /// The gateway's own name for it.
    pub reference: Option<String>,
    /// Where it is.
    pub status: Status,
}

/// The stream of a day.
pub(crate) fn stream(day: i64) -> String {
    format!("{STREAM}{day}")
}

/// The day of a moment, counted from 1970.
pub(crate) fn day(at: Timestamp) -> i64 {
    at.0.div_euclid(DAY_MS)
}

/// Everything of the last two days.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    /// Number of the last fact of each day's stream.
    seqs: BTreeMap<i64, u32>,
    counted: VecDeque<Counted>,
    sent: VecDeque<Sent>,
}

impl Ledger {
    /// Days whose facts matter now.
    pub(crate) fn days(now: Timestamp) -> [i64; 2] {
        [day(now) - 1, day(now)]
    }

    pub(crate) fn seq(&self, day: i64) -> u32 {
        self.seqs.get(&day).copied().unwrap_or_default()
    }

    pub(crate) fn counted(&self) -> impl Iterator<Item = &Counted> + Clone {
        self.counted.iter()
    }

    /// The newest, newest first.
    pub(crate) fn newest(&self, limit: usize) -> Vec<Sent> {
        self.sent.iter().rev().take(limit).cloned().collect()
    }

    /// The message that a gateway calls so.
    pub(crate) fn by_reference(&self, gateway: &str, reference: &str) -> Option<&Sent> {
        self.sent
            .iter()
            .rev()
            .find(|sent| sent.gateway == gateway && sent.reference.as_deref() == Some(reference))
    }

    /// Folds the next fact of a day's stream.
    pub(crate) fn apply(&mut self, day: i64, fact: &Fact) -> Result<(), StoreError> {
        self.seqs.insert(day, fact.seq);
        match fact.read()? {
            SmsFact::Counted { id, number, masked, card, kind, language, gateway } => {
                self.counted.push_back(Counted { at: fact.at, number, card });
                if self.sent.len() == SHOWN {
                    self.sent.pop_front();
                }
                let (reference, status) = (None, Status::Leaving);
                let at = fact.at;
                self.sent.push_back(Sent {
                    id,
                    at,
                    masked,
                    card,
                    kind,
                    language,
                    gateway,
                    reference,
                    status,
                });
            }
            SmsFact::Taken { id, reference } => self.change(&id, |sent| {
                sent.reference.clone_from(&reference);
                sent.status = Status::Taken;
            }),
            SmsFact::GivenUp { id, why } => self.change(&id, |sent| sent.status = Status::GivenUp(why)),
            SmsFact::Received { id, delivered, said } => self.change(&id, |sent| {
                sent.status = if delivered { Status::Delivered } else { Status::Undelivered(said) };
            }),
        }
        Ok(())
    }

    fn change(&mut self, id: &str, change: impl FnOnce(&mut Sent)) {
        if let Some(sent) = self.sent.iter_mut().rev().find(|sent| sent.id == id) {
            change(sent);
        }
    }

    /// Forgets what no limit looks at any more.
    pub(crate) fn tidy(&mut self, now: Timestamp) {
        self.counted.retain(|counted| now.since_ms(counted.at) < DAY_MS);
        let first = Self::days(now)[0];
        self.seqs.retain(|day, _| *day >= first);
    }
}
