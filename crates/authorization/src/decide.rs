//! The decision about a payment: the only place where it is approved or refused.
//!
//! ```text
//! seen before? ── repeat ──► the stored answer
//!      │ no
//! a lock whose time has come is released
//!      │
//! card and ladder eligible? ── no ──► declined, the PIN is not looked at
//!      │ yes
//! PIN needed? ── yes, not asked yet ──► NeedsPin, and the caller comes back with the evidence
//!      │
//! verified ─► tries reset      mismatch ─► counted once, perhaps locked      unverifiable ─► declined, nothing moves
//!      │
//! funds, original, restrictions ──► approved or declined
//! ```
//!
//! The same function runs again with the same evidence when another host's entry came first: the evidence stays true,
//! the state it meets is newer.

mod change;

use model::{
    Amount, ApprovalCode, CardId, Kind, PinOutcome, PinVerified, ReasonCode, ResponseCode, Rrn,
    SealedReference, Timestamp, TransactionKey, Unverifiable,
};
use serde::Serialize;

use crate::{
    card::CardRecord,
    duplicate::{self, Seen},
    effect::{Effect, ReleasedBy, Restriction},
    eligibility,
    lock::Lock,
    policy::{Consequence, ProductPolicy},
    request::{OriginalRef, Request, Sandbox},
    reversal::negative,
    rules::RiskVerdict,
    second::{self, Proof, Second},
    settlement::Movement,
    state::{CardState, Role, Status, Trace},
};

/// What happens next with a request.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome<'e> {
    /// Send the stored answer of that journal entry again; append nothing.
    Repeat {
        /// Where the answer is.
        journal_seq: u64,
    },
    /// Ask the security module and come back.
    NeedsPin,
    /// Append this.
    Decided(Decision<'e>),
}

/// What is known about the PIN when a decision is asked for.
#[derive(Debug, Clone, Copy)]
pub enum PinEvidence<'e> {
    /// Nobody asked yet.
    NotAsked,
    /// The security module's outcome.
    Asked(&'e PinOutcome),
    /// The security module's outcome where the old and the new PIN were sent.
    Changed(&'e PinChangeOutcome),
}

/// What the security module made of an old and a new PIN.
#[derive(Debug, PartialEq, Eq)]
pub enum PinChangeOutcome {
    /// The old one is right, the new one allowed.
    Changed {
        /// Proof that the old one is right.
        verified: PinVerified,
        /// What the new one is compared with, sealed.
        reference: SealedReference,
        /// What the old one was compared with, sealed: it may not come back soon.
        retired: SealedReference,
    },
    /// The new one is not allowed. Says nothing about the old one, so nothing is counted.
    NewPinRefused,
    /// The old one is wrong, or nothing was learnt.
    Unchanged(PinOutcome),
}

/// A decision, before it is durable.
#[derive(Debug, PartialEq, Eq)]
pub struct Decision<'e> {
    /// Approved or declined.
    pub verdict: Verdict<'e>,
    /// The exact reason.
    pub reason: ReasonCode,
    /// What happened to the PIN.
    pub pin: PinVerdict,
    /// What changes.
    pub effects: Vec<Effect>,
    /// What it adds to the batch.
    pub movement: Movement,
    /// A response code that a sandbox lever forces.
    pub forced: Option<ResponseCode>,
    /// The earlier transaction that it acted on.
    pub original: Option<TransactionKey>,
}

/// Approved or declined. A decline is a value, not an error.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict<'e> {
    /// Approved, with the evidence it rests on.
    Approved(Approval<'e>),
    /// Declined for a reason.
    Declined(ReasonCode),
}

/// An approval and what it rests on. Only this module makes one: with the evidence where a PIN was asked for,
/// without where the policy asks for none.
#[derive(Debug, PartialEq, Eq)]
pub struct Approval<'e> {
    pin: Option<&'e PinVerified>,
}

