//! One database for several hosts, and a host's engine on it. The key *(subject, number)* is the only lock. A host keeps
//! cards at hand that may be old; it loses connections in the middle of a commit, and then asks by key what became of it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use authorization::settlement::Totals;
use model::{BatchNumber, CardId, Pan, PinReference, SealedReference, TerminalId, Timestamp, TransactionKey};
use store::{
    AppendError, Card, Engine, Entry, Outstanding, Registration, StoreError, Subject, Terminal,
    memory::MemoryEngine,
};
use tokio::time::Duration;

use super::{judged, registered, without_stopwatch};
use crate::{
    bug::Bug,
    dice::Dice,
    life::Life,
    run::{Run, lock},
    tamper::{self, Restarted},
};

/// How often a commit is tried before nobody should wait any longer.
const ATTEMPTS: usize = 4;

/// The database.
pub struct Database {
    run: Arc<Run>,
    tables: MemoryEngine,
    written: Mutex<HashMap<(Subject, u32), (u64, Entry)>>,
    away_until_ms: Mutex<u64>,
}

impl Database {
    /// With cards and terminals, and an empty journal.
    pub async fn new(run: &Arc<Run>) -> Arc<Self> {
        let tables = registered(&run.kit).await;
        let (written, away_until_ms) = (Mutex::default(), Mutex::default());
        Arc::new(Self { run: Arc::clone(run), tables, written, away_until_ms })
    }

    /// Inserts an entry if its number is free; says what is there.
    async fn commit(&self, entry: Entry) -> Result<u64, AppendError> {
        let row = (entry.subject, entry.seq);
        let taken = lock(&self.written).get(&row).cloned();
        if let Some((place, there)) = taken {
            return if there == entry { Ok(place) } else { Err(AppendError::Collision) };
        }
        let place = self.tables.append(entry.clone()).await?;
        lock(&self.written).insert(row, (place, entry.clone()));
        self.run.step(format_args!("durable {place}: {:?} {}", entry.subject, entry.seq));
        self.run.judge(|judge| judge.durable(place, &entry));
        Ok(place)
    }

    fn is_away(&self, dice: &mut Dice) -> bool {
        let mut until = lock(&self.away_until_ms);
        let now = self.run.now_ms();
        if self.run.happens(dice, self.run.plan.rates.database_away) {
            *until = now + dice.between(20, 20_000);
            self.run.fault(format_args!("the database is away for {} ms", *until - now));
        }
        *until > now && !self.run.is_calm()
    }
}

/// The engine of one life of a host.
pub struct OnDatabase {
    run: Arc<Run>,
    life: Arc<Life>,
    database: Arc<Database>,
    at_hand: Mutex<HashMap<CardId, Arc<Card>>>,
    restarted: Restarted,
    dice: Mutex<Dice>,
}

impl OnDatabase {
    /// Connects.
    pub fn open(run: &Arc<Run>, life: &Arc<Life>, database: &Arc<Database>, name: &str) -> Self {
        let end = database.tables.journal().len() as u64;
        Self {
            run: Arc::clone(run),
            life: Arc::clone(life),
            database: Arc::clone(database),
            at_hand: Mutex::default(),
            restarted: Restarted::at(end),
            dice: run.dice(name),
        }
    }

    /// Goes over to the database and back.
    async fn reach(&self, place: &'static str) -> Result<(), StoreError> {
        self.life.passes(place).await;
        self.life.takes(3).await;
        let away = self.database.is_away(&mut lock(&self.dice));
        if away { Err(StoreError::Away("the database does not answer".to_owned())) } else { Ok(()) }
    }

    /// Commits, and finds out what became of it when the answer is lost.
    async fn commit(&self, entry: &Entry) -> Result<u64, AppendError> {
        let mut unknown = false;
        for _ in 0..ATTEMPTS {
            if let Err(error) = self.reach("a commit").await {
                if !unknown {
                    return Err(error.into());
                }
                tokio::time::sleep(Duration::from_millis(30)).await;
                continue;
            }
            let lost = {
                let mut dice = lock(&self.dice);
                let happens = self.run.happens(&mut dice, self.run.plan.rates.unknown_commit);
                happens.then(|| (dice.happens(60_000), dice.between(1, 400)))
            };
            match lost {
                None => return self.database.commit(entry.clone()).await,
                Some((reached, after_ms)) => {
                    self.run.fault(format_args!("a commit's result is lost"));
                    unknown = true;
                    if reached {
                        self.land_later(entry.clone(), after_ms);
                    }
                    self.life.takes(500).await;
                }
            }
            if self.run.has(Bug::RunAgain) {
                // The mistake: made again under whatever number is free now.
                return self.renumbered(entry.clone()).await;
            }
        }
        Err(AppendError::Unknown("a commit was not answered".to_owned()))
    }

