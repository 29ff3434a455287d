//! A DUKPT device in a terminal: a key for each transaction, and none of the past (ANSI X9.24-1 and X9.24-3;
//! docs/reference/rules.md S11 to S13).
//!
//! The device has its initial key from `sandbox.json` and its counter from the terminal's memory. A terminal that is switched on
//! again walks its device through the transactions that are used up: that is what the registers allow, and it can never come out
//! at a key that was used. Two keys outlive their turn, which a real device would not let them: those of the last transaction,
//! for the fault that uses them again, and those of a reversal until it is answered, so that its repeats are the same bytes.

use std::sync::Arc;

use model::Ksn;
use paycrypto::dukpt::aes::{KeyType, KeyUsage};
use paycrypto::dukpt::{DukptError, aes, tdes};

use super::{KeysError, MacKey, MessageKeys, PinKey};
use crate::memory::Memory;
use crate::sandbox::{KeySet, MacAlgorithm, TdesFormat};

/// The farthest counter to which a device is walked when it is switched on: beyond the end of any TDES device, seconds of
/// derivation away, and more transactions than an AES device of a sandbox will see.
const WALK_MAX: u32 = 1 << 22;

/// A device and the keys that it gave last.
pub(crate) struct Derived {
    device: Device,
    ksn: Ksn,
    last: Option<Arc<MessageKeys>>,
    reversal: Option<Arc<MessageKeys>>,
    pub(crate) signed_in: bool,
}

enum Device {
    Tdes(Box<tdes::Device>, TdesFormat),
    Aes(Box<aes::Device>, KeyType),
}

impl Derived {
    /// The device of a key set, at the counter that the memory has; `None` for keys that are not derived.
    pub(crate) fn load(set: &KeySet, memory: &Memory) -> Result<Option<Derived>, KeysError> {
        let (device, ksn) = match set {
            KeySet::TdesDukpt { initial_key, ksn, format } => {
                let serial = tdes::KeySerialNumber::from_slice(ksn.as_bytes()).map_err(refused(*ksn))?;
                (Device::Tdes(Box::new(tdes::Device::load(initial_key, &serial)), *format), *ksn)
            }
            KeySet::AesDukpt { initial_key, ksn } => {
                let key_type = match initial_key.expose_bytes().len() {
                    16 => KeyType::Aes128,
                    24 => KeyType::Aes192,
                    _ => KeyType::Aes256,
                };
                (Device::Aes(Box::new(aes::Device::load(initial_key)), key_type), *ksn)
            }
            KeySet::Tdes { .. } | KeySet::Sm4 { .. } => return Ok(None),
        };
        let mut derived = Derived { device, ksn, last: None, reversal: None, signed_in: false };
        derived.walk_past(memory.counter(ksn)?)?;
        Ok(Some(derived))
    }

    /// Uses up all transactions to this one. A device that ends on the way is exhausted, which its next transaction will say.
    fn walk_past(&mut self, counter: u32) -> Result<(), KeysError> {
        if counter > WALK_MAX {
            return Err(KeysError::TooFar { device: self.ksn, counter });
        }
        let mut reached = 0;
        while reached < counter {
            reached = match self.device.skip() {
                Ok(counter) => counter,
                Err(_) => return Ok(()),
            };
        }
        Ok(())
    }

    /// The device: its serial number with the counter at zero.
    pub(crate) fn ksn(&self) -> Ksn {
        self.ksn
    }

    /// The keys of a new transaction, on disk as used before they are returned.
    pub(crate) fn transaction(&mut self, memory: &mut Memory) -> Result<Arc<MessageKeys>, KeysError> {
        let (ksn, keys) = self.device.next().map_err(refused(self.ksn))?;
        memory.use_counter(self.ksn, ksn.counter())?;
        let keys = Arc::new(keys);
        self.last = Some(Arc::clone(&keys));
        Ok(keys)
    }

    /// The keys of the last transaction, once more.
    pub(crate) fn last(&self) -> Option<Arc<MessageKeys>> {
        self.last.clone()
    }

    /// The keys of a reversal: new ones the first time, the same for its repeats. After a restart they are gone, and the
    /// repeat has new ones.
    pub(crate) fn reversal(
        &mut self,
        memory: &mut Memory,
        is_repeat: bool,
    ) -> Result<Arc<MessageKeys>, KeysError> {
        if let Some(keys) = self.reversal.as_ref().filter(|_| is_repeat) {
            return Ok(Arc::clone(keys));
        }
        let keys = self.transaction(memory)?;
        self.reversal = Some(Arc::clone(&keys));
        Ok(keys)
    }
}

impl Device {
    /// Uses up a transaction and says its counter.
    fn skip(&mut self) -> Result<u32, DukptError> {
        match self {
            Device::Tdes(device, _) => device.next_transaction().map(|(ksn, _)| ksn.counter()),
            Device::Aes(device, _) => device.next_transaction().map(|(ksn, _)| ksn.counter()),
        }
    }

    fn next(&mut self) -> Result<(Ksn, MessageKeys), DukptError> {
        let (ksn, pin, request_mac, answer_mac) = match self {
            Device::Tdes(device, format) => {
                let (ksn, key) = device.next_transaction()?;
                let mac = |key| MacKey::Tdes(key, MacAlgorithm::X919);
                let pin = PinKey::Tdes(key.pin_key(), *format);
                (serial(ksn.bytes())?, pin, mac(key.mac_request_key()), mac(key.mac_response_key()))
            }
            Device::Aes(device, key_type) => {
                let (ksn, key) = device.next_transaction()?;
                // The usages are named from the device's side: it generates the MACs of requests and verifies the others.
                let working = |usage| key.working_key(usage, *key_type)?.to_aes().map_err(DukptError::from);
                let pin = PinKey::Aes(working(KeyUsage::PinEncryption)?);
                let request = MacKey::Aes(working(KeyUsage::MacGeneration)?);
                (serial(&ksn.bytes())?, pin, request, MacKey::Aes(working(KeyUsage::MacVerification)?))
            }
        };
        let (request_mac, answer_mac) = (Arc::new(request_mac), Arc::new(answer_mac));
        Ok((ksn, MessageKeys { ksn: Some(ksn), pin, request_mac, answer_mac }))
    }
}

fn serial(bytes: &[u8]) -> Result<Ksn, DukptError> {
    Ksn::new(bytes).map_err(|_| DukptError::KsnLength(bytes.len()))
}

fn refused(device: Ksn) -> impl Fn(DukptError) -> KeysError {
    move |source| match source {
        DukptError::Exhausted => KeysError::Exhausted(device),
        DukptError::KsnLength(_)
        | DukptError::Counter
        | DukptError::Key(_)
        | DukptError::WorkingKeyTooStrong => KeysError::Device { device, source },
    }
}
