//! Derived unique key per transaction: ANSI X9.24-1 with TDEA and ANSI X9.24-3 with AES.
//!
//! Both sides are here. The *host side* computes the key of any transaction from the base derivation key
//! and the key serial number alone. The *originating device* never holds the base key: it keeps one
//! future key for each bit of the counter and destroys each key after use, so that a stolen terminal
//! tells nothing about yesterday's PINs. The simulator's terminals use the device side, and the tests hold
//! the two sides against each other.
//!
//! What this does not do: judge whether a serial number was seen before. Refusing a reused or backward
//! counter is the security module's matter, with a state that this crate does not have.

pub mod aes;
mod future_keys;
pub mod tdes;

use thiserror::Error;

use crate::key::KeyError;

/// Why a DUKPT key cannot be derived.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum DukptError {
    /// A key serial number of another length than 10 bytes (TDEA) or 12 bytes (AES).
    #[error("a key serial number cannot have {0} bytes")]
    KsnLength(usize),
    /// The counter has more one-bits than a device ever uses: 10 (X9.24-1:2009, A.3) or 16 (X9.24-3:2017, 6.3).
    #[error("the transaction counter of the key serial number is not one that a device uses")]
    Counter,
    /// A base or initial key of the wrong length.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A working key stronger than the key it is derived from (X9.24-3:2017, 6.3.3).
    #[error("the working key would be stronger than the base derivation key")]
    WorkingKeyTooStrong,
    /// The device has used all its keys and must be loaded again (X9.24-1:2009 A.2 "cease operation").
    #[error("the device has used all its transaction keys")]
    Exhausted,
}
