//! How a payment is found again: the terminal's trace, the host's reference, and the key under which a
//! retransmission meets its own first copy.

use std::{
    fmt,
    hash::{Hash, Hasher},
};

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::{Invalid, TerminalId};

/// System trace audit number (DE 11, 流水号/凭证号), 6 digits, given by the terminal.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, Serialize, Deserialize,
)]
#[cbor(transparent)]
#[serde(transparent)]
pub struct Stan(#[n(0)] u32);

impl Stan {
    /// Takes a number of at most six digits.
    ///
    /// # Errors
    /// [`Invalid`] above 999999.
    pub fn new(value: u32) -> Result<Self, Invalid> {
        if value <= 999_999 {
            Ok(Self(value))
        } else {
            Err(Invalid { noun: "trace number", expected: "6 digits" })
        }
    }

    /// The number.
    #[must_use]
    pub fn get(self) -> u32 {
        self.0
    }
}

impl fmt::Display for Stan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:06}", self.0)
    }
}

/// Batch number (UnionPay DE 60.2, 批次号), 6 digits; 0 in dialects without batches.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Encode, Decode, Serialize, Deserialize,
)]
#[cbor(transparent)]
#[serde(transparent)]
pub struct BatchNumber(#[n(0)] u32);

impl BatchNumber {
    /// The place of a batch number in dialects that have none.
    pub const NONE: Self = Self(0);

    /// Takes a number of at most six digits.
    ///
    /// # Errors
    /// [`Invalid`] above 999999.
    pub fn new(value: u32) -> Result<Self, Invalid> {
        if value <= 999_999 {
            Ok(Self(value))
        } else {
            Err(Invalid { noun: "batch number", expected: "6 digits" })
        }
    }

    /// The number.
    #[must_use]
    pub fn get(self) -> u32 {
        self.0
    }

    /// The batch after this one; 999999 is followed by 1.
    #[must_use]
    pub fn next(self) -> Self {
        if self.0 >= 999_999 { Self(1) } else { Self(self.0 + 1) }
    }
}

impl fmt::Display for BatchNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:06}", self.0)
    }
}

crate::text::fixed_text! {
    /// Retrieval reference number (DE 37, 检索参考号), 12 characters, given by the host.
    Rrn, 12, "retrieval reference number", "12 printable characters"
}

crate::text::fixed_text! {
    /// Authorization identification response (DE 38, 授权码), 6 characters, given by the issuer.
    ApprovalCode, 6, "approval code", "6 printable characters"
}

/// The identity of a terminal's transaction (docs/reference/rules.md D2): a repeat carries the same key. The repeat
/// digit of the message type is not part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct TransactionKey {
    /// DE 41.
    #[n(0)]
    pub terminal: TerminalId,
    /// DE 60.2 where the dialect has batches.
    #[n(1)]
    pub batch: BatchNumber,
    /// DE 11.
    #[n(2)]
    pub stan: Stan,
    /// Day as MMDD (DE 13 or the start of DE 7) where the dialect has no batches, otherwise 0: it keeps a trace
    /// number that wrapped apart from the one of last week.
    #[n(3)]
    pub day: u16,
}

impl Hash for TransactionKey {
    /// All of it in one piece: terminal, then 20 bits each of trace and batch number, then the day.
    fn hash<H: Hasher>(&self, state: &mut H) {
        let numbers = u64::from(self.stan.0) << 36 | u64::from(self.batch.0) << 16 | u64::from(self.day);
        let terminal = u64::from_le_bytes(*self.terminal.as_bytes());
        state.write_u128(u128::from(terminal) << 64 | u128::from(numbers));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_wrap_past_zero() {
        assert_eq!(BatchNumber::new(999_999).unwrap().next().get(), 1);
    }

    #[test]
    fn references_keep_their_width() {
        assert!("12345".parse::<Rrn>().unwrap().as_bytes().len() == 12);
        assert!("1234567890123".parse::<Rrn>().is_err());
    }
}
