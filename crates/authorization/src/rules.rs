//! What the bank's risk rules make of a payment. They are asked after the PIN was looked at and before the decision is
//! appended, and what they say arrives here as data (rules P11):
//!
//! - they refuse what would have been approved, and approve nothing that is refused;
//! - a proven mismatch is counted once and answered as one, whatever they say, so no rule costs a guess or gives one;
//! - a right PIN gives the tries back also when a rule refuses the payment (P3).

use minicbor::{CborLen, Decode, Encode};
use model::{Kind, ReasonCode};
use serde::{Deserialize, Serialize};

use crate::{
    card::Block,
    effect::Effect,
    policy::ProductPolicy,
    second::{VALID_S, valid_s_of},
    state::{CardState, StepUp},
};

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

/// The rules that spoke, as the journal keeps them: at most two kilobytes ([`RuleHits::fit`]).
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, CborLen, Serialize, Deserialize)]
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
    /// Why, in words, one for each of [`errors`](Self::errors). Entries of earlier versions have none.
    #[n(4)]
    pub faults: Option<Vec<String>>,
    /// Live rules that fired and were snoozed for this card, terminal or shop.
    #[n(5)]
    pub snoozed: Option<Vec<String>>,
    /// What sets beside the live one would have done.
    #[n(6)]
    pub beside: Option<Vec<BesideHits>>,
}

/// A rule that fired.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, CborLen, Serialize, Deserialize)]
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
    /// Why it declines, by the reason's fixed name, if it does.
    #[n(3)]
    pub reason: Option<String>,
    /// The terms of its condition with their values at that moment. Entries of earlier versions have none.
    #[n(4)]
    pub terms: Option<Vec<RuleTerm>>,
}

/// One term of a condition that was true.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, CborLen, Serialize, Deserialize)]
pub struct RuleTerm {
    /// As it is written in the rule.
    #[n(0)]
    pub text: String,
    /// The names in it, each with the value that it had: `count(card, "1h") = 3`.
    #[n(1)]
    pub values: Vec<String>,
    /// Was it true? Nothing, if it had no value.
    #[n(2)]
    pub held: Option<bool>,
}

/// What a set that runs beside the live one would have done.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, CborLen, Serialize, Deserialize)]
pub struct BesideHits {
    /// The first characters of its version.
    #[n(0)]
    pub version: String,
    /// Its strongest action, by its fixed name; nothing, if none of its rules fired.
    #[n(1)]
    pub action: Option<String>,
    /// Would it have declined?
    #[n(2)]
    pub declines: bool,
    /// Its rules that fired.
    #[n(3)]
    pub rules: Vec<String>,
    /// Its rules that had no truth value.
    #[n(4)]
    pub errors: Vec<String>,
}

/// Bytes of the rules' part of an entry.
pub const HITS_BYTES_MAX: usize = 2048;

impl RuleHits {
    /// Leaves out what does not fit into the entry: first the explanations of the rules that did not decide, then the rules
    /// in shadow and beside, then of the rules that fired the last. What decided stays.
    #[must_use]
    pub fn fit(mut self) -> Self {
        while minicbor::len(&self) > HITS_BYTES_MAX && self.shorten() {}
        self
    }

    /// One thing less; `false`: there is nothing left that could go.
    fn shorten(&mut self) -> bool {
        let explained = self.fired.iter_mut().skip(1).rev().find(|hit| hit.terms.is_some());
        if let Some(hit) = explained {
            hit.terms = None;
            return true;
        }
        let beside = self.beside.as_mut().and_then(Vec::pop).is_some();
        if beside || self.shadow.pop().is_some() {
            return true;
        }
        if self.fired.len() > 1 {
            return self.fired.pop().is_some();
        }
        if self.faults.take().is_some() || self.snoozed.take().is_some() || self.errors.pop().is_some() {
            return true;
        }
        self.fired.first_mut().and_then(|hit| hit.terms.as_mut()).and_then(Vec::pop).is_some()
    }

    /// Did a rule decline the payment, or would it have, if it was refused for another reason before?
    #[must_use]
    pub fn declines(&self) -> bool {
        self.fired.first().is_some_and(|hit| hit.reason.is_some())
    }
}

impl RiskVerdict {
    /// Why what would be approved is refused.
    pub(crate) fn refusal(self, kind: Kind, state: &CardState, proven: bool) -> Option<ReasonCode> {
        match self {
            Self::Pass => None,
            // Only where there is a PIN is there a second proof; one that was given counts.
            Self::StepUp => {
                let given = proven || matches!(state.step_up, Some(StepUp::Passed { .. }));
                (kind.asks_for_pin() && !given).then_some(ReasonCode::StepUpRequired)
            }
            Self::Decline(reason) | Self::BlockCard(reason) => Some(reason),
        }
    }

    /// What it changes beside the answer.
    pub(crate) fn effects(
        self,
        refused: ReasonCode,
        policy: Option<&ProductPolicy>,
        state: &CardState,
    ) -> Option<Effect> {
        match self {
            Self::StepUp if refused == ReasonCode::StepUpRequired => {
                Some(Effect::RequireStepUp { valid_s: policy.map_or(VALID_S, valid_s_of) })
            }
            Self::BlockCard(_) if state.block.is_none() => {
                Some(Effect::SetBlock { block: Some(Block::Rule) })
            }
            Self::Pass | Self::StepUp | Self::Decline(_) | Self::BlockCard(_) => None,
        }
    }
}
