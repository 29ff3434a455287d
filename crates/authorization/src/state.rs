//! A card's state: the fold of its journal, nothing more. The copy in memory and the checkpointed row are caches.

use std::collections::VecDeque;

use minicbor::{Decode, Encode};
use model::{Amount, ApprovalCode, Kind, Rrn, TerminalId, Timestamp, TransactionKey};
use serde::Serialize;

use crate::{
    card::{Block, CardRecord},
    effect::{Effect, RestoredTries, Restriction},
    forward::{Forward, Forwards, Stage},
    lock::Lock,
    pin::PinState,
    pin_try::Counter,
    request::OriginalRef,
};

/// How many recent transactions a card remembers at least.
const TRACES_KEPT: usize = 32;
/// And at most, however many transactions a card makes in a day.
const TRACES_LIMIT: usize = 128;
/// A trace older than this may go once [`TRACES_KEPT`] are exceeded: terminals retransmit within minutes and
/// reverse within a day.
const TRACE_AGE_MS: i64 = 48 * 3_600_000;
/// An open pre-authorization is kept this long: completion may come weeks later.
const HOLD_AGE_MS: i64 = 31 * 24 * 3_600_000;

/// Everything about a card that decisions have changed.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct CardState {
    /// Number of the card's last journal entry; the next one carries `seq + 1`.
    #[n(0)]
    pub seq: u32,
    /// PIN try counter.
    #[n(1)]
    pub tries: Counter,
    /// The lock after the last try.
    #[n(2)]
    pub lock: Option<Lock>,
    /// Locks since the last right PIN.
    #[n(3)]
    pub locks_in_a_row: u8,
    /// Step-up wanted or passed.
    #[n(4)]
    pub step_up: Option<StepUp>,
    /// Restriction after wrong PINs.
    #[n(5)]
    pub restriction: Option<Restriction>,
    /// Block by the issuer.
    #[n(6)]
    pub block: Option<Block>,
    /// Balance of the account.
    #[n(7)]
    pub balance: Amount,
    /// Sum set aside by open pre-authorizations.
    #[n(8)]
    pub held: Amount,
    /// Recent transactions, oldest first.
    #[n(9)]
    pub traces: VecDeque<Trace>,
    /// Cards of other issuers: what is with the issuer, and what must still be undone there. Behind a pointer, because
    /// our own cards have none.
    #[n(10)]
    pub forwards: Option<Box<Forwards>>,
    /// The transactions that consumed the tries which count now, oldest first: what may be given back when a fault made
    /// them. Behind a pointer, because most cards have none.
    #[n(11)]
    pub charged: Option<Box<Vec<Charged>>>,
    /// The challenge for a second proof, and the wrong answers of a day. Behind a pointer, because most cards have none.
    #[n(15)]
    pub proofs: Option<Box<stepup::Proofs>>,
    /// What became of the PIN since the card was registered. Behind a pointer, because most cards keep theirs.
    #[n(12)]
    pub pin: Option<Box<PinState>>,
}

/// A transaction that consumed a try.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct Charged {
    /// Its identity.
    #[n(0)]
    pub key: TransactionKey,
    /// When it was decided.
    #[n(1)]
    pub at: Timestamp,
}

/// A second proof of identity that the ladder asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepUp {
    /// Wanted before the PIN is looked at again.
    #[n(0)]
    Required {
        /// How long a passed one will count, in seconds.
        #[n(0)]
        valid_s: u32,
    },
    /// Passed.
    #[n(1)]
    Passed {
        /// It counts until then.
        #[n(0)]
        until: Timestamp,
        /// As before, for the time after.
        #[n(1)]
        valid_s: u32,
    },
}

/// A transaction that the card remembers: what a repeat, void, completion or reversal must know of it. The stored
/// answer itself is in the journal, at [`journal_seq`](Self::journal_seq).
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct Trace {
    /// Its identity.
    #[n(0)]
    pub key: TransactionKey,
    /// Financial transaction or reversal; both may have the same key.
    #[n(1)]
    pub role: Role,
    /// Keyed digest of its contents.
    #[n(2)]
    pub digest: u64,
    /// What became of it.
    #[n(3)]
    pub status: Status,
    /// Its amount.
    #[n(4)]
    pub amount: Amount,
    /// When it was decided.
    #[n(5)]
    pub at: Timestamp,
    /// Reference in its answer.
    #[n(6)]
    pub rrn: Rrn,
    /// Approval code in its answer.
    #[n(7)]
    pub approval: Option<ApprovalCode>,
    /// The transaction it undid or completed.
    #[n(8)]
    pub original: Option<TransactionKey>,
    /// Where its answer is stored; filled in when the entry is folded.
    #[n(9)]
    pub journal_seq: u64,
}

