//! The book: what people decide about the system, beside the journal of what was decided about cards. Rule sets, verdicts on
//! verdicts, the status of incidents, silences, subscriptions and deliveries live here, each as a stream of facts.
//!
//! A [`Fact`] is appended to a named stream and never changed. Its number in the stream is the only lock: whoever appends says
//! which number he saw last, and if another came first he gets [`BookError::Collision`], reads and decides again
//! ([`amend`] does that). All facts of a store also have a place, which grows in the order in which they became visible, so
//! that a reader who remembers one place misses nothing ([`Follower`]).
//!
//! **Nothing secret.** Names, kinds and bodies are shown to people and copied into back-ups as they are: no card number, no PIN,
//! no key, no password. A secret that has to be found again after a restart goes through [`Book::seal`] first, which binds
//! it to an owner; what comes out may stand in a body. A body says its version, for the program that reads it in ten years.

use std::time::Duration;

use async_trait::async_trait;
use model::Timestamp;
use serde::{Serialize, de::DeserializeOwned};
use tokio::sync::watch;

use crate::engine::StoreError;

/// The longest name of a stream, in bytes.
pub const STREAM_LEN_MAX: usize = 128;
/// The longest kind of a fact, in bytes.
pub const KIND_LEN_MAX: usize = 64;
/// The longest body, in bytes.
pub const BODY_LEN_MAX: usize = 1 << 20;
/// Facts that one reading returns at most.
pub const READ_MAX: u32 = 1000;
/// So often [`amend`] decides again before it says that there is too much to do.
const RACES_LIMIT: usize = 16;

/// What somebody made true at a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    /// Where it is among all facts of the store; grows, with gaps.
    pub place: u64,
    /// What it is about, such as `silences` or `rules/live`.
    pub stream: String,
    /// Its number in the stream, from 1, without gaps.
    pub seq: u32,
    /// When it was made.
    pub at: Timestamp,
    /// What it is, such as `silenced`.
    pub kind: String,
    /// CBOR or JSON, as the kind has it; with its version.
    pub body: Vec<u8>,
}

impl Fact {
    /// The body, written by [`json`].
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] if it is something else.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, StoreError> {
        serde_json::from_slice(&self.body).map_err(|error| {
            StoreError::Corrupt(format!("fact {} of {}, {}: {error}", self.seq, self.stream, self.kind))
        })
    }
}

/// A body in JSON.
///
/// # Errors
/// [`BookError::Refused`] if the value cannot be JSON, such as a map with keys that are no text.
pub fn json(value: &impl Serialize) -> Result<Vec<u8>, BookError> {
    serde_json::to_vec(value).map_err(|error| BookError::Refused(error.to_string()))
}

/// A fact was not appended, or nobody can say.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BookError {
    /// Another fact came first: read it, decide again.
    #[error("another fact came first")]
    Collision,
    /// It can never be appended: a name or a body is longer than may be, or empty.
    #[error("not a fact: {0}")]
    Refused(String),
    /// The store's trouble. The fact was not appended.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It may have been appended or not: an fsync failed, or a commit was not answered.
    #[error("what became of a fact is not known: {0}")]
    Unknown(String),
}

/// A book. All methods may be called from many tasks at once.
#[async_trait]
pub trait Book: Send + Sync {
    /// Appends the fact that follows number `expected_seq` of a stream (0: the stream is new), and returns its place once it is
    /// durable.
    ///
    /// # Errors
    /// [`BookError`].
    async fn append(
        &self,
        stream: &str,
        expected_seq: u32,
        at: Timestamp,
        kind: &str,
        body: Vec<u8>,
    ) -> Result<u64, BookError>;

    /// The facts of a stream after a number, in order; at most `limit`, and at most [`READ_MAX`].
    ///
    /// # Errors
    /// [`StoreError`].
    async fn read(&self, stream: &str, after_seq: u32, limit: u32) -> Result<Vec<Fact>, StoreError>;

    /// The facts of all streams after a place, in order; at most `limit`, and at most [`READ_MAX`].
    ///
    /// # Errors
    /// [`StoreError`].
    async fn read_all(&self, after_place: u64, limit: u32) -> Result<Vec<Fact>, StoreError>;

    /// Rings with the newest place when something was appended by this program. What another host appends does not ring;
    /// whoever cares looks now and then, as [`Follower`] does.
    fn subscribe(&self) -> watch::Receiver<u64>;

    /// Seals a secret so that it may stand in a body, bound to the owner: moved to another one it does not open.
    ///
    /// # Errors
    /// [`StoreError`], when there is no randomness.
    fn seal(&self, owner: &str, secret: &[u8]) -> Result<Vec<u8>, StoreError>;

    /// Opens what [`seal`](Self::seal) made for the same owner. Whoever gets it wipes it.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`]: damaged, moved from elsewhere, or another store's.
    fn open(&self, owner: &str, sealed: &[u8]) -> Result<Vec<u8>, StoreError>;
}

