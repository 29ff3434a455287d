//! The keys that protect a message, under any scheme: where they come from ([`Keys`]: work keys of a sign-in, or a DUKPT device)
//! and what is done with them ([`PinKey`], [`MacKey`]). A terminal asks for the keys of a message and does not know which it
//! has.

mod derived;
mod mac;
mod pin;
mod work;

use std::sync::Arc;

use model::{Ksn, Secret};
use paycrypto::dukpt::DukptError;
use paycrypto::key::{AesKey, Sm4Key, TdesKey};

use crate::memory::{Memory, MemoryError};
use crate::sandbox::{KeySet, MacAlgorithm};
use derived::Derived;
pub(crate) use mac::MacKey;
pub use pin::NoRandomness;
pub(crate) use pin::PinKey;
pub use work::KeyDownloadError;
use work::Work;

/// What a terminal encrypts and signs with.
pub(crate) enum Keys {
    /// Work keys under a terminal master key.
    Work(Work),
    /// A key of its own for every transaction.
    Derived(Box<Derived>),
}

/// The keys of one message and of its answer.
#[derive(Debug)]
pub(crate) struct MessageKeys {
    /// With DUKPT, which they are.
    pub(crate) ksn: Option<Ksn>,
    pub(crate) pin: PinKey,
    pub(crate) request_mac: Arc<MacKey>,
    pub(crate) answer_mac: Arc<MacKey>,
}

/// Why there are no keys for a message.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// Before the first sign-in.
    #[error("the terminal has not signed in")]
    NotSignedIn,
    /// All transaction keys are used up.
    #[error("DUKPT device {0} has used up its transaction keys and must be loaded anew")]
    Exhausted(Ksn),
    /// The counter of its memory is farther on than a simulated device is walked.
    #[error("DUKPT device {device} cannot be brought to counter {counter}")]
    TooFar {
        /// The device.
        device: Ksn,
        /// Its last transaction.
        counter: u32,
    },
    /// Keys that do not make a device.
    #[error("DUKPT device {device} cannot work")]
    Device {
        /// The device.
        device: Ksn,
        /// Why.
        source: DukptError,
    },
    /// `replayed-ksn` without a transaction before, or without DUKPT.
    #[error("there is no key serial number that could be used again")]
    NothingToReplay,
    /// The counter cannot be kept.
    #[error("the terminal's memory fails")]
    Memory(#[from] MemoryError),
}

impl Keys {
    /// A key set, switched on.
    pub(crate) fn load(
        set: &Arc<KeySet>,
        algorithm: MacAlgorithm,
        memory: &Memory,
    ) -> Result<Keys, KeysError> {
        Ok(match Derived::load(set, memory)? {
            Some(derived) => Keys::Derived(Box::new(derived)),
            None => Keys::Work(Work::new(Arc::clone(set), algorithm)),
        })
    }

    /// Can it pay now? A device needs no sign-in for its keys, but where there are batches it needs one for the batch.
    pub(crate) fn are_ready(&self, has_batches: bool) -> bool {
        match self {
            Keys::Work(work) => work.session().is_some(),
            Keys::Derived(derived) => derived.signed_in || !has_batches,
        }
    }

    /// The device that a sign-in names.
    pub(crate) fn device(&self) -> Option<Ksn> {
        match self {
            Keys::Work(_) => None,
            Keys::Derived(derived) => Some(derived.ksn()),
        }
    }

    /// The host has answered a sign-in.
    pub(crate) fn sign_in(&mut self, download: &[u8]) -> Result<(), KeyDownloadError> {
        match self {
            Keys::Work(work) => work.sign_in(download),
            Keys::Derived(derived) => {
                derived.signed_in = true;
                Ok(())
            }
        }
    }

    /// The session is over.
    pub(crate) fn sign_out(&mut self) {
        match self {
            Keys::Work(work) => work.sign_out(),
            Keys::Derived(derived) => derived.signed_in = false,
        }
    }

    /// The keys of a new payment; `replayed`: those of the transaction before, once more.
    pub(crate) fn payment(
        &mut self,
        memory: &mut Memory,
        replayed: bool,
    ) -> Result<Arc<MessageKeys>, KeysError> {
        match self {
            Keys::Derived(derived) if replayed => derived.last().ok_or(KeysError::NothingToReplay),
            Keys::Work(_) if replayed => Err(KeysError::NothingToReplay),
            Keys::Derived(derived) => derived.transaction(memory),
            Keys::Work(work) => work.session().cloned().ok_or(KeysError::NotSignedIn),
        }
    }

    /// The keys of a reversal, which a repeat shares with what it repeats.
    pub(crate) fn reversal(
        &mut self,
        memory: &mut Memory,
        is_repeat: bool,
    ) -> Result<Arc<MessageKeys>, KeysError> {
        match self {
            Keys::Derived(derived) => derived.reversal(memory, is_repeat),
            Keys::Work(work) => work.session().cloned().ok_or(KeysError::NotSignedIn),
        }
    }
}

/// Bytes of a key that is surely another one: for the faults "wrong TPK" and "wrong TAK".
fn turned(key: &[u8]) -> Secret<Vec<u8>> {
    Secret::new(key.iter().map(|byte| byte ^ 0x5A).collect())
}

const SAME_LENGTH: &str = "as long as the key that it was made of";

fn another_tdes(key: &TdesKey) -> TdesKey {
    TdesKey::new(turned(key.expose_bytes()).reveal()).expect(SAME_LENGTH)
}

fn another_aes(key: &AesKey) -> AesKey {
    AesKey::new(turned(key.expose_bytes()).reveal()).expect(SAME_LENGTH)
}

fn another_sm4(key: &Sm4Key) -> Sm4Key {
    Sm4Key::from_slice(turned(key.expose_bytes()).reveal()).expect(SAME_LENGTH)
}
