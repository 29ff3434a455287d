//! How a shop's people are kept: a stream of sealed facts for each merchant, folded once and from then on read from where the fold ended.

use std::sync::PoisonError;

use model::{MerchantId, Timestamp};
use operator::{Fact, Password, Roster};
use serde::{Deserialize, Serialize};
use staff::password::PasswordHash;
use store::{BookError, StoreError, book::json};

use crate::ShopDesk;

const KIND: &str = "operator";
/// Merchants whose people are remembered; the others are read again.
const KNOWN_MAX: usize = 10_000;

/// What is known of a shop's people up to a fact.
#[derive(Debug, Clone, Default)]
pub(crate) struct Known {
    pub(crate) roster: Roster,
    pub(crate) seq: u32,
}

/// A fact as it stands in the book.
#[derive(Serialize, Deserialize)]
struct Kept {
    version: u8,
    sealed: String,
}

fn stream(merchant: MerchantId) -> String {
    format!("operators/{merchant}")
}

impl ShopDesk {
    /// The shop's people as the book has them now.
    pub(crate) async fn people(&self, merchant: MerchantId) -> Result<Known, StoreError> {
        let mut known = self.remembered(merchant);
        let stream = stream(merchant);
        loop {
            let facts = self.parts.book.read(&stream, known.seq, store::book::READ_MAX).await?;
            let Some(last) = facts.last() else { break };
            known.seq = last.seq;
            for fact in &facts {
                let kept: Kept = fact.read()?;
                let corrupt =
                    |why: String| StoreError::Corrupt(format!("fact {} of {stream}: {why}", fact.seq));
                let sealed = hex::decode(&kept.sealed).map_err(|error| corrupt(error.to_string()))?;
                let clear = self.parts.book.open(&stream, &sealed)?;
                let read: Fact =
                    serde_json::from_slice(&clear).map_err(|error| corrupt(error.to_string()))?;
                known.roster.apply(fact.at, &read, &self.parts.rules);
            }
        }
        self.remember(merchant, known.clone());
        Ok(known)
    }

    /// Appends the next fact; [`BookError::Collision`] when another came first.
    pub(crate) async fn keep(
        &self,
        merchant: MerchantId,
        seq: u32,
        at: Timestamp,
        fact: &Fact,
    ) -> Result<(), BookError> {
        let stream = stream(merchant);
        let sealed = self.parts.book.seal(&stream, &json(fact)?)?;
        let body = json(&Kept { version: 1, sealed: hex::encode(sealed) })?;
        self.parts.book.append(&stream, seq, at, KIND, body).await.map(drop)
    }

    /// A sandbox's shop has its people from the beginning.
    pub(crate) async fn open_everywhere(
        &self,
        merchant: MerchantId,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let mut seq = 0;
        for (operator, password) in &self.parts.everywhere {
            let password = PasswordHash::of_public(password.reveal(), random()?);
            let fact = Fact::Changed { operator: *operator, password, attempt: None };
            match self.keep(merchant, seq, at, &fact).await {
                Ok(()) => seq += 1,
                // Another host is quicker.
                Err(BookError::Collision) => return Ok(()),
                Err(error) => return Err(crate::away(error)),
            }
        }
        Ok(())
    }

    /// Hashes a password. A sandbox's are known to everybody, and cost nothing.
    pub(crate) async fn hash(&self, password: &Password) -> Result<PasswordHash, StoreError> {
        let (salt, public) = (random()?, !self.parts.everywhere.is_empty());
        let password = password.clone();
        self.slowly(move || {
            if public {
                PasswordHash::of_public(password.reveal(), salt)
            } else {
                PasswordHash::new(password.reveal(), salt)
            }
        })
        .await
    }

    /// Work that takes tens of milliseconds: on a thread that nobody waits for, and not much of it at a time.
    pub(crate) async fn slowly<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, StoreError> {
        let away = |error: &dyn std::fmt::Display| StoreError::Away(error.to_string());
        let _turn = self.hashing.acquire().await.map_err(|error| away(&error))?;
        tokio::task::spawn_blocking(work).await.map_err(|error| away(&error))
    }

    fn remembered(&self, merchant: MerchantId) -> Known {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(&merchant).cloned().unwrap_or_default()
    }

    fn remember(&self, merchant: MerchantId, fresh: Known) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= KNOWN_MAX && !known.contains_key(&merchant) {
            known.clear();
        }
        // Two may read at once: the longer reading stays.
        let there = known.entry(merchant).or_default();
        if there.seq <= fresh.seq {
            *there = fresh;
        }
    }
}

pub(crate) fn random<const N: usize>() -> Result<[u8; N], StoreError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| StoreError::Away(format!("no randomness: {error}")))?;
    Ok(bytes)
}
