//! The card as its issuer registered it: what does not change with a payment.

use minicbor::{Decode, Encode};
use model::{Amount, Currency, Expiry, MaskedPan};
use serde::Serialize;

/// A registered card. Its PIN reference is kept beside it by the store, for the security module alone.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct CardRecord {
    /// For people.
    #[n(0)]
    pub pan: MaskedPan,
    /// Printed on the card (DE 14).
    #[n(1)]
    pub expiry: Expiry,
    /// Name of the product whose policy applies.
    #[n(2)]
    pub product: String,
    /// Currency of the account.
    #[n(3)]
    pub currency: Currency,
    /// Balance when the card was registered; the state holds what moved since.
    #[n(4)]
    pub opening_balance: Amount,
}

/// The product of cards that are not ours: no policy is kept for them, their issuer decides.
pub const FOREIGN: &str = "foreign";

impl CardRecord {
    /// Another issuer's card, as it was first seen here. Only what people and journals need is known.
    #[must_use]
    pub fn foreign(pan: MaskedPan, expiry: Expiry, currency: Currency) -> Self {
        Self { pan, expiry, product: FOREIGN.to_owned(), currency, opening_balance: Amount::ZERO }
    }

    /// Does another issuer decide about it?
    #[must_use]
    pub fn is_foreign(&self) -> bool {
        self.product == FOREIGN
    }
}

/// Why a card is refused whatever its PIN. Set and lifted by the issuer's staff, through the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Block {
    /// Reported lost (41).
    #[n(0)]
    Lost,
    /// Reported stolen (43).
    #[n(1)]
    Stolen,
    /// Blocked by staff (62).
    #[n(2)]
    Staff,
    /// Blocked by a risk rule (62), until somebody looks at it.
    #[n(3)]
    Rule,
}
