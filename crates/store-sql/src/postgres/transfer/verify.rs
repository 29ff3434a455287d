//! Both sides are read again from their beginning and hashed, table by table and partition by partition. Equal digests:
//! the same rows in the same order, every sealed byte included.

use model::{CardId, TerminalId};
use sha2::{Digest, Sha256};
use store::{StoreError, Subject};
use tokio_postgres::Row;

use super::{Stage, Step, TransferError, card_state, copy, number, place_of, terminal_state};
use crate::{
    postgres::{
        core::partition,
        pool::{Live, column, signed},
        sql,
    },
    row::decode,
    sqlite::export::Export,
};

const CHUNK: usize = 1000;
const ROWS: i64 = CHUNK as i64;
const CARDS: &str = "SELECT n, id, pan_masked, pan_sealed, record, reference, state, seq FROM {p}.cards
    WHERE n > $1 ORDER BY n LIMIT $2";
const TERMINALS: &str = "SELECT id, record, state, seq FROM {p}.terminals WHERE id > $1 ORDER BY id LIMIT $2";
const ENTRIES: &str =
    "SELECT place, subject, seq, at, key, body FROM {p}.journal WHERE place > $1 ORDER BY place LIMIT $2";

/// A table's rows and the SHA-256 of their values in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableDigest {
    /// Rows.
    pub rows: u64,
    /// In hexadecimal digits.
    pub digest: String,
}

/// The three tables of a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionDigest {
    /// Its number.
    pub partition: u16,
    /// Registered cards with their states.
    pub cards: TableDigest,
    /// Registered terminals with their states.
    pub terminals: TableDigest,
    /// The journal.
    pub entries: TableDigest,
}

/// What has been read of a table.
#[derive(Clone, Default)]
struct Tally {
    rows: u64,
    hash: Sha256,
}

impl Tally {
    /// Each value is preceded by its length, so that no byte can move from one to the next.
    fn row(&mut self, values: &[&[u8]]) {
        self.rows += 1;
        for value in values {
            self.hash.update((value.len() as u64).to_be_bytes());
            self.hash.update(value);
        }
    }

    fn card(&mut self, n: i64, values: [&[u8]; 4], reference: Option<&[u8]>, state: (&[u8], i32)) {
        let [id, masked, sealed, record] = values;
        let has = [u8::from(reference.is_some())];
        let seq = state.1.to_be_bytes();
        let n = n.to_be_bytes();
        self.row(&[&n, id, masked, sealed, record, &has, reference.unwrap_or_default(), state.0, &seq]);
    }

    fn terminal(&mut self, id: &[u8], record: &[u8], state: (&[u8], i32)) {
        self.row(&[id, record, state.0, &state.1.to_be_bytes()]);
    }

    fn entry(&mut self, numbers: (i64, i32, i64), subject: &[u8], key: Option<&[u8]>, body: &[u8]) {
        let (place, seq, at) = numbers;
        let has = [u8::from(key.is_some())];
        let (place, seq, at) = (place.to_be_bytes(), seq.to_be_bytes(), at.to_be_bytes());
        self.row(&[&place, subject, &seq, &at, &has, key.unwrap_or_default(), body]);
    }

    fn digest(self) -> TableDigest {
        let digest = self.hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        TableDigest { rows: self.rows, digest }
    }
}

#[derive(Clone, Default)]
struct Tallies {
    cards: Tally,
    terminals: Tally,
    entries: Tally,
}

/// Compares everything; the digests that both sides have.
pub(super) async fn compare(
    source: &Export,
    live: &Live,
    partitions: u16,
    progress: &mut dyn FnMut(Step),
) -> Result<Vec<PartitionDigest>, TransferError> {
    let total = 2 * (source.cards + source.terminals + source.entries);
    let mut done = 0;
    let mut step = |rows: usize| {
        done += rows as u64;
        progress(Step { stage: Stage::Verifying, done, total });
    };
    let there = of_source(source, partitions, &mut step)?;
    let mut digests = Vec::new();
    for (partition, there) in (0..partitions).zip(there) {
        let here = of_target(live, partition, &mut step).await?;
        let same = |table, there: Tally, here: Tally| {
            let (there, here) = (there.digest(), here.digest());
            if there == here {
                return Ok(here);
            }
            let (source_rows, target_rows) = (there.rows, here.rows);
            Err(TransferError::Differs { table, partition, source_rows, target_rows })
        };
        digests.push(PartitionDigest {
            partition,
            cards: same("cards", there.cards, here.cards)?,
            terminals: same("terminals", there.terminals, here.terminals)?,
            entries: same("journal entries", there.entries, here.entries)?,
        });
    }
    Ok(digests)
}

