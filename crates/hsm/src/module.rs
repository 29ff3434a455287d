//! The verbs of a security module, as an HSM's host commands speak them: generate, translate, verify, MAC.
//!
//! Keys go in and out only as key blocks. The PAN comes from the transaction, never from a caller's argument of its
//! own, so no verb has room for a second one; decimalisation tables and PVK indexes come from the module's configuration
//! by name. Whatever is wrong with a PIN block, the caller learns one thing: [`Unverifiable::PinBlockFormat`] or
//! [`PinOutcome::Mismatch`]; the exact cause stays in the module's counters. A PIN block under a derived key is looked at
//! only with proof that its key serial number was never used before ([`AdmittedKsn`]).

use async_trait::async_trait;
use model::{
    AdmittedKsn, CardId, HolderDigits, KeyBlock, KeyScheme, Ksn, NOBODY, Pan, PinBlockFormat, PinOutcome,
    PinReference, PinRules, PinVerified, Unverifiable,
};
use zeroize::Zeroize;

/// A security module: soft, or a host security module behind a socket.
#[async_trait]
pub trait SecurityModule: Send + Sync {
    /// What this module is, for logs, the console and `/readyz`, such as `soft (not a secure cryptographic device)`.
    fn describe(&self) -> String;

    /// Is it a secure cryptographic device (ISO 13491)? The soft module says no, everywhere.
    fn is_secure_device(&self) -> bool;

    /// Can it make this authentication code? Asked once, before a listener is opened.
    fn supports_mac(&self, algorithm: MacAlgorithm) -> bool;

    /// Can it work under keys of this scheme?
    fn supports_scheme(&self, scheme: KeyScheme) -> bool;

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
        key: MacKey<'_>,
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
        key: MacKey<'_>,
        algorithm: MacAlgorithm,
        message: &[u8],
    ) -> Result<[u8; 8], ModuleError>;

    /// Decrypts a PIN block, checks its form against the transaction's PAN, and compares the PIN with the card's
    /// reference. Only a well-formed block whose PIN is wrong is a mismatch; every fault is `Unverifiable`.
    async fn verify_pin(&self, request: VerifyPin<'_>) -> PinOutcome;

    /// Decrypts a PIN block, checks its form against the transaction's PAN, and encrypts the PIN for the next zone, for
    /// the same PAN: the PAN of both blocks is the one of the transaction. Which formats may become which is PCI PIN
    /// 3-3, as data in `policy/translation.toml`.
    ///
    /// # Errors
    /// [`Unverifiable`]: one uniform refusal for every block that is none; a forbidden pair is `Unsupported`.
    async fn translate_pin(&self, request: TranslatePin<'_>) -> Result<EncryptedPinBlock, Unverifiable>;

    /// Verifies a cardholder's PIN and, only if it is right, makes the reference for the new one: both in one call, so
    /// that nobody can compute references for PIN blocks at will (Berkman and Ostrovsky, 2007). The new PIN is held against
    /// the issuer's rules in here, where it is clear; a device has its own table of excluded PINs instead.
    ///
    /// # Errors
    /// [`PinChangeRefused`].
    async fn change_pin(&self, request: ChangePin<'_>) -> Result<PinChanged, PinChangeRefused>;

    /// Begins the entry of a new PIN on the holder's own page: a fresh key for one PIN of one card, signed with the module's
    /// long-term key. Only after the caller has made sure that a PIN of this card may be set or changed.
    ///
    /// # Errors
    /// [`ModuleError::Unsupported`]: a payShield's host commands have no such channel.
    async fn open_pin_entry(&self, card: &CardId) -> Result<PinEntry, ModuleError> {
        let _ = card;
        Err(ModuleError::Unsupported("PIN entry on the holder's page".to_owned()))
    }

    /// Takes the PIN that was entered and makes its reference. Each entry counts once, whatever comes of it, so that references
    /// are made no faster than entries are begun.
    ///
    /// # Errors
    /// [`SetPinRefused`].
    async fn set_pin(&self, request: SetPin<'_>) -> Result<PinReference, SetPinRefused> {
        let _ = request;
        Err(SetPinRefused::Unreadable(Unverifiable::Unsupported))
    }

    /// Takes the present PIN and a new one that were entered together. Verifies the present one against `like` and, only if it is
    /// right, makes the new one's reference: [`Self::change_pin`] for a page. An entry that is none says nothing about either.
    ///
    /// # Errors
    /// [`PinChangeRefused`].
    async fn change_entered_pin(&self, request: SetPin<'_>) -> Result<PinChanged, PinChangeRefused> {
        let _ = request;
        Err(PinChangeRefused::Unverifiable(Unverifiable::Unsupported))
    }
}

/// Under which key a PIN block is.
pub enum PinKey<'a> {
    /// A terminal or zone PIN key (usage P0).
    Key(&'a KeyBlock),
    /// The PIN key of one transaction (DUKPT), derived from a base derivation key (usage B0).
    Derived {
        /// The base derivation key.
        bdk: &'a KeyBlock,
        /// The transaction, used by this request alone.
        ksn: &'a AdmittedKsn,
    },
}

/// Under which key a message is authenticated. With DUKPT requests and answers have different keys (X9.24-1 A.4.1,
/// X9.24-3 6.3.2).
#[derive(Debug, Clone, Copy)]
pub enum MacKey<'a> {
    /// A terminal or zone MAC key.
    Key(&'a KeyBlock),
    /// The MAC key of one transaction.
    Derived {
        /// The base derivation key.
        bdk: &'a KeyBlock,
        /// The transaction.
        ksn: Ksn,
        /// Whose message it is.
        direction: Direction,
    },
}

/// Who made a message, seen from the terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// The terminal.
    Request,
    /// The host.
    Answer,
}

/// What is needed to verify one PIN.
pub struct VerifyPin<'a> {
    /// The card the evidence will be bound to.
    pub card: CardId,
    /// The PAN of the transaction.
    pub pan: &'a Pan,
    /// Under which key.
    pub key: PinKey<'a>,
    /// DE 52.
    pub block: EncryptedPinBlock,
    /// The format that the terminal's key set uses.
    pub format: PinBlockFormat,
    /// What the PIN is compared with.
    pub reference: &'a PinReference,
}

