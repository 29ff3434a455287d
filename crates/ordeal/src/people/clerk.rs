//! Somebody at a desk who has heard that one till's keypad is broken, and gives back the tries that it cost: those and no
//! other, whatever hosts and stores do meanwhile.

use authorization::Products;
use host::{
    Clock,
    staff::{self, Restoration},
};
use store::{Engine, Store};

use crate::{engine::card_id, kit::terminal_id, run::Run};

/// The till whose wrong PINs are a fault's.
pub const BROKEN_TILL: usize = 0;

/// Looks at one card, and gives back what the broken till cost it. Whatever hinders it, it comes again.
pub async fn restore(run: &Run, store: &Store, clock: &dyn Clock, card: usize) -> anyhow::Result<()> {
    let broken = terminal_id(BROKEN_TILL)?;
    let id = card_id(&run.kit.sandbox.cards[card].pan);
    let engine: &dyn Engine = store.engine();
    let Ok(Some(found)) = engine.card(&id).await else { return Ok(()) };
    let charged = found.state.charged().iter().map(|charged| charged.key);
    let transactions: Vec<_> = charged.filter(|key| key.terminal == broken).collect();
    drop(found);
    if transactions.is_empty() {
        return Ok(());
    }
    let restoration =
        Restoration { card: id, incident: 1, transactions: &transactions, actor: "clerk", why: "keypad" };
    let done = staff::restore(store, &Products::builtin(), restoration, clock.now()).await;
    run.step(format_args!("{} tries of card {card} given back: {}", transactions.len(), done.is_ok()));
    Ok(())
}
