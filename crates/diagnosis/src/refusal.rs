//! The refusals that are remembered, each with what was known when it was given and what became known since, and the verdict
//! that follows. A verdict is computed when it is asked for; only whether it changed is kept.

use std::collections::VecDeque;

use model::{ReasonCode, Rrn, Timestamp};

use crate::{
    Cause, Evidence, Incident, Verdict, evidence as e, fleet::Slot, memory::QuickMap, register,
    session::Outcome, stats::logit, tuning::Tuning,
};

/// What became of the card after the refusal.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Later {
    Nothing,
    /// Right at the same terminal, after so many seconds.
    RightHere(f64),
    /// Right at another terminal.
    RightElsewhere,
    /// Wrong again.
    WrongAgain,
}

/// One refusal.
#[derive(Debug, Clone)]
pub(crate) struct Refusal {
    pub rrn: Rrn,
    pub at: Timestamp,
    pub terminal: Slot,
    pub reason: ReasonCode,
    pub outcome: Outcome,
    pub limit: u8,
    /// Wrong PINs of this card within a day up to this one, the terminals they came at, and minutes since the first.
    pub nth: u8,
    pub terminals: u8,
    pub minutes: f32,
    /// Hours since the card's last wrong PIN, its last use and its last new PIN; infinite: never.
    pub since_miss_h: f32,
    pub since_use_h: f32,
    pub since_pin_h: f32,
    pub slow: bool,
    /// The share of wrong first entries at this bank lately whose holders have forgotten the PIN.
    pub forgets: f32,
    pub later: Later,
    /// The incident behind it; 0: none.
    pub incident: u64,
    pub said: Cause,
    pub revised: (u32, Timestamp),
}

/// The refusals that are remembered.
#[derive(Debug)]
pub(crate) struct Refusals {
    all: VecDeque<Refusal>,
    base: u32,
    by_rrn: QuickMap<Rrn, u32>,
}

impl Default for Refusals {
    fn default() -> Self {
        // 0 is "none" where sessions remember their refusals
        Self { all: VecDeque::new(), base: 1, by_rrn: QuickMap::default() }
    }
}

impl Refusals {
    pub(crate) fn push(&mut self, refusal: Refusal, limit: usize) -> u32 {
        if self.all.len() >= limit
            && let Some(old) = self.all.pop_front()
        {
            if self.by_rrn.get(&old.rrn) == Some(&self.base) {
                self.by_rrn.remove(&old.rrn);
            }
            self.base = self.base.wrapping_add(1).max(1);
        }
        let number = self.base.wrapping_add(self.all.len() as u32);
        self.by_rrn.insert(refusal.rrn, number);
        self.all.push_back(refusal);
        number
    }

    pub(crate) fn find(&self, rrn: &Rrn) -> Option<&Refusal> {
        self.get(*self.by_rrn.get(rrn)?)
    }

    /// The remembered refusals behind which an incident is: looked for among the latest, an incident is young when this is asked.
    pub(crate) fn of_incident(&self, id: u64) -> Vec<u32> {
        const LATEST: usize = 16_384;
        let skip = self.all.len().saturating_sub(LATEST);
        let places = self.all.iter().enumerate().skip(skip).filter(|(_, refusal)| refusal.incident == id);
        places.map(|(n, _)| self.base.wrapping_add(n as u32)).collect()
    }

    pub(crate) fn get(&self, number: u32) -> Option<&Refusal> {
        self.all.get(number.wrapping_sub(self.base) as usize)
    }

    pub(crate) fn get_mut(&mut self, number: u32) -> Option<&mut Refusal> {
        self.all.get_mut(number.wrapping_sub(self.base) as usize)
    }
}

/// Does an incident of this cause explain a refusal with this outcome?
pub(crate) fn explains(cause: Cause, outcome: Outcome) -> bool {
    use Cause as C;
    use Outcome as O;
    match cause {
        C::WrongTerminalKey => {
            matches!(outcome, O::Wrong | O::Unreadable | O::KeyFault | O::Plain | O::ZoneUnreadable)
        }
        C::ZoneKey | C::PanBinding => matches!(outcome, O::Unreadable | O::ZoneUnreadable | O::Wrong),
        C::HsmFault => {
            matches!(outcome, O::KeyFault | O::ModuleAway | O::Unreadable | O::ZoneUnreadable | O::Silent)
        }
        C::KeypadFault | C::ScreenFault | C::PinSpray | C::BruteForce => {
            matches!(outcome, O::Wrong | O::Locked)
        }
        C::FirmwareRegression => !matches!(outcome, O::Dead | O::Locked),
        C::NetworkLoss => matches!(outcome, O::Silent),
        C::CardTesting => matches!(outcome, O::Dead | O::Plain | O::Wrong),
        C::KsnReplay => matches!(outcome, O::Replayed),
        C::SkimCashOut | C::UnlimitedOperation | C::CounterAbuse => matches!(outcome, O::Wrong | O::Locked),
        C::CodeJumping | C::MovedTerminal | C::ClockDrift | C::SignInMissing | C::ImpossibleTravel => {
            matches!(outcome, O::Plain)
        }
        C::DuplicateSubmission | C::Forgotten | C::Mistyped | C::Locked | C::Ordinary => false,
    }
}

