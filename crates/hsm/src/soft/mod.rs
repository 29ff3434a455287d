//! The soft module: the verbs of [`SecurityModule`] in this process. It is not a secure cryptographic device
//! (ISO 13491) and says so wherever it appears: for tests, development and closed loops. PINs and keys are clear in
//! this process's memory for the length of one call, or of the key cache.
//!
//! Keys at rest are version D key blocks (ANSI X9.143) under the module's [`MasterKey`], opened on first use and
//! kept in a bounded cache. Every failure of a PIN block costs the same work and gives the same answer; the cause is
//! counted inside, in [`IntegrityCounters`].

mod cache;
mod configuration;
mod integrity;
mod master_key;
mod seal;

use async_trait::async_trait;
use model::{CardId, KeyBlock, Pan, PinOutcome, PinReference, PinVerified, Unverifiable};
use paycrypto::{
    kcv::{KcvMethod, check_value},
    key::{TdesKey, adjust_parity},
    key_block::KeyUsage,
    mac,
    pin::{Account12, PanForPin, Pin},
    pin_block::{ClearPinBlock, PinBlockError, decode_format_0},
    pin_verify::{Verdict, ibm3624, pvv},
};
use zeroize::Zeroizing;

pub use configuration::{Configuration, ConfigurationError, Ibm3624Profile};
pub use integrity::{IntegrityCounters, IntegritySnapshot};
pub use master_key::{MasterKey, MasterKeyError};

