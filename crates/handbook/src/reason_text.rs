//! What each of our own reasons says to people.

use std::{collections::BTreeMap, sync::LazyLock};

use model::{ReasonCode, reason::Family};
use serde::Deserialize;

use crate::{
    lang::{Bilingual, Lang},
    sentence::{Facts, Sentence},
};

/// The texts of one reason.
#[derive(Debug)]
pub struct ReasonText {
    reason: ReasonCode,
    try_charged: TryCharged,
    title: Bilingual,
    sentence_zh: Sentence,
    sentence_en: Sentence,
    cardholder: Bilingual,
    cashier: Bilingual,
    engineer: Bilingual,
}

/// Who asks what to do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Audience {
    /// The person with the card. These words may stand on a receipt.
    Cardholder,
    /// The person at the till.
    Cashier,
    /// Acquirer's or issuer's engineers.
    Engineer,
}

impl Audience {
    /// Everybody, in the order in which a refusal reaches them.
    pub const ALL: [Self; 3] = [Self::Cardholder, Self::Cashier, Self::Engineer];

    /// The fixed name, as in the API.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Cardholder => "cardholder",
            Self::Cashier => "cashier",
            Self::Engineer => "engineer",
        }
    }

    /// The heading over what they do.
    #[must_use]
    pub fn text(self, lang: Lang) -> &'static str {
        match self {
            Self::Cardholder => lang.pick("持卡人", "Cardholder"),
            Self::Cashier => lang.pick("收银员", "Cashier"),
            Self::Engineer => lang.pick("技术人员", "Engineer"),
        }
    }
}

/// Did the request with this reason use up a PIN try?
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TryCharged {
    /// Yes, one: the PIN was proven wrong.
    Yes,
    /// Not this time: the PIN was right, or was not looked at.
    No,
    /// Never: this is a fault, and a fault is not a wrong PIN.
    Never,
}

impl TryCharged {
    /// The fixed name, as in the API.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Yes => "yes",
            Self::No => "no",
            Self::Never => "never",
        }
    }

    /// The same for people.
    #[must_use]
    pub fn text(self, lang: Lang) -> &'static str {
        match self {
            Self::Yes => lang.pick("计一次密码错误", "one PIN try was charged"),
            Self::No => lang.pick("本次不计密码错误次数", "no PIN try was charged this time"),
            Self::Never => lang.pick("故障，从不计密码错误次数", "a fault: it never charges a PIN try"),
        }
    }
}

impl ReasonText {
    /// The reason.
    #[must_use]
    pub fn reason(&self) -> ReasonCode {
        self.reason
    }

    /// Whose matter it is.
    #[must_use]
    pub fn family(&self) -> Family {
        self.reason.family()
    }

    /// Did it use up a PIN try?
    #[must_use]
    pub fn try_charged(&self) -> TryCharged {
        self.try_charged
    }

    /// The verdict in a few words, for a chip or a heading.
    #[must_use]
    pub fn title(&self, lang: Lang) -> &str {
        self.title.get(lang)
    }

    /// What really happened, in one sentence, with as many facts as are known. For staff: it may say how many tries
    /// are left, so it must not stand on a receipt.
    #[must_use]
    pub fn sentence(&self, lang: Lang, facts: &Facts) -> String {
        let fact = |name: &str| facts.get(name, lang);
        match lang {
            Lang::Zh => self.sentence_zh.fill(&fact),
            Lang::En => self.sentence_en.fill(&fact),
        }
    }

    /// What to do now.
    #[must_use]
    pub fn todo(&self, lang: Lang, audience: Audience) -> &str {
        match audience {
            Audience::Cardholder => self.cardholder.get(lang),
            Audience::Cashier => self.cashier.get(lang),
            Audience::Engineer => self.engineer.get(lang),
        }
    }
}

/// The texts of a reason.
///
/// # Panics
/// Never: a test finds every reason in the data.
#[must_use]
pub fn reason(reason: ReasonCode) -> &'static ReasonText {
    let index = ReasonCode::ALL.iter().position(|r| *r == reason).expect("every reason is in ALL");
    &REASONS[index]
}

/// The texts of all reasons, in the order of [`ReasonCode::ALL`].
#[must_use]
pub fn reasons() -> &'static [ReasonText] {
    &REASONS
}

static REASONS: LazyLock<Vec<ReasonText>> =
    LazyLock::new(|| read(include_str!("../data/reasons.toml")).expect("a test reads the data"));

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    try_charged: TryCharged,
    title: Bilingual,
    sentence: Bilingual,
    cardholder: Bilingual,
    cashier: Bilingual,
    engineer: Bilingual,
}

fn read(text: &str) -> Result<Vec<ReasonText>, String> {
    let mut entries: BTreeMap<ReasonCode, Entry> = toml::from_str(text).map_err(|e| e.to_string())?;
    ReasonCode::ALL
        .iter()
        .map(|reason| {
            let entry = entries.remove(reason).ok_or(format!("no text for the reason {reason}"))?;
            let sentence = |lang| {
                Sentence::parse(entry.sentence.get(lang), Facts::NAMES)
                    .map_err(|e| format!("{reason}, {lang}: {e}"))
            };
            Ok(ReasonText {
                reason: *reason,
                try_charged: entry.try_charged,
                sentence_zh: sentence(Lang::Zh)?,
                sentence_en: sentence(Lang::En)?,
                title: entry.title,
                cardholder: entry.cardholder,
                cashier: entry.cashier,
                engineer: entry.engineer,
            })
        })
        .collect()
}
