//! The life of an incident after it was opened: the same again is the same incident; a wider one absorbs it; it ends when
//! things are as usual again or silent for long; late evidence retracts it.

use crate::{
    Change, Diagnosis, Status,
    cause::Origin,
    cohort::Place,
    detector::terminal::group_of,
    fleet::{Group, Slot},
    register::{Draft, Held},
    session::{Family, Session},
};

const HOUR_MS: i64 = 3_600_000;

impl Diagnosis {
    /// Opens an incident; or opens the same one again, if it seemed over and was not.
    pub(crate) fn open_or_reopen(&mut self, draft: Draft) -> u64 {
        let within = self.tuning.repair.reopen_h * HOUR_MS;
        let same = self
            .register
            .all()
            .take(256)
            .find(|known| {
                known.scope == draft.scope
                    && known.cause == draft.cause
                    && known.status == Status::Over
                    && known.ended.is_some_and(|ended| draft.now.since_ms(ended) <= within)
            })
            .map(|known| known.id);
        if let Some(id) = same {
            self.register.reopen(id, draft);
            return id;
        }
        self.register.open(draft, self.tuning.limits.incidents)
    }

    /// Looks through what is open for what is over: no sign for long. And lets the slow detectors look.
    pub(crate) fn sweep(&mut self) {
        let repair = &self.tuning.repair;
        let (long, short) = (repair.silence_h * HOUR_MS, repair.attack_silence_h * HOUR_MS);
        let silent: Vec<u64> = self
            .register
            .active()
            .iter()
            .filter_map(|id| self.register.get(*id))
            .filter(|held| {
                let most = if held.incident.cause.origin() == Origin::Attack { short } else { long };
                self.now.since_ms(held.incident.last_seen) > most
            })
            .map(|held| held.incident.id)
            .collect();
        for id in silent {
            self.end(id, Status::Over);
        }
        self.screen_fleet();
        self.judge_agents();
    }

    /// Takes an incident from the list of open ones, everywhere.
    pub(crate) fn end(&mut self, id: u64, status: Status) {
        let Some(held) = self.register.get(id) else { return };
        let (terminal, group) = (held.terminal, held.group);
        // it was suspected and never confirmed
        let unconfirmed = held.incident.status == Status::Provisional && !held.alarmed;
        let status = if unconfirmed && status == Status::Over { Status::Retracted } else { status };
        if let Some(slot) = terminal
            && self.fleet[slot].incidents[group as usize] == id
        {
            self.fleet[slot].settle(group);
        } else {
            let next = self.cohorts.next_mark();
            for cohort in self.cohorts.iter_mut().filter(|cohort| cohort.incidents.contains(&id)) {
                cohort.incidents.iter_mut().filter(|open| **open == id).for_each(|open| *open = 0);
                cohort.clean_from = next;
            }
        }
        self.register.close(id, status, self.now, None);
    }

    /// It was nothing: the refusals that it explained are judged anew.
    pub(crate) fn retract(&mut self, id: u64) {
        self.end(id, Status::Retracted);
        for place in self.refusals.of_incident(id) {
            if let Some(refusal) = self.refusals.get_mut(place) {
                refusal.incident = 0;
            }
            self.rejudge(place);
        }
    }

    /// A settled session at a terminal with an open incident: is it as usual again? A CUSUM towards "usual": up by the ratio of
    /// the shares on a fine session, down on a sign.
    pub(crate) fn repair_terminal(&mut self, slot: Slot, number: u32) {
        for group in Group::ALL {
            let id = self.fleet[slot].incidents[group as usize];
            if id == 0 {
                continue;
            }
            let Some(held) = self.register.get(id) else { continue };
            let (Some(family), last_seen) = (held.family, held.incident.last_seen) else { continue };
            let terminal = &self.fleet[slot];
            let Some(session) = terminal.session(number) else { continue };
            if !session.counts(family) || session.at <= last_seen && !session.shows(family) {
                continue;
            }
            let loaded = terminal.loaded_at >= last_seen || terminal.changed_at >= last_seen;
            let step = self.repair_step(slot, held.incident.onset, last_seen, family, session);
            let needed = match (loaded, held.alarmed) {
                (true, _) => self.tuning.repair.good_after_load,
                (false, true) => self.tuning.repair.good,
                (false, false) => self.tuning.repair.good * 0.6,
            };
            let repair = &mut self.fleet[slot].repair[group as usize];
            *repair = (*repair + step as f32).max(0.0);
            if f64::from(*repair) >= needed {
                self.end(id, Status::Over);
            }
        }
    }

