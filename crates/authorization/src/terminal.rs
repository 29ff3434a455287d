//! A terminal's session: signed in, in a batch, until it settles; and the key sets under which it may speak.

use std::collections::VecDeque;

use minicbor::{Decode, Encode};
use model::{
    BatchNumber, KeyBlock, KeyScheme, Ksn, MerchantId, OperatorId, ReasonCode, Stan, TerminalId, Timestamp,
    TransactionKey,
};
use serde::Serialize;

use crate::{
    key_set::{KeySet, KeySetEffect, KeySets},
    settlement::Totals,
};

/// A terminal as the acquirer registered it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct TerminalRecord {
    /// DE 41.
    #[n(0)]
    pub id: TerminalId,
    /// The merchant it stands at (DE 42).
    #[n(1)]
    pub merchant: MerchantId,
    /// Merchant's name, for people and receipts (DE 43).
    #[n(2)]
    pub merchant_name: String,
    /// The keys that it was registered with. What a migration changed since is in the state.
    #[n(3)]
    pub keys: KeySet,
    /// What it is, and where it should stand. Nothing is decided by it: the diagnosis compares it with what messages say.
    #[cbor(n(4), default)]
    pub site: Site,
}

/// What was registered about a terminal beyond its number; what is not known is left out.
#[derive(Debug, Clone, PartialEq, Eq, Default, Encode, Decode, Serialize)]
pub struct Site {
    /// Merchant category (DE 18); without it the one inside the merchant number.
    #[n(0)]
    pub category: Option<u16>,
    /// Where it should stand.
    #[n(1)]
    pub place: Option<Place>,
    /// Manufacturer's model.
    #[n(2)]
    pub model: Option<String>,
}

/// A place on earth, in millionths of a degree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct Place {
    /// North is positive.
    #[n(0)]
    pub latitude_e6: i32,
    /// East is positive.
    #[n(1)]
    pub longitude_e6: i32,
}

/// Everything about a terminal that its journal has changed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Encode, Decode)]
pub struct TerminalState {
    /// Number of the terminal's last journal entry.
    #[n(0)]
    pub seq: u32,
    /// The session since the last sign-in.
    #[n(1)]
    pub session: Option<Session>,
    /// The current batch; the first sign-in opens batch 1.
    #[n(2)]
    pub batch: BatchNumber,
    /// Suspended by staff.
    #[n(3)]
    pub suspended: bool,
    /// Reversals that came without a card number and found no original, newest last: their originals are refused.
    #[n(4)]
    pub tombstones: VecDeque<Tombstone>,
    /// What migrations made of its keys, and which key serial numbers are used up.
    #[n(5)]
    pub key_sets: KeySets,
    /// Staff want it to sign in again; its answers say so until it has.
    #[cbor(n(6), default)]
    pub sign_in_ordered: bool,
    /// Who of the shop's people is signed on.
    #[n(7)]
    pub duty: Option<Duty>,
}

/// One of the shop's own people at the terminal (操作员签到).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct Duty {
    /// Who.
    #[n(0)]
    pub operator: OperatorId,
    /// Since when.
    #[n(1)]
    pub since: Timestamp,
    /// It ends by itself.
    #[n(2)]
    pub until: Timestamp,
    /// DE 11 of the message that signed on.
    #[n(3)]
    pub stan: Option<Stan>,
}

