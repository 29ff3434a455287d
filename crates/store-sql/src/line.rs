//! From a journal entry to the line that people read. A pure projection: the same entry gives the same line, so the
//! look-up tables can be filled again at any time. Everything in it is masked.

use authorization::{
    Effect, PinVerdict, Role,
    key_set::KeySetEffect,
    terminal::{OperatorStep, TerminalEffect},
};
use model::{Amount, CardId, MaskedPan, ReasonCode, Unverifiable, reason::Family};
use serde_json::{Value, json};
use store::{
    Entry, Event, Subject,
    archive::TransactionRow,
    journal::{DeskAction, TerminalEvent, Transaction, UpstreamEvent, UpstreamStep},
};

use crate::body::transaction_key;

/// A line and what is stored beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) row: TransactionRow,
    pub(crate) approval: Option<String>,
    /// Key of the transaction, to find it as an original.
    pub(crate) key: Option<Vec<u8>>,
    /// Key of the transaction that it undid, completed or refunded.
    pub(crate) original: Option<Vec<u8>>,
    /// Is it in the overview's figures?
    pub(crate) counted: bool,
    pub(crate) approved: bool,
    /// `Some` when the card's lock changed: until when, 0 for staff, `None` for open.
    pub(crate) lock: Option<Option<i64>>,
}

/// What a line needs and its entry does not say.
pub(crate) struct Names {
    /// Registered name of the merchant at the entry's terminal.
    pub(crate) merchant_name: String,
    /// The card's masked number, for desk actions.
    pub(crate) pan: Option<MaskedPan>,
}

/// The terminal at which an entry happened.
pub(crate) fn terminal_of(entry: &Entry) -> Option<model::TerminalId> {
    match (&entry.event, entry.subject) {
        (Event::Transaction(t), _) => Some(t.key.terminal),
        (Event::Upstream(u), _) => Some(u.key.terminal),
        (Event::Terminal(_), Subject::Terminal(id)) => Some(id),
        _ => None,
    }
}

/// The card that an entry is about.
pub(crate) fn card_of(entry: &Entry) -> Option<CardId> {
    match entry.subject {
        Subject::Card(id) => Some(id),
        Subject::Terminal(_) => None,
    }
}

/// The line of an entry.
pub(crate) fn line(journal_seq: u64, entry: &Entry, names: Names) -> Line {
    let blank = blank(journal_seq, entry, names.merchant_name);
    match &entry.event {
        Event::Transaction(t) => transaction(blank, t),
        Event::Desk(action) => desk(blank, action, names.pan),
        Event::Terminal(event) => terminal(blank, event),
        Event::Upstream(event) => upstream(blank, event),
    }
}

/// Is there a line for it? Key serial numbers are used up, and questions put to an issuer, before a card's decision, which
/// has its own line.
pub(crate) fn is_shown(entry: &Entry) -> bool {
    match &entry.event {
        Event::Terminal(event) => !matches!(event.effect, TerminalEffect::UseKsn { .. }),
        Event::Upstream(event) => event.step != UpstreamStep::Asked,
        Event::Transaction(_) | Event::Desk(_) => true,
    }
}

/// What every line has.
fn blank(journal_seq: u64, entry: &Entry, merchant_name: String) -> TransactionRow {
    TransactionRow {
        seq: journal_seq,
        at: entry.at,
        rrn: format!("-{journal_seq}"),
        kind: String::new(),
        stan: None,
        batch: None,
        pan: None,
        card: card_of(entry),
        terminal: terminal_of(entry).map(|id| id.as_str().to_owned()).unwrap_or_default(),
        merchant: String::new(),
        merchant_name,
        amount: None,
        currency: None,
        code: String::new(),
        reason: String::new(),
        family: Family::Neutral,
        pin: pin_name(PinVerdict::NotAsked),
        try_charged: false,
        tries_left: None,
        tries_limit: None,
        locked_until: None,
        took_us: entry.exchange.as_ref().map(|e| e.took_us),
    }
}

fn transaction(blank: TransactionRow, t: &Transaction) -> Line {
    let kind = match t.role {
        Role::Financial(kind) => kind.name(),
        Role::Reversal => "reversal",
    };
    let row = TransactionRow {
        rrn: t.rrn.as_str().to_owned(),
        kind: kind.to_owned(),
        stan: Some(t.key.stan.get()),
        batch: Some(t.key.batch.get()),
        pan: Some(t.pan.clone()),
        merchant: t.merchant.as_str().to_owned(),
        amount: Some(t.amount),
        currency: Some(t.currency.0),
        code: t.code.as_str().to_owned(),
        reason: t.reason.name().to_owned(),
        family: t.reason.family(),
        pin: pin_name(t.pin),
        try_charged: t.effects.iter().any(|effect| matches!(effect, Effect::CountTry { .. })),
        // A foreign card's tries are its issuer's.
        tries_left: (t.tries_limit > 0).then_some(t.tries_left),
        tries_limit: (t.tries_limit > 0).then_some(t.tries_limit),
        locked_until: t.locked.map(|locked| locked.0.map_or(0, |until| until.0)),
        ..blank
    };
    Line {
        row,
        approval: t.approval.map(|code| code.as_str().to_owned()),
        key: Some(transaction_key(&t.key)),
        original: t.original.as_ref().map(transaction_key),
        counted: true,
        approved: t.code.is_approval(),
        lock: lock_change(&t.effects),
    }
}

