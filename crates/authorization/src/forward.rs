//! Cards of other issuers. Their issuer decides; here it is kept exactly what was sent to it, what came of it, and what
//! must still be undone there.
//!
//! ```text
//!            open                            close
//!  request ───────► Asked, durable ─► sent ─────────► approved, declined                  done
//!                     │                  └──────────► no answer ─┐
//!                     │ the host died, or took too long          ├─► Undo, durable ─► 0420, 0421, 0421 … answered: done
//!                     └──────────────────────────────────────────┘
//! ```
//!
//! A transaction is in the card's state before its first byte leaves for the issuer, so whoever comes next, a repeat, a
//! reversal, another host or a restart, meets it there. The tries of foreign cards are their issuer's: nothing here
//! counts one (docs/reference/rules.md U1 to U6).

use minicbor::{Decode, Encode};
use model::{
    Amount, ApprovalCode, Currency, Kind, MerchantId, ReasonCode, ResponseCode, Rrn, Stan, Timestamp,
    TransactionKey, Unverifiable,
};
use serde::Serialize;

use crate::{
    card::Block,
    decide::{Approval, Decision, Outcome, PinVerdict, References, Verdict, reason_for, unremembered},
    duplicate::{self, Seen},
    effect::Effect,
    request::Request,
    rules::RiskVerdict,
    settlement::Movement,
    state::{CardState, Role, Status, Trace},
};

/// How a transaction is known to the issuer: what its reversal points at (ISO 8583:1987 DE 90).
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct Forwarded {
    /// Name of the route.
    #[n(0)]
    pub route: String,
    /// DE 11 on the link.
    #[n(1)]
    pub stan: Stan,
    /// DE 7 on the link.
    #[n(2)]
    pub at: Timestamp,
    /// The issuer's own answer (DE 39), when there was one.
    #[n(3)]
    pub code: Option<ResponseCode>,
}

/// A transaction that is with its issuer.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct Forward {
    /// The terminal's transaction.
    #[n(0)]
    pub key: TransactionKey,
    /// What was asked.
    #[n(1)]
    pub kind: Kind,
    /// How the issuer knows it.
    #[n(2)]
    pub sent: Forwarded,
    /// DE 42.
    #[n(3)]
    pub merchant: MerchantId,
    /// DE 4.
    #[n(4)]
    pub amount: Amount,
    /// DE 49.
    #[n(5)]
    pub currency: Currency,
    /// DE 37.
    #[n(6)]
    pub rrn: Rrn,
    /// DE 38 of the issuer's approval, when an approved one is undone.
    #[n(7)]
    pub approval: Option<ApprovalCode>,
    /// How far it is.
    #[n(8)]
    pub stage: Stage,
}

/// How far a transaction is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// Sent or about to be; whoever finds it after this moment knows that nobody waits for its answer any more.
    #[n(0)]
    Asked {
        /// Until then.
        #[n(0)]
        until: Timestamp,
    },
    /// To be undone at the issuer, until it has acknowledged that.
    #[n(1)]
    Undo(#[n(0)] Undo),
}

/// A reversal on its way to an issuer. Trace number and time stay the same however often it is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct Undo {
    /// DE 11 of the reversal.
    #[n(0)]
    pub stan: Stan,
    /// DE 7 of the reversal.
    #[n(1)]
    pub at: Timestamp,
    /// Why.
    #[n(2)]
    pub why: ReasonCode,
    /// Did it leave before? Then it is a repeat (0421).
    #[n(3)]
    pub said: bool,
}

impl Forward {
    /// The reversal that must still be acknowledged.
    #[must_use]
    pub fn undo(&self) -> Option<&Undo> {
        match &self.stage {
            Stage::Undo(undo) => Some(undo),
            Stage::Asked { .. } => None,
        }
    }

    /// Has nobody been waiting for its answer since some time before `now`?
    #[must_use]
    pub fn is_overdue(&self, now: Timestamp) -> bool {
        matches!(self.stage, Stage::Asked { until } if until <= now)
    }

    pub(crate) fn note_said(&mut self) {
        if let Stage::Undo(undo) = &mut self.stage {
            undo.said = true;
        }
    }
}

