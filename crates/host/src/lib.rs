//! The edge where terminals arrive.
//!
//! ```text
//! listener ─► connection ─► intake ─► stages, in payment order ─► reply ─► connection
//! limits,     frames        what the    terminal, MAC, card,       encoded, signed,
//! TLS         cut out       message     PIN, decision, journal     leaves when durable
//!                           asks for
//! ```
//!
//! [`intake`] is the only place that knows which data element means what; [`reply`] its counterpart on the way out.
//! Knows no HTML and no SQL.

pub mod clock;
pub mod config;
mod connection;
mod forward;
mod gate;
pub mod holders;
mod in_flight;
mod intake;
mod listener;
pub mod metrics;
pub mod observe;
pub mod past;
pub mod profile;
mod recent_keys;
mod references;
mod reply;
pub mod rules;
mod sandbox;
pub mod second;
pub mod shop;
pub mod signal;
pub mod staff;
mod stages;
pub mod telemetry;
mod throttle;
mod tls;

use std::{
    net::SocketAddr,
    sync::{Arc, OnceLock},
    time::Duration,
};

use authorization::Products;
use hsm::{ModuleError, SecurityModule};
use model::Timestamp;
use store::Store;
use tokio::sync::watch;

pub use clock::{Clock, ManualClock, SystemClock};
pub use config::{
    ClientCertificate, Limits, ListenerConfig, ListenerLimits, Settings, TlsConfig, UpstreamSettings,
};
pub use gate::Gate;
pub use listener::{StartError, check, check_routes};
pub use profile::Profile;
pub use tls::server::ServerTls;
pub use upstream::{LineConfig, LineStatus, RouteConfig, RouteStatus};

/// Everything a host needs from the rest of the program.
pub struct Parts {
    /// Journal and states.
    pub store: Store,
    /// PINs and keys.
    pub module: Arc<dyn SecurityModule>,
    /// Policies.
    pub products: Products,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Limits, times and mode.
    pub settings: Settings,
    /// Other issuers, whose cards are forwarded to them.
    pub routes: Vec<RouteConfig>,
    /// Where the numbers of references (DE 37) start if the store has no counter of its own: the journal's length, so
    /// that a restart does not repeat them.
    pub references_start: u64,
}

/// What the stages share.
pub(crate) struct Shared {
    pub(crate) store: Store,
    pub(crate) module: Arc<dyn SecurityModule>,
    pub(crate) products: Products,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) settings: Settings,
    pub(crate) zone: jiff::tz::TimeZone,
    pub(crate) references: Arc<references::References>,
    pub(crate) forwarding: Option<Arc<forward::Forwarding>>,
    pub(crate) in_flight: in_flight::InFlight,
    pub(crate) recent_keys: recent_keys::RecentKeys,
    pub(crate) signals: signal::Outbox,
    pub(crate) rules: Arc<rules::Rules>,
    pub(crate) holders: OnceLock<Arc<dyn holders::Holders>>,
    pub(crate) operators: OnceLock<Arc<dyn shop::Operators>>,
    pub(crate) refusals: stages::refuse::Throttle,
    pub(crate) throttles: throttle::Throttles,
    pub(crate) tally: throttle::causes::Tally,
    pub(crate) metrics: metrics::PerMessage,
    /// Whoever asks for second proofs; nobody until somebody says so.
    pub(crate) asking: OnceLock<Arc<dyn second::Asking>>,
}

impl Shared {
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Waits for the security module, but no longer than one verb may take.
    pub(crate) async fn patiently<T>(
        &self,
        verb: impl Future<Output = Result<T, ModuleError>>,
    ) -> Result<T, ModuleError> {
        let patience = Duration::from_millis(self.settings.module_timeout_ms);
        let answered = tokio::time::timeout(patience, verb).await;
        answered.unwrap_or_else(|_| Err(ModuleError::Away("no answer in time".to_owned())))
    }
}

/// A running host. Dropping it stops nothing; call [`shutdown`](Self::shutdown).
pub struct Host {
    addresses: Vec<SocketAddr>,
    stop: watch::Sender<bool>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
    certificates: tls::watch::Certificates,
    shared: Arc<Shared>,
}

