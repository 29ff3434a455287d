//! Keeps what rules that come after the decision said, beside the journal: gathered for a second, then written at once, so that
//! a rule that speaks about every payment does not write as often. What was not written when the machine dies is said again
//! after the start, from the journal.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use authorization::RuleHits;
use host::{Clock as _, rules::Told};
use store::Book;
use tokio::sync::mpsc;
use web::rules::after::{self, SaidAfter};

/// What waits to be written; more is left to the next start.
const WAITING_MAX: usize = 16_384;
/// So long it is gathered.
const GATHER: Duration = Duration::from_secs(1);
/// Payments that are written at once.
const BATCH_MAX: usize = 256;

/// The way to the book.
pub(crate) struct Keeping {
    inbox: mpsc::Sender<SaidAfter>,
    dropped: Arc<AtomicU64>,
}

impl Keeping {
    /// Begins to write. Must be called inside of a runtime; it ends when this is dropped.
    pub(crate) fn start(book: Arc<dyn Book>) -> Self {
        let (inbox, waiting) = mpsc::channel(WAITING_MAX);
        let dropped = Arc::new(AtomicU64::new(0));
        tokio::spawn(write(book, waiting, Arc::clone(&dropped)));
        Self { inbox, dropped }
    }

    /// Never waits.
    pub(crate) fn keep(&self, said: SaidAfter) {
        if self.inbox.try_send(said).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Waits until there is room.
    pub(crate) async fn keep_all(&self, said: SaidAfter) {
        // It is away when the host ends; the next one reads this part of the journal again.
        let _ = self.inbox.send(said).await;
    }
}

/// What is kept: nothing, when a rule only had no truth value. That is counted, and its cause shown, with the rule.
pub(crate) fn of(version: &str, told: &Told) -> Option<SaidAfter> {
    if told.fired.is_empty() && told.shadow.is_empty() {
        return None;
    }
    let (errors, faults): (Vec<String>, Vec<String>) = told.errors.iter().cloned().unzip();
    let rules = RuleHits {
        version: version.to_owned(),
        fired: told.fired.clone(),
        shadow: told.shadow.clone(),
        faults: (!faults.is_empty()).then_some(faults),
        errors,
        snoozed: None,
        beside: None,
    };
    Some(SaidAfter { rrn: told.rrn.to_string(), at: told.at, rules: rules.fit() })
}

async fn write(book: Arc<dyn Book>, mut waiting: mpsc::Receiver<SaidAfter>, dropped: Arc<AtomicU64>) {
    let mut batch = Vec::new();
    while waiting.recv_many(&mut batch, BATCH_MAX).await > 0 {
        if batch.len() < BATCH_MAX {
            tokio::time::sleep(GATHER).await;
            while batch.len() < BATCH_MAX
                && let Ok(said) = waiting.try_recv()
            {
                batch.push(said);
            }
        }
        let now = host::SystemClock.now();
        if let Err(error) = after::keep(book.as_ref(), std::mem::take(&mut batch), now).await {
            tracing::warn!(%error, "what rules said after the decision is not kept: the next start tries again");
        }
        let dropped = dropped.swap(0, Ordering::Relaxed);
        if dropped > 0 {
            tracing::warn!(dropped, "rules say more after the decision than can be kept");
        }
    }
}
