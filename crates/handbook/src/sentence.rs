//! A sentence with places for the facts of a case.
//!
//! ```text
//! The PIN was wrong[; {tries_left} left| and was counted].
//! ```
//!
//! `{tries_left}` is replaced. A part in brackets lists alternatives from left to right, and the first whose facts are
//! all known is used; when none is, the part is left out. So a sentence is whole whatever is missing. Outside brackets
//! no fact may stand: a test sees to it.

use model::{Amount, Currency, TerminalId};

use crate::lang::Lang;

/// What is known about the case at hand. Everything may be missing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// PIN tries left after this request. For staff, never for a receipt.
    pub tries_left: Option<u8>,
    /// How many wrong PINs lock the card.
    pub tries_limit: Option<u8>,
    /// When the lock ends.
    pub locked_until: Option<LockEnd>,
    /// The terminal.
    pub terminal: Option<TerminalId>,
    /// The amount of the request.
    pub amount: Option<(Amount, Currency)>,
}

/// How a lock ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LockEnd {
    /// By itself, at this moment: already written as people read it, `2026-11-23 10:43:02`, because only the caller
    /// knows the bank's time zone.
    At(String),
    /// By the bank's staff only.
    ByStaff,
}

impl Facts {
    /// The names that a sentence may use.
    pub(crate) const NAMES: &'static [&'static str] =
        &["tries_left", "tries_limit", "locked_until", "terminal", "amount"];

    /// A fact with its unit, or `None` when it is not known.
    pub(crate) fn get(&self, name: &str, lang: Lang) -> Option<String> {
        match name {
            "tries_left" => self.tries_left.map(|n| tries(n, lang)),
            "tries_limit" => self.tries_limit.map(|n| tries(n, lang)),
            "locked_until" => self.locked_until.as_ref().map(|end| end.words(lang)),
            "terminal" => self.terminal.map(|terminal| terminal.to_string()),
            "amount" => self.amount.map(|(amount, currency)| money(amount, currency)),
            _ => None,
        }
    }
}

impl LockEnd {
    /// As it stands after "until".
    pub(crate) fn words(&self, lang: Lang) -> String {
        match self {
            Self::At(moment) => moment.clone(),
            Self::ByStaff => lang.pick("银行工作人员解锁", "the bank's staff release it").to_owned(),
        }
    }
}

pub(crate) fn tries(n: u8, lang: Lang) -> String {
    match (lang, n) {
        (Lang::Zh, n) => format!("{n}次"),
        (Lang::En, 0) => "no tries".to_owned(),
        (Lang::En, 1) => "1 try".to_owned(),
        (Lang::En, n) => format!("{n} tries"),
    }
}

/// `¥1,280.00`; other currencies by their ISO 4217 number, `840 1,280.00`.
fn money(amount: Amount, currency: Currency) -> String {
    let plain = amount.to_string();
    let (major, minor) = plain.split_once('.').unwrap_or((&plain, "00"));
    let (sign, digits) = major.strip_prefix('-').map_or(("", major), |digits| ("-", digits));
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    let unit = if currency == Currency::CNY { "¥".to_owned() } else { format!("{currency} ") };
    format!("{sign}{unit}{grouped}.{minor}")
}

/// A sentence of the data, read once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sentence(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Always(Vec<Piece>),
    FirstKnown(Vec<Vec<Piece>>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Fact(String),
}

/// A sentence that is written wrongly.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SentenceError {
    /// A fact that there is not.
    #[error("no such placeholder: {{{0}}}")]
    UnknownPlaceholder(String),
    /// A fact outside brackets.
    #[error("{{{0}}} stands outside [ ]: without that fact the sentence would not be whole")]
    BareFact(String),
    /// Brackets that do not match.
    #[error("unbalanced {{ }} or [ ], or one [ ] within another")]
    Unbalanced,
}

