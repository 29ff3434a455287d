//! Who may sign on at a terminal, and who is: a fold of facts.
//!
//! ```text
//!            opened            wrong × limit
//! (nobody) ─────────► ready ─────────────────► locked
//!                      ▲ ▲ right: tries back      │
//!                      │ └────────────────────────┘ reset by a supervisor, or on the merchant's page:
//!                      └ changed                    a new password that must be changed at the first sign-on
//! ```

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use model::Timestamp;
use serde::{Deserialize, Serialize};
use staff::password::PasswordHash;

use crate::rules::Rules;

/// The most operators of one terminal: two digits.
pub const OPERATORS_MAX: usize = 100;
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
    /// The fixed name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Cashier => "cashier",
            Self::Supervisor => "supervisor",
        }
    }
}

/// Two digits, as on the slip.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct OperatorId(u8);

impl OperatorId {
    /// By the number.
    #[must_use]
    pub fn role(self) -> Role {
        if matches!(self.0, 0 | 99) { Role::Supervisor } else { Role::Cashier }
    }
}

impl fmt::Display for OperatorId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}", self.0)
    }
}

impl FromStr for OperatorId {
    type Err = model::Invalid;

    /// Two digits; DE 63 of a UnionPay terminal pads them with a space.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.trim_end();
        let fits = digits.len() == 2 && digits.bytes().all(|b| b.is_ascii_digit());
        let invalid = model::Invalid { noun: "operator", expected: "two digits" };
        digits.parse().ok().filter(|_| fits).map(Self).ok_or(invalid)
    }
}

impl TryFrom<String> for OperatorId {
    type Error = model::Invalid;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<OperatorId> for String {
    fn from(id: OperatorId) -> String {
        id.to_string()
    }
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
    },
    /// The operator has a password of their own.
    Changed {
        /// Who.
        operator: OperatorId,
        /// The new one.
        password: PasswordHash,
    },
    /// A password was proven wrong.
    Wrong {
        /// Who.
        operator: OperatorId,
    },
    /// Signed on; whoever was signed on before is not any more.
    SignedOn {
        /// Who.
        operator: OperatorId,
    },
    /// Nobody is signed on.
    SignedOff,
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

/// Who is at the terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignedOn {
    /// Who.
    pub operator: OperatorId,
    /// Since when.
    pub since: Timestamp,
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
}

/// What comes next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next<'a> {
    /// The answer is known without the password.
    Refused(Refusal),
    /// Compare with this.
    Compare(&'a PasswordHash),
}

/// The answer to a sign-on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Signed on.
    SignedOn {
        /// Is a new password due before anything else?
        must_change: bool,
    },
    /// Not.
    Refused(Refusal),
}

/// The operators of a terminal.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Roster {
    operators: BTreeMap<OperatorId, Operator>,
    signed_on: Option<SignedOn>,
}

impl Roster {
    /// Folds a fact.
    pub fn apply(&mut self, at: Timestamp, fact: &Fact, rules: &Rules) {
        match fact {
            Fact::Opened { operator, password, .. } => self.replace(at, *operator, password, true, rules),
            Fact::Changed { operator, password } => self.replace(at, *operator, password, false, rules),
            Fact::Wrong { operator } => {
                if let Some(known) = self.operators.get_mut(operator) {
                    known.wrong = known.wrong.saturating_add(1);
                }
            }
            Fact::SignedOn { operator } => {
                if let Some(known) = self.operators.get_mut(operator) {
                    known.wrong = 0;
                }
                self.signed_on = Some(SignedOn { operator: *operator, since: at });
            }
            Fact::SignedOff => self.signed_on = None,
            Fact::Closed { operator, .. } => {
                self.operators.remove(operator);
                self.signed_on = self.signed_on.filter(|on| on.operator != *operator);
            }
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
        let kept = usize::from(rules.of(id.role()).history);
        earlier.drain(..earlier.len().saturating_sub(kept));
        let fresh = Operator { password: password.clone(), since: at, earlier, must_change: given, wrong: 0 };
        self.operators.insert(id, fresh);
        // a reset ends what the old password began
        if given {
            self.signed_on = self.signed_on.filter(|on| on.operator != id);
        }
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

    /// Is there room for another?
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.operators.len() < OPERATORS_MAX
    }

    /// Are there too many wrong passwords?
    #[must_use]
    pub fn is_locked(&self, id: OperatorId, rules: &Rules) -> bool {
        self.operators.get(&id).is_some_and(|known| known.wrong >= rules.of(id.role()).tries)
    }

    /// Who is at the terminal; a sign-on ends by itself.
    #[must_use]
    pub fn signed_on(&self, now: Timestamp, rules: &Rules) -> Option<SignedOn> {
        self.signed_on.filter(|on| {
            let lasts = i64::from(rules.of(on.operator.role()).session_h) * HOUR_MS;
            (0..lasts).contains(&now.since_ms(on.since).max(0))
        })
    }

    /// Somebody wants to sign on.
    #[must_use]
    pub fn sign_on(&self, id: OperatorId, rules: &Rules) -> Next<'_> {
        match self.operators.get(&id) {
            None => Next::Refused(Refusal::Unknown),
            Some(_) if self.is_locked(id, rules) => Next::Refused(Refusal::Locked),
            Some(known) => Next::Compare(&known.password),
        }
    }

    /// What follows from a comparison with `compared`. If the roster has another password by now, or a lock, the comparison is
    /// worth nothing: `None`, and whoever asks begins again.
    #[must_use]
    pub fn decided(
        &self,
        id: OperatorId,
        compared: &PasswordHash,
        found: Found,
        now: Timestamp,
        rules: &Rules,
    ) -> Option<(Option<Fact>, Answer)> {
        let known = self.operators.get(&id)?;
        if self.is_locked(id, rules) || known.password != *compared {
            return None;
        }
        Some(match found {
            Found::Right => {
                let must_change = known.must_change || self.is_old(id, known, now, rules);
                (Some(Fact::SignedOn { operator: id }), Answer::SignedOn { must_change })
            }
            Found::Wrong => (Some(Fact::Wrong { operator: id }), Answer::Refused(Refusal::WrongPassword)),
            Found::Unreadable => (None, Answer::Refused(Refusal::Unreadable)),
        })
    }

    fn is_old(&self, id: OperatorId, known: &Operator, now: Timestamp, rules: &Rules) -> bool {
        let days = rules.of(id.role()).age_days;
        days > 0 && now.since_ms(known.since) >= i64::from(days) * DAY_MS
    }

    /// May `by` give `whom` a first password: a supervisor who is signed on, and not to themselves? A locked supervisor is reset on
    /// the merchant's page, or by the other one.
    #[must_use]
    pub fn may_reset(&self, by: OperatorId, whom: OperatorId, now: Timestamp, rules: &Rules) -> bool {
        let at_work = self.signed_on(now, rules).is_some_and(|on| on.operator == by);
        at_work && by.role() == Role::Supervisor && by != whom && self.operators.contains_key(&whom)
    }
}
