//! PIN blocks under any key: decrypted and checked on the way in, encrypted on the way out.

use model::{KeyBlock, PinBlockFormat, Unverifiable};
use paycrypto::{
    dukpt,
    key::{AesKey, Sm4Key, TdesKey},
    pin::Pin,
    pin_block::{
        ClearPinBlock, Format3Fill, PinBlockError, decode_format_0, decode_format_1, decode_format_3,
        decrypt_format_4, decrypt_sm4_layout_1, decrypt_sm4_layout_2, encode_format_0, encode_format_3,
        encrypt_format_4, encrypt_sm4_layout_1, encrypt_sm4_layout_2,
    },
};

use super::{
    PanOfPin, SoftModule,
    macs::aes_type,
    opened_key::{OpenedKey, Purpose},
};
use crate::module::{EncryptedPinBlock, ModuleError, PinKey};

/// A block that was opened. One that is none has a stand-in PIN, so that what follows costs the same.
pub(super) struct OpenedBlock {
    pub(super) pin: Pin,
    pub(super) fault: Option<PinBlockError>,
}

impl SoftModule {
    /// Decrypts and checks a block.
    pub(super) fn open_pin(
        &self,
        key: &PinKey<'_>,
        block: &EncryptedPinBlock,
        format: PinBlockFormat,
        pan: &PanOfPin,
    ) -> Result<OpenedBlock, Unverifiable> {
        let refused = |e: ModuleError| Unverifiable::from(&e);
        let decoded = match key {
            PinKey::Key(block_of_key) => {
                let key = self.key(block_of_key, Purpose::PinIn).map_err(refused)?;
                match &key.1 {
                    OpenedKey::Tdes(key) => under_tdes(key, block, format, pan)?,
                    OpenedKey::Aes(key) => under_aes(key, block, format, pan)?,
                    OpenedKey::Sm4(key) => under_sm4(key, block, format, pan)?,
                    OpenedKey::TdesBase(_) | OpenedKey::AesBase(_) => return Err(Unverifiable::Key),
                }
            }
            PinKey::Derived { bdk, ksn } => {
                let base = self.key(bdk, Purpose::Base).map_err(refused)?;
                let number = ksn.ksn();
                match &base.1 {
                    OpenedKey::TdesBase(bdk) => {
                        let ksn = dukpt::tdes::KeySerialNumber::from_slice(number.as_bytes());
                        let ksn = ksn.map_err(|_| Unverifiable::Key)?;
                        under_tdes(&bdk.transaction_key(&ksn).pin_key(), block, format, pan)?
                    }
                    OpenedKey::AesBase(bdk) => {
                        let ksn = dukpt::aes::KeySerialNumber::from_slice(number.as_bytes());
                        let ksn = ksn.map_err(|_| Unverifiable::Key)?;
                        let initial = dukpt::aes::InitialKey::of_base_key(bdk, ksn.initial_key_id());
                        let initial = initial.map_err(|_| Unverifiable::Key)?;
                        let pin_key = initial.transaction_key(&ksn).pin_key(aes_type(bdk));
                        under_aes(&pin_key.map_err(|_| Unverifiable::Key)?, block, format, pan)?
                    }
                    OpenedKey::Tdes(_) | OpenedKey::Aes(_) | OpenedKey::Sm4(_) => {
                        return Err(Unverifiable::Key);
                    }
                }
            }
        };
        let stand_in = || Pin::from_ascii(b"0000").map_err(|_| Unverifiable::Unsupported);
        Ok(match decoded {
            Ok(pin) => OpenedBlock { pin, fault: None },
            Err(fault) => OpenedBlock { pin: stand_in()?, fault: Some(fault) },
        })
    }

    /// Encrypts a PIN for the next zone.
    pub(super) fn close_pin(
        &self,
        zone_key: &KeyBlock,
        format: PinBlockFormat,
        pan: &PanOfPin,
        pin: &Pin,
    ) -> Result<EncryptedPinBlock, Unverifiable> {
        let key = self.key(zone_key, Purpose::PinOut).map_err(|e| Unverifiable::from(&e))?;
        let mut random = [0; 8];
        getrandom::fill(&mut random).map_err(|_| Unverifiable::ModuleUnavailable)?;
        let made = match (&key.1, format) {
            (OpenedKey::Tdes(key), PinBlockFormat::Iso0) => {
                EncryptedPinBlock::new(&encode_format_0(pin, &pan.account).encrypt(key))
            }
            (OpenedKey::Tdes(key), PinBlockFormat::Iso3) => {
                let fill = Format3Fill::from_random(&random);
                EncryptedPinBlock::new(&encode_format_3(pin, &pan.account, &fill).encrypt(key))
            }
            (OpenedKey::Aes(key), PinBlockFormat::Iso4) => {
                EncryptedPinBlock::new(&encrypt_format_4(key, pin, &pan.whole, &random))
            }
            (OpenedKey::Sm4(key), PinBlockFormat::Sm4Layout1) => {
                EncryptedPinBlock::new(&encrypt_sm4_layout_1(key, pin, &pan.account))
            }
            (OpenedKey::Sm4(key), PinBlockFormat::Sm4Layout2) => {
                EncryptedPinBlock::new(&encrypt_sm4_layout_2(key, pin, &pan.account))
            }
            _ => None,
        };
        made.ok_or(Unverifiable::Unsupported)
    }
}

type Decoded = Result<Result<Pin, PinBlockError>, Unverifiable>;

/// Formats 0, 1 and 3. Format 2 is for chips and never reaches a host (ISO 9564-1:2017, 9.3.4).
fn under_tdes(key: &TdesKey, block: &EncryptedPinBlock, format: PinBlockFormat, pan: &PanOfPin) -> Decoded {
    let block: &[u8; 8] = block.as_bytes().try_into().map_err(|_| Unverifiable::Unsupported)?;
    let clear = ClearPinBlock::decrypt(key, block);
    match format {
        PinBlockFormat::Iso0 => Ok(decode_format_0(&clear, &pan.account)),
        PinBlockFormat::Iso1 => Ok(decode_format_1(&clear)),
        PinBlockFormat::Iso3 => Ok(decode_format_3(&clear, &pan.account)),
        PinBlockFormat::Iso2
        | PinBlockFormat::Iso4
        | PinBlockFormat::Sm4Layout1
        | PinBlockFormat::Sm4Layout2 => Err(Unverifiable::Unsupported),
    }
}

fn under_aes(key: &AesKey, block: &EncryptedPinBlock, format: PinBlockFormat, pan: &PanOfPin) -> Decoded {
    let block: &[u8; 16] = block.as_bytes().try_into().map_err(|_| Unverifiable::Unsupported)?;
    match format {
        PinBlockFormat::Iso4 => Ok(decrypt_format_4(key, block, &pan.whole)),
        _ => Err(Unverifiable::Unsupported),
    }
}

fn under_sm4(key: &Sm4Key, block: &EncryptedPinBlock, format: PinBlockFormat, pan: &PanOfPin) -> Decoded {
    let block: &[u8; 16] = block.as_bytes().try_into().map_err(|_| Unverifiable::Unsupported)?;
    match format {
        PinBlockFormat::Sm4Layout1 => Ok(decrypt_sm4_layout_1(key, block, &pan.account)),
        PinBlockFormat::Sm4Layout2 => Ok(decrypt_sm4_layout_2(key, block, &pan.account)),
        _ => Err(Unverifiable::Unsupported),
    }
}
