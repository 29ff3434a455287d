//! The hosts of a day, for real and in this process: instances that share a ledger, each with its security module and its
//! links to other issuers; streams instead of sockets towards terminals; and a clock that the day moves.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering::Relaxed},
    },
    task::{Context, Poll},
    time::Duration,
};

use anyhow::{Context as _, ensure};
use authorization::{Products, desk::Action};
use host::{Clock, Gate, Host, LineConfig, ListenerConfig, ListenerLimits, Parts, RouteConfig, Settings};
use iso8583::Dialect;
use model::{Pan, Timestamp};
use simulator::{
    Connecting, Issuer, Network, Wire,
    issuer::{Account, Settings as IssuerSettings},
};
use store::{DeskWork, Store};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf};

use super::{
    kit::{self, Kit},
    ledger::{Journalled, Ledger},
    module::Module,
};
use crate::day::{Day, START_MS, cards, fleet::INSTANCES};

/// Bytes that a stream holds.
const STREAM: usize = 65_536;
/// What a foreign card may spend, in minor units.
const BALANCE: i64 = 1_000_000_000;
/// Wrong PINs until another issuer locks a card.
const TRIES: u32 = 3;
/// How long an answer may take in real time, however slow the machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// The day's clock.
#[derive(Debug, Default)]
pub(super) struct Hands(AtomicI64);

impl Clock for Hands {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Relaxed))
    }
}

/// The hosts of a day.
pub(super) struct World {
    ledger: Arc<Ledger>,
    store: Store,
    clock: Arc<Hands>,
    instances: Vec<Instance>,
    banks: Vec<Issuer>,
    network: Arc<Lines>,
    read: Vec<u8>,
}

struct Instance {
    host: Host,
    stream: DuplexStream,
    module: Arc<Module>,
}

impl World {
    /// Opens it in the morning.
    ///
    /// # Errors
    /// When a host does not start.
    pub(super) async fn open(kit: &Arc<Kit>, day: &Day) -> anyhow::Result<Self> {
        let ledger = Arc::new(Ledger::default());
        ledger.enter(kit.registrations(&day.fleet)?);
        let clock = Arc::new(Hands::default());
        clock.0.store(START_MS, Relaxed);
        let mut banks = Vec::new();
        for zone in 0..cards::ZONES.len() {
            banks.push(bank(kit, zone).await?);
        }
        let routes: Vec<_> = banks.iter().enumerate().map(|(zone, bank)| route(kit, zone, bank)).collect();
        let (mut instances, mut gates) = (Vec::new(), Vec::new());
        for (instance, name) in INSTANCES.iter().enumerate() {
            let module = Module::new(kit);
            let parts = Parts {
                store: Store::new(Arc::clone(&ledger) as _),
                module: Arc::clone(&module) as _,
                products: Products::builtin(),
                clock: Arc::clone(&clock) as _,
                settings: Settings { instance: Some((*name).to_owned()), ..Settings::default() },
                routes: routes.clone(),
                references_start: instance as u64 * 500_000,
            };
            let host = Host::start(parts, &[]).await?;
            let gate = host.gate(&listener())?;
            instances.push(Instance { host, stream: gate_stream(&gate), module });
            gates.push(gate);
        }
        let store = Store::new(Arc::clone(&ledger) as _);
        let world = Self {
            ledger,
            store,
            clock,
            instances,
            banks,
            network: Arc::new(Lines(gates)),
            read: Vec::new(),
        };
        world.links_are_up().await?;
        Ok(world)
    }

