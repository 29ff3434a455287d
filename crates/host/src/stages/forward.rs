//! A payment with another issuer's card: the issuer is asked, and what it says is what the terminal hears.
//!
//! The question is durable before it leaves, and so is what came of it before the terminal is answered. The time that the
//! issuer has is below ours, and ours below the terminal's; an answer that is not there by then is none, and whatever the
//! issuer did is undone (docs/reference/rules.md U1, U2). Terminal, batch, MAC and repeats are checked as for our own
//! cards; tries are the issuer's to count.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use authorization::{
    CardRecord, Decision, Effect, Forward, Forwarded, Outcome, Role, Status, Verdict,
    decide::References,
    forward::{Ended, ForwardCase, Open, OriginalEntry, Stage, Undo, undo_at_issuer},
    request::ReversalRequest,
};
use hsm::{EncryptedPinBlock, PinKey, TranslatePin};
use model::{ApprovalCode, CardId, Expiry, Pan, ReasonCode, ResponseCode, Unverifiable};
use store::{
    Card, CardWork, Event, Journaled, Registration, Step, Store, StoreError, WorkError,
    journal::{Transaction, UpstreamEvent, UpstreamStep},
};
use tracing::info;
use upstream::{About, Ask, AskError, Meaning, Original, Reply, Route};

use super::{
    Answered, Work, again,
    authenticate::{Keys, Under},
    count, key_set,
    payment::{Failure, reason},
    refuse::refuse,
    risk, silence, terminal,
};
use crate::{
    forward::{Forwarding, queue, stan},
    intake, metrics,
    reply::{Answer, compose},
};

/// How often it is looked whether another host has its answer.
const LOOK: Duration = Duration::from_millis(100);

/// The route of a card that is not ours; `None` for our own cards, and for those that nobody routes.
pub(crate) async fn route_of(work: &Work<'_>, card: &CardId, pan: &Pan) -> Result<Option<Route>, ReasonCode> {
    let Some(forwarding) = &work.shared.forwarding else { return Ok(None) };
    let Some(route) = forwarding.upstream.route(pan) else { return Ok(None) };
    let found = work.shared.store.engine().card(card).await.map_err(|error| terminal::away(&error))?;
    let is_ours = found.is_some_and(|card| !card.record.is_foreign());
    Ok((!is_ours).then_some(route))
}

/// Passes a payment with a foreign card through.
pub(crate) async fn stage(
    work: &Work<'_>,
    payment: intake::Payment,
    keys: Keys,
    terminal: &Arc<store::Terminal>,
    route: Route,
) -> Answered {
    let Some(forwarding) = &work.shared.forwarding else {
        return refuse(work, Some(terminal), ReasonCode::IssuerUnreachable).await;
    };
    let store = &work.shared.store;
    let card = match known(store, forwarding, &payment).await {
        Ok(card) => card,
        Err(error) => return refuse(work, Some(terminal), terminal::away(&error)).await,
    };
    let references = match work.references().await {
        Ok(references) => references,
        Err(reason) => return refuse(work, Some(terminal), reason).await,
    };
    let undo = match forwarding.undo(ReasonCode::IssuerTimeout).await {
        Ok(undo) => undo,
        Err(error) => return refuse(work, Some(terminal), terminal::away(&error)).await,
    };
    let mut passing = Passing {
        work,
        terminal,
        forwarding,
        payment,
        keys,
        references,
        route,
        undo,
        pin: None,
        asked: None,
        reply: None,
        repeated: false,
        ruled: None,
        said: None,
    };
    let opened = passing.open(store, &card).await;
    let asked = match (opened, passing.asked.take()) {
        (Ok(journaled), None) => return passing.answer(card, journaled).await,
        (Err(WorkError::Unknown(why)), _) => return silence(work, &why),
        (Err(error), _) => return refuse(work, Some(terminal), reason(error)).await,
        (Ok(_), Some(asked)) => asked,
    };
    passing.reply = Some(passing.ask(store, card, &asked).await);
    let closed = store.with_card(&card, &mut Closing(&mut passing, asked.0)).await;
    forwarding.wake(card);
    match closed {
        Ok(journaled) => passing.answer(card, journaled).await,
        Err(WorkError::Unknown(why)) => silence(work, &why),
        // What was asked stays in the card's state, and is undone when its time is over.
        Err(error) => refuse(work, Some(terminal), reason(error)).await,
    }
}

