//! What arrives: bytes, cut into frames. A frame that was begun must end soon, between frames there is more patience, and who
//! sends too fast is not read for a while.

use std::{io, time::Duration};

use iso8583::{FrameError, FrameLimit};
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    time::Instant,
};

use super::{Arrived, Peer};
use crate::{
    Shared,
    listener::Link,
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

pub(crate) struct Incoming<R> {
    read: R,
    buffer: Vec<u8>,
    chunk: usize,
    /// Nothing was taken yet.
    fresh: bool,
    /// When the frame, or the pause between frames, began.
    since: Instant,
    frames: Bucket,
    /// The connection's own rate was paid for the next frame, its source's was not.
    paid: bool,
    paused_until: Option<Instant>,
    rate: Option<Rate>,
}

/// What a look into the buffer gave.
pub(crate) enum Next {
    /// A whole frame.
    Frame(Arrived),
    /// More bytes are needed.
    Bytes,
    /// The peer is over its rate.
    Later,
}

impl<R: AsyncRead + Unpin> Incoming<R> {
    pub(crate) fn new(read: R, link: &Link) -> Self {
        Self {
            read,
            buffer: Vec::new(),
            chunk: FIRST_READ_BYTES,
            fresh: true,
            since: Instant::now(),
            frames: Bucket::default(),
            paid: false,
            paused_until: None,
            rate: Rate::per_second(link.limits.frames_per_second, link.limits.frames_per_second),
        }
    }

    /// Reads once; 0 when the peer has closed.
    pub(crate) async fn read(&mut self) -> io::Result<usize> {
        self.buffer.reserve(self.chunk);
        let bytes = self.read.read_buf(&mut self.buffer).await?;
        if bytes >= self.chunk {
            self.chunk = (self.chunk * 4).min(READ_BYTES);
        }
        Ok(bytes)
    }

    /// The first bytes of a TLS connection on a port without TLS?
    pub(crate) fn is_client_hello(&self) -> bool {
        self.fresh && is_client_hello(&self.buffer)
    }

    /// Cuts the next frame out of what was read. `taken` is where the frames before it ended.
    pub(crate) fn next(
        &mut self,
        taken: &mut usize,
        link: &Link,
        peer: &Peer,
        shared: &Shared,
    ) -> Result<Next, FrameError> {
        let limit = FrameLimit(link.limits.frame_bytes);
        let Some(frame) = link.framing.split(&self.buffer[*taken..], limit)? else { return Ok(Next::Bytes) };
        let (consumed, tpdu, header) = (frame.consumed, frame.tpdu, frame.header);
        let body = frame.body.to_vec();
        if let Err((cause, wait)) = self.pay(link, peer) {
            shared.tally.refused(cause, peer);
            self.paused_until = Some(Instant::now() + Duration::from_nanos(wait).min(PAUSE));
            return Ok(Next::Later);
        }
        *taken += consumed;
        Ok(Next::Frame(Arrived { tpdu, header, body, received: std::time::Instant::now() }))
    }

    /// May the connection, and its source address, send one more frame now?
    fn pay(&mut self, link: &Link, peer: &Peer) -> Result<(), (Cause, u64)> {
        let now = || u64::try_from(link.epoch.elapsed().as_nanos()).unwrap_or(u64::MAX);
        if let Some(rate) = self.rate
            && !self.paid
        {
            self.frames.take(rate, now()).map_err(|wait| (Cause::ConnectionRate, wait))?;
        }
        self.paid = true;
        if let Some(frames) = &link.source_frames {
            let source = Source::from(peer.address.ip());
            frames.take(&source, now()).map_err(|wait| (Cause::SourceRate, wait))?;
        }
        self.paid = false;
        Ok(())
    }

    /// Forgets the bytes of the frames that were taken. Only a whole frame buys more time: a peer that drips would hold its
    /// place for hours otherwise.
    pub(crate) fn forget(&mut self, taken: usize, begun_before: bool) {
        self.buffer.drain(..taken);
        self.fresh &= taken == 0;
        if taken > 0 || !begun_before {
            self.since = Instant::now();
        }
        if self.buffer.capacity() > 4 * READ_BYTES && self.buffer.is_empty() {
            self.buffer = Vec::new();
        }
    }

    /// Was a frame begun?
    pub(crate) fn is_begun(&self) -> bool {
        !self.buffer.is_empty()
    }

    /// Time that passed because we did not read is not the peer's.
    pub(crate) fn excuse(&mut self) {
        self.since = Instant::now();
    }

    /// Is the peer not read just now?
    pub(crate) fn pause(&mut self, now: Instant) -> Option<Instant> {
        self.paused_until = self.paused_until.filter(|until| *until > now);
        self.paused_until
    }

    /// When the peer has sent too little, and what that is called.
    pub(crate) fn deadline(&self, link: &Link) -> (Instant, Cause) {
        let (patience, cause) = if self.is_begun() {
            (link.limits.frame_ms, Cause::SlowFrame)
        } else {
            (link.limits.idle_ms, Cause::Idle)
        };
        (self.since + Duration::from_millis(patience), cause)
    }
}

/// The first bytes of a TLS connection (RFC 8446 §5.1, §4.1.2): a handshake record with a ClientHello, which says
/// version 3.3 also in TLS 1.3. As a frame it would be 5,635 bytes long, and waited for.
fn is_client_hello(bytes: &[u8]) -> bool {
    matches!(bytes, [0x16, 3, 0..=4, _, _, 1, 0, _, _, 3, 0..=3, ..])
}
