//! Who took part: names, as they stand in the trail. Two people are two different names, whatever their case and spacing.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::KeyringError;

/// Characters of a name at most.
const NAME_MAX: usize = 60;

/// A person's name or staff number.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Person(String);

impl Person {
    /// As it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn compared(&self) -> String {
        self.0.to_lowercase()
    }
}

impl PartialEq for Person {
    fn eq(&self, other: &Self) -> bool {
        self.compared() == other.compared()
    }
}

impl Eq for Person {}

impl FromStr for Person {
    type Err = KeyringError;

    fn from_str(text: &str) -> Result<Self, KeyringError> {
        let name = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let short = name.chars().count() < 2;
        if short || name.chars().count() > NAME_MAX || name.chars().any(char::is_control) {
            return Err(KeyringError::Name(format!(
                "a person's name has 2 to {NAME_MAX} characters: {name:?}"
            )));
        }
        Ok(Self(name))
    }
}

impl TryFrom<String> for Person {
    type Error = KeyringError;

    fn try_from(text: String) -> Result<Self, KeyringError> {
        text.parse()
    }
}

impl From<Person> for String {
    fn from(person: Person) -> String {
        person.0
    }
}

impl fmt::Display for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Two different people: what brings a key in, out, into use or to its end needs one (PCI PIN 26, rule R11).
#[derive(Debug, Clone)]
pub struct DualControl {
    operator: Person,
    second: Person,
}

impl DualControl {
    /// The one who acts and the one who stands beside.
    ///
    /// # Errors
    /// [`KeyringError::OnePerson`] when both are the same.
    pub fn new(operator: Person, second: Person) -> Result<Self, KeyringError> {
        match operator == second {
            true => Err(KeyringError::OnePerson(operator)),
            false => Ok(Self { operator, second }),
        }
    }

    /// Who acts.
    #[must_use]
    pub fn operator(&self) -> &Person {
        &self.operator
    }

    /// Both, as the trail names them.
    #[must_use]
    pub fn both(&self) -> Vec<Person> {
        vec![self.operator.clone(), self.second.clone()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_people_are_two() {
        let person = |name: &str| name.parse::<Person>().unwrap();
        assert!(DualControl::new(person("Li Wei"), person("Wang Fang")).is_ok());
        for same in ["Li Wei", "li wei", "  LI   WEI "] {
            let refused = DualControl::new(person("Li Wei"), person(same));
            assert!(matches!(refused, Err(KeyringError::OnePerson(_))), "{same}");
        }
        for wrong in ["", " ", "A", &"x".repeat(61), "a\u{7}b"] {
            assert!(wrong.parse::<Person>().is_err(), "{wrong:?}");
        }
    }
}
