//! Why PIN blocks failed, counted inside the module. Callers learn one uniform failure: telling "digit" from "fill"
//! would be the format oracle of Clulow (2003).

use std::sync::atomic::{AtomicU64, Ordering};

use paycrypto::pin_block::PinBlockError;

/// Counters by cause.
#[derive(Debug, Default)]
pub struct IntegrityCounters {
    control: AtomicU64,
    length: AtomicU64,
    digit: AtomicU64,
    fill: AtomicU64,
}

/// The counters at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IntegritySnapshot {
    /// Wrong control field.
    pub control: u64,
    /// Impossible PIN length.
    pub length: u64,
    /// Digits that are none.
    pub digit: u64,
    /// Wrong fill.
    pub fill: u64,
}

impl IntegrityCounters {
    pub(super) fn count(&self, fault: PinBlockError) {
        let counter = match fault {
            PinBlockError::Control => &self.control,
            PinBlockError::Length => &self.length,
            PinBlockError::Digit => &self.digit,
            PinBlockError::Fill => &self.fill,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn snapshot(&self) -> IntegritySnapshot {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        IntegritySnapshot {
            control: read(&self.control),
            length: read(&self.length),
            digit: read(&self.digit),
            fill: read(&self.fill),
        }
    }
}
