//! One connection, in clear or in TLS: frames are cut out of what arrives, each is worked on in a task of its own, answers
//! leave in as few writes as they come (the system call is the cost, not the bytes).
//!
//! Nothing here grows with what a peer sends or does not take: frames under way, bytes of a frame that was begun and bytes
//! of answers that wait are all limited, and so are the times for each. Who sends too fast is not read for a while.

use std::{
    fmt,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use iso8583::{FrameLimit, Framing, Header, Tpdu};
use model::TerminalId;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc, watch},
    time::{timeout, timeout_at},
};
use tracing::debug;

use crate::{
    Shared,
    listener::Link,
    metrics,
    sandbox::Delivery,
    stages,
    throttle::{
        causes::Cause,
        rate::{Bucket, Rate},
        sources::Source,
    },
};

/// Bytes read at once by a connection that has proved to need them.
const READ_BYTES: usize = 16 * 1024;
/// Bytes read at once by all others: thousands of them are idle.
const FIRST_READ_BYTES: usize = 512;
/// Longest time for which a peer over its rate is not read, before the rate is asked again.
const PAUSE: Duration = Duration::from_millis(250);

/// Who is at the other end.
pub(crate) struct Peer {
    pub(crate) address: SocketAddr,
    /// The terminals in whose name it may speak; `None`: any.
    pub(crate) terminals: Option<Vec<TerminalId>>,
}

impl Peer {
    /// Somebody without a certificate.
    pub(crate) fn anybody(address: SocketAddr) -> Self {
        Self { address, terminals: None }
    }

    /// May it send a message in this terminal's name?
    pub(crate) fn may_speak_for(&self, terminal: &TerminalId) -> bool {
        self.terminals.as_ref().is_none_or(|own| own.contains(terminal))
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.address.fmt(f)
    }
}

/// A frame, cut out and owned by its task.
pub(crate) struct Arrived {
    pub(crate) tpdu: Option<Tpdu>,
    pub(crate) header: Option<Header>,
    pub(crate) body: Vec<u8>,
    pub(crate) received: Instant,
}

/// What the writer gets: a frame without length prefix, or the order to close. The permit bounds what is under way.
enum Outgoing {
    Frame { frame: Vec<u8>, _under_way: OwnedSemaphorePermit },
    Close,
}

pub(crate) async fn run<R, W>(
    read: R,
    write: W,
    peer: Arc<Peer>,
    shared: Arc<Shared>,
    link: Arc<Link>,
    stopped: watch::Receiver<bool>,
) where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin + Send + 'static,
{
    let in_flight = link.limits.in_flight_per_connection.min(Semaphore::MAX_PERMITS);
    let (outgoing, queue) = mpsc::channel(in_flight + 1);
    let (closing, closed) = watch::channel(false);
    let backlog =
        Arc::new(Backlog { bytes: AtomicUsize::new(0), limit: link.limits.reply_bytes, over: Notify::new() });
    let writer = Writer {
        write,
        queue,
        framing: link.framing,
        patience: Duration::from_millis(link.limits.write_ms),
        backlog: Arc::clone(&backlog),
        peer: Arc::clone(&peer),
        shared: Arc::clone(&shared),
    };
    let writer = tokio::spawn(async move {
        writer.run().await;
        let _ = closing.send(true);
    });
    let desk = Arc::new(Desk { peer, shared, link, outgoing, backlog });
    let reader = Reader { read, desk, room: Arc::new(Semaphore::new(in_flight)), frames: Bucket::default() };
    reader.run(stopped, closed).await;
    let _ = writer.await;
}

/// What the tasks of a connection share. When nobody has it any more, the writer knows that nothing will come.
struct Desk {
    peer: Arc<Peer>,
    shared: Arc<Shared>,
    link: Arc<Link>,
    outgoing: mpsc::Sender<Outgoing>,
    backlog: Arc<Backlog>,
}

/// Answers that the peer has not taken yet.
struct Backlog {
    bytes: AtomicUsize,
    limit: usize,
    over: Notify,
}

impl Backlog {
    fn add(&self, bytes: usize) {
        self.bytes.fetch_add(bytes, Relaxed);
        if self.is_over() {
            self.over.notify_one();
        }
    }

