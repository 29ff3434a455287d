//! The risk rules, between the decision as it would be without them and its entry. A rule sees what the decision is so far;
//! what it says goes into the decision as data, and is asked anew when another decision about the card came first. Cards of
//! other issuers are asked about before the issuer is.

use std::sync::Arc;

use authorization::{Decision, RiskVerdict, RuleHits, Verdict};
use model::{ReasonCode, TerminalId, Unverifiable};
use risk::PinResult;
use store::Card;

use super::Work;
use crate::{
    intake::Payment,
    observe,
    rules::{Assessed, Facts, Remembered, clock, digits, entry_mode, first_six, pin},
    staff::{TerminalAction, act_on_terminal},
};

/// What was asked, and what the rules said.
pub(crate) struct Asked {
    said: Box<Assessed>,
    /// Its issuer looks at the PIN, and says by its answer what it found.
    pin_at_issuer: bool,
}

impl Asked {
    /// For the decision.
    pub(crate) fn verdict(&self) -> RiskVerdict {
        self.said.verdict
    }

    /// The PIN goes to the card's issuer, whose answer says what became of it.
    pub(crate) fn pin_goes_to_issuer(&mut self) {
        self.pin_at_issuer = true;
    }

    /// The PIN could not be sent on.
    pub(crate) fn pin_is_unverifiable(&mut self, cause: Unverifiable) {
        self.said.facts.pin = PinResult::Unverifiable(cause);
    }

    /// For the journal.
    pub(crate) fn hits(&self) -> Option<Box<RuleHits>> {
        self.said.hits.clone()
    }
}

/// Asks about a decision; `None` when there are no rules, or nothing was decided about the card.
pub(crate) fn ask(
    work: &Work<'_>,
    payment: &Payment,
    (card, terminal): (&Card, &store::Terminal),
    decision: &Decision<'_>,
    tries_left: impl FnOnce(&authorization::CardState) -> u8,
) -> Option<Asked> {
    if !work.shared.rules.are_on() || decision.reason == ReasonCode::DuplicateTrace {
        return None;
    }
    let after = card.state.with_effects(work.now, &decision.effects);
    let facts = Facts {
        pin: pin(decision.pin),
        locked: after.lock.is_some(),
        tries_left: tries_left(&after),
        reason: decision.reason,
        approved: matches!(decision.verdict, Verdict::Approved(_)),
        ..facts(work, payment, (card, terminal), None)
    };
    let said = work.shared.rules.assess(facts, work.now)?;
    Some(Asked { said, pin_at_issuer: false })
}

/// Asks before a payment with another issuer's card is sent on its way. Nobody has looked at its PIN yet.
pub(crate) fn ask_before_issuer(
    work: &Work<'_>,
    payment: &Payment,
    (card, terminal): (&Card, &store::Terminal),
    route: &str,
) -> Option<Asked> {
    if !work.shared.rules.are_on() {
        return None;
    }
    let facts = facts(work, payment, (card, terminal), Some(route));
    let said = work.shared.rules.assess(facts, work.now)?;
    Some(Asked { said, pin_at_issuer: false })
}

/// What message, registers and clock say about a payment.
fn facts(
    work: &Work<'_>,
    payment: &Payment,
    (card, terminal): (&Card, &store::Terminal),
    route: Option<&str>,
) -> Facts {
    let (request, message, record) = (&payment.request, work.message, &terminal.record);
    let (hour, weekday) = clock(work.now, &work.shared.zone);
    let in_number = || record.merchant.category().and_then(|digits| digits.parse().ok());
    let told = work.report.and_then(|report| report.position);
    let sent = message.digits(18).and_then(|code| u16::try_from(code).ok());
    let registered: Option<u16> = record.site.category.or_else(in_number);
    Facts {
        at: work.now,
        card: card.id,
        bin: first_six(payment.pan.iin()),
        terminal: request.key.terminal,
        merchant: request.merchant,
        mcc: sent.map(|code| digits(u32::from(code))),
        merchant_mcc: registered.map(|code| digits(u32::from(code))),
        record: Some(Arc::clone(&card.record)),
        zone: route.map(Arc::from),
        kind: request.kind,
        amount: request.amount,
        currency: request.currency,
        entry: entry_mode(observe::entry(message)),
        pin: PinResult::NotPresent,
        locked: false,
        tries_left: 0,
        hour,
        weekday,
        place: told.or(record.site.place.map(observe::position)),
        before: Remembered::default(),
        reason: ReasonCode::Approved,
        approved: true,
    }
}

/// The decision is durable, at a place of the journal: counters take it, and a terminal that a rule blocks is suspended.
pub(crate) fn settled(work: &Work<'_>, asked: Asked, place: u64, reason: ReasonCode) {
    let Asked { mut said, pin_at_issuer } = asked;
    let (terminal, blocks) = (said.facts.terminal, said.blocks_terminal);
    said.facts.decide(reason, pin_at_issuer);
    work.shared.rules.observe(place, said);
    if blocks {
        suspend(work, terminal);
    }
}

/// Beside the answer, which does not wait for it: this payment is refused already.
fn suspend(work: &Work<'_>, terminal: TerminalId) {
    let (store, now) = (work.shared.store.clone(), work.now);
    tokio::spawn(async move {
        if let Err(error) = act_on_terminal(&store, terminal, TerminalAction::Suspend, now).await {
            tracing::warn!(%terminal, %error, "a rule wants the terminal suspended, and it is not");
        }
    });
}
