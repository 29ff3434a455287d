//! Replies: what is said or written to a customer, in two languages, with the facts of the case put in.

use std::collections::BTreeMap;

use handbook::{Bilingual, Lang, Sentence};
use serde::Deserialize;

use crate::house::BadData;

/// What is known about the case. Everything may be missing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReplyFacts {
    /// The case's number.
    pub case: Option<u32>,
    /// Last four of the card.
    pub tail: Option<String>,
    /// DE 41.
    pub terminal: Option<String>,
    /// The shop.
    pub merchant: Option<String>,
    /// DE 39.
    pub code: Option<String>,
    /// When the lock opens by itself, as people write it.
    pub locked_until: Option<String>,
    /// The link of the question.
    pub link: Option<String>,
    /// How long it takes, in minutes.
    pub minutes: Option<u32>,
}

impl ReplyFacts {
    /// The names that a reply may use.
    pub const NAMES: &'static [&'static str] =
        &["case", "tail", "terminal", "merchant", "code", "meaning", "locked_until", "link", "minutes"];

    fn get(&self, name: &str, lang: Lang) -> Option<String> {
        match name {
            "case" => self.case.map(|n| n.to_string()),
            "tail" => self.tail.clone(),
            "terminal" => self.terminal.clone(),
            "merchant" => self.merchant.clone(),
            "code" => self.code.clone(),
            "meaning" => {
                let entry = handbook::code(self.code.as_deref()?)?;
                Some(entry.meaning(lang).to_owned())
            }
            "locked_until" => self.locked_until.clone(),
            "link" => self.link.clone(),
            "minutes" => self.minutes.map(|n| n.to_string()),
            _ => None,
        }
    }
}

/// All replies.
#[derive(Debug)]
pub struct Replies(BTreeMap<String, Reply>);

/// One reply.
#[derive(Debug)]
pub struct Reply {
    title: Bilingual,
    zh: Sentence,
    en: Sentence,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    title: Bilingual,
    zh: String,
    en: String,
}

impl Replies {
    /// Reads `replies.toml`.
    ///
    /// # Errors
    /// [`BadData`]: a placeholder that there is not, or one whose absence would leave half a sentence.
    pub fn read(text: &str) -> Result<Self, BadData> {
        let entries: BTreeMap<String, Entry> = toml::from_str(text).map_err(|e| BadData::of("replies", e))?;
        let read = entries.into_iter().map(|(name, entry)| {
            let sentence = |text: &str| {
                Sentence::parse(text, ReplyFacts::NAMES)
                    .map_err(|why| BadData::of("replies", format!("{name}: {why}")))
            };
            let (zh, en) = (sentence(&entry.zh)?, sentence(&entry.en)?);
            Ok((name, Reply { title: entry.title, zh, en }))
        });
        Ok(Self(read.collect::<Result<_, BadData>>()?))
    }

    /// A reply by its name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Reply> {
        self.0.get(name)
    }

    /// All names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

impl Reply {
    /// What it is for.
    #[must_use]
    pub fn title(&self, lang: Lang) -> &str {
        self.title.get(lang)
    }

    /// The reply about a case.
    #[must_use]
    pub fn text(&self, lang: Lang, facts: &ReplyFacts) -> String {
        let sentence = match lang {
            Lang::Zh => &self.zh,
            Lang::En => &self.en,
        };
        sentence.fill(&|name| facts.get(name, lang))
    }
}
