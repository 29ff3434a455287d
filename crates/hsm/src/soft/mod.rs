//! The soft module: the verbs of [`SecurityModule`] in this process. It is not a secure cryptographic device
//! (ISO 13491) and says so wherever it appears: for tests, development and closed loops. PINs and keys are clear in
//! this process's memory for the length of one call, or of the key cache.
//!
//! Keys at rest are version D key blocks (ANSI X9.143) under the module's [`MasterKey`], opened on first use and
//! kept in a bounded cache; what a key may be used for is checked on every call. Every failure of a PIN block costs the
//! same work and gives the same answer; the cause is counted inside, in [`IntegrityCounters`].

mod cache;
pub mod ceremony;
mod configuration;
mod integrity;
mod macs;
mod master_key;
mod opened_key;
mod pin_blocks;
mod pin_entry;
mod references;
mod seal;
mod test_keys;
mod weak_keys;
mod work_keys;

use std::sync::Arc;

use async_trait::async_trait;
use model::{
    CardId, KeyBlock, KeyScheme, Pan, PinOutcome, PinReference, PinRules, PinVerified, Unverifiable,
};
use paycrypto::{
    key::adjust_parity,
    key_block::Algorithm,
    pin::{Account12, PanForPin, Pin},
    pin_verify::Verdict,
};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

pub use ceremony::{Ceremony, CeremonyError, KeySpec};
pub use configuration::{Configuration, ConfigurationError, Ibm3624Profile};
pub use integrity::{IntegrityCounters, IntegritySnapshot};
pub use master_key::{MasterKey, MasterKeyError, MasterKeySource, PASSPHRASE_MIN, Passphrase};
pub use seal::KeyAttributes;
pub use test_keys::ReferenceMethod;

use crate::{
    module::{
        ChangePin, EncryptedPinBlock, GeneratedWorkKeys, MacAlgorithm, MacKey, MacOutcome, ModuleError,
        NewPinRules, PinChangeRefused, PinChanged, PinEntry, SecurityModule, SetPin, SetPinRefused,
        TranslatePin, VerifyPin, WorkKeyLayout,
    },
    pin_rules,
    translation::{PanOfTranslation, allows},
};
use cache::Opened;
use opened_key::Purpose;

/// Which keys the module takes in clear or at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyPolicy {
    /// Test keys may be imported in clear, and published or weak ones used.
    Sandbox,
    /// Nothing clear, nothing weak.
    Production,
}

/// A security module in software.
pub struct SoftModule {
    master: MasterKey,
    policy: KeyPolicy,
    configuration: Configuration,
    keys: cache::KeyCache,
    integrity: IntegrityCounters,
    entries: pin_entry::Entries,
}

impl SoftModule {
    /// A module with its master key and the verification keys it may use by name.
    #[must_use]
    pub fn new(master: MasterKey, policy: KeyPolicy, configuration: Configuration) -> Self {
        Self {
            master,
            policy,
            configuration,
            keys: cache::KeyCache::default(),
            integrity: IntegrityCounters::default(),
            entries: pin_entry::Entries::default(),
        }
    }

    /// How often PIN blocks failed, by cause: for auditors of the module, never for callers.
    #[must_use]
    pub fn integrity(&self) -> IntegritySnapshot {
        self.integrity.snapshot()
    }

    fn key(&self, block: &KeyBlock, purpose: Purpose) -> Result<Arc<Opened>, ModuleError> {
        self.keys.get_or_open(block, purpose, || seal::open(&self.master, self.policy, block))
    }

    fn verify(&self, request: &VerifyPin<'_>) -> Result<Verdict, Unverifiable> {
        let pan = PanOfPin::new(request.pan).map_err(|e| Unverifiable::from(&e))?;
        let opened = self.open_pin(&request.key, &request.block, request.format, &pan)?;
        let verdict = self.compare(request.reference, &opened.pin, &pan.account)?;
        self.uniform(opened.fault)?;
        Ok(verdict)
    }

