//! What everybody in a simulated world shares: the plan, the trace, the judge, the clock, and whether the weather is still
//! bad.

use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::time::Instant;

use crate::{bug::Bug, dice::Dice, judge::Judge, kit::Kit, plan::Plan, trace::Trace};

/// One seed under way.
pub struct Run {
    /// Its number.
    pub seed: u64,
    /// What it is about.
    pub plan: Plan,
    /// Cards, terminals, keys.
    pub kit: Arc<Kit>,
    /// A mistake made on purpose.
    pub bug: Option<Bug>,
    begun: Instant,
    calm: AtomicBool,
    trace: Mutex<Trace>,
    judge: Mutex<Judge>,
}

impl Run {
    /// Begins now, in the runtime's time.
    #[must_use]
    pub fn new(seed: u64, kit: Arc<Kit>, bug: Option<Bug>) -> Arc<Self> {
        let judge = Mutex::new(Judge::new(&kit));
        Arc::new(Self {
            seed,
            plan: Plan::of(seed),
            kit,
            bug,
            begun: Instant::now(),
            calm: AtomicBool::new(false),
            trace: Mutex::default(),
            judge,
        })
    }

    /// Milliseconds since the beginning.
    #[must_use]
    pub fn now_ms(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Is this the mistake of this run?
    #[must_use]
    pub fn has(&self, bug: Bug) -> bool {
        self.bug == Some(bug)
    }

    /// Does it happen now? Never once the weather is calm.
    pub fn happens(&self, dice: &mut Dice, in_100_000: u32) -> bool {
        dice.happens(in_100_000) && !self.is_calm()
    }

    /// From now on nothing goes wrong any more.
    pub fn calm_down(&self) {
        self.calm.store(true, Ordering::Relaxed);
        self.step(format_args!("calm"));
    }

    /// Does nothing go wrong any more?
    #[must_use]
    pub fn is_calm(&self) -> bool {
        self.calm.load(Ordering::Relaxed)
    }

    /// Something happened.
    pub fn step(&self, what: fmt::Arguments<'_>) {
        self.trace().step(self.now_ms(), what);
    }

    /// Something was made to go wrong.
    pub fn fault(&self, what: fmt::Arguments<'_>) {
        self.trace().fault(self.now_ms(), what);
    }

    /// Tells the judge something, and writes down what the judge finds wrong with it.
    pub fn judge(&self, hears: impl FnOnce(&mut Judge) -> Result<(), String>) {
        let heard = hears(&mut self.judge.lock().unwrap_or_else(PoisonError::into_inner));
        if let Err(violation) = heard {
            self.trace().violation(self.now_ms(), &violation);
        }
    }

    /// The record so far.
    pub fn trace(&self) -> MutexGuard<'_, Trace> {
        self.trace.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A stream of chance of one's own.
    #[must_use]
    pub fn dice(&self, name: &str) -> Mutex<Dice> {
        Mutex::new(Dice::new(self.seed, name))
    }
}

/// A lock that nobody can poison here: the first panic ends the seed.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
