//! What looks as if something were wrong, long before it is an alarm: people keep an eye on it, and nobody is woken.
//!
//! An incident wants odds of a million to one, because it is told to people and tries are given back for it. Here the same
//! explanations are compared over the newest few card sessions of a terminal, with the plain odds that one terminal in
//! seventy has something, and with how long entries and exchanges take. About one in a hundred of these is nothing. Which of
//! several windows looks the oddest is a choice, and costs its logarithm.

use std::ops::Range;

use model::Timestamp;

use crate::{
    Cause, Diagnosis, Evidence, Scope, evidence as e,
    fleet::{Group, Slot},
    hypothesis::{Counts, Feature, Hypothesis, Ranking, features_ln, rank_by},
    pace::Pace,
    register,
    session::Session,
    stats::Beta,
};

/// Something that may be wrong.
#[derive(Debug, Clone, PartialEq)]
pub struct Suspicion {
    /// Where: a terminal, or a version of firmware.
    pub scope: Scope,
    /// What it looks like most.
    pub cause: Cause,
    /// The first of the card sessions that were looked at.
    pub since: Timestamp,
    /// How many these were.
    pub sessions: u32,
    /// Natural logarithm of the odds against "nothing is wrong", how rare anything is included: above zero it is rather so
    /// than not.
    pub log_odds: f32,
    /// Other causes with their log odds, the likeliest first. Faults of different things can be true at once.
    pub others: Vec<(Cause, f32)>,
    /// What speaks for it and against it, heaviest first.
    pub evidence: Vec<Evidence>,
    /// The incident that is open about it already.
    pub incident: Option<u64>,
}

/// A window as it was looked at.
struct Looked {
    slot: Slot,
    first: u32,
    sessions: u32,
    counts: Counts,
    usual: [Beta; Feature::COUNT],
    ranking: Ranking,
}

impl Looked {
    fn log_odds(&self) -> f64 {
        self.ranking.causes.first().map_or(f64::NEG_INFINITY, |best| best.2)
    }
}