    fn translate(&self, request: &TranslatePin<'_>) -> Result<EncryptedPinBlock, Unverifiable> {
        if !allows(request.from_format, request.to_format, PanOfTranslation::Same) {
            return Err(Unverifiable::Unsupported);
        }
        let pan = PanOfPin::new(request.pan).map_err(|e| Unverifiable::from(&e))?;
        let opened = self.open_pin(&request.from, &request.block, request.from_format, &pan)?;
        // Encrypted for the next zone before the verdict, so that a block that is none costs the same.
        let out = self.close_pin(request.zone_key, request.to_format, &pan, &opened.pin)?;
        self.uniform(opened.fault)?;
        Ok(out)
    }

    fn change(&self, request: &ChangePin<'_>) -> Result<PinChanged, PinChangeRefused> {
        let fault = PinChangeRefused::Unverifiable;
        let old = &request.verify;
        let pan = PanOfPin::new(old.pan).map_err(|e| fault(Unverifiable::from(&e)))?;
        let before = self.open_pin(&old.key, &old.block, old.format, &pan).map_err(fault)?;
        let after = self.open_pin(&old.key, &request.new_block, old.format, &pan).map_err(fault)?;
        let verdict = self.compare(old.reference, &before.pin, &pan.account).map_err(fault)?;
        self.uniform(before.fault).map_err(fault)?;
        if verdict == Verdict::Wrong {
            return Err(PinChangeRefused::Mismatch);
        }
        self.uniform(after.fault).map_err(fault)?;
        self.replace(old.card, old.reference, &request.rules, &pan, [&before.pin, &after.pin])
    }

    /// The present PIN and the new one were entered on the holder's page.
    fn change_entered(&self, request: &SetPin<'_>) -> Result<PinChanged, PinChangeRefused> {
        let fault = PinChangeRefused::Unverifiable;
        let pan = PanOfPin::new(request.pan).map_err(|e| fault(Unverifiable::from(&e)))?;
        let [before, after] = self.entered(request).map_err(fault)?;
        if self.compare(request.like, &before, &pan.account).map_err(fault)? == Verdict::Wrong {
            return Err(PinChangeRefused::Mismatch);
        }
        self.replace(request.card, request.like, &request.rules, &pan, [&before, &after])
    }

    /// The old PIN was right: may the new one take its place?
    fn replace(
        &self,
        card: CardId,
        reference: &PinReference,
        rules: &NewPinRules<'_>,
        pan: &PanOfPin,
        [before, after]: [&Pin; 2],
    ) -> Result<PinChanged, PinChangeRefused> {
        let same = bool::from(before.ct_eq(after));
        if same | !self.allows(rules, after, pan) {
            return Err(PinChangeRefused::NewPinRefused);
        }
        let verified = PinVerified::attest(card);
        let made = self.make_reference(&ReferenceMethod::of(reference), after, &pan.account);
        let fault = |e| PinChangeRefused::Unverifiable(Unverifiable::from(&e));
        made.map(|reference| PinChanged { verified, reference }).map_err(fault)
    }

    /// Is it a PIN that the issuer's rules allow, and none of the earlier ones? A reference whose key is gone says nothing.
    fn allows(&self, by: &NewPinRules<'_>, pin: &Pin, pan: &PanOfPin) -> bool {
        let earlier = by.earlier.iter().take(usize::from(PinRules::HISTORY_MAX));
        let used = earlier.fold(false, |used, reference| {
            used | matches!(self.compare(reference, pin, &pan.account), Ok(Verdict::Right))
        });
        let allowed = pin_rules::allows(&by.rules, pin.expose_digits(), pan.whole.expose_digits(), by.holder);
        allowed & !used
    }

    /// Counts why a block was none, and says outwards only that.
    fn uniform(&self, fault: Option<paycrypto::pin_block::PinBlockError>) -> Result<(), Unverifiable> {
        match fault {
            None => Ok(()),
            Some(fault) => {
                self.integrity.count(fault);
                Err(Unverifiable::PinBlockFormat)
            }
        }
    }
}

