//! Why a rule's text is not taken: the place, what is wrong, and what was probably meant.

use std::fmt;

use crate::saying::{Saying, say};

/// A text that is no rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Line, counted from 1.
    pub line: usize,
    /// Column, in characters, counted from 1.
    pub column: usize,
    /// What is wrong.
    pub what: Saying,
    /// What could be written instead.
    pub suggestion: Option<Saying>,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.line, self.column, self.what)?;
        self.suggestion.iter().try_for_each(|suggestion| write!(f, " ({suggestion})"))
    }
}

impl std::error::Error for Refused {}

impl Refused {
    /// At an offset, in characters, of a text.
    pub(crate) fn at(text: &str, offset: usize, what: Saying) -> Self {
        let (line, column) = place(text, offset);
        Self { line, column, what, suggestion: None }
    }

    pub(crate) fn suggest(mut self, suggestion: Saying) -> Self {
        self.suggestion = Some(suggestion);
        self
    }
}

/// Line and column of an offset in characters; beyond the end, the end.
pub(crate) fn place(text: &str, offset: usize) -> (usize, usize) {
    text.chars().take(offset).fold(
        (1, 1),
        |(line, column), c| {
            if c == '\n' { (line + 1, 1) } else { (line, column + 1) }
        },
    )
}

/// The known word that is nearest to the one written, if one is near enough to be meant.
pub(crate) fn nearest<'w>(written: &str, known: impl IntoIterator<Item = &'w str>) -> Option<&'w str> {
    let near = |word: &str| distance(&written.to_lowercase(), word);
    known
        .into_iter()
        .map(|word| (near(word), word))
        .filter(|(far, word)| *far <= 1 + word.len() / 4)
        .min()
        .map(|(_, word)| word)
}

/// "did you mean", or everything that is known when that is short enough to be read.
pub(crate) fn did_you_mean(written: &str, known: &[&str]) -> Option<Saying> {
    const FEW: usize = 12;
    match nearest(written, known.iter().copied()) {
        Some(word) => Some(say("did-you-mean").with("word", word)),
        None if known.len() <= FEW => Some(say("one-of").with("words", known.join(", "))),
        None => None,
    }
}

/// Insertions, deletions, substitutions and swaps of neighbours between two words (restricted Damerau–Levenshtein).
fn distance(one: &str, other: &str) -> usize {
    let (one, other): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
    let mut rows = vec![vec![0; other.len() + 1]; one.len() + 1];
    for (i, row) in rows.iter_mut().enumerate() {
        row[0] = i;
    }
    rows[0] = (0..=other.len()).collect();
    for i in 1..=one.len() {
        for j in 1..=other.len() {
            let cost = usize::from(one[i - 1] != other[j - 1]);
            let mut best = (rows[i - 1][j] + 1).min(rows[i][j - 1] + 1).min(rows[i - 1][j - 1] + cost);
            if i > 1 && j > 1 && one[i - 1] == other[j - 2] && one[i - 2] == other[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            rows[i][j] = best;
        }
    }
    rows[one.len()][other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_of_the_finger_find_their_word_and_other_words_do_not() {
        let known = ["amount", "area", "terminal", "since_ok"];
        for (written, meant) in [
            ("ammount", Some("amount")),
            ("amuont", Some("amount")),
            ("Terminal", Some("terminal")),
            ("sinceok", Some("since_ok")),
            ("password", None),
        ] {
            assert_eq!(nearest(written, known), meant, "{written}");
        }
    }

    #[test]
    fn places_count_lines_and_characters() {
        assert_eq!(place("a\nbc", 0), (1, 1));
        assert_eq!(place("a\nbc", 3), (2, 2));
        assert_eq!(place("a", 99), (1, 2));
    }
}
