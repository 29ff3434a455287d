//! The security module of a sandbox, as whoever fills the sandbox needs it: test keys and PINs of test cards come in clear.
//! Soft, or a test HSM with a zone master key that is known in clear.

use std::{fs, path::Path};

use anyhow::Context;
use hsm::{
    payshield::{
        command::{Attributes, KeyType},
        loader::{TestKey, TestPin, ZoneMasterKey},
    },
    soft::{KeyAttributes, KeyPolicy, ReferenceMethod, SoftModule},
};
use hsm_pool::{Ibm3624Config, KeyText, Loader, Pool, PoolConfig};
use model::{KeyBlock, KeyScheme, Pan, PinReference};
use paycrypto::{
    key::{TdesKey, adjust_parity},
    key_block::{Algorithm, KeyUsage},
};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::{
    command::Usage,
    keys::{self, IssuerRules},
    module::ModuleConfig,
};

/// A test HSM as it says itself on its first line (`peers/payshield`), or as somebody wrote it down: addresses, and a
/// zone master key under its LMK and in clear.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct TestHsm {
    /// `host:port`, one of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    host: Option<String>,
    /// Or several.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    hosts: Vec<String>,
    zmk: String,
    zmk_clear: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    zmk_aes: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    zmk_aes_clear: Option<String>,
}

/// Remembered in the sandbox's folder of keys.
const FILE: &str = "test-hsm.json";

pub(crate) enum TestModule {
    Soft(Box<SoftModule>),
    Hsm(Box<Device>),
}

pub(crate) struct Device {
    pool: Pool,
    test: TestHsm,
    /// A zone PIN key for the PINs of test cards: under the LMK and in clear.
    zone_key: (KeyBlock, TdesKey),
}

impl TestHsm {
    pub(crate) fn read(path: &Path) -> anyhow::Result<Self> {
        let text = fs::read_to_string(path)
            .map_err(|e| Usage(format!("cannot read the test HSM's file {}: {e}", path.display())))?;
        let test: Self = serde_json::from_str(&text)
            .map_err(|e| Usage(format!("test HSM's file {}: {e}", path.display())))?;
        Ok(test)
    }

    fn addresses(&self) -> Vec<String> {
        self.host.iter().chain(&self.hosts).cloned().collect()
    }

    fn zone_master_key(&self, algorithm: Algorithm) -> anyhow::Result<ZoneMasterKey> {
        let (key, clear) = match (algorithm, &self.zmk_aes, &self.zmk_aes_clear) {
            (Algorithm::Aes, Some(key), Some(clear)) => (key, clear),
            _ => (&self.zmk, &self.zmk_clear),
        };
        let clear =
            Zeroizing::new(hex::decode(clear).context("the clear zone master key is no hexadecimal text")?);
        Ok(ZoneMasterKey::new(KeyBlock::new(key.clone()), &clear)?)
    }
}

impl TestModule {
    /// Makes the issuer's keys of a new sandbox; gives the configuration that names them.
    pub(crate) async fn create(
        data: &Path,
        hsm: Option<&TestHsm>,
        rules: &IssuerRules<'_>,
    ) -> anyhow::Result<ModuleConfig> {
        let Some(test) = hsm else {
            keys::create(data, rules)?;
            return Ok(ModuleConfig::Soft);
        };
        let folder = data.join("keys");
        fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
        crate::seed::write_private(&folder.join(FILE), &serde_json::to_vec_pretty(test)?)?;
        let mut config = PoolConfig {
            addresses: test.addresses(),
            timeout_ms: 2_000,
            deadline_ms: 4_500,
            ..PoolConfig::default()
        };
        let pool = Pool::start(&config).await.context("test HSM")?;
        let pvv =
            import(&pool, test, KeyAttributes::tdes(KeyUsage::PinVerificationVisaPvv), &*random::<16>()?)
                .await?;
        // A payShield's offsets are made under a key of single length.
        let single = random::<8>()?;
        let ibm =
            import(&pool, test, KeyAttributes::tdes(KeyUsage::PinVerificationIbm3624), &*single).await?;
        config.pvv.insert(rules.pvv_key.to_owned(), KeyText(pvv.as_str().to_owned()));
        let rule = Ibm3624Config {
            key: KeyText(ibm.as_str().to_owned()),
            table: rules.table.to_owned(),
            validation: rules.validation.to_owned(),
        };
        config.ibm3624.insert(rules.ibm3624_key.to_owned(), rule);
        Ok(ModuleConfig::Payshield(Box::new(config)))
    }

