//! Finds what nobody works on: questions whose host died before the answer, and reversals from before a restart or of a
//! host that is gone.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use authorization::{
    Effect,
    forward::{Forward, Stage},
};
use model::{Kind, ReasonCode, Timestamp};
use store::{
    Card, CardWork, Outstanding, Step, StoreError, WorkError,
    journal::{UpstreamEvent, UpstreamStep},
};
use tokio::sync::watch;
use tracing::{info, warn};

use super::{
    Forwarding,
    queue::{entry, event},
};

/// A card without anything outstanding is forgotten only so long after it was noted: whoever noted it has journalled
/// what he noted it for by then.
const FORGET_AFTER_MS: i64 = 600_000;

/// Runs until the host stops.
pub(super) async fn run(forwarding: Arc<Forwarding>, mut stopped: watch::Receiver<bool>) {
    let every = Duration::from_millis(forwarding.settings.sweep_ms.max(1));
    let mut started = true;
    loop {
        match forwarding.sweep(started).await {
            Ok(()) => started = false,
            Err(error) => warn!(%error, "what is outstanding at issuers cannot be read"),
        }
        tokio::select! {
            _ = stopped.wait_for(|stop| *stop) => return,
            () = tokio::time::sleep(every) => {}
        }
    }
}

impl Forwarding {
    /// Once over all cards that were noted. After a start everything is taken up; later only what has lain for so long
    /// that its host cannot be working on it any more.
    async fn sweep(self: &Arc<Self>, started: bool) -> Result<(), StoreError> {
        let mut waiting = 0;
        for Outstanding { card, noted } in self.store.engine().outstanding().await? {
            let now = self.now();
            let forwards = card.state.forwards();
            waiting += forwards.iter().filter(|forward| forward.undo().is_some()).count();
            for overdue in forwards.iter().filter(|forward| forward.is_overdue(now)) {
                if self.give_up(&card, overdue).await? {
                    self.wake(card.id);
                }
            }
            if forwards.iter().any(|forward| started || self.is_left(forward, now)) {
                self.wake(card.id);
            }
            if forwards.is_empty() && now.since_ms(noted) > FORGET_AFTER_MS {
                self.store.engine().forget_outstanding(&card.id, noted).await?;
            }
        }
        upstream::metrics::undo_waiting(waiting);
        Ok(())
    }

    fn is_left(&self, forward: &Forward, now: Timestamp) -> bool {
        let after = i64::try_from(self.settings.undo_adopt_ms).unwrap_or(i64::MAX);
        forward.undo().is_some_and(|undo| now.since_ms(undo.at) > after)
    }

    /// Nobody waits for this answer any more. Says whether that was still so when it was journalled.
    async fn give_up(&self, card: &Card, overdue: &Forward) -> Result<bool, StoreError> {
        info!(route = %overdue.sent.route, rrn = %overdue.rrn, "given up: sent before its host stopped, and undone now");
        let mut work = GivingUp { forwarding: self, overdue };
        match self.store.with_card(&card.id, &mut work).await {
            Ok(_) => Ok(true),
            Err(WorkError::Decide(NotGivenUp::NoMore) | WorkError::UnknownSubject) => Ok(false),
            Err(WorkError::Store(error) | WorkError::Decide(NotGivenUp::Store(error))) => Err(error),
            Err(WorkError::Unknown(why)) => Err(StoreError::Away(why)),
        }
    }
}

#[derive(Debug)]
enum NotGivenUp {
    /// It was answered, or given up by somebody else.
    NoMore,
    Store(StoreError),
}

struct GivingUp<'a> {
    forwarding: &'a Forwarding,
    overdue: &'a Forward,
}

#[async_trait]
impl CardWork for GivingUp<'_> {
    type Error = NotGivenUp;

    async fn decide(&mut self, card: &Card) -> Result<Step, NotGivenUp> {
        let key = self.overdue.key;
        let forward =
            card.state.forwards().iter().find(|forward| forward.key == key).ok_or(NotGivenUp::NoMore)?;
        let Stage::Asked { .. } = forward.stage else { return Err(NotGivenUp::NoMore) };
        let reason = ReasonCode::IssuerTimeout;
        let effect = match forward.kind {
            Kind::Balance => Effect::ForwardDone { key },
            _ => {
                let undo = self.forwarding.undo(reason).await.map_err(NotGivenUp::Store)?;
                Effect::Undo { key, undo }
            }
        };
        let event = event(card, forward, UpstreamStep::GivenUp, reason);
        Ok(entry(card, self.forwarding.now(), UpstreamEvent { effects: vec![effect], ..event }))
    }
}
