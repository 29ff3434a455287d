//! From a payment to its card session: is it a retry or a first entry, what does it show, what does it say about the place
//! where the card was before. Then the detectors are asked.

use model::{CardId, ReasonCode, Rrn, Stan, Timestamp, TransactionKey};

use crate::{
    Cause, Change, Diagnosis, Observation,
    card::{Card, Miss},
    cohort::{Common, Mark},
    fleet::{Group, Recent, Slot},
    observation::{Entry, Payment, PinSeen, Symbol, Telemetry},
    pace::{Off, Pace},
    refusal::{Later, Refusal},
    session::{Family, Outcome, Session, mark},
    stats::{logistic, logit},
};

const HOUR_MS: i64 = 3_600_000;
/// Nobody can begin and finish a payment anew in less.
const QUICK_MS: i64 = 10_000;

/// Hours between two moments; infinite when the first never was.
pub(crate) fn hours(from: Timestamp, to: Timestamp) -> f32 {
    if from.0 == i64::MIN { f32::INFINITY } else { to.since_ms(from) as f32 / HOUR_MS as f32 }
}

impl Diagnosis {
    pub(crate) fn payment(&mut self, observation: &Observation, payment: &Payment) {
        let slot = self.arrive(observation);
        let outcome = Outcome::of(payment);
        let double = self.double(slot, payment);
        let (number, is_new) = self.session_of(slot, observation, payment, outcome);
        self.told(slot, number, &payment.telemetry);
        if is_new {
            let stripe = matches!(payment.entry, Entry::Stripe | Entry::Fallback | Entry::Manual);
            self.crossed(slot, payment.card, outcome, stripe);
        }
        let refusal = self.note_refusal(slot, number, payment, outcome);
        self.follow_cash(slot, payment, outcome);
        self.follow_card(slot, number, payment, outcome, observation.at);
        if payment.locked && payment.try_charged {
            self.note_lock(payment.card);
        }
        self.travelled(slot, observation, payment, outcome);
        self.fleet[slot].runs.sign_in = 0;
        self.exact_rules(slot, observation, payment, outcome);
        let first = self.fleet[slot].session(number).map_or(0, |session| session.signs);
        let family = Family::of(outcome).filter(|family| is_new && first & family.bit() != 0);
        if let Some(family) = family {
            self.sign(slot, number, family);
        } else if let Some(refusal) = refusal {
            self.join_open(slot, number, refusal, payment, outcome);
        }
        if !is_new && outcome == Outcome::Wrong {
            self.reconsider(slot, number);
        }
        if let Some(after_ms) = double {
            if let Some(session) = self.fleet[slot].session_mut(number)
                && after_ms <= QUICK_MS
            {
                session.marks |= mark::QUICK;
            }
            self.sign(slot, number, Family::Duplicate);
        }
        if outcome != Outcome::Right {
            self.suspect_card(slot, payment, outcome);
        }
    }

    /// The same card, amount and kind again as a new payment, although the first was approved and not undone: how many
    /// milliseconds after it.
    fn double(&mut self, slot: Slot, payment: &Payment) -> Option<i64> {
        let within = self.tuning.window.duplicate_s * 1000;
        let now = self.now;
        let terminal = &mut self.fleet[slot];
        let approved = payment.code.is_approval();
        let moves_money = payment.kind.needs_amount() && !payment.kind.needs_original();
        let same = terminal.recent.iter().flatten().filter(|known| {
            known.card == payment.card
                && known.amount == payment.amount.0
                && known.stan != payment.stan
                && known.approved
                && !known.undone
                && now.since_ms(known.at) <= within
        });
        let found = same.map(|known| now.since_ms(known.at)).min().filter(|_| moves_money);
        if moves_money {
            terminal.recent[usize::from(terminal.recent_next)] = Some(Recent {
                card: payment.card,
                amount: payment.amount.0,
                at: now,
                stan: payment.stan,
                approved,
                undone: false,
            });
            terminal.recent_next = (terminal.recent_next + 1) % terminal.recent.len() as u8;
        }
        found.or((payment.reason == ReasonCode::DuplicateTrace).then_some(QUICK_MS + 1))
    }

