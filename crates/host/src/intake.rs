//! From data elements to words: the only place that knows which element means what.

use authorization::{
    request::{OriginalRef, Request, ReversalRequest},
    settlement::Totals,
};
use hsm::EncryptedPinBlock;
use iso8583::{Message, Tag};
use model::{
    Amount, ApprovalCode, BatchNumber, Currency, Expiry, Kind, Ksn, MerchantId, Pan, Rrn, Secret, Stan,
    TerminalId, TransactionKey,
};
use store::Engine;

use crate::{
    profile::{Classifiers, Profile, Task},
    second, telemetry,
};

/// Who sent it. Without this nobody can be answered.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Identity {
    /// DE 41.
    pub(crate) terminal: TerminalId,
    /// DE 42.
    pub(crate) merchant: Option<MerchantId>,
    /// DE 11.
    pub(crate) stan: Option<Stan>,
}

/// A data element that the task needs and that is missing or makes no sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("DE {0} is missing or makes no sense")]
pub(crate) struct Unusable(pub(crate) u8);

/// A payment as it was asked for, with what only the security module and the keyed hash may see.
pub(crate) struct Payment {
    pub(crate) request: Request,
    pub(crate) pan: Pan,
    pub(crate) pin_block: Option<EncryptedPinBlock>,
    /// The code of a second proof, as it was typed.
    pub(crate) code: Option<Secret<String>>,
    /// The block of the new PIN, in a PIN change.
    pub(crate) new_pin_block: Option<EncryptedPinBlock>,
}

/// Reads who sent it, from a whole message or from what could be read of one.
pub(crate) fn identity(message: &Message<'_>) -> Option<Identity> {
    Some(Identity {
        terminal: TerminalId::new(message.short(41)?.as_bytes()).ok()?,
        merchant: merchant(message),
        stan: stan(message),
    })
}

/// What is asked for.
pub(crate) fn task(profile: &Profile, message: &Message<'_>) -> Option<Task> {
    let processing = message.short(3);
    let condition = message.short(25);
    let network = message.sub(60, "3").or_else(|| message.short(70)).or_else(|| message.short(24));
    profile.classify(&Classifiers {
        mti: message.mti(),
        processing: processing.as_deref(),
        condition: condition.as_deref(),
        network: network.as_deref(),
    })
}

/// The identity of the transaction.
pub(crate) fn key(
    profile: &Profile,
    message: &Message<'_>,
    identity: &Identity,
) -> Result<TransactionKey, Unusable> {
    let (batch, day) = if profile.batches {
        (batch(message).ok_or(Unusable(60))?, 0)
    } else {
        (BatchNumber::NONE, day(message).unwrap_or(0))
    };
    Ok(TransactionKey { terminal: identity.terminal, batch, stan: identity.stan.ok_or(Unusable(11))?, day })
}

/// DE 60.2.
pub(crate) fn batch(message: &Message<'_>) -> Option<BatchNumber> {
    let digits = message.sub(60, "2").filter(|text| text.len() == 6)?;
    BatchNumber::new(digits.parse().ok()?).ok()
}

/// The card number: keyed in (DE 2), from track 2 (DE 35), or from the chip (DE 55, tags 5A and 57).
pub(crate) fn pan(message: &Message<'_>) -> Option<Pan> {
    pan_beside(message, track_2(message).as_ref())
}

fn pan_beside(message: &Message<'_>, track: Option<&Track2>) -> Option<Pan> {
    let keyed = message.short(2).and_then(|text| Pan::new(text.as_bytes()).ok());
    keyed.or_else(|| track.map(|track| track.pan.clone())).or_else(|| {
        let digits = |tag: u32| Tag::new(tag).and_then(|t| message.tag(55, t)).map(packed_digits);
        let application = digits(0x5A).or_else(|| digits(0x57))?;
        Pan::new(application.as_bytes()).ok()
    })
}

