//! Keys at rest: version D key blocks under the master key, with usage, mode and algorithm bound and checked.

use model::KeyBlock;
use paycrypto::{
    key::{BlockKey, TdesKey, tdes_faults},
    key_block::{
        Algorithm, Exportability, Header, KeyUsage, ModeOfUse, RANDOM_LENGTH, Version, unwrap, wrap,
    },
};

use super::{KeyPolicy, MasterKey};
use crate::module::ModuleError;

/// Seals a double- or triple-length TDES key; not exportable.
pub(super) fn wrap_tdes(master: &MasterKey, usage: KeyUsage, clear: &[u8]) -> Result<KeyBlock, ModuleError> {
    TdesKey::new(clear).map_err(|e| ModuleError::KeyRefused(e.to_string()))?;
    let header = Header::new(Version::D, usage, Algorithm::Tdea, mode_of(usage), Exportability::No);
    let mut random = [0; RANDOM_LENGTH];
    getrandom::fill(&mut random).map_err(|e| ModuleError::Away(format!("no randomness: {e}")))?;
    let block = wrap(master.protection(), &header, clear, &random);
    block.map(KeyBlock::new).map_err(|e| ModuleError::KeyRefused(e.to_string()))
}

/// Opens a key block for one usage; everything in its header must fit.
pub(super) fn unwrap_tdes(
    master: &MasterKey,
    policy: KeyPolicy,
    block: &KeyBlock,
    usage: KeyUsage,
) -> Result<TdesKey, ModuleError> {
    let refused = |why: &str| ModuleError::KeyRefused(why.to_owned());
    let (header, key) = unwrap(master.protection(), block.as_str()).map_err(|e| refused(&e.to_string()))?;
    if header.usage != usage {
        return Err(refused("the key block has another usage"));
    }
    if header.algorithm != Algorithm::Tdea || header.mode_of_use != mode_of(usage) {
        return Err(refused("the key block has another algorithm or mode of use"));
    }
    if policy == KeyPolicy::Production && !tdes_faults(key.expose_bytes()).none() {
        return Err(refused("weak key, equal halves or wrong parity"));
    }
    TdesKey::new(key.expose_bytes()).map_err(|e| refused(&e.to_string()))
}

/// A working key as a UnionPay terminal wants it: TDES ECB under the TMK (docs/reference/rules.md S2).
pub(super) fn encrypt_under_tmk(tmk: &TdesKey, clear: &[u8; 16]) -> [u8; 16] {
    let mut sealed = *clear;
    for block in sealed.as_chunks_mut::<8>().0 {
        tmk.encrypt_block(block);
    }
    sealed
}

/// The one mode of use that this module gives and accepts for a usage (X9.143:2021, Table 4).
fn mode_of(usage: KeyUsage) -> ModeOfUse {
    match usage {
        KeyUsage::PinVerificationVisaPvv | KeyUsage::PinVerificationIbm3624 => ModeOfUse::GenerateAndVerify,
        KeyUsage::Mac97971Algorithm3 => ModeOfUse::GenerateAndVerify,
        _ => ModeOfUse::EncryptAndDecrypt,
    }
}
