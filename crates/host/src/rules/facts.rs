//! What the rules are told about one payment: filled from the message and the card while it is decided, or from the journal
//! when counters are rebuilt. Everything is copied into fixed places, so that it costs no allocation but the product's name.

use authorization::{CardState, PinVerdict, Role, Status};
use diagnosis::observation::Entry as Read;
use jiff::tz::TimeZone;
use model::{Amount, CardId, Currency, Kind, MerchantId, ReasonCode, Timestamp, TransactionKey};
use risk::{EntryMode, PinResult, RiskEvent};
use store::{Entry, Event, Subject, journal::Transaction};

/// One payment.
#[derive(Debug, Clone)]
pub(crate) struct Facts {
    pub(crate) at: Timestamp,
    pub(crate) card: CardId,
    /// The first six digits.
    pub(crate) bin: [u8; 6],
    pub(crate) key: TransactionKey,
    pub(crate) merchant: MerchantId,
    /// DE 18, as four digits.
    pub(crate) mcc: Option<[u8; 4]>,
    pub(crate) product: Option<std::sync::Arc<authorization::CardRecord>>,
    pub(crate) kind: Kind,
    pub(crate) amount: Amount,
    pub(crate) currency: Currency,
    pub(crate) entry: Option<EntryMode>,
    pub(crate) pin: PinResult,
    pub(crate) locked: bool,
    pub(crate) tries_left: Option<u8>,
    pub(crate) hour: u8,
    pub(crate) weekday: u8,
    pub(crate) since_ok_ms: Option<i64>,
    pub(crate) since_last_ms: Option<i64>,
    pub(crate) last_terminal: Option<TransactionKey>,
    pub(crate) reason: ReasonCode,
    pub(crate) approved: bool,
}

impl Facts {
    /// A payment of the journal, with what counters look at.
    pub(super) fn of_entry(entry: &Entry) -> Option<Self> {
        let (Subject::Card(card), Event::Transaction(t)) = (entry.subject, &entry.event) else { return None };
        let Role::Financial(kind) = t.role else { return None };
        Some(Self::of(entry.at, card, kind, t))
    }

    fn of(at: Timestamp, card: CardId, kind: Kind, t: &Transaction) -> Self {
        Self {
            at,
            card,
            bin: first_six(t.pan.as_str()),
            key: t.key,
            merchant: t.merchant,
            mcc: None,
            product: None,
            kind,
            amount: t.amount,
            currency: t.currency,
            entry: None,
            pin: pin(t.pin),
            locked: t.locked.is_some(),
            tries_left: Some(t.tries_left),
            hour: 0,
            weekday: 1,
            since_ok_ms: None,
            since_last_ms: None,
            last_terminal: None,
            reason: t.reason,
            approved: t.approval.is_some(),
        }
    }

    /// What the card's own memory tells about the time before.
    pub(crate) fn remember(&mut self, state: &CardState) {
        let payments = || state.traces.iter().rev().filter(|trace| matches!(trace.role, Role::Financial(_)));
        let since = |trace: Option<&authorization::Trace>| trace.map(|trace| self.at.since_ms(trace.at));
        self.since_ok_ms = since(payments().find(|trace| trace.status == Status::Approved));
        self.since_last_ms = since(payments().next());
        self.last_terminal = payments().next().map(|trace| trace.key);
    }

    /// Hour and weekday where the bank is.
    pub(crate) fn clock(&mut self, zone: &TimeZone) {
        let Ok(now) = jiff::Timestamp::from_millisecond(self.at.0) else { return };
        let here = zone.to_datetime(now);
        self.hour = u8::try_from(here.hour()).unwrap_or(0);
        self.weekday = u8::try_from(here.weekday().to_monday_one_offset()).unwrap_or(1);
    }

    /// As the rules see it.
    pub(crate) fn event(&self) -> RiskEvent<'_> {
        let amount = self.kind.needs_amount().then_some(self.amount.0);
        RiskEvent {
            mcc: self.mcc.as_ref().map(|digits| text(digits)),
            merchant_mcc: self.merchant.category(),
            area: self.merchant.as_str().get(3..7),
            product: self.product.as_ref().map(|record| record.product.as_str()),
            amount,
            currency: Some(self.currency.0),
            kind: self.kind,
            entry: self.entry,
            pin: self.pin,
            locked: self.locked,
            tries_left: self.tries_left,
            hour: self.hour,
            weekday: self.weekday,
            since_ok_ms: self.since_ok_ms,
            since_last_ms: self.since_last_ms,
            last_terminal: self.last_terminal.as_ref().map(|key| key.terminal.as_str()),
            reason: self.reason,
            approved: self.approved,
            ..RiskEvent::new(
                self.at,
                self.card,
                text(&self.bin),
                self.key.terminal.as_str(),
                self.merchant.as_str(),
            )
        }
    }
}

fn text(digits: &[u8]) -> &str {
    std::str::from_utf8(digits).unwrap_or_default()
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
