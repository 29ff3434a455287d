//! What only a sandbox may do with a device: bring in test keys whose clear values are known, under a zone master key
//! whose clear value is known, and make PIN references of test cards from PIN blocks that we encrypt ourselves. With a
//! real device keys are formed of components at its console (PCI PIN requirement 6), and nobody has them in clear.

use model::{KeyBlock, Pan, PinBlockFormat, PinReference};
use paycrypto::{
    key::{AesKey, TdesKey},
    key_block::{
        Algorithm, Exportability, Header, KeyUsage, ModeOfUse, ProtectionKey, RANDOM_LENGTH, Version, wrap,
    },
    pin::{PanForPin, Pin},
    pin_block::encode_format_0,
};
use zeroize::Zeroizing;

use super::{
    command::{Attributes, Command, Encoded, KeyType, PinField, PinSource},
    error::ErrorCode,
    key::HsmKey,
    outcome::describe,
    reply::{Content, Reply},
    settings::Settings,
};
use crate::{
    module::{EncryptedPinBlock, ModuleError},
    soft::ReferenceMethod,
};

/// A zone master key, under the LMK and in clear.
pub struct ZoneMasterKey {
    key: KeyBlock,
    clear: ProtectionKey,
}

/// What a test key is to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TestKey {
    /// Usage, mode, exportability of its block.
    pub attributes: Attributes,
    /// For a device without key blocks.
    pub key_type: KeyType,
    /// TDES or AES.
    pub algorithm: Algorithm,
}

impl ZoneMasterKey {
    /// A double-length TDES key takes TDES keys, an AES key takes all (PCI PIN requirement 21: not under a weaker key).
    ///
    /// # Errors
    /// [`ModuleError::KeyRefused`] for bytes that are no key of the cipher.
    pub fn new(key: KeyBlock, clear: &[u8]) -> Result<Self, ModuleError> {
        let is_aes = HsmKey::of(&key).is_ok_and(|key| key.is_aes());
        let clear = if is_aes {
            AesKey::new(clear).map(ProtectionKey::Aes).map_err(|e| refused(&e))?
        } else {
            TdesKey::new(clear).map(ProtectionKey::Tdes).map_err(|e| refused(&e))?
        };
        Ok(Self { key, clear })
    }

    /// A6 for a clear test key.
    ///
    /// # Errors
    /// [`ModuleError`].
    pub fn import(&self, settings: &Settings, of: TestKey, clear: &[u8]) -> Result<Encoded, ModuleError> {
        let wrapped = self.wrap(of, clear)?;
        let key = HsmKey::parse(&wrapped).map_err(|e| refused(&e))?;
        let zmk = settings.key(&self.key)?;
        let command = Command::ImportKey { attributes: of.attributes, key_type: of.key_type, zmk, key };
        command.encode(settings.lmk).map_err(|e| ModuleError::Unsupported(e.to_string()))
    }

    fn wrap(&self, of: TestKey, clear: &[u8]) -> Result<Zeroizing<String>, ModuleError> {
        match &self.clear {
            ProtectionKey::Tdes(zmk) if of.algorithm == Algorithm::Tdea => {
                let tag = match clear.len() {
                    8 => "",
                    16 => "X",
                    24 => "Y",
                    _ => return Err(ModuleError::KeyRefused("no TDES key".to_owned())),
                };
                let parts = clear.as_chunks::<8>().0.iter().map(|part| encrypt(zmk, *part));
                let digits: String = parts.map(hex::encode_upper).collect();
                Ok(Zeroizing::new(format!("{tag}{digits}")))
            }
            ProtectionKey::Tdes(_) => {
                Err(ModuleError::KeyRefused("no other key goes under a TDES zone master key".to_owned()))
            }
            ProtectionKey::Aes(_) => {
                let single = of.algorithm == Algorithm::Tdea && clear.len() == 8;
                let algorithm = if single { Algorithm::Des } else { of.algorithm };
                let header = Header::new(
                    Version::D,
                    KeyUsage::from_code(*of.attributes.usage.as_bytes().first_chunk().unwrap_or(b"00")),
                    algorithm,
                    mode_of_use(of.attributes.mode)?,
                    Exportability::Sensitive,
                );
                let mut random = [0; RANDOM_LENGTH];
                getrandom::fill(&mut random).map_err(|e| ModuleError::Away(format!("no randomness: {e}")))?;
                let block = wrap(&self.clear, &header, clear, &random).map_err(|e| refused(&e))?;
                Ok(Zeroizing::new(format!("R{block}")))
            }
        }
    }
}

