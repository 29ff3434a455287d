//! The payment itself: card, duplicate, lock, PIN, funds; one decision, appended before its answer leaves.

use std::sync::Arc;

use async_trait::async_trait;
use authorization::{
    Decision, Effect, Outcome, PinEvidence, ProductPolicy, RiskVerdict, Role, RuleHits, Verdict,
    card::FOREIGN,
    decide::{Case, References, decide},
};
use model::{CardId, Kind, MaskedPan, ReasonCode, ResponseCode, Timestamp};
use store::{
    Card, CardWork, Step, StoreError, WorkError,
    journal::{LockedUntil, Transaction},
};
use tracing::{error, info};

use super::{
    Answered, Work, again,
    authenticate::{self, Keys},
    count, forward, pin,
    refuse::refuse,
    risk, silence, terminal,
};
use crate::{
    intake, metrics,
    reply::{Answer, ReplyError, compose},
    sandbox::{Delivery, Lever},
    second::{self, Asked, Bringing},
    throttle::causes::Cause,
};

/// Passes a payment through the remaining stages.
pub(crate) async fn stage(work: &Work<'_>, kind: Kind, delivery: &mut Delivery) -> Answered {
    let engine = work.shared.store.engine();
    let asked = intake::payment(engine, &work.link.profile, work.message, &work.identity, kind);
    let mut payment = match asked {
        Ok(payment) => payment,
        Err(unusable) => {
            info!(terminal = %work.identity.terminal, %unusable, "format error");
            return refuse(work, None, ReasonCode::FormatError).await;
        }
    };
    // A repeat, or a reversal of this very transaction, waits until this one is durable.
    let _turn = work.shared.in_flight.turn(payment.request.key).await;
    let terminal = match terminal::find(work).await {
        Ok(terminal) => terminal,
        Err(reason) => return refuse(work, None, reason).await,
    };
    let keys = match admit(work, &terminal).await {
        Ok(keys) => keys,
        Err(reason) => return refuse(work, Some(&terminal), reason).await,
    };
    payment.request.overtaken = terminal.state.is_overtaken(&payment.request.key);
    if work.shared.settings.sandbox {
        let two_digits = work.link.profile.codes.code(ReasonCode::Approved, false).as_str().len() == 2;
        let lever = Lever::of(kind, payment.request.amount, two_digits);
        payment.request.sandbox = lever.decision;
        *delivery = lever.delivery;
    }
    let card = engine.card_id(&payment.pan);
    let key = payment.request.key;
    let used_for = work.shared.recent_keys.card_of(&key);
    if used_for.is_some_and(|other| other != card) {
        return refuse(work, Some(&terminal), ReasonCode::DuplicateTrace).await;
    }
    // By the number alone, before anybody knows whether there is such a card. A copy looks at no PIN: it is no attempt.
    let attempts = payment.request.has_pin && used_for.is_none();
    if attempts && !work.shared.throttles.admits_card(&card, work.now) {
        work.shared.tally.refused(Cause::CardRate, &work.identity.terminal);
        return refuse(work, Some(&terminal), ReasonCode::Overloaded).await;
    }
    match forward::route_of(work, &card, &payment.pan).await {
        Ok(None) => decided_here(work, payment, keys, &terminal, card).await,
        // Another issuer's PIN is its own matter.
        Ok(Some(_)) if kind == Kind::PinChange => {
            refuse(work, Some(&terminal), ReasonCode::NotSupported).await
        }
        Ok(Some(route)) => {
            // What the issuer does is the issuer's: the levers of our own cards do not move it.
            (payment.request.sandbox, *delivery) = (None, Delivery::Normal);
            forward::stage(work, payment, keys, &terminal, route).await
        }
        Err(reason) => refuse(work, Some(&terminal), reason).await,
    }
}

