//! One record: who did or saw what, why, and how it ended. Its line, byte for byte, is the leaf of the tree.

use model::Timestamp;
use serde::{Deserialize, Serialize};

use crate::tree::{self, Hash};

/// One thing that somebody did or saw. Never a PIN, key, code or whole card number: cards stand here by their id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// Its place, from 0.
    pub index: u64,
    /// When, in milliseconds since 1970, UTC.
    pub at: Timestamp,
    /// Who: the account's name, or `system`.
    pub actor: String,
    /// In which roles.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<String>,
    /// Through which session or token: its public id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// What, as `noun.verb`, such as `card.unlock` or `transaction.view`.
    pub action: String,
    /// To what, as `kind:id`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
    /// Why, in the actor's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// How it ended.
    pub outcome: Outcome,
    /// What else is to be known, such as the second person or the amount.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<serde_json::Value>,
    /// The leaf hash of the record before; zeros in the first. The tree alone would do, the chain names the bad entry.
    #[serde(with = "hash")]
    pub previous: Hash,
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It was done, or seen.
    Done,
    /// It was refused: not allowed, not proven, wrong state.
    Refused,
    /// It failed on our side.
    Failed,
}

/// Before the first record there is none.
pub const NO_RECORD: Hash = Hash([0; 32]);

/// A record could not be written as a line.
#[derive(Debug, thiserror::Error)]
#[error("a record cannot be written: {0}")]
pub struct Unwritable(#[from] serde_json::Error);

impl Record {
    /// The record's line, without the line feed. It is made once and stored: the bytes are what is hashed.
    ///
    /// # Errors
    /// [`Unwritable`] when its details are no JSON.
    pub fn line(&self) -> Result<String, Unwritable> {
        Ok(serde_json::to_string(self)?)
    }

    /// The leaf hash of a line.
    #[must_use]
    pub fn hash(line: &str) -> Hash {
        tree::leaf(line.as_bytes())
    }
}

mod hash {
    use serde::{Deserialize, Deserializer, Serializer, de::Error as _};

    use crate::tree::Hash;

    pub(super) fn serialize<S: Serializer>(hash: &Hash, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(hash)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Hash, D::Error> {
        String::deserialize(from)?.parse().map_err(D::Error::custom)
    }
}
