//! The figures, from the counts: as JSON for programs, and as text for people.

use std::collections::BTreeMap;

use diagnosis::Cause;
use serde::Serialize;

use super::tally::{Calibration, Class, Tally};
use crate::data::baseline;

/// Causes that show in verdicts about refusals and not as incidents.
pub const OF_HOLDERS: [Cause; 3] = [Cause::Forgotten, Cause::Mistyped, Cause::Locked];

/// Every figure.
#[derive(Debug, Clone, Serialize)]
#[allow(missing_docs, reason = "docs/concepts/drills.md explains each of them by its name in the JSON")]
pub struct Score {
    pub seeds: String,
    pub split: BTreeMap<&'static str, u64>,
    pub sessions: u64,
    pub incidents: u64,
    pub macro_f1: f64,
    pub per_class: BTreeMap<&'static str, Figures>,
    pub forms: BTreeMap<String, Recall>,
    pub confusion: BTreeMap<&'static str, BTreeMap<&'static str, u64>>,
    pub top2_accuracy: f64,
    pub brier: f64,
    pub reliability: Vec<Bin>,
    pub detection_sessions: BTreeMap<&'static str, Quantiles>,
    pub detection_minutes: BTreeMap<&'static str, Quantiles>,
    pub retraction_sessions: BTreeMap<&'static str, Quantiles>,
    pub retraction_minutes: BTreeMap<&'static str, Quantiles>,
    pub lingering: u64,
    pub false_incidents: BTreeMap<&'static str, u64>,
    pub false_incidents_per_million_sessions: f64,
    pub false_incidents_in_decoys: BTreeMap<&'static str, u64>,
    pub duplicates_per_true: f64,
    pub localisation: f64,
    pub cards_locked_by_faults: u64,
    pub cards_locked_wrongly: u64,
    pub cards_locked_by_wrong_key: u64,
    pub spray_cards_before_block: Quantiles,
    pub spray_cards_before_named: Quantiles,
    pub good_transactions_declined: Declined,
    pub by_sessions: BySessions,
    pub by_sessions_watched: WatchedBySessions,
    pub verdicts: VerdictFigures,
    pub us_per_event: f64,
    pub bytes_per_terminal: usize,
}

/// Of one class.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[allow(missing_docs, reason = "the names are the definitions")]
pub struct Figures {
    pub precision: f64,
    pub recall: f64,
    pub f1: f64,
    pub n: u64,
}

/// How many of how many.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[allow(missing_docs, reason = "the names are the definitions")]
pub struct Recall {
    pub recall: f64,
    pub n: u64,
}

/// Middle and tail.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[allow(missing_docs, reason = "the names are the definitions")]
pub struct Quantiles {
    pub p50: f64,
    pub p95: f64,
    pub n: usize,
}

/// Of those who were so sure, so many were right.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[allow(missing_docs, reason = "the names are the definitions")]
pub struct Bin {
    pub confidence: f64,
    pub right: f64,
    pub n: u64,
}

/// The baseline table and ours beside it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[allow(missing_docs, reason = "the names are the definitions")]
pub struct BySessions {
    pub sessions: Vec<u32>,
    pub rows: BTreeMap<String, Row>,
}

/// A row of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[allow(missing_docs, reason = "the names are the definitions")]
pub struct Row {
    pub ours: Vec<Option<f64>>,
    pub baseline: Vec<f64>,
    pub n: Vec<u64>,
}

/// What the bank's rules would have refused of payments that were approved and no part of an attack.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[allow(missing_docs, reason = "the names are the definitions")]
pub struct Declined {
    pub count: u64,
    pub of: u64,
    pub per_million: f64,
    pub by_rule: BTreeMap<String, u64>,
    pub terminals_blocked: u64,
}

/// The baseline table and what was suspected beside it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[allow(missing_docs, reason = "the names are the definitions")]
pub struct WatchedBySessions {
    pub sessions: Vec<u32>,
    pub rows: BTreeMap<String, WatchedRow>,
    pub left_out: u64,
}