impl Sentence {
    /// Reads the notation that is explained at the top of this file; `names` are the facts that there are.
    ///
    /// # Errors
    /// [`SentenceError`].
    pub fn parse(text: &str, names: &[&str]) -> Result<Self, SentenceError> {
        let mut parts = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            let (always, after) = rest.split_once('[').map_or((rest, None), |(a, b)| (a, Some(b)));
            if !always.is_empty() {
                let pieces = pieces(always, names)?;
                if pieces.iter().any(|piece| matches!(piece, Piece::Fact(_))) {
                    return Err(SentenceError::BareFact(always.to_owned()));
                }
                parts.push(Part::Always(pieces));
            }
            let Some(after) = after else { break };
            let (choices, after) = after.split_once(']').ok_or(SentenceError::Unbalanced)?;
            let choices = choices.split('|').map(|choice| pieces(choice, names));
            parts.push(Part::FirstKnown(choices.collect::<Result<_, _>>()?));
            rest = after;
        }
        Ok(Self(parts))
    }

    /// The sentence about one case; `fact` says what is known.
    #[must_use]
    pub fn fill(&self, fact: &dyn Fn(&str) -> Option<String>) -> String {
        self.0
            .iter()
            .filter_map(|part| match part {
                Part::Always(pieces) => fill(pieces, fact),
                Part::FirstKnown(choices) => choices.iter().find_map(|pieces| fill(pieces, fact)),
            })
            .collect()
    }
}

/// Plain text and facts, without brackets.
fn pieces(text: &str, names: &[&str]) -> Result<Vec<Piece>, SentenceError> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}').ok_or(SentenceError::Unbalanced)?;
        pieces.push(Piece::Text(plain(before)?));
        if !names.contains(&name) {
            return Err(SentenceError::UnknownPlaceholder(name.to_owned()));
        }
        pieces.push(Piece::Fact(name.to_owned()));
        rest = after;
    }
    pieces.push(Piece::Text(plain(rest)?));
    Ok(pieces)
}

fn plain(text: &str) -> Result<String, SentenceError> {
    if text.contains(['{', '}', '[', ']']) { Err(SentenceError::Unbalanced) } else { Ok(text.to_owned()) }
}

/// All pieces together, or `None` when a fact is missing.
fn fill(pieces: &[Piece], fact: &dyn Fn(&str) -> Option<String>) -> Option<String> {
    pieces
        .iter()
        .map(|piece| match piece {
            Piece::Text(text) => Some(text.clone()),
            Piece::Fact(name) => fact(name),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, facts: &Facts, expect: &str) {
        let sentence = Sentence::parse(text, Facts::NAMES).unwrap();
        assert_eq!(sentence.fill(&|name| facts.get(name, Lang::En)), expect);
    }

    #[test]
    fn a_missing_fact_leaves_its_part_out() {
        let text = "Wrong[; {tries_left} left of {tries_limit}|; {tries_left} left| and counted].";
        let left = Facts { tries_left: Some(1), ..Facts::default() };
        check(text, &Facts { tries_limit: Some(3), ..left.clone() }, "Wrong; 1 try left of 3 tries.");
        check(text, &left, "Wrong; 1 try left.");
        check(text, &Facts::default(), "Wrong and counted.");
        check("Locked[ until {locked_until}].", &Facts::default(), "Locked.");
    }

    #[test]
    fn locks_end_at_a_moment_or_by_staff() {
        let until = |end| Facts { locked_until: Some(end), ..Facts::default() };
        let text = "Locked[ until {locked_until}].";
        check(text, &until(LockEnd::At("2026-11-23 10:43:02".into())), "Locked until 2026-11-23 10:43:02.");
        check(text, &until(LockEnd::ByStaff), "Locked until the bank's staff release it.");
    }

    #[test]
    fn money_is_grouped() {
        for (minor, text) in [(5, "¥0.05"), (128_000, "¥1,280.00"), (-123_456_789, "-¥1,234,567.89")] {
            assert_eq!(money(Amount(minor), Currency::CNY), text);
        }
        assert_eq!(money(Amount(100), Currency(840)), "840 1.00");
    }

    #[test]
    fn a_sentence_that_is_written_wrongly_is_refused() {
        let refused = |text: &str| Sentence::parse(text, Facts::NAMES).unwrap_err();
        assert_eq!(refused("[{tries}]"), SentenceError::UnknownPlaceholder("tries".into()));
        assert_eq!(refused("{tries_left} left"), SentenceError::BareFact("{tries_left} left".into()));
        for text in ["[a", "a]", "[a[b]]", "[{tries_left]", "a}"] {
            assert_eq!(refused(text), SentenceError::Unbalanced, "{text}");
        }
    }
}
