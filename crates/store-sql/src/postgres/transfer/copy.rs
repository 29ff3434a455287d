//! The rows go over in order, a thousand in each transaction, together with the row that says how far it is.

use std::collections::BTreeMap;

use authorization::CardState;
use model::{CardId, TerminalId};
use store::{Event, StoreError, Subject};
use tokio_postgres::types::ToSql;

use super::{
    Begun, FILL, LEASE_MS, Stage, Step, TransferError, card_state, number, place_of, terminal_state,
};
use crate::{
    body::{self, subject_key, transaction_key},
    postgres::{
        core::partition,
        pool::{Live, signed},
        sql,
    },
    row::decode,
    sqlite::export::{CardRow, EntryRow, Export, TerminalRow},
};

/// Rows of one transaction.
const CHUNK: usize = 1000;

const SUBJECTS: &str =
    "INSERT INTO {p}.subjects (subject, version) SELECT r.subject, 1 FROM unnest($1::bytea[]) AS r(subject)";
const CARDS: &str = "
    INSERT INTO {p}.cards (n, id, pan_masked, pan_sealed, record, reference, state, seq)
    SELECT r.n, r.id, r.pan_masked, r.pan_sealed, r.record, r.reference, r.state, r.seq
    FROM unnest($1::int8[], $2::bytea[], $3::text[], $4::bytea[], $5::bytea[], $6::bytea[], $7::bytea[], $8::int4[])
        AS r(n, id, pan_masked, pan_sealed, record, reference, state, seq)";
const TERMINALS: &str = "
    INSERT INTO {p}.terminals (id, record, state, seq)
    SELECT r.id, r.record, r.state, r.seq
    FROM unnest($1::bytea[], $2::bytea[], $3::bytea[], $4::int4[]) AS r(id, record, state, seq)";
const ENTRIES: &str = "
    INSERT INTO {p}.journal (subject, seq, place, at, key, body)
    SELECT r.subject, r.seq, r.place, r.at, r.key, r.body
    FROM unnest($1::bytea[], $2::int4[], $3::int8[], $4::int8[], $5::bytea[], $6::bytea[])
        AS r(subject, seq, place, at, key, body)";
const HEAD: &str = "UPDATE {p}.head SET last = $1 WHERE one = 1";
const REGISTERED: &str = "UPDATE pinward.store SET registered = $1 WHERE one = 1";

/// An entry, and its transaction's key.
type Keyed<'a> = (Option<Vec<u8>>, &'a EntryRow);

/// A connection that writes, and the lease under which it does.
pub(super) struct Copying<'a> {
    live: &'a Live,
    holder: &'a str,
    partitions: u16,
}

impl<'a> Copying<'a> {
    pub(super) fn new(live: &'a Live, holder: &'a str, partitions: u16) -> Self {
        Self { live, holder, partitions }
    }

    /// Everything that is not there yet.
    pub(super) async fn all(
        &self,
        source: &Export,
        begun: Option<&Begun>,
        progress: &mut dyn FnMut(Step),
    ) -> Result<(), TransferError> {
        let (mut card, mut terminal, mut entry) =
            begun.map_or((0, Vec::new(), 0), |b| (b.cards, b.terminals.clone(), b.entries));
        let mut done = 0;
        loop {
            let rows = source.cards_after(card, CHUNK)?;
            let Some(last) = rows.last() else { break };
            card = last.n;
            self.cards(&rows).await?;
            done += rows.len() as u64;
            progress(Step { stage: Stage::Cards, done, total: source.cards });
        }
        done = 0;
        loop {
            let rows = source.terminals_after(&terminal, CHUNK)?;
            let Some(last) = rows.last() else { break };
            terminal.clone_from(&last.id);
            self.terminals(&rows).await?;
            done += rows.len() as u64;
            progress(Step { stage: Stage::Terminals, done, total: source.terminals });
        }
        loop {
            let rows = source.entries_after(entry, CHUNK)?;
            let Some(last) = rows.last() else { break };
            entry = last.place;
            self.entries(&rows).await?;
            progress(Step { stage: Stage::Entries, done: entry, total: source.entries });
        }
        Ok(())
    }

    async fn cards(&self, rows: &[CardRow]) -> Result<(), TransferError> {
        let mut shares: BTreeMap<u16, Vec<&CardRow>> = BTreeMap::new();
        for row in rows {
            let id = <[u8; 16]>::try_from(&row.id[..])
                .map_err(|_| StoreError::Corrupt(format!("card {} has no id", row.n)))?;
            shares.entry(partition(&Subject::Card(CardId(id)), self.partitions)).or_default().push(row);
        }
        self.begin().await?;
        for (p, share) in shares {
            let subjects: Vec<Vec<u8>> = share.iter().map(|row| [&[1], &row.id[..]].concat()).collect();
            let n: Vec<i64> = share.iter().map(|row| row.n).collect();
            let ids: Vec<&[u8]> = share.iter().map(|row| &row.id[..]).collect();
            let masked: Vec<&str> = share.iter().map(|row| &*row.pan_masked).collect();
            let sealed: Vec<&[u8]> = share.iter().map(|row| &row.pan_sealed[..]).collect();
            let records: Vec<&[u8]> = share.iter().map(|row| &row.record[..]).collect();
            let references: Vec<Option<&[u8]>> = share.iter().map(|row| row.reference.as_deref()).collect();
            let states = share.iter().map(|row| card_state(&row.state, p, self.partitions));
            let (states, seqs): (Vec<Vec<u8>>, Vec<i32>) =
                states.collect::<Result<Vec<_>, _>>()?.into_iter().unzip();
            self.write(p, SUBJECTS, &[&subjects]).await?;
            let values: [&(dyn ToSql + Sync); 8] =
                [&n, &ids, &masked, &sealed, &records, &references, &states, &seqs];
            self.write(p, CARDS, &values).await?;
        }
        // What must still be said to issuers of foreign cards is found again by this table.
        for row in rows {
            if has_forwards(&row.state)? {
                self.live.execute(sql::NOTE_OUTSTANDING, &[&row.id, &0_i64]).await?;
            }
        }
        let last = rows.last().map_or(0, |row| row.n);
        self.live.execute(REGISTERED, &[&last]).await?;
        self.commit("UPDATE pinward.transfer SET cards = $1 WHERE one = 1", &last).await
    }

