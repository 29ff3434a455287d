//! A card session: the first PIN entry of a card at a terminal, and its retries within ten minutes. It, and not the single
//! refusal, is what detectors count: three wrong entries of one holder are one sign and not three.

use model::{CardId, ReasonCode, Timestamp, Unverifiable};

use crate::{
    observation::{Payment, PinSeen, Symbol},
    pace::{Off, Pace},
};

/// What an attempt told about the PIN and about everything between the keypad and the reference that it is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Outcome {
    /// The PIN was right, whatever became of the payment.
    Right,
    /// Proven wrong.
    Wrong,
    /// The block could not be read here.
    Unreadable,
    /// The block could not be read by the issuer of a foreign card.
    ZoneUnreadable,
    /// A key was missing or damaged.
    KeyFault,
    /// The security module, or the store, is away.
    ModuleAway,
    /// The key serial number was used before.
    Replayed,
    /// The issuer did not answer, or said that it cannot.
    Silent,
    /// No such card, or a dead one.
    Dead,
    /// The tries were used up before.
    Locked,
    /// Nobody looked at a PIN, and nothing is wrong with the card.
    Plain,
}

impl Outcome {
    /// What a payment says.
    pub(crate) fn of(payment: &Payment) -> Self {
        match payment.pin {
            PinSeen::Verified => Self::Right,
            PinSeen::Mismatch => Self::Wrong,
            PinSeen::Unverifiable(cause) => match cause {
                Unverifiable::PinBlockFormat | Unverifiable::Unsupported => Self::Unreadable,
                Unverifiable::Key => Self::KeyFault,
                Unverifiable::NoReference => Self::Plain,
                Unverifiable::ModuleUnavailable => Self::ModuleAway,
                Unverifiable::KsnReplayed => Self::Replayed,
            },
            PinSeen::AtIssuer if payment.reason == ReasonCode::Approved => Self::Right,
            PinSeen::AtIssuer | PinSeen::NotAsked => Self::of_reason(payment),
        }
    }

    /// Where nobody here looked at the PIN, the reason tells; for an issuer that only declines, its code does.
    fn of_reason(payment: &Payment) -> Self {
        use ReasonCode as R;
        match payment.reason {
            R::WrongPin | R::IssuerWrongPin => Self::Wrong,
            R::PinTriesExceeded
            | R::CardLocked
            | R::StepUpRequired
            | R::RestrictedAfterWrongPins
            | R::PinResetPending
            | R::PinChangeRequired
            | R::IssuerTriesExceeded => Self::Locked,
            R::PinBlockUnreadable => Self::Unreadable,
            R::IssuerKeyFault => Self::ZoneUnreadable,
            R::KeyFault => Self::KeyFault,
            R::SecurityModuleAway | R::StoreAway | R::Overloaded => Self::ModuleAway,
            R::KsnReplayed => Self::Replayed,
            R::IssuerFault | R::IssuerTimeout | R::IssuerUnreachable | R::IssuerLateReply => Self::Silent,
            R::UnknownCard
            | R::ExpiredCard
            | R::ExpiryMismatch
            | R::LostCard
            | R::StolenCard
            | R::BlockedCard => Self::Dead,
            // networks agree on these few codes (reference §2.1); everything else says nothing about the PIN
            R::IssuerDeclined => match payment.code.as_str() {
                "55" => Self::Wrong,
                "38" | "75" => Self::Locked,
                "14" | "54" | "41" | "43" => Self::Dead,
                "99" | "88" | "81" => Self::ZoneUnreadable,
                "91" | "98" | "68" => Self::Silent,
                _ => Self::Plain,
            },
            _ => Self::Plain,
        }
    }

    /// Was there a PIN that somebody tried to look at?
    pub(crate) fn had_pin(self) -> bool {
        match self {
            Self::Right
            | Self::Wrong
            | Self::Unreadable
            | Self::ZoneUnreadable
            | Self::KeyFault
            | Self::ModuleAway
            | Self::Silent => true,
            Self::Replayed | Self::Dead | Self::Locked | Self::Plain => false,
        }
    }
}

/// A kind of sign that detectors count per card session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Family {
    Wrong,
    Unreadable,
    ZoneUnreadable,
    Key,
    Silent,
    Lost,
    Cancel,
    Duplicate,
    Dead,
}

impl Family {
    pub(crate) const COUNT: usize = 9;
    pub(crate) const ALL: [Self; Self::COUNT] = [
        Self::Wrong,
        Self::Unreadable,
        Self::ZoneUnreadable,
        Self::Key,
        Self::Silent,
        Self::Lost,
        Self::Cancel,
        Self::Duplicate,
        Self::Dead,
    ];

