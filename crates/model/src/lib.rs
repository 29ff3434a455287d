//! The nouns of PIN payments, each valid because it exists: a [`Pan`] was checked where it entered, a
//! [`TerminalId`] has eight characters, an [`Amount`] is in minor units.
//!
//! Knows no protocol, no store and no clock. Everything else in pinward speaks in these words.

pub mod amount;
pub mod card;
pub mod evidence;
pub mod hash;
pub mod key;
pub mod merchant;
pub mod pin_reference;
pub mod pin_rules;
pub mod reason;
pub mod secret;
pub mod terminal;
pub mod time;
pub mod trace;
pub mod transaction;

mod text;

pub use amount::{Amount, Currency};
pub use card::{CardId, Expiry, MaskedPan, Pan};
pub use evidence::{PinOutcome, PinVerified, Unverifiable};
pub use key::{AdmittedKsn, KeyBlock, KeyScheme, Ksn, PinBlockFormat};
pub use merchant::MerchantId;
pub use pin_reference::{PinReference, SealedReference};
pub use pin_rules::{HolderDigits, NOBODY, PersonalDigits, PinRules};
pub use reason::{ReasonCode, ResponseCode};
pub use secret::Secret;
pub use terminal::{OperatorId, TerminalId};
pub use time::Timestamp;
pub use trace::{ApprovalCode, BatchNumber, Rrn, Stan, TransactionKey};
pub use transaction::Kind;

/// A value from outside that is not what its noun allows. Says what was expected, never the value itself:
/// it may be a card number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a valid {noun}: expected {expected}")]
pub struct Invalid {
    /// The noun that was being read, such as `card number`.
    pub noun: &'static str,
    /// What would have been accepted, such as `12 to 19 digits`.
    pub expected: &'static str,
}
