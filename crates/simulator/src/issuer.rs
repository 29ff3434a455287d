//! Another bank: it listens where a host's link arrives, verifies PINs under the zone's key, counts tries, posts and
//! undoes; and, on request, does what other banks also do: answers late, not at all, or hangs up.
//!
//! ```text
//!  frame ─► message ─► seen before? ─► the same answer
//!                          └─► book: card, tries, PIN, money ─► lever of the amount ─► answer, late, lost, hang up
//! ```
//!
//! The last two digits of an amount are the lever, as a sandbox's are for terminals: `.55` takes the PIN as wrong, `.68`
//! answers late, `.98` posts and says nothing, `.97` neither posts nor says anything, `.95` posts and hangs up, any other
//! but `.00` is the response code.

mod book;
mod talk;

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use iso8583::{Dialect, Framing};
use model::Pan;
use paycrypto::key::TdesKey;
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};

pub use book::{Account, Heard};

use book::Book;

/// How an issuer is set up.
#[derive(Debug)]
pub struct Settings {
    /// Where it listens; port 0 takes a free one.
    pub address: SocketAddr,
    /// Dialect.
    pub dialect: Arc<Dialect>,
    /// Framing.
    pub framing: Framing,
    /// Zone PIN key, in clear: test keys only.
    pub zone_pin_key: Arc<TdesKey>,
    /// Its cards.
    pub accounts: Vec<(Pan, Account)>,
    /// Wrong PINs until a card is locked.
    pub tries: u32,
    /// How late a late answer is.
    pub late: Duration,
}

/// What an issuer does beside its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mood {
    /// Answers.
    #[default]
    Well,
    /// Takes everything and answers nothing, not even an echo.
    Silent,
    /// Answers network management and reversals, and no questions.
    Busy,
    /// Answers everything but reversals.
    DeafToReversals,
    /// Refuses to be signed on to.
    Closed,
}

/// A running issuer. Dropping it hangs up.
pub struct Issuer {
    address: SocketAddr,
    shared: Arc<Shared>,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

/// What all connections of an issuer share.
pub(crate) struct Shared {
    dialect: Arc<Dialect>,
    framing: Framing,
    zone_pin_key: Arc<TdesKey>,
    late: Duration,
    book: Mutex<Book>,
    mood: Mutex<Mood>,
}

impl Shared {
    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn mood(&self) -> Mood {
        *self.mood.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Issuer {
    /// Listens.
    ///
    /// # Errors
    /// When the address cannot be had.
    pub async fn start(settings: Settings) -> io::Result<Self> {
        let listener = TcpListener::bind(settings.address).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            dialect: settings.dialect,
            framing: settings.framing,
            zone_pin_key: settings.zone_pin_key,
            late: settings.late,
            book: Mutex::new(Book::new(settings.accounts, settings.tries)),
            mood: Mutex::default(),
        });
        let (stop, stopped) = watch::channel(false);
        let task = tokio::spawn(accept(listener, Arc::clone(&shared), stopped));
        Ok(Self { address, shared, stop, task })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on it is like that.
    pub fn set_mood(&self, mood: Mood) {
        *self.shared.mood.lock().unwrap_or_else(PoisonError::into_inner) = mood;
    }

    /// Everything but network management that it was told, in order.
    #[must_use]
    pub fn heard(&self) -> Vec<Heard> {
        self.shared.book().heard().to_vec()
    }

    /// How often it was signed on to, and asked for an echo.
    #[must_use]
    pub fn network(&self) -> (u32, u32) {
        self.shared.book().network()
    }

    /// What a card has spent: approved and not undone, in minor units.
    #[must_use]
    pub fn spent(&self, pan: &Pan) -> i64 {
        self.shared.book().spent(pan)
    }

    /// Wrong PINs of a card since the last right one.
    #[must_use]
    pub fn wrong_pins(&self, pan: &Pan) -> u32 {
        self.shared.book().wrong_pins(pan)
    }

    /// Hangs up and stops listening.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        let _ = self.task.await;
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>, mut stopped: watch::Receiver<bool>) {
    let mut talks = tokio::task::JoinSet::new();
    loop {
        let accepted = tokio::select! {
            _ = stopped.changed() => break,
            accepted = listener.accept() => accepted,
        };
        if let Ok((stream, _)) = accepted {
            talks.spawn(talk::run(stream, Arc::clone(&shared), stopped.clone()));
        }
    }
    drop(listener);
    while talks.join_next().await.is_some() {}
}
