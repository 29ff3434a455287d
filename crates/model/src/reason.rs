//! Why a request got its answer. A [`ReasonCode`] is ours and exact; a [`ResponseCode`] is the network's two or
//! three characters, and several reasons may share one. Texts in two languages live with the console, the
//! mapping to response codes with the network profile.

use std::fmt;

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

macro_rules! reasons {
    ($( $(#[$doc:meta])* $variant:ident = $n:literal $name:literal $family:ident ),* $(,)?) => {
        /// The exact reason for an answer.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
        pub enum ReasonCode {
            $( $(#[$doc])* #[n($n)] $variant, )*
        }

        impl ReasonCode {
            /// Every reason, in the order of the handbook.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The fixed kebab-case name, as in the API, metrics and text files.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The family by which operators see whose matter it is.
            #[must_use]
            pub fn family(self) -> Family {
                match self { $(Self::$variant => Family::$family,)* }
            }
        }
    };
}

reasons! {
    /// Done as asked.
    Approved = 0 "approved" Ok,
    /// A reversal was carried out, or there was nothing to undo.
    Reversed = 1 "reversed" Ok,
    /// Staff changed the card; nobody paid.
    StaffAction = 2 "staff-action" Ok,

    /// A proven mismatch; tries remain.
    WrongPin = 10 "wrong-pin" Warn,
    /// A proven mismatch that used up the last try: the card is locked now.
    PinTriesExceeded = 11 "pin-tries-exceeded" Lock,
    /// The card was already locked; the PIN was not looked at.
    CardLocked = 12 "card-locked" Lock,
    /// The ladder asks for a second proof of identity first; the PIN was not looked at.
    StepUpRequired = 13 "step-up-required" Warn,
    /// The ladder restricts amount or cash after wrong PINs.
    RestrictedAfterWrongPins = 14 "restricted-after-wrong-pins" Lock,
    /// The product asks for a PIN and none was sent.
    PinMissing = 15 "pin-missing" Warn,
    /// The old PIN is right and the new one is not allowed: too short, too long, guessable, or used before. The PIN stays.
    NewPinRefused = 16 "new-pin-refused" Warn,
    /// The PIN was reset and the holder has not set a new one yet; the PIN was not looked at.
    PinResetPending = 17 "pin-reset-pending" Lock,
    /// The PIN must be changed first: it is too old, or the issuer asks for it; the PIN was not looked at.
    PinChangeRequired = 18 "pin-change-required" Warn,

    /// The decrypted block is no PIN block: keys out of step, wrong PAN, or bad software. Not counted.
    PinBlockUnreadable = 20 "pin-block-unreadable" Sys,
    /// A key is missing, of the wrong usage or damaged. Not counted.
    KeyFault = 21 "key-fault" Sys,
    /// The security module is away. Not counted.
    SecurityModuleAway = 22 "security-module-away" Sys,
    /// The card has no PIN reference to compare with.
    PinReferenceMissing = 23 "pin-reference-missing" Sys,
    /// The message authentication code is wrong. Not counted.
    MacInvalid = 24 "mac-invalid" Sys,
    /// The message could be read only in part.
    FormatError = 25 "format-error" Sys,
    /// The store cannot take the decision just now, so there is none.
    StoreAway = 26 "store-away" Sys,
    /// The host sheds load instead of queueing without end.
    Overloaded = 27 "overloaded" Sys,

    /// The key serial number (KSN) was used before, or is too old: a PIN block that was sent again. Not counted.
    KsnReplayed = 28 "ksn-replayed" Bad,

    /// No such card here.
    UnknownCard = 30 "unknown-card" Neutral,
    /// Past its expiry date.
    ExpiredCard = 31 "expired-card" Neutral,
    /// The expiry date on the message is not the card's.
    ExpiryMismatch = 32 "expiry-mismatch" Neutral,
    /// Reported lost.
    LostCard = 33 "lost-card" Bad,
    /// Reported stolen.
    StolenCard = 34 "stolen-card" Bad,
    /// Blocked by staff.
    BlockedCard = 35 "blocked-card" Bad,
    /// The balance does not cover it.
    InsufficientFunds = 36 "insufficient-funds" Neutral,
    /// The amount is missing, zero or out of range.
    InvalidAmount = 37 "invalid-amount" Neutral,
    /// The product does not allow this kind of transaction.
    NotPermittedToCard = 38 "not-permitted-to-card" Neutral,
    /// The currency is not the account's.
    WrongCurrency = 39 "wrong-currency" Neutral,

    /// No such terminal.
    UnknownTerminal = 50 "unknown-terminal" Bad,
    /// The merchant number does not belong to this terminal.
    UnknownMerchant = 51 "unknown-merchant" Bad,
    /// The terminal has not signed in, or its keys are gone.
    SignInRequired = 52 "sign-in-required" Sys,
    /// The batch number is not the current one.
    BatchMismatch = 53 "batch-mismatch" Sys,
    /// The terminal is suspended by staff.
    TerminalSuspended = 54 "terminal-suspended" Bad,
    /// A kind of message that this host does not do.
    NotSupported = 55 "not-supported" Neutral,
    /// Totals of the batch do not agree.
    BatchNotBalanced = 56 "batch-not-balanced" Sys,
    /// No such operator of this shop, a wrong operator password, or not one who may do this. No card and no PIN is touched.
    OperatorRefused = 57 "operator-refused" Neutral,
    /// The operator has too many wrong passwords; the password was not looked at.
    OperatorLocked = 58 "operator-locked" Neutral,
    /// The operator's password is right and must be changed first.
    OperatorMustChange = 59 "operator-must-change" Neutral,
    /// The new password of an operator is not allowed: length, easy, or used before.
    OperatorPasswordRefused = 65 "operator-password-refused" Neutral,

    /// The trace number was used before with other contents.
    DuplicateTrace = 60 "duplicate-trace" Sys,
    /// The original transaction is not known.
    OriginalNotFound = 61 "original-not-found" Neutral,
    /// The original cannot be undone or completed: declined, already undone, or of another kind.
    OriginalNotSuitable = 62 "original-not-suitable" Neutral,
    /// The amount does not fit the original.
    OriginalAmountMismatch = 63 "original-amount-mismatch" Neutral,
    /// Its reversal came first; it is refused and never posted.
    OvertakenByReversal = 64 "overtaken-by-reversal" Sys,

    /// The issuer of a card that is not ours says that the PIN is wrong. It counts; we do not.
    IssuerWrongPin = 70 "issuer-wrong-pin" Warn,
    /// The issuer of a card that is not ours says that the tries are used up.
    IssuerTriesExceeded = 71 "issuer-tries-exceeded" Lock,
    /// The issuer of a card that is not ours said no; its code is passed on.
    IssuerDeclined = 72 "issuer-declined" Neutral,
    /// The issuer says that it cannot decide: its system, or one behind it.
    IssuerFault = 73 "issuer-fault" Sys,
    /// The issuer could not read the PIN block or verify the MAC: the keys of the zone are out of step.
    IssuerKeyFault = 74 "issuer-key-fault" Sys,
    /// The issuer did not answer in time; a reversal is on its way to it.
    IssuerTimeout = 75 "issuer-timeout" Sys,
    /// No line to the issuer; nothing was sent.
    IssuerUnreachable = 76 "issuer-unreachable" Sys,
    /// The issuer's answer came when nobody waited any more; the terminal never saw it.
    IssuerLateReply = 77 "issuer-late-reply" Sys,

    /// A risk rule takes it for fraud.
    SuspectedFraud = 80 "suspected-fraud" Bad,
    /// A risk rule restricts the card.
    RestrictedByRule = 81 "restricted-by-rule" Bad,
    /// A risk rule limits the amount.
    AmountLimitByRule = 82 "amount-limit-by-rule" Neutral,
    /// A risk rule limits how often.
    TooOftenByRule = 83 "too-often-by-rule" Neutral,
    /// A risk rule does not permit it.
    NotPermittedByRule = 84 "not-permitted-by-rule" Neutral,
    /// A risk rule sees a violation of security.
    SecurityViolationByRule = 85 "security-violation-by-rule" Bad,

    /// A sandbox amount asked for this answer.
    SandboxForced = 90 "sandbox-forced" Neutral,
}

/// Whose matter a reason is: an operator sees at a glance that 75 is not a system failure and 91 is not the customer's
/// fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Family {
    /// Approved.
    Ok,
    /// The cardholder can mend it now.
    Warn,
    /// Locked or tries used up.
    Lock,
    /// Our, the network's or the terminal's fault.
    Sys,
    /// Attack, fraud, stolen, not ours.
    Bad,
    /// Funds, limits and everything that is a plain no.
    Neutral,
}

impl Family {
    /// The fixed name, as in style classes and the API.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Lock => "lock",
            Self::Sys => "sys",
            Self::Bad => "bad",
            Self::Neutral => "neutral",
        }
    }
}

impl fmt::Display for ReasonCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl std::str::FromStr for ReasonCode {
    type Err = crate::Invalid;

    fn from_str(text: &str) -> Result<Self, crate::Invalid> {
        Self::ALL
            .iter()
            .copied()
            .find(|r| r.name() == text)
            .ok_or(crate::Invalid { noun: "reason", expected: "a reason's kebab-case name" })
    }
}

impl Serialize for ReasonCode {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for ReasonCode {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(from)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// The network's answer (DE 39): two alphanumeric characters in 1987 dialects, three digits in 1993.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ResponseCode {
    text: [u8; 3],
    len: u8,
}

impl ResponseCode {
    /// Approved, in 1987 dialects.
    pub const APPROVED: Self = Self { text: *b"00\0", len: 2 };

    /// Takes two or three alphanumeric characters.
    ///
    /// # Errors
    /// [`Invalid`](crate::Invalid) for anything else.
    pub fn new(text: &str) -> Result<Self, crate::Invalid> {
        let bytes = text.as_bytes();
        if !(2..=3).contains(&bytes.len()) || !bytes.iter().all(u8::is_ascii_alphanumeric) {
            return Err(crate::Invalid { noun: "response code", expected: "2 or 3 letters or digits" });
        }
        let mut code = Self { text: [0; 3], len: bytes.len() as u8 };
        code.text[..bytes.len()].copy_from_slice(bytes);
        Ok(code)
    }

    /// The characters as in DE 39.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.text[..usize::from(self.len)]).unwrap_or_default()
    }

    /// `00`, `10`, `11` and the "approved with a defect" codes A2, A4 to A6 (1993: `000` to `099`).
    #[must_use]
    pub fn is_approval(&self) -> bool {
        match self.as_str() {
            "00" | "10" | "11" | "A2" | "A4" | "A5" | "A6" => true,
            three => three.len() == 3 && three.starts_with('0'),
        }
    }
}

impl fmt::Display for ResponseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for ResponseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ResponseCode({})", self.as_str())
    }
}

impl std::str::FromStr for ResponseCode {
    type Err = crate::Invalid;

    fn from_str(text: &str) -> Result<Self, crate::Invalid> {
        Self::new(text)
    }
}

impl Serialize for ResponseCode {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for ResponseCode {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(from)?;
        Self::new(&text).map_err(serde::de::Error::custom)
    }
}

impl<C> Encode<C> for ResponseCode {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut minicbor::Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.str(self.as_str())?.ok()
    }
}

impl<'b, C> Decode<'b, C> for ResponseCode {
    fn decode(d: &mut minicbor::Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
        Self::new(d.str()?).map_err(|e| minicbor::decode::Error::message(e.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_is_found_by_its_name() {
        for reason in ReasonCode::ALL {
            assert_eq!(reason.name().parse::<ReasonCode>().unwrap(), *reason);
        }
    }

    #[test]
    fn approvals_are_told_from_declines() {
        for (code, approved) in
            [("00", true), ("A2", true), ("000", true), ("55", false), ("75", false), ("106", false)]
        {
            assert_eq!(ResponseCode::new(code).unwrap().is_approval(), approved, "{code}");
        }
    }
}
