//! Certificates change while the host runs: files are looked at from time to time, and read again when they have
//! changed or when somebody asks for it. What cannot be used is refused, and the old certificates go on. Here also the
//! days are counted that a certificate has left.

use std::{sync::Arc, time::Duration};

use tokio::sync::watch;
use tracing::{error, info, warn};

use super::{Terminator, files::Stamps};
use crate::{clock::Clock, metrics};

const DAY_S: i64 = 24 * 60 * 60;
/// Time enough to get a new certificate.
const WARN_S: i64 = 30 * DAY_S;

/// All listeners with TLS, and the clock by which certificates end.
#[derive(Clone)]
pub(crate) struct Certificates {
    pub(crate) terminators: Vec<Arc<Terminator>>,
    pub(crate) clock: Arc<dyn Clock>,
}

impl Certificates {
    fn now(&self) -> i64 {
        self.clock.now().0 / 1000
    }

    /// Reads all files again; says what could not be used.
    pub(crate) fn reload(&self) -> Vec<String> {
        self.terminators.iter().flat_map(|terminator| self.reload_one(terminator)).collect()
    }

    fn reload_one(&self, terminator: &Terminator) -> Vec<String> {
        let address = terminator.address;
        match terminator.reload(self.now()) {
            Ok(()) => {
                metrics::certificates_read(true);
                info!(%address, "certificates read again; open connections keep theirs");
                self.remaining(terminator);
                Vec::new()
            }
            Err(problems) => {
                metrics::certificates_read(false);
                for problem in &problems {
                    error!(%address, %problem, "certificates not changed");
                }
                problems.into_iter().map(|problem| format!("listener {address}: {problem}")).collect()
            }
        }
    }

    /// Reads again what has changed.
    fn look(&self) {
        for terminator in &self.terminators {
            if Stamps::of(&terminator.config) != terminator.current().stamps {
                self.reload_one(terminator);
            }
        }
    }

    /// Reports how long a certificate is still good; says whether that is too short.
    fn remaining(&self, terminator: &Terminator) -> bool {
        let left = terminator.current().not_after - self.now();
        metrics::certificate_seconds_left(terminator.address, left);
        left < WARN_S
    }

    fn warn(&self) {
        for terminator in self.terminators.iter().filter(|terminator| self.remaining(terminator)) {
            let days = (terminator.current().not_after - self.now()).div_euclid(DAY_S);
            warn!(address = %terminator.address, days, "the certificate expires soon");
        }
    }

    /// Looks from time to time, until the host stops.
    pub(crate) async fn watch(self, every: Duration, mut stopped: watch::Receiver<bool>) {
        self.warn();
        let mut warned = self.now();
        loop {
            tokio::select! {
                () = tokio::time::sleep(every) => {}
                _ = stopped.changed() => return,
            }
            let here = self.clone();
            // Files may be on a slow disk.
            let _ = tokio::task::spawn_blocking(move || here.look()).await;
            for terminator in &self.terminators {
                self.remaining(terminator);
            }
            if self.now() - warned >= DAY_S {
                self.warn();
                warned = self.now();
            }
        }
    }
}
