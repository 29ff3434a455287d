//! The words around an entry, for whoever prints one: the command line and the console use the same.

use std::sync::LazyLock;

use serde::Deserialize;

use crate::lang::Lang;

/// Headings and joints in one language; `data/labels.toml` has both.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "each is the word that it names")]
pub struct Labels {
    pub code: String,
    pub reason: String,
    pub meaning: String,
    pub family: String,
    pub class: String,
    pub cause: String,
    pub pin_tries: String,
    pub prompt: String,
    pub prevention: String,
    pub staff: String,
    pub source: String,
    pub note: String,
    pub answered_with: String,
    pub not_in_tables: String,
    pub reasons_of_code: String,
    pub no_reason_of_code: String,
    /// Stands behind an answer that only products with "pick up" give.
    pub pick_up: String,
    /// Has one place, `{wanted}`.
    pub unknown: String,
    pub similar: String,
    pub lists_all: String,
    pub colon: String,
    /// How the page about causes begins.
    pub causes_intro: String,
    /// How its part about evidence begins.
    pub evidence_intro: String,
    pub comma: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    zh: Labels,
    en: Labels,
}

/// The words of a language.
#[must_use]
pub fn labels(lang: Lang) -> &'static Labels {
    static FILE: LazyLock<File> =
        LazyLock::new(|| toml::from_str(include_str!("../data/labels.toml")).expect("a test reads the data"));
    match lang {
        Lang::Zh => &FILE.zh,
        Lang::En => &FILE.en,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_languages_have_every_label() {
        assert!(Lang::ALL.iter().all(|lang| labels(*lang).unknown.contains("{wanted}")));
    }
}
