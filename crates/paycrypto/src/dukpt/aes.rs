//! DUKPT with AES (ANSI X9.24-3:2017, clause 6).

use core::fmt;

use aes::{Aes128Enc, Aes192Enc, Aes256Enc};
use cipher::array::Array;
use cipher::consts::U16;
use cipher::{BlockCipherEncrypt, KeyInit};
use zeroize::{Zeroize, Zeroizing};

use super::DukptError;
use super::future_keys::FutureKeys;
use crate::key::{AesKey, KeyError, TdesKey};

/// The number of counter bits, and of intermediate derivation key registers in a device (6.4).
const COUNTER_BITS: usize = 32;
/// A device uses only counters with at most this many one-bits (6.3).
pub const ONE_BITS_MAX: u32 = 16;

/// The initial key identifier: 4 bytes of base key identifier, 4 bytes of derivation identifier (6.2).
pub type InitialKeyId = [u8; 8];

/// A key serial number of 12 bytes: initial key identifier and 32-bit transaction counter (6.2).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeySerialNumber {
    initial_key_id: InitialKeyId,
    counter: u32,
}

impl KeySerialNumber {
    /// Puts a serial number together.
    ///
    /// # Errors
    /// [`DukptError::Counter`] for a counter with more than sixteen one-bits: no device sends it.
    pub fn new(initial_key_id: InitialKeyId, counter: u32) -> Result<KeySerialNumber, DukptError> {
        match counter.count_ones() <= ONE_BITS_MAX {
            true => Ok(KeySerialNumber { initial_key_id, counter }),
            false => Err(DukptError::Counter),
        }
    }

    /// Takes twelve bytes from a message.
    ///
    /// # Errors
    /// [`DukptError::KsnLength`] or [`DukptError::Counter`].
    pub fn from_slice(bytes: &[u8]) -> Result<KeySerialNumber, DukptError> {
        let wrong_length = DukptError::KsnLength(bytes.len());
        let (id, counter) = bytes.split_first_chunk::<8>().ok_or(wrong_length)?;
        let counter = <[u8; 4]>::try_from(counter).map_err(|_| wrong_length)?;
        KeySerialNumber::new(*id, u32::from_be_bytes(counter))
    }

    /// The bytes.
    #[must_use]
    pub fn bytes(&self) -> [u8; 12] {
        let mut bytes = [0; 12];
        bytes[..8].copy_from_slice(&self.initial_key_id);
        bytes[8..].copy_from_slice(&self.counter.to_be_bytes());
        bytes
    }

    /// The identifier of the device's initial key.
    #[must_use]
    pub fn initial_key_id(&self) -> InitialKeyId {
        self.initial_key_id
    }

    /// The transaction counter. 0 is the state after loading; devices start with 1.
    #[must_use]
    pub fn counter(&self) -> u32 {
        self.counter
    }
}

impl fmt::Debug for KeySerialNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeySerialNumber(")?;
        self.bytes().iter().try_for_each(|byte| write!(f, "{byte:02X}"))?;
        f.write_str(")")
    }
}

/// What a derived key is for (6.3.2, Table 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum KeyUsage {
    /// Key encryption, and the update of the initial key.
    KeyEncryption,
    /// PIN encryption.
    PinEncryption,
    /// Message authentication: generation, by the device (requests).
    MacGeneration,
    /// Message authentication: verification, by the device (responses).
    MacVerification,
    /// Message authentication, both ways.
    MacBothWays,
    /// Data encryption by the device (requests).
    DataEncryption,
    /// Data decryption by the device (responses).
    DataDecryption,
    /// Data encryption, both ways.
    DataBothWays,
}

impl KeyUsage {
    fn indicator(self) -> u16 {
        match self {
            KeyUsage::KeyEncryption => 0x0002,
            KeyUsage::PinEncryption => 0x1000,
            KeyUsage::MacGeneration => 0x2000,
            KeyUsage::MacVerification => 0x2001,
            KeyUsage::MacBothWays => 0x2002,
            KeyUsage::DataEncryption => 0x3000,
            KeyUsage::DataDecryption => 0x3001,
            KeyUsage::DataBothWays => 0x3002,
        }
    }
}

const USAGE_KEY_DERIVATION: u16 = 0x8000;
const USAGE_INITIAL_KEY: u16 = 0x8001;

/// The kind of a derived key (6.3.2, Table 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyType {
    /// Double-length TDEA.
    Tdes2,
    /// Triple-length TDEA.
    Tdes3,
    /// AES-128.
    Aes128,
    /// AES-192.
    Aes192,
    /// AES-256.
    Aes256,
    /// HMAC with a key of 128 bits.
    Hmac128,
    /// HMAC with a key of 192 bits.
    Hmac192,
    /// HMAC with a key of 256 bits.
    Hmac256,
}

impl KeyType {
    /// The algorithm indicator.
    fn algorithm(self) -> u16 {
        match self {
            KeyType::Tdes2 => 0,
            KeyType::Tdes3 => 1,
            KeyType::Aes128 => 2,
            KeyType::Aes192 => 3,
            KeyType::Aes256 => 4,
            KeyType::Hmac128 | KeyType::Hmac192 | KeyType::Hmac256 => 5,
        }
    }