/// Which side of a transaction a trace is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// A financial transaction of this kind.
    #[n(0)]
    Financial(#[n(0)] Kind),
    /// A reversal. One that found no original is a tombstone: its original is refused when it comes.
    #[n(1)]
    Reversal,
}

/// What became of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// In force.
    #[n(0)]
    Approved,
    /// Refused; there is nothing to undo.
    #[n(1)]
    Declined,
    /// Undone by a reversal.
    #[n(2)]
    Reversed,
    /// Undone by a void.
    #[n(3)]
    Voided,
    /// A pre-authorization that was completed.
    #[n(4)]
    Completed,
    /// A pre-authorization whose hold ran out.
    #[n(5)]
    Lapsed,
}

impl CardState {
    /// The state of a card without journal entries.
    #[must_use]
    pub fn new(record: &CardRecord) -> Self {
        Self {
            seq: 0,
            tries: Counter::default(),
            lock: None,
            locks_in_a_row: 0,
            step_up: None,
            restriction: None,
            block: None,
            balance: record.opening_balance,
            held: Amount::ZERO,
            traces: VecDeque::new(),
            forwards: None,
            charged: None,
            proofs: None,
            pin: None,
        }
    }

    /// Folds one journal entry into the state.
    pub fn apply(&mut self, seq: u32, journal_seq: u64, at: Timestamp, effects: &[Effect]) {
        debug_assert_eq!(seq, self.seq + 1, "entries are folded in order");
        self.seq = seq;
        for effect in effects {
            self.apply_one(effect, journal_seq);
        }
        self.note_charged(at, effects);
        self.forget_old(at);
    }

    /// What effects make of tries, lock and money, without folding them in. The traces are left out: an answer needs
    /// none, and a busy card has many.
    #[must_use]
    pub fn with_effects(&self, now: Timestamp, effects: &[Effect]) -> Self {
        let mut after = self.figures();
        after.apply(self.seq + 1, 0, now, effects);
        after
    }

    /// A copy of everything but the traces.
    fn figures(&self) -> Self {
        Self {
            seq: self.seq,
            tries: self.tries,
            lock: self.lock,
            locks_in_a_row: self.locks_in_a_row,
            step_up: self.step_up,
            restriction: self.restriction,
            block: self.block,
            balance: self.balance,
            held: self.held,
            traces: VecDeque::new(),
            forwards: None,
            charged: None,
            proofs: None,
            pin: None,
        }
    }

    /// The transactions that consumed the tries which count now, oldest first.
    #[must_use]
    pub fn charged(&self) -> &[Charged] {
        self.charged.as_ref().map_or(&[], |charged| charged.as_slice())
    }

    /// A try is counted together with the transaction that consumed it.
    fn note_charged(&mut self, at: Timestamp, effects: &[Effect]) {
        let counted = effects.iter().any(|effect| matches!(effect, Effect::CountTry { .. }));
        let key = effects.iter().find_map(|effect| match effect {
            Effect::Remember { trace } if matches!(trace.role, Role::Financial(_)) => Some(trace.key),
            _ => None,
        });
        if let Some(key) = key.filter(|_| counted) {
            self.charged.get_or_insert_default().push(Charged { key, at });
        }
    }

    /// What a purchase may use.
    #[must_use]
    pub fn available(&self) -> Amount {
        self.balance.minus(self.held).unwrap_or(Amount::ZERO)
    }

    /// The financial transaction with this key.
    #[must_use]
    pub fn financial(&self, key: &TransactionKey) -> Option<&Trace> {
        self.traces.iter().rev().find(|t| t.key == *key && matches!(t.role, Role::Financial(_)))
    }

    /// The original that a void, completion or refund at this terminal points at: all references that were given must
    /// agree.
    #[must_use]
    pub fn original(&self, reference: &OriginalRef, terminal: &TerminalId, kinds: &[Kind]) -> Option<&Trace> {
        if *reference == OriginalRef::default() {
            return None;
        }
        self.traces.iter().rev().find(|t| {
            let Role::Financial(kind) = t.role else { return false };
            kinds.contains(&kind)
                && reference.trace.is_none_or(|(batch, stan)| {
                    t.key.stan == stan && t.key.batch == batch && t.key.terminal == *terminal
                })
                && reference.rrn.is_none_or(|rrn| t.rrn == rrn)
                && reference.approval.is_none_or(|code| t.approval == Some(code))
        })
    }

    /// What is with the card's issuer, or on its way there, oldest first; nothing for our own cards.
    #[must_use]
    pub fn forwards(&self) -> &[Forward] {
        self.forwards.as_ref().map_or(&[], |forwards| forwards.as_slice())
    }

