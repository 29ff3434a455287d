//! What people and terminals do with an answer, and what the referee notes about a refusal.

use authorization::{Effect, desk::Action};
use diagnosis::Cause;
use model::ReasonCode;
use store::{Entry, Event, Subject};

use super::{
    player::{Answer, Attempt, Later, Player, Touched},
    record::{Locked, Refusal},
};
use crate::day::{Deed, HOUR_MS, MINUTE_MS, Mechanism, Visit, Who};

/// People go to so many other shops with the same purpose.
const ELSEWHERE_MOST: u32 = 2;

impl Player {
    pub(super) fn react(
        &mut self,
        at: i64,
        attempt: Attempt,
        answer: Answer,
        touched: Touched,
    ) -> anyhow::Result<()> {
        if attempt.copied {
            return Ok(());
        }
        match (attempt.visit.who, answer) {
            (_, Answer::Code([b'0', b'0'])) => self.approved(at, attempt, touched),
            (_, Answer::Code([b'7', b'7'] | [b'A', b'0'])) => {
                // The terminal signs in again, and the cashier begins anew.
                self.later(at + 3_000, Later::SignIn(attempt.visit.terminal));
                self.again(at + 9_000, attempt);
            }
            (Who::Holder { .. }, Answer::Silence) => {
                self.labels.lost_payments += 1;
                if attempt.number < 3 && self.chance.happens(0.75) {
                    self.again(at + 75_000, attempt);
                } else {
                    self.elsewhere(at, attempt);
                }
            }
            (Who::Holder { .. }, Answer::NotSent) if attempt.number < 3 => self.again(at + 18_000, attempt),
            (Who::Holder { forgot, .. }, Answer::Code(code)) => self.refused(at, attempt, code, forgot),
            (_, Answer::NotSent | Answer::Silence | Answer::Code(_)) => {}
        }
        Ok(())
    }

    fn approved(&mut self, at: i64, attempt: Attempt, _: Touched) {
        let visit = attempt.visit;
        let truths = self.labels.day.truths.iter().filter(|truth| {
            truth.mechanism == Mechanism::Duplicate
                && truth.is_on(at)
                && truth.terminals.contains(&visit.terminal)
        });
        let repeats = truths.map(|truth| truth.strength).next();
        if let Some(strength) = repeats
            && self.chance.happens(strength)
        {
            let after = self.chance.between(1_500.0, 5_000.0) as i64;
            self.later(at + after, Later::Try(Attempt { copied: true, ..attempt }));
        }
        if self.chance.happens(self.normal.buys_twice) {
            let after = self.chance.between(30_000.0, 400_000.0) as i64;
            self.again(at + after, Attempt { number: 0, ..attempt });
        }
    }

    fn refused(&mut self, at: i64, attempt: Attempt, code: [u8; 2], forgot: bool) {
        match &code {
            b"75" | b"38" => self.locked(at, attempt),
            // No money, no such card, a date: another try changes nothing.
            b"51" | b"14" | b"54" | b"62" | b"61" | b"57" | b"03" => {}
            _ => {
                let again = match attempt.number {
                    1 => self.normal.tries_again,
                    2 if forgot => 0.5,
                    2 => self.normal.tries_a_third_time,
                    _ => 0.0,
                };
                if self.chance.happens(again) {
                    let pause = self.chance.between(14_000.0, 45_000.0) as i64;
                    self.again(at + pause, attempt);
                } else {
                    self.elsewhere(at, attempt);
                }
            }
        }
    }

    /// The same person at the same terminal.
    fn again(&mut self, at: i64, attempt: Attempt) {
        self.later(at, Later::Try(Attempt { number: attempt.number + 1, ..attempt }));
    }

    /// The same person at another shop in town.
    fn elsewhere(&mut self, at: i64, attempt: Attempt) {
        if attempt.visits >= ELSEWHERE_MOST || !self.chance.happens(self.normal.goes_elsewhere) {
            return;
        }
        let fleet = &self.labels.day.fleet;
        let here = attempt.visit.terminal;
        let city = fleet.merchant_of(here).city;
        let mut terminal = here;
        for _ in 0..8 {
            terminal = fleet.terminal_in(city, &mut self.chance);
            if fleet.terminals[terminal as usize].merchant != fleet.terminals[here as usize].merchant {
                break;
            }
        }
        let pause = self.chance.between(6.0, 60.0) * MINUTE_MS as f64;
        let who = match attempt.visit.who {
            Who::Holder { forgot, .. } => Who::Holder { slips: false, forgot },
            other => other,
        };
        let visit = Visit { terminal, who, truth: None, ..attempt.visit };
        let next = Attempt { visit, number: 1, visits: attempt.visits + 1, copied: false };
        self.later(at + pause as i64, Later::Try(next));
    }

