//! What each piece of evidence says to people: a few words for its bar, and a sentence with its values.

use std::{collections::BTreeMap, sync::LazyLock};

use serde::Deserialize;

use crate::{
    lang::{Bilingual, Lang},
    sentence::{Sentence, SentenceError},
};

/// The texts of one piece of evidence.
#[derive(Debug)]
pub struct EvidenceText {
    name: String,
    label: Bilingual,
    sentence_zh: Sentence,
    sentence_en: Sentence,
}

impl EvidenceText {
    /// Its fixed kebab-case name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it is, in a few words.
    #[must_use]
    pub fn label(&self, lang: Lang) -> &str {
        self.label.get(lang)
    }

    /// What was seen, with its numbers.
    #[must_use]
    pub fn sentence(&self, lang: Lang, values: &[(&str, f64)]) -> String {
        let fact = |name: &str| {
            let (plain, unit) = name.split_once('%').map_or((name, ""), |(plain, _)| (plain, "%"));
            values.iter().find(|(n, _)| *n == plain).map(|(_, value)| number(*value, unit))
        };
        match lang {
            Lang::Zh => self.sentence_zh.fill(&fact),
            Lang::En => self.sentence_en.fill(&fact),
        }
    }
}

/// A count without digits behind the point; a share as per cent; everything else with one digit.
fn number(value: f64, unit: &str) -> String {
    match unit {
        "%" if (value * 100.0).abs() < 10.0 => format!("{:.1}%", value * 100.0),
        "%" => format!("{:.0}%", value * 100.0),
        _ if value.fract() == 0.0 || value.abs() >= 100.0 => format!("{value:.0}"),
        _ => format!("{value:.1}"),
    }
}

/// The texts of a piece of evidence; none when this version does not know it.
#[must_use]
pub fn evidence_text(name: &str) -> Option<&'static EvidenceText> {
    EVIDENCE.get(name)
}

/// All, in alphabetical order.
pub fn evidence_texts() -> impl Iterator<Item = &'static EvidenceText> {
    EVIDENCE.values()
}

static EVIDENCE: LazyLock<BTreeMap<String, EvidenceText>> =
    LazyLock::new(|| read(include_str!("../data/evidence.toml")).expect("a test reads the data"));

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    /// The names of its values; `share%` is shown as per cent.
    values: Vec<String>,
    label: Bilingual,
    sentence: Bilingual,
}

fn read(text: &str) -> Result<BTreeMap<String, EvidenceText>, String> {
    let entries: BTreeMap<String, Entry> = toml::from_str(text).map_err(|e| e.to_string())?;
    entries
        .into_iter()
        .map(|(name, entry)| {
            let names: Vec<&str> = entry.values.iter().map(String::as_str).collect();
            let sentence = |lang| {
                Sentence::parse(entry.sentence.get(lang), &names)
                    .map_err(|e: SentenceError| format!("{name}, {lang}: {e}"))
            };
            let text = EvidenceText {
                sentence_zh: sentence(Lang::Zh)?,
                sentence_en: sentence(Lang::En)?,
                name: name.clone(),
                label: entry.label,
            };
            Ok((name, text))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        for (value, unit, text) in [
            (9.0, "", "9"),
            (0.34, "%", "34%"),
            (0.034, "%", "3.4%"),
            (17.04, "", "17.0"),
            (512.3, "", "512"),
        ] {
            assert_eq!(number(value, unit), text);
        }
    }
}