    /// The card session that a payment belongs to, and whether it begins with it.
    fn session_of(
        &mut self,
        slot: Slot,
        observation: &Observation,
        payment: &Payment,
        outcome: Outcome,
    ) -> (u32, bool) {
        let (now, epoch) = (self.now, self.epoch);
        let retry_ms = self.tuning.sessions.retry_s * 1000;
        let card = self.cards.entry(payment.card, || Card::new(epoch));
        let known = card.last_right.0 != i64::MIN;
        if let Some((terminal, number)) = card.last
            && terminal == slot
            && now.since_ms(card.last_at) <= retry_ms
            && let Some(session) = self.fleet[slot].session_mut(number)
            && session.card == payment.card
        {
            session.entries = session.entries.saturating_add(u8::from(outcome.had_pin()));
            session.charged += u8::from(payment.try_charged);
            if outcome == Outcome::Right {
                session.marks |= mark::RIGHT;
            }
            return (number, false);
        }
        let bin = self.cohorts.place(Common::Bin(payment.bin), &self.tuning);
        let zone = self.cohorts.place(Common::Zone(payment.zone), &self.tuning);
        let session = self.new_session(slot, observation.at, payment, outcome, (known, bin));
        let number = self.push_session(slot, session, (zone, bin));
        self.count_first_entry(slot, number, outcome);
        (number, true)
    }

    /// A session takes its place at its terminal and with its cohorts; the one before it has settled.
    pub(crate) fn push_session(&mut self, slot: Slot, session: Session, (zone, bin): (u32, u32)) -> u32 {
        let terminal = &mut self.fleet[slot];
        let previous = terminal.next().wrapping_sub(1);
        let [instance, network, firmware, merchant] = terminal.cohorts;
        let id = &session.card.0;
        let mark = Mark {
            at: self.now,
            terminal: slot,
            session: terminal.next(),
            card: u32::from_le_bytes([id[0], id[1], id[2], id[3]]),
            cohorts: [instance, zone, network, firmware, bin, merchant],
            signs: session.signs,
            counted: session.counted,
        };
        let shared = self.cohorts.push(mark, &self.tuning);
        let number = terminal.push(Session { shared, ..session }, self.tuning.limits.sessions_per_terminal);
        self.settled(slot, previous);
        number
    }

    fn new_session(
        &self,
        slot: Slot,
        at: Timestamp,
        payment: &Payment,
        outcome: Outcome,
        (known, bin): (bool, u32),
    ) -> Session {
        let terminal = &self.fleet[slot];
        let mut marks = 0;
        let mut set = |bit, yes: bool| marks |= if yes { bit } else { 0 };
        set(mark::RIGHT, outcome == Outcome::Right);
        set(mark::KNOWN, known);
        set(mark::STRIPE, matches!(payment.entry, Entry::Stripe | Entry::Fallback | Entry::Manual));
        set(mark::PROVEN, payment.pin == PinSeen::Mismatch);
        set(mark::SMALL, payment.amount.0 <= self.tuning.window.small_minor);
        let family = Family::of(outcome);
        if matches!(outcome, Outcome::Wrong | Outcome::Dead) {
            let near = self.tuning.window.neighbour;
            let is_near = terminal.open_sessions().take(8).any(|(_, other)| {
                other.bin == payment.bin
                    && other.card != payment.card
                    && other.last_four.abs_diff(payment.last_four) <= near
                    && (other.shows(Family::Wrong) || other.shows(Family::Dead))
            });
            set(mark::NEIGHBOUR, is_near);
        }
        // a dead card by chip and with a usual amount is a card that expired; a number that is tried is typed, or costs little
        let ordinary = outcome == Outcome::Dead
            && matches!(payment.entry, Entry::Chip | Entry::Contactless)
            && payment.amount.0 > self.tuning.window.small_minor;
        let family = family.filter(|_| !ordinary);
        Session {
            at,
            card: payment.card,
            bin: payment.bin,
            last_four: payment.last_four,
            zone: payment.zone,
            first: outcome,
            signs: family.map_or(0, Family::bit),
            counted: Family::denominators(outcome),
            explained: 0,
            marks,
            entries: u8::from(outcome.had_pin()),
            charged: u8::from(payment.try_charged),
            usual: self.usual_wrong(slot, bin) as f32,
            usual_fail: self.usual_fail(bin) as f32,
            took: [0.0; Pace::COUNT],
            off: [Off::default(); Pace::COUNT],
            refusals: [0; Session::REFUSALS],
            refused: 0,
            refused_minor: 0,
            shared: 0,
        }
    }

