//! PIN verification against what the issuer stored: the Visa PVV and the IBM 3624 offset.
//!
//! Both functions compare in constant time. Which one applies, and with which key and table, is
//! configuration of the issuer; a decimalisation table or key index that came with a request would open
//! the attacks of Bond and Zieliński (2003).

pub mod ibm3624;
pub mod pvv;

/// The answer to a PIN verification. A wrong PIN is an answer, not an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Verdict {
    /// The PIN is the cardholder's.
    Right,
    /// It is not.
    Wrong,
}

impl Verdict {
    fn from_equal(equal: subtle::Choice) -> Verdict {
        match bool::from(equal) {
            true => Verdict::Right,
            false => Verdict::Wrong,
        }
    }
}
