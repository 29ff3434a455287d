//! Telling one target of one notice, until it is taken or given up.

use std::sync::Arc;

use model::Timestamp;

use super::event::{Outcome, Reason, Target};

/// Seconds from one attempt to the next: the example of the Standard Webhooks specification, three days in all.
pub(crate) const SCHEDULE_S: [i64; 9] = [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400];
/// A wait is longer by up to this part of itself, so that many do not come back at once.
const JITTER: f64 = 0.2;
/// A receiver may ask for a longer pause, but not for ever.
const RETRY_AFTER_MAX_S: i64 = 86_400;
/// A host that began and has not said what came of it is taken to be dead after this; longer than any time-out.
pub(crate) const ATTEMPT_MAX_MS: i64 = 60_000;
/// Attempts that are shown; all are in the book.
const ATTEMPTS_KEPT: usize = 12;

/// The notice's number and the target.
pub type DeliveryKey = (u32, Target);

/// One notice to one target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// The fact that says what is told.
    pub notice: u32,
    /// Who.
    pub target: Target,
    /// Of which alarm; `None` for a test.
    pub alarm: Option<u32>,
    /// Why.
    pub reason: Reason,
    /// What, byte for byte.
    pub body: Arc<str>,
    /// When it was decided.
    pub made: Timestamp,
    /// Where it is.
    pub state: DeliveryState,
    /// What came of each attempt, the newest last.
    pub attempts: Vec<Attempt>,
    /// How many there were.
    pub tried: u32,
}

/// Where a delivery is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeliveryState {
    /// It is due at this moment.
    Waiting(Timestamp),
    /// A host is at it since then.
    UnderWay(Timestamp, String),
    /// It was taken.
    Delivered(Timestamp),
    /// Nobody tries any more.
    GivenUp(Timestamp),
}

impl DeliveryState {
    /// Its fixed name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Waiting(_) => "waiting",
            Self::UnderWay(..) => "under-way",
            Self::Delivered(_) => "delivered",
            Self::GivenUp(_) => "given-up",
        }
    }
}

/// One attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// When it ended.
    pub at: Timestamp,
    /// What came of it.
    pub outcome: Outcome,
}

impl Delivery {
    /// The same for each attempt, and for no other notice to anybody: what a receiver knows a repeat by. A webhook's id is
    /// random, so two installations never share one.
    #[must_use]
    pub fn message_id(&self) -> String {
        match &self.target {
            Target::Webhook(id) => format!("msg_{id}_{}", self.notice),
            Target::Mail(_) => format!("alarm-{}-{}", self.alarm.unwrap_or_default(), self.notice),
        }
    }

    /// When it is tried next, if nobody is at it.
    #[must_use]
    pub fn next_at(&self) -> Option<Timestamp> {
        match self.state {
            DeliveryState::Waiting(at) => Some(at),
            _ => None,
        }
    }

    /// Is somebody still to try?
    #[must_use]
    pub fn is_pending(&self) -> bool {
        matches!(self.state, DeliveryState::Waiting(_) | DeliveryState::UnderWay(..))
    }

    /// Is it to be tried now, by this host?
    #[must_use]
    pub fn is_due(&self, now: Timestamp) -> bool {
        match &self.state {
            DeliveryState::Waiting(at) => *at <= now,
            DeliveryState::UnderWay(since, _) => now.since_ms(*since) > ATTEMPT_MAX_MS,
            DeliveryState::Delivered(_) | DeliveryState::GivenUp(_) => false,
        }
    }

    pub(crate) fn attempted(&mut self, at: Timestamp, outcome: Outcome, next: Option<Timestamp>) {
        self.tried += 1;
        self.state = match (outcome.taken, next) {
            (true, _) => DeliveryState::Delivered(at),
            (false, Some(next)) => DeliveryState::Waiting(next),
            (false, None) => DeliveryState::GivenUp(at),
        };
        if self.attempts.len() == ATTEMPTS_KEPT {
            self.attempts.remove(0);
        }
        self.attempts.push(Attempt { at, outcome });
    }

    /// When it is tried again after this outcome; `None` if it is not. `dice` is from 0 to 1.
    #[must_use]
    pub fn next(&self, now: Timestamp, outcome: &Outcome, dice: f64) -> Option<Timestamp> {
        if outcome.taken || outcome.gone {
            return None;
        }
        let wait = *SCHEDULE_S.get(self.tried as usize)?;
        let asked = outcome.retry_after_s.map_or(0, |s| i64::from(s).min(RETRY_AFTER_MAX_S));
        let jitter = 1.0 + JITTER * dice.clamp(0.0, 1.0);
        Some(now.plus_ms((wait.max(asked) as f64 * 1000.0 * jitter) as i64))
    }
}
