//! Between an engine and its server: forwards bytes, until it is told to cut the line at a commit.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU8, AtomicU32, Ordering},
    },
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, UnixStream},
    sync::watch,
};

/// What it does with the next append, once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Fault {
    /// The server gets the commit, the client never hears of it.
    CutAfter = 1,
    /// The server does not get it.
    CutBefore = 2,
}

pub(crate) struct Proxy {
    pub(crate) port: u16,
    fault: Arc<AtomicU8>,
    cuts: Arc<AtomicU32>,
    open: watch::Sender<bool>,
}

impl Proxy {
    pub(crate) async fn start(server: PathBuf) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (fault, cuts) = (Arc::new(AtomicU8::new(0)), Arc::new(AtomicU32::new(0)));
        let (open, mut opened) = watch::channel(true);
        let proxy = Self { port, fault: fault.clone(), cuts: cuts.clone(), open };
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let Ok(_) = opened.wait_for(|open| *open).await else { return };
                let Ok(server) = UnixStream::connect(&server).await else { continue };
                tokio::spawn(forward(client, server, fault.clone(), cuts.clone()));
            }
        });
        proxy
    }

    pub(crate) fn set(&self, fault: Fault) {
        self.fault.store(fault as u8, Ordering::SeqCst);
    }

    /// While it is shut, new connections wait; those that are there go on.
    pub(crate) fn open(&self, open: bool) {
        self.open.send_replace(open);
    }

    pub(crate) fn cuts(&self) -> u32 {
        self.cuts.load(Ordering::SeqCst)
    }
}

async fn forward(
    client: tokio::net::TcpStream,
    server: UnixStream,
    fault: Arc<AtomicU8>,
    cuts: Arc<AtomicU32>,
) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let answers = tokio::spawn(async move { tokio::io::copy(&mut from_server, &mut to_client).await });
    let mut buffer = vec![0; 1 << 20];
    while let Ok(count @ 1..) = from_client.read(&mut buffer).await {
        let bytes = &buffer[..count];
        let now = fault.load(Ordering::SeqCst);
        // Control sample of every entry in these tests: whoever sends it, appends.
        let appends = bytes.windows(MARK.len()).any(|window| window == MARK);
        if now != 0 && appends {
            cuts.fetch_add(1, Ordering::SeqCst);
            fault.store(0, Ordering::SeqCst);
            if now == Fault::CutAfter as u8 {
                // The answer is thrown away, and the server gets the time that a commit takes.
                answers.abort();
                let _ = to_server.write_all(bytes).await;
                tokio::time::sleep(std::time::Duration::from_millis(300)).await;
            }
            return;
        }
        if to_server.write_all(bytes).await.is_err() {
            return;
        }
    }
}

const MARK: &[u8] = b"0200 wiped";
