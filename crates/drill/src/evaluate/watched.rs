//! The baseline's question, asked as the baseline is asked it: what do these N card sessions look like, when one window in two
//! hundred is an incident's? An incident is told to people and wants far more; what is *watched* is told at these odds
//! (`diagnosis::Suspicion`), so this is the table that compares.
//!
//! Asked is twice: right after the N-th session (provisional), and for as long as the same sessions are remembered, while it
//! becomes known whether their cards were right elsewhere (revised).

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
    ops::Range,
};

use diagnosis::{Cause, Diagnose, Suspicion, observation::Symbol};
use host::observe::Names;
use model::{TerminalId, Timestamp};

use crate::{
    data::baseline,
    day::{Cover, MINUTE_MS, Mechanism, Place, Truth},
    play::{Labels, Visited},
};

/// Minutes after the N-th session at which is asked again.
const AGAIN: [i64; 6] = [5, 10, 20, 40, 60, 120];
/// Windows without an incident begin so many sessions apart, at least.
const APART: usize = 20;
/// After a repair its last signs are still coming in.
const AFTERWARDS_MS: i64 = 30 * MINUTE_MS;

/// What is asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum About {
    /// Some sessions of a terminal.
    Terminal(TerminalId),
    /// A version of firmware, with all of its terminals.
    Version(Symbol),
}

/// A question.
#[derive(Debug, Clone, Copy)]
pub struct Question {
    /// About what.
    pub about: About,
    /// The row of the baseline's table.
    pub row: &'static str,
    /// Its column.
    pub column: usize,
    /// What is wrong there; `None`: nothing.
    pub truth: Option<(u16, Cause)>,
    /// Something else is wrong there at the same time: the baseline's windows have one thing.
    pub beside: bool,
    /// Observations before the first session.
    pub before: u32,
    /// Observations when the last one was over.
    pub seen: u32,
}

/// What was answered: at once, and in the end.
#[derive(Debug, Clone, Default)]
pub struct Answer {
    /// Right after the last session.
    pub provisional: Option<Guess>,
    /// When more was known about the same sessions.
    pub revised: Option<Guess>,
}

/// A suspicion without its evidence.
#[derive(Debug, Clone, PartialEq)]
pub struct Guess {
    /// The likeliest cause.
    pub cause: Cause,
    /// ln of the odds that it is that, against nothing.
    pub log_odds: f32,
    /// The others.
    pub others: Vec<(Cause, f32)>,
}

impl From<Suspicion> for Guess {
    fn from(suspicion: Suspicion) -> Self {
        Self { cause: suspicion.cause, log_odds: suspicion.log_odds, others: suspicion.others }
    }
}

impl Question {
    /// Is a guess right?
    #[must_use]
    pub fn is_right(&self, guess: Option<&Guess>) -> bool {
        let suspected = guess.filter(|guess| guess.log_odds > 0.0);
        suspected.map(|guess| guess.cause) == self.truth.map(|(_, cause)| cause)
    }
}

/// What is asked on a day, in the order in which it is asked.
#[must_use]
pub fn questions(labels: &Labels, names: &mut Names) -> Vec<Question> {
    let mut all = Vec::new();
    for truth in labels.truths() {
        match (truth.row, &truth.mechanism) {
            (Some(row), Mechanism::Firmware { version }) => {
                all.extend(of_version(labels, truth, row, names.symbol(version)));
            }
            (Some(row), _) => all.extend(of_terminal(labels, truth, row)),
            (None, _) => {}
        }
    }
    all.extend(of_nothing(labels));
    all.sort_by_key(|question| question.seen);
    all
}

/// About the first N sessions of a terminal since something is wrong there; of an attack, its own.
fn of_terminal(labels: &Labels, truth: &Truth, row: &'static str) -> Vec<Question> {
    let Some(Place::Terminal(terminal)) = truth.exact.first() else { return Vec::new() };
    let own = truth.mechanism == Mechanism::OwnSessions;
    let since = labels.visits.iter().filter(|visit| {
        visit.terminal == *terminal && truth.is_on(visit.at) && (!own || visit.truth == Some(truth.id))
    });
    let since: Vec<&Visited> = since.collect();
    let columns = baseline().sessions.iter().enumerate();
    columns
        .filter_map(|(column, n)| {
            let (first, last) = (since.first()?, since.get(*n as usize - 1)?);
            let during = first.at..last.at + 1;
            let others = labels.truths().iter().filter(|other| other.id != truth.id);
            let beside = others.filter(|other| touches(other, *terminal, &during)).count() > 0;
            Some(Question {
                about: About::Terminal(labels.day.fleet.terminals[*terminal as usize].id),
                row,
                column,
                truth: Some((truth.id, truth.cause)),
                beside,
                before: first.before,
                seen: last.seen,
            })
        })
        .collect()
}

/// About a version, after N sessions per terminal that has it.
fn of_version(labels: &Labels, truth: &Truth, row: &'static str, version: Symbol) -> Vec<Question> {
    let covered = |visit: &&Visited| truth.is_on(visit.at) && truth.terminals.contains(&visit.terminal);
    let since: Vec<&Visited> = labels.visits.iter().filter(covered).collect();
    let columns = baseline().sessions.iter().enumerate();
    columns
        .filter_map(|(column, n)| {
            let last = since.get((*n as usize * truth.terminals.len()).checked_sub(1)?)?;
            Some(Question {
                about: About::Version(version),
                row,
                column,
                truth: Some((truth.id, truth.cause)),
                beside: false,
                before: since.first()?.before,
                seen: last.seen,
            })
        })
        .collect()
}