    fn is_over(&self) -> bool {
        self.bytes.load(Relaxed) > self.limit
    }
}

struct Reader<R> {
    read: R,
    desk: Arc<Desk>,
    room: Arc<Semaphore>,
    frames: Bucket,
}

impl<R: AsyncRead + Unpin> Reader<R> {
    /// Reads until something ends it.
    async fn run(mut self, mut stopped: watch::Receiver<bool>, mut closed: watch::Receiver<bool>) {
        let why = self.read_frames(&mut stopped, &mut closed).await;
        let Desk { peer, shared, .. } = &*self.desk;
        if let Err(cause) = why {
            shared.tally.refused(cause, &**peer);
        }
        debug!(%peer, why = why.unwrap_or_else(Cause::name), "connection ends");
    }

    /// Whether the peer, a shutdown, or (as an error) a limit ended it, and which.
    async fn read_frames(
        &mut self,
        stopped: &mut watch::Receiver<bool>,
        closed: &mut watch::Receiver<bool>,
    ) -> Result<&'static str, Cause> {
        let link = Arc::clone(&self.desk.link);
        let (limits, frame_limit) = (&link.limits, FrameLimit(link.limits.frame_bytes));
        let mut buffer: Vec<u8> = Vec::new();
        let mut chunk = FIRST_READ_BYTES;
        let mut since = tokio::time::Instant::now();
        let mut first = true;
        loop {
            // A frame that was begun must end soon; between frames there is more patience.
            let begun = !buffer.is_empty();
            let patience = Duration::from_millis(if begun { limits.frame_ms } else { limits.idle_ms });
            buffer.reserve(chunk);
            let read = tokio::select! {
                read = timeout_at(since + patience, self.read.read_buf(&mut buffer)) => read,
                _ = stopped.changed() => return Ok("the host shuts down"),
                _ = closed.changed() => return Ok("closed by the writer"),
            };
            match read {
                Err(_) if begun => return Err(Cause::SlowFrame),
                Err(_) => return Err(Cause::Idle),
                Ok(Err(_)) => return Ok("read failed"),
                Ok(Ok(0)) => return Ok("the peer closed"),
                Ok(Ok(bytes)) if bytes >= chunk => chunk = (chunk * 4).min(READ_BYTES),
                Ok(Ok(_)) => {}
            }
            if first && is_client_hello(&buffer) {
                return Err(Cause::TlsOnPlain);
            }
            match self.take_frames(&mut buffer, frame_limit).await {
                // More bytes of the same frame buy no more time: a peer that drips would hold its place for hours.
                Ok(0) if begun => {}
                Ok(taken) => {
                    first &= taken == 0;
                    since = tokio::time::Instant::now();
                }
                Err(error) => {
                    metrics::frame_refused();
                    debug!(peer = %self.desk.peer, %error, "impossible frame");
                    return Err(Cause::ImpossibleFrame);
                }
            }
            if buffer.capacity() > 4 * READ_BYTES && buffer.is_empty() {
                buffer = Vec::new();
            }
        }
    }

    /// Starts a task for each whole frame in the buffer; says how many bytes that took.
    async fn take_frames(
        &mut self,
        buffer: &mut Vec<u8>,
        limit: FrameLimit,
    ) -> Result<usize, iso8583::FrameError> {
        let received = Instant::now();
        let framing = self.desk.link.framing;
        let mut taken = 0;
        while let Some(frame) = framing.split(&buffer[taken..], limit)? {
            let arrived =
                Arrived { tpdu: frame.tpdu, header: frame.header, body: frame.body.to_vec(), received };
            taken += frame.consumed;
            self.pace().await;
            // Back-pressure: no further frame is taken while too many are under way.
            let Ok(permit) = Arc::clone(&self.room).acquire_owned().await else { break };
            tokio::spawn(one(Arc::clone(&self.desk), arrived, permit));
        }
        buffer.drain(..taken);
        Ok(taken)
    }

    /// Waits until the connection, and its source address, may send one more frame. What is not read meanwhile fills
    /// the peer's own buffers.
    async fn pace(&mut self) {
        let link = Arc::clone(&self.desk.link);
        let now = || u64::try_from(link.epoch.elapsed().as_nanos()).unwrap_or(u64::MAX);
        if let Some(rate) = Rate::per_second(link.limits.frames_per_second, link.limits.frames_per_second) {
            while let Err(wait) = self.frames.take(rate, now()) {
                self.pause(Cause::ConnectionRate, wait).await;
            }
        }
        if let Some(frames) = &link.source_frames {
            let source = Source::from(self.desk.peer.address.ip());
            while let Err(wait) = frames.take(&source, now()) {
                self.pause(Cause::SourceRate, wait).await;
            }
        }
    }

    async fn pause(&self, cause: Cause, wait: u64) {
        self.desk.shared.tally.refused(cause, &*self.desk.peer);
        tokio::time::sleep(Duration::from_nanos(wait).min(PAUSE)).await;
    }
}

