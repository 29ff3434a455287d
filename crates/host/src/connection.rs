//! One connection: frames are cut out of what arrives, each is worked on in a task of its own, answers leave in as few
//! writes as they come (the system call is the cost, not the bytes).

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use iso8583::{FrameLimit, Framing, Header, Tpdu};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch},
    time::{timeout, timeout_at},
};
use tracing::{debug, info};

use crate::{Shared, listener::Link, metrics, sandbox::Delivery, stages};

/// Bytes read at once.
const READ_BYTES: usize = 16 * 1024;

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
    Close(&'static str),
}

pub(crate) async fn run(
    stream: TcpStream,
    peer: SocketAddr,
    shared: Arc<Shared>,
    link: Arc<Link>,
    stopped: watch::Receiver<bool>,
) {
    let (read, write) = stream.into_split();
    let in_flight = shared.settings.limits.in_flight_per_connection;
    let (outgoing, queue) = mpsc::channel(in_flight + 1);
    let (closing, closed) = watch::channel(false);
    let writer =
        tokio::spawn(write_all(write, queue, link.framing, shared.settings.limits.write_ms, closing));
    let reader = Reader { read, peer, shared, link, outgoing, room: Arc::new(Semaphore::new(in_flight)) };
    let why = reader.run(stopped, closed).await;
    debug!(%peer, why, "connection ends");
    let _ = writer.await;
}

struct Reader {
    read: OwnedReadHalf,
    peer: SocketAddr,
    shared: Arc<Shared>,
    link: Arc<Link>,
    outgoing: mpsc::Sender<Outgoing>,
    room: Arc<Semaphore>,
}

impl Reader {
    /// Reads until the peer, a limit, a broken frame or a shutdown ends it; says which.
    async fn run(
        mut self,
        mut stopped: watch::Receiver<bool>,
        mut closed: watch::Receiver<bool>,
    ) -> &'static str {
        let limits = self.shared.settings.limits.clone();
        let mut buffer: Vec<u8> = Vec::with_capacity(READ_BYTES);
        let mut since = tokio::time::Instant::now();
        loop {
            // A frame that was begun must end soon; between frames there is more patience.
            let begun = !buffer.is_empty();
            let patience = Duration::from_millis(if begun { limits.frame_ms } else { limits.idle_ms });
            let read = tokio::select! {
                read = timeout_at(since + patience, self.read.read_buf(&mut buffer)) => read,
                _ = stopped.changed() => return "the host shuts down",
                _ = closed.changed() => return "closed by a stage",
            };
            match read {
                Err(_) if buffer.is_empty() => return "idle",
                Err(_) => {
                    info!(peer = %self.peer, "connection closed: a frame was begun and not finished in time");
                    return "slow frame";
                }
                Ok(Err(_)) => return "read failed",
                Ok(Ok(0)) => return "the peer closed",
                Ok(Ok(_)) => {}
            }
            match self.take_frames(&mut buffer, FrameLimit(limits.frame_bytes)).await {
                // More bytes of the same frame buy no more time: a peer that drips would hold its place for hours.
                Ok(0) if begun => {}
                Ok(_) => since = tokio::time::Instant::now(),
                Err(error) => {
                    metrics::frame_refused();
                    info!(peer = %self.peer, %error, "connection closed: impossible frame");
                    return "impossible frame";
                }
            }
            if buffer.capacity() > 4 * READ_BYTES && buffer.is_empty() {
                buffer = Vec::with_capacity(READ_BYTES);
            }
        }
    }

    /// Starts a task for each whole frame in the buffer; says how many bytes that took.
    async fn take_frames(
        &self,
        buffer: &mut Vec<u8>,
        limit: FrameLimit,
    ) -> Result<usize, iso8583::FrameError> {
        let received = Instant::now();
        let mut taken = 0;
        while let Some(frame) = self.link.framing.split(&buffer[taken..], limit)? {
            let arrived =
                Arrived { tpdu: frame.tpdu, header: frame.header, body: frame.body.to_vec(), received };
            taken += frame.consumed;
            // Back-pressure: no further frame is taken while too many are under way.
            let Ok(permit) = Arc::clone(&self.room).acquire_owned().await else { break };
            tokio::spawn(one(
                Arc::clone(&self.shared),
                Arc::clone(&self.link),
                self.peer,
                arrived,
                self.outgoing.clone(),
                permit,
            ));
        }
        buffer.drain(..taken);
        Ok(taken)
    }
}

/// Works on one frame and hands its answer to the writer.
async fn one(
    shared: Arc<Shared>,
    link: Arc<Link>,
    peer: SocketAddr,
    arrived: Arrived,
    outgoing: mpsc::Sender<Outgoing>,
    permit: OwnedSemaphorePermit,
) {
    let handled = stages::handle(&shared, &link, peer, arrived).await;
    match (handled.frame, handled.delivery) {
        (Some(frame), Delivery::Normal) => {
            drop(outgoing.send(Outgoing::Frame { frame, _under_way: permit }).await)
        }
        (Some(frame), Delivery::Late) => {
            tokio::time::sleep(Duration::from_millis(shared.settings.sandbox_late_reply_ms)).await;
            drop(outgoing.send(Outgoing::Frame { frame, _under_way: permit }).await);
        }
        (Some(_), Delivery::Lost) => {}
        (None, _) => drop(outgoing.send(Outgoing::Close("unanswerable message")).await),
    }
}

/// Writes what is ready, as much as possible at once.
async fn write_all(
    mut write: OwnedWriteHalf,
    mut queue: mpsc::Receiver<Outgoing>,
    framing: Framing,
    write_ms: u64,
    closing: watch::Sender<bool>,
) {
    const BATCH: usize = 64;
    let mut ready = Vec::with_capacity(BATCH);
    let mut bytes = Vec::with_capacity(READ_BYTES);
    'open: while queue.recv_many(&mut ready, BATCH).await > 0 {
        bytes.clear();
        let mut close = None;
        for outgoing in &ready {
            match outgoing {
                Outgoing::Frame { frame, .. } => put(&mut bytes, framing, frame),
                Outgoing::Close(why) => close = Some(*why),
            }
        }
        let written = timeout(Duration::from_millis(write_ms), write.write_all(&bytes)).await;
        ready.clear();
        if close.is_some() || !matches!(written, Ok(Ok(()))) {
            break 'open;
        }
    }
    let _ = write.shutdown().await;
    let _ = closing.send(true);
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
