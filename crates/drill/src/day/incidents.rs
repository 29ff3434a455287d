//! Where, when and how strongly: each form of an incident becomes a truth of the day.

use diagnosis::Cause;

use super::{
    Cover, Day, Deed, END_MS, HOUR_MS, Mechanism, Place, START_MS, Truth, cards,
    fleet::{CARRIERS, CITIES, INSTANCES},
};
use crate::{chance::Chance, data::Form};

/// Versions that lose a digit, by model.
const REGRESSED: [&str; 3] = ["V200-3.3.0", "K9-7.2.0", "P60-2.1.0"];
/// Versions that bind PIN blocks to the number of a token, by model.
const REBOUND: [&str; 3] = ["V200-3.2.1", "K9-7.1.1", "P60-2.0.2"];
/// Share of a model's terminals that get a new version first.
const ROLLOUT: (f64, f64) = (0.35, 0.6);
/// Of incidents at one terminal, so many come to a terminal that has another one.
const OVERLAPS: f64 = 0.2;
/// The last of them are repaired before the day ends, so that their end can be seen.
const LATEST_MS: i64 = END_MS - HOUR_MS / 2;

/// An incident before its place is known.
pub(super) struct Draft {
    pub(super) form: &'static Form,
    pub(super) from: i64,
    pub(super) until: i64,
    pub(super) strength: f64,
}

impl Day {
    /// Adds one incident. `used`: terminals that have one.
    pub(super) fn add(&mut self, form: &'static Form, used: &mut Vec<(u32, i64)>, chance: &mut Chance) {
        let strength = form.strength.draw(chance, self.split());
        let earliest = if form.lasts_h > 6.0 { (7.5, 10.0) } else { (8.0, 18.5) };
        let from = START_MS + (chance.between(earliest.0, earliest.1) * HOUR_MS as f64) as i64;
        let lasts = chance.log_normal(form.lasts_h, 0.3) * HOUR_MS as f64;
        let draft = Draft { form, from, until: (from + lasts as i64).min(LATEST_MS), strength };
        match form.cause {
            Cause::ZoneKey => self.zone_key(&draft, chance),
            Cause::HsmFault => self.module(&draft, chance),
            Cause::NetworkLoss if form.variant == "carrier" => self.carrier(&draft, chance),
            Cause::FirmwareRegression => self.regression(&draft, chance),
            Cause::PanBinding => self.binding(&draft, chance),
            Cause::BruteForce
            | Cause::PinSpray
            | Cause::CardTesting
            | Cause::SkimCashOut
            | Cause::UnlimitedOperation
            | Cause::CounterAbuse
            | Cause::ImpossibleTravel => self.attack(&draft, used, chance),
            _ => self.at_a_terminal(&draft, used, chance),
        }
    }

    /// A truth without scope.
    pub(super) fn truth(&self, draft: &Draft, exact: Vec<Place>, cover: Cover, how: Mechanism) -> Truth {
        Truth {
            id: self.truths.len() as u16,
            cause: draft.form.cause,
            variant: &draft.form.variant,
            row: draft.form.row.as_deref(),
            exact,
            terminals: Vec::new(),
            cards: Vec::new(),
            bins: Vec::new(),
            agents: Vec::new(),
            cover,
            from: draft.from,
            until: draft.until,
            strength: draft.strength,
            mechanism: how,
        }
    }

    /// A cover of these terminals.
    pub(super) fn at(&self, terminals: &[u32]) -> Cover {
        let mut covered = vec![false; self.fleet.terminals.len()];
        terminals.iter().for_each(|terminal| covered[*terminal as usize] = true);
        Cover::Terminals(covered)
    }

    /// A busy terminal without an incident, or now and then with one.
    pub(super) fn busy_terminal(&self, used: &mut Vec<(u32, i64)>, chance: &mut Chance, from: i64) -> u32 {
        if chance.happens(OVERLAPS)
            && let Some((terminal, _)) =
                used.iter().copied().find(|(_, since)| (0..3 * HOUR_MS).contains(&(from - since)))
        {
            return terminal;
        }
        let busy = self.fleet.busiest();
        let mut free: Vec<u32> = busy[..busy.len() / 3].to_vec();
        free.retain(|terminal| {
            !self.fleet.terminals[*terminal as usize].dukpt && used.iter().all(|(other, _)| other != terminal)
        });
        let terminal = chance.pick(&free).unwrap_or(busy[0]);
        used.push((terminal, from));
        terminal
    }

