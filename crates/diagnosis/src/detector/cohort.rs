//! Wider causes: host instance, issuer's zone, carrier, firmware, bank number, merchant.
//!
//! Detection: the sign that wakes the question belongs to a session that has all of these in common with others. For each, the
//! start is looked for that makes "wrong since then" most likely, as for a terminal, and the signs must come from several
//! terminals. Attribution: all sessions of the time in question are then explained by each candidate scope in turn (wrong
//! inside, as usual outside; shares integrated out), and the scope under which they are most likely has the incident. So a
//! carrier is not blamed for one shop, nor an instance for a carrier that happens to be most of its traffic.

use model::Timestamp;

use crate::{
    Cause, Diagnosis, Scope, Status,
    cohort::{Common, Mark, Place},
    detector::terminal::group_of,
    evidence as e,
    fleet::Slot,
    register::Draft,
    session::Family,
    stats::logistic,
};

/// Which causes a sign may have at each level, with ln of how likely that is before anything is known.
fn causes(family: Family) -> &'static [(usize, Cause, f64)] {
    use Cause as C;
    use Common as L;
    match family {
        Family::Unreadable => &[
            (L::INSTANCE, C::HsmFault, -0.5),
            (L::ZONE, C::ZoneKey, 0.0),
            (L::BIN, C::PanBinding, 0.0),
            (L::FIRMWARE, C::FirmwareRegression, -0.7),
        ],
        Family::ZoneUnreadable => &[
            (L::ZONE, C::ZoneKey, 0.0),
            (L::BIN, C::PanBinding, -1.5),
            (L::FIRMWARE, C::FirmwareRegression, -1.5),
        ],
        Family::Key => &[(L::INSTANCE, C::HsmFault, 0.0), (L::ZONE, C::ZoneKey, -0.7)],
        Family::Silent => &[(L::ZONE, C::NetworkLoss, 0.0), (L::INSTANCE, C::NetworkLoss, -0.7)],
        Family::Lost => &[
            (L::NETWORK, C::NetworkLoss, 0.0),
            (L::INSTANCE, C::NetworkLoss, -1.0),
            (L::MERCHANT, C::NetworkLoss, -1.0),
            (L::FIRMWARE, C::FirmwareRegression, -1.5),
        ],
        Family::Cancel => &[(L::FIRMWARE, C::FirmwareRegression, 0.0)],
        Family::Duplicate => {
            &[(L::FIRMWARE, C::DuplicateSubmission, 0.0), (L::MERCHANT, C::DuplicateSubmission, -1.0)]
        }
        Family::Dead => &[(L::BIN, C::CardTesting, 0.0), (L::MERCHANT, C::CardTesting, -0.7)],
        // wrong PINs of a firmware are compared within merchants (detector/firmware.rs), of a bank number in windows
        Family::Wrong => &[],
    }
}

/// The families that an incident of this cause explains: their signs are counted there and raise nothing else.
pub(crate) fn families_of(cause: Cause, found: Family) -> Vec<Family> {
    let mut families = match cause {
        Cause::HsmFault => {
            vec![Family::Key, Family::Unreadable, Family::ZoneUnreadable, Family::Silent]
        }
        Cause::ZoneKey => vec![Family::ZoneUnreadable, Family::Unreadable],
        // one block in thirty passes for a PIN under another number, and is a wrong one
        Cause::PanBinding => vec![Family::ZoneUnreadable, Family::Unreadable, Family::Wrong],
        Cause::NetworkLoss => vec![Family::Lost, Family::Silent],
        _ => vec![],
    };
    if !families.contains(&found) {
        families.push(found);
    }
    families
}

/// A scope that might explain.
#[derive(Debug, Clone, Copy)]
struct Candidate {
    cause: Cause,
    place: Place,
    /// A second cohort whose members alone are concerned: cards of one bank number at one application.
    and: Place,
    score: f64,
    inside: (f64, f64),
    outside: (f64, f64),
}

impl Candidate {
    fn contains(&self, mark: &Mark) -> bool {
        mark.cohorts.contains(&self.place) && (self.and == 0 || mark.cohorts.contains(&self.and))
    }
}

/// What looks wrong in a cohort.
struct Wrong {
    ln: f64,
    since: Timestamp,
    terminals: usize,
}

impl Diagnosis {
    /// Asks all cohorts of a session that shows a sign; true: an incident was opened that explains it.
    pub(crate) fn ask_cohorts(&mut self, slot: Slot, number: u32, family: Family) -> bool {
        let levels = causes(family);
        let Some(session) = self.fleet[slot].session(number) else { return false };
        let Some(mark) = self.cohorts.mark(session.shared).copied() else { return false };
        let since = levels
            .iter()
            .filter_map(|(level, _, _)| self.wrong_in(mark.cohorts[*level], *level, family))
            .filter(|wrong| wrong.ln >= self.tuning.alarm.cohort)
            .map(|wrong| wrong.since)
            .min();
        let Some(since) = since else { return false };
        let Some((best, second)) = self.attribute(since, family, slot) else { return false };
        let Some(level) = levels.iter().find(|(level, _, _)| mark.cohorts[*level] == best.place) else {
            return false;
        };
        let Some(wrong) = self.wrong_in(best.place, level.0, family) else { return false };
        if wrong.ln < self.tuning.alarm.cohort {
            return false;
        }
        self.open_cohort(best, second, &wrong, family);
        true
    }

