//! The register in memory, brought up to the book whenever somebody reads or writes.

use std::sync::Arc;

use model::Timestamp;
use store::{Book, BookError, StoreError, book::READ_MAX};
use tokio::sync::{Mutex, MutexGuard};

use super::{Register, Said};

/// The stream of the register.
const STREAM: &str = "incidents";
/// So often a change is decided again when another host was first.
const RACES_LIMIT: usize = 16;

/// The register with its place in the book.
pub(crate) struct Shelf {
    book: Arc<dyn Book>,
    kept: Mutex<Kept>,
}

#[derive(Default)]
pub(crate) struct Kept {
    pub(crate) register: Register,
    seq: u32,
}

impl Shelf {
    pub(crate) fn new(book: Arc<dyn Book>) -> Self {
        Self { book, kept: Mutex::default() }
    }

    pub(crate) fn book(&self) -> &dyn Book {
        &*self.book
    }

    /// The register as the book has it now.
    pub(crate) async fn read(&self) -> Result<MutexGuard<'_, Kept>, StoreError> {
        let mut kept = self.kept.lock().await;
        self.refresh(&mut kept).await?;
        Ok(kept)
    }

    async fn refresh(&self, kept: &mut Kept) -> Result<(), StoreError> {
        loop {
            let facts = self.book.read(STREAM, kept.seq, READ_MAX).await?;
            for fact in &facts {
                kept.register.apply(fact)?;
                kept.seq = fact.seq;
            }
            if facts.len() < READ_MAX as usize {
                return Ok(());
            }
        }
    }

    /// Decides on the register and writes down what is said about which incident; `None` changes nothing. Decides again
    /// when another host was first. Says whether something was written.
    pub(crate) async fn say<E: From<BookError>>(
        &self,
        at: Timestamp,
        mut decide: impl FnMut(&Register) -> Result<Option<(u64, Said)>, E>,
    ) -> Result<bool, E> {
        let mut kept = self.kept.lock().await;
        for _ in 0..RACES_LIMIT {
            self.refresh(&mut kept).await.map_err(BookError::from)?;
            let Some((number, said)) = decide(&kept.register)? else { return Ok(false) };
            let body = said.body(number)?;
            match self.book.append(STREAM, kept.seq, at, said.kind(), body).await {
                Err(BookError::Collision) => {}
                Ok(_) => {
                    self.refresh(&mut kept).await.map_err(BookError::from)?;
                    return Ok(true);
                }
                Err(error) => return Err(error.into()),
            }
        }
        Err(BookError::from(StoreError::Overloaded).into())
    }
}
