//! What was found out about one event while it is asked about or entered. Counters share conditions (a wrong PIN, a cash
//! withdrawal that was approved) and keys: each is looked at once.

use std::cell::Cell;

use super::row::Row;
use crate::{
    event::RiskEvent,
    expression::tree::{Alone, Test},
    fault::Fault,
};

/// The different conditions inside of counters.
#[derive(Debug, Default)]
pub(super) struct Conditions(Vec<Test>);

/// Groups whose rows are remembered: one for each field that can be a key, and more. Those behind are looked up each time.
const ROWS: usize = 16;
/// Conditions that are remembered; those behind are evaluated each time.
const CONDITIONS: usize = 64;

/// What is known about one event already.
pub(crate) struct Known<'w> {
    rows: [Cell<Option<Option<&'w Row>>>; ROWS],
    conditions: [Cell<Option<Result<bool, Fault>>>; CONDITIONS],
}

impl Conditions {
    /// The condition's number; the same for the same condition. There are at most two for each counter.
    pub(super) fn number(&mut self, test: &Test) -> u16 {
        let place = self.0.iter().position(|known| known == test).unwrap_or_else(|| {
            self.0.push(test.clone());
            self.0.len() - 1
        });
        u16::try_from(place).unwrap_or(u16::MAX)
    }
}

impl Default for Known<'_> {
    fn default() -> Self {
        Self { rows: [const { Cell::new(None) }; ROWS], conditions: [const { Cell::new(None) }; CONDITIONS] }
    }
}

impl<'w> Known<'w> {
    /// The row of a group that the event belongs to.
    pub(super) fn row(
        &self,
        group: usize,
        look: impl FnOnce() -> Result<Option<&'w Row>, Fault>,
    ) -> Result<Option<&'w Row>, Fault> {
        let place = self.rows.get(group);
        if let Some(found) = place.and_then(Cell::get) {
            return Ok(found);
        }
        let found = look()?;
        if let Some(place) = place {
            place.set(Some(found));
        }
        Ok(found)
    }

    /// Does the condition hold for the event?
    pub(super) fn holds(
        &self,
        conditions: &Conditions,
        number: u16,
        event: &RiskEvent<'_>,
    ) -> Result<bool, Fault> {
        let place = self.conditions.get(usize::from(number));
        if let Some(known) = place.and_then(Cell::get) {
            return known;
        }
        let test = conditions.0.get(usize::from(number)).ok_or(Fault::CounterFull)?;
        let holds = test.holds(event, &Alone);
        if let Some(place) = place {
            place.set(Some(holds));
        }
        holds
    }
}
