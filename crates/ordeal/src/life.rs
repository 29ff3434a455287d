//! A host process, alive or dead. Whatever a host touches outside itself - store, module, line - passes by here first, and
//! may be where it ends. What is left of a dead host waits there for ever: nothing of it is seen, heard or written again,
//! which is all that a crash is to everybody else.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, AtomicI64, Ordering},
};

use host::Clock;
use model::Timestamp;
use tokio::{sync::Notify, time::Duration};

use crate::{
    dice::Dice,
    run::{Run, lock},
};

/// When the simulated world begins: a Wednesday in November 2026.
const START: Timestamp = Timestamp(1_795_000_000_000);
const DAY_MS: u64 = 86_400_000;

/// One life of a host.
pub struct Life {
    run: Arc<Run>,
    host: usize,
    dead: AtomicBool,
    died: Notify,
    dice: Mutex<Dice>,
}

impl Life {
    /// Born.
    #[must_use]
    pub fn new(run: &Arc<Run>, host: usize, generation: u64) -> Arc<Self> {
        let dice = run.dice(&format!("life of host {host}, {generation}"));
        Arc::new(Self { run: Arc::clone(run), host, dead: AtomicBool::new(false), died: Notify::new(), dice })
    }

    /// Goes on only while it lives; may end here.
    pub async fn passes(&self, place: &'static str) {
        if !self.is_dead() && self.run.happens(&mut lock(&self.dice), self.run.plan.rates.crash) {
            self.run.fault(format_args!("host {} crashes at {place}", self.host));
            self.end();
        }
        if self.is_dead() {
            std::future::pending::<()>().await;
        }
    }

    /// Takes up to so many milliseconds, often none.
    pub async fn takes(&self, at_most_ms: u64) {
        let ms = {
            let mut dice = lock(&self.dice);
            if dice.happens(50_000) { 0 } else { dice.between(0, at_most_ms) }
        };
        match ms {
            0 => tokio::task::yield_now().await,
            ms => tokio::time::sleep(Duration::from_millis(ms)).await,
        }
        if self.is_dead() {
            std::future::pending::<()>().await;
        }
    }

    /// Ends it.
    pub fn end(&self) {
        self.dead.store(true, Ordering::Relaxed);
        self.died.notify_one();
    }

    /// Is it over?
    #[must_use]
    pub fn is_dead(&self) -> bool {
        self.dead.load(Ordering::Relaxed)
    }

    /// Waits for its end.
    pub async fn ended(&self) {
        if !self.is_dead() {
            self.died.notified().await;
        }
    }
}

/// A machine's clock: virtual time, and how far it is off. It outlives the host's processes.
pub struct MachineClock {
    run: Arc<Run>,
    ahead_ms: AtomicI64,
}

impl MachineClock {
    /// Right at first.
    #[must_use]
    pub fn new(run: &Arc<Run>) -> Arc<Self> {
        Arc::new(Self { run: Arc::clone(run), ahead_ms: AtomicI64::new(0) })
    }

    /// Jumps by up to a day, forward or back, or is set right.
    pub fn jump(&self, dice: &mut Dice, host: usize) {
        let by = match dice.below(4) {
            0 => 0,
            1 => i64::try_from(dice.below(DAY_MS + 3_600_000)).unwrap_or(0),
            2 => -i64::try_from(dice.below(DAY_MS)).unwrap_or(0),
            _ => i64::try_from(dice.below(120_000)).unwrap_or(0) - 60_000,
        };
        self.run.fault(format_args!("clock of host {host} is set {by} ms off"));
        self.ahead_ms.store(by, Ordering::Relaxed);
    }
}

impl Clock for MachineClock {
    fn now(&self) -> Timestamp {
        let virtual_ms = i64::try_from(self.run.now_ms()).unwrap_or(i64::MAX);
        START.plus_ms(virtual_ms.saturating_add(self.ahead_ms.load(Ordering::Relaxed)))
    }
}
