//! A PIN change without a terminal, on its holder's own page: the old PIN is a PIN like any other, and its tries are the card's.
//!
//! A locked card learns nothing, and neither does one whose PIN was reset or that owes a second proof of identity: the ladder of
//! the tills has no way around it here.

use model::{ReasonCode, SealedReference, Timestamp};

use crate::{
    card::CardRecord,
    decide::{count_mismatch, counter_after, release_in_time},
    effect::Effect,
    eligibility,
    pin::{NewPin, PinPolicy, PinStanding, history},
    policy::ProductPolicy,
    state::CardState,
};

/// The card as it is now, and its product.
#[derive(Debug, Clone, Copy)]
pub struct PageChange<'a> {
    /// As registered.
    pub record: &'a CardRecord,
    /// As decisions have made it.
    pub state: &'a CardState,
    /// The product's policy.
    pub policy: &'a ProductPolicy,
    /// Now.
    pub now: Timestamp,
}

impl PageChange<'_> {
    /// May the old PIN be looked at? What comes of it begins with these effects.
    ///
    /// # Errors
    /// Why not; nothing is counted.
    pub fn admit(&self) -> Result<Vec<Effect>, ReasonCode> {
        let released = release_in_time(self.state, self.now);
        eligibility::unblocked(self.record, self.state, self.now)?;
        if self.state.lock.is_some() && released.is_empty() {
            return Err(ReasonCode::CardLocked);
        }
        if self.state.pin_standing() == PinStanding::ResetPending {
            return Err(ReasonCode::PinResetPending);
        }
        if released.is_empty() {
            eligibility::second_proof(self.state, self.now)?;
        }
        Ok(released)
    }

    /// The old PIN was wrong: one try, as at a till.
    #[must_use]
    pub fn wrong(&self, admitted: Vec<Effect>) -> (ReasonCode, Vec<Effect>) {
        let mut effects = admitted;
        let reason = count_mismatch(self.policy, self.state, &mut effects, self.now);
        (reason, effects)
    }

    /// The old PIN was right and the new one is allowed. `reference` and `retired` are sealed.
    #[must_use]
    pub fn changed(
        &self,
        admitted: Vec<Effect>,
        reference: SealedReference,
        retired: SealedReference,
    ) -> Vec<Effect> {
        let mut effects = admitted;
        if counter_after(self.state, &effects).used() > 0 || self.state.locks_in_a_row > 0 {
            effects.push(Effect::ResetTries);
        }
        let policy: &PinPolicy = &self.policy.pin;
        let earlier = history(self.state, policy, Some(retired));
        effects.push(Effect::SetPin { new: Box::new(NewPin { reference, earlier, at: self.now }) });
        effects
    }
}