/// Is it something that every engine can keep?
///
/// # Errors
/// [`BookError::Refused`] with what is wrong.
pub fn check(stream: &str, expected_seq: u32, kind: &str, body: &[u8]) -> Result<(), BookError> {
    let refuse = |why: String| Err(BookError::Refused(why));
    for (what, text, longest) in [("stream", stream, STREAM_LEN_MAX), ("kind", kind, KIND_LEN_MAX)] {
        if text.is_empty() || text.len() > longest || text.contains('\0') {
            return refuse(format!("a {what} has 1 to {longest} bytes, none of them zero"));
        }
    }
    if body.len() > BODY_LEN_MAX {
        return refuse(format!("a body of {} bytes is longer than {BODY_LEN_MAX}", body.len()));
    }
    if i32::try_from(expected_seq).is_ok_and(|seq| seq < i32::MAX) {
        Ok(())
    } else {
        refuse("the stream has no more numbers".to_owned())
    }
}

/// Folds a whole stream; returns the number of its last fact too, for the next [`Book::append`].
///
/// # Errors
/// [`StoreError`], the book's or `apply`'s.
pub async fn fold<S>(
    book: &dyn Book,
    stream: &str,
    mut state: S,
    mut apply: impl FnMut(&mut S, &Fact) -> Result<(), StoreError>,
) -> Result<(S, u32), StoreError> {
    let mut seq = 0;
    loop {
        let facts = book.read(stream, seq, READ_MAX).await?;
        let Some(last) = facts.last() else { return Ok((state, seq)) };
        seq = last.seq;
        for fact in &facts {
            apply(&mut state, fact)?;
        }
    }
}

/// A secret of this store alone, such as the key of a digest: made from `fresh` when the stream is first asked for, sealed, and
/// the same ever after on every host. Whoever gets it wipes it.
///
/// # Errors
/// [`BookError`].
pub async fn secret(
    book: &dyn Book,
    stream: &str,
    at: Timestamp,
    fresh: &[u8],
) -> Result<Vec<u8>, BookError> {
    for _ in 0..RACES_LIMIT {
        if let Some(fact) = book.read(stream, 0, 1).await?.first() {
            return Ok(book.open(stream, &fact.read::<Vec<u8>>()?)?);
        }
        let sealed = json(&book.seal(stream, fresh)?)?;
        match book.append(stream, 0, at, "secret", sealed).await {
            Ok(_) | Err(BookError::Collision) => {}
            Err(other) => return Err(other),
        }
    }
    Err(StoreError::Overloaded.into())
}

/// What [`amend`] is to append: kind and body.
pub type Amendment = (String, Vec<u8>);

/// Reads a stream, decides on its fold, appends; decides again when another came first. `decide` returns `None` when nothing is
/// to be appended. Returns the place, if something was.
///
/// # Errors
/// [`BookError`]; [`StoreError::Overloaded`] after many lost races.
pub async fn amend<S: Default>(
    book: &dyn Book,
    stream: &str,
    at: Timestamp,
    mut apply: impl FnMut(&mut S, &Fact) -> Result<(), StoreError>,
    mut decide: impl FnMut(&S) -> Result<Option<Amendment>, BookError>,
) -> Result<Option<u64>, BookError> {
    for _ in 0..RACES_LIMIT {
        let (state, seq) = fold(book, stream, S::default(), &mut apply).await?;
        let Some((kind, body)) = decide(&state)? else { return Ok(None) };
        match book.append(stream, seq, at, &kind, body).await {
            Err(BookError::Collision) => {}
            other => return other.map(Some),
        }
    }
    Err(StoreError::Overloaded.into())
}

/// Reads all facts, one after the other, and waits for more.
pub struct Follower<'b> {
    book: &'b dyn Book,
    bell: watch::Receiver<u64>,
    after: u64,
}

impl<'b> Follower<'b> {
    /// Begins after a place; 0 for all.
    pub fn new(book: &'b dyn Book, after: u64) -> Self {
        Self { book, bell: book.subscribe(), after }
    }

    /// The next facts that are there already; none if there are none.
    ///
    /// # Errors
    /// [`StoreError`]; nothing was passed over.
    pub async fn poll(&mut self) -> Result<Vec<Fact>, StoreError> {
        self.bell.mark_unchanged();
        let facts = self.book.read_all(self.after, READ_MAX).await?;
        if let Some(last) = facts.last() {
            self.after = last.place;
        }
        Ok(facts)
    }

    /// Waits until something was appended here, or for `patience`: what other hosts appended is found then.
    pub async fn wait(&mut self, patience: Duration) {
        match tokio::time::timeout(patience, self.bell.changed()).await {
            Ok(Ok(())) | Err(_) => {}
            // The book is closed; whoever follows it will hear so from the next poll, but not in a busy loop.
            Ok(Err(_)) => tokio::time::sleep(patience).await,
        }
    }
}
