//! An operator's password: digits, because a terminal has no others, and not the ones that everybody tries first.

use std::fmt;

use model::OperatorId;

use crate::rules::RoleRules;

/// Passwords of terminals as they are delivered, and the fashions of keypads.
const COMMON: [&str; 8] =
    ["00000000", "12345678", "87654321", "11223344", "12341234", "88888888", "66666666", "20202020"];

/// Why a password is refused. Said to its owner, at the terminal or on the merchant's page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Easy {
    /// Not digits, too few or too many.
    #[error("it must be digits, as many as the rules say")]
    Length,
    /// One digit, a run of digits, a pattern that repeats, or delivered with every terminal.
    #[error("it is among the first that anybody would try")]
    Common,
    /// Made of the operator's own number.
    #[error("it is made of the operator's number")]
    OwnNumber,
    /// It was used before.
    #[error("it was used before")]
    Used,
}

/// Digits. Prints as stars and is not kept: what is kept is a hash.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(***)")
    }
}

impl Drop for Password {
    fn drop(&mut self) {
        // the bytes go before the memory does; digits are ASCII, so the text stays valid
        let zeros = "0".repeat(self.0.len());
        self.0.replace_range(.., &zeros);
    }
}

impl Password {
    /// Takes digits.
    ///
    /// # Errors
    /// [`Easy::Length`] for anything else, and for more than twelve.
    pub fn new(digits: &str) -> Result<Password, Easy> {
        let fits = (1..=12).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
        if fits { Ok(Password(digits.to_owned())) } else { Err(Easy::Length) }
    }

    /// The digits, for hashing and comparing.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// May this operator have it?
    ///
    /// # Errors
    /// [`Easy`], but for [`Easy::Used`]: whoever has the hashes says that.
    pub fn check(&self, operator: OperatorId, rules: &RoleRules) -> Result<(), Easy> {
        let [fewest, most] = rules.length;
        if !(usize::from(fewest)..=usize::from(most)).contains(&self.0.len()) {
            return Err(Easy::Length);
        }
        if self.is_common() {
            return Err(Easy::Common);
        }
        let number = operator.to_string();
        if self.0.replace(&number, "").len() < 2 { Err(Easy::OwnNumber) } else { Ok(()) }
    }

    fn is_common(&self) -> bool {
        let digits = self.0.as_bytes();
        let steps: Vec<i16> = digits.windows(2).map(|w| i16::from(w[1]) - i16::from(w[0])).collect();
        let runs = steps.windows(2).all(|w| w[0] == w[1]) && steps.first().is_none_or(|s| s.abs() <= 1);
        let repeats = (1..=digits.len() / 2)
            .any(|n| digits.len().is_multiple_of(n) && digits.chunks(n).all(|part| part == &digits[..n]));
        let listed = COMMON.iter().any(|common| common.starts_with(&self.0));
        runs || repeats || listed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Role, Rules};

    #[track_caller]
    fn check(digits: &str, operator: &str, expected: Result<(), Easy>) {
        let operator: OperatorId = operator.parse().unwrap();
        let rules = Rules::builtin().of(Role::Cashier);
        assert_eq!(Password::new(digits).and_then(|p| p.check(operator, rules)), expected, "{digits}");
    }

    #[test]
    fn easy_passwords_are_refused() {
        check("7395", "01", Ok(()));
        check("31415926", "01", Ok(()));
        for common in ["0000", "1234", "4321", "5555", "1212", "123123", "345678", "88888888", "1122"] {
            check(common, "07", Err(Easy::Common));
        }
        for length in ["", "739", "739512345", "73a5", "7395 "] {
            check(length, "01", Err(Easy::Length));
        }
        check("91791", "91", Err(Easy::OwnNumber));
    }

    #[test]
    fn a_password_prints_as_stars() {
        assert_eq!(format!("{:?}", Password::new("7395").unwrap()), "Password(***)");
    }
}
