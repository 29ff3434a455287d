//! One key, and one component of a key, as the register has them.

use std::{fmt, str::FromStr};

use hsm::soft::{
    KeyAttributes,
    ceremony::{KeySpec, SealedKey},
};
use model::{KeyBlock, Timestamp};
use paycrypto::key_block::{Algorithm, Exportability, KeyUsage, ModeOfUse};
use serde::{Deserialize, Serialize};

use crate::{KeyringError, Person, words};

/// Characters of a key's name at most.
const NAME_MAX: usize = 40;

/// A key's name: lower-case letters, digits, dots and dashes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KeyName(String);

impl KeyName {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for KeyName {
    type Err = KeyringError;

    fn from_str(text: &str) -> Result<Self, KeyringError> {
        let allowed = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || b"-._".contains(&c);
        let first = text.bytes().next().is_some_and(|c| c.is_ascii_alphanumeric());
        match first && text.len() <= NAME_MAX && text.bytes().all(allowed) {
            true => Ok(Self(text.to_owned())),
            false => Err(KeyringError::Name(format!(
                "a key's name has 1 to {NAME_MAX} of a-z, 0-9, '-', '.', '_', the first a letter or digit: {text:?}"
            ))),
        }
    }
}

impl TryFrom<String> for KeyName {
    type Error = KeyringError;

    fn try_from(text: String) -> Result<Self, KeyringError> {
        text.parse()
    }
}

impl From<KeyName> for String {
    fn from(name: KeyName) -> String {
        name.0
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where a key is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Made, not yet in use.
    Pending,
    /// In use.
    Active,
    /// No longer in use; still there, for what was made with it.
    Retired,
    /// Gone: only the record of it is left.
    Destroyed,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pending => "pending",
            Self::Active => "active",
            Self::Retired => "retired",
            Self::Destroyed => "destroyed",
        })
    }
}

/// How a key came to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// Put together from components.
    Components,
    /// Made inside; nobody ever knew it.
    Generated,
    /// Came in a key block.
    ImportedBlock,
    /// Came as a cryptogram without integrity.
    ImportedCryptogram,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Components => "from components",
            Self::Generated => "generated inside",
            Self::ImportedBlock => "imported in a key block",
            Self::ImportedCryptogram => "imported as a cryptogram without integrity",
        })
    }
}

/// One version of a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyRecord {
    /// Its name.
    pub name: KeyName,
    /// 1 to 99; rotation makes the next one.
    pub version: u8,
    /// Where it is in its life; see also [`KeyRecord::state_at`].
    pub state: State,
    /// Usage (X9.143:2021, Table 2).
    #[serde(with = "words::usage")]
    pub usage: KeyUsage,
    /// Cipher.
    #[serde(with = "words::algorithm")]
    pub algorithm: Algorithm,
    /// Mode of use (Table 4).
    #[serde(with = "words::mode")]
    pub mode: ModeOfUse,
    /// Exportability (Table 6).
    #[serde(with = "words::exportability")]
    pub exportability: Exportability,
    /// Length in bits.
    pub length_bits: u16,
    /// Check value, three bytes in hexadecimal.
    pub check_value: String,
    /// How it is made.
    pub check_method: String,
    /// How the key came to be.
    pub origin: Origin,
    /// Who gave components.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub custodians: Vec<Person>,
    /// Who made, combined or imported it.
    pub operators: Vec<Person>,
    /// The version whose place it takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<u8>,
    /// When it came to be.
    #[serde(with = "words::time")]
    pub created: Timestamp,
    /// When it went into use.
    #[serde(with = "words::maybe_time", default, skip_serializing_if = "Option::is_none")]
    pub activated: Option<Timestamp>,
    /// When it went out of use, or will: an active key may have its end set when the next version takes over.
    #[serde(with = "words::maybe_time", default, skip_serializing_if = "Option::is_none")]
    pub retired: Option<Timestamp>,
    /// When it was destroyed.
    #[serde(with = "words::maybe_time", default, skip_serializing_if = "Option::is_none")]
    pub destroyed: Option<Timestamp>,
    /// The key, sealed; none once it is destroyed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) key_block: Option<String>,
}