/// Decides about a card of our own.
async fn decided_here(
    work: &Work<'_>,
    mut payment: intake::Payment,
    keys: Keys,
    terminal: &Arc<store::Terminal>,
    card: CardId,
) -> Answered {
    let references = match work.references().await {
        Ok(references) => references,
        Err(reason) => return refuse(work, Some(terminal), reason).await,
    };
    let second = Bringing::new(work.shared.asking.get(), payment.code.take());
    let mut decision = Deciding {
        work,
        terminal,
        payment,
        second,
        shown: None,
        keys,
        references,
        pin: None,
        locked: None,
        rounds: 0,
        repeated: false,
        said: None,
        asked: None,
    };
    let decided = work.shared.store.with_card(&card, &mut decision).await;
    if decided.is_ok() {
        work.shared.recent_keys.note(decision.payment.request.key, card);
    }
    match decided {
        Ok(journaled) if decision.repeated => again(work, journaled, &decision.keys).await,
        Ok(journaled) => {
            if let Some((code, reason)) = decision.said {
                count(work, code, reason);
                let place = journaled.journal_seq();
                decision.asked.take().into_iter().for_each(|asked| risk::settled(work, asked, place, reason));
            }
            if let (Some(until), Some(holders)) = (decision.locked, work.shared.holders.get()) {
                holders.locked(card, until);
            }
            decision.ask_the_holder(card);
            Answered::Decided(journaled)
        }
        Err(WorkError::Unknown(why)) => silence(work, &why),
        Err(error) => refuse(work, Some(terminal), reason(error)).await,
    }
}

async fn admit(work: &Work<'_>, terminal: &store::Terminal) -> Result<Keys, ReasonCode> {
    terminal::ready_to_pay(work, terminal)?;
    authenticate::verify(work, terminal).await
}

/// Why a payment could not be decided.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("the card's product {0:?} has no policy")]
    NoPolicy(String),
    #[error(transparent)]
    Reply(#[from] ReplyError),
    #[error("the same request is with the issuer already")]
    UnderWay,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What such a failure means to the terminal; nothing was decided.
pub(crate) fn reason(error: WorkError<Failure>) -> ReasonCode {
    match error {
        WorkError::UnknownSubject => ReasonCode::UnknownCard,
        WorkError::Store(error) => terminal::away(&error),
        WorkError::Unknown(_) => ReasonCode::StoreAway,
        WorkError::Decide(Failure::Store(error)) => terminal::away(&error),
        WorkError::Decide(Failure::UnderWay) => ReasonCode::IssuerTimeout,
        // A card that was forwarded once, and whose route was taken out of the configuration.
        WorkError::Decide(Failure::NoPolicy(product)) if product == FOREIGN => ReasonCode::IssuerUnreachable,
        WorkError::Decide(failure) => {
            error!(%failure, "no decision");
            match failure {
                Failure::Reply(ReplyError::Sign(error)) => authenticate::fault(&error),
                _ => ReasonCode::StoreAway,
            }
        }
    }
}

/// One payment, decided in as many rounds as other decisions about the card force; the security module is asked once.
struct Deciding<'a> {
    work: &'a Work<'a>,
    terminal: &'a store::Terminal,
    payment: intake::Payment,
    keys: Keys,
    references: References,
    /// What there is for a second proof.
    second: Bringing<'a>,
    /// The card's number, for people.
    shown: Option<MaskedPan>,
    pin: Option<pin::Said>,
    /// The last round's entry locks the card, until then.
    locked: Option<Option<Timestamp>>,
    rounds: u32,
    /// It was decided before.
    repeated: bool,
    /// What the last round's entry says; counted when it is durable.
    said: Option<(ResponseCode, ReasonCode)>,
    /// What the rules were asked in the last round, and said.
    asked: Option<risk::Asked>,
}

#[async_trait]
impl CardWork for Deciding<'_> {
    type Error = Failure;

    async fn decide(&mut self, card: &Card) -> Result<Step, Failure> {
        self.rounds += 1;
        if self.rounds > 1 {
            metrics::collided();
        }
        let product = &card.record.product;
        let shared = self.work.shared;
        let policy = shared.products.get(product).ok_or_else(|| Failure::NoPolicy(product.clone()))?;
        let rules = shared.rules.are_on();
        self.second.prepare(card.id, &card.state, rules, self.work.now).await;
        if let Some(said) = &mut self.pin {
            said.forget_if_stale(card);
        } else if self.outcome(card, policy, RiskVerdict::Pass) == Outcome::NeedsPin {
            self.pin = Some(pin::ask(self.work, &mut self.payment, &self.keys, card).await);
        }
        match self.outcome(card, policy, RiskVerdict::Pass) {
            Outcome::Repeat { journal_seq } => {
                metrics::repeated();
                self.repeated = true;
                Ok(Step::Repeat(journal_seq))
            }
            Outcome::Decided(decision) => {
                let (decision, asked) = self.under_rules(card, policy, decision);
                let said = (self.code(policy, &decision), decision.reason);
                let issued = second::issued(&decision.effects);
                let locked = decision.effects.iter().find_map(|effect| match effect {
                    Effect::Lock { lock, .. } => Some(lock.until),
                    _ => None,
                });
                let hits = asked.as_ref().and_then(risk::Asked::hits);
                let step = self.entry(card, policy, decision, hits).await?;
                (self.said, self.asked) = (Some(said), asked);
                self.locked = locked;
                self.shown = issued.is_some().then(|| card.record.pan.clone());
                self.second.decided(issued);
                Ok(step)
            }
            Outcome::NeedsPin => unreachable!("the module was asked, so there is an outcome"),
        }
    }
}

