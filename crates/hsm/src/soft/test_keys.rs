//! What only a sandbox may do: bring keys and PINs in clear. And keys made inside, which everybody may have.

use model::{KeyBlock, Pan, PinReference};
use paycrypto::pin::Pin;

use super::{
    KeyPolicy, PanOfPin, SoftModule, fresh,
    seal::{self, KeyAttributes},
};
use crate::module::ModuleError;

/// How a PIN reference is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReferenceMethod {
    /// Visa PVV under a key of the configuration.
    Pvv {
        /// The key's name.
        key: String,
        /// PIN verification key index.
        pvki: u8,
    },
    /// IBM 3624 offset over all digits of the PIN.
    Ibm3624 {
        /// The rule's name.
        key: String,
    },
}

impl ReferenceMethod {
    /// The method of an existing reference.
    pub(super) fn of(reference: &PinReference) -> Self {
        match reference {
            PinReference::Pvv { key, pvki, .. } => Self::Pvv { key: key.clone(), pvki: *pvki },
            PinReference::Ibm3624 { key, .. } => Self::Ibm3624 { key: key.clone() },
        }
    }
}

impl SoftModule {
    /// Seals a clear test key. Only in a sandbox: elsewhere keys come in as components or key blocks.
    ///
    /// # Errors
    /// [`ModuleError::KeyRefused`] outside a sandbox, or when the bytes are no key of that cipher.
    pub fn import_test_key(&self, of: KeyAttributes, clear: &[u8]) -> Result<KeyBlock, ModuleError> {
        if self.policy != KeyPolicy::Sandbox {
            return Err(ModuleError::KeyRefused("clear keys are taken in sandbox mode only".to_owned()));
        }
        seal::seal(&self.master, of, clear)
    }

    /// Makes a fresh key of 128 bits (double-length TDES) and seals it.
    ///
    /// # Errors
    /// [`ModuleError::Away`] when the system gives no randomness.
    pub fn generate_key(&self, of: KeyAttributes) -> Result<KeyBlock, ModuleError> {
        let clear = fresh::<16>(of.algorithm)?;
        seal::seal(&self.master, of, &*clear)
    }

    /// The reference an issuer keeps for a PIN. Only in a sandbox, where PINs of test cards are known.
    ///
    /// # Errors
    /// [`ModuleError`] outside a sandbox, or for an unknown key or a PIN that is none.
    pub fn test_reference(
        &self,
        method: &ReferenceMethod,
        pan: &Pan,
        pin: &str,
    ) -> Result<PinReference, ModuleError> {
        if self.policy != KeyPolicy::Sandbox {
            return Err(ModuleError::KeyRefused("clear PINs are taken in sandbox mode only".to_owned()));
        }
        let pin = Pin::from_ascii(pin.as_bytes()).map_err(|e| ModuleError::Unsupported(e.to_string()))?;
        self.make_reference(method, &pin, &PanOfPin::new(pan)?.account)
    }
}
