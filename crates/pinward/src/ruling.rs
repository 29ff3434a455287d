//! The risk rules at work: what people decided about them, in the store's book, is carried out by this host; what the circuit
//! breaker decides is kept there; what the rules did is counted for the console ([`deeds`]), and told ([`telling`]).
//!
//! A host that starts publishes the live set and those in shadow, tells them the payments of the past that their windows
//! reach ([`learning`]), and goes on. On a store of several hosts a rule that one of them demotes is demoted on all.

mod deeds;
mod keeping;
mod learning;
mod telling;

use std::{collections::HashMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use host::{Clock as _, rules::Rules};
use model::Timestamp;
use risk::{
    Change, Limits, RuleSet,
    backtest::Report,
    register::{Register, State},
};
use store::{
    Engine, StoreError,
    book::{self, Book, BookError, Fact},
};
use tokio::{sync::oneshot, task::JoinHandle};
use web::rules::{BesideWork, KIND, RuleHits, RuleWork, STREAM};

pub(crate) use self::{keeping::Keeping, learning::Reading, telling::Telling};
use crate::command::rules::past;

/// How long it may take until another host's decision is carried out here.
const PATIENCE: Duration = Duration::from_secs(1);
/// So long a start waits for rules that are told the past; a longer past is told while payments go on.
const START_PATIENCE: Duration = Duration::from_secs(10);
/// Sets that run beside the live one: each is asked about every payment.
const BESIDE_MAX: usize = 3;

/// The rules of this host, following the book until it is stopped.
pub(crate) struct Ruling {
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

/// What rules are carried out with.
pub(crate) struct Parts {
    pub(crate) book: Arc<dyn Book>,
    pub(crate) engine: Arc<dyn Engine>,
    pub(crate) rules: Arc<Rules>,
    pub(crate) telling: Arc<Telling>,
    pub(crate) reading: Reading,
}

/// Everything that carries rules out.
struct Carrier {
    parts: Parts,
    register: Register,
    /// Lists, snoozes and demotions, for a set that is published later.
    settled: Vec<Change>,
    /// Must the rules of the authorization, and those after it, be told the past?
    cold: (bool, bool),
}

impl Ruling {
    /// Publishes what is live, and follows from there.
    pub(crate) async fn start(parts: Parts) -> anyhow::Result<Self> {
        let mut carrier =
            Carrier { parts, register: Register::default(), settled: Vec::new(), cold: (false, false) };
        let kept = carrier.kept().await?;
        for change in &kept {
            carrier.take_note(change);
        }
        carrier.publish();
        let (stop, stopped) = oneshot::channel();
        let (ready, is_ready) = oneshot::channel();
        let task = tokio::spawn(async move {
            tokio::select! {
                () = carrier.follow(kept.len(), ready) => {}
                _ = stopped => {}
            }
        });
        if tokio::time::timeout(START_PATIENCE, is_ready).await.is_err() {
            tracing::info!("rules act already; what happened before is still being told to their counters");
        }
        Ok(Self { stop, task })
    }

    /// Stops following.
    pub(crate) async fn stop(self) {
        let _ = self.stop.send(());
        let _ = self.task.await;
    }
}

impl Carrier {
    async fn kept(&self) -> Result<Vec<Change>, StoreError> {
        let push = |changes: &mut Vec<Change>, fact: &Fact| -> Result<(), StoreError> {
            changes.push(fact.read()?);
            Ok(())
        };
        Ok(book::fold(self.parts.book.as_ref(), STREAM, Vec::new(), push).await?.0)
    }

    fn take_note(&mut self, change: &Change) {
        self.register.apply(change);
        match change {
            Change::Drafted { .. } | Change::Shadowed { .. } | Change::Requested { .. } => {}
            Change::Activated { .. } | Change::Withdrawn { .. } => {
                // What was demoted was demoted in the set of before.
                self.settled.retain(|c| !matches!(c, Change::Demoted { .. } | Change::Restored { .. }));
            }
            other => self.settled.push(other.clone()),
        }
    }

    fn set(&self, digest: &str) -> Option<Arc<RuleSet>> {
        match RuleSet::parse(&self.register.version(digest)?.text) {
            Ok(set) => Some(Arc::new(set)),
            Err(problems) => {
                tracing::error!(
                    ?problems,
                    digest,
                    "these rules are of a language that this program does not know: none of them acts"
                );
                None
            }
        }
    }

    /// When the live set became live.
    fn live_since(&self) -> Timestamp {
        let version = self.register.live().and_then(|digest| self.register.version(digest));
        match version.map(|version| &version.state) {
            Some(State::Live(since)) => *since,
            _ => Timestamp(i64::MAX),
        }
    }

    /// Sets in shadow, the newest first.
    fn beside(&self) -> Vec<Arc<RuleSet>> {
        let since = |state: &State| match state {
            State::Shadow(since) | State::Requested { shadow: since, .. } => Some(*since),
            State::Draft | State::Live(_) | State::Withdrawn => None,
        };
        let versions = self.register.versions();
        let mut running: Vec<_> =
            versions.filter_map(|(digest, version)| Some((since(&version.state)?, digest))).collect();
        running.sort_by(|one, other| other.cmp(one));
        running.into_iter().take(BESIDE_MAX).filter_map(|(_, digest)| self.set(digest)).collect()
    }

    /// Puts the live set to work and others beside it, with everything that people said about them.
    fn publish(&mut self) {
        let set = self.register.live().and_then(|digest| self.set(digest));
        let Parts { rules, telling, .. } = &self.parts;
        let cold = rules.publish(set.clone(), self.beside(), Limits::default());
        let cold_after = telling.publish(set.as_ref(), self.live_since());
        for change in &self.settled {
            rules.apply(change);
            telling.after().apply(change);
        }
        self.cold = (self.cold.0 || cold, self.cold.1 || cold_after);
    }

    /// Tells the past to what does not know it.
    async fn warm(&mut self) -> Result<(), StoreError> {
        let Parts { engine, rules, telling, reading, .. } = &self.parts;
        if self.cold.0 {
            learning::rules(engine.as_ref(), reading, rules, now()).await?;
            self.cold.0 = false;
        }
        if self.cold.1 {
            learning::after(engine.as_ref(), reading, telling, now()).await?;
            self.cold.1 = false;
        }
        Ok(())
    }

    /// Carries out what is decided, and writes down what the breaker did. A store that is away is asked again later.
    async fn follow(mut self, mut known: usize, ready: oneshot::Sender<()>) {
        let mut bell = self.parts.book.subscribe();
        let mut ready = Some(ready);
        loop {
            if let Err(error) = self.step(&mut known).await {
                tracing::warn!(%error, "the rules' book, or the journal, cannot be read just now");
            }
            if let Some(ready) = ready.take() {
                let _ = ready.send(());
            }
            // What another host appended does not ring.
            let rung = tokio::time::timeout(PATIENCE, bell.changed()).await;
            if matches!(rung, Ok(Err(_))) {
                tokio::time::sleep(PATIENCE).await;
            }
        }
    }

    async fn step(&mut self, known: &mut usize) -> Result<(), StoreError> {
        for change in self.parts.rules.take_changes() {
            self.parts.telling.demoted(&change);
            self.keep(&change).await;
        }
        let seen = u32::try_from(*known).unwrap_or(u32::MAX);
        let mut republish = false;
        for fact in self.parts.book.read(STREAM, seen, book::READ_MAX).await? {
            let change: Change = fact.read()?;
            *known += 1;
            self.take_note(&change);
            republish |= matches!(
                change,
                Change::Activated { .. } | Change::Withdrawn { .. } | Change::Shadowed { .. }
            );
            self.parts.rules.apply(&change);
            self.parts.telling.after().apply(&change);
        }
        if republish {
            self.publish();
        }
        self.parts.rules.forget_ended(now());
        self.warm().await
    }

    /// A rule that was demoted stays so after a restart.
    async fn keep(&self, change: &Change) {
        let written = book::amend(
            self.parts.book.as_ref(),
            STREAM,
            now(),
            |_: &mut (), _| Ok(()),
            |()| Ok(Some((KIND.to_owned(), book::json(change)?))),
        );
        if let Err(error @ (BookError::Store(_) | BookError::Unknown(_) | BookError::Refused(_))) =
            written.await
        {
            tracing::error!(%error, ?change, "a demoted rule was not written down");
        }
    }
}

/// What the console asks about rules at work.
pub(crate) struct Workbench {
    pub(crate) telling: Arc<Telling>,
    pub(crate) engine: Arc<dyn Engine>,
    pub(crate) reading: Reading,
}

#[async_trait]
impl RuleWork for Workbench {
    async fn hits(&self) -> Option<Vec<RuleHits>> {
        Some(self.telling.deeds.by_rule(now()))
    }

    async fn beside(&self) -> Option<Vec<BesideWork>> {
        Some(self.telling.deeds.beside(now()))
    }

    async fn backtest(
        &self,
        candidate: RuleSet,
        baseline: Option<RuleSet>,
        (from, to): (Timestamp, Timestamp),
        progress: &(dyn Fn(u64, u64) + Send + Sync),
    ) -> Result<Report, StoreError> {
        let span = past::Span { from: Some(from), to: Some(to) };
        let test = past::test(candidate, baseline, span, past::Settings::default());
        let labels = HashMap::new();
        past::judged(self.engine.as_ref(), self.reading.past(), test, span, &labels, progress).await
    }
}

fn now() -> Timestamp {
    host::SystemClock.now()
}
