//! Counts over days, before they become figures: days may be scored side by side and added.

use std::collections::{BTreeMap, HashSet};

use diagnosis::Cause;
use host::observe::Names;

use super::{
    matching::{Known, Matched, matched},
    watch::{Heard, Opinion},
    watched::{Answer, Question},
};
use crate::{
    data::{Split, baseline},
    play::Labels,
};

/// Bins of confidence.
pub const BINS: usize = 10;

/// Right, wrong and missed, of one class.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Class {
    /// Named, and so.
    pub right: u64,
    /// Named, and not so.
    pub wrong: u64,
    /// So, and not named.
    pub missed: u64,
}

/// Confidence against truth.
#[derive(Debug, Clone, Default)]
pub struct Calibration {
    /// Sum of the squared differences.
    pub squares: f64,
    /// For each bin of confidence: how many, the sum of their confidence, how many were right.
    pub bins: [(u64, f64, u64); BINS],
}

/// Verdicts about refusals.
#[derive(Debug, Clone, Default)]
pub struct Verdicts {
    /// Refusals.
    pub refusals: u64,
    /// Right at once.
    pub right_at_once: u64,
    /// Right in the end.
    pub right: u64,
    /// Right, or the second best was, in the end.
    pub right_in_two: u64,
    /// By class, in the end.
    pub classes: BTreeMap<Cause, Class>,
    /// In the end.
    pub calibration: Calibration,
}

/// Counts over days.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// Days.
    pub days: u64,
    /// Days by what they are for: tuning, reporting.
    pub split: (u64, u64),
    /// Card sessions.
    pub sessions: u64,
    /// Observations.
    pub events: u64,
    /// Time that the diagnosis took, in nanoseconds.
    pub nanos: u64,
    /// By class of incidents.
    pub classes: BTreeMap<Cause, Class>,
    /// By form of incidents: named, and how many there were.
    pub forms: BTreeMap<String, (u64, u64)>,
    /// What was, and what was said; `None`: nothing.
    pub confusion: BTreeMap<(Cause, Option<Cause>), u64>,
    /// Truths that something was said about, and of these, those whose cause was first or second.
    pub top_two: (u64, u64),
    /// Right in scope, of those right in cause.
    pub exact: (u64, u64),
    /// Incidents that belong to no truth, by cause.
    pub false_alarms: BTreeMap<Cause, u64>,
    /// The same, by the decoy in whose time they were told.
    pub decoyed: BTreeMap<&'static str, u64>,
    /// Alarms of truths, and truths with alarms.
    pub alarms: (u64, u64),
    /// Sessions and minutes until it was named.
    pub detection: BTreeMap<Cause, Vec<(f64, f64)>>,
    /// Sessions and minutes from repair to the end of the incident.
    pub retraction: BTreeMap<Cause, Vec<(f64, f64)>>,
    /// Alarms that were still open hours after the repair.
    pub lingering: u64,
    /// Cards that faults locked, and of these, those that no incident lists as harmed.
    pub locked: (u64, u64),
    /// Memory that a terminal takes, at most.
    pub bytes_per_terminal: usize,
    /// Cards that a wrong terminal key locked.
    pub locked_by_key: u64,
    /// Cards that a spray tried before it was named.
    pub spray_cards: Vec<f64>,
    /// By row of the baseline table: for each number of sessions, named by then and how many there were.
    pub rows: BTreeMap<String, Vec<(u64, u64)>>,
    /// What was suspected, by row of the baseline table: for each number of sessions, right at once, right in the end, and how
    /// many there were.
    pub suspected: BTreeMap<String, Vec<(u64, u64, u64)>>,
    /// Windows that were left out because a second incident was at the same terminal.
    pub beside: u64,
    /// Payments that were approved and no part of an attack; of these, those that the rules would have refused; terminals that
    /// the rules would have blocked for nothing.
    pub rules: (u64, u64, u64),
    /// The second of them by rule.
    pub declined_by: BTreeMap<String, u64>,
    /// Cards that a spray tried before it was named, whatever rules do.
    pub spray_named: Vec<f64>,
    /// Confidence of incidents.
    pub calibration: Calibration,
    /// The same one by one, and whether each was right.
    pub confidences: Vec<(f32, bool)>,
    /// Verdicts.
    pub verdicts: Verdicts,
    /// What was and what was said, for people who tune.
    pub notes: Vec<String>,
}