impl Refusal {
    /// The verdict, from what is known now.
    pub(crate) fn verdict(&self, tuning: &Tuning, incident: Option<&Incident>) -> Verdict {
        let (mut causes, mut evidence) = self.alone(tuning);
        if let Some(incident) = incident {
            let share = f64::from(incident.confidence) * self.attributable(incident);
            causes.retain(|(cause, _)| *cause != incident.cause);
            let rest: f64 = causes.iter().map(|(_, share)| share).sum();
            for (_, other) in &mut causes {
                *other *= (1.0 - share) / rest.max(1e-9);
            }
            causes.push((incident.cause, share));
            // a child in the hierarchy may have few pieces of its own: the incident's are the verdict's
            evidence.extend(incident.evidence.iter().cloned());
            evidence.push(e::PART_OF_INCIDENT.with(logit(share).max(0.1), [incident.id as f64]));
        }
        causes.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        register::sort(&mut evidence);
        let (cause, confidence) = causes.first().copied().unwrap_or((Cause::Ordinary, 0.5));
        let others =
            causes.iter().skip(1).filter(|(_, p)| *p >= 0.005).map(|(c, p)| (*c, *p as f32)).collect();
        Verdict {
            rrn: self.rrn,
            cause,
            confidence: confidence as f32,
            others,
            evidence,
            incident: incident.map(|incident| incident.id),
            revised: self.revised,
        }
    }

    /// The share of such refusals in the incident's scope that it explains: where holders are wrong anyway now and then, a fault
    /// that doubles the wrong PINs explains half of them.
    fn attributable(&self, incident: &Incident) -> f64 {
        let worse = |name: &str, usual: &str, seen: f64| {
            let evidence = incident.evidence.iter().find(|evidence| evidence.name == name)?;
            let value = |of: &str| evidence.values.iter().find(|(name, _)| *name == of).map(|(_, v)| *v);
            Some(1.0 - value(usual)? / seen.max(1e-6))
        };
        let value = |name: &str, of: &str| {
            let evidence = incident.evidence.iter().find(|evidence| evidence.name == name)?;
            evidence.values.iter().find(|(name, _)| *name == of).map(|(_, v)| *v)
        };
        let share = match self.outcome {
            Outcome::Wrong => {
                let version = value("worse-than-before", "with")
                    .and_then(|with| worse("worse-than-before", "without", with));
                let entries = value("first-entry-mismatches", "mismatches")
                    .zip(value("first-entry-mismatches", "sessions"))
                    .and_then(|(k, n)| worse("first-entry-mismatches", "usual", k / n.max(1.0)));
                version.or(entries)
            }
            _ => None,
        };
        share.unwrap_or(1.0).clamp(0.2, 1.0)
    }

    /// The verdict when nothing but the card's own story is known.
    fn alone(&self, tuning: &Tuning) -> (Vec<(Cause, f64)>, Vec<Evidence>) {
        match self.outcome {
            Outcome::Wrong => self.wrong_pin(tuning),
            Outcome::Locked if self.reason == ReasonCode::PinTriesExceeded => self.wrong_pin(tuning),
            Outcome::Locked => (
                vec![(Cause::Locked, 0.97), (Cause::Forgotten, 0.02), (Cause::BruteForce, 0.01)],
                vec![e::TRIES_USED_UP.with(logit(0.97), [f64::from(self.limit)])],
            ),
            Outcome::Unreadable => {
                let key = tuning.verdict.unreadable_terminal_key;
                let rest = 1.0 - key;
                let causes = vec![
                    (Cause::WrongTerminalKey, key),
                    (Cause::PanBinding, rest * 0.5),
                    (Cause::FirmwareRegression, rest * 0.3),
                    (Cause::HsmFault, rest * 0.2),
                ];
                (causes, vec![e::REASON_SAYS_IT.with(logit(key).max(0.1), [])])
            }
            Outcome::ZoneUnreadable => self.said(Cause::ZoneKey, 0.85, Cause::PanBinding),
            Outcome::KeyFault => self.said(Cause::HsmFault, 0.6, Cause::WrongTerminalKey),
            Outcome::ModuleAway => self.said(Cause::HsmFault, 0.93, Cause::NetworkLoss),
            Outcome::Replayed => self.said(Cause::KsnReplay, 0.95, Cause::DuplicateSubmission),
            Outcome::Silent => self.said(Cause::NetworkLoss, 0.9, Cause::HsmFault),
            Outcome::Dead => self.said(Cause::Ordinary, 0.95, Cause::CardTesting),
            Outcome::Right | Outcome::Plain => self.by_reason(),
        }
    }