    /// Since when a cohort looks wrong, and how much.
    fn wrong_in(&self, place: Place, level: usize, family: Family) -> Option<Wrong> {
        let cohort = self.cohorts.get(place)?;
        let usual = cohort.usual(family, self.usual(family), &self.tuning);
        let alternative = self.alternative(family);
        let least = if matches!(level, Common::ZONE | Common::INSTANCE) {
            self.tuning.alarm.zone_terminals
        } else {
            self.tuning.alarm.cohort_terminals
        };
        let (mut k, mut n) = (0.0, 0.0);
        let mut terminals: Vec<Slot> = Vec::new();
        let mut best: Option<Wrong> = None;
        for (_, mark) in self.cohorts.marks_of(place) {
            if mark.counted & family.bit() == 0 {
                continue;
            }
            n += 1.0;
            if mark.signs & family.bit() == 0 {
                continue;
            }
            k += 1.0;
            if !terminals.contains(&mark.terminal) {
                terminals.push(mark.terminal);
            }
            if k >= 3.0 && terminals.len() >= least {
                let ln = alternative.ln_marginal(k, n) - usual.ln_marginal(k, n);
                if best.as_ref().is_none_or(|best| ln > best.ln) {
                    best = Some(Wrong { ln, since: mark.at, terminals: terminals.len() });
                }
            }
        }
        best
    }

    /// Which scope explains all sessions since then best; and the next cause.
    fn attribute(
        &self,
        since: Timestamp,
        family: Family,
        slot: Slot,
    ) -> Option<(Candidate, Option<(Cause, f64)>)> {
        /// Sessions that are compared, at most, and how long before the onset they begin: what was fine then counts too.
        const MARKS: usize = 4096;
        const BEFORE_MS: i64 = 120_000;
        let levels = causes(family);
        let mut candidates: Vec<Candidate> = Vec::new();
        let marks: Vec<&Mark> = self
            .cohorts
            .marks_since(since.plus_ms(-BEFORE_MS), MARKS)
            .map(|(_, mark)| mark)
            .filter(|mark| mark.counted & family.bit() != 0)
            .collect();
        let bad = || marks.iter().filter(|mark| mark.signs & family.bit() != 0);
        for mark in bad() {
            for (level, cause, prior) in levels {
                let place = mark.cohorts[*level];
                let both = if *cause == Cause::PanBinding { mark.cohorts[Common::FIRMWARE] } else { 0 };
                for and in [0, both] {
                    let known = candidates.iter().any(|c| c.place == place && c.and == and);
                    if place != 0
                        && !known
                        && (and != 0 || both == 0 || *cause != Cause::PanBinding || *level == Common::BIN)
                    {
                        candidates.push(Candidate {
                            cause: *cause,
                            place,
                            and,
                            score: *prior,
                            inside: (0.0, 0.0),
                            outside: (0.0, 0.0),
                        });
                    }
                }
            }
        }
        let usual = self.usual(family);
        let alternative = self.alternative(family);
        for candidate in &mut candidates {
            for mark in marks.iter().filter(|mark| mark.at >= since) {
                let side =
                    if candidate.contains(mark) { &mut candidate.inside } else { &mut candidate.outside };
                side.1 += 1.0;
                side.0 += f64::from(u8::from(mark.signs & family.bit() != 0));
            }
            let ((k, n), (k0, n0)) = (candidate.inside, candidate.outside);
            candidate.score += alternative.ln_marginal(k, n) + usual.ln_marginal(k0, n0);
        }
        // one terminal alone
        let mut alone = ((0.0, 0.0), (0.0, 0.0));
        for mark in marks.iter().filter(|mark| mark.at >= since) {
            let side = if mark.terminal == slot { &mut alone.0 } else { &mut alone.1 };
            side.1 += 1.0;
            side.0 += f64::from(u8::from(mark.signs & family.bit() != 0));
        }
        let alone = alternative.ln_marginal(alone.0.0, alone.0.1) + usual.ln_marginal(alone.1.0, alone.1.1);
        candidates
            .sort_by(|a, b| b.score.total_cmp(&a.score).then(a.place.cmp(&b.place)).then(a.and.cmp(&b.and)));
        let best = *candidates.first()?;
        let second =
            candidates.iter().find(|c| c.cause != best.cause).map(|c| (c.cause, best.score - c.score));
        (best.score > alone).then_some((best, second))
    }

