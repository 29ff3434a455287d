//! What people look up: a projection of the journal that can be rebuilt from it. Everything here is masked.

use std::sync::Arc;

use async_trait::async_trait;
use authorization::{CardRecord, CardState, key_set::KeySetView, terminal::SessionView};
use model::{Amount, CardId, MaskedPan, OperatorId, Timestamp, reason::Family};
use serde::{Deserialize, Serialize};

use crate::engine::StoreError;

/// The read side for console, API and command line.
#[async_trait]
pub trait Archive: Send + Sync {
    /// Transactions, newest first.
    async fn transactions(&self, query: &TransactionQuery) -> Result<Page<TransactionRow>, StoreError>;

    /// One transaction by its retrieval reference number, with everything around it.
    async fn transaction(&self, rrn: &str) -> Result<Option<TransactionDetail>, StoreError>;

    /// Cards, most recently used first.
    async fn cards(&self, query: &CardQuery) -> Result<Page<CardView>, StoreError>;

    /// One card by its id.
    async fn card_view(&self, id: &CardId) -> Result<Option<CardView>, StoreError>;

    /// Terminals in order of their numbers.
    async fn terminals(&self) -> Result<Vec<TerminalView>, StoreError>;

    /// The figures of the overview for the window that ends `now`.
    async fn overview(&self, window_s: u32, now: Timestamp) -> Result<Overview, StoreError>;

    /// Rows as they become visible; a slow reader misses rows and is told how many.
    fn subscribe(&self) -> tokio::sync::broadcast::Receiver<Arc<TransactionRow>>;

    /// Up to which journal place the look-up tables are filled, and the journal's end.
    async fn progress(&self) -> Result<Progress, StoreError>;
}

/// Which transactions.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransactionQuery {
    /// Card's last four digits or masked number, RRN, terminal, merchant number or name, response code, voucher number of six
    /// digits, amount with its point: whatever a person types into the one search box.
    pub search: Option<String>,
    /// Only this response code.
    pub code: Option<String>,
    /// Only this family.
    pub family: Option<Family>,
    /// Only declines.
    #[serde(default)]
    pub declined: bool,
    /// Only this card.
    pub card: Option<CardId>,
    /// Only this terminal.
    pub terminal: Option<String>,
    /// Only this DE 11.
    #[serde(default)]
    pub stan: Option<u32>,
    /// Only this DE 60.2.
    #[serde(default)]
    pub batch: Option<u32>,
    /// Only this DE 4.
    #[serde(default)]
    pub amount: Option<Amount>,
    /// Decided at or after.
    pub from: Option<Timestamp>,
    /// Decided before.
    pub to: Option<Timestamp>,
    /// Rows older than this cursor.
    pub after: Option<u64>,
    /// At most so many rows, 1 to 500.
    pub limit: Option<u32>,
}

/// Which cards.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CardQuery {
    /// Last four digits or masked number.
    pub search: Option<String>,
    /// Only locked cards.
    #[serde(default)]
    pub locked: bool,
    /// Cursor.
    pub after: Option<u64>,
    /// At most so many rows, 1 to 500.
    pub limit: Option<u32>,
}

/// A part of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Page<T> {
    /// The rows.
    pub data: Vec<T>,
    /// Are there more?
    pub has_more: bool,
    /// Cursor for the next part.
    pub next: Option<u64>,
}

/// A line in the list of transactions: payments, reversals, and what a terminal was refused or did (sign-in,
/// settlement).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TransactionRow {
    /// Place in the journal; the cursor of lists.
    pub seq: u64,
    /// When it was decided.
    pub at: Timestamp,
    /// DE 37 of the answer; a refusal without one has `-` and its journal place.
    pub rrn: String,
    /// `sale`, `sale-void`, …, `reversal`, `sign-in`, `settlement`, `refused`, or a desk action such as `unlock`.
    pub kind: String,
    /// DE 11.
    pub stan: Option<u32>,
    /// DE 60.2.
    pub batch: Option<u32>,
    /// Masked card number.
    pub pan: Option<MaskedPan>,
    /// Card.
    pub card: Option<CardId>,
    /// DE 41.
    pub terminal: String,
    /// DE 42.
    pub merchant: String,
    /// Registered name.
    pub merchant_name: String,
    /// DE 4, minor units.
    pub amount: Option<Amount>,
    /// DE 49.
    pub currency: Option<u16>,
    /// DE 39.
    pub code: String,
    /// Our reason's name.
    pub reason: String,
    /// The reason's family.
    pub family: Family,
    /// `not-asked`, `verified`, `mismatch`, `unverifiable:<cause>`, `discarded`, `sent-to-issuer`.
    pub pin: String,
    /// Was a PIN try consumed?
    pub try_charged: bool,
    /// Tries left after it.
    pub tries_left: Option<u8>,
    /// The product's limit.
    pub tries_limit: Option<u8>,
    /// Card locked after it, until when in milliseconds; 0: until staff act.
    pub locked_until: Option<i64>,
    /// Microseconds from arrival to decision.
    pub took_us: Option<u32>,
}

