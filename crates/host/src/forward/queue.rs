//! Store and forward: reversals on their way to issuers, sent until they are acknowledged, one card after its own order.
//!
//! Before a reversal leaves for the first time that is in the card's journal, so every later sending, by this host, by
//! this host after a restart, or by another one, carries the repeat digit (0421). Two hosts that send the same one harm
//! nobody: it has one identity, and the issuer undoes once (docs/reference/rules.md U4).

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use authorization::{
    Effect,
    forward::{Forward, Undo},
};
use model::{CardId, ReasonCode, ResponseCode};
use store::{
    Card, CardWork, Entry, Event, Step, StoreError, Subject, WorkError,
    journal::{UpstreamEvent, UpstreamStep},
};
use tokio::sync::{Semaphore, watch};
use tracing::{info, warn};
use upstream::{About, Original, Reply, UndoMessage};

use super::Forwarding;

/// Reversals that are sent at the same time.
const AT_ONCE: usize = 64;

/// The cards that are being worked on.
pub(crate) struct Queue {
    active: Mutex<HashSet<CardId>>,
    room: Semaphore,
    left: watch::Sender<usize>,
}

impl Default for Queue {
    fn default() -> Self {
        Self { active: Mutex::default(), room: Semaphore::new(AT_ONCE), left: watch::Sender::new(0) }
    }
}

/// What one attempt led to.
enum Attempt {
    /// The card has nothing to undo.
    Nothing,
    /// Acknowledged; perhaps there is more.
    Done,
    /// Not yet.
    Later,
}

impl Queue {
    pub(super) fn len(&self) -> usize {
        self.active().len()
    }

    pub(super) fn wake(&self, forwarding: &Arc<Forwarding>, card: CardId) {
        if *forwarding.stop.borrow() || !self.active().insert(card) {
            return;
        }
        self.left.send_modify(|left| *left += 1);
        let forwarding = Arc::clone(forwarding);
        tokio::spawn(async move {
            let mut stopped = forwarding.stop.subscribe();
            tokio::select! {
                _ = stopped.wait_for(|stop| *stop) => {}
                () = forwarding.work(card) => {}
            }
            forwarding.queue.active().remove(&card);
            forwarding.queue.left.send_modify(|left| *left -= 1);
        });
    }

    /// Waits until nobody works any more; they were told to stop.
    pub(super) async fn finished(&self) {
        let _ = self.left.subscribe().wait_for(|left| *left == 0).await;
    }

