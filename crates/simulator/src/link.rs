//! One connection of one terminal: whole frames in, whole frames out, within a time-out. Where connections come from is a
//! [`Network`]: TCP, unless the caller has another one.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use iso8583::{FrameLimit, Framing, Header, Tpdu};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Where a terminal's connections come from.
pub trait Network: Send + Sync {
    /// Connects to an address, as it stands in the sandbox file.
    fn connect<'a>(&'a self, address: &'a str) -> Connecting<'a>;
}

/// A connection that is being made.
pub type Connecting<'a> = Pin<Box<dyn Future<Output = io::Result<Box<dyn Wire>>> + Send + 'a>>;

/// A connection's bytes.
pub trait Wire: AsyncRead + AsyncWrite + Unpin + Send {
    /// Is it open, with nothing left to read? Only then may it carry another request.
    fn is_quiet(&self) -> bool;
}

/// The network that is there.
pub(crate) struct Tcp;

impl Network for Tcp {
    fn connect<'a>(&'a self, address: &'a str) -> Connecting<'a> {
        Box::pin(async move {
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            Ok(Box::new(stream) as Box<dyn Wire>)
        })
    }
}

impl Wire for TcpStream {
    fn is_quiet(&self) -> bool {
        matches!(self.try_read(&mut [0; 1]), Err(e) if e.kind() == io::ErrorKind::WouldBlock)
    }
}

/// What a UnionPay terminal puts before the message: destination NII 0003, source 0000; magnetic stripe, version 31.
const TPDU: Tpdu = Tpdu([0x60, 0x00, 0x03, 0x00, 0x00]);
const HEADER: Header = Header([0x60, 0x31, 0x00, 0x31, 0x00, 0x00]);

pub(crate) struct Link {
    address: String,
    framing: Framing,
    network: Arc<dyn Network>,
    stream: Option<Box<dyn Wire>>,
    received: Vec<u8>,
    /// Connections that were made since somebody asked, and whether there was one before.
    reconnects: u32,
    was_connected: bool,
}

/// A frame's message and what the host orders in its header (处理要求; 0 nothing).
pub(crate) struct Received {
    pub(crate) body: Vec<u8>,
    pub(crate) order: u8,
}

impl Link {
    pub(crate) fn new(address: String, framing: Framing, network: Arc<dyn Network>) -> Link {
        Link {
            address,
            framing,
            network,
            stream: None,
            received: Vec::new(),
            reconnects: 0,
            was_connected: false,
        }
    }

    pub(crate) fn frame(&self, body: &[u8]) -> io::Result<Vec<u8>> {
        let mut frame = Vec::with_capacity(body.len() + 16);
        self.framing.write(&mut frame, Some(TPDU), Some(HEADER), body).map_err(io::Error::other)?;
        Ok(frame)
    }

    /// Connects if needed. A connection that the host has closed meanwhile, or on which something late has arrived, is
    /// replaced: what belongs to an earlier request must never be taken for the answer to this one.
    pub(crate) async fn connect(&mut self, within: Duration) -> io::Result<()> {
        if self.stream.as_ref().is_some_and(|stream| !self.received.is_empty() || !stream.is_quiet()) {
            self.hang_up();
        }
        if self.stream.is_none() {
            self.stream = Some(timeout(within, self.network.connect(&self.address)).await??);
            self.reconnects = self.reconnects.saturating_add(u32::from(self.was_connected));
            self.was_connected = true;
        }
        Ok(())
    }

    pub(crate) async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.stream {
            Some(stream) => stream.write_all(bytes).await,
            None => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    /// The next frame; any error, a closed connection and the end of the time-out included, means: no answer.
    pub(crate) async fn receive(&mut self, within: Duration) -> io::Result<Received> {
        timeout(within, self.next_frame()).await?
    }

    async fn next_frame(&mut self) -> io::Result<Received> {
        loop {
            if let Some(frame) =
                self.framing.split(&self.received, FrameLimit::default()).map_err(io::Error::other)?
            {
                let received =
                    Received { body: frame.body.to_vec(), order: frame.header.map_or(0, |h| h.order()) };
                let consumed = frame.consumed;
                self.received.drain(..consumed);
                return Ok(received);
            }
            let stream = self.stream.as_mut().ok_or(io::ErrorKind::NotConnected)?;
            if stream.read_buf(&mut self.received).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    /// Connections made anew since they were last forgotten.
    pub(crate) fn reconnects(&self) -> u32 {
        self.reconnects
    }

    pub(crate) fn forget_reconnects(&mut self) {
        self.reconnects = 0;
    }

    pub(crate) fn hang_up(&mut self) {
        self.stream = None;
        self.received.clear();
    }
}