use crate::module::{
    CheckValue, GeneratedWorkKeys, MacAlgorithm, MacOutcome, ModuleError, PinBlockFormat, SecurityModule,
    VerifyPin, WorkKeyLayout,
};

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
        }
    }

    /// Seals a clear test key. Only in a sandbox: elsewhere keys come in as components or key blocks.
    ///
    /// # Errors
    /// [`ModuleError::KeyRefused`] outside a sandbox, or when it is no double-length key.
    pub fn import_test_key(&self, usage: KeyUsage, clear: &[u8]) -> Result<KeyBlock, ModuleError> {
        if self.policy != KeyPolicy::Sandbox {
            return Err(ModuleError::KeyRefused("clear keys are taken in sandbox mode only".to_owned()));
        }
        seal::wrap_tdes(&self.master, usage, clear)
    }

    /// Makes a fresh double-length key and seals it.
    ///
    /// # Errors
    /// [`ModuleError::Away`] when the system gives no randomness.
    pub fn generate_key(&self, usage: KeyUsage) -> Result<KeyBlock, ModuleError> {
        let clear = fresh_double_length()?;
        seal::wrap_tdes(&self.master, usage, &*clear)
    }

    /// The reference an issuer keeps for a PIN: the PVV of the configured key. Only in a sandbox, where PINs of test
    /// cards are known.
    ///
    /// # Errors
    /// [`ModuleError`] outside a sandbox, or for an unknown key or a PIN that is none.
    pub fn test_reference_pvv(
        &self,
        key: &str,
        pvki: u8,
        pan: &Pan,
        pin: &str,
    ) -> Result<PinReference, ModuleError> {
        let (pin, account) = self.test_pin(pan, pin)?;
        let pvk = self.verification_key(self.configuration.pvk(key), KeyUsage::PinVerificationVisaPvv)?;
        let index = pvv::Pvki::new(pvki).map_err(|e| ModuleError::KeyRefused(e.to_string()))?;
        let value = pvv::generate(&pvk, index, &pin, &account);
        Ok(PinReference::Pvv { key: key.to_owned(), pvki, pvv: value.expose_ascii() })
    }

    /// The reference an issuer keeps for a PIN: the IBM 3624 offset, over all digits of the PIN. Only in a sandbox.
    ///
    /// # Errors
    /// As [`test_reference_pvv`](Self::test_reference_pvv).
    pub fn test_reference_ibm3624(
        &self,
        key: &str,
        pan: &Pan,
        pin: &str,
    ) -> Result<PinReference, ModuleError> {
        let (pin, account) = self.test_pin(pan, pin)?;
        let profile = self.configuration.ibm3624(key).ok_or_else(|| unknown_key(key))?;
        let pvk = self.verification_key(Some(&profile.key), KeyUsage::PinVerificationIbm3624)?;
        let data = profile.validation_data(&account)?;
        let offset = ibm3624::offset(&pvk, &profile.table, data, &pin, pin.len())
            .map_err(|e| ModuleError::KeyRefused(e.to_string()))?;
        Ok(PinReference::Ibm3624 { key: key.to_owned(), offset: offset.expose_ascii().to_vec() })
    }

    /// How often PIN blocks failed, by cause: for auditors of the module, never for callers.
    #[must_use]
    pub fn integrity(&self) -> IntegritySnapshot {
        self.integrity.snapshot()
    }

    fn test_pin(&self, pan: &Pan, pin: &str) -> Result<(Pin, Account12), ModuleError> {
        if self.policy != KeyPolicy::Sandbox {
            return Err(ModuleError::KeyRefused("clear PINs are taken in sandbox mode only".to_owned()));
        }
        let pin = Pin::from_ascii(pin.as_bytes()).map_err(|e| ModuleError::Unsupported(e.to_string()))?;
        Ok((pin, account(pan)?))
    }

    fn key(&self, block: &KeyBlock, usage: KeyUsage) -> Result<std::sync::Arc<TdesKey>, ModuleError> {
        self.keys.get_or_open(block, usage, || seal::unwrap_tdes(&self.master, self.policy, block, usage))
    }

    fn verification_key(
        &self,
        block: Option<&KeyBlock>,
        usage: KeyUsage,
    ) -> Result<std::sync::Arc<TdesKey>, ModuleError> {
        self.key(block.ok_or_else(|| unknown_key("PIN verification key"))?, usage)
    }

    fn mac(&self, tak: &KeyBlock, algorithm: MacAlgorithm, message: &[u8]) -> Result<[u8; 8], ModuleError> {
        let key = self.key(tak, KeyUsage::Mac97971Algorithm3)?;
        Ok(match algorithm {
            MacAlgorithm::CupEcb8 => mac::union_pay_ecb(&key.first_part(), message),
            MacAlgorithm::CupEcb16 => mac::union_pay_ecb(&*key, message),
            MacAlgorithm::X919 => mac::x9_19(&key, message),
        })
    }

    /// Decrypts and checks the block. A block that is none is replaced by a PIN of zeros so that the comparison that
    /// follows costs the same.
    fn open_block(&self, request: &VerifyPin<'_>, account: &Account12) -> Result<OpenedBlock, Unverifiable> {
        let tpk = self.key(request.tpk, KeyUsage::PinEncryption).map_err(|e| Unverifiable::from(&e))?;
        let block: &[u8; 8] = request.block.as_bytes().try_into().map_err(|_| Unverifiable::Unsupported)?;
        let clear = ClearPinBlock::decrypt(&tpk, block);
        let decoded = match request.format {
            PinBlockFormat::Iso0 => decode_format_0(&clear, account),
        };
        let stand_in = || Pin::from_ascii(b"0000").map_err(|_| Unverifiable::Unsupported);
        Ok(match decoded {
            Ok(pin) => OpenedBlock { pin, fault: None },
            Err(fault) => OpenedBlock { pin: stand_in()?, fault: Some(fault) },
        })
    }

    fn compare(
        &self,
        reference: &PinReference,
        pin: &Pin,
        account: &Account12,
    ) -> Result<Verdict, Unverifiable> {
        match reference {
            PinReference::Pvv { key, pvki, pvv: stored } => {
                let pvk =
                    self.verification_key(self.configuration.pvk(key), KeyUsage::PinVerificationVisaPvv);
                let pvk = pvk.map_err(|e| Unverifiable::from(&e))?;
                let index = pvv::Pvki::new(*pvki).map_err(|_| Unverifiable::NoReference)?;
                let stored = pvv::Pvv::from_ascii(stored).map_err(|_| Unverifiable::NoReference)?;
                Ok(pvv::verify(&pvk, index, pin, account, &stored))
            }
            PinReference::Ibm3624 { key, offset } => {
                let profile = self.configuration.ibm3624(key).ok_or(Unverifiable::Key)?;
                let pvk = self.verification_key(Some(&profile.key), KeyUsage::PinVerificationIbm3624);
                let pvk = pvk.map_err(|e| Unverifiable::from(&e))?;
                let data = profile.validation_data(account).map_err(|e| Unverifiable::from(&e))?;
                let stored = ibm3624::Offset::from_ascii(offset).map_err(|_| Unverifiable::NoReference)?;
                let verdict = ibm3624::verify(&pvk, &profile.table, data, &stored, pin, offset.len())
                    .map_err(|_| Unverifiable::NoReference)?;
                // The offset was made over the whole PIN: a longer entry with the right beginning is another PIN.
                Ok(if pin.len() == offset.len() { verdict } else { Verdict::Wrong })
            }
        }
    }

    fn verify(&self, request: &VerifyPin<'_>) -> Result<Verdict, Unverifiable> {
        let account = account(request.pan).map_err(|_| Unverifiable::Unsupported)?;
        let opened = self.open_block(request, &account)?;
        let verdict = self.compare(request.reference, &opened.pin, &account)?;
        match opened.fault {
            None => Ok(verdict),
            Some(fault) => {
                self.integrity.count(fault);
                Err(Unverifiable::PinBlockFormat)
            }
        }
    }
}

