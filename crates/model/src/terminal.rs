//! The terminal, and who works at it.

use std::{fmt, str::FromStr};

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::Invalid;

crate::text::fixed_text! {
    /// Card acceptor terminal identification (DE 41, 终端编号), 8 characters.
    TerminalId, 8, "terminal number", "8 printable characters"
}

/// The number of one of the shop's own people (操作员号): two digits, as on the slip and in DE 63.1 of UnionPay terminals.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode, Serialize, Deserialize,
)]
#[serde(try_from = "String", into = "String")]
#[cbor(transparent)]
pub struct OperatorId(#[n(0)] u8);

impl OperatorId {
    /// The number; `None` above 99.
    #[must_use]
    pub fn new(number: u8) -> Option<Self> {
        (number < 100).then_some(Self(number))
    }

    /// 0 to 99.
    #[must_use]
    pub fn get(self) -> u8 {
        self.0
    }
}

impl fmt::Display for OperatorId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}", self.0)
    }
}

impl FromStr for OperatorId {
    type Err = Invalid;

    /// Two digits; DE 63 of a UnionPay terminal pads them with a space.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.trim_end();
        let fits = digits.len() == 2 && digits.bytes().all(|b| b.is_ascii_digit());
        let invalid = Invalid { noun: "operator", expected: "two digits" };
        digits.parse().ok().filter(|_| fits).map(Self).ok_or(invalid)
    }
}

impl TryFrom<String> for OperatorId {
    type Error = Invalid;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<OperatorId> for String {
    fn from(id: OperatorId) -> String {
        id.to_string()
    }
}
