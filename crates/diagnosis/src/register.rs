//! The incidents: opened, kept up to date, absorbed by wider ones, ended, retracted, and at last forgotten. Numbers rise
//! from one in the order in which incidents are opened, so that the same observations give the same numbers.

use std::collections::VecDeque;

use model::{CardId, Timestamp};

use crate::{
    Cause, Change, Evidence, Incident, Scope, Status,
    fleet::{Group, Slot},
    memory::{QuickMap, QuickSet},
    session::{Family, Session},
};

/// An incident and what only the diagnosis needs of it.
#[derive(Debug)]
pub(crate) struct Held {
    pub incident: Incident,
    pub group: Group,
    /// The kind of sign that it was found by.
    pub family: Option<Family>,
    /// The terminal, when its scope is one.
    pub terminal: Option<Slot>,
    /// A second cohort whose members alone are concerned; 0: none.
    pub and: u32,
    /// It came to an alarm, and was not only suspected.
    pub alarmed: bool,
    /// Bad sessions and all since it was found, and how far it is from "as usual again".
    pub bad: (f64, f64),
    pub repair: f64,
    cards: QuickSet<CardId>,
    /// Cards that have to do with it although nothing was counted yet.
    related: QuickSet<CardId>,
    harmed: QuickSet<CardId>,
}

/// What an incident begins with.
#[derive(Debug)]
pub(crate) struct Draft {
    pub cause: Cause,
    pub scope: Scope,
    pub group: Group,
    pub family: Option<Family>,
    pub terminal: Option<Slot>,
    pub onset: Timestamp,
    pub now: Timestamp,
    pub confidence: f64,
    pub second: Option<Cause>,
    pub status: Status,
    pub evidence: Vec<Evidence>,
    pub sessions: u32,
    /// Is it more than a suspicion, though perhaps provisional?
    pub alarmed: bool,
    /// Bad sessions and all since the onset.
    pub bad: (f64, f64),
}

/// All of them.
#[derive(Debug, Default)]
pub(crate) struct Register {
    all: VecDeque<Held>,
    /// The number of the first of `all`, less one.
    forgotten: u64,
    /// In their order: the oldest is the first to be forgotten, and there may be thousands.
    active: VecDeque<u64>,
    /// Of these, fraud: every payment asks whether its card belongs to one.
    active_fraud: Vec<u64>,
    by_scope: QuickMap<(Scope, Group), u64>,
    changes: Vec<Change>,
}

impl Register {
    /// Changes that nobody fetched, at most.
    const CHANGES: usize = 65_536;

    pub(crate) fn get(&self, id: u64) -> Option<&Held> {
        self.all.get(usize::try_from(id.checked_sub(self.forgotten + 1)?).ok()?)
    }

    pub(crate) fn get_mut(&mut self, id: u64) -> Option<&mut Held> {
        self.all.get_mut(usize::try_from(id.checked_sub(self.forgotten + 1)?).ok()?)
    }

    /// The open incident of a group at a scope.
    pub(crate) fn at(&self, scope: Scope, group: Group) -> Option<u64> {
        self.by_scope.get(&(scope, group)).copied()
    }

    /// Open ones, oldest first.
    pub(crate) fn active(&self) -> &VecDeque<u64> {
        &self.active
    }

    /// Open ones of fraud.
    pub(crate) fn active_fraud(&self) -> &[u64] {
        &self.active_fraud
    }

    fn activate(&mut self, id: u64, group: Group) {
        match self.active.binary_search(&id) {
            Ok(_) => return,
            Err(at) => self.active.insert(at, id),
        }
        if group == Group::Fraud {
            self.active_fraud.push(id);
        }
    }

    fn deactivate(&mut self, id: u64) {
        if let Ok(at) = self.active.binary_search(&id) {
            self.active.remove(at);
        }
        self.active_fraud.retain(|active| *active != id);
    }