/// A row of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[allow(missing_docs, reason = "the names are the definitions")]
pub struct WatchedRow {
    pub provisional: Vec<Option<f64>>,
    pub revised: Vec<Option<f64>>,
    pub baseline: Vec<f64>,
    pub n: Vec<u64>,
}

/// Of the verdicts about refusals.
#[derive(Debug, Clone, Serialize)]
#[allow(missing_docs, reason = "the names are the definitions")]
pub struct VerdictFigures {
    pub refusals: u64,
    pub accuracy_at_once: f64,
    pub accuracy: f64,
    pub top2_accuracy: f64,
    pub brier: f64,
    pub reliability: Vec<Bin>,
    pub per_class: BTreeMap<&'static str, Figures>,
}

impl Tally {
    /// The figures.
    #[must_use]
    pub fn score(&self, seeds: &str) -> Score {
        let per_class = self.per_class();
        let f1: Vec<f64> = per_class.values().filter(|class| class.n > 0).map(|class| class.f1).collect();
        let false_alarms: u64 = self.false_alarms.values().sum();
        Score {
            seeds: seeds.to_owned(),
            split: BTreeMap::from([("tuning", self.split.0), ("reporting", self.split.1)]),
            sessions: self.sessions,
            incidents: self.confusion.values().sum(),
            macro_f1: mean(&f1),
            per_class,
            forms: self.forms.iter().map(|(form, (right, n))| (form.clone(), recall(*right, *n))).collect(),
            confusion: self.confusion(),
            top2_accuracy: share(self.top_two.1, self.top_two.0),
            brier: brier(&self.calibration),
            reliability: reliability(&self.calibration),
            detection_sessions: each(&self.detection, |(sessions, _)| *sessions),
            detection_minutes: each(&self.detection, |(_, minutes)| *minutes),
            retraction_sessions: each(&self.retraction, |(sessions, _)| *sessions),
            retraction_minutes: each(&self.retraction, |(_, minutes)| *minutes),
            lingering: self.lingering,
            false_incidents: self.false_alarms.iter().map(|(cause, n)| (cause.name(), *n)).collect(),
            false_incidents_per_million_sessions: false_alarms as f64 * 1e6 / self.sessions.max(1) as f64,
            false_incidents_in_decoys: self.decoyed.clone(),
            duplicates_per_true: if self.alarms.1 == 0 {
                0.0
            } else {
                self.alarms.0 as f64 / self.alarms.1 as f64
            },
            localisation: share(self.exact.0, self.exact.1),
            cards_locked_by_faults: self.locked.0,
            cards_locked_wrongly: self.locked.1,
            cards_locked_by_wrong_key: self.locked_by_key,
            spray_cards_before_block: quantiles(self.spray_cards.clone()),
            spray_cards_before_named: quantiles(self.spray_named.clone()),
            good_transactions_declined: self.declined(),
            by_sessions: self.by_sessions(),
            by_sessions_watched: self.by_sessions_watched(),
            verdicts: self.verdict_figures(),
            us_per_event: self.nanos as f64 / 1e3 / self.events.max(1) as f64,
            bytes_per_terminal: self.bytes_per_terminal,
        }
    }

