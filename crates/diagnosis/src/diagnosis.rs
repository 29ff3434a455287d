//! The diagnosis itself: what it remembers, and the way of one observation through it.
//!
//! An observation first finds its terminal, card and card session. What the session shows is a sign of some family, and
//! signs wake the detectors: wider scopes first, so that one broken zone key is one incident and not one at every terminal.
//! Everything else here is bookkeeping: sessions that settle are learnt as usual, open incidents are kept up to date.

use std::ops::Range;

use model::{CardId, Rrn, TerminalId, Timestamp};

use crate::{
    Change, Diagnose, Incident, Observation, Suspicion, Verdict, What,
    card::Card,
    cohort::{Cohorts, Common},
    detector::{agents::Agents, common_point::CashOuts, firmware::Versions},
    fleet::{Fleet, Slot, Terminal},
    harm::Locks,
    hypothesis::{Counts, Feature},
    memory::Remembered,
    observation::Symbol,
    pace::{Fleetwide, Pace},
    refusal::Refusals,
    register::Register,
    session::{Family, Outcome, mark},
    stats::Beta,
    tuning::Tuning,
};

/// From observations to verdicts and incidents.
#[derive(Debug)]
pub struct Diagnosis {
    pub(crate) tuning: Tuning,
    pub(crate) fleet: Fleet,
    pub(crate) cards: Remembered<CardId, Card>,
    pub(crate) cohorts: Cohorts,
    pub(crate) register: Register,
    pub(crate) refusals: Refusals,
    pub(crate) agents: Agents,
    pub(crate) cash: CashOuts,
    pub(crate) versions: Versions,
    pub(crate) locks: Locks,
    /// The share of clocks that are off lately.
    pub(crate) clocks_off: f64,
    /// When the fleet was screened last.
    pub(crate) screened: Timestamp,
    /// What is usual in the whole fleet: features of sessions, and families of signs.
    pub(crate) features: Counts,
    pub(crate) families: [(f64, f64); Family::COUNT],
    /// The same shares lately: a moving mean over some hundred sessions of the whole fleet.
    pub(crate) lately: [f64; Family::COUNT],
    /// How long PIN entries and exchanges take in the whole fleet.
    pub(crate) paces: [Fleetwide; Pace::COUNT],
    pub(crate) now: Timestamp,
    /// Rises with every gap: windows that began in an earlier epoch are void.
    pub(crate) epoch: u32,
    swept: Timestamp,
    place: u64,
    at_place: Vec<Observation>,
}

impl Diagnosis {
    /// Observations of one place in the journal that are told apart from repetitions.
    const AT_PLACE: usize = 256;
    /// How often incidents are looked through for those that are over.
    const SWEEP_S: i64 = 30;
    /// Fleet-wide counts weigh half above this.
    const FADE: f64 = 50_000.0;

    /// One that has seen nothing.
    #[must_use]
    pub fn new(tuning: Tuning) -> Self {
        let usual = &tuning.usual;
        let mut families = [(0.0, 0.0); Family::COUNT];
        for (family, [a, b]) in [
            (Family::Wrong, usual.wrong),
            (Family::Unreadable, usual.unreadable),
            (Family::ZoneUnreadable, usual.unreadable),
            (Family::Key, usual.key),
            (Family::Silent, usual.silent),
            (Family::Lost, usual.lost),
            (Family::Cancel, usual.cancel),
            (Family::Duplicate, usual.duplicate),
            (Family::Dead, usual.dead),
        ] {
            families[family as usize] = (a, a + b);
        }
        let mut features = Counts::default();
        for (feature, [a, b]) in [
            (Feature::Abandoned, usual.abandoned),
            (Feature::FailsAgain, usual.fails_again),
            (Feature::Crossover, usual.crossover),
            (Feature::Known, usual.known),
            (Feature::Stripe, usual.stripe),
            (Feature::Small, usual.small),
            (Feature::Neighbour, usual.neighbour),
            (Feature::Slow, usual.slow),
            (Feature::Quick, usual.quick),
            (Feature::Proven, usual.proven),
            (Feature::Changed, usual.changed),
        ] {
            features.k[feature as usize] = a;
            features.n[feature as usize] = a + b;
        }
        Self {
            cards: Remembered::new(tuning.limits.cards),
            agents: Agents::new(tuning.limits.agents),
            cash: CashOuts::default(),
            versions: Versions::default(),
            locks: Locks::default(),
            clocks_off: 0.0,
            screened: Timestamp(i64::MIN),
            fleet: Fleet::default(),
            cohorts: Cohorts::default(),
            register: Register::default(),
            refusals: Refusals::default(),
            features,
            lately: families.map(|(k, n)| k / n),
            families,
            paces: Fleetwide::ALL,
            now: Timestamp(i64::MIN),
            epoch: 0,
            swept: Timestamp(i64::MIN),
            place: 0,
            at_place: Vec::new(),
            tuning,
        }
    }

    /// How many terminals and cards are remembered just now.
    #[must_use]
    pub fn remembered(&self) -> (usize, usize) {
        (self.fleet.len(), self.cards.len())
    }

