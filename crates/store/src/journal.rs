//! Journal entries: the truth. One entry is one decision, with the key *(subject, seq)*, unique.
//!
//! Entries are CBOR with numbered fields, so that old journals stay readable when fields are added.

use authorization::{
    Effect, Forwarded, PinVerdict, RuleHits, desk::Action, settlement::Movement, state::Role,
    terminal::TerminalEffect,
};
use minicbor::{Decode, Encode};
use model::{
    Amount, ApprovalCode, CardId, Currency, MaskedPan, MerchantId, OperatorId, ReasonCode, ResponseCode, Rrn,
    TerminalId, Timestamp, TransactionKey,
};

/// One decision.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Entry {
    /// Whose state it changes.
    #[n(0)]
    pub subject: Subject,
    /// The subject's entries are numbered 1, 2, 3 …; the number is the optimistic lock.
    #[n(1)]
    pub seq: u32,
    /// When it was decided.
    #[n(2)]
    pub at: Timestamp,
    /// What was decided.
    #[n(3)]
    pub event: Event,
    /// The message that asked and the answer it gets, when a terminal asked.
    #[n(4)]
    pub exchange: Option<Exchange>,
}

impl Entry {
    /// The entry without the answer on the wire, which may hold a card number.
    #[must_use]
    pub fn without_answer(mut self) -> Self {
        if let Some(exchange) = &mut self.exchange {
            exchange.reply = Vec::new();
        }
        self
    }
}