impl<'e> Approval<'e> {
    pub(crate) fn without_pin() -> Self {
        Self { pin: None }
    }

    fn with_pin(proof: &'e PinVerified) -> Self {
        Self { pin: Some(proof) }
    }

    /// The proof that the PIN was right, if one was asked for.
    #[must_use]
    pub fn evidence(&self) -> Option<&'e PinVerified> {
        self.pin
    }
}

/// What happened to the PIN in a decision, for the journal: never the PIN.
#[derive(Debug, Clone, Copy, PartialEq, Eq, minicbor::Encode, minicbor::Decode, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PinVerdict {
    /// The security module was not asked.
    #[n(0)]
    NotAsked,
    /// Right.
    #[n(1)]
    Verified,
    /// Wrong, and counted once.
    #[n(2)]
    Mismatch,
    /// Nothing was learnt, nothing is counted.
    #[n(3)]
    Unverifiable(#[n(0)] Unverifiable),
    /// Wrong or right, but another decision had locked the card meanwhile: discarded, not counted.
    #[n(4)]
    Discarded,
    /// Sent on under the zone's key: the card's issuer looked at it, and its answer is the reason.
    #[n(5)]
    SentToIssuer,
}

/// References that a decision puts into its answer; the caller makes them, they are part of what is remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct References {
    /// DE 37.
    pub rrn: Rrn,
    /// DE 38, used if approved.
    pub approval: ApprovalCode,
}

/// Everything a decision is about.
#[derive(Debug, Clone, Copy)]
pub struct Case<'a> {
    /// The card; evidence for another one is not accepted.
    pub card: CardId,
    /// The product's policy.
    pub policy: &'a ProductPolicy,
    /// The card as registered.
    pub record: &'a CardRecord,
    /// The card's state.
    pub state: &'a CardState,
    /// The request.
    pub request: &'a Request,
    /// References for the answer.
    pub references: References,
    /// What the risk rules say; [`RiskVerdict::Pass`] before they are asked.
    pub risk: RiskVerdict,
    /// For a second proof of identity.
    pub second: Second,
    /// The time of the decision.
    pub now: Timestamp,
}

/// Decides a financial request.
#[must_use]
pub fn decide<'e>(case: &Case<'_>, evidence: PinEvidence<'e>) -> Outcome<'e> {
    match duplicate::financial(case.state, &case.request.key, case.request.digest) {
        Seen::Repeat(trace) => return Outcome::Repeat { journal_seq: trace.journal_seq },
        Seen::OtherContents => return Outcome::Decided(unremembered(ReasonCode::DuplicateTrace)),
        Seen::Overtaken => {
            return Outcome::Decided(case.conclude(
                Vec::new(),
                evidence,
                Err(ReasonCode::OvertakenByReversal),
            ));
        }
        Seen::New if case.request.overtaken => {
            return Outcome::Decided(case.conclude(
                Vec::new(),
                evidence,
                Err(ReasonCode::OvertakenByReversal),
            ));
        }
        Seen::New => {}
    }
    let mut effects = release_in_time(case.state, case.now);
    if let Err(reason) = eligibility::card(case.record, case.state, case.request, case.now) {
        return Outcome::Decided(case.conclude(effects, evidence, Err(reason)));
    }
    if !case.request.kind.asks_for_pin() {
        return Outcome::Decided(case.without_pin(effects, evidence));
    }
    let released = !effects.is_empty();
    let proof = Proof::of(case);
    let proven = proof.is_given();
    if let Err(reason) =
        eligibility::ladder(case.policy, case.state, case.request, released, proven, case.now)
    {
        // Only where it is asked for is a code a guess; a locked card learns and tells nothing.
        effects.extend(proof.learnt().filter(|_| reason == ReasonCode::StepUpRequired));
        return Outcome::Decided(case.conclude(effects, evidence, Err(reason)));
    }
    effects.extend(proof.learnt());
    if !case.request.has_pin {
        effects.extend(proof.used());
        return Outcome::Decided(case.without_pin(effects, evidence));
    }
    match evidence {
        PinEvidence::NotAsked => Outcome::NeedsPin,
        PinEvidence::Asked(outcome) => Outcome::Decided(case.with_pin(effects, outcome, &proof)),
        PinEvidence::Changed(outcome) => Outcome::Decided(case.with_change(effects, outcome, &proof)),
    }
}

