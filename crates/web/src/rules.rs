//! The rules' desk: which rule sets there are, who said what about them, and trying one on the past. What people decide is
//! kept in the store's book, as one stream of [`risk::Change`]s; whoever carries rules out follows it.

pub mod after;

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
};

use async_trait::async_trait;
use model::Timestamp;
use risk::{
    Change, RuleSet,
    backtest::Report,
    register::{Refusal, Register, State},
};
use store::{
    StoreError,
    archive::TransactionRow,
    book::{self, Book, BookError, Fact},
};

/// The stream of the book in which rules are kept.
pub const STREAM: &str = "rules";
/// The kind of its facts.
pub const KIND: &str = "changed";
/// Backtests that are remembered.
const JOBS_MAX: usize = 20;
/// Changes that are shown.
const HISTORY_MAX: usize = 200;

/// Rules at work: what only the host knows.
#[async_trait]
pub trait RuleWork: Send + Sync {
    /// What the rules of the live set did lately; nothing when no engine runs.
    async fn hits(&self) -> Option<Vec<RuleHits>>;

    /// What the sets in shadow would have done lately, and how that differs from the live set.
    async fn beside(&self) -> Option<Vec<BesideWork>>;

    /// Plays the past to a rule set, and to the live one beside it. `progress` is told how many payments of how many were
    /// played. Nothing is told to anybody, and nothing is decided.
    ///
    /// # Errors
    /// [`StoreError`]; `Away` when nobody can do that here.
    async fn backtest(
        &self,
        candidate: RuleSet,
        baseline: Option<RuleSet>,
        window: (Timestamp, Timestamp),
        progress: &(dyn Fn(u64, u64) + Send + Sync),
    ) -> Result<Report, StoreError>;
}

/// What one rule did in the last day.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RuleHits {
    /// The rule's id.
    pub rule: String,
    /// How often it fired and acted.
    pub live: u64,
    /// How often it fired in shadow.
    pub shadow: u64,
    /// How often it fired for somebody whom it was told to leave in peace.
    pub snoozed: u64,
    /// How often it had no truth value.
    pub errors: u64,
    /// Why, the last time.
    pub last_error: Option<String>,
}

/// What a set that runs beside the live one would have done in the last day.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BesideWork {
    /// The first characters of its version.
    pub version: String,
    /// When it first had something to say in this time.
    pub since: Timestamp,
    /// Payments for which a rule of it fired.
    pub hits: u64,
    /// Rules without a truth value.
    pub errors: u64,
    /// Payments that both sets decline, that only this one would, and that only the live one did.
    pub both: u64,
    /// Only this one.
    pub only_this: u64,
    /// Only the live one.
    pub only_live: u64,
}

/// No rules are carried out here.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoRuleWork;

#[async_trait]
impl RuleWork for NoRuleWork {
    async fn hits(&self) -> Option<Vec<RuleHits>> {
        None
    }

    async fn beside(&self) -> Option<Vec<BesideWork>> {
        None
    }

    async fn backtest(
        &self,
        _: RuleSet,
        _: Option<RuleSet>,
        _: (Timestamp, Timestamp),
        _: &(dyn Fn(u64, u64) + Send + Sync),
    ) -> Result<Report, StoreError> {
        Err(StoreError::Away("no rule engine runs beside this console".to_owned()))
    }
}

/// The desk.
pub struct RuleDesk {
    book: Arc<dyn Book>,
    work: Arc<dyn RuleWork>,
    jobs: Mutex<Vec<Arc<Job>>>,
    next_job: AtomicU32,
}

/// What the book says about rules.
#[derive(Debug, Clone, Default)]
pub(crate) struct Kept {
    pub(crate) register: Register,
    pub(crate) lists: BTreeMap<String, BTreeMap<String, Member>>,
    pub(crate) snoozes: BTreeMap<(String, String), Member>,
    /// The last changes, newest last.
    pub(crate) history: Vec<Change>,
    /// Versions that were live, oldest first.
    pub(crate) was_live: Vec<String>,
}

/// A member of a list, or what a rule leaves in peace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) until: Option<Timestamp>,
    pub(crate) by: String,
    pub(crate) why: String,
}