impl Diagnosis {
    /// What looks oddest, at most so much of it.
    pub(crate) fn watched(&self, most: usize) -> Vec<Suspicion> {
        let choice = (self.tuning.suspicion.windows.len() as f64).ln();
        let mut found: Vec<(f64, Looked)> = Vec::new();
        for slot in (0..self.fleet.len() as Slot).filter(|slot| self.is_odd(*slot)) {
            let best = self.windows(slot).into_iter().filter_map(|window| self.look(slot, window));
            if let Some(best) = best.max_by(|a, b| a.log_odds().total_cmp(&b.log_odds())) {
                let log_odds = best.log_odds() - choice;
                if log_odds > 0.0 {
                    found.push((log_odds, best));
                }
            }
        }
        found.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.slot.cmp(&b.1.slot)));
        found.truncate(most);
        let mut all: Vec<Suspicion> =
            found.iter().filter_map(|(log_odds, looked)| self.told_as(looked, *log_odds)).collect();
        all.extend(self.watched_versions());
        all.sort_by(|a, b| b.log_odds.total_cmp(&a.log_odds).then(a.scope.cmp(&b.scope)));
        all.truncate(most);
        all
    }

    /// What some sessions of a terminal look like.
    pub(crate) fn looks(&self, slot: Slot, sessions: Range<u32>) -> Option<Suspicion> {
        let looked = self.look(slot, sessions)?;
        self.told_as(&looked, looked.log_odds())
    }

    /// Is it worth a look? Most terminals have nothing to show.
    fn is_odd(&self, slot: Slot) -> bool {
        /// Sessions whose pace is looked at, and how far off it must be on average.
        const NEWEST: usize = 8;
        const OFF: f64 = 0.25;
        let terminal = &self.fleet[slot];
        let shows = |session: &Session| session.signs & session.counted & !session.explained != 0;
        let signs = terminal.open_sessions().filter(|(_, session)| shows(session));
        if signs.take(self.tuning.suspicion.signs as usize).count() >= self.tuning.suspicion.signs as usize {
            return true;
        }
        Pace::ALL.iter().any(|pace| {
            let newest = terminal.open_sessions().take(NEWEST);
            let told: Vec<f64> = newest.filter_map(|(_, session)| session.off[*pace as usize].ln()).collect();
            told.len() >= NEWEST / 2 && told.iter().sum::<f64>() / told.len() as f64 > OFF
        })
    }

    /// The newest so many sessions, of those that no incident accounts for: as numbers.
    fn windows(&self, slot: Slot) -> Vec<Range<u32>> {
        let terminal = &self.fleet[slot];
        let (next, open) = (terminal.next(), terminal.open_sessions().count() as u32);
        let sizes = &self.tuning.suspicion.windows;
        let mut sizes: Vec<u32> =
            sizes.iter().map(|size| (*size).min(open)).filter(|size| *size > 0).collect();
        sizes.dedup();
        sizes.into_iter().map(|size| next.wrapping_sub(size)..next).collect()
    }

    fn look(&self, slot: Slot, Range { start: first, end: next }: Range<u32>) -> Option<Looked> {
        let terminal = &self.fleet[slot];
        terminal.session(first)?;
        let (mut counts, usual) = self.features_since(slot, first, next.wrapping_sub(1));
        if counts.paces[Pace::Entry as usize].1 > 0.0 {
            // the same times, and more exactly
            counts.n[Feature::Slow as usize] = 0.0;
            counts.k[Feature::Slow as usize] = 0.0;
        }
        let ln_prior = -self.tuning.suspicion.odds.ln();
        let ratio = |hypothesis: &Hypothesis| {
            let paces =
                Pace::ALL.iter().map(|pace| self.pace_ln(slot, hypothesis, *pace, &counts)).sum::<f64>();
            Some(ln_prior + features_ln(hypothesis, &counts, &usual) + paces)
        };
        let ranking = rank_by(&self.tuning.hypotheses, ratio);
        Some(Looked { slot, first, sessions: next.wrapping_sub(first), counts, usual, ranking })
    }

    /// ln of the likelihood ratio that a pace gives an explanation.
    fn pace_ln(&self, slot: Slot, hypothesis: &Hypothesis, pace: Pace, counts: &Counts) -> f64 {
        let (between, within) = self.pace_spread(slot, pace);
        let at = pace as usize;
        hypothesis.paces[at].map_or(0.0, |shift| shift.ln_ratio(counts.paces[at], between, within))
    }

    fn told_as(&self, looked: &Looked, log_odds: f64) -> Option<Suspicion> {
        /// An explanation that is so unlikely is not told.
        const LEAST: f64 = -3.0;
        let Looked { slot, first, sessions, counts, usual, ranking } = looked;
        let (cause, best, ln) = ranking.causes.first().copied()?;
        let terminal = &self.fleet[*slot];
        let since = terminal.session(*first)?.at;
        let mut evidence = self.terminal_evidence(*slot, since, ranking, (counts, usual));
        if let Some(hypothesis) = self.tuning.hypotheses.get(best) {
            evidence.extend(self.pace_evidence(*slot, hypothesis, looked));
        }
        register::sort(&mut evidence);
        let chosen = ln - log_odds;
        let others = ranking.causes.iter().skip(1).filter(|other| other.2 - chosen > LEAST);
        Some(Suspicion {
            scope: Scope::Terminal(terminal.id),
            cause,
            since,
            sessions: *sessions,
            log_odds: log_odds as f32,
            others: others.map(|(cause, _, ln)| (*cause, (ln - chosen) as f32)).collect(),
            evidence,
            incident: Group::ALL.iter().map(|group| terminal.incidents[*group as usize]).find(|id| *id != 0),
        })
    }

    fn pace_evidence(&self, slot: Slot, hypothesis: &Hypothesis, looked: &Looked) -> Vec<Evidence> {
        /// What weighs less is not told.
        const LEAST: f64 = 0.3;
        /// Longer than this is slow.
        const SLOW: f64 = 0.3;
        let terminal = &self.fleet[slot];
        let told = |pace: Pace| {
            let inside = (0..looked.sessions).filter_map(|n| terminal.session(looked.first.wrapping_add(n)));
            let offs: Vec<f64> = inside.filter_map(|session| session.off[pace as usize].ln()).collect();
            let slow = offs.iter().filter(|off| **off > SLOW).count();
            (slow as f64, offs.len() as f64)
        };
        let mut evidence = Vec::new();
        for pace in Pace::ALL {
            let ln = self.pace_ln(slot, hypothesis, pace, &looked.counts);
            if ln.abs() < LEAST {
                continue;
            }
            let (slow, of) = told(pace);
            evidence.push(match pace {
                Pace::Entry => e::SLOW_PIN_ENTRY.with(ln, [slow, of, f64::from(terminal.entry_ln_ms.exp())]),
                Pace::Line => e::SLOW_EXCHANGES.with(ln, [slow, of, f64::from(terminal.line_ln_ms.exp())]),
            });
        }
        evidence
    }
}
