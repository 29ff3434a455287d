//! The shop's own people: cashiers and supervisors who sign on at a terminal with the shop's password, so that it is clear who made a
//! transaction (操作员号).
//!
//! ```text
//! Roster (a fold of a shop's facts)
//!    asked(operator, attempt) ──► known: unknown, locked, asked before     the password is not looked at
//!                            └──► Compare(hash) ── right or wrong? ──► decided(...) ──► fact, answer
//! ```
//!
//! It is not a cardholder's PIN: another counter, other words, another reason. A wrong operator password never moves a card.
//!
//! Pure: the time, salts and what a comparison found are arguments; facts are kept by whoever calls, and their number is the
//! optimistic lock. Two guesses at once are decided one after the other: who comes second decides again on the newer roster.

mod asked;
pub mod password;
pub mod roster;
pub mod rules;

pub use asked::{Asked, Wish};
pub use model::OperatorId;
pub use password::{Easy, Password};
pub use roster::{Answer, Attempt, Fact, Found, Next, Operator, Refusal, Role, Roster};
pub use rules::{RoleRules, Rules, RulesError};
