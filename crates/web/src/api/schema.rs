//! The shapes of the API. They are its promise, so they are written out here and do not follow the store's types
//! when those change. Times are RFC 3339 in UTC; amounts are in minor units of their currency.

use authorization::{
    Block, Products, RuleHits,
    key_set::{KeySetView, Stage},
    state::StepUp,
};
use handbook::{Audience, CodeEntry, Lang, ReasonText};
use model::{Amount, Timestamp, reason::Family};
use serde::Serialize;
use serde_json::Value;
use store::archive;
use utoipa::ToSchema;

pub(super) use crate::format::rfc3339;
use crate::{
    format::currency,
    service::is_approved,
    state::{Check, DescribedField},
};

/// Whose matter a reason is.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum FamilyName {
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

impl From<Family> for FamilyName {
    fn from(family: Family) -> Self {
        match family {
            Family::Ok => Self::Ok,
            Family::Warn => Self::Warn,
            Family::Lock => Self::Lock,
            Family::Sys => Self::Sys,
            Family::Bad => Self::Bad,
            Family::Neutral => Self::Neutral,
        }
    }
}

/// An amount of money.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Money {
    /// In minor units: fen for CNY.
    #[schema(example = 128_000)]
    minor: i64,
    /// ISO 4217 number, three digits.
    #[schema(example = "156")]
    currency: String,
}

impl Money {
    fn new(amount: Amount, currency: model::Currency) -> Self {
        Self { minor: amount.0, currency: format!("{:03}", currency.0) }
    }
}

/// A lock after the last PIN try.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Lock {
    /// When it began, where known.
    since: Option<String>,
    /// When it opens by itself; `null`: staff must act.
    until: Option<String>,
}

/// A line in the list of transactions.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Transaction {
    /// Place in the journal; the cursor of lists.
    seq: u64,
    /// When it was decided.
    #[schema(example = "2026-11-22T02:43:02.000Z")]
    at: String,
    /// Retrieval reference number (DE 37); a refusal without one has `-` and its journal place.
    #[schema(example = "632610004417")]
    rrn: String,
    /// `sale`, `sale-void`, …, `reversal`, `sign-in`, `settlement`, `refused`, or a desk action such as `unlock`.
    #[schema(example = "sale")]
    kind: String,
    /// System trace audit number (DE 11), six digits.
    stan: Option<String>,
    /// Batch number (DE 60.2), six digits.
    batch: Option<String>,
    /// Masked card number.
    #[schema(example = "621626*********0018")]
    pan: Option<String>,
    /// The card's id, for `/api/v1/cards/{id}`.
    card: Option<String>,
    /// Terminal (DE 41).
    #[schema(example = "T0001234")]
    terminal: String,
    /// Merchant (DE 42).
    merchant: String,
    /// The merchant's registered name.
    merchant_name: String,
    /// Amount (DE 4).
    amount: Option<Money>,
    /// Response code (DE 39).
    #[schema(example = "75")]
    code: String,
    /// Was it done as asked?
    approved: bool,
    /// The exact reason, for `/api/v1/reasons`.
    #[schema(example = "pin-tries-exceeded")]
    reason: String,
    /// Whose matter the reason is.
    family: FamilyName,
    /// `not-asked`, `verified`, `mismatch`, `unverifiable:<cause>`, `discarded` or `sent-to-issuer`.
    #[schema(example = "mismatch")]
    pin: String,
    /// Was a PIN try consumed?
    try_charged: bool,
    /// PIN tries left after it.
    tries_left: Option<u8>,
    /// How many wrong PINs lock the card.
    tries_limit: Option<u8>,
    /// The card's lock after it; `null`: not locked.
    lock: Option<Lock>,
    /// Microseconds from arrival to decision.
    took_us: Option<u32>,
}

impl From<archive::TransactionRow> for Transaction {
    fn from(row: archive::TransactionRow) -> Self {
        let currency = currency(&row);
        Self {
            approved: is_approved(&row),
            seq: row.seq,
            at: rfc3339(row.at),
            rrn: row.rrn,
            kind: row.kind,
            stan: row.stan.map(|n| format!("{n:06}")),
            batch: row.batch.map(|n| format!("{n:06}")),
            pan: row.pan.map(|p| p.to_string()),
            card: row.card.map(|c| c.to_string()),
            terminal: row.terminal,
            merchant: row.merchant,
            merchant_name: row.merchant_name,
            amount: row.amount.map(|a| Money::new(a, currency)),
            code: row.code,
            reason: row.reason,
            family: row.family.into(),
            pin: row.pin,
            try_charged: row.try_charged,
            tries_left: row.tries_left,
            tries_limit: row.tries_limit,
            lock: row
                .locked_until
                .map(|ms| Lock { since: None, until: (ms != 0).then(|| rfc3339(Timestamp(ms))) }),
            took_us: row.took_us,
        }
    }
}

