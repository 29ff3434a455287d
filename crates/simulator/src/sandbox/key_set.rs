//! The keys that a terminal was loaded with, as `sandbox.json` has them: `scheme`, then `tmk`, or `initial_key` and `ksn`, and
//! `format`. A scheme is a property of a key set, so a terminal that is to migrate has a second one under `next`.
//!
//! What does not go together - a KSN of the wrong width, a PIN block format of another cipher - is refused here, so that the
//! terminal never meets it.

use std::fmt;
use std::sync::Arc;

use model::{KeyScheme, Ksn, MerchantId, PinBlockFormat, Secret, TerminalId};
use paycrypto::dukpt::{aes, tdes};
use paycrypto::kcv::{KcvMethod, check_value};
use paycrypto::key::{Sm4Key, TdesKey};
use serde::Deserialize;

use super::{NextKeys, TerminalEntry};
use crate::device::Device;

/// The keys of one scheme, and how PINs stand in their blocks.
#[allow(clippy::large_enum_variant, reason = "there is one in a terminal, behind an Arc")]
pub enum KeySet {
    /// A TDES terminal master key.
    Tdes {
        /// 16 or 24 bytes.
        tmk: TdesKey,
        /// ISO 0 unless the file says otherwise.
        format: TdesFormat,
    },
    /// A TDES DUKPT device (ANSI X9.24-1).
    TdesDukpt {
        /// What was loaded into it.
        initial_key: tdes::InitialKey,
        /// The device: ten bytes, counter zero.
        ksn: Ksn,
        /// ISO 0 unless the file says otherwise.
        format: TdesFormat,
    },
    /// An AES DUKPT device (ANSI X9.24-3); its PIN blocks are ISO 4.
    AesDukpt {
        /// What was loaded into it.
        initial_key: aes::InitialKey,
        /// The device: twelve bytes, counter zero.
        ksn: Ksn,
    },
    /// An SM4 terminal master key.
    Sm4 {
        /// 16 bytes.
        tmk: Sm4Key,
        /// Layout 1 unless the file says otherwise.
        layout: Sm4Layout,
    },
}

/// PIN block formats of eight bytes that are bound to the account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TdesFormat {
    /// ISO 9564-1:2017, 9.3.2.
    Iso0,
    /// ISO 9564-1:2017, 9.3.5.
    Iso3,
}

/// The two layouts of SM4 PIN blocks (`paycrypto::pin_block`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sm4Layout {
    /// The account number over all sixteen bytes.
    One,
    /// Format 0 and eight zero bytes.
    Two,
}

impl KeySet {
    /// A TDES terminal master key with ISO 0 PIN blocks: what every old file means.
    #[must_use]
    pub fn tdes(tmk: TdesKey) -> Arc<KeySet> {
        Arc::new(KeySet::Tdes { tmk, format: TdesFormat::Iso0 })
    }

    /// Its scheme.
    #[must_use]
    pub fn scheme(&self) -> KeyScheme {
        match self {
            KeySet::Tdes { .. } => KeyScheme::Tdes,
            KeySet::TdesDukpt { .. } => KeyScheme::TdesDukpt,
            KeySet::AesDukpt { .. } => KeyScheme::AesDukpt,
            KeySet::Sm4 { .. } => KeyScheme::Sm4,
        }
    }

    /// What tells it from another set of the same terminal, without a secret: scheme, then device or check value.
    #[must_use]
    pub fn label(&self) -> String {
        let check = match self {
            KeySet::TdesDukpt { ksn, .. } | KeySet::AesDukpt { ksn, .. } => {
                return format!("{} {ksn}", self.scheme());
            }
            KeySet::Tdes { tmk, .. } => check_value(KcvMethod::TdesZeros, tmk, 3),
            KeySet::Sm4 { tmk, .. } => check_value(KcvMethod::Sm4Zeros, tmk, 3),
        };
        format!("{} {}", self.scheme(), check.map(|value| value.to_string()).unwrap_or_default())
    }
}

impl fmt::Debug for KeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeySet({})", self.label())
    }
}

/// One terminal as it stands in the file.
#[derive(Deserialize)]
pub(super) struct EntryAsWritten {
    tid: TerminalId,
    mid: MerchantId,
    #[serde(default, alias = "name")]
    merchant: Option<String>,
    #[serde(flatten)]
    keys: KeysAsWritten,
    #[serde(default)]
    next: Option<KeysAsWritten>,
    #[serde(default)]
    device: Option<Device>,
}

