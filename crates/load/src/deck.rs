//! Which card pays next, and with which PIN.
//!
//! Cards are drawn at random, as people come to tills. A share of them is set apart for wrong PINs: each has one wrong PIN under
//! way at most and pays with the right one after it, so that no counter passes one whatever the load. A card that is
//! refused for its own sake - no money left, locked, blocked - pays no more.

use std::collections::VecDeque;
use std::sync::Arc;

use simulator::sandbox::Card;

/// Of all cards, those set apart for wrong PINs: one in this many.
const WRONG_PIN_SHARE: usize = 4;

/// A card and its track 2 as messages carry it.
pub(crate) struct PayCard {
    pub(crate) card: Card,
    pub(crate) track: Box<[u8]>,
}

/// Draws (xorshift64*): cheap, and the same again from the same seed.
#[derive(Debug, Clone)]
pub(crate) struct Draws(u64);

impl Draws {
    pub(crate) fn new(seed: u64) -> Draws {
        // Neighbouring seeds shall not begin alike.
        Draws(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// Does something of this share happen now?
    pub(crate) fn happens(&mut self, share: f64) -> bool {
        share > 0.0 && ((self.next() >> 11) as f64) < share * (1u64 << 53) as f64
    }

    fn below(&mut self, limit: usize) -> usize {
        ((u128::from(self.next()) * limit as u128) >> 64) as usize
    }
}

/// A card that shall pay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Drawn {
    pub(crate) card: u32,
    pub(crate) wrong_pin: bool,
}

/// One thread's cards.
pub(crate) struct Deck {
    cards: Arc<[PayCard]>,
    /// Pay with the right PIN.
    live: Vec<u32>,
    /// From this number on, cards are set apart.
    apart_from: u32,
    /// Set apart, and their counter is at its start.
    fresh: Vec<u32>,
    /// Set apart, and owe a payment with the right PIN. All do at first: nobody knows what happened to them before.
    owe_right: VecDeque<u32>,
    retired: u32,
    wrong_pin: f64,
}

impl Deck {
    /// The cards of one of several threads: those for wrong PINs are its own, the others everybody's.
    pub(crate) fn new(cards: Arc<[PayCard]>, wrong_pin: f64, (thread, threads): (usize, usize)) -> Deck {
        let count = cards.len() as u32;
        let apart = if wrong_pin > 0.0 { cards.len() / WRONG_PIN_SHARE } else { 0 } as u32;
        let apart_from = count - apart;
        let own = |card: &u32| *card as usize % threads == thread;
        Deck {
            cards,
            live: (0..apart_from).collect(),
            apart_from,
            fresh: Vec::new(),
            owe_right: (apart_from..count).filter(own).collect(),
            retired: 0,
            wrong_pin,
        }
    }

    pub(crate) fn card(&self, number: u32) -> &PayCard {
        &self.cards[number as usize]
    }

    /// One of them, whichever.
    pub(crate) fn any(&self) -> Option<&PayCard> {
        self.cards.first()
    }

    /// The next card; `None` when all are retired.
    pub(crate) fn draw(&mut self, draws: &mut Draws) -> Option<Drawn> {
        if draws.happens(self.wrong_pin) && !self.fresh.is_empty() {
            let card = self.fresh.swap_remove(draws.below(self.fresh.len()));
            return Some(Drawn { card, wrong_pin: true });
        }
        if let Some(card) = self.owe_right.pop_front() {
            return Some(Drawn { card, wrong_pin: false });
        }
        let card = *self.live.get(draws.below(self.live.len().max(1)))?;
        Some(Drawn { card, wrong_pin: false })
    }

    /// It paid with the right PIN.
    pub(crate) fn paid(&mut self, card: u32) {
        if card >= self.apart_from {
            self.fresh.push(card);
        }
    }

    /// It has had a wrong PIN, or nobody knows.
    pub(crate) fn owes_right_pin(&mut self, card: u32) {
        if card >= self.apart_from {
            self.owe_right.push_back(card);
        }
    }

    /// It pays no more.
    pub(crate) fn retire(&mut self, card: u32) {
        if let Some(at) = self.live.iter().position(|live| *live == card) {
            self.live.swap_remove(at);
            self.retired += 1;
        } else if card >= self.apart_from {
            self.retired += 1;
        }
    }

    pub(crate) fn retired(&self) -> u32 {
        self.retired
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deck(count: usize, wrong_pin: f64, of: (usize, usize)) -> Deck {
        let card =
            r#"{"pan":"9100010000000111110","expiry":"3012","pin":"123459","product":"debit-standard"}"#;
        let cards: Vec<PayCard> = (0..count)
            .map(|_| PayCard { card: serde_json::from_str(card).unwrap(), track: Box::default() })
            .collect();
        Deck::new(cards.into(), wrong_pin, of)
    }

    #[test]
    fn a_wrong_pin_is_followed_by_the_right_one_on_the_same_card() {
        let (mut deck, mut draws) = (deck(40, 0.5, (0, 1)), Draws::new(7));
        let mut wrong_since_right = [0; 40];
        let mut wrong = 0;
        for _ in 0..10_000 {
            let Drawn { card, wrong_pin } = deck.draw(&mut draws).unwrap();
            let tries = &mut wrong_since_right[card as usize];
            if wrong_pin {
                (*tries, wrong) = (*tries + 1, wrong + 1);
                deck.owes_right_pin(card);
            } else {
                *tries = 0;
                deck.paid(card);
            }
            assert!(*tries <= 1);
        }
        assert!(wrong > 1000, "{wrong}");
        assert!(wrong_since_right[..30].iter().all(|tries| *tries == 0));
    }

    #[test]
    fn threads_share_no_card_for_wrong_pins() {
        let [mut one, mut other] = [deck(40, 1.0, (0, 2)), deck(40, 1.0, (1, 2))];
        let mut draws = Draws::new(3);
        let mut apart = |deck: &mut Deck| {
            (0..5).map(|_| deck.draw(&mut draws).unwrap().card).filter(|card| *card >= 30).collect::<Vec<_>>()
        };
        let [one, other] = [apart(&mut one), apart(&mut other)];
        assert_eq!((one.len(), other.len()), (5, 5));
        assert!(one.iter().all(|card| !other.contains(card)));
    }

    #[test]
    fn a_retired_card_is_not_drawn_and_without_cards_nothing_is() {
        let (mut deck, mut draws) = (deck(2, 0.0, (0, 1)), Draws::new(1));
        deck.retire(0);
        assert!((0..50).all(|_| deck.draw(&mut draws).unwrap().card == 1));
        deck.retire(1);
        assert_eq!((deck.draw(&mut draws), deck.retired()), (None, 2));
    }

    #[test]
    fn shares_are_what_they_say() {
        let mut draws = Draws::new(11);
        let happened = (0..100_000).filter(|_| draws.happens(0.02)).count();
        assert!((1_700..2_300).contains(&happened), "{happened}");
        assert!((0..1000).all(|_| !draws.happens(0.0)) && (0..1000).all(|_| draws.happens(1.0)));
    }
}
