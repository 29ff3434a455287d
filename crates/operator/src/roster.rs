//! Who may sign on at a shop's terminals: a fold of facts.
//!
//! ```text
//!            opened            wrong × limit
//! (nobody) ─────────► ready ─────────────────► locked
//!                      ▲ ▲ right: tries back      │
//!                      │ └────────────────────────┘ reset by a supervisor, or on the merchant's page:
//!                      └ changed                    a new password that must be changed at the first sign-on
//! ```
//!
//! The shop has one counter for an operator, whichever of its terminals the guesses come from. A message that was answered before is
//! not compared again: of each terminal the last attempt is known, by its session and its trace number (DE 11), which only grows.

use std::collections::BTreeMap;

use model::{OperatorId, Stan, TerminalId, Timestamp};
use serde::{Deserialize, Serialize};
use staff::password::PasswordHash;

use crate::{password::Password, rules::Rules};

/// The most operators of one shop: two digits.
pub const OPERATORS_MAX: usize = 100;
/// Trace numbers begin anew after 999999; what lies farther back than half of them is taken for ahead.
const STAN_HALF: u32 = 500_000;
const DAY_MS: i64 = 86_400_000;
const HOUR_MS: i64 = 3_600_000;

/// What an operator may do. By the custom of UnionPay terminals 00 and 99 are supervisors and 01 to 98 cashiers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Takes payments.
    Cashier,
    /// Resets cashiers, voids and refunds.
    Supervisor,
}

impl Role {
    /// By the number.
    #[must_use]
    pub fn of(operator: OperatorId) -> Self {
        if matches!(operator.get(), 0 | 99) { Self::Supervisor } else { Self::Cashier }
    }

    /// The fixed name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Cashier => "cashier",
            Self::Supervisor => "supervisor",
        }
    }
}

/// One message of a terminal with a password in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// DE 41.
    pub terminal: TerminalId,
    /// When the terminal signed in: the keys of another session are others.
    pub session: Timestamp,
    /// DE 11.
    pub stan: Stan,
    /// A keyed digest of the encrypted field.
    pub digest: u64,
}

/// What became true.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "fact", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Fact {
    /// There is an operator now, or one was reset: with a first password that must be changed.
    Opened {
        /// Who.
        operator: OperatorId,
        /// The first password.
        password: PasswordHash,
        /// Who did it: an operator's number, or a name from the merchant's page.
        by: String,
        /// The supervisor's message, if it was done at a terminal.
        attempt: Option<Attempt>,
    },
    /// The operator has a password of their own.
    Changed {
        /// Who.
        operator: OperatorId,
        /// The new one.
        password: PasswordHash,
        /// The message; a sandbox's passwords have none.
        attempt: Option<Attempt>,
    },
    /// A password was proven wrong.
    Wrong {
        /// Who.
        operator: OperatorId,
        /// The message.
        attempt: Attempt,
    },
    /// A password was right: signed on, and the tries are back.
    Right {
        /// Who.
        operator: OperatorId,
        /// The message.
        attempt: Attempt,
    },
    /// The operator is none any more.
    Closed {
        /// Who.
        operator: OperatorId,
        /// Who did it.
        by: String,
    },
}

/// An operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operator {
    /// What a password is compared with.
    pub password: PasswordHash,
    /// Since when.
    pub since: Timestamp,
    /// Earlier ones, the newest last.
    pub earlier: Vec<PasswordHash>,
    /// Given by somebody else?
    pub must_change: bool,
    /// Wrong passwords in a row.
    pub wrong: u8,
}

/// What a comparison found, against the roster of a certain fact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// It is the password.
    Right,
    /// It is another one: proven.
    Wrong,
    /// The field could not be read: keys out of step, a damaged message. A fault and not a guess.
    Unreadable,
}

/// Why somebody is not signed on. One answer outwards for the first three: whoever tries must not learn which operators there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// No such operator.
    Unknown,
    /// The password is wrong.
    WrongPassword,
    /// Too many wrong ones; the password was not looked at.
    Locked,
    /// The password could not be read; nothing is counted.
    Unreadable,
    /// The message was used before, or is older than one that was; nothing is looked at.
    Replayed,
    /// Not one who may do this.
    NotAllowed,
    /// The new password is not allowed.
    NewPassword,
}

/// What comes next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next<'a> {
    /// The answer is known without the password.
    Known(Answer),
    /// Compare with this.
    Compare(&'a PasswordHash),
}

/// What a terminal is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// The password is right: signed on until then.
    SignedOn {
        /// A sign-on ends by itself.
        until: Timestamp,
    },
    /// It was right when the same message came first; what follows from that, followed then.
    Again,
    /// The password is right, and another one is due before anything else.
    MustChange,
    /// The other operator has a first password.
    Reset,
    /// Not.
    Refused(Refusal),
}

/// The operators of a shop.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Roster {
    operators: BTreeMap<OperatorId, Operator>,
    attempts: BTreeMap<TerminalId, (Attempt, bool)>,
}

impl Roster {
    /// Folds a fact.
    pub fn apply(&mut self, at: Timestamp, fact: &Fact, rules: &Rules) {
        match fact {
            Fact::Opened { operator, password, attempt, .. } => {
                self.replace(at, *operator, password, true, rules);
                self.note(*attempt, true);
            }
            Fact::Changed { operator, password, attempt } => {
                self.replace(at, *operator, password, false, rules);
                self.note(*attempt, true);
            }
            Fact::Wrong { operator, attempt } => {
                if let Some(known) = self.operators.get_mut(operator) {
                    known.wrong = known.wrong.saturating_add(1);
                }
                self.note(Some(*attempt), false);
            }
            Fact::Right { operator, attempt } => {
                if let Some(known) = self.operators.get_mut(operator) {
                    known.wrong = 0;
                }
                self.note(Some(*attempt), true);
            }
            Fact::Closed { operator, .. } => {
                self.operators.remove(operator);
            }
        }
    }

