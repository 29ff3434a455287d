//! Ports: bound all or none, each with its dialect, framing, MAC and profile; a bounded number of connections.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use hsm::{MacAlgorithm, SecurityModule};
use iso8583::{Dialect, Framing};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
};
use tracing::{info, warn};

use crate::{
    Shared,
    config::{ListenerConfig, Settings},
    connection, metrics,
    profile::Profile,
};

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
    /// The port cannot be had.
    #[error("cannot listen on {address}: {source}")]
    Bind {
        /// As configured.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// Not in the IANA database.
    #[error("unknown time zone {0:?}")]
    TimeZone(String),
}

/// What is spoken on a listener.
pub(crate) struct Link {
    pub(crate) dialect: Arc<Dialect>,
    pub(crate) framing: Framing,
    pub(crate) mac: MacAlgorithm,
    pub(crate) profile: Profile,
}

/// A port that is bound and not served yet.
pub(crate) struct Bound {
    listener: TcpListener,
    address: SocketAddr,
    link: Arc<Link>,
}

impl Bound {
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

/// Binds every listener, or none.
pub(crate) async fn bind_all(
    configs: &[ListenerConfig],
    settings: &Settings,
    module: &dyn SecurityModule,
) -> Result<Vec<Bound>, StartError> {
    let links = configs.iter().map(|config| link(config, settings)).collect::<Result<Vec<_>, _>>()?;
    for (config, link) in configs.iter().zip(&links) {
        if !module.supports_mac(link.mac) {
            let problem = format!("mac {}: the {} does not make it", link.mac.name(), module.describe());
            return Err(StartError::Config { address: config.address, problem });
        }
    }
    let mut bound = Vec::with_capacity(configs.len());
    for (config, link) in configs.iter().zip(links) {
        let failed = |source| StartError::Bind { address: config.address, source };
        let listener = TcpListener::bind(config.address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        bound.push(Bound { listener, address, link: Arc::new(link) });
    }
    Ok(bound)
}

/// Everything that is wrong with listeners and settings, without binding anything.
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

/// Each of a listener's settings by itself.
fn wrong_in(config: &ListenerConfig, settings: &Settings) -> Vec<String> {
    let name = config.profile.as_deref().unwrap_or_else(|| Profile::for_dialect(&config.dialect));
    let checks = [
        address(config, settings).err(),
        dialect(&config.dialect).err(),
        framing(config).err(),
        config.mac.parse::<MacAlgorithm>().err(),
        profile(name).err(),
    ];
    checks.into_iter().flatten().collect()
}

fn link(config: &ListenerConfig, settings: &Settings) -> Result<Link, StartError> {
    let wrong = |problem: String| StartError::Config { address: config.address, problem };
    let name = config.profile.as_deref().unwrap_or_else(|| Profile::for_dialect(&config.dialect));
    address(config, settings).map_err(wrong)?;
    Ok(Link {
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

/// A dialect by name, or from a file.
fn dialect(name: &str) -> Result<Arc<Dialect>, String> {
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

/// Accepts until it is told to stop, then waits for what is under way.
pub(crate) async fn serve(bound: Bound, shared: Arc<Shared>, mut stopped: watch::Receiver<bool>) {
    let limit = shared.settings.limits.connections;
    let room = Arc::new(Semaphore::new(limit));
    info!(address = %bound.address, dialect = bound.link.dialect.name(), framing = %bound.link.framing, "listening");
    loop {
        let accepted = tokio::select! {
            accepted = bound.listener.accept() => accepted,
            _ = stopped.changed() => break,
        };
        match accepted {
            Ok((stream, peer)) => match Arc::clone(&room).try_acquire_owned() {
                Ok(permit) => {
                    let work =
                        one(stream, peer, Arc::clone(&shared), Arc::clone(&bound.link), stopped.clone());
                    tokio::spawn(async move {
                        work.await;
                        drop(permit);
                    });
                }
                Err(_) => warn!(%peer, limit, "connection refused: the listener is full"),
            },
            Err(error) => {
                warn!(%error, "accept failed");
                // Out of descriptors: give those in use time to close instead of spinning.
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
    let patience = Duration::from_millis(shared.settings.limits.shutdown_ms);
    let everyone = u32::try_from(limit).unwrap_or(u32::MAX);
    let _ = tokio::time::timeout(patience, room.acquire_many(everyone)).await;
}

async fn one(
    stream: TcpStream,
    peer: SocketAddr,
    shared: Arc<Shared>,
    link: Arc<Link>,
    stopped: watch::Receiver<bool>,
) {
    metrics::connections(1.0);
    let _ = stream.set_nodelay(true);
    connection::run(stream, peer, shared, link, stopped).await;
    metrics::connections(-1.0);
}
