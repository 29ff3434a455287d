//! What can be wrong with a step, by whose fault it is. No key material stands in any of these.

use std::{io, path::PathBuf};

use hsm::soft::CeremonyError;

use crate::{Finding, KeyName, Origin, Person, audit::AuditFault};

/// A step that was not done.
#[derive(Debug, thiserror::Error)]
pub enum KeyringError {
    /// A name that is none.
    #[error("{0}")]
    Name(String),
    /// A file could not be read or written.
    #[error("{path}: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The register does not read.
    #[error(
        "{path} is damaged: {why}; restore the folder from its back-up, and compare with the trail before using it"
    )]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// In which way.
        why: String,
    },
    /// The register is gone, its trail is there.
    #[error("{0} is missing although there is an audit trail: restore both from the same back-up")]
    NoRegister(PathBuf),
    /// The trail does not hold together.
    #[error(
        "the audit trail is not whole: {0}; nothing is changed before somebody has looked into it (docs/guides/key-ceremony.md, \"When something is wrong\")"
    )]
    Audit(AuditFault),
    /// The register is not what the trail says.
    #[error(
        "keys.toml is not what the audit trail says: {}; nothing is changed before somebody has looked into it: restore keys.toml and audit.jsonl together from one back-up (docs/guides/key-ceremony.md, \"When something is wrong\")",
        .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
    )]
    Altered(Vec<Finding>),
    /// A line was written and its step was not; this process goes no further.
    #[error("the step before this one was not finished: begin again")]
    Unfinished,
    /// Somebody else is at it.
    #[error("another step of the ceremony is under way in {0}: wait until it is done")]
    Busy(PathBuf),
    /// The security module refuses.
    #[error(transparent)]
    Ceremony(#[from] CeremonyError),
    /// The key does not exist.
    #[error("no key {name}{}; `pinward key list` shows all", version.map_or(String::new(), |v| format!(" version {v}")))]
    NoKey {
        /// Its name.
        name: KeyName,
        /// The version that was asked for.
        version: Option<u8>,
    },
    /// One person in two roles that take two.
    #[error("{0} cannot be both operator and second: two people are needed")]
    OnePerson(Person),
    /// A custodian gives two components.
    #[error(
        "{custodian} already gave part {part} of {name}: each component is known to one custodian, each custodian knows one"
    )]
    SameCustodian {
        /// Who.
        custodian: Person,
        /// Which part.
        part: u8,
        /// Of which key.
        name: KeyName,
    },
    /// Two components that are one.
    #[error(
        "this is part {part} of {name} over again: two equal components cancel out, and two people would know one secret; have a new one made"
    )]
    SameComponent {
        /// Which part.
        part: u8,
        /// Of which key.
        name: KeyName,
    },
    /// A custodian of the key would put it together.
    #[error("{operator} is a custodian of {name} and cannot combine it: somebody else must")]
    OperatorIsCustodian {
        /// Who.
        operator: Person,
        /// Of which key.
        name: KeyName,
    },
    /// Number of a part, or of parts.
    #[error("part {part} of {of}: parts are numbered from 1, and there are 2 to 9 of them")]
    Part {
        /// Which.
        part: u8,
        /// Of how many.
        of: u8,
    },
    /// The part is there already.
    #[error(
        "part {part} of {name} was already given by {custodian}; `pinward key discard {name}` starts over"
    )]
    PartTaken {
        /// Which part.
        part: u8,
        /// Of which key.
        name: KeyName,
        /// By whom.
        custodian: Person,
    },
    /// The parts say different things about their key.
    #[error(
        "part {part} of {name} differs from the parts given before in usage, cipher, mode, length, exportability or number of parts"
    )]
    Disagree {
        /// Which part.
        part: u8,
        /// Of which key.
        name: KeyName,
    },
    /// Not all parts are there.
    #[error("{name} has no part {missing} yet: every custodian gives one before they are combined")]
    PartMissing {
        /// Of which key.
        name: KeyName,
        /// The first that is missing.
        missing: u8,
    },
    /// There are no components.
    #[error("no components of {0} are waiting")]
    NoComponents(KeyName),
    /// A version is already waiting.
    #[error("{name} version {version} is pending: activate or destroy it before a next one is made")]
    Pending {
        /// Which key.
        name: KeyName,
        /// Which version.
        version: u8,
    },
    /// The next version of a key that others know too cannot be random.
    #[error("{key} was {origin}: a random next version would be known here alone; {way}")]
    NotRotated {
        /// Which key.
        key: String,
        /// How it came to be.
        origin: Origin,
        /// How its next version comes.
        way: String,
    },
    /// Components are waiting for a key that would be made another way.
    #[error("components of {0} are waiting: combine or discard them first")]
    ComponentsWaiting(KeyName),
    /// Too many.
    #[error("{0} has had 99 versions, or the register is full: choose a new name")]
    Full(KeyName),
    /// The key is in another state than the step needs.
    #[error("{key} is {state}: {needs}")]
    State {
        /// Which key.
        key: String,
        /// Its state.
        state: String,
        /// What the step needs.
        needs: &'static str,
    },
    /// The same key is here under another name.
    #[error(
        "this is the same key as {other} (check value {check_value}): one key has one name and one purpose (PCI PIN 19, 20)"
    )]
    SameKey {
        /// The one that is here.
        other: String,
        /// Its check value.
        check_value: String,
    },
    /// A cryptogram outside a sandbox, without the word that it is meant.
    #[error(
        "a cryptogram has no integrity and says nothing about the key's usage (PCI PIN 18-3): ask the sender for a key block, or accept it explicitly"
    )]
    CryptogramNotAccepted,
}

impl KeyringError {
    /// Does the trail note that this was tried? What a rule forbids, or what may be an attack, is; a slip of the keyboard
    /// is not.
    #[must_use]
    pub fn is_for_the_trail(&self) -> bool {
        match self {
            Self::SameCustodian { .. }
            | Self::SameComponent { .. }
            | Self::OperatorIsCustodian { .. }
            | Self::SameKey { .. }
            | Self::CryptogramNotAccepted => true,
            Self::Ceremony(error) => !matches!(
                error,
                CeremonyError::Spec(_) | CeremonyError::Components(_) | CeremonyError::Randomness(_)
            ),
            _ => false,
        }
    }
}