/// About N sessions of terminals where nothing is wrong.
fn of_nothing(labels: &Labels) -> Vec<Question> {
    let mut at: Vec<Vec<&Visited>> = vec![Vec::new(); labels.day.fleet.terminals.len()];
    labels.visits.iter().for_each(|visit| at[visit.terminal as usize].push(visit));
    let mut all = Vec::new();
    for (terminal, visits) in at.iter().enumerate() {
        for (column, n) in baseline().sessions.iter().map(|n| *n as usize).enumerate() {
            for window in visits.windows(n).step_by(n.max(APART)) {
                let (first, last) = (window[0], window[n - 1]);
                let during = first.at - AFTERWARDS_MS..last.at + 1;
                let is_quiet = window.iter().all(|visit| visit.truth.is_none())
                    && !labels.truths().iter().any(|truth| touches(truth, terminal as u32, &during));
                if is_quiet {
                    all.push(Question {
                        about: About::Terminal(labels.day.fleet.terminals[terminal].id),
                        row: "normal",
                        column,
                        truth: None,
                        beside: false,
                        before: first.before,
                        seen: last.seen,
                    });
                }
            }
        }
    }
    all
}

/// Has it to do with a terminal at some time?
fn touches(truth: &Truth, terminal: u32, during: &Range<i64>) -> bool {
    let there = truth.terminals.contains(&terminal) || matches!(truth.cover, Cover::Zone(_));
    there && truth.from < during.end && truth.until > during.start
}

/// The questions of a day while it is shown.
pub(super) struct Asking<'q> {
    questions: &'q [Question],
    /// In the order of their first sessions.
    starts: Vec<usize>,
    started: usize,
    asked: usize,
    /// The sessions that a question is about, by their numbers.
    sessions: BTreeMap<usize, Range<u32>>,
    /// The first sessions' numbers.
    from: BTreeMap<usize, u32>,
    again: BinaryHeap<Reverse<(i64, usize)>>,
    pub(super) answers: Vec<Answer>,
}

impl<'q> Asking<'q> {
    pub(super) fn new(questions: &'q [Question]) -> Self {
        let mut starts: Vec<usize> = (0..questions.len()).collect();
        starts.sort_by_key(|at| questions[*at].before);
        Self {
            questions,
            starts,
            started: 0,
            asked: 0,
            sessions: BTreeMap::new(),
            from: BTreeMap::new(),
            again: BinaryHeap::new(),
            answers: vec![Answer::default(); questions.len()],
        }
    }

    /// So many observations were shown, and the next is not yet.
    pub(super) fn step<D: Diagnose>(&mut self, diagnosis: &D, after: u32, now: Timestamp) {
        while let Some(question) = self.questions.get(self.asked).filter(|question| question.seen <= after) {
            self.answers[self.asked].provisional = self.ask(diagnosis, question, self.asked);
            let minutes = AGAIN.iter().map(|minutes| Reverse((now.0 + minutes * MINUTE_MS, self.asked)));
            self.again.extend(minutes);
            self.asked += 1;
        }
        while let Some(at) = self.starts.get(self.started).filter(|at| self.questions[**at].before <= after) {
            if let About::Terminal(id) = self.questions[*at].about {
                let next = diagnosis.sessions_at(&id).map_or(1, |remembered| remembered.end);
                self.from.insert(*at, next);
            }
            self.started += 1;
        }
        while let Some(Reverse((_, at))) =
            self.again.peek().copied().filter(|Reverse((due, _))| *due <= now.0)
        {
            self.again.pop();
            if let (About::Terminal(id), Some(sessions)) = (self.questions[at].about, self.sessions.get(&at))
            {
                let guess = diagnosis.looks_like(&id, sessions.clone()).map(Guess::from);
                self.answers[at].revised = guess.or_else(|| self.answers[at].revised.take());
            }
        }
    }

    /// Nothing more comes: what was never asked again stays as it was first said.
    pub(super) fn finish(mut self) -> Vec<Answer> {
        for answer in &mut self.answers {
            if answer.revised.is_none() {
                answer.revised.clone_from(&answer.provisional);
            }
        }
        self.answers
    }

    fn ask<D: Diagnose>(&mut self, diagnosis: &D, question: &Question, at: usize) -> Option<Guess> {
        match question.about {
            About::Version(version) => diagnosis.version_looks_like(version).map(Guess::from),
            About::Terminal(id) => {
                let remembered = diagnosis.sessions_at(&id)?;
                let from = self.from.remove(&at).unwrap_or(remembered.start);
                // of two hundred sessions only the newest are remembered
                let from =
                    if from.wrapping_sub(remembered.start) as i32 >= 0 { from } else { remembered.start };
                let sessions = from..remembered.end;
                self.sessions.insert(at, sessions.clone());
                diagnosis.looks_like(&id, sessions).map(Guess::from)
            }
        }
    }
}
