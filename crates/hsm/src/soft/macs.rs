//! Authentication codes under work keys and under transaction keys.

use paycrypto::{
    dukpt::{
        self,
        aes::{KeyType, KeyUsage},
    },
    key::AesKey,
    mac,
};

use super::{
    SoftModule,
    opened_key::{OpenedKey, Purpose},
};
use crate::module::{Direction, MacAlgorithm, MacKey, ModuleError};

impl SoftModule {
    pub(super) fn mac(
        &self,
        key: MacKey<'_>,
        algorithm: MacAlgorithm,
        message: &[u8],
    ) -> Result<[u8; 8], ModuleError> {
        match key {
            MacKey::Key(block) => {
                let key = self.key(block, purpose(algorithm))?;
                under(&key.1, algorithm, message)
            }
            MacKey::Derived { bdk, ksn, direction } => {
                let base = self.key(bdk, Purpose::Base)?;
                under(&derived(&base.1, ksn.as_bytes(), direction)?, algorithm, message)
            }
        }
    }
}

fn purpose(algorithm: MacAlgorithm) -> Purpose {
    match algorithm {
        MacAlgorithm::CupEcb8 | MacAlgorithm::CupEcb16 | MacAlgorithm::X919 => Purpose::TdesMac,
        MacAlgorithm::Cmac => Purpose::CmacMac,
        MacAlgorithm::CupSm4 => Purpose::Sm4Mac,
    }
}

/// The MAC key of one transaction: requests and answers have different ones.
fn derived(base: &OpenedKey, ksn: &[u8], direction: Direction) -> Result<OpenedKey, ModuleError> {
    let refused = |e: &dyn std::fmt::Display| ModuleError::KeyRefused(e.to_string());
    match base {
        OpenedKey::TdesBase(bdk) => {
            let ksn = dukpt::tdes::KeySerialNumber::from_slice(ksn).map_err(|e| refused(&e))?;
            let key = bdk.transaction_key(&ksn);
            Ok(OpenedKey::Tdes(match direction {
                Direction::Request => key.mac_request_key(),
                Direction::Answer => key.mac_response_key(),
            }))
        }
        OpenedKey::AesBase(bdk) => {
            let ksn = dukpt::aes::KeySerialNumber::from_slice(ksn).map_err(|e| refused(&e))?;
            let initial =
                dukpt::aes::InitialKey::of_base_key(bdk, ksn.initial_key_id()).map_err(|e| refused(&e))?;
            let usage = match direction {
                Direction::Request => KeyUsage::MacGeneration,
                Direction::Answer => KeyUsage::MacVerification,
            };
            let key =
                initial.transaction_key(&ksn).working_key(usage, aes_type(bdk)).map_err(|e| refused(&e))?;
            Ok(OpenedKey::Aes(key.to_aes().map_err(|e| refused(&e))?))
        }
        OpenedKey::Tdes(_) | OpenedKey::Aes(_) | OpenedKey::Sm4(_) => {
            Err(ModuleError::KeyRefused("not a base derivation key".to_owned()))
        }
    }
}

fn under(key: &OpenedKey, algorithm: MacAlgorithm, message: &[u8]) -> Result<[u8; 8], ModuleError> {
    match (algorithm, key) {
        (MacAlgorithm::CupEcb8, OpenedKey::Tdes(key)) => Ok(mac::union_pay_ecb_first_part(key, message)),
        (MacAlgorithm::CupEcb16, OpenedKey::Tdes(key)) => Ok(mac::union_pay_ecb(key, message)),
        (MacAlgorithm::X919, OpenedKey::Tdes(key)) => Ok(mac::x9_19(key, message)),
        (MacAlgorithm::Cmac, OpenedKey::Aes(key)) => {
            let whole: [u8; 16] = mac::cmac(key, message);
            let (first, _) = whole.as_chunks::<8>();
            Ok(first[0])
        }
        (MacAlgorithm::CupSm4, OpenedKey::Sm4(key)) => Ok(mac::union_pay_sm4(key, message)),
        _ => Err(ModuleError::KeyRefused("the key block has another algorithm".to_owned())),
    }
}

/// Working keys as long as the base key.
pub(super) fn aes_type(bdk: &AesKey) -> KeyType {
    match bdk.length() {
        24 => KeyType::Aes192,
        32 => KeyType::Aes256,
        _ => KeyType::Aes128,
    }
}
