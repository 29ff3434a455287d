//! The desk's figures, with what only the payments know: did a card that was released lock again?

use desk::{Figures, figures::released};
use model::{CardId, ReasonCode, Timestamp};
use store::archive::TransactionQuery;

use crate::{error::Failure, format::now, router::Shared, service};

/// What counts as "again", in days.
pub(crate) const REPEAT_DAYS: u32 = 7;
/// The longest window, in days.
const DAYS_MAX: u32 = 400;
/// Released cards whose payments are looked at.
const CARDS_MAX: usize = 200;

/// The figures of the last days.
pub(crate) async fn of(state: &Shared, days: u32, repeat_days: u32) -> Result<Figures, Failure> {
    if !(1..=DAYS_MAX).contains(&days) {
        return Err(Failure::not_understood("days", "a number from 1 to 400"));
    }
    if !(1..=DAYS_MAX).contains(&repeat_days) {
        return Err(Failure::not_understood("repeat_days", "a number from 1 to 400"));
    }
    let to = now();
    let from = to.plus_s(-86_400 * i64::from(days));
    let house = state.web.cases.house();
    let (figures, mut free) = state
        .web
        .cases
        .look(|desk, _| (Figures::of(desk, house, from, to, repeat_days), released(desk, from, to)))
        .await?;
    free.truncate(CARDS_MAX);
    let mut locks = Vec::new();
    for one in &free {
        locks.extend(locked_again(state, one.card, one.at).await?);
    }
    Ok(figures.with_locks(&free, &locks))
}

/// When the card was refused for its lock since then.
async fn locked_again(
    state: &Shared,
    card: CardId,
    since: Timestamp,
) -> Result<Vec<(CardId, Timestamp)>, Failure> {
    let query = TransactionQuery {
        card: Some(card),
        declined: true,
        from: Some(since),
        limit: Some(service::LIMIT_MAX),
        ..TransactionQuery::default()
    };
    let rows = state.web.archive.transactions(&query).await?.data;
    let again = rows.iter().filter(|row| service::reason(row) == Some(ReasonCode::PinTriesExceeded));
    Ok(again.map(|row| (card, row.at)).collect())
}
