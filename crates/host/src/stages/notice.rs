//! Messages that decide nothing: the line test, and facts that a terminal reports.

use std::sync::Arc;

use async_trait::async_trait;
use authorization::{decide::References, terminal::TerminalEffect};
use model::ReasonCode;
use store::{Step, Terminal, TerminalWork, journal::TerminalEvent};

use super::{Answered, Work, authenticate, count, refuse::refuse, sign_in::reason};
use crate::reply::{Answer, ReplyError, compose};

/// Answers a line test (回响). Nothing is journalled: nothing happened.
pub(crate) async fn echo(work: &Work<'_>) -> Answered {
    let code = work.link.profile.codes.code(ReasonCode::Approved, false);
    count(work, code, ReasonCode::Approved);
    let answer = Answer { code: Some(code), ..Answer::default() };
    match compose(work.shared, work.asked, &answer, work.now, None).await {
        Ok(frame) => Answered::Undecided(frame),
        Err(error) => {
            tracing::warn!(%error, "echo without an answer");
            refuse(work, None, ReasonCode::FormatError).await
        }
    }
}

/// Takes note of a fact (batch upload, script results): stored before it is answered (docs/reference/rules.md T10).
pub(crate) async fn advice(work: &Work<'_>, terminal: &Arc<Terminal>) -> Answered {
    if let Err(reason) = authenticate::verify_if_present(work, terminal).await {
        return refuse(work, Some(terminal), reason).await;
    }
    let references = match work.references().await {
        Ok(references) => references,
        Err(reason) => return refuse(work, Some(terminal), reason).await,
    };
    let mut noting = Noting { work, references };
    match work.shared.store.with_terminal(&work.identity.terminal, &mut noting).await {
        Ok(journaled) => Answered::Decided(journaled),
        Err(error) => refuse(work, None, reason(&error)).await,
    }
}

struct Noting<'a> {
    work: &'a Work<'a>,
    references: References,
}

#[async_trait]
impl TerminalWork for Noting<'_> {
    type Error = ReplyError;

    async fn decide(&mut self, terminal: &Terminal) -> Result<Step, ReplyError> {
        let work = self.work;
        let code = work.link.profile.codes.code(ReasonCode::Approved, false);
        count(work, code, ReasonCode::Approved);
        let answer = Answer { code: Some(code), references: Some(self.references), ..Answer::default() };
        let reply = compose(work.shared, work.asked, &answer, work.now, None).await?;
        let event = TerminalEvent {
            effect: TerminalEffect::Noted,
            merchant: terminal.record.merchant,
            stan: work.identity.stan,
            rrn: Some(self.references.rrn),
            reason: ReasonCode::Approved,
            code: Some(code),
            pan: None,
            amount: None,
        };
        Ok(work.terminal_step(terminal, event, reply))
    }
}
