//! What the rules are told about one payment: the same facts whether it is being decided or stands in the journal, so that
//! windows that are rebuilt after a start are what they were. Everything is copied into fixed places; only names are shared.

use std::sync::Arc;

use authorization::{CardRecord, PinVerdict};
use diagnosis::observation::{Entry as Read, Payment, PinSeen, Position};
use jiff::tz::TimeZone;
use model::{Amount, CardId, Currency, Kind, MerchantId, ReasonCode, TerminalId, Timestamp};
use risk::{EntryMode, PinResult, RiskEvent};

use super::trail::Remembered;

/// Region of a UnionPay merchant number: its characters 4 to 7, where they are digits.
pub(crate) type Area = Option<[u8; 4]>;

/// One payment.
#[derive(Debug, Clone, PartialEq)]
pub struct Facts {
    pub(crate) at: Timestamp,
    pub(crate) card: CardId,
    /// The first six digits.
    pub(crate) bin: [u8; 6],
    pub(crate) terminal: TerminalId,
    /// DE 42, or the registered merchant.
    pub(crate) merchant: MerchantId,
    /// DE 18, as four digits.
    pub(crate) mcc: Option<[u8; 4]>,
    /// The registered category, as four digits.
    pub(crate) merchant_mcc: Option<[u8; 4]>,
    /// The card, where its product is asked for.
    pub(crate) record: Option<Arc<CardRecord>>,
    /// The route to the card's issuer; none for our own cards.
    pub(crate) zone: Option<Arc<str>>,
    pub(crate) kind: Kind,
    pub(crate) amount: Amount,
    pub(crate) currency: Currency,
    pub(crate) entry: Option<EntryMode>,
    pub(crate) pin: PinResult,
    pub(crate) locked: bool,
    pub(crate) tries_left: u8,
    pub(crate) hour: u8,
    pub(crate) weekday: u8,
    /// Where the terminal says it is with this message, or is registered to stand.
    pub(crate) place: Option<Position>,
    pub(crate) before: Remembered,
    pub(crate) reason: ReasonCode,
    pub(crate) approved: bool,
}

impl Facts {
    /// A payment of the journal; what was before it is filled in from the trail.
    pub(crate) fn of_payment(
        at: Timestamp,
        payment: &Payment,
        (terminal, registered): (TerminalId, MerchantId),
        place: Option<Position>,
        zone: &TimeZone,
    ) -> Self {
        let (hour, weekday) = clock(at, zone);
        Self {
            at,
            card: payment.card,
            bin: digits(payment.bin),
            terminal,
            merchant: payment.merchant_sent.unwrap_or(registered),
            mcc: payment.category_sent.map(|category| digits(u32::from(category))),
            merchant_mcc: payment.category_registered.map(|category| digits(u32::from(category))),
            record: None,
            zone: None,
            kind: payment.kind,
            amount: payment.amount,
            currency: payment.currency,
            entry: entry_mode(payment.entry),
            pin: past_pin(payment.pin, payment.reason),
            locked: payment.locked,
            tries_left: payment.tries.0,
            hour,
            weekday,
            place,
            before: Remembered::default(),
            reason: payment.reason,
            approved: payment.reason == ReasonCode::Approved,
        }
    }

    /// The same after the decision. The issuer of a card that is not ours tells by its answer what it found about the PIN.
    pub(crate) fn decide(&mut self, reason: ReasonCode, had_pin_at_issuer: bool) {
        if had_pin_at_issuer {
            self.pin = at_issuer(reason);
        }
        (self.reason, self.approved) = (reason, reason == ReasonCode::Approved);
    }

    pub(crate) fn area(&self) -> Area {
        let digits: [u8; 4] = self.merchant.as_bytes().get(3..7)?.try_into().ok()?;
        digits.iter().all(u8::is_ascii_digit).then_some(digits)
    }

