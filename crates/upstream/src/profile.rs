//! How kinds of transactions are said to other issuers, and what their answers mean: data (`profiles/*.toml`).

use std::collections::{BTreeMap, HashMap};

use iso8583::Mti;
use model::{Kind, ReasonCode, ResponseCode};
use serde::Deserialize;

/// What is said on links of one edition.
#[derive(Debug, Clone)]
pub struct Profile {
    kinds: HashMap<Kind, Words>,
    pub(crate) network: Network,
    answers: HashMap<ResponseCode, ReasonCode>,
    undo_again: Vec<ResponseCode>,
    reasons: BTreeMap<ReasonCode, String>,
}

/// How one kind is said.
#[derive(Debug, Clone)]
pub(crate) struct Words {
    pub(crate) mti: Mti,
    pub(crate) processing: String,
    pub(crate) condition: String,
}

/// DE 70.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Network {
    pub(crate) sign_on: String,
    pub(crate) sign_off: String,
    pub(crate) echo: String,
}

/// What an issuer's answer means here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// Approved.
    Approved,
    /// Not, and why as far as we can tell.
    Declined(ReasonCode),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    kinds: HashMap<Kind, FileWords>,
    network: Network,
    answers: HashMap<ReasonCode, Vec<ResponseCode>>,
    undo: FileUndo,
    reasons: BTreeMap<ReasonCode, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileWords {
    mti: String,
    processing: String,
    condition: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileUndo {
    again: Vec<ResponseCode>,
}

impl Profile {
    /// The profile of the 1987 edition, which comes with the program.
    ///
    /// # Errors
    /// Never in a program whose tests ran: one of them reads it.
    pub fn iso87() -> Result<Self, String> {
        Self::from_toml(include_str!("../profiles/iso87.toml"))
    }

    fn from_toml(text: &str) -> Result<Self, String> {
        let file: File = toml::from_str(text).map_err(|e| e.to_string())?;
        let words = |(kind, words): (Kind, FileWords)| {
            let mti = words.mti.parse().map_err(|e| format!("{}: {e}", kind.name()))?;
            Ok((kind, Words { mti, processing: words.processing, condition: words.condition }))
        };
        let answers =
            file.answers.into_iter().flat_map(|(reason, codes)| codes.into_iter().map(move |c| (c, reason)));
        Ok(Self {
            kinds: file.kinds.into_iter().map(words).collect::<Result<_, String>>()?,
            network: file.network,
            answers: answers.collect(),
            undo_again: file.undo.again,
            reasons: file.reasons,
        })
    }

    pub(crate) fn words(&self, kind: Kind) -> Option<&Words> {
        self.kinds.get(&kind)
    }

    /// What an answer to a question means.
    #[must_use]
    pub fn meaning(&self, code: ResponseCode) -> Meaning {
        if code.is_approval() {
            return Meaning::Approved;
        }
        Meaning::Declined(self.answers.get(&code).copied().unwrap_or(ReasonCode::IssuerDeclined))
    }

    /// Is a reversal that was answered so sent again?
    #[must_use]
    pub fn undo_again(&self, code: ResponseCode) -> bool {
        self.undo_again.contains(&code)
    }

    /// DE 39 of a reversal.
    pub(crate) fn undo_reason(&self, why: ReasonCode) -> Option<&str> {
        self.reasons.get(&why).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_profile_knows_every_kind() {
        use Kind::{Balance, Cash, Completion, CompletionVoid, PreAuth, PreAuthVoid, Refund, Sale, SaleVoid};
        let profile = Profile::iso87().unwrap();
        for kind in [Balance, Sale, SaleVoid, Refund, PreAuth, PreAuthVoid, Completion, CompletionVoid, Cash]
        {
            assert!(profile.words(kind).is_some(), "{kind:?}");
        }
    }

    #[test]
    fn answers_are_told_apart() {
        let profile = Profile::iso87().unwrap();
        let meaning = |code: &str| profile.meaning(code.parse().unwrap());
        assert_eq!(meaning("00"), Meaning::Approved);
        for (code, reason) in [
            ("55", ReasonCode::IssuerWrongPin),
            ("75", ReasonCode::IssuerTriesExceeded),
            ("38", ReasonCode::IssuerTriesExceeded),
            ("51", ReasonCode::IssuerDeclined),
            ("99", ReasonCode::IssuerKeyFault),
            ("96", ReasonCode::IssuerFault),
        ] {
            assert_eq!(meaning(code), Meaning::Declined(reason), "{code}");
        }
        assert!(profile.undo_again("96".parse().unwrap()) && !profile.undo_again("25".parse().unwrap()));
    }
}
