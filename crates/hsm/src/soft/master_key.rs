//! The module's master key: protects every key at rest. From a file that only its owner may read, from a passphrase
//! (Argon2id), or from a credential of systemd ([`MasterKeySource`]).
//!
//! Beside the keys stands the master key's check value, so that a wrong passphrase is told as one and not as a damaged
//! key block. It helps nobody who guesses: whoever can read it can read the key blocks too, and each of them tells a right
//! guess as well.

use std::{
    fs,
    io::{self, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use argon2::{Algorithm, Argon2, Params, Version};
use paycrypto::{
    kcv::{KcvMethod, check_value},
    key::AesKey,
    key_block::ProtectionKey,
};
use zeroize::{Zeroize, Zeroizing};

/// Argon2id parameters (RFC 9106, second recommended option): 64 MiB, 3 passes, 4 lanes.
const MEMORY_KIB: u32 = 64 * 1024;
const PASSES: u32 = 3;
const LANES: u32 = 4;

/// A new passphrase has at least so many characters: a short one falls to a list of words, whatever the hash.
pub const PASSPHRASE_MIN: usize = 16;
/// And a file that should hold one at most so many bytes.
const PASSPHRASE_BYTES_MAX: u64 = 1024;
const SALT_LENGTH: usize = 32;
const CHECK_VALUE_LENGTH: usize = 3;

/// The file with the key itself.
pub(crate) const KEY_FILE: &str = "master.key";
/// The salt of the passphrase; not secret.
pub(crate) const SALT_FILE: &str = "master.salt";
/// The master key's check value, AES CMAC.
pub(crate) const CHECK_FILE: &str = "master.kcv";
/// The systemd credential that holds 64 hexadecimal digits.
pub(crate) const KEY_CREDENTIAL: &str = "pinward-master-key";
/// The systemd credential that holds the passphrase.
pub(crate) const PASSPHRASE_CREDENTIAL: &str = "pinward-master-passphrase";

/// An AES-256 key that wraps key blocks.
pub struct MasterKey(ProtectionKey);

/// The master key cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum MasterKeyError {
    /// Reading or writing the file failed.
    #[error("master key file {path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Others may read it.
    #[error("master key file {0} may be read by others: expected mode 0600 or 0400")]
    TooOpen(PathBuf),
    /// It does not hold 64 hexadecimal digits.
    #[error("master key file {0} does not hold 64 hexadecimal digits")]
    Contents(PathBuf),
    /// The system gives no randomness.
    #[error("no randomness: {0}")]
    Randomness(String),
    /// The passphrase or its salt cannot be used.
    #[error("passphrase: {0}")]
    Passphrase(String),
    /// The systemd credential is not there.
    #[error("no credential {name} in {folder}: the unit needs LoadCredentialEncrypted={name} (systemd.exec)")]
    NoCredential {
        /// Its name.
        name: &'static str,
        /// Where it should be.
        folder: PathBuf,
    },
    /// A passphrase, but nothing to tell whether it is the right one.
    #[error("{0} is missing: it belongs to the keys beside it; restore it from the back-up of that folder")]
    Missing(PathBuf),
    /// The check value file does not hold one.
    #[error("{0} does not hold a check value of three bytes: restore it from the back-up of that folder")]
    CheckValueFile(PathBuf),
    /// The check value is another: this is not the key that the key blocks are under.
    #[error(
        "{what}: its check value is {found}, the keys in {folder} are under a master key with {expected}"
    )]
    WrongKey {
        /// What is wrong, in words.
        what: &'static str,
        /// The check value of the key that was given.
        found: String,
        /// The one on file.
        expected: String,
        /// The folder of the keys.
        folder: PathBuf,
    },
}

/// Where the master key comes from.
#[derive(Debug)]
pub enum MasterKeySource {
    /// `master.key` in the folder of the keys.
    File,
    /// A passphrase that somebody typed.
    Passphrase(Passphrase),
    /// A passphrase in a file that only its owner may read.
    PassphraseFile(PathBuf),
    /// The key as a credential in the folder that systemd made.
    CredentialKey(PathBuf),
    /// The passphrase as a credential in the folder that systemd made.
    CredentialPassphrase(PathBuf),
}

