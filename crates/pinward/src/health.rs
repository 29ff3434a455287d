//! Is everything that a payment needs there? Asked every two seconds, so that a health page never waits.

use std::{
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::{Duration, Instant},
};

use hsm::SecurityModule;
use store::Store;
use watch::Watch;
use web::{Check, HealthCheck};

const EVERY: Duration = Duration::from_secs(2);

/// The latest answers.
pub(crate) struct Health {
    checks: Mutex<Vec<Check>>,
    upstream: OnceLock<Upstream>,
    watch: OnceLock<Arc<Watch>>,
}

/// Asks how the links to other issuers are, and how many cards have reversals under way there.
type Upstream = Box<dyn Fn() -> (Vec<host::RouteStatus>, usize) + Send + Sync>;

impl HealthCheck for Health {
    fn checks(&self) -> Vec<Check> {
        let mut checks = self.checks.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(upstream) = self.upstream.get() {
            let (routes, undoing) = upstream();
            checks.extend(routes.iter().map(|route| of_route(route, undoing)));
        }
        checks.extend(self.watch.get().map(|watch| of_watch(watch)));
        checks
    }
}

/// A route whose lines are down is said to be, and does not make the host unready: our own cards are still decided, and
/// another host would meet the same silence.
fn of_route(route: &host::RouteStatus, undoing: usize) -> Check {
    let up = route.lines.iter().filter(|line| line.up).count();
    let down = route.lines.iter().filter(|line| !line.up);
    let down: String = down.map(|line| format!("; {}: {}", line.address, line.words)).collect();
    let detail = format!(
        "{up} of {} lines up{down}; cards with reversals under way on all routes: {undoing}",
        route.lines.len()
    );
    Check { name: format!("route {}", route.name), ok: true, detail, took_us: 0 }
}

/// A diagnosis that lags or has stopped is said to: payments go on without it, so the host stays ready.
fn of_watch(watch: &Watch) -> Check {
    let started = Instant::now();
    let detail = watch.progress().sentence(watch.now());
    let took_us = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
    Check { name: "diagnosis".to_owned(), ok: true, detail, took_us }
}

impl Health {
    /// From now on the diagnosis is among the checks.
    pub(crate) fn also_watch(&self, watch: Arc<Watch>) {
        let _ = self.watch.set(watch);
    }

    /// From now on routes are among the checks.
    pub(crate) fn also_ask(
        &self,
        upstream: impl Fn() -> (Vec<host::RouteStatus>, usize) + Send + Sync + 'static,
    ) {
        let _ = self.upstream.set(Box::new(upstream));
    }

    /// Asks once, then keeps asking until the program ends.
    pub(crate) async fn start(store: Store, module: Arc<dyn SecurityModule>) -> Arc<Self> {
        let checks = Mutex::new(ask(&store, &*module).await);
        let health = Arc::new(Self { checks, upstream: OnceLock::new(), watch: OnceLock::new() });
        let keep = Arc::clone(&health);
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(EVERY).await;
                let checks = ask(&store, &*module).await;
                *keep.checks.lock().unwrap_or_else(PoisonError::into_inner) = checks;
            }
        });
        health
    }
}

async fn ask(store: &Store, module: &dyn SecurityModule) -> Vec<Check> {
    let started = Instant::now();
    let stored = store.engine().check().await;
    let store = check("store", started, stored, store.engine().describe());
    let started = Instant::now();
    let answered = module.check().await;
    let module = check("security-module", started, answered, module.describe());
    vec![store, module]
}

fn check<E: std::fmt::Display>(name: &str, started: Instant, result: Result<(), E>, well: String) -> Check {
    let took_us = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
    match result {
        Ok(()) => Check { name: name.to_owned(), ok: true, detail: well, took_us },
        Err(error) => Check { name: name.to_owned(), ok: false, detail: error.to_string(), took_us },
    }
}