    fn at_a_terminal(&mut self, draft: &Draft, used: &mut Vec<(u32, i64)>, chance: &mut Chance) {
        let digit = char::from(b'0' + chance.below(10) as u8);
        let terminal = match draft.form.cause {
            Cause::KsnReplay => self.dukpt_terminal(chance),
            _ => self.busy_terminal(used, chance, draft.from),
        };
        let mechanism = match (draft.form.cause, draft.form.variant.as_str()) {
            (Cause::WrongTerminalKey, _) => Mechanism::WrongKey,
            (Cause::KeypadFault, "dead-key") => Mechanism::DeadKey(digit),
            (Cause::KeypadFault, "bouncing-key") => Mechanism::BouncingKey(digit),
            (Cause::KeypadFault, _) => Mechanism::SwappedRows,
            (Cause::ScreenFault, _) => Mechanism::Screen,
            (Cause::NetworkLoss, _) => Mechanism::Loss,
            (Cause::DuplicateSubmission, _) => Mechanism::Duplicate,
            (Cause::ClockDrift, _) => {
                let ahead = if chance.happens(0.5) { 1.0 } else { -1.0 };
                Mechanism::Clock((ahead * draft.strength * 60_000.0) as i64)
            }
            (Cause::CodeJumping, _) => Mechanism::Jump,
            (Cause::MovedTerminal, _) => self.moved(terminal, draft.strength, chance),
            (Cause::KsnReplay, _) => Mechanism::Replay,
            _ => Mechanism::OwnSessions,
        };
        if matches!(mechanism, Mechanism::WrongKey) {
            // It begins with keys that were loaded or fetched.
            self.act(draft.from, Deed::SignIn(terminal));
        }
        let mut truth = self.truth(draft, vec![Place::Terminal(terminal)], self.at(&[terminal]), mechanism);
        truth.terminals.push(terminal);
        self.repair(&truth);
        self.truths.push(truth);
    }

    /// What keys were wrong are fetched anew.
    fn repair(&mut self, truth: &Truth) {
        if matches!(truth.mechanism, Mechanism::WrongKey) {
            for terminal in &truth.terminals {
                self.act(truth.until, Deed::SignIn(*terminal));
            }
        }
    }

    fn moved(&self, terminal: u32, km: f64, chance: &mut Chance) -> Mechanism {
        let (north, east) = self.fleet.merchant_of(terminal).position;
        let bearing = chance.between(0.0, std::f64::consts::TAU);
        let degrees = km / 111.2;
        let shrinks = f64::from(north).to_radians().cos().max(0.2);
        Mechanism::Moved(
            north + (degrees * bearing.cos()) as f32,
            east + (degrees * bearing.sin() / shrinks) as f32,
        )
    }

    /// One of the busier terminals with a key for each transaction.
    fn dukpt_terminal(&self, chance: &mut Chance) -> u32 {
        const BUSIER: usize = 5;
        let is_dukpt = |terminal: &u32| self.fleet.terminals[*terminal as usize].dukpt;
        let busier: Vec<u32> = self.fleet.busiest().into_iter().filter(is_dukpt).take(BUSIER).collect();
        chance.pick(&busier).unwrap_or(0)
    }

    fn carrier(&mut self, draft: &Draft, chance: &mut Chance) {
        let carrier = chance.below(CARRIERS.len() - 1);
        let all = 0..self.fleet.terminals.len() as u32;
        let terminals: Vec<u32> =
            all.filter(|t| self.fleet.terminals[*t as usize].carrier == carrier).collect();
        let mut truth =
            self.truth(draft, vec![Place::Network(carrier)], self.at(&terminals), Mechanism::Loss);
        truth.terminals = terminals;
        self.truths.push(truth);
    }

