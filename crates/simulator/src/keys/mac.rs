//! The key of MACs, and DE 64 that it makes (docs/reference/rules.md S6, S10, S12).

use paycrypto::key::{AesKey, Sm4Key, TdesKey};
use paycrypto::mac;

use super::{another_aes, another_sm4, another_tdes};
use crate::sandbox::MacAlgorithm;

/// A MAC key with its algorithm.
#[derive(Debug)]
pub(crate) enum MacKey {
    Tdes(TdesKey, MacAlgorithm),
    /// CMAC, leftmost eight bytes (NIST SP 800-38B).
    Aes(AesKey),
    /// The SM4 form of UnionPay's ECB MAC.
    Sm4(Sm4Key),
}

impl MacKey {
    /// DE 64 over the message from its type to the field before.
    pub(crate) fn mac(&self, message: &[u8]) -> [u8; 8] {
        match self {
            MacKey::Tdes(key, MacAlgorithm::CupEcb8) => mac::union_pay_ecb(&key.first_part(), message),
            MacKey::Tdes(key, MacAlgorithm::CupEcb16) => mac::union_pay_ecb(key, message),
            MacKey::Tdes(key, MacAlgorithm::X919) => mac::x9_19(key, message),
            MacKey::Aes(key) => {
                let [a, b, c, d, e, f, g, h, ..] = mac::cmac(key, message);
                [a, b, c, d, e, f, g, h]
            }
            MacKey::Sm4(key) => mac::union_pay_sm4(key, message),
        }
    }

    /// A key of the same kind that the host does not have.
    pub(crate) fn another(&self) -> MacKey {
        match self {
            MacKey::Tdes(key, algorithm) => MacKey::Tdes(another_tdes(key), *algorithm),
            MacKey::Aes(key) => MacKey::Aes(another_aes(key)),
            MacKey::Sm4(key) => MacKey::Sm4(another_sm4(key)),
        }
    }
}
