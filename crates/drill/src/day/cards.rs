//! The cards of every day: their numbers and PINs are the same in each, so that making them is paid for once. All are made
//! up: national use (ISO/IEC 7812-1 leaves 9 to it).

use model::Pan;

/// First six digits of our own cards, by kind.
pub const BINS: [u32; 6] = [910_001, 910_002, 910_003, 910_004, 910_005, 910_006];
/// First six digits of other issuers' cards, by zone.
pub const ZONES: [(&str, u32); 3] = [("bank-e", 955_501), ("bank-f", 956_602), ("bank-g", 957_703)];
/// Our own cards.
pub const OWN: u32 = 24_000;
/// Of these, the last ones take no part in normal traffic: they lie in drawers until somebody means harm.
pub const RESERVED: u32 = 240;
/// Cards of other issuers.
pub const FOREIGN: u32 = 3_000;
/// Of these, the last ones are only used where their holders travel to.
pub const TRAVELLERS: u32 = 600;
/// All of them; numbers behind are not registered anywhere.
pub const ALL: u32 = OWN + FOREIGN;

/// The issuer's zone; `None` is our own card.
#[must_use]
pub fn zone(card: u32) -> Option<usize> {
    (OWN..ALL).contains(&card).then(|| (card - OWN) as usize % ZONES.len())
}

/// The first six digits.
#[must_use]
pub fn bin(card: u32) -> u32 {
    zone(card).map_or(BINS[card as usize % BINS.len()], |zone| ZONES[zone].1)
}

/// The number, its check digit included.
///
/// # Panics
/// Never: sixteen digits are a card number.
#[must_use]
pub fn number(card: u32) -> Pan {
    let digits = format!("{}{:09}", bin(card), 100_000_000 + card / BINS.len() as u32);
    let digits = match zone(card) {
        Some(_) => format!("{}{:09}", bin(card), 200_000_000 + (card - OWN) / ZONES.len() as u32),
        None => digits,
    };
    let sum: u32 = digits
        .bytes()
        .rev()
        .enumerate()
        .map(|(at, digit)| {
            let digit = u32::from(digit - b'0') * if at % 2 == 0 { 2 } else { 1 };
            digit / 10 + digit % 10
        })
        .sum();
    // cannot fail: sixteen digits
    format!("{digits}{}", (10 - sum % 10) % 10).parse().expect("sixteen digits are a card number")
}

/// The PIN: six digits, four for one kind of card.
#[must_use]
pub fn pin(card: u32) -> String {
    let mixed = (u64::from(card) + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ (mixed >> 29)) % 1_000_000;
    if bin(card) == BINS[3] { format!("{:04}", mixed % 10_000) } else { format!("{mixed:06}") }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn numbers_are_different_and_neighbours_of_a_kind_are_neighbours() {
        let numbers: HashSet<_> = (0..ALL + 60).map(|card| number(card).reveal().to_owned()).collect();
        assert_eq!(numbers.len(), ALL as usize + 60);
        let serial = |card| number(card).reveal()[6..15].parse::<u32>().unwrap();
        assert_eq!((bin(6), serial(6)), (bin(0), serial(0) + 1));
        assert!(zone(ALL).is_none() && zone(OWN) == Some(0) && bin(OWN) == ZONES[0].1);
    }
}
