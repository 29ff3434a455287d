//! The letters of a key block's header in the words of ANSI X9.143:2021, Tables 2, 3, 4 and 6, for whoever compares a
//! page with the standard.

use paycrypto::key_block::{Algorithm, Exportability, KeyUsage, ModeOfUse};

/// The usages that X9.143 lists.
const USAGES: &[(KeyUsage, &str)] = &[
    (KeyUsage::BaseDerivation, "base derivation key (BDK)"),
    (KeyUsage::DukptInitial, "initial DUKPT key"),
    (KeyUsage::BaseKeyVariant, "base key variant key"),
    (KeyUsage::KeyDerivation, "key derivation key, not X9.24"),
    (KeyUsage::CardVerification, "card verification key"),
    (KeyUsage::Data, "symmetric key for data encryption"),
    (KeyUsage::AsymmetricData, "asymmetric key for data encryption"),
    (KeyUsage::DecimalisationTableData, "data encryption key for decimalisation tables"),
    (KeyUsage::SensitiveData, "data encryption key for sensitive data"),
    (KeyUsage::EmvCryptogram, "EMV issuer master key: application cryptograms"),
    (KeyUsage::EmvConfidentiality, "EMV issuer master key: secure messaging, confidentiality"),
    (KeyUsage::EmvIntegrity, "EMV issuer master key: secure messaging, integrity"),
    (KeyUsage::EmvDataAuthentication, "EMV issuer master key: data authentication code"),
    (KeyUsage::EmvDynamicNumbers, "EMV issuer master key: dynamic numbers"),
    (KeyUsage::EmvPersonalisation, "EMV issuer master key: card personalisation"),
    (KeyUsage::EmvOther, "EMV issuer master key: other"),
    (KeyUsage::EmvMasterPersonalisation, "EMV master personalisation key"),
    (KeyUsage::InitialisationVector, "initialisation vector"),
    (KeyUsage::KeyEncryption, "key encryption or wrapping key"),
    (KeyUsage::KeyBlockProtection, "key block protection key (TR-31, X9.143)"),
    (KeyUsage::Tr34Asymmetric, "TR-34 asymmetric key"),
    (KeyUsage::KeyAgreement, "asymmetric key for key agreement or wrapping"),
    (KeyUsage::Iso20038Protection, "key block protection key (ISO 20038)"),
    (KeyUsage::Mac16609, "ISO 16609 MAC algorithm 1 with TDEA"),
    (KeyUsage::Mac97971Algorithm1, "ISO 9797-1 MAC algorithm 1"),
    (KeyUsage::Mac97971Algorithm2, "ISO 9797-1 MAC algorithm 2"),
    (KeyUsage::Mac97971Algorithm3, "ISO 9797-1 MAC algorithm 3 (retail MAC)"),
    (KeyUsage::Mac97971Algorithm4, "ISO 9797-1 MAC algorithm 4"),
    (KeyUsage::Mac97971Algorithm5Old, "ISO 9797-1:1999 MAC algorithm 5"),
    (KeyUsage::MacCmac, "ISO 9797-1:2011 MAC algorithm 5, CMAC"),
    (KeyUsage::MacHmac, "HMAC"),
    (KeyUsage::Mac97971Algorithm6, "ISO 9797-1:2011 MAC algorithm 6"),
    (KeyUsage::PinEncryption, "PIN encryption key"),
    (KeyUsage::PinGeneration, "PIN generation key"),
    (KeyUsage::AsymmetricSignature, "asymmetric key pair for signatures"),
    (KeyUsage::CertificateAuthority, "asymmetric key pair of a certificate authority"),
    (KeyUsage::AsymmetricOther, "asymmetric key pair, other than X9.24"),
    (KeyUsage::PinVerificationOther, "PIN verification key, other"),
    (KeyUsage::PinVerificationIbm3624, "PIN verification key, IBM 3624"),
    (KeyUsage::PinVerificationVisaPvv, "PIN verification key, Visa PVV"),
    (KeyUsage::PinVerificationX9132Algorithm1, "PIN verification key, X9.132 algorithm 1"),
    (KeyUsage::PinVerificationX9132Algorithm2, "PIN verification key, X9.132 algorithm 2"),
    (KeyUsage::PinVerificationX9132Algorithm3, "PIN verification key, X9.132 algorithm 3"),
];

/// What a key is for.
pub(super) fn usage(usage: KeyUsage) -> &'static str {
    let found = USAGES.iter().find(|(listed, _)| *listed == usage);
    found.map_or("proprietary or reserved", |(_, words)| *words)
}

/// The cipher of a key.
pub(super) fn algorithm(algorithm: Algorithm) -> &'static str {
    match algorithm {
        Algorithm::Aes => "AES",
        Algorithm::Des => "DEA",
        Algorithm::EllipticCurve => "elliptic curve",
        Algorithm::Hmac => "HMAC",
        Algorithm::Rsa => "RSA",
        Algorithm::Dsa => "DSA",
        Algorithm::Tdea => "TDEA",
        Algorithm::SM4 => "proprietary, here SM4",
        Algorithm::Proprietary(_) => "proprietary",
    }
}

/// What may be done with a key.
pub(super) fn mode_of_use(mode: ModeOfUse) -> &'static str {
    match mode {
        ModeOfUse::EncryptAndDecrypt => "both encrypt and decrypt, or wrap and unwrap",
        ModeOfUse::GenerateAndVerify => "both generate and verify",
        ModeOfUse::DecryptOnly => "decrypt or unwrap only",
        ModeOfUse::EncryptOnly => "encrypt or wrap only",
        ModeOfUse::GenerateOnly => "generate only",
        ModeOfUse::NoRestriction => "no special restrictions",
        ModeOfUse::SignOnly => "signature only",
        ModeOfUse::SignAndDecrypt => "both sign and decrypt",
        ModeOfUse::VerifyOnly => "verify only",
        ModeOfUse::DeriveKeys => "key used to derive other keys",
        ModeOfUse::CreateVariants => "key used to create key variants",
        ModeOfUse::Proprietary => "proprietary",
    }
}

/// Whether a key may leave.
pub(super) fn exportability(exportability: Exportability) -> &'static str {
    match exportability {
        Exportability::Trusted => "exportable under a key encryption key in a trusted form",
        Exportability::No => "not exportable",
        Exportability::Sensitive => "sensitive: exportable under any key encryption key",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_usage_has_words() {
        for listed in KeyUsage::ALL {
            assert_ne!(usage(*listed), "proprietary or reserved", "{listed:?}");
        }
        assert_eq!(usage(KeyUsage::Other(*b"71")), "proprietary or reserved");
    }
}
