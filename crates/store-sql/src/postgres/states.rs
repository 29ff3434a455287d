//! States at hand, and how they come to be: the saved state of a register, with the journal's newer entries folded in.
//!
//! ```text
//!  card wanted ─► at hand? ── yes, and we are alone ─────────────────────────► starting point of a decision
//!                   │  │
//!                   │  └──── yes, but others use the same cards ─► newer? ───►        "
//!                   └─────── no ─► saved state ─► entries after it, folded ──►        "
//! ```
//!
//! A card at hand may be old; appending finds that out by the key (subject, number). A terminal is looked at without
//! appending to it (is it suspended, which keys, which reversals overtook their originals), so a terminal is always
//! compared with the database.

use std::{
    hash::Hash,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use model::{CardId, TerminalId};
use store::{Card, Entry, Event, StoreError, Subject, Terminal};
use tokio_postgres::Row;

use super::{
    Limits,
    core::Core,
    pool::{column, place},
    registers,
    shelf::{Kept, Shelf},
    sql::Texts,
};
use crate::{
    body::{self, subject_key},
    seal::Sealer,
};

/// Newer entries that are read at once.
const NEWER_ROWS: i64 = 500;
/// A register that changes under every look is not looked at any further.
const LOOKS: usize = 16;

pub(crate) struct States {
    pub(crate) cards: Shelf<CardId, Card>,
    pub(crate) terminals: Shelf<TerminalId, Terminal>,
    /// Until then, in milliseconds since the start, cards at hand are compared with the database before use.
    wary_until: AtomicU64,
    wary_for: Duration,
    started: Instant,
}

/// Cards or terminals.
pub(crate) trait Kind: Clone + Send + Sync + 'static {
    type Key: Copy + Eq + Hash + Send + Sync;
    fn subject(key: &Self::Key) -> Subject;
    fn shelf(states: &States) -> &Shelf<Self::Key, Self>;
    fn text(texts: &Texts) -> &str;
    fn id(key: &Self::Key) -> &[u8];
    /// From a register's row.
    fn read(sealer: &Sealer, key: &Self::Key, row: &Row) -> Result<Kept<Self>, StoreError>;
    fn apply(&mut self, place: u64, entry: &Entry);
}

impl Kind for Card {
    type Key = CardId;

    fn subject(key: &CardId) -> Subject {
        Subject::Card(*key)
    }

    fn shelf(states: &States) -> &Shelf<CardId, Self> {
        &states.cards
    }

    fn text(texts: &Texts) -> &str {
        &texts.card
    }

    fn id(key: &CardId) -> &[u8] {
        &key.0
    }

    fn read(sealer: &Sealer, key: &CardId, row: &Row) -> Result<Kept<Self>, StoreError> {
        registers::card(sealer, key, row)
    }

    fn apply(&mut self, place: u64, entry: &Entry) {
        self.state.apply(entry.seq, place, entry.at, entry.event.card_effects());
    }
}

impl Kind for Terminal {
    type Key = TerminalId;

    fn subject(key: &TerminalId) -> Subject {
        Subject::Terminal(*key)
    }

    fn shelf(states: &States) -> &Shelf<TerminalId, Self> {
        &states.terminals
    }

    fn text(texts: &Texts) -> &str {
        &texts.terminal
    }

    fn id(key: &TerminalId) -> &[u8] {
        key.as_bytes()
    }

    fn read(_: &Sealer, _: &TerminalId, row: &Row) -> Result<Kept<Self>, StoreError> {
        registers::terminal(row)
    }

    fn apply(&mut self, place: u64, entry: &Entry) {
        if let Event::Terminal(event) = &entry.event {
            self.state.apply(entry.seq, place, entry.at, &event.effect);
        }
    }
}

