//! What is written into a card's journal here, through the one read-decide-append that payments use too.

use async_trait::async_trait;
use authorization::{
    Effect, PinStanding, ProductPolicy, Products,
    pin::{self, ActivationDigest, NotActive},
};
use model::{SealedReference, Timestamp};
use store::{Card, CardWork, Engine, Entry, Event, Step, StoreError, Subject, journal::DeskAction};

/// Why nothing was written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotWritten {
    /// Its product has no policy: another issuer's card.
    #[error("not our card")]
    NotOurs,
    /// The activation is not taken.
    #[error(transparent)]
    NotActive(#[from] NotActive),
    /// The reference could not be sealed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// One change of a card's PIN.
pub(crate) struct PinWork<'a> {
    pub(crate) what: What,
    pub(crate) engine: &'a dyn Engine,
    pub(crate) products: &'a Products,
    pub(crate) actor: &'a str,
    pub(crate) why: &'a str,
    pub(crate) now: Timestamp,
}

/// Which.
pub(crate) enum What {
    /// The PIN is reset; this activation sets a new one.
    Reset(ActivationDigest),
    /// Somebody guessed at a token.
    Fail,
    /// An attempt to use this activation: counted before anything is compared.
    Attempt(ActivationDigest),
    /// The activation is used; this is the new PIN's reference.
    Activate(ActivationDigest, SealedReference),
}

#[async_trait]
impl CardWork for PinWork<'_> {
    type Error = NotWritten;

    async fn decide(&mut self, card: &Card) -> Result<Step, NotWritten> {
        let policy = self.products.get(&card.record.product).ok_or(NotWritten::NotOurs)?;
        let (name, effects) = self.effects(card, policy)?;
        let action = DeskAction {
            action: name.to_owned(),
            actor: self.actor.to_owned(),
            why: self.why.to_owned(),
            effects,
        };
        Ok(Step::Append(Box::new(Entry {
            subject: Subject::Card(card.id),
            seq: card.state.seq + 1,
            at: self.now,
            event: Event::Desk(action),
            exchange: None,
        })))
    }
}

impl PinWork<'_> {
    fn effects(
        &self,
        card: &Card,
        policy: &ProductPolicy,
    ) -> Result<(&'static str, Vec<Effect>), NotWritten> {
        Ok(match &self.what {
            What::Reset(activation) => {
                let retired = present(self.engine, card)?;
                (DeskAction::RESET_PIN, pin::reset(&card.state, policy, retired, *activation, self.now))
            }
            What::Fail => (DeskAction::FAIL_ACTIVATION, pin::fail_activation(&card.state)),
            What::Attempt(activation) => {
                // Asked again where it is written: two pages may have the same link open.
                pin::activation(&card.state, activation, self.now)?;
                (DeskAction::FAIL_ACTIVATION, pin::fail_activation(&card.state))
            }
            What::Activate(activation, reference) => {
                pin::attempted(&card.state, activation, self.now)?;
                (DeskAction::SET_PIN, pin::activate(&card.state, policy, reference.clone(), self.now))
            }
        })
    }
}

/// What the PIN is compared with now, sealed.
fn present(engine: &dyn Engine, card: &Card) -> Result<Option<SealedReference>, StoreError> {
    match card.state.pin_standing() {
        PinStanding::Set(sealed) => Ok(Some(sealed.clone())),
        PinStanding::Registered => {
            card.reference.as_deref().map(|reference| engine.seal_reference(&card.id, reference)).transpose()
        }
        PinStanding::ResetPending => Ok(None),
    }
}
