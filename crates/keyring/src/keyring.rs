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
    register,
};

/// The file that is locked while somebody changes the register.
const LOCK_FILE: &str = "keys.lock";

/// A folder of keys, open for change.
#[derive(Debug)]
pub struct Keyring {
    folder: PathBuf,
    register: Register,
    _lock: fs::File,
}

/// Reads the register of a folder of keys without its trail: for a host that starts. A folder that has none yet has no
/// keys.
///
/// # Errors
/// [`KeyringError`] when it is damaged.
pub fn read_register(folder: &Path) -> Result<Register, KeyringError> {
    Ok(Register::read(folder)?.unwrap_or_default())
}

/// Reads and verifies the trail of a folder of keys.
///
/// # Errors
/// [`KeyringError::Audit`] names the first bad line.
pub fn read_trail(folder: &Path) -> Result<Verified, KeyringError> {
    let text = audit::read(folder)?;
    let register = Register::read(folder)?;
    if register.is_none() && !text.is_empty() {
        return Err(KeyringError::NoRegister(folder.join(register::FILE)));
    }
    audit::verify(&text, &register.unwrap_or_default().audit).map_err(KeyringError::Audit)
}

impl Keyring {
    /// Opens a folder of keys for change. Its trail must hold together; a step that a crash interrupted is noted in it.
    ///
    /// # Errors
    /// [`KeyringError`].
    pub fn open(folder: &Path, now: Timestamp) -> Result<Self, KeyringError> {
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
        let mut keyring = Self { folder: folder.to_owned(), register, _lock: lock };
        audit::cut_torn_end(folder, verified.whole)?;
        if verified.ahead > 0 {
            keyring.register.audit = verified.end;
            let lines = if verified.ahead == 1 { "line" } else { "lines" };
            let entry = Entry {
                who: Vec::new(),
                action: Action::Interrupted,
                key: None,
                version: None,
                check_values: Vec::new(),
                note: Some(format!("the {} {lines} before this one took no effect", verified.ahead)),
            };
            let unchanged = keyring.register.clone();
            keyring.commit(unchanged, entry, now)?;
        }
        Ok(keyring)
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
        entry: Entry,
        now: Timestamp,
    ) -> Result<(), KeyringError> {
        changed.audit = audit::append(&self.folder, &self.register.audit, entry, now)?;
        let written = changed.write(&self.folder);
        // The line is there, whatever became of the register: the next one follows it.
        self.register.audit.clone_from(&changed.audit);
        written?;
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
