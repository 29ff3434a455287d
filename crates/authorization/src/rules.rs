//! What the bank's risk rules make of a payment. They are asked after the PIN was looked at and before the decision is
//! appended, and what they say arrives here as data (rules P11):
//!
//! - they refuse what would have been approved, and approve nothing that is refused;
//! - a proven mismatch is counted once and answered as one, whatever they say, so no rule costs a guess or gives one;
//! - a right PIN gives the tries back also when a rule refuses the payment (P3).

use minicbor::{Decode, Encode};
use model::{Kind, ReasonCode};
use serde::Serialize;

use crate::{
    card::Block,
    effect::Effect,
    policy::{Consequence, ProductPolicy},
    state::{CardState, StepUp},
};

/// How long a step-up that a rule asked for counts, in seconds, where the product has no rung that says so.
const STEP_UP_VALID_S: u32 = 300;

/// What the rules say about one payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RiskVerdict {
    /// Nothing against it.
    #[default]
    Pass,
    /// A second proof of identity is needed first.
    StepUp,
    /// It is refused.
    Decline(ReasonCode),
    /// It is refused, and the card is blocked until somebody looks at it.
    BlockCard(ReasonCode),
}

/// The rules that spoke, as the journal keeps them: at most two kilobytes.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct RuleHits {
    /// The version of the rule set: the digest of its text.
    #[n(0)]
    pub version: String,
    /// Live rules that fired, the one that decided first.
    #[n(1)]
    pub fired: Vec<RuleHit>,
    /// Rules in shadow that would have fired.
    #[n(2)]
    pub shadow: Vec<String>,
    /// Rules that had no truth value.
    #[n(3)]
    pub errors: Vec<String>,
}

/// A rule that fired.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct RuleHit {
    /// Its id.
    #[n(0)]
    pub rule: String,
    /// What it asked for, by its fixed name.
    #[n(1)]
    pub action: String,
    /// How grave it is, 0 to 100.
    #[n(2)]
    pub score: u8,
}

impl RiskVerdict {
    /// Why what would be approved is refused.
    pub(crate) fn refusal(self, kind: Kind, state: &CardState) -> Option<ReasonCode> {
        match self {
            Self::Pass => None,
            // Only where there is a PIN is there a second proof; one that was given counts.
            Self::StepUp => {
                let given = matches!(state.step_up, Some(StepUp::Passed { .. }));
                (kind.asks_for_pin() && !given).then_some(ReasonCode::StepUpRequired)
            }
            Self::Decline(reason) | Self::BlockCard(reason) => Some(reason),
        }
    }

    /// What it changes beside the answer.
    pub(crate) fn effects(
        self,
        refused: ReasonCode,
        policy: &ProductPolicy,
        state: &CardState,
    ) -> Option<Effect> {
        match self {
            Self::StepUp if refused == ReasonCode::StepUpRequired => {
                let rungs = policy.rungs.iter().find_map(|rung| match rung.consequence {
                    Consequence::StepUp { valid_s } => Some(valid_s),
                    Consequence::Restrict { .. } => None,
                });
                Some(Effect::RequireStepUp { valid_s: rungs.unwrap_or(STEP_UP_VALID_S) })
            }
            Self::BlockCard(_) if state.block.is_none() => {
                Some(Effect::SetBlock { block: Some(Block::Rule) })
            }
            Self::Pass | Self::StepUp | Self::Decline(_) | Self::BlockCard(_) => None,
        }
    }
}
