//! The store of a drilled day: in memory, as the engine of the tests, but it hands each entry over to whoever listens and
//! keeps only the newest for repeats. Several host instances share it.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use authorization::{CardState, settlement::Totals};
use model::{BatchNumber, CardId, Pan, PinReference, SealedReference, TerminalId, Timestamp, TransactionKey};
use store::{
    Card, Engine, Entry, Event, Outstanding, Registration, StoreError, Subject, Terminal,
    engine::AppendError, memory::MemoryEngine,
};

/// Entries that are kept for repeats.
const KEPT: usize = 4_096;

/// An entry as it was written.
#[derive(Debug)]
pub(super) struct Journalled {
    /// Its place, from 1.
    pub(super) place: u64,
    /// What was decided.
    pub(super) entry: Entry,
}

/// The store.
#[derive(Default)]
pub(super) struct Ledger(Mutex<Tables>);

#[derive(Default)]
struct Tables {
    cards: HashMap<CardId, Arc<Card>>,
    terminals: HashMap<TerminalId, Arc<Terminal>>,
    pans: HashMap<CardId, Pan>,
    places: HashMap<TransactionKey, CardId>,
    outstanding: HashMap<CardId, Timestamp>,
    kept: VecDeque<Entry>,
    written: u64,
    fresh: Vec<Journalled>,
}

impl Ledger {
    fn tables(&self) -> MutexGuard<'_, Tables> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was written since the last call, in order.
    #[must_use]
    pub(super) fn take(&self) -> Vec<Journalled> {
        std::mem::take(&mut self.tables().fresh)
    }

    /// A card by its number.
    #[must_use]
    pub(super) fn id_of(&self, pan: &Pan) -> CardId {
        card_id(pan)
    }

    /// Registers without a host.
    pub(super) fn enter(&self, registrations: Vec<Registration>) {
        let mut tables = self.tables();
        for registration in registrations {
            tables.register(registration);
        }
    }
}

impl Tables {
    fn register(&mut self, registration: Registration) {
        match registration {
            Registration::Card { pan, record, reference } => {
                let id = card_id(&pan);
                let state = self.cards.get(&id).map(|card| card.state.clone());
                let state = state.unwrap_or_else(|| CardState::new(&record));
                self.pans.insert(id, pan);
                let card = Card { id, record: Arc::new(record), reference: reference.map(Arc::new), state };
                self.cards.insert(id, Arc::new(card));
            }
            Registration::Terminal(record) => {
                let state = self.terminals.get(&record.id).map(|terminal| terminal.state.clone());
                let terminal = Terminal { record: Arc::new(record), state: state.unwrap_or_default() };
                self.terminals.insert(terminal.record.id, Arc::new(terminal));
            }
        }
    }

    fn append(&mut self, entry: Entry) -> Result<u64, AppendError> {
        let place = self.written + 1;
        match entry.subject {
            Subject::Card(id) => {
                let card = self.cards.get_mut(&id).ok_or(AppendError::UnknownSubject)?;
                if entry.seq != card.state.seq + 1 {
                    return Err(AppendError::Collision);
                }
                Arc::make_mut(card).state.apply(entry.seq, place, entry.at, entry.event.card_effects());
                if let Event::Transaction(transaction) = &entry.event {
                    self.places.entry(transaction.key).or_insert(id);
                }
            }
            Subject::Terminal(id) => {
                let terminal = self.terminals.get_mut(&id).ok_or(AppendError::UnknownSubject)?;
                if entry.seq != terminal.state.seq + 1 {
                    return Err(AppendError::Collision);
                }
                if let Event::Terminal(event) = &entry.event {
                    Arc::make_mut(terminal).state.apply(entry.seq, place, entry.at, &event.effect);
                }
            }
        }
        if self.kept.len() == KEPT {
            self.kept.pop_front();
        }
        self.kept.push_back(entry.clone());
        self.written = place;
        self.fresh.push(Journalled { place, entry });
        Ok(place)
    }
}

#[async_trait]
impl Engine for Ledger {
    fn describe(&self) -> String {
        "memory of a drill (forgets everything)".to_owned()
    }

    fn card_id(&self, pan: &Pan) -> CardId {
        card_id(pan)
    }

    fn digest(&self, contents: &[&[u8]]) -> u64 {
        contents.iter().fold(3, |hash, part| fnv(fnv(hash, part), &[0xff]))
    }

    fn seal_reference(&self, card: &CardId, reference: &PinReference) -> Result<SealedReference, StoreError> {
        MemoryEngine::default().seal_reference(card, reference)
    }

    fn open_reference(&self, card: &CardId, sealed: &SealedReference) -> Result<PinReference, StoreError> {
        MemoryEngine::default().open_reference(card, sealed)
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
        let tables = self.tables();
        let first = tables.written - tables.kept.len() as u64 + 1;
        let at = journal_seq.checked_sub(first).and_then(|at| usize::try_from(at).ok());
        Ok(at.and_then(|at| tables.kept.get(at).cloned()))
    }

    async fn journal_end(&self) -> Result<u64, StoreError> {
        Ok(self.tables().written)
    }

    async fn card_of(&self, key: &TransactionKey) -> Result<Option<CardId>, StoreError> {
        Ok(self.tables().places.get(key).copied())
    }

    /// Nobody settles on a drilled day.
    async fn batch_totals(&self, _: &TerminalId, _: BatchNumber) -> Result<Totals, StoreError> {
        Ok(Totals::default())
    }

    async fn register(&self, registrations: Vec<Registration>) -> Result<(), StoreError> {
        self.enter(registrations);
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

/// FNV-1a, unkeyed: good enough to tell made-up cards apart, and nothing is kept.
fn card_id(pan: &Pan) -> CardId {
    let mut id = [0; 16];
    id[..8].copy_from_slice(&fnv(1, pan.reveal().as_bytes()).to_be_bytes());
    id[8..].copy_from_slice(&fnv(2, pan.reveal().as_bytes()).to_be_bytes());
    CardId(id)
}

fn fnv(seed: u64, bytes: &[u8]) -> u64 {
    let start = 0xcbf2_9ce4_8422_2325 ^ seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    bytes.iter().fold(start, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}