impl Calibration {
    fn note(&mut self, confidence: f32, right: bool) {
        let confidence = f64::from(confidence).clamp(0.0, 1.0);
        let so = if right { 1.0 } else { 0.0 };
        self.squares += (confidence - so).powi(2);
        let bin = &mut self.bins[((confidence * BINS as f64) as usize).min(BINS - 1)];
        *bin = (bin.0 + 1, bin.1 + confidence, bin.2 + u64::from(right));
    }

    fn add(&mut self, other: &Self) {
        self.squares += other.squares;
        for (bin, more) in self.bins.iter_mut().zip(other.bins) {
            *bin = (bin.0 + more.0, bin.1 + more.1, bin.2 + more.2);
        }
    }
}

impl Tally {
    /// Of one day.
    #[must_use]
    pub fn of_day(heard: &Heard, labels: &Labels, names: &mut Names) -> Self {
        let mut tally = Self {
            days: 1,
            split: if labels.day.split() == Split::Tuning { (1, 0) } else { (0, 1) },
            sessions: labels.sessions,
            events: heard.events,
            bytes_per_terminal: heard.bytes_per_terminal,
            ..Self::default()
        };
        let known: Vec<Known> =
            labels.truths().iter().map(|truth| Known::new(truth, labels, names)).collect();
        let matched = matched(heard, &known);
        tally.notes = super::notes::notes(heard, labels, names, &matched);
        tally.truths(heard, labels, &known, &matched);
        tally.alarms_of(heard, labels, &matched);
        tally.specificity(heard, labels, &matched);
        tally.harm(heard, labels, &matched);
        tally.verdicts_of(heard, labels);
        let rules = &labels.rules;
        tally.rules = (rules.good_payments, rules.good_declined, rules.terminals_blocked);
        tally.declined_by.clone_from(&rules.declined_by);
        tally
    }

    fn truths(&mut self, heard: &Heard, labels: &Labels, known: &[Known], matched: &Matched) {
        for ((truth, known), alarms) in labels.truths().iter().zip(known).zip(&matched.of_truth) {
            let best = alarms.first().map(|id| &heard.incidents[id]);
            let said = best.map(|said| said.last().cause);
            *self.confusion.entry((truth.cause, said)).or_default() += 1;
            let class = self.classes.entry(truth.cause).or_default();
            let right = said == Some(truth.cause);
            if right {
                class.right += 1
            } else {
                class.missed += 1
            }
            let form = self.forms.entry(format!("{}/{}", truth.cause, truth.variant)).or_default();
            *form = (form.0 + u64::from(right), form.1 + 1);
            if let Some(said) = best {
                self.alarms = (self.alarms.0 + alarms.len() as u64, self.alarms.1 + 1);
                let in_two = right || said.last().second == Some(truth.cause);
                self.top_two = (self.top_two.0 + 1, self.top_two.1 + u64::from(in_two));
                if right {
                    let exact = known.is_exact(&said.last().scope);
                    self.exact = (self.exact.0 + u64::from(exact), self.exact.1 + 1);
                }
            }
            let sessions = &labels.of_truth[usize::from(truth.id)];
            let named =
                heard.incidents.values().filter_map(|said| known.named_by(said)).min_by_key(|v| v.after);
            let until_named = named.map(|version| sessions.partition_point(|seen| *seen <= version.after));
            if let (Some(version), Some(until_named)) = (named, until_named) {
                let minutes = (version.at.0 - truth.from).max(0) as f64 / 60_000.0;
                self.detection.entry(truth.cause).or_default().push((until_named as f64, minutes));
            }
            if let Some(row) = truth.row {
                // The table is about one terminal: a cohort's sessions are spread over its terminals.
                let spread = truth.terminals.len().max(1);
                self.row(row, until_named.map(|n| n / spread), sessions.len() / spread);
            }
            if right && let Some(said) = best {
                let after = &labels.after_truth[usize::from(truth.id)];
                match (said.ended, said.ended_after) {
                    (Some(ended), Some(ended_after)) => {
                        let sessions = after.partition_point(|seen| *seen <= ended_after);
                        let minutes = (ended.0 - truth.until).max(0) as f64 / 60_000.0;
                        self.retraction.entry(truth.cause).or_default().push((sessions as f64, minutes));
                    }
                    _ => self.lingering += 1,
                }
            }
            if truth.cause == Cause::PinSpray {
                let named = named.map_or(u32::MAX, |version| version.after);
                let blocked = labels.rules.blocked[usize::from(truth.id)].unwrap_or(u32::MAX);
                // the card at which it was noticed was tried, too
                let tried_by = |until: u32| {
                    let tried = labels.tried[usize::from(truth.id)].iter().filter(|(seen, _)| *seen <= until);
                    tried.map(|(_, card)| *card).collect::<HashSet<u32>>().len() as f64
                };
                self.spray_cards.push(tried_by(named.min(blocked)));
                self.spray_named.push(tried_by(named));
            }
        }
    }

