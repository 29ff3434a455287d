//! The figures behind the register's charts: PIN entries per terminal and per hour, and how long locks lasted. Counted
//! from the newest lines of the archive, at most [`LINES_MAX`] of them.

use std::collections::{BTreeMap, HashMap};

use model::{CardId, ReasonCode, Timestamp};
use store::archive::{TransactionQuery, TransactionRow};

use crate::{error::Failure, format::Clock, router::Shared, service};

/// Lines that are counted at most.
pub(crate) const LINES_MAX: usize = 20_000;
/// Lines of one reading.
const PART: u32 = 500;
/// Entries of one card at one terminal within this time belong together, in milliseconds.
const SESSION_MS: i64 = 600_000;

/// What was counted.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Figures {
    /// Card sessions with a PIN, per terminal: all, and those whose first entry was wrong.
    pub(crate) terminals: BTreeMap<String, (u32, u32)>,
    /// PIN entries and wrong ones by day of the week, Monday first, and hour.
    pub(crate) hours: [[(u32, u32); 24]; 7],
    /// Locks: how long they lasted in milliseconds, and what ended them; none: it lasts still.
    pub(crate) locks: Vec<(i64, Option<Release>)>,
    /// Lines that were counted, and whether older ones of the window were left out.
    pub(crate) lines: usize,
    pub(crate) is_part: bool,
}

/// What ended a lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Release {
    /// Its time came.
    Time,
    /// Staff released the lock or gave tries back.
    Staff,
}

/// Counts the window that ends now.
pub(crate) async fn figures(state: &Shared, clock: &Clock, since: Timestamp) -> Result<Figures, Failure> {
    let mut rows = Vec::new();
    let mut query = TransactionQuery { from: Some(since), limit: Some(PART), ..TransactionQuery::default() };
    let is_part = loop {
        let part = state.web.archive.transactions(&query).await?;
        rows.extend(part.data);
        match part.next.filter(|_| part.has_more) {
            None => break false,
            Some(_) if rows.len() >= LINES_MAX => break true,
            next => query.after = next,
        }
    };
    rows.reverse();
    let mut figures = count(&rows, clock);
    figures.is_part = is_part;
    Ok(figures)
}

/// Counts lines, oldest first.
fn count(rows: &[TransactionRow], clock: &Clock) -> Figures {
    let mut figures = Figures { lines: rows.len(), ..Figures::default() };
    let mut last: HashMap<(&str, CardId), Timestamp> = HashMap::new();
    let mut locked: HashMap<CardId, (Timestamp, Option<Timestamp>)> = HashMap::new();
    for row in rows {
        let Some(card) = row.card else { continue };
        if let Some(is_wrong) = pin_entry(row) {
            let (day, hour) = clock.hour_of_week(row.at);
            figures.hours[day][hour].0 += 1;
            figures.hours[day][hour].1 += u32::from(is_wrong);
            let before = last.insert((&row.terminal, card), row.at);
            if before.is_none_or(|before| row.at.since_ms(before) > SESSION_MS) {
                let terminal = figures.terminals.entry(row.terminal.clone()).or_default();
                terminal.0 += 1;
                terminal.1 += u32::from(is_wrong);
            }
        }
        follow_lock(&mut figures, &mut locked, card, row);
    }
    for (since, until) in locked.into_values() {
        let expired = until.filter(|until| *until <= clock.now);
        let end = expired.unwrap_or(clock.now);
        figures.locks.push((end.since_ms(since), expired.map(|_| Release::Time)));
    }
    figures.locks.sort_unstable();
    figures
}

/// Was a PIN looked at, and was it wrong?
fn pin_entry(row: &TransactionRow) -> Option<bool> {
    match row.pin.as_str() {
        "mismatch" => Some(true),
        "verified" => Some(false),
        _ => None,
    }
}

fn follow_lock(
    figures: &mut Figures,
    locked: &mut HashMap<CardId, (Timestamp, Option<Timestamp>)>,
    card: CardId,
    row: &TransactionRow,
) {
    if service::reason(row) == Some(ReasonCode::PinTriesExceeded) {
        let until = row.locked_until.filter(|ms| *ms != 0).map(Timestamp);
        locked.entry(card).or_insert((row.at, until));
        return;
    }
    let by_staff = matches!(row.kind.as_str(), "unlock" | "restore-tries");
    if let Some((since, until)) = locked.get(&card).copied() {
        let by_time = until.filter(|until| *until <= row.at);
        let end = match by_time {
            Some(until) => Some((until, Release::Time)),
            None if by_staff => Some((row.at, Release::Staff)),
            None => None,
        };
        if let Some((end, release)) = end {
            locked.remove(&card);
            figures.locks.push((end.since_ms(since), Some(release)));
        }
    }
}

/// The share of locks that last longer than a time, step by step (Kaplan and Meier 1958): those that last still count as
/// long as they were seen.
pub(crate) fn survival(locks: &[(i64, Option<Release>)], release: Release) -> Vec<(i64, f64)> {
    let mut at_risk = locks.len() as f64;
    let mut share = 1.0;
    let mut steps = vec![(0, 1.0)];
    for (lasted, how) in locks {
        if *how == Some(release) && at_risk > 0.0 {
            share *= 1.0 - 1.0 / at_risk;
            steps.push((*lasted, share));
        }
        at_risk -= 1.0;
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locks_that_last_still_count_as_long_as_they_were_seen() {
        let locks =
            [(10, Some(Release::Staff)), (20, None), (30, Some(Release::Staff)), (40, Some(Release::Time))];
        let steps = survival(&locks, Release::Staff);
        assert_eq!(steps, [(0, 1.0), (10, 0.75), (30, 0.375)]);
    }
}
