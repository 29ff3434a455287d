//! What is looked at before the parser: size, characters and depth. The grammar of CEL is larger than our language, and its
//! parser recurses; a text that cannot become a rule is refused here, at the place where it stops being one.

use super::refused::Refused;
use crate::saying::{Saying, say};

/// Bytes of a rule's text.
pub const TEXT_BYTES_MAX: usize = 4096;
/// Brackets within brackets.
pub const BRACKETS_MAX: usize = 24;
/// Tokens of a rule's text: the parser's time grows with them.
pub const TOKENS_MAX: usize = 512;
/// Signs that are written before a value, one after the other: `!!!a`.
const PREFIXES_MAX: usize = 4;

/// Passes a text that the parser may read.
pub(super) fn pass(text: &str) -> Result<(), Refused> {
    if text.len() > TEXT_BYTES_MAX {
        let what = say("condition-too-long").with("bytes", text.len()).with("max", TEXT_BYTES_MAX);
        return Err(Refused::at(text, 0, what).suggest(say("split")));
    }
    if text.trim().is_empty() {
        return Err(Refused::at(text, 0, say("condition-empty")));
    }
    Gate { text, characters: text.chars().collect(), at: 0, depth: 0, tokens: 0, prefixes: 0 }.all()
}

struct Gate<'t> {
    text: &'t str,
    characters: Vec<char>,
    at: usize,
    depth: usize,
    tokens: usize,
    prefixes: usize,
}

impl Gate<'_> {
    fn all(mut self) -> Result<(), Refused> {
        while let Some(c) = self.characters.get(self.at).copied() {
            self.one(c)?;
        }
        if self.depth > 0 { Err(self.refused(say("bracket-not-closed"))) } else { Ok(()) }
    }

    fn one(&mut self, c: char) -> Result<(), Refused> {
        match c {
            ' ' | '\t' | '\n' | '\r' => {
                self.at += 1;
                return Ok(());
            }
            '"' | '\'' => self.quoted(c)?,
            'a'..='z' | 'A'..='Z' | '_' | '0'..='9' => self.word()?,
            '(' | '[' => {
                self.depth += 1;
                if self.depth > BRACKETS_MAX {
                    return Err(self.refused(say("brackets-too-deep").with("max", BRACKETS_MAX)));
                }
                self.at += 1;
            }
            ')' | ']' => {
                self.depth =
                    self.depth.checked_sub(1).ok_or_else(|| self.refused(say("bracket-not-opened")))?;
                self.at += 1;
            }
            '/' if self.characters.get(self.at + 1) == Some(&'/') => self.comment(),
            '!' | '-' | '+' | '*' | '/' | '%' | '<' | '>' | '=' | '&' | '|' | '?' | ':' | ',' | '.' => {
                self.at += 1;
            }
            '{' | '}' => return Err(self.refused(say("no-maps"))),
            _ => return Err(self.refused(say("no-such-sign"))),
        }
        self.prefixes = if matches!(c, '!' | '-') { self.prefixes + 1 } else { 0 };
        self.tokens += 1;
        if self.prefixes > PREFIXES_MAX {
            return Err(self.refused(say("too-many-signs")));
        }
        if self.tokens > TOKENS_MAX {
            return Err(self.refused(say("too-many-words").with("max", TOKENS_MAX)));
        }
        Ok(())
    }

    /// A text constant: printable, on one line, with the escapes that CEL has for quotes and backslash only.
    fn quoted(&mut self, quote: char) -> Result<(), Refused> {
        let begin = self.at;
        self.at += 1;
        while let Some(c) = self.characters.get(self.at).copied() {
            match c {
                '\\' if matches!(self.characters.get(self.at + 1), Some('\\' | '"' | '\'')) => self.at += 2,
                '\\' => return Err(self.refused(say("escapes"))),
                c if c == quote => {
                    self.at += 1;
                    return if self.characters.get(self.at) == Some(&quote) {
                        Err(self.refused(say("two-quotes")))
                    } else {
                        Ok(())
                    };
                }
                c if c.is_control() => return Err(self.refused(say("text-on-one-line"))),
                _ => self.at += 1,
            }
        }
        self.at = begin;
        Err(self.refused(say("text-without-end")))
    }

    /// A name or a number; a letter before a quote would begin a constant of bytes, or a raw one.
    fn word(&mut self) -> Result<(), Refused> {
        let begin = self.at;
        while self.characters.get(self.at).is_some_and(|c| c.is_ascii_alphanumeric() || *c == '_') {
            self.at += 1;
        }
        if matches!(self.characters.get(self.at), Some('"' | '\'')) {
            self.at = begin;
            return Err(self.refused(say("raw-texts")));
        }
        Ok(())
    }

    fn comment(&mut self) {
        while self.characters.get(self.at).is_some_and(|c| *c != '\n') {
            self.at += 1;
        }
    }

    fn refused(&self, what: Saying) -> Refused {
        Refused::at(self.text, self.at, what)
    }
}
