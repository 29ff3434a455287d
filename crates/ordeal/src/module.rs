//! The real soft security module, as a host of this world reaches it: it takes its time, is away now and then, and makes
//! work keys from the seed instead of the machine's randomness, so that a run can be repeated.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use hsm::{
    ChangePin, CheckValue, EncryptedPinBlock, GeneratedWorkKeys, MacAlgorithm, MacKey, MacOutcome,
    ModuleError, PinChangeRefused, PinChanged, SecurityModule, TranslatePin, VerifyPin, WorkKeyLayout,
    soft::KeyAttributes,
};
use model::{KeyBlock, KeyScheme, PinOutcome, Unverifiable};
use paycrypto::{
    kcv::{KcvMethod, check_value},
    key::{TdesKey, adjust_parity},
    key_block::KeyUsage,
    mode,
};
use tokio::time::Duration;

use crate::{
    bug::Bug,
    dice::Dice,
    life::Life,
    run::{Run, lock},
};

/// Longer than a host waits for one verb.
const TOO_LONG: Duration = Duration::from_secs(8);

/// The module of one life of a host.
pub struct Module {
    run: Arc<Run>,
    life: Arc<Life>,
    dice: Mutex<Dice>,
}

impl Module {
    /// Plugged in.
    #[must_use]
    pub fn new(run: &Arc<Run>, life: &Arc<Life>, name: &str) -> Self {
        Self { run: Arc::clone(run), life: Arc::clone(life), dice: run.dice(name) }
    }

    /// Over to the module. An error: it is away, or so slow that it might as well be.
    async fn reach(&self) -> Result<(), ModuleError> {
        self.life.passes("the security module").await;
        self.life.takes(3).await;
        let slow = {
            let mut dice = lock(&self.dice);
            let away = self.run.happens(&mut dice, self.run.plan.rates.module_away);
            away.then(|| dice.happens(50_000))
        };
        let Some(slow) = slow else { return Ok(()) };
        self.run.fault(format_args!("the security module is away"));
        if slow {
            tokio::time::sleep(TOO_LONG).await;
        }
        Err(ModuleError::Away("simulated".to_owned()))
    }

    fn work_key(&self, usage: KeyUsage, keys: &mut GeneratedWorkKeys) -> Result<KeyBlock, ModuleError> {
        let mut clear = [0; 16];
        {
            let mut dice = lock(&self.dice);
            clear[..8].copy_from_slice(&dice.draw().to_be_bytes());
            clear[8..].copy_from_slice(&dice.draw().to_be_bytes());
        }
        adjust_parity(&mut clear);
        let wrong = |error: &dyn std::fmt::Display| ModuleError::Unsupported(error.to_string());
        let value =
            check_value(KcvMethod::TdesZeros, &TdesKey::double(&clear), 4).map_err(|error| wrong(&error))?;
        let first_four: [u8; 4] = value.bytes().try_into().map_err(|error| wrong(&error))?;
        let block = self.run.kit.soft.import_test_key(KeyAttributes::tdes(usage), &clear)?;
        mode::ecb_encrypt(&self.run.kit.tmk, &mut clear);
        keys.for_terminal.extend_from_slice(&clear);
        keys.for_terminal.extend_from_slice(&first_four);
        keys.check_values.push(CheckValue(first_four));
        Ok(block)
    }
}

#[async_trait]
impl SecurityModule for Module {
    fn describe(&self) -> String {
        self.run.kit.soft.describe()
    }

    fn is_secure_device(&self) -> bool {
        false
    }

    async fn check(&self) -> Result<(), ModuleError> {
        self.reach().await
    }

    fn supports_mac(&self, algorithm: MacAlgorithm) -> bool {
        self.run.kit.soft.supports_mac(algorithm)
    }

    fn supports_scheme(&self, scheme: KeyScheme) -> bool {
        self.run.kit.soft.supports_scheme(scheme)
    }

    async fn translate_pin(&self, request: TranslatePin<'_>) -> Result<EncryptedPinBlock, Unverifiable> {
        self.run.kit.soft.translate_pin(request).await
    }

    async fn change_pin(&self, request: ChangePin<'_>) -> Result<PinChanged, PinChangeRefused> {
        match self.reach().await {
            Ok(()) => self.run.kit.soft.change_pin(request).await,
            Err(error) => Err(PinChangeRefused::Unverifiable(Unverifiable::from(&error))),
        }
    }

    async fn generate_work_keys(
        &self,
        tmk: &KeyBlock,
        _: WorkKeyLayout,
    ) -> Result<GeneratedWorkKeys, ModuleError> {
        self.reach().await?;
        let mut keys = GeneratedWorkKeys {
            tpk: tmk.clone(),
            tak: tmk.clone(),
            tdk: None,
            for_terminal: Vec::new(),
            check_values: Vec::new(),
        };
        keys.tpk = self.work_key(KeyUsage::PinEncryption, &mut keys)?;
        keys.tak = self.work_key(KeyUsage::Mac97971Algorithm3, &mut keys)?;
        Ok(keys)
    }

    async fn verify_mac(
        &self,
        key: MacKey<'_>,
        algorithm: MacAlgorithm,
        message: &[u8],
        mac: &[u8; 8],
    ) -> Result<MacOutcome, ModuleError> {
        self.reach().await?;
        self.run.kit.soft.verify_mac(key, algorithm, message, mac).await
    }

    async fn generate_mac(
        &self,
        key: MacKey<'_>,
        algorithm: MacAlgorithm,
        message: &[u8],
    ) -> Result<[u8; 8], ModuleError> {
        self.reach().await?;
        self.run.kit.soft.generate_mac(key, algorithm, message).await
    }

    async fn verify_pin(&self, request: VerifyPin<'_>) -> PinOutcome {
        match self.reach().await {
            Ok(()) => self.run.kit.soft.verify_pin(request).await,
            Err(_) if self.run.has(Bug::CountTimeOuts) => PinOutcome::Mismatch,
            Err(error) => PinOutcome::Unverifiable(Unverifiable::from(&error)),
        }
    }
}