    async fn terminals(&self, rows: &[TerminalRow]) -> Result<(), TransferError> {
        let mut shares: BTreeMap<u16, Vec<(Vec<u8>, &TerminalRow)>> = BTreeMap::new();
        for row in rows {
            let id = TerminalId::new(&row.id)
                .map_err(|error| StoreError::Corrupt(format!("terminal register: {error}")))?;
            let subject = Subject::Terminal(id);
            shares
                .entry(partition(&subject, self.partitions))
                .or_default()
                .push((subject_key(&subject), row));
        }
        self.begin().await?;
        for (p, share) in shares {
            let subjects: Vec<&[u8]> = share.iter().map(|(subject, _)| &subject[..]).collect();
            let ids: Vec<&[u8]> = share.iter().map(|(_, row)| &row.id[..]).collect();
            let records: Vec<&[u8]> = share.iter().map(|(_, row)| &row.record[..]).collect();
            let states = share.iter().map(|(_, row)| terminal_state(&row.state, p, self.partitions));
            let (states, seqs): (Vec<Vec<u8>>, Vec<i32>) =
                states.collect::<Result<Vec<_>, _>>()?.into_iter().unzip();
            self.write(p, SUBJECTS, &[&subjects]).await?;
            self.write(p, TERMINALS, &[&ids, &records, &states, &seqs]).await?;
        }
        let last = rows.last().map_or(&[][..], |row| &row.id);
        self.commit("UPDATE pinward.transfer SET terminals = $1 WHERE one = 1", &last).await
    }

    async fn entries(&self, rows: &[EntryRow]) -> Result<(), TransferError> {
        let mut shares: BTreeMap<u16, Vec<Keyed<'_>>> = BTreeMap::new();
        for row in rows {
            let (p, key) = read(row, self.partitions)?;
            shares.entry(p).or_default().push((key, row));
        }
        self.begin().await?;
        for (p, share) in shares {
            let subjects: Vec<&[u8]> = share.iter().map(|(_, row)| &row.subject[..]).collect();
            let seqs: Vec<i32> = share.iter().map(|(_, row)| row.seq).collect();
            let places: Vec<i64> =
                share.iter().map(|(_, row)| signed(place_of(row.place, p, self.partitions))).collect();
            let ats: Vec<i64> = share.iter().map(|(_, row)| row.at).collect();
            let keys: Vec<Option<&[u8]>> = share.iter().map(|(key, _)| key.as_deref()).collect();
            let bodies: Vec<&[u8]> = share.iter().map(|(_, row)| &row.body[..]).collect();
            self.write(p, ENTRIES, &[&subjects, &seqs, &places, &ats, &keys, &bodies]).await?;
            let last = share.last().map_or(0, |(_, row)| signed(row.place));
            self.write(p, HEAD, &[&last]).await?;
        }
        let last = rows.last().map_or(0, |row| signed(row.place));
        self.commit("UPDATE pinward.transfer SET entries = $1 WHERE one = 1", &last).await
    }

    async fn begin(&self) -> Result<(), TransferError> {
        Ok(self.live.plain("BEGIN").await?)
    }

    async fn write(
        &self,
        partition: u16,
        text: &str,
        values: &[&(dyn ToSql + Sync)],
    ) -> Result<(), TransferError> {
        self.live.execute(&text.replace("{p}", &sql::schema(partition)), values).await?;
        Ok(())
    }

    /// Ends a transaction, if the lease is still ours. A connection that is dropped before takes it back.
    async fn commit(&self, mark: &str, last: &(dyn ToSql + Sync)) -> Result<(), TransferError> {
        self.live.execute(mark, &[last]).await?;
        if self.live.execute(sql::TAKE_LEASE, &[&FILL, &self.holder, &LEASE_MS]).await? == 0 {
            return Err(TransferError::InUse);
        }
        Ok(self.live.plain("COMMIT").await?)
    }
}

/// An entry's partition, and its transaction's key. Its columns and its body must agree.
pub(super) fn read(row: &EntryRow, partitions: u16) -> Result<(u16, Option<Vec<u8>>), StoreError> {
    let entry = body::decode_sealed(row.place, &row.body)?;
    if subject_key(&entry.subject) != row.subject || number(entry.seq)? != row.seq {
        return Err(StoreError::Corrupt(format!("entry {}: its columns and its body disagree", row.place)));
    }
    let key = match &entry.event {
        Event::Transaction(t) => Some(transaction_key(&t.key)),
        Event::Desk(_) | Event::Terminal(_) | Event::Upstream(_) => None,
    };
    Ok((partition(&entry.subject, partitions), key))
}

fn has_forwards(state: &[u8]) -> Result<bool, StoreError> {
    decode("card state", state).map(|state: CardState| !state.forwards().is_empty())
}
