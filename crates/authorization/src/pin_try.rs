//! The PIN try counter: how many proven mismatches since the last right PIN or release.
//!
//! ```text
//!             mismatch            mismatch            mismatch (the last one)
//!   used 0 ───────────► used 1 ───────────► used 2 ───────────► used = limit, locked
//!     ▲                   │                   │                        │
//!     └───── right PIN ───┴───────────────────┘                        │
//!     └───────────────── release: time, staff, PIN reset ──────────────┘
//! ```
//!
//! Nothing else moves it: no time-out, format error, key error, MAC error, repeat or reversal (docs/reference/rules.md
//! P7, P8).

use minicbor::{Decode, Encode};
use serde::Serialize;

/// The customary limit is 3; the issuer's policy sets it per product (ISO 9564-1 leaves it to the issuer).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct PinTryLimit(u8);

impl PinTryLimit {
    /// Takes 1 to 15.
    #[must_use]
    pub fn new(limit: u8) -> Option<Self> {
        (1..=15).contains(&limit).then_some(Self(limit))
    }

    /// The number of wrong PINs that locks the card.
    #[must_use]
    pub fn get(self) -> u8 {
        self.0
    }
}

/// Tries used since the last right PIN or release. Invariant: never above the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Encode, Decode, Serialize)]
#[cbor(transparent)]
#[serde(transparent)]
pub struct Counter(#[n(0)] u8);

impl Counter {
    /// Tries used.
    #[must_use]
    pub fn used(self) -> u8 {
        self.0
    }

    /// Tries left under a limit.
    #[must_use]
    pub fn left(self, limit: PinTryLimit) -> u8 {
        limit.get().saturating_sub(self.0)
    }

    /// One proven mismatch more; stays at the limit.
    #[must_use]
    pub fn after_mismatch(self, limit: PinTryLimit) -> Self {
        Self(self.0.saturating_add(1).min(limit.get()))
    }

    /// Some were consumed by a fault and are given back.
    #[must_use]
    pub fn after_restoring(self, given_back: u8) -> Self {
        Self(self.0.saturating_sub(given_back))
    }

    /// Are all tries used?
    #[must_use]
    pub fn is_exhausted(self, limit: PinTryLimit) -> bool {
        self.0 >= limit.get()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_counter_stops_at_the_limit() {
        let limit = PinTryLimit::new(3).unwrap();
        let mut counter = Counter::default();
        for left in [2, 1, 0, 0] {
            counter = counter.after_mismatch(limit);
            assert_eq!(counter.left(limit), left);
        }
        assert!(counter.is_exhausted(limit));
        assert_eq!(counter.used(), 3);
    }

    #[test]
    fn a_limit_is_between_1_and_15() {
        assert!(PinTryLimit::new(0).is_none());
        assert!(PinTryLimit::new(16).is_none());
    }
}
