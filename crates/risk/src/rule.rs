//! One rule: a condition, what happens when it is true, and who answers for it. Rules are data (TOML); see
//! `docs/reference/rule-language.md`.

use std::fmt;

use model::Timestamp;
use serde::{Deserialize, Serialize};

/// A name for people, in both languages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Name {
    /// Chinese.
    pub zh: String,
    /// English.
    pub en: String,
}

/// A rule, without its compiled condition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rule {
    /// Its name in journals, metrics and the API: small letters, digits and hyphens; never given to another rule.
    pub id: String,
    /// For people.
    pub name: Name,
    /// Which attack or matter it belongs to.
    pub group: String,
    /// When it is asked.
    pub phase: Phase,
    /// The condition, as it was written.
    pub when: String,
    /// What happens when it is true.
    pub action: Action,
    /// Does it act?
    pub mode: Mode,
    /// Who answers for it.
    pub owner: String,
    /// From when it is asked.
    pub from: Option<Timestamp>,
    /// Until when.
    pub until: Option<Timestamp>,
    /// How grave it is, 0 to 100, for whoever sorts what fired.
    pub score: u8,
}

impl Rule {
    /// Is it asked at that time?
    #[must_use]
    pub fn is_valid_at(&self, now: Timestamp) -> bool {
        self.from.is_none_or(|from| from <= now) && self.until.is_none_or(|until| now < until)
    }
}

/// When a rule is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Within the authorization: it may change the answer.
    Authorize,
    /// After it: it only tells.
    After,
}

/// Does a rule act?
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// It is not asked.
    Off,
    /// It is asked, and what it would have done is recorded.
    Shadow,
    /// It acts.
    Live,
}

impl Mode {
    /// The name in a file.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Shadow => "shadow",
            Self::Live => "live",
        }
    }
}

/// What a rule does when its condition is true, from the weakest to the strongest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case", tag = "kind", content = "reason")]
pub enum Action {
    /// Tell somebody.
    Alert,
    /// Put it before an analyst; the answer stays.
    Review,
    /// Vouch for it: lifts alerts, reviews and step-ups of other rules, and never a decline or a block.
    Approve,
    /// Ask for a second proof of identity first.
    StepUp,
    /// Decline.
    Decline(DeclineReason),
    /// Decline, and block the card until somebody looks at it.
    BlockCard(DeclineReason),
    /// Decline, and suspend the terminal until somebody looks at it.
    BlockTerminal(DeclineReason),
}

impl Action {
    /// The name in a file.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Alert => "alert",
            Self::Review => "review",
            Self::Approve => "approve",
            Self::StepUp => "step-up",
            Self::Decline(_) => "decline",
            Self::BlockCard(_) => "block-card",
            Self::BlockTerminal(_) => "block-terminal",
        }
    }

    /// Why the payment is declined, if it is.
    #[must_use]
    pub fn declines(self) -> Option<DeclineReason> {
        match self {
            Self::Alert | Self::Review | Self::Approve | Self::StepUp => None,
            Self::Decline(reason) | Self::BlockCard(reason) | Self::BlockTerminal(reason) => Some(reason),
        }
    }

    /// Does it change the answer? What only tells may stand in either phase.
    #[must_use]
    pub fn changes_the_answer(self) -> bool {
        !matches!(self, Self::Alert | Self::Review)
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// What a rule's decline says to the terminal, in the terms of ISO 8583:1987 (DE 39). Which code a network has for it is in
/// its profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeclineReason {
    /// 57: transaction not permitted to cardholder.
    NotPermitted,
    /// 61: exceeds withdrawal amount limit.
    AmountLimit,
    /// 65: exceeds withdrawal frequency limit.
    TooOften,
    /// 62: restricted card.
    RestrictedCard,
    /// 63: security violation.
    SecurityViolation,
    /// 59: suspected fraud.
    SuspectedFraud,
}

impl DeclineReason {
    /// Every reason, in the order of the documentation.
    pub const ALL: [Self; 6] = [
        Self::NotPermitted,
        Self::AmountLimit,
        Self::TooOften,
        Self::RestrictedCard,
        Self::SecurityViolation,
        Self::SuspectedFraud,
    ];

    /// The name in a file.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::NotPermitted => "not-permitted",
            Self::AmountLimit => "amount-limit",
            Self::TooOften => "too-often",
            Self::RestrictedCard => "restricted-card",
            Self::SecurityViolation => "security-violation",
            Self::SuspectedFraud => "suspected-fraud",
        }
    }

    /// The code in ISO 8583:1987 (DE 39).
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::NotPermitted => "57",
            Self::AmountLimit => "61",
            Self::TooOften => "65",
            Self::RestrictedCard => "62",
            Self::SecurityViolation => "63",
            Self::SuspectedFraud => "59",
        }
    }
}
