//! What a terminal's use of its keys leaves in its journal: it moved to a staged key set, it fell back to the old one, it used
//! up a key serial number. Nothing here answers a terminal.

use async_trait::async_trait;
use authorization::{
    key_set::{KeySetEffect, KsnRefused},
    terminal::TerminalEffect,
};
use model::{AdmittedKsn, Ksn, ReasonCode, TransactionKey, Unverifiable};
use store::{Entry, Event, Step, Subject, Terminal, TerminalWork, WorkError, journal::TerminalEvent};
use tracing::{info, warn};

use super::{Work, terminal};

/// Writes a step of a migration down, before the message that took it is worked on.
pub(crate) async fn journal(
    work: &Work<'_>,
    terminal: &Terminal,
    step: KeySetEffect,
) -> Result<(), ReasonCode> {
    info!(terminal = %work.identity.terminal, ?step, "key set");
    let mut moving = Moving { work, step, seen: terminal.state.seq };
    match work.shared.store.with_terminal(&work.identity.terminal, &mut moving).await {
        // Another message of this terminal took the step at the same moment.
        Ok(_) | Err(WorkError::Decide(Taken)) => Ok(()),
        Err(WorkError::UnknownSubject) => Err(ReasonCode::UnknownTerminal),
        Err(WorkError::Store(error)) => Err(terminal::away(&error)),
        Err(WorkError::Unknown(_)) => Err(ReasonCode::StoreAway),
    }
}

/// Notes durably that this transaction uses this key serial number; only then may its PIN be looked at.
pub(crate) async fn use_ksn(
    work: &Work<'_>,
    ksn: Ksn,
    by: TransactionKey,
) -> Result<AdmittedKsn, Unverifiable> {
    let mut using = Using { work, ksn, by };
    match work.shared.store.with_terminal(&work.identity.terminal, &mut using).await {
        Ok(_) => Ok(AdmittedKsn::journaled(ksn)),
        Err(WorkError::Decide(refused)) => {
            warn!(terminal = %work.identity.terminal, %ksn, %refused, "PIN block not looked at");
            Err(Unverifiable::KsnReplayed)
        }
        Err(WorkError::UnknownSubject) => Err(Unverifiable::Key),
        Err(error @ (WorkError::Store(_) | WorkError::Unknown(_))) => {
            warn!(%error, "key serial number not noted");
            Err(Unverifiable::ModuleUnavailable)
        }
    }
}

struct Moving<'a> {
    work: &'a Work<'a>,
    step: KeySetEffect,
    /// The state by which the step was decided.
    seen: u32,
}

/// The terminal's state has changed since.
#[derive(Debug)]
struct Taken;

#[async_trait]
impl TerminalWork for Moving<'_> {
    type Error = Taken;

    async fn decide(&mut self, terminal: &Terminal) -> Result<Step, Taken> {
        if terminal.state.seq != self.seen {
            return Err(Taken);
        }
        Ok(entry(self.work, terminal, TerminalEffect::KeySet(self.step.clone())))
    }
}

struct Using<'a> {
    work: &'a Work<'a>,
    ksn: Ksn,
    by: TransactionKey,
}

#[async_trait]
impl TerminalWork for Using<'_> {
    type Error = KsnRefused;

    async fn decide(&mut self, terminal: &Terminal) -> Result<Step, KsnRefused> {
        terminal.state.key_sets.admits(self.ksn, &self.by)?;
        Ok(entry(self.work, terminal, TerminalEffect::UseKsn { ksn: self.ksn, by: self.by }))
    }
}

fn entry(work: &Work<'_>, terminal: &Terminal, effect: TerminalEffect) -> Step {
    Step::Append(Box::new(Entry {
        subject: Subject::Terminal(terminal.record.id),
        seq: terminal.state.seq + 1,
        at: work.now,
        event: Event::Terminal(TerminalEvent {
            effect,
            merchant: terminal.record.merchant,
            stan: work.identity.stan,
            rrn: None,
            reason: ReasonCode::Approved,
            code: None,
            pan: None,
            amount: None,
        }),
        exchange: None,
    }))
}
