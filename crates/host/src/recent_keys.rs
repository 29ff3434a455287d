//! Which card a terminal's trace number was used for lately: the same number for another card is refused (94). What
//! a card remembers is per card, so this is kept beside it, in memory only; after a restart, or past the limit, the first
//! use is forgotten and a terminal that breaks the rule is not noticed.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, PoisonError},
};

use model::{CardId, TransactionKey};

/// About six megabytes.
const KEYS_KEPT: usize = 65_536;

#[derive(Default)]
pub(crate) struct RecentKeys {
    used: Mutex<Used>,
}

#[derive(Default)]
struct Used {
    cards: HashMap<TransactionKey, CardId>,
    oldest_first: VecDeque<TransactionKey>,
}

impl RecentKeys {
    /// Was this key used for another card?
    pub(crate) fn is_anothers(&self, key: &TransactionKey, card: CardId) -> bool {
        let used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        used.cards.get(key).is_some_and(|known| *known != card)
    }

    /// Was this key used before, for whichever card?
    pub(crate) fn is_known(&self, key: &TransactionKey) -> bool {
        self.used.lock().unwrap_or_else(PoisonError::into_inner).cards.contains_key(key)
    }

    /// It is used for this card now. The first use stays.
    pub(crate) fn note(&self, key: TransactionKey, card: CardId) {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        if used.cards.contains_key(&key) {
            return;
        }
        if used.oldest_first.len() >= KEYS_KEPT
            && let Some(oldest) = used.oldest_first.pop_front()
        {
            used.cards.remove(&oldest);
        }
        used.cards.insert(key, card);
        used.oldest_first.push_back(key);
    }
}
