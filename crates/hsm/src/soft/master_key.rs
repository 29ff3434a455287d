//! The module's master key: protects every key at rest. From a file that only its owner may read, or from a
//! passphrase (Argon2id).

use std::{
    fs,
    io::{self, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use argon2::{Algorithm, Argon2, Params, Version};
use paycrypto::{key::AesKey, key_block::ProtectionKey};
use zeroize::{Zeroize, Zeroizing};

/// Argon2id parameters (RFC 9106, second recommended option): 64 MiB, 3 passes, 4 lanes.
const MEMORY_KIB: u32 = 64 * 1024;
const PASSES: u32 = 3;
const LANES: u32 = 4;

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
}

impl MasterKey {
    /// Reads the key from a file of 64 hexadecimal digits.
    ///
    /// # Errors
    /// [`MasterKeyError`]; the key never appears in it.
    pub fn from_file(path: &Path) -> Result<Self, MasterKeyError> {
        let file = |source| MasterKeyError::File { path: path.to_owned(), source };
        let mode = fs::metadata(path).map_err(file)?.mode();
        if mode & 0o077 != 0 {
            return Err(MasterKeyError::TooOpen(path.to_owned()));
        }
        let text = Zeroizing::new(fs::read(path).map_err(file)?);
        let mut key = Zeroizing::new([0; 32]);
        hex::decode_to_slice(text.trim_ascii(), &mut *key)
            .map_err(|_| MasterKeyError::Contents(path.to_owned()))?;
        Ok(Self::new(&key))
    }

    /// Makes a key and writes it to a new file that only its owner may read. An existing file is left alone.
    ///
    /// # Errors
    /// [`MasterKeyError`].
    pub fn create_file(path: &Path) -> Result<Self, MasterKeyError> {
        let mut key = Zeroizing::new([0; 32]);
        getrandom::fill(&mut *key).map_err(|e| MasterKeyError::Randomness(e.to_string()))?;
        let mut text = hex::encode(*key);
        let written = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)
            .and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()));
        text.zeroize();
        written.map_err(|source| MasterKeyError::File { path: path.to_owned(), source })?;
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

    pub(super) fn protection(&self) -> &ProtectionKey {
        &self.0
    }
}
