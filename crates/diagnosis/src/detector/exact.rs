//! Rules that need no statistics: a key serial number that comes again, a clock that is off, a message that is not as
//! registered, a terminal that says it stands elsewhere, requests before a sign-in, wrong message authentication codes in a
//! row. A rule wants its sign a few times, so that one odd message is no incident, and an incident ends when the sign stays away.

use model::{MerchantId, ReasonCode, Rrn};

use crate::{
    Cause, Diagnosis, Evidence, Observation, Scope, Status,
    card::kilometres,
    evidence as e,
    fleet::{Group, Slot},
    observation::Payment,
    pace::{Off, Pace},
    register::Draft,
    session::{Family, Outcome, Session},
};

impl Diagnosis {
    /// The rules that look at each payment.
    pub(crate) fn exact_rules(
        &mut self,
        slot: Slot,
        observation: &Observation,
        payment: &Payment,
        outcome: Outcome,
    ) {
        self.fleet[slot].runs.mac = 0;
        if outcome == Outcome::Replayed {
            self.replayed(slot, Some(payment));
        }
        if let Some(drift_s) = payment.drift_s {
            self.drifted(slot, drift_s);
        }
        self.registered(slot, payment);
        self.placed(slot, observation);
    }

    fn replayed(&mut self, slot: Slot, payment: Option<&Payment>) {
        let runs = &mut self.fleet[slot].runs;
        runs.replayed = runs.replayed.saturating_add(1);
        let times = runs.replayed;
        if times >= self.tuning.exact.ksn {
            let confidence = if times == 1 { 0.9 } else { 0.98 };
            let evidence = vec![e::KSN_AGAIN.with(3.0 + 2.0 * f64::from(times), [f64::from(times)])];
            self.rule(slot, Cause::KsnReplay, confidence, times, evidence);
            if let Some(payment) = payment {
                self.belongs(slot, Group::Serial, payment);
            }
        }
    }

    fn drifted(&mut self, slot: Slot, drift_s: i32) {
        let off = drift_s.unsigned_abs() > self.tuning.exact.drift_s.unsigned_abs();
        // when half of all clocks are off, it is ours
        let target = if off { 1.0 } else { 0.0 };
        self.clocks_off += (target - self.clocks_off) / 64.0;
        let runs = &mut self.fleet[slot].runs;
        runs.drift = if off { runs.drift.saturating_add(1) } else { 0 };
        let run = runs.drift;
        if run >= self.tuning.exact.drift_messages && self.clocks_off < 0.5 {
            let evidence = vec![e::CLOCK_OFF.with(8.0, [f64::from(drift_s), f64::from(run)])];
            self.rule(slot, Cause::ClockDrift, 0.98, run, evidence);
        } else if !off {
            self.rule_over(slot, Group::Clock);
        }
    }

    fn registered(&mut self, slot: Slot, payment: &Payment) {
        let category = matches!((payment.category_sent, payment.category_registered),
            (Some(sent), Some(registered)) if sent != registered);
        let differs = payment.merchant_sent.is_some() || payment.name_differs || category;
        self.not_registered(slot, differs, payment.merchant_sent);
        if differs {
            self.belongs(slot, Group::Registration, payment);
        }
    }

    fn not_registered(&mut self, slot: Slot, differs: bool, sent: Option<MerchantId>) {
        let runs = &mut self.fleet[slot].runs;
        runs.registration = runs.registration << 1 | u32::from(differs);
        if let Some(sent) = sent {
            let short = short_hash(&sent);
            if !runs.merchants.contains(&short) {
                runs.merchants.rotate_right(1);
                runs.merchants[0] = short;
            }
        }
        let (times, merchants) =
            (runs.registration.count_ones(), runs.merchants.iter().filter(|m| **m != 0).count());
        let limits = &self.tuning.exact;
        if differs && (times >= limits.registration_messages || merchants >= limits.merchants) {
            let evidence = vec![e::NOT_AS_REGISTERED.with(9.0, [f64::from(times), 32.0, merchants as f64])];
            self.rule(slot, Cause::CodeJumping, 0.97, times, evidence);
        } else if times == 0 {
            self.rule_over(slot, Group::Registration);
        }
    }

    fn placed(&mut self, slot: Slot, observation: &Observation) {
        let device = &observation.device;
        let (Some(position), Some(registered)) = (device.position, device.registered) else { return };
        let km = kilometres(position, registered);
        let away = km > self.tuning.exact.away_km;
        let runs = &mut self.fleet[slot].runs;
        runs.away = runs.away << 1 | u8::from(away);
        let times = runs.away.count_ones();
        if away && times >= self.tuning.exact.away_messages {
            let evidence = vec![e::AWAY_FROM_PLACE.with(9.0, [km, f64::from(times), 8.0])];
            self.rule(slot, Cause::MovedTerminal, 0.96, times, evidence);
        } else if times == 0 {
            self.rule_over(slot, Group::Place);
        }
    }

