//! Playing a journal to a backtest: for the command line and for the console.

use std::{collections::HashMap, sync::Arc};

use host::{observe::Observer, past::Past};
use model::Timestamp;
use risk::{
    Limits, RuleEngine, RuleSet,
    backtest::{Backtest, Case, Label, Report},
};
use store::{Engine, Entry, StoreError};

pub(crate) use risk::backtest::Settings;

/// Entries that are read at once.
const PAGE: usize = 1024;

/// Which part of the journal is judged; what lies before it fills the windows.
#[derive(Clone, Copy)]
pub(crate) struct Span {
    /// From when; from the beginning if not said.
    pub(crate) from: Option<Timestamp>,
    /// Until when, not included; to the end if not said.
    pub(crate) to: Option<Timestamp>,
}

/// A backtest of one set, beside another.
pub(crate) fn test(candidate: RuleSet, against: Option<RuleSet>, span: Span, settings: Settings) -> Backtest {
    let engine = |set: RuleSet| RuleEngine::new(Arc::new(set), Limits::default());
    Backtest::new(engine(candidate), against.map(engine), span.from.unwrap_or(Timestamp(0)), settings)
}

/// Brings to hand what is registered about an entry's terminal and card, as far as it is asked for.
pub(crate) async fn acquaint(engine: &dyn Engine, past: &mut Past, entry: &Entry) -> Result<(), StoreError> {
    if let Some(id) = Observer::terminal_of(entry).filter(|id| !past.observer().knows(id))
        && let Some(terminal) = engine.terminal(&id).await?
    {
        past.observer().learn(&terminal.record);
    }
    if let Some(id) = past.needs_product_of(entry)
        && let Some(card) = engine.card(&id).await?
    {
        past.learn_product(id, Arc::clone(&card.record));
    }
    Ok(())
}

/// Reads the journal, from as far before the span as the windows reach, and feeds each payment. `progress` is told how many
/// entries of how many were read.
pub(crate) async fn judged(
    engine: &dyn Engine,
    past: Past,
    mut test: Backtest,
    span: Span,
    labels: &HashMap<String, Label>,
    progress: &(dyn Fn(u64, u64) + Send + Sync),
) -> Result<Report, StoreError> {
    let mut past = if test.looks_at(risk::Field::Product) { past.with_products() } else { past };
    let mut after = match span.from {
        Some(from) => engine.place_before(from.plus_ms(-test.history_ms())).await?,
        None => 0,
    };
    let end = match span.to {
        Some(to) => engine.place_before(to).await?,
        None => engine.journal_end().await?,
    };
    let begin = after;
    while after < end {
        let entries = engine.entries(after, PAGE).await?;
        let Some((last, _)) = entries.last() else { break };
        let last = *last;
        for (place, entry) in entries.iter().filter(|(place, _)| *place <= end) {
            acquaint(engine, &mut past, entry).await?;
            let Some(payment) = past.payment(*place, entry) else { continue };
            if span.to.is_some_and(|to| entry.at >= to) {
                continue;
            }
            let (event, reference) = (payment.event(), payment.rrn().to_string());
            let label = labels.get(&reference).copied();
            test.feed(&Case { event, outcome: event, reference: &reference, label });
        }
        after = last;
        progress(last.min(end) - begin, end - begin);
    }
    Ok(test.report())
}
