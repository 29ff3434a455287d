//! The merchant's side: the shop's own people, and a page that needs no account.
//!
//! ```text
//!  terminal ── host ──► [`ShopDesk::ask`] ──► roster (operator) ──► book: what was tried, what was changed
//!  staff ──► [`ShopDesk::link`] ──► merchant's page ──► [`ShopDesk::visit`] ──► [`ShopDesk::reset`]
//! ```
//!
//! A shop's people are a stream of the book, sealed: the counter of wrong passwords is there before anybody is answered, it outlives
//! a restart, and all hosts of a store have the same one. A password is a hash that takes time to make, on a thread that nobody waits
//! for; the time is the same whether there is such an operator or not.
//!
//! It knows no message and no page, and no cardholder's PIN.

mod keep;
mod link;
mod people;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use model::{MerchantId, OperatorId, Timestamp};
use operator::{Password, Rules};
use store::{Book, BookError, StoreError};
use tokio::sync::Semaphore;

use keep::Known;
pub use link::{LINK_HOURS_MAX, Pass};
pub use people::OperatorView;

/// Tells the time.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;
/// So many passwords are hashed at a time; the next ones wait.
const HASHING_MAX: usize = 2;

/// What the merchant's side is made of.
pub struct Parts {
    /// Where facts are kept.
    pub book: Arc<dyn Book>,
    /// What passwords must be.
    pub rules: Rules,
    /// Time.
    pub clock: Clock,
    /// What links begin with, such as `https://acquirer.example`.
    pub address: String,
    /// A sandbox's people: every shop has them from the beginning, and everybody may know their passwords.
    pub everywhere: Vec<(OperatorId, Password)>,
}

/// The desk that serves shops.
pub struct ShopDesk {
    parts: Parts,
    known: Mutex<HashMap<MerchantId, Known>>,
    hashing: Arc<Semaphore>,
}

/// Nothing was done.
#[derive(Debug, thiserror::Error)]
pub enum NotDone {
    /// No such operator, or none that could be.
    #[error("there is no such operator")]
    NoOperator,
    /// There is one with this number.
    #[error("there is an operator with this number")]
    Taken,
    /// A link is wrong, expired or of something else: one answer for all.
    #[error("the link leads nowhere")]
    Neutral,
    /// The store's trouble.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<BookError> for NotDone {
    fn from(error: BookError) -> Self {
        Self::Store(away(error))
    }
}

/// A fact of which nobody knows whether it was kept is answered like a store that is away: the terminal asks again, and finds out.
fn away(error: BookError) -> StoreError {
    match error {
        BookError::Store(error) => error,
        BookError::Collision => StoreError::Overloaded,
        BookError::Refused(why) | BookError::Unknown(why) => StoreError::Away(why),
    }
}

impl ShopDesk {
    /// A desk.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        Self { parts, known: Mutex::default(), hashing: Arc::new(Semaphore::new(HASHING_MAX)) }
    }

    /// The rules of passwords.
    #[must_use]
    pub fn rules(&self) -> &Rules {
        &self.parts.rules
    }

    fn now(&self) -> Timestamp {
        (self.parts.clock)()
    }
}
