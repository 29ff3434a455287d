//! Batch settlement (批结算): our totals against the terminal's, to the fen; the batch is closed either way, and the
//! answer says whether they agree.

use std::sync::Arc;

use async_trait::async_trait;
use authorization::{
    decide::References,
    settlement::Totals,
    terminal::{TerminalEffect, is_balanced},
};
use model::{BatchNumber, ReasonCode};
use store::{Step, Terminal, TerminalWork, journal::TerminalEvent};
use tracing::info;

use super::{Answered, Work, authenticate, count, refuse::refuse, sign_in::reason, terminal};
use crate::{
    intake,
    reply::{Answer, ReplyError, compose},
};

/// Compares and closes.
pub(crate) async fn stage(work: &Work<'_>, known: &Arc<Terminal>) -> Answered {
    if let Err(reason) = terminal::ready_to_pay(work, known) {
        return refuse(work, Some(known), reason).await;
    }
    if let Err(reason) = authenticate::verify_if_present(work, known).await {
        return refuse(work, Some(known), reason).await;
    }
    let theirs = match intake::totals(work.message) {
        Ok(totals) => totals,
        Err(unusable) => {
            info!(terminal = %work.identity.terminal, %unusable, "format error");
            return refuse(work, Some(known), ReasonCode::FormatError).await;
        }
    };
    let batch = known.state.batch;
    let ours = match work.shared.store.engine().batch_totals(&known.record.id, batch).await {
        Ok(totals) => totals,
        Err(error) => return refuse(work, Some(known), terminal::away(&error)).await,
    };
    let references = match work.references().await {
        Ok(references) => references,
        Err(reason) => return refuse(work, Some(known), reason).await,
    };
    let mut settling = Settling { work, batch, ours, theirs, references };
    match work.shared.store.with_terminal(&known.record.id, &mut settling).await {
        Ok(journaled) => Answered::Decided(journaled),
        Err(error) => refuse(work, Some(known), reason(&error)).await,
    }
}

struct Settling<'a> {
    work: &'a Work<'a>,
    batch: BatchNumber,
    ours: Totals,
    theirs: Totals,
    references: References,
}

#[async_trait]
impl TerminalWork for Settling<'_> {
    type Error = ReplyError;

    async fn decide(&mut self, terminal: &Terminal) -> Result<Step, ReplyError> {
        let work = self.work;
        let balanced = is_balanced(&self.ours, &self.theirs);
        let reason = if balanced { ReasonCode::Approved } else { ReasonCode::BatchNotBalanced };
        // The message is answered 00; the result stands in DE 48.
        let code = work.link.profile.codes.code(ReasonCode::Approved, false);
        count(work, code, reason);
        let answer = Answer {
            code: Some(code),
            references: Some(self.references),
            settlement: Some((self.ours, balanced)),
            ..Answer::default()
        };
        let reply = compose(work.shared, work.asked, &answer, work.now, None).await?;
        let effect = TerminalEffect::Settle { batch: self.batch, ours: self.ours, theirs: self.theirs };
        let event = TerminalEvent {
            effect,
            merchant: terminal.record.merchant,
            stan: work.identity.stan,
            rrn: Some(self.references.rrn),
            reason,
            code: Some(code),
            pan: None,
            amount: Some(self.ours.debit_sum),
        };
        Ok(work.terminal_step(terminal, event, reply))
    }
}