#[async_trait]
impl SecurityModule for SoftModule {
    fn describe(&self) -> String {
        "soft module (not a secure cryptographic device)".to_owned()
    }

    fn is_secure_device(&self) -> bool {
        false
    }

    fn supports_mac(&self, _algorithm: MacAlgorithm) -> bool {
        true
    }

    fn supports_scheme(&self, _scheme: KeyScheme) -> bool {
        true
    }

    async fn check(&self) -> Result<(), ModuleError> {
        Ok(())
    }

    async fn generate_work_keys(
        &self,
        tmk: &KeyBlock,
        layout: WorkKeyLayout,
    ) -> Result<GeneratedWorkKeys, ModuleError> {
        self.make_work_keys(tmk, layout)
    }

    async fn verify_mac(
        &self,
        key: MacKey<'_>,
        algorithm: MacAlgorithm,
        message: &[u8],
        received: &[u8; 8],
    ) -> Result<MacOutcome, ModuleError> {
        let computed = self.mac(key, algorithm, message)?;
        Ok(match paycrypto::mac::verify(&computed, received) {
            Ok(()) => MacOutcome::Valid,
            Err(_) => MacOutcome::Invalid,
        })
    }

    async fn generate_mac(
        &self,
        key: MacKey<'_>,
        algorithm: MacAlgorithm,
        message: &[u8],
    ) -> Result<[u8; 8], ModuleError> {
        self.mac(key, algorithm, message)
    }

    async fn verify_pin(&self, request: VerifyPin<'_>) -> PinOutcome {
        match self.verify(&request) {
            Ok(Verdict::Right) => PinOutcome::Verified(PinVerified::attest(request.card)),
            Ok(Verdict::Wrong) => PinOutcome::Mismatch,
            Err(cause) => PinOutcome::Unverifiable(cause),
        }
    }

    async fn translate_pin(&self, request: TranslatePin<'_>) -> Result<EncryptedPinBlock, Unverifiable> {
        self.translate(&request)
    }

    async fn change_pin(&self, request: ChangePin<'_>) -> Result<PinChanged, PinChangeRefused> {
        self.change(&request)
    }

    async fn open_pin_entry(&self, card: &CardId) -> Result<PinEntry, ModuleError> {
        self.begin_entry(card)
    }

    async fn set_pin(&self, request: SetPin<'_>) -> Result<PinReference, SetPinRefused> {
        self.end_entry(&request)
    }

    async fn change_entered_pin(&self, request: SetPin<'_>) -> Result<PinChanged, PinChangeRefused> {
        self.change_entered(&request)
    }
}

/// The transaction's PAN in the two forms that PIN blocks need.
struct PanOfPin {
    whole: PanForPin,
    account: Account12,
}

impl PanOfPin {
    fn new(pan: &Pan) -> Result<Self, ModuleError> {
        let whole = PanForPin::new(pan.reveal()).map_err(|e| ModuleError::Unsupported(e.to_string()))?;
        let account = whole.account12();
        Ok(Self { whole, account })
    }
}

/// Random bytes of a key. For TDES with odd parity, halves that differ, and none of them weak (NIST SP 800-67 Rev. 2,
/// 3.4.2).
fn fresh<const N: usize>(algorithm: Algorithm) -> Result<Zeroizing<[u8; N]>, ModuleError> {
    const ATTEMPTS: usize = 16; // one weak key in 2^50 tries; sixteen in a row is a broken generator
    for _ in 0..ATTEMPTS {
        let mut clear = Zeroizing::new([0; N]);
        getrandom::fill(&mut *clear).map_err(|e| ModuleError::Away(format!("no randomness: {e}")))?;
        if algorithm == Algorithm::Tdea {
            adjust_parity(&mut *clear);
        }
        if weak_keys::fault(algorithm, &*clear).is_none() {
            return Ok(clear);
        }
    }
    Err(ModuleError::Away("the random generator gives weak keys only".to_owned()))
}

fn unknown_key(name: &str) -> ModuleError {
    ModuleError::KeyRefused(format!("no key named {name:?} is configured"))
}
