//! What the judge keeps of one card: the fold of its durable entries, and the model beside it.

use std::collections::HashMap;

use ::model::{Kind, ReasonCode, TransactionKey, Unverifiable};
use authorization::{CardState, Effect, PinVerdict, Role, effect::RestoredTries, pin_try::Counter};
use store::{Entry, journal::Transaction};

use super::{Intent, Side, Typed, model::CardModel, refuse_if};
use crate::kit::OPENING;

/// One card.
#[derive(Debug)]
pub(super) struct CardFile {
    pub(super) model: CardModel,
    /// Newest entry whose answer has left.
    pub(super) answered_up_to: u64,
    /// Wrong PINs that were answered, by interval between resets.
    pub(super) guesses_answered: HashMap<usize, usize>,
    /// Tries that were given back because a fault had consumed them, by the same interval.
    pub(super) restored: HashMap<usize, usize>,
    folded: CardState,
    /// With what is queued and not durable yet.
    queued: Option<CardState>,
}

impl Default for CardFile {
    fn default() -> Self {
        let folded = CardState {
            seq: 0,
            tries: Counter::default(),
            lock: None,
            locks_in_a_row: 0,
            step_up: None,
            restriction: None,
            block: None,
            balance: OPENING,
            held: ::model::Amount::ZERO,
            traces: std::collections::VecDeque::new(),
            forwards: None,
            charged: None,
            proofs: None,
            pin: None,
        };
        Self {
            model: CardModel::new(OPENING.0),
            answered_up_to: 0,
            guesses_answered: HashMap::new(),
            restored: HashMap::new(),
            folded,
            queued: None,
        }
    }
}

/// Which side of its key a transaction is.
pub(super) fn side(transaction: &Transaction) -> Side {
    if transaction.role == Role::Reversal { Side::Reversal } else { Side::Payment }
}

/// Was a wrong PIN proven?
pub(super) fn is_mismatch(transaction: &Transaction) -> bool {
    transaction.pin == PinVerdict::Mismatch
}

/// The key was used for other contents: this decision leaves no trace.
pub(super) fn is_unremembered(transaction: &Transaction) -> bool {
    transaction.reason == ReasonCode::DuplicateTrace && transaction.effects.is_empty()
}

impl CardFile {
    /// What is on the account.
    pub(super) fn balance(&self) -> i64 {
        self.folded.balance.0
    }

    /// Does the card still remember this transaction?
    pub(super) fn remembers(&self, side: Side, key: &TransactionKey) -> bool {
        let is = |role| (side == Side::Reversal) == (role == Role::Reversal);
        self.folded.traces.iter().any(|trace| trace.key == *key && is(trace.role))
    }

    /// Folds an entry, lets the model do the same, and compares.
    pub(super) fn judge(
        &mut self,
        place: u64,
        entry: &Entry,
        transaction: &Transaction,
        intent: &Intent,
    ) -> Result<(), String> {
        refuse_if(entry.seq != self.folded.seq + 1, || format!("entry {place} does not continue its card"))?;
        self.folded.apply(entry.seq, place, entry.at, &transaction.effects);
        if is_unremembered(transaction) {
            return Ok(());
        }
        let expected = match transaction.role {
            Role::Reversal => self.model.reverse(transaction.key),
            Role::Financial(kind) => {
                let looked = looked(transaction, intent)?;
                let amount = if kind == Kind::Balance { 0 } else { intent.amount };
                self.model.pay(transaction.key, intent.typed, amount, entry.at.0, looked)
            }
        };
        let (tries, lock) = (self.folded.tries.used(), self.folded.lock.and_then(|lock| lock.until));
        let state = (tries, lock.map(|until| until.0), self.folded.balance.0);
        let wanted = (self.model.tries, self.model.locked_until, self.model.balance);
        refuse_if(state != wanted, || {
            format!("entry {place}, {:?}: tries, lock, balance {state:?} and not {wanted:?}", transaction.key)
        })?;
        refuse_if(transaction.code.as_str() != expected, || {
            format!("entry {place}, {:?}: {} and not {expected}", transaction.key, transaction.code)
        })?;
        let counts = transaction.effects.iter().any(|e| matches!(e, Effect::CountTry { .. }));
        refuse_if(counts != is_mismatch(transaction), || format!("entry {place} counts a try without proof"))
    }

    /// Tries were given back: what was named was a mismatch of this interval, and the model does the same.
    pub(super) fn judge_restored(
        &mut self,
        place: u64,
        entry: &Entry,
        restored: &RestoredTries,
    ) -> Result<(), String> {
        refuse_if(entry.seq != self.folded.seq + 1, || format!("entry {place} does not continue its card"))?;
        let charged: Vec<TransactionKey> = self.folded.charged().iter().map(|charged| charged.key).collect();
        let all = restored.transactions.iter().all(|key| charged.contains(key));
        refuse_if(!all, || format!("entry {place} gives back a try that was not consumed"))?;
        self.folded.apply(entry.seq, place, entry.at, entry.event.card_effects());
        self.model.restore(restored.transactions.len() as u8);
        *self.restored.entry(self.model.resets).or_insert(0) += restored.transactions.len();
        let state = (self.folded.tries.used(), self.folded.lock.is_some());
        let wanted = (self.model.tries, self.model.locked_until.is_some());
        refuse_if(state != wanted, || {
            format!("entry {place}: tries, lock {state:?} and not {wanted:?} after")
        })
    }

    /// An entry is queued.
    pub(super) fn queue(&mut self, place: u64, entry: &Entry, effects: &[Effect]) -> Result<(), String> {
        let queued = self.queued.get_or_insert_with(|| self.folded.clone());
        refuse_if(entry.seq != queued.seq + 1, || format!("entry {place} does not continue its card"))?;
        queued.apply(entry.seq, place, entry.at, effects);
        Ok(())
    }

    /// What was queued is not to be relied on any more.
    pub(super) fn queue_lost(&mut self) {
        self.queued = None;
    }

    /// Is this state what the journal says, and what is queued for it?
    pub(super) fn check_state(&self, state: &CardState) -> Result<(), String> {
        let newest =
            self.queued.as_ref().filter(|queued| queued.seq > self.folded.seq).unwrap_or(&self.folded);
        let ahead = state.seq > newest.seq;
        let differs = state.seq == newest.seq && state != newest;
        refuse_if(ahead || differs, || format!("a state without a journal entry, at {}", state.seq))
    }
}

/// Could the module look at the PIN? What it says about the PIN must be true.
fn looked(transaction: &Transaction, intent: &Intent) -> Result<bool, String> {
    let wrong = |what: &str| Err(format!("{:?}: {what}, and it was {:?}", transaction.key, intent.typed));
    match (transaction.pin, intent.typed) {
        (PinVerdict::Unverifiable(Unverifiable::ModuleUnavailable), _) => Ok(false),
        (PinVerdict::Unverifiable(Unverifiable::PinBlockFormat), Typed::OtherKey) => Ok(true),
        (PinVerdict::Unverifiable(_), _) => wrong("the PIN could not be verified"),
        (PinVerdict::Mismatch, Typed::Wrong) | (PinVerdict::Verified, Typed::Right) => Ok(true),
        (PinVerdict::Mismatch, _) => wrong("a wrong PIN was proven"),
        (PinVerdict::Verified, _) => wrong("a right PIN was proven"),
        (PinVerdict::SentToIssuer, _) => wrong("no card here has another issuer"),
        (PinVerdict::NotAsked | PinVerdict::Discarded, _) => Ok(true),
    }
}
