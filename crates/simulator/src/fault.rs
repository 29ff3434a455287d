//! What goes wrong around a payment without anybody typing a wrong PIN.
//!
//! [`Faults`] are ordered by a story for one message. [`Habits`] belong to a terminal and are known by its number: the sandbox seeds
//! these terminals so that the diagnosis has something true to find.

use std::time::Duration;

use model::{MerchantId, TerminalId};

use crate::keypad::Keypad;

/// What shall go wrong with the next message. Losses do not wait for a real time-out: the terminal gives up at once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Faults {
    /// The request never arrives.
    pub drop_request: bool,
    /// The request arrives and is answered, and the answer is lost.
    pub drop_reply: bool,
    /// The same frame is sent twice.
    pub duplicate: bool,
    /// The request is held back for a while.
    pub delay: Option<Duration>,
    /// One bit of the MAC is turned.
    pub corrupt_mac: bool,
    /// The PIN is encrypted under a key that the host does not have.
    pub wrong_tpk: bool,
    /// The MAC is made with a key that the host does not have.
    pub wrong_tak: bool,
    /// A new transaction under the key serial number of the one before (DUKPT).
    pub replayed_ksn: bool,
    /// Only half of the frame is sent, then the terminal hangs up.
    pub truncated_frame: bool,
}

/// The lasting faults of one terminal.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Habits {
    /// Its keypad.
    pub keypad: Keypad,
    /// Of a hundred packets, how many are lost.
    pub loss_percent: u8,
    /// How far its clock is ahead of the right time. A terminal with a wrong clock sends DE 12 and 13 itself.
    pub clock_ahead_s: i64,
    /// Every so many financial messages carry the merchant number of another city (code jumping, 跳码).
    pub jumps_every: Option<u32>,
}

impl Habits {
    /// The habits of the sandbox's four known terminals; all others have none.
    #[must_use]
    pub fn of(id: TerminalId) -> Habits {
        let none = Habits::default();
        match id.as_str() {
            "T0000075" => Habits { keypad: Keypad { dead: vec!['7'], ..Keypad::default() }, ..none },
            "T0000068" => Habits { loss_percent: 20, ..none },
            "T0000013" => Habits { clock_ahead_s: 13 * 60, ..none },
            "T0000099" => Habits { jumps_every: Some(3), ..none },
            _ => none,
        }
    }

    /// Is this a terminal like it should be?
    #[must_use]
    pub fn is_healthy(&self) -> bool {
        *self == Habits::default()
    }
}

/// The same merchant in another city: the area (characters 4 to 7) becomes Shanghai's 2900, or Beijing's 1000 for a merchant
/// of Shanghai.
#[must_use]
pub fn jumped(merchant: MerchantId) -> MerchantId {
    let mut digits = *merchant.as_bytes();
    let elsewhere = if &digits[3..7] == b"2900" { b"1000" } else { b"2900" };
    digits[3..7].copy_from_slice(elsewhere);
    MerchantId::new(&digits).unwrap_or(merchant)
}

/// Draws losses from a seed, so that a run can be repeated (xorshift64*).
#[derive(Debug, Clone)]
pub struct Lottery(u64);

impl Lottery {
    /// A lottery for one terminal.
    #[must_use]
    pub fn seeded(id: TerminalId) -> Lottery {
        let fnv = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01B3);
        Lottery(id.as_bytes().iter().fold(0xCBF2_9CE4_8422_2325, fnv) | 1)
    }

    /// Does this one lose?
    pub fn loses(&mut self, percent: u8) -> bool {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % 100 < u64::from(percent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fifth_of_the_packets_is_lost_and_always_the_same_fifth() {
        let draw = || {
            let mut lottery = Lottery::seeded("T0000068".parse().unwrap());
            (0..1000).map(|_| lottery.loses(20)).collect::<Vec<_>>()
        };
        let lost = draw().iter().filter(|lost| **lost).count();
        assert!((150..250).contains(&lost), "{lost}");
        assert_eq!(draw(), draw());
    }

    #[test]
    fn a_jump_changes_the_city_and_nothing_else() {
        let merchant: MerchantId = "898510154110283".parse().unwrap();
        assert_eq!(jumped(merchant).as_str(), "898290054110283");
        assert_eq!(jumped(jumped(merchant)).as_str(), "898100054110283");
    }
}
