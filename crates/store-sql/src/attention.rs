//! What the overviews of all archives have in common beside the figures: where a window ends, and what comes first.

use model::{Timestamp, reason::Family};
use store::archive::Attention;

const ATTENTION_ROWS: usize = 7;
/// So many of the last declines are shown.
pub(crate) const DECLINE_ROWS: u32 = 8;

/// The end of the slot that `now` is in: columns begin at whole minutes and do not shift with every look.
pub(crate) fn end_of_slot(window_s: u32, now: Timestamp) -> Timestamp {
    let slot_ms = (i64::from(window_s) * 1000 / 60).max(1);
    Timestamp((now.0.div_euclid(slot_ms) + 1) * slot_ms)
}

/// Most urgent first: attack, lock, then what the holder can mend and what the system must; among equals the more
/// frequent, then the more recent.
pub(crate) fn most_urgent(mut items: Vec<Attention>) -> Vec<Attention> {
    items.sort_by_key(|item| (urgency(item.family), u32::MAX - item.count, -item.at.0));
    items.truncate(ATTENTION_ROWS);
    items
}

fn urgency(family: Family) -> u8 {
    match family {
        Family::Bad => 0,
        Family::Lock => 1,
        Family::Sys => 2,
        Family::Warn => 3,
        Family::Neutral | Family::Ok => 4,
    }
}
