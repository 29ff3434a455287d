//! A registration as engines write it: records in CBOR, what may hold a card number sealed.

use std::sync::Arc;

use authorization::{CardRecord, terminal::TerminalRecord};
use minicbor::{Decode, Encode};
use model::{CardId, Pan, PinReference, SealedReference};
use store::{Registration, StoreError};

use crate::seal::{Purpose, Sealer};

/// A registration, encoded and sealed, ready to be written.
pub(crate) enum Row {
    Card(Box<CardRow>),
    Terminal { record: Arc<TerminalRecord> },
}

/// A card's row before its first entry.
pub(crate) struct CardRow {
    pub(crate) id: CardId,
    pub(crate) record: Arc<CardRecord>,
    pub(crate) reference: Option<Arc<PinReference>>,
    pub(crate) pan_masked: String,
    pub(crate) pan_sealed: Vec<u8>,
    pub(crate) reference_sealed: Option<Vec<u8>>,
}

impl Row {
    /// Encodes and seals a registration.
    pub(crate) fn new(sealer: &Sealer, registration: Registration) -> Result<Self, StoreError> {
        match registration {
            Registration::Card { pan, record, reference } => {
                CardRow::new(sealer, &pan, record, reference).map(Box::new).map(Self::Card)
            }
            Registration::Terminal(record) => Ok(Self::Terminal { record: Arc::new(record) }),
        }
    }

    /// Neighbours in the file are registered together.
    pub(crate) fn sort_key(&self) -> (u8, &[u8]) {
        match self {
            Self::Card(card) => (0, &card.id.0),
            Self::Terminal { record } => (1, record.id.as_bytes()),
        }
    }
}

impl CardRow {
    fn new(
        sealer: &Sealer,
        pan: &Pan,
        record: CardRecord,
        reference: Option<PinReference>,
    ) -> Result<Self, StoreError> {
        let id = sealer.card_id(pan);
        let seal = |purpose, clear: &[u8]| {
            sealer
                .seal(purpose, &id.0, clear)
                .map_err(|_| StoreError::Away("no randomness to seal a card".to_owned()))
        };
        let reference_sealed = match &reference {
            Some(reference) => Some(seal(Purpose::Reference, &encode(reference)?)?),
            None => None,
        };
        Ok(Self {
            id,
            pan_masked: pan.masked().as_str().to_owned(),
            pan_sealed: seal(Purpose::Pan, pan.reveal().as_bytes())?,
            reference_sealed,
            record: Arc::new(record),
            reference: reference.map(Arc::new),
        })
    }
}

/// Seals a reference for a card's journal, as its row in the register has one.
pub(crate) fn seal_reference(
    sealer: &Sealer,
    id: &CardId,
    reference: &PinReference,
) -> Result<SealedReference, StoreError> {
    let sealed = sealer.seal(Purpose::Reference, &id.0, &encode(reference)?);
    sealed
        .map(SealedReference::new)
        .map_err(|_| StoreError::Away("no randomness to seal a PIN reference".to_owned()))
}

pub(crate) fn open_reference(
    sealer: &Sealer,
    id: &CardId,
    sealed: &[u8],
) -> Result<PinReference, StoreError> {
    let clear = sealer
        .open(Purpose::Reference, &id.0, sealed)
        .map_err(|error| StoreError::Corrupt(format!("PIN reference of card {id}: {error}")))?;
    decode("PIN reference", &clear)
}

pub(crate) fn open_pan(sealer: &Sealer, id: &CardId, sealed: &[u8]) -> Result<Pan, StoreError> {
    let corrupt = |what: String| StoreError::Corrupt(format!("number of card {id}: {what}"));
    let clear = zeroize::Zeroizing::new(
        sealer.open(Purpose::Pan, &id.0, sealed).map_err(|error| corrupt(error.to_string()))?,
    );
    Pan::new(&clear).map_err(|error| corrupt(error.to_string()))
}

pub(crate) fn encode<T: Encode<()>>(value: &T) -> Result<Vec<u8>, StoreError> {
    minicbor::to_vec(value)
        .map_err(|error| StoreError::Away(format!("a register row cannot be written: {error}")))
}

pub(crate) fn decode<T: for<'b> Decode<'b, ()>>(what: &str, bytes: &[u8]) -> Result<T, StoreError> {
    minicbor::decode(bytes).map_err(|error| StoreError::Corrupt(format!("{what} cannot be read: {error}")))
}
