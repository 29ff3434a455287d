//! What a terminal remembers when it is switched off: trace number, batch, totals, a reversal that is still owed, which of its key
//! sets it uses, and how far its DUKPT devices are.
//!
//! With a data directory the memory is `DIR/pos/TID.json`, written before a message leaves, and locked by the operating system as
//! long as a process is that terminal. So two processes never share a terminal, and no run uses a trace number again within a
//! batch, or a DUKPT key ever. Without a directory it lives in memory only, the first trace number comes from the time of day, and
//! a DUKPT device is one that was loaded just now.

use std::collections::BTreeMap;
use std::fs::{File, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use model::{Amount, BatchNumber, Ksn, MerchantId, Stan, TerminalId};
use serde::{Deserialize, Serialize};

/// The last trace number before it starts again at 1.
const STAN_LAST: u32 = 999_999;

/// What is written.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Remembered {
    next_stan: u32,
    batch: u32,
    totals: Totals,
    reversal: Option<OwedReversal>,
    /// The label of the key set that it switched to.
    #[serde(default)]
    switched_to: Option<String>,
    /// The last counter that each DUKPT device has used, by its KSN with counter zero.
    #[serde(default)]
    counters: BTreeMap<String, u32>,
    /// A crash has cut the file off: no device may be used, because it could go back.
    #[serde(default)]
    counters_lost: bool,
}

/// The totals of a batch, as DE 48 of a settlement carries them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Sales and completions, less what was voided.
    pub debit_sum: Amount,
    /// How many.
    pub debit_count: u32,
    /// Refunds.
    pub credit_sum: Amount,
    /// How many.
    pub credit_count: u32,
}

/// A reversal (冲正) that is owed until it is answered. It is written before the request that it would undo.
#[derive(Clone, Serialize, Deserialize)]
pub struct OwedReversal {
    /// The original's message type.
    pub mti: String,
    /// DE 2. The file lies beside `sandbox.json`, which has it anyway.
    pub pan: String,
    /// DE 14, YYMM.
    pub expiry: String,
    /// DE 3.
    pub processing_code: String,
    /// DE 4 in minor units.
    pub amount: i64,
    /// DE 11 of the original.
    pub stan: u32,
    /// DE 7 of the original, in dialects that have it.
    pub sent_at: String,
    /// DE 22.
    pub entry_mode: String,
    /// DE 25.
    pub condition: String,
    /// The first eight digits of DE 60.
    pub private: String,
    /// DE 61 of a void or completion.
    pub original: Option<String>,
    /// DE 42 of the original, which may have jumped.
    pub merchant: MerchantId,
    /// DE 39: 98 no reply, A0 its MAC was wrong, 06 it was unusable.
    pub reason: String,
    /// DE 11 of the reversal itself, in dialects where it has its own.
    pub own_stan: Option<u32>,
    /// How often it was sent.
    pub sends: u32,
}

impl std::fmt::Debug for OwedReversal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "OwedReversal({:06} for {}, sent {} times)", self.stan, self.reason, self.sends)
    }
}

/// A terminal's memory, open.
#[derive(Debug)]
pub struct Memory {
    file: Option<File>,
    now: Remembered,
    /// Trace numbers up to this one are already written as used.
    reserved: u32,
    /// How many trace numbers are written as used at a time.
    reserve: u32,
}

/// Why a memory cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum MemoryError {
    /// Another process is this terminal.
    #[error("terminal {0} is in use by another process")]
    InUse(TerminalId),
    /// A crash has damaged the file, so nobody knows which DUKPT keys are used up.
    #[error("which transaction keys DUKPT device {0} has used is not known any more: load new keys")]
    CounterLost(Ksn),
    /// The file cannot be opened or written.
    #[error("cannot keep the terminal's memory")]
    Io(#[from] io::Error),
}