    /// Incidents by their causes; what holders do by the verdicts about their refusals.
    fn per_class(&self) -> BTreeMap<&'static str, Figures> {
        let of_holders = |cause: &Cause| OF_HOLDERS.contains(cause);
        let incidents = self.classes.iter().filter(|(cause, _)| !of_holders(cause));
        let holders = self.verdicts.classes.iter().filter(|(cause, _)| of_holders(cause));
        incidents.chain(holders).map(|(cause, class)| (cause.name(), figures(class))).collect()
    }

    fn confusion(&self) -> BTreeMap<&'static str, BTreeMap<&'static str, u64>> {
        let mut rows: BTreeMap<_, BTreeMap<_, _>> = BTreeMap::new();
        for ((was, said), count) in &self.confusion {
            rows.entry(was.name()).or_default().insert(said.map_or("nothing", Cause::name), *count);
        }
        rows
    }

    fn by_sessions(&self) -> BySessions {
        let table = baseline();
        let row = |(name, baseline): (&String, &Vec<f64>)| {
            let counts = self.rows.get(name).cloned().unwrap_or_default();
            let of = |at: usize| counts.get(at).copied().unwrap_or_default();
            let ours = (0..baseline.len()).map(|at| (of(at).1 > 0).then(|| share(of(at).0, of(at).1)));
            let n = (0..baseline.len()).map(|at| of(at).1);
            let row = Row { ours: ours.collect(), n: n.collect(), baseline: baseline.clone() };
            (name.clone(), row)
        };
        BySessions { sessions: table.sessions.clone(), rows: table.rows.iter().map(row).collect() }
    }

    fn by_sessions_watched(&self) -> WatchedBySessions {
        let table = baseline();
        let row = |(name, baseline): (&String, &Vec<f64>)| {
            let counts = self.suspected.get(name).cloned().unwrap_or_default();
            let of = |at: usize| counts.get(at).copied().unwrap_or_default();
            let columns = || (0..baseline.len()).map(of);
            let recall = |right: u64, n: u64| (n > 0).then(|| share(right, n));
            let row = WatchedRow {
                provisional: columns().map(|(right, _, n)| recall(right, n)).collect(),
                revised: columns().map(|(_, right, n)| recall(right, n)).collect(),
                baseline: baseline.clone(),
                n: columns().map(|(.., n)| n).collect(),
            };
            (name.clone(), row)
        };
        WatchedBySessions {
            sessions: table.sessions.clone(),
            rows: table.rows.iter().map(row).collect(),
            left_out: self.beside,
        }
    }

    fn declined(&self) -> Declined {
        let (of, count, terminals_blocked) = self.rules;
        let per_million = count as f64 * 1e6 / of.max(1) as f64;
        Declined { count, of, per_million, by_rule: self.declined_by.clone(), terminals_blocked }
    }

    fn verdict_figures(&self) -> VerdictFigures {
        let verdicts = &self.verdicts;
        VerdictFigures {
            refusals: verdicts.refusals,
            accuracy_at_once: share(verdicts.right_at_once, verdicts.refusals),
            accuracy: share(verdicts.right, verdicts.refusals),
            top2_accuracy: share(verdicts.right_in_two, verdicts.refusals),
            brier: brier(&verdicts.calibration),
            reliability: reliability(&verdicts.calibration),
            per_class: verdicts.classes.iter().map(|(cause, class)| (cause.name(), figures(class))).collect(),
        }
    }
}

