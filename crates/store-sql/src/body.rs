//! How a journal entry is written down: CBOR, with the answer sealed and bound to the entry's own subject and number.
//!
//! Sealing happens in the task that appends, many at a time, so that the one writer only inserts.

use minicbor::Decoder;
use model::{CardId, TerminalId, Timestamp, TransactionKey};
use store::{Entry, StoreError, Subject};
use zeroize::Zeroizing;

use crate::seal::{Purpose, Sealer};

/// Room for a payment's entry, so that it is not moved while it grows.
const USUAL_LENGTH: usize = 768;

/// A subject as a column: `1 ‖ card id` or `2 ‖ terminal number`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SubjectKey {
    bytes: [u8; 17],
    len: usize,
}

impl SubjectKey {
    pub(crate) fn new(subject: &Subject) -> Self {
        let (kind, id): (u8, &[u8]) = match subject {
            Subject::Card(CardId(id)) => (1, id),
            Subject::Terminal(id) => (2, id.as_bytes()),
        };
        let mut bytes = [0; 17];
        bytes[0] = kind;
        bytes[1..=id.len()].copy_from_slice(id);
        Self { bytes, len: 1 + id.len() }
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// The same, for columns that outlive the subject.
pub(crate) fn subject_key(subject: &Subject) -> Vec<u8> {
    SubjectKey::new(subject).as_bytes().to_vec()
}

/// A transaction key as a column: terminal, batch, trace number, day; sorts by terminal, then in the order of use.
pub(crate) fn transaction_key(key: &TransactionKey) -> Vec<u8> {
    let mut column = Vec::with_capacity(TerminalId::LEN + 10);
    column.extend_from_slice(key.terminal.as_bytes());
    column.extend_from_slice(&key.batch.get().to_be_bytes());
    column.extend_from_slice(&key.day.to_be_bytes());
    column.extend_from_slice(&key.stan.get().to_be_bytes());
    column
}

/// Writes an entry; its answer is sealed in place, so the entry that is left holds no card number.
pub(crate) fn encode(sealer: &Sealer, entry: &mut Entry) -> Result<Vec<u8>, StoreError> {
    let owner = owner(entry);
    if let Some(exchange) = &mut entry.exchange {
        let clear = Zeroizing::new(std::mem::take(&mut exchange.reply));
        exchange.reply = sealer
            .seal(Purpose::Reply, &owner, &clear)
            .map_err(|_| StoreError::Away("no randomness to seal an answer".to_owned()))?;
    }
    let mut body = Vec::with_capacity(USUAL_LENGTH);
    minicbor::encode(&*entry, &mut body)
        .map_err(|error| StoreError::Away(format!("an entry cannot be written: {error}")))?;
    Ok(body)
}

/// Reads an entry whose answer stays sealed: for folding and for look-up tables.
pub(crate) fn decode_sealed(journal_seq: u64, body: &[u8]) -> Result<Entry, StoreError> {
    minicbor::decode(body)
        .map_err(|error| StoreError::Corrupt(format!("journal entry {journal_seq} cannot be read: {error}")))
}

/// What an entry begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) subject: Subject,
    pub(crate) seq: u32,
    pub(crate) at: Timestamp,
}

/// Reads what an entry begins with, and no more of it: an entry is an array, and these are its first elements.
pub(crate) fn head(journal_seq: u64, body: &[u8]) -> Result<Head, StoreError> {
    let mut decoder = Decoder::new(body);
    let mut read = || {
        decoder.array()?;
        Ok(Head { subject: decoder.decode()?, seq: decoder.decode()?, at: decoder.decode()? })
    };
    read().map_err(|error: minicbor::decode::Error| {
        StoreError::Corrupt(format!("journal entry {journal_seq} cannot be read: {error}"))
    })
}

/// Reads an entry with its answer.
pub(crate) fn decode(sealer: &Sealer, journal_seq: u64, body: &[u8]) -> Result<Entry, StoreError> {
    let mut entry = decode_sealed(journal_seq, body)?;
    let owner = owner(&entry);
    if let Some(exchange) = &mut entry.exchange {
        exchange.reply = sealer.open(Purpose::Reply, &owner, &exchange.reply).map_err(|error| {
            StoreError::Corrupt(format!("the answer in journal entry {journal_seq}: {error}"))
        })?;
    }
    Ok(entry)
}

fn owner(entry: &Entry) -> Vec<u8> {
    let mut owner = subject_key(&entry.subject);
    owner.extend_from_slice(&entry.seq.to_be_bytes());
    owner
}
