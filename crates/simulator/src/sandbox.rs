//! What the simulator knows about a host: `sandbox.json`, written by the host's sandbox beside its data.
//!
//! Test keys and test PINs stand in this file in clear. That is why a sandbox listens on the loopback only, and why nothing else
//! may ever be written in this format.

mod key_set;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use iso8583::Framing;
use model::{Expiry, MerchantId, Pan, Secret, TerminalId};
use serde::{Deserialize, Deserializer, de::Error as _};

use crate::device::Device;
pub use key_set::{KeySet, Sm4Layout, TdesFormat};

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
    /// The terminals that the host knows, with the keys that were loaded into them.
    pub terminals: Vec<TerminalEntry>,
    /// More of them, with keys of other schemes than TDES: a list of its own for readers who expect a `tmk` in every entry
    /// of the first. Here an entry may stand in either.
    #[serde(default)]
    pub scheme_terminals: Vec<TerminalEntry>,
    /// The cards that the issuer knows, with their PINs.
    pub cards: Vec<Card>,
    /// Cards of another bank, to which the host forwards them; their product is `foreign`.
    #[serde(default)]
    pub foreign_cards: Vec<Card>,
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
    /// How messages are authenticated under TDES work keys; the other schemes have a MAC of their own.
    pub mac: MacAlgorithm,
}

/// How a MAC is made with a TDES work key. The key's length is part of it: several terminals use only half of a
/// double-length key.
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
#[serde(try_from = "key_set::EntryAsWritten")]
pub struct TerminalEntry {
    /// DE 41.
    pub tid: TerminalId,
    /// DE 42.
    pub mid: MerchantId,
    /// The merchant's name, for receipts.
    pub merchant: Option<String>,
    /// Which listener it talks to.
    pub listener: usize,
    /// Its keys.
    pub keys: Arc<KeySet>,
    /// Keys that were loaded into it for a migration.
    pub next: Option<NextKeys>,
    /// What it tells about itself; without one it sends no reports.
    pub device: Option<Device>,
}

