//! Who saw a card. Looking at one card, on whatever page, is an event of the audit log, written before anything is shown. A page
//! that looks again by itself, or a program that polls, is one event a minute.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use model::{CardId, Timestamp};
use office::Noted;

use crate::{actor::Actor, error::Failure, format::now, router::Shared};

/// The same person and card within so many seconds are one view.
const ONE_VIEW_S: i64 = 60;
/// Views that are remembered at once; when there are more, those that are over are forgotten, then all.
const VIEWS_MAX: usize = 10_000;

/// Views of the last minute.
#[derive(Default)]
pub(crate) struct Views(Mutex<HashMap<(String, CardId), Timestamp>>);

impl Views {
    /// Is it another view than the last one, or the first?
    fn is_news(&self, who: &str, card: CardId, now: Timestamp) -> bool {
        let mut views = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let over = |since: &Timestamp| now >= since.plus_s(ONE_VIEW_S);
        if views.len() >= VIEWS_MAX {
            views.retain(|_, since| !over(since));
            if views.len() >= VIEWS_MAX {
                views.clear();
            }
        }
        let view = (who.to_owned(), card);
        if views.get(&view).is_some_and(|since| !over(since)) {
            return false;
        }
        views.insert(view, now);
        true
    }

    fn forget(&self, who: &str, card: CardId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&(who.to_owned(), card));
    }
}

/// Writes into the log that somebody sees a card, and on what occasion. What cannot be written down is not shown.
pub(crate) async fn card(state: &Shared, by: &Actor, card: CardId, occasion: &str) -> Result<(), Failure> {
    let Some(office) = &state.web.office else { return Ok(()) };
    if !state.views.is_news(by.name(), card, now()) {
        return Ok(());
    }
    let noted = Noted::done("card.view").about("card", &card.to_string()).because(occasion);
    let kept = office.note(&by.0, noted).await;
    if kept.is_err() {
        state.views.forget(by.name(), card);
    }
    Ok(kept?)
}

/// The same for the card of a transaction, if it has one.
pub(crate) async fn of_transaction(
    state: &Shared,
    by: &Actor,
    row: &store::archive::TransactionRow,
) -> Result<(), Failure> {
    match row.card {
        Some(id) => card(state, by, id, &format!("transaction {}", row.rrn)).await,
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_of_looking_is_one_view_for_each_person_and_card() {
        let views = Views::default();
        let start = Timestamp(1_700_000_000_000);
        let card = |n: u8| CardId([n; 16]);
        assert!(views.is_news("li.na", card(1), start));
        assert!(!views.is_news("li.na", card(1), start.plus_s(ONE_VIEW_S - 1)));
        assert!(views.is_news("li.na", card(2), start) && views.is_news("zhao.lei", card(1), start));
        assert!(views.is_news("li.na", card(1), start.plus_s(ONE_VIEW_S)));
        views.forget("li.na", card(1));
        assert!(views.is_news("li.na", card(1), start.plus_s(ONE_VIEW_S)));
    }
}