    /// Refused before any card was touched.
    pub(crate) fn refused_early(
        &mut self,
        observation: &Observation,
        reason: ReasonCode,
        rrn: Option<Rrn>,
        merchant_sent: MerchantId,
        drift_s: Option<i32>,
    ) {
        let slot = self.arrive(observation);
        let refusal = rrn.map(|rrn| self.note_early_refusal(slot, reason, rrn));
        if let Some(drift_s) = drift_s {
            self.drifted(slot, drift_s);
        }
        let group = match reason {
            ReasonCode::MacInvalid => {
                self.mac_wrong(slot);
                Group::Pin
            }
            ReasonCode::SignInRequired => {
                self.sign_in_missing(slot);
                Group::SignIn
            }
            ReasonCode::UnknownMerchant => {
                self.not_registered(slot, true, Some(merchant_sent));
                Group::Registration
            }
            ReasonCode::KsnReplayed => {
                self.replayed(slot, None);
                Group::Serial
            }
            ReasonCode::SecurityModuleAway | ReasonCode::KeyFault | ReasonCode::StoreAway => {
                self.module_away(slot, refusal);
                return;
            }
            _ => return,
        };
        let id = match self.fleet[slot].incidents[group as usize] {
            // a wrong code by a terminal whose clock is off
            0 if reason == ReasonCode::MacInvalid => self.fleet[slot].incidents[Group::Clock as usize],
            id => id,
        };
        if let (Some(place), Some(held)) = (refusal, self.register.get_mut(id)) {
            held.incident.last_seen = held.incident.last_seen.max(self.now);
            held.incident.refused.0 = held.incident.refused.0.saturating_add(1);
            let cause = held.incident.cause;
            self.attach(place, id, Some(cause));
        }
    }

    fn mac_wrong(&mut self, slot: Slot) {
        let runs = &mut self.fleet[slot].runs;
        runs.mac = runs.mac.saturating_add(1);
        let (run, drift) = (runs.mac, runs.drift);
        if run >= self.tuning.exact.mac_messages && drift == 0 {
            let evidence = vec![e::MAC_ERRORS_IN_A_ROW.with(4.0 + f64::from(run), [f64::from(run)])];
            self.rule(slot, Cause::WrongTerminalKey, 0.9, run, evidence);
        }
    }

    fn sign_in_missing(&mut self, slot: Slot) {
        let runs = &mut self.fleet[slot].runs;
        runs.sign_in = runs.sign_in.saturating_add(1);
        let run = runs.sign_in;
        if run >= self.tuning.exact.sign_in_messages {
            let evidence = vec![e::NOT_SIGNED_IN.with(6.0, [f64::from(run)])];
            self.rule(slot, Cause::SignInMissing, 0.97, run, evidence);
        }
    }

    /// No card, but a sign about the module: it is counted like a session of its own, so that instances can be compared.
    fn module_away(&mut self, slot: Slot, refusal: Option<u32>) {
        let session = Session {
            at: self.now,
            card: model::CardId([0; 16]),
            bin: 0,
            last_four: 0,
            zone: crate::observation::Symbol::UNKNOWN,
            first: Outcome::ModuleAway,
            signs: Family::Key.bit(),
            counted: Family::Key.bit(),
            explained: 0,
            marks: 0,
            entries: 0,
            charged: 0,
            usual: 0.0,
            took: [0.0; Pace::COUNT],
            off: [Off::default(); Pace::COUNT],
            usual_fail: 0.0,
            refusals: [refusal.unwrap_or(0), 0, 0, 0],
            refused: u8::from(refusal.is_some()),
            refused_minor: 0,
            shared: 0,
        };
        let number = self.push_session(slot, session, (0, 0));
        self.sign(slot, number, Family::Key);
    }

    /// An incident by a rule: opened once, then kept up to date.
    fn rule(&mut self, slot: Slot, cause: Cause, confidence: f64, times: u32, evidence: Vec<Evidence>) {
        let group = super::terminal::group_of(cause);
        let id = self.fleet[slot].incidents[group as usize];
        if let Some(held) = self.register.get_mut(id) {
            held.incident.last_seen = self.now;
            if held.incident.cause == cause {
                held.incident.confidence = held.incident.confidence.max(confidence as f32);
                held.explain(evidence);
            }
            return;
        }
        let draft = Draft {
            cause,
            scope: Scope::Terminal(self.fleet[slot].id),
            group,
            family: None,
            terminal: Some(slot),
            onset: self.now,
            now: self.now,
            confidence: self.tuning.calibrated(confidence),
            second: None,
            status: Status::Open,
            evidence,
            sessions: times,
            alarmed: true,
            bad: (1.0, 1.0),
        };
        let id = self.open_or_reopen(draft);
        self.fleet[slot].incidents[group as usize] = id;
    }

    /// The sign of a rule stayed away.
    fn rule_over(&mut self, slot: Slot, group: Group) {
        let id = self.fleet[slot].incidents[group as usize];
        if id != 0 {
            self.end(id, Status::Over);
        }
    }

    /// A payment that is part of a rule's incident.
    fn belongs(&mut self, slot: Slot, group: Group, payment: &Payment) {
        let id = self.fleet[slot].incidents[group as usize];
        let limit = self.tuning.limits.cards_per_incident;
        let refused = (!payment.code.is_approval()).then_some(payment.amount.0);
        self.register.count_payment(id, payment.card, refused, payment.try_charged, self.now, limit);
    }
}

fn short_hash(merchant: &MerchantId) -> u32 {
    merchant
        .as_bytes()
        .iter()
        .fold(0x811C_9DC5, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}