    fn repair_step(
        &self,
        slot: Slot,
        onset: model::Timestamp,
        last_seen: model::Timestamp,
        family: Family,
        session: &Session,
    ) -> f64 {
        let terminal = &self.fleet[slot];
        let (mut k, mut n) = (0.0, 0.0);
        for other in
            terminal.sessions.iter().filter(|s| s.at >= onset && s.at <= last_seen && s.counts(family))
        {
            n += 1.0;
            k += f64::from(u8::from(other.shows(family)));
        }
        let usual = self.usual_at(terminal, family).mean();
        let share = bad_share((k, n), usual);
        if session.shows(family) { (usual / share).ln() } else { ((1.0 - usual) / (1.0 - share)).ln() }
    }

    /// A session in a cohort with an open incident that does not show its sign: likewise.
    pub(crate) fn repair_cohorts(&mut self, shared: u32) {
        let Some(mark) = self.cohorts.mark(shared).copied() else { return };
        for place in mark.cohorts {
            let Some(cohort) = self.cohorts.get(place) else { continue };
            let Some(id) = cohort.incidents.iter().copied().find(|id| *id != 0) else { continue };
            let Some(held) = self.register.get(id) else { continue };
            let Some(family) = held.family else { continue };
            let outside = held.and != 0 && !mark.cohorts.contains(&held.and);
            if outside || mark.counted & family.bit() == 0 || mark.at < held.incident.last_seen {
                continue;
            }
            let usual = self.usual(family).mean();
            let is_bad = mark.signs & family.bit() != 0;
            let share = bad_share(held.bad, usual);
            let step = if is_bad { (usual / share).ln() } else { ((1.0 - usual) / (1.0 - share)).ln() };
            let needed = self.tuning.repair.good;
            let Some(held) = self.register.get_mut(id) else { continue };
            held.bad = (held.bad.0 + f64::from(u8::from(is_bad)), held.bad.1 + 1.0);
            held.repair = (held.repair + step).max(0.0);
            if held.repair >= needed {
                self.end(id, Status::Over);
            }
        }
    }

    /// A wider incident takes over those that it explains.
    pub(crate) fn absorb(&mut self, parent: u64, place: Place, families: &[Family], members: &[(Slot, u32)]) {
        let Some(held) = self.register.get(parent) else { return };
        let (since, group) = (held.incident.onset, held.group);
        let children: Vec<u64> = self
            .register
            .active()
            .iter()
            .copied()
            .filter(|id| *id != parent)
            .filter(|id| {
                self.register.get(*id).is_some_and(|child| {
                    let in_time = child.incident.onset >= since.plus_ms(-HOUR_MS);
                    let same_kind = child.family.is_some_and(|family| families.contains(&family))
                        && group_of(child.incident.cause) == group;
                    let inside = match child.terminal {
                        Some(slot) => {
                            members.iter().any(|(member, _)| *member == slot)
                                || self.fleet[slot].cohorts.contains(&place)
                        }
                        None => self.cohort_lies_in(child.incident.id, place, since),
                    };
                    in_time && same_kind && inside
                })
            })
            .collect();
        for id in children {
            self.absorb_one(id, parent);
        }
    }

    /// One incident becomes part of another, and its refusals with it.
    pub(crate) fn absorb_one(&mut self, id: u64, parent: u64) {
        self.end(id, Status::Absorbed);
        let harmed = self.register.get(id).map(Held::cards_with_tries_lost).unwrap_or_default();
        let limit = self.tuning.limits.cards_per_incident;
        if let Some(parent) = self.register.get_mut(parent) {
            harmed.into_iter().for_each(|card| parent.harm(card, limit));
        }
        if let Some(child) = self.register.get_mut(id) {
            child.incident.parent = Some(parent);
        }
        for refusal in self.refusals.of_incident(id) {
            if let Some(refusal) = self.refusals.get_mut(refusal) {
                refusal.incident = parent;
            }
            self.rejudge(refusal);
        }
        self.register.tell(Change::Revised(id));
    }

    /// Are most signs of another cohort's incident in this cohort too?
    fn cohort_lies_in(&self, id: u64, place: Place, since: model::Timestamp) -> bool {
        let family = self.register.get(id).and_then(|held| held.family);
        let (Some(other), Some(family)) = (self.cohorts.place_of_incident(id), family) else { return false };
        let (mut both, mut all) = (0_u32, 0_u32);
        for (_, mark) in self.cohorts.marks_of(other) {
            if mark.at >= since && mark.signs & family.bit() != 0 {
                all += 1;
                both += u32::from(mark.cohorts.contains(&place));
            }
        }
        all > 0 && both * 5 >= all * 4
    }
}

/// The share of bad sessions in an incident, as the end is measured by it: less than what was seen, because the onset was
/// chosen where most was bad, and because an end that comes too early makes two incidents of one.
fn bad_share((k, n): (f64, f64), usual: f64) -> f64 {
    const CAUTION: f64 = 0.6;
    ((k + 1.0) / (n + 2.0) * CAUTION).max(usual * 2.0).clamp(0.02, 0.95)
}