/// A part of the list of transactions.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TransactionPage {
    /// The rows, newest first.
    data: Vec<Transaction>,
    /// Are there older ones?
    has_more: bool,
    /// The value of `after` for the next part.
    next: Option<u64>,
}

impl From<archive::Page<archive::TransactionRow>> for TransactionPage {
    fn from(page: archive::Page<archive::TransactionRow>) -> Self {
        Self {
            data: page.data.into_iter().map(Into::into).collect(),
            has_more: page.has_more,
            next: page.next,
        }
    }
}

/// A field of a message on the wire.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Field {
    /// Where it is in the message.
    #[schema(example = "DE 39")]
    path: String,
    /// English name.
    name_en: String,
    /// Chinese name.
    name_zh: String,
    /// Its value as text, masked.
    value: String,
    /// At which byte it starts.
    offset: usize,
}

impl From<DescribedField> for Field {
    fn from(field: DescribedField) -> Self {
        let DescribedField { path, name_en, name_zh, value, offset } = field;
        Self { path, name_en, name_zh, value, offset }
    }
}

/// One transaction and what surrounds it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TransactionDetail {
    /// The line.
    transaction: Transaction,
    /// Approval code (DE 38).
    approval: Option<String>,
    /// Who of the shop's own people was signed on at the terminal, two digits; `null`: nobody was.
    operator: Option<String>,
    /// Reference of the transaction that it undid, completed or refunded.
    original_rrn: Option<String>,
    /// References of transactions that undid or completed it.
    followed_by: Vec<String>,
    /// What it changed, as in the journal.
    #[schema(value_type = Vec<Object>)]
    effects: Vec<Value>,
    /// The risk rules that spoke about it: `fired` with action, reason and each term's values, `shadow`, `errors` with their
    /// `faults`, `snoozed`, and what sets in shadow would have done (`beside`); `null`: none spoke.
    #[schema(value_type = Option<Object>)]
    rules: Option<Box<RuleHits>>,
    /// The rules of phase `after` that spoke about it, in the same form; `null`: none spoke.
    #[schema(value_type = Option<Object>)]
    rules_after: Option<RuleHits>,
    /// The request's fields; `null` when it is not kept.
    request: Option<Vec<Field>>,
    /// The answer's fields; `null` when it is not kept.
    reply: Option<Vec<Field>>,
    /// Lines about the same card around it, oldest first, this one included.
    same_card: Vec<Transaction>,
    /// Lines at the same terminal around it, oldest first.
    same_terminal: Vec<Transaction>,
}

impl TransactionDetail {
    pub(crate) fn new(
        detail: archive::TransactionDetail,
        rules_after: Option<RuleHits>,
        request: Option<Vec<DescribedField>>,
        reply: Option<Vec<DescribedField>>,
    ) -> Self {
        let fields =
            |list: Option<Vec<DescribedField>>| list.map(|l| l.into_iter().map(Into::into).collect());
        Self {
            transaction: detail.row.into(),
            approval: detail.approval,
            operator: detail.operator.map(|operator| operator.to_string()),
            original_rrn: detail.original_rrn,
            followed_by: detail.followed_by,
            effects: detail.effects,
            rules: detail.rules,
            rules_after,
            request: fields(request),
            reply: fields(reply),
            same_card: detail.same_card.into_iter().map(Into::into).collect(),
            same_terminal: detail.same_terminal.into_iter().map(Into::into).collect(),
        }
    }
}

