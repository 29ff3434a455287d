//! Cards that a fault has cost tries, beside those of the sessions that are part of its incident: what was before the first
//! sign that counts, what is no longer remembered session by session, and cards that were locked elsewhere with the tries that were
//! missing.
//!
//! The onset of an incident is where its likelihood is highest, and not its first victim; a busy terminal remembers an
//! hour. So every card that is locked is held against the incidents at the places of its last wrong PINs, when it is locked
//! and again when an incident is found. Listed is a card whose holder did not come to the right PIN there: that it was the fault
//! and not the memory cannot be known, and whoever reviews the list decides.

use std::collections::VecDeque;

use model::{CardId, Timestamp};

use crate::{
    Cause, Diagnosis, Scope,
    card::Miss,
    cohort::{Common, Place},
    register::Held,
    session::{Family, mark},
};

/// Can a PIN that was typed rightly arrive as a wrong one? A key that is wrong makes blocks that nobody can read, and costs no try.
fn makes_pins_wrong(cause: Cause) -> bool {
    use Cause as C;
    matches!(cause, C::KeypadFault | C::ScreenFault | C::FirmwareRegression | C::PanBinding)
}

/// Locked cards that are remembered, newest last.
#[derive(Debug, Default)]
pub(crate) struct Locks(VecDeque<CardId>);

impl Locks {
    const MOST: usize = 4096;

    fn push(&mut self, card: CardId) {
        if self.0.len() >= Self::MOST {
            self.0.pop_front();
        }
        self.0.push_back(card);
    }
}

impl Diagnosis {
    /// A fault may have begun so long before the onset of its incident, and its last victim may come so long after its end. Of a
    /// card that was locked it is looked for longer: a slow fault has had victims for hours.
    const BEFORE_MS: i64 = 2 * 3_600_000;
    const BEFORE_LOCK_MS: i64 = 6 * 3_600_000;
    const AFTER_MS: i64 = 3_600_000;
    /// Incidents that are looked through for a card, newest first.
    const LATEST: usize = 256;

    /// A card has just been locked.
    pub(crate) fn note_lock(&mut self, card: CardId) {
        self.locks.push(card);
        let latest: Vec<u64> = self.register.all().take(Self::LATEST).map(|incident| incident.id).collect();
        for id in latest {
            self.list_if_harmed(id, card);
        }
    }

    /// An incident was found, or found to be wider: whom has it cost tries already?
    pub(crate) fn list_harmed(&mut self, id: u64) {
        let locked: Vec<CardId> = self.locks.0.iter().copied().collect();
        for card in locked {
            self.list_if_harmed(id, card);
        }
        let Some(held) = self.register.get(id).filter(|held| makes_pins_wrong(held.incident.cause)) else {
            return;
        };
        let Some(slot) = held.terminal else { return };
        let onset = held.incident.onset;
        let since = onset.plus_ms(-Self::BEFORE_MS);
        let before = self.fleet[slot].sessions.iter().filter(|session| {
            (since..onset).contains(&session.at)
                && session.charged > 0
                && session.shows(Family::Wrong)
                && !session.has(mark::RIGHT)
        });
        let cards: Vec<CardId> = before.map(|session| session.card).collect();
        let limit = self.tuning.limits.cards_per_incident;
        if let Some(held) = self.register.get_mut(id) {
            cards.into_iter().for_each(|card| held.harm(card, limit));
        }
    }

    fn list_if_harmed(&mut self, id: u64, card: CardId) {
        let (Some(held), Some(known)) = (self.register.get(id), self.cards.get(&card)) else { return };
        if !held.alarmed || !makes_pins_wrong(held.incident.cause) {
            return;
        }
        let version = self.version_of(held);
        if known.misses.iter().any(|miss| self.was_there(held, version, miss)) {
            let limit = self.tuning.limits.cards_per_incident;
            if let Some(held) = self.register.get_mut(id) {
                held.harm(card, limit);
            }
        }
    }

    /// The version of firmware that an incident is about, among the cohorts.
    fn version_of(&self, held: &Held) -> Option<Place> {
        match held.incident.scope {
            Scope::Firmware(version) => self.cohorts.find(Common::Firmware(version)),
            _ => Some(held.and).filter(|and| *and != 0),
        }
    }

    /// Was a wrong PIN entered where and when an incident was?
    fn was_there(&self, held: &Held, version: Option<Place>, miss: &Miss) -> bool {
        let there =
            held.terminal == Some(miss.terminal) || version.is_some_and(|place| miss.version == place);
        let incident = &held.incident;
        let until: Timestamp = incident.ended.unwrap_or(self.now).max(incident.last_seen);
        there
            && miss.at >= incident.onset.plus_ms(-Self::BEFORE_LOCK_MS)
            && miss.at <= until.plus_ms(Self::AFTER_MS)
    }
}
