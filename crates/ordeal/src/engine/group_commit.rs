//! The engine of a host with a disk of its own: one writer, one fsync for all that queued during the last one, answers
//! after it; once an fsync has failed, nothing is written any more until a restart has read what is really there.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use async_trait::async_trait;
use authorization::settlement::Totals;
use model::{BatchNumber, CardId, Pan, TerminalId, TransactionKey};
use store::{
    AppendError, Card, Engine, Entry, Registration, StoreError, Subject, Terminal, memory::MemoryEngine,
};
use tokio::sync::{mpsc, oneshot};

use super::{disk::Disk, judged, registered, without_stopwatch};
use crate::{
    bug::Bug,
    life::Life,
    run::Run,
    tamper::{self, Restarted},
};

const QUEUE: usize = 256;
const BATCH: usize = 32;

/// The engine of one life of a host.
pub struct GroupCommit {
    core: Arc<Core>,
    queue: mpsc::Sender<Append>,
}

struct Core {
    run: Arc<Run>,
    life: Arc<Life>,
    disk: Arc<Disk>,
    states: MemoryEngine,
    restarted: Restarted,
    stopped: AtomicBool,
}

struct Append {
    entry: Entry,
    done: oneshot::Sender<Result<u64, AppendError>>,
}

impl GroupCommit {
    /// Reads the journal and goes on where it ends.
    ///
    /// # Errors
    /// A journal that does not fold.
    pub async fn open(run: &Arc<Run>, life: &Arc<Life>, disk: &Arc<Disk>) -> Result<Self, AppendError> {
        let states = registered(&run.kit).await;
        let journal = disk.recover();
        let end = journal.len() as u64;
        for entry in journal {
            states.append(entry).await?;
        }
        run.step(format_args!("journal of {end} entries read again"));
        let (queue, taken) = mpsc::channel(QUEUE);
        let core = Arc::new(Core {
            run: Arc::clone(run),
            life: Arc::clone(life),
            disk: Arc::clone(disk),
            states,
            restarted: Restarted::at(end),
            stopped: AtomicBool::new(false),
        });
        tokio::spawn(Arc::clone(&core).write(taken));
        Ok(Self { core, queue })
    }
}

impl Core {
    async fn write(self: Arc<Self>, mut queue: mpsc::Receiver<Append>) {
        let mut taken = Vec::new();
        while queue.recv_many(&mut taken, BATCH).await > 0 {
            self.life.passes("the writer").await;
            let batch = self.accept(std::mem::take(&mut taken)).await;
            if batch.is_empty() {
                continue;
            }
            // The mistake: readers see the state of a decision that may never be durable.
            let early = if self.run.has(Bug::FoldBeforeDurable) { self.fold(&batch).await } else { Vec::new() };
            let written = self.commit(&batch).await;
            let answers = match written {
                Ok(()) if early.is_empty() => self.fold(&batch).await,
                Ok(()) => early,
                Err(()) => batch.iter().map(|_| Err(self.away().into())).collect(),
            };
            for (append, answer) in batch.into_iter().zip(answers) {
                let _ = append.done.send(answer);
            }
        }
    }

    /// Keeps the entries that continue their subject; answers the others.
    async fn accept(&self, batch: Vec<Append>) -> Vec<Append> {
        let mut heads: HashMap<Subject, u32> = HashMap::new();
        let mut accepted = Vec::with_capacity(batch.len());
        for append in batch {
            let subject = append.entry.subject;
            let head = match heads.get(&subject) {
                Some(head) => Some(*head),
                None => self.head(&subject).await,
            };
            match head {
                _ if self.stopped.load(Ordering::Relaxed) => drop(append.done.send(Err(self.away().into()))),
                None => drop(append.done.send(Err(AppendError::UnknownSubject))),
                Some(head) if append.entry.seq != head + 1 => {
                    drop(append.done.send(Err(AppendError::Collision)));
                }
                Some(head) => {
                    heads.insert(subject, head + 1);
                    accepted.push(append);
                }
            }
        }
        accepted
    }

