//! From a request of [`crate::SecurityModule`] to commands. Which command verifies is decided by the kind of the
//! reference and the key of the PIN block; what the device has no command for is refused before anything is sent.

use model::{KeyBlock, KeyScheme, PinBlockFormat, PinReference, Unverifiable};

use super::{
    command::{Attributes, Command, Comparison, DukptMacKey, Encoded, KeyType, MacKind, PinField, PinSource},
    field::FieldError,
    key::HsmKey,
    settings::Settings,
};
use crate::{
    module::{
        ChangePin, Direction, EncryptedPinBlock, MacAlgorithm, MacKey, ModuleError, PinKey, TranslatePin,
        VerifyPin, WorkKeyLayout,
    },
    translation::{PanOfTranslation, allows},
};

/// Key block usage of a zone PIN key; `P0` may be either and is a terminal's here.
const ZONE_PIN_KEY: [u8; 2] = *b"72";

/// Key schemes that the device's commands work under. There is no SM4 among the commands that were described.
#[must_use]
pub fn supports_scheme(scheme: KeyScheme) -> bool {
    match scheme {
        KeyScheme::Tdes | KeyScheme::TdesDukpt | KeyScheme::AesDukpt => true,
        KeyScheme::Sm4 => false,
    }
}

/// Authentication codes that the device makes. Not UnionPay's with 8 bytes of the key: the device would need the key's
/// first half twice, and refuses keys with equal halves.
#[must_use]
pub fn supports_mac(algorithm: MacAlgorithm) -> bool {
    match algorithm {
        MacAlgorithm::X919 | MacAlgorithm::CupEcb16 | MacAlgorithm::Cmac => true,
        MacAlgorithm::CupEcb8 | MacAlgorithm::CupSm4 => false,
    }
}

/// DC, EC, GQ, DA, EA or GO.
///
/// # Errors
/// [`Unverifiable`] for keys, formats and references that the device has no command for.
pub fn verify_pin(settings: &Settings, request: &VerifyPin<'_>) -> Result<Encoded, Unverifiable> {
    let pin = pin_field(settings, request)?;
    let with = comparison(settings, request.reference)?;
    Command::Verify { pin, with }.encode(settings.lmk).map_err(unverifiable)
}

/// CA, CC or G0, if the policy allows the pair of formats.
///
/// # Errors
/// [`Unverifiable`].
pub fn translate_pin(settings: &Settings, request: &TranslatePin<'_>) -> Result<Encoded, Unverifiable> {
    if !allows(request.from_format, request.to_format, PanOfTranslation::Same) {
        return Err(Unverifiable::Unsupported);
    }
    let pin = PinField {
        source: source(settings, &request.from)?,
        block: &request.block,
        format: request.from_format,
        pan: request.pan,
    };
    let to = key(settings, request.zone_key)?;
    Command::Translate { pin, to, format: request.to_format }.encode(settings.lmk).map_err(unverifiable)
}

/// Is the PIN to be changed under a derived key? Then both blocks go through the transfer key first.
#[must_use]
pub fn needs_transfer(request: &ChangePin<'_>) -> bool {
    matches!(request.verify.key, PinKey::Derived { .. })
}

/// CU or DU.
///
/// # Errors
/// [`Unverifiable`].
pub fn change_pin(settings: &Settings, request: &ChangePin<'_>) -> Result<Encoded, Unverifiable> {
    let pin = pin_field(settings, &request.verify)?;
    let with = comparison(settings, request.verify.reference)?;
    let command = Command::Change { pin, with, new_block: &request.new_block };
    command.encode(settings.lmk).map_err(unverifiable)
}

/// The format of blocks under the transfer key: with a random fill, so that equal PINs do not look equal.
const TRANSFER_FORMAT: PinBlockFormat = PinBlockFormat::Iso3;

/// G0 for the old and for the new block, towards the transfer key.
///
/// # Errors
/// [`Unverifiable::Unsupported`] without a transfer key.
pub fn transfer(settings: &Settings, request: &ChangePin<'_>) -> Result<[Encoded; 2], Unverifiable> {
    let to = settings.transfer_key.as_ref().ok_or(Unverifiable::Unsupported)?;
    let old = &request.verify;
    if !allows(old.format, TRANSFER_FORMAT, PanOfTranslation::Same) {
        return Err(Unverifiable::Unsupported);
    }
    let encode = |block| {
        let pin = PinField { source: source(settings, &old.key)?, block, format: old.format, pan: old.pan };
        let to = key(settings, to)?;
        Command::Translate { pin, to, format: TRANSFER_FORMAT }.encode(settings.lmk).map_err(unverifiable)
    };
    Ok([encode(&old.block)?, encode(&request.new_block)?])
}

/// CU or DU for blocks that went through the transfer key.
///
/// # Errors
/// [`Unverifiable`].
pub fn change_transferred(
    settings: &Settings,
    request: &ChangePin<'_>,
    [old, new]: [&EncryptedPinBlock; 2],
) -> Result<Encoded, Unverifiable> {
    let transfer_key = settings.transfer_key.as_ref().ok_or(Unverifiable::Unsupported)?;
    let pin = PinField {
        source: PinSource::Zone(key(settings, transfer_key)?),
        block: old,
        format: TRANSFER_FORMAT,
        pan: request.verify.pan,
    };
    let with = comparison(settings, request.verify.reference)?;
    Command::Change { pin, with, new_block: new }.encode(settings.lmk).map_err(unverifiable)
}

