//! What the engine's threads share.

use std::{
    future::poll_fn,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::Poll,
    time::Duration,
};

use journal_log::Log;
use model::{CardId, TerminalId};
use rusqlite::Connection;
use store::{AppendError, Card, StoreError, Terminal};
use tokio::sync::watch;

use super::{
    Limits,
    newest::Newest,
    pool::Pool,
    queue::{Queue, Waiting},
    states::States,
    tail,
};
use crate::seal::Sealer;

/// A commit takes about as long.
const LOOK_AGAIN: Duration = Duration::from_micros(200);

pub(crate) struct Core {
    pub(crate) sealer: Sealer,
    pub(crate) states: States,
    pub(crate) pool: Pool,
    /// The journal, to read.
    pub(crate) log: Arc<Log>,
    pub(crate) health: Health,
    pub(crate) limits: Limits,
    /// Entries on their way to the disk; the states have them already.
    pub(crate) queue: Queue,
    /// The newest durable entries, for those who follow the journal closely.
    pub(crate) newest: Newest,
    /// Everything up to here is durable; and whether the writer still runs.
    durable: watch::Sender<Durable>,
    /// The same place, for those who only look.
    published: AtomicU64,
    ended: AtomicBool,
    /// Up to here the look-up tables are filled.
    pub(crate) filled: watch::Sender<u64>,
    /// Somebody waits for the look-up tables.
    pub(crate) hurry: AtomicBool,
    /// The disk failed while entries were queued: the states at hand have what will never be durable.
    ahead: AtomicBool,
    /// Up to here a commit failed: whether it reached the log only a restart tells. 0: none did.
    in_doubt: AtomicU64,
    /// The one connection that writes registers; `None` once a write failed.
    registers: Mutex<Option<Connection>>,
}

impl Core {
    pub(crate) fn new(
        sealer: Sealer,
        states: States,
        pool: Pool,
        log: Arc<Log>,
        registers: Connection,
        limits: Limits,
        filled: u64,
    ) -> Self {
        Self {
            sealer,
            states,
            pool,
            log,
            health: Health::default(),
            queue: Queue::new(limits.queue_entries),
            newest: Newest::new(limits.newest_entries),
            limits,
            durable: watch::Sender::new(Durable { end: 0, writer_ended: false }),
            published: AtomicU64::new(0),
            ended: AtomicBool::new(false),
            filled: watch::Sender::new(filled),
            hurry: AtomicBool::new(false),
            ahead: AtomicBool::new(false),
            in_doubt: AtomicU64::new(0),
            registers: Mutex::new(Some(registers)),
        }
    }

    /// Writes registers. Like the journal they are written until the first failure and never after it: states that
    /// a failed checkpoint took are in no file, and a later mark would claim that they were.
    pub(crate) fn write_registers(
        &self,
        write: impl FnOnce(&mut Connection) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let mut registers = self.registers.lock().unwrap_or_else(PoisonError::into_inner);
        let mut conn = registers.take().ok_or_else(|| self.health.cause())?;
        match write(&mut conn) {
            Ok(()) => {
                *registers = Some(conn);
                Ok(())
            }
            Err(error) => {
                self.health.stop(format!("registers not written: {error}"));
                Err(error)
            }
        }
    }

    /// Stops for good, and with it the use of the states at hand.
    pub(crate) fn fail(&self, cause: &StoreError) {
        self.ahead.store(true, Ordering::Release);
        self.health.stop(cause.to_string());
    }

    /// The commit of everything up to this place failed.
    pub(crate) fn doubt(&self, place: u64) {
        self.in_doubt.store(place, Ordering::Release);
    }

    fn is_ahead(&self) -> bool {
        self.ahead.load(Ordering::Acquire)
    }

    /// A card that is at hand.
    pub(crate) fn look_card(&self, id: &CardId) -> Option<Arc<Card>> {
        self.states.cards.look(id).ok().filter(|_| !self.is_ahead())
    }

    /// A card, at hand or not.
    pub(crate) fn card(&self, conn: &Connection, id: &CardId) -> Result<Option<Arc<Card>>, StoreError> {
        if self.is_ahead() {
            tail::card(conn, &self.log, &self.sealer, id)
        } else {
            self.states.card(conn, &self.sealer, id)
        }
    }

