//! Answers on their way out: everything that is ready leaves in one write, and a peer that does not take them is not waited for.

use std::{
    collections::VecDeque,
    future::poll_fn,
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use iso8583::{Framing, Header, Tpdu};
use model::TerminalId;
use tokio::{
    io::{AsyncWrite, AsyncWriteExt},
    time::{Instant, timeout},
};

use crate::listener::Link;

/// A buffer that grew larger than this is given back when it is empty.
const KEPT_BYTES: usize = 64 * 1024;

pub(crate) struct Outgoing<W> {
    write: W,
    framing: Framing,
    patience: Duration,
    limit: usize,
    bytes: Vec<u8>,
    sent: usize,
    /// Where in `bytes` each answer ends that has not left, and whose it is.
    ends: VecDeque<(usize, TerminalId)>,
    /// In TLS a write may only have filled a buffer.
    flushed: bool,
    /// What was waiting when patience began: when it has gone, patience begins anew.
    awaited: usize,
    since: Instant,
}

/// Why nothing more leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stuck {
    /// The peer has gone.
    Gone,
    /// It does not take its answers, and too many wait.
    Slow,
}

impl<W: AsyncWrite + Unpin> Outgoing<W> {
    pub(crate) fn new(write: W, link: &Link) -> Self {
        Self {
            write,
            framing: link.framing,
            patience: Duration::from_millis(link.limits.write_ms),
            limit: link.limits.reply_bytes,
            bytes: Vec::new(),
            sent: 0,
            ends: VecDeque::new(),
            flushed: true,
            awaited: 0,
            since: Instant::now(),
        }
    }

    /// Puts an answer, a frame without length prefix, behind those that wait.
    pub(crate) fn put(&mut self, frame: &[u8], terminal: TerminalId) {
        if self.is_empty() {
            self.since = Instant::now();
        }
        put(&mut self.bytes, self.framing, frame);
        self.ends.push_back((self.bytes.len(), terminal));
        self.flushed = false;
        if self.awaited == 0 {
            self.awaited = self.bytes.len();
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.flushed
    }

    /// Answers that wait for the peer.
    pub(crate) fn answers(&self) -> usize {
        self.ends.len()
    }

    /// Whose answers have not left.
    pub(crate) fn unsent(&self) -> impl Iterator<Item = TerminalId> {
        self.ends.iter().map(|(_, terminal)| *terminal)
    }

    /// When the peer has taken too little; `None` when nothing waits.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        (!self.is_empty()).then(|| self.since + self.patience)
    }

    /// Writes as much as the peer takes; ready when everything has left. Only what it does not take at once is a backlog.
    pub(crate) fn poll_sent(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Stuck>> {
        match self.poll_written(cx) {
            Poll::Ready(written) => Poll::Ready(written.map_err(|_| Stuck::Gone)),
            Poll::Pending if self.bytes.len() - self.sent > self.limit => Poll::Ready(Err(Stuck::Slow)),
            Poll::Pending => Poll::Pending,
        }
    }

    fn poll_written(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.sent < self.bytes.len() {
            let taken = ready!(Pin::new(&mut self.write).poll_write(cx, &self.bytes[self.sent..]))?;
            if taken == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.sent += taken;
            while self.ends.front().is_some_and(|(end, _)| *end <= self.sent) {
                self.ends.pop_front();
            }
            if self.sent >= self.awaited {
                self.awaited = self.bytes.len();
                self.since = Instant::now();
            }
        }
        ready!(Pin::new(&mut self.write).poll_flush(cx))?;
        self.flushed = true;
        self.bytes.clear();
        self.bytes.shrink_to(KEPT_BYTES);
        (self.sent, self.awaited) = (0, 0);
        Poll::Ready(Ok(()))
    }

    /// Sends what waits and ends the connection in order. In TLS the end writes too, and waits for the peer.
    pub(crate) async fn hang_up(mut self) {
        let patience = self.patience;
        let ending = async {
            if !self.is_empty() {
                poll_fn(|cx| self.poll_written(cx)).await?;
            }
            self.write.shutdown().await
        };
        let _ = timeout(patience, ending).await;
    }
}

/// Adds the length prefix of this framing to a stored frame.
fn put(bytes: &mut Vec<u8>, framing: Framing, frame: &[u8]) {
    let parts = match frame.split_first_chunk::<5>() {
        Some((tpdu, rest)) if framing.has_header() => rest
            .split_first_chunk::<6>()
            .map(|(header, body)| (Some(Tpdu(*tpdu)), Some(Header(*header)), body)),
        _ => Some((None, None, frame)),
    };
    if let Some((tpdu, header, body)) = parts {
        // An answer of ours is never longer than a frame may be.
        let _ = framing.write(bytes, tpdu, header, body);
    }
}
