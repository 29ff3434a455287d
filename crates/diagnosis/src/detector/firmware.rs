//! Firmware and application versions: is anything worse with this version than without it?
//!
//! A version that makes five more PINs in a hundred wrong is invisible at any one terminal and plain in a cohort. Shops differ
//! more than versions do, so versions are compared within each merchant (Mantel and Haenszel 1959): what the merchant's
//! terminals with the version show beyond their share of the merchant's bad sessions, summed over merchants, with its
//! hypergeometric variance. A merchant whose terminals were all updated compares its own before and after. The sum is looked
//! at after every session, so the test is sequential: a mixture of likelihood ratios over the log odds ratio (Robbins 1970),
//! which may be looked at as often as one likes.

use model::Timestamp;

use crate::{
    Cause, Diagnosis, Scope, Status, Suspicion, cohort::Common, detector::terminal::group_of, evidence as e,
    fleet::Slot, memory::QuickMap, observation::Symbol, register::Draft, session::Family, stats::logistic,
};

/// The families that are compared.
const FAMILIES: [Family; 4] = [Family::Wrong, Family::Unreadable, Family::Lost, Family::Cancel];

/// Sessions of one version at one merchant.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Arm {
    firmware: Symbol,
    n: [f32; FAMILIES.len()],
    k: [f32; FAMILIES.len()],
}

/// A version's sums over merchants.
#[derive(Debug, Clone, Copy)]
struct Sums {
    since: Timestamp,
    beyond: [f64; FAMILIES.len()],
    variance: [f64; FAMILIES.len()],
    n: [f64; FAMILIES.len()],
    k: [f64; FAMILIES.len()],
}

/// All versions.
#[derive(Debug, Default)]
pub(crate) struct Versions {
    sums: QuickMap<Symbol, Sums>,
    all: [(f64, f64); FAMILIES.len()],
}

impl Diagnosis {
    /// Versions at one merchant that are compared; a merchant with more is having its terminals rebuilt.
    const ARMS: usize = 12;
    /// Bad sessions come in clumps: the variance is this much larger than the hypergeometric one.
    const CLUMPS: f64 = 1.6;

    /// A settled session is counted in its arm.
    pub(crate) fn compare_firmware(&mut self, slot: Slot, number: u32) {
        let terminal = &self.fleet[slot];
        let firmware = terminal.firmware;
        let busy = terminal.incidents[crate::fleet::Group::Pin as usize] != 0
            || terminal.incidents[crate::fleet::Group::Line as usize] != 0;
        if firmware == Symbol::UNKNOWN || busy {
            return;
        }
        let Some(session) = terminal.session(number) else { return };
        let (signs, counted) = (session.signs, session.counted);
        let merchant = terminal.cohorts[3];
        let now = self.now;
        // what another incident explains is not the version's
        let explained: Vec<bool> =
            FAMILIES.iter().map(|family| self.wider(slot, number, *family).is_some()).collect();
        let Some(cohort) = self.cohorts.get_mut(merchant) else { return };
        if !cohort.arms.iter().any(|arm| arm.firmware == firmware) {
            if cohort.arms.len() >= Self::ARMS {
                return;
            }
            cohort.arms.push(Arm { firmware, n: [0.0; FAMILIES.len()], k: [0.0; FAMILIES.len()] });
        }
        self.versions.sums.entry(firmware).or_insert(Sums {
            since: now,
            beyond: [0.0; FAMILIES.len()],
            variance: [0.0; FAMILIES.len()],
            n: [0.0; FAMILIES.len()],
            k: [0.0; FAMILIES.len()],
        });
        for (at, family) in
            FAMILIES.iter().enumerate().filter(|(at, family)| counted & family.bit() != 0 && !explained[*at])
        {
            let bad = signs & family.bit() != 0;
            self.versions.add(&mut cohort.arms, at, -1.0);
            if let Some(arm) = cohort.arms.iter_mut().find(|arm| arm.firmware == firmware) {
                arm.n[at] += 1.0;
                arm.k[at] += f32::from(u8::from(bad));
            }
            self.versions.add(&mut cohort.arms, at, 1.0);
            self.versions.all[at].0 += f64::from(u8::from(bad));
            self.versions.all[at].1 += 1.0;
            if let Some(sums) = self.versions.sums.get_mut(&firmware) {
                sums.n[at] += 1.0;
                sums.k[at] += f64::from(u8::from(bad));
            }
        }
        for (at, family) in
            FAMILIES.iter().enumerate().filter(|(at, family)| signs & family.bit() != 0 && !explained[*at])
        {
            self.ask_firmware(firmware, at, *family);
        }
    }

    /// ln of the likelihood ratio that a version's sums give "worse" against "as the others".
    fn version_ln(&self, sums: &Sums, at: usize) -> f64 {
        let tau2 = self.tuning.alarm.firmware_tau.powi(2);
        let (beyond, variance) = (sums.beyond[at], sums.variance[at] * Self::CLUMPS);
        if beyond > 0.0 {
            0.5 * beyond * beyond * tau2 / (1.0 + variance * tau2) - 0.5 * (variance * tau2).ln_1p()
        } else {
            0.0
        }
    }