    /// All that are remembered, newest first.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Incident> {
        self.all.iter().rev().map(|held| &held.incident)
    }

    pub(crate) fn open(&mut self, draft: Draft, limit: usize) -> u64 {
        if self.all.len() >= limit {
            self.forget();
        }
        let id = self.forgotten + self.all.len() as u64 + 1;
        let mut evidence = draft.evidence;
        sort(&mut evidence);
        self.all.push_back(Held {
            incident: Incident {
                id,
                cause: draft.cause,
                scope: draft.scope,
                onset: draft.onset,
                detected: draft.now,
                last_seen: draft.now,
                ended: None,
                confidence: draft.confidence as f32,
                second: draft.second,
                status: draft.status,
                parent: None,
                evidence,
                sessions_to_detection: draft.sessions,
                cards: 0,
                refused: (0, 0),
                harmed: Vec::new(),
            },
            group: draft.group,
            family: draft.family,
            terminal: draft.terminal,
            and: 0,
            alarmed: draft.status != Status::Provisional || draft.alarmed,
            bad: draft.bad,
            repair: 0.0,
            cards: QuickSet::default(),
            related: QuickSet::default(),
            harmed: QuickSet::default(),
        });
        self.activate(id, draft.group);
        self.by_scope.insert((draft.scope, draft.group), id);
        self.tell(Change::Opened(id));
        id
    }

    /// The same incident goes on: it seemed over and was not.
    pub(crate) fn reopen(&mut self, id: u64, draft: Draft) {
        let Some(held) = self.get_mut(id) else { return };
        held.incident.status = draft.status;
        held.alarmed |= draft.alarmed;
        held.incident.ended = None;
        held.incident.confidence = held.incident.confidence.max(draft.confidence as f32);
        held.repair = 0.0;
        held.bad = draft.bad;
        held.explain(draft.evidence);
        let group = held.group;
        self.activate(id, group);
        self.by_scope.insert((draft.scope, draft.group), id);
        self.tell(Change::Revised(id));
    }

    /// Forgets the oldest that is over, or the oldest.
    fn forget(&mut self) {
        if let Some(held) = self.all.pop_front() {
            self.forgotten += 1;
            let id = held.incident.id;
            self.deactivate(id);
            if self.at(held.incident.scope, held.group) == Some(id) {
                self.by_scope.remove(&(held.incident.scope, held.group));
            }
        }
    }

    /// Counts a card session as part of an incident.
    pub(crate) fn count(&mut self, id: u64, session: &Session, at: Timestamp, limit: usize) {
        let Some(held) = self.get_mut(id) else { return };
        held.see(at);
        held.refuse(u32::from(session.refused), session.refused_minor);
        held.card(session.card, session.charged > 0, limit);
    }

    /// Counts one more payment of a session that is part of it already.
    pub(crate) fn count_payment(
        &mut self,
        id: u64,
        card: CardId,
        refused: Option<i64>,
        charged: bool,
        at: Timestamp,
        limit: usize,
    ) {
        let Some(held) = self.get_mut(id) else { return };
        held.see(at);
        if let Some(minor) = refused {
            held.refuse(1, minor);
        }
        held.card(card, charged, limit);
    }

    /// Moves an incident to another status; one that is no longer active leaves the list of open ones.
    pub(crate) fn close(&mut self, id: u64, status: Status, now: Timestamp, parent: Option<u64>) {
        let Some(held) = self.get_mut(id) else { return };
        let (scope, group) = (held.incident.scope, held.group);
        held.incident.status = status;
        held.incident.parent = parent.or(held.incident.parent);
        held.incident.ended = Some(now);
        self.deactivate(id);
        if self.at(scope, group) == Some(id) {
            self.by_scope.remove(&(scope, group));
        }
        self.tell(match status {
            Status::Over => Change::Ended(id),
            Status::Retracted => Change::Retracted(id),
            Status::Provisional | Status::Open | Status::Absorbed => Change::Revised(id),
        });
    }

    pub(crate) fn tell(&mut self, change: Change) {
        if self.changes.len() < Self::CHANGES
            && !self.changes.iter().rev().take(8).any(|known| *known == change)
        {
            self.changes.push(change);
        }
    }

    pub(crate) fn take_changes(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.changes)
    }
}

impl Held {
    pub(crate) fn has_card(&self, card: &CardId) -> bool {
        self.cards.contains(card) || self.related.contains(card)
    }

    /// Its cards, in order.
    pub(crate) fn listed(&self) -> Vec<CardId> {
        let mut cards: Vec<CardId> = self.cards.iter().copied().collect();
        cards.sort_unstable();
        cards
    }

    pub(crate) fn relate(&mut self, cards: impl IntoIterator<Item = CardId>, limit: usize) {
        for card in cards {
            if self.related.len() < limit {
                self.related.insert(card);
            }
        }
    }

    fn see(&mut self, at: Timestamp) {
        self.incident.last_seen = self.incident.last_seen.max(at);
    }

    fn refuse(&mut self, times: u32, minor: i64) {
        let (count, sum) = &mut self.incident.refused;
        *count = count.saturating_add(times);
        *sum = sum.saturating_add(minor);
    }

    fn card(&mut self, card: CardId, charged: bool, limit: usize) {
        if self.cards.len() < limit && self.cards.insert(card) {
            self.incident.cards += 1;
        }
        if charged {
            self.harm(card, limit);
        }
    }

    /// A card that lost tries to it.
    pub(crate) fn harm(&mut self, card: CardId, limit: usize) {
        if self.harmed.len() < limit && self.harmed.insert(card) {
            self.list_harmed(card);
        }
    }

    /// Cards that lost tries, whatever its cause: for whoever takes it over.
    pub(crate) fn cards_with_tries_lost(&self) -> Vec<CardId> {
        let mut cards: Vec<CardId> = self.harmed.iter().copied().collect();
        cards.sort_unstable();
        cards
    }

    /// Harm is listed where a fault consumed tries; an attacker's guesses are not given back by a list, and a lost answer is
    /// not what made a PIN wrong.
    fn list_harmed(&mut self, card: CardId) {
        if consumes_tries(self.incident.cause) {
            self.incident.harmed.push(card);
        }
    }

    /// Another cause, and what follows from it.
    pub(crate) fn rename(&mut self, cause: Cause) {
        self.incident.cause = cause;
        let mut harmed: Vec<CardId> =
            if consumes_tries(cause) { self.harmed.iter().copied().collect() } else { Vec::new() };
        harmed.sort_unstable();
        self.incident.harmed = harmed;
    }

    pub(crate) fn explain(&mut self, mut evidence: Vec<Evidence>) {
        sort(&mut evidence);
        self.incident.evidence = evidence;
    }
}

/// Can this fault make a right PIN wrong?
fn consumes_tries(cause: Cause) -> bool {
    use Cause as C;
    matches!(
        cause,
        C::WrongTerminalKey
            | C::ZoneKey
            | C::HsmFault
            | C::KeypadFault
            | C::ScreenFault
            | C::FirmwareRegression
            | C::PanBinding
    )
}

/// Heaviest first; equal weights by name.
pub(crate) fn sort(evidence: &mut [Evidence]) {
    evidence.sort_by(|a, b| b.weight.abs().total_cmp(&a.weight.abs()).then(a.name.cmp(b.name)));
}