impl KeyRecord {
    /// The record of a key that was just made; pending.
    pub(crate) fn pending(
        name: &KeyName,
        version: u8,
        key: &SealedKey,
        origin: Origin,
        now: Timestamp,
    ) -> Self {
        let of = key.spec.attributes;
        Self {
            name: name.clone(),
            version,
            state: State::Pending,
            usage: of.usage,
            algorithm: of.algorithm,
            mode: of.mode,
            exportability: key.spec.exportability,
            length_bits: u16::try_from(key.spec.length * 8).unwrap_or_default(),
            check_value: key.check_value.to_string(),
            check_method: words::check_method(of.algorithm).to_owned(),
            origin,
            custodians: Vec::new(),
            operators: Vec::new(),
            replaces: None,
            created: now,
            activated: None,
            retired: None,
            destroyed: None,
            key_block: Some(key.block.as_str().to_owned()),
        }
    }

    /// The key, sealed; `None` once it is destroyed.
    #[must_use]
    pub fn key_block(&self) -> Option<KeyBlock> {
        self.key_block.clone().map(KeyBlock::new)
    }

    pub(crate) fn set_key_block(&mut self, block: Option<KeyBlock>) {
        self.key_block = block.map(|block| block.as_str().to_owned());
    }

    /// What it is for.
    #[must_use]
    pub fn spec(&self) -> KeySpec {
        KeySpec {
            attributes: KeyAttributes { usage: self.usage, algorithm: self.algorithm, mode: self.mode },
            exportability: self.exportability,
            length: usize::from(self.length_bits / 8),
        }
    }

    /// Its state at a moment: an active key whose end has come is retired.
    #[must_use]
    pub fn state_at(&self, now: Timestamp) -> State {
        match self.state {
            State::Active if self.retired.is_some_and(|end| end <= now) => State::Retired,
            state => state,
        }
    }

    /// Name and version, such as `visa-pvk version 2`: also the label in its key block.
    #[must_use]
    pub fn label(&self) -> String {
        label(&self.name, self.version)
    }
}

/// Name and version in one text.
pub(crate) fn label(name: &KeyName, version: u8) -> String {
    format!("{name} version {version}")
}

/// The key version of a header (X9.143:2021, 6.2, bytes 9 and 10).
pub(crate) fn header_version(version: u8) -> [u8; 2] {
    [b'0' + version / 10 % 10, b'0' + version % 10]
}

/// A component that waits for the others of its key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ComponentRecord {
    /// The key's name.
    pub name: KeyName,
    /// The version that the key will have.
    pub version: u8,
    /// Which component, from 1.
    pub part: u8,
    /// How many there will be.
    pub of: u8,
    /// Who gave it.
    pub custodian: Person,
    /// Usage of the key.
    #[serde(with = "words::usage")]
    pub usage: KeyUsage,
    /// Its cipher.
    #[serde(with = "words::algorithm")]
    pub algorithm: Algorithm,
    /// Its mode of use.
    #[serde(with = "words::mode")]
    pub mode: ModeOfUse,
    /// Its exportability.
    #[serde(with = "words::exportability")]
    pub exportability: Exportability,
    /// Its length in bits.
    pub length_bits: u16,
    /// The component's check value.
    pub check_value: String,
    /// When it was given.
    #[serde(with = "words::time")]
    pub created: Timestamp,
    /// The component, sealed.
    pub(crate) key_block: String,
}

impl ComponentRecord {
    pub(crate) fn new(
        name: &KeyName,
        version: u8,
        (part, of): (u8, u8),
        custodian: &Person,
        component: &SealedKey,
    ) -> Self {
        let attributes = component.spec.attributes;
        Self {
            name: name.clone(),
            version,
            part,
            of,
            custodian: custodian.clone(),
            usage: attributes.usage,
            algorithm: attributes.algorithm,
            mode: attributes.mode,
            exportability: component.spec.exportability,
            length_bits: u16::try_from(component.spec.length * 8).unwrap_or_default(),
            check_value: component.check_value.to_string(),
            created: Timestamp(0),
            key_block: component.block.as_str().to_owned(),
        }
    }

    /// The component, sealed.
    #[must_use]
    pub fn key_block(&self) -> KeyBlock {
        KeyBlock::new(self.key_block.clone())
    }

    /// What the key will be for.
    #[must_use]
    pub fn spec(&self) -> KeySpec {
        KeySpec {
            attributes: KeyAttributes { usage: self.usage, algorithm: self.algorithm, mode: self.mode },
            exportability: self.exportability,
            length: usize::from(self.length_bits / 8),
        }
    }
}
