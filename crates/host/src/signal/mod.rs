//! What happened on the wire and is no entry of the journal: a repeat got its stored answer, a connection was cut before an
//! answer, a frame could not be read, a terminal reported about itself beside a payment.
//!
//! ```text
//! stages, connections ─► Outbox, bounded ─► keeper ─► book, a file beside the journal ─► subscribers
//! ```
//!
//! A signal decides nothing and waits for nothing: telling one is a push into a channel, and what does not fit is counted.
//! The book is written in batches without an fsync, so a crash may lose the last moments of it, never of the journal.

mod book;
mod keeper;

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use authorization::terminal::Place;
use diagnosis::observation::{Position, Telemetry};
use minicbor::{Decode, Encode};
use model::{ReasonCode, TerminalId, Timestamp, TransactionKey};
use tokio::sync::mpsc;

pub use self::{
    book::{Book, Signals},
    keeper::Keeper,
};
use crate::telemetry::Report;

/// So many signals may wait for the keeper.
const WAITING_MAX: usize = 4096;

/// One thing that happened beside the journal.
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
pub struct Signal {
    /// The place of the journal's newest entry that this host knew of.
    #[n(0)]
    pub place: u64,
    /// When.
    #[n(1)]
    pub at: Timestamp,
    /// Where; blank where nobody knows.
    #[n(2)]
    pub terminal: TerminalId,
    /// What.
    #[n(3)]
    pub kind: Kind,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
pub enum Kind {
    /// The same request came again and got the stored answer.
    #[n(0)]
    Repeated {
        /// Which.
        #[n(0)]
        key: TransactionKey,
    },
    /// The connection ended before an answer had left.
    #[n(1)]
    Cut,
    /// A message in this terminal's name could not be read well enough to be answered.
    #[n(2)]
    Unreadable,
    /// Refused, and not journalled: the terminal had used up its refusals for the minute.
    #[n(3)]
    Refused {
        /// Why.
        #[n(0)]
        reason: ReasonCode,
    },
    /// Nobody knows whether it was decided, so it was not answered.
    #[n(4)]
    Withheld,
    /// The terminal reported about itself with a sign-in or an echo.
    #[n(5)]
    Report(#[n(0)] Box<Told>),
    /// So many signals did not fit, since the one before.
    #[n(6)]
    Lost {
        /// How many.
        #[n(0)]
        count: u64,
    },
}

/// A [`Report`] that outlives its message.
#[derive(Debug, Clone, PartialEq, Eq, Default, Encode, Decode)]
pub struct Told {
    /// Manufacturer's model.
    #[n(0)]
    pub model: Option<String>,
    /// Version of the firmware.
    #[n(1)]
    pub firmware: Option<String>,
    /// Version of the payment application.
    #[n(2)]
    pub application: Option<String>,
    /// Mobile network operator, or kind of line.
    #[n(3)]
    pub carrier: Option<String>,
    /// Where it stands.
    #[n(4)]
    pub place: Option<Place>,
    /// Milliseconds that the last PIN took.
    #[n(5)]
    pub pin_entry_ms: Option<u32>,
    /// Round-trip time of the exchange before, in milliseconds.
    #[n(6)]
    pub rtt_ms: Option<u32>,
    /// PIN entries cancelled, timed out; requests without an answer; connections made anew.
    #[n(7)]
    pub counts: [u8; 4],
}

impl From<&Report<'_>> for Told {
    fn from(report: &Report<'_>) -> Self {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        let e6 = |degrees: f32| (f64::from(degrees) * 1e6).round() as i32;
        let told = &report.telemetry;
        Self {
            model: owned(report.model),
            firmware: owned(report.firmware),
            application: owned(report.application),
            carrier: owned(report.carrier),
            place: report
                .position
                .map(|at| Place { latitude_e6: e6(at.latitude), longitude_e6: e6(at.longitude) }),
            pin_entry_ms: told.pin_entry_ms,
            rtt_ms: told.rtt_ms,
            counts: [told.cancels, told.entry_timeouts, told.no_answers, told.reconnects],
        }
    }
}

impl Told {
    /// As it was told.
    #[must_use]
    pub fn report(&self) -> Report<'_> {
        let [cancels, entry_timeouts, no_answers, reconnects] = self.counts;
        let degrees = |e6: i32| (f64::from(e6) / 1e6) as f32;
        let position = |place: Place| Position {
            latitude: degrees(place.latitude_e6),
            longitude: degrees(place.longitude_e6),
        };
        Report {
            model: self.model.as_deref(),
            firmware: self.firmware.as_deref(),
            application: self.application.as_deref(),
            carrier: self.carrier.as_deref(),
            position: self.place.map(position),
            telemetry: Telemetry {
                pin_entry_ms: self.pin_entry_ms,
                rtt_ms: self.rtt_ms,
                cancels,
                entry_timeouts,
                no_answers,
                reconnects,
            },
            unreadable: 0,
        }
    }
}

