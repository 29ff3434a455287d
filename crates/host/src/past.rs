//! The journal as risk rules see it: each payment again as an event, with what was known about its card before it. For windows
//! that are rebuilt after a start, and for backtests.
//!
//! ```text
//! Entry ─► Observer ─► what was paid, where, with which PIN ─┐
//!                      trail of the card: when, where, changed ─┴─► PastPayment ─► RiskEvent
//! ```
//!
//! What only the authorization knew and the entry does not say is not made up: it is missing, and a rule that needs it is an
//! error there. An entry says the decision as it was; whether rules had a part in it is in its reason.

use std::collections::HashMap;

use diagnosis::{
    What,
    observation::{Entry as Read, Payment, PinSeen, Position},
};
use jiff::tz::TimeZone;
use model::{CardId, ReasonCode, Rrn, TerminalId, Timestamp};
use risk::{EntryMode, PinResult, RiskEvent};
use store::Entry;

use crate::{config::ListenerConfig, observe::Observer};

/// Cards whose trail is remembered; when there are more, those that rested longest are forgotten.
pub const TRAILS_MAX: usize = 2_000_000;

/// Makes events of entries, oldest first.
pub struct Past {
    observer: Observer,
    zone: TimeZone,
    trails: HashMap<CardId, Trail>,
}

/// What is remembered about a card.
#[derive(Debug, Clone, Copy)]
struct Trail {
    last: Option<(Timestamp, TerminalId, Area)>,
    ok: Option<Timestamp>,
    changed: Option<Timestamp>,
    place: Option<(Timestamp, Position)>,
}

/// A payment of the past; lends itself as an event.
#[derive(Debug, Clone)]
pub struct PastPayment {
    payment: Payment,
    at: Timestamp,
    terminal: TerminalId,
    merchant: model::MerchantId,
    bin: [u8; 6],
    mcc: Option<[u8; 4]>,
    merchant_mcc: Option<[u8; 4]>,
    area: Area,
    last_area: Area,
    last_terminal: Option<TerminalId>,
    zone: Option<Box<str>>,
    since_ok_ms: Option<i64>,
    since_last_ms: Option<i64>,
    since_change_ms: Option<i64>,
    speed_kmh: Option<i64>,
    hour: u8,
    weekday: u8,
}

/// Region of a UnionPay merchant number: its characters 4 to 7.
type Area = Option<[u8; 4]>;

impl Past {
    /// For a host with these listeners, whose local time is that of `zone`.
    #[must_use]
    pub fn new(listeners: &[ListenerConfig], zone: TimeZone) -> Self {
        Self { observer: Observer::new(listeners, zone.clone()), zone, trails: HashMap::new() }
    }

    /// What reads the entries: it asks for terminals that it does not know ([`Observer::learn`]).
    pub fn observer(&mut self) -> &mut Observer {
        &mut self.observer
    }

    /// The payment that an entry at a place of the journal is; `None` for everything else, which may still be part of a
    /// card's trail.
    pub fn payment(&mut self, place: u64, entry: &Entry) -> Option<PastPayment> {
        let observation = self.observer.observe(place, entry)?;
        match observation.what {
            What::Payment(payment) => {
                let device = observation.device;
                let here = device.position.or(device.registered);
                Some(self.paid(entry.at, &payment, (device.terminal, device.merchant), here))
            }
            What::Desk { card, .. } => {
                self.trail(card).changed = Some(entry.at);
                None
            }
            _ => None,
        }
    }

