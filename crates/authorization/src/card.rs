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
}
