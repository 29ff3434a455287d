//! Seeding of a sandbox whose security module is a device for tests: keys and PIN references that everybody may know.

use hsm::{
    ModuleError,
    payshield::loader::{TestKey, TestPin, ZoneMasterKey, make_reference, of_import, of_reference},
    soft::ReferenceMethod,
};
use model::{KeyBlock, PinReference};

use crate::pool::Pool;

/// Brings test keys in. Nothing here is for a device that holds real keys.
pub struct Loader<'a> {
    pool: &'a Pool,
}

impl<'a> Loader<'a> {
    /// Over the connections of a pool.
    #[must_use]
    pub fn new(pool: &'a Pool) -> Self {
        Self { pool }
    }

    /// A clear test key becomes one under the LMK (A6); also its check value.
    ///
    /// # Errors
    /// [`ModuleError`].
    pub async fn import(
        &self,
        zone_master_key: &ZoneMasterKey,
        of: TestKey,
        clear: &[u8],
    ) -> Result<(KeyBlock, [u8; 3]), ModuleError> {
        let command = zone_master_key.import(&self.pool.settings, of, clear)?;
        let (command, reply) = self.pool.run(command, self.pool.deadline()).await?;
        of_import(&command, reply)
    }

    /// The reference of a test card's PIN (FW, BK), under a key of the pool's configuration.
    ///
    /// # Errors
    /// [`ModuleError`].
    pub async fn reference(
        &self,
        test: &TestPin<'_>,
        method: &ReferenceMethod,
    ) -> Result<PinReference, ModuleError> {
        let command = make_reference(&self.pool.settings, test, method)?;
        let (command, reply) = self.pool.run(command, self.pool.deadline()).await?;
        of_reference(&command, reply, method)
    }
}
