//! Fills the look-up tables from the journals, behind the payments. One host at a time does it, under a lease; when it
//! is silent, another goes on from where it was.
//!
//! Each round takes the next entries of every partition that has some, and writes their lines and the new places in one
//! transaction, together with the lease: whoever lost it writes nothing. A place of a partition is only given out after
//! all before it (see [`crate::postgres`]), so nothing is missed between two rounds.

use std::{
    collections::HashMap,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use model::CardId;
use store::{Card, Entry, StoreError, Terminal};
use tokio::sync::watch;

use super::{heads, sql};
use crate::{
    line::{self, Line, Names},
    postgres::{
        core::Core,
        pool::{Link, Live, column, place, signed, store_error},
        registers, sql as journal_sql,
    },
};

/// How often it looks for new entries when nobody is in a hurry.
const PACE: Duration = Duration::from_millis(100);
/// How often a host that does not fill asks whether it should.
const ASK_AGAIN: Duration = Duration::from_secs(1);
/// After a failure it tries again: the archive decides nothing, so waiting is safe.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(1);
/// Far behind and in no hurry, it works for one part of the time and leaves some to payments: one for so many that were
/// appended here each second, between these bounds.
const PAYMENTS_FOR_A_PART: f64 = 500.0;
const PARTS_LEAST: f64 = 1.0;
const PARTS_LIMIT: f64 = 24.0;
const LEASE: &str = "fill";

pub(crate) struct Filler {
    core: Arc<Core>,
    link: Link,
    /// What is filled, as long as the lease is ours.
    ours: Option<Filled>,
    /// What was appended here when its last round began.
    appended: u64,
    since: Instant,
}

/// How far the tables are filled.
struct Filled {
    cursors: HashMap<u16, u64>,
    entries: i64,
    registered: i64,
    renewed: Instant,
}

/// What a round found.
struct Round {
    entries: i64,
    lines: Vec<Line>,
    cursors: HashMap<u16, u64>,
    /// Newly registered cards: number, id, masked number.
    cards: Vec<(i64, Vec<u8>, String)>,
    registered: i64,
    more: bool,
}

impl Filler {
    pub(crate) fn new(core: Arc<Core>) -> Self {
        Self { link: Link::new(core.door.clone()), core, ours: None, appended: 0, since: Instant::now() }
    }

    /// Runs until the engine is closed.
    pub(crate) async fn run(mut self, mut end: watch::Receiver<bool>) {
        while !self.core.is_closed() {
            let started = Instant::now();
            let pause = match self.round().await {
                Ok(Some(true)) => self.breath(started.elapsed()),
                Ok(Some(false)) => PACE,
                Ok(None) => ASK_AGAIN,
                Err(error) => {
                    // Its connection may be in a transaction that nobody ends.
                    self.ours = None;
                    self.link.drop_live();
                    tracing::warn!(%error, "look-up tables not filled, trying again");
                    PAUSE_AFTER_FAILURE
                }
            };
            let hurried = self.core.hurry.swap(false, Ordering::AcqRel) && self.ours.is_some();
            if !pause.is_zero() && !hurried {
                tokio::select! {
                    () = tokio::time::sleep(pause) => {}
                    () = self.core.filler.notified() => {}
                    _ = end.wait_for(|end| *end) => {}
                }
            }
        }
        self.give_up().await;
    }

    /// Payments come first; lists may be behind after a peak.
    fn breath(&mut self, worked: Duration) -> Duration {
        let appended = self.core.appended.load(Ordering::Relaxed);
        let payments = appended.saturating_sub(std::mem::replace(&mut self.appended, appended)) as f64;
        let time = std::mem::replace(&mut self.since, Instant::now()).elapsed().as_secs_f64().max(0.001);
        if self.core.hurry.load(Ordering::Acquire) {
            return Duration::ZERO;
        }
        worked.mul_f64((payments / time / PAYMENTS_FOR_A_PART).clamp(PARTS_LEAST, PARTS_LIMIT))
    }

    /// One round; `None` if another host fills. Says whether there may be more to do at once.
    async fn round(&mut self) -> Result<Option<bool>, StoreError> {
        let live = self.link.live().await?;
        if self.ours.is_none() {
            self.ours = take(&self.core, &live).await?;
        }
        let Some(ours) = &mut self.ours else { return Ok(None) };
        let round = read(&self.core, ours).await?;
        if round.cursors.is_empty() && round.cards.is_empty() && round.registered == ours.registered {
            if ours.renewed.elapsed() > self.core.limits.lease / 3 && !keep(&self.core, &live, ours).await? {
                self.ours = None;
                return Ok(None);
            }
            return Ok(Some(false));
        }
        live.plain("BEGIN").await.map_err(|error| store_error(&error))?;
        if !keep(&self.core, &live, ours).await? {
            live.plain("ROLLBACK").await.map_err(|error| store_error(&error))?;
            self.ours = None;
            return Ok(None);
        }
        write(&live, ours, &round).await?;
        ours.cursors.extend(round.cursors);
        ours.entries += round.entries;
        ours.registered = round.registered;
        Ok(Some(round.more))
    }

    async fn give_up(&self) {
        if self.ours.is_some()
            && let Ok(live) = self.link.live().await
        {
            // Not given up, it runs out.
            let _ = live.execute(journal_sql::DROP_LEASE, &[&LEASE, &self.core.holder]).await;
        }
    }
}

/// Takes the lease if it is free, and looks where its last holder was.
async fn take(core: &Core, live: &Live) -> Result<Option<Filled>, StoreError> {
    let sql_error = |error| store_error(&error);
    let term = core.limits.lease.as_millis() as f64;
    let renewed = Instant::now();
    if live.execute(journal_sql::TAKE_LEASE, &[&LEASE, &core.holder, &term]).await.map_err(sql_error)? == 0 {
        return Ok(None);
    }
    let progress = live.one(sql::PROGRESS, &[]).await?;
    let rows = live.rows(sql::CURSORS, &[]).await.map_err(sql_error)?;
    let cursors = rows
        .iter()
        .map(|row| Ok((u16::try_from(column::<i32>(row, 0)?).unwrap_or(u16::MAX), place(column(row, 1)?))))
        .collect::<Result<_, StoreError>>()?;
    Ok(Some(Filled { cursors, entries: column(&progress, 0)?, registered: column(&progress, 1)?, renewed }))
}

async fn keep(core: &Core, live: &Live, ours: &mut Filled) -> Result<bool, StoreError> {
    let term = core.limits.lease.as_millis() as f64;
    let now = Instant::now();
    let kept = live.execute(journal_sql::KEEP_LEASE, &[&LEASE, &core.holder, &term]).await;
    ours.renewed = now;
    Ok(kept.map_err(|error| store_error(&error))? == 1)
}

/// Reads the next entries, then the registrations: whoever has an entry is registered.
async fn read(core: &Core, ours: &Filled) -> Result<Round, StoreError> {
    let ends = heads(core).await?;
    let cursor = |n: &u16| ours.cursors.get(n).copied().unwrap_or_default();
    let behind: Vec<u16> = ends.iter().filter(|(n, end)| **end > cursor(n)).map(|(n, _)| *n).collect();
    let share = (core.limits.archive_round / behind.len().max(1)).max(1);
    let mut entries: Vec<(u64, Entry)> = Vec::new();
    let mut cursors = HashMap::new();
    let mut more = false;
    let live = core.shelves.live().await?;
    for text in behind.iter().map(|n| &core.texts[usize::from(*n)].entries_after) {
        live.prepared(text).await.map_err(|error| store_error(&error))?;
    }
    let found = crate::postgres::pool::pipeline(behind.iter().map(|n| {
        let (live, text) = (&live, &core.texts[usize::from(*n)].entries_after);
        let from = signed(cursor(n));
        async move { live.rows(text, &[&from, &(share as i64)]).await }
    }))
    .await;
    for (n, rows) in behind.iter().zip(found) {
        let rows = rows.map_err(|error| store_error(&error))?;
        more |= rows.len() == share;
        // A head whose last entries all collided ends after the last entry.
        let last = if rows.len() < share { ends.get(n).copied().unwrap_or_default() } else { 0 };
        for row in &rows {
            entries.push(registers::entry(row)?);
        }
        let read = rows.last().map_or(Ok(0), |row| column(row, 0).map(place))?;
        cursors.insert(*n, read.max(last));
    }
    entries.sort_by_key(|(journal_seq, _)| *journal_seq);
    let (cards, registered) = new_cards(core, ours.registered).await?;
    let mut lines = Vec::with_capacity(entries.len());
    for (journal_seq, entry) in entries.iter().filter(|(_, entry)| line::is_shown(entry)) {
        lines.push(line(core, *journal_seq, entry).await?);
    }
    Ok(Round {
        entries: entries.len() as i64,
        lines,
        cursors,
        more: more || cards.len() >= core.limits.archive_round,
        cards,
        registered,
    })
}

/// Cards registered since the last round. Numbers are committed in their order; a replaced card keeps its own.
async fn new_cards(core: &Core, after: i64) -> Result<(Vec<(i64, Vec<u8>, String)>, i64), StoreError> {
    let rows = core.shelves.rows(journal_sql::REGISTERED, &[]).await?;
    let end: i64 = rows.first().map_or(Ok(0), |row| column(row, 0))?;
    if end <= after {
        return Ok((Vec::new(), after));
    }
    // Not cut into rounds: the cards of entries that were just read must all be there.
    let found = core.shelves.everywhere(core.texts.iter().map(|t| &*t.cards_after), &[&after, &end]).await?;
    let mut cards = found
        .iter()
        .flatten()
        .map(|row| Ok((column(row, 0)?, column(row, 1)?, column(row, 2)?)))
        .collect::<Result<Vec<(i64, Vec<u8>, String)>, StoreError>>()?;
    cards.sort_unstable();
    Ok((cards, end))
}

async fn line(core: &Core, journal_seq: u64, entry: &Entry) -> Result<Line, StoreError> {
    let terminal = match line::terminal_of(entry) {
        Some(id) => core.at_hand::<Terminal>(&id).await?,
        None => None,
    };
    let card = match (&entry.event, line::card_of(entry)) {
        (store::Event::Desk(_), Some(id)) => core.at_hand::<Card>(&id).await?,
        _ => None,
    };
    let names = Names {
        merchant_name: terminal.map(|kept| kept.value.record.merchant_name.clone()).unwrap_or_default(),
        pan: card.map(|kept| kept.value.record.pan.clone()),
    };
    Ok(line::line(journal_seq, entry, names))
}

async fn write(live: &Live, ours: &Filled, round: &Round) -> Result<(), StoreError> {
    let sql_error = |error| store_error(&error);
    let (ns, places): (Vec<i32>, Vec<i64>) =
        round.cursors.iter().map(|(n, place)| (i32::from(*n), signed(*place))).unzip();
    for cards in round.cards.chunks(CARDS_AT_ONCE) {
        write_cards(live, cards).await.map_err(sql_error)?;
    }
    if round.registered != ours.registered {
        live.execute(sql::SET_REGISTERED, &[&round.registered]).await.map_err(sql_error)?;
    }
    if !round.cursors.is_empty() {
        write_lines(live, &round.lines, ours.entries).await.map_err(sql_error)?;
        write_used(live, &round.lines).await.map_err(sql_error)?;
        live.execute(sql::SET_CURSORS, &[&ns, &places]).await.map_err(sql_error)?;
        let entries = ours.entries + round.entries;
        live.execute(sql::SET_ENTRIES, &[&entries]).await.map_err(sql_error)?;
    }
    live.plain("COMMIT").await.map_err(sql_error)
}

/// Rows of one statement.
const CARDS_AT_ONCE: usize = 5000;

async fn write_cards(live: &Live, cards: &[(i64, Vec<u8>, String)]) -> Result<(), tokio_postgres::Error> {
    let numbers: Vec<i64> = cards.iter().map(|(n, ..)| *n).collect();
    let ids: Vec<&[u8]> = cards.iter().map(|(_, id, _)| id.as_slice()).collect();
    let pans: Vec<&str> = cards.iter().map(|(.., pan)| pan.as_str()).collect();
    let fours: Vec<&str> = pans.iter().map(|pan| last_four(pan)).collect();
    live.execute(sql::INSERT_CARDS, &[&numbers, &ids, &pans, &fours]).await.map(drop)
}

async fn write_lines(live: &Live, lines: &[Line], filled: i64) -> Result<(), tokio_postgres::Error> {
    macro_rules! all {
        ($line:ident => $value:expr) => {
            lines.iter().map(|$line| $value).collect::<Vec<_>>()
        };
    }
    let filled: Vec<i64> = (filled + 1..).take(lines.len()).collect();
    let pans = all!(l => l.row.pan.as_ref().map(model::MaskedPan::as_str));
    let fours: Vec<Option<&str>> = pans.iter().map(|pan| pan.map(last_four)).collect();
    live.execute(
        sql::INSERT_LINES,
        &[
            &filled,
            &all!(l => signed(l.row.seq)),
            &all!(l => l.row.at.0),
            &all!(l => l.row.rrn.as_str()),
            &all!(l => l.row.kind.as_str()),
            &all!(l => l.row.stan.map(i64::from)),
            &all!(l => l.row.batch.map(i64::from)),
            &pans,
            &fours,
            &all!(l => l.row.card.as_ref().map(|card| card.0.as_slice())),
            &all!(l => l.row.terminal.as_str()),
            &all!(l => l.row.merchant.as_str()),
            &all!(l => l.row.merchant_name.as_str()),
            &all!(l => l.row.amount.map(|amount| amount.0)),
            &all!(l => l.row.currency.map(i64::from)),
            &all!(l => l.row.code.as_str()),
            &all!(l => l.row.reason.as_str()),
            &all!(l => l.row.family.name()),
            &all!(l => l.row.pin.as_str()),
            &all!(l => l.row.try_charged),
            &all!(l => l.row.tries_left.map(i64::from)),
            &all!(l => l.row.tries_limit.map(i64::from)),
            &all!(l => l.row.locked_until),
            &all!(l => l.row.took_us.map(i64::from)),
            &all!(l => l.approval.as_deref()),
            &all!(l => l.key.as_deref()),
            &all!(l => l.original.as_deref()),
            &all!(l => l.counted),
            &all!(l => l.approved),
        ],
    )
    .await
    .map(drop)
}

/// When each card was used last, and whether it is locked now: the last word of the round.
async fn write_used(live: &Live, lines: &[Line]) -> Result<(), tokio_postgres::Error> {
    let mut used: HashMap<CardId, (i64, i64)> = HashMap::new();
    let mut locks: HashMap<CardId, Option<i64>> = HashMap::new();
    for line in lines {
        if let Some(card) = line.row.card {
            used.insert(card, (signed(line.row.seq), line.row.at.0));
            if let Some(until) = line.lock {
                locks.insert(card, until);
            }
        }
    }
    let mut used: Vec<_> = used.iter().collect();
    used.sort_unstable();
    let ids: Vec<&[u8]> = used.iter().map(|(card, _)| card.0.as_slice()).collect();
    let places: Vec<i64> = used.iter().map(|(_, (place, _))| *place).collect();
    let ats: Vec<i64> = used.iter().map(|(_, (_, at))| *at).collect();
    live.execute(sql::USE_CARDS, &[&ids, &places, &ats]).await?;
    if !locks.is_empty() {
        let ids: Vec<&[u8]> = locks.keys().map(|card| card.0.as_slice()).collect();
        let untils: Vec<Option<i64>> = locks.values().copied().collect();
        live.execute(sql::LOCK_CARDS, &[&ids, &untils]).await?;
    }
    Ok(())
}

fn last_four(pan: &str) -> &str {
    pan.get(pan.len().saturating_sub(4)..).unwrap_or_default()
}
