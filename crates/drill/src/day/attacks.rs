//! Incidents that bring sessions of their own: people who guess, test, copy and empty cards, and staff who help them.

use authorization::desk::Action;
use diagnosis::Cause;
use model::Kind;

use super::{
    CHIP, Cover, Day, Deed, FALLBACK, HOUR_MS, MANUAL, MINUTE_MS, Mechanism, Place, START_MS, Visit, Who,
    cards,
    fleet::CITIES,
    incidents::{Draft, distance_km},
    traffic::amount,
};
use crate::chance::Chance;

impl Day {
    pub(super) fn attack(&mut self, draft: &Draft, used: &mut Vec<(u32, i64)>, chance: &mut Chance) {
        match draft.form.cause {
            Cause::PinSpray => self.spray(draft, used, chance),
            Cause::BruteForce => self.brute_force(draft, chance),
            Cause::CardTesting => self.card_testing(draft, chance),
            Cause::SkimCashOut => self.skim(draft, used, chance),
            Cause::UnlimitedOperation => self.unlimited(draft, chance),
            Cause::CounterAbuse => self.counter_abuse(draft, chance),
            _ => self.travel(draft, chance),
        }
    }

    fn id(&self) -> Option<u16> {
        Some(self.truths.len() as u16)
    }

    /// Copied stripes of one BIN at one terminal, one guess each, now and then two.
    fn spray(&mut self, draft: &Draft, used: &mut Vec<(u32, i64)>, chance: &mut Chance) {
        let terminal = self.busy_terminal(used, chance, draft.from);
        let (id, bin_at) = (self.id(), chance.below(cards::BINS.len()));
        let bin = cards::BINS[bin_at];
        let mut tried = Vec::new();
        let mut at = draft.from as f64;
        while (at as i64) < draft.until {
            at += chance.exponential(HOUR_MS as f64 / draft.strength);
            let serial = chance.below((cards::OWN - cards::RESERVED) as usize / cards::BINS.len());
            let card = (serial * cards::BINS.len() + bin_at) as u32;
            tried.push(card);
            for again in 0..=usize::from(chance.happens(0.3)) {
                let visit = Visit {
                    terminal,
                    card,
                    who: Who::Guesser,
                    kind: if chance.happens(0.6) { Kind::Balance } else { Kind::Sale },
                    amount: 100 + chance.below(900) as i64,
                    entry: FALLBACK,
                    truth: id,
                };
                self.act(at as i64 + again as i64 * 14_000, Deed::Visit(visit));
            }
        }
        let exact = vec![Place::Terminal(terminal), Place::Bin(bin)];
        let mut truth = self.truth(draft, exact, self.at(&[terminal]), Mechanism::OwnSessions);
        (truth.terminals, truth.cards, truth.bins) = (vec![terminal], tried, vec![bin]);
        truth.bins.push(bin);
        self.truths.push(truth);
    }

    /// One or two guesses at a time, and the holder's own payments set the counter back in between.
    fn brute_force(&mut self, draft: &Draft, chance: &mut Chance) {
        let id = self.id();
        let card = chance.below((cards::OWN - cards::RESERVED) as usize) as u32;
        let home = usize::from(self.fleet.holders[card as usize].city);
        let guesses = draft.strength as i64;
        let step = (draft.until - draft.from) / guesses.max(1);
        for guess in 0..guesses {
            let at = draft.from + guess * step + (chance.between(0.0, 0.5) * step as f64) as i64;
            let visit = Visit {
                terminal: self.fleet.terminal_in(home, chance),
                card,
                who: Who::Guesser,
                kind: Kind::Balance,
                amount: 0,
                entry: FALLBACK,
                truth: id,
            };
            self.act(at, Deed::Visit(visit));
            if guess % 2 == 1 {
                let holder = Visit {
                    terminal: self.fleet.terminal_in(home, chance),
                    who: Who::Holder { slips: false, forgot: false },
                    kind: Kind::Sale,
                    amount: amount(card, 5_000.0, chance),
                    entry: CHIP,
                    truth: None,
                    ..visit
                };
                self.act(at + step / 3, Deed::Visit(holder));
            }
        }
        let mut truth = self.truth(draft, vec![Place::Card(card)], Cover::Own, Mechanism::OwnSessions);
        truth.cards.push(card);
        self.truths.push(truth);
    }

