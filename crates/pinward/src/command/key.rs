//! `pinward key …`: the key ceremony and the life of a key, for the soft module. The register and the trail are in the
//! folder `keys` of the data directory; the rules are those of the crate `keyring`.
//!
//! One run of the program is one session: a custodian gives a component in one of their own. No key is ever shown,
//! but for a component that was made for its custodian, once. The keys of a host security module are made at its own
//! console, by its own ceremony; nothing here reaches them.
//!
//! Who is named with `--operator`, `--second` and `--custodian` is written down and compared, not authenticated: that needs
//! staff accounts. Until then the people in the room, and the paper form, are the proof.

mod ask;
mod custody;
mod life;
mod look;
pub(crate) mod master;
mod spec;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::Subcommand;
use hsm::soft::{Ceremony, KeyPolicy, MasterKey};
use keyring::{DualControl, ElsewhereKey, KeyName, Keyring, KeyringError, Person};
use model::Timestamp;

use super::Usage;

/// What every sandbox's data directory has.
const SANDBOX_FILE: &str = "sandbox-seed.json";

/// Keys that are kept elsewhere in a data directory, such as the terminals': `check` compares check values with them.
pub(crate) type Elsewhere<'a> = &'a dyn Fn(&Path, &Ceremony) -> anyhow::Result<Vec<ElsewhereKey>>;

/// Options of `pinward key`.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Data directory.
    #[arg(long, value_name = "DIR", default_value = "pinward-data", global = true)]
    data: PathBuf,
    /// JSON.
    #[arg(long, global = true)]
    json: bool,
    /// The rules of a sandbox, in a sandbox's data directory only: published and weak keys are taken, cryptograms too;
    /// components must still be random. The trail notes it.
    #[arg(long, global = true)]
    sandbox: bool,
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Begin a folder of keys: make its master key.
    Init(master::Init),
    /// A custodian gives a component of a key; one session each.
    Component(custody::Component),
    /// Put a key together from its components, which are then destroyed.
    Combine(custody::Combine),
    /// Throw the waiting components of a key away.
    Discard(custody::Discard),
    /// Make a key inside that nobody knows.
    Generate(life::Generate),
    /// Take a key in under another one: as a key block, or as a cryptogram.
    Import(life::Import),
    /// Hand a key on as a key block under another one.
    Export(life::Export),
    /// Make the next version of a key; it waits until it is activated.
    Rotate(life::Rotate),
    /// Put a pending key into use; the version before retires.
    Activate(life::Activate),
    /// Take a key out of use.
    Retire(life::Retire),
    /// Destroy a key that is not in use.
    Destroy(life::Destroy),
    /// All keys, with check values only.
    List,
    /// All versions of one key, and its waiting components.
    Show {
        /// The key's name.
        #[arg(value_parser = name)]
        name: KeyName,
    },
    /// Open every key block, and look for weak keys and for one key in two places.
    Check,
    /// The audit trail.
    Audit {
        /// Say only whether it is whole.
        #[arg(long)]
        verify: bool,
    },
}

/// The two people of dual control.
#[derive(clap::Args)]
struct Two {
    /// Who does it.
    #[arg(long, value_name = "PERSON", value_parser = person)]
    operator: Person,
    /// Who stands beside: another person.
    #[arg(long, value_name = "PERSON", value_parser = person)]
    second: Person,
}

impl Two {
    fn control(&self) -> Result<DualControl, KeyringError> {
        DualControl::new(self.operator.clone(), self.second.clone())
    }
}

/// Runs the command. `elsewhere` gives the keys of terminals, where there is a store to read.
pub(crate) fn run(options: Options, elsewhere: Option<Elsewhere<'_>>) -> anyhow::Result<ExitCode> {
    let session = Session { data: options.data, json: options.json, sandbox: options.sandbox };
    session.refuse_other_modules()?;
    session.refuse_false_sandbox()?;
    let done = match options.what {
        What::Init(init) => master::init(&session, &init),
        What::Component(component) => custody::component(&session, &component),
        What::Combine(combine) => custody::combine(&session, &combine),
        What::Discard(discard) => custody::discard(&session, &discard),
        What::Generate(generate) => life::generate(&session, &generate),
        What::Import(import) => life::import(&session, &import),
        What::Export(export) => life::export(&session, &export),
        What::Rotate(rotate) => life::rotate(&session, &rotate),
        What::Activate(activate) => life::activate(&session, &activate),
        What::Retire(retire) => life::retire(&session, &retire),
        What::Destroy(destroy) => life::destroy(&session, &destroy),
        What::List => look::list(&session),
        What::Show { name } => look::show(&session, &name),
        What::Check => look::check(&session, elsewhere),
        What::Audit { verify } => look::audit(&session, verify),
    };
    done.or_else(told)
}

