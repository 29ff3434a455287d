//! The causes that the diagnosis can name. Their texts in two languages are data of the handbook.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

macro_rules! causes {
    ($( $(#[$doc:meta])* $variant:ident = $name:literal $harm:ident ),* $(,)?) => {
        /// Why PINs are refused, or payments fail.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum Cause {
            $( $(#[$doc])* #[serde(rename = $name)] $variant, )*
        }

        impl Cause {
            /// Every cause.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The fixed kebab-case name, as in the API and in text files.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// Whose doing it is.
            #[must_use]
            pub fn origin(self) -> Origin {
                match self { $(Self::$variant => Origin::$harm,)* }
            }
        }
    };
}

/// Whose doing a cause is: decides whether tries are given back, and who is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// The cardholder: an honest mistake, or the card's own state.
    Holder,
    /// A device, key, program or line: whoever paid is not to blame, and gets tries back that it cost.
    Fault,
    /// Somebody who means harm.
    Attack,
}

causes! {
    /// The holder does not know the PIN: mismatches at several tills, none right.
    Forgotten = "forgotten" Holder,
    /// A slip: a mismatch, and the right PIN soon after.
    Mistyped = "mistyped" Holder,
    /// The tries were used up before; the PIN was not looked at.
    Locked = "locked" Holder,
    /// Guesses at one card, each below the limit, over time and tills.
    BruteForce = "brute-force" Attack,
    /// One or two guesses at each of many cards.
    PinSpray = "pin-spray" Attack,
    /// Numbers are tried for being alive: small amounts, many declines, neighbouring numbers.
    CardTesting = "card-testing" Attack,
    /// Cards that met at one terminal are emptied elsewhere.
    SkimCashOut = "skim-cash-out" Attack,
    /// Limits, counters or locks were lifted in bulk shortly before withdrawals.
    UnlimitedOperation = "unlimited-operation" Attack,
    /// An agent, or a caller through agents, releases and resets unlike others.
    CounterAbuse = "counter-abuse" Attack,
    /// The terminal's PIN key is not the host's: every block is unreadable.
    WrongTerminalKey = "wrong-terminal-key" Fault,
    /// A key serial number comes again, goes back or jumps.
    KsnReplay = "ksn-replay" Attack,
    /// The zone key towards one issuer is out of step.
    ZoneKey = "zone-key" Fault,
    /// A security module, or one host instance, cannot work with keys.
    HsmFault = "hsm-fault" Fault,
    /// A dead or bouncing key on the keypad.
    KeypadFault = "keypad-fault" Fault,
    /// The screen or prompt fails: people cancel or run out of time.
    ScreenFault = "screen-fault" Fault,
    /// A version of firmware or application made things worse.
    FirmwareRegression = "firmware-regression" Fault,
    /// Messages are lost or late.
    NetworkLoss = "network-loss" Fault,
    /// The same payment is submitted again as a new one.
    DuplicateSubmission = "duplicate-submission" Fault,
    /// The terminal's clock is off.
    ClockDrift = "clock-drift" Fault,
    /// The PIN block is bound to another number than the card's (token, track): one kind of card or application.
    PanBinding = "pan-binding" Fault,
    /// Merchant, category or area on the message is not what is registered (tiaoma, code jumping).
    CodeJumping = "code-jumping" Attack,
    /// The terminal is not where it is registered.
    MovedTerminal = "moved-terminal" Attack,
    /// The card was at two places faster than anybody travels.
    ImpossibleTravel = "impossible-travel" Attack,
    /// The terminal has not signed in, or its session is over.
    SignInMissing = "sign-in-missing" Fault,
    /// Nothing stands out: funds, limits, dates, a rule of the product.
    Ordinary = "ordinary" Holder,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Cause {
    type Err = UnknownCause;

    fn from_str(text: &str) -> Result<Self, UnknownCause> {
        Self::ALL.iter().copied().find(|cause| cause.name() == text).ok_or(UnknownCause)
    }
}

/// No cause has this name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnknownCause;

impl fmt::Display for UnknownCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no such cause")
    }
}

impl std::error::Error for UnknownCause {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cause_has_a_name_of_its_own() {
        for cause in Cause::ALL {
            assert_eq!(cause.name().parse(), Ok(*cause));
            assert_eq!(serde_json::to_string(cause).unwrap(), format!("\"{}\"", cause.name()));
        }
        assert_eq!("bad-luck".parse::<Cause>(), Err(UnknownCause));
    }
}
