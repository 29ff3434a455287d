//! What the host must know of a card's holder when a new PIN is chosen: the numbers that it may not be made of. Who keeps them is
//! not the host's matter.

use async_trait::async_trait;
use model::{CardId, HolderDigits};

/// Somebody who knows cardholders.
#[async_trait]
pub trait Holders: Send + Sync {
    /// The holder's own numbers; empty where nothing is known.
    async fn digits(&self, card: &CardId) -> HolderDigits;
}