    /// The length in bytes.
    #[must_use]
    pub fn length(self) -> usize {
        match self {
            KeyType::Tdes2 | KeyType::Aes128 | KeyType::Hmac128 => 16,
            KeyType::Tdes3 | KeyType::Aes192 | KeyType::Hmac192 => 24,
            KeyType::Aes256 | KeyType::Hmac256 => 32,
        }
    }

    /// The security strength in bits, by which a working key may not exceed its base key (NIST SP 800-57 part 1).
    fn strength_bits(self) -> usize {
        match self {
            KeyType::Tdes2 => 80,
            KeyType::Tdes3 => 112,
            _ => self.length() * 8,
        }
    }

    fn of_aes_length(bytes: usize) -> Result<KeyType, KeyError> {
        match bytes {
            16 => Ok(KeyType::Aes128),
            24 => Ok(KeyType::Aes192),
            32 => Ok(KeyType::Aes256),
            length => Err(KeyError::Length { algorithm: "AES", length }),
        }
    }
}

/// A derived working key of any kind. Prints as stars.
pub struct WorkingKey {
    bytes: Zeroizing<[u8; 32]>,
    length: usize,
}

impl WorkingKey {
    /// The bytes.
    #[must_use]
    pub fn expose_bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    /// The key, prepared as an AES key.
    ///
    /// # Errors
    /// Never for a working key of an AES type.
    pub fn to_aes(&self) -> Result<AesKey, KeyError> {
        AesKey::new(self.expose_bytes())
    }

    /// The key, prepared as a TDEA key.
    ///
    /// # Errors
    /// [`KeyError::Length`] if the key has 32 bytes.
    pub fn to_tdes(&self) -> Result<TdesKey, KeyError> {
        TdesKey::new(self.expose_bytes())
    }
}

impl fmt::Debug for WorkingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WorkingKey(********)")
    }
}

/// The initial key of a device (6.3): what is loaded into it.
#[derive(Debug)]
pub struct InitialKey(DerivationKey);

impl InitialKey {
    /// Takes the bytes that were loaded into a device.
    ///
    /// # Errors
    /// [`DukptError::Key`] unless there are 16, 24 or 32 bytes.
    pub fn from_bytes(bytes: &[u8], id: InitialKeyId) -> Result<InitialKey, DukptError> {
        Ok(InitialKey(DerivationKey::from_bytes(bytes, id)?))
    }

    /// Derives the initial key from the base derivation key (6.3.3 "derive initial key"): the same length, usage 8001.
    ///
    /// # Errors
    /// [`DukptError::Key`] never for a base key that exists.
    pub fn of_base_key(base_key: &AesKey, id: InitialKeyId) -> Result<InitialKey, DukptError> {
        let base_key = DerivationKey::from_bytes(base_key.expose_bytes(), id)?;
        let key = base_key.derive(USAGE_INITIAL_KEY, base_key.key_type, id);
        Ok(InitialKey(DerivationKey { key, key_type: base_key.key_type, id }))
    }

    /// The bytes, for loading a device.
    #[must_use]
    pub fn expose_bytes(&self) -> &[u8] {
        self.0.key.expose_bytes()
    }

    /// The key of one transaction on the host's side (6.3.3 "host derive working key"): one derivation for each one-bit
    /// of the counter, from the left. For counter 0 it is the initial key itself.
    #[must_use]
    pub fn transaction_key(&self, ksn: &KeySerialNumber) -> TransactionKey {
        self.derive_through(ksn.counter)
    }

    /// The key encryption key under which the device's next initial key is sent (6.5 "update initial key"): derived
    /// through all 32 intermediate keys, counter FFFFFFFF, which no transaction ever uses.
    ///
    /// # Errors
    /// [`DukptError::WorkingKeyTooStrong`].
    pub fn update_key(&self, key_type: KeyType) -> Result<WorkingKey, DukptError> {
        self.derive_through(u32::MAX).working_key(KeyUsage::KeyEncryption, key_type)
    }

    fn derive_through(&self, counter: u32) -> TransactionKey {
        let mut key = self.0.duplicate();
        let mut reached = 0;
        for bit in (0..COUNTER_BITS).rev().map(|bit| 1 << bit) {
            if counter & bit != 0 {
                reached |= bit;
                key = key.next(reached);
            }
        }
        TransactionKey { key, counter }
    }
}

/// The (intermediate derivation) key of one transaction: working keys are derived from it, and it is never used itself.
#[derive(Debug)]
pub struct TransactionKey {
    key: DerivationKey,
    counter: u32,
}

impl TransactionKey {
    /// The bytes, for test vectors.
    #[must_use]
    pub fn expose_bytes(&self) -> &[u8] {
        self.key.key.expose_bytes()
    }

    /// Derives a working key (6.3.3).
    ///
    /// # Errors
    /// [`DukptError::WorkingKeyTooStrong`] if the type is stronger than the base key's.
    pub fn working_key(&self, usage: KeyUsage, key_type: KeyType) -> Result<WorkingKey, DukptError> {
        if key_type.strength_bits() > self.key.key_type.strength_bits() {
            return Err(DukptError::WorkingKeyTooStrong);
        }
        Ok(self.key.derive(usage.indicator(), key_type, self.key.transaction_context(self.counter)))
    }

