//! One or two guesses at each of many cards, spread over terminals so that none of them stands out: seen in a window per bank
//! number.
//!
//! Counted are different cards with a wrong PIN and no success in the last ten minutes; expected are as many as the sessions
//! of this bank number in the window give at its usual share (Poisson). A mailing of new PINs raises wrong PINs of a bank
//! number as well: there, cards are known, chips are read and people succeed in the end. So the cards' features decide too.
//! A spray at one terminal is found there ([`terminal`](super::terminal)).

use model::Timestamp;

use crate::{
    Cause, Diagnosis, Scope, Status,
    cohort::{Common, Place},
    detector::terminal::Expected,
    evidence as e,
    fleet::{Group, Slot},
    hypothesis::{Counts, Feature, feature_ln},
    register::Draft,
    session::{Family, Session, mark},
    stats::{decades, poisson_tail},
};

/// Cards without success in the window.
struct Window {
    cards: u32,
    sessions: f64,
    terminals: Vec<Slot>,
    /// Cards at the terminal that has most of them.
    most: u32,
    since: Timestamp,
    counts: Counts,
}

impl Diagnosis {
    /// Asks the windows of the session's bank number and merchant.
    pub(crate) fn ask_window(&mut self, slot: Slot, number: u32) {
        let Some(session) = self.fleet[slot].session(number) else { return };
        let Some(mark) = self.cohorts.mark(session.shared).copied() else { return };
        for level in [Common::MERCHANT, Common::BIN] {
            let place = mark.cohorts[level];
            if place != 0 && self.ask_one_window(place) {
                return;
            }
        }
    }

    /// A terminal with a bad keypad may be sprayed as well: copied stripes without success are not the keypad's doing.
    pub(crate) fn ask_beside(&mut self, slot: Slot) {
        let open = self.fleet[slot].incidents[Group::Pin as usize];
        let Some(held) = self.register.get(open) else { return };
        if held.incident.cause == Cause::PinSpray || self.fleet[slot].incidents[Group::Spray as usize] != 0 {
            return;
        }
        let since = self.now.plus_ms(-self.tuning.window.minutes * 60_000);
        let recent = || self.fleet[slot].sessions.iter().rev().take_while(move |session| session.at >= since);
        let is_guess = |session: &&Session| {
            session.shows(Family::Wrong) && session.has(mark::STRIPE) && !session.has(mark::RIGHT)
        };
        let guesses: Vec<Timestamp> = recent().filter(is_guess).map(|session| session.at).collect();
        let (cards, sessions) = (guesses.len() as u32, recent().count() as f64);
        let stripe = Feature::Stripe as usize;
        // every entry here may be wrong: expected are as many as are read by stripe at all
        let expected = sessions * (self.features.k[stripe] + 1.0) / (self.features.n[stripe] + 10.0);
        let chance = poisson_tail(cards, expected);
        let (Some(first), true) = (guesses.last(), cards >= self.tuning.window.spray_cards) else { return };
        if chance > self.tuning.window.chance {
            return;
        }
        let minutes = self.now.since_ms(*first) as f64 / 60_000.0;
        let draft = Draft {
            cause: Cause::PinSpray,
            scope: Scope::Terminal(self.fleet[slot].id),
            group: Group::Spray,
            family: Some(Family::Wrong),
            terminal: Some(slot),
            onset: *first,
            now: self.now,
            confidence: self.tuning.calibrated(0.9),
            second: Some(Cause::KeypadFault),
            status: Status::Open,
            evidence: vec![
                e::CARDS_IN_WINDOW
                    .with(-chance.max(1e-30).ln(), [f64::from(cards), minutes, decades(chance)]),
                e::READ_BY_STRIPE.with(3.0, [f64::from(cards), f64::from(cards)]),
            ],
            sessions: cards,
            alarmed: true,
            bad: (f64::from(cards), sessions),
        };
        let id = self.open_or_reopen(draft);
        self.fleet[slot].incidents[Group::Spray as usize] = id;
    }

