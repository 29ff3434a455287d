//! What a seed is about: how many hosts on which engine, how many terminals, and how bad the weather is. Every fault is
//! absent in some seeds and frequent in others, because faults hide each other ("swarm testing": Groce et al., ISSTA 2012).

use crate::dice::Dice;

/// Which engine the hosts have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Storage {
    /// One host on a disk of its own, with group commit.
    Disk,
    /// Several hosts on one database; none of them owns a card.
    Database,
}

/// How often what happens, in a hundred thousand.
#[derive(Debug, Clone, Copy, Default)]
pub struct Rates {
    /// A frame is lost.
    pub lost: u32,
    /// A frame arrives twice.
    pub doubled: u32,
    /// A frame takes seconds.
    pub slow: u32,
    /// A frame may overtake those before it.
    pub overtaking: u32,
    /// A frame's connection is cut for both ends.
    pub cut: u32,
    /// A frame's connection is cut for one end, and the other does not notice.
    pub half_open: u32,
    /// A host ends at one of its seams: store, module, line.
    pub crash: u32,
    /// An fsync fails.
    pub fsync: u32,
    /// A commit's result does not arrive.
    pub unknown_commit: u32,
    /// The database does not answer for a while.
    pub database_away: u32,
    /// The security module does not answer in time.
    pub module_away: u32,
    /// A host's clock jumps.
    pub clock_jump: u32,
    /// A terminal is switched off in the middle of an exchange.
    pub switched_off: u32,
    /// A terminal signs in again, though it need not.
    pub sign_in: u32,
    /// A terminal settles its batch.
    pub settle: u32,
    /// A terminal repeats its last frame.
    pub repeat: u32,
    /// A terminal encrypts a PIN under a key that the host does not have.
    pub wrong_key: u32,
    /// Somebody types a wrong PIN.
    pub wrong_pin: u32,
    /// Somebody gives back to a card what a broken till cost it.
    pub restored: u32,
}

/// The plan of one seed.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// The engine.
    pub storage: Storage,
    /// Hosts.
    pub hosts: usize,
    /// Terminals of honest shops.
    pub tills: usize,
    /// Terminals that a thief has.
    pub thieves: usize,
    /// Does somebody record frames and send them again?
    pub replays: u64,
    /// Payments at each terminal.
    pub payments: u64,
    /// Cards that are used all the time; the others now and then.
    pub hot_cards: u64,
    /// How often what goes wrong.
    pub rates: Rates,
}

impl Plan {
    /// Draws a plan.
    #[must_use]
    pub fn of(seed: u64) -> Self {
        let dice = &mut Dice::new(seed, "plan");
        let storage = if dice.happens(45_000) { Storage::Disk } else { Storage::Database };
        let hosts = match storage {
            Storage::Disk => 1,
            Storage::Database => dice.between(2, 3) as usize,
        };
        Self {
            storage,
            hosts,
            tills: dice.between(2, 6) as usize,
            thieves: if dice.happens(60_000) { dice.between(2, 6) as usize } else { 0 },
            replays: if dice.happens(50_000) { dice.between(2, 25) } else { 0 },
            payments: dice.between(6, 14),
            hot_cards: dice.between(1, 5),
            rates: Rates::of(dice),
        }
    }
}

impl Rates {
    fn of(dice: &mut Dice) -> Self {
        // Absent in a third of all seeds, else anything up to its most.
        let mut up_to = |most: u64| if dice.happens(33_000) { 0 } else { dice.between(1, most) as u32 };
        Self {
            lost: up_to(8_000),
            doubled: up_to(8_000),
            slow: up_to(6_000),
            overtaking: up_to(10_000),
            cut: up_to(3_000),
            half_open: up_to(2_000),
            crash: up_to(500),
            fsync: up_to(3_000),
            unknown_commit: up_to(6_000),
            database_away: up_to(1_500),
            module_away: up_to(4_000),
            clock_jump: up_to(3_000),
            switched_off: up_to(5_000),
            sign_in: up_to(4_000),
            settle: up_to(3_000),
            repeat: up_to(8_000),
            wrong_key: up_to(4_000),
            wrong_pin: up_to(25_000),
            restored: up_to(60_000),
        }
    }
}
