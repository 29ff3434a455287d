//! What is written in a message: texts in two languages with named places, all of them in `texts/texts.toml`.
//!
//! A place takes what its text declares and nothing else. There is no place for a PIN, and none may be declared.

use std::{collections::BTreeMap, sync::LazyLock};

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// The longest value of a place, in characters: a link.
const VALUE_MAX: usize = 300;
/// The longest message, in characters; gateways cut a long one into parts of 67.
const TEXT_MAX: usize = 500;

/// The language of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// Chinese.
    #[default]
    Zh,
    /// English.
    En,
}

impl Language {
    /// Its fixed name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Zh => "zh",
            Self::En => "en",
        }
    }
}

/// What a message is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The one-time code of a step-up.
    StepUpCode,
    /// The link to the page where a step-up is answered.
    StepUpLink,
    /// A one-time code that proves to the desk who calls.
    IdentityCode,
    /// The link with which a holder sets a new PIN.
    PinActivation,
    /// The link to the page that says how the card is.
    CardPage,
    /// The PIN was changed.
    PinChanged,
    /// The PIN is locked until some time.
    PinLocked,
    /// The PIN is locked until staff release it.
    PinLockedByStaff,
    /// The lock was released.
    PinUnlocked,
    /// The number for messages was changed; it goes to the old number.
    ContactChanged,
    /// A passkey was enrolled that can confirm payments.
    PasskeyAdded,
    /// The link to the question after a case at the desk.
    SurveyLink,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::StepUpCode,
        Self::StepUpLink,
        Self::IdentityCode,
        Self::PinActivation,
        Self::CardPage,
        Self::PinChanged,
        Self::PinLocked,
        Self::PinLockedByStaff,
        Self::PinUnlocked,
        Self::ContactChanged,
        Self::PasskeyAdded,
        Self::SurveyLink,
    ];

    /// Its fixed name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::StepUpCode => "step-up-code",
            Self::StepUpLink => "step-up-link",
            Self::IdentityCode => "identity-code",
            Self::PinActivation => "pin-activation",
            Self::CardPage => "card-page",
            Self::PinChanged => "pin-changed",
            Self::PinLocked => "pin-locked",
            Self::PinLockedByStaff => "pin-locked-by-staff",
            Self::PinUnlocked => "pin-unlocked",
            Self::ContactChanged => "contact-changed",
            Self::PasskeyAdded => "passkey-added",
            Self::SurveyLink => "survey-link",
        }
    }

    /// The places of its text, in their order.
    #[must_use]
    pub fn places(self) -> &'static [String] {
        TEXTS.get(self.name()).map_or(&[], |text| &text.places)
    }
}

/// What stands in the places of a text. Wiped when dropped.
pub type Values = Vec<(&'static str, Zeroizing<String>)>;

/// A text that cannot be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoText {
    /// A place without a value.
    #[error("the text {0:?} has a place {1:?} and nothing for it")]
    Missing(&'static str, String),
    /// A value without a place, or two for one.
    #[error("the text {0:?} has no place {1:?}")]
    Unknown(&'static str, String),
    /// A value with a control character, or longer than may be.
    #[error("what stands in the place {0:?} is too long or no plain text")]
    NotPlain(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    places: Vec<String>,
    zh: String,
    en: String,
}

static TEXTS: LazyLock<BTreeMap<String, Text>> =
    LazyLock::new(|| toml::from_str(include_str!("../texts/texts.toml")).unwrap_or_default());

/// Writes a text.
///
/// # Errors
/// [`NoText`].
pub fn write(kind: Kind, language: Language, values: &Values) -> Result<Zeroizing<String>, NoText> {
    let name = kind.name();
    let Some(text) = TEXTS.get(name) else { return Err(NoText::Missing(name, name.to_owned())) };
    for (at, (place, value)) in values.iter().enumerate() {
        let twice = values[..at].iter().any(|(earlier, _)| earlier == place);
        if twice || !text.places.iter().any(|known| known == place) {
            return Err(NoText::Unknown(name, (*place).to_owned()));
        }
        if value.chars().count() > VALUE_MAX || value.chars().any(char::is_control) {
            return Err(NoText::NotPlain((*place).to_owned()));
        }
    }
    let mut rest = match language {
        Language::Zh => text.zh.as_str(),
        Language::En => text.en.as_str(),
    };
    let mut written = Zeroizing::new(String::with_capacity(TEXT_MAX));
    // One pass: what stands in a place is never read as a place.
    while let Some((before, after)) = rest.split_once('{') {
        let Some((place, behind)) = after.split_once('}') else { break };
        let value = values.iter().find(|(named, _)| *named == place);
        let (_, value) = value.ok_or_else(|| NoText::Missing(name, place.to_owned()))?;
        written.push_str(before);
        written.push_str(value);
        rest = behind;
    }
    written.push_str(rest);
    if written.chars().count() > TEXT_MAX { Err(NoText::NotPlain(name.to_owned())) } else { Ok(written) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Names that no place may have.
    const FORBIDDEN: [&str; 4] = ["pin", "password", "pan", "cvv"];

    fn places_of(text: &str) -> Vec<String> {
        let mut found: Vec<String> = text
            .split('{')
            .skip(1)
            .filter_map(|part| part.split_once('}').map(|(place, _)| place.to_owned()))
            .collect();
        found.sort();
        found
    }

    #[test]
    fn every_kind_has_both_texts_with_the_places_that_it_declares() {
        assert_eq!(TEXTS.len(), Kind::ALL.len());
        for kind in Kind::ALL {
            let text = TEXTS.get(kind.name()).unwrap_or_else(|| panic!("{kind:?}"));
            let mut declared = text.places.clone();
            declared.sort();
            assert_eq!(places_of(&text.zh), declared, "{kind:?} zh");
            assert_eq!(places_of(&text.en), declared, "{kind:?} en");
        }
    }

    #[test]
    fn no_text_has_a_place_for_a_pin_or_a_card_number() {
        for (name, text) in TEXTS.iter() {
            for place in &text.places {
                assert!(!FORBIDDEN.contains(&place.as_str()), "{name}: {place}");
            }
        }
    }

    fn value(text: &str) -> Zeroizing<String> {
        Zeroizing::new(text.to_owned())
    }

    #[test]
    fn what_stands_in_a_place_is_no_place() {
        let values = vec![("bank", value("{time}")), ("card", value("0018")), ("time", value("09:30"))];
        let written = write(Kind::PinChanged, Language::En, &values).unwrap();
        assert!(written.contains("{time}") && written.contains("09:30"), "{}", written.as_str());
    }

    #[test]
    fn a_value_too_many_too_few_or_not_plain_is_refused() {
        let whole = vec![("bank", value("B")), ("card", value("0018")), ("time", value("09:30"))];
        assert!(write(Kind::PinChanged, Language::Zh, &whole).is_ok());
        let too_few: Values = whole[..2].to_vec();
        assert!(matches!(write(Kind::PinChanged, Language::Zh, &too_few), Err(NoText::Missing(..))));
        let mut too_many = whole.clone();
        too_many.push(("pin", value("123456")));
        assert!(matches!(write(Kind::PinChanged, Language::Zh, &too_many), Err(NoText::Unknown(..))));
        let mut twice = whole.clone();
        twice.push(("card", value("1")));
        assert!(matches!(write(Kind::PinChanged, Language::Zh, &twice), Err(NoText::Unknown(..))));
        let mut odd = whole;
        odd[0].1 = value("B\nfrom: other");
        assert!(matches!(write(Kind::PinChanged, Language::Zh, &odd), Err(NoText::NotPlain(_))));
    }
}
