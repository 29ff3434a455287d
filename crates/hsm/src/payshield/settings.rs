//! What the configuration knows and a request does not: which LMK, which verification keys, decimalisation tables and
//! validation data there are, by name (R5: a caller that could bring a table of its own could find PINs with it, Bond
//! and Zieliński 2003).

use std::collections::BTreeMap;

use model::KeyBlock;

use super::key::{Form, HsmKey, HsmKeyError};
use crate::module::ModuleError;

/// How the device is used.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// The LMK's number, if the device has several.
    pub lmk: Option<u8>,
    /// Take keys that are no key blocks. They have no integrity and no usage of their own.
    pub allow_variant_keys: bool,
    /// PVV keys by name.
    pub pvv: BTreeMap<String, KeyBlock>,
    /// IBM 3624 rules by name.
    pub ibm3624: BTreeMap<String, Ibm3624Rule>,
    /// A zone PIN key of our own: PIN changes under DUKPT go through it, because the device's commands for PIN changes take no
    /// derived keys.
    pub transfer_key: Option<KeyBlock>,
}

/// An issuer's IBM 3624 rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ibm3624Rule {
    /// PIN verification key, single length.
    pub key: KeyBlock,
    /// Decimalisation table: 16 digits, or 16 hexadecimal digits under the LMK.
    pub table: String,
    /// Validation data: up to 12 hexadecimal characters, one of them `N`, for the last five digits of the account number;
    /// filled with F.
    pub validation: String,
}

impl Settings {
    /// Reads a key and refuses forms that are not allowed here.
    ///
    /// # Errors
    /// [`ModuleError::KeyRefused`].
    pub fn key<'a>(&self, block: &'a KeyBlock) -> Result<HsmKey<'a>, ModuleError> {
        self.check_key(HsmKey::of(block)).map_err(|why| ModuleError::KeyRefused(why.to_owned()))
    }

    /// Why a key of the configuration or of a terminal would be refused.
    ///
    /// # Errors
    /// A sentence.
    pub fn check_key<'a>(&self, key: Result<HsmKey<'a>, HsmKeyError>) -> Result<HsmKey<'a>, &'static str> {
        match key.map(|key| (key, key.form())) {
            Ok((key, Form::Block(_))) => Ok(key),
            Ok((key, Form::Variant(_))) if self.allow_variant_keys => Ok(key),
            Ok((_, Form::Variant(_))) => Err("a variant key, which the configuration does not allow"),
            Ok((_, Form::Tr31 | Form::Ecb(_))) => Err("a key of another zone, not under the LMK"),
            Err(_) => Err("no key in the notation of the device"),
        }
    }
}

impl Ibm3624Rule {
    /// Everything that is wrong with table and validation data, in sentences without their values.
    #[must_use]
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if self.table.len() != 16 || !self.table.bytes().all(|c| c.is_ascii_hexdigit()) {
            problems.push("the decimalisation table has not 16 digits".to_owned());
        } else if self.table.bytes().all(|c| c.is_ascii_digit()) {
            let table = paycrypto::pin_verify::ibm3624::DecimalisationTable::new(&self.table);
            if let Err(e) = table.and_then(|table| table.check_policy()) {
                problems.push(format!("the decimalisation table: {e}"));
            }
        }
        let rest_is_hex = self.validation.bytes().all(|c| c == b'N' || c.is_ascii_hexdigit());
        let places = self.validation.bytes().filter(|c| *c == b'N').count();
        if self.validation.len() > 12 || !rest_is_hex || places != 1 {
            problems.push(
                "the validation data are not up to 12 hexadecimal characters, one of them N".to_owned(),
            );
        }
        if let Ok(key) = HsmKey::of(&self.key) {
            let single = match key.form() {
                Form::Block(header) => header.algorithm == b'D',
                Form::Variant(bytes) => bytes == 8,
                Form::Tr31 | Form::Ecb(_) => false,
            };
            if !single {
                problems.push(
                    "the key is not of single length: the device answers such verifications with a warning (02), which is \
                     not taken for a right PIN"
                        .to_owned(),
                );
            }
        }
        problems
    }
}
