//! Refusals before any card is touched: answered by the profile's code, journalled at the terminal for those who
//! look for the cause, and no counter moves.

use std::{
    collections::HashMap,
    convert::Infallible,
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use authorization::{decide::References, terminal::TerminalEffect};
use model::{ReasonCode, ResponseCode, TerminalId, Timestamp};
use store::{Step, Terminal, TerminalWork, journal::TerminalEvent};
use tracing::{info, warn};

use super::{
    Answered, Work,
    authenticate::{self, Keys},
    count,
};
use crate::{
    intake, metrics,
    reply::{Answer, compose},
    signal,
};

/// Refuses a message. When the terminal is known the refusal is journalled there first.
pub(crate) async fn refuse(
    work: &Work<'_>,
    terminal: Option<&Arc<Terminal>>,
    reason: ReasonCode,
) -> Answered {
    let code = work.link.profile.codes.code(reason, false);
    if work.shared.tally.admits_line() {
        info!(terminal = %work.identity.terminal, mti = %work.message.mti(), reason = reason.name(), %code, "refused");
    }
    count(work, code, reason);
    let found = match terminal {
        Some(terminal) => Some(Arc::clone(terminal)),
        None => work.shared.store.engine().terminal(&work.identity.terminal).await.ok().flatten(),
    };
    // Without a store there are no numbers, and nothing that one would be looked up in.
    let references = work.references().await.ok();
    let refusal = Refusal { work, reason, code, references };
    let keys = found.as_deref().and_then(|terminal| authenticate::claimed(work, terminal));
    let reply = refusal.reply(keys.as_ref()).await;
    match found {
        Some(_) if decides_nothing_durable(reason) => Answered::Undecided(reply),
        Some(terminal) if work.shared.refusals.admits(terminal.record.id, work) => {
            refusal.journal(reply).await
        }
        Some(_) => {
            metrics::refusal_not_journalled();
            work.shared.signals.tell(work.identity.terminal, work.now, signal::Kind::Refused { reason });
            Answered::Undecided(reply)
        }
        None => Answered::Undecided(reply),
    }
}

/// The store's own trouble cannot be written into the store.
fn decides_nothing_durable(reason: ReasonCode) -> bool {
    matches!(reason, ReasonCode::StoreAway | ReasonCode::Overloaded)
}

struct Refusal<'a> {
    work: &'a Work<'a>,
    reason: ReasonCode,
    code: ResponseCode,
    references: Option<References>,
}

impl Refusal<'_> {
    /// The answer, signed if it can be; without a MAC a terminal still reads the code.
    async fn reply(&self, keys: Option<&Keys>) -> Vec<u8> {
        let out_of_step = matches!(
            self.reason,
            ReasonCode::MacInvalid | ReasonCode::BatchMismatch | ReasonCode::SignInRequired
        );
        let answer = Answer {
            code: Some(self.code),
            references: self.references,
            sign_in_again: self.work.link.profile.sign_in_again && out_of_step,
            ..Answer::default()
        };
        let wants_mac = self.work.message.mac_field().is_some();
        let signer = keys.filter(|_| wants_mac).map(|keys| keys.signer(self.work));
        match compose(self.work.shared, self.work.asked, &answer, self.work.now, signer).await {
            Ok(frame) => frame,
            Err(error) => {
                warn!(%error, "refusal without MAC");
                let plain = compose(self.work.shared, self.work.asked, &answer, self.work.now, None).await;
                plain.unwrap_or_default()
            }
        }
    }

    async fn journal(self, reply: Vec<u8>) -> Answered {
        let mut work = Journalling { refusal: &self, reply: &reply };
        match self.work.shared.store.with_terminal(&self.work.identity.terminal, &mut work).await {
            Ok(journaled) => Answered::Decided(journaled),
            Err(error) => {
                // It decided nothing, so it may leave all the same.
                warn!(%error, "refusal not journalled");
                Answered::Undecided(reply)
            }
        }
    }
}

struct Journalling<'a> {
    refusal: &'a Refusal<'a>,
    reply: &'a [u8],
}

#[async_trait]
impl TerminalWork for Journalling<'_> {
    type Error = Infallible;

    async fn decide(&mut self, terminal: &Terminal) -> Result<Step, Infallible> {
        let Refusal { work, reason, code, references } = self.refusal;
        let event = TerminalEvent {
            effect: TerminalEffect::Refused { reason: *reason },
            merchant: work.identity.merchant.unwrap_or(terminal.record.merchant),
            stan: work.identity.stan,
            rrn: references.map(|references| references.rrn),
            reason: *reason,
            code: Some(*code),
            pan: intake::pan(work.message).map(|pan| pan.masked()),
            amount: intake::amount(work.message),
        };
        Ok(work.terminal_step(terminal, event, self.reply.to_vec()))
    }
}

/// How many refusals a terminal may write per minute: garbage must not fill the disk.
#[derive(Default)]
pub(crate) struct Throttle {
    minutes: Mutex<HashMap<TerminalId, (Timestamp, u32)>>,
}

impl Throttle {
    pub(crate) fn admits(&self, terminal: TerminalId, work: &Work<'_>) -> bool {
        const MINUTE_MS: i64 = 60_000;
        let mut minutes = self.minutes.lock().unwrap_or_else(PoisonError::into_inner);
        let (start, used) = minutes.entry(terminal).or_insert((work.now, 0));
        let elapsed = work.now.since_ms(*start);
        if !(0..MINUTE_MS).contains(&elapsed) {
            (*start, *used) = (work.now, 0);
        }
        *used = used.saturating_add(1);
        *used <= work.shared.settings.limits.refusals_per_minute
    }
}