/// The trace number was used for something else: the first use keeps its answer, this one leaves no trace.
pub(crate) fn unremembered<'e>(reason: ReasonCode) -> Decision<'e> {
    Decision {
        verdict: Verdict::Declined(reason),
        reason,
        pin: PinVerdict::NotAsked,
        effects: Vec::new(),
        movement: Movement::default(),
        forced: None,
        original: None,
    }
}

/// A lock whose time has come ends with the next request that meets it; so do holds that ran out.
pub(crate) fn release_in_time(state: &CardState, now: Timestamp) -> Vec<Effect> {
    match state.lock {
        Some(lock) if lock.has_expired(now) => vec![Effect::Unlock { by: ReleasedBy::Time }],
        _ => Vec::new(),
    }
}

/// Counts one proven mismatch, wherever the PIN was entered: the counter, and a lock or the rungs of the ladder that it reaches.
pub(crate) fn count_mismatch(
    policy: &ProductPolicy,
    state: &CardState,
    effects: &mut Vec<Effect>,
    now: Timestamp,
) -> ReasonCode {
    let limit = policy.pin_try_limit;
    let counter = counter_after(state, effects).after_mismatch(limit);
    effects.push(Effect::CountTry { counter });
    if counter.is_exhausted(limit) {
        let in_a_row = state.locks_in_a_row.saturating_add(1);
        // The zone was checked when the policy was loaded; should it vanish, the lock waits for staff.
        let until = policy.release(in_a_row).until(now).unwrap_or(None);
        effects.push(Effect::Lock { lock: Lock { since: now, until }, in_a_row });
        ReasonCode::PinTriesExceeded
    } else {
        effects.extend(consequences(policy, counter.used(), now));
        ReasonCode::WrongPin
    }
}

/// The rungs of the ladder that this many wrong PINs reach.
fn consequences(policy: &ProductPolicy, wrong: u8, now: Timestamp) -> impl Iterator<Item = Effect> {
    policy.rungs.iter().filter(move |rung| rung.after == wrong).map(move |rung| match &rung.consequence {
        Consequence::StepUp { valid_s } => Effect::RequireStepUp { valid_s: *valid_s },
        Consequence::Restrict { max_amount, no_cash, for_h } => Effect::Restrict {
            restriction: Restriction {
                max_amount: *max_amount,
                no_cash: *no_cash,
                until: now.plus_s(i64::from(*for_h) * 3600),
            },
        },
    })
}

/// The counter as the effects so far leave it.
pub(crate) fn counter_after(state: &CardState, effects: &[Effect]) -> crate::pin_try::Counter {
    let released = effects.iter().any(|e| matches!(e, Effect::Unlock { .. }));
    if released { crate::pin_try::Counter::default() } else { state.tries }
}

/// What the transaction does when nothing speaks against it.
struct Posting {
    effects: Vec<Effect>,
    movement: Movement,
    original: Option<TransactionKey>,
}

