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
                Err(error) => return core.health.stop(format!("a checkpoint failed: {error}")),
            };
            last = Instant::now();
        }
    }
}

/// Saves everything that changed. What is folded meanwhile may be in the saved states too: folding skips what a
/// state already has, so reading an entry twice after a restart does no harm; missing one would.
pub(crate) fn save(core: &Core) -> Result<u64, StoreError> {
    let states = &core.states;
    let mark = core.published();
    let checkpoint = Checkpoint {
        mark,
        cards: states.cards.take_dirty(),
        terminals: states.terminals.take_dirty(),
        sums: states.sums.take_dirty(),
        keys: states.keys_up_to(mark),
    };
    registers::save(&mut core.registers(), &checkpoint)?;
    states.cards.saved(&checkpoint.cards);
    states.terminals.saved(&checkpoint.terminals);
    states.sums.saved(&checkpoint.sums);
    states.forget_keys_up_to(mark);
    tracing::debug!(mark, cards = checkpoint.cards.len(), "states saved");
    Ok(mark)
}
