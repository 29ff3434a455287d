//! What a shop demands of its operators' passwords: `data/rules.toml`, or a shop's own file of the same form.

use std::sync::LazyLock;

use serde::Deserialize;

use crate::roster::Role;

/// The rules that come with the program.
const BUILTIN: &str = include_str!("../data/rules.toml");
/// A terminal's keypad and field 52 hold no more digits (ISO 9564-1:2017, 8.1).
const DIGITS_MAX: u8 = 12;
/// Fewer are no password.
const DIGITS_MIN: u8 = 4;
/// Ten wrong passwords are more than anybody needs.
const TRIES_MAX: u8 = 10;

/// Rules that make no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RulesError {
    /// Not of the form.
    #[error("the operators' rules cannot be read: {0}")]
    Unreadable(String),
    /// A figure is out of its range.
    #[error("the operators' rules for a {role}: {what}")]
    Senseless {
        /// For whom.
        role: &'static str,
        /// What is wrong.
        what: &'static str,
    },
}

/// For both roles.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rules {
    cashier: RoleRules,
    supervisor: RoleRules,
}

/// For one role.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoleRules {
    /// Fewest and most digits.
    pub length: [u8; 2],
    /// Wrong passwords in a row until the lock.
    pub tries: u8,
    /// Days until a password must be changed; 0: never.
    pub age_days: u16,
    /// Earlier passwords that may not come again.
    pub history: u8,
    /// Hours until a sign-on ends by itself.
    pub session_h: u8,
}

impl Rules {
    /// The rules that come with the program.
    #[must_use]
    pub fn builtin() -> &'static Rules {
        static RULES: LazyLock<Rules> = LazyLock::new(|| Rules::read(BUILTIN).expect("a test reads them"));
        &RULES
    }

    /// Reads a file of rules.
    ///
    /// # Errors
    /// [`RulesError`].
    pub fn read(text: &str) -> Result<Rules, RulesError> {
        let rules: Rules = toml::from_str(text).map_err(|error| RulesError::Unreadable(error.to_string()))?;
        for role in [Role::Cashier, Role::Supervisor] {
            if let Some(what) = rules.of(role).senseless() {
                return Err(RulesError::Senseless { role: role.name(), what });
            }
        }
        Ok(rules)
    }

    /// Those for a role.
    #[must_use]
    pub fn of(&self, role: Role) -> &RoleRules {
        match role {
            Role::Cashier => &self.cashier,
            Role::Supervisor => &self.supervisor,
        }
    }
}

impl RoleRules {
    fn senseless(&self) -> Option<&'static str> {
        let [fewest, most] = self.length;
        match () {
            () if fewest < DIGITS_MIN || most > DIGITS_MAX || fewest > most => {
                Some("length is 4 to 12 digits")
            }
            () if self.tries == 0 || self.tries > TRIES_MAX => Some("tries are 1 to 10"),
            () if self.session_h == 0 || self.session_h > 24 => Some("a session has 1 to 24 hours"),
            () if self.history > 24 => Some("history is at most 24"),
            () => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rules_that_come_along_make_sense_and_senseless_ones_are_refused() {
        assert!(Rules::builtin().of(Role::Supervisor).tries < Rules::builtin().of(Role::Cashier).tries);
        for (from, to) in [
            ("length = [4, 8]", "length = [3, 8]"),
            ("length = [4, 8]", "length = [8, 4]"),
            ("tries = 5", "tries = 0"),
            ("tries = 3", "tries = 11"),
            ("session_h = 12", "session_h = 25"),
            ("history = 5", "history = 5\nhints = true"),
        ] {
            assert!(Rules::read(&BUILTIN.replacen(from, to, 1)).is_err(), "{to}");
        }
    }
}