    /// What was suspected.
    pub fn watched(&mut self, questions: &[Question], answers: &[Answer]) {
        for (question, answer) in questions.iter().zip(answers) {
            if question.beside {
                self.beside += 1;
                continue;
            }
            let counts = self
                .suspected
                .entry(question.row.to_owned())
                .or_insert_with(|| vec![(0, 0, 0); baseline().sessions.len()]);
            let right = [&answer.provisional, &answer.revised].map(|guess| question.is_right(guess.as_ref()));
            let count = &mut counts[question.column];
            *count = (count.0 + u64::from(right[0]), count.1 + u64::from(right[1]), count.2 + 1);
            if right != [true, true] {
                self.notes.push(super::notes::suspected(question, answer));
            }
        }
    }

    /// Named by N sessions, of those that had so many or were named before.
    fn row(&mut self, row: &str, named: Option<usize>, had: usize) {
        let counts =
            self.rows.entry(row.to_owned()).or_insert_with(|| vec![(0, 0); baseline().sessions.len()]);
        for (count, sessions) in counts.iter_mut().zip(&baseline().sessions) {
            let by_then = named.is_some_and(|named| named <= *sessions as usize);
            if had >= *sessions as usize || by_then {
                *count = (count.0 + u64::from(by_then), count.1 + 1);
            }
        }
    }

    fn alarms_of(&mut self, heard: &Heard, labels: &Labels, matched: &Matched) {
        for (truth, alarms) in labels.truths().iter().zip(&matched.of_truth) {
            for id in alarms {
                let last = heard.incidents[id].last();
                let right = last.cause == truth.cause;
                self.calibration.note(last.confidence, right);
                self.confidences.push((last.confidence, right));
                if !right {
                    self.classes.entry(last.cause).or_default().wrong += 1;
                }
            }
        }
        for id in &matched.without {
            let said = &heard.incidents[id];
            let last = said.last();
            self.calibration.note(last.confidence, false);
            self.confidences.push((last.confidence, false));
            self.classes.entry(last.cause).or_default().wrong += 1;
            *self.false_alarms.entry(last.cause).or_default() += 1;
            let at = said.history.first().map_or(0, |version| version.at.0);
            for decoy in labels.day.decoys.iter().filter(|d| (d.from..d.until).contains(&at)) {
                *self.decoyed.entry(decoy.kind.name()).or_default() += 1;
            }
        }
    }

    /// Windows of N sessions at terminals that have no incident: each false alarm about a terminal spoils one.
    fn specificity(&mut self, heard: &Heard, labels: &Labels, matched: &Matched) {
        use diagnosis::Scope;
        let is_terminal = |id: &&u64| matches!(heard.incidents[id].last().scope, Scope::Terminal(_));
        let spoilt = matched.without.iter().filter(is_terminal).count() as u64;
        let counts =
            self.rows.entry("normal".to_owned()).or_insert_with(|| vec![(0, 0); baseline().sessions.len()]);
        for (count, sessions) in counts.iter_mut().zip(&baseline().sessions) {
            let windows: u64 = labels.at_terminal.iter().map(|at| u64::from(at / sessions)).sum();
            *count = (count.0 + windows.saturating_sub(spoilt), count.1 + windows);
        }
    }

    fn harm(&mut self, heard: &Heard, labels: &Labels, matched: &Matched) {
        for lock in &labels.locks {
            let Some(fault) = lock.fault else { continue };
            self.locked_by_key += u64::from(labels.day.cause(fault) == Cause::WrongTerminalKey);
            let mut told = heard.incidents.values().filter(|said| said.is_alarm());
            let listed = told.any(|said| said.harmed.contains(&lock.card));
            self.locked = (self.locked.0 + 1, self.locked.1 + u64::from(!listed));
            if !listed {
                self.notes.push(super::notes::unlisted(
                    lock,
                    heard,
                    labels,
                    &matched.of_truth[usize::from(fault)],
                ));
            }
        }
    }