    fn zone_key(&mut self, draft: &Draft, chance: &mut Chance) {
        let zone = chance.below(cards::ZONES.len());
        let exact = vec![Place::Zone(zone), Place::Bin(cards::ZONES[zone].1)];
        let mut truth = self.truth(draft, exact, Cover::Zone(zone), Mechanism::Zone(zone));
        truth.bins.push(cards::ZONES[zone].1);
        self.truths.push(truth);
    }

    fn module(&mut self, draft: &Draft, chance: &mut Chance) {
        let instance = chance.below(INSTANCES.len());
        let all = 0..self.fleet.terminals.len() as u32;
        let terminals: Vec<u32> =
            all.filter(|t| self.fleet.terminals[*t as usize].instance == instance).collect();
        let how = Mechanism::Module(instance);
        let mut truth = self.truth(draft, vec![Place::Instance(instance)], self.at(&terminals), how);
        truth.terminals = terminals;
        self.truths.push(truth);
    }

    /// The terminals of a model that get a new version.
    fn rollout(&self, chance: &mut Chance) -> (usize, Vec<u32>) {
        let model = chance.below(REGRESSED.len());
        let share = chance.between(ROLLOUT.0, ROLLOUT.1);
        let all = 0..self.fleet.terminals.len() as u32;
        let of_model = all.filter(|t| self.fleet.terminals[*t as usize].model == model);
        (model, of_model.filter(|_| chance.happens(share)).collect())
    }

    fn regression(&mut self, draft: &Draft, chance: &mut Chance) {
        let (model, terminals) = self.rollout(chance);
        let version = REGRESSED[model];
        let exact = vec![Place::Firmware(version.to_owned())];
        let mut truth = self.truth(draft, exact, self.at(&terminals), Mechanism::Firmware { version });
        truth.terminals = terminals;
        self.truths.push(truth);
    }

    fn binding(&mut self, draft: &Draft, chance: &mut Chance) {
        let (model, terminals) = self.rollout(chance);
        let bin = chance.pick(&cards::BINS).unwrap_or(cards::BINS[0]);
        let exact = vec![Place::Bin(bin), Place::Firmware(REBOUND[model].to_owned())];
        let mut truth = self.truth(draft, exact, Cover::Own, Mechanism::Binding(bin));
        if let Cover::Terminals(covered) = self.at(&terminals) {
            truth.cover = Cover::Bin(bin, covered);
        }
        truth.terminals = terminals;
        truth.bins.push(bin);
        self.truths.push(truth);
    }

    /// The firmware of a terminal at a time.
    #[must_use]
    pub fn firmware(&self, terminal: u32, at: i64) -> &'static str {
        let till = &self.fleet.terminals[terminal as usize];
        let new =
            self.truths.iter().filter(|truth| truth.is_on(at)).find_map(|truth| match &truth.mechanism {
                Mechanism::Firmware { version } if truth.terminals.contains(&terminal) => Some(*version),
                Mechanism::Binding(_) if truth.terminals.contains(&terminal) => Some(REBOUND[till.model]),
                _ => None,
            });
        new.unwrap_or(till.firmware)
    }

    /// Degrees north and east of the city that is farthest from a shop's.
    pub(super) fn far_city(&self, city: usize, chance: &mut Chance) -> usize {
        let away = |other: usize| distance_km(CITIES[city], CITIES[other]);
        let mut others: Vec<usize> = (0..CITIES.len()).filter(|other| away(*other) > 700.0).collect();
        others.sort_by(|a, b| away(*b).total_cmp(&away(*a)));
        chance.pick(&others).unwrap_or((city + 1) % CITIES.len())
    }
}

/// Between two cities.
pub(super) fn distance_km(a: (&str, f32, f32), b: (&str, f32, f32)) -> f64 {
    const EARTH_KM: f64 = 6371.0;
    let (a_north, b_north) = (f64::from(a.1).to_radians(), f64::from(b.1).to_radians());
    let (north, east) = (b_north - a_north, f64::from(b.2 - a.2).to_radians());
    let half = (north / 2.0).sin().powi(2) + a_north.cos() * b_north.cos() * (east / 2.0).sin().powi(2);
    2.0 * EARTH_KM * half.sqrt().asin()
}
