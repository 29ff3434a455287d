//! What the engine's threads share.

use std::sync::{
    Mutex, OnceLock, PoisonError,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use rusqlite::Connection;
use store::StoreError;
use tokio::sync::watch;

use super::{Limits, pool::Pool, states::States};
use crate::seal::Sealer;

pub(crate) struct Core {
    pub(crate) sealer: Sealer,
    pub(crate) states: States,
    pub(crate) pool: Pool,
    pub(crate) health: Health,
    pub(crate) limits: Limits,
    /// Everything up to here is durable and folded.
    pub(crate) published: AtomicU64,
    /// Up to here the look-up tables are filled.
    pub(crate) filled: watch::Sender<u64>,
    /// Somebody waits for the look-up tables.
    pub(crate) hurry: AtomicBool,
    /// The one connection that writes registers; `None` once a write failed.
    registers: Mutex<Option<Connection>>,
}

impl Core {
    pub(crate) fn new(
        sealer: Sealer,
        states: States,
        pool: Pool,
        registers: Connection,
        limits: Limits,
        filled: u64,
    ) -> Self {
        Self {
            sealer,
            states,
            pool,
            health: Health::default(),
            limits,
            published: AtomicU64::new(0),
            filled: watch::Sender::new(filled),
            hurry: AtomicBool::new(false),
            registers: Mutex::new(Some(registers)),
        }
    }

    /// Writes registers. Like the journal they are written until the first failure and never after it: states that
    /// a failed checkpoint took are in no file, and a later mark would claim that they were.
    pub(crate) fn write_registers(
        &self,
        write: impl FnOnce(&mut Connection) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let mut registers = self.registers.lock().unwrap_or_else(PoisonError::into_inner);
        let mut conn = registers.take().ok_or_else(|| self.health.cause())?;
        match write(&mut conn) {
            Ok(()) => {
                *registers = Some(conn);
                Ok(())
            }
            Err(error) => {
                self.health.stop(format!("registers not written: {error}"));
                Err(error)
            }
        }
    }

    pub(crate) fn published(&self) -> u64 {
        self.published.load(Ordering::Acquire)
    }
}

/// Whether decisions can be taken. Once stopped, always stopped: after a failed fsync nobody knows what the disk
/// holds, and asking it again may be answered with a lie (fsync errors are reported once). A restart reads what is
/// really there.
#[derive(Debug, Default)]
pub(crate) struct Health {
    stopped: OnceLock<String>,
}

impl Health {
    /// Stops for good; the first cause is kept.
    pub(crate) fn stop(&self, cause: impl Into<String>) {
        let cause = cause.into();
        if self.stopped.set(cause.clone()).is_ok() && cause != "closed" {
            tracing::error!(%cause, "the store takes no more decisions");
        }
    }

    pub(crate) fn check(&self) -> Result<(), StoreError> {
        self.stopped.get().map_or(Ok(()), |cause| Err(StoreError::Away(cause.clone())))
    }

    /// Why it stopped.
    pub(crate) fn cause(&self) -> StoreError {
        self.check().err().unwrap_or_else(|| StoreError::Away("the writer ended".to_owned()))
    }
}