/// Reads a payment of one kind.
pub(crate) fn payment(
    engine: &dyn Engine,
    profile: &Profile,
    message: &Message<'_>,
    identity: &Identity,
    kind: Kind,
) -> Result<Payment, Unusable> {
    let key = key(profile, message, identity)?;
    let track = track_2(message);
    let pan = pan_beside(message, track.as_ref()).ok_or(Unusable(2))?;
    let amount = match message.digits(4) {
        Some(minor) => Amount(i64::try_from(minor).map_err(|_| Unusable(4))?),
        None if kind.needs_amount() => return Err(Unusable(4)),
        None => Amount::ZERO,
    };
    let pin_block = match message.raw(52) {
        Some(block) => Some(EncryptedPinBlock::new(block).ok_or(Unusable(52))?),
        None => None,
    };
    let new_pin_block = match kind {
        Kind::PinChange => Some(new_pin_block(profile, message)?),
        _ => None,
    };
    let request = Request {
        kind,
        key,
        digest: digest(engine, profile, message),
        amount,
        currency: currency(message).ok_or(Unusable(49))?,
        merchant: identity.merchant.ok_or(Unusable(42))?,
        expiry: expiry(message, track.as_ref()),
        has_pin: pin_block.is_some(),
        original: original(profile, message, kind),
        overtaken: false,
        sandbox: None,
    };
    Ok(Payment { request, pan, pin_block, code: second::typed(profile, message), new_pin_block })
}

/// The new PIN's block, under the same key and in the same format as the old one's in DE 52; without that one there is nothing
/// to change from.
fn new_pin_block(profile: &Profile, message: &Message<'_>) -> Result<EncryptedPinBlock, Unusable> {
    let place = profile.new_pin.ok_or(Unusable(3))?;
    let unusable = Unusable(place.field);
    let old = message.raw(52).ok_or(Unusable(52))?;
    let raw = message.raw(place.field).ok_or(unusable)?;
    let block = if place.hex {
        let text = message.text(place.field).ok_or(unusable)?.to_string();
        hex_block(text.trim()).ok_or(unusable)?
    } else {
        raw.to_vec()
    };
    if block.len() != old.len() {
        return Err(unusable);
    }
    EncryptedPinBlock::new(&block).ok_or(unusable)
}

