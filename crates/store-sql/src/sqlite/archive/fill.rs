//! Fills the look-up tables from the journal, behind the payments.
//!
//! Each round takes the next entries from the journal file itself, writes their lines and the new progress in one
//! transaction, and tells subscribers. Reading the file instead of listening to the writer costs one more decoding
//! and gives the rebuild for nothing: a deleted archive is an archive that is very far behind.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use journal_log::Cursor;
use model::CardId;
use rusqlite::{Connection, TransactionBehavior, params};
use store::{Entry, StoreError, archive::TransactionRow};
use tokio::sync::broadcast;

use super::{PLACE_OF_USED, sql};
use crate::{
    body,
    line::{self, Line, Names},
    sqlite::{
        core::Core,
        journal,
        pool::{column, store_error},
    },
};

/// How often it looks for new entries when nobody is in a hurry. People do not see the difference, and a host under
/// load is not woken for every batch.
const PACE: Duration = Duration::from_millis(20);
/// With so many payments a second it stands back: for each moment of work it rests so many.
const BUSY: u64 = 5_000;
const REST_WHEN_BUSY: u32 = 12;
/// But not any more when so many entries wait for it: half a minute of its whole work.
const LAG_LIMIT: u64 = 2_000_000;
/// And it never rests longer between two rounds of much work.
const BREATH_LIMIT: Duration = Duration::from_secs(2);
/// After a failure it tries again: the archive decides nothing, so waiting is safe.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(1);

pub(crate) struct Filler {
    archive: Connection,
    /// Both databases, to read.
    reader: Connection,
    /// The journal after what is filled; after a failure it is begun anew.
    journal: Option<Cursor>,
    filled: u64,
    lines: broadcast::Sender<Arc<TransactionRow>>,
    /// When it last looked how far the journal is, and how far it was.
    looked: (Instant, u64),
}

impl Filler {
    pub(crate) fn new(
        archive: Connection,
        reader: Connection,
        filled: u64,
        lines: broadcast::Sender<Arc<TransactionRow>>,
    ) -> Self {
        Self { archive, reader, journal: None, filled, lines, looked: (Instant::now(), filled) }
    }

    /// Runs until `end` is set, and then only as far as the round it is in: the next start goes on from there.
    pub(crate) fn run(mut self, core: &Core, end: &AtomicBool) {
        while !end.load(Ordering::Acquire) {
            let started = Instant::now();
            let pause = match self.round(core) {
                Ok(true) => self.breath(core, started.elapsed()),
                // Few entries a round would be many rounds: when there are many payments it rests as long.
                Ok(false) => self.breath(core, started.elapsed()).max(PACE),
                Err(error) => {
                    tracing::warn!(%error, filled = self.filled, "look-up tables not filled, trying again");
                    PAUSE_AFTER_FAILURE
                }
            };
            if !pause.is_zero() && !core.hurry.swap(false, Ordering::AcqRel) {
                thread::park_timeout(pause);
            }
        }
        if let Err(error) = self.round(core) {
            tracing::warn!(%error, "look-up tables are behind; the next start fills them");
        }
    }

    /// Far behind and in no hurry, it leaves half of the time to payments, and most of it while there are many of them; then
    /// it catches up later, unless it is very far behind.
    fn breath(&mut self, core: &Core, worked: Duration) -> Duration {
        let (now, end) = (Instant::now(), core.published());
        let (since, before) = std::mem::replace(&mut self.looked, (now, end));
        let a_second =
            (end.saturating_sub(before) as f64 / now.duration_since(since).as_secs_f64().max(0.001)) as u64;
        if core.hurry.load(Ordering::Acquire) {
            return Duration::ZERO;
        }
        let stands_back = a_second >= BUSY && end.saturating_sub(self.filled) < LAG_LIMIT;
        (worked * if stands_back { REST_WHEN_BUSY } else { 1 }).min(BREATH_LIMIT)
    }

    /// One round. Says whether there may be more to do at once.
    fn round(&mut self, core: &Core) -> Result<bool, StoreError> {
        let more_cards = self.copy_cards(core)?;
        let end = core.published();
        if self.filled >= end {
            return Ok(more_cards);
        }
        let entries = self.read(core).inspect_err(|_| self.journal = None)?;
        let lines = entries
            .iter()
            .filter(|(_, entry)| line::is_shown(entry))
            .map(|(journal_seq, entry)| self.line(core, *journal_seq, entry))
            .collect::<Result<Vec<_>, _>>()?;
        let Some((filled, _)) = entries.last() else { return Ok(false) };
        self.write(*filled, &lines)?;
        self.filled = *filled;
        core.filled.send_replace(*filled);
        self.tell(lines);
        Ok(more_cards || *filled < end)
    }

