//! Batch settlement (批结算): the terminal's totals against ours.

use minicbor::{Decode, Encode};
use model::Amount;
use serde::Serialize;

/// Totals of one terminal's batch. Purchases and completions are debits of the cardholder; refunds are credits.
/// What was voided or reversed is in neither.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Encode, Decode, Serialize)]
pub struct Totals {
    /// Number of debits.
    #[n(0)]
    pub debit_count: u32,
    /// Sum of debits.
    #[n(1)]
    pub debit_sum: Amount,
    /// Number of credits.
    #[n(2)]
    pub credit_count: u32,
    /// Sum of credits.
    #[n(3)]
    pub credit_sum: Amount,
}

/// What one decision adds to its batch's totals. An undone transaction subtracts what it once added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Encode, Decode, Serialize)]
pub struct Movement {
    /// Change of the number of debits.
    #[n(0)]
    pub debit_count: i32,
    /// Change of the sum of debits.
    #[n(1)]
    pub debit_sum: Amount,
    /// Change of the number of credits.
    #[n(2)]
    pub credit_count: i32,
    /// Change of the sum of credits.
    #[n(3)]
    pub credit_sum: Amount,
}

impl Movement {
    /// A purchase or completion; `sign` is -1 when it is undone.
    pub(crate) fn debit(amount: Amount, sign: i32) -> Self {
        Self { debit_count: sign, debit_sum: Amount(amount.0 * i64::from(sign)), ..Self::default() }
    }

    /// A refund.
    pub(crate) fn credit(amount: Amount) -> Self {
        Self { credit_count: 1, credit_sum: amount, ..Self::default() }
    }

    /// Does it change nothing?
    #[must_use]
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

impl Totals {
    /// Adds what one decision changed.
    pub fn add(&mut self, movement: &Movement) {
        let count = |have: u32, change: i32| have.saturating_add_signed(change);
        self.debit_count = count(self.debit_count, movement.debit_count);
        self.credit_count = count(self.credit_count, movement.credit_count);
        self.debit_sum = self.debit_sum.plus(movement.debit_sum).unwrap_or(self.debit_sum);
        self.credit_sum = self.credit_sum.plus(movement.credit_sum).unwrap_or(self.credit_sum);
    }
}
