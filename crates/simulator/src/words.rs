//! What a terminal shows, in two languages. The texts are `texts/zh.txt` and `texts/en.txt`; a test holds their keys together.
//! What it prints, and how kinds of payments are called, has the crate `receipt`.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use crate::step::Answer;

pub use ::receipt::{columns, wrapped};

/// The language of a display or receipt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// Simplified Chinese.
    Zh,
    /// English.
    En,
}

type Texts = BTreeMap<&'static str, &'static str>;

static ZH: LazyLock<Texts> = LazyLock::new(|| read(include_str!("../texts/zh.txt")));
static EN: LazyLock<Texts> = LazyLock::new(|| read(include_str!("../texts/en.txt")));

fn read(file: &'static str) -> Texts {
    let line = |line: &'static str| line.split_once(" = ").map(|(key, text)| (key.trim(), text.trim()));
    file.lines().filter(|l| !l.starts_with('#')).filter_map(line).collect()
}

impl Language {
    /// The other one.
    #[must_use]
    pub fn other(self) -> Language {
        match self {
            Language::Zh => Language::En,
            Language::En => Language::Zh,
        }
    }

    /// The same language, on paper.
    #[must_use]
    pub fn on_paper(self) -> ::receipt::Language {
        match self {
            Language::Zh => ::receipt::Language::Zh,
            Language::En => ::receipt::Language::En,
        }
    }

    /// A text by its key; the key itself if there is none.
    #[must_use]
    pub fn text(self, key: &'static str) -> &'static str {
        self.find(key).unwrap_or(key)
    }

    fn find(self, key: &str) -> Option<&'static str> {
        match self {
            Language::Zh => ZH.get(key).copied(),
            Language::En => EN.get(key).copied(),
        }
    }

    /// What a transaction is called, by the name that [`crate::Step`] has for it.
    #[must_use]
    pub fn kind(self, what: &'static str) -> &'static str {
        self.on_paper().kind(what).or_else(|| self.find(&format!("kind-{what}"))).unwrap_or(what)
    }

    /// What the cardholder reads. Never how many tries are left: a finder of the card would read it too.
    #[must_use]
    pub fn answer(self, answer: &Answer) -> &'static str {
        match answer {
            Answer::Code(code) => self
                .find(&format!("answer-{code}"))
                .unwrap_or_else(|| self.text(if code.is_approval() { "answer-00" } else { "answer-other" })),
            Answer::Silence => self.text("answer-silence"),
            Answer::Unusable(_) => self.text("answer-unusable"),
            Answer::NotSent(_) => self.text("answer-not-sent"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_languages_say_everything() {
        let keys = |texts: &Texts| texts.keys().copied().collect::<Vec<_>>();
        assert_eq!(keys(&ZH), keys(&EN));
        assert!(ZH.len() > 60);
    }

    #[test]
    fn every_kind_and_the_important_codes_have_words() {
        for what in [
            "sale",
            "balance",
            "sale-void",
            "pre-auth",
            "completion",
            "refund",
            "pin-change",
            "reversal",
            "sign-in",
        ] {
            assert_ne!(Language::Zh.kind(what), what);
        }
        let code = |code: &str| Answer::Code(code.parse().unwrap());
        assert_eq!(Language::En.answer(&code("55")), "Incorrect PIN");
        assert_eq!(Language::En.answer(&code("A4")), "Approved");
        assert_eq!(Language::En.answer(&code("67")), "Declined, please contact your bank");
    }

    #[test]
    fn no_text_tells_how_many_tries_are_left() {
        for text in ZH.values().chain(EN.values()) {
            let lower = text.to_lowercase();
            assert!(
                !lower.contains("left") && !lower.contains("remaining") && !text.contains("还剩"),
                "{text}"
            );
        }
    }
}