#[derive(Deserialize)]
struct KeysAsWritten {
    #[serde(default)]
    scheme: Option<KeyScheme>,
    #[serde(default)]
    tmk: Option<String>,
    #[serde(default)]
    initial_key: Option<String>,
    #[serde(default)]
    ksn: Option<String>,
    #[serde(default)]
    format: Option<PinBlockFormat>,
    #[serde(default)]
    listener: Option<usize>,
}

impl TryFrom<EntryAsWritten> for TerminalEntry {
    type Error = String;

    fn try_from(written: EntryAsWritten) -> Result<TerminalEntry, String> {
        let EntryAsWritten { tid, mid, merchant, keys, next, device } = written;
        let wrong = |fault: String| format!("terminal {tid}: {fault}");
        // Stories and old files mean the first listener.
        let listener = keys.listener.unwrap_or(0);
        let keys = keys.read().map_err(wrong)?;
        let next = match next {
            Some(next) => {
                let listener = next.listener.unwrap_or(listener);
                Some(NextKeys { listener, keys: next.read().map_err(|f| wrong(format!("next: {f}")))? })
            }
            None => None,
        };
        Ok(TerminalEntry { tid, mid, merchant, listener, keys, next, device })
    }
}

impl KeysAsWritten {
    fn read(self) -> Result<Arc<KeySet>, String> {
        let scheme = self.scheme.unwrap_or(KeyScheme::Tdes);
        let format = self.format.unwrap_or(scheme.usual_format());
        let misfit = || format!("PIN block format {} does not go with scheme {scheme}", format.name());
        let tdes_format = || match format {
            PinBlockFormat::Iso0 => Ok(TdesFormat::Iso0),
            PinBlockFormat::Iso3 => Ok(TdesFormat::Iso3),
            _ => Err(misfit()),
        };
        let key = |text: Option<String>, field: &str| {
            let text = Secret::new(text.ok_or(format!("scheme {scheme} needs {field}"))?);
            hex::decode(text.reveal()).map(Secret::new).map_err(|e| format!("{field}: {e}"))
        };
        let bad = |e: &dyn fmt::Display| e.to_string();
        Ok(Arc::new(match scheme {
            KeyScheme::Tdes => KeySet::Tdes {
                tmk: TdesKey::new(key(self.tmk, "tmk")?.reveal()).map_err(|e| bad(&e))?,
                format: tdes_format()?,
            },
            KeyScheme::Sm4 => KeySet::Sm4 {
                tmk: Sm4Key::from_slice(key(self.tmk, "tmk")?.reveal()).map_err(|e| bad(&e))?,
                layout: match format {
                    PinBlockFormat::Sm4Layout1 => Sm4Layout::One,
                    PinBlockFormat::Sm4Layout2 => Sm4Layout::Two,
                    _ => return Err(misfit()),
                },
            },
            KeyScheme::TdesDukpt => KeySet::TdesDukpt {
                initial_key: tdes::InitialKey::from_bytes(key(self.initial_key, "initial_key")?.reveal())
                    .map_err(|e| bad(&e))?,
                ksn: device(self.ksn, scheme, Ksn::TDES_LEN)?,
                format: tdes_format()?,
            },
            KeyScheme::AesDukpt if format == PinBlockFormat::Iso4 => {
                let ksn = device(self.ksn, scheme, Ksn::AES_LEN)?;
                let id = ksn.as_bytes().first_chunk().ok_or("ksn: too short")?;
                let initial_key =
                    aes::InitialKey::from_bytes(key(self.initial_key, "initial_key")?.reveal(), *id);
                KeySet::AesDukpt { initial_key: initial_key.map_err(|e| bad(&e))?, ksn }
            }
            KeyScheme::AesDukpt => return Err(misfit()),
        }))
    }
}

/// The serial number that was loaded with an initial key: the device alone, no transaction yet.
fn device(text: Option<String>, scheme: KeyScheme, length: usize) -> Result<Ksn, String> {
    let text = text.ok_or(format!("scheme {scheme} needs ksn"))?;
    let ksn: Ksn = text.parse().map_err(|e| format!("{e}"))?;
    match ksn.as_bytes().len() == length && ksn.counter() == 0 {
        true => Ok(ksn),
        false => Err(format!("ksn: expected {} digits whose counter is zero", 2 * length)),
    }
}
