//! Keys on the way between two sites: as key blocks under a key block protection key (usage K1, ANSI X9.143:2021; K4 for
//! version E, ISO 20038), in and out; as cryptograms without integrity under a key encryption key (usage K0), in only and
//! only because old partners have nothing else (PCI PIN Security Requirements v3.1, 18-3).
//!
//! A key never travels under a weaker one (21-1), in either direction: one that did has the strength of what it came under.

use model::KeyBlock;
use paycrypto::{
    key::{AesKey, Sm4Key, TdesKey},
    key_block::{
        Algorithm, Header, KeyUsage, ModeOfUse, ProtectionKey, UnwrappedKey, Version, read_unverified_header,
        unwrap, wrap,
    },
    mode,
    thales::{KeyScheme, decrypt_key_under_zmk},
};
use zeroize::Zeroizing;

use super::{
    Ceremony, CeremonyError, KeySpec, SealedKey, check_value_of, is_component, kept_blocks, may_leave,
    random, wraps_key_blocks,
};
use crate::soft::KeyAttributes;

/// A key of ours that protects others on their way.
#[derive(Debug, Clone, Copy)]
pub struct Wrapping<'a> {
    /// Its name, for errors.
    pub label: &'a str,
    /// The key.
    pub block: &'a KeyBlock,
}

/// What the receiver of a key wants it to be called and to be.
#[derive(Debug, Clone, Copy)]
pub struct Received<'a> {
    /// Its name here.
    pub label: &'a str,
    /// Its version here.
    pub version: [u8; 2],
    /// A mode of use within the one that the sender allowed, if the receiver wants less.
    pub narrowed_to: Option<ModeOfUse>,
}

/// A key encrypted without integrity.
#[derive(Debug, Clone, Copy)]
pub struct Cryptogram<'a> {
    /// The encrypted key.
    pub encrypted: &'a [u8],
    /// How its parts are bound (Thales `U`, `T`), or plain ECB.
    pub scheme: CryptogramScheme,
    /// Its check value as the sender announced it: nothing else says that it is the right key.
    pub check_value: &'a [u8],
}

/// How a cryptogram was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CryptogramScheme {
    /// ECB (ANSI X9.17; Thales `X` and `Y`; UnionPay).
    Ecb,
    /// Thales variants (`U` for double, `T` for triple length).
    ThalesVariant,
}

/// Bytes of an announced check value at least; fewer prove nothing.
const ANNOUNCED_MIN: usize = 3;

/// A wrapping key, opened.
struct Opened {
    header: Header,
    key: UnwrappedKey,
    spec: KeySpec,
}

impl Ceremony {
    /// Takes a key in from a key block of versions A to E. Usage, cipher, mode and exportability are those of its header.
    ///
    /// # Errors
    /// [`CeremonyError`]; nothing of the block is believed before its MAC.
    pub fn import_block(
        &self,
        under: Wrapping<'_>,
        received: Received<'_>,
        block: &str,
    ) -> Result<SealedKey, CeremonyError> {
        let version = read_unverified_header(block).map_err(CeremonyError::ReceivedBlock)?.version;
        let wrapping = self.open_wrapping(under, Way::In, block_usage(version))?;
        let protection = protection_key(under.label, &wrapping, version)?;
        let (header, key) = unwrap(&protection, block).map_err(CeremonyError::ReceivedBlock)?;
        if is_component(&header) {
            return Err(CeremonyError::Components(
                "the block received holds a component; components are given by their custodians".to_owned(),
            ));
        }
        let mode = narrowed(header.mode_of_use, received.narrowed_to, header.usage)?;
        let spec = KeySpec {
            attributes: KeyAttributes { usage: header.usage, algorithm: header.algorithm, mode },
            exportability: header.exportability,
            length: key.expose_bytes().len(),
        };
        spec.check()?;
        not_weaker(under.label, &wrapping.spec, &spec)?;
        self.seal_key(&spec, received.label, received.version, key.expose_bytes(), kept_blocks(&header))
    }