    /// A terminal that is at hand.
    pub(crate) fn look_terminal(&self, id: &TerminalId) -> Option<Arc<Terminal>> {
        self.states.terminals.look(id).ok().filter(|_| !self.is_ahead())
    }

    /// A terminal, at hand or not.
    pub(crate) fn terminal(
        &self,
        conn: &Connection,
        id: &TerminalId,
    ) -> Result<Option<Arc<Terminal>>, StoreError> {
        if self.is_ahead() { tail::terminal(conn, &self.log, id) } else { self.states.terminal(conn, id) }
    }

    pub(crate) fn published(&self) -> u64 {
        self.published.load(Ordering::Acquire)
    }

    /// The journal as it was found ends here.
    pub(crate) fn start_after(&self, end: u64) {
        self.queue.start_after(end);
        self.publish(end);
    }

    /// Everything up to `end` is durable.
    pub(crate) fn publish(&self, end: u64) {
        self.published.store(end, Ordering::Release);
        self.durable.send_modify(|durable| durable.end = end);
    }

    /// Nothing more will become durable.
    pub(crate) fn writer_ended(&self) {
        self.ended.store(true, Ordering::Release);
        self.durable.send_modify(|durable| durable.writer_ended = true);
    }

    /// Waits until a place that was just given is durable.
    pub(crate) async fn acknowledged(&self, place: u64, waiting: &Waiting) -> Result<u64, AppendError> {
        let outcome = || {
            if place <= self.published() {
                return Some(Ok(place));
            }
            // The writer publishes before it ends, and says only then that it has ended.
            let ended = self.ended.load(Ordering::Acquire);
            (ended && place > self.published()).then(|| Err(self.not_durable(place)))
        };
        poll_fn(|cx| {
            if let Some(outcome) = outcome() {
                return Poll::Ready(outcome);
            }
            waiting.register(cx.waker());
            outcome().map_or(Poll::Pending, Poll::Ready)
        })
        .await
    }

    /// Waits until a place is durable. One that was never given is not waited for.
    pub(crate) async fn until_durable(&self, place: u64) -> Result<(), StoreError> {
        if place <= self.published() || place > self.queue.end() {
            return Ok(());
        }
        let mut durable = self.durable.subscribe();
        let reached = durable.wait_for(|durable| durable.end >= place || durable.writer_ended).await;
        if reached.is_ok_and(|durable| durable.end >= place) { Ok(()) } else { Err(self.health.cause()) }
    }

    /// What an entry is answered that the writer did not publish.
    fn not_durable(&self, place: u64) -> AppendError {
        let cause = self.health.cause();
        if place <= self.in_doubt.load(Ordering::Acquire) {
            AppendError::Unknown(cause.to_string())
        } else {
            cause.into()
        }
    }

    /// The same on a thread that may block.
    pub(crate) fn wait_until_durable(&self, place: u64) -> Result<(), StoreError> {
        while self.published() < place {
            if self.durable.borrow().writer_ended && self.published() < place {
                return Err(self.health.cause());
            }
            std::thread::sleep(LOOK_AGAIN);
        }
        Ok(())
    }
}

/// How far the writer is.
struct Durable {
    end: u64,
    writer_ended: bool,
}

/// Whether decisions can be taken. Once stopped, always stopped: after a failed fsync nobody knows what the disk
/// holds, and asking it again may be answered with a lie (fsync errors are reported once). A restart reads what is
/// really there.
#[derive(Debug, Default)]
pub(crate) struct Health {
    stopped: OnceLock<String>,
}

impl Health {
    /// Stops for good; the first cause is kept.
    pub(crate) fn stop(&self, cause: impl Into<String>) {
        let cause = cause.into();
        if self.stopped.set(cause.clone()).is_ok() && cause != "closed" {
            tracing::error!(%cause, "the store takes no more decisions");
        }
    }

    pub(crate) fn check(&self) -> Result<(), StoreError> {
        self.stopped.get().map_or(Ok(()), |cause| Err(StoreError::Away(cause.clone())))
    }

    /// Why it stopped.
    pub(crate) fn cause(&self) -> StoreError {
        self.check().err().unwrap_or_else(|| StoreError::Away("the writer ended".to_owned()))
    }
}