impl Memory {
    /// Opens and locks `DIR/pos/TID.json`.
    ///
    /// # Errors
    /// [`MemoryError`].
    pub fn open(directory: &Path, id: TerminalId) -> Result<Memory, MemoryError> {
        let folder = directory.join("pos");
        std::fs::create_dir_all(&folder)?;
        let path = folder.join(format!("{}.json", file_name(id)));
        let mut file = File::options().read(true).write(true).create(true).truncate(false).open(path)?;
        file.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => MemoryError::InUse(id),
            TryLockError::Error(error) => MemoryError::Io(error),
        })?;
        let mut text = String::new();
        file.read_to_string(&mut text)?;
        let now = match serde_json::from_str(&text) {
            Ok(now) => now,
            Err(_) if text.is_empty() => starting_at(1),
            // Cut off by a crash: the numbers before it are unknown, those of the clock are most likely free.
            Err(_) => {
                let start = starting_at(number_of(crate::clock::now_ms()));
                Remembered { counters_lost: true, ..start }
            }
        };
        Ok(Memory { file: Some(file), reserved: 0, reserve: 1, now })
    }

    /// A memory that ends with the process.
    #[must_use]
    pub fn volatile(first: Stan) -> Memory {
        Memory { file: None, reserved: 0, reserve: 1, now: starting_at(first.get()) }
    }

    /// As [`Memory::volatile`], from a number that follows the clock: two numbers per second, so that a run started a minute
    /// after another one finds a minute's worth of numbers between them.
    #[must_use]
    pub fn from_clock(now_ms: i64) -> Memory {
        Memory { file: None, reserved: 0, reserve: 1, now: starting_at(number_of(now_ms)) }
    }

    /// Writes that many trace numbers, and transactions of a DUKPT device, as used at a time: for load, where a file write per message would be measured.
    pub fn reserve_at_a_time(&mut self, count: u32) {
        self.reserve = count.max(1);
    }

    /// Takes the next trace number. It is on disk as used before it is returned.
    pub(crate) fn take_stan(&mut self) -> Result<Stan, MemoryError> {
        let number = self.now.next_stan.clamp(1, STAN_LAST);
        self.now.next_stan = if number == STAN_LAST { 1 } else { number + 1 };
        if self.reserved <= number || self.reserved > number + self.reserve {
            self.reserved = (self.now.next_stan + self.reserve - 1).min(STAN_LAST);
            self.save()?;
        }
        Stan::new(number).map_err(|e| MemoryError::Io(io::Error::other(e)))
    }

    /// The last counter that a DUKPT device has used; 0 when it is new.
    ///
    /// # Errors
    /// [`MemoryError::CounterLost`].
    pub(crate) fn counter(&self, device: Ksn) -> Result<u32, MemoryError> {
        match self.now.counters.get(&device.to_string()) {
            Some(counter) => Ok(*counter),
            None if self.now.counters_lost => Err(MemoryError::CounterLost(device)),
            None => Ok(0),
        }
    }

    /// Writes a counter down as used, and under load those after it too: keys that are passed over are merely not used.
    pub(crate) fn use_counter(&mut self, device: Ksn, counter: u32) -> Result<(), MemoryError> {
        let written = self.counter(device)?;
        if counter > written {
            self.now.counters.insert(device.to_string(), counter.saturating_add(self.reserve - 1));
            if let Err(error) = self.save() {
                self.now.counters.insert(device.to_string(), written);
                return Err(error);
            }
        }
        Ok(())
    }

    /// The label of the key set that the terminal switched to, if it is not its usual one.
    pub(crate) fn switched_to(&self) -> Option<&str> {
        self.now.switched_to.as_deref()
    }

    pub(crate) fn switch_to(&mut self, label: Option<String>) -> Result<(), MemoryError> {
        self.now.switched_to = label;
        self.save()
    }

    /// The current batch.
    #[must_use]
    pub fn batch(&self) -> BatchNumber {
        BatchNumber::new(self.now.batch).unwrap_or(BatchNumber::NONE)
    }

    /// The totals of the current batch.
    #[must_use]
    pub fn totals(&self) -> Totals {
        self.now.totals
    }

    /// The reversal that is owed.
    #[must_use]
    pub fn reversal(&self) -> Option<&OwedReversal> {
        self.now.reversal.as_ref()
    }

    /// The host names the batch. Another batch begins with totals of zero.
    pub(crate) fn set_batch(&mut self, batch: BatchNumber) -> Result<(), MemoryError> {
        if batch != self.batch() {
            self.now.totals = Totals::default();
        }
        self.now.batch = batch.get();
        self.save()
    }

    pub(crate) fn set_totals(&mut self, totals: Totals) -> Result<(), MemoryError> {
        self.now.totals = totals;
        self.save_unless_reserving()
    }

    pub(crate) fn owe(&mut self, reversal: Option<OwedReversal>) -> Result<(), MemoryError> {
        self.now.reversal = reversal;
        self.save_unless_reserving()
    }

    /// Under load the memory is a measurement's, not a shop's.
    fn save_unless_reserving(&mut self) -> Result<(), MemoryError> {
        if self.reserve > 1 { Ok(()) } else { self.save() }
    }

    /// Numbers that are reserved are written as used, whatever the reason for writing.
    fn save(&mut self) -> Result<(), MemoryError> {
        let Some(file) = &mut self.file else { return Ok(()) };
        let next = self.now.next_stan;
        self.now.next_stan = next.max(self.reserved);
        let text = serde_json::to_string(&self.now).map_err(io::Error::other);
        self.now.next_stan = next;
        let text = text?;
        file.seek(SeekFrom::Start(0))?;
        file.write_all(text.as_bytes())?;
        file.set_len(text.len() as u64)?;
        Ok(())
    }
}