/// The key that A6 answered with, and its check value. A warning about parity is no failure.
///
/// # Errors
/// [`ModuleError`].
pub fn of_import(command: &Encoded, reply: Reply) -> Result<(KeyBlock, [u8; 3]), ModuleError> {
    match reply.content {
        Content::ImportedKey { key, check_value } => Ok((KeyBlock::new(key), check_value)),
        _ => Err(reply.error.meaning(false).module_error(describe(command, reply.error))),
    }
}

/// A test PIN on its way into the device: under a zone PIN key whose clear value is known, as a block of format 0.
pub struct TestPin<'a> {
    /// The zone PIN key under the LMK.
    pub zone_key: &'a KeyBlock,
    /// The same in clear.
    pub clear_zone_key: &'a TdesKey,
    /// The card's number.
    pub pan: &'a Pan,
    /// The PIN.
    pub pin: &'a str,
}

/// FW or BK: the reference for a test PIN.
///
/// # Errors
/// [`ModuleError`].
pub fn make_reference(
    settings: &Settings,
    test: &TestPin<'_>,
    method: &ReferenceMethod,
) -> Result<Encoded, ModuleError> {
    let pin = Pin::from_ascii(test.pin.as_bytes()).map_err(|e| refused(&e))?;
    let account = PanForPin::new(test.pan.reveal()).map_err(|e| refused(&e))?.account12();
    let block = encode_format_0(&pin, &account).encrypt(test.clear_zone_key);
    let block = EncryptedPinBlock::new(&block).ok_or_else(|| refused(&"no PIN block"))?;
    let source = PinSource::Zone(settings.key(test.zone_key)?);
    let field = PinField { source, block: &block, format: PinBlockFormat::Iso0, pan: test.pan };
    let unknown = |name: &str| ModuleError::KeyRefused(format!("no key named {name:?} is configured"));
    match method {
        ReferenceMethod::Pvv { key, pvki } => {
            let pvk = settings.key(settings.pvv.get(key).ok_or_else(|| unknown(key))?)?;
            Command::MakePvv { pin: field, pvk, pvki: *pvki }.encode(settings.lmk)
        }
        ReferenceMethod::Ibm3624 { key } => {
            let rule = settings.ibm3624.get(key).ok_or_else(|| unknown(key))?;
            let pvk = settings.key(&rule.key)?;
            Command::MakeOffset { pin: field, rule, pvk, length: pin.len() }.encode(settings.lmk)
        }
    }
    .map_err(|e| ModuleError::Unsupported(e.to_string()))
}

/// The reference that FW or BK answered with.
///
/// # Errors
/// [`ModuleError`].
pub fn of_reference(
    command: &Encoded,
    reply: Reply,
    method: &ReferenceMethod,
) -> Result<PinReference, ModuleError> {
    match (reply.error, reply.content, method) {
        (ErrorCode::DONE, Content::Pvv(pvv), ReferenceMethod::Pvv { key, pvki }) => {
            Ok(PinReference::Pvv { key: key.clone(), pvki: *pvki, pvv })
        }
        (ErrorCode::DONE, Content::Offset(offset), ReferenceMethod::Ibm3624 { key }) => {
            Ok(PinReference::Ibm3624 { key: key.clone(), offset })
        }
        (error, _, _) => Err(error.meaning(false).module_error(describe(command, error))),
    }
}

fn encrypt(key: &TdesKey, mut block: [u8; 8]) -> [u8; 8] {
    paycrypto::key::BlockKey::encrypt_block(key, &mut block);
    block
}

fn mode_of_use(mode: char) -> Result<ModeOfUse, ModuleError> {
    Ok(match mode {
        'B' => ModeOfUse::EncryptAndDecrypt,
        'C' => ModeOfUse::GenerateAndVerify,
        'D' => ModeOfUse::DecryptOnly,
        'E' => ModeOfUse::EncryptOnly,
        'G' => ModeOfUse::GenerateOnly,
        'V' => ModeOfUse::VerifyOnly,
        'X' => ModeOfUse::DeriveKeys,
        _ => return Err(ModuleError::Unsupported("a test key with another mode of use".to_owned())),
    })
}

fn refused(error: &dyn std::fmt::Display) -> ModuleError {
    ModuleError::KeyRefused(error.to_string())
}