    fn said(&self, cause: Cause, share: f64, other: Cause) -> (Vec<(Cause, f64)>, Vec<Evidence>) {
        (vec![(cause, share), (other, 1.0 - share)], vec![e::REASON_SAYS_IT.with(logit(share), [])])
    }

    fn by_reason(&self) -> (Vec<(Cause, f64)>, Vec<Evidence>) {
        use ReasonCode as R;
        match self.reason {
            // by far the most: its session keys are those of before
            R::MacInvalid => self.said(Cause::SignInMissing, 0.7, Cause::WrongTerminalKey),
            R::BatchMismatch => self.said(Cause::SignInMissing, 0.9, Cause::Ordinary),
            R::SignInRequired => self.said(Cause::SignInMissing, 0.97, Cause::WrongTerminalKey),
            R::KsnReplayed => self.said(Cause::KsnReplay, 0.95, Cause::DuplicateSubmission),
            R::UnknownMerchant => self.said(Cause::CodeJumping, 0.8, Cause::Ordinary),
            R::DuplicateTrace => self.said(Cause::DuplicateSubmission, 0.8, Cause::FirmwareRegression),
            R::OvertakenByReversal => self.said(Cause::NetworkLoss, 0.9, Cause::DuplicateSubmission),
            R::SecurityModuleAway | R::StoreAway | R::Overloaded | R::KeyFault => {
                self.said(Cause::HsmFault, 0.9, Cause::NetworkLoss)
            }
            R::FormatError => self.said(Cause::FirmwareRegression, 0.5, Cause::Ordinary),
            _ => self.said(Cause::Ordinary, 0.98, Cause::CardTesting),
        }
    }

    /// A wrong PIN, or the one that used up the last try: forgotten or mistyped, unless an incident says more.
    fn wrong_pin(&self, tuning: &Tuning) -> (Vec<(Cause, f64)>, Vec<Evidence>) {
        let priors = &tuning.verdict;
        let mut evidence = Vec::new();
        // as many as do not come to the right PIN at this bank lately have forgotten it; each wrong entry more says so again
        let first = f64::from(self.forgets);
        let slips = (1.0 - first) * priors.slips_again.powi(i32::from(self.nth.max(1)) - 1);
        let mut forgotten = (first / (first + slips)).min(0.97);
        evidence.push(e::USUAL_CAUSE.with(logit(1.0 - first), [1.0 - first]));
        if self.nth >= 2 {
            let values = [f64::from(self.nth), f64::from(self.terminals), f64::from(self.minutes)];
            evidence.push(e::FAILED_AGAIN.with(logit(forgotten), values));
        } else {
            if self.since_pin_h < 240.0 {
                forgotten = forgotten.max(priors.new_pin_forgotten);
                evidence.push(e::PIN_NEW.with(logit(forgotten), [f64::from(self.since_pin_h)]));
            } else if self.since_use_h > tuning.card.unused_h as f32 && self.since_use_h.is_finite() {
                forgotten = forgotten.max(priors.unused_forgotten);
                evidence.push(e::LONG_UNUSED.with(logit(forgotten), [f64::from(self.since_use_h)]));
            }
            if self.slow {
                forgotten = (forgotten + priors.slow_entry_forgotten).min(0.99);
            }
            if self.since_miss_h.is_finite() && self.since_miss_h > 24.0 {
                evidence.push(e::FIRST_FOR_LONG.with(0.5, [f64::from(self.since_miss_h)]));
            }
        }
        match self.later {
            Later::RightHere(seconds) => {
                let slip = if self.nth >= 2 { 0.9 } else { priors.mistyped_after_success };
                forgotten = 1.0 - slip;
                evidence.push(e::SUCCEEDED_SOON_AFTER.with(logit(slip), [seconds]));
            }
            Later::RightElsewhere => {
                forgotten *= if self.nth >= 2 { 0.7 } else { 0.3 };
                evidence.push(e::CROSSOVER_SUCCEEDS.with(0.7, [1.0, 1.0]));
            }
            Later::WrongAgain => {
                forgotten = forgotten.max(first / (first + (1.0 - first) * priors.slips_again));
                if self.nth < 2 {
                    evidence.push(e::FAILED_AGAIN.with(
                        logit(forgotten),
                        [
                            f64::from(self.nth.max(1)) + 1.0,
                            f64::from(self.terminals.max(1)),
                            f64::from(self.minutes),
                        ],
                    ));
                }
            }
            Later::Nothing => {}
        }
        let other = 0.04_f64.min((1.0 - forgotten) * 0.5);
        let causes = vec![
            (Cause::Forgotten, forgotten * (1.0 - other)),
            (Cause::Mistyped, (1.0 - forgotten) * (1.0 - other)),
            (Cause::KeypadFault, other * 0.6),
            (Cause::PinSpray, other * 0.4),
        ];
        (causes, evidence)
    }
}