    fn note(&mut self, attempt: Option<Attempt>, right: bool) {
        if let Some(attempt) = attempt {
            self.attempts.insert(attempt.terminal, (attempt, right));
        }
    }

    fn replace(
        &mut self,
        at: Timestamp,
        id: OperatorId,
        password: &PasswordHash,
        given: bool,
        rules: &Rules,
    ) {
        let mut earlier = self.operators.remove(&id).map_or_else(Vec::new, |old| {
            let mut earlier = old.earlier;
            earlier.push(old.password);
            earlier
        });
        let kept = usize::from(rules.of(Role::of(id)).history);
        earlier.drain(..earlier.len().saturating_sub(kept));
        let fresh = Operator { password: password.clone(), since: at, earlier, must_change: given, wrong: 0 };
        self.operators.insert(id, fresh);
    }

    /// An operator.
    #[must_use]
    pub fn operator(&self, id: OperatorId) -> Option<&Operator> {
        self.operators.get(&id)
    }

    /// All of them.
    pub fn operators(&self) -> impl Iterator<Item = (OperatorId, &Operator)> {
        self.operators.iter().map(|(id, operator)| (*id, operator))
    }

    /// Are there too many wrong passwords?
    #[must_use]
    pub fn is_locked(&self, id: OperatorId, rules: &Rules) -> bool {
        self.operators.get(&id).is_some_and(|known| known.wrong >= rules.of(Role::of(id)).tries)
    }

    /// Somebody wants to sign on, or to change the password.
    #[must_use]
    pub fn asked(&self, id: OperatorId, attempt: &Attempt, rules: &Rules) -> Next<'_> {
        let refused = |why| Next::Known(Answer::Refused(why));
        if let Some(answer) = self.answered_before(attempt) {
            return Next::Known(answer);
        }
        match self.operators.get(&id) {
            None => refused(Refusal::Unknown),
            Some(_) if self.is_locked(id, rules) => refused(Refusal::Locked),
            Some(known) => Next::Compare(&known.password),
        }
    }

    /// A message that came again has the answer that it had; one that is older than the terminal's last is none of its terminal's.
    #[must_use]
    pub fn answered_before(&self, attempt: &Attempt) -> Option<Answer> {
        let (last, right) =
            self.attempts.get(&attempt.terminal).filter(|(l, _)| l.session == attempt.session)?;
        if last == attempt {
            return Some(if *right { Answer::Again } else { Answer::Refused(Refusal::WrongPassword) });
        }
        let behind = last.stan.get().checked_sub(attempt.stan.get())?;
        (behind < STAN_HALF).then_some(Answer::Refused(Refusal::Replayed))
    }

    /// What follows from a comparison with `compared`. If the roster has another password by now, or a lock, the comparison is
    /// worth nothing: `None`, and whoever asks begins again.
    #[must_use]
    pub fn decided(
        &self,
        id: OperatorId,
        compared: &PasswordHash,
        (found, attempt): (Found, Attempt),
        now: Timestamp,
        rules: &Rules,
    ) -> Option<(Option<Fact>, Answer)> {
        let known = self.operators.get(&id)?;
        if self.is_locked(id, rules) || known.password != *compared {
            return None;
        }
        Some(match found {
            Found::Right if known.must_change || self.is_old(id, known, now, rules) => {
                (None, Answer::MustChange)
            }
            Found::Right => (
                Some(Fact::Right { operator: id, attempt }),
                Answer::SignedOn { until: until(id, now, rules) },
            ),
            Found::Wrong => {
                (Some(Fact::Wrong { operator: id, attempt }), Answer::Refused(Refusal::WrongPassword))
            }
            Found::Unreadable => (None, Answer::Refused(Refusal::Unreadable)),
        })
    }

    fn is_old(&self, id: OperatorId, known: &Operator, now: Timestamp, rules: &Rules) -> bool {
        let days = rules.of(Role::of(id)).age_days;
        days > 0 && now.since_ms(known.since) >= i64::from(days) * DAY_MS
    }

    /// Was it used by this operator before, or is it the present one? As slow as all the comparisons.
    #[must_use]
    pub fn was_used(&self, id: OperatorId, password: &Password) -> bool {
        let Some(known) = self.operators.get(&id) else { return false };
        let is_it = |hash: &PasswordHash| hash.is(password.reveal());
        known.earlier.iter().chain([&known.password]).fold(false, |used, hash| used | is_it(hash))
    }

    /// May `by`, who signed on at `since`, give `whom` a first password: a supervisor, whose own password is none of somebody else's
    /// since then, and not to themselves? A locked supervisor is reset on the merchant's page, or by the other one.
    #[must_use]
    pub fn may_reset(&self, by: OperatorId, since: Timestamp, whom: OperatorId, rules: &Rules) -> bool {
        let at_work = self.operators.get(&by).is_some_and(|known| known.since <= since && !known.must_change);
        let is_supervisor = Role::of(by) == Role::Supervisor && !self.is_locked(by, rules);
        at_work && is_supervisor && by != whom && self.operators.contains_key(&whom)
    }
}

/// When a sign-on ends by itself.
#[must_use]
pub fn until(id: OperatorId, now: Timestamp, rules: &Rules) -> Timestamp {
    now.plus_ms(i64::from(rules.of(Role::of(id)).session_h) * HOUR_MS)
}
