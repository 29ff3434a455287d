//! Keys of a data directory: the soft module's master key, and the issuer's verification keys as key blocks under it.

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::Context;
use hsm::soft::{Configuration, KeyAttributes, KeyPolicy, MasterKey, SoftModule};
use model::KeyBlock;
use paycrypto::key_block::KeyUsage;
use serde::{Deserialize, Serialize};

/// `keys/module.toml`: what the module verifies with, sealed.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ModuleFile {
    /// PVV keys by name.
    pvv: BTreeMap<String, PvvKey>,
    /// IBM 3624 rules by name.
    ibm3624: BTreeMap<String, Ibm3624Key>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PvvKey {
    key_block: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Ibm3624Key {
    key_block: String,
    decimalisation_table: String,
    validation_data: String,
}

/// Names and rules for fresh issuer keys.
pub(crate) struct IssuerRules<'a> {
    pub(crate) pvv_key: &'a str,
    pub(crate) ibm3624_key: &'a str,
    pub(crate) table: &'a str,
    pub(crate) validation: &'a str,
}

/// Opens the module of a data directory.
pub(crate) fn open(data: &Path, policy: KeyPolicy) -> anyhow::Result<SoftModule> {
    let folder = data.join("keys");
    let master = MasterKey::from_file(&folder.join("master.key"))?;
    let path = folder.join("module.toml");
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let file: ModuleFile = toml::from_str(&text).with_context(|| format!("{} is damaged", path.display()))?;
    let mut configuration = Configuration::default();
    for (name, key) in file.pvv {
        configuration = configuration.with_pvk(&name, KeyBlock::new(key.key_block));
    }
    for (name, rule) in file.ibm3624 {
        let key = KeyBlock::new(rule.key_block);
        configuration =
            configuration.with_ibm3624(&name, key, &rule.decimalisation_table, &rule.validation_data)?;
    }
    Ok(SoftModule::new(master, policy, configuration))
}

/// Makes the keys of a new data directory.
pub(crate) fn create(data: &Path, rules: &IssuerRules<'_>) -> anyhow::Result<()> {
    let folder = data.join("keys");
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let master = MasterKey::create_file(&folder.join("master.key"))?;
    let maker = SoftModule::new(master, KeyPolicy::Sandbox, Configuration::default());
    let block = |usage| maker.generate_key(KeyAttributes::tdes(usage)).map(|block| block.as_str().to_owned());
    let pvv = PvvKey { key_block: block(KeyUsage::PinVerificationVisaPvv)? };
    let ibm3624 = Ibm3624Key {
        key_block: block(KeyUsage::PinVerificationIbm3624)?,
        decimalisation_table: rules.table.to_owned(),
        validation_data: rules.validation.to_owned(),
    };
    let file = ModuleFile {
        pvv: BTreeMap::from([(rules.pvv_key.to_owned(), pvv)]),
        ibm3624: BTreeMap::from([(rules.ibm3624_key.to_owned(), ibm3624)]),
    };
    fs::write(folder.join("module.toml"), toml::to_string(&file)?)?;
    Ok(())
}
