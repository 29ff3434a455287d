//! The shop's own people at the keypad (docs/reference/rules.md O1 to O6): what they type is covered with the terminal's MAC key, and
//! the message carries a MAC.

use model::OperatorId;
use paycrypto::operator_field::{cover, labels};

use super::exchange::Sending;
use super::{Outcome, Terminal, TerminalError};
use crate::keys::MessageKeys;

/// What one of the shop's people does.
#[derive(Clone, PartialEq, Eq)]
pub enum OperatorAct {
    /// Signs on with a password.
    SignOn(OperatorId, String),
    /// Signs off.
    SignOff,
    /// Changes the password: the present one, a new one.
    ChangePassword(OperatorId, String, String),
    /// Gives the operator a first password.
    Reset(OperatorId, String),
}

impl std::fmt::Debug for OperatorAct {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            OperatorAct::SignOn(operator, _) => write!(f, "SignOn({operator}, ***)"),
            OperatorAct::SignOff => f.write_str("SignOff"),
            OperatorAct::ChangePassword(operator, ..) => write!(f, "ChangePassword({operator}, ***)"),
            OperatorAct::Reset(operator, _) => write!(f, "Reset({operator}, ***)"),
        }
    }
}

impl OperatorAct {
    /// DE 60.3 or DE 70 (ours: no public source has these).
    fn code(&self) -> &'static str {
        match self {
            OperatorAct::SignOn(..) => "401",
            OperatorAct::SignOff => "402",
            OperatorAct::ChangePassword(..) => "403",
            OperatorAct::Reset(..) => "404",
        }
    }

    fn what(&self) -> &'static str {
        match self {
            OperatorAct::SignOn(..) => "operator-sign-on",
            OperatorAct::SignOff => "operator-sign-off",
            OperatorAct::ChangePassword(..) => "operator-password",
            OperatorAct::Reset(..) => "operator-reset",
        }
    }

    /// Whose passwords, and what was typed.
    fn typed(&self) -> Option<(OperatorId, Vec<&str>)> {
        match self {
            OperatorAct::SignOff => None,
            OperatorAct::SignOn(operator, typed) | OperatorAct::Reset(operator, typed) => {
                Some((*operator, vec![typed]))
            }
            OperatorAct::ChangePassword(operator, present, new) => Some((*operator, vec![present, new])),
        }
    }
}

impl Terminal {
    /// One of the shop's people does something at this terminal.
    ///
    /// # Errors
    /// [`TerminalError`]; [`TerminalError::NothingToDo`] for a password that is not 4 to 12 digits, which a keypad does not take.
    pub async fn operate(&mut self, act: &OperatorAct) -> Result<Outcome, TerminalError> {
        self.able_to_pay()?;
        let keys = self.line.keys.payment(&mut self.memory, false)?;
        let stan = self.memory.take_stan()?;
        let field = match act.typed() {
            None => None,
            Some((operator, typed)) => {
                let covered = covered(&keys, operator, stan.get(), &typed);
                Some(covered.ok_or(TerminalError::NothingToDo("operator password of 4 to 12 digits"))?)
            }
        };
        let message = self.setting().operator(stan, act.code(), field.as_deref(), keys.ksn);
        let faults = std::mem::take(&mut self.faults);
        let (what, keys) = (act.what(), Some(keys));
        let sending =
            Sending { message, what, stan: Some(stan), card: None, amount: None, keys, faults: &faults };
        Ok(self.exchange(sending).await?.0)
    }
}

/// DE 47.
fn covered(keys: &MessageKeys, operator: OperatorId, stan: u32, typed: &[&str]) -> Option<String> {
    let mut text = format!("PW03{operator}");
    for (place, digits) in (0..).zip(typed) {
        let codes = labels(operator.get(), stan, place).map(|label| keys.request_mac.mac(&label));
        text.push_str(&hex::encode_upper(cover(digits, &codes)?));
    }
    Some(text)
}
