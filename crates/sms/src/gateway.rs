//! What carries a message: one trait, and what came of an attempt.

use async_trait::async_trait;
use zeroize::Zeroizing;

use crate::{
    number::PhoneNumber,
    text::{Kind, Language, Values},
};

/// Of what a gateway says so much is kept.
const SAID_MAX: usize = 200;
/// A run of so many digits could be a number or a code.
const DIGITS_SHOWN: usize = 3;

/// A message on its way.
pub struct Outgoing {
    /// Random; the same for each attempt.
    pub id: String,
    /// To whom.
    pub to: PhoneNumber,
    /// What it is.
    pub kind: Kind,
    /// In which language.
    pub language: Language,
    /// The whole text, for gateways that take one.
    pub text: Zeroizing<String>,
    /// What stands in its places, for gateways that have the text.
    pub values: Values,
}

/// Taken by the gateway; whether it arrives, a [`Receipt`] says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// The gateway's own name for it, by which a receipt finds it.
    pub reference: Option<String>,
}

/// Not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct NotTaken {
    /// A sentence for the engineer; without digits that could be a number or a code.
    pub why: String,
    /// May it be tried again? Never when it may have been taken after all: two messages with one code are one too many.
    pub again: bool,
}

impl NotTaken {
    /// It certainly did not get there, and may the next time.
    #[must_use]
    pub fn for_now(why: &str) -> Self {
        Self { why: hushed(why), again: true }
    }

    /// It was refused, or nobody knows.
    #[must_use]
    pub fn for_good(why: &str) -> Self {
        Self { why: hushed(why), again: false }
    }
}

/// What became of a message that was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The gateway's own name for it.
    pub reference: String,
    /// Did it arrive?
    pub delivered: bool,
    /// The gateway's word, such as `DELIVRD` or `undelivered`.
    pub said: String,
}

/// Something that carries messages. Called from many tasks at once; an attempt ends by itself within seconds.
#[async_trait]
pub trait Gateway: Send + Sync {
    /// Its fixed name, such as `outbox`.
    fn name(&self) -> &str;

    /// What it says later of messages, in a call to our own address; `None` when it is no such thing.
    fn receipts(&self, _body: &[u8]) -> Option<Vec<Receipt>> {
        None
    }

    /// What it wants to hear then.
    fn receipts_taken(&self) -> &str {
        "{}"
    }

    /// One attempt.
    ///
    /// # Errors
    /// [`NotTaken`].
    async fn send(&self, message: &Outgoing) -> Result<Taken, NotTaken>;
}

/// What somebody else said, fit to be kept: short, plain, and without a run of digits that could be a number or a code.
#[must_use]
pub fn hushed(text: &str) -> String {
    let mut out = String::new();
    let mut run = String::new();
    for sign in text.chars().take(SAID_MAX).chain(std::iter::once(' ')) {
        if sign.is_ascii_digit() {
            run.push(sign);
            continue;
        }
        out.push_str(if run.len() > DIGITS_SHOWN { "***" } else { &run });
        run.clear();
        out.push(if sign.is_control() { ' ' } else { sign });
    }
    out.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_codes_are_not_repeated() {
        assert_eq!(hushed("no route to +8613900001234, code 482913"), "no route to +***, code ***");
        assert_eq!(hushed("HTTP 503\n"), "HTTP 503");
        assert_eq!(hushed("1234"), "***");
        assert!(hushed(&"x".repeat(1000)).len() <= SAID_MAX);
    }
}
