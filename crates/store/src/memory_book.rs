//! The book in memory: the model that every other one must behave like, and the book of tests.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use model::Timestamp;
use tokio::sync::watch;

use crate::{
    book::{self, Book, BookError, Fact, READ_MAX},
    engine::StoreError,
};

/// A book that forgets everything when it is dropped.
pub struct MemoryBook {
    pages: Mutex<Pages>,
    bell: watch::Sender<u64>,
}

#[derive(Default)]
struct Pages {
    facts: Vec<Fact>,
    /// Number of the last fact of each stream.
    heads: HashMap<String, u32>,
    /// What was sealed: a number stands for it, and for whom it is.
    secrets: Vec<(String, Vec<u8>)>,
}

impl Default for MemoryBook {
    fn default() -> Self {
        Self { pages: Mutex::default(), bell: watch::Sender::new(0) }
    }
}

impl MemoryBook {
    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn find(&self, limit: u32, wanted: impl Fn(&Fact) -> bool) -> Vec<Fact> {
        let pages = self.pages();
        pages.facts.iter().filter(|fact| wanted(fact)).take(limit.min(READ_MAX) as usize).cloned().collect()
    }
}

#[async_trait]
impl Book for MemoryBook {
    async fn append(
        &self,
        stream: &str,
        expected_seq: u32,
        at: Timestamp,
        kind: &str,
        body: Vec<u8>,
    ) -> Result<u64, BookError> {
        book::check(stream, expected_seq, kind, &body)?;
        let mut pages = self.pages();
        let place = pages.facts.len() as u64 + 1;
        let head = pages.heads.entry(stream.to_owned()).or_default();
        if *head != expected_seq {
            return Err(BookError::Collision);
        }
        *head += 1;
        let (stream, kind) = (stream.to_owned(), kind.to_owned());
        pages.facts.push(Fact { place, stream, seq: expected_seq + 1, at, kind, body });
        // Under the lock, so that the bell never rings a smaller place after a larger one.
        self.bell.send_replace(place);
        Ok(place)
    }

    async fn read(&self, stream: &str, after_seq: u32, limit: u32) -> Result<Vec<Fact>, StoreError> {
        Ok(self.find(limit, |fact| fact.stream == stream && fact.seq > after_seq))
    }

    async fn read_all(&self, after_place: u64, limit: u32) -> Result<Vec<Fact>, StoreError> {
        Ok(self.find(limit, |fact| fact.place > after_place))
    }

    fn subscribe(&self) -> watch::Receiver<u64> {
        self.bell.subscribe()
    }

    /// Keeps the secret and gives a number for it: nothing leaves the process, so nothing is enciphered.
    fn seal(&self, owner: &str, secret: &[u8]) -> Result<Vec<u8>, StoreError> {
        let mut pages = self.pages();
        pages.secrets.push((owner.to_owned(), secret.to_owned()));
        Ok((pages.secrets.len() as u64 - 1).to_be_bytes().to_vec())
    }

    fn open(&self, owner: &str, sealed: &[u8]) -> Result<Vec<u8>, StoreError> {
        let number = sealed.try_into().map(u64::from_be_bytes).ok().and_then(|n| usize::try_from(n).ok());
        let pages = self.pages();
        let kept = number.and_then(|number| pages.secrets.get(number)).filter(|kept| kept.0 == owner);
        kept.map(|kept| kept.1.clone())
            .ok_or_else(|| StoreError::Corrupt("a sealed value does not open".to_owned()))
    }
}
