//! The second proof of identity in a decision: is there one for exactly this payment, was what was typed with it right, and is a
//! challenge to be issued. What it is worth, `stepup` says; here it meets the ladder and the rules.
//!
//! An answer is used up by the attempt that reaches the PIN with it. An attempt that learnt nothing, because the security module
//! was away, uses nothing up.

use stepup::{Binding, ChallengeId, Change, Fresh, Given, Judgement};

use crate::{
    decide::Case,
    effect::Effect,
    policy::{Consequence, ProductPolicy},
    state::StepUp,
};

/// How long an answer counts, in seconds, where the product has no rung that says so.
pub(crate) const VALID_S: u32 = 300;

/// What the caller brings along for it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Second {
    /// For a challenge that may have to be issued; without it none is.
    pub fresh: Option<Fresh>,
    /// What was typed with the payment, as far as it was looked at.
    pub said: Option<Given>,
}

/// Where the second proof of a payment stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Proof {
    /// There is none.
    Missing,
    /// What was typed with the payment is wrong.
    Wrong(Change),
    /// It was given: before, or with this payment.
    Given { with_payment: Option<Change>, id: ChallengeId },
}

impl Proof {
    /// Looks at it. Whether it is needed at all is the ladder's question, and the rules'.
    pub(crate) fn of(case: &Case<'_>) -> Self {
        let Some(proofs) = &case.state.proofs else { return Self::Missing };
        let binding = binding(case);
        if let Some(id) = proofs.passed(&binding, case.now) {
            return Self::Given { with_payment: None, id };
        }
        let (Some(open), Some(said)) = (proofs.open(&binding, case.now), &case.second.said) else {
            return Self::Missing;
        };
        match proofs.judge(open.id, said, case.now) {
            Judgement::Right(change) => Self::Given { with_payment: Some(change), id: open.id },
            Judgement::Wrong(change) => Self::Wrong(change),
            Judgement::NotNow(_) => Self::Missing,
        }
    }

    pub(crate) fn is_given(&self) -> bool {
        matches!(self, Self::Given { .. })
    }

    /// What was learnt about it, whatever becomes of the payment.
    pub(crate) fn learnt(&self) -> Option<Effect> {
        match self {
            Self::Missing | Self::Given { with_payment: None, .. } => None,
            Self::Wrong(change) | Self::Given { with_payment: Some(change), .. } => {
                Some(effect(change.clone()))
            }
        }
    }

    /// The payment came as far as the PIN.
    pub(crate) fn used(&self) -> Option<Effect> {
        match self {
            Self::Given { id, .. } => Some(effect(Change::Used { id: *id })),
            Self::Missing | Self::Wrong(_) => None,
        }
    }
}

/// The challenge that a refusal for want of a second proof brings, unless there is one already.
pub(crate) fn issued(case: &Case<'_>) -> Option<Effect> {
    let fresh = case.second.fresh.as_ref()?;
    let valid_s = match case.state.step_up {
        Some(StepUp::Required { valid_s } | StepUp::Passed { valid_s, .. }) => valid_s,
        None => valid_s_of(case.policy),
    };
    let proofs = case.state.proofs.as_deref().cloned().unwrap_or_default();
    proofs.issue(binding(case), fresh, valid_s, case.now).map(effect)
}

/// How long an answer counts for this product, in seconds.
pub(crate) fn valid_s_of(policy: &ProductPolicy) -> u32 {
    let rung = policy.rungs.iter().find_map(|rung| match rung.consequence {
        Consequence::StepUp { valid_s } => Some(valid_s),
        Consequence::Restrict { .. } => None,
    });
    rung.unwrap_or(VALID_S)
}

fn binding(case: &Case<'_>) -> Binding {
    let request = case.request;
    Binding {
        terminal: request.key.terminal,
        kind: request.kind,
        amount: request.amount,
        currency: request.currency,
    }
}

fn effect(change: Change) -> Effect {
    Effect::StepUp { change: Box::new(change) }
}
