//! The journals of all partitions in one order, for those who follow them from the first entry to the last.
//!
//! Inside a partition places are given out in the order of commits; over several they are not: an entry of partition 3 may
//! be there while one with a smaller place is on its way in partition 1. Whoever remembers one place and reads on after
//! it would miss that one, and whoever reads each partition by its own place gets them in another order each time.
//!
//! ```text
//!  partition 0   ──●──●────────●──┤ last                         nothing comes before it any more
//!  partition 1   ──●──────────────────●──┤ last
//!  partition 2   ──●┤ last ····promised···┤                      was behind: it promises not to go back
//!                                 ▲ up to here everything is there: the end of the feed
//! ```
//!
//! A head's `last` is what its partition will not go back behind, and it is read in one statement, so everything up to it
//! is visible. Where nobody appends, it stands still and would stop the feed: then `promised` is raised, in the same row
//! that an append holds until its commit, and [appends](super::sql) go on after it. That is one small write for each
//! partition that lags, at most as often as somebody asks, and none while nothing happens.

use std::sync::Arc;

use model::Timestamp;
use store::{Entry, StoreError};

use super::{
    core::Core,
    pool::{column, place, signed},
    registers, sql,
};

/// Clocks of hosts and of the database may be so far apart.
const CLOCKS_APART_MS: i64 = 60_000;

/// A partition's head, in ticks: of its last append, and up to where nothing more comes.
#[derive(Clone, Copy)]
struct Head {
    last: i64,
    promised: i64,
}

/// The last place up to which everything is there; it may be a little after the last entry.
pub(crate) async fn end(core: &Core) -> Result<u64, StoreError> {
    let mut heads = heads(core).await?;
    let place_of = |ticks: i64, partition: usize| place(ticks) * heads_count(core) + partition as u64;
    // Before its first entry, a head is zero.
    let used = (0..).zip(&heads).filter(|(_, head)| head.last > 0);
    let Some(newest) = used.map(|(n, head)| place_of(head.last, n)).max() else { return Ok(0) };
    let target = heads.iter().map(|head| head.last).max().unwrap_or_default() + 1;
    let behind: Vec<usize> = (0..heads.len()).filter(|n| place_of(heads[*n].promised, *n) < newest).collect();
    if !behind.is_empty() {
        let texts = behind.iter().map(|n| &*core.texts[*n].promise);
        let promised = core.shelves.everywhere(texts, &[&target]).await?;
        for (n, rows) in behind.iter().zip(&promised) {
            heads[*n].promised = rows.first().map_or(Ok(0), |row| column(row, 0))?;
        }
    }
    let complete = (0..).zip(&heads).map(|(n, head)| place_of(head.promised, n)).min();
    Ok(complete.unwrap_or_default().min(newest))
}

/// The entries after a place, of all partitions, in the order of their places.
pub(crate) async fn entries(
    core: &Core,
    after: u64,
    limit: usize,
) -> Result<Vec<(u64, Arc<Entry>)>, StoreError> {
    let end = end(core).await?;
    if end <= after || limit == 0 {
        return Ok(Vec::new());
    }
    let share = limit.div_ceil(core.texts.len().max(1));
    let texts = core.texts.iter().map(|texts| &*texts.entries_after);
    let found = core.shelves.everywhere(texts, &[&signed(after), &signed(share as u64)]).await?;
    // Of a partition that had more, what follows is not known: the others wait there.
    let mut known = end;
    let mut entries = Vec::new();
    for rows in &found {
        for row in rows {
            let (journal_seq, entry) = registers::entry(row)?;
            entries.push((journal_seq, Arc::new(entry.without_answer())));
        }
        if rows.len() == share
            && let Some((last, _)) = entries.last()
        {
            known = known.min(*last);
        }
    }
    entries.retain(|(journal_seq, _)| *journal_seq <= known);
    entries.sort_unstable_by_key(|(journal_seq, _)| *journal_seq);
    entries.truncate(limit);
    Ok(entries)
}

/// A place before what was decided at a moment or later. Places are made of time; those of entries that were moved here
/// are not, and are looked at.
pub(crate) async fn place_before(core: &Core, at: Timestamp) -> Result<u64, StoreError> {
    let since = at.0.saturating_sub(sql::TICKS_BEGIN_MS).saturating_sub(CLOCKS_APART_MS);
    let by_clock = place(since.saturating_mul(sql::TICKS_PER_MS)).saturating_mul(heads_count(core));
    let moved = core.shelves.rows(sql::MOVED_HERE, &[]).await?;
    let Some(row) = moved.first() else { return Ok(by_clock) };
    let moved = place(column(row, 0)?).saturating_add(1).saturating_mul(heads_count(core));
    let texts = core.texts.iter().map(|texts| &*texts.first_since);
    let found = core.shelves.everywhere(texts, &[&signed(moved), &at.0]).await?;
    let mut before = by_clock;
    for row in found.iter().flatten() {
        if let Some(first) = column::<Option<i64>>(row, 0)? {
            before = before.min(place(first).saturating_sub(1));
        }
    }
    Ok(before)
}

async fn heads(core: &Core) -> Result<Vec<Head>, StoreError> {
    let found = core.shelves.everywhere(core.texts.iter().map(|texts| &*texts.promised), &[]).await?;
    let head = |rows: &Vec<tokio_postgres::Row>| match rows.first() {
        Some(row) => Ok(Head { last: column(row, 0)?, promised: column(row, 1)? }),
        None => Err(StoreError::Corrupt("a partition has no head".to_owned())),
    };
    found.iter().map(head).collect()
}

fn heads_count(core: &Core) -> u64 {
    u64::from(core.limits.partitions)
}