/// Where stages and connections put signals.
pub(crate) struct Outbox {
    sender: mpsc::Sender<Signal>,
    receiver: Mutex<Option<Inbox>>,
    /// What did not fit since the last that did.
    lost: AtomicU64,
    /// The newest place of the journal that was decided here.
    newest: AtomicU64,
}

/// Signals as they are told, for one keeper.
pub struct Inbox(mpsc::Receiver<Signal>);

impl Inbox {
    /// The next signals, at most `most`; none when the host is gone.
    pub(crate) async fn next(&mut self, into: &mut Vec<Signal>, most: usize) -> usize {
        self.0.recv_many(into, most).await
    }
}

impl Outbox {
    /// The journal has entries up to `newest`.
    pub(crate) fn new(newest: u64) -> Self {
        let (sender, receiver) = mpsc::channel(WAITING_MAX);
        let receiver = Mutex::new(Some(Inbox(receiver)));
        Self { sender, receiver, lost: AtomicU64::new(0), newest: AtomicU64::new(newest) }
    }

    /// The other end; there is one.
    pub(crate) fn take(&self) -> Option<Inbox> {
        self.receiver.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// An entry was appended at this place.
    pub(crate) fn note(&self, place: u64) {
        self.newest.fetch_max(place, Relaxed);
    }

    /// Tells what happened; never waits.
    pub(crate) fn tell(&self, terminal: TerminalId, at: Timestamp, kind: Kind) {
        let place = self.newest.load(Relaxed);
        let lost = self.lost.swap(0, Relaxed);
        if lost > 0 {
            let kind = Kind::Lost { count: lost };
            if self.sender.try_send(Signal { place, at, terminal: TerminalId::BLANK, kind }).is_err() {
                self.lost.fetch_add(lost + 1, Relaxed);
                crate::metrics::signal_lost();
                return;
            }
        }
        if self.sender.try_send(Signal { place, at, terminal, kind }).is_err() {
            self.lost.fetch_add(1, Relaxed);
            crate::metrics::signal_lost();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_does_not_fit_is_counted_and_said() {
        let outbox = Outbox::new(7);
        let (terminal, at) = ("T0000001".parse().unwrap(), Timestamp(1));
        for _ in 0..WAITING_MAX + 3 {
            outbox.tell(terminal, at, Kind::Cut);
        }
        let mut inbox = outbox.take().unwrap();
        assert!(outbox.take().is_none());
        let mut got = Vec::new();
        assert_eq!(inbox.next(&mut got, WAITING_MAX).await, WAITING_MAX);
        outbox.note(9);
        outbox.tell(terminal, at, Kind::Unreadable);
        got.clear();
        inbox.next(&mut got, 10).await;
        let lost = Signal { place: 9, at, terminal: TerminalId::BLANK, kind: Kind::Lost { count: 3 } };
        assert_eq!(got, [lost, Signal { place: 9, at, terminal, kind: Kind::Unreadable }]);
    }
}
