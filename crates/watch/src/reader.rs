//! Follows the journal: page by page, entry by entry, into observations.
//!
//! It reads from the start of its window to the end, leaving half of the time to payments, and then waits for more; while
//! there are very many payments it leaves them most of the time, unless it falls far behind. What
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
/// With so many entries a second it stands back: for each moment of work it rests so many.
const BUSY: u64 = 5_000;
const REST_WHEN_BUSY: u32 = 12;
/// But not any more when what it reads is so old.
const BEHIND_LIMIT_MS: i64 = 30_000;
/// Entries a second are counted over so long.
const COUNTED_OVER: Duration = Duration::from_millis(500);
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

/// How fast the journal grows.
struct Pace {
    since: Instant,
    end: u64,
    /// There are so many entries a second that the reader stands back.
    busy: bool,
}

impl Pace {
    fn new() -> Self {
        Self { since: Instant::now(), end: u64::MAX, busy: false }
    }

    fn is_due(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.since) >= COUNTED_OVER
    }

    /// The journal ends at `end` now. How far it is says nothing before it has grown.
    fn count(&mut self, now: Instant, end: u64) {
        let seconds = now.saturating_duration_since(self.since).as_secs_f64().max(0.001);
        let a_second = end.saturating_sub(self.end) as f64 / seconds;
        *self = Self { since: now, end, busy: a_second >= BUSY as f64 };
    }
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
        let mut pace = Pace::new();
        loop {
            let started = Instant::now();
            if self.worker.is_closed() {
                let words = "the diagnosis ended early: a restart begins anew".to_owned();
                self.progress.send_modify(|progress| progress.trouble = Some(words));
                return;
            }
            match self.round(&mut after).await {
                Ok(Round::More) => {
                    if pace.is_due(Instant::now())
                        && let Ok(end) = self.engine.journal_end().await
                    {
                        pace.count(Instant::now(), end);
                    }
                    let times = self.rests(pace.busy);
                    if times > 0 {
                        tokio::time::sleep((started.elapsed() * times).min(PAUSE_AFTER_FAILURE)).await;
                    }
                }
                Ok(Round::Done) => self.rest(after).await,
                Err(error) => self.trouble(&error).await,
            }
        }
    }

    /// How much longer than it worked it rests. Payments come first: until it has caught up, half of the time is theirs, and
    /// most of it while there are many of them.
    fn rests(&self, busy: bool) -> u32 {
        let progress = self.progress.borrow();
        match (busy, progress.caught_up) {
            (true, _) if progress.lag_ms < BEHIND_LIMIT_MS => REST_WHEN_BUSY,
            (_, true) => 0,
            (_, false) => 1,
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
    fn it_stands_back_while_there_are_many_payments() {
        let mut pace = Pace::new();
        let start = pace.since;
        let at = |ms: u64| start + Duration::from_millis(ms);
        let mut after = |ms: u64, end: u64| {
            pace.count(at(ms), end);
            pace.busy
        };
        assert!(!after(600, 1_000_000), "nothing has grown yet");
        assert!(after(1200, 1_006_000));
        assert!(!after(2200, 1_008_000));
        assert!(!pace.is_due(at(2600)) && pace.is_due(at(2700)));
    }

    #[test]
    fn what_cannot_be_seen_is_a_gap() {
        let at = Timestamp(10_000_000);
        let kind = |ms: i64| gap(at, at.plus_ms(ms)).map(|gap| gap.kind);
        assert_eq!([kind(0), kind(-29_000), kind(3_000_000)], [None; 3]);
        assert_eq!(kind(-31_000), Some(GapKind::ClockBack));
        assert_eq!(kind(3_700_000), Some(GapKind::Silence));
    }
}