/// Whose mistake it is decides the exit code: 2 the caller's, 3 no such key, 1 the rest.
fn told(error: anyhow::Error) -> anyhow::Result<ExitCode> {
    const NOT_FOUND: u8 = 3;
    match error.downcast_ref::<KeyringError>() {
        Some(missing @ KeyringError::NoKey { .. }) => {
            eprintln!("pinward: {missing}");
            Ok(ExitCode::from(NOT_FOUND))
        }
        Some(
            wrong @ (KeyringError::Name(_)
            | KeyringError::Part { .. }
            | KeyringError::OnePerson(_)
            | KeyringError::NotRotated { .. }
            | KeyringError::Ceremony(hsm::soft::CeremonyError::Spec(_))),
        ) => Err(Usage(wrong.to_string()).into()),
        _ => Err(error),
    }
}

/// One run of the program.
struct Session {
    data: PathBuf,
    json: bool,
    sandbox: bool,
}

impl Session {
    fn folder(&self) -> PathBuf {
        self.data.join("keys")
    }

    /// Keys that are in an HSM are not made here.
    fn refuse_other_modules(&self) -> anyhow::Result<()> {
        let configured = || -> Option<bool> {
            let text = std::fs::read_to_string(self.data.join("pinward.toml")).ok()?;
            let file: toml::Table = toml::from_str(&text).ok()?;
            Some(file.get("module")?.get("kind")?.as_str()? == "payshield")
        };
        if self.folder().join("test-hsm.json").exists() || configured().unwrap_or_default() {
            return Err(Usage(format!(
                "the keys of {} are in the HSM: they are made and changed at its own console",
                self.data.display()
            ))
            .into());
        }
        Ok(())
    }

    /// Rules of a sandbox hold in a sandbox.
    fn refuse_false_sandbox(&self) -> anyhow::Result<()> {
        if self.sandbox && !self.data.join(SANDBOX_FILE).exists() {
            return Err(Usage(format!(
                "--sandbox: {} is not a sandbox's data directory (it has no {SANDBOX_FILE})",
                self.data.display()
            ))
            .into());
        }
        Ok(())
    }

    fn policy(&self) -> KeyPolicy {
        if self.sandbox { KeyPolicy::Sandbox } else { KeyPolicy::Production }
    }

    fn ceremony(&self, master: MasterKey) -> Ceremony {
        Ceremony::new(master, self.policy())
    }

    /// Opens the register for change, and the master key for what is in it.
    fn open(&self) -> anyhow::Result<(Keyring, Ceremony)> {
        let ceremony = self.ceremony(master::open(&self.existing_folder()?)?);
        eprintln!("The soft module is not a secure cryptographic device (ISO 13491).");
        Ok((self.register()?, ceremony))
    }

    /// Opens the register for change that needs no key.
    fn register(&self) -> anyhow::Result<Keyring> {
        let mut keyring = Keyring::open(&self.existing_folder()?, now())?;
        if self.sandbox {
            keyring.remark("by a sandbox's rules (--sandbox)");
        }
        Ok(keyring)
    }

    fn existing_folder(&self) -> anyhow::Result<PathBuf> {
        let folder = self.folder();
        if !master::begun(&folder) {
            return Err(Usage(format!(
                "{} has no keys; `pinward key init --data {0}` begins one",
                self.data.display()
            ))
            .into());
        }
        Ok(folder)
    }
}

fn now() -> Timestamp {
    Timestamp(jiff::Timestamp::now().as_millisecond())
}

fn name(text: &str) -> Result<KeyName, KeyringError> {
    text.parse()
}

fn person(text: &str) -> Result<Person, KeyringError> {
    text.parse()
}