    /// Numbers one after the other: some exist, some do not, dates are guessed.
    fn card_testing(&mut self, draft: &Draft, chance: &mut Chance) {
        let (id, bin_at) = (self.id(), chance.below(cards::BINS.len()));
        let kinds = cards::BINS.len() as u32;
        let shops: Vec<u32> = (0..12).map(|_| chance.below(self.fleet.terminals.len()) as u32).collect();
        let first = chance.below((cards::OWN / kinds) as usize / 2) as u32;
        let (mut at, mut serial) = (draft.from as f64, first);
        let mut tried = Vec::new();
        while (at as i64) < draft.until {
            at += chance.exponential(HOUR_MS as f64 / draft.strength);
            serial += 1 + u32::from(chance.happens(0.2));
            // Of three neighbours one was never issued: a number behind all others.
            let unknown = chance.happens(0.35);
            let card = (serial % (cards::OWN / kinds)) * kinds + bin_at as u32;
            let card = if unknown { cards::ALL.next_multiple_of(kinds) + card } else { card };
            tried.push(card);
            let visit = Visit {
                terminal: chance.pick(&shops).unwrap_or(0),
                card,
                who: Who::Tester { wrong_date: chance.happens(0.85) },
                kind: Kind::Sale,
                amount: 1 + chance.below(300) as i64,
                entry: MANUAL,
                truth: id,
            };
            self.act(at as i64, Deed::Visit(visit));
        }
        let exact = vec![Place::Bin(cards::BINS[bin_at])];
        let mut truth = self.truth(draft, exact, Cover::Own, Mechanism::OwnSessions);
        (truth.terminals, truth.cards, truth.bins) = (shops, tried, vec![cards::BINS[bin_at]]);
        self.truths.push(truth);
    }

    /// They all paid at one terminal in the morning, and are emptied far away in the evening.
    fn skim(&mut self, draft: &Draft, used: &mut Vec<(u32, i64)>, chance: &mut Chance) {
        let id = self.id();
        let shift = (START_MS + (chance.between(15.5, 20.0) * HOUR_MS as f64) as i64) - draft.from;
        let draft = &Draft {
            from: draft.from + shift,
            until: (draft.until + shift).min(super::END_MS - HOUR_MS / 2),
            ..*draft
        };
        let terminal = self.busy_terminal(used, chance, draft.from);
        let city = self.fleet.merchant_of(terminal).city;
        let far = self.far_city(city, chance);
        let machines: Vec<u32> = (0..4).map(|_| self.fleet.terminal_in(far, chance)).collect();
        let mut copied = Vec::new();
        while copied.len() < draft.strength as usize {
            let card = chance.below((cards::OWN - cards::RESERVED) as usize) as u32;
            let holder = &self.fleet.holders[card as usize];
            if usize::from(holder.city) != city || holder.poor || holder.expired || copied.contains(&card) {
                continue;
            }
            copied.push(card);
            let visit = Visit {
                terminal,
                card,
                who: Who::Holder { slips: false, forgot: false },
                kind: Kind::Sale,
                amount: amount(card, 6_800.0, chance),
                entry: CHIP,
                truth: None,
            };
            let paid = START_MS + (chance.between(8.0, 12.5) * HOUR_MS as f64) as i64;
            self.act(paid, Deed::Visit(visit));
            let at = chance.between(draft.from as f64, draft.until as f64) as i64;
            for again in 0..1 + chance.below(2) as i64 {
                let cash = Visit {
                    terminal: chance.pick(&machines).unwrap_or(0),
                    who: Who::Thief,
                    kind: Kind::Cash,
                    amount: 100_000 + 50_000 * chance.below(5) as i64,
                    entry: FALLBACK,
                    truth: id,
                    ..visit
                };
                self.act(at + again * 95_000, Deed::Visit(cash));
            }
        }
        let exact = vec![Place::Terminal(terminal)];
        let mut truth = self.truth(draft, exact, Cover::Own, Mechanism::OwnSessions);
        truth.terminals = machines;
        truth.terminals.push(terminal);
        truth.cards = copied;
        self.truths.push(truth);
    }

