//! Why a terminal could not do what it was told. A decline is not among it: that is an answer.

use std::io;

use model::TerminalId;

use crate::keys::{KeyDownloadError, KeysError, NoRandomness};
use crate::memory::MemoryError;

/// Why a terminal could not do it.
#[derive(Debug, thiserror::Error)]
pub enum TerminalError {
    /// The number is not in the sandbox, or its listener is not.
    #[error("the sandbox has no terminal {0} with a listener")]
    Unknown(TerminalId),
    /// The listener speaks a dialect that this program does not have.
    #[error("no dialect is called {0}")]
    Dialect(String),
    /// The listener's dialect cannot carry the PIN blocks of the terminal's keys.
    #[error(
        "DE 52 of dialect {dialect} does not have the {bytes} bytes of a PIN block under the terminal's keys"
    )]
    PinBlockWidth {
        /// The dialect.
        dialect: String,
        /// The length that the key scheme needs.
        bytes: usize,
    },
    /// Nobody listens.
    #[error("nothing listens on {address}")]
    Unreachable {
        /// Where.
        address: String,
        /// Why.
        source: io::Error,
    },
    /// A payment before the first sign-in.
    #[error("the terminal has not signed in")]
    NotSignedIn,
    /// The host sent keys that are not for this terminal.
    #[error("the terminal refuses the keys")]
    Keys(#[from] KeyDownloadError),
    /// There are no keys for the message: a DUKPT device is at its end.
    #[error(transparent)]
    NoKeys(KeysError),
    /// The dialect cannot carry it.
    #[error("the message cannot be written")]
    Encode(#[from] iso8583::EncodeError),
    /// Trace numbers cannot be kept.
    #[error("the terminal's memory fails")]
    Memory(#[from] MemoryError),
    /// There is nothing to void, complete, repeat or switch to.
    #[error("there is no {0} in this terminal's memory")]
    NothingToDo(&'static str),
    /// The dialect has no such message.
    #[error("this dialect has no {0}")]
    NotInDialect(&'static str),
    /// The system gives no random bytes.
    #[error(transparent)]
    Randomness(#[from] NoRandomness),
}

impl From<KeysError> for TerminalError {
    /// What a fixed scheme says too keeps its name.
    fn from(error: KeysError) -> Self {
        match error {
            KeysError::NotSignedIn => TerminalError::NotSignedIn,
            KeysError::Memory(error) => TerminalError::Memory(error),
            KeysError::Exhausted(_)
            | KeysError::TooFar { .. }
            | KeysError::Device { .. }
            | KeysError::NothingToReplay => TerminalError::NoKeys(error),
        }
    }
}
