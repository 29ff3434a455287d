//! What the bank's staff may do to a card: the other door to the same state. Each returns effects for the journal.

use model::{Timestamp, TransactionKey};
use serde::{Deserialize, Serialize};

use crate::{
    card::Block,
    effect::{Effect, ReleasedBy, RestoredTries},
    policy::{Consequence, ProductPolicy, Rung},
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
    /// No try that counts now was consumed by the named transactions: the holder's own guesses stay counted.
    #[error("none of the tries that count was consumed by these transactions")]
    NothingToRestore,
}

/// Tries that a fault consumed, by the transactions in which it did.
#[derive(Debug, Clone, Copy)]
pub struct Fault<'a> {
    /// The incident that proves it.
    pub incident: u64,
    /// Its transactions.
    pub transactions: &'a [TransactionKey],
}

/// Gives back the tries that a fault consumed: of those that count now, the ones of the named transactions and no other. So a
/// card never has more guesses than its limit and what the fault cost it. A lock ends if one of them was needed for it; steps
/// of the ladder end if they are not reached any more.
///
/// # Errors
/// [`NotApplicable::NothingToRestore`], also for a lock whose time has come: its next payment gets all tries back.
pub fn restore_tries(
    state: &CardState,
    policy: &ProductPolicy,
    fault: &Fault<'_>,
    now: Timestamp,
) -> Result<Vec<Effect>, NotApplicable> {
    let charged = state.charged().iter().map(|charged| charged.key);
    let transactions: Vec<TransactionKey> = charged.filter(|key| fault.transactions.contains(key)).collect();
    let released = state.lock.is_some_and(|lock| lock.has_expired(now));
    if transactions.is_empty() || released {
        return Err(NotApplicable::NothingToRestore);
    }
    let given_back = u8::try_from(transactions.len()).unwrap_or(u8::MAX);
    let counter = state.tries.after_restoring(given_back);
    let undone = |rung: &&Rung| rung.after > counter.used() && rung.after <= state.tries.used();
    let still_reached = |rung: &&Rung| rung.after <= counter.used();
    let steps_up = |rung: &Rung| matches!(rung.consequence, Consequence::StepUp { .. });
    let restricts = |rung: &Rung| matches!(rung.consequence, Consequence::Restrict { .. });
    let any = |reached: &dyn Fn(&&Rung) -> bool, of: &dyn Fn(&Rung) -> bool| {
        policy.rungs.iter().filter(|rung| reached(rung)).any(of)
    };
    let restored = RestoredTries {
        incident: fault.incident,
        transactions,
        counter,
        lifts_lock: state.lock.is_some() && !counter.is_exhausted(policy.pin_try_limit),
        lifts_step_up: any(&undone, &steps_up) && !any(&still_reached, &steps_up),
    };
    let mut effects = vec![Effect::RestoreTries { restored: Box::new(restored) }];
    // The newest restriction stands for the highest rung that was reached.
    if state.restriction.is_some() && any(&undone, &restricts) && !any(&still_reached, &restricts) {
        effects.push(Effect::Unrestrict);
    }
    Ok(effects)
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
