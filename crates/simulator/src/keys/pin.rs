//! The key of PIN blocks, and the blocks that it makes: one format for each cipher's layout (ISO 9564-1:2017, 9.3 and 9.4).

use model::Secret;
use paycrypto::key::{AesKey, Sm4Key, TdesKey};
use paycrypto::pin::{PanForPin, Pin};
use paycrypto::pin_block::{self, Format3Fill};

use super::{another_aes, another_sm4, another_tdes};
use crate::sandbox::{Sm4Layout, TdesFormat};

/// A PIN key with the format of its blocks.
#[derive(Debug)]
pub(crate) enum PinKey {
    Tdes(TdesKey, TdesFormat),
    /// ISO 4, the only format of AES.
    Aes(AesKey),
    Sm4(Sm4Key, Sm4Layout),
}

/// The system gave no random bytes for the fill of a PIN block.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no randomness for a PIN block: {0}")]
pub struct NoRandomness(String);

impl PinKey {
    /// DE 52.
    pub(crate) fn block(&self, pin: &Pin, pan: &PanForPin) -> Result<Vec<u8>, NoRandomness> {
        let account = pan.account12();
        Ok(match self {
            PinKey::Tdes(key, TdesFormat::Iso0) => {
                pin_block::encode_format_0(pin, &account).encrypt(key).to_vec()
            }
            PinKey::Tdes(key, TdesFormat::Iso3) => {
                let fill = Format3Fill::from_random(random()?.reveal());
                pin_block::encode_format_3(pin, &account, &fill).encrypt(key).to_vec()
            }
            PinKey::Aes(key) => pin_block::encrypt_format_4(key, pin, pan, random()?.reveal()).to_vec(),
            PinKey::Sm4(key, Sm4Layout::One) => pin_block::encrypt_sm4_layout_1(key, pin, &account).to_vec(),
            PinKey::Sm4(key, Sm4Layout::Two) => pin_block::encrypt_sm4_layout_2(key, pin, &account).to_vec(),
        })
    }

    /// A key of the same kind that the host does not have.
    pub(crate) fn another(&self) -> PinKey {
        match self {
            PinKey::Tdes(key, format) => PinKey::Tdes(another_tdes(key), *format),
            PinKey::Aes(key) => PinKey::Aes(another_aes(key)),
            PinKey::Sm4(key, layout) => PinKey::Sm4(another_sm4(key), *layout),
        }
    }
}

fn random() -> Result<Secret<[u8; 8]>, NoRandomness> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).map_err(|error| NoRandomness(error.to_string()))?;
    Ok(Secret::new(bytes))
}