    fn ask_one_window(&mut self, place: Place) -> bool {
        let Some(window) = self.window_of(place) else { return false };
        let Some(cohort) = self.cohorts.get(place) else { return false };
        if cohort.incidents[Family::Wrong as usize] != 0 {
            return false;
        }
        let wrong = f64::from(cohort.wrong_lately).max(self.usual(Family::Wrong).mean());
        // neither tried again nor, if they did, succeeded
        let share = |feature: Feature| self.features.k[feature as usize] / self.features.n[feature as usize];
        let abandoned =
            share(Feature::Abandoned) + (1.0 - share(Feature::Abandoned)) * share(Feature::FailsAgain);
        let chance = poisson_tail(window.cards, (window.sessions * wrong * abandoned).max(0.02));
        let least = self.tuning.window.spray_cards + 2;
        // most of them at one terminal: that is asked there
        if window.cards < least
            || window.terminals.len() < 2
            || window.most * 4 > window.cards * 3
            || chance > self.tuning.window.chance
        {
            return false;
        }
        let spray = self.tuning.hypotheses.iter().find(|hypothesis| hypothesis.cause == Cause::PinSpray);
        let Some(spray) = spray.cloned() else { return false };
        let usual = self.usual_features(window.terminals[0], Expected::default());
        let ln = |feature| feature_ln(&spray, feature, &window.counts, &usual);
        let features =
            [Feature::Crossover, Feature::Known, Feature::Stripe, Feature::Small, Feature::Neighbour];
        let signs: f64 = features.iter().map(|feature| ln(*feature)).sum();
        if signs < self.tuning.alarm.firm {
            return false;
        }
        let minutes = self.now.since_ms(window.since) as f64 / 60_000.0;
        let k = |feature: Feature| window.counts.k[feature as usize];
        let n = |feature: Feature| window.counts.n[feature as usize];
        let evidence = vec![
            e::CARDS_IN_WINDOW
                .with(-chance.max(1e-30).ln(), [f64::from(window.cards), minutes, decades(chance)]),
            e::NO_SECOND_TRY.with(ln(Feature::Abandoned), [k(Feature::Abandoned), n(Feature::Abandoned)]),
            e::NEIGHBOURING_NUMBERS
                .with(ln(Feature::Neighbour), [k(Feature::Neighbour), n(Feature::Neighbour)]),
            e::READ_BY_STRIPE.with(ln(Feature::Stripe), [k(Feature::Stripe), n(Feature::Stripe)]),
            e::CARDS_WITHOUT_HISTORY
                .with(ln(Feature::Known), [n(Feature::Known) - k(Feature::Known), n(Feature::Known)]),
        ];
        let draft = Draft {
            cause: Cause::PinSpray,
            scope: super::cohort::scope_of(cohort.common),
            group: super::terminal::group_of(Cause::PinSpray),
            family: Some(Family::Wrong),
            terminal: None,
            onset: window.since,
            now: self.now,
            confidence: self.tuning.calibrated(crate::stats::logistic(signs)),
            second: Some(Cause::KeypadFault),
            status: Status::Open,
            evidence,
            sessions: window.cards,
            alarmed: true,
            bad: (f64::from(window.cards), window.sessions),
        };
        self.open_wide(draft, place, vec![Family::Wrong]);
        true
    }

    fn window_of(&self, place: Place) -> Option<Window> {
        let since = self.now.plus_ms(-self.tuning.window.minutes * 60_000);
        let mut window = Window {
            cards: 0,
            sessions: 0.0,
            terminals: Vec::new(),
            most: 0,
            since: self.now,
            counts: Counts::default(),
        };
        let mut cards: Vec<u32> = Vec::new();
        let mut at: Vec<Slot> = Vec::new();
        for (_, seen) in self.cohorts.marks_of(place).take_while(|(_, mark)| mark.at >= since) {
            if seen.counted & Family::Wrong.bit() == 0 {
                continue;
            }
            window.sessions += 1.0;
            if seen.signs & Family::Wrong.bit() == 0 || cards.contains(&seen.card) {
                continue;
            }
            let Some(session) = self.fleet[seen.terminal].session(seen.session) else { continue };
            let explained = self.fleet[seen.terminal].incidents[Group::Pin as usize] != 0;
            if session.has(mark::RIGHT) || explained {
                continue;
            }
            at.push(seen.terminal);
            cards.push(seen.card);
            window.cards += 1;
            window.since = seen.at;
            window.counts.add_session(session, true);
            if !window.terminals.contains(&seen.terminal) {
                window.terminals.push(seen.terminal);
            }
        }
        at.sort_unstable();
        window.most = at.chunk_by(|a, b| a == b).map(|same| same.len() as u32).max().unwrap_or(0);
        (window.cards > 0).then_some(window)
    }
}
