//! The security module: the only place where a PIN or a key is ever clear.
//!
//! [`module`] says what may be asked, in the field's verbs; [`soft`] answers in this process (test and closed-loop
//! use only: it is no secure cryptographic device). The module knows keys and PINs; it does not know a card's
//! PIN-try state, a message, a socket or a clock.

pub mod module;
pub mod soft;

pub use module::{
    CheckValue, EncryptedPinBlock, GeneratedWorkKeys, MacAlgorithm, MacOutcome, ModuleError, PinBlockFormat,
    SecurityModule, VerifyPin, WorkKeyLayout,
};
