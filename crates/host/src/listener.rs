//! Ports: bound all or none, each with its dialect, framing, MAC and profile; a bounded number of connections.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use hsm::MacAlgorithm;
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
) -> Result<Vec<Bound>, StartError> {
    let links = configs.iter().map(|config| link(config, settings)).collect::<Result<Vec<_>, _>>()?;
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
    let mut problems: Vec<String> =
        configs.iter().filter_map(|config| link(config, settings).err()).map(|e| e.to_string()).collect();
    if jiff::tz::TimeZone::get(&settings.time_zone).is_err() {
        problems.push(StartError::TimeZone(settings.time_zone.clone()).to_string());
    }
    problems
}

fn link(config: &ListenerConfig, settings: &Settings) -> Result<Link, StartError> {
    let wrong = |problem: String| StartError::Config { address: config.address, problem };
    if settings.sandbox && !config.address.ip().is_loopback() {
        return Err(wrong(
            "sandbox keys are public: in sandbox mode only loopback addresses are bound".to_owned(),
        ));
    }
    let dialect = if config.dialect.ends_with(".toml") {
        let text = std::fs::read_to_string(&config.dialect)
            .map_err(|e| wrong(format!("{}: {e}", config.dialect)))?;
        Arc::new(Dialect::from_toml(&text).map_err(|e| wrong(format!("{}: {e}", config.dialect)))?)
    } else {
        Dialect::builtin(&config.dialect).ok_or_else(|| {
            let known: Vec<&str> = Dialect::names().collect();
            wrong(format!("unknown dialect {:?}: known are {}", config.dialect, known.join(", ")))
        })?
    };
    let profile = config.profile.as_deref().unwrap_or_else(|| Profile::for_dialect(&config.dialect));
    Ok(Link {
        framing: config.framing.parse().map_err(|e: iso8583::UnknownFraming| wrong(e.to_string()))?,
        mac: config.mac.parse().map_err(wrong)?,
        profile: Profile::builtin(profile)
            .ok_or_else(|| wrong(format!("unknown profile {profile:?}: known are unionpay, iso87, iso93")))?,
        dialect,
    })
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
