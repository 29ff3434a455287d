//! From a reply to what the caller of [`crate::SecurityModule`] learns. The one place of this client where a PIN is
//! called verified.

use model::{CardId, PinOutcome, PinReference, PinVerified, Unverifiable};

use super::{
    command::{Encoded, Proves},
    error::Meaning,
    reply::{Content, Reply},
};
use crate::module::{EncryptedPinBlock, MacOutcome, ModuleError, PinChangeRefused, PinChanged};

/// What a reply to a command means.
#[must_use]
pub fn meaning(command: &Encoded, reply: &Reply) -> Meaning {
    reply.error.meaning(command.proves() != Proves::Nothing)
}

/// The reply to DC, EC, GQ, DA, EA or GO.
#[must_use]
pub fn of_verification(card: CardId, command: &Encoded, reply: &Reply) -> PinOutcome {
    match (command.proves(), meaning(command, reply), &reply.content) {
        (Proves::Pin, Meaning::Done, Content::Nothing) => PinOutcome::Verified(PinVerified::attest(card)),
        (Proves::Pin, Meaning::Mismatch, Content::Nothing) => PinOutcome::Mismatch,
        (_, other, _) => PinOutcome::Unverifiable(other.unverifiable()),
    }
}

/// The reply to CA, CC or G0.
///
/// # Errors
/// [`Unverifiable`].
pub fn of_translation(command: &Encoded, reply: Reply) -> Result<EncryptedPinBlock, Unverifiable> {
    match (meaning(command, &reply), reply.content) {
        (Meaning::Done, Content::Translated(block)) => Ok(block),
        (other, _) => Err(other.unverifiable()),
    }
}

/// The reply to CU or DU: the new reference, of the same kind and key as the old one. The same value again means the
/// same PIN, or one that this kind of reference cannot tell from it: refused.
///
/// # Errors
/// [`PinChangeRefused`].
pub fn of_change(
    command: &Encoded,
    reply: Reply,
    card: CardId,
    before: &PinReference,
) -> Result<PinChanged, PinChangeRefused> {
    let changed = |reference| Ok(PinChanged { verified: PinVerified::attest(card), reference });
    let away = Err(PinChangeRefused::Unverifiable(Unverifiable::ModuleUnavailable));
    match (command.proves(), meaning(command, &reply), reply.content) {
        (Proves::Pin, Meaning::Done, content) => match (before, content) {
            (PinReference::Pvv { pvv: old, .. }, Content::Pvv(new)) if *old == new => {
                Err(PinChangeRefused::NewPinRefused)
            }
            (PinReference::Pvv { key, pvki, .. }, Content::Pvv(pvv)) => {
                changed(PinReference::Pvv { key: key.clone(), pvki: *pvki, pvv })
            }
            (PinReference::Ibm3624 { offset: old, .. }, Content::Offset(new)) if *old == new => {
                Err(PinChangeRefused::NewPinRefused)
            }
            (PinReference::Ibm3624 { key, offset: old }, Content::Offset(new)) if old.len() == new.len() => {
                changed(PinReference::Ibm3624 { key: key.clone(), offset: new })
            }
            _ => away,
        },
        (Proves::Pin, Meaning::Mismatch, Content::Nothing) => Err(PinChangeRefused::Mismatch),
        (_, Meaning::NewPin, _) => Err(PinChangeRefused::NewPinRefused),
        (_, other, _) => Err(PinChangeRefused::Unverifiable(other.unverifiable())),
    }
}

/// The reply to M6 or GW: 4 or 8 bytes.
///
/// # Errors
/// [`ModuleError`].
pub fn of_mac(command: &Encoded, reply: Reply) -> Result<Vec<u8>, ModuleError> {
    match (meaning(command, &reply), reply.content) {
        (Meaning::Done, Content::Mac(mac)) => Ok(mac),
        (other, _) => Err(other.module_error(describe(command, reply.error))),
    }
}

/// The reply to M8 or GW.
///
/// # Errors
/// [`ModuleError`].
pub fn of_mac_verification(command: &Encoded, reply: &Reply) -> Result<MacOutcome, ModuleError> {
    match (command.proves(), meaning(command, reply), &reply.content) {
        (Proves::Mac, Meaning::Done, Content::Nothing) => Ok(MacOutcome::Valid),
        (Proves::Mac, Meaning::Mismatch, Content::Nothing) => Ok(MacOutcome::Invalid),
        (_, other, _) => Err(other.module_error(describe(command, reply.error))),
    }
}

/// The fields of a reply that proves nothing, if there was no error.
///
/// # Errors
/// [`ModuleError`].
pub fn of_other(command: &Encoded, reply: Reply) -> Result<Content, ModuleError> {
    match meaning(command, &reply) {
        Meaning::Done => Ok(reply.content),
        other => Err(other.module_error(describe(command, reply.error))),
    }
}

/// Command, error code and a few words: for engineers.
#[must_use]
pub fn describe(command: &Encoded, error: super::ErrorCode) -> String {
    format!("the HSM answered {} with error {error} ({})", command.code(), error.text())
}

#[cfg(test)]
mod tests {
    use super::super::{Command, ErrorCode, reply::Shape};
    use super::*;

    fn reply(code: &str, content: Content) -> Reply {
        Reply { error: ErrorCode::new(*code.as_bytes().first_chunk().unwrap()).unwrap(), content }
    }

    #[test]
    fn a_command_that_verifies_nothing_proves_nothing() {
        let echo = Command::Echo(b"x").encode(None).unwrap();
        assert_eq!(echo.shape(), Shape::Echo(1));
        for code in ["00", "01"] {
            let outcome = of_verification(CardId([1; 16]), &echo, &reply(code, Content::Nothing));
            assert_eq!(outcome, PinOutcome::Unverifiable(Unverifiable::ModuleUnavailable));
            assert!(of_mac_verification(&echo, &reply(code, Content::Nothing)).is_err());
        }
    }
}