    fn apply_one(&mut self, effect: &Effect, journal_seq: u64) {
        match effect {
            Effect::CountTry { counter } => self.tries = *counter,
            Effect::ResetTries => {
                self.tries = Counter::default();
                self.charged = None;
                self.step_up = None;
                if self.lock.is_none() {
                    self.locks_in_a_row = 0;
                }
            }
            Effect::Lock { lock, in_a_row } => {
                self.lock = Some(*lock);
                self.locks_in_a_row = *in_a_row;
            }
            Effect::Unlock { .. } => {
                self.charged = None;
                self.lock = None;
                self.step_up = None;
                self.tries = Counter::default();
            }
            Effect::RequireStepUp { valid_s } => self.step_up = Some(StepUp::Required { valid_s: *valid_s }),
            Effect::StepUpPassed { until } => {
                let valid_s = match self.step_up {
                    Some(StepUp::Required { valid_s } | StepUp::Passed { valid_s, .. }) => valid_s,
                    None => return,
                };
                self.step_up = Some(StepUp::Passed { until: *until, valid_s });
            }
            Effect::Restrict { restriction } => self.restriction = Some(*restriction),
            Effect::Unrestrict => self.restriction = None,
            Effect::Post { delta } => self.balance = self.balance.plus(*delta).unwrap_or(self.balance),
            Effect::Hold { delta } => self.held = self.held.plus(*delta).unwrap_or(self.held),
            Effect::Remember { trace } => self.traces.push_back(Trace { journal_seq, ..trace.clone() }),
            Effect::Mark { key, status } => {
                let found = self
                    .traces
                    .iter_mut()
                    .rev()
                    .find(|t| t.key == *key && matches!(t.role, Role::Financial(_)));
                if let Some(trace) = found {
                    trace.status = *status;
                }
            }
            Effect::RestoreTries { restored } => self.restore(restored),
            Effect::StepUp { change } => {
                self.proofs.get_or_insert_default().apply(change);
                self.proofs.take_if(|proofs| proofs.is_empty());
            }
            Effect::SetBlock { block } => self.block = *block,
            Effect::SetPin { .. }
            | Effect::ResetPin { .. }
            | Effect::FailActivation { .. }
            | Effect::RequirePinChange
            | Effect::RemindPinAge { .. } => self.apply_pin(effect),
            Effect::Forward { forward } => self.forwards.get_or_insert_default().push((**forward).clone()),
            Effect::Undo { key, undo } => {
                self.change_forward(key, |forward| forward.stage = Stage::Undo(*undo))
            }
            Effect::UndoSaid { key } => self.change_forward(key, Forward::note_said),
            Effect::ForwardDone { key } => {
                if let Some(forwards) = &mut self.forwards {
                    forwards.remove(key);
                }
                self.forwards.take_if(|forwards| forwards.as_slice().is_empty());
            }
        }
    }

    fn restore(&mut self, restored: &RestoredTries) {
        self.tries = restored.counter;
        if let Some(charged) = &mut self.charged {
            charged.retain(|charged| !restored.transactions.contains(&charged.key));
        }
        self.charged.take_if(|charged| charged.is_empty());
        if restored.lifts_lock {
            self.lock = None;
            self.locks_in_a_row = self.locks_in_a_row.saturating_sub(1);
        }
        if restored.lifts_step_up {
            self.step_up = None;
        }
    }

    fn change_forward(&mut self, key: &TransactionKey, change: impl FnOnce(&mut Forward)) {
        if let Some(forward) = self.forwards.as_mut().and_then(|forwards| forwards.get_mut(key)) {
            change(forward);
        }
    }

    /// Bounds the memory of a card. The newest [`TRACES_KEPT`] always stay: their repeats must meet them. Of the older
    /// ones those go first that nothing can undo any more, then, when there are too many, what was declined, then the
    /// oldest.
    fn forget_old(&mut self, now: Timestamp) {
        while self.traces.len() > TRACES_KEPT {
            let older = self.traces.len() - TRACES_KEPT;
            let first = |matches: &dyn Fn(&Trace) -> bool| self.traces.iter().take(older).position(matches);
            let victim = first(&|trace| !trace.may_matter(now)).or_else(|| {
                let full = self.traces.len() > TRACES_LIMIT;
                full.then(|| first(&|trace| trace.status != Status::Approved).unwrap_or(0))
            });
            match victim {
                Some(index) => drop(self.traces.remove(index)),
                None => break,
            }
        }
    }
}

impl Trace {
    /// Is this an approved pre-authorization that still holds money?
    #[must_use]
    pub fn is_open_hold(&self) -> bool {
        self.role == Role::Financial(Kind::PreAuth) && self.status == Status::Approved
    }

    fn may_matter(&self, now: Timestamp) -> bool {
        let age = now.since_ms(self.at);
        age < TRACE_AGE_MS || (self.is_open_hold() && age < HOLD_AGE_MS)
    }
}
