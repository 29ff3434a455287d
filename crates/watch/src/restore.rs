//! Giving tries back to cards that a fault cost them. Which tries those are is decided here, by the verdicts about the
//! transactions that consumed them; the action itself belongs to whoever decides about cards.

use async_trait::async_trait;
use model::{CardId, Rrn, Timestamp, TransactionKey};
use store::StoreError;

use crate::found::Found;
pub use crate::register::RestoreResult as Restored;

/// Signs before the onset and after the last one that still belong to an incident.
const EDGE_MS: i64 = 600_000;

/// Who wants it, and for what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// The incident in which tries were consumed.
    pub incident: u64,
    /// Who asked.
    pub by: String,
    /// Who looked at it; empty: nobody else was there.
    pub reviewer: String,
    /// Why.
    pub why: String,
}

/// A try that counts now, and the transaction that consumed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChargedTry {
    /// Its identity.
    pub key: TransactionKey,
    /// DE 37 of its answer, as long as the card remembers it.
    pub rrn: Option<Rrn>,
    /// When it was decided.
    pub at: Timestamp,
}

/// Gives tries back.
#[async_trait]
pub trait RestoreTries: Send + Sync {
    /// The tries of a card that count now; `None` if the card is not registered here.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn charged(&self, card: &CardId) -> Result<Option<Vec<ChargedTry>>, StoreError>;

    /// Gives back the tries that these transactions consumed, of those that still count, in the journal. The same again
    /// changes nothing, because they do not count any more.
    ///
    /// # Errors
    /// [`StoreError`]; the order is then repeated.
    async fn restore(
        &self,
        card: &CardId,
        transactions: &[TransactionKey],
        order: &Order,
    ) -> Result<Restored, StoreError>;
}

/// What became of a card's tries that an incident consumed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fate {
    /// They still count.
    Waits,
    /// They were given back.
    GivenBack,
    /// They do not count any more, without anybody's doing: a right PIN, or staff, had the card begin anew.
    Reset,
    /// The card is not registered here.
    UnknownCard,
}

impl From<Restored> for Fate {
    fn from(result: Restored) -> Self {
        match result {
            Restored::Restored => Self::GivenBack,
            Restored::NothingToRestore => Self::Reset,
            Restored::UnknownCard => Self::UnknownCard,
        }
    }
}

/// May it be the incident's, if nobody remembers the verdict about it? Its place must say so then.
pub(crate) fn by_place(charged: &ChargedTry, found: &Found) -> bool {
    found.scope.kind == "terminal" && found.scope.id == charged.key.terminal.to_string()
}

/// May it be the incident's, as far as time and place tell?
pub(crate) fn may_be(charged: &ChargedTry, found: &Found) -> bool {
    in_time(charged, found) && (found.scope.kind != "terminal" || by_place(charged, found))
}

/// Was it while the incident went on?
pub(crate) fn in_time(charged: &ChargedTry, found: &Found) -> bool {
    charged.at >= found.onset.plus_ms(-EDGE_MS) && charged.at <= found.until().plus_ms(EDGE_MS)
}
