//! Opened keys, so that a payment does not open three key blocks. Bounded; keys wipe themselves when they leave.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};

use model::{KeyBlock, hash::Folding};
use paycrypto::key_block::Header;

use super::opened_key::{OpenedKey, Purpose};
use crate::module::ModuleError;

/// Keys of ten thousand terminals (PIN, MAC, previous ones) fit.
const KEYS_LIMIT: usize = 40_000;

/// A key with the header that says what it may be used for.
pub(super) type Opened = (Header, OpenedKey);

#[derive(Default)]
pub(super) struct KeyCache {
    opened: RwLock<HashMap<KeyBlock, Arc<Opened>, Folding>>,
}

impl KeyCache {
    /// An opened key; it is opened once. What it may be used for is checked on every call, cached or not.
    pub(super) fn get_or_open(
        &self,
        block: &KeyBlock,
        purpose: Purpose,
        open: impl FnOnce() -> Result<Opened, ModuleError>,
    ) -> Result<Arc<Opened>, ModuleError> {
        let cached = {
            let opened = self.opened.read().unwrap_or_else(PoisonError::into_inner);
            opened.get(block).map(Arc::clone)
        };
        let key = match cached {
            Some(key) => key,
            None => {
                let key = Arc::new(open()?);
                let mut opened = self.opened.write().unwrap_or_else(PoisonError::into_inner);
                if opened.len() >= KEYS_LIMIT {
                    // Start over rather than track age: reopening costs microseconds.
                    opened.clear();
                }
                opened.insert(block.clone(), Arc::clone(&key));
                key
            }
        };
        purpose.check(&key.0)?;
        Ok(key)
    }
}
