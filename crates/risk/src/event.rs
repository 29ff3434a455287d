//! What the host knows about one transaction at the moment in which rules may still change its answer: after the PIN was
//! verified, before the decision is appended.
//!
//! Everything is borrowed or a number, so that filling it costs no allocation. There is no place for a PIN, a PIN block, a
//! track or a clear card number: a rule cannot ask for what is not here.

use model::{CardId, Kind, ReasonCode, Timestamp, Unverifiable};

/// One transaction, as rules see it. What nobody knows is `None`; a rule that needs it has the status *error*
/// ([`crate::Fault::Missing`]), and never silently does not fire.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RiskEvent<'a> {
    /// When it is decided, by the host's clock.
    pub at: Timestamp,
    /// The card: the keyed digest of its number.
    pub card: CardId,
    /// The first six (or eight) digits of its number (ISO/IEC 7812-1, issuer identification number). Longer text is cut.
    pub bin: &'a str,
    /// DE 41.
    pub terminal: &'a str,
    /// DE 42: the registered merchant.
    pub merchant: &'a str,
    /// DE 18 as sent: merchant category code.
    pub mcc: Option<&'a str>,
    /// The merchant category that is registered for the terminal, or stands in its merchant number.
    pub merchant_mcc: Option<&'a str>,
    /// Where the merchant is: the region (characters 4 to 7) of a UnionPay merchant number, or what is registered.
    pub area: Option<&'a str>,
    /// Where the terminal says it is (DE 43, positioning), as a region in the same digits.
    pub terminal_area: Option<&'a str>,
    /// ISO 3166 country, two letters.
    pub country: Option<&'a str>,
    /// The zone of the link or of the card's issuer.
    pub zone: Option<&'a str>,
    /// The card's product.
    pub product: Option<&'a str>,
    /// DE 4 in minor units; none for an inquiry.
    pub amount: Option<i64>,
    /// DE 49, ISO 4217 numeric.
    pub currency: Option<u16>,
    /// What is asked for.
    pub kind: Kind,
    /// How the card was read (DE 22).
    pub entry: Option<EntryMode>,
    /// What became of the PIN.
    pub pin: PinResult,
    /// Is the card locked after wrong PINs, this one included?
    pub locked: bool,
    /// PIN tries that are left, this attempt included.
    pub tries_left: Option<u8>,
    /// Hour of the day where the bank is, 0 to 23.
    pub hour: u8,
    /// Day of the week there, 1 (Monday) to 7 (ISO 8601).
    pub weekday: u8,
    /// Milliseconds since the card was last approved with the right PIN.
    pub since_ok_ms: Option<i64>,
    /// Milliseconds since anything was last asked about the card.
    pub since_last_ms: Option<i64>,
    /// Milliseconds since staff or a program last changed the card: a limit, a lock, a counter, the PIN.
    pub since_change_ms: Option<i64>,
    /// The region of the card's transaction before this one.
    pub last_area: Option<&'a str>,
    /// The terminal of the card's transaction before this one.
    pub last_terminal: Option<&'a str>,
    /// How fast the card would have had to travel from the transaction before, in km/h.
    pub speed_kmh: Option<i64>,
    /// The reason that the answer has so far; what counters learn afterwards is the final one.
    pub reason: ReasonCode,
    /// Would it be approved so far? What counters learn afterwards is whether it was.
    pub approved: bool,
}

impl<'a> RiskEvent<'a> {
    /// An event of which only the identity is known; the rest is added by the caller, `RiskEvent { amount, ..new }`.
    #[must_use]
    pub fn new(at: Timestamp, card: CardId, bin: &'a str, terminal: &'a str, merchant: &'a str) -> Self {
        Self {
            at,
            card,
            bin,
            terminal,
            merchant,
            mcc: None,
            merchant_mcc: None,
            area: None,
            terminal_area: None,
            country: None,
            zone: None,
            product: None,
            amount: None,
            currency: None,
            kind: Kind::Sale,
            entry: None,
            pin: PinResult::NotPresent,
            locked: false,
            tries_left: None,
            hour: 0,
            weekday: 1,
            since_ok_ms: None,
            since_last_ms: None,
            since_change_ms: None,
            last_area: None,
            last_terminal: None,
            speed_kmh: None,
            reason: ReasonCode::Approved,
            approved: true,
        }
    }

    /// The same event after the decision: what [`crate::RuleEngine::observe`] counts.
    #[must_use]
    pub fn decided(mut self, reason: ReasonCode, approved: bool) -> Self {
        (self.reason, self.approved) = (reason, approved);
        self
    }
}

/// How the card was read (DE 22, positions 1 and 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EntryMode {
    /// Chip with contacts.
    Chip,
    /// Magnetic stripe.
    Magstripe,
    /// Magnetic stripe of a card that has a chip.
    Fallback,
    /// Contactless.
    Contactless,
    /// Typed.
    Manual,
}

impl EntryMode {
    /// Every mode, in the order of the documentation.
    pub const ALL: [Self; 5] = [Self::Chip, Self::Magstripe, Self::Fallback, Self::Contactless, Self::Manual];

    /// The name in a rule.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Chip => "chip",
            Self::Magstripe => "magstripe",
            Self::Fallback => "fallback",
            Self::Contactless => "contactless",
            Self::Manual => "manual",
        }
    }
}

/// What became of the PIN.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PinResult {
    /// Right.
    Verified,
    /// Proven wrong.
    Mismatch,
    /// Nothing was learnt.
    Unverifiable(Unverifiable),
    /// None was sent, or nobody looked at it.
    NotPresent,
}

impl PinResult {
    /// The name in a rule.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Verified => "verified",
            Self::Mismatch => "mismatch",
            Self::Unverifiable(_) => "unverifiable",
            Self::NotPresent => "not-present",
        }
    }

    /// Why nothing was learnt, by the name in a rule.
    #[must_use]
    pub fn fault(self) -> Option<&'static str> {
        let Self::Unverifiable(why) = self else { return None };
        Some(match why {
            Unverifiable::PinBlockFormat => "pin-block-format",
            Unverifiable::Key => "key",
            Unverifiable::NoReference => "no-reference",
            Unverifiable::Unsupported => "unsupported",
            Unverifiable::ModuleUnavailable => "module-unavailable",
            Unverifiable::KsnReplayed => "ksn-replayed",
        })
    }
}
