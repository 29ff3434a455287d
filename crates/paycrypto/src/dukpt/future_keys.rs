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

#[cfg(test)]
mod tests {
    //! Here a key is the counter that it belongs to, so that a whole life is walked in a moment and a key in the wrong
    //! register, or one that was made out of the wrong key, is seen.

    use super::*;

    /// The key of a counter is made out of the key of the counter without its lowest one-bit, and of nothing else.
    fn derive(key: &u32, counter: u32) -> u32 {
        assert_eq!(*key, counter & (counter - 1), "the key of {counter:X}");
        counter
    }

    fn valid_from(from: u64, registers: u32, one_bits_max: u32) -> impl Iterator<Item = u32> {
        (from..1 << registers).map(|counter| counter as u32).filter(move |c| c.count_ones() <= one_bits_max)
    }

    /// Goes on to the end, which must come once and for all.
    fn check_to_the_end<const R: usize>(mut keys: FutureKeys<u32, R>, from: u64) -> usize {
        let one_bits_max = keys.one_bits_max;
        let mut transactions = 0;
        for expected in valid_from(from, R as u32, one_bits_max) {
            assert_eq!(keys.counter(), Ok(expected));
            assert_eq!(keys.next(derive), Ok((expected, expected)));
            transactions += 1;
        }
        for _ in 0..3 {
            assert_eq!(keys.counter(), Err(DukptError::Exhausted));
            assert_eq!(keys.next(derive), Err(DukptError::Exhausted), "after the last there is no first");
        }
        assert!(keys.registers.iter().all(Option::is_none), "a key is left over");
        transactions
    }

    /// A device that has used every counter below: each register holds the key of the next counter that ends in its bit,
    /// if the transaction that makes this key was before.
    fn at<const R: usize>(counter: u64, one_bits_max: u32) -> FutureKeys<u32, R> {
        let next = |register: usize| {
            let candidates = (counter >> register..).filter(|shifted| shifted & 1 == 1);
            candidates.map(|shifted| shifted << register).find(|next| *next >= counter)
        };
        let registers = core::array::from_fn(|register| {
            next(register)
                .filter(|next| {
                    *next < 1 << R && next.count_ones() <= one_bits_max && next & (next - 1) < counter
                })
                .map(|next| next as u32)
        });
        FutureKeys { registers, counter, one_bits_max }
    }

    #[test]
    fn every_transaction_of_a_tdes_device() {
        let keys = FutureKeys::<u32, 21>::load(&0, 10, derive);
        assert_eq!(check_to_the_end(keys, 1), 1_048_575);
    }

    #[test]
    fn every_transaction_of_small_devices() {
        for one_bits_max in 1..=6 {
            let keys = FutureKeys::<u32, 6>::load(&0, one_bits_max, derive);
            let valid = valid_from(1, 6, one_bits_max).count();
            assert_eq!(check_to_the_end(keys, 1), valid, "{one_bits_max}");
        }
    }

    /// Two thousand million transactions are too many to walk, so the last ones are: from FFF80000 to FFFF0000.
    #[test]
    fn the_end_of_an_aes_device() {
        let from = 0xFFF8_0000;
        let last = valid_from(from, 32, 16).last();
        assert_eq!(last, Some(0xFFFF_0000));
        assert_eq!(check_to_the_end(at::<32>(from, 16), from), valid_from(from, 32, 16).count());
    }

    #[test]
    fn a_device_in_the_middle_of_its_life_is_the_one_that_walked_there() {
        let mut walked = FutureKeys::<u32, 12>::load(&0, 5, derive);
        while let Ok(counter) = walked.counter() {
            let placed = at::<12>(u64::from(counter), 5);
            assert_eq!(placed.registers, walked.registers, "{counter:X}");
            walked.next(derive).unwrap();
        }
    }
}