/// A passphrase. Prints as stars and is wiped.
pub struct Passphrase(Zeroizing<String>);

impl Passphrase {
    /// Takes what was typed.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }
}

impl std::fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Passphrase(********)")
    }
}

impl MasterKeySource {
    /// The source that a folder of keys and its surroundings point to, if any: a credential of systemd first, then a
    /// passphrase file, then `master.key`. `None` when a passphrase has to be asked for.
    #[must_use]
    pub fn find(folder: &Path, credentials: Option<&Path>, passphrase_file: Option<&Path>) -> Option<Self> {
        let with_passphrase = folder.join(SALT_FILE).exists();
        if let Some(credentials) = credentials {
            if credentials.join(KEY_CREDENTIAL).exists() {
                return Some(Self::CredentialKey(credentials.to_owned()));
            }
            if credentials.join(PASSPHRASE_CREDENTIAL).exists() {
                return Some(Self::CredentialPassphrase(credentials.to_owned()));
            }
        }
        match (with_passphrase, passphrase_file) {
            (true, Some(file)) => Some(Self::PassphraseFile(file.to_owned())),
            (true, None) => None,
            (false, _) => Some(Self::File),
        }
    }

    /// Opens the master key of a folder of keys, and compares its check value with the one on file. A folder of an
    /// earlier release has `master.key` and no check value; its key blocks tell.
    ///
    /// # Errors
    /// [`MasterKeyError::WrongKey`] for a wrong passphrase or another site's key; the others say what is missing.
    pub fn open(&self, folder: &Path) -> Result<MasterKey, MasterKeyError> {
        let key = match self {
            Self::File => MasterKey::from_file(&folder.join(KEY_FILE))?,
            Self::Passphrase(passphrase) => of_passphrase(folder, &passphrase.0)?,
            Self::PassphraseFile(path) => of_passphrase(folder, &secret_line(path, OWNER_ONLY)?)?,
            Self::CredentialKey(credentials) => {
                let text = secret_line(&credential(credentials, KEY_CREDENTIAL)?, NOT_FOR_ALL)?;
                from_hex(&text, &credentials.join(KEY_CREDENTIAL))?
            }
            Self::CredentialPassphrase(credentials) => {
                let path = credential(credentials, PASSPHRASE_CREDENTIAL)?;
                of_passphrase(folder, &secret_line(&path, NOT_FOR_ALL)?)?
            }
        };
        match expected(folder)? {
            Some(expected) if expected == key.check_value() => Ok(key),
            Some(expected) => Err(MasterKeyError::WrongKey {
                what: self.wrong(),
                found: key.check_value(),
                expected,
                folder: folder.to_owned(),
            }),
            None if matches!(self, Self::File) => Ok(key),
            None => Err(MasterKeyError::Missing(folder.join(CHECK_FILE))),
        }
    }

    /// Begins a new folder of keys with this master key: a fresh one in `master.key`, or a fresh salt for the
    /// passphrase, and the check value. A folder that already has one is left alone.
    ///
    /// # Errors
    /// [`MasterKeyError`]; a passphrase of fewer than [`PASSPHRASE_MIN`] characters is refused.
    pub fn create(&self, folder: &Path) -> Result<MasterKey, MasterKeyError> {
        for taken in [KEY_FILE, SALT_FILE, CHECK_FILE] {
            let path = folder.join(taken);
            if path.exists() {
                let source = io::Error::from(io::ErrorKind::AlreadyExists);
                return Err(MasterKeyError::File { path, source });
            }
        }
        let key = match self {
            Self::File => MasterKey::create_file(&folder.join(KEY_FILE))?,
            Self::Passphrase(passphrase) => with_new_salt(folder, &passphrase.0)?,
            Self::PassphraseFile(path) => with_new_salt(folder, &secret_line(path, OWNER_ONLY)?)?,
            Self::CredentialKey(credentials) => {
                let text = secret_line(&credential(credentials, KEY_CREDENTIAL)?, NOT_FOR_ALL)?;
                from_hex(&text, &credentials.join(KEY_CREDENTIAL))?
            }
            Self::CredentialPassphrase(credentials) => {
                let path = credential(credentials, PASSPHRASE_CREDENTIAL)?;
                with_new_salt(folder, &secret_line(&path, NOT_FOR_ALL)?)?
            }
        };
        write_new(&folder.join(CHECK_FILE), format!("{}\n", key.check_value()).as_bytes())?;
        Ok(key)
    }