    pub(crate) fn bit(self) -> u16 {
        1 << self as u16
    }

    /// The sign that a first entry gives by itself.
    pub(crate) fn of(outcome: Outcome) -> Option<Self> {
        match outcome {
            Outcome::Wrong => Some(Self::Wrong),
            Outcome::Unreadable => Some(Self::Unreadable),
            Outcome::ZoneUnreadable => Some(Self::ZoneUnreadable),
            Outcome::KeyFault | Outcome::ModuleAway => Some(Self::Key),
            Outcome::Silent => Some(Self::Silent),
            Outcome::Dead => Some(Self::Dead),
            Outcome::Right | Outcome::Replayed | Outcome::Locked | Outcome::Plain => None,
        }
    }

    /// For which families a session counts, whatever its sign: the denominators.
    pub(crate) fn denominators(first: Outcome) -> u16 {
        let every = Self::Lost.bit() | Self::Cancel.bit() | Self::Duplicate.bit() | Self::Dead.bit();
        let with_pin =
            Self::Unreadable.bit() | Self::ZoneUnreadable.bit() | Self::Key.bit() | Self::Silent.bit();
        match first {
            Outcome::Right | Outcome::Wrong => every | with_pin | Self::Wrong.bit(),
            other if other.had_pin() => every | with_pin,
            _ => every,
        }
    }
}

/// What else was seen in a session, as bits.
pub(crate) mod mark {
    /// The PIN was right at some entry.
    pub(crate) const RIGHT: u16 = 1;
    /// The card was right before, at any terminal.
    pub(crate) const KNOWN: u16 = 1 << 1;
    /// Read by stripe, by fallback or typed.
    pub(crate) const STRIPE: u16 = 1 << 2;
    /// A small amount, or none.
    pub(crate) const SMALL: u16 = 1 << 3;
    /// Close to the number of another card that failed here.
    pub(crate) const NEIGHBOUR: u16 = 1 << 4;
    /// The time of the PIN entry was told …
    pub(crate) const TIMED: u16 = 1 << 5;
    /// … and was long.
    pub(crate) const SLOW: u16 = 1 << 6;
    /// The card's next attempt elsewhere was right.
    pub(crate) const CROSSED_RIGHT: u16 = 1 << 7;
    /// The card's next attempt elsewhere was wrong too.
    pub(crate) const CROSSED_WRONG: u16 = 1 << 8;
    /// The exchange took much longer than usual.
    pub(crate) const SLOW_LINE: u16 = 1 << 9;
    /// A wrong first entry was proven wrong by our own module: the block was whole, so no key is at fault.
    pub(crate) const PROVEN: u16 = 1 << 10;
    /// A payment came again as a new one, sooner than people can pay.
    pub(crate) const QUICK: u16 = 1 << 11;
}

/// One card session at one terminal.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    pub at: Timestamp,
    pub card: CardId,
    pub bin: u32,
    pub last_four: u16,
    pub zone: Symbol,
    pub first: Outcome,
    /// Families whose sign it shows, and families in whose denominator it is.
    pub signs: u16,
    pub counted: u16,
    /// Families whose sign an incident of a wider scope explains.
    pub explained: u16,
    /// Bits of [`mark`].
    pub marks: u16,
    pub entries: u8,
    /// Tries that it cost.
    pub charged: u8,
    /// The share of wrong first entries to expect of this card here, now.
    pub usual: f32,
    /// The share of wrong second entries to expect after a wrong first one.
    pub usual_fail: f32,
    /// How long its first PIN entry and exchange took, and against what is usual here.
    pub took: [f32; Pace::COUNT],
    pub off: [Off; Pace::COUNT],
    /// Refused payments in it: their places among the remembered refusals.
    pub refusals: [u32; Session::REFUSALS],
    pub refused: u8,
    pub refused_minor: i64,
    /// Its place among the marks that cohorts share.
    pub shared: u32,
}

impl Session {
    /// Refusals of one session that an incident can be attached to: a card has about as many tries.
    pub(crate) const REFUSALS: usize = 4;

    pub(crate) fn has(&self, bit: u16) -> bool {
        self.marks & bit != 0
    }

    pub(crate) fn shows(&self, family: Family) -> bool {
        self.signs & family.bit() != 0
    }

    /// Does it count for a question about one terminal?
    pub(crate) fn counts_alone(&self, family: Family) -> bool {
        self.counted & !self.explained & family.bit() != 0
    }

    pub(crate) fn counts(&self, family: Family) -> bool {
        self.counted & family.bit() != 0
    }
}
