//! A connection: two pipes, and the halves that terminal and host hold of them.

use std::{
    collections::VecDeque,
    io,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker},
};

use simulator::Wire;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::Instant,
};

use super::Net;
use crate::{life::Life, run::lock};

/// Who reads a pipe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// The terminal.
    Terminal,
    /// The host.
    Host,
}

/// One direction: bytes that have arrived and were not read yet.
#[derive(Default)]
pub(super) struct Pipe {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    arrived: VecDeque<u8>,
    /// Nothing more will come, and the reader knows.
    ended: bool,
    /// Nothing more will come, and the reader does not know.
    deaf: bool,
    waker: Option<Waker>,
    last: Option<Instant>,
}

impl Pipe {
    /// When a frame arrives that must not overtake those before it, or may.
    pub(super) fn in_turn(&self, at: Instant, overtakes: bool) -> Instant {
        let mut state = lock(&self.state);
        if overtakes {
            return at;
        }
        let at = state.last.map_or(at, |last| last.max(at));
        state.last = Some(at);
        at
    }

    pub(super) fn arrive(&self, bytes: &[u8]) {
        let mut state = lock(&self.state);
        if state.ended || state.deaf {
            return;
        }
        state.arrived.extend(bytes);
        if let Some(waker) = state.waker.take() {
            waker.wake();
        }
    }

    fn end(&self) {
        let mut state = lock(&self.state);
        state.ended = true;
        if let Some(waker) = state.waker.take() {
            waker.wake();
        }
    }

    fn is_over(&self) -> bool {
        lock(&self.state).ended
    }

    fn poll_read(&self, cx: &Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let mut state = lock(&self.state);
        if state.arrived.is_empty() && !state.ended {
            state.waker = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let count = buf.remaining().min(state.arrived.len());
        for byte in state.arrived.drain(..count) {
            buf.put_slice(&[byte]);
        }
        Poll::Ready(Ok(()))
    }
}

/// Both directions.
#[derive(Default)]
pub struct Ends {
    to_host: Arc<Pipe>,
    to_terminal: Arc<Pipe>,
}

impl Ends {
    pub(super) fn pipe(&self, to: Side) -> Arc<Pipe> {
        match to {
            Side::Host => Arc::clone(&self.to_host),
            Side::Terminal => Arc::clone(&self.to_terminal),
        }
    }

    /// This side reads the end.
    pub(super) fn cut(&self, side: Side) {
        self.pipe(side).end();
    }

    /// This side reads the end; the other one waits for ever.
    pub(super) fn half_open(&self, notices: Side) {
        let other = if notices == Side::Host { Side::Terminal } else { Side::Host };
        lock(&self.pipe(other).state).deaf = true;
        self.cut(notices);
    }
}

/// Bytes that were written and are no whole frame yet.
#[derive(Default)]
struct Outgoing(Vec<u8>);

impl Outgoing {
    /// The whole frames in it, length prefix included.
    fn frames(&mut self, bytes: &[u8]) -> Vec<Vec<u8>> {
        self.0.extend_from_slice(bytes);
        let mut frames = Vec::new();
        while let Some((length, _)) = self.0.split_first_chunk::<2>() {
            let whole = 2 + usize::from(u16::from_be_bytes(*length));
            if self.0.len() < whole {
                break;
            }
            let rest = self.0.split_off(whole);
            frames.push(std::mem::replace(&mut self.0, rest));
        }
        frames
    }
}

/// Hears every frame of a terminal.
pub(super) type Listener = Box<dyn FnMut(&[u8]) + Send>;

/// The terminal's end.
pub struct TerminalWire {
    net: Arc<Net>,
    ends: Arc<Ends>,
    outgoing: Outgoing,
    /// Is told of every frame before it leaves.
    pub(super) asked: Option<Listener>,
}

/// What the host reads.
pub struct ServerRead {
    ends: Arc<Ends>,
    life: Arc<Life>,
}

/// What the host writes.
pub struct ServerWrite {
    net: Arc<Net>,
    ends: Arc<Ends>,
    life: Arc<Life>,
    host: usize,
    outgoing: Outgoing,
}

pub(super) fn connection(
    net: &Arc<Net>,
    ends: &Arc<Ends>,
    host: usize,
    life: &Arc<Life>,
) -> (TerminalWire, ServerRead, ServerWrite) {
    let wire = TerminalWire {
        net: Arc::clone(net),
        ends: Arc::clone(ends),
        outgoing: Outgoing::default(),
        asked: None,
    };
    let read = ServerRead { ends: Arc::clone(ends), life: Arc::clone(life) };
    let write = ServerWrite {
        net: Arc::clone(net),
        ends: Arc::clone(ends),
        life: Arc::clone(life),
        host,
        outgoing: Outgoing::default(),
    };
    (wire, read, write)
}

impl Wire for TerminalWire {
    fn is_quiet(&self) -> bool {
        let state = lock(&self.ends.to_terminal.state);
        state.arrived.is_empty() && !state.ended
    }
}

impl Drop for TerminalWire {
    /// The terminal hangs up; the host reads the end, unless it is deaf.
    fn drop(&mut self) {
        if !lock(&self.ends.to_host.state).deaf {
            self.ends.cut(Side::Host);
        }
    }
}

impl AsyncRead for TerminalWire {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.ends.to_terminal.poll_read(cx, buf)
    }
}

impl AsyncWrite for TerminalWire {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.ends.to_terminal.is_over() {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        for frame in self.outgoing.frames(bytes) {
            if let Some(asked) = &mut self.asked {
                asked(&frame);
            }
            self.net.overhear(&frame);
            self.net.carry(&self.ends, Side::Host, frame);
        }
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for ServerRead {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.life.is_dead() { Poll::Pending } else { self.ends.to_host.poll_read(cx, buf) }
    }
}

impl AsyncWrite for ServerWrite {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.life.is_dead() {
            return Poll::Pending;
        }
        if self.ends.to_host.is_over() {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let frames = self.outgoing.frames(bytes);
        for frame in frames {
            super::tap::answered(&self.net.run, self.host, &frame);
            self.net.carry(&self.ends, Side::Terminal, frame);
        }
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.life.is_dead() && !lock(&self.ends.to_terminal.state).deaf {
            self.ends.cut(Side::Terminal);
        }
        Poll::Ready(Ok(()))
    }
}