impl States {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            cards: Shelf::new(limits.cards_cached),
            terminals: Shelf::new(limits.terminals_cached),
            wary_until: AtomicU64::new(0),
            wary_for: limits.wary_for,
            started: Instant::now(),
        }
    }

    /// Another host used a card that we had at hand: for a while cards at hand are compared first, or every other
    /// decision would be taken twice.
    pub(crate) fn be_wary(&self) {
        let until = self.started.elapsed() + self.wary_for;
        self.wary_until.store(until.as_millis() as u64, Ordering::Relaxed);
    }

    pub(crate) fn is_wary(&self) -> bool {
        self.wary_until.load(Ordering::Relaxed) > self.started.elapsed().as_millis() as u64
    }

    /// Number of the last entry in the state at hand.
    pub(crate) fn seq(&self, subject: &Subject) -> Option<u32> {
        match subject {
            Subject::Card(id) => self.cards.look(id).map(|kept| kept.seq),
            Subject::Terminal(id) => self.terminals.look(id).map(|kept| kept.seq),
        }
    }

    /// Folds a durable entry. Says whether the state is worth saving now.
    pub(crate) fn fold(&self, place: u64, entry: &Entry, save_after: u32) -> bool {
        match &entry.subject {
            Subject::Card(id) => fold(&self.cards, id, place, entry, save_after),
            Subject::Terminal(id) => fold(&self.terminals, id, place, entry, save_after),
        }
    }

    /// A decision on this subject collided although the state at hand does not say why: it is old.
    pub(crate) fn is_old(&self, subject: &Subject, seq: u32) {
        let was_at_hand = match subject {
            Subject::Card(id) => self.cards.forget(id, seq),
            Subject::Terminal(id) => self.terminals.forget(id, seq),
        };
        if was_at_hand {
            self.be_wary();
        }
    }
}

fn fold<V: Kind>(shelf: &Shelf<V::Key, V>, key: &V::Key, place: u64, entry: &Entry, save_after: u32) -> bool {
    let kept = shelf.fold(key, entry.seq, |value| value.apply(place, entry));
    let due = kept.is_some_and(|kept| kept.seq.saturating_sub(kept.saved) >= save_after);
    if due {
        shelf.saved(key, entry.seq);
    }
    due
}

impl Core {
    /// What is at hand, or else what is in the database.
    pub(crate) async fn at_hand<V: Kind>(&self, key: &V::Key) -> Result<Option<Kept<V>>, StoreError> {
        match V::shelf(&self.states).look(key) {
            Some(kept) => Ok(Some(kept)),
            None => self.fresh(key).await,
        }
    }

    /// What is in the database.
    pub(crate) async fn fresh<V: Kind>(&self, key: &V::Key) -> Result<Option<Kept<V>>, StoreError> {
        let shelf = V::shelf(&self.states);
        for _ in 0..LOOKS {
            let kept = match shelf.look(key) {
                Some(kept) => kept,
                None => match self.load(key).await? {
                    Some(kept) => kept,
                    None => return Ok(None),
                },
            };
            if let Some(kept) = self.catch_up(key, kept).await? {
                shelf.put(*key, kept.clone());
                return Ok(Some(kept));
            }
            shelf.forget(key, u32::MAX);
        }
        Err(StoreError::Overloaded)
    }

    async fn load<V: Kind>(&self, key: &V::Key) -> Result<Option<Kept<V>>, StoreError> {
        let subject = V::subject(key);
        let rows =
            self.pool.rows(V::text(self.texts_of(&subject)), &[&subject_key(&subject), &V::id(key)]).await?;
        rows.first().map(|row| V::read(&self.sealer, key, row)).transpose()
    }

    /// Folds what the journal has more; `None` if the subject was registered anew.
    async fn catch_up<V: Kind>(
        &self,
        key: &V::Key,
        mut kept: Kept<V>,
    ) -> Result<Option<Kept<V>>, StoreError> {
        let subject = V::subject(key);
        let column_of_subject = subject_key(&subject);
        loop {
            let text = &self.texts_of(&subject).newer;
            let rows = self.pool.rows(text, &[&column_of_subject, &(kept.seq as i32), &NEWER_ROWS]).await?;
            for row in &rows {
                if column::<i64>(row, 0)? != kept.version {
                    return Ok(None);
                }
                let Some(seq) = column::<Option<i32>>(row, 1)? else { return Ok(Some(kept)) };
                let journal_seq = place(column(row, 2)?);
                let entry = body::decode_sealed(journal_seq, column(row, 3)?)?;
                if entry.subject != subject || i64::from(entry.seq) != i64::from(seq) {
                    return Err(StoreError::Corrupt(format!(
                        "entry {journal_seq}: its columns and its body disagree"
                    )));
                }
                if kept.seq.checked_add(1) != Some(entry.seq) {
                    return Err(StoreError::Corrupt(format!(
                        "entry {journal_seq} does not continue its subject"
                    )));
                }
                Arc::make_mut(&mut kept.value).apply(journal_seq, &entry);
                kept.seq = entry.seq;
            }
            if rows.is_empty() {
                // A subject is never removed: whoever says so has another database before him.
                return Ok(None);
            }
            if (rows.len() as i64) < NEWER_ROWS {
                return Ok(Some(kept));
            }
        }
    }
}
