//! Is the message the terminal's? The MAC is checked before any card is touched, so a forged or garbled message can
//! neither consume a try nor learn anything.

use hsm::{MacOutcome, ModuleError};
use model::{KeyBlock, ReasonCode};
use store::Terminal;

use super::Work;

/// The keys under which a message was found genuine: its PIN block is under the same generation, and its answer is
/// signed with it.
pub(crate) struct Keys {
    pub(crate) tpk: KeyBlock,
    pub(crate) tak: KeyBlock,
}

/// Verifies the MAC under the session's keys, or for a grace time under those before the last sign-in.
pub(crate) async fn verify(work: &Work<'_>, terminal: &Terminal) -> Result<Keys, ReasonCode> {
    let session = terminal.state.session.as_ref().ok_or(ReasonCode::SignInRequired)?;
    let field = work.message.mac_field().ok_or(ReasonCode::MacInvalid)?;
    let covered = work.message.before(field).ok_or(ReasonCode::MacInvalid)?;
    let mac: &[u8; 8] =
        work.message.raw(field).and_then(|m| m.try_into().ok()).ok_or(ReasonCode::MacInvalid)?;
    if is_valid(work, &session.tak, covered, mac).await? {
        return Ok(Keys { tpk: session.tpk.clone(), tak: session.tak.clone() });
    }
    match session.previous.as_ref().filter(|previous| previous.until > work.now) {
        Some(previous) if is_valid(work, &previous.tak, covered, mac).await? => {
            Ok(Keys { tpk: previous.tpk.clone(), tak: previous.tak.clone() })
        }
        _ => Err(ReasonCode::MacInvalid),
    }
}

/// Messages that their network sends without a MAC (settlement, batch upload): one that is there must be right.
pub(crate) async fn verify_if_present(work: &Work<'_>, terminal: &Terminal) -> Result<(), ReasonCode> {
    if terminal.state.session.is_none() {
        return Err(ReasonCode::SignInRequired);
    }
    match work.message.mac_field() {
        Some(_) => verify(work, terminal).await.map(drop),
        None => Ok(()),
    }
}

async fn is_valid(
    work: &Work<'_>,
    tak: &KeyBlock,
    covered: &[u8],
    mac: &[u8; 8],
) -> Result<bool, ReasonCode> {
    let verifying = work.shared.module.verify_mac(tak, work.link.mac, covered, mac);
    match work.shared.patiently(verifying).await {
        Ok(outcome) => Ok(outcome == MacOutcome::Valid),
        Err(error) => Err(fault(&error)),
    }
}

/// What the module's trouble means to a terminal.
pub(crate) fn fault(error: &ModuleError) -> ReasonCode {
    tracing::error!(%error, "security module");
    match error {
        ModuleError::KeyRefused(_) | ModuleError::Unsupported(_) => ReasonCode::KeyFault,
        ModuleError::Away(_) => ReasonCode::SecurityModuleAway,
    }
}
