//! The registers' rows: cards and terminals, registered in one transaction over all partitions.

use std::{collections::BTreeMap, sync::Arc};

use authorization::{
    CardState, Role,
    settlement::Totals,
    terminal::{TerminalRecord, TerminalState},
};
use model::{BatchNumber, CardId, TerminalId, TransactionKey};
use store::{Card, Entry, Event, StoreError, Subject, Terminal};
use tokio_postgres::{Error, Row as Found};

use super::{
    core::{Core, partition},
    pool::{Live, Pool, column, is_passing, place, store_error},
    shelf::Kept,
    sql,
};
use crate::{
    body::{self, subject_key, transaction_key},
    row::{CardRow, Row, decode, encode, open_reference},
    seal::Sealer,
};

/// Rows of one statement.
const CHUNK: usize = 1000;
/// A registration that other registrations keep getting in the way of is not tried any further.
const ROUNDS: usize = 16;

/// From a row of a saved state: id, version, number, place, record, reference, state.
pub(crate) fn card(sealer: &Sealer, id: &CardId, row: &Found) -> Result<Kept<Card>, StoreError> {
    let state: CardState = decode("card state", column(row, 6)?)?;
    let saved = saved_seq(row, state.seq)?;
    let reference: Option<&[u8]> = column(row, 5)?;
    let reference = reference.map(|sealed| open_reference(sealer, id, sealed)).transpose()?;
    let record = Arc::new(decode("card record", column(row, 4)?)?);
    let card = Card { id: *id, record, reference: reference.map(Arc::new), state };
    Ok(Kept { value: Arc::new(card), seq: saved, version: column(row, 1)?, saved })
}

/// The same of a terminal.
pub(crate) fn terminal(row: &Found) -> Result<Kept<Terminal>, StoreError> {
    let state: TerminalState = decode("terminal state", column(row, 6)?)?;
    let saved = saved_seq(row, state.seq)?;
    let record = Arc::new(decode::<TerminalRecord>("terminal record", column(row, 4)?)?);
    let terminal = Terminal { record, state };
    Ok(Kept { value: Arc::new(terminal), seq: saved, version: column(row, 1)?, saved })
}

/// The number of a saved state stands beside it too.
fn saved_seq(row: &Found, in_state: u32) -> Result<u32, StoreError> {
    let beside: i32 = column(row, 2)?;
    if i64::from(beside) == i64::from(in_state) {
        Ok(in_state)
    } else {
        Err(StoreError::Corrupt(format!("a saved state says {in_state}, the column beside it {beside}")))
    }
}

/// The terminals' numbers in order.
pub(crate) async fn terminal_ids(core: &Core, pool: &Pool) -> Result<Vec<TerminalId>, StoreError> {
    let found = pool.everywhere(core.texts.iter().map(|texts| &*texts.terminals), &[]).await?;
    let mut ids = found
        .iter()
        .flatten()
        .map(|row| {
            TerminalId::new(column::<&[u8]>(row, 0)?)
                .map_err(|error| StoreError::Corrupt(format!("terminal register: {error}")))
        })
        .collect::<Result<Vec<_>, _>>()?;
    ids.sort_unstable();
    Ok(ids)
}

/// The card of the financial transaction with this key; of several, the one that came last.
pub(crate) async fn card_of(core: &Core, key: &TransactionKey) -> Result<Option<CardId>, StoreError> {
    let texts = core.texts.iter().map(|texts| &*texts.by_key);
    let found = core.pool.everywhere(texts, &[&transaction_key(key)]).await?;
    let mut last: Option<(u64, CardId)> = None;
    for row in found.iter().flatten() {
        let (journal_seq, entry) = entry(row)?;
        if let (Event::Transaction(t), Subject::Card(card)) = (&entry.event, entry.subject)
            && t.role != Role::Reversal
            && last.is_none_or(|(before, _)| journal_seq > before)
        {
            last = Some((journal_seq, card));
        }
    }
    Ok(last.map(|(_, card)| card))
}

/// Totals of a batch: the sum over its transactions, wherever their cards are.
pub(crate) async fn batch_totals(
    core: &Core,
    terminal: &TerminalId,
    batch: BatchNumber,
) -> Result<Totals, StoreError> {
    // A key begins with terminal and batch.
    let start = |batch: u64| [terminal.as_bytes().as_slice(), &(batch as u32).to_be_bytes()].concat();
    let (from, to) = (start(u64::from(batch.get())), start(u64::from(batch.get()) + 1));
    let texts = core.texts.iter().map(|texts| &*texts.by_key_range);
    let found = core.pool.everywhere(texts, &[&from, &to]).await?;
    let mut totals = Totals::default();
    for row in found.iter().flatten() {
        let (_, entry) = entry(row)?;
        if let Event::Transaction(t) = &entry.event
            && !t.movement.is_none()
        {
            totals.add(&t.movement);
        }
    }
    Ok(totals)
}

/// A place and its entry, the answer sealed.
pub(crate) fn entry(row: &Found) -> Result<(u64, Entry), StoreError> {
    let journal_seq = place(column(row, 0)?);
    Ok((journal_seq, body::decode_sealed(journal_seq, column(row, 1)?)?))
}

