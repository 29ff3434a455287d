//! The engine of a host with a disk of its own, in the manner of the embedded store: an entry gets its place and moves its
//! subject's state when it queues; one writer takes all that queued during the last fsync, and answers after the next
//! one; once an fsync has failed nothing is written any more, until a restart has read what is really there.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use async_trait::async_trait;
use authorization::settlement::Totals;
use model::{BatchNumber, CardId, Pan, PinReference, SealedReference, TerminalId, Timestamp, TransactionKey};
use store::{
    AppendError, Card, Engine, Entry, Outstanding, Registration, StoreError, Terminal, memory::MemoryEngine,
};
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::Duration,
};

use super::{disk::Disk, judged, registered, without_stopwatch};
use crate::{
    bug::Bug,
    life::Life,
    run::Run,
    tamper::{self, Restarted},
};

const QUEUE: usize = 256;
const BATCH: usize = 32;
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// The engine of one life of a host.
pub struct GroupCommit {
    core: Arc<Core>,
    queue: mpsc::Sender<Append>,
}

struct Core {
    run: Arc<Run>,
    life: Arc<Life>,
    disk: Arc<Disk>,
    /// Ahead of the disk by what is queued.
    states: MemoryEngine,
    durable: watch::Sender<u64>,
    restarted: Restarted,
    stopped: AtomicBool,
}

/// An entry that has its place.
struct Append {
    place: u64,
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
            durable: watch::Sender::new(end),
            restarted: Restarted::at(end),
            stopped: AtomicBool::new(false),
        });
        tokio::spawn(Arc::clone(&core).write(taken));
        Ok(Self { core, queue })
    }
}

impl Core {
    async fn write(self: Arc<Self>, mut queue: mpsc::Receiver<Append>) {
        let mut batch = Vec::new();
        while queue.recv_many(&mut batch, BATCH).await > 0 {
            self.life.passes("the writer").await;
            let stopped = self.stopped.load(Ordering::Relaxed);
            let written = if stopped { Err(self.away().into()) } else { self.commit(&batch).await };
            for append in batch.drain(..) {
                let _ = append.done.send(written.clone().map(|()| append.place));
            }
        }
    }

    async fn commit(&self, batch: &[Append]) -> Result<(), AppendError> {
        batch.iter().for_each(|append| self.disk.write(&append.entry));
        let synced = self.disk.sync(&self.life).await;
        self.life.passes("after the fsync").await;
        let synced = match synced {
            Err(_) if self.run.has(Bug::RetryFsync) => self.disk.sync(&self.life).await,
            synced => synced,
        };
        if synced.is_err() {
            self.run.judge(|judge| judge.queue_lost());
            // The mistake: what is at hand goes on being used.
            self.stopped.store(!self.run.has(Bug::GoOnAfterFsync), Ordering::Relaxed);
            self.run.step(format_args!("the store takes no more decisions"));
            return Err(AppendError::Unknown("an fsync failed".to_owned()));
        }
        self.durable.send_replace(batch.last().map_or(0, |append| append.place));
        Ok(())
    }

    /// Waits until everything up to this place is durable: a state at hand may be ahead.
    async fn until_durable(&self, place: u64) -> Result<(), StoreError> {
        let mut durable = self.durable.subscribe();
        loop {
            if *durable.borrow_and_update() >= place {
                return Ok(());
            }
            if self.stopped.load(Ordering::Relaxed) {
                return Err(self.away());
            }
            // Looked at again now and then: a store that stops publishes nothing more.
            let _ = tokio::time::timeout(LOOK_AGAIN, durable.changed()).await;
        }
    }

    /// Gives the entry its place and moves its subject's state.
    async fn place(&self, entry: &Entry) -> Result<u64, AppendError> {
        let place = self.states.append(entry.clone()).await?;
        self.run.judge(|judge| judge.queued(place, entry));
        Ok(place)
    }

    /// Does it still go? What is at hand is ahead of a disk that failed, and is not handed out any more.
    fn going(&self) -> Result<(), StoreError> {
        if self.stopped.load(Ordering::Relaxed) { Err(self.away()) } else { Ok(()) }
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

    fn seal_reference(&self, card: &CardId, reference: &PinReference) -> Result<SealedReference, StoreError> {
        self.core.states.seal_reference(card, reference)
    }

    fn open_reference(&self, card: &CardId, sealed: &SealedReference) -> Result<PinReference, StoreError> {
        self.core.states.open_reference(card, sealed)
    }

    async fn card(&self, id: &CardId) -> Result<Option<Arc<Card>>, StoreError> {
        let core = &self.core;
        core.life.passes("reading a card").await;
        core.life.takes(2).await;
        core.going()?;
        let card = judged(&core.run, core.states.card(id).await?);
        Ok(card.map(|card| tamper::card(&core.run, &core.restarted, card)))
    }

    async fn terminal(&self, id: &TerminalId) -> Result<Option<Arc<Terminal>>, StoreError> {
        let core = &self.core;
        core.life.passes("reading a terminal").await;
        core.going()?;
        let terminal = core.states.terminal(id).await?;
        if let Some(terminal) = &terminal {
            core.run.judge(|judge| judge.terminal_handed_out(terminal));
        }
        Ok(terminal)
    }

    async fn append(&self, entry: Entry) -> Result<u64, AppendError> {
        let core = &self.core;
        core.life.passes("before an append").await;
        core.going()?;
        let entry = tamper::entry(&core.run, without_stopwatch(entry));
        // Room first: what has its place must be written.
        let room = self.queue.try_reserve().map_err(|_| StoreError::Overloaded)?;
        let place = core.place(&entry).await?;
        let (done, answer) = oneshot::channel();
        room.send(Append { place, entry, done });
        if core.run.has(Bug::AnswerBeforeAppend) {
            return Ok(0);
        }
        let answer = answer.await.unwrap_or_else(|_| Err(core.away().into()));
        core.life.passes("after an append").await;
        answer
    }

    async fn entry(&self, journal_seq: u64) -> Result<Option<Entry>, StoreError> {
        self.core.life.passes("reading an entry").await;
        self.core.until_durable(journal_seq).await?;
        let entry = self.core.states.entry(journal_seq).await?;
        Ok(tamper::repeat(&self.core.run, self, entry).await)
    }

    async fn journal_end(&self) -> Result<u64, StoreError> {
        Ok(*self.core.durable.borrow())
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

    async fn pan(&self, id: &CardId) -> Result<Option<Pan>, StoreError> {
        self.core.states.pan(id).await
    }

    async fn note_outstanding(&self, id: &CardId, at: Timestamp) -> Result<(), StoreError> {
        self.core.states.note_outstanding(id, at).await
    }

    async fn outstanding(&self) -> Result<Vec<Outstanding>, StoreError> {
        self.core.states.outstanding().await
    }

    async fn forget_outstanding(&self, id: &CardId, noted: Timestamp) -> Result<(), StoreError> {
        self.core.states.forget_outstanding(id, noted).await
    }

    async fn check(&self) -> Result<(), StoreError> {
        self.core.going()
    }
}