    /// Takes a key in from a cryptogram without integrity. Only the announced check value says that it is the right one.
    ///
    /// # Errors
    /// [`CeremonyError::CheckValue`] when it is not.
    pub fn import_cryptogram(
        &self,
        under: Wrapping<'_>,
        received: Received<'_>,
        spec: &KeySpec,
        cryptogram: Cryptogram<'_>,
    ) -> Result<SealedKey, CeremonyError> {
        spec.check()?;
        let wrapping = self.open_wrapping(under, Way::In, KeyUsage::KeyEncryption)?;
        not_weaker(under.label, &wrapping.spec, spec)?;
        let length = cryptogram.encrypted.len();
        if length != spec.length {
            return Err(CeremonyError::Spec(format!(
                "the cryptogram has {length} bytes, {} has {}",
                spec.words(),
                spec.length
            )));
        }
        if cryptogram.check_value.len() < ANNOUNCED_MIN {
            return Err(CeremonyError::Spec(format!(
                "an announced check value has {ANNOUNCED_MIN} bytes or more"
            )));
        }
        let clear = decrypted(under.label, &wrapping, cryptogram)?;
        let found = check_value_of(spec.attributes.algorithm, &clear)?;
        if !found.matches(cryptogram.check_value.get(..found.bytes().len()).unwrap_or_default()) {
            let expected = hex::encode_upper(cryptogram.check_value);
            return Err(CeremonyError::CheckValue { expected, found: found.to_string() });
        }
        self.seal_key(spec, received.label, received.version, &clear, Vec::new())
    }

    /// Hands a key on as a key block: version B under a TDES key, D under an AES key, E under a key of usage K4.
    ///
    /// # Errors
    /// [`CeremonyError::NotExportable`], [`CeremonyError::WeakerWrapping`] and the others.
    pub fn export_block(
        &self,
        under: Wrapping<'_>,
        label: &str,
        block: &KeyBlock,
    ) -> Result<String, CeremonyError> {
        let (mut header, key) = self.open_own(label, block)?;
        if is_component(&header) || !may_leave(header.exportability) {
            return Err(CeremonyError::NotExportable(label.to_owned()));
        }
        let asked = self.examine(under.label, under.block)?.header.usage;
        if !wraps_key_blocks(asked) {
            return Err(not_for(under.label, "key blocks leave under a key of usage K1 (or K4)"));
        }
        let wrapping = self.open_wrapping(under, Way::Out, asked)?;
        let spec = spec_of(&header, key.expose_bytes().len());
        not_weaker(under.label, &wrapping.spec, &spec)?;
        header.version = match (wrapping.spec.attributes.algorithm, asked) {
            (Algorithm::Tdea, _) => Version::B,
            (_, KeyUsage::Iso20038Protection) => Version::E,
            _ => Version::D,
        };
        header.optional_blocks = kept_blocks(&header);
        let protection = protection_key(under.label, &wrapping, header.version)?;
        wrap(&protection, &header, key.expose_bytes(), &random()?)
            .map_err(|e| CeremonyError::Spec(format!("the key cannot be wrapped: {e}")))
    }

    fn open_wrapping(&self, under: Wrapping<'_>, way: Way, usage: KeyUsage) -> Result<Opened, CeremonyError> {
        let (header, key) = self.open_own(under.label, under.block)?;
        if is_component(&header) {
            return Err(not_for(under.label, "it is a component"));
        }
        if header.usage != usage {
            return Err(not_for(
                under.label,
                match usage {
                    KeyUsage::KeyEncryption => "cryptograms come under a key of usage K0",
                    KeyUsage::Iso20038Protection => "version E key blocks come under a key of usage K4",
                    _ => "key blocks come under a key of usage K1",
                },
            ));
        }
        if !way.modes().contains(&header.mode_of_use) {
            return Err(not_for(under.label, way.wrong_mode()));
        }
        let spec = spec_of(&header, key.expose_bytes().len());
        Ok(Opened { header, key, spec })
    }
}

/// Which way a key goes.
#[derive(Clone, Copy)]
enum Way {
    In,
    Out,
}

impl Way {
    fn modes(self) -> &'static [ModeOfUse] {
        match self {
            Way::In => &[ModeOfUse::EncryptAndDecrypt, ModeOfUse::DecryptOnly],
            Way::Out => &[ModeOfUse::EncryptAndDecrypt, ModeOfUse::EncryptOnly],
        }
    }

    fn wrong_mode(self) -> &'static str {
        match self {
            Way::In => "its mode of use does not unwrap",
            Way::Out => "its mode of use does not wrap",
        }
    }
}

fn spec_of(header: &Header, length: usize) -> KeySpec {
    KeySpec {
        attributes: KeyAttributes {
            usage: header.usage,
            algorithm: header.algorithm,
            mode: header.mode_of_use,
        },
        exportability: header.exportability,
        length,
    }
}

fn block_usage(version: Version) -> KeyUsage {
    match version {
        Version::E => KeyUsage::Iso20038Protection,
        Version::A | Version::B | Version::C | Version::D | Version::Thales0 => KeyUsage::KeyBlockProtection,
    }
}

