//! A host instance's security module: the real soft one, with a partition that fails and zone keys that are stale while the
//! day's plan wants it so.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering::Relaxed},
};

use async_trait::async_trait;
use hsm::{
    ChangePin, EncryptedPinBlock, GeneratedWorkKeys, MacAlgorithm, MacKey, MacOutcome, ModuleError,
    PinChangeRefused, PinChanged, SecurityModule, TranslatePin, VerifyPin, WorkKeyLayout,
};
use model::{KeyBlock, KeyScheme, PinOutcome, Unverifiable};

use super::kit::Kit;

/// All of a million.
const ALL: u32 = 1_000_000;

/// One instance's module.
pub(super) struct Module {
    kit: Arc<Kit>,
    /// Of a million commands about PINs, how many fail.
    failing: AtomicU32,
    /// Of a million PINs that are translated, how many go out under the stale key: set for each message by its zone.
    stale: AtomicU32,
    commands: AtomicU32,
}

impl Module {
    /// Plugged in.
    #[must_use]
    pub(super) fn new(kit: &Arc<Kit>) -> Arc<Self> {
        Arc::new(Self {
            kit: Arc::clone(kit),
            failing: AtomicU32::new(0),
            stale: AtomicU32::new(0),
            commands: AtomicU32::new(0),
        })
    }

    /// For the messages that follow: the shares of commands that fail, and of PINs that leave under the stale key.
    pub(super) fn set(&self, failing: f64, stale: f64) {
        let share = |of: f64| (of.clamp(0.0, 1.0) * f64::from(ALL)) as u32;
        self.failing.store(share(failing), Relaxed);
        self.stale.store(share(stale), Relaxed);
    }

    /// Does it happen to this command? The same commands on every run.
    fn happens(&self, share: &AtomicU32) -> bool {
        let share = share.load(Relaxed);
        if share == 0 {
            return false;
        }
        let command = self.commands.fetch_add(1, Relaxed);
        let mixed = command.wrapping_mul(0x9e37_79b9) ^ (command >> 7).wrapping_mul(0x85eb_ca6b);
        (mixed >> 4) % ALL < share
    }
}

#[async_trait]
impl SecurityModule for Module {
    fn describe(&self) -> String {
        self.kit.soft.describe()
    }

    fn is_secure_device(&self) -> bool {
        false
    }

    async fn check(&self) -> Result<(), ModuleError> {
        Ok(())
    }

    fn supports_mac(&self, algorithm: MacAlgorithm) -> bool {
        self.kit.soft.supports_mac(algorithm)
    }

    fn supports_scheme(&self, scheme: KeyScheme) -> bool {
        self.kit.soft.supports_scheme(scheme)
    }

    async fn translate_pin(&self, request: TranslatePin<'_>) -> Result<EncryptedPinBlock, Unverifiable> {
        if self.happens(&self.failing) {
            return Err(Unverifiable::Key);
        }
        let stale = self.happens(&self.stale);
        let zone_key = if stale { &self.kit.stale_zone_key } else { request.zone_key };
        self.kit.soft.translate_pin(TranslatePin { zone_key, ..request }).await
    }

    async fn change_pin(&self, request: ChangePin<'_>) -> Result<PinChanged, PinChangeRefused> {
        if self.happens(&self.failing) {
            return Err(PinChangeRefused::Unverifiable(Unverifiable::Key));
        }
        self.kit.soft.change_pin(request).await
    }

    async fn generate_work_keys(
        &self,
        tmk: &KeyBlock,
        layout: WorkKeyLayout,
    ) -> Result<GeneratedWorkKeys, ModuleError> {
        self.kit.soft.generate_work_keys(tmk, layout).await
    }

    async fn verify_mac(
        &self,
        key: MacKey<'_>,
        algorithm: MacAlgorithm,
        message: &[u8],
        mac: &[u8; 8],
    ) -> Result<MacOutcome, ModuleError> {
        self.kit.soft.verify_mac(key, algorithm, message, mac).await
    }

    async fn generate_mac(
        &self,
        key: MacKey<'_>,
        algorithm: MacAlgorithm,
        message: &[u8],
    ) -> Result<[u8; 8], ModuleError> {
        self.kit.soft.generate_mac(key, algorithm, message).await
    }

    async fn verify_pin(&self, request: VerifyPin<'_>) -> PinOutcome {
        if self.happens(&self.failing) {
            return PinOutcome::Unverifiable(Unverifiable::Key);
        }
        self.kit.soft.verify_pin(request).await
    }
}
