//! What is remembered about a card beside its state: when and where it was last seen, when it was last right, when staff last
//! changed something. The same fold of the same payments, whether they happen now or are read from the journal.

use std::collections::HashMap;

use diagnosis::observation::Position;
use model::{CardId, TerminalId, Timestamp, hash::Folding};
use risk::PinResult;

use super::facts::{Area, Facts};

/// Cards whose trail is remembered; when there are more, those that rested longest are forgotten.
pub const TRAILS_MAX: usize = 2_000_000;

/// The trails of all cards.
#[derive(Debug, Default)]
pub struct Trails {
    cards: HashMap<CardId, Trail, Folding>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Trail {
    last: Option<(Timestamp, TerminalId, Area)>,
    ok: Option<Timestamp>,
    changed: Option<Timestamp>,
    place: Option<(Timestamp, Position)>,
}

/// What a payment is told of its card's trail.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Remembered {
    pub(crate) since_ok_ms: Option<i64>,
    pub(crate) since_last_ms: Option<i64>,
    pub(crate) since_change_ms: Option<i64>,
    pub(crate) last_area: Area,
    pub(crate) last_terminal: Option<TerminalId>,
    pub(crate) speed_kmh: Option<i64>,
}

impl Trails {
    /// What was before this payment.
    pub(crate) fn before(&self, facts: &Facts) -> Remembered {
        let Some(trail) = self.cards.get(&facts.card) else { return Remembered::default() };
        let since = |moment: Option<Timestamp>| moment.map(|moment| facts.at.since_ms(moment));
        Remembered {
            since_ok_ms: since(trail.ok),
            since_last_ms: since(trail.last.map(|(at, ..)| at)),
            since_change_ms: since(trail.changed),
            last_area: trail.last.and_then(|(.., area)| area),
            last_terminal: trail.last.map(|(_, terminal, _)| terminal),
            speed_kmh: trail
                .place
                .zip(facts.place)
                .and_then(|(before, here)| speed_kmh(before, (facts.at, here))),
        }
    }

    /// The payment was decided: it is the last one now.
    pub(crate) fn enter(&mut self, facts: &Facts) {
        let trail = self.trail(facts.card);
        trail.last = Some((facts.at, facts.terminal, facts.area()));
        trail.place = facts.place.map(|here| (facts.at, here)).or(trail.place);
        if facts.approved && facts.pin == PinResult::Verified {
            trail.ok = Some(facts.at);
        }
    }

    /// Staff, or a program, changed something about the card.
    pub(crate) fn changed(&mut self, card: CardId, at: Timestamp) {
        self.trail(card).changed = Some(at);
    }

    fn trail(&mut self, card: CardId) -> &mut Trail {
        if self.cards.len() >= TRAILS_MAX && !self.cards.contains_key(&card) {
            self.forget();
        }
        self.cards.entry(card).or_default()
    }

    /// Half of the cards, those that rested longest.
    fn forget(&mut self) {
        let mut moments: Vec<Timestamp> = self.cards.values().map(Trail::newest).collect();
        let middle = moments.len() / 2;
        let (_, median, _) = moments.select_nth_unstable(middle);
        let median = *median;
        self.cards.retain(|_, trail| trail.newest() > median);
    }
}

impl Trail {
    fn newest(&self) -> Timestamp {
        self.last.map(|(at, ..)| at).max(self.changed).unwrap_or_default()
    }
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