    fn wrong(&self) -> &'static str {
        match self {
            Self::File => "master.key is of another folder",
            Self::Passphrase(_) => "wrong passphrase",
            Self::PassphraseFile(_) => "the file holds a wrong passphrase",
            Self::CredentialKey(_) => "the credential holds another master key",
            Self::CredentialPassphrase(_) => "the credential holds a wrong passphrase",
        }
    }
}

impl MasterKey {
    /// Reads the key from a file of 64 hexadecimal digits.
    ///
    /// # Errors
    /// [`MasterKeyError`]; the key never appears in it.
    pub fn from_file(path: &Path) -> Result<Self, MasterKeyError> {
        from_hex(&secret_line(path, OWNER_ONLY)?, path)
    }

    /// Makes a key and writes it to a new file that only its owner may read. An existing file is left alone.
    ///
    /// # Errors
    /// [`MasterKeyError`].
    pub fn create_file(path: &Path) -> Result<Self, MasterKeyError> {
        let mut key = Zeroizing::new([0; 32]);
        getrandom::fill(&mut *key).map_err(|e| MasterKeyError::Randomness(e.to_string()))?;
        let mut text = hex::encode(*key);
        let written = write_new(path, text.as_bytes());
        text.zeroize();
        written?;
        Ok(Self::new(&key))
    }

    /// Derives the key from a passphrase. The salt is not secret; it belongs to the key store.
    ///
    /// # Errors
    /// [`MasterKeyError::Passphrase`] for a salt under 8 bytes.
    pub fn from_passphrase(passphrase: &str, salt: &[u8]) -> Result<Self, MasterKeyError> {
        let wrong = |e: argon2::Error| MasterKeyError::Passphrase(e.to_string());
        let params = Params::new(MEMORY_KIB, PASSES, LANES, Some(32)).map_err(wrong)?;
        let mut key = Zeroizing::new([0; 32]);
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into(passphrase.as_bytes(), salt, &mut *key)
            .map_err(wrong)?;
        Ok(Self::new(&key))
    }

    /// Takes 32 bytes that were made elsewhere.
    #[must_use]
    pub fn new(key: &[u8; 32]) -> Self {
        // Thirty-two bytes are always an AES-256 key.
        match AesKey::new(key) {
            Ok(key) => Self(ProtectionKey::Aes(key)),
            Err(_) => unreachable!("32 bytes are an AES-256 key"),
        }
    }

    /// The check value: three bytes of the AES CMAC of zeros (ANSI X9.24-3:2017), in hexadecimal.
    #[must_use]
    pub fn check_value(&self) -> String {
        let ProtectionKey::Aes(key) = &self.0 else { return String::new() };
        check_value(KcvMethod::AesCmac, key, CHECK_VALUE_LENGTH)
            .map_or_else(|_| String::new(), |v| v.to_string())
    }

    pub(super) fn protection(&self) -> &ProtectionKey {
        &self.0
    }
}

/// Permission bits that must not be set: a file of ours is for its owner alone.
const OWNER_ONLY: u32 = 0o077;
/// systemd may grant the service's user access by an access control list, which shows as a bit of the group.
const NOT_FOR_ALL: u32 = 0o007;

/// Reads a secret of one line.
fn secret_line(path: &Path, forbidden: u32) -> Result<Zeroizing<String>, MasterKeyError> {
    let file = |source| MasterKeyError::File { path: path.to_owned(), source };
    let about = fs::metadata(path).map_err(file)?;
    if about.mode() & forbidden != 0 {
        return Err(MasterKeyError::TooOpen(path.to_owned()));
    }
    if about.len() > PASSPHRASE_BYTES_MAX {
        return Err(MasterKeyError::Passphrase(format!(
            "{} has more than {PASSPHRASE_BYTES_MAX} bytes",
            path.display()
        )));
    }
    let text = Zeroizing::new(fs::read_to_string(path).map_err(file)?);
    Ok(Zeroizing::new(text.trim_end_matches(['\r', '\n']).to_owned()))
}

