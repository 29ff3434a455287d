//! Staff at the same door as a payment: an action on a card is read, decided and appended like one.

use async_trait::async_trait;
use authorization::desk::{self, Action};
use model::Timestamp;

use crate::{Card, CardWork, Entry, Event, Step, Subject, journal::DeskAction};

/// One action of staff on one card, for [`Store::with_card`](crate::Store::with_card).
#[derive(Debug, Clone)]
pub struct DeskWork {
    /// What is done.
    pub action: Action,
    /// Who does it.
    pub actor: String,
    /// Why.
    pub why: String,
    /// When.
    pub now: Timestamp,
}

#[async_trait]
impl CardWork for DeskWork {
    type Error = desk::NotApplicable;

    async fn decide(&mut self, card: &Card) -> Result<Step, desk::NotApplicable> {
        let effects = desk::act(&card.state, self.action, self.now)?;
        let action = DeskAction {
            action: DeskAction::name(self.action).to_owned(),
            actor: self.actor.clone(),
            why: self.why.clone(),
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
