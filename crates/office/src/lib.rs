//! The office: who works here, who is signed in, what waits for a second person, and the log of who did what. All of it is
//! kept as facts in the store's book, so that it survives a restart and is the same on every host of one store.
//!
//! ```text
//! staff/<name>      facts of an account          staff::Account
//! sessions          begun, ended                 staff::Session
//! proposals/<id>    what waits for a second one  staff::Proposal
//! tokens/<id>       tokens of programs           staff::ApiToken
//! audit             records, checkpoints         audit::Record
//! cases             the desk's cases             desk::Desk
//! ```
//!
//! A guess at a password is counted before it is looked at, so that no number of hosts gives more guesses than one.

mod accounts;
mod audit_log;
mod cases;
mod federation;
mod passkeys;
mod proposals;
mod sessions;
mod state;
mod tokens;

use std::sync::Arc;

use model::Timestamp;
use staff::{Permissions, SessionPolicy, actor::Forbidden, password::Weak, proposal::NotApproved};
use store::{
    StoreError,
    book::{Book, BookError},
};
use tokio::sync::Mutex;

pub use accounts::{Enrolment, NewAccount};
pub use audit_log::{Export, Noted};
pub use cases::{CaseDesk, CaseError};
pub use passkeys::NewPasskey;
pub use proposals::{Proposed, Request};
pub use sessions::SignedIn;
pub use state::Office as State;

/// Tells the time.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// The office of one store.
pub struct Office {
    book: Arc<dyn Book>,
    clock: Clock,
    permissions: Permissions,
    policy: SessionPolicy,
    signer: audit::Signer,
    challenges: passkey::ceremony::ChallengeKey,
    state: Mutex<state::Office>,
    /// Secrets of one-time codes between the first and the second page of a set-up.
    enrolling: Mutex<Vec<accounts::Enrolling>>,
}

/// Why the office said no.
#[derive(Debug, thiserror::Error)]
pub enum OfficeError {
    /// Not signed in, or not with these words: one answer for every reason.
    #[error("not signed in")]
    NotSignedIn,
    /// Not theirs to do.
    #[error(transparent)]
    Forbidden(#[from] Forbidden),
    /// The link was used, is too old or never was.
    #[error("the link is used or too old")]
    BadLink,
    /// The password is too easy.
    #[error("the password is {0}")]
    Weak(#[from] Weak),
    /// They signed in too long ago for this.
    #[error("sign in again first")]
    NotFresh,
    /// The passkey is not one that could be registered.
    #[error("the passkey was not registered: {0}")]
    NotRegistered(passkey::Refused),
    /// The one-time code is wrong.
    #[error("the code is wrong")]
    WrongCode,
    /// The approval does not count.
    #[error(transparent)]
    NotApproved(#[from] NotApproved),
    /// The token is not made.
    #[error(transparent)]
    NoToken(#[from] staff::api_token::NotMade),
    /// No such account or proposal.
    #[error("no such {0}")]
    Unknown(&'static str),
    /// It is there already, or something else happened meanwhile.
    #[error("{0}")]
    Conflict(&'static str),
    /// What was asked for makes no sense.
    #[error("{0}")]
    Invalid(&'static str),
    /// The book's trouble.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<BookError> for OfficeError {
    fn from(error: BookError) -> Self {
        match error {
            BookError::Collision => Self::Conflict("something else happened meanwhile"),
            BookError::Refused(_) => Self::Invalid("too long"),
            BookError::Store(error) => Self::Store(error),
            BookError::Unknown(why) => Self::Store(StoreError::Away(why)),
        }
    }
}

impl Office {
    /// Opens the office of a store. The seed of the audit log's key is made at the first opening and kept sealed in the book.
    ///
    /// # Errors
    /// [`OfficeError::Store`].
    pub async fn open(book: Arc<dyn Book>, clock: Clock, policy: SessionPolicy) -> Result<Self, OfficeError> {
        let signer = audit_log::signer(book.as_ref(), clock()).await?;
        let challenges = passkeys::key(book.as_ref(), clock()).await?;
        let office = Self {
            book,
            clock,
            permissions: Permissions::builtin().clone(),
            policy,
            signer,
            challenges,
            state: Mutex::default(),
            enrolling: Mutex::default(),
        };
        office.catch_up().await?;
        Ok(office)
    }

    /// Who may do what.
    #[must_use]
    pub fn permissions(&self) -> &Permissions {
        &self.permissions
    }

    /// The book in which all of it is kept.
    #[must_use]
    pub fn book(&self) -> Arc<dyn Book> {
        Arc::clone(&self.book)
    }

    fn now(&self) -> Timestamp {
        (self.clock)()
    }

    /// Reads what was added to the book since, here or by other hosts.
    async fn catch_up(&self) -> Result<(), OfficeError> {
        let mut state = self.state.lock().await;
        loop {
            let facts = self.book.read_all(state.place, store::book::READ_MAX).await?;
            let Some(last) = facts.last() else { return Ok(()) };
            let place = last.place;
            for fact in &facts {
                state.apply(fact)?;
            }
            state.place = place;
        }
    }

    /// Are there any accounts? Without one the console is open to whoever reaches it, on the loopback address only.
    pub async fn has_accounts(&self) -> bool {
        !self.state.lock().await.accounts.is_empty()
    }
}

/// A program has no browser; each of its sessions counts as a device of its own, whose name begins so.
pub const PROGRAM: &str = "program:";

/// A fresh token, for a browser's own cookie.
///
/// # Errors
/// [`OfficeError::Store`] when there is no randomness.
pub fn fresh_token() -> Result<staff::Token, OfficeError> {
    Ok(staff::Token::new(random()?))
}

/// Random bytes.
fn random<const N: usize>() -> Result<[u8; N], OfficeError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)
        .map_err(|error| OfficeError::Store(StoreError::Away(format!("no randomness: {error}"))))?;
    Ok(bytes)
}
