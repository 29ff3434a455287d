//! The shop's own people at a terminal: sign-on, sign-off, a new password, a supervisor's reset (docs/reference/rules.md O1 to O6).
//!
//! The counter of wrong passwords has moved, durably, before this stage writes the terminal's entry, and that before the terminal is
//! answered. A crash in between costs an answer and never gives a guess away. No card is touched.

use std::sync::Arc;

use async_trait::async_trait;
use authorization::{
    decide::References,
    terminal::{Duty, OperatorStep, TerminalEffect},
};
use hsm::OperatorField;
use model::ReasonCode;
use operator::{Answer as Told, Asked, Attempt, Wish};
use store::{Step, Terminal, TerminalWork, journal::TerminalEvent};

use super::{
    Answered, Work,
    authenticate::{self, Keys},
    count,
    refuse::refuse,
    sign_in, terminal,
};
use crate::{
    profile::OperatorTask,
    reply::{Answer, ReplyError, compose},
    shop::{self, Said},
};

/// Decides, and writes it down.
pub(crate) async fn stage(work: &Work<'_>, terminal: &Arc<Terminal>, task: OperatorTask) -> Answered {
    match decide(work, terminal, task).await {
        Ok(mut noting) => {
            let reason = noting.reason;
            if matches!(noting.step, OperatorStep::Refused(_))
                && !work.shared.refusals.admits(terminal.record.id, work)
            {
                return refuse(work, Some(terminal), reason).await;
            }
            match work.shared.store.with_terminal(&terminal.record.id, &mut noting).await {
                Ok(journaled) => Answered::Decided(journaled),
                Err(error) => refuse(work, Some(terminal), sign_in::reason(&error)).await,
            }
        }
        Err(reason) => refuse(work, Some(terminal), reason).await,
    }
}

async fn decide<'a>(
    work: &'a Work<'a>,
    terminal: &Arc<Terminal>,
    task: OperatorTask,
) -> Result<Noting<'a>, ReasonCode> {
    let keys = authenticate::verify(work, terminal).await?;
    // What an earlier session covered is no message of this one, whatever the grace time of its keys.
    if !keys.are_of_session(terminal) {
        return Err(ReasonCode::SignInRequired);
    }
    let (step, reason) = if task == OperatorTask::SignOff {
        (OperatorStep::SignOff, ReasonCode::Approved)
    } else {
        told(work, terminal, &keys, task).await?
    };
    Ok(Noting { work, keys, references: work.references().await?, step, reason })
}

/// Asks whoever keeps the shop's people.
async fn told(
    work: &Work<'_>,
    terminal: &Terminal,
    keys: &Keys,
    task: OperatorTask,
) -> Result<(OperatorStep, ReasonCode), ReasonCode> {
    let operators = work.shared.operators.get().ok_or(ReasonCode::NotSupported)?;
    let said = shop::said(&work.link.profile, work.message).map_err(|_| ReasonCode::FormatError)?;
    let stan = work.identity.stan.ok_or(ReasonCode::FormatError)?;
    let attempt = Attempt {
        terminal: terminal.record.id,
        session: keys.session(terminal),
        stan,
        digest: work.shared.store.engine().digest(&[said.text.as_bytes()]),
    };
    let duty = terminal.state.on_duty(work.now);
    let asked = Asked {
        merchant: terminal.record.merchant,
        operator: said.operator,
        attempt,
        wish: wish(work, keys, &said, task, duty).await?,
        now: work.now,
    };
    let told = operators.ask(asked).await.map_err(|error| terminal::away(&error))?;
    let operator = said.operator;
    let reason = shop::reason(&told);
    let begins = |until| Duty { operator, since: work.now, until, stan: Some(stan) };
    let still = duty.filter(|duty| duty.operator == operator && duty.stan == Some(stan));
    Ok(match (told, task) {
        (Told::SignedOn { until }, OperatorTask::ChangePassword) => {
            (OperatorStep::ChangePassword(begins(until)), reason)
        }
        (Told::SignedOn { until }, _) => (OperatorStep::SignOn(begins(until)), reason),
        (Told::Reset, _) | (Told::Again, OperatorTask::Reset) => (OperatorStep::Reset(operator), reason),
        // Who signed off since, or was replaced, does not come back by a message of before.
        (Told::Again, _) => match still {
            Some(duty) => (OperatorStep::SignOn(duty), reason),
            None => (OperatorStep::Refused(operator), ReasonCode::OperatorRefused),
        },
        (Told::MustChange | Told::Refused(_), _) => (OperatorStep::Refused(operator), reason),
    })
}

async fn wish(
    work: &Work<'_>,
    keys: &Keys,
    said: &Said,
    task: OperatorTask,
    duty: Option<Duty>,
) -> Result<Wish, ReasonCode> {
    let wanted = if task == OperatorTask::ChangePassword { 2 } else { 1 };
    if said.fields.len() != wanted {
        return Err(ReasonCode::FormatError);
    }
    let signer = keys.reader(work);
    let mut passwords = Vec::with_capacity(wanted);
    for (field, place) in said.fields.iter().zip(shop::PLACES) {
        let asked = OperatorField {
            key: signer.key,
            algorithm: signer.algorithm,
            operator: said.operator.get(),
            stan: work.identity.stan.map_or(0, model::Stan::get),
            place,
            field: *field,
        };
        let opened = work.shared.patiently(shop::opened(&*work.shared.module, asked)).await;
        passwords.push(opened.map_err(|error| authenticate::fault(&error))?);
    }
    let mut passwords = passwords.into_iter();
    let mut next = || passwords.next().flatten();
    Ok(match task {
        OperatorTask::SignOn | OperatorTask::SignOff => Wish::SignOn(next()),
        OperatorTask::ChangePassword => Wish::Change { present: next(), new: next() },
        OperatorTask::Reset => {
            Wish::Reset { by: duty.map(|duty| (duty.operator, duty.since)), first: next() }
        }
    })
}

struct Noting<'a> {
    work: &'a Work<'a>,
    keys: Keys,
    references: References,
    step: OperatorStep,
    reason: ReasonCode,
}

#[async_trait]
impl TerminalWork for Noting<'_> {
    type Error = ReplyError;

    async fn decide(&mut self, terminal: &Terminal) -> Result<Step, ReplyError> {
        let work = self.work;
        let code = work.link.profile.codes.code(self.reason, false);
        count(work, code, self.reason);
        let answer = Answer { code: Some(code), references: Some(self.references), ..Answer::default() };
        let signer = Some(self.keys.signer(work));
        let reply = compose(work.shared, work.asked, &answer, work.now, signer).await?;
        let event = TerminalEvent {
            effect: TerminalEffect::Operator(self.step),
            merchant: terminal.record.merchant,
            stan: work.identity.stan,
            rrn: Some(self.references.rrn),
            reason: self.reason,
            code: Some(code),
            pan: None,
            amount: None,
        };
        Ok(work.terminal_step(terminal, event, reply))
    }
}
