//! What a storage engine does: keep entries durable, fold them, find states.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use authorization::{
    CardRecord, CardState,
    settlement::Totals,
    terminal::{TerminalRecord, TerminalState},
};
use model::{BatchNumber, CardId, Pan, PinReference, SealedReference, TerminalId, Timestamp, TransactionKey};

use crate::journal::Entry;

/// How often whoever waits for entries looks again: people do not see the difference.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// A card as the store has it: register and state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Card {
    /// Its id.
    pub id: CardId,
    /// As registered.
    pub record: Arc<CardRecord>,
    /// For the security module.
    pub reference: Option<Arc<PinReference>>,
    /// The fold of its entries.
    pub state: CardState,
}

/// A terminal as the store has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terminal {
    /// As registered.
    pub record: Arc<TerminalRecord>,
    /// The fold of its entries.
    pub state: TerminalState,
}

/// What is written into the registers when a sandbox is seeded or an issuer loads cards.
pub enum Registration {
    /// A card.
    Card {
        /// Its number: hashed, masked and encrypted, never stored clear.
        pan: Pan,
        /// Its data.
        record: CardRecord,
        /// Its PIN reference.
        reference: Option<PinReference>,
    },
    /// A terminal.
    Terminal(TerminalRecord),
}

/// A card for which something may be outstanding: it was noted, and nobody has found it done since.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outstanding {
    /// The card, no older than the question.
    pub card: Arc<Card>,
    /// When it was noted last.
    pub noted: Timestamp,
}

/// A storage engine. All methods may be called from many tasks at once.
#[async_trait]
pub trait Engine: Send + Sync {
    /// What it is, for logs and `/readyz`, such as `sqlite (WAL, synchronous=FULL)`.
    fn describe(&self) -> String;

    /// The card's id: a keyed hash of its number.
    fn card_id(&self, pan: &Pan) -> CardId;

    /// Seals a PIN reference for the card's journal, bound to the card: as the register keeps it.
    ///
    /// # Errors
    /// [`StoreError`], when there is no randomness.
    fn seal_reference(&self, card: &CardId, reference: &PinReference) -> Result<SealedReference, StoreError>;

    /// Opens what [`seal_reference`](Self::seal_reference) made for the same card, for the security module.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`]: damaged, moved from another card, or another store's.
    fn open_reference(&self, card: &CardId, sealed: &SealedReference) -> Result<PinReference, StoreError>;

    /// A keyed digest of message contents: tells a repeat from another message under the same key.
    fn digest(&self, contents: &[&[u8]]) -> u64;

    /// A card with its current state, or `None` if it is not registered.
    async fn card(&self, id: &CardId) -> Result<Option<Arc<Card>>, StoreError>;

    /// A terminal with its current state.
    async fn terminal(&self, id: &TerminalId) -> Result<Option<Arc<Terminal>>, StoreError>;

    /// Appends one entry and returns its place in the journal once it is durable. The entry's `seq` must be the
    /// subject's next: otherwise another decision came first and nothing is written.
    async fn append(&self, entry: Entry) -> Result<u64, AppendError>;

    /// An entry at a place in the journal.
    async fn entry(&self, journal_seq: u64) -> Result<Option<Entry>, StoreError>;

    /// The last place up to which [`entries`](Self::entries) misses nothing.
    async fn journal_end(&self) -> Result<u64, StoreError>;

    /// The entries after a place with their places, oldest first, at most `limit` of them; whoever asks again after the
    /// last of them misses none, and everybody gets them in the same order. Without their answers, which may hold a card
    /// number: whoever follows the journal learns what was decided from the event.
    async fn entries(&self, after: u64, limit: usize) -> Result<Vec<(u64, Arc<Entry>)>, StoreError> {
        let end = self.journal_end().await?;
        let mut entries = Vec::new();
        for place in (after + 1..=end).take(limit) {
            let entry = self.entry(place).await?;
            entries.extend(entry.map(|entry| (place, Arc::new(entry.without_answer()))));
        }
        Ok(entries)
    }

    /// A place before the first entry that was decided at this moment or later; the host's clock counts, so it is as exact
    /// as that went forward.
    async fn place_before(&self, at: Timestamp) -> Result<u64, StoreError> {
        let (mut before, mut end) = (0, self.journal_end().await?);
        while before < end {
            let middle = before + (end - before).div_ceil(2);
            match self.entry(middle).await? {
                Some(entry) if entry.at >= at => end = middle - 1,
                _ => before = middle,
            }
        }
        Ok(before)
    }

    /// Waits until there are entries after this place, or for so long. Says whether there are.
    async fn wait_for_entries(&self, after: u64, within: Duration) -> Result<bool, StoreError> {
        let mut left = within;
        loop {
            if self.journal_end().await? > after {
                return Ok(true);
            }
            if left.is_zero() {
                return Ok(false);
            }
            let pause = left.min(LOOK_AGAIN);
            tokio::time::sleep(pause).await;
            left -= pause;
        }
    }

    /// The card of the financial transaction with this key, everything durable included. UnionPay reversals carry no
    /// card number (DE 2, 35), only the original's terminal, batch and trace number.
    async fn card_of(&self, key: &TransactionKey) -> Result<Option<CardId>, StoreError>;

    /// Totals of a terminal's batch, everything durable included.
    async fn batch_totals(&self, terminal: &TerminalId, batch: BatchNumber) -> Result<Totals, StoreError>;

    /// Takes the next `count` numbers for references (DE 37, 38) from a durable counter, and returns the first: no other
    /// host of this store gets them, and after a restart nobody does. `None`: the store belongs to one process, which
    /// counts for itself.
    async fn claim_numbers(&self, count: u32) -> Result<Option<u64>, StoreError> {
        let _ = count;
        Ok(None)
    }

    /// Writes registers; all or none. An existing card or terminal is replaced, its state stays.
    async fn register(&self, registrations: Vec<Registration>) -> Result<(), StoreError>;

    /// A card's number, for messages to its issuer; `None` if it is not registered.
    async fn pan(&self, id: &CardId) -> Result<Option<Pan>, StoreError>;

    /// Notes durably that something may be outstanding for this card from now on. Called before the entry that makes it
    /// so, so that what is outstanding is always among what is noted.
    async fn note_outstanding(&self, id: &CardId, at: Timestamp) -> Result<(), StoreError>;

    /// The cards that were noted, with their newest states, in no order.
    async fn outstanding(&self) -> Result<Vec<Outstanding>, StoreError>;

    /// Nothing is outstanding for this card any more, unless it was noted again since.
    async fn forget_outstanding(&self, id: &CardId, noted: Timestamp) -> Result<(), StoreError>;

    /// Can it take decisions now?
    async fn check(&self) -> Result<(), StoreError>;
}

/// The store is away, full or corrupt. Whoever asked gets 96; nothing was decided.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// It stopped after a write or fsync error, is read-only, full or closed.
    #[error("store away: {0}")]
    Away(String),
    /// What it read cannot be: it stops rather than guess.
    #[error("store corrupt: {0}")]
    Corrupt(String),
    /// More work waits than it may.
    #[error("store overloaded")]
    Overloaded,
}

/// An entry was not appended, or nobody can say.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// Another decision about the same subject came first: fold again, decide again.
    #[error("another entry came first")]
    Collision,
    /// The subject is not registered.
    #[error("no such card or terminal")]
    UnknownSubject,
    /// The store's trouble. The entry was not appended.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It may have been appended or not: an fsync failed, or a commit was not answered. Whoever asked must not be told
    /// that nothing was decided.
    #[error("what became of an entry is not known: {0}")]
    Unknown(String),
}