    /// A commit that is under way in the database, whether or not anybody still waits for it.
    fn land_later(&self, entry: Entry, after_ms: u64) {
        let database = Arc::clone(&self.database);
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(after_ms)).await;
            let _ = database.commit(entry).await;
        });
    }

    async fn renumbered(&self, mut entry: Entry) -> Result<u64, AppendError> {
        entry.seq = match entry.subject {
            Subject::Card(id) => self.database.tables.card(&id).await?.map_or(0, |card| card.state.seq),
            Subject::Terminal(id) => self.database.tables.terminal(&id).await?.map_or(0, |t| t.state.seq),
        } + 1;
        self.database.commit(entry).await
    }
}

#[async_trait]
impl Engine for OnDatabase {
    fn describe(&self) -> String {
        "simulated database".to_owned()
    }

    fn card_id(&self, pan: &Pan) -> CardId {
        self.database.tables.card_id(pan)
    }

    fn digest(&self, contents: &[&[u8]]) -> u64 {
        self.database.tables.digest(contents)
    }

    fn seal_reference(&self, card: &CardId, reference: &PinReference) -> Result<SealedReference, StoreError> {
        self.database.tables.seal_reference(card, reference)
    }

    fn open_reference(&self, card: &CardId, sealed: &SealedReference) -> Result<PinReference, StoreError> {
        self.database.tables.open_reference(card, sealed)
    }

    async fn card(&self, id: &CardId) -> Result<Option<Arc<Card>>, StoreError> {
        self.life.passes("reading a card").await;
        let at_hand = lock(&self.at_hand).get(id).cloned();
        let card = match at_hand {
            Some(card) => Some(card),
            None => {
                self.reach("reading a card of the database").await?;
                let card = self.database.tables.card(id).await?;
                if let Some(card) = &card {
                    lock(&self.at_hand).insert(*id, Arc::clone(card));
                }
                card
            }
        };
        let card = judged(&self.run, card);
        Ok(card.map(|card| tamper::card(&self.run, &self.restarted, card)))
    }

    async fn terminal(&self, id: &TerminalId) -> Result<Option<Arc<Terminal>>, StoreError> {
        self.reach("reading a terminal").await?;
        let terminal = self.database.tables.terminal(id).await?;
        if let Some(terminal) = &terminal {
            self.run.judge(|judge| judge.terminal_handed_out(terminal));
        }
        Ok(terminal)
    }

    async fn append(&self, entry: Entry) -> Result<u64, AppendError> {
        let entry = tamper::entry(&self.run, without_stopwatch(entry));
        if self.run.has(Bug::AnswerBeforeAppend) {
            self.land_later(entry, 5);
            return Ok(0);
        }
        let careless = self.run.has(Bug::IgnoreCollision) || self.run.has(Bug::StaleCopy);
        let appended = match self.commit(&entry).await {
            Err(AppendError::Collision) if careless => self.renumbered(entry.clone()).await,
            appended => appended,
        };
        self.life.passes("after a commit").await;
        if let Subject::Card(id) = &entry.subject
            && !self.run.has(Bug::StaleCopy)
        {
            // What was at hand is old now, whoever came first.
            lock(&self.at_hand).remove(id);
        }
        appended
    }

    async fn entry(&self, journal_seq: u64) -> Result<Option<Entry>, StoreError> {
        self.reach("reading an entry").await?;
        let entry = self.database.tables.entry(journal_seq).await?;
        Ok(tamper::repeat(&self.run, self, entry).await)
    }

    async fn journal_end(&self) -> Result<u64, StoreError> {
        self.database.tables.journal_end().await
    }

    async fn card_of(&self, key: &TransactionKey) -> Result<Option<CardId>, StoreError> {
        self.reach("looking for a card").await?;
        self.database.tables.card_of(key).await
    }

    async fn batch_totals(&self, terminal: &TerminalId, batch: BatchNumber) -> Result<Totals, StoreError> {
        self.reach("adding up").await?;
        self.database.tables.batch_totals(terminal, batch).await
    }

    async fn register(&self, registrations: Vec<Registration>) -> Result<(), StoreError> {
        self.database.tables.register(registrations).await
    }

    async fn pan(&self, id: &CardId) -> Result<Option<Pan>, StoreError> {
        self.database.tables.pan(id).await
    }

    async fn note_outstanding(&self, id: &CardId, at: Timestamp) -> Result<(), StoreError> {
        self.database.tables.note_outstanding(id, at).await
    }

    async fn outstanding(&self) -> Result<Vec<Outstanding>, StoreError> {
        self.database.tables.outstanding().await
    }

    async fn forget_outstanding(&self, id: &CardId, noted: Timestamp) -> Result<(), StoreError> {
        self.database.tables.forget_outstanding(id, noted).await
    }

    async fn check(&self) -> Result<(), StoreError> {
        self.reach("a check").await
    }
}
