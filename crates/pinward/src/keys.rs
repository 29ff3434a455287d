//! Keys of a data directory: the soft module's master key, and the issuer's verification keys as key blocks under it. They
//! come from the register of the key ceremony (`keys/keys.toml`); a sandbox has its own in `keys/module.toml`, beside the
//! issuer's rules, which are no keys.

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::Context;
use hsm::soft::{Configuration, KeyAttributes, KeyPolicy, MasterKeySource, SoftModule};
use keyring::Register;
use model::{KeyBlock, Timestamp};
use paycrypto::key_block::KeyUsage;
use serde::{Deserialize, Serialize};

use crate::command::{Usage, key::master};

/// `keys/module.toml`: what the module verifies with, sealed.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ModuleFile {
    /// PVV keys by name, where they are not in the register.
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
    /// The key, where it is not in the register under the rule's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key_block: Option<String>,
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
    let master = master::open(&folder)?;
    let register = keyring::read_register(&folder)?;
    keyring::read_trail(&folder).context("the keys are not what their audit trail says")?;
    let rules = rules(&folder.join("module.toml"))?;
    Ok(SoftModule::new(master, policy, configuration(&register, rules, now())?))
}

fn rules(path: &Path) -> anyhow::Result<ModuleFile> {
    match fs::read_to_string(path) {
        Ok(text) => toml::from_str(&text).with_context(|| format!("{} is damaged", path.display())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(ModuleFile::default()),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}

fn configuration(register: &Register, rules: ModuleFile, now: Timestamp) -> anyhow::Result<Configuration> {
    let in_use = |usage| -> BTreeMap<String, KeyBlock> {
        let keys = register.in_use(usage, now).into_iter();
        keys.filter_map(|key| Some((key.name.as_str().to_owned(), key.key_block()?))).collect()
    };
    let twice = |name: &str| {
        Usage(format!(
            "the key {name:?} is both in keys/module.toml and in the register: take it out of the first"
        ))
    };
    let mut configuration = Configuration::default();
    let registered = in_use(KeyUsage::PinVerificationVisaPvv);
    for (name, key) in rules.pvv {
        if registered.contains_key(&name) {
            return Err(twice(&name).into());
        }
        configuration = configuration.with_pvk(&name, KeyBlock::new(key.key_block));
    }
    for (name, key) in registered {
        configuration = configuration.with_pvk(&name, key);
    }
    let registered = in_use(KeyUsage::PinVerificationIbm3624);
    for (name, rule) in rules.ibm3624 {
        let key = match (rule.key_block.map(KeyBlock::new), registered.get(&name)) {
            (Some(_), Some(_)) => return Err(twice(&name).into()),
            (Some(key), None) => key,
            (None, Some(key)) => key.clone(),
            (None, None) => {
                return Err(Usage(format!(
                    "the IBM 3624 rule {name:?} of keys/module.toml has no key: make an active key of usage V1 with this name"
                ))
                .into());
            }
        };
        configuration =
            configuration.with_ibm3624(&name, key, &rule.decimalisation_table, &rule.validation_data)?;
    }
    Ok(configuration)
}

fn now() -> Timestamp {
    use host::Clock;
    host::SystemClock.now()
}

/// Makes the keys of a new data directory.
pub(crate) fn create(data: &Path, rules: &IssuerRules<'_>) -> anyhow::Result<()> {
    let folder = data.join("keys");
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let master = MasterKeySource::File.create(&folder)?;
    let maker = SoftModule::new(master, KeyPolicy::Sandbox, Configuration::default());
    let block = |usage| maker.generate_key(KeyAttributes::tdes(usage)).map(|block| block.as_str().to_owned());
    let pvv = PvvKey { key_block: block(KeyUsage::PinVerificationVisaPvv)? };
    let ibm3624 = Ibm3624Key {
        key_block: Some(block(KeyUsage::PinVerificationIbm3624)?),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_without_a_key_names_what_to_make() {
        let rules: ModuleFile = toml::from_str(
            "[ibm3624.bank]\ndecimalisation_table = \"0123456789012345\"\nvalidation_data = \"1234567N\"",
        )
        .unwrap();
        let Err(refused) = configuration(&Register::default(), rules, Timestamp(0)) else {
            panic!("accepted")
        };
        assert!(refused.to_string().contains("\"bank\""), "{refused}");
        assert!(configuration(&Register::default(), ModuleFile::default(), Timestamp(0)).is_ok());
    }
}
