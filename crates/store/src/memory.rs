//! The store in memory: the model that every engine must behave like, and the engine of the pure scenarios. It keeps
//! nothing when the process ends and says so.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use authorization::{CardState, Role, settlement::Totals, terminal::TerminalState};
use model::{BatchNumber, CardId, Pan, PinReference, SealedReference, TerminalId, Timestamp, TransactionKey};

use crate::{
    engine::{AppendError, Card, Engine, Outstanding, Registration, StoreError, Terminal},
    journal::{Entry, Event, Subject},
};

/// An engine that forgets everything when it is dropped.
#[derive(Default)]
pub struct MemoryEngine {
    tables: Mutex<Tables>,
}

#[derive(Default)]
struct Tables {
    cards: HashMap<CardId, Arc<Card>>,
    terminals: HashMap<TerminalId, Arc<Terminal>>,
    pans: HashMap<CardId, Pan>,
    outstanding: HashMap<CardId, Timestamp>,
    journal: Vec<Entry>,
}

impl MemoryEngine {
    fn tables(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The whole journal, for invariants in tests.
    #[must_use]
    pub fn journal(&self) -> Vec<Entry> {
        self.tables().journal.clone()
    }
}

#[async_trait]
impl Engine for MemoryEngine {
    fn describe(&self) -> String {
        "memory (forgets everything)".to_owned()
    }

    /// FNV-1a, unkeyed: good enough to tell test cards apart, and nothing is kept.
    fn card_id(&self, pan: &Pan) -> CardId {
        let wide = |seed: u64| fnv(seed, pan.reveal().as_bytes()).to_be_bytes();
        let mut id = [0; 16];
        id[..8].copy_from_slice(&wide(1));
        id[8..].copy_from_slice(&wide(2));
        CardId(id)
    }

    fn digest(&self, contents: &[&[u8]]) -> u64 {
        contents.iter().fold(3, |hash, part| fnv(fnv(hash, part), &[0xff]))
    }

    /// Not sealed: nothing is kept.
    fn seal_reference(&self, _: &CardId, reference: &PinReference) -> Result<SealedReference, StoreError> {
        let bytes = minicbor::to_vec(reference).map_err(|e| StoreError::Corrupt(e.to_string()))?;
        Ok(SealedReference::new(bytes))
    }

    fn open_reference(&self, _: &CardId, sealed: &SealedReference) -> Result<PinReference, StoreError> {
        minicbor::decode(sealed.as_bytes()).map_err(|e| StoreError::Corrupt(e.to_string()))
    }

    async fn card(&self, id: &CardId) -> Result<Option<Arc<Card>>, StoreError> {
        Ok(self.tables().cards.get(id).cloned())
    }

    async fn terminal(&self, id: &TerminalId) -> Result<Option<Arc<Terminal>>, StoreError> {
        Ok(self.tables().terminals.get(id).cloned())
    }

    async fn append(&self, entry: Entry) -> Result<u64, AppendError> {
        self.tables().append(entry)
    }

    async fn entry(&self, journal_seq: u64) -> Result<Option<Entry>, StoreError> {
        let index = usize::try_from(journal_seq).ok().and_then(|n| n.checked_sub(1));
        Ok(index.and_then(|i| self.tables().journal.get(i).cloned()))
    }

    async fn journal_end(&self) -> Result<u64, StoreError> {
        Ok(self.tables().journal.len() as u64)
    }

    async fn card_of(&self, key: &TransactionKey) -> Result<Option<CardId>, StoreError> {
        Ok(self.tables().card_of(key))
    }

    async fn batch_totals(&self, terminal: &TerminalId, batch: BatchNumber) -> Result<Totals, StoreError> {
        Ok(self.tables().batch_totals(terminal, batch))
    }

    async fn register(&self, registrations: Vec<Registration>) -> Result<(), StoreError> {
        for registration in registrations {
            match registration {
                Registration::Card { pan, record, reference } => {
                    let id = self.card_id(&pan);
                    let state = self.tables().cards.get(&id).map(|c| c.state.clone());
                    let state = state.unwrap_or_else(|| CardState::new(&record));
                    self.tables().pans.insert(id, pan);
                    let card =
                        Card { id, record: Arc::new(record), reference: reference.map(Arc::new), state };
                    self.tables().cards.insert(id, Arc::new(card));
                }
                Registration::Terminal(record) => {
                    let state = self.tables().terminals.get(&record.id).map(|t| t.state.clone());
                    let terminal = Terminal { record: Arc::new(record), state: state.unwrap_or_default() };
                    self.tables().terminals.insert(terminal.record.id, Arc::new(terminal));
                }
            }
        }
        Ok(())
    }

    async fn pan(&self, id: &CardId) -> Result<Option<Pan>, StoreError> {
        Ok(self.tables().pans.get(id).cloned())
    }

    async fn note_outstanding(&self, id: &CardId, at: Timestamp) -> Result<(), StoreError> {
        self.tables().outstanding.insert(*id, at);
        Ok(())
    }

    async fn outstanding(&self) -> Result<Vec<Outstanding>, StoreError> {
        let tables = self.tables();
        let noted = tables.outstanding.iter();
        Ok(noted
            .filter_map(|(id, noted)| {
                Some(Outstanding { card: tables.cards.get(id)?.clone(), noted: *noted })
            })
            .collect())
    }

    async fn forget_outstanding(&self, id: &CardId, noted: Timestamp) -> Result<(), StoreError> {
        let mut tables = self.tables();
        if tables.outstanding.get(id) == Some(&noted) {
            tables.outstanding.remove(id);
        }
        Ok(())
    }

    async fn check(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

impl Tables {
    fn append(&mut self, entry: Entry) -> Result<u64, AppendError> {
        let journal_seq = self.journal.len() as u64 + 1;
        match entry.subject {
            Subject::Card(id) => {
                let card = self.cards.get_mut(&id).ok_or(AppendError::UnknownSubject)?;
                if entry.seq != card.state.seq + 1 {
                    return Err(AppendError::Collision);
                }
                Arc::make_mut(card).state.apply(entry.seq, journal_seq, entry.at, entry.event.card_effects());
            }
            Subject::Terminal(id) => {
                let terminal = self.terminals.get_mut(&id).ok_or(AppendError::UnknownSubject)?;
                if entry.seq != terminal.state.seq + 1 {
                    return Err(AppendError::Collision);
                }
                if let Event::Terminal(event) = &entry.event {
                    let state: &mut TerminalState = &mut Arc::make_mut(terminal).state;
                    state.apply(entry.seq, journal_seq, entry.at, &event.effect);
                }
            }
        }
        self.journal.push(entry);
        Ok(journal_seq)
    }

    fn card_of(&self, key: &TransactionKey) -> Option<CardId> {
        self.journal.iter().rev().find_map(|entry| match (&entry.event, entry.subject) {
            (Event::Transaction(t), Subject::Card(card)) if t.key == *key && t.role != Role::Reversal => {
                Some(card)
            }
            _ => None,
        })
    }

    fn batch_totals(&self, terminal: &TerminalId, batch: BatchNumber) -> Totals {
        let mut totals = Totals::default();
        for entry in &self.journal {
            if let Event::Transaction(t) = &entry.event
                && t.key.terminal == *terminal
                && t.key.batch == batch
            {
                totals.add(&t.movement);
            }
        }
        totals
    }
}

fn fnv(seed: u64, bytes: &[u8]) -> u64 {
    let start = 0xcbf2_9ce4_8422_2325 ^ seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    bytes.iter().fold(start, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}