/// The owner of a sequence of entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Encode, Decode)]
pub enum Subject {
    /// A card.
    #[n(0)]
    Card(#[n(0)] CardId),
    /// A terminal: sign-in, settlement, refusals before any card is touched.
    #[n(1)]
    Terminal(#[n(0)] TerminalId),
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Event {
    /// A payment, void, hold, refund or reversal.
    #[n(0)]
    Transaction(#[n(0)] Box<Transaction>),
    /// Staff acted on a card.
    #[n(1)]
    Desk(#[n(0)] DeskAction),
    /// A terminal's session changed, or it was refused.
    #[n(2)]
    Terminal(#[n(0)] TerminalEvent),
    /// Something between us and the issuer of a foreign card, beside the answer to the terminal.
    #[n(3)]
    Upstream(#[n(0)] Box<UpstreamEvent>),
}

impl Event {
    /// The risk rules that spoke about it.
    #[must_use]
    pub fn rules(&self) -> Option<&RuleHits> {
        match self {
            Self::Transaction(transaction) => transaction.rules.as_deref(),
            Self::Desk(_) | Self::Terminal(_) | Self::Upstream(_) => None,
        }
    }

    /// Who of the shop's people was signed on where it happened.
    #[must_use]
    pub fn operator(&self) -> Option<OperatorId> {
        match self {
            Self::Transaction(transaction) => transaction.operator,
            Self::Desk(_) | Self::Terminal(_) | Self::Upstream(_) => None,
        }
    }
}

/// A decided transaction about a card.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Transaction {
    /// Financial (of a kind) or reversal.
    #[n(0)]
    pub role: Role,
    /// Its identity.
    #[n(1)]
    pub key: TransactionKey,
    /// The card, for people.
    #[n(2)]
    pub pan: MaskedPan,
    /// DE 42.
    #[n(3)]
    pub merchant: MerchantId,
    /// DE 4.
    #[n(4)]
    pub amount: Amount,
    /// DE 49.
    #[n(5)]
    pub currency: Currency,
    /// DE 37 of the answer.
    #[n(6)]
    pub rrn: Rrn,
    /// DE 38 of the answer, if approved.
    #[n(7)]
    pub approval: Option<ApprovalCode>,
    /// Our reason.
    #[n(8)]
    pub reason: ReasonCode,
    /// DE 39 of the answer.
    #[n(9)]
    pub code: ResponseCode,
    /// What happened to the PIN.
    #[n(10)]
    pub pin: PinVerdict,
    /// Tries left after it, and the limit.
    #[n(11)]
    pub tries_left: u8,
    /// The product's limit.
    #[n(12)]
    pub tries_limit: u8,
    /// Locked after it, until when; `Some(None)` is a lock that waits for staff.
    #[n(13)]
    pub locked: Option<LockedUntil>,
    /// What changed.
    #[n(14)]
    pub effects: Vec<Effect>,
    /// What it adds to its batch.
    #[n(15)]
    pub movement: Movement,
    /// The earlier transaction it acted on.
    #[n(16)]
    pub original: Option<TransactionKey>,
    /// How the card's issuer knows it, when it was forwarded.
    #[n(17)]
    pub forwarded: Option<Forwarded>,
    /// The risk rules that spoke about it.
    #[n(18)]
    pub rules: Option<Box<RuleHits>>,
    /// Who of the shop's people was signed on at the terminal.
    #[n(19)]
    pub operator: Option<OperatorId>,
}

/// A step of a transaction that was forwarded to its card's issuer.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct UpstreamEvent {
    /// Which step.
    #[n(0)]
    pub step: UpstreamStep,
    /// The terminal's transaction.
    #[n(1)]
    pub key: TransactionKey,
    /// How the issuer knows it.
    #[n(2)]
    pub sent: Forwarded,
    /// The card, for people.
    #[n(3)]
    pub pan: MaskedPan,
    /// DE 42.
    #[n(4)]
    pub merchant: MerchantId,
    /// DE 4.
    #[n(5)]
    pub amount: Amount,
    /// DE 49.
    #[n(6)]
    pub currency: Currency,
    /// DE 37 of the transaction.
    #[n(7)]
    pub rrn: Rrn,
    /// Our reason.
    #[n(8)]
    pub reason: ReasonCode,
    /// DE 39 of what the issuer answered in this step.
    #[n(9)]
    pub code: Option<ResponseCode>,
    /// How long it took the issuer, in milliseconds, where that matters.
    #[n(10)]
    pub took_ms: Option<u32>,
    /// What changed.
    #[n(11)]
    pub effects: Vec<Effect>,
}

/// What happened between us and an issuer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub enum UpstreamStep {
    /// Durable, and about to be sent.
    #[n(0)]
    Asked,
    /// Nobody waits for an answer any more: it is undone.
    #[n(1)]
    GivenUp,
    /// The reversal is about to be sent for the first time.
    #[n(2)]
    UndoSent,
    /// The issuer acknowledged the reversal.
    #[n(3)]
    Undone,
    /// An answer came when nobody waited any more.
    #[n(4)]
    LateReply,
}

/// Until when a card is locked; `None` waits for staff. Not transparent in CBOR: a nil inside an `Option` would be
/// read back as "not locked".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct LockedUntil(#[n(0)] pub Option<Timestamp>);

/// An action by staff on a card.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct DeskAction {
    /// The action's name, as in [`Action`].
    #[n(0)]
    pub action: String,
    /// Who did it.
    #[n(1)]
    pub actor: String,
    /// Why.
    #[n(2)]
    pub why: String,
    /// What changed.
    #[n(3)]
    pub effects: Vec<Effect>,
}

impl DeskAction {
    /// The fixed name of giving back tries that a fault had consumed.
    pub const RESTORE_TRIES: &'static str = "restore-tries";
    /// The fixed name of resetting a PIN.
    pub const RESET_PIN: &'static str = "reset-pin";
    /// The fixed name of an attempt to set a new PIN that failed.
    pub const FAIL_ACTIVATION: &'static str = "fail-activation";
    /// The fixed name of the new PIN that the holder set after a reset.
    pub const SET_PIN: &'static str = "set-pin";

    /// The fixed name of another PIN that the holder set on the card's page, behind the present one.
    pub const CHANGE_PIN: &'static str = "change-pin";
    /// The fixed name of a wrong present PIN on the card's page: one try.
    pub const WRONG_PIN: &'static str = "wrong-pin";

    /// The fixed name of a cardholder's answer to a challenge.
    pub const ANSWER_STEP_UP: &'static str = "answer-step-up";

    /// The fixed name of an action.
    #[must_use]
    pub fn name(action: Action) -> &'static str {
        match action {
            Action::Unlock => "unlock",
            Action::BlockLost => "block-lost",
            Action::BlockStolen => "block-stolen",
            Action::Block => "block",
            Action::Unblock => "unblock",
            Action::PassStepUp => "pass-step-up",
            Action::Unrestrict => "unrestrict",
        }
    }
}

/// What happened to a terminal.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct TerminalEvent {
    /// What changed.
    #[n(0)]
    pub effect: TerminalEffect,
    /// DE 42 as sent, or the registered one.
    #[n(1)]
    pub merchant: MerchantId,
    /// DE 11, when the message had one.
    #[n(2)]
    pub stan: Option<model::Stan>,
    /// DE 37 of the answer, when it has one.
    #[n(3)]
    pub rrn: Option<Rrn>,
    /// Our reason.
    #[n(4)]
    pub reason: ReasonCode,
    /// DE 39 of the answer.
    #[n(5)]
    pub code: Option<ResponseCode>,
    /// The card on the refused message, for people.
    #[n(6)]
    pub pan: Option<MaskedPan>,
    /// DE 4 of the refused message.
    #[n(7)]
    pub amount: Option<Amount>,
}

/// Request and answer on the wire.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
pub struct Exchange {
    /// Dialect in which both are written.
    #[n(0)]
    pub dialect: String,
    /// The request's message body with PAN masked and tracks, PIN block and secrets wiped; empty when it could not
    /// be read well enough to wipe it.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub request: Vec<u8>,
    /// The answer's whole frame without length prefix, sent again byte for byte to a repeat. It may hold the PAN, so
    /// engines seal it at rest.
    #[cbor(n(2), with = "minicbor::bytes")]
    pub reply: Vec<u8>,
    /// When the request arrived.
    #[n(3)]
    pub received: Timestamp,
    /// Microseconds from arrival until the decision was handed to the store.
    #[n(4)]
    pub took_us: u32,
    /// Name of the host that decided, where several have names.
    #[n(5)]
    pub instance: Option<String>,
}

impl std::fmt::Debug for Exchange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "Exchange({}, {} bytes asked, {} answered)",
            self.dialect,
            self.request.len(),
            self.reply.len()
        )
    }
}