/// What was said between us and an issuer beside the answer to the terminal.
fn upstream(blank: TransactionRow, event: &UpstreamEvent) -> Line {
    let row = TransactionRow {
        kind: upstream_step(event.step).to_owned(),
        stan: Some(event.sent.stan.get()),
        batch: Some(event.key.batch.get()),
        pan: Some(event.pan.clone()),
        merchant: event.merchant.as_str().to_owned(),
        amount: Some(event.amount),
        currency: Some(event.currency.0),
        code: event.code.map(|code| code.as_str().to_owned()).unwrap_or_default(),
        reason: event.reason.name().to_owned(),
        family: event.reason.family(),
        took_us: event.took_ms.map(|ms| ms.saturating_mul(1000)),
        ..blank
    };
    let approved = event.reason.family() == Family::Ok;
    Line { original: Some(transaction_key(&event.key)), ..uncounted(row, approved, None) }
}

fn upstream_step(step: UpstreamStep) -> &'static str {
    match step {
        UpstreamStep::Asked => "upstream-asked",
        UpstreamStep::GivenUp => "upstream-given-up",
        UpstreamStep::UndoSent => "upstream-reversal",
        UpstreamStep::Undone => "upstream-reversed",
        UpstreamStep::LateReply => "upstream-late-reply",
    }
}

/// Staff have no answer on the wire.
fn desk(blank: TransactionRow, action: &DeskAction, pan: Option<MaskedPan>) -> Line {
    let row = TransactionRow {
        kind: action.action.clone(),
        pan,
        reason: ReasonCode::StaffAction.name().to_owned(),
        family: Family::Ok,
        ..blank
    };
    uncounted(row, true, lock_change(&action.effects))
}

fn terminal(blank: TransactionRow, event: &TerminalEvent) -> Line {
    let (kind, batch, counted) = match &event.effect {
        TerminalEffect::SignIn { batch, .. } => ("sign-in", Some(*batch), false),
        TerminalEffect::SignOut => ("sign-out", None, false),
        TerminalEffect::Settle { batch, .. } => ("settlement", Some(*batch), false),
        TerminalEffect::Refused { .. } => ("refused", None, true),
        TerminalEffect::Bury { original, .. } => ("reversal", Some(original.batch), true),
        TerminalEffect::Noted => ("noted", None, false),
        TerminalEffect::Suspend { suspended: true } => ("suspended", None, false),
        TerminalEffect::Suspend { suspended: false } => ("resumed", None, false),
        TerminalEffect::OrderSignIn => ("sign-in-ordered", None, false),
        TerminalEffect::KeySet(step) => (key_set_step(step), None, false),
        TerminalEffect::UseKsn { .. } => ("key-serial-number", None, false),
        TerminalEffect::Operator(step) => (operator_step(step), None, false),
    };
    let row = TransactionRow {
        rrn: event.rrn.map_or(blank.rrn, |rrn| rrn.as_str().to_owned()),
        kind: kind.to_owned(),
        stan: event.stan.map(model::Stan::get),
        batch: batch.map(model::BatchNumber::get),
        pan: event.pan.clone(),
        merchant: event.merchant.as_str().to_owned(),
        amount: event.amount.filter(|amount| *amount != Amount::ZERO),
        code: event.code.map(|code| code.as_str().to_owned()).unwrap_or_default(),
        reason: event.reason.name().to_owned(),
        family: event.reason.family(),
        ..blank
    };
    let approved = event.code.map_or(event.reason.family() == Family::Ok, |code| code.is_approval());
    Line { counted, ..uncounted(row, approved, None) }
}

fn key_set_step(step: &KeySetEffect) -> &'static str {
    match step {
        KeySetEffect::Stage { .. } => "keys-staged",
        KeySetEffect::Unstage => "keys-unstaged",
        KeySetEffect::Adopt => "keys-adopted",
        KeySetEffect::FallBack => "keys-fell-back",
        KeySetEffect::Retire => "keys-retired",
    }
}

