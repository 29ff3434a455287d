//! A challenge: what a second proof is asked for, and until when it may be given.

use std::{fmt, str::FromStr};

use minicbor::{Decode, Encode};
use model::{Amount, Currency, Kind, TerminalId, Timestamp};
use serde::{Serialize, Serializer};

use crate::code::CodeDigest;

/// Wrong answers to one challenge; after that only a new one can be answered.
pub const WRONG_MAX: u8 = 3;

/// Names a challenge. Random, and no secret.
#[derive(Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(transparent)]
pub struct ChallengeId(#[cbor(n(0), with = "minicbor::bytes")] pub [u8; 16]);

impl fmt::Display for ChallengeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for ChallengeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ChallengeId({self})")
    }
}

impl FromStr for ChallengeId {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut id = [0; 16];
        if text.len() != 32 || !text.is_ascii() {
            return Err(());
        }
        for (byte, pair) in id.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            let pair = std::str::from_utf8(pair).map_err(|_| ())?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| ())?;
        }
        Ok(Self(id))
    }
}

impl Serialize for ChallengeId {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

/// What a challenge is bound to, besides its card.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct Binding {
    /// DE 41.
    #[n(0)]
    pub terminal: TerminalId,
    /// What is asked for.
    #[n(1)]
    pub kind: Kind,
    /// DE 4.
    #[n(2)]
    pub amount: Amount,
    /// DE 49.
    #[n(3)]
    pub currency: Currency,
}

/// A challenge, as the card's state keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct Challenge {
    /// Its name.
    #[n(0)]
    pub id: ChallengeId,
    /// What it is for.
    #[n(1)]
    pub binding: Binding,
    /// When it was issued.
    #[n(2)]
    pub since: Timestamp,
    /// Until when it may be answered.
    #[n(3)]
    pub until: Timestamp,
    /// How long an answer counts, in seconds.
    #[n(4)]
    pub valid_s: u32,
    /// The digest of the code that was sent; none when no code may be guessed at any more.
    #[n(5)]
    pub code: Option<CodeDigest>,
    /// Wrong answers to it.
    #[n(6)]
    pub wrong: u8,
    /// The answer.
    #[n(7)]
    pub answered: Option<Answered>,
}

/// A challenge was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct Answered {
    /// How.
    #[n(0)]
    pub by: Method,
    /// The payment may come until then.
    #[n(1)]
    pub until: Timestamp,
}

/// How a challenge was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// The code that was sent by message.
    #[n(0)]
    Sms,
    /// The code of an authenticator app (RFC 6238).
    #[n(1)]
    Totp,
    /// A passkey whose device verified its owner (WebAuthn).
    #[n(2)]
    Passkey,
}

impl Method {
    /// Its fixed name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Sms => "sms",
            Self::Totp => "totp",
            Self::Passkey => "passkey",
        }
    }
}

impl Challenge {
    /// Can it still be answered?
    #[must_use]
    pub fn is_open(&self, now: Timestamp) -> bool {
        self.answered.is_none() && now < self.until && self.wrong < WRONG_MAX
    }

    /// Was it answered, and does the answer still count?
    #[must_use]
    pub fn is_passed(&self, now: Timestamp) -> bool {
        self.answered.is_some_and(|answered| now < answered.until)
    }
}
