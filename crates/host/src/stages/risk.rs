//! The risk rules, between the decision as it would be without them and its entry. A rule sees what the decision is so far;
//! what it says goes into the decision as data, and is asked anew when another decision about the card came first.

use std::sync::Arc;

use authorization::{Decision, RiskVerdict, Verdict};
use model::{ReasonCode, TerminalId};
use store::Card;

use super::Work;
use crate::{
    intake::Payment,
    observe,
    rules::{Assessed, Facts, entry_mode, first_six, pin},
    staff::{TerminalAction, act_on_terminal},
};

/// What was asked, and what the rules said.
pub(crate) struct Asked {
    facts: Facts,
    pub(crate) said: Assessed,
}

impl Asked {
    /// For the decision.
    pub(crate) fn verdict(&self) -> RiskVerdict {
        self.said.verdict
    }
}

/// Asks about a decision; `None` when there are no rules, or nothing was decided about the card.
pub(crate) fn ask(
    work: &Work<'_>,
    payment: &Payment,
    card: &Card,
    decision: &Decision<'_>,
    tries_left: u8,
) -> Option<Asked> {
    let rules = &work.shared.rules;
    if !rules.are_on() || decision.reason == ReasonCode::DuplicateTrace {
        return None;
    }
    let request = &payment.request;
    let mut facts = Facts {
        at: work.now,
        card: card.id,
        bin: first_six(payment.pan.iin()),
        key: request.key,
        merchant: request.merchant,
        mcc: work.message.short(18).and_then(|code| code.as_bytes().try_into().ok()),
        product: Some(Arc::clone(&card.record)),
        kind: request.kind,
        amount: request.amount,
        currency: request.currency,
        entry: entry_mode(observe::entry(work.message)),
        pin: pin(decision.pin),
        locked: card.state.lock.is_some() || decision.reason == ReasonCode::PinTriesExceeded,
        tries_left: Some(tries_left),
        hour: 0,
        weekday: 1,
        since_ok_ms: None,
        since_last_ms: None,
        last_terminal: None,
        reason: decision.reason,
        approved: matches!(decision.verdict, Verdict::Approved(_)),
    };
    facts.remember(&card.state);
    facts.clock(&work.shared.zone);
    let said = rules.assess(&facts, work.now)?;
    Some(Asked { facts, said })
}

/// The decision is durable: counters take it, and a terminal that a rule blocks is suspended.
pub(crate) fn settled(work: &Work<'_>, asked: &Asked, reason: ReasonCode) {
    let rules = &work.shared.rules;
    rules.observe(&asked.facts, &asked.said, reason, reason == ReasonCode::Approved);
    if asked.said.blocks_terminal {
        suspend(work, asked.facts.key.terminal);
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