/// Registers a card at its first sight, and notes that something may be outstanding for it.
async fn known(
    store: &Store,
    forwarding: &Forwarding,
    payment: &intake::Payment,
) -> Result<CardId, StoreError> {
    let id = store.engine().card_id(&payment.pan);
    if store.engine().card(&id).await?.is_none() {
        let pan = payment.pan.clone();
        let expiry = payment.request.expiry.unwrap_or(Expiry::UNKNOWN);
        let record = CardRecord::foreign(pan.masked(), expiry, payment.request.currency);
        store.engine().register(vec![Registration::Card { pan, record, reference: None }]).await?;
    }
    forwarding.note(&id).await?;
    Ok(id)
}

/// What was journalled as asked, and where the transaction is that it acts on.
type Asked = (Forward, Option<OriginalEntry>);

/// One payment on its way.
struct Passing<'a> {
    work: &'a Work<'a>,
    terminal: &'a store::Terminal,
    forwarding: &'a Arc<Forwarding>,
    payment: intake::Payment,
    keys: Keys,
    references: References,
    route: Route,
    undo: Undo,
    /// The PIN block for the issuer; the terminal's is translated once.
    pin: Option<Result<EncryptedPinBlock, Unverifiable>>,
    asked: Option<Asked>,
    reply: Option<Result<Reply, AskError>>,
    /// It was decided before.
    repeated: bool,
    /// What the rules were asked before the issuer was, and said.
    ruled: Option<risk::Asked>,
    /// What the last entry says; counted when it is durable.
    said: Option<(ResponseCode, ReasonCode)>,
}

