//! Undo. The terminal has already given up, so a reversal is always answered; one that finds no original is
//! remembered where its original will look when it comes.

use async_trait::async_trait;
use authorization::{
    Outcome, Role, decide::References, request::ReversalRequest, reversal::decide_reversal,
    terminal::TerminalEffect,
};
use model::{CardId, MerchantId, ReasonCode};
use store::{
    Card, CardWork, Step, Terminal, TerminalWork, WorkError,
    journal::{LockedUntil, TerminalEvent, Transaction},
};
use tracing::info;

use super::{
    Answered, Work, again,
    authenticate::{self, Keys},
    count, forward,
    payment::{Failure, reason},
    refuse::refuse,
    silence, terminal,
};
use crate::{
    intake, metrics,
    reply::{Answer, compose},
};

/// Passes a reversal through. Batches are not checked: a terminal may reverse after it settled.
pub(crate) async fn stage(work: &Work<'_>) -> Answered {
    let engine = work.shared.store.engine();
    let request = match intake::reversal(engine, &work.link.profile, work.message, &work.identity) {
        Ok(request) => request,
        Err(unusable) => {
            info!(terminal = %work.identity.terminal, %unusable, "format error");
            return refuse(work, None, ReasonCode::FormatError).await;
        }
    };
    let _turn = work.shared.in_flight.turn(request.original).await;
    let terminal = match terminal::find(work).await {
        Ok(terminal) => terminal,
        Err(reason) => return refuse(work, None, reason).await,
    };
    let keys = match authenticate::verify(work, &terminal).await {
        Ok(keys) => keys,
        Err(reason) => return refuse(work, Some(&terminal), reason).await,
    };
    let card = match find_card(work, &request, &terminal).await {
        Ok(card) => card,
        Err(reason) => return refuse(work, Some(&terminal), reason).await,
    };
    let references = match work.references().await {
        Ok(references) => references,
        Err(reason) => return refuse(work, Some(&terminal), reason).await,
    };
    let merchant = work.identity.merchant.unwrap_or(terminal.record.merchant);
    let mut undo = Undoing { work, merchant, request, keys, references, repeated: false };
    let done = match card {
        Some(card) => work.shared.store.with_card(&card, &mut undo).await,
        None => bury(&mut undo).await,
    };
    if let (Some(forwarding), Some(card)) = (&work.shared.forwarding, card) {
        forwarding.wake(card);
    }
    match done {
        Ok(journaled) if undo.repeated => again(work, journaled, &undo.keys).await,
        Ok(journaled) => Answered::Decided(journaled),
        Err(WorkError::Unknown(why)) => silence(work, &why),
        Err(error) => refuse(work, Some(&terminal), reason(error)).await,
    }
}

/// The card of the original: by its number when the reversal carries one, else by the original's key. A copy of a
/// reversal that was buried is answered from the terminal's journal.
async fn find_card(
    work: &Work<'_>,
    request: &ReversalRequest,
    terminal: &Terminal,
) -> Result<Option<CardId>, ReasonCode> {
    if terminal.state.buried(&request.key).is_some() {
        return Ok(None);
    }
    let engine = work.shared.store.engine();
    let by_number = intake::pan(work.message).map(|pan| engine.card_id(&pan));
    if let Some(id) = by_number
        && engine.card(&id).await.map_err(|e| terminal::away(&e))?.is_some()
    {
        return Ok(Some(id));
    }
    engine.card_of(&request.original).await.map_err(|e| terminal::away(&e))
}

async fn bury(undo: &mut Undoing<'_>) -> Result<store::Journaled, WorkError<Failure>> {
    let terminal = undo.work.identity.terminal;
    undo.work.shared.store.with_terminal(&terminal, undo).await
}

struct Undoing<'a> {
    work: &'a Work<'a>,
    merchant: MerchantId,
    request: ReversalRequest,
    keys: Keys,
    references: References,
    /// It was decided before.
    repeated: bool,
}

impl Undoing<'_> {
    async fn reply(&self, reason: ReasonCode) -> Result<(Vec<u8>, model::ResponseCode), Failure> {
        let code = self.work.link.profile.codes.code(reason, false);
        count(self.work, code, reason);
        let answer = Answer { code: Some(code), references: Some(self.references), ..Answer::default() };
        let frame = compose(
            self.work.shared,
            self.work.asked,
            &answer,
            self.work.now,
            Some(self.keys.signer(self.work)),
        )
        .await?;
        Ok((frame, code))
    }
}

#[async_trait]
impl CardWork for Undoing<'_> {
    type Error = Failure;

    async fn decide(&mut self, card: &Card) -> Result<Step, Failure> {
        let (product, is_foreign) = (&card.record.product, card.record.is_foreign());
        let limit = match self.work.shared.products.get(product) {
            Some(policy) => Some(policy.pin_try_limit),
            None if is_foreign => None,
            None => return Err(Failure::NoPolicy(product.clone())),
        };
        let mut decision =
            match decide_reversal(&card.state, &self.request, self.references.rrn, self.work.now) {
                Outcome::Repeat { journal_seq } => {
                    metrics::repeated();
                    self.repeated = true;
                    return Ok(Step::Repeat(journal_seq));
                }
                Outcome::Decided(decision) => decision,
                Outcome::NeedsPin => unreachable!("a reversal never asks for a PIN"),
            };
        if is_foreign {
            forward::also_at_issuer(self.work, card, &self.request, &mut decision).await?;
        }
        let (reply, code) = self.reply(decision.reason).await?;
        let transaction = Transaction {
            role: Role::Reversal,
            key: self.request.key,
            pan: card.record.pan.clone(),
            merchant: self.merchant,
            amount: self.request.amount,
            currency: card.record.currency,
            rrn: self.references.rrn,
            approval: None,
            reason: decision.reason,
            code,
            pin: decision.pin,
            tries_left: limit.map_or(0, |limit| card.state.tries.left(limit)),
            tries_limit: limit.map_or(0, |limit| limit.get()),
            locked: card.state.lock.map(|lock| LockedUntil(lock.until)),
            effects: decision.effects,
            movement: decision.movement,
            original: decision.original,
            forwarded: None,
            rules: None,
            operator: None,
        };
        Ok(self.work.card_step(card, transaction, reply))
    }
}

#[async_trait]
impl TerminalWork for Undoing<'_> {
    type Error = Failure;

    async fn decide(&mut self, terminal: &Terminal) -> Result<Step, Failure> {
        if let Some(journal_seq) = terminal.state.buried(&self.request.key) {
            metrics::repeated();
            self.repeated = true;
            return Ok(Step::Repeat(journal_seq));
        }
        let (reply, code) = self.reply(ReasonCode::Reversed).await?;
        let event = TerminalEvent {
            effect: TerminalEffect::Bury { original: self.request.original, reversal: self.request.key },
            merchant: self.merchant,
            stan: self.work.identity.stan,
            rrn: Some(self.references.rrn),
            reason: ReasonCode::Reversed,
            code: Some(code),
            pan: intake::pan(self.work.message).map(|pan| pan.masked()),
            amount: Some(self.request.amount),
        };
        Ok(self.work.terminal_step(terminal, event, reply))
    }
}