impl Drop for Memory {
    /// What was not written for speed is written at the end; after a crash the totals of a load run are lost, its trace numbers
    /// are not used again.
    fn drop(&mut self) {
        if self.reserve > 1 {
            self.reserved = 0;
            let _ = self.save();
        }
    }
}

impl Totals {
    pub(crate) fn debit(&mut self, amount: Amount) {
        self.debit_sum = Amount(self.debit_sum.0.saturating_add(amount.0));
        self.debit_count = self.debit_count.saturating_add(1);
    }

    pub(crate) fn undo_debit(&mut self, amount: Amount) {
        self.debit_sum = Amount(self.debit_sum.0.saturating_sub(amount.0));
        self.debit_count = self.debit_count.saturating_sub(1);
    }

    pub(crate) fn credit(&mut self, amount: Amount) {
        self.credit_sum = Amount(self.credit_sum.0.saturating_add(amount.0));
        self.credit_count = self.credit_count.saturating_add(1);
    }
}

fn starting_at(stan: u32) -> Remembered {
    Remembered { next_stan: stan.max(1), batch: 1, ..Remembered::default() }
}

/// Two numbers per second, 1 to 999999.
fn number_of(now_ms: i64) -> u32 {
    u32::try_from((now_ms / 500).rem_euclid(i64::from(STAN_LAST))).unwrap_or(0) + 1
}

/// A terminal number may hold any printable character; a file name may not.
fn file_name(id: TerminalId) -> String {
    id.as_str().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id() -> TerminalId {
        "T0000001".parse().unwrap()
    }

    #[test]
    fn numbers_go_on_after_a_restart_and_the_terminal_has_one_user() {
        let folder = tempfile::tempdir().unwrap();
        let mut memory = Memory::open(folder.path(), id()).unwrap();
        assert_eq!([memory.take_stan().unwrap().get(), memory.take_stan().unwrap().get()], [1, 2]);
        assert!(matches!(Memory::open(folder.path(), id()), Err(MemoryError::InUse(_))));
        drop(memory);
        let mut memory = Memory::open(folder.path(), id()).unwrap();
        assert_eq!(memory.take_stan().unwrap().get(), 3);
    }

    #[test]
    fn reserved_numbers_are_never_given_twice() {
        let folder = tempfile::tempdir().unwrap();
        let mut memory = Memory::open(folder.path(), id()).unwrap();
        memory.reserve_at_a_time(100);
        let last = (0..150).map(|_| memory.take_stan().unwrap().get()).last().unwrap();
        assert_eq!(last, 150);
        let mut totals = Totals::default();
        totals.debit(Amount(100));
        memory.set_totals(totals).unwrap();
        drop(memory);
        let mut memory = Memory::open(folder.path(), id()).unwrap();
        assert_eq!((memory.take_stan().unwrap().get(), memory.totals()), (151, totals));
    }

    #[test]
    fn a_number_wraps_past_zero() {
        let mut memory = Memory::volatile(Stan::new(STAN_LAST).unwrap());
        assert_eq!([memory.take_stan().unwrap().get(), memory.take_stan().unwrap().get()], [STAN_LAST, 1]);
    }

    #[test]
    fn another_batch_begins_with_empty_totals() {
        let mut memory = Memory::volatile(Stan::new(1).unwrap());
        let mut totals = Totals::default();
        totals.debit(Amount(100));
        memory.set_totals(totals).unwrap();
        memory.set_batch(BatchNumber::new(1).unwrap()).unwrap();
        assert_eq!(memory.totals(), totals);
        memory.set_batch(BatchNumber::new(2).unwrap()).unwrap();
        assert_eq!(memory.totals(), Totals::default());
    }
}