    /// The share of wrong first entries to expect: the terminal's own, raised by as much as cards of this bank number are
    /// wrong more often than usual everywhere (new PINs mailed, a longer PIN): risk adjustment after Steiner et al. 2000.
    fn usual_wrong(&self, slot: Slot, bin: u32) -> f64 {
        /// At most this much on the log odds: a bank that is wrong eight times as often as usual.
        const MOST: f64 = 2.1;
        let own = self.usual_at(&self.fleet[slot], Family::Wrong).mean();
        let fleet = self.usual(Family::Wrong).mean();
        let lately = self.cohorts.get(bin).map_or(fleet, |bin| f64::from(bin.wrong_lately));
        let more = (logit(lately) - logit(fleet)).clamp(0.0, MOST);
        let firmware = self.cohorts.get(self.fleet[slot].cohorts[2]);
        let version = firmware
            .and_then(|firmware| self.register.get(firmware.incidents[Family::Wrong as usize]))
            .map_or(0.0, |held| held.bad.0 / held.bad.1.max(1.0));
        logistic(logit(own) + more).max(version)
    }

    /// The share of second entries that are wrong, too: of those who have forgotten the PIN all, of the others few.
    fn usual_fail(&self, bin: u32) -> f64 {
        let priors = &self.tuning.verdict;
        let recovers = self.cohorts.get(bin).map_or(priors.recovers, |bin| f64::from(bin.recovers_lately));
        let forgets = (1.0 - recovers / priors.recovers).clamp(0.05, 0.9);
        forgets + (1.0 - forgets) * priors.slips_again
    }

    /// Bernoulli CUSUM of first entries, and the moving share of the card's bank number.
    fn count_first_entry(&mut self, slot: Slot, number: u32, outcome: Outcome) {
        let wrong = match outcome {
            Outcome::Right => false,
            Outcome::Wrong => true,
            _ => return,
        };
        let terminal = &mut self.fleet[slot];
        let Some(session) = terminal.session(number) else { return };
        let (usual, shared) = (f64::from(session.usual), session.shared);
        // three times as bad as usual at least: a terminal that is always a little worse is no fault
        let tuned = self.tuning.alarm.cusum_p1.max((usual * 3.0).min(0.6));
        let step = if wrong { (tuned / usual).ln() } else { ((1.0 - tuned) / (1.0 - usual)).ln() };
        if terminal.cusum <= 0.0 {
            terminal.cusum_onset = number;
        }
        terminal.cusum = (terminal.cusum + step as f32).max(0.0);
        if terminal.cusum < Self::SUSPICIOUS {
            let bin = self.cohorts.mark(shared).map_or(0, |mark| mark.cohorts[Common::BIN]);
            if let Some(bin) = self.cohorts.get_mut(bin) {
                let target = if wrong { 1.0 } else { 0.0 };
                bin.wrong_lately += (target - bin.wrong_lately) / 300.0;
            }
        }
    }