/// A promised figure: its name, what it is, and whether that is enough.
type Promise = (&'static str, f64, bool);

impl Score {
    /// How many figures are promised.
    pub const PROMISES: usize = 12;

    fn promises(&self) -> [Promise; Self::PROMISES] {
        let below = self.below_baseline();
        let wrong_key = self.detection_sessions.get("wrong-terminal-key").map_or(0.0, |d| d.p95);
        let spray = self.spray_cards_before_block.p95;
        [
            ("macro F1 is at least 0.90", self.macro_f1, self.macro_f1 >= 0.90),
            ("top-2 accuracy is at least 0.97", self.top2_accuracy, self.top2_accuracy >= 0.97),
            (
                "false incidents are at most 2 per million sessions",
                self.false_incidents_per_million_sessions,
                self.false_incidents_per_million_sessions <= 2.0,
            ),
            (
                "incidents per true one are at most 1.1",
                self.duplicates_per_true,
                self.duplicates_per_true <= 1.1,
            ),
            ("a wrong terminal key is named within 3 card sessions", wrong_key, wrong_key <= 3.0),
            (
                "a wrong terminal key locks no card",
                self.cards_locked_by_wrong_key as f64,
                self.cards_locked_by_wrong_key == 0,
            ),
            (
                "every card that a fault locked is listed by an incident",
                self.cards_locked_wrongly as f64,
                self.cards_locked_wrongly == 0,
            ),
            ("a spray is blocked before its 6th card at p95", spray, spray < 6.0),
            (
                "rules would refuse at most 1 good payment in 400",
                self.good_transactions_declined.per_million,
                self.good_transactions_declined.per_million <= 2_500.0,
            ),
            ("every row of the baseline is reached", below as f64, below == 0),
            ("an event takes at most 5 microseconds", self.us_per_event, self.us_per_event <= Self::US_MOST),
            ("there were incidents", self.incidents as f64, self.incidents > 0),
        ]
    }

    /// Microseconds: 5 as promised; a build without optimization takes a multiple of it.
    const US_MOST: f64 = if cfg!(debug_assertions) { 250.0 } else { 5.0 };

    /// Promised figures that were not reached, in words.
    #[must_use]
    pub fn shortcomings(&self) -> Vec<String> {
        let missed = self.promises().into_iter().filter(|(_, _, enough)| !enough);
        missed.map(|(promise, is, _)| format!("{promise}, but it is {is:.3}")).collect()
    }

    /// Rows of the baseline's table that are not reached in the sum over the columns that occurred, as the baseline is asked. A
    /// perfect column cannot be beaten.
    fn below_baseline(&self) -> usize {
        let reached = |row: &&WatchedRow| {
            let known = row
                .revised
                .iter()
                .zip(&row.baseline)
                .filter_map(|(ours, theirs)| Some((*ours.as_ref()?, theirs)));
            // the table has two places behind the point
            known.fold(0.005, |ahead, (ours, theirs)| ahead + ours - theirs) >= 0.0
        };
        self.by_sessions_watched.rows.values().filter(|row| !reached(row)).count()
    }
}

fn figures(class: &Class) -> Figures {
    let precision = share(class.right, class.right + class.wrong);
    let recall = share(class.right, class.right + class.missed);
    let f1 = if precision + recall > 0.0 { 2.0 * precision * recall / (precision + recall) } else { 0.0 };
    Figures { precision, recall, f1, n: class.right + class.missed }
}

fn recall(right: u64, n: u64) -> Recall {
    Recall { recall: share(right, n), n }
}

fn share(of: u64, all: u64) -> f64 {
    if all == 0 { 0.0 } else { of as f64 / all as f64 }
}

fn mean(of: &[f64]) -> f64 {
    if of.is_empty() { 0.0 } else { of.iter().sum::<f64>() / of.len() as f64 }
}

fn brier(calibration: &Calibration) -> f64 {
    let count: u64 = calibration.bins.iter().map(|(n, ..)| n).sum();
    if count == 0 { 0.0 } else { calibration.squares / count as f64 }
}

fn reliability(calibration: &Calibration) -> Vec<Bin> {
    let bins = calibration.bins.iter().filter(|(n, ..)| *n > 0);
    bins.map(|(n, confidence, right)| Bin {
        confidence: confidence / *n as f64,
        right: share(*right, *n),
        n: *n,
    })
    .collect()
}

fn each<T>(of: &BTreeMap<Cause, Vec<T>>, value: impl Fn(&T) -> f64) -> BTreeMap<&'static str, Quantiles> {
    of.iter().map(|(cause, all)| (cause.name(), quantiles(all.iter().map(&value).collect()))).collect()
}

/// The nearest rank.
fn quantiles(mut of: Vec<f64>) -> Quantiles {
    of.sort_by(f64::total_cmp);
    let at = |share: f64| {
        let rank = (share * of.len() as f64).ceil() as usize;
        of.get(rank.saturating_sub(1)).copied().unwrap_or(0.0)
    };
    Quantiles { p50: at(0.5), p95: at(0.95), n: of.len() }
}