/// What the shop's people did at a terminal. Their passwords and tries are kept elsewhere (`shop`): this is what the terminal's
/// journal shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub enum OperatorStep {
    /// Signed on; whoever was before is not any more.
    #[n(0)]
    SignOn(#[n(0)] Duty),
    /// Nobody is signed on.
    #[n(1)]
    SignOff,
    /// The operator has a new password of their own, and is signed on.
    #[n(2)]
    ChangePassword(#[n(0)] Duty),
    /// The supervisor who is signed on gave another operator a first password.
    #[n(3)]
    Reset(#[n(0)] OperatorId),
    /// Not accepted, and nothing of the terminal changed.
    #[n(4)]
    Refused(#[n(0)] OperatorId),
}

/// A reversal that overtook its original.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct Tombstone {
    /// The original that must not be posted.
    #[n(0)]
    pub original: TransactionKey,
    /// The reversal's own key.
    #[n(1)]
    pub reversal: TransactionKey,
    /// Where the reversal's answer is stored.
    #[n(2)]
    pub journal_seq: u64,
}

/// Terminals reverse before their next transaction, so a handful would do.
const TOMBSTONES_KEPT: usize = 64;

/// A session since its sign-in.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Session {
    /// When the terminal signed in.
    #[n(0)]
    pub since: Timestamp,
    /// The scheme of the key set that it signed in with.
    #[n(1)]
    pub scheme: KeyScheme,
    /// Working keys, sealed; none with DUKPT, where every transaction has its own.
    #[n(2)]
    pub work: Option<WorkKeys>,
    /// Keys of the session before: a message that crossed the sign-in on the wire still verifies for a grace time.
    #[n(3)]
    pub previous: Option<PreviousKeys>,
    /// Check values of the current keys, for people.
    #[n(4)]
    pub check_values: Vec<String>,
}

/// Working keys, sealed.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct WorkKeys {
    /// Terminal PIN key.
    #[n(0)]
    pub tpk: KeyBlock,
    /// Terminal MAC key.
    #[n(1)]
    pub tak: KeyBlock,
    /// Terminal track data key.
    #[n(2)]
    pub tdk: Option<KeyBlock>,
}

/// The keys that a sign-in replaced.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct PreviousKeys {
    /// Their scheme.
    #[n(0)]
    pub scheme: KeyScheme,
    /// The keys.
    #[n(1)]
    pub work: WorkKeys,
    /// Accepted until then.
    #[n(2)]
    pub until: Timestamp,
}