    fn open_cohort(&mut self, best: Candidate, second: Option<(Cause, f64)>, wrong: &Wrong, family: Family) {
        let Some(cohort) = self.cohorts.get(best.place) else { return };
        let scope = scope_of(cohort.common);
        let group = group_of(best.cause);
        let ((k, n), (k0, n0)) = (best.inside, best.outside);
        let mut evidence = vec![e::MANY_TERMINALS.with(wrong.ln * 0.6, [wrong.terminals as f64, k, n])];
        if n0 > 0.0 {
            evidence.push(e::FINE_OUTSIDE.with(wrong.ln * 0.4, [k0, n0]));
        }
        let usual = self.usual(family).mean();
        evidence.push(match family {
            Family::Key => e::KEY_ERRORS_IN_A_ROW.with(wrong.ln * 0.5, [k, wrong.terminals as f64]),
            Family::Unreadable | Family::ZoneUnreadable if best.cause == Cause::PanBinding => {
                e::ONE_KIND_OF_CARD.with(wrong.ln * 0.5, [k, k / n.max(1.0), k0 / n0.max(1.0)])
            }
            Family::Unreadable | Family::ZoneUnreadable => {
                e::ZONE_ERRORS_IN_A_ROW.with(wrong.ln * 0.5, [k, wrong.terminals as f64])
            }
            Family::Silent => e::ISSUER_SILENT.with(wrong.ln * 0.5, [k, n]),
            Family::Lost => e::LOST_MESSAGES.with(wrong.ln * 0.5, [k, n, usual]),
            Family::Cancel => e::CANCELS_AND_TIMEOUTS.with(wrong.ln * 0.5, [k, n, usual]),
            Family::Duplicate => {
                e::SAME_AGAIN.with(wrong.ln * 0.5, [k, n, self.tuning.window.duplicate_s as f64])
            }
            Family::Dead => {
                let minutes = self.now.since_ms(wrong.since) as f64 / 60_000.0;
                e::DEAD_NUMBERS.with(wrong.ln * 0.5, [k, minutes, wrong.terminals as f64])
            }
            Family::Wrong => e::FIRST_ENTRY_MISMATCHES.with(wrong.ln * 0.5, [k, n, usual]),
        });
        let lead = second.map_or(wrong.ln, |second| second.1);
        let draft = Draft {
            cause: best.cause,
            scope,
            group,
            family: Some(family),
            terminal: None,
            onset: wrong.since,
            now: self.now,
            confidence: self.tuning.calibrated(logistic(lead.min(wrong.ln)).clamp(0.5, 0.999)),
            second: second.map(|second| second.0),
            status: if lead >= self.tuning.alarm.firm { Status::Open } else { Status::Provisional },
            evidence,
            sessions: n as u32,
            alarmed: true,
            bad: (k, n),
        };
        let id = self.open_wide(draft, best.place, families_of(best.cause, family));
        if let Some(held) = self.register.get_mut(id) {
            held.and = best.and;
        }
    }

    /// Opens an incident of a cohort: it takes over the signs of these families, and the incidents that it explains.
    pub(crate) fn open_wide(&mut self, draft: Draft, place: Place, families: Vec<Family>) -> u64 {
        let since = draft.onset;
        let id = match self.register.at(draft.scope, draft.group) {
            // found by another kind of sign: it is the same
            Some(id) => id,
            None => self.open_or_reopen(draft),
        };
        if let Some(cohort) = self.cohorts.get_mut(place) {
            for family in &families {
                cohort.incidents[*family as usize] = id;
            }
        }
        let bits = families.iter().fold(0, |bits, family| bits | family.bit());
        let members = self.members(place, since, bits);
        self.absorb(id, place, &families, &members);
        for (slot, number) in members {
            self.join(id, slot, number);
        }
        self.list_harmed(id);
        id
    }

    /// Sessions of a cohort since a moment that show one of these signs: looked for at all terminals, once, because people
    /// want all cards that it touched and not the latest hundred.
    fn members(&self, place: Place, since: Timestamp, bits: u16) -> Vec<(Slot, u32)> {
        let mut members = Vec::new();
        for slot in 0..self.fleet.len() as Slot {
            let terminal = &self.fleet[slot];
            for (n, session) in terminal.sessions.iter().enumerate() {
                let inside = || {
                    let mark = self.cohorts.mark(session.shared);
                    mark.is_some_and(|mark| mark.cohorts.contains(&place))
                };
                if session.at >= since && session.signs & bits != 0 && inside() {
                    members.push((slot, terminal.base.wrapping_add(n as u32)));
                }
            }
        }
        members
    }
}

/// The scope that people read.
pub(crate) fn scope_of(common: Common) -> Scope {
    match common {
        Common::Instance(symbol) => Scope::Instance(symbol),
        Common::Zone(symbol) => Scope::Zone(symbol),
        Common::Network(symbol) => Scope::Network(symbol),
        Common::Firmware(symbol) => Scope::Firmware(symbol),
        Common::Bin(bin) => Scope::Bin(bin),
        Common::Merchant(merchant) => Scope::Merchant(merchant),
    }
}