/// A card's forwards, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Default, Encode, Decode, Serialize)]
#[cbor(transparent)]
#[serde(transparent)]
pub struct Forwards(#[n(0)] Vec<Forward>);

impl Forwards {
    /// All of them.
    #[must_use]
    pub fn as_slice(&self) -> &[Forward] {
        &self.0
    }

    pub(crate) fn push(&mut self, forward: Forward) {
        self.0.push(forward);
    }

    pub(crate) fn get_mut(&mut self, key: &TransactionKey) -> Option<&mut Forward> {
        self.0.iter_mut().find(|forward| forward.key == *key)
    }

    pub(crate) fn remove(&mut self, key: &TransactionKey) {
        self.0.retain(|forward| forward.key != *key);
    }
}

/// What becomes of a request about a foreign card, before anything is sent.
#[derive(Debug, PartialEq, Eq)]
pub enum Open {
    /// Send the stored answer again.
    Repeat {
        /// Where it is.
        journal_seq: u64,
    },
    /// The same request is with the issuer already.
    UnderWay {
        /// Whoever sent it waits until then.
        until: Timestamp,
    },
    /// Ask the issuer.
    Ask {
        /// The transaction that it undoes, completes or refunds.
        original: Option<OriginalEntry>,
    },
    /// Decided here, for a reason that needs no issuer.
    Decided(Decision<'static>),
}

/// Where an original is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OriginalEntry {
    /// Its key.
    pub key: TransactionKey,
    /// The journal entry that decided it.
    pub journal_seq: u64,
}

/// What the issuer made of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// Approved.
    Approved {
        /// DE 38 of its answer.
        approval: Option<ApprovalCode>,
    },
    /// Refused, by its answer or because it cannot be asked; there is nothing to undo there.
    Declined(ReasonCode),
    /// It may have been approved there: nobody knows.
    Unknown,
}

/// A request about a foreign card, and what an answer to it needs.
#[derive(Debug, Clone, Copy)]
pub struct ForwardCase<'a> {
    /// The card's state.
    pub state: &'a CardState,
    /// The request.
    pub request: &'a Request,
    /// References for the answer.
    pub references: References,
    /// The reversal's identity, should one be needed.
    pub undo: Undo,
    /// The time of the decision.
    pub now: Timestamp,
}

