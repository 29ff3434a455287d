//! The register and its trail, changed together. While a [`Keyring`] is open, a lock keeps every other process away.

use std::{
    fs,
    io::{self},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use model::Timestamp;

use crate::{
    KeyName, KeyringError, Person, Register,
    audit::{self, Action, AuditFault, Entry, Verified},
    register, replay,
};

/// The file that is locked while somebody changes the register.
const LOCK_FILE: &str = "keys.lock";
/// How often the two files are read until no step came between.
const READS_MAX: usize = 5;

/// A folder of keys, open for change.
#[derive(Debug)]
pub struct Keyring {
    folder: PathBuf,
    register: Register,
    /// Added to the note of every line, such as that a sandbox's rules held.
    remark: Option<String>,
    /// A line was written whose step did not take effect.
    unfinished: bool,
    _lock: fs::File,
}

/// Reads the register of a folder of keys without its trail: for a host that starts. A folder that has none yet has no
/// keys.
///
/// # Errors
/// [`KeyringError`] when it is damaged.
pub fn read_register(folder: &Path) -> Result<Register, KeyringError> {
    match Register::read(folder)? {
        Some(register) => Ok(register),
        None if audit::read(folder)?.is_empty() => Ok(Register::default()),
        None => Err(KeyringError::NoRegister(folder.join(register::FILE))),
    }
}

/// Reads and verifies the trail of a folder of keys.
///
/// # Errors
/// [`KeyringError::Audit`] names the first bad line, [`KeyringError::Altered`] what the register says against it.
pub fn read_trail(folder: &Path) -> Result<Verified, KeyringError> {
    let (register, text) = read_both(folder)?;
    let verified = audit::verify(&text, &register.audit).map_err(KeyringError::Audit)?;
    unaltered(&register, &verified)?;
    Ok(verified)
}

/// The register and the trail of one moment: no lock is taken, so the register is read before and after the trail.
fn read_both(folder: &Path) -> Result<(Register, String), KeyringError> {
    let mut register = read_register(folder)?;
    for _ in 0..READS_MAX {
        let text = audit::read(folder)?;
        let after = read_register(folder)?;
        if after == register {
            return Ok((register, text));
        }
        register = after;
    }
    Err(KeyringError::Busy(folder.to_owned()))
}

fn unaltered(register: &Register, trail: &Verified) -> Result<(), KeyringError> {
    let findings = replay::differences(register, trail);
    if findings.is_empty() { Ok(()) } else { Err(KeyringError::Altered(findings)) }
}

impl Keyring {
    /// Opens a folder of keys for change. Its trail must hold together, and the register be what it says; a step that a
    /// crash interrupted is noted.
    ///
    /// # Errors
    /// [`KeyringError`].
    pub fn open(folder: &Path, now: Timestamp) -> Result<Self, KeyringError> {
        let (mut keyring, verified) = Self::locked(folder)?;
        unaltered(&keyring.register, &verified)?;
        audit::cut_torn_end(folder, verified.whole)?;
        if verified.ahead > 0 {
            keyring.register.audit = verified.end;
            let lines = if verified.ahead == 1 { "line" } else { "lines" };
            let note = format!("the {} {lines} before this one took no effect", verified.ahead);
            let unchanged = keyring.register.clone();
            keyring.commit(unchanged, Entry::bare(Action::Interrupted, note), now)?;
        }
        Ok(keyring)
    }

    /// Opens a folder of keys for [`Keyring::check`] alone: a register that was altered is taken, and every change refused.
    ///
    /// # Errors
    /// [`KeyringError`].
    pub fn open_to_check(folder: &Path) -> Result<Self, KeyringError> {
        let (keyring, _) = Self::locked(folder)?;
        Ok(Self { unfinished: true, ..keyring })
    }

    fn locked(folder: &Path) -> Result<(Self, Verified), KeyringError> {
        let lock = lock(folder)?;
        let text = audit::read(folder)?;
        let register = match Register::read(folder)? {
            Some(register) => register,
            None if text.is_empty() => {
                let register = Register::default();
                register.write(folder)?;
                register
            }
            None => return Err(KeyringError::NoRegister(folder.join(register::FILE))),
        };
        let verified = audit::verify(&text, &register.audit).map_err(KeyringError::Audit)?;
        let folder = folder.to_owned();
        Ok((Self { folder, register, remark: None, unfinished: false, _lock: lock }, verified))
    }

    /// Adds a remark to the note of every line from now on.
    pub fn remark(&mut self, remark: &str) {
        self.remark = Some(remark.to_owned());
    }

    /// The register as it is.
    #[must_use]
    pub fn register(&self) -> &Register {
        &self.register
    }

    /// The whole trail.
    ///
    /// # Errors
    /// [`AuditFault`], or a file that cannot be read.
    pub fn trail(&self) -> Result<Result<Verified, AuditFault>, KeyringError> {
        Ok(audit::verify(&audit::read(&self.folder)?, &self.register.audit))
    }

    /// Notes a step in the trail, then makes its effect visible.
    pub(crate) fn commit(
        &mut self,
        mut changed: Register,
        mut entry: Entry,
        now: Timestamp,
    ) -> Result<(), KeyringError> {
        if self.unfinished {
            return Err(KeyringError::Unfinished);
        }
        if let Some(remark) = &self.remark {
            let own = entry.note.map_or_else(String::new, |note| note + replay::REMARK);
            entry.note = Some(own + remark);
        }
        let digest = changed.digest();
        // More than one line without effect would look like a register that was restored alone.
        self.unfinished = true;
        changed.audit = audit::append(&self.folder, &self.register.audit, entry, digest, now)?;
        changed.write(&self.folder)?;
        self.unfinished = false;
        self.register = changed;
        Ok(())
    }

    /// Passes a step's outcome on; one that a rule refused is noted first.
    pub(crate) fn noting_refusal<T>(
        &mut self,
        outcome: Result<T, KeyringError>,
        who: Vec<Person>,
        name: &KeyName,
        now: Timestamp,
    ) -> Result<T, KeyringError> {
        if let Err(error) = &outcome
            && error.is_for_the_trail()
        {
            let entry = Entry {
                who,
                action: Action::Refused,
                key: Some(name.clone()),
                version: None,
                check_values: Vec::new(),
                note: Some(error.to_string()),
            };
            let unchanged = self.register.clone();
            self.commit(unchanged, entry, now)?;
        }
        outcome
    }
}

fn lock(folder: &Path) -> Result<fs::File, KeyringError> {
    let path = folder.join(LOCK_FILE);
    let file = |source| KeyringError::File { path: path.clone(), source };
    let lock = fs::OpenOptions::new().create(true).append(true).mode(0o600).open(&path).map_err(file)?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(fs::TryLockError::WouldBlock) => Err(KeyringError::Busy(folder.to_owned())),
        Err(fs::TryLockError::Error(source)) => Err(file(io::Error::from(source.kind()))),
    }
}
