//! What the journal's entries show, told by whoever knows messages and registers.

use std::sync::Arc;

use async_trait::async_trait;
use diagnosis::{Observation, observation::Symbol};
use store::{Entry, StoreError};

/// Makes observations of entries, in the order of the journal.
#[async_trait]
pub trait Observe: Send {
    /// Appends what an entry at a place shows; nothing for what says nothing. What was told beside the journal before it comes
    /// before it.
    ///
    /// # Errors
    /// [`StoreError`], when what is registered cannot be looked up; the entry is asked about again.
    async fn observe(
        &mut self,
        place: u64,
        entry: &Entry,
        shown: &mut Vec<Observation>,
    ) -> Result<(), StoreError>;

    /// Appends what was told beside the journal and belongs after the entry at `place`, when there is no entry after it.
    fn beside(&mut self, place: u64, shown: &mut Vec<Observation>);

    /// The names behind the numbers in observations; asked once.
    fn names(&self) -> Arc<dyn Names>;
}

/// Names behind numbers, for people and for what is kept.
pub trait Names: Send + Sync {
    /// The name; `None` if there is none.
    fn name(&self, symbol: Symbol) -> Option<String>;
}