    async fn head(&self, subject: &Subject) -> Option<u32> {
        match subject {
            Subject::Card(id) => self.states.card(id).await.ok()?.map(|card| card.state.seq),
            Subject::Terminal(id) => self.states.terminal(id).await.ok()?.map(|t| t.state.seq),
        }
    }

    async fn fold(&self, batch: &[Append]) -> Vec<Result<u64, AppendError>> {
        let mut places = Vec::with_capacity(batch.len());
        for append in batch {
            places.push(self.states.append(append.entry.clone()).await);
        }
        places
    }

    async fn commit(&self, batch: &[Append]) -> Result<(), ()> {
        batch.iter().for_each(|append| self.disk.write(&append.entry));
        let synced = self.disk.sync(&self.life).await;
        self.life.passes("after the fsync").await;
        let synced = match synced {
            Err(_) if self.run.has(Bug::RetryFsync) => self.disk.sync(&self.life).await,
            synced => synced,
        };
        synced.map_err(|_| {
            self.stopped.store(true, Ordering::Relaxed);
            self.run.step(format_args!("the store takes no more decisions"));
        })
    }

    fn away(&self) -> StoreError {
        StoreError::Away("an fsync failed".to_owned())
    }
}

#[async_trait]
impl Engine for GroupCommit {
    fn describe(&self) -> String {
        "simulated disk, group commit".to_owned()
    }

    fn card_id(&self, pan: &Pan) -> CardId {
        self.core.states.card_id(pan)
    }

    fn digest(&self, contents: &[&[u8]]) -> u64 {
        self.core.states.digest(contents)
    }

    async fn card(&self, id: &CardId) -> Result<Option<Arc<Card>>, StoreError> {
        let core = &self.core;
        core.life.passes("reading a card").await;
        core.life.takes(2).await;
        let card = judged(&core.run, core.states.card(id).await?);
        Ok(card.map(|card| tamper::card(&core.run, &core.restarted, card)))
    }

    async fn terminal(&self, id: &TerminalId) -> Result<Option<Arc<Terminal>>, StoreError> {
        let core = &self.core;
        core.life.passes("reading a terminal").await;
        let terminal = core.states.terminal(id).await?;
        if let Some(terminal) = &terminal {
            core.run.judge(|judge| judge.terminal_handed_out(terminal));
        }
        Ok(terminal)
    }

    async fn append(&self, entry: Entry) -> Result<u64, AppendError> {
        let core = &self.core;
        core.life.passes("before an append").await;
        if core.stopped.load(Ordering::Relaxed) {
            return Err(core.away().into());
        }
        let entry = tamper::entry(&core.run, without_stopwatch(entry));
        let (done, answer) = oneshot::channel();
        let sent = self.queue.try_send(Append { entry, done });
        sent.map_err(|_| StoreError::Overloaded)?;
        if core.run.has(Bug::AnswerBeforeAppend) {
            return Ok(0);
        }
        let answer = answer.await.unwrap_or_else(|_| Err(core.away().into()));
        core.life.passes("after an append").await;
        answer
    }

    async fn entry(&self, journal_seq: u64) -> Result<Option<Entry>, StoreError> {
        self.core.life.passes("reading an entry").await;
        let entry = self.core.states.entry(journal_seq).await?;
        Ok(tamper::repeat(&self.core.run, self, entry).await)
    }

    async fn card_of(&self, key: &TransactionKey) -> Result<Option<CardId>, StoreError> {
        self.core.life.passes("looking for a card").await;
        self.core.states.card_of(key).await
    }

    async fn batch_totals(&self, terminal: &TerminalId, batch: BatchNumber) -> Result<Totals, StoreError> {
        self.core.life.passes("adding up").await;
        self.core.states.batch_totals(terminal, batch).await
    }

    async fn register(&self, registrations: Vec<Registration>) -> Result<(), StoreError> {
        self.core.states.register(registrations).await
    }

    async fn check(&self) -> Result<(), StoreError> {
        if self.core.stopped.load(Ordering::Relaxed) { Err(self.core.away()) } else { Ok(()) }
    }
}