    fn verdicts_of(&mut self, heard: &Heard, labels: &Labels) {
        let verdicts = &mut self.verdicts;
        for (refusal, (at_once, final_one)) in labels.refusals.iter().zip(&heard.verdicts) {
            let right = |opinion: &Option<Opinion>| opinion.is_some_and(|o| o.cause == refusal.cause);
            verdicts.refusals += 1;
            verdicts.right_at_once += u64::from(right(at_once));
            verdicts.right += u64::from(right(final_one));
            let second = final_one.is_some_and(|opinion| opinion.second == Some(refusal.cause));
            verdicts.right_in_two += u64::from(right(final_one) || second);
            let class = verdicts.classes.entry(refusal.cause).or_default();
            if right(final_one) {
                class.right += 1
            } else {
                class.missed += 1
            }
            if let Some(opinion) = final_one {
                verdicts.calibration.note(opinion.confidence, right(final_one));
                if !right(final_one) {
                    verdicts.classes.entry(opinion.cause).or_default().wrong += 1;
                }
            }
        }
    }

    /// Adds another day's, or days'.
    pub fn add(&mut self, other: Self) {
        self.days += other.days;
        self.split = (self.split.0 + other.split.0, self.split.1 + other.split.1);
        self.sessions += other.sessions;
        self.events += other.events;
        self.nanos += other.nanos;
        self.lingering += other.lingering;
        self.locked_by_key += other.locked_by_key;
        self.bytes_per_terminal = self.bytes_per_terminal.max(other.bytes_per_terminal);
        self.notes.extend(other.notes);
        for pair in [
            (&mut self.top_two, other.top_two),
            (&mut self.exact, other.exact),
            (&mut self.alarms, other.alarms),
            (&mut self.locked, other.locked),
        ] {
            *pair.0 = (pair.0.0 + pair.1.0, pair.0.1 + pair.1.1);
        }
        add_classes(&mut self.classes, other.classes);
        add_counts(&mut self.confusion, other.confusion);
        add_counts(&mut self.false_alarms, other.false_alarms);
        add_counts(&mut self.decoyed, other.decoyed);
        for (form, (right, of)) in other.forms {
            let mine = self.forms.entry(form).or_default();
            *mine = (mine.0 + right, mine.1 + of);
        }
        for (cause, more) in other.detection {
            self.detection.entry(cause).or_default().extend(more);
        }
        for (cause, more) in other.retraction {
            self.retraction.entry(cause).or_default().extend(more);
        }
        self.spray_cards.extend(other.spray_cards);
        self.spray_named.extend(other.spray_named);
        self.rules =
            (self.rules.0 + other.rules.0, self.rules.1 + other.rules.1, self.rules.2 + other.rules.2);
        add_counts(&mut self.declined_by, other.declined_by);
        self.beside += other.beside;
        for (row, more) in other.suspected {
            let mine = self.suspected.entry(row).or_insert_with(|| vec![(0, 0, 0); more.len()]);
            for (mine, more) in mine.iter_mut().zip(more) {
                *mine = (mine.0 + more.0, mine.1 + more.1, mine.2 + more.2);
            }
        }
        for (row, more) in other.rows {
            let mine = self.rows.entry(row).or_insert_with(|| vec![(0, 0); more.len()]);
            for (mine, more) in mine.iter_mut().zip(more) {
                *mine = (mine.0 + more.0, mine.1 + more.1);
            }
        }
        self.calibration.add(&other.calibration);
        self.confidences.extend(other.confidences);
        let (mine, more) = (&mut self.verdicts, other.verdicts);
        mine.refusals += more.refusals;
        mine.right_at_once += more.right_at_once;
        mine.right += more.right;
        mine.right_in_two += more.right_in_two;
        mine.calibration.add(&more.calibration);
        add_classes(&mut mine.classes, more.classes);
    }
}

fn add_classes(mine: &mut BTreeMap<Cause, Class>, more: BTreeMap<Cause, Class>) {
    for (cause, more) in more {
        let mine = mine.entry(cause).or_default();
        mine.right += more.right;
        mine.wrong += more.wrong;
        mine.missed += more.missed;
    }
}

fn add_counts<K: Ord>(mine: &mut BTreeMap<K, u64>, more: BTreeMap<K, u64>) {
    for (key, count) in more {
        *mine.entry(key).or_default() += count;
    }
}
