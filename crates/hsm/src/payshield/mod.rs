//! A Thales payShield as the security module, without a socket: what is written to it, what it answers, and what an
//! answer means. Tasks, time-outs and several devices are `hsm-pool`'s; nothing here reads a clock or waits.
//!
//! A reply is read against the command that it answers: another command's code, a field too many or too few make the
//! connection unusable, they never become an outcome. [`model::PinVerified`] is minted in [`outcome`] alone, for error
//! code 00 to a command that verifies a PIN; a mismatch is error code 01 to such a command and nothing else.
//!
//! Layouts and codes were taken from public descriptions of the host commands and tested against a counterpart written
//! from the same descriptions, never against a payShield: `docs/operating/hsm.md` says which.

pub mod command;
pub mod error;
pub mod field;
pub mod frame;
pub mod fuzzing;
pub mod key;
pub mod loader;
pub mod module;
pub mod outcome;
pub mod reply;
pub mod session;
pub mod settings;
mod write;

pub use command::{Command, Encoded};
pub use error::{ErrorCode, Meaning};
pub use frame::{FrameError, Framing};
pub use key::{Form, HsmKey, HsmKeyError};
pub use reply::{Content, Reply, ReplyError};
pub use session::{Completed, ExchangeId, Session, SessionError};
pub use settings::{Ibm3624Rule, Settings};
