//! What a decision changes. Effects are the journal's contents: state is their fold, so a policy that changes
//! tomorrow does not change what was decided today.

use minicbor::{Decode, Encode};
use model::{Amount, SealedReference, Timestamp, TransactionKey};
use serde::Serialize;

use crate::{
    card::Block,
    forward::{Forward, Undo},
    lock::Lock,
    pin::{NewPin, Reset},
    pin_try::Counter,
    state::{Status, Trace},
};

/// One change of a card's state.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    /// A proven mismatch was counted.
    #[n(0)]
    CountTry {
        /// The counter after it.
        #[n(0)]
        counter: Counter,
    },
    /// A right PIN, or a release, gave all tries back.
    #[n(1)]
    ResetTries,
    /// Tries used up.
    #[n(2)]
    Lock {
        /// Since when and until when.
        #[n(0)]
        lock: Lock,
        /// How many locks in a row, this one included.
        #[n(1)]
        in_a_row: u8,
    },
    /// The lock ended.
    #[n(3)]
    Unlock {
        /// Who or what released it.
        #[n(0)]
        by: ReleasedBy,
    },
    /// The next attempt needs a second proof of identity.
    #[n(4)]
    RequireStepUp {
        /// How long a passed step-up will count, in seconds.
        #[n(0)]
        valid_s: u32,
    },
    /// The second proof was given.
    #[n(5)]
    StepUpPassed {
        /// It counts until then.
        #[n(0)]
        until: Timestamp,
    },
    /// Payments are restricted for a time.
    #[n(6)]
    Restrict {
        /// The restriction.
        #[n(0)]
        restriction: Restriction,
    },
    /// Staff lifted the restriction.
    #[n(7)]
    Unrestrict,
    /// Money moved: negative for a purchase.
    #[n(8)]
    Post {
        /// By how much the balance changes.
        #[n(0)]
        delta: Amount,
    },
    /// Money was set aside, or given free when negative.
    #[n(9)]
    Hold {
        /// By how much the held sum changes.
        #[n(0)]
        delta: Amount,
    },
    /// The transaction is remembered, so that a repeat meets it.
    #[n(10)]
    Remember {
        /// The trace.
        #[n(0)]
        trace: Trace,
    },
    /// An earlier transaction changed its status.
    #[n(11)]
    Mark {
        /// Which.
        #[n(0)]
        key: TransactionKey,
        /// To what.
        #[n(1)]
        status: Status,
    },
    /// A transaction with another issuer's card is about to be sent to that issuer, or an undo of one is queued.
    #[n(13)]
    Forward {
        /// What is sent.
        #[n(0)]
        forward: Box<Forward>,
    },
    /// What was sent must be undone at the issuer: it may have been approved there and was not here.
    #[n(14)]
    Undo {
        /// Which.
        #[n(0)]
        key: TransactionKey,
        /// The reversal's own identity.
        #[n(1)]
        undo: Undo,
    },
    /// The reversal is about to leave for the first time: every further sending is a repeat.
    #[n(15)]
    UndoSaid {
        /// Which.
        #[n(0)]
        key: TransactionKey,
    },
    /// Nothing more is to be said to the issuer about it.
    #[n(16)]
    ForwardDone {
        /// Which.
        #[n(0)]
        key: TransactionKey,
    },
    /// Tries that a fault had consumed were given back.
    #[n(17)]
    RestoreTries {
        /// Which, and what follows.
        #[n(0)]
        restored: Box<RestoredTries>,
    },
    /// A challenge for a second proof was issued, answered, or used up.
    #[n(20)]
    StepUp {
        /// What changed.
        #[n(0)]
        change: Box<stepup::Change>,
    },
    /// The holder has a new PIN.
    #[n(18)]
    SetPin {
        /// What it is compared with, sealed.
        #[n(0)]
        new: Box<NewPin>,
    },
    /// Staff reset the PIN: the old one is worth nothing, the holder sets a new one.
    #[n(19)]
    ResetPin {
        /// By which activation.
        #[n(0)]
        reset: Box<Reset>,
        /// Earlier PINs, the one that was reset first.
        #[n(1)]
        earlier: Vec<SealedReference>,
    },
    /// An attempt to use the activation: it failed, unless the holder's new PIN follows.
    #[n(23)]
    FailActivation {
        /// So many have.
        #[n(0)]
        failed: u8,
    },
    /// The issuer asks for another PIN before the next payment.
    #[n(21)]
    RequirePinChange,
    /// The holder is to be reminded of the PIN's age.
    #[n(22)]
    RemindPinAge {
        /// So many days before it is too old, at most.
        #[n(0)]
        days: u16,
    },
    /// The issuer's staff blocked the card, or lifted the block.
    #[n(12)]
    SetBlock {
        /// The block, or none.
        #[n(0)]
        block: Option<Block>,
    },
}

/// Tries that were given back, and why they may be.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct RestoredTries {
    /// The incident in which they were consumed.
    #[n(0)]
    pub incident: u64,
    /// The transactions that had consumed them: one try each.
    #[n(1)]
    pub transactions: Vec<TransactionKey>,
    /// The counter after it.
    #[n(2)]
    pub counter: Counter,
    /// Does the lock end that the last of them had brought?
    #[n(3)]
    pub lifts_lock: bool,
    /// Does the step-up end that they had brought?
    #[n(4)]
    pub lifts_step_up: bool,
}

/// Who or what ended a lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReleasedBy {
    /// Its time came.
    #[n(0)]
    Time,
    /// The bank's staff.
    #[n(1)]
    Staff,
    /// The holder set a new PIN after a reset.
    #[n(2)]
    NewPin,
}

/// A restriction after wrong PINs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct Restriction {
    /// The largest amount.
    #[n(0)]
    pub max_amount: Amount,
    /// Is cash refused?
    #[n(1)]
    pub no_cash: bool,
    /// Until when.
    #[n(2)]
    pub until: Timestamp,
}
