//! The states at hand and how an entry is folded into them. The one place that moves a state, whether the entry was
//! just made durable or is read again after a restart.

use std::sync::Arc;

use authorization::{
    Role,
    settlement::{Movement, Totals},
};
use model::{BatchNumber, CardId, TerminalId};
use rusqlite::Connection;
use store::{Card, Entry, Event, StoreError, Subject, Terminal};

use super::{
    Limits,
    recent_keys::RecentKeys,
    registers,
    shelf::{Pack, Shelf},
};
use crate::seal::Sealer;

/// Totals of one batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct BatchSum {
    pub(crate) totals: Totals,
    /// Journal place of the last movement in them; what is read again after a restart is not added twice.
    pub(crate) upto: u64,
}

pub(crate) struct States {
    pub(crate) cards: Shelf<CardId, Card>,
    pub(crate) terminals: Shelf<TerminalId, Terminal>,
    pub(crate) sums: Shelf<(TerminalId, BatchNumber), BatchSum>,
    /// Keys of transactions since the last checkpoint.
    pub(crate) keys: RecentKeys,
}

/// What came of folding an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Folded {
    /// Done.
    Yes,
    /// It is not its subject's next entry.
    NotNext,
    /// Subject or batch are not in memory.
    NotAtHand,
}

impl Pack<TerminalId> for Terminal {
    const PACKS: bool = false;

    fn pack(&self) -> Box<[u8]> {
        unreachable!("there are few terminals")
    }

    fn unpack(_: &TerminalId, _: &[u8]) -> Self {
        unreachable!("there are few terminals")
    }
}

impl Pack<(TerminalId, BatchNumber)> for BatchSum {
    const PACKS: bool = false;

    fn pack(&self) -> Box<[u8]> {
        unreachable!("a sum is small as it is")
    }

    fn unpack(_: &(TerminalId, BatchNumber), _: &[u8]) -> Self {
        unreachable!("a sum is small as it is")
    }
}

/// An entry that is in the journal and cannot be folded: the store is corrupt, or we have a bug.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("journal entry {journal_seq}: {what}")]
pub(crate) struct FoldError {
    journal_seq: u64,
    what: String,
}

impl From<FoldError> for StoreError {
    fn from(error: FoldError) -> Self {
        Self::Corrupt(error.to_string())
    }
}

impl States {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            cards: Shelf::new(limits.cards_cached, limits.cards_open),
            terminals: Shelf::new(limits.terminals_cached, usize::MAX),
            sums: Shelf::new(limits.terminals_cached, usize::MAX),
            keys: RecentKeys::new(),
        }
    }

    /// The card, read from the registers if it is not at hand: everything newer than the registers is at hand.
    pub(crate) fn card(
        &self,
        conn: &Connection,
        sealer: &Sealer,
        id: &CardId,
    ) -> Result<Option<Arc<Card>>, StoreError> {
        loop {
            let ticket = match self.cards.look(id) {
                Ok(card) => return Ok(Some(card)),
                Err(ticket) => ticket,
            };
            let Some(card) = registers::card(conn, sealer, id)? else { return Ok(None) };
            if let Some(card) = self.cards.put_loaded(*id, card, ticket) {
                return Ok(Some(card));
            }
        }
    }

    /// The terminal, in the same way.
    pub(crate) fn terminal(
        &self,
        conn: &Connection,
        id: &TerminalId,
    ) -> Result<Option<Arc<Terminal>>, StoreError> {
        loop {
            let ticket = match self.terminals.look(id) {
                Ok(terminal) => return Ok(Some(terminal)),
                Err(ticket) => ticket,
            };
            let Some(terminal) = registers::terminal(conn, id)? else { return Ok(None) };
            if let Some(terminal) = self.terminals.put_loaded(*id, terminal, ticket) {
                return Ok(Some(terminal));
            }
        }
    }

    /// The batch's totals, in the same way.
    pub(crate) fn sum(
        &self,
        conn: &Connection,
        terminal: &TerminalId,
        batch: BatchNumber,
    ) -> Result<BatchSum, StoreError> {
        let key = (*terminal, batch);
        loop {
            let ticket = match self.sums.look(&key) {
                Ok(sum) => return Ok(*sum),
                Err(ticket) => ticket,
            };
            if let Some(sum) = self.sums.put_loaded(key, registers::batch_sum(conn, terminal, batch)?, ticket)
            {
                return Ok(*sum);
            }
        }
    }

    /// Folds an entry of the journal. Its subject and batch must be at hand.
    pub(crate) fn fold(&self, journal_seq: u64, entry: &Entry) -> Result<(), FoldError> {
        let what = match self.fold_next(journal_seq, entry) {
            Folded::Yes => return Ok(()),
            Folded::NotNext => "its number does not continue its subject",
            Folded::NotAtHand => "its subject is not registered",
        };
        Err(FoldError { journal_seq, what: what.to_owned() })
    }

    /// Folds an entry if it is its subject's next; changes nothing otherwise.
    pub(crate) fn fold_next(&self, journal_seq: u64, entry: &Entry) -> Folded {
        let batch = movement(entry).map(|(key, _)| key);
        // Held: from here to the end of the fold nothing may evict it.
        if batch.is_some_and(|key| self.sums.hold(&key).is_err()) {
            return Folded::NotAtHand;
        }
        let found = match (entry.subject, &entry.event) {
            (Subject::Card(id), event) => self.cards.fold(
                &id,
                |card| entry.seq == card.state.seq + 1,
                |card| card.state.apply(entry.seq, journal_seq, entry.at, event.card_effects()),
            ),
            (Subject::Terminal(id), Event::Terminal(event)) => self.terminals.fold(
                &id,
                |terminal| entry.seq == terminal.state.seq + 1,
                |terminal| terminal.state.apply(entry.seq, journal_seq, entry.at, &event.effect),
            ),
            (Subject::Terminal(_), _) => None,
        };
        if found == Some(true) {
            self.fold_batch(journal_seq, entry);
        }
        if let Some(key) = batch {
            self.sums.release(&key);
        }
        match found {
            Some(true) => Folded::Yes,
            Some(false) => Folded::NotNext,
            None => Folded::NotAtHand,
        }
    }

    /// The parts of a fold that are about a batch and a key, not about the subject.
    pub(crate) fn fold_batch(&self, journal_seq: u64, entry: &Entry) {
        if let Some((key, movement)) = movement(entry) {
            self.sums.fold(
                &key,
                |sum| journal_seq > sum.upto,
                |sum| {
                    sum.totals.add(movement);
                    sum.upto = journal_seq;
                },
            );
        }
        if let (Event::Transaction(t), Subject::Card(card)) = (&entry.event, entry.subject)
            && t.role != Role::Reversal
        {
            self.keys.insert(t.key, card);
        }
    }
}

/// The batch that an entry moves, if it moves one.
pub(crate) fn movement(entry: &Entry) -> Option<((TerminalId, BatchNumber), &Movement)> {
    match &entry.event {
        Event::Transaction(t) if !t.movement.is_none() => Some(((t.key.terminal, t.key.batch), &t.movement)),
        _ => None,
    }
}
