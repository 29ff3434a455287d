//! What stands on a slip, in two languages. The texts are `texts/zh.txt` and `texts/en.txt`; a test holds their keys together.

use std::collections::BTreeMap;
use std::sync::LazyLock;

/// The language of a slip.
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
    /// A text by its key; the key itself if there is none.
    #[must_use]
    pub fn text(self, key: &'static str) -> &'static str {
        self.find(key).unwrap_or(key)
    }

    /// A text by its key, if there is one.
    #[must_use]
    pub fn find(self, key: &str) -> Option<&'static str> {
        match self {
            Language::Zh => ZH.get(key).copied(),
            Language::En => EN.get(key).copied(),
        }
    }

    /// What a kind of payment is called, by [`model::Kind::name`].
    #[must_use]
    pub fn kind(self, name: &str) -> Option<&'static str> {
        self.find(&format!("kind-{name}"))
    }

    /// As in the attribute `lang` of a page.
    #[must_use]
    pub fn tag(self) -> &'static str {
        match self {
            Language::Zh => "zh-CN",
            Language::En => "en",
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
        assert!(ZH.len() > 40);
    }

    #[test]
    fn no_text_tells_how_many_tries_are_left() {
        for text in ZH.values().chain(EN.values()) {
            let lower = text.to_lowercase();
            for word in [
                "left",
                "remain",
                "tries",
                "attempt",
                "\u{8FD8}\u{5269}",
                "\u{5269}\u{4F59}",
                "\u{6B21}\u{6570}",
            ] {
                assert!(!lower.contains(word), "{text}");
            }
        }
    }
}
