//! A network that misbehaves, between a terminal and the host: it delays, cuts, falls silent, copies, reorders and drips.
//! Frames are those of `len2` framings. Everything is decided beforehand, so a failure can be had again.

use std::{net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    task::JoinHandle,
    time::timeout,
};

/// What happens to one direction of a connection.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Fault {
    /// Nothing.
    None,
    /// Everything comes so many milliseconds late.
    Delay(u64),
    /// After so many bytes both directions are closed.
    Cut(usize),
    /// After so many bytes nothing more arrives, and nobody is told.
    HalfOpen(usize),
    /// Each frame comes twice.
    Duplicate,
    /// Two frames change places. One that stays alone for a moment goes on alone.
    Reorder,
    /// So many bytes at a time, with a millisecond between.
    Drip(usize),
}

/// How long a frame waits for one to change places with.
const ALONE: Duration = Duration::from_millis(50);
/// No frame of these tests is longer.
const BYTES: usize = 4096;

pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    accepting: JoinHandle<()>,
}

impl Proxy {
    /// A proxy in front of a host: what happens on the way up to it, and on the way down.
    pub(crate) async fn start(host: SocketAddr, up: Fault, down: Fault) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let accepting = tokio::spawn(async move {
            while let Ok((terminal, _)) = listener.accept().await {
                if let Ok(host) = TcpStream::connect(host).await {
                    tokio::spawn(connection(terminal, host, up, down));
                }
            }
        });
        Self { address, accepting }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// Carries until one direction is cut; then both are closed.
async fn connection(terminal: TcpStream, host: TcpStream, up: Fault, down: Fault) {
    let _ = (terminal.set_nodelay(true), host.set_nodelay(true));
    let (terminal_read, terminal_write) = terminal.into_split();
    let (host_read, host_write) = host.into_split();
    tokio::select! {
        () = carry(terminal_read, host_write, up) => {}
        () = carry(host_read, terminal_write, down) => {}
    }
}

/// Ends when the direction is to be closed.
async fn carry(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, fault: Fault) {
    let mut passed = 0;
    let mut held: Vec<Vec<u8>> = Vec::new();
    loop {
        let bytes = match fault {
            Fault::Duplicate | Fault::Reorder => match timeout(ALONE, frame(&mut from)).await {
                Ok(Some(frame)) => frame,
                Ok(None) => return,
                // Alone; a frame in pieces for so long does not happen on loopback.
                Err(_) => Vec::new(),
            },
            _ => match some(&mut from).await {
                Some(bytes) => bytes,
                None => return,
            },
        };
        let carried = match fault {
            Fault::Cut(after) | Fault::HalfOpen(after) => bytes[..bytes.len().min(after - passed)].to_vec(),
            Fault::Duplicate => [&bytes[..], &bytes].concat(),
            Fault::Reorder => {
                let alone = bytes.is_empty();
                held.push(bytes);
                if held.len() < 2 && !alone {
                    continue;
                }
                held.reverse();
                held.drain(..).flatten().collect()
            }
            _ => bytes,
        };
        passed += carried.len();
        let pause = if let Fault::Delay(ms) = fault { ms } else { 0 };
        tokio::time::sleep(Duration::from_millis(pause)).await;
        let at_once = if let Fault::Drip(bytes) = fault { bytes } else { BYTES };
        for part in carried.chunks(at_once) {
            if to.write_all(part).await.is_err() {
                return;
            }
            if let Fault::Drip(_) = fault {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
        match fault {
            Fault::Cut(after) if passed == after => return,
            Fault::HalfOpen(after) if passed == after => return swallow(from).await,
            _ => {}
        }
    }
}

async fn swallow(mut from: OwnedReadHalf) {
    // The end is swallowed too: that is what half-open means.
    while some(&mut from).await.is_some() {}
    std::future::pending().await
}

async fn some(from: &mut OwnedReadHalf) -> Option<Vec<u8>> {
    let mut bytes = vec![0; BYTES];
    let read = from.read(&mut bytes).await.ok().filter(|read| *read > 0)?;
    bytes.truncate(read);
    Some(bytes)
}

async fn frame(from: &mut OwnedReadHalf) -> Option<Vec<u8>> {
    let length = from.read_u16().await.ok()?;
    let mut frame = length.to_be_bytes().to_vec();
    frame.resize(2 + usize::from(length), 0);
    from.read_exact(&mut frame[2..]).await.ok()?;
    Some(frame)
}
