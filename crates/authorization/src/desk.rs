//! What the bank's staff may do to a card: the other door to the same state. Each returns effects for the journal.

use model::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    card::Block,
    effect::{Effect, ReleasedBy},
    state::{CardState, StepUp},
};

/// An action by staff.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// End the lock and give all tries back.
    Unlock,
    /// Refuse the card as lost.
    BlockLost,
    /// Refuse the card as stolen.
    BlockStolen,
    /// Refuse the card.
    Block,
    /// Lift any block.
    Unblock,
    /// The holder gave the second proof of identity.
    PassStepUp,
    /// Lift the restriction after wrong PINs.
    Unrestrict,
}

/// The action does not fit the card's state; nothing changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotApplicable {
    /// There is no lock.
    #[error("the card is not locked")]
    NotLocked,
    /// There is no block.
    #[error("the card is not blocked")]
    NotBlocked,
    /// The ladder does not ask for a step-up.
    #[error("no step-up is asked for")]
    NoStepUp,
    /// There is no restriction.
    #[error("the card is not restricted")]
    NotRestricted,
}

/// The effects of an action.
///
/// # Errors
/// [`NotApplicable`] when the state has nothing to act on.
pub fn act(state: &CardState, action: Action, now: Timestamp) -> Result<Vec<Effect>, NotApplicable> {
    match action {
        Action::Unlock if state.lock.is_none() && state.tries.used() == 0 => Err(NotApplicable::NotLocked),
        Action::Unlock => Ok(vec![Effect::Unlock { by: ReleasedBy::Staff }]),
        Action::BlockLost => Ok(vec![Effect::SetBlock { block: Some(Block::Lost) }]),
        Action::BlockStolen => Ok(vec![Effect::SetBlock { block: Some(Block::Stolen) }]),
        Action::Block => Ok(vec![Effect::SetBlock { block: Some(Block::Staff) }]),
        Action::Unblock if state.block.is_none() => Err(NotApplicable::NotBlocked),
        Action::Unblock => Ok(vec![Effect::SetBlock { block: None }]),
        Action::PassStepUp => match state.step_up {
            Some(StepUp::Required { valid_s } | StepUp::Passed { valid_s, .. }) => {
                Ok(vec![Effect::StepUpPassed { until: now.plus_s(i64::from(valid_s)) }])
            }
            None => Err(NotApplicable::NoStepUp),
        },
        Action::Unrestrict if state.restriction.is_none() => Err(NotApplicable::NotRestricted),
        Action::Unrestrict => Ok(vec![Effect::Unrestrict]),
    }
}