    /// The card was somewhere else before, and its session there waits for what happens here.
    fn crossed(&mut self, slot: Slot, card: CardId, outcome: Outcome, stripe: bool) {
        let within = self.tuning.sessions.crossover_h * HOUR_MS;
        let now = self.now;
        let Some(card) = self.cards.get_mut(&card) else { return };
        let Some((before, number, at)) = card.waiting else { return };
        if before == slot || !matches!(outcome, Outcome::Right | Outcome::Wrong) {
            return;
        }
        card.waiting = None;
        if now.since_ms(at) > within {
            return;
        }
        let bit = if outcome == Outcome::Right { mark::CROSSED_RIGHT } else { mark::CROSSED_WRONG };
        if let Some(session) = self.fleet[before].session_mut(number) {
            // a copied stripe there and the chip here are two people
            if session.has(mark::STRIPE) && !stripe {
                return;
            }
            session.marks |= bit;
            self.revisit(before, Group::Pin);
        }
    }

    /// Remembers a refusal, to be judged when somebody asks.
    fn note_refusal(&mut self, slot: Slot, number: u32, payment: &Payment, outcome: Outcome) -> Option<u32> {
        if payment.code.is_approval() || payment.reason == ReasonCode::Approved {
            return None;
        }
        let now = self.now;
        let card = self.cards.get(&payment.card)?;
        let day = |miss: &&Miss| now.since_ms(miss.at) <= 24 * HOUR_MS;
        let counted = payment.try_charged || outcome == Outcome::Wrong;
        let lately: Vec<&Miss> = card.misses.iter().filter(day).collect();
        let mut terminals: Vec<Slot> = lately.iter().map(|miss| miss.terminal).collect();
        terminals.push(slot);
        terminals.sort_unstable();
        terminals.dedup();
        let slow = self.fleet[slot].session(number).is_some_and(|session| session.has(mark::SLOW));
        let refusal = Refusal {
            rrn: payment.rrn,
            at: now,
            terminal: slot,
            reason: payment.reason,
            outcome,
            limit: payment.tries.1,
            nth: (lately.len() + usize::from(counted)).min(255) as u8,
            terminals: terminals.len() as u8,
            minutes: lately.first().map_or(0.0, |miss| now.since_ms(miss.at) as f32 / 60_000.0),
            since_miss_h: card.misses.last().map_or(f32::INFINITY, |miss| hours(miss.at, now)),
            since_use_h: hours(card.last_at, now),
            since_pin_h: hours(card.pin_new, now),
            slow,
            forgets: self.forgets(slot, number),
            later: Later::Nothing,
            incident: 0,
            said: Cause::Ordinary,
            revised: (0, now),
        };
        let place = self.remember(refusal);
        if let Some(session) = self.fleet[slot].session_mut(number) {
            if let Some(free) = session.refusals.iter_mut().find(|known| **known == 0) {
                *free = place;
            }
            session.refused = session.refused.saturating_add(1);
            session.refused_minor = session.refused_minor.saturating_add(payment.amount.0);
        }
        Some(place)
    }

    /// The share of wrong first entries whose holders have forgotten the PIN, at this card's bank, lately.
    fn forgets(&self, slot: Slot, number: u32) -> f32 {
        let priors = &self.tuning.verdict;
        let bin = self.fleet[slot].session(number).and_then(|session| self.cohorts.mark(session.shared));
        let bin = bin.and_then(|mark| self.cohorts.get(mark.cohorts[Common::BIN]));
        bin.map_or(priors.wrong_forgotten as f32, |bin| {
            (1.0 - bin.recovers_lately / priors.recovers as f32).clamp(0.05, 0.9)
        })
    }

    fn remember(&mut self, mut refusal: Refusal) -> u32 {
        refusal.said = refusal.verdict(&self.tuning, None).cause;
        self.refusals.push(refusal, self.tuning.limits.refusals)
    }

