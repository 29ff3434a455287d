//! Engines for a simulated world. Both keep their states in the product's own memory engine, the model that every engine
//! must behave like, and put what a disk or a database can do to them around it.

pub mod database;
pub mod disk;
pub mod group_commit;

use std::sync::Arc;

use model::{CardId, Pan};
use store::{Card, Engine, Entry, memory::MemoryEngine};

use crate::{kit::Kit, run::Run};

/// The card's id, as these engines give it.
#[must_use]
pub fn card_id(pan: &Pan) -> CardId {
    MemoryEngine::default().card_id(pan)
}

/// States as they are registered, without a journal.
async fn registered(kit: &Kit) -> MemoryEngine {
    let states = MemoryEngine::default();
    // The kit's values were checked when it was made, and memory takes everything.
    if let Ok(registrations) = kit.registrations() {
        let _ = states.register(registrations).await;
    }
    states
}

/// How long the decision took is measured with the machine's own watch: it would tell two runs apart.
fn without_stopwatch(mut entry: Entry) -> Entry {
    if let Some(exchange) = &mut entry.exchange {
        exchange.took_us = 0;
    }
    entry
}

/// The judge looks at a state before the host gets it.
fn judged(run: &Run, card: Option<Arc<Card>>) -> Option<Arc<Card>> {
    if let Some(card) = &card {
        run.judge(|judge| judge.handed_out(card));
    }
    card
}
