//! How a holder is reached and what is known of them: somebody else's matter, asked through here.

use async_trait::async_trait;
use model::{CardId, HolderDigits, Timestamp};
use store::StoreError;

/// Where the holder of a card gets messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contact {
    /// For people, such as `138****8427`.
    pub masked: String,
    /// Since when it is this one.
    pub since: Timestamp,
    /// Was there another one before?
    pub changed: bool,
}

/// A message was not sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not sent: {0}")]
pub struct NotSent(pub String);

/// Somebody who reaches cardholders.
#[async_trait]
pub trait Reach: Send + Sync {
    /// Where the holder gets messages; `None` when nobody knows.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn contact(&self, card: &CardId) -> Result<Option<Contact>, StoreError>;

    /// The holder's own numbers, which no new PIN may be made of; empty where nothing is known.
    async fn digits(&self, card: &CardId) -> HolderDigits;

    /// Sends the link by which a new PIN is set, good for so many minutes.
    ///
    /// # Errors
    /// [`NotSent`].
    async fn activation(&self, card: &CardId, tail: &str, link: &str, minutes: u32) -> Result<(), NotSent>;

    /// Sends the link to the card's page.
    ///
    /// # Errors
    /// [`NotSent`].
    async fn page(&self, card: &CardId, tail: &str, link: &str, minutes: u32) -> Result<(), NotSent>;

    /// Says that the PIN is locked, until when (`None`: until staff release it), and where the holder reads why and what to do.
    ///
    /// # Errors
    /// [`NotSent`].
    async fn locked(
        &self,
        card: &CardId,
        tail: &str,
        until: Option<Timestamp>,
        link: &str,
    ) -> Result<(), NotSent>;

    /// Says that the PIN was changed.
    ///
    /// # Errors
    /// [`NotSent`].
    async fn changed(&self, card: &CardId, tail: &str) -> Result<(), NotSent>;
}