fn hex_block(text: &str) -> Option<Vec<u8>> {
    let pairs = text.as_bytes().chunks(2);
    pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

/// Reads a reversal. UnionPay terminals repeat the original's trace and batch; ISO messages point with DE 90 (1987) or
/// DE 56 (1993).
pub(crate) fn reversal(
    engine: &dyn Engine,
    profile: &Profile,
    message: &Message<'_>,
    identity: &Identity,
) -> Result<ReversalRequest, Unusable> {
    let key = key(profile, message, identity)?;
    let original = match pointed_at(message) {
        Some((stan, day)) if !profile.batches => TransactionKey { stan, day: day.unwrap_or(key.day), ..key },
        _ => key,
    };
    let amount = message.digits(4).and_then(|minor| i64::try_from(minor).ok()).map_or(Amount::ZERO, Amount);
    Ok(ReversalRequest { key, digest: digest(engine, profile, message), original, amount })
}

/// Reads the terminal's totals from DE 48 of a UnionPay settlement: debit sum (12) and count (3), credit sum (12) and
/// count (3), result (1); the same again for foreign cards follows. The layout is general knowledge, not from an
/// official text.
pub(crate) fn totals(message: &Message<'_>) -> Result<Totals, Unusable> {
    let text: String = message.text(48).ok_or(Unusable(48))?.characters().map(char::from).collect();
    let number =
        |from: usize, to: usize| text.get(from..to).and_then(|d| d.parse::<i64>().ok()).ok_or(Unusable(48));
    let count = |from, to| number(from, to).and_then(|n| u32::try_from(n).map_err(|_| Unusable(48)));
    Ok(Totals {
        debit_sum: Amount(number(0, 12)?),
        debit_count: count(12, 15)?,
        credit_sum: Amount(number(15, 27)?),
        credit_count: count(27, 30)?,
    })
}

/// The key serial number of a DUKPT terminal: 10 or 12 bytes, or twice as many hexadecimal digits.
pub(crate) fn ksn(profile: &Profile, message: &Message<'_>) -> Result<Option<Ksn>, Unusable> {
    let Some(field) = profile.ksn_field else { return Ok(None) };
    let Some(raw) = message.raw(field) else { return Ok(None) };
    let read = match raw.len() {
        Ksn::TDES_LEN | Ksn::AES_LEN => Ksn::new(raw).ok(),
        _ => message.text(field).and_then(|text| text.to_string().trim().parse().ok()),
    };
    read.map(Some).ok_or(Unusable(field))
}

/// The message's amount, for the line that people see.
pub(crate) fn amount(message: &Message<'_>) -> Option<Amount> {
    message.digits(4).and_then(|minor| i64::try_from(minor).ok()).map(Amount)
}

fn stan(message: &Message<'_>) -> Option<Stan> {
    message.digits(11).and_then(|n| u32::try_from(n).ok()).and_then(|n| Stan::new(n).ok())
}

fn merchant(message: &Message<'_>) -> Option<MerchantId> {
    MerchantId::new(message.short(42)?.as_bytes()).ok()
}

/// MMDD of DE 13, else of DE 7, else the month and day inside DE 12 of 1993.
fn day(message: &Message<'_>) -> Option<u16> {
    let of = |n: u8, from: usize| {
        message.short(n).and_then(|t| t.get(from..from + 4).and_then(|d| d.parse().ok()))
    };
    of(13, 0)
        .or_else(|| of(7, 0))
        .or_else(|| message.short(12).filter(|t| t.len() == 12).and_then(|_| of(12, 2)))
}

fn currency(message: &Message<'_>) -> Option<Currency> {
    match message.short(49) {
        Some(text) => text.parse().ok().map(Currency),
        None => Some(Currency::CNY),
    }
}

/// DE 14, else what follows the separator of track 2.
fn expiry(message: &Message<'_>, track: Option<&Track2>) -> Option<Expiry> {
    let keyed =
        message.digits(14).and_then(|n| u16::try_from(n).ok()).and_then(|n| Expiry::from_yymm(n).ok());
    keyed.or_else(|| track.and_then(|track| track.expiry))
}

struct Track2 {
    pan: Pan,
    expiry: Option<Expiry>,
}

/// Track 2 (ISO 7813): PAN, separator, YYMM, service code and more. Not readable when it is encrypted (DE 53).
fn track_2(message: &Message<'_>) -> Option<Track2> {
    let text = message.short(35)?;
    let (pan, rest) = text.split_once(['D', '='])?;
    let expiry = rest.get(..4).and_then(|yymm| yymm.parse().ok());
    Some(Track2 { pan: Pan::new(pan.as_bytes()).ok()?, expiry })
}

/// DE 61 (UnionPay: batch 6, trace 6, date 4), DE 90 or DE 56; with DE 37 and 38 where they are sent.
fn original(profile: &Profile, message: &Message<'_>, kind: Kind) -> Option<OriginalRef> {
    if !(kind.needs_original() || kind == Kind::Refund) {
        return None;
    }
    let trace = if profile.batches {
        message.short(61).and_then(|text| {
            let batch = BatchNumber::new(text.get(..6)?.parse().ok()?).ok()?;
            let stan = Stan::new(text.get(6..12)?.parse().ok()?).ok()?;
            Some((batch, stan))
        })
    } else {
        pointed_at(message).map(|(stan, _)| (BatchNumber::NONE, stan))
    };
    let rrn = message.short(37).and_then(|text| Rrn::new(text.as_bytes()).ok());
    let approval = message.short(38).and_then(|text| ApprovalCode::new(text.as_bytes()).ok());
    Some(OriginalRef { trace, rrn, approval })
}

/// DE 90: message type 4, trace 6, DE 7 of the original 10, acquirer 11, forwarder 11. DE 56 (1993): message type 4, trace
/// 6, DE 12 of the original 12, acquirer.
fn pointed_at(message: &Message<'_>) -> Option<(Stan, Option<u16>)> {
    let (text, day_at) = match (message.short(90), message.short(56)) {
        (Some(text), _) if text.len() == 42 => (text, 10),
        (_, Some(text)) => (text, 12),
        _ => return None,
    };
    let stan = Stan::new(text.get(4..10)?.parse().ok()?).ok()?;
    let day = text.get(day_at..day_at + 4).and_then(|d| d.parse().ok()).filter(|day| *day != 0);
    Some((stan, day))
}

/// A keyed digest of everything that stays the same when a terminal repeats itself: not the times of transmission,
/// not the MAC.
fn digest(engine: &dyn Engine, profile: &Profile, message: &Message<'_>) -> u64 {
    const VOLATILE: [u8; 5] = [7, 12, 13, 64, 128];
    let contents = message.fields().filter(|n| !VOLATILE.contains(n)).filter_map(|n| {
        let value = message.raw(n)?;
        // A terminal that sends again has something new to report: that it got no answer.
        let report = profile.telemetry_field == Some(n) && telemetry::is_report(value);
        (!report).then_some(value)
    });
    engine.digest(&contents.collect::<Vec<&[u8]>>())
}

fn packed_digits(value: &[u8]) -> String {
    let nibbles = value.iter().flat_map(|byte| [byte >> 4, byte & 0xf]);
    nibbles.take_while(|nibble| *nibble < 10).map(|nibble| char::from(b'0' + nibble)).collect()
}
