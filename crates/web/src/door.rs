//! The console's door when it speaks TLS: connections are shaken hands with beside each other, so that a slow one keeps nobody
//! out, and only those that are through come to the router. Whoever speaks HTTP in clear is told so, in clear.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use async_trait::async_trait;
use axum::serve::Listener;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::{Semaphore, mpsc},
    task::JoinHandle,
    time::timeout,
};

/// Handshakes at once; others wait in the system's queue.
const HANDSHAKES_MAX: usize = 128;
/// A handshake that takes longer is given up.
const HANDSHAKE_MAX: Duration = Duration::from_secs(10);
/// Connections that wait for the router.
const READY_MAX: usize = 64;
/// The first byte of a TLS record that begins a handshake (RFC 8446 §5.1).
const HANDSHAKE: u8 = 0x16;
/// After a failure to accept.
const PAUSE: Duration = Duration::from_millis(50);

const IN_CLEAR: &str = "HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: 47\r\n\
                        connection: close\r\n\r\nThis console speaks TLS only: ask by https://.\n";

/// What the router reads from and writes to.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// Shakes hands as a TLS server.
#[async_trait]
pub trait Terminator: Send + Sync {
    /// The stream behind the handshake.
    ///
    /// # Errors
    /// Why there is none.
    async fn accept(&self, stream: TcpStream) -> Result<Box<dyn Stream>, String>;
}

/// Connections whose handshake is done.
pub(crate) struct TlsDoor {
    ready: mpsc::Receiver<(Box<dyn Stream>, SocketAddr)>,
    address: SocketAddr,
    accepting: JoinHandle<()>,
}

impl TlsDoor {
    pub(crate) fn open(listener: TcpListener, tls: Arc<dyn Terminator>) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let (through, ready) = mpsc::channel(READY_MAX);
        let accepting = tokio::spawn(accept_all(listener, tls, through));
        Ok(Self { ready, address, accepting })
    }
}

impl Drop for TlsDoor {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Listener for TlsDoor {
    type Io = Box<dyn Stream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, SocketAddr) {
        match self.ready.recv().await {
            Some(through) => through,
            // The loop below ends with this door only.
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }
}

async fn accept_all(
    listener: TcpListener,
    tls: Arc<dyn Terminator>,
    through: mpsc::Sender<(Box<dyn Stream>, SocketAddr)>,
) {
    let room = Arc::new(Semaphore::new(HANDSHAKES_MAX));
    loop {
        let Ok(place) = Arc::clone(&room).acquire_owned().await else { return };
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "the console cannot accept");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        let (tls, through) = (Arc::clone(&tls), through.clone());
        tokio::spawn(async move {
            match timeout(HANDSHAKE_MAX, shake_hands(stream, &*tls)).await {
                Ok(Ok(stream)) => {
                    drop(place);
                    let _ = through.send((stream, peer)).await;
                }
                Ok(Err(why)) => tracing::debug!(%peer, why, "no TLS at the console"),
                Err(_) => tracing::debug!(%peer, "no handshake in time at the console"),
            }
        });
    }
}

async fn shake_hands(mut stream: TcpStream, tls: &dyn Terminator) -> Result<Box<dyn Stream>, String> {
    let _ = stream.set_nodelay(true);
    let mut first = [0];
    let seen = stream.peek(&mut first).await.map_err(|error| error.to_string())?;
    if seen == 1 && first[0] != HANDSHAKE {
        turn_away(&mut stream).await;
        return Err("in clear".to_owned());
    }
    tls.accept(stream).await
}

/// Says why, and reads what was sent: a connection that is closed over unread bytes takes the answer with it.
async fn turn_away(stream: &mut TcpStream) {
    let _ = stream.write_all(IN_CLEAR.as_bytes()).await;
    let _ = stream.shutdown().await;
    let mut rest = [0; 4096];
    let _ = timeout(Duration::from_secs(1), stream.read(&mut rest)).await;
}

#[cfg(test)]
mod tests {
    use super::IN_CLEAR;

    #[test]
    fn the_answer_in_clear_is_as_long_as_it_says() {
        let (head, body) = IN_CLEAR.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("content-length: {}", body.len())), "{}", body.len());
    }
}
