//! Saves states to the registers in the background, in the order of keys, and moves the mark: a restart reads only
//! the journal after it. On its own connection and file, so that the journal's writer never waits for it.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use store::StoreError;

use super::{
    core::Core,
    registers::{self, Checkpoint},
};

/// So many cards share a transaction.
const CARDS_AT_ONCE: usize = 16_384;
/// How often it looks whether there is something to do.
const TICK: Duration = Duration::from_millis(200);

/// Runs until `end` is set; the caller saves once more then.
pub(crate) fn run(core: &Core, end: &AtomicBool, mut mark: u64) {
    let mut last = Instant::now();
    while !end.load(Ordering::Acquire) {
        thread::park_timeout(TICK);
        let behind = core.published().saturating_sub(mark);
        let due = behind >= core.limits.tail_entries || last.elapsed() >= core.limits.checkpoint_interval;
        if behind > 0 && due {
            mark = match save(core) {
                Ok(mark) => mark,
                // The store has stopped; what is in memory stays there to be read.
                Err(_) => return,
            };
            last = Instant::now();
        }
    }
}

/// Saves everything that changed. What is folded meanwhile may be in the saved states too: folding skips what a
/// state already has, so reading an entry twice after a restart does no harm; missing one would. States at hand are
/// ahead of the disk, and a register must never be: each transaction waits until everything in it is durable.
///
/// Cards come in the order of their keys and some thousands at a time, so that a checkpoint of a million neither unpacks them
/// all at once nor keeps registrations waiting; the mark comes last.
pub(crate) fn save(core: &Core) -> Result<u64, StoreError> {
    let states = &core.states;
    let mark = core.published();
    let (terminals, sums) = (states.terminals.take_dirty(), states.sums.take_dirty());
    let cards = states.cards.take_dirty();
    for some in cards.chunks(CARDS_AT_ONCE) {
        let rows = states.cards.values(some);
        core.wait_until_durable(core.queue.end())?;
        core.write_registers(|conn| registers::save_cards(conn, &rows))?;
        states.cards.saved(some);
    }
    let checkpoint = Checkpoint {
        mark,
        terminals: states.terminals.values(&terminals),
        sums: states.sums.values(&sums),
        keys: states.keys_up_to(mark),
    };
    core.wait_until_durable(core.queue.end())?;
    core.write_registers(|conn| registers::save(conn, &checkpoint))?;
    states.terminals.saved(&terminals);
    states.sums.saved(&sums);
    states.forget_keys_up_to(mark);
    tracing::debug!(mark, cards = cards.len(), "states saved");
    Ok(mark)
}
