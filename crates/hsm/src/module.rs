//! The verbs of a security module, as an HSM's host commands speak them: generate, verify, MAC.
//!
//! Keys go in and out only as key blocks. The PAN comes from the transaction, never from a caller's argument of its
//! own; decimalisation tables and PVK indexes come from the module's configuration by name. Whatever is wrong with a
//! PIN block, the caller learns one thing: [`Unverifiable::PinBlockFormat`] or [`PinOutcome::Mismatch`]; the exact
//! cause stays in the module's counters.

use async_trait::async_trait;
use model::{CardId, KeyBlock, Pan, PinOutcome, PinReference, Unverifiable};
use zeroize::Zeroize;

/// A security module: soft, or a host security module behind a socket.
#[async_trait]
pub trait SecurityModule: Send + Sync {
    /// What this module is, for logs, the console and `/readyz`, such as `soft (not a secure cryptographic device)`.
    fn describe(&self) -> String;

    /// Is it a secure cryptographic device (ISO 13491)? The soft module says no, everywhere.
    fn is_secure_device(&self) -> bool;

    /// Asks the module whether it works.
    ///
    /// # Errors
    /// [`ModuleError`] when it does not.
    async fn check(&self) -> Result<(), ModuleError>;

    /// Makes fresh working keys for a terminal at sign-in, twice: as key blocks for us, and under the terminal's
    /// master key (TMK) with check values for the terminal (UnionPay DE 62).
    ///
    /// # Errors
    /// [`ModuleError`] when the TMK's block is refused or the module is away.
    async fn generate_work_keys(
        &self,
        tmk: &KeyBlock,
        layout: WorkKeyLayout,
    ) -> Result<GeneratedWorkKeys, ModuleError>;

    /// Compares a message's authentication code, in constant time.
    ///
    /// # Errors
    /// [`ModuleError`] when the key's block is refused or the module is away; a wrong code is not an error.
    async fn verify_mac(
        &self,
        tak: &KeyBlock,
        algorithm: MacAlgorithm,
        message: &[u8],
        mac: &[u8; 8],
    ) -> Result<MacOutcome, ModuleError>;

    /// Makes the authentication code of a message.
    ///
    /// # Errors
    /// [`ModuleError`] when the key's block is refused or the module is away.
    async fn generate_mac(
        &self,
        tak: &KeyBlock,
        algorithm: MacAlgorithm,
        message: &[u8],
    ) -> Result<[u8; 8], ModuleError>;

    /// Decrypts a PIN block, checks its form against the transaction's PAN, and compares the PIN with the card's
    /// reference. Only a well-formed block whose PIN is wrong is a mismatch; every fault is `Unverifiable`.
    async fn verify_pin(&self, request: VerifyPin<'_>) -> PinOutcome;
}

/// What is needed to verify one PIN.
pub struct VerifyPin<'a> {
    /// The card the evidence will be bound to.
    pub card: CardId,
    /// The PAN of the transaction.
    pub pan: &'a Pan,
    /// Terminal PIN key (usage P0).
    pub tpk: &'a KeyBlock,
    /// DE 52.
    pub block: EncryptedPinBlock,
    /// The format that the terminal's profile uses.
    pub format: PinBlockFormat,
    /// What the PIN is compared with.
    pub reference: &'a PinReference,
}

/// DE 52 as it came: 8 bytes under TDES, 16 under AES and SM4. Wiped after use, prints as stars, never stored.
pub struct EncryptedPinBlock {
    bytes: [u8; 16],
    len: usize,
}

impl EncryptedPinBlock {
    /// Takes 8 or 16 bytes.
    #[must_use]
    pub fn new(block: &[u8]) -> Option<Self> {
        let mut bytes = [0; 16];
        if block.len() != 8 && block.len() != 16 {
            return None;
        }
        bytes[..block.len()].copy_from_slice(block);
        Some(Self { bytes, len: block.len() })
    }

    /// The cipher text.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

impl Drop for EncryptedPinBlock {
    fn drop(&mut self) {
        self.bytes.zeroize();
    }
}

impl std::fmt::Debug for EncryptedPinBlock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("EncryptedPinBlock(***)")
    }
}

/// PIN block formats that a terminal profile may name (ISO 9564-1:2017).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PinBlockFormat {
    /// Format 0 (ANSI X9.8, "with PAN" in UnionPay's words), 9.3.2.
    Iso0,
}

/// How messages are authenticated with a terminal (listener profile).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MacAlgorithm {
    /// UnionPay ECB MAC with the first 8 bytes of the key (`cup-ecb-8`): 8 upper-case hex characters.
    CupEcb8,
    /// UnionPay ECB MAC with the double-length key (`cup-ecb-16`): 8 upper-case hex characters.
    CupEcb16,
    /// ANSI X9.19 retail MAC, 8 binary bytes (`x919`).
    X919,
}

impl MacAlgorithm {
    /// The fixed name, as in `sandbox.json` and the configuration.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::CupEcb8 => "cup-ecb-8",
            Self::CupEcb16 => "cup-ecb-16",
            Self::X919 => "x919",
        }
    }
}

impl std::str::FromStr for MacAlgorithm {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        [Self::CupEcb8, Self::CupEcb16, Self::X919]
            .into_iter()
            .find(|a| a.name() == text)
            .ok_or_else(|| format!("unknown MAC algorithm {text:?}: expected cup-ecb-8, cup-ecb-16 or x919"))
    }
}

/// Which working keys DE 62 of the sign-in reply carries (UnionPay's network function: docs/reference/rules.md S1, S2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WorkKeyLayout {
    /// NMIC 003: TPK and TAK, double length, 40 bytes.
    DoubleLength,
    /// NMIC 004: TPK, TAK and TDK, double length, 60 bytes.
    DoubleLengthWithTrackKey,
}

/// Working keys fresh from the module.
pub struct GeneratedWorkKeys {
    /// Terminal PIN key (usage P0).
    pub tpk: KeyBlock,
    /// Terminal MAC key (usage M3 for X9.19 and UnionPay ECB).
    pub tak: KeyBlock,
    /// Terminal track data key (usage D0), when the layout has one.
    pub tdk: Option<KeyBlock>,
    /// Each key under the TMK (TDES ECB) with its 4-byte check value, in the order of DE 62.
    pub for_terminal: Vec<u8>,
    /// Check values in the same order, for people.
    pub check_values: Vec<CheckValue>,
}

/// The leftmost bytes of a zero block under a key (TDES): names a key without revealing it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CheckValue(pub [u8; 4]);

impl std::fmt::Display for CheckValue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|b| write!(f, "{b:02X}"))
    }
}

/// Is the code the message's?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MacOutcome {
    /// Yes.
    Valid,
    /// No: damaged, forged, or keys out of step. No PIN is looked at.
    Invalid,
}

/// The module could not do its work. Never a statement about a PIN.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ModuleError {
    /// The key block is damaged, of another usage, or under another master key.
    #[error("key block refused: {0}")]
    KeyRefused(String),
    /// Not something this module does.
    #[error("not supported by this security module: {0}")]
    Unsupported(String),
    /// Unreachable, too slow, or stopped.
    #[error("security module away: {0}")]
    Away(String),
}

impl From<&ModuleError> for Unverifiable {
    fn from(error: &ModuleError) -> Self {
        match error {
            ModuleError::KeyRefused(_) => Self::Key,
            ModuleError::Unsupported(_) => Self::Unsupported,
            ModuleError::Away(_) => Self::ModuleUnavailable,
        }
    }
}
