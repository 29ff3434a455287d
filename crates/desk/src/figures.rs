//! How the desk does: first-contact resolution, time to resolve, promises kept, locks that come again, satisfaction.

use model::{CardId, Timestamp};
use serde::Serialize;

use crate::{
    case::{Case, Outcome},
    clock::ClockKind,
    desk::Desk,
    fact::Fact,
    house::House,
    identity::Action,
};

const DAY_MS: i64 = 24 * 3_600_000;

/// So many of so many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Share {
    /// These.
    pub part: u32,
    /// Of these.
    pub of: u32,
}

impl Share {
    fn count(&mut self, yes: bool) {
        self.of += 1;
        self.part += u32::from(yes);
    }
}

/// The figures of a window.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Figures {
    /// Opened in it.
    pub opened: u32,
    /// Closed in it.
    pub closed: u32,
    /// Open now.
    pub open: u32,
    /// Closed ones that needed one contact: never waiting for the customer, never opened again, and no other case about the
    /// card within the days of `repeat_days`.
    pub first_contact: Share,
    /// Closed ones that were opened again.
    pub reopened: Share,
    /// Closed ones that were answered in time.
    pub response_kept: Share,
    /// Closed ones that were closed in time.
    pub resolve_kept: Share,
    /// Closed ones that kept both promises.
    pub sla_kept: Share,
    /// Working minutes until closed: the median.
    pub resolve_p50_min: Option<i64>,
    /// The ninety-fifth percentile.
    pub resolve_p95_min: Option<i64>,
    /// Cards that locked again within `repeat_days` after a case released them; known only to whoever looks at payments.
    pub repeat_lock: Share,
    /// How customers rated them: the sum of their scores, and how many answered.
    pub satisfaction: Share,
    /// The days that count as "again".
    pub repeat_days: u32,
}

/// A card that a case of the desk released, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Released {
    /// The card.
    pub card: CardId,
    /// When its case asked for it.
    pub at: Timestamp,
}

/// The value below which so many percent of the values are: the nearest rank, of sorted values.
fn percentile(sorted: &[i64], percent: usize) -> Option<i64> {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied()
}

impl Figures {
    /// Of all cases that were closed from `from` on and before `to`.
    #[must_use]
    pub fn of(desk: &Desk, house: &House, from: Timestamp, to: Timestamp, repeat_days: u32) -> Self {
        let mut figures = Self { repeat_days, ..Self::default() };
        let mut minutes = Vec::new();
        for case in desk.cases() {
            figures.opened += u32::from((from..to).contains(&case.at));
            figures.open += u32::from(!case.is_closed());
            let Some(closed) = case.closed.as_ref().filter(|closed| (from..to).contains(&closed.at)) else {
                continue;
            };
            figures.closed += 1;
            figures.first_contact.count(is_first_contact(desk, case, closed.at, repeat_days));
            figures.reopened.count(case.reopened > 0);
            let [response, resolve] = case.clocks(house, closed.at);
            figures.response_kept.count(!response.is_late());
            figures.resolve_kept.count(!resolve.is_late());
            figures.sla_kept.count(!response.is_late() && !resolve.is_late());
            minutes.push(case.clock(house, ClockKind::Resolve, closed.at).passed_min());
            if let Some((_, score, _)) = &case.rated {
                figures.satisfaction.part += u32::from(*score);
                figures.satisfaction.of += 1;
            }
        }
        minutes.sort_unstable();
        figures.resolve_p50_min = percentile(&minutes, 50);
        figures.resolve_p95_min = percentile(&minutes, 95);
        figures
    }

    /// Puts in how often released cards locked again: `locks` says when a card's payments were refused for its lock.
    #[must_use]
    pub fn with_locks(mut self, released: &[Released], locks: &[(CardId, Timestamp)]) -> Self {
        let within = i64::from(self.repeat_days) * DAY_MS;
        for one in released {
            let again = locks
                .iter()
                .any(|(card, at)| *card == one.card && *at > one.at && at.since_ms(one.at) <= within);
            self.repeat_lock.count(again);
        }
        self
    }
}

/// Cards that cases which were closed in the window had released, newest first.
#[must_use]
pub fn released(desk: &Desk, from: Timestamp, to: Timestamp) -> Vec<Released> {
    let cases = desk.cases().filter(|case| {
        case.closed
            .as_ref()
            .is_some_and(|c| (from..to).contains(&c.at) && c.closing.outcome() != Outcome::Refused)
    });
    let asked = cases.filter_map(|case| {
        let at = case.asked.iter().rev().find(|(_, action, _)| *action == Action::Unlock)?.0;
        Some(Released { card: case.opened.subject.card?, at })
    });
    asked.collect()
}

fn is_first_contact(desk: &Desk, case: &Case, closed: Timestamp, days: u32) -> bool {
    let waited =
        case.history.iter().any(|(_, fact)| matches!(fact, Fact::Waits { on: crate::WaitsOn::Customer, .. }));
    let within = i64::from(days) * DAY_MS;
    let again = case.opened.subject.card.is_some_and(|card| {
        desk.of_card(&card).any(|other| other.no > case.no && other.at.since_ms(closed) <= within)
    });
    case.reopened == 0 && !waited && !again
}
