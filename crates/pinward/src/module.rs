//! Which security module a configuration names: the soft one of the data directory, or payShields over the network.

use std::{path::Path, sync::Arc};

use anyhow::Context;
use hsm::{SecurityModule, soft::KeyPolicy};
use hsm_pool::{Pool, PoolConfig};
use serde::{Deserialize, Serialize};

use crate::{command::Usage, keys};

/// The section `[module]`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub(crate) enum ModuleConfig {
    /// Keys under a master key in the data directory. Not a secure cryptographic device.
    #[default]
    Soft,
    /// Thales payShield 10K or 9000, several of them.
    Payshield(Box<PoolConfig>),
}

impl ModuleConfig {
    /// Everything that is wrong with it. Times are nested: the devices must have given up before the host does.
    pub(crate) fn problems(&self, host_waits_ms: u64) -> Vec<String> {
        let Self::Payshield(pool) = self else { return Vec::new() };
        let mut problems: Vec<String> = pool.check().into_iter().map(|p| format!("module: {p}")).collect();
        if pool.deadline_ms >= host_waits_ms {
            problems.push(format!(
                "module: deadline_ms is {}: expected less than host.module_timeout_ms, which is {host_waits_ms}",
                pool.deadline_ms
            ));
        }
        problems
    }

    /// Opens the module. A payShield need not be reachable yet.
    pub(crate) async fn open(
        &self,
        data: &Path,
        policy: KeyPolicy,
    ) -> anyhow::Result<Arc<dyn SecurityModule>> {
        match self {
            Self::Soft => Ok(Arc::new(keys::open(data, policy)?)),
            Self::Payshield(pool) => Ok(Arc::new(Pool::start(pool).await.context("security module")?)),
        }
    }

    /// The payShields, for whoever examines them.
    pub(crate) fn pool(&self) -> Result<&PoolConfig, Usage> {
        match self {
            Self::Payshield(pool) => Ok(pool),
            Self::Soft => {
                Err(Usage("the configuration's [module] is the soft module: no HSM to check".to_owned()))
            }
        }
    }
}
