//! What is kept of a day that was played: what a detector may see, and apart from it what only the scorer may.

use diagnosis::{Cause, Observation};
use host::observe::Names;
use model::{CardId, Rrn};

use crate::day::{Day, HOUR_MS, Truth, cards};

/// For so long after its repair a truth's scope is looked at.
const AFTER_MS: i64 = 6 * HOUR_MS;

/// A day that was played.
pub struct Recorded {
    /// What a detector sees, in the order of the journal.
    pub observations: Vec<Observation>,
    /// The names behind its symbols.
    pub names: Names,
    /// What only the scorer sees.
    pub labels: Labels,
}

/// What was really so.
pub struct Labels {
    /// The day, its truths among it.
    pub day: Day,
    /// Card sessions: visits of a card at a terminal, however often the PIN was entered.
    pub sessions: u64,
    /// Card sessions at each terminal.
    pub at_terminal: Vec<u32>,
    /// For each truth, after how many observations each of its card sessions was over.
    pub of_truth: Vec<Vec<u32>>,
    /// The same for the first hours after its repair.
    pub after_truth: Vec<Vec<u32>>,
    /// Refusals.
    pub refusals: Vec<Refusal>,
    /// Cards that were locked.
    pub locks: Vec<Locked>,
    /// For each truth, the cards that were tried, and after how many observations.
    pub tried: Vec<Vec<(u32, u32)>>,
    /// Approved payments that were undone or not made because of a fault.
    pub lost_payments: u64,
    ids: Vec<CardId>,
}

/// A refusal and why it really happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal {
    /// Which.
    pub rrn: Rrn,
    /// Why.
    pub cause: Cause,
    /// The incident behind it.
    pub truth: Option<u16>,
    /// After so many observations a detector has seen it.
    pub seen: u32,
}

/// A card that was locked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Locked {
    /// Which.
    pub card: CardId,
    /// The fault that consumed one of its tries.
    pub fault: Option<u16>,
    /// After so many observations.
    pub seen: u32,
}

impl Labels {
    pub(super) fn new(day: Day, ids: Vec<CardId>) -> Self {
        let truths = day.truths.len();
        Self {
            sessions: 0,
            at_terminal: vec![0; day.fleet.terminals.len()],
            of_truth: vec![Vec::new(); truths],
            after_truth: vec![Vec::new(); truths],
            refusals: Vec::new(),
            locks: Vec::new(),
            tried: vec![Vec::new(); truths],
            lost_payments: 0,
            day,
            ids,
        }
    }

    /// Hand-made labels for tests of the scorer: a day, and the ids of its cards.
    #[must_use]
    pub fn of(day: Day, ids: Vec<CardId>) -> Self {
        Self::new(day, ids)
    }

    /// The truths.
    #[must_use]
    pub fn truths(&self) -> &[Truth] {
        &self.day.truths
    }

    /// A card's id in the journal.
    #[must_use]
    pub fn id(&self, card: u32) -> Option<CardId> {
        self.ids.get(card as usize).copied()
    }

    /// Somebody came to a terminal with a card.
    pub(super) fn session(&mut self, at: i64, terminal: u32, card: u32, truth: Option<u16>, seen: u32) {
        self.sessions += 1;
        self.at_terminal[terminal as usize] += 1;
        let (bin, zone) = (cards::bin(card), cards::zone(card));
        for of in self.day.truths.iter().filter(|of| of.from <= at && at < of.until + AFTER_MS) {
            if of.covers(terminal, bin, zone, truth == Some(of.id)) {
                let sessions = if of.is_on(at) { &mut self.of_truth } else { &mut self.after_truth };
                sessions[usize::from(of.id)].push(seen);
            }
        }
        if let Some(truth) = truth {
            self.tried[usize::from(truth)].push((seen, card));
        }
    }
}
