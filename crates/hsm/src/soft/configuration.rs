//! PIN verification keys, decimalisation tables and validation rules, by name. A request names one; it can bring
//! none of its own (the decimalisation table attack of Bond and Zieliński, 2003, needs exactly that).

use std::collections::BTreeMap;

use model::KeyBlock;
use paycrypto::{
    pin::Account12,
    pin_verify::ibm3624::{DecimalisationTable, ValidationData},
};

use crate::module::ModuleError;

/// Everything a soft module may verify with.
#[derive(Default)]
pub struct Configuration {
    pvks: BTreeMap<String, KeyBlock>,
    ibm3624: BTreeMap<String, Ibm3624Profile>,
}

/// An issuer's IBM 3624 rule.
pub struct Ibm3624Profile {
    /// PIN verification key (usage V1).
    pub key: KeyBlock,
    /// Decimalisation table.
    pub table: DecimalisationTable,
    /// Validation data: up to 12 digits in which `N` stands for the last five digits of the account number.
    pub validation: String,
}

/// A configuration that the module does not take.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigurationError {
    /// The table is malformed, or too regular to be safe.
    #[error("decimalisation table of {0:?}: {1}")]
    Table(String, String),
}

impl Configuration {
    /// Adds a PVV key (usage V2) under a name.
    #[must_use]
    pub fn with_pvk(mut self, name: &str, key: KeyBlock) -> Self {
        self.pvks.insert(name.to_owned(), key);
        self
    }

    /// Adds an IBM 3624 rule under a name.
    ///
    /// # Errors
    /// [`ConfigurationError`] when the table has too few different digits.
    pub fn with_ibm3624(
        mut self,
        name: &str,
        key: KeyBlock,
        table: &str,
        validation: &str,
    ) -> Result<Self, ConfigurationError> {
        let wrong = |e: String| ConfigurationError::Table(name.to_owned(), e);
        let table = DecimalisationTable::new(table).map_err(|e| wrong(e.to_string()))?;
        table.check_policy().map_err(|e| wrong(e.to_string()))?;
        self.ibm3624
            .insert(name.to_owned(), Ibm3624Profile { key, table, validation: validation.to_owned() });
        Ok(self)
    }

    pub(super) fn pvk(&self, name: &str) -> Option<&KeyBlock> {
        self.pvks.get(name)
    }

    pub(super) fn ibm3624(&self, name: &str) -> Option<&Ibm3624Profile> {
        self.ibm3624.get(name)
    }
}

impl Ibm3624Profile {
    pub(super) fn validation_data(&self, account: &Account12) -> Result<ValidationData, ModuleError> {
        ValidationData::from_template(&self.validation, account)
            .map_err(|e| ModuleError::KeyRefused(e.to_string()))
    }
}