    /// Was it taken before? The journal's places only rise; signals between two entries share the place of the first.
    fn is_repetition(&mut self, observation: &Observation) -> bool {
        if observation.place < self.place {
            return true;
        }
        if observation.place > self.place {
            self.place = observation.place;
            self.at_place.clear();
        } else if self.at_place.contains(observation) {
            return true;
        }
        if self.at_place.len() < Self::AT_PLACE {
            self.at_place.push(*observation);
        }
        false
    }

    /// Moves the time on. A clock that went back, and a feed that was silent for hours, are gaps.
    fn tick(&mut self, at: Timestamp) {
        let sessions = &self.tuning.sessions;
        if self.now.0 != i64::MIN {
            let passed = at.since_ms(self.now);
            if passed < -sessions.clock_back_s * 1000 || passed > sessions.gap_s * 1000 {
                self.begin_epoch();
                self.now = at;
                self.swept = at;
            }
        }
        self.now = self.now.max(at);
        if self.now.since_ms(self.swept) >= Self::SWEEP_S * 1000 {
            self.swept = self.now;
            self.sweep();
        }
    }

    /// What was before proves nothing about what comes: windows and runs begin anew, what is usual stays.
    fn begin_epoch(&mut self) {
        self.epoch = self.epoch.wrapping_add(1);
        let next = self.cohorts.next_mark();
        for cohort in self.cohorts.iter_mut() {
            cohort.clean_from = next;
        }
    }

    /// The terminal of an observation, with what it has in common with others brought up to date.
    pub(crate) fn arrive(&mut self, observation: &Observation) -> Slot {
        let device = &observation.device;
        let slot = self.fleet.slot(device, self.tuning.limits.terminals, self.epoch);
        let terminal = &mut self.fleet[slot];
        // what is told beside the journal may not say by which instance
        let (instance, carrier, firmware) = terminal.cohorts_of;
        let or = |new, old| if new == Symbol::UNKNOWN { old } else { new };
        let common =
            (or(observation.instance, instance), or(device.carrier, carrier), or(device.firmware, firmware));
        if terminal.epoch != self.epoch {
            terminal.forget_windows(self.epoch);
        }
        if terminal.cohorts_of != common
            || terminal.merchant != device.merchant
            || terminal.last_at.0 == i64::MIN
        {
            if terminal.firmware != Symbol::UNKNOWN && terminal.firmware != common.2 {
                terminal.changed_at = self.now;
            }
            let place = |common| self.cohorts.place(common, &self.tuning);
            let places = [
                Common::Instance(common.0),
                Common::Network(common.1),
                Common::Firmware(common.2),
                Common::Merchant(device.merchant),
            ]
            .map(place);
            terminal.cohorts = places;
            terminal.cohorts_of = common;
            terminal.merchant = device.merchant;
            terminal.firmware = common.2;
        }
        terminal.last_at = self.now;
        slot
    }

    /// What is usual in the whole fleet for a family.
    pub(crate) fn usual(&self, family: Family) -> Beta {
        let (k, n) = self.families[family as usize];
        Beta::around(k / n, self.tuning.usual.spread_of(family))
    }

    /// What is usual at one terminal for a family.
    pub(crate) fn usual_at(&self, terminal: &Terminal, family: Family) -> Beta {
        let own = terminal.usual(family, self.usual(family), &self.tuning);
        // on a holiday everybody cancels more; of wrong PINs the card's bank tells (`usual_wrong`)
        let (k, n) = self.families[family as usize];
        let more = match family {
            Family::Wrong => 1.0,
            _ => (self.lately[family as usize] * n / k).clamp(1.0, 4.0),
        };
        Beta::around((own.mean() * more).min(0.5), own.a + own.b)
    }

    /// A session has settled: another came. It is learnt, unless something is wrong here.
    pub(crate) fn settled(&mut self, slot: Slot, number: u32) {
        let terminal = &mut self.fleet[slot];
        let quiet = terminal.incidents.iter().all(|id| *id == 0) && terminal.cusum < Self::SUSPICIOUS;
        let weight = self.tuning.usual.weight_max;
        // what a program repeats by itself is no habit of anybody's, however often it does
        if let Some(session) = terminal.session(number).filter(|session| !session.has(mark::QUICK)).cloned()
            && quiet
        {
            self.features.add_session(&session, true);
            self.features.fade(Self::FADE);
            for family in Family::ALL {
                if session.counts(family) {
                    let (k, n) = &mut self.families[family as usize];
                    *n += 1.0;
                    *k += f64::from(u8::from(session.shows(family)));
                    let target = f64::from(u8::from(session.shows(family)));
                    let lately = &mut self.lately[family as usize];
                    *lately += (target - *lately) / Self::LATELY;
                    if *n > Self::FADE {
                        *k *= 0.5;
                        *n *= 0.5;
                    }
                }
            }
        }
        // the terminal's own history learns late, so that the first signs of a fault are not taken as its habit
        let late = number.wrapping_sub(Self::LEARN_LATE);
        if quiet
            && late.wrapping_sub(terminal.clean_from) as i32 >= 0
            && let Some(session) = terminal.session(late).filter(|session| !session.has(mark::QUICK)).cloned()
        {
            terminal.learn(&session, weight);
        }
        self.learn_recovery(slot, number);
        self.compare_firmware(slot, number);
        self.repair_terminal(slot, number);
        if let Some(shared) = self.fleet[slot].session(number).map(|session| session.shared) {
            self.repair_cohorts(shared);
        }
    }

