//! Has this request been decided before? (docs/reference/rules.md R1, R2, R10, R11)

use model::TransactionKey;

use crate::state::{CardState, Role, Trace};

/// What the card remembers about a key.
#[derive(Debug, PartialEq, Eq)]
pub enum Seen<'a> {
    /// Nothing: a new request.
    New,
    /// The same request: its stored answer is sent again, byte for byte, and nothing moves.
    Repeat(&'a Trace),
    /// The key was used for other contents (94).
    OtherContents,
    /// Its reversal came first (tombstone): it is refused and never posted.
    Overtaken,
}

/// Looks for a financial request.
#[must_use]
pub fn financial<'a>(state: &'a CardState, key: &TransactionKey, digest: u64) -> Seen<'a> {
    if let Some(trace) = state.financial(key) {
        return if trace.digest == digest { Seen::Repeat(trace) } else { Seen::OtherContents };
    }
    let reversed = state.traces.iter().any(|t| t.role == Role::Reversal && t.original.as_ref() == Some(key));
    if reversed { Seen::Overtaken } else { Seen::New }
}

/// Looks for a reversal. One with the same key is answered again even if a detail differs (terminals change DE 39
/// between attempts): there is nothing more to undo.
#[must_use]
pub fn reversal<'a>(state: &'a CardState, key: &TransactionKey) -> Seen<'a> {
    match state.traces.iter().rev().find(|t| t.role == Role::Reversal && t.key == *key) {
        Some(trace) => Seen::Repeat(trace),
        None => Seen::New,
    }
}
