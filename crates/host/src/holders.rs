//! What the host must know of a card's holder when a new PIN is chosen: the numbers that it may not be made of; and whom it tells
//! that a card was locked. Who keeps the numbers, and how a holder is told, is not the host's matter.

use async_trait::async_trait;
use model::{CardId, HolderDigits, Timestamp};

/// Somebody who knows cardholders.
#[async_trait]
pub trait Holders: Send + Sync {
    /// The holder's own numbers; empty where nothing is known.
    async fn digits(&self, card: &CardId) -> HolderDigits;

    /// A lock after wrong PINs is durable; `until` as in the lock. Never waits.
    fn locked(&self, card: CardId, until: Option<Timestamp>);
}
