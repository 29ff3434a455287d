//! Which card a terminal's trace number was used for lately: the same number for another card is refused (94). What
//! a card remembers is per card, so this is kept beside it, in memory only; after a restart, or past the limit, the first
//! use is forgotten and a terminal that breaks the rule is not noticed.

use std::{
    collections::{HashMap, VecDeque, hash_map::Entry},
    sync::{Mutex, PoisonError},
};

use model::{CardId, TransactionKey, hash::Folding};

/// About six megabytes.
const KEYS_KEPT: usize = 65_536;

#[derive(Default)]
pub(crate) struct RecentKeys {
    used: Mutex<Used>,
}

#[derive(Default)]
struct Used {
    cards: HashMap<TransactionKey, CardId, Folding>,
    oldest_first: VecDeque<TransactionKey>,
}

impl RecentKeys {
    /// The card for which this key was used before.
    pub(crate) fn card_of(&self, key: &TransactionKey) -> Option<CardId> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner).cards.get(key).copied()
    }

    /// It is used for this card now. The first use stays.
    pub(crate) fn note(&self, key: TransactionKey, card: CardId) {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        let Entry::Vacant(place) = used.cards.entry(key) else { return };
        place.insert(card);
        used.oldest_first.push_back(key);
        if used.oldest_first.len() > KEYS_KEPT
            && let Some(oldest) = used.oldest_first.pop_front()
        {
            used.cards.remove(&oldest);
        }
    }
}
