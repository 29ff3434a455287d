//! The part of the decision that a PIN change takes: the old PIN is a PIN like any other, the new one is looked at behind it.

use model::{ReasonCode, Unverifiable};

use super::{Approval, Case, Decision, PinChangeOutcome, PinVerdict, Posting, Verdict, reason_for};
use crate::{
    effect::Effect,
    pin::{self, NewPin},
    second::Proof,
    settlement::Movement,
};

impl Case<'_> {
    /// The old and the new PIN were sent. A wrong old one is a try like any other; a new one that is not allowed costs none and
    /// changes nothing.
    pub(super) fn with_change<'e>(
        &self,
        mut effects: Vec<Effect>,
        outcome: &'e PinChangeOutcome,
        proof: &Proof,
    ) -> Decision<'e> {
        match outcome {
            PinChangeOutcome::Unchanged(outcome) => self.with_pin(effects, outcome, proof),
            PinChangeOutcome::NewPinRefused => {
                // It says that the old one was right: the attempt has learnt something, and its proof is used up.
                effects.extend(proof.used());
                let reason = ReasonCode::NewPinRefused;
                self.remember(
                    effects,
                    Verdict::Declined(reason),
                    reason,
                    PinVerdict::Discarded,
                    Posting::none(),
                )
            }
            PinChangeOutcome::Changed { verified, .. } if verified.card() != self.card => {
                // Our bug, never the holder's: as in `with_pin`.
                let cause = PinVerdict::Unverifiable(Unverifiable::Key);
                let reason = reason_for(Unverifiable::Key);
                self.remember(effects, Verdict::Declined(reason), reason, cause, Posting::none())
            }
            PinChangeOutcome::Changed { verified, reference, retired } => {
                self.right_pin(&mut effects, proof);
                let earlier = pin::history(self.state, &self.policy.pin, Some(retired.clone()));
                let new = NewPin { reference: reference.clone(), earlier, at: self.now };
                let set = Posting::new([Effect::SetPin { new: Box::new(new) }], Movement::default(), None);
                match self.refused_by_rule() {
                    Some(reason) => {
                        let verdict = Verdict::Declined(reason);
                        self.remember(effects, verdict, reason, PinVerdict::Verified, Posting::none())
                    }
                    None => {
                        let verdict = Verdict::Approved(Approval::with_pin(verified));
                        self.remember(effects, verdict, ReasonCode::Approved, PinVerdict::Verified, set)
                    }
                }
            }
        }
    }
}