    /// What the card remembers of this attempt; and what this attempt says about the refusals before it.
    fn follow_card(&mut self, slot: Slot, number: u32, payment: &Payment, outcome: Outcome, at: Timestamp) {
        let limit = self.tuning.limits.places_per_card;
        let Some(card) = self.cards.get_mut(&payment.card) else { return };
        let first = card.last != Some((slot, number));
        let earlier = std::mem::take(&mut card.refusals);
        match outcome {
            Outcome::Right => {
                card.last_right = at;
                card.rights = card.rights.saturating_add(1);
                if card.waiting.is_some_and(|(terminal, _, _)| terminal == slot) {
                    card.waiting = None;
                }
                let new = card.visited(slot, at, true, limit);
                self.fleet[slot].visitors += u32::from(new);
            }
            Outcome::Wrong => {
                let stripe = matches!(payment.entry, Entry::Stripe | Entry::Fallback | Entry::Manual);
                let version = self.fleet[slot].cohorts[2];
                card.missed(Miss { terminal: slot, at, first, version, stripe });
                card.waiting = Some((slot, number, at));
                let new = card.visited(slot, at, false, limit);
                self.fleet[slot].visitors += u32::from(new);
            }
            Outcome::Unreadable => card.waiting = Some((slot, number, at)),
            _ => {}
        }
        let later = match outcome {
            Outcome::Right => Some(true),
            Outcome::Wrong => Some(false),
            _ => None,
        };
        if later != Some(true) {
            card.refusals = earlier;
            if matches!(outcome, Outcome::Wrong) || payment.reason == ReasonCode::PinTriesExceeded {
                let place = self.fleet[slot]
                    .session(number)
                    .and_then(|session| session.refusals.iter().rev().copied().find(|known| *known != 0));
                card.refusals.rotate_left(1);
                if let (Some(place), Some(last)) = (place, card.refusals.last_mut()) {
                    *last = place;
                }
            }
        }
        card.last = Some((slot, number));
        card.last_at = at;
        card.chip |= matches!(payment.entry, Entry::Chip | Entry::Contactless);
        if let Some(right) = later {
            for place in earlier.into_iter().filter(|place| *place != 0) {
                self.learnt_later(place, slot, right);
            }
        }
    }

    /// The card of an earlier refusal was right or wrong again.
    fn learnt_later(&mut self, place: u32, slot: Slot, right: bool) {
        let now = self.now;
        let Some(refusal) = self.refusals.get_mut(place) else { return };
        let seconds = now.since_ms(refusal.at) as f64 / 1000.0;
        refusal.later = match (right, refusal.terminal == slot) {
            (true, true) if seconds <= self.tuning.sessions.soon_s as f64 => Later::RightHere(seconds),
            // hours later the PIN may have been looked up
            (true, _) if seconds <= 3600.0 && refusal.later != Later::WrongAgain => Later::RightElsewhere,
            (true, _) => return,
            (false, _) if seconds <= 86_400.0 => Later::WrongAgain,
            (false, _) => return,
        };
        self.rejudge(place);
    }

    /// Says so if the verdict about a refusal is another one now.
    pub(crate) fn rejudge(&mut self, place: u32) {
        let now = self.now;
        let Some(refusal) = self.refusals.get(place) else { return };
        let verdict =
            refusal.verdict(&self.tuning, self.register.get(refusal.incident).map(|held| &held.incident));
        let Some(refusal) = self.refusals.get_mut(place) else { return };
        if refusal.said != verdict.cause {
            refusal.said = verdict.cause;
            refusal.revised = (refusal.revised.0 + 1, now);
            self.register.tell(Change::Verdict(refusal.rrn));
        }
    }

    /// The terminal undid a payment: an answer was lost.
    pub(crate) fn reversal(
        &mut self,
        observation: &Observation,
        original: &TransactionKey,
        card: Option<CardId>,
    ) {
        let slot = self.arrive(observation);
        let terminal = &mut self.fleet[slot];
        for known in terminal.recent.iter_mut().flatten() {
            if known.stan == original.stan {
                known.undone = true;
            }
        }
        self.lost(slot, card);
    }

    /// The same request again: an answer was lost, or late.
    pub(crate) fn repeat(&mut self, observation: &Observation, key: &TransactionKey) {
        let slot = self.arrive(observation);
        let card = self.card_of(slot, key.stan);
        self.lost(slot, card);
    }