/// One transaction and what surrounds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TransactionDetail {
    /// The line.
    pub row: TransactionRow,
    /// DE 38.
    pub approval: Option<String>,
    /// RRN of the transaction that it undid, completed or refunded.
    pub original_rrn: Option<String>,
    /// RRNs of transactions that undid or completed it.
    pub followed_by: Vec<String>,
    /// What changed, as in the journal.
    pub effects: Vec<serde_json::Value>,
    /// The risk rules that spoke about it, with the values that they saw.
    pub rules: Option<Box<authorization::RuleHits>>,
    /// Who of the shop's people was signed on at the terminal.
    pub operator: Option<OperatorId>,
    /// The request on the wire, wiped.
    pub request: Option<Wire>,
    /// The answer on the wire.
    pub reply: Option<Wire>,
    /// Other lines about the same card, around it in time, oldest first, this one included.
    pub same_card: Vec<TransactionRow>,
    /// Other lines at the same terminal, around it in time, oldest first.
    pub same_terminal: Vec<TransactionRow>,
}

/// A message on the wire. The console hands it to a describer that knows the dialect.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct Wire {
    /// Dialect.
    pub dialect: String,
    /// Body (request) or frame without length prefix (reply). Not serialised: it may hold a PAN.
    #[serde(skip)]
    pub bytes: Vec<u8>,
}

impl std::fmt::Debug for Wire {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Wire({}, {} bytes)", self.dialect, self.bytes.len())
    }
}

/// A card for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CardView {
    /// Card.
    pub id: CardId,
    /// As registered, masked.
    pub record: CardRecord,
    /// State: tries, lock, step-up, restriction, block, balance, recent transactions.
    pub state: CardState,
    /// The product's PIN try limit is in the policy; `None` if the product is unknown here.
    pub last_used: Option<Timestamp>,
}

/// A terminal for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TerminalView {
    /// DE 41.
    pub id: String,
    /// DE 42.
    pub merchant: String,
    /// Registered name.
    pub merchant_name: String,
    /// Current batch.
    pub batch: u32,
    /// Session, if signed in: check values only.
    pub session: Option<SessionView>,
    /// Key set, and how far a migration is: check values only.
    pub keys: KeySetView,
    /// Suspended by staff?
    pub suspended: bool,
    /// Last line of any kind.
    pub last_seen: Option<Timestamp>,
}

/// The overview's figures.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Overview {
    /// Length of the window, in seconds.
    pub window_s: u32,
    /// End of the window.
    pub now: Timestamp,
    /// Figures of the window.
    pub current: Figures,
    /// Figures of the window before it.
    pub before: Figures,
    /// One point per slot (60 slots), oldest first.
    pub slots: Vec<Slot>,
    /// Terminals seen in the window, and registered ones.
    pub terminals_seen: u32,
    /// Registered terminals.
    pub terminals: u32,
    /// Cards locked now.
    pub cards_locked: u32,
    /// What needs a person, most urgent first, at most seven.
    pub attention: Vec<Attention>,
    /// The last declines, newest first.
    pub last_declines: Vec<TransactionRow>,
}

/// Counts over a window. Sign-ins and settlements are not counted.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Figures {
    /// Decided transactions.
    pub total: u32,
    /// Approved ones.
    pub approved: u32,
    /// Answered 55.
    pub wrong_pin: u32,
    /// Answered 75 or 38.
    pub tries_exceeded: u32,
    /// 99th percentile from arrival to decision, in microseconds.
    pub p99_us: u32,
    /// Terminals seen.
    pub terminals_seen: u32,
}

/// One column of the chart.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Slot {
    /// Start of the slot.
    pub from: Timestamp,
    /// Decided transactions.
    pub total: u32,
    /// Approved.
    pub approved: u32,
    /// Declines by family: warn, lock, sys, bad, neutral.
    pub declines: [u32; 5],
    /// 99th percentile, in microseconds.
    pub p99_us: u32,
    /// Terminals seen.
    pub terminals_seen: u32,
}

/// Something that needs a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Attention {
    /// `wrong-pins-at-terminal`, `keys-out-of-step`, `mac-failures`, `card-locked`, `wrong-pins-on-card`,
    /// `format-errors`: a key of the text file.
    pub what: String,
    /// The family that colours it.
    pub family: Family,
    /// Number of events behind it.
    pub count: u32,
    /// `terminal` or `card`.
    pub object_kind: String,
    /// Terminal number, or masked card number.
    pub object: String,
    /// Card id when the object is a card.
    pub card: Option<CardId>,
    /// Latest event.
    pub at: Timestamp,
    /// RRN of the latest event.
    pub rrn: String,
}

/// How far behind the look-up tables are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Progress {
    /// Filled up to this place.
    pub filled: u64,
    /// The journal's end.
    pub journal: u64,
}
