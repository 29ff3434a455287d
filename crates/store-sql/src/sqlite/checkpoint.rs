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

/// So many cards or keys share a transaction.
const AT_ONCE: usize = 4096;
/// Between two transactions.
const LONGEST_REST: Duration = Duration::from_millis(100);
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
            mark = match save(core, Pace::Beside) {
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
/// Cards and keys come in their order and some thousands at a time, so that a checkpoint of a million neither unpacks them
/// all at once nor keeps registrations waiting; the mark comes last. With `pace` it rests as long as it worked after each
/// of them: what it writes shares a disk with the journal.
pub(crate) fn save(core: &Core, pace: Pace) -> Result<u64, StoreError> {
    let states = &core.states;
    let mark = core.published();
    let (terminals, sums) = (states.terminals.take_dirty(), states.sums.take_dirty());
    let (cards, keys) = (states.cards.take_dirty(), states.keys.take());
    for some in cards.chunks(AT_ONCE) {
        let started = Instant::now();
        let rows = states.cards.values(some);
        core.wait_until_durable(core.queue.end())?;
        core.write_registers(|conn| registers::save_cards(conn, &rows))?;
        states.cards.saved(some);
        pace.rest(started);
    }
    core.wait_until_durable(core.queue.end())?;
    for some in keys.chunks(AT_ONCE) {
        let started = Instant::now();
        core.write_registers(|conn| registers::save_keys(conn, some))?;
        pace.rest(started);
    }
    let checkpoint =
        Checkpoint { mark, terminals: states.terminals.values(&terminals), sums: states.sums.values(&sums) };
    core.wait_until_durable(core.queue.end())?;
    core.write_registers(|conn| registers::save(conn, &checkpoint))?;
    states.terminals.saved(&terminals);
    states.sums.saved(&sums);
    states.keys.saved();
    tracing::debug!(mark, cards = cards.len(), keys = keys.len(), "states saved");
    Ok(mark)
}

/// How a checkpoint goes about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pace {
    /// Payments are made meanwhile.
    Beside,
    /// Nobody else wants the disk.
    Alone,
}

impl Pace {
    fn rest(self, started: Instant) {
        if self == Self::Beside {
            thread::sleep(started.elapsed().min(LONGEST_REST));
        }
    }
}