    fn card_of(&self, slot: Slot, stan: Stan) -> Option<CardId> {
        self.fleet[slot].recent.iter().flatten().find(|known| known.stan == stan).map(|known| known.card)
    }

    /// A message was lost about one of the last sessions: of this card, or the last.
    fn lost(&mut self, slot: Slot, card: Option<CardId>) {
        let terminal = &self.fleet[slot];
        let number = terminal
            .open_sessions()
            .take(6)
            .find(|(_, session)| card.is_none_or(|card| session.card == card))
            .map(|(number, _)| number);
        if let Some(number) = number {
            self.sign(slot, number, Family::Lost);
        }
    }

    /// An issuer was silent.
    pub(crate) fn issuer_silent(&mut self, observation: &Observation, zone: Symbol, key: &TransactionKey) {
        let slot = self.arrive(observation);
        let card = self.card_of(slot, key.stan);
        let number = self.fleet[slot]
            .open_sessions()
            .take(6)
            .find(|(_, session)| session.zone == zone && card.is_none_or(|card| session.card == card))
            .map(|(number, _)| number);
        if let Some(number) = number {
            self.sign(slot, number, Family::Silent);
        }
    }

    /// What the terminal told about itself, with its last session or alone.
    pub(crate) fn told(&mut self, slot: Slot, number: u32, telemetry: &Telemetry) {
        if *telemetry == Telemetry::default() {
            return;
        }
        self.timed(slot, number, telemetry);
        let terminal = &mut self.fleet[slot];
        let mut marks = 0;
        if let Some(ms) = telemetry.pin_entry_ms {
            marks |= mark::TIMED | if slow(&mut terminal.entry_ln_ms, ms, 2.5) { mark::SLOW } else { 0 };
        }
        let line_is_slow = telemetry.rtt_ms.is_some_and(|ms| slow(&mut terminal.line_ln_ms, ms, 4.0));
        if line_is_slow {
            marks |= mark::SLOW_LINE;
        }
        if let Some(session) = terminal.session_mut(number) {
            session.marks |= marks;
        }
        if telemetry.cancels > 0 || telemetry.entry_timeouts > 0 {
            self.sign(slot, number, Family::Cancel);
        }
        if telemetry.no_answers > 0 || telemetry.reconnects > 0 || line_is_slow {
            self.sign(slot, number, Family::Lost);
        }
    }
}

/// Is a duration so many times as long as usual? What is usual is a moving mean of logarithms; a long one moves it little.
fn slow(usual_ln: &mut f32, ms: u32, times: f32) -> bool {
    let ln = (ms.max(1) as f32).ln();
    if *usual_ln == 0.0 {
        *usual_ln = ln;
        return false;
    }
    let off = ln - *usual_ln;
    *usual_ln += off.clamp(-0.5, 0.5) / 16.0;
    off > times.ln()
}

/// A refusal without a card: before any was touched.
impl Diagnosis {
    pub(crate) fn note_early_refusal(&mut self, slot: Slot, reason: ReasonCode, rrn: Rrn) -> u32 {
        let now = self.now;
        let outcome = match reason {
            ReasonCode::SecurityModuleAway | ReasonCode::StoreAway | ReasonCode::Overloaded => {
                Outcome::ModuleAway
            }
            ReasonCode::KeyFault => Outcome::KeyFault,
            ReasonCode::KsnReplayed => Outcome::Replayed,
            _ => Outcome::Plain,
        };
        self.remember(Refusal {
            rrn,
            at: now,
            terminal: slot,
            reason,
            outcome,
            limit: 0,
            nth: 0,
            terminals: 1,
            minutes: 0.0,
            since_miss_h: f32::INFINITY,
            since_use_h: f32::INFINITY,
            since_pin_h: f32::INFINITY,
            slow: false,
            forgets: 0.0,
            later: Later::Nothing,
            incident: 0,
            said: Cause::Ordinary,
            revised: (0, now),
        })
    }
}
