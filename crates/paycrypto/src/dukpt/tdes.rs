//! DUKPT with double-length TDEA keys (ANSI X9.24-1:2009, Annex A).

use core::fmt;

use zeroize::{ZeroizeOnDrop, Zeroizing};

use super::DukptError;
use super::future_keys::FutureKeys;
use crate::key::{KeyError, TdesKey};
use crate::tdea;

/// The number of counter bits, and of future key registers in a device.
const COUNTER_BITS: usize = 21;
const COUNTER_MASK: u64 = (1 << COUNTER_BITS) - 1;
/// A device uses only counters with at most this many one-bits (A.3), so a host derives at most ten times.
pub const ONE_BITS_MAX: u32 = 10;

/// A key serial number of 10 bytes: key set and device identifiers, then 21 bits of transaction counter.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeySerialNumber([u8; 10]);

impl KeySerialNumber {
    /// Takes the ten bytes as the device sends them.
    ///
    /// # Errors
    /// [`DukptError::Counter`] for a counter with more than ten one-bits: no device sends it.
    pub fn new(bytes: [u8; 10]) -> Result<KeySerialNumber, DukptError> {
        let ksn = KeySerialNumber(bytes);
        if ksn.counter().count_ones() <= ONE_BITS_MAX { Ok(ksn) } else { Err(DukptError::Counter) }
    }

    /// Takes ten bytes from a message.
    ///
    /// # Errors
    /// [`DukptError::KsnLength`] or [`DukptError::Counter`].
    pub fn from_slice(bytes: &[u8]) -> Result<KeySerialNumber, DukptError> {
        KeySerialNumber::new(bytes.try_into().map_err(|_| DukptError::KsnLength(bytes.len()))?)
    }

    /// The bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8; 10] {
        &self.0
    }

    /// The transaction counter. 0 is the state after loading; devices start with 1.
    #[must_use]
    pub fn counter(&self) -> u32 {
        (self.right_64_bits() & COUNTER_MASK) as u32
    }

    /// The number with the counter cleared: what identifies the device.
    #[must_use]
    pub fn device(&self) -> [u8; 10] {
        let mut bytes = self.0;
        bytes[2..].copy_from_slice(&(self.right_64_bits() & !COUNTER_MASK).to_be_bytes());
        bytes
    }

    /// The same device with another counter.
    fn with_counter(self, counter: u32) -> KeySerialNumber {
        let mut bytes = self.device();
        bytes[2..]
            .copy_from_slice(&(self.right_64_bits() & !COUNTER_MASK | u64::from(counter)).to_be_bytes());
        KeySerialNumber(bytes)
    }

    fn right_64_bits(&self) -> u64 {
        let [_, _, right @ ..] = self.0;
        u64::from_be_bytes(right)
    }
}

impl fmt::Debug for KeySerialNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeySerialNumber(")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02X}"))?;
        f.write_str(")")
    }
}

/// A base derivation key, prepared: the key and its variant that makes the right half of initial keys.
#[derive(Debug)]
pub struct BaseDerivationKey {
    key: TdesKey,
    masked: TdesKey,
}

impl BaseDerivationKey {
    /// Prepares a double-length key.
    ///
    /// # Errors
    /// [`DukptError::Key`] unless there are 16 bytes.
    pub fn new(bytes: &[u8]) -> Result<BaseDerivationKey, DukptError> {
        let key = <&[u8; 16]>::try_from(bytes)
            .map_err(|_| KeyError::Length { algorithm: "TDES base derivation", length: bytes.len() })?;
        let masked = Zeroizing::new(
            (u128::from_be_bytes(*key) ^ (u128::from(MASK) << 64 | u128::from(MASK))).to_be_bytes(),
        );
        Ok(BaseDerivationKey { key: TdesKey::double(key), masked: TdesKey::double(&masked) })
    }

    /// The initial key of a device (A.6): the eight leftmost bytes of the serial number with the counter cleared,
    /// enciphered under the base key for the left half and under its variant for the right.
    #[must_use]
    pub fn initial_key(&self, ksn: &KeySerialNumber) -> InitialKey {
        let device = ksn.device();
        let left_8_bytes = device.first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes));
        InitialKey(KeyRegister {
            left: self.key.encrypt_u64(left_8_bytes),
            right: self.masked.encrypt_u64(left_8_bytes),
        })
    }

    /// The key of one transaction, by way of the initial key.
    #[must_use]
    pub fn transaction_key(&self, ksn: &KeySerialNumber) -> TransactionKey {
        self.initial_key(ksn).transaction_key(ksn)
    }
}

/// C0C0C0C0 00000000, the constant of A.2 and A.6 for the half that is made under a changed key.
const MASK: u64 = 0xC0C0_C0C0_0000_0000;

/// The initial PIN encryption key (IPEK): what is loaded into a device.
pub struct InitialKey(KeyRegister);

