//! Asking the security module about a PIN: is it the card's, and, where a new one was sent with it, may it become the card's?
//! Whatever goes wrong on the way is "unverifiable", never "wrong".

use std::time::{Duration, Instant};

use authorization::{PinChangeOutcome, PinEvidence, PinStanding};
use hsm::{ChangePin, EncryptedPinBlock, NewPinRules, PinChangeRefused, PinChanged, PinKey, VerifyPin};
use model::{HolderDigits, PinOutcome, PinReference, PinRules, SealedReference, Unverifiable};
use store::{Card, StoreError};
use tracing::error;

use super::{
    Work,
    authenticate::{Keys, Under},
    key_set,
};
use crate::intake::Payment;

/// What the security module said, and about which reference.
pub(crate) struct Said {
    outcome: Outcome,
    /// The card's own, while it had none in its register.
    against: Option<SealedReference>,
}

enum Outcome {
    Asked(PinOutcome),
    Changed(PinChangeOutcome),
}

impl Said {
    fn unverifiable(cause: Unverifiable) -> Self {
        Self { outcome: Outcome::Asked(PinOutcome::Unverifiable(cause)), against: None }
    }

    /// For the decision.
    pub(crate) fn evidence(&self) -> PinEvidence<'_> {
        match &self.outcome {
            Outcome::Asked(outcome) => PinEvidence::Asked(outcome),
            Outcome::Changed(outcome) => PinEvidence::Changed(outcome),
        }
    }

    /// Another decision changed the PIN after the module was asked: what it said is about a PIN that is none any more. Nothing is
    /// counted and nothing approved.
    pub(crate) fn forget_if_stale(&mut self, card: &Card) {
        let now = standing(card);
        let learnt = match &self.outcome {
            Outcome::Asked(outcome) | Outcome::Changed(PinChangeOutcome::Unchanged(outcome)) => {
                !matches!(outcome, PinOutcome::Unverifiable(_))
            }
            Outcome::Changed(_) => true,
        };
        if learnt && now != self.against {
            *self = Self { against: now, ..Self::unverifiable(Unverifiable::NoReference) };
        }
    }
}

fn standing(card: &Card) -> Option<SealedReference> {
    match card.state.pin_standing() {
        PinStanding::Set(sealed) => Some(sealed.clone()),
        PinStanding::Registered | PinStanding::ResetPending => None,
    }
}

/// Asks. The blocks are taken out of the payment: they are used once.
pub(crate) async fn ask(work: &Work<'_>, payment: &mut Payment, keys: &Keys, card: &Card) -> Said {
    let Some(reference) = reference(work, card) else {
        return Said::unverifiable(Unverifiable::NoReference);
    };
    let Some(block) = payment.pin_block.take() else {
        return Said::unverifiable(Unverifiable::PinBlockFormat);
    };
    let new_block = payment.new_pin_block.take();
    let started = Instant::now();
    let admitted;
    let key = match &keys.under {
        Under::Work { tpk, .. } => PinKey::Key(tpk),
        // A key of this one transaction is used for its PINs and never again.
        Under::Derived { bdk, ksn } => match key_set::use_ksn(work, *ksn, payment.request.key).await {
            Ok(proof) => {
                admitted = proof;
                PinKey::Derived { bdk, ksn: &admitted }
            }
            Err(cause) => return Said::unverifiable(cause),
        },
    };
    let verify = VerifyPin {
        card: card.id,
        pan: &payment.pan,
        key,
        block,
        format: keys.format,
        reference: &reference,
    };
    let outcome = match new_block {
        None => Outcome::Asked(verified(work, verify).await),
        Some(new_block) => Outcome::Changed(changed(work, card, verify, new_block).await),
    };
    work.shared.metrics.pin_verified(started.elapsed());
    Said { outcome, against: standing(card) }
}

async fn verified(work: &Work<'_>, request: VerifyPin<'_>) -> PinOutcome {
    let away = PinOutcome::Unverifiable(Unverifiable::ModuleUnavailable);
    tokio::time::timeout(patience(work), work.shared.module.verify_pin(request)).await.unwrap_or(away)
}

async fn changed(
    work: &Work<'_>,
    card: &Card,
    verify: VerifyPin<'_>,
    new_block: EncryptedPinBlock,
) -> PinChangeOutcome {
    let unverifiable = |cause| PinChangeOutcome::Unchanged(PinOutcome::Unverifiable(cause));
    let Some(policy) = work.shared.products.get(&card.record.product) else {
        return unverifiable(Unverifiable::NoReference);
    };
    let holder = match work.shared.holders.get() {
        Some(holders) => holders.digits(&card.id).await,
        None => HolderDigits::default(),
    };
    let old = verify.reference;
    let earlier = earlier(work, card);
    let rules = NewPinRules { rules: policy.pin.rules, holder: &holder, earlier: &earlier };
    let asking = work.shared.module.change_pin(ChangePin { verify, new_block, rules });
    match tokio::time::timeout(patience(work), asking).await {
        Ok(Ok(PinChanged { verified, reference })) => {
            let seal = |reference| work.shared.store.engine().seal_reference(&card.id, reference);
            match (seal(&reference), seal(old)) {
                (Ok(reference), Ok(retired)) => PinChangeOutcome::Changed { verified, reference, retired },
                (Err(error), _) | (_, Err(error)) => {
                    error!(%error, "a PIN reference could not be sealed");
                    unverifiable(Unverifiable::ModuleUnavailable)
                }
            }
        }
        Ok(Err(PinChangeRefused::Mismatch)) => PinChangeOutcome::Unchanged(PinOutcome::Mismatch),
        Ok(Err(PinChangeRefused::NewPinRefused)) => PinChangeOutcome::NewPinRefused,
        Ok(Err(PinChangeRefused::Unverifiable(cause))) => unverifiable(cause),
        Err(_) => unverifiable(Unverifiable::ModuleUnavailable),
    }
}

/// What the PIN is compared with now; none while a reset waits for its holder.
fn reference(work: &Work<'_>, card: &Card) -> Option<PinReference> {
    match card.state.pin_standing() {
        PinStanding::Registered => card.reference.as_deref().cloned(),
        PinStanding::Set(sealed) => readable(work, card, sealed),
        PinStanding::ResetPending => None,
    }
}

/// References of earlier PINs, as many as the product remembers. The present one is compared anyway.
fn earlier(work: &Work<'_>, card: &Card) -> Vec<PinReference> {
    let sealed = card.state.pin.as_deref().map_or(&[][..], |pin| &pin.earlier);
    let most = usize::from(PinRules::HISTORY_MAX);
    sealed.iter().take(most).filter_map(|sealed| readable(work, card, sealed)).collect()
}

fn readable(work: &Work<'_>, card: &Card, sealed: &SealedReference) -> Option<PinReference> {
    let opened: Result<PinReference, StoreError> =
        work.shared.store.engine().open_reference(&card.id, sealed);
    opened.inspect_err(|error| error!(%error, "a PIN reference cannot be used")).ok()
}

fn patience(work: &Work<'_>) -> Duration {
    Duration::from_millis(work.shared.settings.module_timeout_ms)
}
