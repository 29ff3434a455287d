//! What a terminal shows and prints, in two languages. The texts are `texts/zh.txt` and `texts/en.txt`; a test holds their keys
//! together. Widths are counted in columns: a Chinese character takes two.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use crate::step::Answer;

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
        self.find(&format!("kind-{what}")).unwrap_or(what)
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

/// Columns that a text takes on paper: two for East Asian wide and full-width characters, one for all others.
#[must_use]
pub fn columns(text: &str) -> usize {
    text.chars().map(|c| if is_wide(c) { 2 } else { 1 }).sum()
}

/// The ranges of UAX #11 that Chinese texts meet: Hangul Jamo, CJK and its punctuation, Hangul, compatibility and full-width
/// forms, and the supplementary ideographic planes.
fn is_wide(c: char) -> bool {
    matches!(u32::from(c),
        0x1100..=0x115F | 0x2E80..=0x303E | 0x3041..=0xA4CF | 0xAC00..=0xD7A3 | 0xF900..=0xFAFF
        | 0xFE30..=0xFE6F | 0xFF00..=0xFF60 | 0xFFE0..=0xFFE6 | 0x2_0000..=0x3_FFFD)
}

/// Breaks a text at a width, at a space where there is one, between any two characters otherwise.
#[must_use]
pub fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for c in text.chars() {
        if columns(&line) + columns(c.encode_utf8(&mut [0; 4])) > width {
            let rest = match line.rfind(' ') {
                Some(at) if c != ' ' && !is_wide(c) => line.split_off(at).trim_start().to_owned(),
                _ => String::new(),
            };
            lines.push(std::mem::replace(&mut line, rest));
        }
        if !(line.is_empty() && c == ' ') {
            line.push(c);
        }
    }
    lines.push(line);
    lines.iter_mut().for_each(|l| l.truncate(l.trim_end().len()));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_languages_say_everything() {
        let keys = |texts: &Texts| texts.keys().copied().collect::<Vec<_>>();
        assert_eq!(keys(&ZH), keys(&EN));
        assert!(ZH.len() > 80);
    }

    #[test]
    fn every_kind_and_the_important_codes_have_words() {
        for what in
            ["sale", "balance", "sale-void", "pre-auth", "completion", "refund", "reversal", "sign-in"]
        {
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

    #[test]
    fn chinese_takes_two_columns_and_breaks_anywhere() {
        assert_eq!(columns("金额/AMOUNT: ¥1"), 15);
        assert_eq!(wrapped("密码错误次数超限", 10), ["密码错误次", "数超限"]);
        assert_eq!(wrapped("Too many wrong PINs", 10), ["Too many", "wrong PINs"]);
    }
}
