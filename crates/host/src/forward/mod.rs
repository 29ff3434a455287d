//! Cards of other issuers, on the way out: links, the queue of reversals, late answers.
//!
//! ```text
//!  stages::forward ─► journal: asked ─► upstream ─► answered ─► journal: decided ─► reply
//!                                          └─► silent ─► journal: to be undone ─► queue ─► 0420, 0421 … ─► journal: undone
//!  restart, or another host that died ─► sweep: asked long ago ─► journal: given up ──────────┘
//! ```
//!
//! The queue is the cards' own states. What is in memory here is which of them are being worked on; all of it is found
//! again from the store (`Engine::outstanding`).

mod late;
pub(crate) mod queue;
mod sweep;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use authorization::{decide::References, forward::Undo};
use hsm::SecurityModule;
use model::{CardId, ReasonCode, Stan, Timestamp};
use store::{Store, StoreError};
use tokio::{sync::watch, task::JoinHandle};
use upstream::{RouteConfig, RouteStatus, StartError, Upstream};

use crate::{
    clock::Clock,
    config::{Settings, UpstreamSettings},
    references,
};

/// A card that was noted so recently is not noted again: the sweep forgets much later.
const NOTED_FOR_MS: i64 = 300_000;
/// Cards whose notes are remembered; with more, all are forgotten and noted anew.
const NOTED_CARDS: usize = 100_000;

/// Everything that foreign cards need.
pub(crate) struct Forwarding {
    pub(crate) upstream: Arc<Upstream>,
    pub(crate) store: Store,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) settings: UpstreamSettings,
    pub(crate) zone: jiff::tz::TimeZone,
    pub(crate) references: Arc<references::References>,
    queue: queue::Queue,
    noted: Mutex<HashMap<CardId, Timestamp>>,
    stop: watch::Sender<bool>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

impl Forwarding {
    /// Opens the links and takes up what an earlier run left. `None` without routes.
    pub(crate) fn start(
        routes: &[RouteConfig],
        settings: &Settings,
        store: &Store,
        module: &Arc<dyn SecurityModule>,
        clock: &Arc<dyn Clock>,
        (zone, references): (&jiff::tz::TimeZone, &Arc<references::References>),
    ) -> Result<Option<Arc<Self>>, StartError> {
        if routes.is_empty() {
            return Ok(None);
        }
        let of_lines = Arc::clone(clock);
        let now: Arc<dyn Fn() -> Timestamp + Send + Sync> = Arc::new(move || of_lines.now());
        let (upstream, late) = Upstream::start(routes, &settings.acquirer, module, &now)?;
        let (stop, stopped) = watch::channel(false);
        let forwarding = Arc::new(Self {
            upstream,
            store: store.clone(),
            clock: Arc::clone(clock),
            settings: settings.upstream.clone(),
            zone: zone.clone(),
            references: Arc::clone(references),
            queue: queue::Queue::default(),
            noted: Mutex::default(),
            stop,
            tasks: Mutex::default(),
        });
        let tasks = vec![
            tokio::spawn(late::run(Arc::clone(&forwarding), late, stopped.clone())),
            tokio::spawn(sweep::run(Arc::clone(&forwarding), stopped)),
        ];
        *forwarding.tasks.lock().unwrap_or_else(PoisonError::into_inner) = tasks;
        Ok(Some(forwarding))
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// A reversal's identity, should one be needed.
    pub(crate) async fn undo(&self, why: ReasonCode) -> Result<Undo, StoreError> {
        let now = self.now();
        let references = self.references.next(self.store.engine(), now, &self.zone).await?;
        Ok(Undo { stan: stan(&references), at: now, why, said: false })
    }

    /// Notes durably that something may be outstanding for this card, before the entry that makes it so.
    pub(crate) async fn note(&self, card: &CardId) -> Result<(), StoreError> {
        let now = self.now();
        let recently = |noted: &Timestamp| (0..NOTED_FOR_MS).contains(&now.since_ms(*noted));
        if self.noted().get(card).is_some_and(recently) {
            return Ok(());
        }
        self.store.engine().note_outstanding(card, now).await?;
        let mut noted = self.noted();
        if noted.len() >= NOTED_CARDS {
            noted.clear();
        }
        noted.insert(*card, now);
        Ok(())
    }

    /// Something of this card is to be undone at its issuer.
    pub(crate) fn wake(self: &Arc<Self>, card: CardId) {
        self.queue.wake(self, card);
    }

    pub(crate) fn status(&self) -> (Vec<RouteStatus>, usize) {
        (self.upstream.status(), self.queue.len())
    }

    /// Signs off. What is not done stays in the store.
    pub(crate) async fn shutdown(&self) {
        self.stop.send_replace(true);
        let tasks = std::mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        for task in tasks {
            let _ = task.await;
        }
        self.queue.finished().await;
        self.upstream.shutdown().await;
    }

    fn noted(&self) -> std::sync::MutexGuard<'_, HashMap<CardId, Timestamp>> {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Forwarding {
    fn drop(&mut self) {
        self.stop.send_replace(true);
    }
}

/// The trace number on a link: the last digits of our reference, which no other message of the day has.
pub(crate) fn stan(references: &References) -> Stan {
    let digits = references.rrn.as_str();
    let last = digits.get(digits.len().saturating_sub(6)..).and_then(|text| text.parse().ok());
    let number = last.unwrap_or(1).max(1);
    // cannot fail: six digits are at most 999999
    Stan::new(number).unwrap_or_else(|_| unreachable!("six digits are a trace number"))
}
