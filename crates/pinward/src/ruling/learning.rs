//! Telling rules the past: the journal is read once more, page by page, and everything that rules count is counted again.

use host::{
    ListenerConfig,
    past::Past,
    rules::{AfterPast, Rebuild, Rules},
};
use jiff::tz::TimeZone;
use model::Timestamp;
use store::{Engine, StoreError};

use super::telling::Telling;
use crate::command::rules::past::acquaint;

/// Entries that are read at once.
const PAGE: usize = 1_024;

/// How this host reads its journal.
pub(crate) struct Reading {
    pub(crate) listeners: Vec<ListenerConfig>,
    pub(crate) zone: TimeZone,
}

impl Reading {
    pub(crate) fn past(&self) -> Past {
        Past::new(&self.listeners, self.zone.clone())
    }
}

/// Tells the rules of the authorization; payments go on meanwhile, and each is counted once.
pub(crate) async fn rules(
    engine: &dyn Engine,
    reading: &Reading,
    rules: &Rules,
    now: Timestamp,
) -> Result<(), StoreError> {
    let Some(mut rebuild) = rules.rebuild(reading.past()) else { return Ok(()) };
    match whole_past(engine, &mut rebuild, now).await {
        Ok(()) => {
            rebuild.finish();
            Ok(())
        }
        Err(error) => {
            rebuild.give_up();
            Err(error)
        }
    }
}

async fn whole_past(
    engine: &dyn Engine,
    rebuild: &mut Rebuild<'_>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let mut after = engine.place_before(now.plus_ms(-rebuild.history_ms())).await?;
    let mut near_the_end = false;
    loop {
        let entries = engine.entries(after, PAGE).await?;
        for (place, entry) in &entries {
            acquaint(engine, rebuild.past(), entry).await?;
            rebuild.learn(*place, entry);
            after = *place;
        }
        match (entries.len() < PAGE, near_the_end) {
            (true, true) => return Ok(()),
            (true, false) => {
                rebuild.catch_up();
                near_the_end = true;
            }
            (false, _) => {}
        }
    }
}

/// Tells the rules that come after the decision. What they did in the last day is counted again, and what nobody was told
/// of then is told.
pub(crate) async fn after(
    engine: &dyn Engine,
    reading: &Reading,
    telling: &Telling,
    now: Timestamp,
) -> Result<(), StoreError> {
    let rebuild = telling.after().rebuild(reading.past());
    let Some(mut rebuild) = rebuild else { return Ok(()) };
    after_past(engine, &mut rebuild, telling, now).await?;
    telling.learnt(rebuild);
    Ok(())
}

async fn after_past(
    engine: &dyn Engine,
    rebuild: &mut AfterPast,
    telling: &Telling,
    now: Timestamp,
) -> Result<(), StoreError> {
    let mut after = engine.place_before(now.plus_ms(-rebuild.history_ms())).await?;
    loop {
        let entries = engine.entries(after, PAGE).await?;
        let Some((last, _)) = entries.last() else { return Ok(()) };
        after = *last;
        for (place, entry) in &entries {
            acquaint(engine, rebuild.past(), entry).await?;
            if let Some(told) = rebuild.learn(*place, entry) {
                telling.recall(&told, now).await;
            }
        }
    }
}
