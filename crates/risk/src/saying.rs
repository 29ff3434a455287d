//! What is said about a text that is no rule: a fixed key with values, and its words in both languages out of
//! `texts/problems.toml`. The language's own names (fields, types, functions) are values, and are not translated.

use std::{collections::HashMap, fmt, sync::LazyLock};

use crate::rule::Name;

const FILE: &str = include_str!("../texts/problems.toml");

static TEXTS: LazyLock<HashMap<String, Name>> = LazyLock::new(|| toml::from_str(FILE).unwrap_or_default());

/// Something that is wrong, or what could be written instead.
#[derive(Clone, PartialEq, Eq)]
pub struct Saying {
    key: &'static str,
    values: Vec<(&'static str, String)>,
}

/// By its key in `texts/problems.toml`; a test reads the sources and finds each there.
pub(crate) fn say(key: &'static str) -> Saying {
    Saying { key, values: Vec::new() }
}

impl Saying {
    /// With a value for a place of its text.
    pub(crate) fn with(mut self, name: &'static str, value: impl fmt::Display) -> Self {
        self.values.push((name, value.to_string()));
        self
    }

    /// The fixed key, for programs.
    #[must_use]
    pub fn key(&self) -> &'static str {
        self.key
    }

    /// In Chinese.
    #[must_use]
    pub fn zh(&self) -> String {
        self.filled(|text| &text.zh)
    }

    /// In English.
    #[must_use]
    pub fn en(&self) -> String {
        self.filled(|text| &text.en)
    }

    fn filled(&self, pick: impl Fn(&Name) -> &str) -> String {
        let mut rest = TEXTS.get(self.key).map_or(self.key, pick);
        let mut words = String::with_capacity(rest.len());
        // values are put in in one go: braces in one are no place
        while let Some((before, place)) = rest.split_once('{') {
            let Some((name, after)) = place.split_once('}') else { break };
            words.push_str(before);
            let value = self.values.iter().find(|(of, _)| *of == name);
            words.push_str(value.map_or("", |(_, value)| value));
            rest = after;
        }
        words + rest
    }
}

/// In English, as in logs and in the API.
impl fmt::Display for Saying {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.en())
    }
}

impl fmt::Debug for Saying {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.en())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_stand_in_their_places_and_are_no_places_themselves() {
        let said = say("misfit").with("sign", "{left}").with("left", "int").with("right", "string");
        assert_eq!(said.en(), "{left} does not take int and string");
        assert!(said.zh().contains("int") && said.zh() != said.en());
    }
}
