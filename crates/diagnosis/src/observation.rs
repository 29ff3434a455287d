//! What the diagnosis is told: one thing that happened, as the journal and the telemetry on the messages show it.
//!
//! An observation never holds a PIN, a PIN block, a key or a clear card number. Names of cohorts are [`Symbol`]s, interned
//! by whoever feeds the diagnosis, so that an observation is copied without an allocation.

use model::{
    Amount, CardId, Currency, Kind, MerchantId, ReasonCode, ResponseCode, Rrn, Stan, TerminalId, Timestamp,
    TransactionKey, Unverifiable,
};

/// One thing that happened.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Observation {
    /// Its place in the journal; a signal that is not in the journal has the place of the entry before it.
    pub place: u64,
    /// When it was decided, by the host's clock.
    pub at: Timestamp,
    /// Which host instance decided.
    pub instance: Symbol,
    /// Where, and with what.
    pub device: Device,
    /// What happened.
    pub what: What,
}

/// A name that was interned: firmware versions, carriers, zones, agents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Symbol(pub u32);

impl Symbol {
    /// Not known.
    pub const UNKNOWN: Self = Self(0);
}

/// The terminal, and what it is one of.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Device {
    /// DE 41.
    pub terminal: TerminalId,
    /// The registered merchant.
    pub merchant: MerchantId,
    /// Manufacturer's model.
    pub model: Symbol,
    /// Version of firmware and application, as it reports.
    pub firmware: Symbol,
    /// Mobile network operator, or kind of line.
    pub carrier: Symbol,
    /// Where it says it stands.
    pub position: Option<Position>,
    /// Where it is registered to stand.
    pub registered: Option<Position>,
}

/// A place on earth.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Position {
    /// Degrees north.
    pub latitude: f32,
    /// Degrees east.
    pub longitude: f32,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum What {
    /// A payment, void, hold or refund was decided.
    Payment(Payment),
    /// The terminal undid a payment: it did not get, or could not use, the answer.
    Reversal {
        /// What is undone.
        original: TransactionKey,
        /// Its card, if the journal knows.
        card: Option<CardId>,
    },
    /// The same request came again, and got the stored answer.
    Repeat {
        /// Which.
        key: TransactionKey,
    },
    /// Refused before any card was touched.
    Refused {
        /// Our reason: MAC, sign-in, format, unknown merchant ….
        reason: ReasonCode,
        /// The answer's reference, if it has one.
        rrn: Option<Rrn>,
        /// DE 42 as sent.
        merchant_sent: MerchantId,
        /// How far the message's local time is off, in seconds; positive: ahead.
        drift_s: Option<i32>,
    },
    /// The terminal signed in and got fresh keys.
    SignIn,
    /// Its keys were changed: a load, an injection, a migration.
    KeyLoad,
    /// Staff acted on a card.
    Desk {
        /// The card.
        card: CardId,
        /// What was done.
        action: DeskAction,
        /// Who did it.
        agent: Symbol,
    },
    /// The terminal, or a listener, told something beside a payment.
    Telemetry(Telemetry),
    /// An answer from an issuer that nobody waited for any more, or none at all.
    IssuerSilent {
        /// Which issuer's zone.
        zone: Symbol,
        /// Whose payment.
        key: TransactionKey,
    },
    /// The feed was interrupted, or the host's clock jumped: what is missing in between proves nothing.
    Gap {
        /// Until then nothing is known; `at` of the observation is the end.
        since: Timestamp,
    },
}

/// What staff did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeskAction {
    /// Released a lock or gave tries back.
    Release,
    /// Reset the PIN.
    Reset,
    /// Raised a limit or lifted a restriction.
    RaiseLimit,
    /// Changed how the holder is reached.
    ChangeContact,
    /// Anything else.
    Other,
}

/// A decided payment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Payment {
    /// DE 37 of the answer.
    pub rrn: Rrn,
    /// Its identity.
    pub key: TransactionKey,
    /// The card: a keyed digest of its number.
    pub card: CardId,
    /// The first six digits of its number.
    pub bin: u32,
    /// The last four digits.
    pub last_four: u16,
    /// Whose card: the zone of its issuer; [`Symbol::UNKNOWN`] is our own.
    pub zone: Symbol,
    /// What was asked.
    pub kind: Kind,
    /// How the card was read.
    pub entry: Entry,
    /// DE 4.
    pub amount: Amount,
    /// DE 49.
    pub currency: Currency,
    /// Our reason.
    pub reason: ReasonCode,
    /// DE 39 of the answer.
    pub code: ResponseCode,
    /// What became of the PIN.
    pub pin: PinSeen,
    /// Was a try consumed?
    pub try_charged: bool,
    /// Tries left after it, and the product's limit.
    pub tries: (u8, u8),
    /// Is the card locked after it?
    pub locked: bool,
    /// DE 11.
    pub stan: Stan,
    /// DE 42 as sent, when it differs from the registered one.
    pub merchant_sent: Option<MerchantId>,
    /// DE 18 as sent.
    pub category_sent: Option<u16>,
    /// The registered merchant category.
    pub category_registered: Option<u16>,
    /// Does the shop's name or area on the message (DE 43) differ from the registered one?
    pub name_differs: bool,
    /// How far the message's local time is off, in seconds; positive: ahead.
    pub drift_s: Option<i32>,
    /// Microseconds that it took the host.
    pub took_us: Option<u32>,
    /// What the terminal told with it.
    pub telemetry: Telemetry,
}

/// How the card was read (DE 22).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Entry {
    /// Not known.
    Unknown,
    /// Typed.
    Manual,
    /// Magnetic stripe of a card without chip, or unknown.
    Stripe,
    /// Magnetic stripe although the card has a chip.
    Fallback,
    /// Chip.
    Chip,
    /// Contactless.
    Contactless,
}

/// What became of the PIN.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PinSeen {
    /// None was asked for, or nobody looked at it: the card was locked before, or another rule came first.
    NotAsked,
    /// Right.
    Verified,
    /// Proven wrong.
    Mismatch,
    /// Nothing was learnt.
    Unverifiable(Unverifiable),
    /// The issuer of a foreign card looked at it: the reason tells.
    AtIssuer,
}

/// What a terminal tells about itself, with a payment or alone. Absent values were not told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Telemetry {
    /// Milliseconds from the prompt to the last key of the PIN.
    pub pin_entry_ms: Option<u32>,
    /// PIN entries that were cancelled since the last report.
    pub cancels: u8,
    /// PIN entries that ran out of time since the last report.
    pub entry_timeouts: u8,
    /// Requests that got no answer since the last report.
    pub no_answers: u8,
    /// Connections that had to be made anew since the last report.
    pub reconnects: u8,
    /// Round-trip time of the exchange before, in milliseconds.
    pub rtt_ms: Option<u32>,
}
