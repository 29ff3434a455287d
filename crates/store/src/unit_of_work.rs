//! The one read-modify-write: read a state, decide, append; if another decision came first, read and decide again.
//!
//! The host calls it with a purchase, the desk with "unlock". What it returns, [`Journaled`], is the only way to get
//! an answer out: nothing leaves before it is durable.

use std::sync::Arc;

use async_trait::async_trait;
use model::{CardId, TerminalId};

use crate::{
    engine::{AppendError, Card, Engine, StoreError, Terminal},
    journal::Entry,
};

/// A subject that loses this many races in a row is not raced any further: the caller answers "try again" (96), and
/// nothing was decided. Each lost race means that another decision about the same subject was made.
const ROUNDS_LIMIT: usize = 64;

/// Proof that a decision is durable, with the answer that may now leave. Only this module makes one.
#[derive(Debug, PartialEq, Eq)]
pub struct Journaled {
    journal_seq: u64,
    reply: Vec<u8>,
}

impl Journaled {
    /// Its place in the journal.
    #[must_use]
    pub fn journal_seq(&self) -> u64 {
        self.journal_seq
    }

    /// The answer's frame, without length prefix; empty when nobody on the wire asked.
    #[must_use]
    pub fn reply(&self) -> &[u8] {
        &self.reply
    }
}

/// A decision about a card. [`decide`](Self::decide) may run several times, each time with a newer state; it may keep
/// evidence from an earlier run, and nothing else. It may wait for the security module; the state that it was given is
/// checked again when its entry is appended.
#[async_trait]
pub trait CardWork: Send {
    /// Its own reason to give up.
    type Error: Send;

    /// Makes an entry that continues the state, or names the stored answer.
    async fn decide(&mut self, card: &Card) -> Result<Step, Self::Error>;
}

/// A decision about a terminal, in the same way.
#[async_trait]
pub trait TerminalWork: Send {
    /// Its own reason to give up.
    type Error: Send;

    /// Makes an entry that continues the state, or names the stored answer.
    async fn decide(&mut self, terminal: &Terminal) -> Result<Step, Self::Error>;
}

/// What a decision made of a state.
#[derive(Debug)]
pub enum Step {
    /// Append this entry; its subject and `seq` must continue the state that was given.
    Append(Box<Entry>),
    /// It was decided before: the answer is at this place in the journal.
    Repeat(u64),
}

/// An engine, and the unit of work over it. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    engine: Arc<dyn Engine>,
}

/// Why a unit of work gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum WorkError<E> {
    /// The subject is not registered.
    #[error("no such card or terminal")]
    UnknownSubject,
    /// The store's trouble.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The decision may be durable or not. Every other error means that nothing was decided; this one allows no answer.
    #[error("what became of a decision is not known: {0}")]
    Unknown(String),
    /// The function that decides gave up, for its own reason.
    #[error("{0}")]
    Decide(E),
}

impl Store {
    /// Wraps an engine.
    #[must_use]
    pub fn new(engine: Arc<dyn Engine>) -> Self {
        Self { engine }
    }

    /// The engine, for what only reads or registers.
    #[must_use]
    pub fn engine(&self) -> &dyn Engine {
        &*self.engine
    }

    /// Decides about a card.
    ///
    /// # Errors
    /// [`WorkError`]; nothing was decided then, unless it says that nobody knows.
    pub async fn with_card<W: CardWork>(
        &self,
        id: &CardId,
        work: &mut W,
    ) -> Result<Journaled, WorkError<W::Error>> {
        for _ in 0..ROUNDS_LIMIT {
            let card = self.engine.card(id).await?.ok_or(WorkError::UnknownSubject)?;
            let step = work.decide(&card).await.map_err(WorkError::Decide)?;
            // Let go of the state, so that the engine folds the entry into it instead of into a copy.
            drop(card);
            if let Some(journaled) = self.finish(step).await? {
                return Ok(journaled);
            }
        }
        Err(StoreError::Overloaded.into())
    }

    /// Decides about a terminal, in the same way.
    ///
    /// # Errors
    /// [`WorkError`]; nothing was decided then, unless it says that nobody knows.
    pub async fn with_terminal<W: TerminalWork>(
        &self,
        id: &TerminalId,
        work: &mut W,
    ) -> Result<Journaled, WorkError<W::Error>> {
        for _ in 0..ROUNDS_LIMIT {
            let terminal = self.engine.terminal(id).await?.ok_or(WorkError::UnknownSubject)?;
            let step = work.decide(&terminal).await.map_err(WorkError::Decide)?;
            // Let go of the state, so that the engine folds the entry into it instead of into a copy.
            drop(terminal);
            if let Some(journaled) = self.finish(step).await? {
                return Ok(journaled);
            }
        }
        Err(StoreError::Overloaded.into())
    }

    /// Appends one entry, or fetches the stored answer; `None` when another decision came first.
    async fn finish<E>(&self, step: Step) -> Result<Option<Journaled>, WorkError<E>> {
        match step {
            Step::Append(entry) => {
                let reply = entry.exchange.as_ref().map(|e| e.reply.clone()).unwrap_or_default();
                match self.engine.append(*entry).await {
                    Ok(journal_seq) => Ok(Some(Journaled { journal_seq, reply })),
                    Err(AppendError::Collision) => Ok(None),
                    Err(AppendError::UnknownSubject) => Err(WorkError::UnknownSubject),
                    Err(AppendError::Store(error)) => Err(error.into()),
                    Err(AppendError::Unknown(why)) => Err(WorkError::Unknown(why)),
                }
            }
            Step::Repeat(journal_seq) => {
                let entry = self.engine.entry(journal_seq).await?;
                let exchange = entry.and_then(|e| e.exchange).ok_or_else(|| {
                    StoreError::Corrupt(format!("journal entry {journal_seq} has no answer to repeat"))
                })?;
                Ok(Some(Journaled { journal_seq, reply: exchange.reply }))
            }
        }
    }
}
