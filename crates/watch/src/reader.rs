//! Follows the journal: page by page, entry by entry, into observations.
//!
//! It reads from the start of its window to the end, leaving half of the time to payments, and then waits for more. What
//! it cannot see is said as such: a clock that went back, and silence for so long that nothing can be concluded from it.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use diagnosis::{Observation, What};
use model::Timestamp;
use store::{Engine, StoreError};
use tokio::sync::{mpsc, watch};

use crate::{
    observe::Observe,
    progress::{GAPS_KEPT, Gap, GapKind, Progress},
    settings::Settings,
    watch::Now,
    worker::Message,
};

/// Entries that are read at once.
const PAGE: usize = 512;
/// So long it waits for more before time passes by itself.
const TICK: Duration = Duration::from_secs(1);
/// After a page without entries.
const PAUSE: Duration = Duration::from_millis(50);
/// After a failure it tries again: nothing depends on it.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(1);
/// Hosts' clocks may be so far apart; a clock that goes back further was set.
const CLOCK_BACK_MS: i64 = 30_000;
/// A host without a decision for so long was away, or nobody was there.
const SILENCE_MS: i64 = 3_600_000;

pub(crate) struct Reader {
    pub(crate) engine: Arc<dyn Engine>,
    pub(crate) observe: Box<dyn Observe>,
    pub(crate) worker: mpsc::Sender<Message>,
    pub(crate) progress: Arc<watch::Sender<Progress>>,
    pub(crate) now: Now,
    pub(crate) settings: Settings,
    /// A gap after which nothing was observed yet.
    pub(crate) untold: Option<Gap>,
}

/// How a round ended.
enum Round {
    /// There may be more at once.
    More,
    /// Everything was read.
    Done,
}

impl Reader {
    /// Runs until told to stop.
    pub(crate) async fn run(mut self, mut stop: watch::Receiver<bool>) {
        tokio::select! {
            () = self.follow() => {}
            _ = stop.wait_for(|stop| *stop) => {}
        }
        self.progress.send_modify(|progress| progress.stopped = true);
    }

    async fn follow(&mut self) {
        let since = (self.now)().plus_ms(-self.settings.window_ms());
        self.progress.send_modify(|progress| progress.since = Some(since));
        let mut after = loop {
            match self.engine.place_before(since).await {
                Ok(place) => break place,
                Err(error) => self.trouble(&error).await,
            }
        };
        loop {
            let started = Instant::now();
            if self.worker.is_closed() {
                let words = "the diagnosis ended early: a restart begins anew".to_owned();
                self.progress.send_modify(|progress| progress.trouble = Some(words));
                return;
            }
            match self.round(&mut after).await {
                Ok(Round::More) => {
                    // Payments come first: half of the time is theirs.
                    if !self.progress.borrow().caught_up {
                        tokio::time::sleep(started.elapsed().min(PAUSE_AFTER_FAILURE)).await;
                    }
                }
                Ok(Round::Done) => self.rest(after).await,
                Err(error) => self.trouble(&error).await,
            }
        }
    }

    async fn round(&mut self, after: &mut u64) -> Result<Round, StoreError> {
        let entries = self.engine.entries(*after, PAGE).await?;
        let (Some((last, newest)), full) = (entries.last(), entries.len() >= PAGE) else {
            return Ok(Round::Done);
        };
        let (last, newest) = (*last, newest.at);
        let mut batch = Vec::with_capacity(entries.len());
        let mut gaps = Vec::new();
        let (mut before, mut untold) = (self.progress.borrow().at, self.untold);
        for (place, entry) in &entries {
            let shown = batch.len();
            self.observe.observe(*place, entry, &mut batch).await?;
            let gap = before.and_then(|before| gap(before, entry.at));
            before = Some(entry.at);
            gaps.extend(gap);
            untold = gap.or(untold);
            // Told with the first observation after it.
            if let (Some(gap), Some(first)) = (untold, batch.get(shown).copied()) {
                let what = What::Gap { since: gap.since };
                batch.insert(shown, Observation { at: entry.at, what, ..first });
                untold = None;
            }
        }
        let observed = batch.len() as u64;
        if self.worker.send(Message::Batch(batch)).await.is_err() {
            // The next round says so.
            return Ok(Round::Done);
        }
        (*after, self.untold) = (last, untold);
        let now = (self.now)();
        self.progress.send_modify(|progress| {
            progress.place = last;
            progress.at = Some(newest);
            progress.entries += entries.len() as u64;
            progress.observations += observed;
            progress.lag_ms = now.since_ms(newest);
            progress.trouble = None;
            progress.gaps.extend(gaps);
            let surplus = progress.gaps.len().saturating_sub(GAPS_KEPT);
            progress.gaps.drain(..surplus);
        });
        Ok(if full { Round::More } else { Round::Done })
    }

    /// Everything was read: time passes, and then there may be more.
    async fn rest(&mut self, after: u64) {
        let said = |progress: &Progress| progress.caught_up && progress.lag_ms == 0;
        if !said(&self.progress.borrow()) {
            self.progress.send_modify(|progress| (progress.caught_up, progress.lag_ms) = (true, 0));
        }
        let mut beside = Vec::new();
        self.observe.beside(after, &mut beside);
        if !beside.is_empty() && self.worker.send(Message::Batch(beside)).await.is_err() {
            return;
        }
        // Sent even when nothing came, so that sessions close and incidents end.
        if self.worker.send(Message::Advance((self.now)())).await.is_err() {
            return;
        }
        match self.engine.wait_for_entries(after, TICK).await {
            // An engine may tell of more a moment before it can be read.
            Ok(_) => tokio::time::sleep(PAUSE).await,
            Err(error) => self.trouble(&error).await,
        }
    }

    async fn trouble(&mut self, error: &StoreError) {
        tracing::warn!(%error, "the diagnosis cannot read the journal, trying again");
        let words = error.to_string();
        self.progress.send_modify(|progress| progress.trouble = Some(words));
        tokio::time::sleep(PAUSE_AFTER_FAILURE).await;
    }
}

/// What lies between two entries and cannot be seen. It depends on the journal alone, so it is found again.
fn gap(before: Timestamp, at: Timestamp) -> Option<Gap> {
    match at.since_ms(before) {
        ms if ms < -CLOCK_BACK_MS => Some(Gap { since: at, until: at, kind: GapKind::ClockBack }),
        ms if ms > SILENCE_MS => Some(Gap { since: before, until: at, kind: GapKind::Silence }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_seen_is_a_gap() {
        let at = Timestamp(10_000_000);
        let kind = |ms: i64| gap(at, at.plus_ms(ms)).map(|gap| gap.kind);
        assert_eq!([kind(0), kind(-29_000), kind(3_000_000)], [None; 3]);
        assert_eq!(kind(-31_000), Some(GapKind::ClockBack));
        assert_eq!(kind(3_700_000), Some(GapKind::Silence));
    }
}