/// The first bytes of a TLS connection (RFC 8446 §5.1, §4.1.2): a handshake record with a ClientHello, which says
/// version 3.3 also in TLS 1.3. As a frame it would be 5,635 bytes long, and waited for.
fn is_client_hello(bytes: &[u8]) -> bool {
    matches!(bytes, [0x16, 3, 0..=4, _, _, 1, 0, _, _, 3, 0..=3, ..])
}

/// Works on one frame and hands its answer to the writer.
async fn one(desk: Arc<Desk>, arrived: Arrived, permit: OwnedSemaphorePermit) {
    let handled = stages::handle(&desk.shared, &desk.link, &desk.peer, arrived).await;
    let Some(frame) = handled.frame else {
        desk.shared.tally.refused(Cause::Unanswerable, &*desk.peer);
        return drop(desk.outgoing.send(Outgoing::Close).await);
    };
    match handled.delivery {
        Delivery::Normal => {}
        Delivery::Late => {
            tokio::time::sleep(Duration::from_millis(desk.shared.settings.sandbox_late_reply_ms)).await;
        }
        Delivery::Lost => return,
    }
    desk.backlog.add(frame.len());
    drop(desk.outgoing.send(Outgoing::Frame { frame, _under_way: permit }).await);
}

struct Writer<W> {
    write: W,
    queue: mpsc::Receiver<Outgoing>,
    framing: Framing,
    patience: Duration,
    backlog: Arc<Backlog>,
    peer: Arc<Peer>,
    shared: Arc<Shared>,
}

impl<W: AsyncWrite + Unpin> Writer<W> {
    /// Writes what is ready, as much as possible at once, until the connection ends or the peer takes too little.
    async fn run(mut self) {
        const BATCH: usize = 64;
        let mut ready = Vec::new();
        let mut bytes = Vec::new();
        while self.queue.recv_many(&mut ready, BATCH).await > 0 {
            bytes.clear();
            let (mut close, mut leaving) = (false, 0);
            for outgoing in &ready {
                match outgoing {
                    Outgoing::Frame { frame, .. } => {
                        leaving += frame.len();
                        put(&mut bytes, self.framing, frame);
                    }
                    Outgoing::Close => close = true,
                }
            }
            if !self.send(&bytes).await {
                return;
            }
            self.backlog.bytes.fetch_sub(leaving, Relaxed);
            ready.clear();
            if close {
                break;
            }
            bytes.shrink_to(READ_BYTES);
        }
        // In TLS this writes too, and waits for the peer.
        let _ = timeout(self.patience, self.write.shutdown()).await;
    }

    /// `false`: the connection is of no more use.
    async fn send(&mut self, bytes: &[u8]) -> bool {
        let sending = async {
            self.write.write_all(bytes).await?;
            self.write.flush().await
        };
        let mut sending = std::pin::pin!(timeout(self.patience, sending));
        let sent = loop {
            tokio::select! {
                // First: what the peer takes at once is no backlog.
                biased;
                sent = &mut sending => break sent.ok(),
                () = self.backlog.over.notified() => {
                    if self.backlog.is_over() {
                        break None;
                    }
                }
            }
        };
        if sent.is_none() {
            self.shared.tally.refused(Cause::SlowReader, &*self.peer);
        }
        matches!(sent, Some(Ok(())))
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