/// A card's PIN state.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Card {
    /// The card's id: a keyed hash, never its number.
    id: String,
    /// Masked card number.
    #[schema(example = "621626*********0018")]
    pan: String,
    /// Expiry date (DE 14), YYMM.
    expiry: String,
    /// The card's product.
    product: String,
    /// Wrong PINs since the last right one or release.
    tries_used: u8,
    /// PIN tries left; `null` when the product is unknown here.
    tries_left: Option<u8>,
    /// How many wrong PINs lock the card; `null` when the product is unknown here.
    tries_limit: Option<u8>,
    /// The lock; `null`: not locked.
    lock: Option<Lock>,
    /// `required`, `passed` or `null`.
    step_up: Option<String>,
    /// Restriction after wrong PINs.
    restriction: Option<Restriction>,
    /// `lost`, `stolen`, `staff` or `null`.
    block: Option<String>,
    /// Balance of the account.
    balance: Money,
    /// Sum set aside by open pre-authorizations.
    held: Money,
    /// When it was last used.
    last_used: Option<String>,
}

/// A restriction after wrong PINs.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Restriction {
    /// The largest amount.
    max_amount: Money,
    /// Is cash refused?
    no_cash: bool,
    /// Until when.
    until: String,
}

impl Card {
    pub(crate) fn new(view: archive::CardView, products: &Products) -> Self {
        let archive::CardView { id, record, state, last_used } = view;
        let limit = products.get(&record.product).map(|p| p.pin_try_limit);
        Self {
            id: id.to_string(),
            pan: record.pan.to_string(),
            expiry: record.expiry.to_string(),
            product: record.product,
            tries_used: state.tries.used(),
            tries_left: limit.map(|l| state.tries.left(l)),
            tries_limit: limit.map(|l| l.get()),
            lock: state.lock.map(|l| Lock { since: Some(rfc3339(l.since)), until: l.until.map(rfc3339) }),
            step_up: state.step_up.map(|s| step_up_name(&s).to_owned()),
            restriction: state.restriction.map(|r| Restriction {
                max_amount: Money::new(r.max_amount, record.currency),
                no_cash: r.no_cash,
                until: rfc3339(r.until),
            }),
            block: state.block.map(|b| block_name(b).to_owned()),
            balance: Money::new(state.balance, record.currency),
            held: Money::new(state.held, record.currency),
            last_used: last_used.map(rfc3339),
        }
    }
}

fn step_up_name(step_up: &StepUp) -> &'static str {
    match step_up {
        StepUp::Required { .. } => "required",
        StepUp::Passed { .. } => "passed",
    }
}

/// The fixed name of a block.
pub(crate) fn block_name(block: Block) -> &'static str {
    match block {
        Block::Lost => "lost",
        Block::Stolen => "stolen",
        Block::Staff => "staff",
        Block::Rule => "rule",
    }
}

/// A part of the list of cards.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CardPage {
    /// The cards, most recently used first.
    data: Vec<Card>,
    /// Are there more?
    has_more: bool,
    /// The value of `after` for the next part.
    next: Option<u64>,
}

impl CardPage {
    pub(crate) fn new(page: archive::Page<archive::CardView>, products: &Products) -> Self {
        Self {
            data: page.data.into_iter().map(|view| Card::new(view, products)).collect(),
            has_more: page.has_more,
            next: page.next,
        }
    }
}

/// A terminal.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Terminal {
    /// DE 41.
    #[schema(example = "T0001234")]
    id: String,
    /// DE 42.
    merchant: String,
    /// The merchant's registered name.
    merchant_name: String,
    /// Current batch, six digits.
    batch: String,
    /// The session; `null`: not signed in.
    session: Option<Session>,
    /// Its keys, and how far a migration to others is.
    keys: Keys,
    /// Suspended by staff?
    suspended: bool,
    /// Last line of any kind.
    last_seen: Option<String>,
}

/// A terminal's session.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Session {
    /// When the terminal signed in.
    since: String,
    /// `tdes`, `tdes-dukpt`, `aes-dukpt` or `sm4`.
    scheme: &'static str,
    /// Check values of PIN key, MAC key and, if there is one, track key; never keys.
    check_values: Vec<String>,
}

/// A terminal's key set. Check values only, never keys.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Keys {
    /// The scheme in use: `tdes`, `tdes-dukpt`, `aes-dukpt` or `sm4`.
    scheme: &'static str,
    /// Check value of the terminal master key, or with DUKPT of the initial key.
    check_value: String,
    /// The last migration plan that reached the terminal.
    plan: Option<String>,
    /// `staged`, `fell-back`, `moved` or `finished`.
    stage: Option<&'static str>,
    /// The scheme that waits for the terminal.
    next: Option<&'static str>,
    /// How often it went back to its old keys in this plan.
    fallbacks: u32,
}

