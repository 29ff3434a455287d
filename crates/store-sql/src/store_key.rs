//! The store's key: a file of 64 bytes beside the data, made when the store is new. Half of it names cards (keyed
//! hash), half of it seals card numbers and answers. Lost, the store cannot be read; so it is never replaced silently.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use zeroize::Zeroizing;

/// 32 bytes for the keyed hash, 32 bytes for sealing.
pub(crate) const KEY_LEN: usize = 64;
/// The key's file name in the data directory.
pub(crate) const FILE_NAME: &str = "store.key";

/// The key in memory; wiped when dropped.
pub(crate) type StoreKey = Zeroizing<[u8; KEY_LEN]>;

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeyError {
    #[error("missing")]
    Missing,
    #[error("{0} bytes long instead of {KEY_LEN}")]
    Length(usize),
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Reads the key of an existing store.
pub(crate) fn read(dir: &Path) -> Result<StoreKey, KeyError> {
    let bytes = match fs::read(dir.join(FILE_NAME)) {
        Ok(bytes) => Zeroizing::new(bytes),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(KeyError::Missing),
        Err(error) => return Err(error.into()),
    };
    let key: [u8; KEY_LEN] = bytes.as_slice().try_into().map_err(|_| KeyError::Length(bytes.len()))?;
    Ok(Zeroizing::new(key))
}

/// Makes the key of a new store: written whole under another name first, so that a crash leaves no half key. Of several
/// processes that make one in the same directory at the same moment, all get the first one's.
pub(crate) fn create(dir: &Path) -> Result<StoreKey, KeyError> {
    let mut key = Zeroizing::new([0; KEY_LEN]);
    getrandom::fill(&mut *key).map_err(io::Error::other)?;
    let mut random = [0; 8];
    getrandom::fill(&mut random).map_err(io::Error::other)?;
    let fresh = dir.join(format!("store.key.new-{:016x}", u64::from_be_bytes(random)));
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh)?;
    file.write_all(&*key)?;
    file.sync_all()?;
    // Unlike a renaming, a link never replaces what is there.
    let linked = fs::hard_link(&fresh, dir.join(FILE_NAME));
    fs::remove_file(&fresh)?;
    match linked {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return read(dir),
        other => other?,
    }
    File::open(dir)?.sync_all()?;
    Ok(key)
}
