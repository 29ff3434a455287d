//! What each cause that the diagnosis names says to people.

use std::{collections::BTreeMap, sync::LazyLock};

use diagnosis::Cause;
use serde::Deserialize;

use crate::{
    lang::{Bilingual, Lang},
    sentence::{LockEnd, Sentence, tries},
};

/// Who asks what to do now. A refusal has its [`crate::Audience`]; a cause concerns two more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// The person with the card. These words may stand on a receipt.
    Cardholder,
    /// The person at the till.
    Cashier,
    /// The shop's owner.
    Owner,
    /// Acquirer's or issuer's engineers.
    Engineer,
    /// Whoever watches over fraud and operation.
    Analyst,
}

impl Role {
    /// Everybody, in the order in which a refusal reaches them.
    pub const ALL: [Self; 5] = [Self::Cardholder, Self::Cashier, Self::Owner, Self::Engineer, Self::Analyst];

    /// The fixed name, as in the API.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Cardholder => "cardholder",
            Self::Cashier => "cashier",
            Self::Owner => "owner",
            Self::Engineer => "engineer",
            Self::Analyst => "analyst",
        }
    }

    /// The heading over what they do.
    #[must_use]
    pub fn text(self, lang: Lang) -> &'static str {
        match self {
            Self::Cardholder => lang.pick("持卡人", "Cardholder"),
            Self::Cashier => lang.pick("收银员", "Cashier"),
            Self::Owner => lang.pick("商户", "Shop owner"),
            Self::Engineer => lang.pick("技术人员", "Engineer"),
            Self::Analyst => lang.pick("分析人员", "Analyst"),
        }
    }
}

/// What is known about the incident or the refusal at hand. Everything may be missing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CauseFacts {
    /// Cards that it touched.
    pub cards: Option<u32>,
    /// Payments that it refused.
    pub refused: Option<u32>,
    /// The terminal's number.
    pub terminal: Option<String>,
    /// The shop's name.
    pub merchant: Option<String>,
    /// What else the scope is called: a version, a zone, a carrier, a member of staff.
    pub scope: Option<String>,
    /// PIN tries left on the card. For staff, never for a receipt.
    pub tries_left: Option<u8>,
    /// When the card's lock ends.
    pub locked_until: Option<LockEnd>,
}

impl CauseFacts {
    const NAMES: &'static [&'static str] =
        &["cards", "refused", "terminal", "merchant", "scope", "tries_left", "locked_until"];

    fn get(&self, name: &str, lang: Lang) -> Option<String> {
        match name {
            "cards" => self.cards.filter(|n| *n > 1).map(|n| n.to_string()),
            "refused" => self.refused.map(|n| n.to_string()),
            "terminal" => self.terminal.clone(),
            "merchant" => self.merchant.clone(),
            "scope" => self.scope.clone(),
            "tries_left" => self.tries_left.map(|n| tries(n, lang)),
            "locked_until" => self.locked_until.as_ref().map(|end| end.words(lang)),
            _ => None,
        }
    }
}

/// The texts of one cause.
#[derive(Debug)]
pub struct CauseText {
    cause: Cause,
    name: Bilingual,
    sentence_zh: Sentence,
    sentence_en: Sentence,
    playbook: [Bilingual; 5],
    prevention: Bilingual,
}

impl CauseText {
    /// The cause.
    #[must_use]
    pub fn cause(&self) -> Cause {
        self.cause
    }

    /// The cause in a few words.
    #[must_use]
    pub fn name(&self, lang: Lang) -> &str {
        self.name.get(lang)
    }

    /// The verdict in one sentence, with as many facts as are known. For staff: it may say how many tries are left.
    #[must_use]
    pub fn sentence(&self, lang: Lang, facts: &CauseFacts) -> String {
        let fact = |name: &str| facts.get(name, lang);
        match lang {
            Lang::Zh => self.sentence_zh.fill(&fact),
            Lang::En => self.sentence_en.fill(&fact),
        }
    }

    /// What to do now.
    #[must_use]
    pub fn todo(&self, lang: Lang, role: Role) -> &str {
        self.playbook[role as usize].get(lang)
    }

    /// What keeps it from happening again.
    #[must_use]
    pub fn prevention(&self, lang: Lang) -> &str {
        self.prevention.get(lang)
    }
}

/// The texts of a cause.
///
/// # Panics
/// Never: a test finds every cause in the data.
#[must_use]
pub fn cause_text(cause: Cause) -> &'static CauseText {
    let index = Cause::ALL.iter().position(|c| *c == cause).expect("every cause is in ALL");
    &CAUSES[index]
}

/// The texts of all causes, in the order of [`Cause::ALL`].
#[must_use]
pub fn cause_texts() -> &'static [CauseText] {
    &CAUSES
}

static CAUSES: LazyLock<Vec<CauseText>> =
    LazyLock::new(|| read(include_str!("../data/causes.toml")).expect("a test reads the data"));

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: Bilingual,
    sentence: Bilingual,
    cardholder: Bilingual,
    cashier: Bilingual,
    owner: Bilingual,
    engineer: Bilingual,
    analyst: Bilingual,
    prevention: Bilingual,
}

fn read(text: &str) -> Result<Vec<CauseText>, String> {
    let mut entries: BTreeMap<Cause, Entry> = toml::from_str(text).map_err(|e| e.to_string())?;
    Cause::ALL
        .iter()
        .map(|cause| {
            let entry = entries.remove(cause).ok_or(format!("no text for the cause {cause}"))?;
            let sentence = |lang| {
                Sentence::parse(entry.sentence.get(lang), CauseFacts::NAMES)
                    .map_err(|e| format!("{cause}, {lang}: {e}"))
            };
            Ok(CauseText {
                cause: *cause,
                sentence_zh: sentence(Lang::Zh)?,
                sentence_en: sentence(Lang::En)?,
                name: entry.name,
                // the order of [`Role::ALL`]
                playbook: [entry.cardholder, entry.cashier, entry.owner, entry.engineer, entry.analyst],
                prevention: entry.prevention,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_in_the_order_of_the_playbook() {
        for (at, role) in Role::ALL.iter().enumerate() {
            assert_eq!(*role as usize, at);
        }
    }

    #[test]
    fn one_card_is_no_pattern_and_not_counted() {
        let text = cause_text(Cause::KeypadFault);
        let of = |cards| text.sentence(Lang::En, &CauseFacts { cards, ..CauseFacts::default() });
        assert!(of(Some(9)).contains("9 different cards"));
        assert_eq!(of(Some(1)), of(None));
    }
}