/// What is needed to translate one PIN block.
pub struct TranslatePin<'a> {
    /// The PAN of the transaction: of both blocks.
    pub pan: &'a Pan,
    /// Under which key it came.
    pub from: PinKey<'a>,
    /// DE 52.
    pub block: EncryptedPinBlock,
    /// Its format.
    pub from_format: PinBlockFormat,
    /// The next zone's PIN key (usage P0, encrypt).
    pub zone_key: &'a KeyBlock,
    /// The format that the next zone wants.
    pub to_format: PinBlockFormat,
}

/// What is needed to change one PIN.
pub struct ChangePin<'a> {
    /// The PIN as it is: verified first.
    pub verify: VerifyPin<'a>,
    /// The block of the new PIN, under the same key and in the same format.
    pub new_block: EncryptedPinBlock,
    /// What the new PIN must be like.
    pub rules: NewPinRules<'a>,
}

/// What a new PIN is held against. Bounded: the module looks at no more than [`PinRules::HISTORY_MAX`] earlier references.
#[derive(Debug, Clone, Copy)]
pub struct NewPinRules<'a> {
    /// The product's rules.
    pub rules: PinRules,
    /// The holder's own numbers.
    pub holder: &'a HolderDigits,
    /// References of earlier PINs, the newest first; the present one need not be among them.
    pub earlier: &'a [PinReference],
}

impl NewPinRules<'static> {
    /// Whatever ISO 9564-1 allows, for anybody.
    #[must_use]
    pub fn any() -> Self {
        Self { rules: PinRules::ANY, holder: &NOBODY, earlier: &[] }
    }
}

/// A PIN was changed.
#[derive(Debug, PartialEq, Eq)]
pub struct PinChanged {
    /// The old PIN was right.
    pub verified: PinVerified,
    /// What the new one is compared with from now on.
    pub reference: PinReference,
}