impl InitialKey {
    /// Takes the sixteen bytes that were loaded into a device.
    ///
    /// # Errors
    /// [`DukptError::Key`] unless there are 16 bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<InitialKey, DukptError> {
        match bytes.as_chunks::<8>() {
            ([left, right], []) => Ok(InitialKey(KeyRegister {
                left: u64::from_be_bytes(*left),
                right: u64::from_be_bytes(*right),
            })),
            _ => Err(KeyError::Length { algorithm: "TDES initial", length: bytes.len() }.into()),
        }
    }

    /// The sixteen bytes, for loading a device.
    #[must_use]
    pub fn expose_bytes(&self) -> Zeroizing<[u8; 16]> {
        self.0.bytes()
    }

    /// The key of one transaction (A.3): one step of the non-reversible process for each one-bit of the counter,
    /// from the left. For counter 0 it is the initial key itself.
    #[must_use]
    pub fn transaction_key(&self, ksn: &KeySerialNumber) -> TransactionKey {
        let device = ksn.with_counter(0).right_64_bits();
        let mut key = KeyRegister { left: self.0.left, right: self.0.right };
        let mut counter = 0;
        for bit in (0..COUNTER_BITS).rev().map(|bit| 1 << bit) {
            if ksn.counter() & bit != 0 {
                counter |= bit;
                key = key.derive(device | u64::from(counter));
            }
        }
        TransactionKey(key)
    }
}

/// The key of one transaction. Never used itself: each purpose has its own variant.
pub struct TransactionKey(KeyRegister);

impl TransactionKey {
    /// The sixteen bytes, for test vectors.
    #[must_use]
    pub fn expose_bytes(&self) -> Zeroizing<[u8; 16]> {
        self.0.bytes()
    }

    /// The PIN encryption key (A.4.1): FF in bytes 8 and 16.
    #[must_use]
    pub fn pin_key(&self) -> TdesKey {
        self.variant(0x0000_0000_0000_00FF).prepared()
    }

    /// The MAC key of requests, and of both ways if only one key is used: FF in bytes 7 and 15.
    #[must_use]
    pub fn mac_request_key(&self) -> TdesKey {
        self.variant(0x0000_0000_0000_FF00).prepared()
    }

    /// The MAC key of responses: FF in bytes 5 and 13.
    #[must_use]
    pub fn mac_response_key(&self) -> TdesKey {
        self.variant(0x0000_0000_FF00_0000).prepared()
    }

    /// The data encryption key of requests, and of both ways if only one is used: FF in bytes 6 and 14, then each
    /// half enciphered under the variant itself.
    #[must_use]
    pub fn data_request_key(&self) -> TdesKey {
        self.variant(0x0000_0000_00FF_0000).enciphered_by_itself().prepared()
    }

    /// The data encryption key of responses: FF in bytes 4 and 12, then enciphered under itself.
    #[must_use]
    pub fn data_response_key(&self) -> TdesKey {
        self.variant(0x0000_00FF_0000_0000).enciphered_by_itself().prepared()
    }

    fn variant(&self, constant: u64) -> KeyRegister {
        KeyRegister { left: self.0.left ^ constant, right: self.0.right ^ constant }
    }
}

/// A double-length key as two words, without a schedule: derivation needs each half in its own role.
#[derive(ZeroizeOnDrop)]
struct KeyRegister {
    left: u64,
    right: u64,
}

impl KeyRegister {
    /// The non-reversible key generation process (A.2), for the crypto register with the counter bits set so far.
    fn derive(&self, crypto_register: u64) -> KeyRegister {
        let KeyRegister { left, right } = self;
        let (masked_left, masked_right) = (left ^ MASK, right ^ MASK);
        // XOR with the right half, DES under the left half, XOR with the right half: for both halves at once.
        let [new_left, new_right] = tdea::encrypt_once(
            [masked_left, *left],
            [crypto_register ^ masked_right, crypto_register ^ right],
        );
        KeyRegister { left: new_left ^ masked_right, right: new_right ^ right }
    }

    fn enciphered_by_itself(&self) -> KeyRegister {
        let key = self.prepared();
        KeyRegister { left: key.encrypt_u64(self.left), right: key.encrypt_u64(self.right) }
    }

    fn prepared(&self) -> TdesKey {
        TdesKey::double(&self.bytes())
    }

    fn bytes(&self) -> Zeroizing<[u8; 16]> {
        Zeroizing::new((u128::from(self.left) << 64 | u128::from(self.right)).to_be_bytes())
    }
}

/// The originating device: 21 future key registers and a counter.
pub struct Device {
    ksn: KeySerialNumber, // counter cleared
    keys: FutureKeys<KeyRegister, COUNTER_BITS>,
}

impl Device {
    /// Loads an initial key and the serial number it belongs to, whose counter is ignored (A.2 "load initial key").
    #[must_use]
    pub fn load(initial_key: &InitialKey, ksn: &KeySerialNumber) -> Device {
        let ksn = ksn.with_counter(0);
        let device = ksn.right_64_bits();
        let derive = |key: &KeyRegister, counter: u32| key.derive(device | u64::from(counter));
        Device { ksn, keys: FutureKeys::load(&initial_key.0, ONE_BITS_MAX, derive) }
    }

    /// The key of the next transaction with its serial number; the device forgets it (A.2 "new key").
    ///
    /// # Errors
    /// [`DukptError::Exhausted`] after 1,048,575 transactions.
    pub fn next_transaction(&mut self) -> Result<(KeySerialNumber, TransactionKey), DukptError> {
        let device = self.ksn.right_64_bits();
        let (counter, key) = self.keys.next(|key, counter| key.derive(device | u64::from(counter)))?;
        Ok((self.ksn.with_counter(counter), TransactionKey(key)))
    }
}
