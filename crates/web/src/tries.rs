//! Tokens that are worth nothing, counted by where they came from. Nobody guesses 256 bits; the limit is for programs that go on
//! with a dead token, and for whoever tries what they found in old files.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, PoisonError},
};

use model::Timestamp;

/// So many wrong tokens from one address …
const TRIES: u16 = 30;
/// … in so many seconds.
const WINDOW_S: i64 = 60;
/// Addresses that are remembered at once; when there are more, those whose window is over are forgotten, then all.
const ADDRESSES_MAX: usize = 10_000;

/// Wrong tokens of the last minute.
#[derive(Default)]
pub(crate) struct WrongTokens {
    by_address: Mutex<HashMap<Option<IpAddr>, Window>>,
}

#[derive(Clone, Copy)]
struct Window {
    since: Timestamp,
    tries: u16,
}

impl Window {
    fn is_over(&self, now: Timestamp) -> bool {
        now >= self.since.plus_s(WINDOW_S)
    }
}

impl WrongTokens {
    /// Is a token from there looked at?
    pub(crate) fn admits(&self, from: Option<IpAddr>, now: Timestamp) -> bool {
        let windows = self.by_address.lock().unwrap_or_else(PoisonError::into_inner);
        windows.get(&from).is_none_or(|window| window.is_over(now) || window.tries < TRIES)
    }

    /// Counts a wrong one; `true` when it was the last that is looked at.
    pub(crate) fn count(&self, from: Option<IpAddr>, now: Timestamp) -> bool {
        let mut windows = self.by_address.lock().unwrap_or_else(PoisonError::into_inner);
        if windows.len() >= ADDRESSES_MAX && !windows.contains_key(&from) {
            windows.retain(|_, window| !window.is_over(now));
            if windows.len() >= ADDRESSES_MAX {
                windows.clear();
            }
        }
        let window = windows.entry(from).or_insert(Window { since: now, tries: 0 });
        if window.is_over(now) {
            *window = Window { since: now, tries: 0 };
        }
        window.tries = window.tries.saturating_add(1);
        window.tries == TRIES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_tokens_of_one_address_are_looked_at_up_to_a_limit_and_others_go_on() {
        let tries = WrongTokens::default();
        let (bad, other) = ("192.0.2.1".parse().ok(), "192.0.2.2".parse().ok());
        let start = Timestamp(1_700_000_000_000);
        for n in 1..=TRIES {
            assert!(tries.admits(bad, start));
            assert_eq!(tries.count(bad, start), n == TRIES);
        }
        assert!(!tries.admits(bad, start.plus_s(WINDOW_S - 1)));
        assert!(tries.admits(other, start) && tries.admits(None, start));
        assert!(tries.admits(bad, start.plus_s(WINDOW_S)));
        assert!(!tries.count(bad, start.plus_s(WINDOW_S)));
    }

    #[test]
    fn no_number_of_addresses_fills_the_memory() {
        let tries = WrongTokens::default();
        for n in 0..=u32::try_from(ADDRESSES_MAX).unwrap() {
            tries.count(Some(IpAddr::from(n.to_be_bytes())), Timestamp(1));
        }
        assert!(tries.by_address.lock().unwrap().len() <= ADDRESSES_MAX);
    }
}
