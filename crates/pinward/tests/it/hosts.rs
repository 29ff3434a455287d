//! `pinward serve` as processes that are killed and started again, a relay in front of them that terminals stay connected
//! to, and a PostgreSQL of one's own.

use std::{
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Arc, OnceLock},
    time::Duration,
};

use store::Archive;
use store_sql::postgres::local_server::LocalServer;
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::RwLock,
};

use crate::sandbox::{PROGRAM, Process, demo, said};

/// An empty database on a server that all tests share; it ends with the test program.
pub(crate) fn database() -> String {
    static SERVER: OnceLock<LocalServer> = OnceLock::new();
    let server = SERVER.get_or_init(|| LocalServer::start(&std::env::temp_dir(), &[]).unwrap());
    server.database().unwrap()
}

/// Waits until the look-up tables have every entry: lists wait for that a moment only.
pub(crate) async fn filled(archive: &dyn Archive) {
    for _ in 0..3000 {
        let progress = archive.progress().await.unwrap();
        if progress.filled >= progress.journal {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the look-up tables are not filled");
}

/// A sandbox that nobody serves yet: `folder/data`.
pub(crate) fn prepared(folder: &Path, store: Option<&str>) -> PathBuf {
    let data = folder.join("data");
    let mut command = demo(&data);
    command.arg("--prepare-only").args(store.iter().flat_map(|url| ["--store", url]));
    // Few, so that a database is made in a moment; several, so that every test crosses them.
    if store.is_some() {
        command.env("PINWARD__DATABASE__PARTITIONS", "5");
    }
    let out = command.output().unwrap();
    assert!(out.status.success(), "{}", said(&out));
    data
}

/// `pinward serve`, on free ports.
pub(crate) struct Served {
    process: Process,
    /// Of the first listener.
    pub(crate) address: SocketAddr,
    pub(crate) console: SocketAddr,
    /// What it said until it was ready.
    pub(crate) said: String,
}

impl Served {
    pub(crate) fn start(data: &Path) -> Self {
        let mut command = Command::new(PROGRAM);
        command.args(["serve", "--listen", "127.0.0.1:0", "--console", "127.0.0.1:0", "--config"]);
        command.arg(data.join("pinward.toml")).env("PINWARD_LOG", "warn");
        let mut child = command.stdin(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap());
        let process = Process(child);
        let mut said = String::new();
        while !said.lines().any(|line| line.starts_with("store ")) {
            assert!(lines.read_line(&mut said).unwrap() > 0, "the host ended: {said}");
        }
        // Whatever it says later must not fill the pipe.
        std::thread::spawn(move || lines.lines().map_while(Result::ok).for_each(drop));
        let after = |word: &str| {
            let line = said.lines().find_map(|line| line.strip_prefix(word)).unwrap().trim().to_owned();
            line.trim_start_matches("http://").parse().unwrap()
        };
        Self { process, address: after("ISO 8583"), console: after("console"), said: said.clone() }
    }

    /// Ends it as a crash of the process would: no handler runs, nothing is finished.
    pub(crate) fn kill(mut self) {
        self.process.0.kill().unwrap();
        self.process.0.wait().unwrap();
    }

    /// Asks it to end, and waits.
    pub(crate) fn stop(mut self) {
        let pid = self.process.0.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        assert!(self.process.0.wait().unwrap().success(), "it ends well");
    }
}

/// A fixed address before hosts that come and go. While there is none, connections wait.
pub(crate) struct Relay {
    pub(crate) address: SocketAddr,
    target: Arc<RwLock<Option<SocketAddr>>>,
}

impl Relay {
    pub(crate) async fn start(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let target = Arc::new(RwLock::new(Some(target)));
        let shared = target.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(carry(stream, shared.clone()));
            }
        });
        Self { address, target }
    }

    /// When it is done, nobody is on the way to the former host: its port may be another test's from then on.
    pub(crate) async fn point_at(&self, target: Option<SocketAddr>) {
        *self.target.write().await = target;
    }
}

async fn carry(mut terminal: TcpStream, target: Arc<RwLock<Option<SocketAddr>>>) {
    let mut host = loop {
        let now = target.read().await;
        if let Some(address) = *now
            && let Ok(stream) = TcpStream::connect(address).await
        {
            break stream;
        }
        drop(now);
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    let _ended = copy_bidirectional(&mut terminal, &mut host).await;
}