    /// Blocked cards out of the drawer: one agent lifts the blocks, then they are emptied everywhere at once.
    fn unlimited(&mut self, draft: &Draft, chance: &mut Chance) {
        let (id, agent) = (self.id(), chance.below(self.fleet.agents.len()));
        let first = cards::OWN - cards::RESERVED + 60 * (self.truths.len() as u32 % 2);
        let taken: Vec<u32> = (first..first + draft.strength as u32).collect();
        let blocks = chance.below(self.fleet.agents.len());
        for card in &taken {
            let blocked = START_MS + 10_000 + i64::from(*card % 60) * 1_000;
            self.act(blocked, Deed::Desk { card: *card, action: Action::Block, agent: blocks });
            let lifted = draft.from + (chance.between(0.0, 12.0) * MINUTE_MS as f64) as i64;
            self.act(lifted, Deed::Desk { card: *card, action: Action::Unblock, agent });
            let ends = (draft.until - lifted).max(30 * MINUTE_MS) as f64;
            for _ in 0..3 + chance.below(3) {
                let at = lifted + (chance.between(0.12, 1.0) * ends) as i64;
                let cash = Visit {
                    terminal: chance.below(self.fleet.terminals.len()) as u32,
                    card: *card,
                    who: Who::Thief,
                    kind: Kind::Cash,
                    amount: 200_000 + 50_000 * chance.below(6) as i64,
                    entry: FALLBACK,
                    truth: id,
                };
                self.act(at, Deed::Visit(cash));
            }
        }
        let mut truth = self.truth(draft, vec![Place::Agent(agent)], Cover::Own, Mechanism::OwnSessions);
        (truth.cards, truth.agents) = (taken, vec![agent]);
        self.truths.push(truth);
    }

    /// Somebody guesses twice, an agent gives the tries back, and so on.
    fn counter_abuse(&mut self, draft: &Draft, chance: &mut Chance) {
        let (id, agent) = (self.id(), chance.below(self.fleet.agents.len()));
        let first = cards::OWN - 90 + 30 * (self.truths.len() as u32 % 2);
        let releases = draft.strength as i64;
        let taken: Vec<u32> = (0..(releases as u32 / 4).max(2)).map(|at| first + at).collect();
        let step = (draft.until - draft.from) / releases.max(1);
        let city = chance.below(CITIES.len());
        for round in 0..releases {
            let card = taken[round as usize % taken.len()];
            let at = draft.from + round * step + (chance.between(0.0, 0.3) * step as f64) as i64;
            let terminal = self.fleet.terminal_in(city, chance);
            for guess in 0..2 {
                let visit = Visit {
                    terminal,
                    card,
                    who: Who::Guesser,
                    kind: Kind::Balance,
                    amount: 0,
                    entry: FALLBACK,
                    truth: id,
                };
                self.act(at + guess * 22_000, Deed::Visit(visit));
            }
            let released = at + MINUTE_MS + (chance.unit() * 0.4 * step as f64) as i64;
            self.act(released, Deed::Desk { card, action: Action::Unlock, agent });
        }
        let mut truth = self.truth(draft, vec![Place::Agent(agent)], Cover::Own, Mechanism::OwnSessions);
        (truth.cards, truth.agents) = (taken, vec![agent]);
        self.truths.push(truth);
    }

    /// The holder pays here; the copy pays there, sooner than anybody could travel.
    fn travel(&mut self, draft: &Draft, chance: &mut Chance) {
        let id = self.id();
        let card = loop {
            let card = chance.below((cards::OWN - cards::RESERVED) as usize) as u32;
            let holder = &self.fleet.holders[card as usize];
            if !holder.poor && !holder.expired {
                break card;
            }
        };
        let home = usize::from(self.fleet.holders[card as usize].city);
        let far = self.far_city(home, chance);
        let hours = distance_km(CITIES[home], CITIES[far]) / draft.strength;
        let mut at = draft.from;
        for _ in 0..2 {
            let here = Visit {
                terminal: self.fleet.terminal_in(home, chance),
                card,
                who: Who::Holder { slips: false, forgot: false },
                kind: Kind::Sale,
                amount: amount(card, 6_800.0, chance),
                entry: CHIP,
                truth: id,
            };
            self.act(at, Deed::Visit(here));
            let there = Visit {
                terminal: self.fleet.terminal_in(far, chance),
                who: Who::Thief,
                entry: FALLBACK,
                amount: amount(card, 90_000.0, chance),
                ..here
            };
            at += (hours * HOUR_MS as f64) as i64;
            self.act(at, Deed::Visit(there));
            at += (hours * 1.1 * HOUR_MS as f64) as i64;
        }
        let draft = &Draft { until: at.max(draft.from + HOUR_MS), ..*draft };
        let mut truth = self.truth(draft, vec![Place::Card(card)], Cover::Own, Mechanism::OwnSessions);
        truth.cards.push(card);
        self.truths.push(truth);
    }
}
