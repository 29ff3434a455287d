//! What is true of a day: the labels. Nothing of this file reaches a detector; only the scorer compares with it.

use diagnosis::Cause;

/// What an incident is about, in the words of the plan.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Place {
    /// Place in the host instances.
    Instance(usize),
    /// Place in the zones.
    Zone(usize),
    /// Place in the carriers.
    Network(usize),
    /// A version of firmware.
    Firmware(String),
    /// First six digits.
    Bin(u32),
    /// Place in the merchants.
    Merchant(u32),
    /// Place in the terminals.
    Terminal(u32),
    /// A card.
    Card(u32),
    /// Place in the agents.
    Agent(usize),
}

/// How an incident shows itself in messages.
#[derive(Debug, Clone, PartialEq)]
pub enum Mechanism {
    /// PINs are encrypted under another key.
    WrongKey,
    /// Presses of this digit are lost.
    DeadKey(char),
    /// Presses of this digit count twice.
    BouncingKey(char),
    /// The upper and the lower row are exchanged.
    SwappedRows,
    /// People give up at the prompt.
    Screen,
    /// A version that loses a digit; these terminals get it at the onset.
    Firmware {
        /// Its name.
        version: &'static str,
    },
    /// Questions and answers are lost.
    Loss,
    /// Approved payments are submitted again.
    Duplicate,
    /// The clock is off by so many milliseconds.
    Clock(i64),
    /// PIN blocks of cards of this BIN are bound to another number.
    Binding(u32),
    /// Category, name or merchant number are others.
    Jump,
    /// It stands here.
    Moved(f32, f32),
    /// Key serial numbers come again.
    Replay,
    /// The zone key is stale.
    Zone(usize),
    /// The security module answers key errors.
    Module(usize),
    /// Nothing is changed on other people's messages: its sessions are its own.
    OwnSessions,
}

/// Which card sessions lie in its scope.
#[derive(Debug, Clone)]
pub enum Cover {
    /// Those at these terminals; by place, for speed.
    Terminals(Vec<bool>),
    /// Those of this zone's cards.
    Zone(usize),
    /// Those of this BIN's cards at these terminals.
    Bin(u32, Vec<bool>),
    /// Those that it brings itself.
    Own,
}

/// One incident, as it really was.
#[derive(Debug, Clone)]
pub struct Truth {
    /// Place among the day's.
    pub id: u16,
    /// Why.
    pub cause: Cause,
    /// Which form of it.
    pub variant: &'static str,
    /// Its row in the baseline table.
    pub row: Option<&'static str>,
    /// Scopes that name it exactly; the first is the best.
    pub exact: Vec<Place>,
    /// Terminals that have to do with it.
    pub terminals: Vec<u32>,
    /// Cards that have to do with it.
    pub cards: Vec<u32>,
    /// First six digits that have to do with it.
    pub bins: Vec<u32>,
    /// Agents that have to do with it.
    pub agents: Vec<usize>,
    /// Which sessions are counted until it is named.
    pub cover: Cover,
    /// From when, in milliseconds since 1970.
    pub from: i64,
    /// Until when: repaired, or given up.
    pub until: i64,
    /// How strong.
    pub strength: f64,
    /// How it shows itself.
    pub mechanism: Mechanism,
}

impl Truth {
    /// Is it going on?
    #[must_use]
    pub fn is_on(&self, at: i64) -> bool {
        (self.from..self.until).contains(&at)
    }

    /// Does a session lie in its scope? `own`: it brought it itself.
    #[must_use]
    pub fn covers(&self, terminal: u32, bin: u32, zone: Option<usize>, own: bool) -> bool {
        match &self.cover {
            Cover::Terminals(terminals) => terminals[terminal as usize],
            Cover::Zone(of) => zone == Some(*of),
            Cover::Bin(of, terminals) => bin == *of && terminals[terminal as usize],
            Cover::Own => own,
        }
    }
}

/// A window that looks like an incident and is none.
#[derive(Debug, Clone, PartialEq)]
pub struct Decoy {
    /// Which kind.
    pub kind: Negative,
    /// From when.
    pub from: i64,
    /// Until when.
    pub until: i64,
}

/// Kinds of windows that look like incidents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Negative {
    /// Everybody buys.
    Payday,
    /// New PINs for the cards of this BIN, which their holders do not know by heart.
    NewPins(u32),
    /// Cards of this zone in this city.
    Tourists(usize, usize),
    /// Longer PINs for the cards of this BIN.
    PinPolicy(u32),
    /// Queues.
    Holiday,
}

impl Negative {
    /// The fixed name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Payday => "payday",
            Self::NewPins(_) => "new-pins",
            Self::Tourists(..) => "tourists",
            Self::PinPolicy(_) => "pin-policy",
            Self::Holiday => "holiday",
        }
    }
}
