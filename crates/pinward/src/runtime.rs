//! Starts what a configuration says: store, security module, host, console; and stops them in reverse.

use std::{net::SocketAddr, path::Path, sync::Arc};

use host::{
    Clock,
    signal::{Book, Keeper},
};
use hsm::{SecurityModule, soft::KeyPolicy};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use store::Store;
use tokio::sync::oneshot;
use watch::Watch;

use crate::{
    alarms, casework,
    command::Usage,
    config::Config,
    confirming, console,
    describe::Describer,
    health::Health,
    holders, messages, people,
    ruling::{self, Keeping, Reading, Ruling, Telling, Workbench},
    seed, shared_keys, shops,
    storage::Storage,
    watching::{self, Live, Watching, insight::Door},
};

/// How often the values that were measured are put into their buckets.
const METRICS_UPKEEP: std::time::Duration = std::time::Duration::from_secs(5);

/// Everything that runs.
pub(crate) struct Running {
    host: host::Host,
    console: Console,
    storage: Storage,
    health: Arc<Health>,
    signals: Option<Keeper>,
    alarms: alarm::AlarmService,
    sms: web::Messages,
    watch: Arc<Watch>,
    ruling: Ruling,
    casework: tokio::task::JoinHandle<()>,
}

/// The console's address, and how it is closed.
struct Console {
    address: SocketAddr,
    tls: Option<console::Tls>,
    stop: oneshot::Sender<()>,
    served: tokio::task::JoinHandle<std::io::Result<()>>,
}

impl Console {
    fn open(door: console::Door, state: web::WebState) -> Self {
        let (stop, stopped) = oneshot::channel();
        let console::Door { listener, address, tls } = door;
        let terminator = tls.as_ref().map(console::Tls::terminator);
        let served = tokio::spawn(web::serve(listener, terminator, web::Console::new(state), async move {
            let _ = stopped.await;
        }));
        Self { address, tls, stop, served }
    }

    /// Answers that are under way are finished first.
    async fn close(self) {
        let _ = self.stop.send(());
        let _ = self.served.await;
        drop(self.tls);
    }
}

/// Starts everything; if one part cannot start, nothing runs.
pub(crate) async fn start(config: &Config, storage: Storage) -> anyhow::Result<Running> {
    let module = open_module(config).await?;
    let products = config.products().map_err(Usage)?;
    let (store, archive) = (Store::new(storage.engine()), storage.archive());
    let metrics = metrics()?;
    let alarms = alarms::start(&config.alarms, &storage).await?;
    shared_keys::alarm(&*archive, &alarms).await?;
    let health = Health::start(store.clone(), Arc::clone(&module)).await;
    let office = Arc::new(people::open_office(storage.book()).await?);
    let entry = console::open(config, office.has_accounts().await).await?;
    let seeded = if config.host.sandbox { seed::read(&config.data)? } else { None };
    let mut sms = messages::start(&config.sms, &storage, seeded.as_ref()).await?;
    let employees = seeded.map(|seeded| seeded.public.staff).unwrap_or_default();
    people::employ(&office, &employees).await?;
    let since = host::SystemClock.now();
    let parts = host::Parts {
        references_start: archive.progress().await.map(|p| p.journal).unwrap_or(0),
        store: store.clone(),
        module: Arc::clone(&module),
        products: products.clone(),
        clock: Arc::new(host::SystemClock),
        settings: config.host.clone(),
        routes: config.route.clone(),
    };
    let host = host::Host::start(parts, &config.listener).await.map_err(|e| Usage(e.to_string()))?;
    health.also_ask(host.watch_upstream());
    let page = config.alarms.console_url.clone().unwrap_or_else(|| config.console.page(entry.address));
    let relying_party = people::relying_party(&page);
    sms.address.clone_from(&page);
    let confirmations = confirming::open(&storage, store.clone(), &sms, page.clone()).await?;
    host.ask_for_second_proofs(Arc::new(confirming::Holders(confirmations.clone())));
    let (ruling, telling, workbench) = rules_at_work(config, &storage, &host, &alarms, since).await?;
    let signals = host.signals().map(|inbox| Keeper::start(inbox, book(&config.data)));
    let live = signals.as_ref().map(|signals| Live { signals: signals.subscribe(), since });
    let Watching { watch, known } = watching::start(config, &storage, live, Some(telling))?;
    health.also_watch(Arc::clone(&watch));
    watching::alarming::start(&watch, alarms.clone(), storage.engine());
    let cases = casework::open(storage.book());
    let casework = casework::start(Arc::clone(&cases), alarms.clone());
    let shop =
        shops::desk(storage.book(), config.operator_rules.as_deref(), page.clone(), config.host.sandbox)?;
    host.know_operators(Arc::new(shops::People(Arc::clone(&shop))));
    let telephones = holders::Telephones { messages: sms.clone(), zone: time_zone(config)? };
    let door = Door::new(Arc::clone(&watch), known, Arc::clone(&archive), store.clone());
    let state = web::WebState {
        archive,
        store: Some(store),
        office: Some(office),
        relying_party,
        cases,
        holder: Some(holders::desk(&host, &storage, module, &products, telephones, page)),
        shop: Some(shop),
        sandbox_staff: people::shown(&employees),
        products,
        describer: Arc::new(Describer),
        sandbox: config.host.sandbox,
        insight: Arc::new(door),
        alarms: alarms.clone(),
        messages: Some(sms.clone()),
        confirmations: Some(confirmations),
        rules: Arc::new(web::rules::RuleDesk::new(storage.book(), Arc::new(workbench))),
        health: Arc::clone(&health) as Arc<dyn web::HealthCheck>,
        metrics: Arc::new(move || metrics.render()),
        entrance: console::entrance(&config.console, entry.address)?,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        zone: zone(&config.host.time_zone)?,
    };
    let console = Console::open(entry, state);
    Ok(Running { host, console, storage, health, signals, alarms, sms, watch, ruling, casework })
}

