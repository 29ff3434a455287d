//! How many messages may go out: to one number, about one card, and in all. Whoever can make this program send could otherwise
//! bury somebody in messages, run up a bill, or ask for code after code until one is guessed.
//!
//! Pure: what was sent is an argument, and so is the time.

use model::{CardId, Timestamp};
use serde::{Deserialize, Serialize};

const HOUR_MS: i64 = 3_600_000;
/// The longest window.
pub const DAY_MS: i64 = 24 * HOUR_MS;

/// The limits; windows slide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// To one number in an hour.
    pub number_hour: u32,
    /// To one number in a day.
    pub number_day: u32,
    /// About one card in an hour.
    pub card_hour: u32,
    /// About one card in a day.
    pub card_day: u32,
    /// In all in an hour.
    pub all_hour: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { number_hour: 6, number_day: 15, card_hour: 6, card_day: 15, all_hour: 5_000 }
    }
}

/// One message that was counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counted {
    /// When.
    pub at: Timestamp,
    /// The number's digest.
    pub number: String,
    /// About which card.
    pub card: Option<CardId>,
}

/// Not now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many messages {what}; the next may go out from {until:?} on")]
pub struct Limited {
    /// Of what there are too many.
    pub what: &'static str,
    /// When the next may go out.
    pub until: Timestamp,
}

/// Of what, how many, in which window, and what belongs to it.
type Rule<'r> = (&'static str, u32, i64, &'r dyn Fn(&&Counted) -> bool);

impl Limits {
    /// Everything that makes no sense.
    #[must_use]
    pub fn problems(&self) -> Vec<String> {
        let all = [
            ("number_hour", self.number_hour),
            ("number_day", self.number_day),
            ("card_hour", self.card_hour),
            ("card_day", self.card_day),
            ("all_hour", self.all_hour),
        ];
        let none = all.iter().filter(|(_, limit)| *limit == 0);
        none.map(|(name, _)| format!("sms.limits.{name}: 0 would send nothing")).collect()
    }

    /// May one more go out?
    ///
    /// # Errors
    /// [`Limited`], by the limit that ends last.
    pub fn admit<'c>(
        &self,
        counted: impl Iterator<Item = &'c Counted> + Clone,
        number: &str,
        card: Option<CardId>,
        now: Timestamp,
    ) -> Result<(), Limited> {
        let to_number = |c: &&Counted| c.number == number;
        let about_card = |c: &&Counted| card.is_some() && c.card == card;
        let rules: [Rule<'_>; 5] = [
            ("to this number", self.number_hour, HOUR_MS, &to_number),
            ("to this number", self.number_day, DAY_MS, &to_number),
            ("about this card", self.card_hour, HOUR_MS, &about_card),
            ("about this card", self.card_day, DAY_MS, &about_card),
            ("in all", self.all_hour, HOUR_MS, &|_| true),
        ];
        let limited = rules.iter().filter_map(|(what, limit, window, belongs)| {
            let recent = counted.clone().filter(|c| now.since_ms(c.at) < *window).filter(|c| belongs(c));
            let mut times: Vec<Timestamp> = recent.map(|c| c.at).collect();
            times.sort_unstable();
            // So many must be left behind before one more fits.
            let too_many = times.len().checked_sub(*limit as usize)?;
            times.get(too_many).map(|oldest| Limited { what, until: oldest.plus_ms(*window) })
        });
        limited.max_by_key(|limited| limited.until).map_or(Ok(()), Err)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LIMITS: Limits = Limits { number_hour: 2, number_day: 3, card_hour: 2, card_day: 4, all_hour: 5 };

    fn counted(at_min: i64, number: &str, card: u8) -> Counted {
        Counted { at: Timestamp(at_min * 60_000), number: number.to_owned(), card: Some(CardId([card; 16])) }
    }

    fn admit(sent: &[Counted], number: &str, card: u8, at_min: i64) -> Result<(), Limited> {
        LIMITS.admit(sent.iter(), number, Some(CardId([card; 16])), Timestamp(at_min * 60_000))
    }

    #[test]
    fn a_number_gets_its_share_and_then_waits_for_the_oldest_to_leave_the_window() {
        let sent = [counted(0, "a", 1), counted(10, "a", 2)];
        let refused = admit(&sent, "a", 3, 20).unwrap_err();
        assert_eq!((refused.what, refused.until), ("to this number", Timestamp(60 * 60_000)));
        assert_eq!(admit(&sent, "a", 3, 60), Ok(()), "the first has left the hour");
        assert_eq!(admit(&sent, "b", 3, 20), Ok(()), "another number");
    }

    #[test]
    fn changing_the_number_gives_no_more_messages_about_a_card() {
        let sent = [counted(0, "a", 1), counted(10, "b", 1)];
        assert_eq!(admit(&sent, "c", 1, 20).unwrap_err().what, "about this card");
    }

    #[test]
    fn the_limit_that_ends_last_is_named() {
        let sent = [counted(0, "a", 1), counted(1, "a", 2), counted(2, "a", 3)];
        let refused = admit(&sent, "a", 4, 3).unwrap_err();
        assert_eq!(refused.until, Timestamp(DAY_MS), "three a day");
    }

    proptest! {
        /// Whoever asks whenever gets no window with more than its limit.
        #[test]
        fn no_window_ever_has_more_than_its_limit(asks in prop::collection::vec((0_i64..2_000, 0_u8..3, 0_u8..3), 1..80)) {
            let mut asks = asks;
            asks.sort_unstable();
            let mut sent: Vec<Counted> = Vec::new();
            for (at, number, card) in asks {
                let number = number.to_string();
                if admit(&sent, &number, card, at).is_ok() {
                    sent.push(counted(at, &number, card));
                }
            }
            for one in &sent {
                let within = |window: i64| sent.iter().filter(move |o| (0..window).contains(&one.at.since_ms(o.at)));
                prop_assert!(within(HOUR_MS).count() <= 5);
                prop_assert!(within(HOUR_MS).filter(|o| o.number == one.number).count() <= 2);
                prop_assert!(within(DAY_MS).filter(|o| o.number == one.number).count() <= 3);
                prop_assert!(within(HOUR_MS).filter(|o| o.card == one.card).count() <= 2);
                prop_assert!(within(DAY_MS).filter(|o| o.card == one.card).count() <= 4);
            }
        }
    }
}
