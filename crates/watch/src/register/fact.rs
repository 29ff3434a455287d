//! The facts of the register's stream, as they stand in the book, and how each changes it.

use model::{CardId, Timestamp};
use serde::{Deserialize, Serialize};
use store::{StoreError, book::Fact};

use super::{Answer, AnswerKind, Handling, Note, Record, Register, Request, RestoreResult, Standing};
use crate::found::Found;

/// The form of the bodies.
const VERSION: u32 = 1;
/// Notes of an incident that are shown; the book has all.
const NOTES_KEPT: usize = 500;

/// A body with its form's version and the incident's number.
#[derive(Debug, Serialize, Deserialize)]
struct Body<T> {
    v: u32,
    incident: u64,
    #[serde(flatten)]
    said: T,
}

/// What is said about an incident.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "kebab-case")]
pub(crate) enum Said {
    /// By the diagnosis.
    Found { found: Box<Found> },
    /// Taken up, closed or, without a status, opened again.
    Status { status: Option<Standing>, by: String, note: String },
    /// Given to somebody, or to nobody.
    Assigned { to: Option<String>, by: String },
    /// Remarked.
    Noted { by: String, text: String },
    /// Answered.
    Answered { by: String, kind: AnswerKind, reference: String },
    /// Tries are to be given back; reviewed.
    RestoreAsked { request: u32, by: String, reviewer: String, why: String, cards: Vec<CardId> },
    /// What became of some of the cards.
    Restored { request: u32, results: Vec<(CardId, RestoreResult)> },
}

impl Said {
    /// The name of the fact's kind.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Found { .. } => "found",
            Self::Status { .. } => "status",
            Self::Assigned { .. } => "assigned",
            Self::Noted { .. } => "noted",
            Self::Answered { .. } => "answered",
            Self::RestoreAsked { .. } => "restore-asked",
            Self::Restored { .. } => "restored",
        }
    }

    /// As a body about an incident.
    pub(crate) fn body(&self, incident: u64) -> Result<Vec<u8>, store::BookError> {
        store::book::json(&Body { v: VERSION, incident, said: self })
    }
}

impl Register {
    /// Takes a fact. What a newer program wrote and this one does not know is left out, and said in the log.
    pub(crate) fn apply(&mut self, fact: &Fact) -> Result<(), StoreError> {
        let body: Body<Said> = match fact.read() {
            Ok(body) => body,
            Err(error) => {
                tracing::warn!(%error, "a fact of the incident register is not understood");
                return Ok(());
            }
        };
        self.take(body.incident, fact.at, body.said);
        Ok(())
    }

    fn take(&mut self, number: u64, at: Timestamp, said: Said) {
        if let Said::Found { found } = said {
            let record = self.records.entry(number).or_insert_with(|| Record {
                number,
                found: (*found).clone(),
                live: false,
                handling: Handling::default(),
            });
            record.found = *found;
            return;
        }
        let Some(record) = self.records.get_mut(&number) else { return };
        record.handling.take(at, said);
    }
}

impl Handling {
    fn take(&mut self, at: Timestamp, said: Said) {
        match said {
            Said::Found { .. } => {}
            Said::Status { status, by, note } => {
                self.decided = status;
                let what = status.map_or("reopened", Standing::name);
                self.note(at, by, what, note);
            }
            Said::Assigned { to, by } => {
                self.note(at, by, "assigned", to.clone().unwrap_or_default());
                self.assignee = to;
            }
            Said::Noted { by, text } => self.note(at, by, "note", text),
            Said::Answered { by, kind, reference } => {
                self.note(at, by.clone(), "answered", reference.clone());
                self.answers.push(Answer { at, by, kind, reference });
            }
            Said::RestoreAsked { request, by, reviewer, why, cards } => {
                self.note(at, by.clone(), "restore-tries", why.clone());
                let results = std::collections::BTreeMap::new();
                self.requests.push(Request { number: request, at, by, reviewer, why, cards, results });
            }
            Said::Restored { request, results } => {
                if let Some(asked) = self.requests.iter_mut().find(|asked| asked.number == request) {
                    asked.results.extend(results);
                }
            }
        }
    }

    fn note(&mut self, at: Timestamp, by: String, what: &str, text: String) {
        if self.notes.len() < NOTES_KEPT {
            self.notes.push(Note { at, by, what: what.to_owned(), text });
        }
    }
}
