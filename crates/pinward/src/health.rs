//! Is everything that a payment needs there? Asked every two seconds, so that a health page never waits.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use hsm::SecurityModule;
use store::Store;
use web::{Check, HealthCheck};

const EVERY: Duration = Duration::from_secs(2);

/// The latest answers.
pub(crate) struct Health {
    checks: Mutex<Vec<Check>>,
}

impl HealthCheck for Health {
    fn checks(&self) -> Vec<Check> {
        self.checks.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Health {
    /// Asks once, then keeps asking until the program ends.
    pub(crate) async fn start(store: Store, module: Arc<dyn SecurityModule>) -> Arc<Self> {
        let health = Arc::new(Self { checks: Mutex::new(ask(&store, &*module).await) });
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