    fn active(&self) -> std::sync::MutexGuard<'_, HashSet<CardId>> {
        self.active.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Forwarding {
    /// Works on a card until it has nothing to undo, and is not on the list any more: whoever queued something while it
    /// still was has not been heard.
    async fn work(self: &Arc<Self>, id: CardId) {
        loop {
            self.deliver(id).await;
            self.queue.active().remove(&id);
            let card = self.store.engine().card(&id).await.ok().flatten();
            let more = card.is_some_and(|card| first_undo(&card).is_some());
            if !more || !self.queue.active().insert(id) {
                return;
            }
        }
    }

    /// Sends a card's reversals, oldest first, until none is left.
    async fn deliver(self: &Arc<Self>, card: CardId) {
        let first = Duration::from_millis(self.settings.undo_retry_ms.max(1));
        let most = Duration::from_millis(self.settings.undo_retry_most_ms).max(first);
        let mut pause = first;
        loop {
            match self.attempt(card).await {
                Ok(Attempt::Nothing) => return,
                Ok(Attempt::Done) => {
                    pause = first;
                    continue;
                }
                Ok(Attempt::Later) => {}
                Err(error) => warn!(%card, %error, "a reversal to an issuer waits for the store"),
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(most);
        }
    }

    async fn attempt(&self, id: CardId) -> Result<Attempt, StoreError> {
        let Ok(_room) = self.queue.room.acquire().await else { return Ok(Attempt::Later) };
        let engine = self.store.engine();
        let Some(card) = engine.card(&id).await? else { return Ok(Attempt::Nothing) };
        let Some((forward, undo)) = first_undo(&card) else { return Ok(Attempt::Nothing) };
        let Some(route) = self.upstream.by_name(&forward.sent.route) else {
            warn!(route = %forward.sent.route, rrn = %forward.rrn, "a reversal waits for a route that is configured no more");
            return Ok(Attempt::Later);
        };
        let Some(pan) = engine.pan(&id).await? else { return Ok(Attempt::Nothing) };
        if !self.upstream.is_up(route) {
            return Ok(Attempt::Later);
        }
        if !undo.said && !self.note_step(&id, &forward, UpstreamStep::UndoSent, None).await? {
            return Ok(Attempt::Done);
        }
        let message = UndoMessage {
            original: Original {
                kind: forward.kind,
                stan: forward.sent.stan,
                at: forward.sent.at,
                approval: forward.approval,
            },
            pan: &pan,
            amount: forward.amount,
            currency: forward.currency,
            stan: undo.stan,
            at: undo.at,
            rrn: forward.rrn,
            terminal: forward.key.terminal,
            merchant: forward.merchant,
            why: undo.why,
            repeat: undo.said,
        };
        let about = About { card: id, key: forward.key, stan: undo.stan, at: undo.at };
        let answered = self.upstream.undo(route, &message, about).await;
        let Some(reply) = answered.ok().filter(|reply| self.upstream.ends_undo(route, reply)) else {
            return Ok(Attempt::Later);
        };
        self.acknowledged(&id, &forward, &reply).await?;
        Ok(Attempt::Done)
    }

    async fn acknowledged(&self, id: &CardId, forward: &Forward, reply: &Reply) -> Result<(), StoreError> {
        info!(route = %forward.sent.route, rrn = %forward.rrn, code = %reply.code, "reversal acknowledged by the issuer");
        self.note_step(id, forward, UpstreamStep::Undone, Some(reply.code)).await.map(drop)
    }

    /// Journals a step of a reversal, if it is still the card's next one. Says whether it was.
    async fn note_step(
        &self,
        id: &CardId,
        forward: &Forward,
        step: UpstreamStep,
        code: Option<ResponseCode>,
    ) -> Result<bool, StoreError> {
        let mut work = Stepping { forwarding: self, forward, step, code };
        match self.store.with_card(id, &mut work).await {
            Ok(_) => Ok(true),
            Err(WorkError::Decide(Gone) | WorkError::UnknownSubject) => Ok(false),
            Err(WorkError::Store(error)) => Err(error),
            // Looked at again later: it stands in the card's state, or it does not.
            Err(WorkError::Unknown(why)) => Err(StoreError::Away(why)),
        }
    }
}

fn first_undo(card: &Card) -> Option<(Forward, Undo)> {
    card.state.forwards().iter().find_map(|forward| Some((forward.clone(), *forward.undo()?)))
}

/// Somebody else was quicker.
#[derive(Debug)]
struct Gone;

struct Stepping<'a> {
    forwarding: &'a Forwarding,
    forward: &'a Forward,
    step: UpstreamStep,
    code: Option<ResponseCode>,
}

#[async_trait]
impl CardWork for Stepping<'_> {
    type Error = Gone;

    async fn decide(&mut self, card: &Card) -> Result<Step, Gone> {
        let key = self.forward.key;
        let now = card.state.forwards().iter().find(|forward| forward.key == key);
        let undo = now.and_then(Forward::undo).ok_or(Gone)?;
        let effect = match self.step {
            UpstreamStep::UndoSent if undo.said => return Err(Gone),
            UpstreamStep::UndoSent => Effect::UndoSaid { key },
            _ => Effect::ForwardDone { key },
        };
        let event = event(card, self.forward, self.step, undo.why);
        let event = UpstreamEvent { code: self.code, effects: vec![effect], ..event };
        Ok(entry(card, self.forwarding.now(), event))
    }
}

/// What every step of a forward says.
pub(crate) fn event(card: &Card, forward: &Forward, step: UpstreamStep, reason: ReasonCode) -> UpstreamEvent {
    UpstreamEvent {
        step,
        key: forward.key,
        sent: forward.sent.clone(),
        pan: card.record.pan.clone(),
        merchant: forward.merchant,
        amount: forward.amount,
        currency: forward.currency,
        rrn: forward.rrn,
        reason,
        code: None,
        took_ms: None,
        effects: Vec::new(),
    }
}

/// The next entry of a card's journal, which nobody on the wire asked for.
pub(crate) fn entry(card: &Card, now: model::Timestamp, event: UpstreamEvent) -> Step {
    Step::Append(Box::new(Entry {
        subject: Subject::Card(card.id),
        seq: card.state.seq + 1,
        at: now,
        event: Event::Upstream(Box::new(event)),
        exchange: None,
    }))
}
