//! Sign-in (签到): fresh working keys and the batch to use. The keys of the session before stay valid for a grace time,
//! for messages that crossed the sign-in on the wire.

use std::sync::Arc;

use async_trait::async_trait;
use authorization::{
    decide::References,
    terminal::{Session, TerminalEffect, WorkKeys},
};
use hsm::{GeneratedWorkKeys, WorkKeyLayout};
use model::{KeyScheme, ReasonCode};
use store::{Step, Terminal, TerminalWork, WorkError, journal::TerminalEvent};

use super::{Answered, Work, authenticate, count, refuse::refuse, terminal};
use crate::reply::{Answer, ReplyError, compose};

/// Hands out fresh keys. A terminal that sends a key serial number has keys of its own for every transaction and asks
/// for its batch alone.
pub(crate) async fn sign_in(work: &Work<'_>, terminal: &Arc<Terminal>, layout: WorkKeyLayout) -> Answered {
    match authenticate::ksn(work) {
        Ok(Some(ksn)) => match authenticate::named_by(terminal, ksn) {
            Some((set, _)) => change(work, terminal, Some(Opening { scheme: set.scheme, keys: None })).await,
            None => refuse(work, Some(terminal), ReasonCode::KeyFault).await,
        },
        Ok(None) => with_work_keys(work, terminal, layout).await,
        Err(reason) => refuse(work, Some(terminal), reason).await,
    }
}

async fn with_work_keys(work: &Work<'_>, terminal: &Arc<Terminal>, layout: WorkKeyLayout) -> Answered {
    let scheme = match layout {
        WorkKeyLayout::DoubleLength | WorkKeyLayout::DoubleLengthWithTrackKey => KeyScheme::Tdes,
        WorkKeyLayout::Sm4 => KeyScheme::Sm4,
    };
    let Some((set, _)) = authenticate::at_sign_in(terminal, scheme) else {
        return refuse(work, Some(terminal), ReasonCode::KeyFault).await;
    };
    let generating = work.shared.module.generate_work_keys(&set.key, layout);
    match work.shared.patiently(generating).await {
        Ok(keys) => change(work, terminal, Some(Opening { scheme, keys: Some(keys) })).await,
        Err(error) => refuse(work, Some(terminal), authenticate::fault(&error)).await,
    }
}

/// Drops the keys.
pub(crate) async fn sign_out(work: &Work<'_>) -> Answered {
    match terminal::find(work).await {
        Ok(terminal) => change(work, &terminal, None).await,
        Err(reason) => refuse(work, None, reason).await,
    }
}

/// A session that begins.
struct Opening {
    scheme: KeyScheme,
    keys: Option<GeneratedWorkKeys>,
}

async fn change(work: &Work<'_>, terminal: &Arc<Terminal>, opening: Option<Opening>) -> Answered {
    let references = match work.references().await {
        Ok(references) => references,
        Err(reason) => return refuse(work, Some(terminal), reason).await,
    };
    let mut change = Change { work, opening, references };
    match work.shared.store.with_terminal(&terminal.record.id, &mut change).await {
        Ok(journaled) => {
            count(work, model::ResponseCode::APPROVED, ReasonCode::Approved);
            Answered::Decided(journaled)
        }
        Err(error) => refuse(work, Some(terminal), reason(&error)).await,
    }
}

/// What a failed unit of work about a terminal means.
pub(crate) fn reason(error: &WorkError<ReplyError>) -> ReasonCode {
    match error {
        WorkError::UnknownSubject => ReasonCode::UnknownTerminal,
        WorkError::Store(error) => terminal::away(error),
        // The terminal asks again, and finds out.
        WorkError::Unknown(why) => {
            tracing::error!(why, "a terminal's entry is in doubt");
            ReasonCode::StoreAway
        }
        WorkError::Decide(ReplyError::Sign(error)) => authenticate::fault(error),
        WorkError::Decide(error) => {
            tracing::error!(%error, "no answer could be made");
            ReasonCode::StoreAway
        }
    }
}

struct Change<'a> {
    work: &'a Work<'a>,
    opening: Option<Opening>,
    references: References,
}

#[async_trait]
impl TerminalWork for Change<'_> {
    type Error = ReplyError;

    async fn decide(&mut self, terminal: &Terminal) -> Result<Step, ReplyError> {
        let work = self.work;
        let code = work.link.profile.codes.code(ReasonCode::Approved, false);
        let batch = terminal.state.batch_for_sign_in();
        let answer = Answer {
            code: Some(code),
            references: Some(self.references),
            work_keys: self.opening.as_ref().and_then(|o| o.keys.as_ref()).map(|k| k.for_terminal.clone()),
            batch: (self.opening.is_some() && work.link.profile.batches).then_some(batch),
            ..Answer::default()
        };
        let reply = compose(work.shared, work.asked, &answer, work.now, None).await?;
        let effect = match &self.opening {
            None => TerminalEffect::SignOut,
            Some(opening) => TerminalEffect::SignIn {
                session: session(work, opening),
                batch,
                grace_ms: work.shared.settings.key_grace_ms,
            },
        };
        let event = TerminalEvent {
            effect,
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

fn session(work: &Work<'_>, opening: &Opening) -> Session {
    let keys = opening.keys.as_ref();
    Session {
        since: work.now,
        scheme: opening.scheme,
        work: keys.map(|keys| WorkKeys {
            tpk: keys.tpk.clone(),
            tak: keys.tak.clone(),
            tdk: keys.tdk.clone(),
        }),
        previous: None,
        check_values: keys
            .map_or_else(Vec::new, |k| k.check_values.iter().map(ToString::to_string).collect()),
    }
}
