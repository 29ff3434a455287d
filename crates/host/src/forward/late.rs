//! Answers that come when nobody waits any more: recorded, never sent on. An approval is undone by the reversal that its
//! time-out queued; after a refusal there is nothing to undo, unless the reversal has left already.

use std::sync::Arc;

use async_trait::async_trait;
use authorization::{Effect, forward::Forward};
use model::ReasonCode;
use store::{
    Card, CardWork, Event, Step, WorkError,
    journal::{UpstreamEvent, UpstreamStep},
};
use tokio::sync::{mpsc, watch};
use tracing::{info, warn};
use upstream::{Late, Meaning};

use super::{
    Forwarding,
    queue::{entry, event},
};

/// Runs until the host stops.
pub(super) async fn run(
    forwarding: Arc<Forwarding>,
    mut late: mpsc::Receiver<Late>,
    mut stopped: watch::Receiver<bool>,
) {
    loop {
        let next = tokio::select! {
            _ = stopped.wait_for(|stop| *stop) => None,
            next = late.recv() => next,
        };
        let Some(late) = next else { return };
        forwarding.record(&late).await;
    }
}

impl Forwarding {
    async fn record(self: &Arc<Self>, late: &Late) {
        info!(route = %late.route, stan = %late.about.stan, code = %late.reply.code, after = ?late.after, "late answer");
        let refused = self
            .upstream
            .by_name(&late.route)
            .is_some_and(|route| self.upstream.meaning(route, &late.reply) != Meaning::Approved);
        let Some(forward) = self.about(late).await else {
            warn!(route = %late.route, stan = %late.about.stan, "a late answer to something that the journal does not have");
            return;
        };
        let mut work = Recording { forwarding: self, late, forward, refused };
        match self.store.with_card(&late.about.card, &mut work).await {
            Ok(_) | Err(WorkError::UnknownSubject | WorkError::Decide(_)) => {}
            Err(WorkError::Store(error)) => warn!(%error, "a late answer was not recorded"),
            Err(WorkError::Unknown(why)) => warn!(why, "whether a late answer was recorded is not known"),
        }
        self.wake(late.about.card);
    }

    /// What it answers: still in the card's state, or in the journal entry that decided it.
    async fn about(&self, late: &Late) -> Option<Forward> {
        let engine = self.store.engine();
        let card = engine.card(&late.about.card).await.ok().flatten()?;
        let forwards = card.state.forwards().iter();
        if let Some(forward) = forwards.clone().find(|forward| forward.key == late.about.key) {
            return Some(forward.clone());
        }
        let trace = card.state.financial(&late.about.key)?;
        let entry = engine.entry(trace.journal_seq).await.ok().flatten()?;
        let Event::Transaction(transaction) = entry.event else { return None };
        crate::stages::forward::of_transaction(&transaction)
    }
}

struct Recording<'a> {
    forwarding: &'a Forwarding,
    late: &'a Late,
    forward: Forward,
    refused: bool,
}

#[async_trait]
impl CardWork for Recording<'_> {
    type Error = std::convert::Infallible;

    async fn decide(&mut self, card: &Card) -> Result<Step, Self::Error> {
        let key = self.late.about.key;
        let of_question = self.late.about.stan == self.forward.sent.stan;
        let undo = card.state.forwards().iter().find(|forward| forward.key == key).and_then(Forward::undo);
        let pointless = self.refused && of_question && undo.is_some_and(|undo| !undo.said);
        // An answer to the reversal itself acknowledges it, however late it is.
        let acknowledged = undo.is_some_and(|undo| {
            let route = self.forwarding.upstream.by_name(&self.late.route);
            undo.stan == self.late.about.stan
                && route.is_some_and(|route| self.forwarding.upstream.ends_undo(route, &self.late.reply))
        });
        let done = pointless || acknowledged;
        let event = event(card, &self.forward, UpstreamStep::LateReply, ReasonCode::IssuerLateReply);
        let event = UpstreamEvent {
            code: Some(self.late.reply.code),
            took_ms: u32::try_from(self.late.after.as_millis()).ok(),
            effects: if done { vec![Effect::ForwardDone { key }] } else { Vec::new() },
            ..event
        };
        Ok(entry(card, self.forwarding.now(), event))
    }
}