    /// What a version looks like, against the others.
    pub(crate) fn version_looks(&self, firmware: Symbol) -> Option<Suspicion> {
        let sums = self.versions.sums.get(&firmware)?;
        let (at, ln) = (0..FAMILIES.len())
            .map(|at| (at, self.version_ln(sums, at)))
            .max_by(|a, b| a.1.total_cmp(&b.1).then(b.0.cmp(&a.0)))?;
        let all = self.versions.all[at];
        let with = sums.k[at] / sums.n[at].max(1.0);
        let without = (all.0 - sums.k[at]) / (all.1 - sums.n[at]).max(1.0);
        let open = self.cohorts.find(Common::Firmware(firmware)).and_then(|place| self.cohorts.get(place));
        Some(Suspicion {
            scope: Scope::Firmware(firmware),
            cause: Cause::FirmwareRegression,
            since: sums.since,
            sessions: sums.n[at] as u32,
            log_odds: (ln - self.tuning.suspicion.odds.ln()) as f32,
            others: Vec::new(),
            evidence: vec![e::WORSE_THAN_BEFORE.with(ln, [with, without, sums.n[at]])],
            incident: open.map(|cohort| cohort.incidents[FAMILIES[at] as usize]).filter(|id| *id != 0),
        })
    }

    /// All versions that look worse than others.
    pub(crate) fn watched_versions(&self) -> Vec<Suspicion> {
        let odd = self.versions.sums.keys().filter_map(|version| self.version_looks(*version));
        odd.filter(|suspicion| suspicion.log_odds > 0.0).collect()
    }

    fn ask_firmware(&mut self, firmware: Symbol, at: usize, family: Family) {
        let Some(sums) = self.versions.sums.get(&firmware).copied() else { return };
        let ln = self.version_ln(&sums, at);
        if ln < self.tuning.alarm.firmware {
            return;
        }
        let Some(place) = self.cohorts.find(Common::Firmware(firmware)) else { return };
        if self.cohorts.get(place).is_none_or(|cohort| cohort.incidents[family as usize] != 0) {
            return;
        }
        let mut terminals: Vec<Slot> = self
            .cohorts
            .marks_of(place)
            .filter(|(_, mark)| mark.signs & family.bit() != 0)
            .map(|(_, mark)| mark.terminal)
            .collect();
        terminals.sort_unstable();
        terminals.dedup();
        let all = self.versions.all[at];
        let with = sums.k[at] / sums.n[at].max(1.0);
        let without = (all.0 - sums.k[at]) / (all.1 - sums.n[at]).max(1.0);
        if terminals.len() < self.tuning.alarm.firmware_terminals || with < without * 1.2 {
            return;
        }
        let hours = self.now.since_ms(sums.since) as f64 / 3_600_000.0;
        let draft = Draft {
            cause: Cause::FirmwareRegression,
            scope: Scope::Firmware(firmware),
            group: group_of(Cause::FirmwareRegression),
            family: Some(family),
            terminal: None,
            onset: sums.since,
            now: self.now,
            confidence: self.tuning.calibrated(logistic(ln - self.tuning.alarm.firmware + 2.0)),
            second: Some(if family == Family::Lost { Cause::NetworkLoss } else { Cause::KeypadFault }),
            status: Status::Open,
            evidence: vec![
                e::WORSE_THAN_BEFORE.with(ln, [with, without, sums.n[at]]),
                e::MANY_TERMINALS.with(2.0, [terminals.len() as f64, sums.k[at], sums.n[at]]),
                e::SINCE_UPDATE.with(1.0, [terminals.len() as f64, hours]),
            ],
            sessions: sums.n[at] as u32,
            alarmed: true,
            bad: (sums.k[at], sums.n[at]),
        };
        self.open_wide(draft, place, vec![family]);
    }
}

impl Versions {
    /// Adds (or takes away) what a merchant's arms contribute to their versions' sums.
    fn add(&mut self, arms: &mut [Arm], at: usize, sign: f64) {
        let (n, k) = arms.iter().fold((0.0, 0.0), |(n, k), arm| (n + arm.n[at], k + arm.k[at]));
        let (n, k) = (f64::from(n), f64::from(k));
        if n < 2.0 {
            return;
        }
        for arm in arms {
            let (own_n, own_k) = (f64::from(arm.n[at]), f64::from(arm.k[at]));
            let Some(sums) = self.sums.get_mut(&arm.firmware) else { continue };
            sums.beyond[at] += sign * (own_k - own_n * k / n);
            sums.variance[at] += sign * own_n * (n - own_n) * k * (n - k) / (n * n * (n - 1.0));
        }
    }
}
