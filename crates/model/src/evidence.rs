//! What the security module proved about a PIN. Three honest cases instead of a `bool`: only a proven
//! mismatch consumes a try, only a proven match approves.

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::CardId;

/// Proof that the security module compared the entered PIN with the card's reference and found them equal.
///
/// Bound to the card, so that it cannot be spent on another one. Only `hsm` calls [`attest`](Self::attest);
/// `cargo xtask tidy` refuses a call anywhere else in product code.
#[derive(Debug, PartialEq, Eq)]
pub struct PinVerified {
    card: CardId,
}

impl PinVerified {
    /// Minted by the security module after a successful comparison, and nowhere else.
    #[must_use]
    pub fn attest(card: CardId) -> Self {
        Self { card }
    }

    /// The card whose PIN was right.
    #[must_use]
    pub fn card(&self) -> CardId {
        self.card
    }
}

/// The outcome of asking the security module about a PIN.
#[derive(Debug, PartialEq, Eq)]
pub enum PinOutcome {
    /// The PIN is right.
    Verified(PinVerified),
    /// The PIN block was well formed, the keys were in step, and the PIN is wrong. The only outcome that
    /// consumes a try.
    Mismatch,
    /// Nothing was learnt about the PIN; nothing is counted.
    Unverifiable(Unverifiable),
}

/// Why the security module could not say whether a PIN is right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Encode, Decode, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unverifiable {
    /// The decrypted block is no PIN block: wrong key, wrong PAN or garbage (answered 99).
    #[n(0)]
    PinBlockFormat,
    /// A key was missing, of the wrong usage, or failed its integrity check.
    #[n(1)]
    Key,
    /// The card has no usable PIN reference.
    #[n(2)]
    NoReference,
    /// The algorithm or block format is not supported by this module.
    #[n(3)]
    Unsupported,
    /// The module is unreachable, too slow or refuses to work.
    #[n(4)]
    ModuleUnavailable,
    /// The key serial number was used before, or is too old: a PIN block that is sent again proves nothing.
    #[n(5)]
    KsnReplayed,
}