impl Deciding<'_> {
    /// It is durable: the holder may be asked for what it was refused for.
    fn ask_the_holder(self, card: CardId) {
        let (request, Some(pan)) = (self.payment.request, self.shown) else { return };
        self.second.settled(|challenge, code| Asked {
            card,
            pan,
            terminal: request.key.terminal,
            merchant: request.merchant,
            amount: request.amount,
            currency: request.currency,
            challenge,
            code,
        });
    }

    /// The decision as the rules leave it.
    fn under_rules<'s>(
        &'s self,
        card: &Card,
        policy: &ProductPolicy,
        decision: Decision<'s>,
    ) -> (Decision<'s>, Option<risk::Asked>) {
        let left = |state: &authorization::CardState| state.tries.left(policy.pin_try_limit);
        let Some(asked) = risk::ask(self.work, &self.payment, (card, self.terminal), &decision, left) else {
            return (decision, None);
        };
        if asked.verdict() == RiskVerdict::Pass {
            return (decision, Some(asked));
        }
        // Nothing that was found out is found out again: only what the rules say is new.
        match self.outcome(card, policy, asked.verdict()) {
            Outcome::Decided(decision) => (decision, Some(asked)),
            Outcome::Repeat { .. } | Outcome::NeedsPin => (decision, Some(asked)),
        }
    }

    fn outcome(&self, card: &Card, policy: &ProductPolicy, risk: RiskVerdict) -> Outcome<'_> {
        let case = Case {
            card: card.id,
            policy,
            record: &card.record,
            state: &card.state,
            request: &self.payment.request,
            references: self.references,
            risk,
            second: self.second.ready,
            now: self.work.now,
        };
        decide(&case, self.pin.as_ref().map_or(PinEvidence::NotAsked, pin::Said::evidence))
    }

    async fn entry(
        &self,
        card: &Card,
        policy: &ProductPolicy,
        decision: Decision<'_>,
        rules: Option<Box<RuleHits>>,
    ) -> Result<Step, Failure> {
        let request = &self.payment.request;
        let code = self.code(policy, &decision);
        let approved = matches!(decision.verdict, Verdict::Approved(_));
        let after = card.state.with_effects(self.work.now, &decision.effects);
        let answer = Answer {
            code: Some(code),
            references: Some(self.references),
            approved,
            balance: (approved && request.kind == Kind::Balance)
                .then(|| (after.available(), card.record.currency)),
            sign_in_again: self.work.link.profile.sign_in_again
                && decision.reason == ReasonCode::PinBlockUnreadable,
            ..Answer::default()
        };
        let reply = compose(
            self.work.shared,
            self.work.asked,
            &answer,
            self.work.now,
            Some(self.keys.signer(self.work)),
        )
        .await?;
        let transaction = Transaction {
            role: Role::Financial(request.kind),
            key: request.key,
            pan: card.record.pan.clone(),
            merchant: request.merchant,
            amount: request.amount,
            currency: request.currency,
            rrn: self.references.rrn,
            approval: approved.then_some(self.references.approval),
            reason: decision.reason,
            code,
            pin: decision.pin,
            tries_left: after.tries.left(policy.pin_try_limit),
            tries_limit: policy.pin_try_limit.get(),
            locked: after.lock.map(|lock| LockedUntil(lock.until)),
            effects: decision.effects,
            movement: decision.movement,
            original: decision.original,
            forwarded: None,
            rules,
            operator: self.terminal.state.on_duty(self.work.now).map(|duty| duty.operator),
        };
        Ok(self.work.card_step(card, transaction, reply))
    }

    fn code(&self, policy: &ProductPolicy, decision: &Decision<'_>) -> ResponseCode {
        let of_reason = || self.work.link.profile.codes.code(decision.reason, policy.pick_up);
        decision.forced.unwrap_or_else(of_reason)
    }
}
