//! `keys.toml`: every key and every waiting component, and how far the trail had come when it was written. It is written
//! whole, beside the old one, and takes its place in one step.

use std::{
    fs,
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use model::Timestamp;
use paycrypto::key_block::KeyUsage;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{ComponentRecord, KeyName, KeyRecord, KeyringError, State, audit::Head};

/// The register's file.
pub(crate) const FILE: &str = "keys.toml";
/// The next one, before it takes its place.
const NEXT_FILE: &str = "keys.toml.new";
/// The layout of this file.
const FORMAT: u32 = 1;
/// Versions of one key at most: the header has two digits.
pub(crate) const VERSIONS_MAX: u8 = 99;
/// Keys at most; a register that grows beyond this is a mistake of a script.
const KEYS_MAX: usize = 10_000;

const PREFACE: &str = "\
# The register of keys: names, usages, check values, states, and the keys themselves, sealed under the master key.
# Read it, keep copies of it; change it only with `pinward key`, which writes the audit trail too.

";

/// What `keys.toml` holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Register {
    format: u32,
    /// The last line of the trail when this was written.
    pub(crate) audit: Head,
    #[serde(default, rename = "key", skip_serializing_if = "Vec::is_empty")]
    pub(crate) keys: Vec<KeyRecord>,
    #[serde(default, rename = "component", skip_serializing_if = "Vec::is_empty")]
    pub(crate) components: Vec<ComponentRecord>,
}

impl Default for Register {
    fn default() -> Self {
        Self { format: FORMAT, audit: Head::default(), keys: Vec::new(), components: Vec::new() }
    }
}

impl Register {
    /// Every key, the destroyed ones too.
    #[must_use]
    pub fn keys(&self) -> &[KeyRecord] {
        &self.keys
    }

    /// Components that wait for the others.
    #[must_use]
    pub fn components(&self) -> &[ComponentRecord] {
        &self.components
    }

    /// How far the trail had come.
    #[must_use]
    pub fn head(&self) -> &Head {
        &self.audit
    }

    /// SHA-256 of all keys and components. Their JSON is hashed, so comments and order of lines do not matter; a field
    /// that a later release adds must be left out while it is empty, or the hashes of older lines fail.
    pub(crate) fn digest(&self) -> String {
        let text = serde_json::to_string(&(&self.keys, &self.components)).unwrap_or_default();
        hex::encode(Sha256::digest(text.as_bytes()))
    }

    /// All versions of a key, the newest first.
    #[must_use]
    pub fn versions(&self, name: &KeyName) -> Vec<&KeyRecord> {
        let mut found: Vec<&KeyRecord> = self.keys.iter().filter(|key| key.name == *name).collect();
        found.sort_by_key(|key| std::cmp::Reverse(key.version));
        found
    }

    /// The versions of a key that may be used now, the newest first: while an old one runs out there are two.
    #[must_use]
    pub fn active(&self, name: &KeyName, now: Timestamp) -> Vec<&KeyRecord> {
        self.versions(name).into_iter().filter(|key| key.state_at(now) == State::Active).collect()
    }

    /// The newest active key of every name with this usage: what a security module works with.
    #[must_use]
    pub fn in_use(&self, usage: KeyUsage, now: Timestamp) -> Vec<&KeyRecord> {
        let mut newest: std::collections::BTreeMap<&KeyName, &KeyRecord> = std::collections::BTreeMap::new();
        let active = self.keys.iter().filter(|key| key.usage == usage && key.state_at(now) == State::Active);
        for key in active {
            let held = newest.entry(&key.name).or_insert(key);
            if held.version < key.version {
                *held = key;
            }
        }
        newest.into_values().collect()
    }

    /// One version, or the newest that still exists.
    ///
    /// # Errors
    /// [`KeyringError::NoKey`].
    pub fn find(&self, name: &KeyName, version: Option<u8>) -> Result<&KeyRecord, KeyringError> {
        self.versions(name)
            .into_iter()
            .find(|key| version.map_or(key.state != State::Destroyed, |wanted| wanted == key.version))
            .ok_or_else(|| KeyringError::NoKey { name: name.clone(), version })
    }

    pub(crate) fn find_mut(&mut self, name: &KeyName, version: u8) -> Result<&mut KeyRecord, KeyringError> {
        self.keys
            .iter_mut()
            .find(|key| key.name == *name && key.version == version)
            .ok_or_else(|| KeyringError::NoKey { name: name.clone(), version: Some(version) })
    }

    /// The version that the next key of a name has.
    pub(crate) fn next_version(&self, name: &KeyName) -> Result<u8, KeyringError> {
        let newest = self.versions(name);
        if let Some(pending) = newest.iter().find(|key| key.state == State::Pending) {
            return Err(KeyringError::Pending { name: name.clone(), version: pending.version });
        }
        match newest.first().map_or(0, |key| key.version) {
            version if version < VERSIONS_MAX && self.keys.len() < KEYS_MAX => Ok(version + 1),
            _ => Err(KeyringError::Full(name.clone())),
        }
    }

    /// Reads the register of a folder; `None` when there is none yet.
    pub(crate) fn read(folder: &Path) -> Result<Option<Self>, KeyringError> {
        let path = folder.join(FILE);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(KeyringError::File { path, source }),
        };
        let damaged = |why: String| KeyringError::Damaged { path: path.clone(), why };
        let register: Self = toml::from_str(&text).map_err(|e| damaged(e.to_string()))?;
        if register.format != FORMAT {
            return Err(damaged(format!("format {} is not known to this release", register.format)));
        }
        for (at, key) in register.keys.iter().enumerate() {
            if register.keys[..at].iter().any(|k| k.name == key.name && k.version == key.version) {
                return Err(damaged(format!("{} is there twice", key.label())));
            }
            if key.key_block().is_none() != (key.state == State::Destroyed) {
                return Err(damaged(format!("{} is {} and has no key", key.label(), key.state)));
            }
        }
        Ok(Some(register))
    }

    /// Writes the register in one step.
    pub(crate) fn write(&self, folder: &Path) -> Result<(), KeyringError> {
        let (path, next) = (folder.join(FILE), folder.join(NEXT_FILE));
        let file = |source| KeyringError::File { path: path.clone(), source };
        let body = toml::to_string(self)
            .map_err(|e| KeyringError::Damaged { path: path.clone(), why: e.to_string() })?;
        let written = || -> io::Result<()> {
            let _ = fs::remove_file(&next); // of a step that was interrupted
            let mut to = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&next)?;
            to.write_all(PREFACE.as_bytes())?;
            to.write_all(body.as_bytes())?;
            to.sync_all()?;
            fs::rename(&next, &path)?;
            fs::File::open(folder)?.sync_all()
        };
        written().map_err(file)
    }
}