impl ForwardCase<'_> {
    /// May the issuer be asked?
    #[must_use]
    pub fn open(&self) -> Open {
        let request = self.request;
        match duplicate::financial(self.state, &request.key, request.digest) {
            Seen::Repeat(trace) => return Open::Repeat { journal_seq: trace.journal_seq },
            Seen::OtherContents => return Open::Decided(unremembered(ReasonCode::DuplicateTrace)),
            Seen::Overtaken => return self.refused(ReasonCode::OvertakenByReversal),
            Seen::New if request.overtaken => return self.refused(ReasonCode::OvertakenByReversal),
            Seen::New => {}
        }
        if let Some(forward) = self.forward() {
            return match forward.stage {
                Stage::Asked { until } if until > self.now => Open::UnderWay { until },
                Stage::Asked { .. } | Stage::Undo(_) => {
                    Open::Decided(self.conclude(Ended::Unknown, PinVerdict::NotAsked))
                }
            };
        }
        match self.eligible() {
            Err(reason) => self.refused(reason),
            Ok(original) => Open::Ask {
                original: original.map(|t| OriginalEntry { key: t.key, journal_seq: t.journal_seq }),
            },
        }
    }

    /// A refusal before anything was sent: the PIN could not be sent on.
    #[must_use]
    pub fn unverifiable(&self, cause: Unverifiable) -> Decision<'static> {
        self.conclude(Ended::Declined(reason_for(cause)), PinVerdict::Unverifiable(cause))
    }

    /// A refusal by the bank's risk rules before anything was sent; `None` when they have nothing against it. A card that they
    /// block is blocked here, too: its next payment does not reach the issuer.
    #[must_use]
    pub fn ruled(&self, said: RiskVerdict) -> Option<Decision<'static>> {
        let reason = said.refusal(self.request.kind, self.state, false)?;
        let mut decision = self.conclude(Ended::Declined(reason), PinVerdict::NotAsked);
        decision.effects.extend(said.effects(reason, None, self.state));
        Some(decision)
    }

    /// What the issuer's answer, or its silence, makes of the request. If the transaction was given up meanwhile, by its
    /// reversal or by another host, an approval comes too late and is not one.
    #[must_use]
    pub fn close(&self, ended: Ended) -> Outcome<'static> {
        let request = self.request;
        if let Seen::Repeat(trace) = duplicate::financial(self.state, &request.key, request.digest) {
            return Outcome::Repeat { journal_seq: trace.journal_seq };
        }
        let pin = if request.has_pin { PinVerdict::SentToIssuer } else { PinVerdict::NotAsked };
        let waited_for = self.forward().is_some_and(|f| matches!(f.stage, Stage::Asked { .. }));
        let ended = if waited_for { ended } else { Ended::Unknown };
        Outcome::Decided(self.conclude(ended, pin))
    }

    fn forward(&self) -> Option<&Forward> {
        self.state.forwards().iter().find(|forward| forward.key == self.request.key)
    }

    fn refused(&self, reason: ReasonCode) -> Open {
        Open::Decided(self.conclude(Ended::Declined(reason), PinVerdict::NotAsked))
    }

    /// What must hold whatever the issuer says: our staff's block, an amount, and the original.
    fn eligible(&self) -> Result<Option<&Trace>, ReasonCode> {
        let request = self.request;
        match self.state.block {
            Some(Block::Lost) => return Err(ReasonCode::LostCard),
            Some(Block::Stolen) => return Err(ReasonCode::StolenCard),
            Some(Block::Staff | Block::Rule) => return Err(ReasonCode::BlockedCard),
            None => {}
        }
        if request.kind.needs_amount() && request.amount <= Amount::ZERO {
            return Err(ReasonCode::InvalidAmount);
        }
        let original = self.original();
        if !request.kind.needs_original() {
            return Ok(original);
        }
        let original = original.ok_or(ReasonCode::OriginalNotFound)?;
        if original.status != Status::Approved {
            return Err(ReasonCode::OriginalNotSuitable);
        }
        // How far a completion may differ from its hold, its issuer knows.
        if request.kind != Kind::Completion && original.amount != request.amount {
            return Err(ReasonCode::OriginalAmountMismatch);
        }
        Ok(Some(original))
    }

    fn original(&self) -> Option<&Trace> {
        let of = match self.request.kind {
            Kind::SaleVoid | Kind::Refund => Kind::Sale,
            Kind::PreAuthVoid | Kind::Completion => Kind::PreAuth,
            Kind::CompletionVoid => Kind::Completion,
            Kind::Balance | Kind::Sale | Kind::PreAuth | Kind::Cash | Kind::PinChange => return None,
        };
        let reference = self.request.original.as_ref()?;
        self.state.original(reference, &self.request.key.terminal, &[of])
    }

    fn conclude(&self, ended: Ended, pin: PinVerdict) -> Decision<'static> {
        let request = self.request;
        let (reason, approval) = match ended {
            Ended::Approved { approval } => (ReasonCode::Approved, approval),
            Ended::Declined(reason) => (reason, None),
            Ended::Unknown => (ReasonCode::IssuerTimeout, None),
        };
        let approved = reason == ReasonCode::Approved;
        let mut effects = Vec::new();
        if let Some(forward) = self.forward() {
            // A balance inquiry leaves nothing to undo.
            let undo = ended == Ended::Unknown && request.kind != Kind::Balance;
            match (&forward.stage, undo) {
                (Stage::Asked { .. }, true) => {
                    effects.push(Effect::Undo { key: request.key, undo: self.undo });
                }
                (Stage::Asked { .. }, false) => effects.push(Effect::ForwardDone { key: request.key }),
                (Stage::Undo(_), _) => {}
            }
        }
        let original = if approved { self.original().map(|trace| trace.key) } else { None };
        let movement = if approved { self.movement(original, &mut effects) } else { Movement::default() };
        effects.push(Effect::Remember { trace: self.trace(approved, approval, original) });
        let verdict =
            if approved { Verdict::Approved(Approval::without_pin()) } else { Verdict::Declined(reason) };
        Decision { verdict, reason, pin, effects, movement, forced: None, original }
    }

    /// Batch totals and the state of originals. The money is the issuer's.
    fn movement(&self, original: Option<TransactionKey>, effects: &mut Vec<Effect>) -> Movement {
        let amount = self.request.amount;
        let mut mark = |key: Option<TransactionKey>, status| {
            effects.extend(key.map(|key| Effect::Mark { key, status }));
        };
        match self.request.kind {
            // A PIN change is never forwarded: the new PIN is its issuer's matter.
            Kind::Balance | Kind::PreAuth | Kind::PinChange => Movement::default(),
            Kind::Sale | Kind::Cash => Movement::debit(amount, 1),
            Kind::Refund => Movement::credit(amount),
            Kind::SaleVoid => {
                mark(original, Status::Voided);
                Movement::debit(amount, -1)
            }
            Kind::PreAuthVoid => {
                mark(original, Status::Voided);
                Movement::default()
            }
            Kind::Completion => {
                mark(original, Status::Completed);
                Movement::debit(amount, 1)
            }
            Kind::CompletionVoid => {
                mark(original, Status::Voided);
                let hold = original.and_then(|key| self.state.financial(&key)).and_then(|t| t.original);
                mark(hold, Status::Approved);
                Movement::debit(amount, -1)
            }
        }
    }

    fn trace(
        &self,
        approved: bool,
        approval: Option<ApprovalCode>,
        original: Option<TransactionKey>,
    ) -> Trace {
        Trace {
            key: self.request.key,
            role: Role::Financial(self.request.kind),
            digest: self.request.digest,
            status: if approved { Status::Approved } else { Status::Declined },
            amount: self.request.amount,
            at: self.now,
            rrn: self.references.rrn,
            approval,
            original,
            journal_seq: 0,
        }
    }
}

/// What a terminal's reversal adds to its decision about a foreign card: whatever is at the issuer is undone there too.
/// `sent` says how the issuer knows the original, if it was approved.
#[must_use]
pub fn undo_at_issuer(
    state: &CardState,
    original: &TransactionKey,
    sent: Option<Forward>,
    undo: Undo,
) -> Option<Effect> {
    let under_way = state.forwards().iter().find(|forward| forward.key == *original);
    match under_way.map(|forward| &forward.stage) {
        Some(Stage::Asked { .. }) => Some(Effect::Undo { key: *original, undo }),
        Some(Stage::Undo(_)) => None,
        None => sent.map(|forward| Effect::Forward {
            forward: Box::new(Forward { stage: Stage::Undo(undo), ..forward }),
        }),
    }
}
