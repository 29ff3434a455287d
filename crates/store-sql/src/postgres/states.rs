//! States at hand, and what keeps them as new as the database.
//!
//! ```text
//!  card wanted ─► at hand? ── yes, and we are alone ─────────────► starting point of a decision
//!                   │  │
//!                   │  └──── yes, but others append as well ─► look at the head of its partition ─►   "
//!                   └─────── no ─► read by the reader, with the entries after the saved state ────►   "
//! ```
//!
//! A card at hand may be old; appending finds that out by the key (subject, number). A terminal is looked at without
//! appending to it (is it suspended, which keys, which reversals overtook their originals), so the head of its partition
//! is always looked at: one look for all who wait, see [`super::reader`].

use std::{
    hash::Hash,
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use model::{CardId, TerminalId};
use store::{Card, Entry, Event, StoreError, Subject, Terminal};
use tokio::sync::oneshot;
use tokio_postgres::Row;

use super::{
    Limits,
    core::{Core, partition},
    reader::{Answer, Want},
    registers,
    shelf::{Kept, Shelf},
    sql::Texts,
};
use crate::seal::Sealer;

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
    /// Reads saved states and what the journals have more.
    fn text(texts: &Texts) -> &str;
    fn key(id: &[u8]) -> Option<Self::Key>;
    fn want(key: Self::Key, answer: Answer<Self>) -> Want;
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
        &texts.cards
    }

    fn key(id: &[u8]) -> Option<CardId> {
        id.try_into().ok().map(CardId)
    }

    fn want(key: CardId, answer: Answer<Self>) -> Want {
        Want::Card(key, answer)
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
        &texts.terminal_states
    }

    fn key(id: &[u8]) -> Option<TerminalId> {
        TerminalId::new(id).ok()
    }

    fn want(key: TerminalId, answer: Answer<Self>) -> Want {
        Want::Terminal(key, answer)
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

    /// Another host appends: for a while cards at hand are compared first, or every other decision would be taken twice.
    pub(crate) fn be_wary(&self) {
        let until = self.started.elapsed() + self.wary_for;
        self.wary_until.store(until.as_millis() as u64, Ordering::Relaxed);
    }

    pub(crate) fn is_wary(&self) -> bool {
        self.wary_until.load(Ordering::Relaxed) > self.started.elapsed().as_millis() as u64
    }

    /// Version of the registration, and number of the last entry, of the state at hand.
    pub(crate) fn at(&self, subject: &Subject) -> Option<(i64, u32)> {
        match subject {
            Subject::Card(id) => self.cards.at(id),
            Subject::Terminal(id) => self.terminals.at(id),
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
        if self.forget(subject, seq) {
            self.be_wary();
        }
    }

    /// What is at hand of it, if it is no newer than `seq`, is read again. Says whether there was something.
    pub(crate) fn forget(&self, subject: &Subject, seq: u32) -> bool {
        match subject {
            Subject::Card(id) => self.cards.forget(id, seq),
            Subject::Terminal(id) => self.terminals.forget(id, seq),
        }
    }

    /// All that is at hand of one partition is read again.
    pub(crate) fn forget_partition(&self, number: u16, partitions: u16) {
        self.cards.forget_all(|id| partition(&Subject::Card(*id), partitions) == number);
        self.terminals.forget_all(|id| partition(&Subject::Terminal(*id), partitions) == number);
    }
}

fn fold<V: Kind>(shelf: &Shelf<V::Key, V>, key: &V::Key, place: u64, entry: &Entry, save_after: u32) -> bool {
    let behind = shelf.fold(key, entry.seq, |value| value.apply(place, entry));
    let due = behind.is_some_and(|entries| entries >= save_after);
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
        let closed = || StoreError::Away("closed".to_owned());
        let (answer, answered) = oneshot::channel();
        let reader = self.reader(partition(&V::subject(key), self.limits.partitions));
        reader.send(V::want(*key, answer)).await.map_err(|_| closed())?;
        answered.await.unwrap_or_else(|_| Err(closed()))
    }
}