/// One change of a terminal's state.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum TerminalEffect {
    /// Signed in with fresh keys.
    #[n(0)]
    SignIn {
        /// The new session, without `previous`: the fold keeps the old keys for the grace time.
        #[n(0)]
        session: Session,
        /// The batch in which the session starts.
        #[n(1)]
        batch: BatchNumber,
        /// How long the old keys are accepted.
        #[n(2)]
        grace_ms: u32,
    },
    /// Signed out: keys are dropped.
    #[n(1)]
    SignOut,
    /// The batch was settled; the next one is open.
    #[n(2)]
    Settle {
        /// The settled batch.
        #[n(0)]
        batch: BatchNumber,
        /// Our totals.
        #[n(1)]
        ours: Totals,
        /// The terminal's totals.
        #[n(2)]
        theirs: Totals,
    },
    /// A request was refused before any card was touched (MAC, batch, format, unknown card).
    #[n(3)]
    Refused {
        /// Why.
        #[n(0)]
        reason: ReasonCode,
    },
    /// A reversal without card number found no original: remembered, so that the original is refused when it comes.
    #[n(5)]
    Bury {
        /// The original that must not be posted.
        #[n(0)]
        original: TransactionKey,
        /// The reversal's own key.
        #[n(1)]
        reversal: TransactionKey,
    },
    /// The terminal reported a fact (batch upload, script results); it is in the exchange.
    #[n(6)]
    Noted,
    /// Suspended, or allowed again, by staff.
    #[n(4)]
    Suspend {
        /// Is it suspended now?
        #[n(0)]
        suspended: bool,
    },
    /// Staff want it to sign in again.
    #[n(9)]
    OrderSignIn,
    /// A step of a migration to other keys.
    #[n(7)]
    KeySet(#[n(0)] KeySetEffect),
    /// A key serial number was used for a PIN; it is never accepted for another.
    #[n(8)]
    UseKsn {
        /// The number.
        #[n(0)]
        ksn: Ksn,
        /// The transaction that used it.
        #[n(1)]
        by: TransactionKey,
    },
    /// The shop's own people.
    #[n(10)]
    Operator(#[n(0)] OperatorStep),
}

impl TerminalState {
    /// Who of the shop's people is signed on now.
    #[must_use]
    pub fn on_duty(&self, now: Timestamp) -> Option<Duty> {
        self.duty.filter(|duty| now < duty.until)
    }

    /// Folds one journal entry into the state.
    pub fn apply(&mut self, seq: u32, journal_seq: u64, at: Timestamp, effect: &TerminalEffect) {
        debug_assert_eq!(seq, self.seq + 1, "entries are folded in order");
        self.seq = seq;
        match effect {
            TerminalEffect::SignIn { session, batch, grace_ms } => {
                let previous = self.session.take().and_then(|old| {
                    let until = at.plus_ms(i64::from(*grace_ms));
                    old.work.map(|work| PreviousKeys { scheme: old.scheme, work, until })
                });
                self.session = Some(Session { previous, ..session.clone() });
                self.batch = *batch;
                self.sign_in_ordered = false;
            }
            TerminalEffect::SignOut => self.session = None,
            TerminalEffect::OrderSignIn => self.sign_in_ordered = true,
            TerminalEffect::Settle { batch, .. } => self.batch = batch.next(),
            TerminalEffect::Suspend { suspended } => self.suspended = *suspended,
            TerminalEffect::Bury { original, reversal } => {
                if self.tombstones.len() >= TOMBSTONES_KEPT {
                    self.tombstones.pop_front();
                }
                self.tombstones.push_back(Tombstone {
                    original: *original,
                    reversal: *reversal,
                    journal_seq,
                });
            }
            TerminalEffect::KeySet(effect) => self.key_sets.apply(at, effect),
            TerminalEffect::UseKsn { ksn, by } => self.key_sets.note_ksn(*ksn, *by),
            TerminalEffect::Operator(step) => self.step_of_operator(step),
            TerminalEffect::Refused { .. } | TerminalEffect::Noted => {}
        }
    }

    fn step_of_operator(&mut self, step: &OperatorStep) {
        match step {
            OperatorStep::SignOn(duty) | OperatorStep::ChangePassword(duty) => self.duty = Some(*duty),
            OperatorStep::SignOff => self.duty = None,
            OperatorStep::Reset(_) | OperatorStep::Refused(_) => {}
        }
    }

    /// Did a reversal of this transaction come first?
    #[must_use]
    pub fn is_overtaken(&self, original: &TransactionKey) -> bool {
        self.tombstones.iter().any(|t| t.original == *original)
    }

    /// Where the answer to an earlier copy of this reversal is stored.
    #[must_use]
    pub fn buried(&self, reversal: &TransactionKey) -> Option<u64> {
        self.tombstones.iter().rev().find(|t| t.reversal == *reversal).map(|t| t.journal_seq)
    }

    /// The batch that a sign-in opens or goes on with.
    #[must_use]
    pub fn batch_for_sign_in(&self) -> BatchNumber {
        if self.batch == BatchNumber::NONE { BatchNumber::NONE.next() } else { self.batch }
    }
}

/// Do the totals agree?
#[must_use]
pub fn is_balanced(ours: &Totals, theirs: &Totals) -> bool {
    ours == theirs
}

/// What people see of a session: check values, never keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SessionView {
    /// When the terminal signed in.
    pub since: Timestamp,
    /// Name of the key set's scheme.
    pub scheme: KeyScheme,
    /// Check values of PIN key, MAC key and, if there is one, track key.
    pub check_values: Vec<String>,
}

impl From<&Session> for SessionView {
    fn from(session: &Session) -> Self {
        Self { since: session.since, scheme: session.scheme, check_values: session.check_values.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Encode)]
    struct RecordOfOld {
        #[n(0)]
        id: TerminalId,
        #[n(1)]
        merchant: MerchantId,
        #[n(2)]
        merchant_name: String,
        #[n(3)]
        keys: KeySet,
    }

    #[test]
    fn a_terminal_that_was_registered_before_sites_is_read() {
        let scheme = KeyScheme::Tdes;
        let key = KeyBlock::new("D0112K0AB00E0000".into());
        let keys =
            KeySet { scheme, key, format: scheme.usual_format(), device: None, check_value: "A1".into() };
        let (id, merchant) = ("T0000001".parse().unwrap(), "898510154110283".parse().unwrap());
        let old = RecordOfOld { id, merchant, merchant_name: "noodles".into(), keys };
        let read: TerminalRecord = minicbor::decode(&minicbor::to_vec(&old).unwrap()).unwrap();
        assert_eq!((read.id, read.site), (id, Site::default()));
    }
}
