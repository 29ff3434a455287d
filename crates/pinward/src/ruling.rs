//! The risk rules at work: what people decided about them, in the store's book, is carried out by this host; what the circuit
//! breaker decides is kept there; what the rules did is counted for the console.
//!
//! A host that starts publishes the live set, tells it the payments of the past that its windows reach, and goes on. On a
//! store of several hosts each counts what it follows; a rule that one of them demotes is demoted on all.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use host::{Clock as _, rules::Rules};
use model::Timestamp;
use risk::{Change, Limits, RuleSet, backtest::Report, register::Register};
use store::{
    Engine, Event, StoreError,
    book::{self, Book, BookError, Fact},
};
use tokio::{sync::oneshot, task::JoinHandle};
use web::rules::{KIND, RuleHits, RuleWork, STREAM};

use crate::command::rules::past;

/// How long it may take until another host's decision is carried out here.
const PATIENCE: Duration = Duration::from_secs(1);
/// Entries that are read at once.
const PAGE: usize = 1_024;
/// What the rules did is shown for so long, in milliseconds.
const SHOWN_MS: i64 = 86_400_000;
/// Deeds of rules that are remembered at most.
const DEEDS_MAX: usize = 200_000;

/// The rules of this host, following the book until it is stopped.
pub(crate) struct Ruling {
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

/// Everything that carries rules out.
struct Carrier {
    book: Arc<dyn Book>,
    engine: Arc<dyn Engine>,
    rules: Arc<Rules>,
    deeds: Arc<Deeds>,
    register: Register,
    /// Lists, snoozes and demotions, for a set that is published later.
    settled: Vec<Change>,
    /// Up to where the journal was counted.
    counted: u64,
}

impl Ruling {
    /// Publishes what is live, and follows from there.
    pub(crate) async fn start(
        book: Arc<dyn Book>,
        engine: Arc<dyn Engine>,
        rules: Arc<Rules>,
        deeds: Arc<Deeds>,
    ) -> anyhow::Result<Self> {
        let counted = engine.place_before(now().plus_ms(-SHOWN_MS)).await?;
        let mut carrier = Carrier {
            book,
            engine,
            rules,
            deeds,
            register: Register::default(),
            settled: Vec::new(),
            counted,
        };
        let kept = carrier.kept().await?;
        for change in &kept {
            carrier.take_note(change);
        }
        carrier.publish().await?;
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(async move {
            tokio::select! {
                () = carrier.follow(kept.len()) => {}
                _ = stopped => {}
            }
        });
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
        Ok(book::fold(self.book.as_ref(), STREAM, Vec::new(), push).await?.0)
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

    /// Puts the live set to work, with everything that people said about it and the payments that its windows reach.
    async fn publish(&self) -> Result<(), StoreError> {
        let live = self.register.live().and_then(|digest| self.register.version(digest));
        let set = match live.map(|version| RuleSet::parse(&version.text)) {
            Some(Ok(set)) => Some(Arc::new(set)),
            Some(Err(problems)) => {
                tracing::error!(
                    ?problems,
                    "the live rules are of a language that this program does not know: none act"
                );
                None
            }
            None => None,
        };
        let fresh = self.rules.history_ms().is_none();
        self.rules.publish(set, Limits::default());
        for change in &self.settled {
            self.rules.apply(change);
        }
        if fresh && let Some(history) = self.rules.history_ms() {
            self.learn(history).await?;
        }
        Ok(())
    }

    async fn learn(&self, history_ms: i64) -> Result<(), StoreError> {
        let mut after = self.engine.place_before(now().plus_ms(-history_ms)).await?;
        let end = self.engine.journal_end().await?;
        while after < end {
            let entries = self.engine.entries(after, PAGE).await?;
            let Some((last, _)) = entries.last() else { break };
            after = *last;
            entries.iter().for_each(|(_, entry)| self.rules.learn(entry));
        }
        Ok(())
    }

    /// Carries out what is decided, and writes down what the breaker did. A store that is away is asked again later.
    async fn follow(mut self, mut known: usize) {
        let mut bell = self.book.subscribe();
        loop {
            if let Err(error) = self.step(&mut known).await {
                tracing::warn!(%error, "the rules' book cannot be followed just now");
            }
            // What another host appended does not ring.
            let rung = tokio::time::timeout(PATIENCE, bell.changed()).await;
            if matches!(rung, Ok(Err(_))) {
                tokio::time::sleep(PATIENCE).await;
            }
        }
    }

    async fn step(&mut self, known: &mut usize) -> Result<(), StoreError> {
        for change in self.rules.take_changes() {
            self.keep(&change).await;
        }
        let seen = u32::try_from(*known).unwrap_or(u32::MAX);
        let mut republish = false;
        for fact in self.book.read(STREAM, seen, book::READ_MAX).await? {
            let change: Change = fact.read()?;
            *known += 1;
            self.take_note(&change);
            republish |= matches!(change, Change::Activated { .. } | Change::Withdrawn { .. });
            self.rules.apply(&change);
        }
        if republish {
            self.publish().await?;
        }
        self.count().await
    }

    /// A rule that was demoted stays so after a restart.
    async fn keep(&self, change: &Change) {
        let written = book::amend(
            self.book.as_ref(),
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

    async fn count(&mut self) -> Result<(), StoreError> {
        loop {
            let entries = self.engine.entries(self.counted, PAGE).await?;
            let Some((last, _)) = entries.last() else { return Ok(()) };
            self.counted = *last;
            for (_, entry) in &entries {
                if let Event::Transaction(t) = &entry.event
                    && let Some(hits) = &t.rules
                {
                    self.deeds.add(entry.at, hits);
                }
            }
        }
    }
}

/// What the rules did in the last day.
#[derive(Default)]
pub(crate) struct Deeds {
    done: Mutex<VecDeque<(Timestamp, Arc<str>, Deed)>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Deed {
    Live,
    Shadow,
    Error,
}

impl Deeds {
    fn add(&self, at: Timestamp, hits: &authorization::RuleHits) {
        let mut done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        let live = hits.fired.iter().map(|hit| (hit.rule.as_str(), Deed::Live));
        let shadow = hits.shadow.iter().map(|rule| (rule.as_str(), Deed::Shadow));
        let errors = hits.errors.iter().map(|rule| (rule.as_str(), Deed::Error));
        for (rule, deed) in live.chain(shadow).chain(errors) {
            done.push_back((at, rule.into(), deed));
        }
        while done.len() > DEEDS_MAX || done.front().is_some_and(|(then, ..)| at.since_ms(*then) > SHOWN_MS) {
            done.pop_front();
        }
    }

    fn counted(&self, now: Timestamp) -> Vec<RuleHits> {
        let done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        let mut rules: HashMap<&str, RuleHits> = HashMap::new();
        for (_, rule, deed) in done.iter().filter(|(at, ..)| now.since_ms(*at) <= SHOWN_MS) {
            let row = rules.entry(rule).or_insert_with(|| RuleHits {
                rule: rule.to_string(),
                live: 0,
                shadow: 0,
                errors: 0,
            });
            match deed {
                Deed::Live => row.live += 1,
                Deed::Shadow => row.shadow += 1,
                Deed::Error => row.errors += 1,
            }
        }
        rules.into_values().collect()
    }
}

/// What the console asks about rules at work.
pub(crate) struct Workbench {
    pub(crate) deeds: Arc<Deeds>,
    pub(crate) engine: Arc<dyn Engine>,
    pub(crate) listeners: Vec<host::ListenerConfig>,
    pub(crate) zone: jiff::tz::TimeZone,
}

#[async_trait]
impl RuleWork for Workbench {
    async fn hits(&self) -> Option<Vec<RuleHits>> {
        Some(self.deeds.counted(now()))
    }

    async fn backtest(
        &self,
        candidate: RuleSet,
        baseline: Option<RuleSet>,
        (from, to): (Timestamp, Timestamp),
        progress: &(dyn Fn(u64, u64) + Send + Sync),
    ) -> Result<Report, StoreError> {
        let span = past::Span { from: Some(from), to: Some(to) };
        let reading = host::past::Past::new(&self.listeners, self.zone.clone());
        let test = past::test(candidate, baseline, span, past::Settings::default());
        past::judged(self.engine.as_ref(), reading, test, span, &HashMap::new(), progress).await
    }
}

fn now() -> Timestamp {
    host::SystemClock.now()
}