impl Passing<'_> {
    async fn answer(&mut self, card: CardId, journaled: Journaled) -> Answered {
        self.work.shared.recent_keys.note(self.payment.request.key, card);
        if self.repeated {
            return again(self.work, journaled, &self.keys).await;
        }
        if let Some((code, reason)) = self.said {
            count(self.work, code, reason);
            let asked = self.ruled.take().into_iter();
            asked.for_each(|asked| risk::settled(self.work, asked, journaled.journal_seq(), reason));
        }
        Answered::Decided(journaled)
    }

    /// Asks the rules, before anything leaves. A decision, if they are against it.
    fn under_rules(&mut self, card: &Card) -> Option<Decision<'static>> {
        let route = self.forwarding.upstream.name(self.route);
        self.ruled = risk::ask_before_issuer(self.work, &self.payment, (card, self.terminal), route);
        let said = self.ruled.as_ref()?.verdict();
        self.case(card).ruled(said)
    }

    fn case<'c>(&'c self, card: &'c Card) -> ForwardCase<'c> {
        ForwardCase {
            state: &card.state,
            request: &self.payment.request,
            references: self.references,
            undo: self.undo,
            now: self.work.now,
        }
    }

    /// Journals the question. If another host has the same one under way, its answer is waited for.
    async fn open(&mut self, store: &Store, card: &CardId) -> Result<Journaled, WorkError<Failure>> {
        let patience = self.forwarding.upstream.patience(self.route);
        let started = tokio::time::Instant::now();
        loop {
            let opened = store.with_card(card, self).await;
            let waits = matches!(&opened, Err(WorkError::Decide(Failure::UnderWay)));
            if !waits || started.elapsed() >= patience {
                return opened;
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// A key of this one transaction is used for one PIN and never again, here as where a PIN is verified.
    async fn translate(&mut self) -> Option<Result<EncryptedPinBlock, Unverifiable>> {
        let block = self.payment.pin_block.take()?;
        let (work, shared) = (self.work, self.work.shared);
        let admitted;
        let from = match &self.keys.under {
            Under::Work { tpk, .. } => PinKey::Key(tpk),
            Under::Derived { bdk, ksn } => {
                match key_set::use_ksn(work, *ksn, self.payment.request.key).await {
                    Ok(proof) => admitted = proof,
                    Err(cause) => return Some(Err(cause)),
                }
                PinKey::Derived { bdk, ksn: &admitted }
            }
        };
        let (zone_key, to_format) = self.forwarding.upstream.zone(self.route);
        let request = TranslatePin {
            pan: &self.payment.pan,
            from,
            block,
            from_format: self.keys.format,
            zone_key,
            to_format,
        };
        let patience = Duration::from_millis(shared.settings.module_timeout_ms);
        let translated = tokio::time::timeout(patience, shared.module.translate_pin(request)).await;
        Some(translated.unwrap_or(Err(Unverifiable::ModuleUnavailable)))
    }

    fn question(&self) -> Forward {
        let request = &self.payment.request;
        let patience = self.forwarding.upstream.patience(self.route).as_millis();
        let waits = i64::try_from(patience).unwrap_or(i64::MAX / 2);
        let slack = i64::try_from(self.forwarding.settings.slack_ms).unwrap_or(0);
        let now = self.forwarding.now();
        Forward {
            key: request.key,
            kind: request.kind,
            sent: Forwarded {
                route: self.forwarding.upstream.name(self.route).to_owned(),
                stan: stan(&self.references),
                at: now,
                code: None,
            },
            merchant: request.merchant,
            amount: request.amount,
            currency: request.currency,
            rrn: self.references.rrn,
            approval: None,
            stage: Stage::Asked { until: now.plus_ms(waits.saturating_add(slack)) },
        }
    }

    /// Asks the issuer. The question is durable.
    async fn ask(
        &mut self,
        store: &Store,
        card: CardId,
        (forward, original): &Asked,
    ) -> Result<Reply, AskError> {
        let message = self.work.message;
        let (entry_mode, sequence) = (message.short(22), message.short(23));
        let track_2 = message.short(35);
        let original = match original {
            Some(entry) => original_at_issuer(store, entry).await,
            None => None,
        };
        let ask = Ask {
            kind: forward.kind,
            pan: &self.payment.pan,
            amount: forward.amount,
            currency: forward.currency,
            stan: forward.sent.stan,
            at: forward.sent.at,
            expiry: self.payment.request.expiry,
            entry_mode: entry_mode.as_deref(),
            sequence: sequence.as_deref(),
            track_2: track_2.as_deref(),
            rrn: forward.rrn,
            terminal: forward.key.terminal,
            merchant: forward.merchant,
            pin: self.pin.take().and_then(Result::ok),
            chip: message.raw(55),
            original,
        };
        let about = About { card, key: forward.key, stan: forward.sent.stan, at: forward.sent.at };
        self.forwarding.upstream.ask(self.route, &ask, about).await
    }

    /// What the answer, or the lack of one, means. One for another amount is none that we could pass on.
    fn ended(&self) -> Ended {
        let request = &self.payment.request;
        match &self.reply {
            Some(Ok(reply)) => match self.forwarding.upstream.meaning(self.route, reply) {
                Meaning::Approved
                    if request.kind.needs_amount() && reply.amount.is_some_and(|a| a != request.amount) =>
                {
                    Ended::Unknown
                }
                Meaning::Approved => {
                    Ended::Approved { approval: Some(reply.approval.unwrap_or(self.references.approval)) }
                }
                Meaning::Declined(reason) => Ended::Declined(reason),
            },
            Some(Err(AskError::NotSent(_))) => Ended::Declined(ReasonCode::IssuerUnreachable),
            Some(Err(AskError::Unknown)) | None => Ended::Unknown,
        }
    }

    /// The decision's entry with the terminal's answer.
    async fn entry(
        &mut self,
        card: &Card,
        decision: Decision<'static>,
        sent: Option<Forwarded>,
    ) -> Result<Step, Failure> {
        let request = &self.payment.request;
        let reply = self.reply.as_ref().and_then(|reply| reply.as_ref().ok());
        let code = self.code(&decision, reply);
        let approved = matches!(decision.verdict, Verdict::Approved(_));
        let approval = decided_approval(&decision).unwrap_or(self.references.approval);
        let answer = Answer {
            code: Some(code),
            references: Some(References { approval, ..self.references }),
            approved,
            balance: reply.filter(|_| approved).and_then(|reply| reply.balance),
            sign_in_again: self.work.link.profile.sign_in_again
                && decision.reason == ReasonCode::PinBlockUnreadable,
            ..Answer::default()
        };
        let signer = Some(self.keys.signer(self.work));
        let frame = compose(self.work.shared, self.work.asked, &answer, self.work.now, signer).await?;
        self.said = Some((code, decision.reason));
        let transaction = Transaction {
            role: Role::Financial(request.kind),
            key: request.key,
            pan: card.record.pan.clone(),
            merchant: request.merchant,
            amount: request.amount,
            currency: request.currency,
            rrn: self.references.rrn,
            approval: approved.then_some(approval),
            reason: decision.reason,
            code,
            pin: decision.pin,
            tries_left: 0,
            tries_limit: 0,
            locked: None,
            effects: decision.effects,
            movement: decision.movement,
            original: decision.original,
            forwarded: sent.map(|sent| Forwarded { code: reply.map(|reply| reply.code), ..sent }),
            rules: self.ruled.as_ref().and_then(risk::Asked::hits),
            operator: self.terminal.state.on_duty(self.work.now).map(|duty| duty.operator),
        };
        Ok(self.work.card_step(card, transaction, frame))
    }

    /// An issuer's own word is passed on as it is, where the terminal's network has codes of the same form. Its faults are
    /// told in our network's words: an A0 of theirs is no reason for a terminal to sign in again.
    fn code(&self, decision: &Decision<'_>, reply: Option<&Reply>) -> ResponseCode {
        let codes = &self.work.link.profile.codes;
        let ours = codes.code(decision.reason, false);
        let passed_on = matches!(
            decision.reason,
            ReasonCode::Approved
                | ReasonCode::IssuerWrongPin
                | ReasonCode::IssuerTriesExceeded
                | ReasonCode::IssuerDeclined
        );
        match reply {
            Some(reply) if passed_on && reply.code.as_str().len() == ours.as_str().len() => reply.code,
            Some(_) | None => ours,
        }
    }
}

/// DE 38 that the decision remembers.
fn decided_approval(decision: &Decision<'_>) -> Option<ApprovalCode> {
    decision.effects.iter().find_map(|effect| match effect {
        Effect::Remember { trace } => trace.approval,
        _ => None,
    })
}

#[async_trait]
impl CardWork for Passing<'_> {
    type Error = Failure;

    async fn decide(&mut self, card: &Card) -> Result<Step, Failure> {
        (self.asked, self.ruled) = (None, None);
        let original = match self.case(card).open() {
            Open::Repeat { journal_seq } => {
                metrics::repeated();
                self.repeated = true;
                return Ok(Step::Repeat(journal_seq));
            }
            Open::UnderWay { .. } => return Err(Failure::UnderWay),
            Open::Decided(decision) => return self.entry(card, decision, None).await,
            Open::Ask { original } => original,
        };
        if let Some(decision) = self.under_rules(card) {
            return self.entry(card, decision, None).await;
        }
        if self.pin.is_none() {
            self.pin = self.translate().await;
        }
        if let Some(Err(cause)) = self.pin.as_ref().map(|pin| pin.as_ref().map(drop)) {
            let cause = *cause;
            self.ruled.iter_mut().for_each(|asked| asked.pin_is_unverifiable(cause));
            let decision = self.case(card).unverifiable(cause);
            return self.entry(card, decision, None).await;
        }
        let forward = self.question();
        let event = queue::event(card, &forward, UpstreamStep::Asked, ReasonCode::Approved);
        let effects = vec![Effect::Forward { forward: Box::new(forward.clone()) }];
        if self.payment.request.has_pin {
            self.ruled.iter_mut().for_each(risk::Asked::pin_goes_to_issuer);
        }
        self.asked = Some((forward, original));
        Ok(queue::entry(card, self.work.now, UpstreamEvent { effects, ..event }))
    }
}

/// The second half: what came of it.
struct Closing<'a, 'p>(&'a mut Passing<'p>, Forward);

#[async_trait]
impl CardWork for Closing<'_, '_> {
    type Error = Failure;

    async fn decide(&mut self, card: &Card) -> Result<Step, Failure> {
        let Self(passing, forward) = self;
        let ended = passing.ended();
        match passing.case(card).close(ended) {
            Outcome::Repeat { journal_seq } => {
                passing.repeated = true;
                Ok(Step::Repeat(journal_seq))
            }
            Outcome::Decided(decision) => {
                if decision.reason == ReasonCode::IssuerTimeout {
                    info!(route = %forward.sent.route, rrn = %forward.rrn, "no answer from the issuer: to be undone");
                }
                passing.entry(card, decision, Some(forward.sent.clone())).await
            }
            Outcome::NeedsPin => Err(Failure::UnderWay), // the issuer verifies PINs: there is no such outcome
        }
    }
}

/// How the issuer knows an earlier transaction.
async fn original_at_issuer(store: &Store, entry: &OriginalEntry) -> Option<Original> {
    let Event::Transaction(t) = store.engine().entry(entry.journal_seq).await.ok()??.event else {
        return None;
    };
    let sent = t.forwarded.as_ref()?;
    let Role::Financial(kind) = t.role else { return None };
    Some(Original { kind, stan: sent.stan, at: sent.at, approval: t.approval })
}

/// A decided transaction as it was forwarded.
pub(crate) fn of_transaction(t: &Transaction) -> Option<Forward> {
    let Role::Financial(kind) = t.role else { return None };
    Some(Forward {
        key: t.key,
        kind,
        sent: t.forwarded.clone()?,
        merchant: t.merchant,
        amount: t.amount,
        currency: t.currency,
        rrn: t.rrn,
        approval: t.approval,
        stage: Stage::Asked { until: model::Timestamp(0) },
    })
}

/// Adds to the decision about a terminal's reversal what must be undone at the issuer of a foreign card. The terminal is
/// answered as soon as that is durable; the queue does the rest.
pub(crate) async fn also_at_issuer(
    work: &Work<'_>,
    card: &Card,
    request: &ReversalRequest,
    decision: &mut Decision<'_>,
) -> Result<(), Failure> {
    // The money is the issuer's.
    decision.effects.retain(|effect| !matches!(effect, Effect::Post { .. } | Effect::Hold { .. }));
    let Some(forwarding) = &work.shared.forwarding else { return Ok(()) };
    forwarding.note(&card.id).await?;
    let marks = |effect: &Effect| matches!(effect, Effect::Mark { key, status: Status::Reversed } if *key == request.original);
    let mut sent = None;
    if decision.effects.iter().any(marks)
        && let Some(trace) = card.state.financial(&request.original)
        && let Some(entry) = work.shared.store.engine().entry(trace.journal_seq).await?
        && let Event::Transaction(t) = entry.event
    {
        sent = of_transaction(&t);
    }
    let undo = forwarding.undo(ReasonCode::Reversed).await?;
    decision.effects.extend(undo_at_issuer(&card.state, &request.original, sent, undo));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_trace_number_on_a_link_is_the_end_of_the_reference() {
        let references =
            |rrn: &str| References { rrn: rrn.parse().unwrap(), approval: "000000".parse().unwrap() };
        assert_eq!(stan(&references("632212345678")).get(), 345_678);
        assert_eq!(stan(&references("632212000000")).get(), 1);
    }
}
