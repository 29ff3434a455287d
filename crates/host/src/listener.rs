//! Ports: bound all or none, each with its dialect, framing, MAC, profile, and with TLS or without.
//!
//! What is over a limit is refused in the order of what it costs us: a connection before anything is read from it and
//! without a task of its own, a handshake before its first byte, everything later by the connection itself.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use hsm::{MacAlgorithm, SecurityModule};
use iso8583::{Dialect, Framing};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    time::{Instant, timeout},
};
use tracing::{debug, info, warn};

use crate::{
    Shared,
    config::{Limits, ListenerConfig, Settings},
    connection::{self, Peer},
    metrics,
    profile::Profile,
    throttle::{
        causes::Cause,
        rate::{Rate, Table},
        sources::{Connected, ShakingHands, Source, Sources},
    },
    tls::{self, Terminator},
};

/// Source addresses whose frames are counted apart: about a megabyte.
const SOURCES_KEPT: usize = 65_536;

/// A host that cannot start; nothing listens.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A listener's settings make no sense.
    #[error("listener {address}: {problem}")]
    Config {
        /// As configured.
        address: SocketAddr,
        /// What is wrong.
        problem: String,
    },
    /// A listener's certificates or keys cannot be used.
    #[error("listener {address}: {}", problems.join("; "))]
    Tls {
        /// As configured.
        address: SocketAddr,
        /// What is wrong, each with its file.
        problems: Vec<String>,
    },
    /// The port cannot be had.
    #[error("cannot listen on {address}: {source}")]
    Bind {
        /// As configured.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// A route's settings make no sense.
    #[error(transparent)]
    Route(#[from] upstream::StartError),
    /// Not in the IANA database.
    #[error("unknown time zone {0:?}")]
    TimeZone(String),
    /// The store gives no numbers for references.
    #[error(transparent)]
    Store(#[from] store::StoreError),
}

/// What is spoken on a listener, and how much of it.
pub(crate) struct Link {
    pub(crate) dialect: Arc<Dialect>,
    pub(crate) framing: Framing,
    pub(crate) mac: MacAlgorithm,
    pub(crate) profile: Profile,
    pub(crate) limits: Limits,
    /// Frames of each source address.
    pub(crate) source_frames: Option<Table>,
    /// From when the rates of frames count.
    pub(crate) epoch: Instant,
}

/// A port that is bound and not served yet.
pub(crate) struct Bound {
    listener: TcpListener,
    address: SocketAddr,
    link: Arc<Link>,
    tls: Option<Arc<Terminator>>,
}

impl Bound {
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn tls(&self) -> Option<Arc<Terminator>> {
        self.tls.clone()
    }
}

/// Binds every listener, or none. Certificates are read first; `now` is in seconds since 1970.
pub(crate) async fn bind_all(
    configs: &[ListenerConfig],
    settings: &Settings,
    module: &dyn SecurityModule,
    now: i64,
) -> Result<Vec<Bound>, StartError> {
    let links = configs.iter().map(|config| link(config, settings)).collect::<Result<Vec<_>, _>>()?;
    let terminators = configs.iter().map(|config| terminator(config, now)).collect::<Result<Vec<_>, _>>()?;
    for (config, link) in configs.iter().zip(&links) {
        module_can(config, link, module)?;
    }
    let mut bound = Vec::with_capacity(configs.len());
    for ((config, link), terminator) in configs.iter().zip(links).zip(terminators) {
        let failed = |source| StartError::Bind { address: config.address, source };
        let listener = TcpListener::bind(config.address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let tls = terminator.map(|terminator| Arc::new(terminator.at(address)));
        bound.push(Bound { listener, address, link: Arc::new(link), tls });
    }
    Ok(bound)
}

/// Does the module make the link's authentication code?
pub(crate) fn module_can(
    config: &ListenerConfig,
    link: &Link,
    module: &dyn SecurityModule,
) -> Result<(), StartError> {
    if module.supports_mac(link.mac) {
        return Ok(());
    }
    let problem = format!("mac {}: the {} does not make it", link.mac.name(), module.describe());
    Err(StartError::Config { address: config.address, problem })
}

fn terminator(config: &ListenerConfig, now: i64) -> Result<Option<Terminator>, StartError> {
    let Some(tls) = &config.tls else { return Ok(None) };
    let wrong = |problems| StartError::Tls { address: config.address, problems };
    Terminator::new(config.address, tls, now).map(Some).map_err(wrong)
}

/// Everything that is wrong with listeners and settings, certificates and keys included, without binding anything.
#[must_use]
pub fn check(configs: &[ListenerConfig], settings: &Settings) -> Vec<String> {
    let mut problems = Vec::new();
    for (index, config) in configs.iter().enumerate() {
        let place = format!("listener {} ({})", index + 1, config.address);
        problems.extend(wrong_in(config, settings).into_iter().map(|problem| format!("{place}: {problem}")));
        let taken = configs[..index].iter().any(|other| other.address == config.address);
        if taken && config.address.port() != 0 {
            problems.push(format!("{place}: another listener has this address"));
        }
    }
    if jiff::tz::TimeZone::get(&settings.time_zone).is_err() {
        problems.push(StartError::TimeZone(settings.time_zone.clone()).to_string());
    }
    problems
}

/// Everything that is wrong with routes to other issuers, without opening anything.
#[must_use]
pub fn check_routes(routes: &[upstream::RouteConfig], settings: &Settings) -> Vec<String> {
    let mut problems: Vec<String> = upstream::check(routes).iter().map(ToString::to_string).collect();
    for route in routes {
        // A MAC is verified and a PIN translated before, and an answer signed after.
        let ours = route.answer_ms.saturating_add(settings.module_timeout_ms.saturating_mul(3));
        if ours >= settings.terminal_timeout_ms {
            problems.push(format!(
                "route {:?}: answer_ms {} and three times host.module_timeout_ms {} leave no time below \
                 host.terminal_timeout_ms {}: times must be nested",
                route.name, route.answer_ms, settings.module_timeout_ms, settings.terminal_timeout_ms
            ));
        }
    }
    problems
}

/// Each of a listener's settings by itself.
fn wrong_in(config: &ListenerConfig, settings: &Settings) -> Vec<String> {
    let name = config.profile.as_deref().unwrap_or_else(|| Profile::for_dialect(&config.dialect));
    let checks = [
        address(config, settings).err(),
        dialect(&config.dialect).err(),
        framing(config).err(),
        config.mac.parse::<MacAlgorithm>().err(),
        profile(name).err(),
        limits(config, settings).err(),
    ];
    let now = crate::Clock::now(&crate::SystemClock).0 / 1000;
    let tls = config.tls.as_ref().map_or_else(Vec::new, |tls| tls::problems(tls, now));
    checks.into_iter().flatten().chain(tls).collect()
}

pub(crate) fn link(config: &ListenerConfig, settings: &Settings) -> Result<Link, StartError> {
    let wrong = |problem: String| StartError::Config { address: config.address, problem };
    let name = config.profile.as_deref().unwrap_or_else(|| Profile::for_dialect(&config.dialect));
    address(config, settings).map_err(wrong)?;
    let limits = limits(config, settings).map_err(wrong)?;
    let frames = limits.frames_per_second_per_source;
    Ok(Link {
        source_frames: Rate::per_second(frames, frames).map(|rate| Table::new(rate, SOURCES_KEPT)),
        limits,
        epoch: Instant::now(),
        dialect: dialect(&config.dialect).map_err(wrong)?,
        framing: framing(config).map_err(wrong)?,
        mac: config.mac.parse().map_err(wrong)?,
        profile: profile(name).map_err(wrong)?,
    })
}

fn address(config: &ListenerConfig, settings: &Settings) -> Result<(), String> {
    if settings.sandbox && !config.address.ip().is_loopback() {
        return Err("sandbox keys are public: in sandbox mode only loopback addresses are bound".to_owned());
    }
    Ok(())
}

/// A limit of 0 where nothing could be served then.
fn limits(config: &ListenerConfig, settings: &Settings) -> Result<Limits, String> {
    let limits = config.limits.over(&settings.limits);
    let sizes = [
        ("frame_bytes", limits.frame_bytes),
        ("connections", limits.connections),
        ("connections_per_source", limits.connections_per_source),
        ("handshakes", limits.handshakes),
        ("handshakes_per_source", limits.handshakes_per_source),
        ("in_flight_per_connection", limits.in_flight_per_connection),
        ("reply_bytes", limits.reply_bytes),
    ];
    let zero: Vec<&str> = sizes.iter().filter(|(_, size)| *size == 0).map(|(name, _)| *name).collect();
    if zero.is_empty() { Ok(limits) } else { Err(format!("limits that are 0: {}", zero.join(", "))) }
}

/// A dialect by name, or from a file.
pub(crate) fn dialect(name: &str) -> Result<Arc<Dialect>, String> {
    if name.ends_with(".toml") {
        let text = std::fs::read_to_string(name).map_err(|e| format!("{name}: {e}"))?;
        return Dialect::from_toml(&text).map(Arc::new).map_err(|e| format!("{name}: {e}"));
    }
    Dialect::builtin(name).ok_or_else(|| {
        let known: Vec<&str> = Dialect::names().collect();
        format!("unknown dialect {name:?}: known are {}", known.join(", "))
    })
}

fn framing(config: &ListenerConfig) -> Result<Framing, String> {
    config.framing.parse().map_err(|e: iso8583::UnknownFraming| e.to_string())
}

fn profile(name: &str) -> Result<Profile, String> {
    Profile::builtin(name)
        .ok_or_else(|| format!("unknown profile {name:?}: known are unionpay, iso87, iso93"))
}

/// What is open at a listener.
struct Door {
    shared: Arc<Shared>,
    link: Arc<Link>,
    tls: Option<Arc<Terminator>>,
    room: Arc<Semaphore>,
    handshakes: Arc<Semaphore>,
    sources: Arc<Sources>,
}

/// What a connection holds while it is open.
struct Admission {
    connected: Connected,
    _room: OwnedSemaphorePermit,
}

impl Door {
    /// Is there room for one more? Looks, and closes nothing: whoever gets no admission drops the connection.
    fn admit(&self, peer: SocketAddr) -> Result<Admission, Cause> {
        let room = Arc::clone(&self.room).try_acquire_owned().map_err(|_| Cause::ListenerFull)?;
        let limit = self.link.limits.connections_per_source;
        let connected = self.sources.connect(Source::from(peer.ip()), limit).ok_or(Cause::SourceFull)?;
        Ok(Admission { connected, _room: room })
    }

    fn admit_handshake(&self, admission: &Admission) -> Option<(OwnedSemaphorePermit, ShakingHands)> {
        let room = Arc::clone(&self.handshakes).try_acquire_owned().ok()?;
        let limit = self.link.limits.handshakes_per_source;
        admission.connected.shake_hands(limit).map(|shaking| (room, shaking))
    }

    fn refuse(&self, stream: &TcpStream, peer: SocketAddr, cause: Cause) {
        self.shared.tally.refused(cause, &peer);
        // A reset: the flood's connections do not stay in TIME_WAIT at our end.
        let _ = stream.set_zero_linger();
    }

    /// Takes a connection in, or drops it before a byte was read.
    fn open(&self, stream: TcpStream, peer: SocketAddr, stopped: &watch::Receiver<bool>) {
        let admission = match self.admit(peer) {
            Ok(admission) => admission,
            Err(cause) => return self.refuse(&stream, peer, cause),
        };
        let _ = stream.set_nodelay(true);
        let (shared, link, stopped) = (Arc::clone(&self.shared), Arc::clone(&self.link), stopped.clone());
        let Some(tls) = self.tls.clone() else {
            tokio::spawn(async move {
                let (read, write) = stream.into_split();
                serve_one(read, write, Peer::anybody(peer), shared, link, stopped).await;
                drop(admission);
            });
            return;
        };
        let Some(shaking) = self.admit_handshake(&admission) else {
            return self.refuse(&stream, peer, Cause::HandshakesFull);
        };
        tokio::spawn(async move {
            if let Some((stream, peer)) = shake_hands(&tls, stream, peer, &shared, &link).await {
                drop(shaking);
                let (read, write) = tokio::io::split(stream);
                serve_one(read, write, peer, shared, link, stopped).await;
            }
            drop(admission);
        });
    }
}

/// Accepts until it is told to stop, then waits for what is under way.
pub(crate) async fn serve(bound: Bound, shared: Arc<Shared>, mut stopped: watch::Receiver<bool>) {
    let limits = &bound.link.limits;
    let connections = limits.connections.min(Semaphore::MAX_PERMITS);
    let door = Door {
        room: Arc::new(Semaphore::new(connections)),
        handshakes: Arc::new(Semaphore::new(limits.handshakes.min(Semaphore::MAX_PERMITS))),
        sources: Arc::default(),
        link: Arc::clone(&bound.link),
        tls: bound.tls.clone(),
        shared,
    };
    let (dialect, tls) = (bound.link.dialect.name(), bound.tls.is_some());
    info!(address = %bound.address, dialect, framing = %bound.link.framing, tls, "listening");
    loop {
        let accepted = tokio::select! {
            accepted = bound.listener.accept() => accepted,
            _ = stopped.changed() => break,
        };
        match accepted {
            Ok((stream, peer)) => door.open(stream, peer, &stopped),
            Err(error) => {
                warn!(%error, "accept failed");
                // Out of descriptors: give those in use time to close instead of spinning.
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
    let patience = Duration::from_millis(door.shared.settings.limits.shutdown_ms);
    let everyone = u32::try_from(connections).unwrap_or(u32::MAX);
    let _ = timeout(patience, door.room.acquire_many(everyone)).await;
}

async fn shake_hands(
    tls: &Terminator,
    stream: TcpStream,
    address: SocketAddr,
    shared: &Shared,
    link: &Link,
) -> Option<(tokio_rustls::server::TlsStream<TcpStream>, Peer)> {
    let begun = Instant::now();
    let patience = Duration::from_millis(link.limits.handshake_ms);
    let outcome = match timeout(patience, tls.accept(stream)).await {
        Ok(outcome) => outcome,
        Err(_) => Err((Cause::HandshakeSlow, "no handshake in time".to_owned())),
    };
    metrics::handshake(outcome.is_ok(), begun.elapsed());
    match outcome {
        Ok(accepted) => Some((accepted.stream, Peer { address, terminals: accepted.terminals })),
        Err((cause, why)) => {
            debug!(peer = %address, why, "no TLS");
            shared.tally.refused(cause, &format_args!("{address} ({why})"));
            None
        }
    }
}

async fn serve_one<R, W>(
    read: R,
    write: W,
    peer: Peer,
    shared: Arc<Shared>,
    link: Arc<Link>,
    stopped: watch::Receiver<bool>,
) where
    R: tokio::io::AsyncRead + Unpin,
    W: tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    metrics::connections(1.0);
    connection::run(read, write, peer, shared, link, stopped).await;
    metrics::connections(-1.0);
}