/// How a message's authentication code is had from the device.
pub enum MacPlan {
    /// One command over the message.
    Whole(MacKind),
    /// UnionPay's: one command over the sixteen characters of the fold, which is what its two encryptions are.
    Folded([u8; 16]),
    /// UnionPay's with a key for ISO 9797-1 algorithm 3 only: over one block that algorithm is an encryption, so one
    /// command over the first eight characters and one over what that gives, XORed with the last eight.
    FoldedTwice([u8; 16]),
    /// One command under a transaction's key.
    Derived(DukptMacKey),
}

/// Chooses.
///
/// # Errors
/// [`ModuleError`].
pub fn mac_plan(
    settings: &Settings,
    mac_key: &MacKey<'_>,
    algorithm: MacAlgorithm,
    message: &[u8],
) -> Result<MacPlan, ModuleError> {
    let unsupported =
        || ModuleError::Unsupported(format!("{} with this key on a payShield", algorithm.name()));
    match (mac_key, algorithm) {
        (MacKey::Key(_), MacAlgorithm::X919) => Ok(MacPlan::Whole(MacKind::Algorithm3)),
        (MacKey::Key(_), MacAlgorithm::Cmac) => Ok(MacPlan::Whole(MacKind::Cmac)),
        (MacKey::Key(block), MacAlgorithm::CupEcb16) => {
            let header = settings.key(block)?.header();
            let characters = fold(message);
            Ok(if header.is_some_and(|header| header.usage == *b"M3") {
                MacPlan::FoldedTwice(characters)
            } else {
                MacPlan::Folded(characters)
            })
        }
        (MacKey::Derived { direction: Direction::Request, .. }, MacAlgorithm::X919) => {
            Ok(MacPlan::Derived(DukptMacKey::X919Request))
        }
        (MacKey::Derived { direction: Direction::Answer, .. }, MacAlgorithm::X919) => {
            Ok(MacPlan::Derived(DukptMacKey::X919Answer))
        }
        (MacKey::Derived { direction: Direction::Request, .. }, MacAlgorithm::Cmac) => {
            Ok(MacPlan::Derived(DukptMacKey::CmacRequest))
        }
        (MacKey::Derived { direction: Direction::Answer, .. }, MacAlgorithm::Cmac) => {
            Ok(MacPlan::Derived(DukptMacKey::CmacAnswer))
        }
        (MacKey::Key(_), MacAlgorithm::CupEcb8 | MacAlgorithm::CupSm4)
        | (MacKey::Derived { .. }, MacAlgorithm::CupEcb8 | MacAlgorithm::CupEcb16 | MacAlgorithm::CupSm4) => {
            Err(unsupported())
        }
    }
}

/// M6 or GW: the code of a message, `long` for 8 bytes.
///
/// # Errors
/// [`ModuleError`].
pub fn generate_mac(
    settings: &Settings,
    mac_key: &MacKey<'_>,
    kind: MacMethod,
    long: bool,
    data: &[u8],
) -> Result<Encoded, ModuleError> {
    let key = mac_key_of(settings, mac_key)?;
    match (mac_key, kind) {
        (MacKey::Key(_), MacMethod::Plain(kind)) => Command::GenerateMac { key, kind, long, data },
        (MacKey::Derived { ksn, .. }, MacMethod::Derived(method)) => {
            Command::DukptMac { bdk: key, ksn: *ksn, method, compare: None, data }
        }
        _ => return Err(ModuleError::Unsupported("a MAC method of another kind of key".to_owned())),
    }
    .encode(settings.lmk)
    .map_err(unsupported)
}

/// M8 or GW: compare a code of 4 or 8 bytes.
///
/// # Errors
/// [`ModuleError`].
pub fn verify_mac(
    settings: &Settings,
    mac_key: &MacKey<'_>,
    kind: MacMethod,
    mac: &[u8],
    data: &[u8],
) -> Result<Encoded, ModuleError> {
    let key = mac_key_of(settings, mac_key)?;
    match (mac_key, kind) {
        (MacKey::Key(_), MacMethod::Plain(kind)) => Command::VerifyMac { key, kind, mac, data },
        (MacKey::Derived { ksn, .. }, MacMethod::Derived(method)) => {
            let whole = mac.first_chunk::<8>().filter(|_| mac.len() == 8);
            let compare = Some(whole.ok_or_else(|| unsupported(FieldError::DataLength))?);
            Command::DukptMac { bdk: key, ksn: *ksn, method, compare, data }
        }
        _ => return Err(ModuleError::Unsupported("a MAC method of another kind of key".to_owned())),
    }
    .encode(settings.lmk)
    .map_err(unsupported)
}

/// Algorithm and key of one MAC command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MacMethod {
    /// M6, M8.
    Plain(MacKind),
    /// GW.
    Derived(DukptMacKey),
}