    async fn links_are_up(&self) -> anyhow::Result<()> {
        const LOOKS: u32 = 3_000;
        for _ in 0..LOOKS {
            let up = |instance: &Instance| {
                let (routes, _) = instance.host.upstream();
                routes.iter().all(|route| route.lines.iter().any(|line| line.up))
            };
            if self.instances.iter().all(up) {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        anyhow::bail!("the links to other issuers do not come up")
    }

    /// Where terminals make connections for themselves.
    #[must_use]
    pub(super) fn network(&self) -> Arc<dyn Network> {
        Arc::clone(&self.network) as _
    }

    /// It is this time now.
    pub(super) fn set_time(&self, at: i64) {
        self.clock.0.fetch_max(at, Relaxed);
    }

    /// The module of an instance.
    #[must_use]
    pub(super) fn module(&self, instance: usize) -> &Module {
        &self.instances[instance].module
    }

    /// What was journalled since the last call.
    #[must_use]
    pub(super) fn journalled(&self) -> Vec<Journalled> {
        self.ledger.take()
    }

    /// The card's id in the journal.
    #[must_use]
    pub(super) fn id_of(&self, pan: &Pan) -> model::CardId {
        self.ledger.id_of(pan)
    }

    /// Sends a frame and returns the body of its answer.
    ///
    /// # Errors
    /// When the host hangs up, or does not answer: that is no part of any plan.
    pub(super) async fn ask(&mut self, instance: usize, frame: &[u8]) -> anyhow::Result<&[u8]> {
        let stream = &mut self.instances[instance].stream;
        let read = &mut self.read;
        let exchange = async {
            stream.write_all(frame).await?;
            let mut length = [0; 2];
            stream.read_exact(&mut length).await?;
            read.resize(usize::from(u16::from_be_bytes(length)), 0);
            stream.read_exact(read).await
        };
        tokio::time::timeout(PATIENCE, exchange).await.context("no answer from the host")??;
        // TPDU and header come before the message (docs/reference/rules.md F1).
        const BEFORE: usize = 11;
        ensure!(self.read.len() > BEFORE, "an answer without a message");
        Ok(&self.read[BEFORE..])
    }

    /// Staff acts on a card, if its state has use for it.
    pub(super) async fn desk(&self, pan: &Pan, action: Action, actor: &str) {
        let why = "the holder called".to_owned();
        let mut work = DeskWork { action, actor: actor.to_owned(), why, now: self.clock.now() };
        // What does not fit the card's state is not done: the agent looks, and leaves it.
        let _ = self.store.with_card(&self.ledger.id_of(pan), &mut work).await;
    }

    /// In the evening.
    pub(super) async fn close(self) {
        for instance in self.instances {
            drop(instance.stream);
            instance.host.shutdown().await;
        }
        for bank in self.banks {
            bank.stop().await;
        }
    }
}

fn listener() -> ListenerConfig {
    ListenerConfig {
        address: SocketAddr::from(([127, 0, 0, 1], 0)),
        dialect: kit::DIALECT.to_owned(),
        framing: kit::FRAMING.to_owned(),
        mac: kit::MAC.to_owned(),
        profile: None,
        tls: None,
        limits: ListenerLimits { idle_ms: Some(86_400_000), ..ListenerLimits::default() },
    }
}

/// A stream that the gate serves as a connection.
fn gate_stream(gate: &Gate) -> DuplexStream {
    let (ours, theirs) = tokio::io::duplex(STREAM);
    let gate = gate.clone();
    tokio::spawn(async move {
        let (read, write) = tokio::io::split(theirs);
        gate.serve(read, write, SocketAddr::from(([127, 0, 0, 1], 1))).await;
    });
    ours
}

async fn bank(kit: &Kit, zone: usize) -> anyhow::Result<Issuer> {
    let of_zone = kit.cards.iter().enumerate().filter(|(card, _)| cards::zone(*card as u32) == Some(zone));
    let account = |pin: &String| Account { pin: pin.clone(), balance: BALANCE };
    let settings = IssuerSettings {
        address: SocketAddr::from(([127, 0, 0, 1], 0)),
        dialect: Dialect::builtin(kit::ISSUER_DIALECT).context("a built-in dialect")?,
        framing: kit::ISSUER_FRAMING.parse()?,
        zone_pin_key: Arc::clone(&kit.zone_key_clear),
        accounts: of_zone.map(|(_, made)| (made.pan.clone(), account(&made.pin))).collect(),
        tries: TRIES,
        late: Duration::from_secs(8),
    };
    Ok(Issuer::start(settings).await?)
}

fn route(kit: &Kit, zone: usize, bank: &Issuer) -> RouteConfig {
    let (name, bin) = cards::ZONES[zone];
    let key = kit.zone_key.as_str().to_owned();
    let route = RouteConfig::new(name, &[&bin.to_string()], kit::ISSUER_DIALECT, kit::ISSUER_FRAMING, key);
    RouteConfig { line: vec![LineConfig { address: bank.address(), priority: 0 }], ..route }
}

/// Connections that terminals make for themselves: the address is the place of the instance.
struct Lines(Vec<Gate>);

impl Network for Lines {
    fn connect<'a>(&'a self, address: &'a str) -> Connecting<'a> {
        Box::pin(async move {
            let gate = address.parse().ok().and_then(|at: usize| self.0.get(at));
            let gate = gate.ok_or(io::ErrorKind::NotFound)?;
            Ok(Box::new(Own(gate_stream(gate))) as Box<dyn Wire>)
        })
    }
}

/// A stream that is used once.
struct Own(DuplexStream);

impl Wire for Own {
    fn is_quiet(&self) -> bool {
        false
    }
}

impl AsyncRead for Own {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Own {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().0).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().0).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().0).poll_shutdown(cx)
    }
}
