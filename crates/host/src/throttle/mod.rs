//! What keeps a flood small: rates per connection, source address, terminal and card ([`rate`]), connections per source
//! address ([`sources`]), and the count of everything that was refused ([`causes`]).
//!
//! All of it has a fixed size. What is forgotten first under pressure is who asked for least, so a flood of invented
//! names cannot wash out the one that is being limited. A limit that holds says the same whatever it protects: it is
//! asked before anybody looks whether a card or its PIN is right, and consumes no PIN try.

pub(crate) mod causes;
pub(crate) mod rate;
pub(crate) mod sources;

use model::{CardId, TerminalId, Timestamp};

use crate::config::Settings;
use rate::{Rate, Table};

/// About a megabyte each.
const NAMES_KEPT: usize = 65_536;
/// What a terminal may send at once after a pause, in seconds of its rate.
const TERMINAL_BURST_S: u32 = 5;
const TERMINAL_REQUESTS_PER_SECOND: u32 = 100;
const CARD_ATTEMPTS_PER_MINUTE: u32 = 60;

/// The limits of those who are named in messages.
pub(crate) struct Throttles {
    terminals: Option<Table>,
    cards: Option<Table>,
}

impl Throttles {
    pub(crate) fn new(settings: &Settings) -> Self {
        let limits = &settings.limits;
        let or = |set: Option<u32>, usual| set.unwrap_or(if settings.sandbox { 0 } else { usual });
        let terminal = or(limits.terminal_requests_per_second, TERMINAL_REQUESTS_PER_SECOND);
        let card = or(limits.card_attempts_per_minute, CARD_ATTEMPTS_PER_MINUTE);
        let table = |rate| Table::new(rate, NAMES_KEPT);
        Self {
            terminals: Rate::per_second(terminal, terminal.saturating_mul(TERMINAL_BURST_S)).map(table),
            cards: Rate::per_minute(card).map(table),
        }
    }

    /// May a message in this terminal's name be worked on now?
    pub(crate) fn admits_terminal(&self, terminal: &TerminalId, now: Timestamp) -> bool {
        self.terminals.as_ref().is_none_or(|table| table.take(terminal, nanoseconds(now)).is_ok())
    }

    /// May a PIN be tried on this card number now? Asked before the card is looked up, so it says nothing about it.
    pub(crate) fn admits_card(&self, card: &CardId, now: Timestamp) -> bool {
        self.cards.as_ref().is_none_or(|table| table.take(card, nanoseconds(now)).is_ok())
    }
}

fn nanoseconds(now: Timestamp) -> u64 {
    u64::try_from(now.0).unwrap_or(0).saturating_mul(1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_795_000_000_000);

    fn admitted(limits: impl FnOnce(&mut Settings)) -> (usize, usize) {
        let mut settings = Settings::default();
        limits(&mut settings);
        let throttles = Throttles::new(&settings);
        let terminal: TerminalId = "10000001".parse().unwrap();
        let card = CardId([7; 16]);
        let terminals = (0..1000).filter(|_| throttles.admits_terminal(&terminal, NOW)).count();
        (terminals, (0..1000).filter(|_| throttles.admits_card(&card, NOW)).count())
    }

    #[test]
    fn limits_hold_unless_switched_off() {
        assert_eq!(admitted(|_| {}), (500, 60));
        assert_eq!(admitted(|s| s.sandbox = true), (1000, 1000));
        assert_eq!(admitted(|s| s.limits.card_attempts_per_minute = Some(5)), (500, 5));
        assert_eq!(admitted(|s| s.limits.terminal_requests_per_second = Some(0)), (1000, 60));
        let both = |s: &mut Settings| {
            s.sandbox = true;
            s.limits.terminal_requests_per_second = Some(1);
        };
        assert_eq!(admitted(both), (5, 1000));
    }

    #[test]
    fn a_limited_card_is_admitted_again_in_time_and_others_do_not_notice() {
        let mut settings = Settings::default();
        settings.limits.card_attempts_per_minute = Some(6);
        let throttles = Throttles::new(&settings);
        let (guessed, other) = (CardId([1; 16]), CardId([2; 16]));
        while throttles.admits_card(&guessed, NOW) {}
        assert!(throttles.admits_card(&other, NOW));
        assert!(!throttles.admits_card(&guessed, NOW.plus_ms(9_999)));
        assert!(throttles.admits_card(&guessed, NOW.plus_ms(10_000)));
        assert!(!throttles.admits_card(&guessed, NOW.plus_ms(10_000)));
    }
}