    fn paid(
        &mut self,
        at: Timestamp,
        payment: &Payment,
        (terminal, merchant): (TerminalId, model::MerchantId),
        here: Option<Position>,
    ) -> PastPayment {
        let zone = self.observer.names().name(payment.zone).map(Box::from);
        let local = jiff::Timestamp::from_millisecond(at.0).unwrap_or_default().to_zoned(self.zone.clone());
        let merchant = payment.merchant_sent.unwrap_or(merchant);
        let area = area(&merchant);
        let trail = self.trail(payment.card);
        let since = |moment: Option<Timestamp>| moment.map(|moment| at.since_ms(moment));
        let past = PastPayment {
            payment: *payment,
            at,
            terminal,
            merchant,
            bin: digits(payment.bin),
            mcc: payment.category_sent.map(|category| digits(u32::from(category))),
            merchant_mcc: payment.category_registered.map(|category| digits(u32::from(category))),
            area,
            last_area: trail.last.and_then(|(.., area)| area),
            last_terminal: trail.last.map(|(_, terminal, _)| terminal),
            zone,
            since_ok_ms: since(trail.ok),
            since_last_ms: since(trail.last.map(|(at, ..)| at)),
            since_change_ms: since(trail.changed),
            speed_kmh: trail.place.zip(here).and_then(|(before, here)| speed_kmh(before, (at, here))),
            hour: u8::try_from(local.hour()).unwrap_or(0),
            weekday: u8::try_from(local.weekday().to_monday_one_offset()).unwrap_or(1),
        };
        trail.last = Some((at, terminal, area));
        trail.place = here.map(|here| (at, here)).or(trail.place);
        if past.approved() && past.pin() == PinResult::Verified {
            trail.ok = Some(at);
        }
        past
    }

    fn trail(&mut self, card: CardId) -> &mut Trail {
        if self.trails.len() >= TRAILS_MAX && !self.trails.contains_key(&card) {
            self.forget();
        }
        self.trails.entry(card).or_insert(Trail { last: None, ok: None, changed: None, place: None })
    }

    /// Half of the cards, those that rested longest.
    fn forget(&mut self) {
        let mut moments: Vec<Timestamp> = self.trails.values().map(Trail::newest).collect();
        let middle = moments.len() / 2;
        let (_, median, _) = moments.select_nth_unstable(middle);
        let median = *median;
        self.trails.retain(|_, trail| trail.newest() > median);
    }
}

impl Trail {
    fn newest(&self) -> Timestamp {
        self.last.map(|(at, ..)| at).max(self.changed).unwrap_or_default()
    }
}

impl PastPayment {
    /// As rules see it, with what became of it.
    #[must_use]
    pub fn event(&self) -> RiskEvent<'_> {
        let payment = &self.payment;
        RiskEvent {
            mcc: text(self.mcc.as_ref()),
            merchant_mcc: text(self.merchant_mcc.as_ref()),
            area: text(self.area.as_ref()),
            zone: self.zone.as_deref(),
            amount: payment.kind.needs_amount().then_some(payment.amount.0),
            currency: Some(payment.currency.0),
            kind: payment.kind,
            entry: entry_mode(payment.entry),
            pin: self.pin(),
            locked: payment.locked,
            tries_left: Some(payment.tries.0),
            hour: self.hour,
            weekday: self.weekday,
            since_ok_ms: self.since_ok_ms,
            since_last_ms: self.since_last_ms,
            since_change_ms: self.since_change_ms,
            last_area: text(self.last_area.as_ref()),
            last_terminal: self.last_terminal.as_ref().map(TerminalId::as_str),
            speed_kmh: self.speed_kmh,
            reason: payment.reason,
            approved: self.approved(),
            ..RiskEvent::new(
                self.at,
                payment.card,
                std::str::from_utf8(&self.bin).unwrap_or_default(),
                self.terminal.as_str(),
                self.merchant.as_str(),
            )
        }
    }

    /// DE 37 of its answer.
    #[must_use]
    pub fn rrn(&self) -> Rrn {
        self.payment.rrn
    }

    fn approved(&self) -> bool {
        self.payment.code.is_approval()
    }

    /// The issuer of a card that is not ours tells by its answer what it found.
    fn pin(&self) -> PinResult {
        match (self.payment.pin, self.payment.reason) {
            (PinSeen::Verified, _) | (PinSeen::AtIssuer, ReasonCode::Approved) => PinResult::Verified,
            (PinSeen::Mismatch, _) | (PinSeen::AtIssuer, ReasonCode::IssuerWrongPin) => PinResult::Mismatch,
            (PinSeen::Unverifiable(why), _) => PinResult::Unverifiable(why),
            (PinSeen::NotAsked | PinSeen::AtIssuer, _) => PinResult::NotPresent,
        }
    }
}