impl Kept {
    fn apply(&mut self, fact: &Fact) -> Result<(), StoreError> {
        let change: Change = fact.read()?;
        self.register.apply(&change);
        match &change {
            Change::Activated { digest, .. } => self.was_live.push(digest.clone()),
            Change::Listed { list, member, until, by, why, .. } => {
                let about = Member { until: *until, by: by.clone(), why: why.clone() };
                self.lists.entry(list.clone()).or_default().insert(member.clone(), about);
            }
            Change::Unlisted { list, member, .. } => {
                self.lists.entry(list.clone()).or_default().remove(member);
            }
            Change::Snoozed { rule, member, until, by, why, .. } => {
                let about = Member { until: Some(*until), by: by.clone(), why: why.clone() };
                self.snoozes.insert((rule.clone(), member.clone()), about);
            }
            Change::SnoozeEnded { rule, member, .. } => {
                self.snoozes.remove(&(rule.clone(), member.clone()));
            }
            _ => {}
        }
        self.history.push(change);
        if self.history.len() > HISTORY_MAX {
            self.history.remove(0);
        }
        Ok(())
    }

    /// The live set, checked.
    pub(crate) fn live_set(&self) -> Option<RuleSet> {
        self.set(self.register.live()?)
    }

    /// A version's rules; its file was checked when it was put down.
    pub(crate) fn set(&self, digest: &str) -> Option<RuleSet> {
        RuleSet::parse(&self.register.version(digest)?.text).ok()
    }

    /// The version that was live before the one that is.
    pub(crate) fn before_live(&self) -> Option<&str> {
        let live = self.register.live();
        self.was_live.iter().rev().map(String::as_str).find(|digest| Some(*digest) != live)
    }
}

/// Something about rules was not done.
#[derive(Debug)]
pub(crate) enum NotDone {
    /// The register says no.
    Refused(Refusal),
    /// The book's trouble.
    Store(StoreError),
}

impl From<BookError> for NotDone {
    fn from(error: BookError) -> Self {
        Self::Store(match error {
            BookError::Store(error) => error,
            BookError::Collision => StoreError::Overloaded,
            BookError::Refused(why) => StoreError::Corrupt(why),
            BookError::Unknown(why) => StoreError::Away(why),
        })
    }
}

/// A backtest, under way or done.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) id: u32,
    pub(crate) digest: String,
    pub(crate) from: Timestamp,
    pub(crate) to: Timestamp,
    played: AtomicU64,
    of: AtomicU64,
    done: Mutex<Option<Result<Report, String>>>,
}

impl Job {
    /// Payments that were played, and of how many.
    pub(crate) fn progress(&self) -> (u64, u64) {
        (self.played.load(Ordering::Relaxed), self.of.load(Ordering::Relaxed))
    }