impl From<KeySetView> for Keys {
    fn from(view: KeySetView) -> Self {
        Self {
            scheme: view.scheme.name(),
            check_value: view.check_value,
            plan: view.plan,
            stage: view.stage.map(Stage::name),
            next: view.next.map(model::KeyScheme::name),
            fallbacks: view.fallbacks,
        }
    }
}

impl From<archive::TerminalView> for Terminal {
    fn from(view: archive::TerminalView) -> Self {
        Self {
            id: view.id,
            merchant: view.merchant,
            merchant_name: view.merchant_name,
            batch: format!("{:06}", view.batch),
            session: view.session.map(|s| Session {
                since: rfc3339(s.since),
                scheme: s.scheme.name(),
                check_values: s.check_values,
            }),
            keys: view.keys.into(),
            suspended: view.suspended,
            last_seen: view.last_seen.map(rfc3339),
        }
    }
}

/// All terminals.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Terminals {
    /// In the order of their numbers.
    pub(crate) data: Vec<Terminal>,
}

/// The figures of a window.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Figures {
    /// Decided transactions.
    total: u32,
    /// Approved ones.
    approved: u32,
    /// Answered 55.
    wrong_pin: u32,
    /// Answered 75 or 38.
    tries_exceeded: u32,
    /// 99th percentile from arrival to decision, in microseconds.
    p99_us: u32,
    /// Terminals seen.
    terminals_seen: u32,
}

impl From<archive::Figures> for Figures {
    fn from(f: archive::Figures) -> Self {
        Self {
            total: f.total,
            approved: f.approved,
            wrong_pin: f.wrong_pin,
            tries_exceeded: f.tries_exceeded,
            p99_us: f.p99_us,
            terminals_seen: f.terminals_seen,
        }
    }
}

/// Declines of a slot by family.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Declines {
    /// The cardholder can mend it now.
    warn: u32,
    /// Locked or tries used up.
    lock: u32,
    /// Our, the network's or the terminal's fault.
    sys: u32,
    /// Attack, fraud, stolen, not ours.
    bad: u32,
    /// A plain no.
    neutral: u32,
}

/// One sixtieth of the window.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Slot {
    /// Its start.
    from: String,
    /// Decided transactions.
    total: u32,
    /// Approved ones.
    approved: u32,
    /// Declines.
    declines: Declines,
    /// 99th percentile, in microseconds.
    p99_us: u32,
    /// Terminals seen.
    terminals_seen: u32,
}

impl From<archive::Slot> for Slot {
    fn from(slot: archive::Slot) -> Self {
        let [warn, lock, sys, bad, neutral] = slot.declines;
        Self {
            from: rfc3339(slot.from),
            total: slot.total,
            approved: slot.approved,
            declines: Declines { warn, lock, sys, bad, neutral },
            p99_us: slot.p99_us,
            terminals_seen: slot.terminals_seen,
        }
    }
}

/// Something that needs a person.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Attention {
    /// What it is, such as `wrong-pins-at-terminal`.
    what: String,
    /// Whose matter it is.
    family: FamilyName,
    /// Number of events behind it.
    count: u32,
    /// `terminal` or `card`.
    object_kind: String,
    /// Terminal number or masked card number.
    object: String,
    /// The card's id when it is a card.
    card: Option<String>,
    /// Latest event.
    at: String,
    /// Reference of the latest event.
    rrn: String,
}

impl From<archive::Attention> for Attention {
    fn from(a: archive::Attention) -> Self {
        Self {
            what: a.what,
            family: a.family.into(),
            count: a.count,
            object_kind: a.object_kind,
            object: a.object,
            card: a.card.map(|c| c.to_string()),
            at: rfc3339(a.at),
            rrn: a.rrn,
        }
    }
}

/// The overview.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Overview {
    /// Length of the window, in seconds.
    window_s: u32,
    /// End of the window.
    now: String,
    /// Figures of the window.
    current: Figures,
    /// Figures of the window before it.
    before: Figures,
    /// 60 slots, oldest first.
    slots: Vec<Slot>,
    /// Terminals seen in the window.
    terminals_seen: u32,
    /// Registered terminals.
    terminals: u32,
    /// Cards locked now.
    cards_locked: u32,
    /// What needs a person, most urgent first, at most seven.
    attention: Vec<Attention>,
    /// The last declines, newest first.
    last_declines: Vec<Transaction>,
}