impl Event {
    /// The card effects of this event.
    #[must_use]
    pub fn card_effects(&self) -> &[Effect] {
        match self {
            Self::Transaction(t) => &t.effects,
            Self::Desk(d) => &d.effects,
            Self::Upstream(u) => &u.effects,
            Self::Terminal(_) => &[],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Encode)]
    struct ExchangeOfOld {
        #[n(0)]
        dialect: String,
        #[cbor(n(1), with = "minicbor::bytes")]
        request: Vec<u8>,
        #[cbor(n(2), with = "minicbor::bytes")]
        reply: Vec<u8>,
        #[n(3)]
        received: Timestamp,
        #[n(4)]
        took_us: u32,
    }

    #[test]
    fn an_exchange_from_before_hosts_had_names_is_read() {
        let (dialect, request, reply) = ("cup-pos".to_owned(), vec![1], vec![2]);
        let old = ExchangeOfOld { dialect, request, reply, received: Timestamp(3), took_us: 4 };
        let bytes = minicbor::to_vec(&old).unwrap();
        let read: Exchange = minicbor::decode(&bytes).unwrap();
        assert_eq!((read.took_us, read.instance.clone()), (4, None));
        // A host without a name writes what it wrote before.
        assert_eq!(minicbor::to_vec(&read).unwrap(), bytes);
    }

    #[test]
    fn a_lock_that_waits_for_staff_survives_its_encoding() {
        for locked in [None, Some(LockedUntil(None)), Some(LockedUntil(Some(Timestamp(7))))] {
            let bytes = minicbor::to_vec(locked).unwrap();
            assert_eq!(minicbor::decode::<Option<LockedUntil>>(&bytes).unwrap(), locked);
        }
    }
}
