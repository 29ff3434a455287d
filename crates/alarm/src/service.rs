//! The service: takes alerts from whoever raises them, keeps what happens in the book, and has what is due done.
//!
//! Several hosts of a database share one stream. Each applies what the others wrote before it decides, and the number of a fact
//! decides who was first; a delivery is taken by the host whose fact says so.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use model::Timestamp;
use store::{Book, BookError, StoreError, book::READ_MAX};
use tokio::{
    sync::{Notify, broadcast, mpsc, watch},
    task::JoinHandle,
};

use crate::{
    alert::{Alert, AlertError, Scope, Severity},
    desk::{Alarm, Desk, Event, Matcher, Refusal, STREAM},
    sender::{Sender, owner},
    settings::Settings,
    texts::text,
    webhook::{guard, sign::Secret},
};

mod run;

/// Alerts that wait to be taken; one more is dropped and counted.
const ALERTS_WAITING: usize = 4096;
/// Alarms that a slow listener may be behind before it misses some.
const LIVE_BEHIND: usize = 256;
/// Lost races against other hosts.
const RACES_MAX: usize = 16;

/// Tells the time.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// What the service is made of.
pub struct Parts {
    /// Where everything is kept.
    pub book: Arc<dyn Book>,
    /// What the operator set.
    pub settings: Settings,
    /// The time.
    pub clock: Clock,
    /// No other process has this store: what was under way when it was opened is not any more.
    pub alone: bool,
    /// How often it looks for what is due. A second is right; tests are in a hurry.
    pub tick: Duration,
}

/// An alarm changed, or what is held back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Live {
    /// The alarm's number; `None`: a silence began or ended, which may be about several.
    pub alarm: Option<u32>,
    /// The fact's kind, such as `raised`.
    pub what: &'static str,
}

