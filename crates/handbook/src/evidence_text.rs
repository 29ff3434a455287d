//! What each piece of evidence says to people: a few words for its bar, and a sentence with its values.

use std::{collections::BTreeMap, sync::LazyLock};

use diagnosis::evidence::{ALL, Entry, Unit};
use serde::Deserialize;

use crate::{
    lang::{Bilingual, Lang},
    sentence::Sentence,
};

/// The texts of one piece of evidence.
#[derive(Debug)]
pub struct EvidenceText {
    entry: &'static Entry,
    label: Bilingual,
    sentence_zh: Sentence,
    sentence_en: Sentence,
}

impl EvidenceText {
    /// Its fixed kebab-case name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.entry.name
    }

    /// What it is, in a few words.
    #[must_use]
    pub fn label(&self, lang: Lang) -> &str {
        self.label.get(lang)
    }

    /// What was seen, with its numbers in their units.
    #[must_use]
    pub fn sentence(&self, lang: Lang, values: &[(&str, f64)]) -> String {
        let fact = |name: &str| {
            let (_, unit) = self.entry.values.iter().find(|(n, _)| *n == name)?;
            values.iter().find(|(n, _)| *n == name).map(|(_, value)| written(*value, *unit, lang))
        };
        match lang {
            Lang::Zh => self.sentence_zh.fill(&fact),
            Lang::En => self.sentence_en.fill(&fact),
        }
    }
}

/// A value as people write it.
fn written(value: f64, unit: Unit, lang: Lang) -> String {
    let with = |number: String, zh: &str, en: &str| match lang {
        Lang::Zh => format!("{number}{zh}"),
        Lang::En => format!("{number} {en}"),
    };
    match unit {
        Unit::Count => plain(value),
        Unit::Share if value.abs() < 0.1 => format!("{:.1}%", value * 100.0),
        Unit::Share => format!("{:.0}%", value * 100.0),
        Unit::Seconds if value.abs() >= 120.0 => with(plain(value / 60.0), "分钟", "min"),
        Unit::Seconds => with(plain(value), "秒", "s"),
        Unit::Minutes if value.abs() >= 180.0 => written(value / 60.0, Unit::Hours, lang),
        Unit::Minutes => with(plain(value), "分钟", "min"),
        Unit::Hours if value.abs() >= 48.0 => with(plain(value / 24.0), "天", "days"),
        Unit::Hours => with(plain(value), "小时", "h"),
        Unit::Milliseconds => with(plain(value), "毫秒", "ms"),
        Unit::Kilometres => with(plain(value), "公里", "km"),
        Unit::KilometresPerHour => with(plain(value), "公里/小时", "km/h"),
        Unit::Decades => chance(value),
    }
}

/// Grouped and without digits behind the point from ten on.
fn plain(value: f64) -> String {
    if value.fract() != 0.0 && value.abs() < 10.0 {
        return format!("{value:.1}");
    }
    let digits = format!("{:.0}", value.abs());
    let mut text = String::from(if value < 0.0 { "-" } else { "" });
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1/1,000,000`; what is rarer than one in a thousand millions stays a power.
fn chance(decades: f64) -> String {
    let size = -decades;
    if size > 9.0 {
        format!("10^-{size:.0}")
    } else {
        format!("1/{}", plain(10_f64.powf(size).round().max(1.0)))
    }
}

/// The texts of a piece of evidence; none when the diagnosis has no such.
#[must_use]
pub fn evidence_text(name: &str) -> Option<&'static EvidenceText> {
    EVIDENCE.get(name)
}

/// All, in alphabetical order.
pub fn evidence_texts() -> impl Iterator<Item = &'static EvidenceText> {
    EVIDENCE.values()
}

static EVIDENCE: LazyLock<BTreeMap<&'static str, EvidenceText>> =
    LazyLock::new(|| read(include_str!("../data/evidence.toml")).expect("a test reads the data"));

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    label: Bilingual,
    sentence: Bilingual,
}

fn read(text: &str) -> Result<BTreeMap<&'static str, EvidenceText>, String> {
    let mut texts: BTreeMap<String, Text> = toml::from_str(text).map_err(|e| e.to_string())?;
    let all = ALL.iter().map(|entry| {
        let text = texts.remove(entry.name).ok_or(format!("no text for the evidence {}", entry.name))?;
        let names: Vec<&str> = entry.values.iter().map(|(name, _)| *name).collect();
        let sentence = |lang| {
            Sentence::parse(text.sentence.get(lang), &names)
                .map_err(|e| format!("{}, {lang}: {e}", entry.name))
        };
        let (sentence_zh, sentence_en) = (sentence(Lang::Zh)?, sentence(Lang::En)?);
        Ok((entry.name, EvidenceText { entry, label: text.label, sentence_zh, sentence_en }))
    });
    let all = all.collect::<Result<_, String>>()?;
    match texts.into_keys().next() {
        Some(name) => Err(format!("the diagnosis gives no such evidence: {name}")),
        None => Ok(all),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(value: f64, unit: Unit, zh: &str, en: &str) {
        assert_eq!([Lang::Zh, Lang::En].map(|lang| written(value, unit, lang)), [zh, en]);
    }

    #[test]
    fn values_are_written_in_their_units() {
        check(9.0, Unit::Count, "9", "9");
        check(0.34, Unit::Share, "34%", "34%");
        check(0.0005, Unit::Share, "0.1%", "0.1%");
        check(600.0, Unit::Seconds, "10分钟", "10 min");
        check(4320.0, Unit::Minutes, "3天", "3 days");
        check(3000.0, Unit::KilometresPerHour, "3,000公里/小时", "3,000 km/h");
        check(-6.0, Unit::Decades, "1/1,000,000", "1/1,000,000");
        check(-14.2, Unit::Decades, "10^-14", "10^-14");
    }

    #[test]
    fn a_sentence_has_every_value_in_both_languages() {
        for text in evidence_texts() {
            let values = || {
                text.entry
                    .values
                    .iter()
                    .enumerate()
                    .map(|(i, (name, unit))| (*name, *unit, 13.0 + i as f64 * 4.0))
            };
            let given: Vec<(&str, f64)> = values().map(|(name, _, value)| (name, value)).collect();
            for (lang, whole) in Lang::ALL.map(|lang| (lang, text.sentence(lang, &given))) {
                for (name, unit, value) in values() {
                    let there = whole.contains(&written(value, unit, lang));
                    assert!(there, "{} {lang}: {name} is not in: {whole}", text.name());
                }
            }
        }
    }
}
