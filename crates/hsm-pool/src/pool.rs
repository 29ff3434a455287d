//! Which device is asked, and what happens when it does not answer.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use hsm::{
    ModuleError,
    payshield::{Encoded, Meaning, Reply, Settings, outcome},
};
use model::Unverifiable;
use tokio::{
    task::JoinSet,
    time::{Instant, timeout},
};

use crate::{
    config::PoolConfig,
    connection::{DIAGNOSTICS_TIMEOUT, Failure},
    device::Device,
};

/// Tries of one command: once, and once more elsewhere.
const TRIES: usize = 2;

/// A pool that cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PoolError {
    /// What [`PoolConfig::check`] says.
    #[error("the configuration of the HSMs: {}", .0.join("; "))]
    Configuration(Vec<String>),
}

/// The payShields of a site, as one security module. Its tasks end when it is dropped.
pub struct Pool {
    pub(crate) settings: Settings,
    timeout: Duration,
    deadline: Duration,
    devices: Vec<Arc<Device>>,
    next: AtomicUsize,
    _tasks: JoinSet<()>,
}

/// A command that got no reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NoReply(Failure);

impl From<NoReply> for ModuleError {
    fn from(NoReply(failure): NoReply) -> Self {
        Self::Away(failure.to_string())
    }
}

impl From<NoReply> for Unverifiable {
    fn from(_: NoReply) -> Self {
        Self::ModuleUnavailable
    }
}

impl Pool {
    /// Starts connecting, and waits until every device was probed once. Devices that are away are tried again as long as the
    /// pool lives: it is no error that none can be reached, [`hsm::SecurityModule::check`] tells.
    ///
    /// # Errors
    /// [`PoolError`] for a configuration with problems.
    pub async fn start(config: &PoolConfig) -> Result<Self, PoolError> {
        let problems = config.check();
        if !problems.is_empty() {
            return Err(PoolError::Configuration(problems));
        }
        let lmk = Arc::new(OnceLock::new());
        if let Some(value) = &config.lmk_check_value {
            let _first = lmk.set(value.to_ascii_uppercase());
        }
        let mut tasks = JoinSet::new();
        let start = |address: &String| Device::start(address, config, Arc::clone(&lmk), &mut tasks);
        let devices: Vec<Arc<Device>> = config.addresses.iter().map(start).collect();
        let settling = async {
            for device in &devices {
                device.settled().await;
            }
        };
        let _away = timeout(config.timeout() + DIAGNOSTICS_TIMEOUT, settling).await;
        Ok(Self {
            settings: config.settings(),
            timeout: config.timeout(),
            deadline: Duration::from_millis(config.deadline_ms),
            devices,
            next: AtomicUsize::new(0),
            _tasks: tasks,
        })
    }

    /// When a verb that begins now must be done.
    pub(crate) fn deadline(&self) -> Instant {
        Instant::now() + self.deadline
    }

    /// Asks, and asks once more if there is no reply or the device has trouble.
    pub(crate) async fn run(
        &self,
        command: Encoded,
        until: Instant,
    ) -> Result<(Arc<Encoded>, Reply), NoReply> {
        let command = Arc::new(command);
        let mut trouble = None;
        let mut failure = Failure::NoDevice;
        for _ in 0..TRIES {
            let tried = trouble.as_ref().map(|(device, _)| *device);
            let Some(device) = self.choose(tried, &failure) else { break };
            let now = Instant::now();
            if now >= until {
                break;
            }
            let (asked, outcome) = self.ask_any(device, tried, &command, until.min(now + self.timeout)).await;
            match outcome {
                Ok(reply) if outcome::meaning(&command, &reply) != Meaning::Unavailable => {
                    return Ok((command, reply));
                }
                Ok(reply) => trouble = Some((asked, Some(reply))),
                Err(why) => {
                    tracing::debug!(hsm = self.devices[asked].address, command = command.code(), %why, "no reply");
                    failure = why;
                    let before = trouble.take().and_then(|(_, reply)| reply);
                    trouble = Some((asked, before));
                }
            }
        }
        match trouble {
            Some((_, Some(reply))) => Ok((command, reply)),
            _ => Err(NoReply(failure)),
        }
    }

    /// The device to ask first: in turn, but not the one that failed, unless it is the only one and merely lost a connection.
    fn choose(&self, tried: Option<usize>, failure: &Failure) -> Option<usize> {
        let first = self.next.fetch_add(1, Ordering::Relaxed);
        let order = (0..self.devices.len()).map(|place| first.wrapping_add(place) % self.devices.len());
        let another =
            order.into_iter().find(|place| Some(*place) != tried && self.devices[*place].is_usable());
        let same = tried.filter(|place| {
            matches!(failure, Failure::Closed | Failure::Garbage(_)) && self.devices[*place].is_usable()
        });
        another.or(same)
    }

    /// Asks a device; if it took the command nowhere, the others in their order.
    async fn ask_any(
        &self,
        first: usize,
        tried: Option<usize>,
        command: &Arc<Encoded>,
        until: Instant,
    ) -> (usize, Result<Reply, Failure>) {
        let outcome = self.devices[first].ask(command, until).await;
        if outcome.as_ref().err() != Some(&Failure::Overloaded) {
            return (first, outcome);
        }
        for (place, device) in self.devices.iter().enumerate() {
            if place == first || Some(place) == tried || !device.is_usable() {
                continue;
            }
            let outcome = device.ask(command, until).await;
            if outcome.as_ref().err() != Some(&Failure::Overloaded) {
                return (place, outcome);
            }
        }
        (first, outcome)
    }

    /// What the devices told about themselves, by address; `None` for one that was never reached.
    #[must_use]
    pub fn devices(&self) -> Vec<(String, Option<hsm::payshield::reply::Diagnostics>, bool)> {
        let tell = |device: &Arc<Device>| (device.address.clone(), device.diagnostics(), device.is_usable());
        self.devices.iter().map(tell).collect()
    }
}
