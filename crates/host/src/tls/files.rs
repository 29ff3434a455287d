//! Certificates and keys from PEM files (RFC 7468). What is wrong is said with the file's name; what is in a key file is
//! never said.

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use tokio_rustls::rustls::{
    Error, InconsistentKeys,
    crypto::ring::sign::any_supported_type,
    pki_types::{
        CertificateDer, CertificateRevocationListDer, PrivateKeyDer,
        pem::{self, PemObject},
    },
    sign::{CertifiedKey, SigningKey},
};
use zeroize::{Zeroize, Zeroizing};

use super::certificate::Certificate;
use crate::config::TlsConfig;

/// Longest file: a chain or a list of authorities has a few kilobytes, a list of revocations more.
const FILE_BYTES: u64 = 16 * 1024 * 1024;
const EVERYBODY: u32 = 0o007;

/// The host's own certificate and key.
pub(super) struct Own {
    pub(super) chain: Vec<CertificateDer<'static>>,
    pub(super) key: Arc<dyn SigningKey>,
    pub(super) not_after: i64,
}

/// Which versions of the files were read: when they change, they are read again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stamps(Vec<Option<(i64, i64, u64, u64)>>);

impl Stamps {
    pub(super) fn of(config: &TlsConfig) -> Self {
        let paths: [Option<&PathBuf>; 4] = [
            Some(&config.certificate),
            Some(&config.key),
            config.client_ca.as_ref(),
            config.client_crl.as_ref(),
        ];
        let stamp =
            |path: &PathBuf| fs::metadata(path).ok().map(|m| (m.mtime(), m.mtime_nsec(), m.size(), m.ino()));
        Self(paths.into_iter().flatten().map(stamp).collect())
    }
}

/// Reads certificate and key, and sees whether they belong together.
pub(super) fn own(config: &TlsConfig, now: i64) -> Result<Own, Vec<String>> {
    let mut problems = Vec::new();
    let mut keep = |problem: String| problems.push(problem);
    let chain = certificates(&config.certificate).map_err(&mut keep).ok();
    let not_after =
        chain.as_deref().and_then(|chain| valid(&config.certificate, chain, now).map_err(&mut keep).ok());
    let key = private_key(&config.key).map_err(&mut keep).ok();
    if let (Some(chain), Some(_), Some(key)) = (&chain, not_after, &key) {
        match CertifiedKey::new(chain.clone(), Arc::clone(key)).keys_match() {
            // Some kinds of keys cannot tell.
            Ok(()) | Err(Error::InconsistentKeys(InconsistentKeys::Unknown)) => {}
            Err(Error::InconsistentKeys(_)) => problems.push(format!(
                "{}: not the key of the certificate in {}",
                config.key.display(),
                config.certificate.display()
            )),
            Err(error) => problems.push(format!("{}: {error}", config.certificate.display())),
        }
    }
    match (chain, not_after, key) {
        (Some(chain), Some(not_after), Some(key)) if problems.is_empty() => Ok(Own { chain, key, not_after }),
        _ => Err(problems),
    }
}

/// The moment at which the first certificate of the chain ends.
fn valid(path: &Path, chain: &[CertificateDer<'_>], now: i64) -> Result<i64, String> {
    let mut first = i64::MAX;
    for (index, der) in chain.iter().enumerate() {
        let place = || format!("{}: certificate {}", path.display(), index + 1);
        let read = Certificate::read(der).ok_or_else(|| format!("{} cannot be read", place()))?;
        if now > read.not_after {
            return Err(format!("{} expired on {}", place(), day(read.not_after)));
        }
        if now < read.not_before {
            return Err(format!("{} is valid from {} only", place(), day(read.not_before)));
        }
        first = first.min(read.not_after);
    }
    Ok(first)
}

fn day(seconds: i64) -> String {
    jiff::Timestamp::from_second(seconds).map_or_else(|_| "no date".to_owned(), |at| at.to_string())
}

/// All certificates of a file; at least one.
pub(super) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let text = read(path)?;
    let all: Result<Vec<_>, pem::Error> = CertificateDer::pem_slice_iter(&text).collect();
    let all = all.map_err(|error| format!("{}: {}", path.display(), broken(&error)))?;
    if all.is_empty() { Err(format!("{}: no certificate in it", path.display())) } else { Ok(all) }
}

/// All revocation lists of a file; at least one.
pub(super) fn revocations(path: &Path) -> Result<Vec<CertificateRevocationListDer<'static>>, String> {
    let text = read(path)?;
    let all: Result<Vec<_>, pem::Error> = CertificateRevocationListDer::pem_slice_iter(&text).collect();
    let all = all.map_err(|error| format!("{}: {}", path.display(), broken(&error)))?;
    if all.is_empty() { Err(format!("{}: no revocation list in it", path.display())) } else { Ok(all) }
}

fn private_key(path: &Path) -> Result<Arc<dyn SigningKey>, String> {
    let wrong = |problem: &str| format!("{}: {problem}", path.display());
    let text = read(path)?;
    let mode = fs::metadata(path).map_err(|error| wrong(&error.to_string()))?.mode();
    if mode & EVERYBODY != 0 {
        return Err(wrong("everybody on this machine may read this key; take that away (chmod o-rwx)"));
    }
    let mut key = PrivateKeyDer::from_pem_slice(&text).map_err(|error| match error {
        pem::Error::NoItemsFound => {
            wrong("no private key in it that can be read without a passphrase (PKCS#8, PKCS#1 or SEC1)")
        }
        other => wrong(broken(&other)),
    })?;
    let loaded = any_supported_type(&key)
        .map_err(|_| wrong("a private key of a kind that is not supported, or damaged"));
    key.zeroize();
    loaded
}

/// What is wrong with PEM, without a byte of it: it may be a key.
fn broken(error: &pem::Error) -> &'static str {
    match error {
        pem::Error::NoItemsFound => "nothing in it",
        pem::Error::MissingSectionEnd { .. } => "a section is not ended (cut off?)",
        pem::Error::IllegalSectionStart { .. } => "a section begins with a damaged line",
        pem::Error::Base64Decode(_) => "damaged: no base64 where there must be some",
        _ => "cannot be read as PEM",
    }
}

fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, String> {
    let wrong = |problem: String| format!("{}: {problem}", path.display());
    let size = fs::metadata(path).map_err(|error| wrong(error.to_string()))?.size();
    if size > FILE_BYTES {
        return Err(wrong(format!("{size} bytes; at most {FILE_BYTES} are read")));
    }
    fs::read(path).map(Zeroizing::new).map_err(|error| wrong(error.to_string()))
}