fn operator_step(step: &OperatorStep) -> &'static str {
    match step {
        OperatorStep::SignOn(_) => "operator-sign-on",
        OperatorStep::SignOff => "operator-sign-off",
        OperatorStep::ChangePassword(_) => "operator-password",
        OperatorStep::Reset(_) => "operator-reset",
        OperatorStep::Refused(_) => "operator-refused",
    }
}

fn uncounted(row: TransactionRow, approved: bool, lock: Option<Option<i64>>) -> Line {
    Line { row, approval: None, key: None, original: None, counted: false, approved, lock }
}

/// What the last lock or unlock among the effects left.
fn lock_change(effects: &[Effect]) -> Option<Option<i64>> {
    effects.iter().rev().find_map(|effect| match effect {
        Effect::Lock { lock, .. } => Some(Some(lock.until.map_or(0, |until| until.0))),
        Effect::Unlock { .. } => Some(None),
        _ => None,
    })
}

fn pin_name(verdict: PinVerdict) -> String {
    match verdict {
        PinVerdict::NotAsked => "not-asked".to_owned(),
        PinVerdict::Verified => "verified".to_owned(),
        PinVerdict::Mismatch => "mismatch".to_owned(),
        PinVerdict::Unverifiable(cause) => format!("unverifiable:{}", cause_name(cause)),
        PinVerdict::Discarded => "discarded".to_owned(),
        PinVerdict::SentToIssuer => "sent-to-issuer".to_owned(),
    }
}

fn cause_name(cause: Unverifiable) -> &'static str {
    match cause {
        Unverifiable::PinBlockFormat => "pin-block-format",
        Unverifiable::Key => "key",
        Unverifiable::NoReference => "no-reference",
        Unverifiable::Unsupported => "unsupported",
        Unverifiable::ModuleUnavailable => "module-unavailable",
        Unverifiable::KsnReplayed => "ksn-replayed",
    }
}

/// The family with this name.
pub(crate) fn family(name: &str) -> Option<Family> {
    use Family::{Bad, Lock, Neutral, Ok, Sys, Warn};
    [Ok, Warn, Lock, Sys, Bad, Neutral].into_iter().find(|family| family.name() == name)
}

/// What an entry changed, for people: effects as in the journal, keys only as check values.
pub(crate) fn changes(event: &Event) -> Vec<Value> {
    let effects = |effects: &[Effect]| effects.iter().map(|effect| json!(effect)).collect::<Vec<_>>();
    match event {
        Event::Transaction(t) => {
            let issuer = t.forwarded.iter().map(|forwarded| json!({"issuer": forwarded})).collect();
            [issuer, effects(&t.effects)].concat()
        }
        Event::Desk(d) => {
            let who = json!({"desk": {"action": d.action, "actor": d.actor, "why": d.why}});
            [vec![who], effects(&d.effects)].concat()
        }
        Event::Terminal(event) => vec![terminal_change(&event.effect)],
        Event::Upstream(event) => {
            let issuer = json!({"issuer": event.sent, "took_ms": event.took_ms});
            [vec![issuer], effects(&event.effects)].concat()
        }
    }
}

fn terminal_change(effect: &TerminalEffect) -> Value {
    match effect {
        TerminalEffect::SignIn { session, batch, grace_ms } => {
            json!({"sign-in": {"check_values": session.check_values, "batch": batch, "grace_ms": grace_ms}})
        }
        TerminalEffect::SignOut => json!("sign-out"),
        TerminalEffect::Settle { batch, ours, theirs } => {
            json!({"settle": {"batch": batch, "ours": ours, "theirs": theirs}})
        }
        TerminalEffect::Refused { reason } => json!({"refused": {"reason": reason}}),
        TerminalEffect::Bury { original, reversal } => {
            json!({"bury": {"original": original, "reversal": reversal}})
        }
        TerminalEffect::Noted => json!("noted"),
        TerminalEffect::OrderSignIn => json!("order-sign-in"),
        TerminalEffect::Suspend { suspended } => json!({"suspend": {"suspended": suspended}}),
        TerminalEffect::KeySet(KeySetEffect::Stage { plan, set }) => {
            json!({"keys-staged": {"plan": plan, "scheme": set.scheme, "check_value": set.check_value}})
        }
        TerminalEffect::KeySet(step) => json!(key_set_step(step)),
        TerminalEffect::UseKsn { ksn, .. } => json!({"key-serial-number": {"ksn": ksn}}),
        TerminalEffect::Operator(step) => {
            let operator = match step {
                OperatorStep::SignOn(duty) | OperatorStep::ChangePassword(duty) => Some(duty.operator),
                OperatorStep::Reset(operator) | OperatorStep::Refused(operator) => Some(*operator),
                OperatorStep::SignOff => None,
            };
            json!({operator_step(step): {"operator": operator}})
        }
    }
}
