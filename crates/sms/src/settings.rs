//! What an operator sets: `[sms]` of the configuration.

use serde::{Deserialize, Serialize};

use crate::{http::HttpSettings, limits::Limits, smpp::SmppSettings};

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
    /// For the gateway `http`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http: Option<HttpSettings>,
    /// For the gateway `smpp`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub smpp: Option<SmppSettings>,
}

/// What carries messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Carrier {
    /// They stay here and are shown in the console of a sandbox.
    #[default]
    Outbox,
    /// A service that is asked over HTTPS.
    Http,
    /// A message centre that is spoken to in SMPP.
    Smpp,
}

impl Default for Settings {
    fn default() -> Self {
        let bank = "pinward".to_owned();
        Self { gateway: Carrier::Outbox, bank, limits: Limits::default(), http: None, smpp: None }
    }
}

impl Settings {
    /// Everything that makes no sense.
    #[must_use]
    pub fn problems(&self) -> Vec<String> {
        let mut problems = self.limits.problems();
        problems.extend(self.http.iter().flat_map(HttpSettings::problems));
        problems.extend(self.smpp.iter().flat_map(SmppSettings::problems));
        match self.gateway {
            Carrier::Http if self.http.is_none() => {
                problems.push("sms.http: the gateway http needs it".to_owned());
            }
            Carrier::Smpp if self.smpp.is_none() => {
                problems.push("sms.smpp: the gateway smpp needs it".to_owned());
            }
            Carrier::Outbox | Carrier::Http | Carrier::Smpp => {}
        }
        let length = self.bank.chars().count();
        if length == 0 || length > BANK_MAX || self.bank.chars().any(char::is_control) {
            problems.push(format!("sms.bank: 1 to {BANK_MAX} characters"));
        }
        problems
    }
}
