//! Keys at rest: version D key blocks (ANSI X9.143:2021) under the master key, with usage, mode and algorithm bound.

use model::KeyBlock;
use paycrypto::{
    key::{AesKey, BlockKey, Sm4Key, TdesKey},
    key_block::{
        Algorithm, Exportability, Header, KeyUsage, ModeOfUse, RANDOM_LENGTH, Version, unwrap, wrap,
    },
};

use super::{KeyPolicy, MasterKey, cache::Opened, opened_key::OpenedKey, weak_keys};
use crate::module::ModuleError;

/// What a key is for, as its block will say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyAttributes {
    /// Usage (Table 2).
    pub usage: KeyUsage,
    /// Cipher (Table 3).
    pub algorithm: Algorithm,
    /// Operations (Table 4).
    pub mode: ModeOfUse,
}

impl KeyAttributes {
    /// The attributes that this module gives and accepts for a usage under a cipher. PIN keys that come from terminals
    /// only decrypt: see [`KeyAttributes::zone_pin_out`] for the one that leaves.
    #[must_use]
    pub fn of(usage: KeyUsage, algorithm: Algorithm) -> Self {
        let mode = match usage {
            KeyUsage::PinEncryption => ModeOfUse::DecryptOnly,
            KeyUsage::BaseDerivation => ModeOfUse::DeriveKeys,
            KeyUsage::KeyEncryption | KeyUsage::Data => ModeOfUse::EncryptAndDecrypt,
            _ => ModeOfUse::GenerateAndVerify,
        };
        Self { usage, algorithm, mode }
    }

    /// A double-length TDES key for a usage.
    #[must_use]
    pub fn tdes(usage: KeyUsage) -> Self {
        Self::of(usage, Algorithm::Tdea)
    }

    /// A zone PIN key for translation towards the next zone: it encrypts and nothing else.
    #[must_use]
    pub fn zone_pin_out(algorithm: Algorithm) -> Self {
        Self { usage: KeyUsage::PinEncryption, algorithm, mode: ModeOfUse::EncryptOnly }
    }
}

/// Seals a key; not exportable.
pub(super) fn seal(master: &MasterKey, of: KeyAttributes, clear: &[u8]) -> Result<KeyBlock, ModuleError> {
    let refused = |e: &dyn std::fmt::Display| ModuleError::KeyRefused(e.to_string());
    match of.algorithm {
        Algorithm::Tdea => TdesKey::new(clear).map(drop).map_err(|e| refused(&e))?,
        Algorithm::Aes => AesKey::new(clear).map(drop).map_err(|e| refused(&e))?,
        Algorithm::SM4 => Sm4Key::from_slice(clear).map(drop).map_err(|e| refused(&e))?,
        _ => return Err(ModuleError::KeyRefused("only TDES, AES and SM4 keys are kept".to_owned())),
    }
    let header = Header::new(Version::D, of.usage, of.algorithm, of.mode, Exportability::No);
    let mut random = [0; RANDOM_LENGTH];
    getrandom::fill(&mut random).map_err(|e| ModuleError::Away(format!("no randomness: {e}")))?;
    let block = wrap(master.protection(), &header, clear, &random);
    block.map(KeyBlock::new).map_err(|e| refused(&e))
}

/// Opens a key block: nothing of it is believed before its MAC, and outside a sandbox no weak or published key is.
pub(super) fn open(master: &MasterKey, policy: KeyPolicy, block: &KeyBlock) -> Result<Opened, ModuleError> {
    let refused = |why: &dyn std::fmt::Display| ModuleError::KeyRefused(why.to_string());
    let (header, key) = unwrap(master.protection(), block.as_str()).map_err(|e| refused(&e))?;
    if header.key_version[0] == b'c' {
        // X9.143:2021, 6.2: version `cN` is component N, of which a ceremony makes the key.
        return Err(refused(&"a component is no key"));
    }
    if policy == KeyPolicy::Production
        && let Some(fault) = weak_keys::fault(header.algorithm, key.expose_bytes())
    {
        return Err(refused(&fault));
    }
    let prepared = OpenedKey::prepare(&header, key.expose_bytes())?;
    Ok((header, prepared))
}

/// A working key as a terminal wants it: ECB under its master key (docs/reference/rules.md S2).
pub(super) fn encrypt_under_tmk(tmk: &OpenedKey, clear: &[u8; 16]) -> Result<[u8; 16], ModuleError> {
    let mut sealed = *clear;
    match tmk {
        OpenedKey::Tdes(tmk) => sealed.as_chunks_mut::<8>().0.iter_mut().for_each(|b| tmk.encrypt_block(b)),
        OpenedKey::Sm4(tmk) => tmk.encrypt_block(&mut sealed),
        _ => return Err(ModuleError::KeyRefused("the key block has another algorithm".to_owned())),
    }
    Ok(sealed)
}
