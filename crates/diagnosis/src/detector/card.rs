//! One card: guessed at over days, below every limit; and at two places faster than anybody travels.
//!
//! Guesses are told from a forgetful holder by their spread: several sessions at several terminals that all ended without
//! success, more than the card's own rate gives (Poisson), or a card that was released, failed, and was released again.
//! Travel is a rule (idea: "geospeed", US2010/0051684): it needs two places that the terminals are known to be at.

use crate::{
    Cause, Diagnosis, Evidence, Observation, Scope, Status,
    card::kilometres,
    evidence as e,
    fleet::{Group, Slot},
    observation::{Entry, Payment},
    register::Draft,
    session::Outcome,
    stats::{decades, poisson_tail},
};

const HOUR_MS: i64 = 3_600_000;

impl Diagnosis {
    /// Was this card guessed at?
    pub(crate) fn suspect_card(&mut self, slot: Slot, payment: &Payment, outcome: Outcome) {
        if outcome != Outcome::Wrong {
            return;
        }
        let rules = &self.tuning.card;
        let now = self.now;
        let Some(card) = self.cards.get(&payment.card) else { return };
        let window = rules.brute_hours * HOUR_MS;
        let misses: Vec<_> = card
            .misses
            .iter()
            .filter(|miss| now.since_ms(miss.at) <= window && miss.at > card.forgiven)
            .collect();
        let sessions = misses.iter().filter(|miss| miss.first).count() as u32;
        let Some(first) = misses.first() else { return };
        let mut terminals: Vec<Slot> = misses.iter().map(|miss| miss.terminal).collect();
        terminals.sort_unstable();
        terminals.dedup();
        let hours = (now.since_ms(first.at) as f64 / HOUR_MS as f64).max(1.0);
        let expected = rules.brute_rate_per_day * (hours / 24.0).max(1.0) * 2.0;
        let chance = poisson_tail(misses.len() as u32, expected);
        let never: Vec<Slot> = terminals.iter().copied().filter(|at| !card.right_at(*at)).collect();
        let stripes = misses.iter().filter(|miss| miss.first && miss.stripe).count();
        // a holder who forgot a new PIN also fails here and there, but with the card in hand and where holders go
        let copied = stripes as f64 * 2.5 - (f64::from(sessions) - stripes as f64);
        // the holder pays in between and is right: whoever fails is somebody else
        let between = if card.last_right > first.at { 2.0 } else { -3.0 };
        let places = never.len() as f64 - (terminals.len() - never.len()) as f64 * 2.0;
        let new_pin = if crate::intake::hours(card.pin_new, now) < 240.0 { -4.0 } else { 0.0 };
        let cycles = f64::from(card.cycles) * 2.0;
        let weight = (-chance.max(1e-30).ln() * 0.5).min(6.0) + copied + between + places + new_pin + cycles;
        if sessions < rules.brute_sessions
            || (misses.len() as u32) < rules.brute_mismatches
            || terminals.len() < 2
            || chance > rules.brute_chance
            || weight < rules.brute_weight
        {
            return;
        }
        if self.is_fraud_known(&payment.card) {
            return;
        }
        // an incident at this very terminal explains its own wrong PINs
        if self.fleet[slot].incidents[Group::Pin as usize] != 0 {
            return;
        }
        let values = [misses.len() as f64, terminals.len() as f64, hours, decades(chance)];
        let mut evidence = vec![
            e::SPREAD_GUESSES.with(-chance.max(1e-30).ln() * 0.5, values),
            e::PLACES_NEVER_USED.with(never.len() as f64, [never.len() as f64]),
        ];
        if card.cycles > 0 {
            evidence.push(e::RELEASE_CYCLES.with(f64::from(card.cycles) * 2.0, [f64::from(card.cycles)]));
        }
        let onset = first.at;
        self.card_incident(payment, Cause::BruteForce, 0.93, onset, sessions, evidence);
    }