fn from_hex(text: &str, path: &Path) -> Result<MasterKey, MasterKeyError> {
    let mut key = Zeroizing::new([0; 32]);
    hex::decode_to_slice(text.trim(), &mut *key).map_err(|_| MasterKeyError::Contents(path.to_owned()))?;
    Ok(MasterKey::new(&key))
}

fn credential(folder: &Path, name: &'static str) -> Result<PathBuf, MasterKeyError> {
    let path = folder.join(name);
    match path.exists() {
        true => Ok(path),
        false => Err(MasterKeyError::NoCredential { name, folder: folder.to_owned() }),
    }
}

fn of_passphrase(folder: &Path, passphrase: &str) -> Result<MasterKey, MasterKeyError> {
    let path = folder.join(SALT_FILE);
    let salt = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Err(MasterKeyError::Missing(path)),
        Err(source) => return Err(MasterKeyError::File { path, source }),
    };
    let mut bytes = [0; SALT_LENGTH];
    hex::decode_to_slice(salt.trim(), &mut bytes).map_err(|_| {
        MasterKeyError::Passphrase(format!(
            "{} is not whole: restore it from the back-up of that folder",
            path.display()
        ))
    })?;
    MasterKey::from_passphrase(passphrase, &bytes)
}

fn with_new_salt(folder: &Path, passphrase: &str) -> Result<MasterKey, MasterKeyError> {
    if passphrase.chars().count() < PASSPHRASE_MIN {
        return Err(MasterKeyError::Passphrase(format!(
            "a new one has at least {PASSPHRASE_MIN} characters"
        )));
    }
    let mut salt = [0; SALT_LENGTH];
    getrandom::fill(&mut salt).map_err(|e| MasterKeyError::Randomness(e.to_string()))?;
    write_new(&folder.join(SALT_FILE), format!("{}\n", hex::encode(salt)).as_bytes())?;
    MasterKey::from_passphrase(passphrase, &salt)
}

/// The check value on file.
fn expected(folder: &Path) -> Result<Option<String>, MasterKeyError> {
    let path = folder.join(CHECK_FILE);
    match fs::read_to_string(&path) {
        Ok(text) => match text.trim() {
            value if value.len() == 2 * CHECK_VALUE_LENGTH && hex::decode(value).is_ok() => {
                Ok(Some(value.to_ascii_uppercase()))
            }
            _ => Err(MasterKeyError::CheckValueFile(path)),
        },
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(MasterKeyError::File { path, source }),
    }
}

