//! One device: its breaker, its connections, and the task that probes it when it is left alone.

use std::{
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use hsm::payshield::{Encoded, Meaning, Reply, outcome, reply::Diagnostics};
use tokio::{
    sync::{Notify, mpsc, oneshot},
    task::JoinSet,
    time::{Instant, sleep, sleep_until},
};

use crate::{
    breaker::Breaker,
    config::PoolConfig,
    connection::{Failure, Job, Manner, Opened, Watch, open, refusing, reply_of, serve},
};

/// Between two attempts to connect: the first, and the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// One payShield.
pub(crate) struct Device {
    pub(crate) address: String,
    manner: Manner,
    /// The site's LMK, once it is known: keys of ours are under it and no other.
    lmk: Arc<OnceLock<String>>,
    breaker: Mutex<Breaker>,
    changed: Notify,
    probed: Notify,
    diagnostics: Mutex<Option<Diagnostics>>,
    lanes: Vec<Lane>,
}

struct Lane {
    jobs: mpsc::Sender<Job>,
    ready: Arc<AtomicBool>,
}

impl Device {
    /// Starts the connections and the probe of a device.
    pub(crate) fn start(
        address: &str,
        config: &PoolConfig,
        lmk: Arc<OnceLock<String>>,
        tasks: &mut JoinSet<()>,
    ) -> Arc<Self> {
        let manner = Manner {
            framing: config.framing(),
            in_flight: config.in_flight,
            timeout: config.timeout(),
            idle: Duration::from_millis(config.idle_ms),
        };
        let open_for = Duration::from_millis(config.breaker_open_ms);
        let mut lanes = Vec::new();
        let mut ends = Vec::new();
        for _ in 0..config.connections {
            let (jobs, end) = mpsc::channel(config.queue);
            let ready = Arc::new(AtomicBool::new(false));
            lanes.push(Lane { jobs, ready: Arc::clone(&ready) });
            ends.push((end, ready));
        }
        let device = Arc::new(Self {
            address: address.to_owned(),
            manner,
            lmk,
            breaker: Mutex::new(Breaker::new(config.breaker_failures, open_for, Instant::now())),
            changed: Notify::new(),
            probed: Notify::new(),
            diagnostics: Mutex::new(None),
            lanes,
        });
        for (end, ready) in ends {
            tasks.spawn(Arc::clone(&device).keep_connected(end, ready));
        }
        tasks.spawn(Arc::clone(&device).keep_probing());
        device
    }

    /// May it be asked?
    pub(crate) fn is_usable(&self) -> bool {
        self.breaker().is_closed()
    }

    /// What it told about itself, if it was reached.
    pub(crate) fn diagnostics(&self) -> Option<Diagnostics> {
        self.diagnostics.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    /// Waits until it was probed once, and then a moment for a connection.
    pub(crate) async fn settled(&self) {
        let probed = self.probed.notified();
        if self.breaker().probe_due().is_some_and(|due| due > Instant::now()) {
            return; // probed and away
        }
        if !self.is_usable() {
            probed.await;
        }
        let until = Instant::now() + self.manner.timeout;
        while self.is_usable() && !self.has_connection() && Instant::now() < until {
            sleep(FIRST_PAUSE / 5).await;
        }
    }

    fn has_connection(&self) -> bool {
        self.lanes.iter().any(|lane| lane.ready.load(Ordering::Acquire))
    }

    /// Asks, over the connection with the shortest queue.
    pub(crate) async fn ask(&self, command: &Arc<Encoded>, until: Instant) -> Result<Reply, Failure> {
        let mut ready: Vec<&Lane> =
            self.lanes.iter().filter(|lane| lane.ready.load(Ordering::Acquire)).collect();
        if ready.is_empty() {
            return Err(Failure::Closed);
        }
        ready.sort_by_key(|lane| std::cmp::Reverse(lane.jobs.capacity()));
        let (reply, answer) = oneshot::channel();
        let mut job = Job { command: Arc::clone(command), until, reply };
        for lane in ready {
            match lane.jobs.try_send(job) {
                Ok(()) => return reply_of(answer, until).await,
                Err(mpsc::error::TrySendError::Full(back) | mpsc::error::TrySendError::Closed(back)) => {
                    job = back
                }
            }
        }
        Err(Failure::Overloaded)
    }

    async fn keep_connected(self: Arc<Self>, mut jobs: mpsc::Receiver<Job>, ready: Arc<AtomicBool>) {
        let mut pause = FIRST_PAUSE;
        let watch = LaneWatch { device: &self, ready };
        loop {
            let Some(opened) = refusing(&mut jobs, self.open()).await else { return };
            match opened {
                Ok(opened) => {
                    pause = FIRST_PAUSE;
                    let why = serve(opened, &mut jobs, self.manner, &watch).await;
                    tracing::warn!(hsm = self.address, %why, "connection to the HSM closed");
                }
                Err(why) => {
                    tracing::debug!(hsm = self.address, %why, "no connection to the HSM");
                    self.failed();
                }
            }
            let Some(()) = refusing(&mut jobs, sleep(pause)).await else { return };
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    async fn keep_probing(self: Arc<Self>) {
        loop {
            let changed = self.changed.notified();
            let due = self.breaker().probe_due();
            let Some(due) = due else {
                changed.await;
                continue;
            };
            sleep_until(due).await;
            self.breaker().probing();
            let outcome = self.open().await;
            let usable = self.breaker().probed(outcome.is_ok(), Instant::now());
            match outcome {
                Ok(_) => tracing::info!(hsm = self.address, "the HSM is in use"),
                Err(why) => tracing::warn!(hsm = self.address, %why, usable, "the HSM is left alone"),
            }
            self.probed.notify_waiters();
        }
    }

    /// A connection to this device, if it has the site's LMK.
    async fn open(&self) -> Result<Opened, Failure> {
        let opened = open(&self.address, self.manner).await?;
        let value = &opened.diagnostics.lmk_check_value;
        if self.lmk.get_or_init(|| value.clone()) != value {
            return Err(Failure::OtherLmk(value.clone()));
        }
        *self.diagnostics.lock().unwrap_or_else(std::sync::PoisonError::into_inner) =
            Some(opened.diagnostics.clone());
        Ok(opened)
    }

    fn failed(&self) {
        if self.breaker().failed(Instant::now()) {
            tracing::warn!(hsm = self.address, "the HSM failed too often and is left alone");
            self.changed.notify_one();
        }
    }

    fn breaker(&self) -> std::sync::MutexGuard<'_, Breaker> {
        // The breaker is whole after every step, so one that panicked left no half of one.
        self.breaker.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

struct LaneWatch<'a> {
    device: &'a Device,
    ready: Arc<AtomicBool>,
}

impl Watch for LaneWatch<'_> {
    fn ready(&self, ready: bool) {
        self.ready.store(ready, Ordering::Release);
    }

    fn answered(&self, command: &Encoded, reply: &Reply) {
        if outcome::meaning(command, reply) == Meaning::Unavailable {
            self.device.failed();
        } else {
            self.device.breaker().succeeded();
        }
    }

    fn failed(&self) {
        self.device.failed();
    }
}
