//! The master key of a data directory: begun, and opened from wherever it comes. Secrets are typed or in files, never on
//! the command line and never in a variable's value.

use std::{
    env, fs,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context;
use hsm::soft::{MasterKey, MasterKeyError, MasterKeySource, PASSPHRASE_MIN, Passphrase};

use zeroize::Zeroizing;

use super::{Session, ask};
use crate::command::Usage;

/// Names a file that holds the passphrase, for unattended starts.
pub(crate) const PASSPHRASE_FILE_VARIABLE: &str = "PINWARD_MASTER_PASSPHRASE_FILE";
/// What a master key leaves in its folder.
const MASTER_FILES: [&str; 3] = ["master.key", "master.salt", "master.kcv"];
/// Set by systemd for a unit with credentials.
const CREDENTIALS_VARIABLE: &str = "CREDENTIALS_DIRECTORY";

/// Options of `pinward key init`.
#[derive(clap::Args)]
pub(super) struct Init {
    /// Where the master key comes from.
    #[arg(long, value_enum, default_value = "passphrase")]
    master: From,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum From {
    /// A passphrase, typed twice, or in the file that PINWARD_MASTER_PASSPHRASE_FILE names (Argon2id).
    Passphrase,
    /// A random key in keys/master.key, readable for its owner only.
    File,
    /// The systemd credential pinward-master-key, or pinward-master-passphrase.
    Credential,
}

/// Begins a folder of keys.
pub(super) fn init(session: &Session, options: &Init) -> anyhow::Result<ExitCode> {
    let folder = session.folder();
    if begun(&folder) {
        anyhow::bail!("{} is already begun: it has a master key or keys", folder.display());
    }
    let source = source_for(options.master, &folder)?;
    let absent: Vec<&Path> =
        [folder.as_path(), &session.data].into_iter().filter(|it| !it.exists()).collect();
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&folder)
        .with_context(|| format!("cannot create {}", folder.display()))?;
    let master = source.create(&folder).map_err(|error| {
        // None of these was there before.
        for file in MASTER_FILES {
            let _ = fs::remove_file(folder.join(file));
        }
        for made in absent {
            let _ = fs::remove_dir(made);
        }
        worded(&source, error)
    })?;
    println!("master key  check value {} (AES CMAC)", master.check_value());
    eprintln!("Write it on the form. Without the master key nothing in {} can be opened.", folder.display());
    Ok(ExitCode::SUCCESS)
}

/// Has this folder a master key or keys?
pub(super) fn begun(folder: &Path) -> bool {
    let [key, salt, check] = MASTER_FILES;
    [key, salt, check, "keys.toml", "audit.jsonl"].iter().any(|file| folder.join(file).exists())
}

/// A file with a passphrase is not called a master key file.
fn worded(source: &MasterKeySource, error: MasterKeyError) -> anyhow::Error {
    let MasterKeySource::PassphraseFile(file) = source else { return error.into() };
    match error {
        MasterKeyError::File { path, source } if path == *file => {
            anyhow::anyhow!("passphrase file {}: {source}", path.display())
        }
        MasterKeyError::TooOpen(path) if path == *file => {
            let path = path.display();
            anyhow::anyhow!("passphrase file {path} may be read by others: expected mode 0600 or 0400")
        }
        other => other.into(),
    }
}

fn source_for(from: From, folder: &Path) -> anyhow::Result<MasterKeySource> {
    Ok(match from {
        From::File => MasterKeySource::File,
        From::Passphrase => match passphrase_file() {
            Some(path) => MasterKeySource::PassphraseFile(path),
            None => {
                let what = format!("New master passphrase, at least {PASSPHRASE_MIN} characters");
                MasterKeySource::Passphrase(Passphrase::new(
                    ask::secret_twice(&what, long_enough)?.to_string(),
                ))
            }
        },
        From::Credential => {
            let credentials = credentials_directory().ok_or_else(|| {
                Usage(format!(
                    "{CREDENTIALS_VARIABLE} is not set: systemd sets it for a unit with credentials"
                ))
            })?;
            let found = MasterKeySource::find(folder, Some(&credentials), None);
            match found {
                Some(
                    credential @ (MasterKeySource::CredentialKey(_)
                    | MasterKeySource::CredentialPassphrase(_)),
                ) => credential,
                _ => MasterKeySource::CredentialKey(credentials),
            }
        }
    })
}

/// A short passphrase is refused at its first entry.
fn long_enough(text: &Zeroizing<String>) -> Result<Zeroizing<String>, String> {
    match text.chars().count() {
        length if length < PASSPHRASE_MIN => Err(format!("{length} characters are too few")),
        _ => Ok(text.clone()),
    }
}

/// Opens the master key: a credential of systemd, a passphrase file, `master.key`, or a passphrase that is asked for.
pub(crate) fn open(folder: &Path) -> anyhow::Result<MasterKey> {
    let source =
        MasterKeySource::find(folder, credentials_directory().as_deref(), passphrase_file().as_deref());
    let source = match source {
        Some(source) => source,
        None => {
            let typed = ask::secret("Master passphrase").with_context(|| {
                format!("the keys are under a passphrase; {PASSPHRASE_FILE_VARIABLE} can name a file with it")
            })?;
            MasterKeySource::Passphrase(Passphrase::new(typed.to_string()))
        }
    };
    source.open(folder).map_err(|error| worded(&source, error))
}

fn passphrase_file() -> Option<PathBuf> {
    env::var_os(PASSPHRASE_FILE_VARIABLE).map(PathBuf::from)
}

fn credentials_directory() -> Option<PathBuf> {
    env::var_os(CREDENTIALS_VARIABLE).map(PathBuf::from)
}
