//! Ordinary visits: a Poisson process whose rate follows the hours and the decoys; cards go to their usual shops.

use model::Kind;

use super::{CHIP, Day, Decoy, FALLBACK, Fleet, HOUR_MS, Negative, START_MS, Visit, Who, cards};
use crate::{
    chance::Chance,
    data::{Normal, normal},
};

/// The ordinary visits of a day, one after the other.
pub struct Visits<'d> {
    fleet: &'d Fleet,
    decoys: &'d [Decoy],
    day: &'static Normal,
    chance: Chance,
    at: f64,
    until: i64,
    per_weight_ms: f64,
}

impl Day {
    /// Its ordinary visits with their times, in order.
    #[must_use]
    pub fn visits(&self) -> Visits<'_> {
        let day = normal();
        let weights: f64 = day.hours.iter().sum();
        Visits {
            fleet: &self.fleet,
            decoys: &self.decoys,
            day,
            chance: Chance::new(self.seed, "visits"),
            at: self.played.0 as f64 + 60_000.0,
            until: self.played.1,
            per_weight_ms: self.traffic * day.sessions / weights / HOUR_MS as f64,
        }
    }
}

impl Iterator for Visits<'_> {
    type Item = (i64, Visit);

    fn next(&mut self) -> Option<Self::Item> {
        let hour = ((self.at as i64 - START_MS) / HOUR_MS) as usize;
        let on = self.decoys.iter().filter(|decoy| (decoy.from..decoy.until).contains(&(self.at as i64)));
        let traffic: f64 = on.map(|decoy| decoy.kind.changes().traffic).product();
        let rate = self.per_weight_ms * self.day.hours[hour.min(23)] * traffic;
        self.at += self.chance.exponential(1.0 / rate);
        let at = self.at as i64;
        (at < self.until).then(|| (at, self.visit(at)))
    }
}

impl Visits<'_> {
    fn visit(&mut self, at: i64) -> Visit {
        let chance = &mut self.chance;
        let own = cards::OWN - cards::RESERVED;
        let drawn = chance.below((own + cards::FOREIGN - cards::TRAVELLERS) as usize) as u32;
        let card = if drawn < own { drawn } else { drawn + cards::RESERVED };
        let holder = &self.fleet.holders[card as usize];
        let city = usize::from(holder.city);
        let terminal = if holder.at_home && chance.happens(self.day.usual_shop) {
            let usual = chance.pick(&holder.usual).unwrap_or_default();
            self.fleet.terminal_at(u32::from(usual), chance)
        } else {
            self.fleet.terminal_in(city, chance)
        };
        let (mut slips, mut forgotten) = (self.fleet.terminals[terminal as usize].slips, self.day.forgotten);
        for decoy in self.decoys.iter().filter(|decoy| (decoy.from..decoy.until).contains(&at)) {
            if decoy.kind.concerns(cards::bin(card)) {
                let changes = decoy.kind.changes();
                slips *= changes.slips;
                forgotten += changes.forgotten;
            }
        }
        Visit {
            terminal,
            card,
            who: Who::Holder { slips: chance.happens(slips.min(0.9)), forgot: chance.happens(forgotten) },
            kind: if chance.happens(0.03) { Kind::Balance } else { Kind::Sale },
            amount: amount(card, 6_800.0, chance),
            entry: if chance.happens(self.day.fallback) { FALLBACK } else { CHIP },
            truth: None,
        }
    }
}

/// An amount around this one. The last two digits of what another issuer is asked for are its levers: zero is none.
pub(super) fn amount(card: u32, median: f64, chance: &mut Chance) -> i64 {
    let fen = chance.log_normal(median, 0.8).clamp(100.0, 400_000.0) as i64;
    if cards::zone(card).is_some() { fen / 100 * 100 } else { fen }
}

impl Negative {
    /// Are cards of this BIN those whose holders behave otherwise?
    #[must_use]
    pub fn concerns(self, bin: u32) -> bool {
        match self {
            Self::NewPins(of) | Self::PinPolicy(of) => of == bin,
            Self::Payday | Self::Holiday | Self::Tourists(..) => true,
        }
    }
}
