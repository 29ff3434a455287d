//! Is this terminal known, allowed, at its merchant, signed in, and in the right batch?

use std::sync::Arc;

use model::ReasonCode;
use store::{StoreError, Terminal};

use super::{Work, authenticate};
use crate::intake;

/// Finds the terminal; every message needs this.
pub(crate) async fn find(work: &Work<'_>) -> Result<Arc<Terminal>, ReasonCode> {
    let found = work.shared.store.engine().terminal(&work.identity.terminal).await.map_err(|e| away(&e))?;
    let terminal = found.ok_or(ReasonCode::UnknownTerminal)?;
    if work.identity.merchant.is_some_and(|m| m != terminal.record.merchant) {
        return Err(ReasonCode::UnknownMerchant);
    }
    if terminal.state.suspended {
        return Err(ReasonCode::TerminalSuspended);
    }
    Ok(terminal)
}

/// May it pay now? Batches are checked where the network has them.
pub(crate) fn ready_to_pay(work: &Work<'_>, terminal: &Terminal) -> Result<(), ReasonCode> {
    // With DUKPT no session is needed where there are no batches: every transaction brings its own keys.
    let has_own_keys = authenticate::ksn(work)?.is_some() && !work.link.profile.batches;
    if terminal.state.session.is_none() && !has_own_keys {
        return Err(ReasonCode::SignInRequired);
    }
    let batch = intake::batch(work.message);
    if work.link.profile.batches && batch.is_some_and(|b| b != terminal.state.batch) {
        return Err(ReasonCode::BatchMismatch);
    }
    Ok(())
}

/// What the store's trouble means to a terminal. Nothing was decided.
pub(crate) fn away(error: &StoreError) -> ReasonCode {
    match error {
        StoreError::Overloaded => ReasonCode::Overloaded,
        StoreError::Away(_) | StoreError::Corrupt(_) => {
            tracing::error!(%error, "the store is away");
            ReasonCode::StoreAway
        }
    }
}
