//! What is remembered of each card: where it was, where its PIN was right, its last wrong PINs, and what staff did to it.

use model::Timestamp;

use crate::{fleet::Slot, observation::Position};

/// A visit to a terminal.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Visit {
    pub terminal: Slot,
    pub at: Timestamp,
    pub right: bool,
}

/// A wrong PIN.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Miss {
    pub terminal: Slot,
    pub at: Timestamp,
    /// The first of its session.
    pub first: bool,
    /// The terminal's version of firmware then: its place among the cohorts.
    pub version: u32,
    /// Read by stripe or typed: whoever guesses need not have the card.
    pub stripe: bool,
}

/// One card.
#[derive(Debug, Clone)]
pub(crate) struct Card {
    pub last_at: Timestamp,
    pub last_right: Timestamp,
    /// Its last session: terminal and number there.
    pub last: Option<(Slot, u32)>,
    /// A session that ended badly and waits for what happens elsewhere.
    pub waiting: Option<(Slot, u32, Timestamp)>,
    pub visits: Vec<Visit>,
    pub misses: Vec<Miss>,
    /// Days on which it was right, roughly: how much use its own rate rests on.
    pub rights: u16,
    pub pin_new: Timestamp,
    /// Wrong PINs up to then are no guesses: the PIN was a new one afterwards.
    pub forgiven: Timestamp,
    pub contact_changed: Timestamp,
    pub released: Timestamp,
    pub lifted: Option<(u32, Timestamp)>,
    /// Releases after which it failed again.
    pub cycles: u8,
    pub failed_since_release: bool,
    pub releases: u8,
    pub chip: bool,
    pub position: Option<(Position, Timestamp, Slot)>,
    /// Its latest refusals for a wrong PIN that wait for what comes; 0: none.
    pub refusals: [u32; 4],
    pub epoch: u32,
}

impl Card {
    /// Wrong PINs remembered one by one: more than any rule asks for.
    const MISSES: usize = 16;

    pub(crate) fn new(epoch: u32) -> Self {
        let never = Timestamp(i64::MIN);
        Self {
            last_at: never,
            last_right: never,
            last: None,
            waiting: None,
            visits: Vec::new(),
            misses: Vec::new(),
            rights: 0,
            pin_new: never,
            forgiven: never,
            contact_changed: never,
            released: never,
            lifted: None,
            cycles: 0,
            failed_since_release: false,
            releases: 0,
            chip: false,
            position: None,
            refusals: [0; 4],
            epoch,
        }
    }

    /// Remembers a visit, one per terminal, the latest `limit` of them; true: the first here that is remembered.
    pub(crate) fn visited(&mut self, terminal: Slot, at: Timestamp, right: bool, limit: usize) -> bool {
        if let Some(n) = self.visits.iter().position(|visit| visit.terminal == terminal) {
            let mut visit = self.visits.remove(n);
            visit.at = at;
            visit.right |= right;
            self.visits.push(visit);
            return false;
        }
        if self.visits.len() >= limit {
            self.visits.remove(0);
        }
        self.visits.push(Visit { terminal, at, right });
        true
    }

    pub(crate) fn missed(&mut self, miss: Miss) {
        if self.misses.len() >= Self::MISSES {
            self.misses.remove(0);
        }
        self.misses.push(miss);
        self.failed_since_release = true;
    }

    /// Was its PIN ever right here?
    pub(crate) fn right_at(&self, terminal: Slot) -> bool {
        self.visits.iter().any(|visit| visit.terminal == terminal && visit.right)
    }
}

/// Kilometres between two places on a sphere of the earth's mean radius (haversine formula).
pub(crate) fn kilometres(a: Position, b: Position) -> f64 {
    const RADIUS_KM: f64 = 6371.0;
    let [lat1, lon1, lat2, lon2] =
        [a.latitude, a.longitude, b.latitude, b.longitude].map(|degrees| f64::from(degrees).to_radians());
    let h =
        ((lat2 - lat1) / 2.0).sin().powi(2) + lat1.cos() * lat2.cos() * ((lon2 - lon1) / 2.0).sin().powi(2);
    2.0 * RADIUS_KM * h.clamp(0.0, 1.0).sqrt().asin()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beijing_to_shanghai_is_a_thousand_kilometres() {
        let beijing = Position { latitude: 39.9042, longitude: 116.4074 };
        let shanghai = Position { latitude: 31.2304, longitude: 121.4737 };
        let km = kilometres(beijing, shanghai);
        assert!((1060.0..1075.0).contains(&km), "{km}");
        assert_eq!(kilometres(beijing, beijing), 0.0);
    }
}
