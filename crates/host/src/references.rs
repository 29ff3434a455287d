//! Retrieval reference numbers (DE 37) and approval codes (DE 38).
//!
//! A reference is the last digit of the year, the day of the year, and eight digits that count up: readable on the phone.
//! Where several hosts share a store, each takes its numbers from the store's durable counter, a block at a time, so no
//! two hosts use the same one, and none is used again after a restart. A host that has its store for itself counts from
//! the time of day plus the journal's length at start.

use std::{
    ops::Range,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use authorization::decide;
use model::{ApprovalCode, Rrn, Timestamp};
use store::{Engine, StoreError};

const WRAP: u64 = 100_000_000;
/// Numbers that are taken from the store at a time: a small write every so many answers, and what a restart wastes.
const BLOCK: u32 = 2000;

pub(crate) struct References {
    source: Source,
}

enum Source {
    /// Counts up from here.
    Own(AtomicU64),
    /// From the store's counter.
    Claimed(Blocks),
}

impl References {
    /// Asks the store whether it has a counter.
    pub(crate) async fn new(
        engine: &dyn Engine,
        now: Timestamp,
        zone: &jiff::tz::TimeZone,
        journal: u64,
    ) -> Result<Self, StoreError> {
        let source = match engine.claim_numbers(BLOCK).await? {
            Some(first) => Source::Claimed(Blocks::new(first)),
            None => {
                let here = at(now, zone);
                let since_midnight = i64::from(here.hour()) * 3_600_000
                    + i64::from(here.minute()) * 60_000
                    + i64::from(here.second()) * 1000
                    + i64::from(here.millisecond());
                Source::Own(AtomicU64::new(since_midnight.unsigned_abs() + journal))
            }
        };
        Ok(Self { source })
    }

    /// A fresh pair.
    pub(crate) async fn next(
        &self,
        engine: &dyn Engine,
        now: Timestamp,
        zone: &jiff::tz::TimeZone,
    ) -> Result<decide::References, StoreError> {
        let number = match &self.source {
            Source::Own(next) => next.fetch_add(1, Ordering::Relaxed),
            Source::Claimed(blocks) => blocks.next(|count| engine.claim_numbers(count)).await?,
        };
        let day = at(now, zone);
        let mut rrn = [b'0'; Rrn::LEN];
        digits(&mut rrn[..1], u64::from(day.year().unsigned_abs() % 10));
        digits(&mut rrn[1..4], u64::from(day.day_of_year().unsigned_abs()));
        digits(&mut rrn[4..], number % WRAP);
        let mut approval = [b'0'; ApprovalCode::LEN];
        digits(&mut approval, number % 1_000_000);
        // Both are digits only, so both are always valid.
        Ok(decide::References {
            rrn: Rrn::new(&rrn).unwrap_or_else(|_| unreachable!("digits are a reference")),
            approval: ApprovalCode::new(&approval).unwrap_or_else(|_| unreachable!("digits are a code")),
        })
    }
}

/// What is left of the block that was taken last.
struct Blocks {
    left: Mutex<Range<u64>>,
    claiming: tokio::sync::Mutex<()>,
}

impl Blocks {
    fn new(first: u64) -> Self {
        Self { left: Mutex::new(block(first)), claiming: tokio::sync::Mutex::default() }
    }

    /// The next number; whoever finds the block used up takes another for all who wait.
    async fn next<F>(&self, claim: impl Fn(u32) -> F) -> Result<u64, StoreError>
    where
        F: Future<Output = Result<Option<u64>, StoreError>>,
    {
        loop {
            if let Some(number) = self.left().next() {
                return Ok(number);
            }
            let _turn = self.claiming.lock().await;
            if let Some(number) = self.left().next() {
                return Ok(number);
            }
            let first = claim(BLOCK).await?;
            let first = first.ok_or_else(|| StoreError::Corrupt("the store's counter is gone".to_owned()))?;
            *self.left() = block(first);
        }
    }

    fn left(&self) -> MutexGuard<'_, Range<u64>> {
        self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn block(first: u64) -> Range<u64> {
    first..first.saturating_add(u64::from(BLOCK))
}

pub(crate) fn at(now: Timestamp, zone: &jiff::tz::TimeZone) -> jiff::Zoned {
    jiff::Timestamp::from_millisecond(now.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH).to_zoned(zone.clone())
}

/// Writes a number into a fixed width, leading zeros kept.
pub(crate) fn digits(to: &mut [u8], mut value: u64) {
    for place in to.iter_mut().rev() {
        *place = b'0' + (value % 10) as u8;
        value /= 10;
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::HashSet, sync::Arc};

    use super::*;

    #[tokio::test]
    async fn references_count_up_and_carry_the_day() {
        let (zone, engine) = (jiff::tz::TimeZone::UTC, store::memory::MemoryEngine::default());
        let now = Timestamp(1_795_000_000_000); // 2026-11-18
        let references = References::new(&engine, now, &zone, 5).await.unwrap();
        let first = references.next(&engine, now, &zone).await.unwrap().rrn;
        let second = references.next(&engine, now, &zone).await.unwrap().rrn;
        assert!(first.as_str().starts_with("6322"), "{first}");
        assert!(second > first);
    }

    /// A store's counter; away when it is none.
    async fn claim(counter: Option<&AtomicU64>, count: u32) -> Result<Option<u64>, StoreError> {
        tokio::task::yield_now().await;
        let counter = counter.ok_or_else(|| StoreError::Away("away".to_owned()))?;
        Ok(Some(counter.fetch_add(u64::from(count), Ordering::SeqCst)))
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn hosts_that_share_a_counter_never_give_the_same_twice() {
        const EACH: usize = 3 * BLOCK as usize + 7;
        let counter = Arc::new(AtomicU64::new(0));
        let mut tasks = tokio::task::JoinSet::new();
        for _host in 0..3 {
            let blocks = Arc::new(Blocks::new(claim(Some(&counter), BLOCK).await.unwrap().unwrap()));
            for _task in 0..4 {
                let (blocks, counter) = (blocks.clone(), counter.clone());
                tasks.spawn(async move {
                    let mut given = Vec::new();
                    for _ in 0..EACH {
                        given.push(blocks.next(|count| claim(Some(&counter), count)).await.unwrap());
                    }
                    given
                });
            }
        }
        let given: Vec<u64> = tasks.join_all().await.into_iter().flatten().collect();
        assert_eq!(given.iter().collect::<HashSet<_>>().len(), 3 * 4 * EACH);
    }

    #[tokio::test]
    async fn a_block_that_is_used_up_while_the_store_is_away_gives_nothing() {
        let (blocks, counter) = (Blocks::new(0), AtomicU64::new(70_000));
        for number in 0..u64::from(BLOCK) {
            assert_eq!(blocks.next(|count| claim(None, count)).await.unwrap(), number);
        }
        assert!(blocks.next(|count| claim(None, count)).await.is_err());
        assert_eq!(blocks.next(|count| claim(Some(&counter), count)).await.unwrap(), 70_000);
    }
}