/// Keys that a terminal can switch to.
#[derive(Debug)]
pub struct NextKeys {
    /// Which listener it talks to with them.
    pub listener: usize,
    /// The keys.
    pub keys: Arc<KeySet>,
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
        self.all_terminals().find(|t| t.tid == id)
    }

    /// Both lists of terminals.
    pub fn all_terminals(&self) -> impl Iterator<Item = &TerminalEntry> {
        self.terminals.iter().chain(&self.scheme_terminals)
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

    const IK_16: &str = "6AC292FAA1315B4D858AB3A3D7D5933A";
    const IK_32: &str = "CE9CE0C101D1138F97FB6CAD4DF045A7083D4EAE2D35A31789D01CCF0949550F";

    /// What a terminal with these fields would have been given.
    fn read(fields: &str) -> Result<String, String> {
        let text = format!(r#"{{"tid":"T0000001","mid":"898510154110283",{fields}}}"#);
        let entry: TerminalEntry = serde_json::from_str(&text).map_err(|e| e.to_string())?;
        let next = entry.next.map_or_else(String::new, |n| format!(", next {:?} at {}", n.keys, n.listener));
        Ok(format!("{:?} at {}{next}", entry.keys, entry.listener))
    }

    #[test]
    fn every_scheme_is_read() {
        for (fields, expected) in [
            (r#""tmk":"0F1E2D3C4B5A69788796A5B4C3D2E1F0""#.to_owned(), "KeySet(tdes 819DB1) at 0"),
            (
                r#""scheme":"tdes","format":"iso3","tmk":"0F1E2D3C4B5A69788796A5B4C3D2E1F0","listener":1"#
                    .to_owned(),
                "KeySet(tdes 819DB1) at 1",
            ),
            (
                r#""scheme":"sm4","tmk":"F351D490994603795C6EBEE8FAEBB481","format":"sm4-layout-2""#
                    .to_owned(),
                "KeySet(sm4 861E83) at 0",
            ),
            (
                format!(
                    r#""scheme":"tdes-dukpt","initial_key":"{IK_16}","ksn":"FFFF9876543210E00000","listener":2"#
                ),
                "KeySet(tdes-dukpt FFFF9876543210E00000) at 2",
            ),
            (
                format!(r#""scheme":"aes-dukpt","initial_key":"{IK_32}","ksn":"123456789012345600000000""#),
                "KeySet(aes-dukpt 123456789012345600000000) at 0",
            ),
            (
                format!(
                    r#""tmk":"0F1E2D3C4B5A69788796A5B4C3D2E1F0","listener":1,
                    "next":{{"scheme":"tdes-dukpt","initial_key":"{IK_16}","ksn":"FFFF9876543210E00000"}}"#
                ),
                "KeySet(tdes 819DB1) at 1, next KeySet(tdes-dukpt FFFF9876543210E00000) at 1",
            ),
            (
                format!(
                    r#""tmk":"0F1E2D3C4B5A69788796A5B4C3D2E1F0","next":{{"scheme":"aes-dukpt","format":"iso4",
                    "initial_key":"{IK_16}","ksn":"123456789012345600000000","listener":3}}"#
                ),
                "KeySet(tdes 819DB1) at 0, next KeySet(aes-dukpt 123456789012345600000000) at 3",
            ),
        ] {
            assert_eq!(read(&fields).as_deref(), Ok(expected), "{fields}");
        }
    }

    #[test]
    fn keys_that_do_not_go_together_are_refused_by_name() {
        let tmk = r#""tmk":"0F1E2D3C4B5A69788796A5B4C3D2E1F0""#;
        for (fields, says) in [
            (r#""listener":0"#.to_owned(), "terminal T0000001: scheme tdes needs tmk"),
            (r#""scheme":"sm4""#.to_owned(), "scheme sm4 needs tmk"),
            (r#""scheme":"rsa""#.to_owned(), "unknown variant `rsa`"),
            (format!(r#""scheme":"tdes-dukpt",{tmk}"#), "scheme tdes-dukpt needs initial_key"),
            (format!(r#""scheme":"tdes-dukpt","initial_key":"{IK_16}""#), "scheme tdes-dukpt needs ksn"),
            (
                format!(r#""scheme":"tdes-dukpt","initial_key":"{IK_16}","ksn":"FFFF9876543210E00001""#),
                "ksn: expected 20 digits whose counter is zero",
            ),
            (
                format!(r#""scheme":"aes-dukpt","initial_key":"{IK_16}","ksn":"FFFF9876543210E00000""#),
                "ksn: expected 24 digits whose counter is zero",
            ),
            (
                format!(r#""scheme":"aes-dukpt","initial_key":"{IK_16}","ksn":"12345678901234560000000Z""#),
                "key serial number",
            ),
            (r#""scheme":"aes-dukpt","initial_key":"00","ksn":"123456789012345600000000""#.to_owned(), "AES"),
            (format!(r#""format":"iso4",{tmk}"#), "PIN block format iso4 does not go with scheme tdes"),
            (format!(r#""format":"iso1",{tmk}"#), "PIN block format iso1 does not go with scheme tdes"),
            (format!(r#""scheme":"sm4","format":"iso0",{tmk}"#), "iso0 does not go with scheme sm4"),
            (
                format!(
                    r#""scheme":"aes-dukpt","format":"iso3","initial_key":"{IK_16}","ksn":"123456789012345600000000""#
                ),
                "iso3 does not go with scheme aes-dukpt",
            ),
            (format!(r#"{tmk},"next":{{"scheme":"sm4"}}"#), "terminal T0000001: next: scheme sm4 needs tmk"),
        ] {
            let error = read(&fields).unwrap_err();
            assert!(error.contains(says), "{fields}: {error}");
        }
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