/// Why something was not done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AlarmError {
    /// Whoever asked should ask otherwise.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The webhook's address.
    #[error("{0}")]
    Barred(#[from] guard::Barred),
    /// The store's trouble.
    #[error("{0}")]
    Store(#[from] BookError),
}

impl From<StoreError> for AlarmError {
    fn from(error: StoreError) -> Self {
        Self::Store(error.into())
    }
}

/// The alarms of a store. Clones share one service.
#[derive(Clone)]
pub struct AlarmService {
    inner: Arc<Inner>,
}

struct Inner {
    book: Arc<dyn Book>,
    settings: Arc<Settings>,
    clock: Clock,
    desk: Mutex<Desk>,
    /// Held while a fact is decided and appended.
    pen: tokio::sync::Mutex<()>,
    alerts: mpsc::Sender<Alert>,
    dropped: AtomicU64,
    live: broadcast::Sender<Live>,
    /// Something may be due.
    bell: Notify,
    end: watch::Sender<bool>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

impl AlarmService {
    /// Reads what is in the book and begins. Must be called inside a Tokio runtime.
    ///
    /// # Errors
    /// A sentence for the operator: a certificate file, a password file, the store.
    pub async fn start(parts: Parts) -> Result<Self, String> {
        let (alone, tick) = (parts.alone, parts.tick);
        let (inner, sender, waiting) = Inner::new(parts, Desk::default())?;
        inner.catch_up().await.map_err(|error| format!("alarms: {error}"))?;
        if alone {
            inner.desk().forget_attempts();
        }
        let ended = inner.end.subscribe();
        let tasks = vec![
            tokio::spawn(run::take(inner.clone(), waiting, ended.clone())),
            tokio::spawn(run::look(inner.clone(), sender, tick, ended)),
        ];
        *inner.tasks.lock().unwrap_or_else(PoisonError::into_inner) = tasks;
        Ok(Self { inner })
    }

    /// A service that tells nobody anything, with what is on a desk already: for tests of what is shown.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn asleep(parts: Parts, desk: Desk) -> Result<Self, String> {
        Ok(Self { inner: Inner::new(parts, desk)?.0 })
    }

    /// Raises an alert; never waits. When far too much is raised at once, what does not fit is dropped and counted in the log.
    ///
    /// # Errors
    /// [`AlertError`], when it is none.
    pub fn raise(&self, alert: Alert) -> Result<(), AlertError> {
        let alert = alert.checked()?;
        if self.inner.alerts.try_send(alert).is_err() {
            self.inner.dropped.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }

    /// What was raised under this key ([`Alert::key`]) is over.
    ///
    /// # Errors
    /// [`AlarmError`].
    pub async fn resolve(&self, key: &str, why: &str) -> Result<(), AlarmError> {
        self.inner.commit(|desk, _| Ok::<_, Refusal>(desk.resolve(key, why))).await.map(drop)
    }

    /// Somebody takes an alarm on.
    ///
    /// # Errors
    /// [`AlarmError`].
    pub async fn acknowledge(&self, id: u32, by: &str, note: &str) -> Result<(), AlarmError> {
        self.inner.commit(|desk, _| desk.acknowledge(id, by, note).map(Some)).await.map(drop)
    }

    /// Holds alarms back; the number of the silence.
    ///
    /// # Errors
    /// [`AlarmError`].
    pub async fn silence(
        &self,
        matcher: Matcher,
        until: Timestamp,
        by: &str,
        why: &str,
    ) -> Result<u32, AlarmError> {
        let decide = |desk: &Desk, now| desk.silence(matcher.clone(), until, by, why, now).map(Some);
        Ok(self.inner.commit(decide).await?.unwrap_or_default())
    }

    /// Ends a silence early.
    ///
    /// # Errors
    /// [`AlarmError`].
    pub async fn lift(&self, id: u32, by: &str) -> Result<(), AlarmError> {
        self.inner.commit(|desk, now| desk.lift(id, by, now).map(Some)).await.map(drop)
    }

    /// A new webhook: its id, and its secret, which nobody is told again.
    ///
    /// # Errors
    /// [`AlarmError`].
    pub async fn subscribe(
        &self,
        url: &str,
        description: &str,
        kinds: &[String],
        least: Severity,
        by: &str,
    ) -> Result<(String, Secret), AlarmError> {
        guard::check(url, &self.inner.settings.allow).await?;
        let (id, secret) = (new_id()?, new_secret()?);
        let sealed = self.inner.book.seal(&owner(&id), secret.bytes())?;
        let decide = |desk: &Desk, _| {
            desk.subscribe(&id, url, description, kinds, least, sealed.clone(), by).map(Some)
        };
        self.inner.commit(decide).await?;
        Ok((id, secret))
    }

    /// A new secret for a webhook; the old one signs too for the configured time.
    ///
    /// # Errors
    /// [`AlarmError`].
    pub async fn rotate(&self, id: &str, by: &str) -> Result<(Secret, Timestamp), AlarmError> {
        let secret = new_secret()?;
        let sealed = self.inner.book.seal(&owner(id), secret.bytes())?;
        let spell = i64::try_from(self.inner.settings.rotation().as_millis()).unwrap_or(i64::MAX);
        let until = (self.inner.clock)().plus_ms(spell);
        self.inner.commit(|desk, _| desk.rotate(id, sealed.clone(), until, by).map(Some)).await?;
        Ok((secret, until))
    }

    /// A webhook that was disabled gets what comes from now on.
    ///
    /// # Errors
    /// [`AlarmError`].
    pub async fn enable(&self, id: &str, by: &str) -> Result<(), AlarmError> {
        self.inner.commit(|desk, _| desk.enable(id, by).map(Some)).await.map(drop)
    }

    /// Removes a webhook.
    ///
    /// # Errors
    /// [`AlarmError`].
    pub async fn remove(&self, id: &str, by: &str) -> Result<(), AlarmError> {
        self.inner.commit(|desk, _| desk.remove(id, by).map(Some)).await.map(drop)
    }

    /// Sends a webhook a message of type `webhook.test`; the number of the notice.
    ///
    /// # Errors
    /// [`AlarmError`].
    pub async fn test(&self, id: &str) -> Result<u32, AlarmError> {
        Ok(self.inner.commit(|desk, now| desk.test(id, now).map(Some)).await?.unwrap_or_default())
    }

    /// Looks at everything as it is now.
    pub fn look<T>(&self, look: impl FnOnce(&Desk, Timestamp) -> T) -> T {
        look(&self.inner.desk(), (self.inner.clock)())
    }

    /// Hears of each change to an alarm, and of silences.
    #[must_use]
    pub fn live(&self) -> broadcast::Receiver<Live> {
        self.inner.live.subscribe()
    }

    /// Takes no more alerts and waits for what is under way, for a bounded time; the rest is told after the next start.
    pub async fn stop(&self) {
        self.inner.end.send_replace(true);
        let tasks = std::mem::take(&mut *self.inner.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        for task in tasks {
            let _ = task.await;
        }
    }
}

fn new_secret() -> Result<Secret, AlarmError> {
    Secret::random().ok_or_else(|| StoreError::Away("the system has no randomness".to_owned()).into())
}

/// Random: it is part of the message ids, which no other installation may use.
fn new_id() -> Result<String, AlarmError> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).map_err(|_| StoreError::Away("the system has no randomness".to_owned()))?;
    Ok(format!("wh{:016x}", u64::from_be_bytes(bytes)))
}

impl Inner {
    fn new(parts: Parts, desk: Desk) -> Result<(Arc<Self>, Sender, mpsc::Receiver<Alert>), String> {
        let settings = Arc::new(parts.settings);
        let sender = Sender::new(parts.book.clone(), settings.clone())?;
        let (alerts, waiting) = mpsc::channel(ALERTS_WAITING);
        let inner = Arc::new(Self {
            book: parts.book,
            settings,
            clock: parts.clock,
            desk: Mutex::new(desk),
            pen: tokio::sync::Mutex::default(),
            alerts,
            dropped: AtomicU64::new(0),
            live: broadcast::Sender::new(LIVE_BEHIND),
            bell: Notify::new(),
            end: watch::Sender::new(false),
            tasks: Mutex::default(),
        });
        Ok((inner, sender, waiting))
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Decides on what is known, and appends; when another host was first, learns what it wrote and decides again. Returns the
    /// number of the fact, if there was one to append.
    async fn commit<R: Into<AlarmError>>(
        &self,
        mut decide: impl FnMut(&Desk, Timestamp) -> Result<Option<Event>, R>,
    ) -> Result<Option<u32>, AlarmError> {
        let _pen = self.pen.lock().await;
        for _ in 0..RACES_MAX {
            let now = (self.clock)();
            let (event, seq) = {
                let desk = self.desk();
                match decide(&desk, now).map_err(Into::into)? {
                    Some(event) => (event, desk.seq()),
                    None => return Ok(None),
                }
            };
            match self.book.append(STREAM, seq, now, event.kind(), event.body()?).await {
                Ok(_) => {
                    self.happened(seq + 1, now, event);
                    self.bell.notify_one();
                    return Ok(Some(seq + 1));
                }
                Err(BookError::Collision) => self.learn().await?,
                Err(error) => {
                    // It may be there after all; then it is known before anybody decides again.
                    let _ = self.learn().await;
                    return Err(error.into());
                }
            }
        }
        Err(StoreError::Overloaded.into())
    }

    /// Applies what other hosts wrote.
    async fn catch_up(&self) -> Result<(), StoreError> {
        let _pen = self.pen.lock().await;
        self.learn().await
    }

    async fn learn(&self) -> Result<(), StoreError> {
        loop {
            let after = self.desk().seq();
            let facts = self.book.read(STREAM, after, READ_MAX).await?;
            if facts.is_empty() {
                return Ok(());
            }
            for fact in facts {
                self.happened(fact.seq, fact.at, Event::of(&fact)?);
            }
        }
    }

    fn happened(&self, seq: u32, at: Timestamp, event: Event) {
        let (what, alarm) = (event.kind(), alarm_of(&event, seq));
        let is_silence = matches!(event, Event::Silenced { .. } | Event::Lifted { .. });
        self.desk().apply(seq, at, event);
        if alarm.is_some() || is_silence {
            // Nobody may be listening.
            let _ = self.live.send(Live { alarm, what });
        }
    }

    /// An alert of our own: a webhook that is disabled should not be missed for being silent.
    fn webhook_disabled(&self, desk: &Desk, webhook: &str, now: Timestamp) -> Option<Alert> {
        let host = url::Url::parse(&desk.webhook(webhook)?.url).ok()?.host_str()?.to_owned();
        let alert = Alert {
            group: None,
            kind: "webhook-disabled".to_owned(),
            scope: Scope { kind: "webhook".to_owned(), id: webhook.to_owned() },
            severity: Severity::Warning,
            title: text("webhook-disabled", "title", &host),
            body: text("webhook-disabled", "body", &host),
            link: Some("/alarms".to_owned()),
            at: now,
        };
        alert.checked().ok()
    }
}

/// The alarm that an event is about.
fn alarm_of(event: &Event, seq: u32) -> Option<u32> {
    match event {
        Event::Raised { .. } => Some(seq),
        Event::Joined { alarm, .. } | Event::Acknowledged { alarm, .. } | Event::Over { alarm, .. } => {
            Some(*alarm)
        }
        Event::Notified { alarm, .. } => *alarm,
        _ => None,
    }
}

/// Alerts that joined an alarm and are not in the book yet.
#[derive(Default)]
pub(crate) struct Joining(HashMap<String, (Alert, u32)>);

impl Joining {
    fn add(&mut self, alert: Alert) -> u32 {
        let entry = self.0.entry(alert.key()).or_insert_with(|| (alert.clone(), 0));
        entry.1 += 1;
        if alert.severity >= entry.0.severity {
            entry.0 = alert;
        }
        entry.1
    }
}

/// Is it milder than or like what is known of the alarm?
pub(crate) fn is_more_of_the_same(alarm: &Alarm, alert: &Alert) -> bool {
    alert.severity <= alarm.severity
}