    /// What came of it, when it is done.
    pub(crate) fn result(&self) -> Option<Result<Report, String>> {
        self.done.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl RuleDesk {
    /// A desk over a book.
    #[must_use]
    pub fn new(book: Arc<dyn Book>, work: Arc<dyn RuleWork>) -> Self {
        Self { book, work, jobs: Mutex::default(), next_job: AtomicU32::new(1) }
    }

    /// What the book says now.
    pub(crate) async fn kept(&self) -> Result<Kept, StoreError> {
        let (kept, _) = book::fold(self.book.as_ref(), STREAM, Kept::default(), Kept::apply).await?;
        Ok(kept)
    }

    /// What rules that come after the decision said about a payment.
    pub(crate) async fn after(
        &self,
        row: &TransactionRow,
    ) -> Result<Option<authorization::RuleHits>, StoreError> {
        after::find(self.book.as_ref(), &row.rrn, row.at).await
    }

    /// What the rules did lately.
    pub(crate) async fn hits(&self) -> Option<BTreeMap<String, RuleHits>> {
        let hits = self.work.hits().await?;
        Some(hits.into_iter().map(|hits| (hits.rule.clone(), hits)).collect())
    }

    /// What a set in shadow would have done lately; nothing, if it does not run here.
    pub(crate) async fn beside(&self, digest: &str) -> Option<BesideWork> {
        let all = self.work.beside().await?;
        all.into_iter().find(|beside| !beside.version.is_empty() && digest.starts_with(&beside.version))
    }

    /// Decides on what the book says, and writes the change down.
    pub(crate) async fn change(
        &self,
        at: Timestamp,
        mut decide: impl FnMut(&Kept) -> Result<Change, Refusal> + Send,
    ) -> Result<Change, NotDone> {
        let mut decided = None;
        book::amend(self.book.as_ref(), STREAM, at, Kept::apply, |kept: &Kept| {
            let change = decide(kept);
            let body = change.as_ref().ok().map(book::json).transpose()?;
            decided = Some(change);
            Ok(body.map(|body| (KIND.to_owned(), body)))
        })
        .await?;
        match decided {
            Some(Ok(change)) => Ok(change),
            Some(Err(refusal)) => Err(NotDone::Refused(refusal)),
            None => Err(NotDone::Store(StoreError::Overloaded)),
        }
    }

    /// Makes a set in shadow the live one: one asked for it, another agreed.
    pub(crate) async fn publish(
        &self,
        digest: &str,
        maker: &str,
        checker: &str,
        at: Timestamp,
    ) -> Result<(), NotDone> {
        let asked_for = |kept: &Kept| {
            let version = kept.register.version(digest);
            version.is_some_and(|version| matches!(version.state, State::Requested { .. }))
        };
        if !asked_for(&self.kept().await.map_err(NotDone::Store)?) {
            self.change(at, |kept| kept.register.request(digest, maker, at)).await?;
        }
        self.change(at, |kept| kept.register.activate(digest, checker, at)).await.map(drop)
    }

    /// Begins a backtest of a version beside the live one, and says under which number.
    pub(crate) async fn backtest(
        self: &Arc<Self>,
        digest: &str,
        (from, to): (Timestamp, Timestamp),
    ) -> Result<Option<Arc<Job>>, StoreError> {
        let kept = self.kept().await?;
        let Some(candidate) = kept.set(digest) else { return Ok(None) };
        let baseline = kept.live_set().filter(|live| live.digest() != candidate.digest());
        let job = Arc::new(Job {
            id: self.next_job.fetch_add(1, Ordering::Relaxed),
            digest: digest.to_owned(),
            from,
            to,
            played: AtomicU64::new(0),
            of: AtomicU64::new(0),
            done: Mutex::new(None),
        });
        let mut jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        jobs.push(Arc::clone(&job));
        let too_many = jobs.len().saturating_sub(JOBS_MAX);
        jobs.drain(..too_many);
        drop(jobs);
        let (work, running) = (Arc::clone(&self.work), Arc::clone(&job));
        tokio::spawn(async move {
            let told = Arc::clone(&running);
            let progress = move |played, of| {
                told.played.store(played, Ordering::Relaxed);
                told.of.store(of, Ordering::Relaxed);
            };
            let report = work.backtest(candidate, baseline, (from, to), &progress).await;
            let mut done = running.done.lock().unwrap_or_else(PoisonError::into_inner);
            *done = Some(report.map_err(|error| error.to_string()));
        });
        Ok(Some(job))
    }

    /// The newest backtest of a version.
    pub(crate) fn newest_job(&self, digest: &str) -> Option<Arc<Job>> {
        self.jobs().into_iter().rev().find(|job| job.digest == digest)
    }

    /// All that are remembered, oldest first.
    pub(crate) fn jobs(&self) -> Vec<Arc<Job>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// How a rule differs between the live set and another.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Difference {
    pub(crate) rule: String,
    /// As it is in the live set, and in the other; one is missing when the rule is.
    pub(crate) live: Option<String>,
    pub(crate) other: Option<String>,
}

/// What the other set would change, in the order of its file; what it takes away comes last.
pub(crate) fn differences(live: Option<&RuleSet>, other: &RuleSet) -> Vec<Difference> {
    let words = |rule: &risk::Rule| {
        let moment = |at: Option<Timestamp>| at.map_or_else(|| "\u{2013}".to_owned(), |at| at.0.to_string());
        format!(
            "{} \u{b7} {} \u{b7} {}\n{}\n{} \u{2026} {}",
            rule.action,
            rule.mode.name(),
            rule.score,
            rule.when.trim(),
            moment(rule.from),
            moment(rule.until)
        )
    };
    let before: BTreeMap<&str, String> =
        live.iter().flat_map(|set| set.rules()).map(|rule| (rule.id.as_str(), words(rule))).collect();
    let mut differences: Vec<Difference> = other
        .rules()
        .filter_map(|rule| {
            let (live, other) = (before.get(rule.id.as_str()).cloned(), Some(words(rule)));
            (live != other).then(|| Difference { rule: rule.id.clone(), live, other })
        })
        .collect();
    let kept: Vec<&str> = other.rules().map(|rule| rule.id.as_str()).collect();
    let gone = before.into_iter().filter(|(id, _)| !kept.contains(id));
    differences.extend(gone.map(|(id, words)| Difference {
        rule: id.to_owned(),
        live: Some(words),
        other: None,
    }));
    differences
}