/// A PIN was not changed.
#[derive(Debug, PartialEq, Eq)]
pub enum PinChangeRefused {
    /// The old PIN is wrong: counts as a try.
    Mismatch,
    /// Nothing was learnt about the old PIN, or the new block is none: nothing is counted.
    Unverifiable(Unverifiable),
    /// The new PIN is not allowed: guessable, used before, or of the wrong length. One answer for every rule. It is no proof
    /// that the old one is right: a device may look at the new one first.
    NewPinRefused,
}

/// What the holder's page needs to encrypt one PIN for the module. Nothing of it is secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PinEntry {
    /// Its name; the salt of the key's derivation.
    pub id: [u8; 16],
    /// Ephemeral public key: a point of P-256, uncompressed (SEC 1, 2.3.3).
    pub key: Vec<u8>,
    /// Ed25519 signature (RFC 8032) of context, id and key.
    pub signature: Vec<u8>,
    /// The long-term public key that signed.
    pub signer: Vec<u8>,
}

/// A PIN that was entered on the holder's page; or the present one and a new one, for a change.
pub struct SetPin<'a> {
    /// The card.
    pub card: CardId,
    /// Its number.
    pub pan: &'a Pan,
    /// Which entry.
    pub entry: [u8; 16],
    /// The page's ephemeral public key.
    pub key: &'a [u8],
    /// Nonce, cipher text and tag.
    pub sealed: &'a [u8],
    /// What the PIN must be like.
    pub rules: NewPinRules<'a>,
    /// A reference of the same kind and key as the one to be made; for a change, the present PIN's.
    pub like: &'a PinReference,
}

/// No reference was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SetPinRefused {
    /// No such entry: used, forgotten, another card's, or its cipher text is none. One answer for all.
    NoSuchEntry,
    /// The PIN is not allowed.
    NewPinRefused,
    /// The module's trouble.
    Unreadable(Unverifiable),
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

/// How messages are authenticated with a terminal (listener profile).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MacAlgorithm {
    /// UnionPay ECB MAC with the first 8 bytes of the key (`cup-ecb-8`): 8 upper-case hex characters.
    CupEcb8,
    /// UnionPay ECB MAC with the double-length key (`cup-ecb-16`): 8 upper-case hex characters.
    CupEcb16,
    /// ANSI X9.19 retail MAC, 8 binary bytes (`x919`).
    X919,
    /// CMAC with AES (NIST SP 800-38B), its leftmost 8 bytes (`cmac`).
    Cmac,
    /// UnionPay's MAC with SM4: 8 upper-case hex characters (`cup-sm4`).
    CupSm4,
}

impl MacAlgorithm {
    /// The fixed name, as in `sandbox.json` and the configuration.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::CupEcb8 => "cup-ecb-8",
            Self::CupEcb16 => "cup-ecb-16",
            Self::X919 => "x919",
            Self::Cmac => "cmac",
            Self::CupSm4 => "cup-sm4",
        }
    }

    /// The algorithm under keys of a scheme: the listener's own for TDES work keys, else the scheme's.
    #[must_use]
    pub fn under(scheme: KeyScheme, of_listener: Self) -> Self {
        match scheme {
            KeyScheme::Tdes => of_listener,
            KeyScheme::TdesDukpt => Self::X919,
            KeyScheme::AesDukpt => Self::Cmac,
            KeyScheme::Sm4 => Self::CupSm4,
        }
    }
}

impl std::str::FromStr for MacAlgorithm {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // What a listener may name; the others belong to their key schemes.
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
    /// NMIC 006: TPK and TAK for SM4, 40 bytes. Which layout UnionPay has here no public source tells.
    Sm4,
}

/// Working keys fresh from the module.
pub struct GeneratedWorkKeys {
    /// Terminal PIN key (usage P0).
    pub tpk: KeyBlock,
    /// Terminal MAC key (usage M3 for X9.19 and UnionPay ECB, M1 for SM4).
    pub tak: KeyBlock,
    /// Terminal track data key (usage D0), when the layout has one.
    pub tdk: Option<KeyBlock>,
    /// Each key under the TMK (ECB) with its 4-byte check value, in the order of DE 62.
    pub for_terminal: Vec<u8>,
    /// Check values in the same order, for people.
    pub check_values: Vec<CheckValue>,
}

/// The leftmost bytes of a zero block under a key (TDES, SM4): names a key without revealing it.
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
