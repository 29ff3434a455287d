//! Everything that the edge refuses, counted by cause; said in the log at most once a second per cause, with the number
//! of those that were not said. Counting allocates nothing: a flood is refused more cheaply than it is sent.

use std::{
    fmt::Display,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Instant,
};

use metrics::{Counter, counter};
use tracing::info;

use super::rate::{Bucket, Rate};

macro_rules! causes {
    ($( $(#[$doc:meta])* $variant:ident $name:literal ),* $(,)?) => {
        /// Why the edge refused, closed or held back.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Cause {
            $( $(#[$doc])* $variant, )*
        }

        impl Cause {
            const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// As in the metric's label and the log.
            pub(crate) fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }
    };
}

causes! {
    /// `connections` are open.
    ListenerFull "listener-full",
    /// `connections_per_source` are open.
    SourceFull "source-full",
    /// `handshakes`, or `handshakes_per_source`, are under way.
    HandshakesFull "handshakes-full",
    /// A handshake took longer than `handshake_ms`.
    HandshakeSlow "handshake-slow",
    /// Certificates, versions or algorithms do not fit.
    HandshakeFailed "handshake-failed",
    /// What came on a TLS port was no TLS.
    PlainOnTls "plain-on-tls",
    /// What came on a plain port was TLS.
    TlsOnPlain "tls-on-plain",
    /// The certificate names no terminal, and `bind_terminal` asks for one.
    CertificateNamesNobody "certificate-names-nobody",
    /// A message in another terminal's name than the certificate's.
    ForeignTerminal "foreign-terminal",
    /// No frame for `idle_ms`.
    Idle "idle",
    /// A frame was begun and took longer than `frame_ms`.
    SlowFrame "slow-frame",
    /// A length that cannot be, or more than `frame_bytes`.
    ImpossibleFrame "impossible-frame",
    /// A frame that nobody could answer.
    Unanswerable "unanswerable",
    /// More than `reply_bytes` untaken, or an answer not taken within `write_ms`.
    SlowReader "slow-reader",
    /// Held back: more than `frames_per_second`.
    ConnectionRate "connection-rate",
    /// Held back: more than `frames_per_second_per_source`.
    SourceRate "source-rate",
    /// Answered busy: more than `terminal_requests_per_second`.
    TerminalRate "terminal-rate",
    /// Answered busy: more than `card_attempts_per_minute`.
    CardRate "card-rate",
}

/// Lines about refused messages, per second and at once: a terminal with a fault is seen, a flood does not fill the disk.
const LINES_PER_SECOND: u32 = 20;
const LINES_AT_ONCE: u32 = 200;

const COUNT: usize = Cause::ALL.len();

/// Counts and says what was refused.
pub(crate) struct Tally {
    start: Instant,
    causes: [Line; COUNT],
    lines: Mutex<Bucket>,
}

struct Line {
    refused: AtomicU64,
    /// What the exporter sees; made once, because making one allocates.
    counter: Counter,
    /// The second after which it may be said again, and what was not said since.
    quiet_until: AtomicU64,
    unsaid: AtomicU64,
}

impl Tally {
    pub(crate) fn new() -> Self {
        let line = |cause: Cause| Line {
            refused: AtomicU64::new(0),
            counter: counter!("pinward_edge_refused_total", "cause" => cause.name()),
            quiet_until: AtomicU64::new(0),
            unsaid: AtomicU64::new(0),
        };
        let causes = std::array::from_fn(|n| line(Cause::ALL[n]));
        Self { start: Instant::now(), causes, lines: Mutex::default() }
    }

    /// May one more line about a refused message be logged? For lines that are different each time, so that one per
    /// second would say too little.
    pub(crate) fn admits_line(&self) -> bool {
        let now = u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(u64::MAX);
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        Rate::per_second(LINES_PER_SECOND, LINES_AT_ONCE).is_none_or(|rate| lines.take(rate, now).is_ok())
    }

    /// Counts, and says it if nothing of the kind was said in this second.
    pub(crate) fn refused(&self, cause: Cause, peer: &dyn Display) {
        if let Some(unsaid) = self.count(cause, self.start.elapsed().as_secs()) {
            info!(cause = cause.name(), %peer, unsaid, "refused at the edge");
        }
    }

    /// Counts; when it may be said, the number of those that were not.
    fn count(&self, cause: Cause, second: u64) -> Option<u64> {
        let line = &self.causes[cause as usize];
        line.refused.fetch_add(1, Relaxed);
        line.counter.increment(1);
        let quiet_until = line.quiet_until.load(Relaxed);
        let speaks = second >= quiet_until
            && line.quiet_until.compare_exchange(quiet_until, second + 1, Relaxed, Relaxed).is_ok();
        if speaks {
            return Some(line.unsaid.swap(0, Relaxed));
        }
        line.unsaid.fetch_add(1, Relaxed);
        None
    }

    /// What was refused since the start, by cause.
    pub(crate) fn counts(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        Cause::ALL.iter().map(|cause| (cause.name(), self.causes[*cause as usize].refused.load(Relaxed)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_counted_and_said_once_a_second() {
        let tally = Tally::new();
        let said: Vec<u64> = (0..3)
            .flat_map(|second| std::iter::repeat_n(second, 1000))
            .filter_map(|second| tally.count(Cause::ListenerFull, second))
            .collect();
        assert_eq!(said, [0, 999, 999]);
        assert_eq!(tally.count(Cause::SlowFrame, 2), Some(0), "another cause is said by itself");
        let counts: Vec<_> = tally.counts().filter(|(_, count)| *count > 0).collect();
        assert_eq!(counts, [("listener-full", 3000), ("slow-frame", 1)]);
    }
}
