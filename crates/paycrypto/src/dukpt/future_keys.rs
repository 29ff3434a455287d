//! The future key registers of an originating device (X9.24-1:2009, A.2; X9.24-3:2017, 6.4).
//!
//! Register `i` holds the key of the next counter value whose lowest one-bit is bit `i`. A transaction uses the
//! key of the register that its counter points to, makes the keys of the lower registers out of it, and
//! destroys it. So at any time the registers hold exactly the keys that the future needs, and none of
//! the past.

use super::DukptError;

pub(super) struct FutureKeys<Key, const REGISTERS: usize> {
    registers: [Option<Key>; REGISTERS],
    counter: u64,      // of the next transaction; 2^REGISTERS when there is none
    one_bits_max: u32, // 10 for TDEA, 16 for AES: bounds the host's work
}

impl<Key, const REGISTERS: usize> FutureKeys<Key, REGISTERS> {
    /// Loads the initial key: `derive(key, counter)` makes the key of `counter` out of that of the counter without its
    /// lowest one-bit. The initial key itself is not kept.
    pub(super) fn load(initial: &Key, one_bits_max: u32, derive: impl Fn(&Key, u32) -> Key) -> Self {
        FutureKeys {
            registers: core::array::from_fn(|register| Some(derive(initial, 1 << register))),
            counter: 1,
            one_bits_max,
        }
    }

    /// The counter of the next transaction.
    ///
    /// # Errors
    /// [`DukptError::Exhausted`].
    pub(super) fn counter(&self) -> Result<u32, DukptError> {
        match self.counter >> REGISTERS {
            0 => u32::try_from(self.counter).map_err(|_| DukptError::Exhausted),
            _ => Err(DukptError::Exhausted),
        }
    }

    /// Takes the key of the next transaction out of its register and moves on.
    ///
    /// # Errors
    /// [`DukptError::Exhausted`].
    pub(super) fn next(&mut self, derive: impl Fn(&Key, u32) -> Key) -> Result<(u32, Key), DukptError> {
        let counter = self.counter()?;
        let lowest = counter.trailing_zeros();
        let register = self.registers.get_mut(lowest as usize).ok_or(DukptError::Exhausted)?;
        let key = register.take().ok_or(DukptError::Exhausted)?;
        if counter.count_ones() < self.one_bits_max {
            for below in 0..lowest {
                self.registers[below as usize] = Some(derive(&key, counter | 1 << below));
            }
            self.counter += 1;
        } else {
            self.counter += 1 << lowest; // counters with more one-bits are skipped
        }
        Ok((counter, key))
    }
}
