//! A card as bytes, for the memory of many: its record, its reference and its state one after the other in CBOR, its
//! masked number without the stars. These bytes never leave the process; what is on disk is in [`registers`](super::registers).

use std::sync::Arc;

use authorization::CardRecord;
use minicbor::{Decoder, Encoder, decode, encode::Error};
use model::{CardId, MaskedPan};
use store::Card;

use super::shelf::Pack;

/// Digits at the start and at the end of a masked number, written two to a byte.
const SHOWN: (usize, usize) = (6, 4);

impl Pack<CardId> for Card {
    const PACKS: bool = true;

    fn pack(&self) -> Box<[u8]> {
        let mut bytes = Vec::with_capacity(192);
        match write(&mut bytes, self) {
            Ok(()) => bytes.into_boxed_slice(),
            Err(error) => unreachable!("memory takes all that is written: {error}"),
        }
    }

    fn unpack(id: &CardId, bytes: &[u8]) -> Self {
        match read(*id, bytes) {
            Ok(card) => card,
            // To go on with another card's state, or none, could give tries back.
            Err(error) => panic!("the bytes of a card in memory are not what was packed: {error}"),
        }
    }
}

fn write(bytes: &mut Vec<u8>, card: &Card) -> Result<(), Error<std::convert::Infallible>> {
    let record = &*card.record;
    let pan = record.pan.as_str();
    bytes.push(pan.len() as u8);
    let shown = pan.bytes().take(SHOWN.0).chain(pan.bytes().skip(pan.len() - SHOWN.1));
    let digits: Vec<u8> = shown.map(|digit| digit - b'0').collect();
    bytes.extend(digits.chunks(2).map(|two| two[0] << 4 | two[1]));
    Encoder::new(bytes)
        .encode(record.expiry)?
        .encode(&record.product)?
        .encode(record.currency)?
        .encode(record.opening_balance)?
        .encode(card.reference.as_deref())?
        .encode(&card.state)?;
    Ok(())
}

fn read(id: CardId, bytes: &[u8]) -> Result<Card, decode::Error> {
    let short = || decode::Error::end_of_input();
    let (len, rest) = bytes.split_first().ok_or_else(short)?;
    let (shown, rest) = rest.split_at_checked((SHOWN.0 + SHOWN.1) / 2).ok_or_else(short)?;
    let digits: String =
        shown.iter().flat_map(|two| [two >> 4, two & 15]).map(|digit| char::from(b'0' + digit)).collect();
    let stars = "*".repeat(usize::from(*len).saturating_sub(SHOWN.0 + SHOWN.1));
    let pan = format!("{}{stars}{}", &digits[..SHOWN.0], &digits[SHOWN.0..]);
    let pan = MaskedPan::new(&pan).map_err(|_| decode::Error::message("masked card number"))?;
    let mut rest = Decoder::new(rest);
    let record = CardRecord {
        pan,
        expiry: rest.decode()?,
        product: rest.decode()?,
        currency: rest.decode()?,
        opening_balance: rest.decode()?,
    };
    let reference = rest.decode::<Option<model::PinReference>>()?.map(Arc::new);
    Ok(Card { id, record: Arc::new(record), reference, state: rest.decode()? })
}

#[cfg(test)]
mod tests {
    use authorization::{CardState, Effect, Role, Status, Trace};
    use model::{Amount, BatchNumber, Currency, Expiry, Kind, PinReference, Stan, Timestamp, TransactionKey};

    use super::*;

    fn card(traces: u32) -> Card {
        let record = CardRecord {
            pan: MaskedPan::new("621626*********0018").unwrap(),
            expiry: Expiry::from_yymm(3012).unwrap(),
            product: "debit-standard".into(),
            currency: Currency::CNY,
            opening_balance: Amount(1_000_000),
        };
        let mut state = CardState::new(&record);
        for n in 1..=traces {
            let key = TransactionKey {
                terminal: "10000001".parse().unwrap(),
                batch: BatchNumber::new(1).unwrap(),
                stan: Stan::new(40_000 + n).unwrap(),
                day: 0,
            };
            let at = Timestamp(1_795_000_000_000);
            let trace = Trace {
                key,
                role: Role::Financial(Kind::Sale),
                digest: u64::MAX - 5,
                status: Status::Approved,
                amount: Amount(12_345),
                at,
                rrn: "632268800012".parse().unwrap(),
                approval: Some("A1B2C3".parse().unwrap()),
                original: None,
                journal_seq: 0,
            };
            let effects = [Effect::Post { delta: Amount(-12_345) }, Effect::Remember { trace }];
            state.apply(n, 700_000 + u64::from(n), at, &effects);
        }
        let reference = PinReference::Pvv { key: "pvk".into(), pvki: 1, pvv: *b"1234" };
        Card { id: CardId([7; 16]), record: Arc::new(record), reference: Some(Arc::new(reference)), state }
    }

    #[test]
    fn a_card_comes_back_as_it_was() {
        for traces in [0, 1, 32] {
            let card = card(traces);
            assert_eq!(Card::unpack(&card.id, &card.pack()), card);
            let bare = Card { reference: None, ..card };
            assert_eq!(Card::unpack(&bare.id, &bare.pack()), bare);
        }
    }

    #[test]
    fn a_card_with_one_transaction_is_small() {
        // Its slot (40 bytes), its place in the index and the allocator's own come on top: the figure is in
        // docs/operating/scale.md.
        let (bare, used) = (card(0).pack().len(), card(1).pack().len());
        assert!(used <= 136, "{bare} bytes without and {used} with a transaction");
    }

    #[test]
    #[should_panic(expected = "not what was packed")]
    fn bytes_that_are_not_a_card_are_no_card() {
        let card = card(1);
        let bytes = card.pack();
        Card::unpack(&card.id, &bytes[..bytes.len() - 1]);
    }
}
