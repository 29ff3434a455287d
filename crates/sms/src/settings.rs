//! What an operator sets: `[sms]` of the configuration.

use serde::{Deserialize, Serialize};

use crate::limits::Limits;

/// The longest name of a bank in a text, in characters.
const BANK_MAX: usize = 20;

/// `[sms]` of the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// What carries messages.
    pub gateway: Carrier,
    /// Whose name stands in the texts.
    pub bank: String,
    /// How many may go out.
    pub limits: Limits,
}

/// What carries messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Carrier {
    /// They stay here and are shown in the console of a sandbox.
    #[default]
    Outbox,
}

impl Default for Settings {
    fn default() -> Self {
        Self { gateway: Carrier::Outbox, bank: "pinward".to_owned(), limits: Limits::default() }
    }
}

impl Settings {
    /// Everything that makes no sense.
    #[must_use]
    pub fn problems(&self) -> Vec<String> {
        let mut problems = self.limits.problems();
        let length = self.bank.chars().count();
        if length == 0 || length > BANK_MAX || self.bank.chars().any(char::is_control) {
            problems.push(format!("sms.bank: 1 to {BANK_MAX} characters"));
        }
        problems
    }
}