    /// Some call the desk, have the lock released and pay; some try again.
    fn locked(&mut self, at: i64, attempt: Attempt) {
        let visit = attempt.visit;
        if self.chance.happens(self.normal.calls_the_desk) {
            let agent = self.chance.below(self.labels.day.fleet.agents.len());
            let released = at + (self.chance.between(15.0, 150.0) * MINUTE_MS as f64) as i64;
            let card = visit.card;
            self.later(released, Later::Deed(Deed::Desk { card, action: Action::Unlock, agent }));
            let who = Who::Holder { slips: false, forgot: false };
            let again = released + (self.chance.between(5.0, 60.0) * MINUTE_MS as f64) as i64;
            self.later(again, Later::Deed(Deed::Visit(Visit { who, truth: None, ..visit })));
        } else if attempt.visits < ELSEWHERE_MOST && self.chance.happens(0.4) {
            let again = at + (self.chance.between(0.3, 3.0) * HOUR_MS as f64) as i64;
            let next = Attempt { number: 1, visits: attempt.visits + 1, ..attempt };
            self.later(again, Later::Try(next));
        }
    }

    /// The referee: why was it refused, really?
    pub(super) fn judge(&mut self, visit: Visit, entry: &Entry, touched: Touched) {
        let (reason, rrn) = match &entry.event {
            Event::Transaction(transaction) => {
                let locks = transaction.effects.iter().any(|effect| matches!(effect, Effect::Lock { .. }));
                let charged =
                    transaction.effects.iter().any(|effect| matches!(effect, Effect::CountTry { .. }));
                self.note_tries(visit.card, entry, touched, charged, locks, transaction.reason);
                (transaction.reason, Some(transaction.rrn))
            }
            Event::Terminal(event) => (event.reason, event.rrn),
            Event::Desk(_) | Event::Upstream(_) => return,
        };
        let is_refusal =
            !matches!(reason, ReasonCode::Approved | ReasonCode::Reversed | ReasonCode::StaffAction);
        let Some(rrn) = rrn.filter(|_| is_refusal) else { return };
        let (cause, truth) = self.cause(visit, reason, touched);
        let seen = self.seen();
        self.labels.refusals.push(Refusal { rrn, cause, truth, seen });
    }

    fn note_tries(
        &mut self,
        card: u32,
        entry: &Entry,
        touched: Touched,
        charged: bool,
        locks: bool,
        reason: ReasonCode,
    ) {
        if reason == ReasonCode::Approved {
            self.harmed.remove(&card);
        }
        if charged
            && touched.right
            && let Some(fault) = touched.by
        {
            let first = self.harmed.get(&card).filter(|(known, _)| *known == fault).map(|(_, at)| *at);
            self.harmed.insert(card, (fault, first.unwrap_or(entry.at.0)));
        }
        if locks && let Subject::Card(id) = entry.subject {
            let (fault, at) = self.harmed.get(&card).copied().unzip();
            let at = at.unwrap_or(entry.at.0);
            self.labels.locks.push(Locked { card: id, fault, at, seen: self.seen() });
        }
    }

    fn cause(&self, visit: Visit, reason: ReasonCode, touched: Touched) -> (Cause, Option<u16>) {
        let of = |truth: u16| (self.labels.day.cause(truth), Some(truth));
        let wrong_pin = || match (visit.truth, touched.by, visit.who) {
            (Some(truth), _, _) => of(truth),
            (None, Some(fault), _) if touched.right => of(fault),
            (None, _, Who::Holder { forgot: true, .. }) => (Cause::Forgotten, None),
            (None, _, _) => (Cause::Mistyped, None),
        };
        match reason {
            ReasonCode::CardLocked => (Cause::Locked, None),
            ReasonCode::IssuerTriesExceeded if touched.right && touched.by.is_none() => (Cause::Locked, None),
            ReasonCode::WrongPin
            | ReasonCode::PinTriesExceeded
            | ReasonCode::IssuerWrongPin
            | ReasonCode::IssuerTriesExceeded => wrong_pin(),
            ReasonCode::SignInRequired | ReasonCode::MacInvalid | ReasonCode::BatchMismatch => {
                (Cause::SignInMissing, None)
            }
            ReasonCode::PinBlockUnreadable
            | ReasonCode::KeyFault
            | ReasonCode::SecurityModuleAway
            | ReasonCode::KsnReplayed
            | ReasonCode::IssuerKeyFault
            | ReasonCode::UnknownMerchant => touched.by.or(visit.truth).map_or((Cause::Ordinary, None), of),
            _ => visit.truth.map_or((Cause::Ordinary, None), of),
        }
    }
}