async fn open_module(config: &Config) -> anyhow::Result<Arc<dyn SecurityModule>> {
    let policy = if config.host.sandbox { KeyPolicy::Sandbox } else { KeyPolicy::Production };
    let module = config.module.open(&config.data, policy).await?;
    if !module.is_secure_device() {
        tracing::warn!(
            "the {} holds keys and PINs in this process: for tests and closed loops only",
            module.describe()
        );
    }
    Ok(module)
}

fn time_zone(config: &Config) -> anyhow::Result<jiff::tz::TimeZone> {
    Ok(jiff::tz::TimeZone::get(&config.host.time_zone)?)
}

/// Puts what people published to work, with everything that tells of it.
async fn rules_at_work(
    config: &Config,
    storage: &Storage,
    host: &host::Host,
    alarms: &alarm::AlarmService,
    since: model::Timestamp,
) -> anyhow::Result<(Ruling, Arc<Telling>, Workbench)> {
    let zone = time_zone(config)?;
    let reading = || Reading { listeners: config.listener.clone(), zone: zone.clone() };
    let keeping = Keeping::start(storage.book());
    let telling = Arc::new(Telling::new(host.rules(), alarms.clone(), keeping, zone.clone(), since));
    let parts = ruling::Parts {
        book: storage.book(),
        engine: storage.engine(),
        rules: host.rules(),
        telling: Arc::clone(&telling),
        reading: reading(),
    };
    let ruling = Ruling::start(parts).await?;
    let workbench = Workbench { telling: Arc::clone(&telling), engine: storage.engine(), reading: reading() };
    Ok((ruling, telling, workbench))
}

impl Running {
    /// Where the host listens.
    pub(crate) fn addresses(&self) -> &[SocketAddr] {
        self.host.addresses()
    }

    /// The diagnosis.
    pub(crate) fn watch(&self) -> &Arc<Watch> {
        &self.watch
    }

    /// Where the console is.
    pub(crate) fn console(&self) -> SocketAddr {
        self.console.address
    }

    /// What is wrong with the security module, if something is.
    pub(crate) fn module_trouble(&self) -> Option<String> {
        use web::HealthCheck;
        self.health.checks().into_iter().find(|c| c.name == "security-module" && !c.ok).map(|c| c.detail)
    }

    /// Reads the listeners' certificates again.
    pub(crate) fn reload_certificates(&self) {
        let console = self.console.tls.as_ref().map_or_else(Vec::new, console::Tls::reload);
        for problem in self.host.reload_certificates().into_iter().chain(console) {
            eprintln!("certificate: {problem}");
        }
    }

    /// Stops in order: no new requests, answers out, console closed, alarms kept, store flushed.
    pub(crate) async fn stop(self) -> anyhow::Result<()> {
        self.host.shutdown().await;
        self.console.close().await;
        self.casework.abort();
        let _ = self.casework.await;
        self.ruling.stop().await;
        self.watch.stop().await;
        if let Some(signals) = self.signals {
            signals.stop().await;
        }
        self.alarms.stop().await;
        self.sms.service.stop().await;
        self.storage.close().await
    }
}

/// Where signals are kept; without it the diagnosis has them until the program ends.
fn book(data: &Path) -> Option<Book> {
    let opened = Book::open(data);
    opened.inspect_err(|error| tracing::warn!(%error, "signals are not kept beside the journal")).ok()
}

/// Waits for Ctrl-C or a termination signal. SIGHUP reads the certificates again.
pub(crate) async fn until_told_to_stop(running: &Running) -> anyhow::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut reload = signal(SignalKind::hangup())?;
    loop {
        tokio::select! {
            done = tokio::signal::ctrl_c() => return Ok(done?),
            _ = terminate.recv() => return Ok(()),
            _ = reload.recv() => running.reload_certificates(),
        }
    }
}

fn metrics() -> anyhow::Result<PrometheusHandle> {
    // Half a millisecond to five seconds: what an authorization may take.
    let buckets = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];
    let handle = PrometheusBuilder::new().set_buckets(&buckets)?.install_recorder()?;
    host::metrics::describe();
    let kept_up = handle.clone();
    // Each value of a histogram stands in memory until it is put into its bucket: while nobody scrapes, by us.
    tokio::spawn(async move {
        let mut tick = tokio::time::interval(METRICS_UPKEEP);
        loop {
            tick.tick().await;
            kept_up.run_upkeep();
        }
    });
    Ok(handle)
}

fn zone(name: &str) -> anyhow::Result<web::Zone> {
    web::Zone::named(name).map_err(|_| Usage(format!("unknown time zone {name:?}")).into())
}
