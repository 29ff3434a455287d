//! The cardholder's side: people without an account, who come by a link that was sent to their telephone.
//!
//! ```text
//!  two of the staff ── reset ──► card's journal: the old PIN is worth nothing, one activation (its digest)
//!                         └────► link ──► telephone ──► page ──► [`HolderDesk::open`]  ──► module: an entry for one PIN
//!                                                        └─────► [`HolderDesk::set_pin`] ─► module: rules, reference
//!                                                                          └────► card's journal: new PIN, activation used
//! ```
//!
//! Everything that fails outwards fails alike: nobody learns from a link whether there is such a card, a reset or a holder. What
//! fails is counted in the card's journal before anything is answered. There is no clear PIN in this crate, and none passes it: the
//! page encrypts it for the security module.

mod change;
pub mod link;
pub mod reach;
mod reset;
mod standing;
mod work;

use std::sync::Arc;

use authorization::{PinPolicy, Products};
use hsm::SecurityModule;
use model::{CardId, Timestamp};
use store::{Book, BookError, Card, Store, StoreError};

pub use change::NotChanged;
pub use link::{Purpose, Token};
pub use reach::{Contact, NotSent, Reach};
pub use reset::{Entered, Form, NotReset, Reset, Trouble};
pub use standing::{Standing, Wrong};

/// Tells the time.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// Times of the cardholder's side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// A contact that was changed gets no reset for so many hours.
    pub contact_hold_h: u32,
    /// A link to the card's page is good for so many minutes.
    pub page_min: u32,
    /// And that in the message about a lock for so many hours: people read it when they have paid otherwise.
    pub lock_page_h: u32,
    /// What links begin with, such as `https://bank.example`.
    pub address: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self { contact_hold_h: 24, page_min: 60, lock_page_h: 24, address: String::new() }
    }
}

/// What the cardholder's side is made of.
pub struct Parts {
    /// Cards and journal.
    pub store: Store,
    /// Links.
    pub book: Arc<dyn Book>,
    /// PINs.
    pub module: Arc<dyn SecurityModule>,
    /// Policies.
    pub products: Products,
    /// The holders' telephones, and what is known of them.
    pub reach: Arc<dyn Reach>,
    /// Time.
    pub clock: Clock,
    /// Times.
    pub settings: Settings,
}

/// The desk that serves cardholders.
pub struct HolderDesk {
    parts: Parts,
}

/// Whoever came gets the neutral page, or the store is away.
#[derive(Debug, thiserror::Error)]
pub enum Closed {
    /// Wrong, expired, used, or never there: one page for all of them.
    #[error("the link leads nowhere")]
    Neutral,
    /// The store's trouble, or the module's.
    #[error("away: {0}")]
    Away(String),
}

impl From<StoreError> for Closed {
    fn from(error: StoreError) -> Self {
        Self::Away(error.to_string())
    }
}

impl From<BookError> for Closed {
    fn from(error: BookError) -> Self {
        Self::Away(error.to_string())
    }
}

impl HolderDesk {
    /// A desk.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        Self { parts }
    }

    fn now(&self) -> Timestamp {
        (self.parts.clock)()
    }

    async fn card(&self, card: &CardId) -> Result<Arc<Card>, Closed> {
        self.parts.store.engine().card(card).await?.ok_or(Closed::Neutral)
    }

    fn policy(&self, card: &Card) -> Result<&PinPolicy, Closed> {
        self.parts.products.get(&card.record.product).map(|policy| &policy.pin).ok_or(Closed::Neutral)
    }

    fn address_of(&self, path: &str, token: &Token) -> String {
        format!("{}{path}/{}", self.parts.settings.address, token.reveal())
    }
}
