//! Is the message the terminal's, and under which of its key sets? The MAC is checked before any card is touched, so a forged or
//! garbled message can neither consume a try nor learn anything.

use authorization::key_set::{KeySet, KeySets, Standing};
use hsm::{Direction, MacAlgorithm, MacKey, MacOutcome, ModuleError};
use model::{KeyBlock, KeyScheme, Ksn, PinBlockFormat, ReasonCode, Timestamp};
use store::Terminal;

use super::{Work, key_set};
use crate::{intake, reply::Signer};

/// The keys under which a message was found genuine: its PIN block is under the same generation, and its answer is
/// signed with it.
#[derive(Clone)]
pub(crate) struct Keys {
    scheme: KeyScheme,
    pub(crate) format: PinBlockFormat,
    pub(crate) under: Under,
}

#[derive(Clone)]
pub(crate) enum Under {
    /// Work keys from a sign-in.
    Work { tpk: KeyBlock, tak: KeyBlock },
    /// Keys of this one transaction (DUKPT).
    Derived { bdk: KeyBlock, ksn: Ksn },
}

impl Keys {
    fn derived(set: &KeySet, ksn: Ksn) -> Self {
        let under = Under::Derived { bdk: set.key.clone(), ksn };
        Self { scheme: set.scheme, format: set.format, under }
    }

    fn work(set: &KeySet, work: &authorization::terminal::WorkKeys) -> Self {
        let under = Under::Work { tpk: work.tpk.clone(), tak: work.tak.clone() };
        Self { scheme: set.scheme, format: set.format, under }
    }

    fn mac_key(&self, direction: Direction) -> MacKey<'_> {
        match &self.under {
            Under::Work { tak, .. } => MacKey::Key(tak),
            Under::Derived { bdk, ksn } => MacKey::Derived { bdk, ksn: *ksn, direction },
        }
    }

    /// Are they those of the terminal's present session? A device's keys are of no session.
    pub(crate) fn are_of_session(&self, terminal: &Terminal) -> bool {
        match &self.under {
            Under::Derived { .. } => true,
            Under::Work { tak, .. } => {
                let work = terminal.state.session.as_ref().and_then(|session| session.work.as_ref());
                work.is_some_and(|work| work.tak == *tak)
            }
        }
    }

    /// Since when they are used; a device's keys, always.
    pub(crate) fn session(&self, terminal: &Terminal) -> Timestamp {
        match (&self.under, &terminal.state.session) {
            (Under::Work { .. }, Some(session)) => session.since,
            _ => Timestamp(0),
        }
    }

    /// What the terminal made authentication codes with.
    pub(crate) fn reader(&self, work: &Work<'_>) -> Signer<'_> {
        Signer { key: self.mac_key(Direction::Request), ..self.signer(work) }
    }

    /// What answers are signed with.
    pub(crate) fn signer(&self, work: &Work<'_>) -> Signer<'_> {
        let algorithm = MacAlgorithm::under(self.scheme, work.link.mac);
        Signer { key: self.mac_key(Direction::Answer), algorithm }
    }
}

/// Verifies the MAC under the key set that the message names: by its key serial number, or by the session's work keys,
/// or for a grace time by those before the last sign-in. The first genuine message under a staged set moves the
/// terminal to it.
pub(crate) async fn verify(work: &Work<'_>, terminal: &Terminal) -> Result<Keys, ReasonCode> {
    let (keys, standing) = genuine(work, terminal).await?;
    if let Some(step) = KeySets::spoken_under(standing) {
        key_set::journal(work, terminal, step).await?;
    }
    Ok(keys)
}

async fn genuine(work: &Work<'_>, terminal: &Terminal) -> Result<(Keys, Standing), ReasonCode> {
    if let Some(ksn) = ksn(work)? {
        let (set, standing) = named_by(terminal, ksn).ok_or(ReasonCode::KeyFault)?;
        let keys = Keys::derived(set, ksn);
        return if is_valid(work, &keys).await? { Ok((keys, standing)) } else { Err(ReasonCode::MacInvalid) };
    }
    let session = terminal.state.session.as_ref().ok_or(ReasonCode::SignInRequired)?;
    if let Some((keys, standing)) = session
        .work
        .as_ref()
        .and_then(|work| at_sign_in(terminal, session.scheme).map(|(set, s)| (Keys::work(set, work), s)))
        && is_valid(work, &keys).await?
    {
        return Ok((keys, standing));
    }
    let previous = session.previous.as_ref().filter(|previous| previous.until > work.now);
    match previous.and_then(|p| at_sign_in(terminal, p.scheme).map(|(set, s)| (Keys::work(set, &p.work), s)))
    {
        Some((keys, standing)) if is_valid(work, &keys).await? => Ok((keys, standing)),
        _ => Err(ReasonCode::MacInvalid),
    }
}

/// DE of the profile that carries the key serial number.
pub(crate) fn ksn(work: &Work<'_>) -> Result<Option<Ksn>, ReasonCode> {
    intake::ksn(&work.link.profile, work.message).map_err(|_| ReasonCode::FormatError)
}

/// The DUKPT key set of this device.
pub(crate) fn named_by(terminal: &Terminal, ksn: Ksn) -> Option<(&KeySet, Standing)> {
    terminal.state.key_sets.find(&terminal.record.keys, |set| set.device == Some(ksn.device()))
}

/// The key set with a terminal master key for this scheme.
pub(crate) fn at_sign_in(terminal: &Terminal, scheme: KeyScheme) -> Option<(&KeySet, Standing)> {
    terminal.state.key_sets.find(&terminal.record.keys, |set| set.scheme == scheme && set.device.is_none())
}

/// What a refusal is signed with: the keys that the message claims, whether or not its MAC was right.
pub(crate) fn claimed(work: &Work<'_>, terminal: &Terminal) -> Option<Keys> {
    if let Ok(Some(ksn)) = ksn(work) {
        return named_by(terminal, ksn).map(|(set, _)| Keys::derived(set, ksn));
    }
    let session = terminal.state.session.as_ref()?;
    let (set, _) = at_sign_in(terminal, session.scheme)?;
    session.work.as_ref().map(|work| Keys::work(set, work))
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

async fn is_valid(work: &Work<'_>, keys: &Keys) -> Result<bool, ReasonCode> {
    let field = work.message.mac_field().ok_or(ReasonCode::MacInvalid)?;
    let covered = work.message.before(field).ok_or(ReasonCode::MacInvalid)?;
    let mac: &[u8; 8] =
        work.message.raw(field).and_then(|m| m.try_into().ok()).ok_or(ReasonCode::MacInvalid)?;
    let algorithm = MacAlgorithm::under(keys.scheme, work.link.mac);
    let verifying = work.shared.module.verify_mac(keys.mac_key(Direction::Request), algorithm, covered, mac);
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