    /// The PIN encryption key, prepared.
    ///
    /// # Errors
    /// As [`TransactionKey::working_key`]; [`DukptError::Key`] for a type that has no AES key length.
    pub fn pin_key(&self, key_type: KeyType) -> Result<AesKey, DukptError> {
        Ok(self.working_key(KeyUsage::PinEncryption, key_type)?.to_aes()?)
    }
}

/// The originating device: 32 intermediate derivation key registers and a counter (6.4).
pub struct Device {
    id: InitialKeyId,
    keys: FutureKeys<DerivationKey, COUNTER_BITS>,
}

impl Device {
    /// Loads an initial key.
    #[must_use]
    pub fn load(initial_key: &InitialKey) -> Device {
        Device {
            id: initial_key.0.id,
            keys: FutureKeys::load(&initial_key.0, ONE_BITS_MAX, DerivationKey::next),
        }
    }

    /// The key of the next transaction with its serial number; the device forgets it.
    ///
    /// # Errors
    /// [`DukptError::Exhausted`] when every counter with at most sixteen one-bits has been used.
    pub fn next_transaction(&mut self) -> Result<(KeySerialNumber, TransactionKey), DukptError> {
        let (counter, key) = self.keys.next(DerivationKey::next)?;
        Ok((KeySerialNumber { initial_key_id: self.id, counter }, TransactionKey { key, counter }))
    }
}

/// A key that only derives others: its bytes, its AES type, and the device it belongs to.
#[derive(Debug)]
struct DerivationKey {
    key: WorkingKey,
    key_type: KeyType, // one of the three AES types
    id: InitialKeyId,
}

impl DerivationKey {
    fn from_bytes(bytes: &[u8], id: InitialKeyId) -> Result<DerivationKey, KeyError> {
        let key_type = KeyType::of_aes_length(bytes.len())?;
        let mut kept = Zeroizing::new([0; 32]);
        kept[..bytes.len()].copy_from_slice(bytes);
        Ok(DerivationKey { key: WorkingKey { bytes: kept, length: bytes.len() }, key_type, id })
    }

    /// A second copy, as the start of a derivation.
    fn duplicate(&self) -> DerivationKey {
        let key = WorkingKey { bytes: Zeroizing::new(*self.key.bytes), length: self.key.length };
        DerivationKey { key, key_type: self.key_type, id: self.id }
    }

    /// The intermediate derivation key of a counter, out of that of the counter without its lowest one-bit.
    fn next(&self, counter: u32) -> DerivationKey {
        let key = self.derive(USAGE_KEY_DERIVATION, self.key_type, self.transaction_context(counter));
        DerivationKey { key, key_type: self.key_type, id: self.id }
    }

    /// The last eight bytes of the derivation data for everything but the initial key: derivation identifier, counter.
    fn transaction_context(&self, counter: u32) -> [u8; 8] {
        let [_, _, _, _, a, b, c, d] = self.id;
        let [e, f, g, h] = counter.to_be_bytes();
        [a, b, c, d, e, f, g, h]
    }

    /// The key derivation function (6.3.1, 6.3.2): encipher one derivation data block for each 16 bytes of key. The block
    /// is version 01, block counter, usage, algorithm, length in bits, context.
    fn derive(&self, usage: u16, key_type: KeyType, context: [u8; 8]) -> WorkingKey {
        let length = key_type.length();
        let mut data = [0; 16];
        data[0] = 0x01;
        data[2..4].copy_from_slice(&usage.to_be_bytes());
        data[4..6].copy_from_slice(&key_type.algorithm().to_be_bytes());
        data[6..8].copy_from_slice(&((length * 8) as u16).to_be_bytes());
        data[8..].copy_from_slice(&context);
        let mut bytes = Zeroizing::new([0; 32]);
        let blocks = &mut bytes.as_chunks_mut::<16>().0[..length.div_ceil(16)];
        for (counter, block) in (1..).zip(blocks.iter_mut()) {
            *block = data;
            block[1] = counter;
        }
        self.encrypt(blocks);
        bytes[length..].zeroize(); // a key of 24 bytes takes half of its second block
        WorkingKey { bytes, length }
    }

    /// Encrypts with a schedule that knows no decryption: a derivation key is prepared for one or two blocks only.
    fn encrypt(&self, blocks: &mut [[u8; 16]]) {
        fn each(cipher: &impl BlockCipherEncrypt<BlockSize = U16>, blocks: &mut [[u8; 16]]) {
            blocks.iter_mut().for_each(|block| cipher.encrypt_block(block.into()));
        }
        let bytes = &*self.key.bytes;
        match self.key_type.length() {
            16 => each(&Aes128Enc::new(&Array::from_fn(|place| bytes[place])), blocks),
            24 => each(&Aes192Enc::new(&Array::from_fn(|place| bytes[place])), blocks),
            _ => each(&Aes256Enc::new(bytes.into()), blocks),
        }
    }
}
