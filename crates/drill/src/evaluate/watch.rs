//! What a diagnosis said, and when: each change of an incident, and the verdict about each refusal, at once and in the end.

use std::collections::BTreeMap;

use diagnosis::{Cause, Change, Diagnose, Incident, Observation, Scope, Status, Verdict};
use model::{CardId, Timestamp};

use super::watched::{Answer, Asking, Question};
use crate::play::Refusal;

/// After the last observation time goes on for so long, so that sessions close.
const AFTERWARDS_MS: i64 = 3 * 3_600_000;
/// So often time passes without observations.
pub(super) const STEP_MS: i64 = 60_000;

/// All that was said on one day.
#[derive(Debug, Default)]
pub struct Heard {
    /// Incidents by their number.
    pub incidents: BTreeMap<u64, Said>,
    /// For each refusal the verdict at once, and in the end.
    pub verdicts: Vec<(Option<Opinion>, Option<Opinion>)>,
    /// What it suspected, question by question.
    pub answers: Vec<Answer>,
    /// Memory that a terminal takes in the end.
    pub bytes_per_terminal: usize,
    /// Observations.
    pub events: u64,
}

/// One incident, as it was told.
#[derive(Debug, Clone)]
pub struct Said {
    /// Every version of it.
    pub history: Vec<Version>,
    /// Its first sign.
    pub onset: Timestamp,
    /// Its last sign.
    pub last_seen: Timestamp,
    /// When it was over or retracted.
    pub ended: Option<Timestamp>,
    /// Observations until then.
    pub ended_after: Option<u32>,
    /// Cards that it says a fault cost tries.
    pub harmed: Vec<CardId>,
}

/// A version of an incident.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Version {
    /// After so many observations.
    pub after: u32,
    /// By the observations' clock.
    pub at: Timestamp,
    /// Why.
    pub cause: Cause,
    /// What it is about.
    pub scope: Scope,
    /// Where it stands.
    pub status: Status,
    /// How sure.
    pub confidence: f32,
    /// The next best explanation.
    pub second: Option<Cause>,
}

/// A verdict, as it was told.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Opinion {
    /// Why.
    pub cause: Cause,
    /// How sure.
    pub confidence: f32,
    /// The next best explanation.
    pub second: Option<Cause>,
}

impl From<Verdict> for Opinion {
    fn from(verdict: Verdict) -> Self {
        let second = verdict.others.first().map(|(cause, _)| *cause);
        Self { cause: verdict.cause, confidence: verdict.confidence, second }
    }
}

impl Said {
    /// The last version.
    ///
    /// # Panics
    /// Never: what was said has a version.
    #[must_use]
    pub fn last(&self) -> &Version {
        // cannot fail: made with its first version
        self.history.last().expect("what was said has a version")
    }

    /// Did people hear of it? Not if it was merely suspected and taken back, or if a wider one explains it.
    #[must_use]
    pub fn is_alarm(&self) -> bool {
        let opened = self.history.iter().any(|version| matches!(version.status, Status::Open | Status::Over));
        match self.last().status {
            Status::Absorbed => false,
            Status::Retracted | Status::Provisional => opened,
            Status::Open | Status::Over => true,
        }
    }
}

/// Shows it everything in order.
pub fn watch<D: Diagnose>(
    observations: &[Observation],
    refusals: &[Refusal],
    questions: &[Question],
    mut diagnosis: D,
) -> Heard {
    let mut asking = Asking::new(questions);
    asking.step(&diagnosis, 0, Timestamp(0));
    let mut heard = Heard { events: observations.len() as u64, ..Heard::default() };
    let mut next_refusal = 0;
    let mut now = observations.first().map_or(Timestamp(0), |first| first.at);
    for (at, observation) in observations.iter().enumerate() {
        let after = at as u32 + 1;
        while now.plus_ms(STEP_MS) < observation.at {
            now = now.plus_ms(STEP_MS);
            diagnosis.advance(now);
        }
        diagnosis.observe(observation);
        let changes = diagnosis.changes();
        heard.note(&diagnosis, &changes, after, observation.at);
        asking.step(&diagnosis, after, observation.at);
        while let Some(refusal) = refusals.get(next_refusal).filter(|refusal| refusal.seen <= after) {
            heard.verdicts.push((diagnosis.verdict(&refusal.rrn).map(Opinion::from), None));
            next_refusal += 1;
        }
    }
    let after = observations.len() as u32;
    let end = observations.last().map_or(now, |last| last.at).plus_ms(AFTERWARDS_MS);
    while now < end {
        now = now.plus_ms(STEP_MS);
        diagnosis.advance(now);
        let changes = diagnosis.changes();
        heard.note(&diagnosis, &changes, after, now);
        asking.step(&diagnosis, after, now);
    }
    heard.answers = asking.finish();
    for (opinions, refusal) in heard.verdicts.iter_mut().zip(refusals) {
        // One that is not remembered any more stays as it was first given.
        opinions.1 = diagnosis.verdict(&refusal.rrn).map(Opinion::from).or(opinions.0);
    }
    heard.bytes_per_terminal = diagnosis.bytes_per_terminal();
    for incident in diagnosis.incidents() {
        if let Some(said) = heard.incidents.get_mut(&incident.id) {
            said.update(incident);
        }
    }
    heard
}

impl Heard {
    fn note<D: Diagnose>(&mut self, diagnosis: &D, changes: &[Change], after: u32, at: Timestamp) {
        for change in changes {
            let (Change::Opened(id) | Change::Revised(id) | Change::Ended(id) | Change::Retracted(id)) =
                change
            else {
                continue;
            };
            let Some(incident) = diagnosis.incident(*id) else { continue };
            let version = Version {
                after,
                at,
                cause: incident.cause,
                scope: incident.scope,
                status: incident.status,
                confidence: incident.confidence,
                second: incident.second,
            };
            let said = self.incidents.entry(*id).or_insert_with(|| Said {
                history: Vec::new(),
                onset: incident.onset,
                last_seen: incident.last_seen,
                ended: None,
                ended_after: None,
                harmed: Vec::new(),
            });
            said.history.push(version);
            said.update(incident);
            if incident.ended.is_some() {
                said.ended_after.get_or_insert(after);
            }
        }
    }
}

impl Said {
    fn update(&mut self, incident: &Incident) {
        (self.onset, self.last_seen, self.ended) = (incident.onset, incident.last_seen, incident.ended);
        self.harmed.clone_from(&incident.harmed);
    }
}