/// What is registered in one partition; of two registrations of a card, the last.
#[derive(Default)]
struct Share<'a> {
    cards: BTreeMap<CardId, &'a CardRow>,
    terminals: BTreeMap<TerminalId, &'a TerminalRecord>,
}

/// Writes registrations in one transaction. Another host that registers the same waits for us, and then finds the cards
/// there: whoever comes last is right, and no state is touched.
pub(crate) async fn register(core: &Core, rows: &[Row]) -> Result<(), StoreError> {
    let mut shares: BTreeMap<u16, Share<'_>> = BTreeMap::new();
    let mut cards = 0;
    for row in rows {
        let subject = subject(row);
        let share = shares.entry(partition(&subject, core.limits.partitions)).or_default();
        match row {
            Row::Card(card) => {
                cards += i64::from(share.cards.insert(card.id, card).is_none());
            }
            Row::Terminal { record } => {
                share.terminals.insert(record.id, record);
            }
        }
    }
    for _ in 0..ROUNDS {
        // A connection of its own: one that is dropped in the middle takes its transaction with it.
        let live = core.door.connect().await?;
        match write(core, &live, &shares, cards).await {
            Err(Failed::Sql(error)) if is_passing(&error) => {}
            Err(Failed::Sql(error)) => return Err(store_error(&error)),
            Err(Failed::Store(error)) => return Err(error),
            Ok(()) => return Ok(()),
        }
    }
    Err(StoreError::Overloaded)
}

/// The subject of a registration.
pub(crate) fn subject(row: &Row) -> Subject {
    match row {
        Row::Card(card) => Subject::Card(card.id),
        Row::Terminal { record } => Subject::Terminal(record.id),
    }
}

enum Failed {
    Sql(Error),
    Store(StoreError),
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self::Sql(error)
    }
}

impl From<StoreError> for Failed {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

async fn write(
    core: &Core,
    live: &Live,
    shares: &BTreeMap<u16, Share<'_>>,
    cards: i64,
) -> Result<(), Failed> {
    live.plain("BEGIN").await?;
    let taken = live.rows(sql::TAKE_NUMBERS, &[&cards]).await?;
    let taken = taken.first().ok_or_else(|| StoreError::Corrupt("pinward.store has no row".to_owned()))?;
    let (mut n, registration): (i64, i64) = (column(taken, 0)?, column(taken, 1)?);
    for (partition, share) in shares {
        let texts = &core.texts[usize::from(*partition)];
        let subjects = share.cards.keys().map(|id| Subject::Card(*id));
        let subjects: Vec<Vec<u8>> = subjects
            .chain(share.terminals.keys().map(|id| Subject::Terminal(*id)))
            .map(|subject| subject_key(&subject))
            .collect();
        let (cards, terminals): (Vec<_>, Vec<_>) =
            (share.cards.values().copied().collect(), share.terminals.values().copied().collect());
        for chunk in subjects.chunks(CHUNK) {
            live.execute(&texts.register_subjects, &[&chunk, &registration]).await?;
        }
        for chunk in cards.chunks(CHUNK) {
            write_cards(live, &texts.register_cards, chunk, n + 1).await?;
            n += chunk.len() as i64;
        }
        for chunk in terminals.chunks(CHUNK) {
            write_terminals(live, &texts.register_terminals, chunk).await?;
        }
    }
    // Last, so that whoever appends waits for no more than this. In ascending order, as everybody takes heads.
    for partition in shares.keys() {
        live.execute(&core.texts[usize::from(*partition)].set_registration, &[&registration]).await?;
    }
    Ok(live.plain("COMMIT").await?)
}

async fn write_cards(live: &Live, text: &str, cards: &[&CardRow], first: i64) -> Result<(), Failed> {
    let numbers: Vec<i64> = (first..).take(cards.len()).collect();
    let ids: Vec<&[u8]> = cards.iter().map(|card| card.id.0.as_slice()).collect();
    let masked: Vec<&str> = cards.iter().map(|card| card.pan_masked.as_str()).collect();
    let sealed: Vec<&[u8]> = cards.iter().map(|card| card.pan_sealed.as_slice()).collect();
    let references: Vec<Option<&[u8]>> = cards.iter().map(|card| card.reference_sealed.as_deref()).collect();
    let records = cards.iter().map(|card| encode(&*card.record)).collect::<Result<Vec<_>, _>>()?;
    let states =
        cards.iter().map(|card| encode(&CardState::new(&card.record))).collect::<Result<Vec<_>, _>>()?;
    live.execute(text, &[&numbers, &ids, &masked, &sealed, &records, &references, &states]).await?;
    Ok(())
}

async fn write_terminals(live: &Live, text: &str, records: &[&TerminalRecord]) -> Result<(), Failed> {
    let ids: Vec<&[u8]> = records.iter().map(|record| record.id.as_bytes().as_slice()).collect();
    let state = encode(&TerminalState::default())?;
    let states: Vec<&[u8]> = records.iter().map(|_| state.as_slice()).collect();
    let records = records.iter().map(|record| encode(*record)).collect::<Result<Vec<_>, _>>()?;
    live.execute(text, &[&ids, &records, &states]).await?;
    Ok(())
}