impl Case<'_> {
    /// A right PIN gives the tries back. A step-up that a rule asked for before the first wrong PIN ends with its proof, like one of
    /// the ladder.
    fn right_pin(&self, effects: &mut Vec<Effect>, proof: &Proof) {
        effects.extend(proof.used());
        let answered = proof.is_given() && self.state.step_up.is_some();
        if answered || counter_after(self.state, effects).used() > 0 || self.state.locks_in_a_row > 0 {
            effects.push(Effect::ResetTries);
        }
    }

    /// The PIN was asked for: count, reset, or neither.
    fn with_pin<'e>(&self, mut effects: Vec<Effect>, outcome: &'e PinOutcome, proof: &Proof) -> Decision<'e> {
        let forced_wrong = self.request.sandbox == Some(Sandbox::WrongPin);
        match outcome {
            PinOutcome::Unverifiable(cause) => {
                let evidence = PinEvidence::Asked(outcome);
                self.conclude(effects, evidence, Err(reason_for(*cause)))
            }
            PinOutcome::Mismatch => {
                effects.extend(proof.used());
                self.count_mismatch(effects)
            }
            PinOutcome::Verified(verified) if verified.card() != self.card => {
                // Our bug, never the holder's: nothing is counted and nothing approved.
                let cause = Unverifiable::Key;
                let verdict = Verdict::Declined(reason_for(cause));
                self.remember(
                    effects,
                    verdict,
                    reason_for(cause),
                    PinVerdict::Unverifiable(cause),
                    Posting::none(),
                )
            }
            PinOutcome::Verified(_) if forced_wrong => {
                effects.extend(proof.used());
                self.count_mismatch(effects)
            }
            PinOutcome::Verified(_) => {
                self.right_pin(&mut effects, proof);
                let posting = self.posting();
                if posting.is_ok() {
                    effects.extend(self.state.reminder(&self.policy.pin, self.now));
                }
                self.conclude(effects, PinEvidence::Asked(outcome), posting)
            }
        }
    }

    /// One proven mismatch: counted once per transaction key, because this request is remembered in the same entry.
    fn count_mismatch<'e>(&self, mut effects: Vec<Effect>) -> Decision<'e> {
        let reason = count_mismatch(self.policy, self.state, &mut effects, self.now);
        self.remember(effects, Verdict::Declined(reason), reason, PinVerdict::Mismatch, Posting::none())
    }

    /// Kinds that ask for no PIN, and products that need none.
    fn without_pin<'e>(&self, effects: Vec<Effect>, evidence: PinEvidence<'e>) -> Decision<'e> {
        let posting = if self.request.sandbox == Some(Sandbox::WrongPin) {
            Err(ReasonCode::PinMissing)
        } else {
            self.posting()
        };
        self.conclude(effects, evidence, posting)
    }

    /// Money, holds and originals, unless a rule refuses it.
    fn posting(&self) -> Result<Posting, ReasonCode> {
        let posting = self.posting_without_rules()?;
        self.refused_by_rule().map_or(Ok(posting), Err)
    }

    fn refused_by_rule(&self) -> Option<ReasonCode> {
        self.risk.refusal(self.request.kind, self.state, Proof::of(self).is_given())
    }

    fn posting_without_rules(&self) -> Result<Posting, ReasonCode> {
        let amount = self.request.amount;
        match self.request.kind {
            Kind::Balance => Ok(Posting::none()),
            // Without a new PIN there is nothing to change to.
            Kind::PinChange => Err(ReasonCode::NewPinRefused),
            Kind::Sale | Kind::Cash => {
                self.covered(amount)?;
                Ok(Posting::new([Effect::Post { delta: negative(amount) }], Movement::debit(amount, 1), None))
            }
            Kind::PreAuth => {
                self.covered(amount)?;
                Ok(Posting::new([Effect::Hold { delta: amount }], Movement::default(), None))
            }
            Kind::Refund => {
                let original =
                    self.request.original.as_ref().and_then(|r| self.find_original(r, &[Kind::Sale]));
                if original.is_some_and(|o| amount > o.amount) {
                    return Err(ReasonCode::OriginalAmountMismatch);
                }
                let key = original.map(|o| o.key);
                Ok(Posting::new([Effect::Post { delta: amount }], Movement::credit(amount), key))
            }
            Kind::SaleVoid => {
                self.void(Kind::Sale, Movement::debit(amount, -1), |o| Effect::Post { delta: o.amount })
            }
            Kind::PreAuthVoid => {
                self.void(Kind::PreAuth, Movement::default(), |o| Effect::Hold { delta: negative(o.amount) })
            }
            Kind::Completion => self.completion(),
            Kind::CompletionVoid => self.completion_void(),
        }
    }

    fn covered(&self, amount: Amount) -> Result<(), ReasonCode> {
        if amount <= self.state.available() { Ok(()) } else { Err(ReasonCode::InsufficientFunds) }
    }

    /// Undoes an approved original of one kind, in full.
    fn void(
        &self,
        kind: Kind,
        movement: Movement,
        back: impl Fn(&Trace) -> Effect,
    ) -> Result<Posting, ReasonCode> {
        let original = self.approved_original(kind)?;
        if original.amount != self.request.amount {
            return Err(ReasonCode::OriginalAmountMismatch);
        }
        let mark = Effect::Mark { key: original.key, status: Status::Voided };
        Ok(Posting::new([mark, back(original)], movement, Some(original.key)))
    }

    /// Posts up to the policy's share of a hold and frees the hold.
    fn completion(&self) -> Result<Posting, ReasonCode> {
        let hold = self.approved_original(Kind::PreAuth)?;
        let amount = self.request.amount;
        let most = hold.amount.0.saturating_mul(i64::from(self.policy.completion_max_percent)) / 100;
        if amount.0 > most {
            return Err(ReasonCode::OriginalAmountMismatch);
        }
        let effects = [
            Effect::Mark { key: hold.key, status: Status::Completed },
            Effect::Hold { delta: negative(hold.amount) },
            Effect::Post { delta: negative(amount) },
        ];
        Ok(Posting::new(effects, Movement::debit(amount, 1), Some(hold.key)))
    }

    /// Undoes a completion: the money comes back, the hold is in force again.
    fn completion_void(&self) -> Result<Posting, ReasonCode> {
        let completion = self.approved_original(Kind::Completion)?;
        if completion.amount != self.request.amount {
            return Err(ReasonCode::OriginalAmountMismatch);
        }
        let mut effects = vec![
            Effect::Mark { key: completion.key, status: Status::Voided },
            Effect::Post { delta: completion.amount },
        ];
        if let Some(hold) = completion.original.and_then(|key| self.state.financial(&key)) {
            effects.push(Effect::Mark { key: hold.key, status: Status::Approved });
            effects.push(Effect::Hold { delta: hold.amount });
        }
        Ok(Posting::new(effects, Movement::debit(completion.amount, -1), Some(completion.key)))
    }

    fn approved_original(&self, kind: Kind) -> Result<&Trace, ReasonCode> {
        let reference = self.request.original.as_ref().ok_or(ReasonCode::OriginalNotFound)?;
        let original = self.find_original(reference, &[kind]).ok_or(ReasonCode::OriginalNotFound)?;
        if original.status == Status::Approved { Ok(original) } else { Err(ReasonCode::OriginalNotSuitable) }
    }

    /// The original by every reference that was given: those present must all agree.
    fn find_original(&self, reference: &OriginalRef, kinds: &[Kind]) -> Option<&Trace> {
        self.state.original(reference, &self.request.key.terminal, kinds)
    }

    /// Puts verdict, evidence and effects together.
    fn conclude<'e>(
        &self,
        effects: Vec<Effect>,
        evidence: PinEvidence<'e>,
        posting: Result<Posting, ReasonCode>,
    ) -> Decision<'e> {
        let (pin, proof) = match evidence {
            PinEvidence::NotAsked => (PinVerdict::NotAsked, None),
            // Another decision locked or blocked the card meanwhile.
            PinEvidence::Changed(_) => (PinVerdict::Discarded, None),
            PinEvidence::Asked(PinOutcome::Unverifiable(cause)) => (PinVerdict::Unverifiable(*cause), None),
            PinEvidence::Asked(PinOutcome::Verified(proof))
                if effects_reach_the_pin(&posting) || self.is_refused_by_rule(&posting) =>
            {
                (PinVerdict::Verified, Some(proof))
            }
            PinEvidence::Asked(_) => (PinVerdict::Discarded, None),
        };
        let posting = posting.and_then(|posting| match self.request.sandbox {
            Some(Sandbox::Decline(_)) => Err(ReasonCode::SandboxForced),
            _ => Ok(posting),
        });
        match posting {
            Ok(posting) => {
                let verdict = Verdict::Approved(Approval { pin: proof });
                self.remember(effects, verdict, ReasonCode::Approved, pin, posting)
            }
            Err(reason) => self.remember(effects, Verdict::Declined(reason), reason, pin, Posting::none()),
        }
    }

    /// A rule's refusal comes after the PIN was looked at.
    fn is_refused_by_rule(&self, posting: &Result<Posting, ReasonCode>) -> bool {
        let refusal = self.refused_by_rule();
        posting.as_ref().err().is_some_and(|reason| Some(*reason) == refusal)
    }

    /// Every decided request is remembered in the same entry that decides it, so that a repeat meets it.
    fn remember<'e>(
        &self,
        mut effects: Vec<Effect>,
        verdict: Verdict<'e>,
        reason: ReasonCode,
        pin: PinVerdict,
        posting: Posting,
    ) -> Decision<'e> {
        let approved = matches!(verdict, Verdict::Approved(_));
        let original = posting.original;
        effects.extend(posting.effects);
        effects.extend(self.risk.effects(reason, Some(self.policy), self.state));
        if reason == ReasonCode::StepUpRequired {
            effects.extend(second::issued(self));
        }
        effects.push(Effect::Remember {
            trace: Trace {
                key: self.request.key,
                role: Role::Financial(self.request.kind),
                digest: self.request.digest,
                status: if approved { Status::Approved } else { Status::Declined },
                amount: self.request.amount,
                at: self.now,
                rrn: self.references.rrn,
                approval: approved.then_some(self.references.approval),
                original,
                journal_seq: 0,
            },
        });
        let forced = match self.request.sandbox {
            Some(Sandbox::Decline(code)) if reason == ReasonCode::SandboxForced => Some(code),
            Some(Sandbox::Approve(code)) if approved => Some(code),
            _ => None,
        };
        Decision { verdict, reason, pin, effects, movement: posting.movement, forced, original }
    }
}