fn write_new(path: &Path, contents: &[u8]) -> Result<(), MasterKeyError> {
    fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| file.write_all(contents).and_then(|()| file.sync_all()))
        .map_err(|source| MasterKeyError::File { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    const PHRASE: &str = "correct horse battery staple";

    fn folder() -> tempfile::TempDir {
        tempfile::tempdir().unwrap()
    }

    fn write(path: &Path, text: &str, mode: u32) {
        fs::write(path, text).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    fn typed(text: &str) -> MasterKeySource {
        MasterKeySource::Passphrase(Passphrase::new(text.to_owned()))
    }

    #[test]
    fn a_file_is_made_read_and_checked() {
        let here = folder();
        let made = MasterKeySource::File.create(here.path()).unwrap().check_value();
        assert_eq!(MasterKeySource::File.open(here.path()).unwrap().check_value(), made);
        assert!(MasterKeySource::File.create(here.path()).is_err(), "never over an existing one");
        let key = here.path().join(KEY_FILE);
        assert_eq!(fs::metadata(&key).unwrap().mode() & 0o777, 0o600);

        fs::set_permissions(&key, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(MasterKeySource::File.open(here.path()), Err(MasterKeyError::TooOpen(_))));
        write(&key, "0123456789abcdef", 0o600);
        assert!(matches!(MasterKeySource::File.open(here.path()), Err(MasterKeyError::Contents(_))));
        write(&key, &"5A".repeat(32), 0o600);
        let error = MasterKeySource::File.open(here.path()).err().unwrap();
        assert!(matches!(error, MasterKeyError::WrongKey { .. }), "{error}");
        assert!(!error.to_string().contains("5A5A"), "{error}");
        write(&here.path().join(CHECK_FILE), "12", 0o600);
        assert!(matches!(MasterKeySource::File.open(here.path()), Err(MasterKeyError::CheckValueFile(_))));
        fs::remove_file(here.path().join(CHECK_FILE)).unwrap();
        MasterKeySource::File.open(here.path()).unwrap();
    }

    #[test]
    fn a_wrong_passphrase_is_told_as_one() {
        let here = folder();
        assert!(typed("too short").create(here.path()).is_err());
        let made = typed(PHRASE).create(here.path()).unwrap().check_value();
        assert_eq!(typed(PHRASE).open(here.path()).unwrap().check_value(), made);
        let error = typed("correct horse battery stable").open(here.path()).err().unwrap();
        assert!(error.to_string().starts_with("wrong passphrase"), "{error}");

        let file = here.path().join("phrase");
        write(&file, &format!("{PHRASE}\n"), 0o400);
        let source = MasterKeySource::PassphraseFile(file.clone());
        assert_eq!(source.open(here.path()).unwrap().check_value(), made);
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(source.open(here.path()), Err(MasterKeyError::TooOpen(_))));

        write(&here.path().join(SALT_FILE), "00", 0o600);
        assert!(matches!(typed(PHRASE).open(here.path()), Err(MasterKeyError::Passphrase(_))));
        fs::remove_file(here.path().join(SALT_FILE)).unwrap();
        assert!(matches!(typed(PHRASE).open(here.path()), Err(MasterKeyError::Missing(_))));
        assert_eq!(format!("{:?}", typed(PHRASE)), "Passphrase(Passphrase(********))");
    }

    #[test]
    fn credentials_of_systemd_are_found_and_missing_ones_named() {
        let (here, credentials) = (folder(), folder());
        let key = MasterKeySource::CredentialKey(credentials.path().to_owned());
        let error = key.create(here.path()).err().unwrap();
        assert!(error.to_string().contains("LoadCredentialEncrypted=pinward-master-key"), "{error}");
        write(&credentials.path().join(KEY_CREDENTIAL), &"A7".repeat(32), 0o440);
        let made = key.create(here.path()).unwrap().check_value();
        assert_eq!(key.open(here.path()).unwrap().check_value(), made);
        write(&credentials.path().join(KEY_CREDENTIAL), &"A8".repeat(32), 0o440);
        assert!(matches!(key.open(here.path()), Err(MasterKeyError::WrongKey { .. })));
        write(&credentials.path().join(KEY_CREDENTIAL), &"A7".repeat(31), 0o440);
        assert!(matches!(key.open(here.path()), Err(MasterKeyError::Contents(_))));
        write(&credentials.path().join(KEY_CREDENTIAL), &"A7".repeat(32), 0o444);
        assert!(matches!(key.open(here.path()), Err(MasterKeyError::TooOpen(_))));

        let (here, credentials) = (folder(), folder());
        write(&credentials.path().join(PASSPHRASE_CREDENTIAL), PHRASE, 0o400);
        let phrase = MasterKeySource::CredentialPassphrase(credentials.path().to_owned());
        let made = phrase.create(here.path()).unwrap().check_value();
        assert_eq!(typed(PHRASE).open(here.path()).unwrap().check_value(), made);
    }

    #[test]
    fn the_source_is_found_by_what_is_there() {
        let (here, credentials) = (folder(), folder());
        let find = |with, file| MasterKeySource::find(here.path(), with, file);
        let there = Some(credentials.path());
        let phrase = Path::new("phrase");
        assert!(matches!(find(there, Some(phrase)), Some(MasterKeySource::File)));
        write(&here.path().join(SALT_FILE), "00", 0o600);
        assert!(find(there, None).is_none(), "a passphrase is asked for");
        assert!(matches!(find(None, Some(phrase)), Some(MasterKeySource::PassphraseFile(_))));
        write(&credentials.path().join(PASSPHRASE_CREDENTIAL), "x", 0o400);
        assert!(matches!(find(there, Some(phrase)), Some(MasterKeySource::CredentialPassphrase(_))));
        write(&credentials.path().join(KEY_CREDENTIAL), "x", 0o400);
        assert!(matches!(find(there, None), Some(MasterKeySource::CredentialKey(_))));
    }
}