    /// As the rules see it.
    #[must_use]
    pub fn event(&self) -> RiskEvent<'_> {
        let area =
            self.merchant.as_str().get(3..7).filter(|digits| digits.bytes().all(|b| b.is_ascii_digit()));
        RiskEvent {
            mcc: text(self.mcc.as_ref()),
            merchant_mcc: text(self.merchant_mcc.as_ref()),
            area,
            zone: self.zone.as_deref(),
            product: self.record.as_ref().map(|record| record.product.as_str()),
            amount: self.kind.needs_amount().then_some(self.amount.0),
            currency: Some(self.currency.0),
            kind: self.kind,
            entry: self.entry,
            pin: self.pin,
            locked: self.locked,
            tries_left: Some(self.tries_left),
            hour: self.hour,
            weekday: self.weekday,
            since_ok_ms: self.before.since_ok_ms,
            since_last_ms: self.before.since_last_ms,
            since_change_ms: self.before.since_change_ms,
            last_area: text(self.before.last_area.as_ref()),
            last_terminal: self.before.last_terminal.as_ref().map(TerminalId::as_str),
            speed_kmh: self.before.speed_kmh,
            reason: self.reason,
            approved: self.approved,
            ..RiskEvent::new(
                self.at,
                self.card,
                std::str::from_utf8(&self.bin).unwrap_or_default(),
                self.terminal.as_str(),
                self.merchant.as_str(),
            )
        }
    }
}

/// Hour and weekday (1 is Monday) where the bank is.
pub(crate) fn clock(at: Timestamp, zone: &TimeZone) -> (u8, u8) {
    let now = jiff::Timestamp::from_millisecond(at.0).unwrap_or_default();
    let here = zone.to_datetime(now);
    let weekday = here.weekday().to_monday_one_offset();
    (u8::try_from(here.hour()).unwrap_or(0), u8::try_from(weekday).unwrap_or(1))
}

/// What became of the PIN, as rules call it.
pub(crate) fn pin(verdict: PinVerdict) -> PinResult {
    match verdict {
        PinVerdict::Verified => PinResult::Verified,
        PinVerdict::Mismatch => PinResult::Mismatch,
        PinVerdict::Unverifiable(cause) => PinResult::Unverifiable(cause),
        PinVerdict::NotAsked | PinVerdict::Discarded | PinVerdict::SentToIssuer => PinResult::NotPresent,
    }
}

fn past_pin(seen: PinSeen, reason: ReasonCode) -> PinResult {
    match seen {
        PinSeen::Verified => PinResult::Verified,
        PinSeen::Mismatch => PinResult::Mismatch,
        PinSeen::Unverifiable(why) => PinResult::Unverifiable(why),
        PinSeen::NotAsked => PinResult::NotPresent,
        PinSeen::AtIssuer => at_issuer(reason),
    }
}

fn at_issuer(reason: ReasonCode) -> PinResult {
    match reason {
        ReasonCode::Approved => PinResult::Verified,
        ReasonCode::IssuerWrongPin => PinResult::Mismatch,
        _ => PinResult::NotPresent,
    }
}

/// How the card was read, as rules call it.
pub(crate) fn entry_mode(read: Read) -> Option<EntryMode> {
    match read {
        Read::Unknown => None,
        Read::Manual => Some(EntryMode::Manual),
        Read::Stripe => Some(EntryMode::Magstripe),
        Read::Fallback => Some(EntryMode::Fallback),
        Read::Chip => Some(EntryMode::Chip),
        Read::Contactless => Some(EntryMode::Contactless),
    }
}

/// The first six digits of a number, masked or not.
pub(crate) fn first_six(pan: &str) -> [u8; 6] {
    pan.as_bytes().first_chunk().copied().unwrap_or(*b"000000")
}

fn text(digits: Option<&[u8; 4]>) -> Option<&str> {
    digits.and_then(|digits| std::str::from_utf8(digits).ok())
}

/// The last digits of a number, with zeros in front.
pub(crate) fn digits<const N: usize>(number: u32) -> [u8; N] {
    let mut rest = number;
    let mut digits = [b'0'; N];
    for digit in digits.iter_mut().rev() {
        *digit += (rest % 10) as u8; // below ten
        rest /= 10;
    }
    digits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_become_digits() {
        assert_eq!((&digits::<6>(900_000), &digits::<4>(742)), (b"900000", b"0742"));
    }
}
