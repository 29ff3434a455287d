//! Opened keys, so that a payment does not open three key blocks. Bounded; keys wipe themselves when they leave.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};

use model::KeyBlock;
use paycrypto::{key::TdesKey, key_block::KeyUsage};

use crate::module::ModuleError;

/// Keys of ten thousand terminals (PIN, MAC, previous ones) fit.
const KEYS_LIMIT: usize = 40_000;

#[derive(Default)]
pub(super) struct KeyCache {
    opened: RwLock<HashMap<KeyBlock, (KeyUsage, Arc<TdesKey>)>>,
}

impl KeyCache {
    /// An opened key; it is opened once. The usage is checked on every call, cached or not.
    pub(super) fn get_or_open(
        &self,
        block: &KeyBlock,
        usage: KeyUsage,
        open: impl FnOnce() -> Result<TdesKey, ModuleError>,
    ) -> Result<Arc<TdesKey>, ModuleError> {
        let cached = {
            let opened = self.opened.read().unwrap_or_else(PoisonError::into_inner);
            opened.get(block).map(|(cached, key)| (*cached, Arc::clone(key)))
        };
        match cached {
            Some((cached, key)) if cached == usage => Ok(key),
            Some(_) => Err(ModuleError::KeyRefused("the key block has another usage".to_owned())),
            None => {
                let key = Arc::new(open()?);
                let mut opened = self.opened.write().unwrap_or_else(PoisonError::into_inner);
                if opened.len() >= KEYS_LIMIT {
                    // Start over rather than track age: reopening costs microseconds.
                    opened.clear();
                }
                opened.insert(block.clone(), (usage, Arc::clone(&key)));
                Ok(key)
            }
        }
    }
}
