//! One exchange as a person would follow it: who asked what, and what came back. Masked from the start: a step can be printed,
//! logged and sent anywhere.

use std::fmt;

use model::{Amount, MaskedPan, ResponseCode, TerminalId};
use serde::Serialize;

use crate::clock::Civil;

/// One line of a terminal's log.
#[derive(Debug, Clone, Serialize)]
pub struct Step {
    /// When it was sent, in milliseconds since 1970.
    pub at_ms: i64,
    /// DE 41.
    pub terminal: TerminalId,
    /// The request's message type.
    pub mti: String,
    /// What was asked: `sale`, `reversal`, `sign-in` …
    pub what: &'static str,
    /// DE 11; not in an echo.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stan: Option<String>,
    /// The card, masked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub card: Option<MaskedPan>,
    /// DE 4, in minor units.
    #[serde(rename = "amount_minor", skip_serializing_if = "Option::is_none")]
    pub amount: Option<Amount>,
    /// What came back.
    pub answer: Answer,
    /// DE 37 of the reply.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rrn: Option<String>,
    /// From the first byte sent to the last received.
    pub took_ms: u64,
    /// What is worth knowing: a fault that was played, an order in the reply's header.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub note: String,
}

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// A reply that the terminal believes, with DE 39.
    Code(ResponseCode),
    /// Nothing, within the time-out.
    Silence,
    /// A reply that the terminal does not believe, and why.
    Unusable(String),
    /// The terminal did not send anything, and why.
    NotSent(String),
}

impl Answer {
    /// Was it approved?
    #[must_use]
    pub fn is_approval(&self) -> bool {
        matches!(self, Answer::Code(code) if code.is_approval())
    }

    /// The response code, if one came.
    #[must_use]
    pub fn code(&self) -> Option<ResponseCode> {
        match self {
            Answer::Code(code) => Some(*code),
            Answer::Silence | Answer::Unusable(_) | Answer::NotSent(_) => None,
        }
    }
}

impl fmt::Display for Answer {
    /// `55`, `--` for silence, `??` for what is not believed, `!!` for what was not sent.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Answer::Code(code) => code.fmt(f),
            Answer::Silence => f.pad("--"),
            Answer::Unusable(_) => f.pad("??"),
            Answer::NotSent(_) => f.pad("!!"),
        }
    }
}

impl fmt::Display for Step {
    /// `10:41:07 T0000001 0200 sale 621626*********0018 1280.00 #000123 → 55`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = Civil::in_china(self.at_ms).time_of_day();
        let card = self.card.as_ref().map_or("", MaskedPan::as_str);
        let amount = self.amount.map(|a| a.to_string()).unwrap_or_default();
        let stan = self.stan.as_ref().map(|s| format!("#{s}")).unwrap_or_default();
        write!(
            f,
            "{time} {:8} {} {:15} {card:19} {amount:>10} {stan:7} → {}",
            self.terminal, self.mti, self.what, self.answer
        )?;
        match &self.answer {
            Answer::Unusable(why) | Answer::NotSent(why) => write!(f, "  {why}")?,
            Answer::Code(_) | Answer::Silence => {}
        }
        if self.note.is_empty() { Ok(()) } else { write!(f, "  ({})", self.note) }
    }
}
