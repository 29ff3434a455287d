//! What looks like an incident and is none: a fifth of all windows. And the ordinary work of the service desk.

use authorization::desk::Action;
use model::Kind;

use super::{
    CHIP, Day, Decoy, Deed, END_MS, FALLBACK, HOUR_MS, MINUTE_MS, Negative, START_MS, Visit, Who, cards,
    fleet::CITIES, traffic::amount,
};
use crate::{
    chance::Chance,
    data::{self, normal},
};

impl Negative {
    /// What it changes.
    #[must_use]
    pub fn changes(self) -> data::Negative {
        let all = &normal().negatives;
        match self {
            Self::Payday => all.payday,
            Self::NewPins(_) => all.new_pins,
            Self::Tourists(..) => all.tourists,
            Self::PinPolicy(_) => all.pin_policy,
            Self::Holiday => all.holiday,
        }
    }
}

impl Day {
    pub(super) fn decoys(&mut self, chance: &mut Chance) {
        let count = (normal().negatives.per_day + chance.unit()) as usize;
        let mut zones: Vec<usize> = (0..cards::ZONES.len()).collect();
        for _ in 0..count {
            let bin = chance.pick(&cards::BINS).unwrap_or(cards::BINS[0]);
            let kind = match chance.below(5) {
                0 => Negative::Payday,
                1 => Negative::NewPins(bin),
                // One crowd of each zone a day, in one city.
                2 if !zones.is_empty() => Negative::Tourists(
                    zones.swap_remove(chance.below(zones.len())),
                    chance.below(CITIES.len()),
                ),
                3 => Negative::PinPolicy(bin),
                _ => Negative::Holiday,
            };
            let from = START_MS + (chance.between(8.0, 17.0) * HOUR_MS as f64) as i64;
            let lasts = chance.log_normal(kind.changes().lasts_h, 0.3) * HOUR_MS as f64;
            let until = (from + lasts as i64).min(END_MS);
            if let Negative::Tourists(zone, city) = kind {
                self.tourists(zone, city, (from, until), chance);
            }
            self.decoys.push(Decoy { kind, from, until });
        }
    }

    /// They swipe, they are slow, and their PINs were not typed for a while.
    fn tourists(&mut self, zone: usize, city: usize, (from, until): (i64, i64), chance: &mut Chance) {
        let changes = Negative::Tourists(zone, city).changes();
        for _ in 0..changes.visits as usize {
            let at = chance.between(from as f64, until as f64) as i64;
            // They are nowhere else on that day: nobody travels within minutes.
            let of_zone = cards::TRAVELLERS as usize / cards::ZONES.len();
            let first = cards::ALL - cards::TRAVELLERS;
            let card = first + (chance.below(of_zone) * cards::ZONES.len() + zone) as u32;
            let visit = Visit {
                terminal: self.fleet.terminal_in(city, chance),
                card,
                who: Who::Holder {
                    slips: chance.happens(normal().slip_mean * changes.slips),
                    forgot: chance.happens(2.0 * normal().forgotten),
                },
                kind: Kind::Sale,
                amount: amount(card, 21_000.0, chance),
                entry: if chance.happens(0.25) { FALLBACK } else { CHIP },
                truth: None,
            };
            self.act(at, Deed::Visit(visit));
        }
    }

    /// Agents block what is reported lost, and lift blocks again: a few times a day each.
    pub(super) fn desk_of_an_ordinary_day(&mut self, chance: &mut Chance) {
        for agent in 0..self.fleet.agents.len() {
            for _ in 0..chance.below(4) {
                let card = (cards::OWN - cards::RESERVED) - 1 - chance.below(2_000) as u32;
                let at = START_MS + (chance.between(8.5, 18.0) * HOUR_MS as f64) as i64;
                self.act(at, Deed::Desk { card, action: Action::Block, agent });
                let lifted = at + (chance.between(20.0, 240.0) * MINUTE_MS as f64) as i64;
                self.act(lifted, Deed::Desk { card, action: Action::Unblock, agent });
            }
        }
    }
}