/// A right PIN is spent only when the decision got as far as the money: a card that was locked or blocked meanwhile
/// discards the evidence.
fn effects_reach_the_pin(posting: &Result<Posting, ReasonCode>) -> bool {
    !matches!(
        posting,
        Err(ReasonCode::CardLocked
            | ReasonCode::StepUpRequired
            | ReasonCode::RestrictedAfterWrongPins
            | ReasonCode::PinResetPending
            | ReasonCode::PinChangeRequired
            | ReasonCode::LostCard
            | ReasonCode::StolenCard
            | ReasonCode::BlockedCard
            | ReasonCode::OvertakenByReversal)
    )
}

pub(crate) fn reason_for(cause: Unverifiable) -> ReasonCode {
    match cause {
        Unverifiable::PinBlockFormat => ReasonCode::PinBlockUnreadable,
        Unverifiable::Key | Unverifiable::Unsupported => ReasonCode::KeyFault,
        Unverifiable::NoReference => ReasonCode::PinReferenceMissing,
        Unverifiable::ModuleUnavailable => ReasonCode::SecurityModuleAway,
        Unverifiable::KsnReplayed => ReasonCode::KsnReplayed,
    }
}

impl Posting {
    fn none() -> Self {
        Self { effects: Vec::new(), movement: Movement::default(), original: None }
    }

    fn new(effects: impl Into<Vec<Effect>>, movement: Movement, original: Option<TransactionKey>) -> Self {
        Self { effects: effects.into(), movement, original }
    }
}