    /// The module of a sandbox that was made before.
    pub(crate) async fn open(data: &Path, config: &ModuleConfig) -> anyhow::Result<Self> {
        let ModuleConfig::Payshield(pool) = config else {
            return Ok(Self::Soft(Box::new(keys::open(data, KeyPolicy::Sandbox)?)));
        };
        let test = TestHsm::read(&data.join("keys").join(FILE))?;
        let pool = Pool::start(pool).await.context("test HSM")?;
        let clear = random::<16>()?;
        let zone = import(&pool, &test, KeyAttributes::tdes(KeyUsage::PinEncryption), &*clear).await?;
        Ok(Self::Hsm(Box::new(Device { pool, test, zone_key: (zone, TdesKey::double(&clear)) })))
    }

    pub(crate) fn supports_scheme(&self, scheme: KeyScheme) -> bool {
        use hsm::SecurityModule;
        match self {
            Self::Soft(module) => module.supports_scheme(scheme),
            Self::Hsm(device) => device.pool.supports_scheme(scheme),
        }
    }

    /// A clear test key becomes a key block.
    pub(crate) async fn import(&self, of: KeyAttributes, clear: &[u8]) -> anyhow::Result<KeyBlock> {
        match self {
            Self::Soft(module) => Ok(module.import_test_key(of, clear)?),
            Self::Hsm(device) => import(&device.pool, &device.test, of, clear).await,
        }
    }

    /// The reference of a test card's PIN.
    pub(crate) async fn reference(
        &self,
        method: &ReferenceMethod,
        pan: &Pan,
        pin: &str,
    ) -> anyhow::Result<PinReference> {
        match self {
            Self::Soft(module) => Ok(module.test_reference(method, pan, pin)?),
            Self::Hsm(device) => {
                let (zone_key, clear_zone_key) = (&device.zone_key.0, &device.zone_key.1);
                let test = TestPin { zone_key, clear_zone_key, pan, pin };
                Ok(Loader::new(&device.pool).reference(&test, method).await?)
            }
        }
    }
}

async fn import(pool: &Pool, test: &TestHsm, of: KeyAttributes, clear: &[u8]) -> anyhow::Result<KeyBlock> {
    let usage = match of.usage {
        KeyUsage::PinEncryption => "P0",
        KeyUsage::KeyEncryption => "K0",
        KeyUsage::BaseDerivation => "B0",
        KeyUsage::PinVerificationVisaPvv => "V2",
        KeyUsage::PinVerificationIbm3624 => "V1",
        other => anyhow::bail!("a test HSM is given no key of usage {other:?}"),
    };
    let attributes = Attributes { usage, mode: char::from(of.mode.character()), exportability: 'N' };
    let key = TestKey { attributes, key_type: KeyType::Tpk, algorithm: of.algorithm };
    let zmk = test.zone_master_key(of.algorithm)?;
    let (block, _) =
        Loader::new(pool).import(&zmk, key, clear).await.with_context(|| format!("{usage} key"))?;
    Ok(block)
}

fn random<const N: usize>() -> anyhow::Result<Zeroizing<[u8; N]>> {
    let mut key = Zeroizing::new([0; N]);
    getrandom::fill(&mut *key).map_err(|e| anyhow::anyhow!("no randomness: {e}"))?;
    adjust_parity(&mut *key);
    Ok(key)
}
