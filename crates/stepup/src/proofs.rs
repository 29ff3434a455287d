//! What a card's state knows of second proofs: the one challenge that there may be, and the wrong answers of a day. A fold of
//! [`Change`]s, decided here and nowhere else.

use minicbor::{Decode, Encode};
use model::Timestamp;
use serde::Serialize;

use crate::{
    challenge::{Answered, Binding, Challenge, ChallengeId, Method},
    code::CodeDigest,
};

/// A challenge may be answered for so long, in seconds.
pub const ANSWER_S: i64 = 300;
/// Wrong answers to all challenges of a card together in a day. Each is one guess in a million, three in a million more where
/// an authenticator app is enrolled.
pub const WRONG_DAY_MAX: usize = 6;
const DAY_MS: i64 = 24 * 3_600_000;

/// The second proofs of a card.
#[derive(Debug, Clone, PartialEq, Eq, Default, Encode, Decode, Serialize)]
pub struct Proofs {
    /// The newest challenge, until it is used up.
    #[n(0)]
    pub challenge: Option<Challenge>,
    /// When answers were wrong, within a day.
    #[n(1)]
    pub wrong: Vec<Timestamp>,
    /// The newest step of the authenticator app whose code was taken: a code works once.
    #[n(2)]
    pub totp_step: Option<i64>,
}

/// What changes.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Change {
    /// A challenge was issued; one before it is void.
    #[n(0)]
    Issued(#[n(0)] Challenge),
    /// An answer was wrong, and counted once.
    #[n(1)]
    Wrong {
        /// To which challenge.
        #[n(0)]
        id: ChallengeId,
        /// When.
        #[n(1)]
        at: Timestamp,
    },
    /// The right answer was given.
    #[n(2)]
    Answered {
        /// To which challenge.
        #[n(0)]
        id: ChallengeId,
        /// How, and until when it counts.
        #[n(1)]
        answered: Answered,
        /// The step of the authenticator app, if it was its code.
        #[n(2)]
        totp_step: Option<i64>,
    },
    /// An attempt used the answer up.
    #[n(3)]
    Used {
        /// Of which challenge.
        #[n(0)]
        id: ChallengeId,
    },
}

/// For a challenge that may have to be issued: made by whoever has randomness.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fresh {
    /// Its name.
    pub id: ChallengeId,
    /// The digest of its code.
    pub code: CodeDigest,
}

/// An answer, as far as it was looked at outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Given {
    /// Six digits.
    Code {
        /// Their digest for the card's challenge.
        digest: CodeDigest,
        /// The step whose code they are, where the holder has an authenticator app.
        totp: Option<i64>,
    },
    /// A passkey's assertion about this challenge.
    Passkey(ChallengeId),
    /// An assertion that was refused. It counts like a wrong code, so that nobody tries assertions without end.
    Refused,
}

/// What an answer is worth.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Judgement {
    /// Right: this is to be appended, and then it counts.
    Right(Change),
    /// Wrong: this is to be appended before anybody is told.
    Wrong(Change),
    /// It was not looked at.
    NotNow(NotNow),
}

/// Why an answer was not looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotNow {
    /// There is no such challenge, it is too old, was answered, or had too many wrong answers.
    #[error("there is nothing to answer")]
    NoChallenge,
    /// Too many wrong answers in a day.
    #[error("too many wrong answers")]
    TooMany,
}

impl Proofs {
    /// The challenge that is open for exactly this.
    #[must_use]
    pub fn open(&self, binding: &Binding, now: Timestamp) -> Option<&Challenge> {
        self.challenge.as_ref().filter(|challenge| challenge.binding == *binding && challenge.is_open(now))
    }

    /// The challenge that was passed for exactly this, and not used yet.
    #[must_use]
    pub fn passed(&self, binding: &Binding, now: Timestamp) -> Option<ChallengeId> {
        let challenge = self.challenge.as_ref()?;
        (challenge.binding == *binding && challenge.is_passed(now)).then_some(challenge.id)
    }

    /// May a code be looked at? A passkey may always: it cannot be guessed.
    #[must_use]
    pub fn may_guess(&self, now: Timestamp) -> bool {
        self.wrong.iter().filter(|at| now.since_ms(**at) < DAY_MS).count() < WRONG_DAY_MAX
    }

    /// A challenge for this, unless one is open or passed. Without guesses left it has no code.
    #[must_use]
    pub fn issue(&self, binding: Binding, fresh: &Fresh, valid_s: u32, now: Timestamp) -> Option<Change> {
        if self.open(&binding, now).is_some() || self.passed(&binding, now).is_some() {
            return None;
        }
        Some(Change::Issued(Challenge {
            id: fresh.id,
            binding,
            since: now,
            until: now.plus_s(ANSWER_S),
            valid_s,
            code: self.may_guess(now).then_some(fresh.code),
            wrong: 0,
            answered: None,
        }))
    }

    /// What an answer to a challenge is worth.
    #[must_use]
    pub fn judge(&self, id: ChallengeId, given: &Given, now: Timestamp) -> Judgement {
        let open = self.challenge.as_ref().filter(|challenge| challenge.id == id && challenge.is_open(now));
        let Some(challenge) = open else { return Judgement::NotNow(NotNow::NoChallenge) };
        let (by, totp_step) = match given {
            Given::Passkey(about) if *about == id => (Method::Passkey, None),
            Given::Passkey(_) => return Judgement::NotNow(NotNow::NoChallenge),
            Given::Refused => return Judgement::Wrong(Change::Wrong { id, at: now }),
            Given::Code { .. } if !self.may_guess(now) => return Judgement::NotNow(NotNow::TooMany),
            Given::Code { digest, totp } => {
                let unused = totp.filter(|step| self.totp_step.is_none_or(|last| *step > last));
                let sent = challenge.code.is_some_and(|code| code.fits(digest));
                match (sent, unused) {
                    (true, _) => (Method::Sms, None),
                    (false, Some(step)) => (Method::Totp, Some(step)),
                    (false, None) => return Judgement::Wrong(Change::Wrong { id, at: now }),
                }
            }
        };
        let until = now.plus_s(i64::from(challenge.valid_s));
        Judgement::Right(Change::Answered { id, answered: Answered { by, until }, totp_step })
    }

    /// Folds a change.
    pub fn apply(&mut self, change: &Change) {
        match change {
            Change::Issued(challenge) => self.challenge = Some(challenge.clone()),
            Change::Wrong { id, at } => {
                self.wrong.retain(|earlier| at.since_ms(*earlier) < DAY_MS);
                self.wrong.push(*at);
                if let Some(challenge) = self.challenge.as_mut().filter(|challenge| challenge.id == *id) {
                    challenge.wrong = challenge.wrong.saturating_add(1);
                }
            }
            Change::Answered { id, answered, totp_step } => {
                if let Some(challenge) = self.challenge.as_mut().filter(|challenge| challenge.id == *id) {
                    challenge.answered = Some(*answered);
                }
                self.totp_step = (*totp_step).max(self.totp_step);
            }
            Change::Used { id } => {
                self.challenge.take_if(|challenge| challenge.id == *id);
            }
        }
    }

    /// Is there anything to remember?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
