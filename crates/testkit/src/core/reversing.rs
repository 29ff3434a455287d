//! A reversal in the pure world.

use std::convert::Infallible;

use async_trait::async_trait;
use authorization::{
    Outcome, Products, Profile, Role, decide::References, request::ReversalRequest, reversal::decide_reversal,
};
use model::{Currency, Timestamp};
use store::{Card, CardWork, Step as WorkStep, journal::Transaction};

use super::append;

pub(super) struct Reversing<'a> {
    pub(super) request: ReversalRequest,
    pub(super) profile: &'a Profile,
    pub(super) products: &'a Products,
    pub(super) references: References,
    pub(super) now: Timestamp,
}

#[async_trait]
impl CardWork for Reversing<'_> {
    type Error = Infallible;

    async fn decide(&mut self, card: &Card) -> Result<WorkStep, Infallible> {
        let decision = match decide_reversal(&card.state, &self.request, self.references.rrn, self.now) {
            Outcome::Repeat { journal_seq } => return Ok(WorkStep::Repeat(journal_seq)),
            Outcome::Decided(decision) => decision,
            Outcome::NeedsPin => unreachable!("a reversal asks for no PIN"),
        };
        let limit = self.products.get(&card.record.product).map(|p| p.pin_try_limit);
        let transaction = Transaction {
            role: Role::Reversal,
            key: self.request.key,
            pan: card.record.pan.clone(),
            merchant: "898510154110283".parse().unwrap_or_else(|_| unreachable!("15 characters")),
            amount: self.request.amount,
            currency: Currency::CNY,
            rrn: self.references.rrn,
            approval: None,
            reason: decision.reason,
            code: self.profile.code(decision.reason, false),
            pin: decision.pin,
            tries_left: limit.map_or(0, |l| card.state.tries.left(l)),
            tries_limit: limit.map_or(0, |l| l.get()),
            locked: None,
            effects: decision.effects,
            movement: decision.movement,
            original: decision.original,
            forwarded: None,
            rules: None,
            operator: None,
        };
        Ok(append(card, self.now, transaction))
    }
}