    /// Was it elsewhere a moment ago?
    pub(crate) fn travelled(
        &mut self,
        slot: Slot,
        observation: &Observation,
        payment: &Payment,
        outcome: Outcome,
    ) {
        // whoever only guesses need not have the card: a place counts where the PIN was right, or none was asked for
        let right = outcome == Outcome::Right || outcome == Outcome::Plain && payment.code.is_approval();
        let present = right
            && matches!(payment.entry, Entry::Chip | Entry::Contactless | Entry::Stripe | Entry::Fallback);
        let device = &observation.device;
        let Some(position) = device.registered.or(device.position).filter(|_| present) else { return };
        let (now, epoch) = (self.now, self.epoch);
        // a terminal that is not where it should be says nothing about the card
        let out_of_place = |slot: Slot| self.fleet[slot].runs.away != 0;
        let Some(card) = self.cards.get(&payment.card) else { return };
        let before = card.position.filter(|_| card.epoch == epoch);
        let doubtful = out_of_place(slot) || before.is_some_and(|(_, _, slot)| out_of_place(slot));
        let Some(card) = self.cards.get_mut(&payment.card) else { return };
        card.epoch = epoch;
        card.position = Some((position, now, slot));
        let Some((there, at, _)) = before.filter(|_| !doubtful) else { return };
        let km = kilometres(there, position);
        let minutes = now.since_ms(at) as f64 / 60_000.0;
        let speed = km / (minutes / 60.0).max(1.0 / 3600.0);
        if self.is_fraud_known(&payment.card) {
            return;
        }
        if km >= self.tuning.exact.travel_km && speed > self.tuning.exact.travel_km_h {
            let evidence = vec![e::TOO_FAST.with((speed / 900.0).ln() + 5.0, [km, minutes, speed])];
            self.card_incident(payment, Cause::ImpossibleTravel, 0.95, at, 2, evidence);
        }
    }

    /// Is this card one of those of an open incident of fraud? Then what it does is part of that.
    fn is_fraud_known(&self, card: &model::CardId) -> bool {
        let mut fraud = self.register.active_fraud().iter().filter_map(|id| self.register.get(*id));
        fraud.any(|held| held.has_card(card))
    }

    /// Puts an incident of fraud behind the latest refusals of its cards.
    pub(crate) fn attach_cards(&mut self, id: u64) {
        let Some(held) = self.register.get(id) else { return };
        let cause = held.incident.cause;
        let places: Vec<u32> = held
            .listed()
            .into_iter()
            .filter_map(|card| self.cards.get(&card))
            .flat_map(|card| card.refusals)
            .filter(|place| *place != 0)
            .collect();
        for place in places {
            self.attach(place, id, Some(cause));
        }
    }

    /// An incident of fraud takes over those of its cards.
    pub(crate) fn absorb_cards(&mut self, parent: u64) {
        let Some(held) = self.register.get(parent) else { return };
        let children: Vec<u64> = self
            .register
            .active()
            .iter()
            .copied()
            .filter(|id| {
                self.register.get(*id).is_some_and(
                    |child| matches!(child.incident.scope, Scope::Card(card) if held.has_card(&card)),
                )
            })
            .collect();
        for id in children {
            self.absorb_one(id, parent);
        }
    }

    fn card_incident(
        &mut self,
        payment: &Payment,
        cause: Cause,
        confidence: f64,
        onset: model::Timestamp,
        sessions: u32,
        evidence: Vec<Evidence>,
    ) {
        let scope = Scope::Card(payment.card);
        let group = super::terminal::group_of(cause);
        let id = match self.register.at(scope, group) {
            Some(id) => {
                if let Some(held) = self.register.get_mut(id) {
                    held.explain(evidence);
                }
                id
            }
            None => self.open_or_reopen(Draft {
                cause,
                scope,
                group,
                family: None,
                terminal: None,
                onset,
                now: self.now,
                confidence: self.tuning.calibrated(confidence),
                second: (cause == Cause::BruteForce).then_some(Cause::Forgotten),
                status: Status::Open,
                evidence,
                sessions,
                alarmed: true,
                bad: (1.0, 1.0),
            }),
        };
        let refused = (!payment.code.is_approval()).then_some(payment.amount.0);
        let limit = self.tuning.limits.cards_per_incident;
        self.register.count_payment(id, payment.card, refused, payment.try_charged, self.now, limit);
        let refusals = self.cards.get(&payment.card).map_or([0; 4], |card| card.refusals);
        for place in refusals.into_iter().filter(|place| *place != 0) {
            self.attach(place, id, Some(cause));
        }
    }
}
