//! What the simulator knows about a host: `sandbox.json`, written by the host's sandbox beside its data.
//!
//! Test keys and test PINs stand in this file in clear. That is why a sandbox listens on the loopback only, and why nothing else
//! may ever be written in this format.

use std::path::{Path, PathBuf};

use iso8583::Framing;
use model::{Expiry, MerchantId, Pan, Secret, TerminalId};
use paycrypto::key::TdesKey;
use serde::{Deserialize, Deserializer, de::Error as _};

/// The name of the file in a data directory.
pub const FILE_NAME: &str = "sandbox.json";

/// The whole file.
#[derive(Debug, Deserialize)]
pub struct Sandbox {
    /// Where the host listens, and in which language.
    pub listeners: Vec<Listener>,
    /// The console's address.
    #[serde(default)]
    pub console: Option<String>,
    /// The terminals that the host knows, with their master keys.
    pub terminals: Vec<TerminalEntry>,
    /// The cards that the issuer knows, with their PINs.
    pub cards: Vec<Card>,
    /// Where the file was, and where terminals keep their memory. `None` for a sandbox made in memory.
    #[serde(skip)]
    pub directory: Option<PathBuf>,
}

/// One listener.
#[derive(Debug, Clone, Deserialize)]
pub struct Listener {
    /// `host:port`.
    pub address: String,
    /// The name of a built-in dialect, such as `cup-pos`.
    pub dialect: String,
    /// Its framing, such as `len2+tpdu+header`.
    #[serde(deserialize_with = "framing")]
    pub framing: Framing,
    /// How messages are authenticated.
    pub mac: MacAlgorithm,
}

/// How a MAC is made. The key's length is part of it: several terminals use only half of a double-length key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum MacAlgorithm {
    /// UnionPay ECB with the first eight bytes of the MAC key.
    #[serde(rename = "cup-ecb-8")]
    CupEcb8,
    /// UnionPay ECB with all sixteen.
    #[serde(rename = "cup-ecb-16")]
    CupEcb16,
    /// ANSI X9.19.
    #[serde(rename = "x919")]
    X919,
}

/// One terminal.
#[derive(Debug, Deserialize)]
pub struct TerminalEntry {
    /// DE 41.
    pub tid: TerminalId,
    /// DE 42.
    pub mid: MerchantId,
    /// The merchant's name, for receipts.
    #[serde(default, alias = "name")]
    pub merchant: Option<String>,
    /// The terminal master key.
    #[serde(deserialize_with = "tdes_key")]
    pub tmk: TdesKey,
    /// Which listener it talks to.
    #[serde(default)]
    pub listener: usize,
}

/// One card.
#[derive(Debug, Deserialize)]
pub struct Card {
    /// Its number.
    #[serde(deserialize_with = "pan")]
    pub pan: Pan,
    /// Its expiry date.
    #[serde(deserialize_with = "expiry")]
    pub expiry: Expiry,
    /// Its PIN.
    #[serde(deserialize_with = "secret")]
    pub pin: Secret<String>,
    /// The name of its product.
    pub product: String,
}

/// Why there is no sandbox.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// The file cannot be read.
    #[error("cannot read {path}: start a sandbox first, or say --data DIR")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is something else.
    #[error("{path} is not a sandbox file")]
    Format {
        /// The file.
        path: PathBuf,
        /// Where and why.
        source: serde_json::Error,
    },
}

impl Sandbox {
    /// Reads the file.
    ///
    /// # Errors
    /// [`SandboxError`].
    pub fn read(path: &Path) -> Result<Sandbox, SandboxError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| SandboxError::Read { path: path.to_owned(), source })?;
        let mut sandbox: Sandbox = serde_json::from_str(&text)
            .map_err(|source| SandboxError::Format { path: path.to_owned(), source })?;
        sandbox.directory = path.parent().map(Path::to_owned);
        Ok(sandbox)
    }

    /// The terminal of this number.
    #[must_use]
    pub fn terminal(&self, id: TerminalId) -> Option<&TerminalEntry> {
        self.terminals.iter().find(|t| t.tid == id)
    }

    /// The listener that a terminal talks to.
    #[must_use]
    pub fn listener_of(&self, terminal: &TerminalEntry) -> Option<&Listener> {
        self.listeners.get(terminal.listener)
    }
}

impl Card {
    /// A PIN of the same length that is not this card's: every digit is one more.
    #[must_use]
    pub fn wrong_pin(&self) -> Secret<String> {
        let next = |c: char| c.to_digit(10).map_or('1', |d| char::from(b'0' + ((d + 1) % 10) as u8));
        Secret::new(self.pin.reveal().chars().map(next).collect())
    }
}

fn framing<'de, D: Deserializer<'de>>(from: D) -> Result<Framing, D::Error> {
    String::deserialize(from)?.parse().map_err(D::Error::custom)
}

fn pan<'de, D: Deserializer<'de>>(from: D) -> Result<Pan, D::Error> {
    String::deserialize(from)?.parse().map_err(D::Error::custom)
}

fn expiry<'de, D: Deserializer<'de>>(from: D) -> Result<Expiry, D::Error> {
    String::deserialize(from)?.parse().map_err(D::Error::custom)
}

fn secret<'de, D: Deserializer<'de>>(from: D) -> Result<Secret<String>, D::Error> {
    String::deserialize(from).map(Secret::new)
}

fn tdes_key<'de, D: Deserializer<'de>>(from: D) -> Result<TdesKey, D::Error> {
    let text = Secret::new(String::deserialize(from)?);
    let bytes = hex::decode(text.reveal()).map(Secret::new).map_err(D::Error::custom)?;
    TdesKey::new(bytes.reveal()).map_err(D::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: &str = r#"{"listeners":[{"address":"127.0.0.1:8583","dialect":"cup-pos","framing":"len2+tpdu+header",
        "mac":"cup-ecb-8"}],"console":"http://127.0.0.1:8080",
        "terminals":[{"tid":"T0000001","mid":"898510154110283","tmk":"0F1E2D3C4B5A69788796A5B4C3D2E1F0","listener":0}],
        "cards":[{"pan":"6216261000000000018","expiry":"3012","pin":"123459","product":"debit-standard"}]}"#;

    #[test]
    fn a_sandbox_is_read_and_shows_no_secret() {
        let sandbox: Sandbox = serde_json::from_str(SAMPLE).unwrap();
        let shown = format!("{sandbox:?}");
        assert!(
            !shown.contains("123459") && !shown.contains("0F1E2D") && !shown.contains("6216261000000000018")
        );
        assert_eq!(sandbox.cards[0].wrong_pin().reveal(), "234560");
    }

    #[test]
    fn a_wrong_value_is_named() {
        for (good, bad, says) in [
            ("cup-ecb-8", "hmac", "unknown variant"),
            ("len2+tpdu+header", "len3", "unknown framing"),
            ("\"3012\"", "\"3013\"", "expiry date"),
            ("0F1E2D3C", "0F1E", "TDES key"),
        ] {
            let error = serde_json::from_str::<Sandbox>(&SAMPLE.replace(good, bad)).unwrap_err().to_string();
            assert!(error.contains(says), "{bad}: {error}");
        }
    }
}