fn not_for(label: &str, why: &'static str) -> CeremonyError {
    CeremonyError::NotForWrapping { label: label.to_owned(), why }
}

fn not_weaker(label: &str, wrapping: &KeySpec, wrapped: &KeySpec) -> Result<(), CeremonyError> {
    if wrapping.strength() >= wrapped.strength() {
        return Ok(());
    }
    Err(CeremonyError::WeakerWrapping {
        wrapping: format!("{label}, {},", wrapping.words()),
        wrapped: wrapped.words(),
    })
}

fn protection_key(label: &str, of: &Opened, version: Version) -> Result<ProtectionKey, CeremonyError> {
    let damaged = |e: paycrypto::key::KeyError| CeremonyError::Spec(e.to_string());
    let bytes = of.key.expose_bytes();
    match (of.header.algorithm, version) {
        (_, Version::Thales0) => {
            Err(not_for(label, "a block that begins with 0 is of a Thales LMK, which never leaves its HSM"))
        }
        (Algorithm::Tdea, Version::A | Version::B | Version::C) => {
            TdesKey::new(bytes).map(ProtectionKey::Tdes).map_err(damaged)
        }
        (Algorithm::Aes, Version::D | Version::E) => {
            AesKey::new(bytes).map(ProtectionKey::Aes).map_err(damaged)
        }
        _ => Err(not_for(label, "versions A to C are under TDES keys, D and E under AES keys")),
    }
}

/// The mode that the key will have: the sender's, or less.
fn narrowed(sent: ModeOfUse, wanted: Option<ModeOfUse>, usage: KeyUsage) -> Result<ModeOfUse, CeremonyError> {
    use ModeOfUse as M;
    let within = |wanted: M| match sent {
        M::NoRestriction => true,
        M::EncryptAndDecrypt => matches!(wanted, M::EncryptOnly | M::DecryptOnly),
        M::GenerateAndVerify => matches!(wanted, M::GenerateOnly | M::VerifyOnly),
        _ => false,
    };
    match wanted {
        None if sent == M::NoRestriction => Err(CeremonyError::Spec(format!(
            "the sender restricts the key of usage {} to no mode of use (N): say which it shall have here",
            usage.code().map(char::from).iter().collect::<String>()
        ))),
        None => Ok(sent),
        Some(wanted) if wanted == sent || within(wanted) => Ok(wanted),
        Some(wanted) => Err(CeremonyError::Spec(format!(
            "the sender allows mode of use {}, which does not contain {}",
            char::from(sent.character()),
            char::from(wanted.character())
        ))),
    }
}

fn decrypted(
    label: &str,
    under: &Opened,
    cryptogram: Cryptogram<'_>,
) -> Result<Zeroizing<Vec<u8>>, CeremonyError> {
    let damaged = |e: &dyn std::fmt::Display| CeremonyError::Spec(e.to_string());
    let bytes = under.key.expose_bytes();
    let mut clear = Zeroizing::new(cryptogram.encrypted.to_vec());
    match (cryptogram.scheme, under.header.algorithm) {
        (CryptogramScheme::Ecb, Algorithm::Tdea) => {
            mode::ecb_decrypt::<8>(&TdesKey::new(bytes).map_err(|e| damaged(&e))?, &mut clear);
        }
        (CryptogramScheme::Ecb, Algorithm::Aes) if clear.len().is_multiple_of(16) => {
            mode::ecb_decrypt::<16>(&AesKey::new(bytes).map_err(|e| damaged(&e))?, &mut clear);
        }
        (CryptogramScheme::Ecb, Algorithm::SM4) if clear.len().is_multiple_of(16) => {
            mode::ecb_decrypt::<16>(&Sm4Key::from_slice(bytes).map_err(|e| damaged(&e))?, &mut clear);
        }
        (CryptogramScheme::ThalesVariant, Algorithm::Tdea) => {
            let zmk = <&[u8; 16]>::try_from(bytes)
                .map_err(|_| not_for(label, "Thales variants are under a double-length key"))?;
            let scheme = if clear.len() == 16 { KeyScheme::DoubleVariant } else { KeyScheme::TripleVariant };
            return decrypt_key_under_zmk(zmk, scheme, cryptogram.encrypted).map_err(|e| damaged(&e));
        }
        _ => {
            return Err(not_for(
                label,
                "its cipher and the cryptogram's length or scheme do not go together",
            ));
        }
    }
    Ok(clear)
}