    /// Did the holder come to the right PIN? Learnt for the card's bank where nothing else is wrong.
    fn learn_recovery(&mut self, slot: Slot, number: u32) {
        let terminal = &self.fleet[slot];
        let quiet = terminal.incidents.iter().all(|id| *id == 0) && terminal.cusum < Self::SUSPICIOUS;
        let Some(session) = terminal.session(number).filter(|_| quiet) else { return };
        if session.first != Outcome::Wrong || self.wider(slot, number, Family::Wrong).is_some() {
            return;
        }
        let target = if session.has(mark::RIGHT) { 1.0 } else { 0.0 };
        let bin = self.cohorts.mark(session.shared).map_or(0, |mark| mark.cohorts[Common::BIN]);
        if let Some(bin) = self.cohorts.get_mut(bin) {
            bin.recovers_lately += (target - bin.recovers_lately) / 40.0;
        }
    }

    /// A CUSUM above this is on its way to an alarm: nothing is learnt from such a terminal.
    pub(crate) const SUSPICIOUS: f32 = 5.0;
    const LEARN_LATE: u32 = 24;
    /// Sessions of the whole fleet that "lately" is about.
    const LATELY: f64 = 600.0;

    /// The feed was interrupted.
    fn gap(&mut self, since: Timestamp) {
        let missing = self.now.since_ms(since).max(0);
        self.begin_epoch();
        // silence of an open incident during the gap is not silence
        for id in Vec::from_iter(self.register.active().iter().copied()) {
            if let Some(held) = self.register.get_mut(id) {
                held.incident.last_seen = held.incident.last_seen.plus_ms(missing);
            }
        }
    }

    fn take(&mut self, observation: &Observation) {
        match &observation.what {
            What::Payment(payment) => self.payment(observation, payment),
            What::Reversal { original, card } => self.reversal(observation, original, *card),
            What::Repeat { key } => self.repeat(observation, key),
            What::Refused { reason, rrn, merchant_sent, drift_s } => {
                self.refused_early(observation, *reason, *rrn, *merchant_sent, *drift_s);
            }
            What::SignIn | What::KeyLoad => {
                let slot = self.arrive(observation);
                let terminal = &mut self.fleet[slot];
                if observation.what == What::KeyLoad {
                    terminal.loaded_at = self.now;
                    terminal.changed_at = self.now;
                } else {
                    terminal.runs.sign_in = 0;
                    terminal.runs.mac = 0;
                    terminal.loaded_at = self.now;
                }
            }
            What::Desk { card, action, agent } => self.desk(*card, *action, *agent),
            What::Telemetry(telemetry) => {
                let slot = self.arrive(observation);
                let last = self.fleet[slot].next().wrapping_sub(1);
                self.told(slot, last, telemetry);
            }
            What::IssuerSilent { zone, key } => self.issuer_silent(observation, *zone, key),
            What::Gap { since } => self.gap(*since),
        }
    }
}

impl Diagnose for Diagnosis {
    fn observe(&mut self, observation: &Observation) {
        if self.is_repetition(observation) {
            return;
        }
        self.tick(observation.at);
        self.take(observation);
    }

    fn advance(&mut self, now: Timestamp) {
        // a clock that runs ahead of the feed only makes time pass; a jump is the feed's to report
        if now > self.now
            && self.now.0 != i64::MIN
            && now.since_ms(self.now) <= self.tuning.sessions.gap_s * 1000
        {
            self.now = now;
        }
        self.sweep();
    }

    fn changes(&mut self) -> Vec<Change> {
        self.register.take_changes()
    }

    fn verdict(&self, rrn: &Rrn) -> Option<Verdict> {
        let refusal = self.refusals.find(rrn)?;
        Some(refusal.verdict(&self.tuning, self.incident(refusal.incident)))
    }

    fn incident(&self, id: u64) -> Option<&Incident> {
        self.register.get(id).map(|held| &held.incident)
    }

    fn incidents(&self) -> Vec<&Incident> {
        self.register.all().collect()
    }

    fn bytes_per_terminal(&self) -> usize {
        self.fleet.bytes() / self.fleet.len().max(1)
    }

    fn suspicions(&self, most: usize) -> Vec<Suspicion> {
        self.watched(most)
    }

    fn sessions_at(&self, terminal: &TerminalId) -> Option<Range<u32>> {
        self.fleet.find(terminal).map(|slot| self.fleet[slot].base..self.fleet[slot].next())
    }

    fn looks_like(&self, terminal: &TerminalId, sessions: Range<u32>) -> Option<Suspicion> {
        self.looks(self.fleet.find(terminal)?, sessions)
    }

    fn version_looks_like(&self, firmware: Symbol) -> Option<Suspicion> {
        self.version_looks(firmware)
    }
}
