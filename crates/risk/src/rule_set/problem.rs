//! What is wrong with a file of rules, and where: a place in a condition is a place in the file.

use serde::{Serialize, Serializer, ser::SerializeStruct as _};
use toml::Spanned;

use crate::{
    expression::{did_you_mean, place},
    rule::Name,
    saying::{Saying, say},
};

/// Why a file is not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The rule's id, where there is one.
    pub rule: Option<String>,
    /// Line of the file, counted from 1.
    pub line: usize,
    /// Column, in characters, counted from 1.
    pub column: usize,
    /// What is wrong.
    pub what: Saying,
    /// What could be written instead.
    pub suggestion: Option<Saying>,
}

impl Problem {
    pub(super) fn at(rule: Option<&str>, (line, column): (usize, usize), what: Saying) -> Self {
        Self { rule: rule.map(str::to_owned), line, column, what, suggestion: None }
    }

    /// The whole of it but its place, as one line in both languages.
    #[must_use]
    pub fn sentence(&self) -> Name {
        let one = |pick: fn(&Saying) -> String| {
            let mut words = pick(&self.what);
            if let Some(rule) = &self.rule {
                words = pick(&say("of-rule").with("rule", rule).with("what", words));
            }
            match &self.suggestion {
                Some(instead) => pick(&say("and-instead").with("what", words).with("instead", pick(instead))),
                None => words,
            }
        };
        Name { zh: one(Saying::zh), en: one(Saying::en) }
    }
}

/// `what` and `suggestion` are English, as programs got them from the beginning; beside them `problem`, the fixed key, and
/// `zh`.
impl Serialize for Problem {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Words {
            what: String,
            suggestion: Option<String>,
        }
        let zh = Words { what: self.what.zh(), suggestion: self.suggestion.as_ref().map(Saying::zh) };
        let mut fields = to.serialize_struct("Problem", 7)?;
        fields.serialize_field("rule", &self.rule)?;
        fields.serialize_field("line", &self.line)?;
        fields.serialize_field("column", &self.column)?;
        fields.serialize_field("problem", self.what.key())?;
        fields.serialize_field("what", &self.what.en())?;
        fields.serialize_field("suggestion", &self.suggestion.as_ref().map(Saying::en))?;
        fields.serialize_field("zh", &zh)?;
        fields.end()
    }
}

/// What the TOML parser says, with the place.
pub(super) fn unreadable(text: &str, error: &toml::de::Error) -> Problem {
    let begin = error.span().map_or(0, |span| span.start);
    let (what, suggestion) = in_our_words(error.message());
    Problem { suggestion, ..Problem::at(None, place_of(text, begin), what) }
}

/// The sentences of serde, which names what it found and what it expected in backticks; others are quoted.
fn in_our_words(said: &str) -> (Saying, Option<Saying>) {
    let named: Vec<&str> = said.split('`').skip(1).step_by(2).collect();
    match named.split_first() {
        Some((key, known)) if said.starts_with("unknown field") => {
            (say("unknown-key").with("key", key), did_you_mean(key, known))
        }
        Some((value, known)) if said.starts_with("unknown variant") => {
            (say("unknown-value").with("value", value), did_you_mean(value, known))
        }
        Some((key, _)) if said.starts_with("missing field") => (say("missing-key").with("key", key), None),
        _ if said.starts_with("invalid type") => (say("wrong-type").with("said", said), None),
        _ => (say("not-toml").with("said", said), None),
    }
}

/// Line and column of an offset in bytes.
pub(super) fn place_of(text: &str, bytes: usize) -> (usize, usize) {
    place(text, text.get(..bytes).map_or(0, |before| before.chars().count()))
}

/// The place in the file of a place in a text of it. Where the text is written with escapes, its beginning is as near as
/// one can say.
pub(super) fn within(file: &str, text: &Spanned<String>, (line, column): (usize, usize)) -> (usize, usize) {
    let span = text.span();
    let written = file.get(span.clone()).unwrap_or_default();
    let quote = ["'''", "\"\"\"", "'", "\""].into_iter().find(|quote| written.starts_with(quote));
    let Some(quote) = quote else { return place_of(file, span.start) };
    let mut begin = quote.len();
    if quote.len() == 3 {
        begin += ["\r\n", "\n"].into_iter().find(|end| written[begin..].starts_with(end)).map_or(0, str::len);
    }
    let raw = written.get(begin..written.len().saturating_sub(quote.len())).unwrap_or_default();
    if raw.replace("\r\n", "\n") != text.get_ref().replace("\r\n", "\n") {
        return place_of(file, span.start);
    }
    let (first_line, first_column) = place_of(file, span.start + begin);
    if line == 1 { (first_line, first_column + column - 1) } else { (first_line + line - 1, column) }
}