fn entry_mode(read: Read) -> Option<EntryMode> {
    match read {
        Read::Unknown => None,
        Read::Manual => Some(EntryMode::Manual),
        Read::Stripe => Some(EntryMode::Magstripe),
        Read::Fallback => Some(EntryMode::Fallback),
        Read::Chip => Some(EntryMode::Chip),
        Read::Contactless => Some(EntryMode::Contactless),
    }
}

fn area(merchant: &model::MerchantId) -> Area {
    let digits: [u8; 4] = merchant.as_bytes().get(3..7)?.try_into().ok()?;
    digits.iter().all(u8::is_ascii_digit).then_some(digits)
}

fn text(digits: Option<&[u8; 4]>) -> Option<&str> {
    digits.and_then(|digits| std::str::from_utf8(digits).ok())
}

/// The last digits of a number, with zeros in front.
fn digits<const N: usize>(number: u32) -> [u8; N] {
    let mut rest = number;
    let mut digits = [b'0'; N];
    for digit in digits.iter_mut().rev() {
        *digit += (rest % 10) as u8; // below ten
        rest /= 10;
    }
    digits
}

/// Nearer than this, places are one: a terminal's position is as exact as its cell.
const NEAR_KM: f64 = 100.0;

/// How fast somebody went from one place to another; nothing when they are near or the clock went back.
fn speed_kmh(before: (Timestamp, Position), now: (Timestamp, Position)) -> Option<i64> {
    let km = distance_km(before.1, now.1);
    let hours = now.0.since_ms(before.0) as f64 / 3_600_000.0;
    (km >= NEAR_KM && hours >= 0.0).then(|| (km / hours.max(1.0 / 3600.0)).min(1e9) as i64)
}

/// Great-circle distance (haversine) on a sphere of the earth's mean radius.
fn distance_km(one: Position, other: Position) -> f64 {
    const EARTH_KM: f64 = 6371.0;
    let radians = |degrees: f32| f64::from(degrees).to_radians();
    let (north, south) = (radians(one.latitude), radians(other.latitude));
    let half = |angle: f64| (angle / 2.0).sin().powi(2);
    let chord = half(south - north)
        + north.cos() * south.cos() * half(radians(other.longitude) - radians(one.longitude));
    2.0 * EARTH_KM * chord.sqrt().min(1.0).asin()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_become_digits() {
        assert_eq!((&digits::<6>(900_000), &digits::<4>(742)), (b"900000", b"0742"));
    }

    #[test]
    fn nobody_is_in_beijing_and_shenzhen_within_the_hour() {
        let beijing = Position { latitude: 39.90, longitude: 116.41 };
        let shenzhen = Position { latitude: 22.54, longitude: 114.06 };
        let tianjin = Position { latitude: 39.08, longitude: 117.20 };
        let at = |hours: i64, place| (Timestamp(hours * 3_600_000), place);
        // 1,940 km as the crow flies
        assert!((1900..2000).contains(&speed_kmh(at(0, beijing), at(1, shenzhen)).unwrap_or(0)));
        assert!(speed_kmh(at(0, beijing), at(4, shenzhen)).is_some_and(|speed| speed < 900));
        assert!(speed_kmh(at(0, beijing), at(0, shenzhen)).is_some_and(|speed| speed > 100_000));
        assert_eq!(speed_kmh(at(1, beijing), at(0, shenzhen)), None);
        assert!(distance_km(beijing, tianjin) > 100.0 && distance_km(beijing, beijing) < 0.001);
    }
}
