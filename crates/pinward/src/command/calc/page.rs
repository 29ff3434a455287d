//! What a calculator shows: its inputs, the numbered steps, the result. The steps of a person and those of a program
//! are the same list.

use std::fmt::{Display, Write as _};

use serde_json::{Map, Value, json};

/// A calculation, told from its inputs to its result.
#[derive(Debug, Default)]
pub(super) struct Page {
    inputs: Vec<(&'static str, String)>,
    steps: Vec<(String, String)>,
    result: (String, String),
    hints: Vec<String>,
}

impl Page {
    /// An input, by the name of its option.
    pub(super) fn input(&mut self, name: &'static str, value: impl Display) {
        self.inputs.push((name, value.to_string()));
    }

    /// Something to look at before the result is believed; it stands on standard error, not on the page.
    pub(super) fn hint(&mut self, sentence: impl Into<String>) {
        self.hints.push(sentence.into());
    }

    /// The hints, in their order.
    pub(super) fn hints(&self) -> &[String] {
        &self.hints
    }

    /// The next step: the standard's term, and what came out.
    pub(super) fn step(&mut self, term: impl Into<String>, value: impl Display) {
        self.steps.push((term.into(), value.to_string()));
    }

    /// The result, which ends the page.
    pub(super) fn end(mut self, term: impl Into<String>, value: impl Display) -> Page {
        self.result = (term.into(), value.to_string());
        self
    }

    /// Numbered steps in columns, then the result.
    pub(super) fn text(&self) -> String {
        let rows = self.steps.iter().chain([&self.result]);
        let width = rows.map(|(term, _)| term.chars().count()).max().unwrap_or(0);
        let mut text = String::new();
        for (number, (term, value)) in (1..).zip(&self.steps) {
            let _ = writeln!(text, "{number:2}  {term:width$}  {value}");
        }
        let (term, value) = &self.result;
        let _ = writeln!(text, "\n =  {term:width$}  {value}");
        text
    }

    /// The same for programs.
    pub(super) fn json_text(&self) -> String {
        let inputs: Map<String, Value> = self
            .inputs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), Value::from(value.as_str())))
            .collect();
        let steps: Vec<Value> =
            self.steps.iter().map(|(step, value)| json!({"step": step, "value": value})).collect();
        format!("{:#}\n", json!({"inputs": inputs, "steps": steps, "result": self.result.1}))
    }

    #[cfg(test)]
    pub(super) fn result(&self) -> &str {
        &self.result.1
    }

    /// The value of the first step with this term.
    #[cfg(test)]
    pub(super) fn value(&self, term: &str) -> &str {
        let found = self.steps.iter().find(|(step, _)| step == term);
        &found.unwrap_or_else(|| panic!("no step {term} in\n{}", self.text())).1
    }
}
