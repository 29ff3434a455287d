//! Keys as the soft module holds them while it works, and what each may be used for. A key block's header must say the
//! one usage, a mode of use and an algorithm that the purpose allows (ANSI X9.143:2021, Tables 2 to 4; PCI PIN
//! requirement 19); the check runs on every call, cached or not.

use paycrypto::{
    dukpt,
    key::{AesKey, Sm4Key, TdesKey},
    key_block::{Algorithm, Header, KeyUsage, ModeOfUse},
};

use crate::module::ModuleError;

/// An opened key, prepared for its cipher. Always behind an `Arc`, so the size of the largest does not matter.
#[allow(clippy::large_enum_variant, reason = "never moved but into its Arc")]
pub(super) enum OpenedKey {
    Tdes(TdesKey),
    Aes(AesKey),
    Sm4(Sm4Key),
    /// A base derivation key of TDES DUKPT.
    TdesBase(dukpt::tdes::BaseDerivationKey),
    /// A base derivation key of AES DUKPT.
    AesBase(AesKey),
}

/// What a key is wanted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Purpose {
    /// Hand out work keys under it.
    TerminalMaster,
    /// Decrypt PIN blocks.
    PinIn,
    /// Encrypt PIN blocks for the next zone.
    PinOut,
    /// MAC with ISO 9797-1 algorithm 3 or UnionPay's with TDES.
    TdesMac,
    /// MAC with CMAC.
    CmacMac,
    /// MAC with SM4.
    Sm4Mac,
    /// Derive transaction keys.
    Base,
    /// Verify by PVV.
    VerifyPvv,
    /// Make PVVs.
    MakePvv,
    /// Verify by IBM 3624.
    VerifyIbm3624,
    /// Make IBM 3624 offsets.
    MakeIbm3624,
}

impl Purpose {
    fn usage(self) -> KeyUsage {
        match self {
            Self::TerminalMaster => KeyUsage::KeyEncryption,
            Self::PinIn | Self::PinOut => KeyUsage::PinEncryption,
            Self::TdesMac => KeyUsage::Mac97971Algorithm3,
            Self::CmacMac => KeyUsage::MacCmac,
            Self::Sm4Mac => KeyUsage::Mac97971Algorithm1,
            Self::Base => KeyUsage::BaseDerivation,
            Self::VerifyPvv | Self::MakePvv => KeyUsage::PinVerificationVisaPvv,
            Self::VerifyIbm3624 | Self::MakeIbm3624 => KeyUsage::PinVerificationIbm3624,
        }
    }

    fn modes(self) -> &'static [ModeOfUse] {
        use ModeOfUse::{
            DecryptOnly, DeriveKeys, EncryptAndDecrypt, EncryptOnly, GenerateAndVerify, GenerateOnly,
            VerifyOnly,
        };
        match self {
            Self::TerminalMaster => &[EncryptAndDecrypt, EncryptOnly],
            Self::PinIn => &[DecryptOnly],
            Self::PinOut => &[EncryptOnly],
            Self::TdesMac | Self::CmacMac | Self::Sm4Mac => &[GenerateAndVerify],
            Self::Base => &[DeriveKeys],
            Self::VerifyPvv | Self::VerifyIbm3624 => &[GenerateAndVerify, VerifyOnly],
            Self::MakePvv | Self::MakeIbm3624 => &[GenerateAndVerify, GenerateOnly],
        }
    }

    fn algorithms(self) -> &'static [Algorithm] {
        match self {
            Self::TerminalMaster => &[Algorithm::Tdea, Algorithm::SM4],
            Self::PinIn | Self::PinOut => &[Algorithm::Tdea, Algorithm::Aes, Algorithm::SM4],
            Self::TdesMac => &[Algorithm::Tdea],
            Self::CmacMac => &[Algorithm::Aes],
            Self::Sm4Mac => &[Algorithm::SM4],
            Self::Base => &[Algorithm::Tdea, Algorithm::Aes],
            Self::VerifyPvv | Self::MakePvv | Self::VerifyIbm3624 | Self::MakeIbm3624 => &[Algorithm::Tdea],
        }
    }

    /// Refuses a header that was not made for this.
    pub(super) fn check(self, header: &Header) -> Result<(), ModuleError> {
        let refused = |why: &str| Err(ModuleError::KeyRefused(why.to_owned()));
        if header.usage != self.usage() {
            return refused("the key block has another usage");
        }
        if !self.modes().contains(&header.mode_of_use) {
            return refused("the key block has another mode of use");
        }
        if !self.algorithms().contains(&header.algorithm) {
            return refused("the key block has another algorithm");
        }
        Ok(())
    }
}

impl OpenedKey {
    /// Prepares a key by what its header says.
    pub(super) fn prepare(header: &Header, bytes: &[u8]) -> Result<Self, ModuleError> {
        let refused = |e: &dyn std::fmt::Display| ModuleError::KeyRefused(e.to_string());
        let base = header.usage == KeyUsage::BaseDerivation;
        match header.algorithm {
            Algorithm::Tdea if base => {
                dukpt::tdes::BaseDerivationKey::new(bytes).map(Self::TdesBase).map_err(|e| refused(&e))
            }
            Algorithm::Tdea => TdesKey::new(bytes).map(Self::Tdes).map_err(|e| refused(&e)),
            Algorithm::Aes if base => AesKey::new(bytes).map(Self::AesBase).map_err(|e| refused(&e)),
            Algorithm::Aes => AesKey::new(bytes).map(Self::Aes).map_err(|e| refused(&e)),
            Algorithm::SM4 => Sm4Key::from_slice(bytes).map(Self::Sm4).map_err(|e| refused(&e)),
            _ => Err(ModuleError::KeyRefused("the key block has another algorithm".to_owned())),
        }
    }

    /// The key as TDES; a purpose that allows only TDES never gets another.
    pub(super) fn tdes(&self) -> Result<&TdesKey, ModuleError> {
        match self {
            Self::Tdes(key) => Ok(key),
            _ => Err(ModuleError::KeyRefused("the key block has another algorithm".to_owned())),
        }
    }
}