/// The keys of DE 62 in their order, as A0 is to make them.
///
/// # Errors
/// [`ModuleError::Unsupported`] for SM4, and for a track data key that would not be a key block.
pub fn work_keys(
    settings: &Settings,
    tmk: &KeyBlock,
    layout: WorkKeyLayout,
) -> Result<Vec<Encoded>, ModuleError> {
    // `S`: scheme X, which a terminal can read, is no key block, and a device exports no other key in it.
    let of = |usage, mode| Attributes { usage, mode, exportability: 'S' };
    let tpk = (of("P0", 'D'), KeyType::Tpk);
    let tak = (of("M3", 'C'), KeyType::Tak);
    let kinds = match layout {
        WorkKeyLayout::DoubleLength => vec![tpk, tak],
        WorkKeyLayout::DoubleLengthWithTrackKey => vec![tpk, tak, (of("D0", 'B'), KeyType::Tpk)],
        WorkKeyLayout::Sm4 => {
            return Err(ModuleError::Unsupported("SM4 work keys on a payShield".to_owned()));
        }
    };
    let tmk = settings.key(tmk)?;
    if tmk.header().is_none() && layout == WorkKeyLayout::DoubleLengthWithTrackKey {
        return Err(ModuleError::Unsupported("a track data key without key blocks".to_owned()));
    }
    kinds
        .into_iter()
        .map(|(attributes, key_type)| {
            Command::GenerateKey { attributes, key_type, tmk }.encode(settings.lmk).map_err(unsupported)
        })
        .collect()
}

/// BU for a key.
///
/// # Errors
/// [`ModuleError`].
pub fn check_value(settings: &Settings, block: &KeyBlock, key_type: KeyType) -> Result<Encoded, ModuleError> {
    let key = settings.key(block)?;
    Command::CheckValue { key, key_type }.encode(settings.lmk).map_err(unsupported)
}

/// The sixteen characters of UnionPay's fold: the message, filled with zeros, XORed block by block.
fn fold(message: &[u8]) -> [u8; 16] {
    let mut folded = [0; 8];
    for block in message.chunks(8) {
        folded.iter_mut().zip(block).for_each(|(sum, byte)| *sum ^= byte);
    }
    characters(folded)
}

/// Eight bytes as sixteen capital hexadecimal characters.
#[must_use]
pub fn characters(bytes: [u8; 8]) -> [u8; 16] {
    let mut text = [0; 16];
    for (pair, byte) in text.as_chunks_mut::<2>().0.iter_mut().zip(bytes) {
        *pair = [byte >> 4, byte & 15].map(|digit| if digit < 10 { b'0' + digit } else { b'A' + digit - 10 });
    }
    text
}

fn pin_field<'a>(settings: &Settings, request: &'a VerifyPin<'_>) -> Result<PinField<'a>, Unverifiable> {
    Ok(PinField {
        source: source(settings, &request.key)?,
        block: &request.block,
        format: request.format,
        pan: request.pan,
    })
}

fn source<'a>(settings: &Settings, pin_key: &PinKey<'a>) -> Result<PinSource<'a>, Unverifiable> {
    Ok(match pin_key {
        PinKey::Key(block) => {
            let key = key(settings, block)?;
            if key.header().is_some_and(|header| header.usage == ZONE_PIN_KEY) {
                PinSource::Zone(key)
            } else {
                PinSource::Terminal(key)
            }
        }
        PinKey::Derived { bdk, ksn } => PinSource::Derived(key(settings, bdk)?, ksn.ksn()),
    })
}

fn comparison<'a>(
    settings: &'a Settings,
    reference: &'a PinReference,
) -> Result<Comparison<'a>, Unverifiable> {
    Ok(match reference {
        PinReference::Pvv { key: name, pvki, pvv } => {
            let pvk = settings.pvv.get(name).ok_or(Unverifiable::Key)?;
            Comparison::Pvv { pvk: key(settings, pvk)?, pvki: *pvki, pvv }
        }
        PinReference::Ibm3624 { key: name, offset } => {
            let rule = settings.ibm3624.get(name).ok_or(Unverifiable::Key)?;
            Comparison::Offset { rule, pvk: key(settings, &rule.key)?, offset }
        }
    })
}

fn key<'a>(settings: &Settings, block: &'a KeyBlock) -> Result<HsmKey<'a>, Unverifiable> {
    settings.key(block).map_err(|e| Unverifiable::from(&e))
}

fn mac_key_of<'a>(settings: &Settings, mac_key: &MacKey<'a>) -> Result<HsmKey<'a>, ModuleError> {
    match mac_key {
        MacKey::Key(block) | MacKey::Derived { bdk: block, .. } => settings.key(block),
    }
}

fn unverifiable(error: FieldError) -> Unverifiable {
    match error {
        FieldError::Reference => Unverifiable::NoReference,
        FieldError::Format | FieldError::BlockLength | FieldError::Account | FieldError::DataLength => {
            Unverifiable::Unsupported
        }
    }
}

fn unsupported(error: FieldError) -> ModuleError {
    ModuleError::Unsupported(error.to_string())
}