fn of_source(
    source: &Export,
    partitions: u16,
    step: &mut impl FnMut(usize),
) -> Result<Vec<Tallies>, StoreError> {
    let mut tallies = vec![Tallies::default(); usize::from(partitions)];
    let mut after = 0;
    loop {
        let rows = source.cards_after(after, CHUNK)?;
        let Some(last) = rows.last() else { break };
        after = last.n;
        for row in &rows {
            let id = <[u8; 16]>::try_from(&row.id[..])
                .map_err(|_| StoreError::Corrupt(format!("card {} has no id", row.n)))?;
            let p = partition(&Subject::Card(CardId(id)), partitions);
            let (state, seq) = card_state(&row.state, p, partitions)?;
            let values = [&row.id[..], row.pan_masked.as_bytes(), &row.pan_sealed, &row.record];
            tallies[usize::from(p)].cards.card(row.n, values, row.reference.as_deref(), (&state, seq));
        }
        step(rows.len());
    }
    let mut after = Vec::new();
    loop {
        let rows = source.terminals_after(&after, CHUNK)?;
        let Some(last) = rows.last() else { break };
        after.clone_from(&last.id);
        for row in &rows {
            let id = TerminalId::new(&row.id)
                .map_err(|error| StoreError::Corrupt(format!("terminal register: {error}")))?;
            let p = partition(&Subject::Terminal(id), partitions);
            let (state, seq) = terminal_state(&row.state, p, partitions)?;
            tallies[usize::from(p)].terminals.terminal(&row.id, &row.record, (&state, seq));
        }
        step(rows.len());
    }
    entries_of_source(source, partitions, &mut tallies, step)?;
    Ok(tallies)
}

fn entries_of_source(
    source: &Export,
    partitions: u16,
    tallies: &mut [Tallies],
    step: &mut impl FnMut(usize),
) -> Result<(), StoreError> {
    let mut after = 0;
    loop {
        let rows = source.entries_after(after, CHUNK)?;
        let Some(last) = rows.last() else { return Ok(()) };
        after = last.place;
        for row in &rows {
            let (p, key) = copy::read(row, partitions)?;
            let numbers = (signed(place_of(row.place, p, partitions)), row.seq, row.at);
            tallies[usize::from(p)].entries.entry(numbers, &row.subject, key.as_deref(), &row.body);
        }
        step(rows.len());
    }
}

async fn of_target(
    live: &Live,
    partition: u16,
    step: &mut impl FnMut(usize),
) -> Result<Tallies, TransferError> {
    let text = |text: &str| text.replace("{p}", &sql::schema(partition));
    let mut tallies = Tallies::default();
    let mut after: i64 = 0;
    loop {
        let rows = live.rows(&text(CARDS), &[&after, &ROWS]).await?;
        let Some(last) = rows.last() else { break };
        after = column(last, 0)?;
        rows.iter().try_for_each(|row| card_here(&mut tallies.cards, row))?;
        step(rows.len());
    }
    let mut after: Vec<u8> = Vec::new();
    loop {
        let rows = live.rows(&text(TERMINALS), &[&after, &ROWS]).await?;
        let Some(last) = rows.last() else { break };
        after = column(last, 0)?;
        for row in &rows {
            let state: &[u8] = column(row, 2)?;
            tallies.terminals.terminal(column(row, 0)?, column(row, 1)?, (state, column(row, 3)?));
        }
        step(rows.len());
    }
    let mut after: i64 = 0;
    loop {
        let rows = live.rows(&text(ENTRIES), &[&after, &ROWS]).await?;
        let Some(last) = rows.last() else { return Ok(tallies) };
        after = column(last, 0)?;
        for row in &rows {
            let numbers = (column(row, 0)?, column(row, 2)?, column(row, 3)?);
            tallies.entries.entry(numbers, column(row, 1)?, column(row, 4)?, column(row, 5)?);
        }
        step(rows.len());
    }
}

fn card_here(tally: &mut Tally, row: &Row) -> Result<(), StoreError> {
    let masked: &str = column(row, 2)?;
    let (state, seq): (&[u8], i32) = (column(row, 6)?, column(row, 7)?);
    // What a host will read of it: the number beside the state is the state's.
    let inside: authorization::CardState = decode("card state", state)?;
    if number(inside.seq)? != seq {
        return Err(StoreError::Corrupt("a card's state and the number beside it disagree".to_owned()));
    }
    let values = [column(row, 1)?, masked.as_bytes(), column(row, 3)?, column(row, 4)?];
    tally.card(column(row, 0)?, values, column(row, 5)?, (state, seq));
    Ok(())
}
