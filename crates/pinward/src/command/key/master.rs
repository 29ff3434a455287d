//! The master key of a data directory: begun, and opened from wherever it comes. Secrets are typed or in files, never on
//! the command line and never in a variable's value.

use std::{
    env, fs,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context;
use hsm::soft::{MasterKey, MasterKeySource, PASSPHRASE_MIN, Passphrase};

use super::{Session, ask};
use crate::command::Usage;

/// Names a file that holds the passphrase, for unattended starts.
pub(crate) const PASSPHRASE_FILE_VARIABLE: &str = "PINWARD_MASTER_PASSPHRASE_FILE";
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
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&folder)
        .with_context(|| format!("cannot create {}", folder.display()))?;
    let source = match options.master {
        From::File => MasterKeySource::File,
        From::Passphrase => match passphrase_file() {
            Some(path) => MasterKeySource::PassphraseFile(path),
            None => {
                let what = format!("New master passphrase, at least {PASSPHRASE_MIN} characters");
                MasterKeySource::Passphrase(Passphrase::new(ask::secret_twice(&what)?.to_string()))
            }
        },
        From::Credential => {
            let credentials = credentials_directory().ok_or_else(|| {
                Usage(format!(
                    "{CREDENTIALS_VARIABLE} is not set: systemd sets it for a unit with credentials"
                ))
            })?;
            let found = MasterKeySource::find(&folder, Some(&credentials), None);
            match found {
                Some(
                    credential @ (MasterKeySource::CredentialKey(_)
                    | MasterKeySource::CredentialPassphrase(_)),
                ) => credential,
                _ => MasterKeySource::CredentialKey(credentials),
            }
        }
    };
    let master = source.create(&folder)?;
    println!("master key  check value {} (AES CMAC)", master.check_value());
    eprintln!("Write it on the form. Without the master key nothing in {} can be opened.", folder.display());
    Ok(ExitCode::SUCCESS)
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
    Ok(source.open(folder)?)
}

fn passphrase_file() -> Option<PathBuf> {
    env::var_os(PASSPHRASE_FILE_VARIABLE).map(PathBuf::from)
}

fn credentials_directory() -> Option<PathBuf> {
    env::var_os(CREDENTIALS_VARIABLE).map(PathBuf::from)
}
