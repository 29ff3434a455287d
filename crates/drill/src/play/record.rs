//! What is kept of a day that was played: what a detector may see, and apart from it what only the scorer may.

use std::collections::BTreeMap;

use diagnosis::{Cause, Observation};
use host::observe::Names;
use model::{CardId, Rrn};

use super::ruling::Ruled;
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
    /// Every card session, in order.
    pub visits: Vec<Visited>,
    /// For each truth, after how many observations each of its card sessions was over.
    pub of_truth: Vec<Vec<u32>>,
    /// The same for the first hours after its repair.
    pub after_truth: Vec<Vec<u32>>,
    /// Refusals.
    pub refusals: Vec<Refusal>,
    /// Cards that were locked.
    pub locks: Vec<Locked>,
    /// For each truth, the cards whose PIN was tried and looked at, and after how many observations.
    pub tried: Vec<Vec<(u32, u32)>>,
    /// Approved payments that were undone or not made because of a fault.
    pub lost_payments: u64,
    /// What the bank's rules would have done.
    pub rules: RulesSaid,
    ids: Vec<CardId>,
}

/// A card session: somebody came to a terminal with a card.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Visited {
    /// When, in milliseconds since 1970.
    pub at: i64,
    /// Where: place in the terminals.
    pub terminal: u32,
    /// The incident that brought it.
    pub truth: Option<u16>,
    /// Observations before it.
    pub before: u32,
    /// Observations when its first attempt was over.
    pub seen: u32,
}

/// What the bank's rules would have done on the day.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RulesSaid {
    /// For each truth, after how many observations a rule blocked a terminal because of it.
    pub blocked: Vec<Option<u32>>,
    /// Payments that were approved and no part of an attack.
    pub good_payments: u64,
    /// Of these, those that rules would have refused, or that came to a terminal or with a card that they had blocked.
    pub good_declined: u64,
    /// The same by rule.
    pub declined_by: BTreeMap<String, u64>,
    /// Terminals that they would have blocked for what was no part of an attack.
    pub terminals_blocked: u64,
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
    /// When the fault did so first, in milliseconds since 1970; otherwise when it was locked.
    pub at: i64,
    /// After so many observations.
    pub seen: u32,
}

impl Labels {
    pub(super) fn new(day: Day, ids: Vec<CardId>) -> Self {
        let truths = day.truths.len();
        Self {
            sessions: 0,
            at_terminal: vec![0; day.fleet.terminals.len()],
            visits: Vec::new(),
            of_truth: vec![Vec::new(); truths],
            after_truth: vec![Vec::new(); truths],
            refusals: Vec::new(),
            locks: Vec::new(),
            tried: vec![Vec::new(); truths],
            lost_payments: 0,
            rules: RulesSaid { blocked: vec![None; truths], ..RulesSaid::default() },
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
    pub(super) fn session(&mut self, visited: Visited, card: u32, looked_at: bool) {
        let Visited { at, terminal, truth, seen, .. } = visited;
        self.visits.push(visited);
        self.sessions += 1;
        self.at_terminal[terminal as usize] += 1;
        let (bin, zone) = (cards::bin(card), cards::zone(card));
        for of in self.day.truths.iter().filter(|of| of.from <= at && at < of.until + AFTER_MS) {
            if of.covers(terminal, bin, zone, truth == Some(of.id)) {
                let sessions = if of.is_on(at) { &mut self.of_truth } else { &mut self.after_truth };
                sessions[usize::from(of.id)].push(seen);
            }
        }
        // a guess that nobody looked at, because a module or a line failed, tells nothing and costs nothing
        if let Some(truth) = truth.filter(|_| looked_at) {
            self.tried[usize::from(truth)].push((seen, card));
        }
    }

    /// The rules were asked about a payment, by the attack of `truth` or by nobody who means harm.
    pub(super) fn ruled(&mut self, ruled: Ruled, truth: Option<u16>, seen: u32) {
        let rules = &mut self.rules;
        match truth {
            Some(truth) if ruled.blocks_terminal || ruled.is_blocked => {
                rules.blocked[usize::from(truth)].get_or_insert(seen);
            }
            Some(_) => {}
            None => {
                rules.good_payments += u64::from(ruled.approved);
                rules.terminals_blocked += u64::from(ruled.blocks_terminal);
                if let Some(rule) = ruled.refused.filter(|_| ruled.approved) {
                    rules.good_declined += 1;
                    *rules.declined_by.entry(rule).or_default() += 1;
                }
            }
        }
    }
}
