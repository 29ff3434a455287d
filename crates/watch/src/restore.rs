//! Giving tries back to cards that a fault cost them: the action itself belongs to whoever decides about cards.

use async_trait::async_trait;
use model::CardId;
use store::StoreError;

pub use crate::register::RestoreResult as Restored;

/// Who wants it, and for what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// Names the order for ever, such as `incident 17, request 1`: carried out once for each card, whatever is repeated.
    pub reference: String,
    /// Who asked.
    pub by: String,
    /// Who looked at it; empty: nobody else was there.
    pub reviewer: String,
    /// Why.
    pub why: String,
}

/// Gives tries back.
#[async_trait]
pub trait RestoreTries: Send + Sync {
    /// Gives one card its tries back, in the journal. The same order for the same card again changes nothing, also after a
    /// crash in between.
    ///
    /// # Errors
    /// [`StoreError`]; the order is then repeated.
    async fn restore(&self, card: &CardId, order: &Order) -> Result<Restored, StoreError>;
}