impl Host {
    /// Binds all listeners, then serves. Either all are bound or none.
    ///
    /// # Errors
    /// [`StartError`] naming the listener and what is wrong with it.
    pub async fn start(parts: Parts, listeners: &[ListenerConfig]) -> Result<Self, StartError> {
        let zone = jiff::tz::TimeZone::get(&parts.settings.time_zone)
            .map_err(|_| StartError::TimeZone(parts.settings.time_zone.clone()))?;
        let (engine, now, start) = (parts.store.engine(), parts.clock.now(), parts.references_start);
        let references = references::References::new(engine, now, &zone, start).await?;
        let references = Arc::new(references);
        let forwarding = forward::Forwarding::start(
            &parts.routes,
            &parts.settings,
            &parts.store,
            &parts.module,
            &parts.clock,
            (&zone, &references),
        )?;
        let shared = Arc::new(Shared {
            store: parts.store,
            module: parts.module,
            products: parts.products,
            clock: parts.clock,
            throttles: throttle::Throttles::new(&parts.settings),
            tally: throttle::causes::Tally::new(),
            metrics: metrics::PerMessage::new(),
            settings: parts.settings,
            zone,
            references,
            forwarding,
            in_flight: in_flight::InFlight::default(),
            recent_keys: recent_keys::RecentKeys::default(),
            signals: signal::Outbox::new(start),
            rules: Arc::default(),
            holders: OnceLock::new(),
            operators: OnceLock::new(),
            refusals: stages::refuse::Throttle::default(),
            asking: OnceLock::new(),
        });
        let (stop, stopped) = watch::channel(false);
        // Certificates are valid by the machine's clock, which terminals share, and not by that of a scenario.
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let now = clock.now().0 / 1000;
        let bound = match listener::bind_all(listeners, &shared.settings, &*shared.module, now).await {
            Ok(bound) => bound,
            Err(error) => {
                if let Some(forwarding) = &shared.forwarding {
                    forwarding.shutdown().await;
                }
                return Err(error);
            }
        };
        let addresses = bound.iter().map(listener::Bound::address).collect();
        let terminators = bound.iter().filter_map(listener::Bound::tls).collect();
        let certificates = tls::watch::Certificates { terminators, clock };
        let serve = |bound: listener::Bound| {
            tokio::spawn(listener::serve(bound, Arc::clone(&shared), stopped.clone()))
        };
        let mut tasks: Vec<_> = bound.into_iter().map(serve).collect();
        if !certificates.terminators.is_empty() {
            let every = Duration::from_millis(shared.settings.certificate_check_ms.max(1));
            tasks.push(tokio::spawn(certificates.clone().watch(every, stopped)));
        }
        Ok(Self { addresses, stop, tasks, certificates, shared })
    }

    /// A way in without a port, for streams that somebody else has accepted; see [`Gate`].
    ///
    /// # Errors
    /// [`StartError`] for a configuration that no listener would be opened with.
    pub fn gate(&self, config: &ListenerConfig) -> Result<Gate, StartError> {
        Gate::new(Arc::clone(&self.shared), config, self.stop.subscribe())
    }

    /// Where it listens, in the order of the configuration; ports that were 0 are known now.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Reads all certificates, keys and lists of revocations again. New connections get them, open ones keep theirs.
    /// Returns what could not be used, each with its listener and file; there the old ones go on.
    #[must_use]
    pub fn reload_certificates(&self) -> Vec<String> {
        self.certificates.reload()
    }

    /// What the edge has refused, closed or held back since the start, by cause; the same is in the metric
    /// `pinward_edge_refused_total`.
    pub fn edge_refusals(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        self.shared.tally.counts()
    }

    /// The risk rules: none until a rule set is published.
    #[must_use]
    pub fn rules(&self) -> Arc<rules::Rules> {
        Arc::clone(&self.shared.rules)
    }

    /// From now on second proofs of identity are asked for in this way. Until it is called, and for ever after the first call,
    /// what was said before holds: a payment that needs one is refused, and only staff can let it through.
    pub fn ask_for_second_proofs(&self, asking: Arc<dyn second::Asking>) {
        let _ = self.shared.asking.set(asking);
    }

    /// Says who knows cardholders, so that no new PIN is made of their own numbers. The first one counts.
    pub fn know_holders(&self, holders: Arc<dyn holders::Holders>) {
        let _ = self.shared.holders.set(holders);
    }

    /// Says who keeps the shop's own people. Until it is called, terminals' messages about them are not supported.
    pub fn know_operators(&self, operators: Arc<dyn shop::Operators>) {
        let _ = self.shared.operators.set(operators);
    }

    /// What happens beside the journal, for one [`signal::Keeper`]; `None` after the first call. While nobody takes it,
    /// signals are counted and dropped.
    #[must_use]
    pub fn signals(&self) -> Option<signal::Inbox> {
        self.shared.signals.take()
    }

    /// The links to other issuers, and how many cards have reversals that their issuer has not acknowledged.
    #[must_use]
    pub fn upstream(&self) -> (Vec<RouteStatus>, usize) {
        self.watch_upstream()()
    }

    /// The same as a question that may be asked from elsewhere, again and again.
    pub fn watch_upstream(&self) -> impl Fn() -> (Vec<RouteStatus>, usize) + Send + Sync + 'static {
        let forwarding = self.shared.forwarding.clone();
        move || forwarding.as_ref().map_or_else(Default::default, |forwarding| forwarding.status())
    }

    /// Stops accepting, lets what is under way finish (bounded by `limits.shutdown_ms`), and returns.
    pub async fn shutdown(self) {
        let _ = self.stop.send(true);
        for task in self.tasks {
            let _ = task.await;
        }
        if let Some(forwarding) = &self.shared.forwarding {
            forwarding.shutdown().await;
        }
    }
}