impl From<archive::Overview> for Overview {
    fn from(o: archive::Overview) -> Self {
        Self {
            window_s: o.window_s,
            now: rfc3339(o.now),
            current: o.current.into(),
            before: o.before.into(),
            slots: o.slots.into_iter().map(Into::into).collect(),
            terminals_seen: o.terminals_seen,
            terminals: o.terminals,
            cards_locked: o.cards_locked,
            attention: o.attention.into_iter().map(Into::into).collect(),
            last_declines: o.last_declines.into_iter().map(Into::into).collect(),
        }
    }
}

/// How the host is.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Health {
    /// Is every check well?
    pub(crate) ok: bool,
    /// Version of the program.
    pub(crate) version: String,
    /// Test keys and made-up cards?
    pub(crate) sandbox: bool,
    /// The checks.
    pub(crate) checks: Vec<Check>,
}

/// One text in both languages.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Both {
    /// Chinese.
    zh: String,
    /// English.
    en: String,
}

impl Both {
    fn of(text: impl Fn(Lang) -> String) -> Self {
        Self { zh: text(Lang::Zh), en: text(Lang::En) }
    }
}

/// A response code of the handbook.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Code {
    /// DE 39.
    #[schema(example = "75")]
    code: String,
    /// Its name in the tables.
    name: String,
    /// Whose matter it is.
    family: FamilyName,
    /// UnionPay's class A to E, where it has one.
    class: Option<String>,
    /// Where the trouble is, such as `cardholder` or `key-sync`.
    cause: String,
    /// What it does to the PIN try counter: `none`, `+1`, `locked` or `reset-if-pin-verified`.
    counter_effect: String,
    /// What it means.
    meaning: Both,
    /// What the terminal shows.
    prompt: Both,
    /// What to do.
    action: Both,
    /// Explained.
    explain: Both,
    /// A remark.
    note: Option<Both>,
    /// Which tables have it.
    source: String,
}

impl From<&'static CodeEntry> for Code {
    fn from(entry: &'static CodeEntry) -> Self {
        Self {
            code: entry.code().to_owned(),
            name: entry.name().to_owned(),
            family: entry.family().into(),
            class: entry.class().map(|c| c.letter().to_owned()),
            cause: entry.cause().name().to_owned(),
            counter_effect: entry.counter_effect().name().to_owned(),
            meaning: Both::of(|l| entry.meaning(l).to_owned()),
            prompt: Both::of(|l| entry.prompt(l).to_owned()),
            action: Both::of(|l| entry.action(l).to_owned()),
            explain: Both::of(|l| entry.explain(l).to_owned()),
            note: entry.note(Lang::En).map(|_| Both::of(|l| entry.note(l).unwrap_or_default().to_owned())),
            source: entry.source().name().to_owned(),
        }
    }
}

/// All response codes.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Codes {
    /// In the order of the handbook.
    pub(crate) data: Vec<Code>,
}

/// A reason of the handbook.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Reason {
    /// The fixed name, as in transactions.
    #[schema(example = "wrong-pin")]
    reason: String,
    /// Whose matter it is.
    family: FamilyName,
    /// Does it use up a PIN try: `yes`, `no` or `never`.
    try_charged: String,
    /// In a few words.
    title: Both,
    /// What really happened.
    sentence: Both,
    /// What the cardholder does.
    cardholder: Both,
    /// What the cashier does.
    cashier: Both,
    /// What the engineer does.
    engineer: Both,
}

impl From<&'static ReasonText> for Reason {
    fn from(text: &'static ReasonText) -> Self {
        let todo = |audience| Both::of(|l| text.todo(l, audience).to_owned());
        Self {
            reason: text.reason().name().to_owned(),
            family: text.family().into(),
            try_charged: text.try_charged().name().to_owned(),
            title: Both::of(|l| text.title(l).to_owned()),
            sentence: Both::of(|l| text.sentence(l, &handbook::Facts::default())),
            cardholder: todo(Audience::Cardholder),
            cashier: todo(Audience::Cashier),
            engineer: todo(Audience::Engineer),
        }
    }
}

/// All reasons.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Reasons {
    /// In the order of the handbook.
    pub(crate) data: Vec<Reason>,
}
