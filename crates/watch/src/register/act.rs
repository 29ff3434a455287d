//! What people may do about an incident. Who they are is taken from whoever asks: until staff accounts exist it is
//! written down, and not proven.

use model::{CardId, Timestamp};
use store::{BookError, StoreError};

use super::{AnswerKind, Record, Register, Said, Shelf, Standing};

/// The longest name of a person, in characters.
const NAME_LEN_MAX: usize = 64;
/// The longest note, in characters.
const TEXT_LEN_MAX: usize = 2000;

/// It was not done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ActError {
    /// There is no such incident.
    #[error("no such incident")]
    Unknown,
    /// It makes no sense: which part, and what would be accepted.
    #[error("{part}: expected {expected}")]
    Refused {
        /// The part of what was asked.
        part: &'static str,
        /// What would have been accepted.
        expected: &'static str,
    },
    /// The book's trouble.
    #[error(transparent)]
    Book(#[from] BookError),
}

impl From<StoreError> for ActError {
    fn from(error: StoreError) -> Self {
        Self::Book(error.into())
    }
}

/// A person's name, as it is written down.
pub(crate) fn name(part: &'static str, text: &str) -> Result<String, ActError> {
    let text = text.trim();
    let fits = !text.is_empty() && text.chars().count() <= NAME_LEN_MAX && !text.contains(char::is_control);
    if fits {
        Ok(text.to_owned())
    } else {
        Err(ActError::Refused { part, expected: "a name of 1 to 64 characters" })
    }
}

/// Words; digits that might be a card number are masked.
pub(crate) fn words(part: &'static str, text: &str) -> Result<String, ActError> {
    if text.chars().count() > TEXT_LEN_MAX {
        return Err(ActError::Refused { part, expected: "at most 2000 characters" });
    }
    Ok(masked(text.trim()))
}

/// Runs of 13 to 19 digits become stars but for the last four (PCI DSS 3.4): notes are shown to everybody.
fn masked(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut run = String::new();
    for c in text.chars().chain(['\0']) {
        if c.is_ascii_digit() {
            run.push(c);
            continue;
        }
        if (13..=19).contains(&run.len()) {
            out.push_str(&"*".repeat(run.len() - 4));
            out.push_str(&run[run.len() - 4..]);
        } else {
            out.push_str(&run);
        }
        run.clear();
        if c != '\0' {
            out.push(c);
        }
    }
    out
}

fn known(register: &Register, number: u64) -> Result<&Record, ActError> {
    register.records.get(&number).ok_or(ActError::Unknown)
}

impl Shelf {
    /// Takes up, closes, or opens again. What is so already is not written again.
    pub(crate) async fn set_status(
        &self,
        at: Timestamp,
        number: u64,
        to: Standing,
        by: &str,
        note: &str,
    ) -> Result<bool, ActError> {
        let status = match to {
            Standing::Acknowledged | Standing::Closed => Some(to),
            Standing::Open => None,
            _ => {
                return Err(ActError::Refused { part: "status", expected: "acknowledged, closed or open" });
            }
        };
        let (by, note) = (name("by", by)?, words("note", note)?);
        self.say(at, |register| {
            let record = known(register, number)?;
            let said = Said::Status { status, by: by.clone(), note: note.clone() };
            Ok((record.handling.decided != status).then_some((number, said)))
        })
        .await
    }

    /// Gives it to somebody, or to nobody.
    pub(crate) async fn assign(
        &self,
        at: Timestamp,
        number: u64,
        to: Option<&str>,
        by: &str,
    ) -> Result<bool, ActError> {
        let to = to.map(|to| name("assignee", to)).transpose()?;
        let by = name("by", by)?;
        self.say(at, |register| {
            let said = Said::Assigned { to: to.clone(), by: by.clone() };
            Ok((known(register, number)?.handling.assignee != to).then_some((number, said)))
        })
        .await
    }

    /// Adds a line.
    pub(crate) async fn note(
        &self,
        at: Timestamp,
        number: u64,
        by: &str,
        text: &str,
    ) -> Result<bool, ActError> {
        let (by, text) = (name("by", by)?, words("note", text)?);
        if text.is_empty() {
            return Err(ActError::Refused { part: "note", expected: "some words" });
        }
        self.say(at, |register| {
            known(register, number)?;
            Ok(Some((number, Said::Noted { by: by.clone(), text: text.clone() })))
        })
        .await
    }

    /// Links what answered it; the same link twice is one.
    pub(crate) async fn answer(
        &self,
        at: Timestamp,
        number: u64,
        by: &str,
        kind: AnswerKind,
        reference: &str,
    ) -> Result<bool, ActError> {
        let (by, reference) = (name("by", by)?, name("reference", reference)?);
        self.say(at, |register| {
            let answers = &known(register, number)?.handling.answers;
            let there = answers.iter().any(|a| a.kind == kind && a.reference == reference);
            let said = Said::Answered { by: by.clone(), kind, reference: reference.clone() };
            Ok((!there).then_some((number, said)))
        })
        .await
    }

    /// Asks for tries to be given back to the cards that were harmed and are in no request yet. Without any, nothing is
    /// written.
    pub(crate) async fn ask_restore(
        &self,
        at: Timestamp,
        number: u64,
        by: &str,
        reviewer: &str,
        why: &str,
        harmed: Option<&[CardId]>,
    ) -> Result<bool, ActError> {
        let (by, why) = (name("by", by)?, words("why", why)?);
        // Without staff accounts there may be nobody else; then that is what is written down.
        let reviewer = if reviewer.is_empty() { String::new() } else { name("reviewer", reviewer)? };
        if by == reviewer {
            return Err(ActError::Refused {
                part: "reviewer",
                expected: "another person than the one who asks",
            });
        }
        self.say(at, |register| {
            let record = known(register, number)?;
            let requests = &record.handling.requests;
            let harmed = harmed.unwrap_or(&record.found.harmed).iter();
            let asked = |card: &CardId| requests.iter().any(|request| request.cards.contains(card));
            let cards: Vec<CardId> = harmed.copied().filter(|card| !asked(card)).collect();
            let request = requests.last().map_or(1, |last| last.number + 1);
            let (by, reviewer, why) = (by.clone(), reviewer.clone(), why.clone());
            let said = Said::RestoreAsked { request, by, reviewer, why, cards: cards.clone() };
            Ok((!cards.is_empty()).then_some((number, said)))
        })
        .await
    }

    /// Writes down what became of cards.
    pub(crate) async fn restored(
        &self,
        at: Timestamp,
        number: u64,
        request: u32,
        results: &[(CardId, super::RestoreResult)],
    ) -> Result<bool, ActError> {
        self.say(at, |register| {
            known(register, number)?;
            let said = Said::Restored { request, results: results.to_vec() };
            Ok((!results.is_empty()).then_some((number, said)))
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_write_holds_no_card_number() {
        let said = words("note", " card 9000000000000018, ref 632676497850 ").unwrap();
        assert_eq!(said, "card ************0018, ref 632676497850");
        assert!(words("note", &"x".repeat(2001)).is_err());
        assert!(name("by", " ").is_err() && name("by", "a\nb").is_err());
        assert_eq!(name("by", " li.na ").unwrap(), "li.na");
    }
}
