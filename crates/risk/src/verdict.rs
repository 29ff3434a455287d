//! What the rules say about one transaction, with reasons that are stored and never computed anew.

use serde::Serialize;

pub use crate::expression::explain::Term;
use crate::{fault::Fault, rule::Action};

/// What the rules say.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Verdict {
    /// The strongest action of the live rules that fired; nothing, if none did, or if a rule that approves lifted it.
    pub action: Option<Action>,
    /// The live rules that fired, in the order of the file.
    pub fired: Vec<Fired>,
    /// Rules in shadow that would have fired.
    pub shadow: Vec<Fired>,
    /// Rules that fired for a card, terminal or shop for which they are snoozed.
    pub snoozed: Vec<Fired>,
    /// Rules that had no truth value: nobody may take them for *false*.
    pub errors: Vec<Failed>,
    /// What sets that run beside the live one would have done; those that had nothing to say are left out.
    pub beside: Vec<Beside>,
}

/// What a set that runs beside the live one would have done.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Beside {
    /// Its version.
    pub version: String,
    /// The strongest action of its rules that fired and are meant to act.
    pub action: Option<Action>,
    /// These rules, in the order of the file.
    pub fired: Vec<String>,
    /// Rules that had no truth value.
    pub errors: Vec<Failed>,
}

impl Verdict {
    /// The rule whose action was taken: of the strongest, the first.
    #[must_use]
    pub fn decided_by(&self) -> Option<&Fired> {
        self.fired.iter().find(|fired| Some(fired.action) == self.action)
    }

    /// Is there nothing to record?
    #[must_use]
    pub fn is_silent(&self) -> bool {
        self.fired.is_empty()
            && self.shadow.is_empty()
            && self.snoozed.is_empty()
            && self.errors.is_empty()
            && self.beside.is_empty()
    }

    /// The highest score among the live rules that fired.
    #[must_use]
    pub fn score(&self) -> u8 {
        self.fired.iter().map(|fired| fired.score).max().unwrap_or(0)
    }

    /// What the live rules that fired come to.
    pub(crate) fn decide(&mut self) {
        self.action = strongest(self.fired.iter().map(|fired| fired.action));
    }
}

/// What several rules that fired come to.
pub(crate) fn strongest(actions: impl Iterator<Item = Action> + Clone) -> Option<Action> {
    match actions.clone().max() {
        Some(Action::StepUp) if actions.clone().any(|action| action == Action::Approve) => {
            Some(Action::Approve)
        }
        other => other,
    }
}

/// A rule that fired.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Fired {
    /// The rule's id.
    pub rule: String,
    /// What it asks for.
    pub action: Action,
    /// How grave it is.
    pub score: u8,
    /// Each term of its condition with the values that it had.
    pub terms: Vec<Term>,
}

/// A rule without a truth value.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Failed {
    /// The rule's id.
    pub rule: String,
    /// The fault's fixed name.
    pub fault: &'static str,
    /// In words.
    pub what: String,
}

impl Failed {
    pub(crate) fn new(rule: &str, fault: Fault) -> Self {
        Self { rule: rule.to_owned(), fault: fault.name(), what: fault.to_string() }
    }
}