struct OpenedBlock {
    pin: Pin,
    fault: Option<PinBlockError>,
}

#[async_trait]
impl SecurityModule for SoftModule {
    fn describe(&self) -> String {
        "soft module (not a secure cryptographic device)".to_owned()
    }

    fn is_secure_device(&self) -> bool {
        false
    }

    async fn check(&self) -> Result<(), ModuleError> {
        Ok(())
    }

    async fn generate_work_keys(
        &self,
        tmk: &KeyBlock,
        layout: WorkKeyLayout,
    ) -> Result<GeneratedWorkKeys, ModuleError> {
        let tmk = self.key(tmk, KeyUsage::KeyEncryption)?;
        let mut keys =
            WorkKeyMaker { module: self, tmk: &tmk, for_terminal: Vec::new(), check_values: Vec::new() };
        let tpk = keys.make(KeyUsage::PinEncryption)?;
        let tak = keys.make(KeyUsage::Mac97971Algorithm3)?;
        let tdk = match layout {
            WorkKeyLayout::DoubleLength => None,
            WorkKeyLayout::DoubleLengthWithTrackKey => Some(keys.make(KeyUsage::Data)?),
        };
        let WorkKeyMaker { for_terminal, check_values, .. } = keys;
        Ok(GeneratedWorkKeys { tpk, tak, tdk, for_terminal, check_values })
    }

    async fn verify_mac(
        &self,
        tak: &KeyBlock,
        algorithm: MacAlgorithm,
        message: &[u8],
        received: &[u8; 8],
    ) -> Result<MacOutcome, ModuleError> {
        let computed = self.mac(tak, algorithm, message)?;
        Ok(match mac::verify(&computed, received) {
            Ok(()) => MacOutcome::Valid,
            Err(_) => MacOutcome::Invalid,
        })
    }

    async fn generate_mac(
        &self,
        tak: &KeyBlock,
        algorithm: MacAlgorithm,
        message: &[u8],
    ) -> Result<[u8; 8], ModuleError> {
        self.mac(tak, algorithm, message)
    }

    async fn verify_pin(&self, request: VerifyPin<'_>) -> PinOutcome {
        let card: CardId = request.card;
        match self.verify(&request) {
            Ok(Verdict::Right) => PinOutcome::Verified(PinVerified::attest(card)),
            Ok(Verdict::Wrong) => PinOutcome::Mismatch,
            Err(cause) => PinOutcome::Unverifiable(cause),
        }
    }
}

/// Makes working keys one after the other, in the order of DE 62.
struct WorkKeyMaker<'a> {
    module: &'a SoftModule,
    tmk: &'a TdesKey,
    for_terminal: Vec<u8>,
    check_values: Vec<CheckValue>,
}

impl WorkKeyMaker<'_> {
    fn make(&mut self, usage: KeyUsage) -> Result<KeyBlock, ModuleError> {
        let clear = fresh_double_length()?;
        let key = TdesKey::double(&clear);
        let value = check_value(KcvMethod::TdesZeros, &key, 4)
            .map_err(|e| ModuleError::Unsupported(e.to_string()))?;
        let mut first_four = [0; 4];
        first_four.copy_from_slice(value.bytes());
        self.for_terminal.extend_from_slice(&seal::encrypt_under_tmk(self.tmk, &clear));
        self.for_terminal.extend_from_slice(&first_four);
        self.check_values.push(CheckValue(first_four));
        seal::wrap_tdes(&self.module.master, usage, &*clear)
    }
}

/// Sixteen random bytes with odd parity whose halves differ and are not weak (NIST SP 800-67 Rev. 2, 3.4.2).
fn fresh_double_length() -> Result<Zeroizing<[u8; 16]>, ModuleError> {
    const ATTEMPTS: usize = 16; // one weak key in 2^50 tries; sixteen in a row is a broken generator
    for _ in 0..ATTEMPTS {
        let mut clear = Zeroizing::new([0; 16]);
        getrandom::fill(&mut *clear).map_err(|e| ModuleError::Away(format!("no randomness: {e}")))?;
        adjust_parity(&mut *clear);
        if paycrypto::key::tdes_faults(&*clear).none() {
            return Ok(clear);
        }
    }
    Err(ModuleError::Away("the random generator gives weak keys only".to_owned()))
}

fn account(pan: &Pan) -> Result<Account12, ModuleError> {
    let pan = PanForPin::new(pan.reveal()).map_err(|e| ModuleError::Unsupported(e.to_string()))?;
    Ok(pan.account12())
}

fn unknown_key(name: &str) -> ModuleError {
    ModuleError::KeyRefused(format!("no key named {name:?} is configured"))
}
