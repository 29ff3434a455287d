//! Live risk rules: what staff wrote down about attacks, asked about each payment within its authorization.
//!
//! A [`RuleSet`] is a file: rules with a condition in a typed subset of CEL, an action and somebody who answers for them.
//! It is checked whole and then never changed. A [`RuleEngine`] puts one to work: it keeps the sliding windows that the
//! rules ask for, and answers for each [`RiskEvent`] with a [`Verdict`] that carries its reasons.
//!
//! Pure: time is an argument, and what changes is a value ([`Change`]) that a store can keep. Knows no message, no SQL and
//! no security module; sees no PIN, no PIN block, no track and no clear card number.
//!
//! # Within an authorization
//!
//! After the PIN was verified and before the decision is appended, the host fills an event with what it knows and asks.
//! Asking changes nothing, so a decision that lost a race on its card is simply assessed anew. When the entry is durable,
//! the event is entered once with what became of it.
//!
//! ```
//! use std::sync::Arc;
//! use model::{CardId, ReasonCode, Timestamp};
//! use risk::{Action, DeclineReason, Limits, PinResult, RiskEvent, RuleEngine, RuleSet};
//!
//! let set = RuleSet::parse(r#"
//!     name = "example"
//!
//!     [[rule]]
//!     id = "three-wrong-pins"
//!     name = { zh = "san ci mi ma cuo wu", en = "Three wrong PINs within the hour" }
//!     group = "brute-force"
//!     phase = "authorize"
//!     when = 'count(card, pin_mismatch, "1h") >= 3 && !(terminal in list("trusted"))'
//!     action = "decline"
//!     reason = "suspected-fraud"
//!     mode = "live"
//!     owner = "risk desk"
//!     score = 80
//!
//!     [lists.trusted]
//!     zh = "xin ren"
//!     en = "terminals that we trust"
//! "#).expect("a rule set");
//! let mut engine = RuleEngine::new(Arc::new(set), Limits::default());
//!
//! let mut actions = Vec::new();
//! for minute in 0..3 {
//!     let now = Timestamp(minute * 60_000);
//!     let event = RiskEvent {
//!         amount: Some(12_000),
//!         pin: PinResult::Mismatch,
//!         reason: ReasonCode::WrongPin, // what the answer would be without rules
//!         approved: false,
//!         ..RiskEvent::new(now, CardId([7; 16]), "900000", "T0000001", "M00000000000001")
//!     };
//!     let verdict = engine.assess(&event, now);
//!     actions.push(verdict.action);
//!     // … the decision is appended; then, with its final reason:
//!     let changes = engine.observe(&event.decided(ReasonCode::WrongPin, false), &verdict);
//!     assert!(changes.is_empty(), "the circuit breaker demoted nothing");
//! }
//! // The event that is asked about counts itself: the third wrong PIN is the one that makes three.
//! assert_eq!(actions, [None, None, Some(Action::Decline(DeclineReason::SuspectedFraud))]);
//! ```
//!
//! A host keeps the engine in an `RwLock`: many ask at once, and entering takes a microsecond. After a start the windows
//! are rebuilt from the journal: [`RuleEngine::learn`] each payment of the last [`RuleEngine::history_ms`], oldest first,
//! then [`RuleEngine::apply`] each kept [`Change`].

pub mod backtest;
pub mod change;
pub mod event;
pub mod field;
pub mod fuzzing;
pub mod key;
pub mod register;
pub mod rule;
pub mod rule_set;
pub mod verdict;

mod acting;
mod breaker;
mod counter;
mod engine;
mod expression;
mod fault;
mod lists;
mod saying;
mod window;

pub use self::{
    breaker::BreakerPolicy,
    change::Change,
    engine::{Plan, RuleEngine},
    event::{EntryMode, PinResult, RiskEvent},
    expression::{
        BRACKETS_MAX, DEPTH_MAX, DURATION_MS_MAX, LITERALS_MAX, NODES_MAX, Refused, TEXT_BYTES_MAX,
        TOKENS_MAX,
    },
    fault::Fault,
    field::{Field, Type},
    key::Key,
    lists::{Lists, MEMBERS_MAX, SNOOZE_MS_MAX, Snoozes},
    rule::{Action, DeclineReason, Mode, Name, Phase, Rule},
    rule_set::{FILE_BYTES_MAX, Problem, RULES_MAX, RuleSet},
    saying::Saying,
    verdict::{Beside, Failed, Fired, Term, Verdict},
    window::{Contents, Held, Limits},
};

use crate::counter::Names;

/// The rule set that a new installation begins with: `rules/starter.toml`.
pub const STARTER: &str = include_str!("../rules/starter.toml");

/// A condition by itself: for editors that check what is being typed, and for tests. In a [`RuleSet`], conditions share
/// their counters.
#[derive(Debug, Clone)]
pub struct Condition {
    test: expression::tree::Test,
    names: Names,
}

impl Condition {
    /// Checks a condition.
    ///
    /// # Errors
    /// [`Refused`] with the place, what is wrong, and what was probably meant.
    pub fn parse(text: &str) -> Result<Self, Refused> {
        let mut names = Names::default();
        let test = expression::compile(text, &mut names)?;
        Ok(Self { test, names })
    }

    /// Its value for an event, when counters and lists are answered by the caller: by their text, as
    /// [`counters`](Self::counters) has it, and by list name and key.
    ///
    /// # Errors
    /// A [`Fault`] when it has none.
    pub fn holds(
        &self,
        event: &RiskEvent<'_>,
        counter: &dyn Fn(&str) -> Result<i64, Fault>,
        listed: &dyn Fn(&str, Key) -> bool,
    ) -> Result<bool, Fault> {
        self.test.holds(event, &Answering { names: &self.names, counter, listed })
    }

    /// The counters that it asks for.
    pub fn counters(&self) -> impl ExactSizeIterator<Item = &str> {
        self.names.counters.iter().map(|spec| spec.text.as_str())
    }

    /// The condition in the one form in which explanations show it.
    #[must_use]
    pub fn canonical(&self) -> String {
        expression::explain::test(&self.test, &self.names)
    }
}

struct Answering<'a> {
    names: &'a Names,
    counter: &'a dyn Fn(&str) -> Result<i64, Fault>,
    listed: &'a dyn Fn(&str, Key) -> bool,
}

impl expression::tree::World for Answering<'_> {
    fn counter(&self, counter: u16) -> Result<i64, Fault> {
        let spec = self.names.counters.get(usize::from(counter)).ok_or(Fault::CounterFull)?;
        (self.counter)(&spec.text)
    }

    fn is_listed(&self, list: u16, key: Key) -> Result<bool, Fault> {
        let name = self.names.lists.get(usize::from(list)).ok_or(Fault::UnknownList)?;
        Ok((self.listed)(name, key))
    }
}
