//! The archive: what people look up, on any host, whichever host fills it.
//!
//! [`fill`] writes the look-up tables; [`lists`], [`detail`] and [`overview`] read them. States are always read fresh.

use std::{collections::HashMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use model::{CardId, Timestamp};
use store::{
    Archive, StoreError,
    archive::{
        CardQuery, CardView, Overview, Page, Progress, TerminalView, TransactionDetail, TransactionQuery,
        TransactionRow,
    },
};
use tokio::sync::{broadcast, watch};

use super::{
    core::Core,
    pool::{column, place},
};

mod detail;
pub(crate) mod fill;
mod lists;
mod overview;
mod sql;

/// Whoever asks for one transaction may have its answer in hand already; so long it waits for its line.
const WAIT_FOR_ONE: Duration = Duration::from_secs(2);
/// Lists wait less: a little old is good enough under load.
const WAIT_FOR_LISTS: Duration = Duration::from_millis(200);
/// How often it is looked how far the tables are, while somebody waits.
const LOOK_AGAIN: Duration = Duration::from_millis(10);
/// How often new lines are looked for, for subscribers.
const FOLLOW_PACE: Duration = Duration::from_millis(100);

/// What people look up. Cheap to clone.
#[derive(Clone)]
pub struct PostgresArchive {
    core: Arc<Core>,
    lines: broadcast::Sender<Arc<TransactionRow>>,
    /// Ends the follower of an archive without an engine.
    _end: Option<Arc<watch::Sender<bool>>>,
}

impl PostgresArchive {
    pub(crate) fn of_engine(core: Arc<Core>, lines: broadcast::Sender<Arc<TransactionRow>>) -> Self {
        Self { core, lines, _end: None }
    }

    pub(crate) fn of_reader(
        core: Arc<Core>,
        lines: broadcast::Sender<Arc<TransactionRow>>,
        end: watch::Sender<bool>,
    ) -> Self {
        Self { core, lines, _end: Some(Arc::new(end)) }
    }

    /// Waits until the look-up tables have reached the journals' ends as they are now, but not for ever.
    async fn catch_up(&self, wait: Duration) -> Result<(), StoreError> {
        let reached = async {
            let ends = heads(&self.core).await?;
            loop {
                let filled = cursors(&self.core).await?;
                let behind = ends.iter().any(|(n, end)| *end > filled.get(n).copied().unwrap_or_default());
                if !behind {
                    return Ok(());
                }
                self.core.hurry();
                tokio::time::sleep(LOOK_AGAIN).await;
            }
        };
        tokio::time::timeout(wait, reached).await.unwrap_or(Ok(()))
    }
}

/// The last place of each partition that has one.
pub(crate) async fn heads(core: &Core) -> Result<HashMap<u16, u64>, StoreError> {
    let found = core.shelves.everywhere(core.texts.iter().map(|texts| &*texts.head), &[]).await?;
    let mut heads = HashMap::new();
    for (partition, rows) in (0_u16..).zip(&found) {
        let end = rows.first().map_or(Ok(0), |row| column::<i64>(row, 0))?;
        // Before its first entry, a head is zero.
        if place(end) >= u64::from(core.limits.partitions) {
            heads.insert(partition, place(end));
        }
    }
    Ok(heads)
}

/// How far the tables are filled from each partition.
pub(crate) async fn cursors(core: &Core) -> Result<HashMap<u16, u64>, StoreError> {
    let rows = core.shelves.rows(sql::CURSORS, &[]).await?;
    rows.iter()
        .map(|row| Ok((u16::try_from(column::<i32>(row, 0)?).unwrap_or(u16::MAX), place(column(row, 1)?))))
        .collect()
}

/// Tells subscribers about new lines, whichever host filled them.
pub(crate) async fn follow(
    core: Arc<Core>,
    lines: broadcast::Sender<Arc<TransactionRow>>,
    mut end: watch::Receiver<bool>,
) {
    let mut last = None;
    loop {
        match lists::new_lines(&core, last).await {
            Ok((rows, upto)) => {
                last = Some(upto);
                rows.into_iter().for_each(|row| drop(lines.send(Arc::new(row))));
            }
            Err(error) => tracing::debug!(%error, "the archive cannot be followed just now"),
        }
        // A sender that is gone means the same as its last word.
        let ended = async { drop(end.wait_for(|end| *end).await) };
        if tokio::time::timeout(FOLLOW_PACE, ended).await.is_ok() {
            return;
        }
    }
}

#[async_trait]
impl Archive for PostgresArchive {
    async fn transactions(&self, query: &TransactionQuery) -> Result<Page<TransactionRow>, StoreError> {
        self.catch_up(WAIT_FOR_LISTS).await?;
        lists::transactions(&self.core, query).await
    }

    async fn transaction(&self, rrn: &str) -> Result<Option<TransactionDetail>, StoreError> {
        self.catch_up(WAIT_FOR_ONE).await?;
        detail::transaction(&self.core, rrn).await
    }

    async fn cards(&self, query: &CardQuery) -> Result<Page<CardView>, StoreError> {
        self.catch_up(WAIT_FOR_LISTS).await?;
        lists::cards(&self.core, query).await
    }

    async fn card_view(&self, id: &CardId) -> Result<Option<CardView>, StoreError> {
        self.catch_up(WAIT_FOR_LISTS).await?;
        lists::card_view(&self.core, id).await
    }

    async fn terminals(&self) -> Result<Vec<TerminalView>, StoreError> {
        self.catch_up(WAIT_FOR_LISTS).await?;
        lists::terminals(&self.core).await
    }

    async fn overview(&self, window_s: u32, now: Timestamp) -> Result<Overview, StoreError> {
        self.catch_up(WAIT_FOR_LISTS).await?;
        overview::overview(&self.core, window_s, now).await
    }

    fn subscribe(&self) -> broadcast::Receiver<Arc<TransactionRow>> {
        self.lines.subscribe()
    }

    async fn progress(&self) -> Result<Progress, StoreError> {
        lists::progress(&self.core).await
    }
}
