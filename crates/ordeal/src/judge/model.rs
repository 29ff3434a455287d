//! What a card is, in thirty lines, written without a look at the product: the model against which histories are checked.

use std::collections::{HashMap, HashSet};

use model::TransactionKey;

use super::Typed;

const LIMIT: u8 = 3;
const LOCKED_FOR_MS: i64 = 24 * 3_600_000;

/// One card.
#[derive(Debug, Default)]
pub struct CardModel {
    /// Wrong PINs since the last reset.
    pub tries: u8,
    /// Locked until then.
    pub locked_until: Option<i64>,
    /// Money, in minor units.
    pub balance: i64,
    /// Resets so far.
    pub resets: usize,
    approved: HashMap<TransactionKey, i64>,
    reversed: HashSet<TransactionKey>,
}

impl CardModel {
    /// A card with this much on it.
    #[must_use]
    pub fn new(balance: i64) -> Self {
        Self { balance, ..Self::default() }
    }

    /// A payment, or an inquiry of no amount. `looked`: the security module could look at the PIN.
    pub fn pay(
        &mut self,
        key: TransactionKey,
        typed: Typed,
        amount: i64,
        at: i64,
        looked: bool,
    ) -> &'static str {
        if self.reversed.contains(&key) {
            return "94";
        }
        match self.locked_until {
            Some(until) if at < until => return "75",
            Some(_) => self.reset(),
            None => {}
        }
        match typed {
            _ if !looked => "91",
            Typed::OtherKey => "99",
            Typed::Wrong => {
                self.tries += 1;
                self.locked_until = (self.tries == LIMIT).then_some(at + LOCKED_FOR_MS);
                if self.tries == LIMIT { "75" } else { "55" }
            }
            Typed::Right => {
                self.reset();
                if amount > self.balance {
                    return "51";
                }
                self.balance -= amount;
                self.approved.insert(key, amount);
                "00"
            }
        }
    }

    /// A reversal.
    pub fn reverse(&mut self, key: TransactionKey) -> &'static str {
        self.reversed.insert(key);
        self.balance += self.approved.remove(&key).unwrap_or(0);
        "00"
    }

    /// So many of the tries were a fault's: the lock that they brought ends with them.
    pub fn restore(&mut self, tries: u8) {
        (self.tries, self.locked_until) = (self.tries - tries.min(self.tries), None);
    }

    fn reset(&mut self) {
        (self.tries, self.locked_until) = (0, None);
        self.resets += 1;
    }
}

/// How many wrong PINs a card may answer between two resets.
#[must_use]
pub fn limit() -> usize {
    usize::from(LIMIT)
}
