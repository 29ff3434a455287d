//! What a PIN is compared with, and how such a reference is made.

use model::{KeyBlock, PinReference, Unverifiable};
use paycrypto::{
    pin::{Account12, Pin},
    pin_verify::{Verdict, ibm3624, pvv},
};

use super::{ReferenceMethod, SoftModule, opened_key::Purpose, unknown_key};
use crate::module::ModuleError;

impl SoftModule {
    pub(super) fn compare(
        &self,
        reference: &PinReference,
        pin: &Pin,
        account: &Account12,
    ) -> Result<Verdict, Unverifiable> {
        let refused = |e: ModuleError| Unverifiable::from(&e);
        match reference {
            PinReference::Pvv { key, pvki, pvv: stored } => {
                let pvk =
                    self.configured(self.configuration.pvk(key), Purpose::VerifyPvv).map_err(refused)?;
                let index = pvv::Pvki::new(*pvki).map_err(|_| Unverifiable::NoReference)?;
                let stored = pvv::Pvv::from_ascii(stored).map_err(|_| Unverifiable::NoReference)?;
                Ok(pvv::verify(pvk.1.tdes().map_err(refused)?, index, pin, account, &stored))
            }
            PinReference::Ibm3624 { key, offset } => {
                let profile = self.configuration.ibm3624(key).ok_or(Unverifiable::Key)?;
                let pvk = self.configured(Some(&profile.key), Purpose::VerifyIbm3624).map_err(refused)?;
                let pvk = pvk.1.tdes().map_err(refused)?;
                let data = profile.validation_data(account).map_err(refused)?;
                let stored = ibm3624::Offset::from_ascii(offset).map_err(|_| Unverifiable::NoReference)?;
                let verdict = ibm3624::verify(pvk, &profile.table, data, &stored, pin, offset.len())
                    .map_err(|_| Unverifiable::NoReference)?;
                // The offset was made over the whole PIN: a longer entry with the right beginning is another PIN.
                Ok(if pin.len() == offset.len() { verdict } else { Verdict::Wrong })
            }
        }
    }

    /// The reference an issuer keeps for a PIN. Needs a key that may generate: a host's own keys say "verify only".
    pub(super) fn make_reference(
        &self,
        method: &ReferenceMethod,
        pin: &Pin,
        account: &Account12,
    ) -> Result<PinReference, ModuleError> {
        match method {
            ReferenceMethod::Pvv { key, pvki } => {
                let pvk = self.configured(self.configuration.pvk(key), Purpose::MakePvv)?;
                let index = pvv::Pvki::new(*pvki).map_err(|e| ModuleError::KeyRefused(e.to_string()))?;
                let value = pvv::generate(pvk.1.tdes()?, index, pin, account);
                Ok(PinReference::Pvv { key: key.clone(), pvki: *pvki, pvv: value.expose_ascii() })
            }
            ReferenceMethod::Ibm3624 { key } => {
                let profile = self.configuration.ibm3624(key).ok_or_else(|| unknown_key(key))?;
                let pvk = self.configured(Some(&profile.key), Purpose::MakeIbm3624)?;
                let data = profile.validation_data(account)?;
                let offset = ibm3624::offset(pvk.1.tdes()?, &profile.table, data, pin, pin.len())
                    .map_err(|e| ModuleError::KeyRefused(e.to_string()))?;
                Ok(PinReference::Ibm3624 { key: key.clone(), offset: offset.expose_ascii().to_vec() })
            }
        }
    }

    fn configured(
        &self,
        block: Option<&KeyBlock>,
        purpose: Purpose,
    ) -> Result<std::sync::Arc<super::cache::Opened>, ModuleError> {
        self.key(block.ok_or_else(|| unknown_key("PIN verification key"))?, purpose)
    }
}