    /// Cards registered since the last round. `n` grows with each registration; a replaced card keeps its own.
    fn copy_cards(&mut self, core: &Core) -> Result<bool, StoreError> {
        let registered: i64 =
            self.archive.query_row(sql::REGISTERED, [], |row| row.get(0)).map_err(store_error)?;
        let mut statement = self.reader.prepare_cached(sql::REGISTERED_AFTER).map_err(store_error)?;
        let cards = statement
            .query_map(params![registered, core.limits.archive_round], |row| {
                Ok((row.get::<_, i64>(0)?, row.get::<_, Vec<u8>>(1)?, row.get::<_, String>(2)?))
            })
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(store_error)?;
        let Some((last, ..)) = cards.last() else { return Ok(false) };
        write_cards(&mut self.archive, *last, &cards).map_err(store_error)?;
        Ok(cards.len() as u32 == core.limits.archive_round)
    }

    fn read(&mut self, core: &Core) -> Result<Vec<(u64, Entry)>, StoreError> {
        let stands = self.journal.take().filter(|cursor| cursor.place() == self.filled);
        let cursor = self.journal.insert(stands.unwrap_or_else(|| core.log.after(self.filled)));
        let mut entries = Vec::new();
        while entries.len() < core.limits.archive_round as usize
            && let Some((journal_seq, body)) = cursor.next().map_err(journal::store_error)?
        {
            entries.push((journal_seq, body::decode_sealed(journal_seq, body)?));
        }
        Ok(entries)
    }

    fn line(&self, core: &Core, journal_seq: u64, entry: &Entry) -> Result<Line, StoreError> {
        let terminal = match line::terminal_of(entry) {
            Some(id) => core.states.terminal(&self.reader, &id)?,
            None => None,
        };
        let card = match entry.event {
            store::Event::Desk(_) => line::card_of(entry),
            _ => None,
        };
        let card = match card {
            Some(id) => core.states.card(&self.reader, &core.sealer, &id)?,
            None => None,
        };
        let names = Names {
            merchant_name: terminal.map(|t| t.record.merchant_name.clone()).unwrap_or_default(),
            pan: card.map(|card| card.record.pan.clone()),
        };
        Ok(line::line(journal_seq, entry, names))
    }

    fn write(&mut self, filled: u64, lines: &[Line]) -> Result<(), StoreError> {
        let tx =
            self.archive.transaction_with_behavior(TransactionBehavior::Immediate).map_err(store_error)?;
        write_lines(&tx, lines).map_err(store_error)?;
        tx.execute(sql::SET_FILLED, [column(filled)]).map_err(store_error)?;
        tx.commit().map_err(store_error)
    }

    fn tell(&self, lines: Vec<Line>) {
        if self.lines.receiver_count() > 0 {
            for line in lines {
                let _ = self.lines.send(Arc::new(line.row));
            }
        }
    }
}

fn write_cards(
    archive: &mut Connection,
    last: i64,
    cards: &[(i64, Vec<u8>, String)],
) -> rusqlite::Result<()> {
    let tx = archive.transaction_with_behavior(TransactionBehavior::Immediate)?;
    {
        let mut insert = tx.prepare_cached(sql::INSERT_CARD)?;
        for (n, id, pan) in cards {
            insert.execute(params![id, n, pan, last_four(pan)])?;
        }
    }
    tx.execute(sql::SET_REGISTERED, [last])?;
    tx.commit()
}

fn write_lines(conn: &Connection, lines: &[Line]) -> rusqlite::Result<()> {
    let mut insert = conn.prepare_cached(sql::INSERT_LINE)?;
    let mut used = conn.prepare_cached(sql::USE_CARD)?;
    let mut lock = conn.prepare_cached(sql::LOCK_CARD)?;
    let mut touched = BTreeMap::<CardId, Touched>::new();
    for line in lines {
        let row = &line.row;
        let pan = row.pan.as_ref().map(model::MaskedPan::as_str);
        insert.execute(params![
            column(row.seq),
            row.at.0,
            row.rrn,
            row.kind,
            row.stan,
            row.batch,
            pan,
            row.card.map(|c| c.0),
            row.terminal,
            row.merchant,
            row.merchant_name,
            row.amount.map(|a| a.0),
            row.currency,
            row.code,
            row.reason,
            row.family.name(),
            row.pin,
            row.try_charged,
            row.tries_left,
            row.tries_limit,
            row.locked_until,
            row.took_us,
            pan.map(last_four),
            line.approval,
            line.key,
            line.original,
            line.counted,
            line.approved,
        ])?;
        if let Some(card) = row.card {
            let card = touched.entry(card).or_default();
            card.last_use = (column(PLACE_OF_USED + row.seq), row.at.0);
            card.lock = line.lock.or(card.lock);
        }
    }
    for (card, touched) in touched {
        used.execute(params![card.0, touched.last_use.0, touched.last_use.1])?;
        if let Some(until) = touched.lock {
            lock.execute(params![card.0, until])?;
        }
    }
    Ok(())
}

/// What the lines of one round say about a card: only the last word is written, and neighbours after each other.
#[derive(Default)]
struct Touched {
    /// Place and moment.
    last_use: (i64, i64),
    lock: Option<Option<i64>>,
}

fn last_four(pan: &str) -> &str {
    pan.get(pan.len().saturating_sub(4)..).unwrap_or_default()
}
