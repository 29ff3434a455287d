//! Reads the journal's end again after a start: checks it, and folds what the registers do not have yet.
//!
//! ```text
//!  one thread    read and decode entries ──► some thousands at a time
//!  this thread     their numbers continue ──► bring their cards to hand ──► fold, in the journal's order
//!  helpers                                     in the order of keys
//! ```

use std::{
    collections::HashMap,
    sync::mpsc::{SyncSender, sync_channel},
    thread,
};

use model::CardId;
use rusqlite::Connection;
use store::{Entry, StoreError, Subject};

use super::{
    core::Core,
    journal::{self, FOLDER},
    open::OpenError,
    states,
};
use crate::body;

/// So many entries at the journal's end are read on every start, saved or not.
const TAIL_CHECKED: u64 = 1000;
/// Entries that are decoded, and cards that are read, at a time.
const ENTRIES_AT_ONCE: usize = 16_384;
/// Threads that read cards.
const HELPERS: usize = 3;

/// Folds the journal from the registers' mark to its end.
pub(crate) fn run(core: &Core, mark: u64, end: u64) -> Result<(), OpenError> {
    if mark > end {
        let what = format!("it ends at entry {end}, but the registers know entry {mark}");
        return Err(OpenError::Corrupt { file: FOLDER, what });
    }
    let first = mark.min(end.saturating_sub(TAIL_CHECKED));
    let read = || {
        let (chunks, decoded) = sync_channel(1);
        thread::scope(|scope| {
            let reader = scope.spawn(move || read(core, first, end, &chunks));
            let mut replay = Replay { core, mark, seen: HashMap::new() };
            let folded = decoded.iter().try_for_each(|entries| replay.fold_all(&entries));
            // A reader that finds nobody to read for ends.
            drop(decoded);
            let read = reader.join().unwrap_or_else(|_| Err(StoreError::Away("a reader ended early".into())));
            folded.and(read)
        })
    };
    read().map_err(|error| OpenError::store(FOLDER, error))
}

/// Reads and decodes entries; the log gives each place once and without gaps, or refuses.
fn read(core: &Core, first: u64, end: u64, chunks: &SyncSender<Vec<(u64, Entry)>>) -> Result<(), StoreError> {
    let mut cursor = core.log.after(first);
    let mut entries = Vec::with_capacity(ENTRIES_AT_ONCE);
    while let Some((journal_seq, body)) = cursor.next().map_err(journal::store_error)? {
        entries.push((journal_seq, body::decode_sealed(journal_seq, body)?));
        if entries.len() == ENTRIES_AT_ONCE && chunks.send(std::mem::take(&mut entries)).is_err() {
            return Ok(());
        }
    }
    // A failure to send is the folding's, and told there.
    let _ = chunks.send(entries);
    let last = cursor.place();
    if last == end { Ok(()) } else { Err(StoreError::Corrupt(format!("entry {} is missing", last + 1))) }
}

struct Replay<'a> {
    core: &'a Core,
    mark: u64,
    /// Number of each subject's last entry that was read here.
    seen: HashMap<Subject, u32>,
}

impl Replay<'_> {
    fn fold_all(&mut self, entries: &[(u64, Entry)]) -> Result<(), StoreError> {
        for (journal_seq, entry) in entries {
            let before = self.seen.insert(entry.subject, entry.seq);
            if before.is_some_and(|before| entry.seq != before + 1) {
                let what = format!("entry {journal_seq} does not continue its subject");
                return Err(StoreError::Corrupt(what));
            }
        }
        let new = &entries[entries.partition_point(|(journal_seq, _)| *journal_seq <= self.mark)..];
        self.bring_to_hand(new)?;
        self.core
            .pool
            .read(|conn| new.iter().try_for_each(|(journal_seq, entry)| self.fold(conn, *journal_seq, entry)))
    }

    /// Reads the entries' cards in the order of their keys, several at a time: neighbours share pages.
    fn bring_to_hand(&self, entries: &[(u64, Entry)]) -> Result<(), StoreError> {
        let mut cards: Vec<CardId> = entries
            .iter()
            .filter_map(|(_, entry)| match entry.subject {
                Subject::Card(id) => Some(id),
                Subject::Terminal(_) => None,
            })
            .collect();
        cards.sort_unstable();
        cards.dedup();
        let Core { pool, states, sealer, .. } = self.core;
        let load = |some: &[CardId]| {
            pool.read(|conn| some.iter().try_for_each(|id| states.card(conn, sealer, id).map(drop)))
        };
        let share = cards.len().div_ceil(HELPERS).max(1);
        thread::scope(|scope| {
            let helpers: Vec<_> = cards.chunks(share).map(|some| scope.spawn(move || load(some))).collect();
            helpers.into_iter().try_for_each(|helper| {
                helper.join().unwrap_or_else(|_| Err(StoreError::Away("a reader ended early".into())))
            })
        })
    }

    /// A state that was saved after this entry was folded already has it.
    fn fold(&self, conn: &Connection, journal_seq: u64, entry: &Entry) -> Result<(), StoreError> {
        let states = &self.core.states;
        let state_seq = match entry.subject {
            Subject::Card(id) => states.card(conn, &self.core.sealer, &id)?.map(|card| card.state.seq),
            Subject::Terminal(id) => states.terminal(conn, &id)?.map(|terminal| terminal.state.seq),
        };
        let unknown = || StoreError::Corrupt(format!("entry {journal_seq}: its subject is not registered"));
        let state_seq = state_seq.ok_or_else(unknown)?;
        if let Some(((terminal, batch), _)) = states::movement(entry) {
            states.sum(conn, &terminal, batch)?;
        }
        if entry.seq <= state_seq {
            states.fold_batch(journal_seq, entry);
            return Ok(());
        }
        Ok(states.fold(journal_seq, entry)?)
    }
}
