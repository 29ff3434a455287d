//! What a key is to be: usage, cipher, mode, length, and whether it may leave. Combinations that no standard has are
//! refused before a key exists (ANSI X9.143:2021, Tables 2 to 4 and 6).

use paycrypto::{
    kcv::KcvMethod,
    key_block::{Algorithm, Exportability, Header, KeyUsage, ModeOfUse},
};

use super::CeremonyError;
use crate::soft::KeyAttributes;

/// What a key is to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeySpec {
    /// Usage, cipher and mode.
    pub attributes: KeyAttributes,
    /// May it leave, and how?
    pub exportability: Exportability,
    /// Bytes.
    pub length: usize,
}

impl KeySpec {
    /// The method of its check value: zeros for TDES and SM4, CMAC for AES (ANSI X9.24-3:2017).
    #[must_use]
    pub fn check_method(&self) -> KcvMethod {
        match self.attributes.algorithm {
            Algorithm::Aes => KcvMethod::AesCmac,
            Algorithm::SM4 => KcvMethod::Sm4Zeros,
            _ => KcvMethod::TdesZeros,
        }
    }

    /// Bits of security (NIST SP 800-57 Part 1 Rev. 5, Table 2): what "weaker" means between ciphers.
    #[must_use]
    pub fn strength(&self) -> u16 {
        match (self.attributes.algorithm, self.length) {
            (Algorithm::Tdea, 16) => 80,
            (Algorithm::Tdea, _) => 112,
            (_, 24) => 192,
            (_, 32) => 256,
            _ => 128,
        }
    }

    /// In words, such as `a TDES key of 128 bits`.
    #[must_use]
    pub fn words(&self) -> String {
        let cipher = match self.attributes.algorithm {
            Algorithm::Aes => "an AES",
            Algorithm::SM4 => "an SM4",
            _ => "a TDES",
        };
        format!("{cipher} key of {} bits", self.length * 8)
    }

    /// Do usage, cipher, mode and length go together?
    ///
    /// # Errors
    /// [`CeremonyError::Spec`] says what does not.
    pub fn check(&self) -> Result<(), CeremonyError> {
        let KeyAttributes { usage, algorithm, mode } = self.attributes;
        let wrong = |what: String| Err(CeremonyError::Spec(what));
        let lengths: &[usize] = match algorithm {
            Algorithm::Tdea if usage == KeyUsage::BaseDerivation => &[16],
            Algorithm::Tdea => &[16, 24],
            Algorithm::Aes => &[16, 24, 32],
            Algorithm::SM4 => &[16],
            _ => return wrong("only TDES, AES and SM4 keys are kept".to_owned()),
        };
        if !lengths.contains(&self.length) {
            return wrong(format!("{} does not exist for this usage", self.words()));
        }
        if !ciphers(usage).contains(&algorithm) {
            return wrong(format!("no key of usage {} is {}", code(usage), self.words()));
        }
        if !mode_suits(usage, mode) {
            let mode = char::from(mode.character());
            return wrong(format!("a key of usage {} has no mode of use {mode}", code(usage)));
        }
        Ok(())
    }

    /// Is this what a header says?
    pub(super) fn is_of(&self, header: &Header) -> bool {
        let of = self.attributes;
        (header.usage, header.algorithm, header.mode_of_use) == (of.usage, of.algorithm, of.mode)
            && header.exportability == self.exportability
    }
}

fn code(usage: KeyUsage) -> String {
    usage.code().map(char::from).iter().collect()
}

/// The ciphers that a usage is defined for, of the three that are kept.
fn ciphers(usage: KeyUsage) -> &'static [Algorithm] {
    use KeyUsage as U;
    match usage {
        U::BaseDerivation | U::DukptInitial | U::KeyBlockProtection => &[Algorithm::Tdea, Algorithm::Aes],
        U::Iso20038Protection => &[Algorithm::Aes],
        U::CardVerification
        | U::PinVerificationIbm3624
        | U::PinVerificationVisaPvv
        | U::Mac16609
        | U::Mac97971Algorithm3 => &[Algorithm::Tdea],
        U::KeyEncryption
        | U::PinEncryption
        | U::Data
        | U::SensitiveData
        | U::DecimalisationTableData
        | U::MacCmac
        | U::Mac97971Algorithm1
        | U::Mac97971Algorithm6
        | U::PinVerificationOther
        | U::PinGeneration => &[Algorithm::Tdea, Algorithm::Aes, Algorithm::SM4],
        _ => &[],
    }
}

/// Is this mode of use defined for this usage (X9.143:2021, Tables 2 and 4)? `N`, no restriction, is taken from others
/// but does not suit: a key of ours always says what it does.
#[must_use]
pub fn mode_suits(usage: KeyUsage, mode: ModeOfUse) -> bool {
    modes(usage).contains(&mode)
}

/// The mode of use that a key of this usage has here unless somebody says otherwise. PIN keys only decrypt: they come from
/// terminals (see [`KeyAttributes::zone_pin_out`] for one that leaves).
#[must_use]
pub fn usual_mode(usage: KeyUsage) -> ModeOfUse {
    match usage {
        KeyUsage::PinEncryption => ModeOfUse::DecryptOnly,
        _ => modes(usage)[0],
    }
}

/// The modes of a usage, the widest first; none of the lists is empty.
fn modes(usage: KeyUsage) -> &'static [ModeOfUse] {
    use KeyUsage as U;
    use ModeOfUse as M;
    match usage {
        U::BaseDerivation | U::DukptInitial => &[M::DeriveKeys],
        U::KeyEncryption
        | U::KeyBlockProtection
        | U::Iso20038Protection
        | U::PinEncryption
        | U::Data
        | U::SensitiveData
        | U::DecimalisationTableData => &[M::EncryptAndDecrypt, M::EncryptOnly, M::DecryptOnly],
        _ => &[M::GenerateAndVerify, M::GenerateOnly, M::VerifyOnly],
    }
}
