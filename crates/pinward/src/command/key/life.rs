//! Keys made, taken in, handed on, put into use and taken out of it.

use std::{path::PathBuf, process::ExitCode};

use anyhow::Context;
use hsm::soft::ceremony::transfer::{Cryptogram, CryptogramScheme};
use keyring::{ImportFrom, KeyName, Made, Person};
use paycrypto::key_block::{Algorithm, Exportability, KeyUsage, ModeOfUse};

use super::{
    Session, Two, name, now, person,
    spec::{self, SpecOptions},
};
use crate::command::Usage;

/// Seconds of a day.
const DAY_S: i64 = 86_400;
/// Characters of a key block at most.
const BLOCK_MAX: u64 = 10_000;

/// Says what was made, with its check value.
pub(super) fn say(session: &Session, made: &Made, what: &str) -> anyhow::Result<ExitCode> {
    if session.json {
        let page = serde_json::json!({
            "key": made.label,
            "version": made.version,
            "check_value": made.check_value,
            "parity_adjusted": made.parity_adjusted,
        });
        println!("{}", serde_json::to_string_pretty(&page)?);
    } else {
        println!("{}  check value {}", made.label, made.check_value);
    }
    if made.parity_adjusted {
        eprintln!(
            "{}: parity bits were set to odd; what the key does and its check value are the same",
            made.label
        );
    }
    eprintln!("{}: {what}", made.label);
    Ok(ExitCode::SUCCESS)
}

/// Options of `pinward key generate`.
#[derive(clap::Args)]
pub(super) struct Generate {
    /// The key's name.
    #[arg(value_parser = name)]
    name: KeyName,
    #[command(flatten)]
    spec: SpecOptions,
    /// Who does it.
    #[arg(long, value_name = "PERSON", value_parser = person)]
    operator: Person,
}

pub(super) fn generate(session: &Session, options: &Generate) -> anyhow::Result<ExitCode> {
    let spec = options.spec.spec()?;
    let (mut keyring, ceremony) = session.open()?;
    let made = keyring.generate(&ceremony, &options.name, &spec, &options.operator, now())?;
    say(session, &made, "generated; pending until `pinward key activate`")
}

/// Options of `pinward key import`.
#[derive(clap::Args)]
pub(super) struct Import {
    /// The name that the key will have.
    #[arg(value_parser = name)]
    name: KeyName,
    /// The key that it comes under: usage K1 for key blocks, K0 for cryptograms.
    #[arg(long, value_name = "NAME", value_parser = name)]
    under: KeyName,
    /// The key block (TR-31 / X9.143 A to D, ISO 20038 E).
    #[arg(long, required_unless_present_any = ["block_file", "cryptogram"], conflicts_with_all = ["block_file", "cryptogram"])]
    block: Option<String>,
    /// The key block in a file.
    #[arg(long, value_name = "FILE", conflicts_with = "cryptogram")]
    block_file: Option<PathBuf>,
    /// The key encrypted without integrity: from old partners only.
    #[arg(long, value_name = "HEX", requires_all = ["kcv", "usage", "algorithm"])]
    cryptogram: Option<String>,
    /// How the cryptogram was made.
    #[arg(long, value_enum, default_value = "ecb", requires = "cryptogram")]
    scheme: Scheme,
    /// Take a cryptogram outside a sandbox: somebody has decided to.
    #[arg(long, requires = "cryptogram")]
    accept_cryptogram: bool,
    /// The check value that the sender announced.
    #[arg(long, value_name = "HEX", value_parser = spec::check_value)]
    kcv: Option<String>,
    /// Usage of a cryptogram's key; a key block says it itself.
    #[arg(long, value_parser = spec::usage, requires = "cryptogram")]
    usage: Option<KeyUsage>,
    /// Cipher of a cryptogram's key.
    #[arg(long, value_parser = spec::algorithm, requires = "cryptogram")]
    algorithm: Option<Algorithm>,
    /// May a cryptogram's key leave again?
    #[arg(long, default_value = "N", value_parser = spec::exportability)]
    exportability: Exportability,
    /// Mode of use, within what the key block allows.
    #[arg(long, value_parser = spec::mode)]
    mode: Option<ModeOfUse>,
    #[command(flatten)]
    two: Two,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Scheme {
    /// ECB (X9.17; Thales X and Y; UnionPay).
    Ecb,
    /// Thales variants (U and T).
    Thales,
}

pub(super) fn import(session: &Session, options: &Import) -> anyhow::Result<ExitCode> {
    let control = options.two.control()?;
    let bytes = |option: &str, text: &str| {
        hex::decode(text)
            .map_err(|_| Usage(format!("--{option} is not an even number of hexadecimal digits")))
    };
    let (block, encrypted, check_value);
    let from = if let Some(cryptogram) = &options.cryptogram {
        encrypted = bytes("cryptogram", cryptogram)?;
        check_value = bytes("kcv", options.kcv.as_deref().unwrap_or_default())?;
        let (Some(usage), Some(algorithm)) = (options.usage, options.algorithm) else {
            return Err(Usage("--cryptogram needs --usage and --algorithm".to_owned()).into());
        };
        let bits = u16::try_from(encrypted.len() * 8).unwrap_or(u16::MAX);
        ImportFrom::Cryptogram {
            spec: spec::spec_of(usage, algorithm, bits, options.mode, options.exportability),
            cryptogram: Cryptogram {
                encrypted: &encrypted,
                scheme: match options.scheme {
                    Scheme::Ecb => CryptogramScheme::Ecb,
                    Scheme::Thales => CryptogramScheme::ThalesVariant,
                },
                check_value: &check_value,
            },
            accepted: options.accept_cryptogram || session.sandbox,
        }
    } else {
        block = block_text(options)?;
        ImportFrom::Block { block: &block, narrowed_to: options.mode, expected: options.kcv.as_deref() }
    };
    let (mut keyring, ceremony) = session.open()?;
    let made = keyring.import(&ceremony, &options.name, &options.under, &from, &control, now())?;
    say(session, &made, "imported; pending until `pinward key activate`")
}

fn block_text(options: &Import) -> anyhow::Result<String> {
    use std::io::Read;

    let text = match (&options.block, &options.block_file) {
        (Some(block), _) => block.clone(),
        (None, Some(path)) => {
            let mut text = String::new();
            std::fs::File::open(path)
                .and_then(|file| file.take(BLOCK_MAX).read_to_string(&mut text))
                .with_context(|| format!("cannot read the key block in {}", path.display()))?;
            text
        }
        (None, None) => return Err(Usage("--block or --block-file is needed".to_owned()).into()),
    };
    Ok(text.trim().to_owned())
}

/// Options of `pinward key export`.
#[derive(clap::Args)]
pub(super) struct Export {
    /// The key's name.
    #[arg(value_parser = name)]
    name: KeyName,
    /// Which version; the newest if it is left out.
    #[arg(long)]
    version: Option<u8>,
    /// The key that it leaves under, of usage K1.
    #[arg(long, value_name = "NAME", value_parser = name)]
    under: KeyName,
    #[command(flatten)]
    two: Two,
}

pub(super) fn export(session: &Session, options: &Export) -> anyhow::Result<ExitCode> {
    let control = options.two.control()?;
    let (mut keyring, ceremony) = session.open()?;
    let which = (&options.name, options.version);
    let block = keyring.export(&ceremony, which, &options.under, &control, now())?;
    let key = keyring.register().find(&options.name, options.version)?;
    if session.json {
        let page =
            serde_json::json!({ "key": key.label(), "check_value": key.check_value, "key_block": block });
        println!("{}", serde_json::to_string_pretty(&page)?);
    } else {
        println!("{block}");
    }
    eprintln!("{} exported under {}; its check value is {}", key.label(), options.under, key.check_value);
    Ok(ExitCode::SUCCESS)
}

/// Options of `pinward key rotate`.
#[derive(clap::Args)]
pub(super) struct Rotate {
    /// The key's name.
    #[arg(value_parser = name)]
    name: KeyName,
    /// Who does it.
    #[arg(long, value_name = "PERSON", value_parser = person)]
    operator: Person,
}

pub(super) fn rotate(session: &Session, options: &Rotate) -> anyhow::Result<ExitCode> {
    let (mut keyring, ceremony) = session.open()?;
    let made = keyring.rotate(&ceremony, &options.name, &options.operator, now())?;
    let what = if keyring.register().active(&options.name, now()).is_empty() {
        "pending; no version of it is in use until `pinward key activate`"
    } else {
        "pending; the version before stays in use until `pinward key activate`"
    };
    say(session, &made, what)
}

/// Options of `pinward key activate`.
#[derive(clap::Args)]
pub(super) struct Activate {
    /// The key's name.
    #[arg(value_parser = name)]
    name: KeyName,
    /// For so many days the version before may still be used.
    #[arg(long, value_name = "DAYS", default_value_t = 0, value_parser = clap::value_parser!(u16).range(..=730))]
    overlap_days: u16,
    #[command(flatten)]
    two: Two,
}

pub(super) fn activate(session: &Session, options: &Activate) -> anyhow::Result<ExitCode> {
    let control = options.two.control()?;
    let overlap_s = i64::from(options.overlap_days) * DAY_S;
    let made = session.register()?.activate(&options.name, overlap_s, &control, now())?;
    say(session, &made, "active; a running host takes it at its next start")
}

/// Options of `pinward key retire`.
#[derive(clap::Args)]
pub(super) struct Retire {
    /// The key's name.
    #[arg(value_parser = name)]
    name: KeyName,
    /// Which version; the newest active one if it is left out.
    #[arg(long)]
    version: Option<u8>,
    /// Every version that is in use: during an overlap there are two.
    #[arg(long, conflicts_with = "version")]
    all_versions: bool,
    /// Who does it.
    #[arg(long, value_name = "PERSON", value_parser = person)]
    operator: Person,
}

pub(super) fn retire(session: &Session, options: &Retire) -> anyhow::Result<ExitCode> {
    let mut keyring = session.register()?;
    let retired = if options.all_versions {
        keyring.retire_all(&options.name, &options.operator, now())?
    } else {
        vec![keyring.retire(&options.name, options.version, &options.operator, now())?]
    };
    for label in retired {
        eprintln!("{label}: retired");
    }
    for key in keyring.register().active(&options.name, now()) {
        eprintln!("{}: still active; --all-versions retires it too", key.label());
    }
    Ok(ExitCode::SUCCESS)
}

/// Options of `pinward key destroy`.
#[derive(clap::Args)]
pub(super) struct Destroy {
    /// The key's name.
    #[arg(value_parser = name)]
    name: KeyName,
    /// Which version; always said.
    #[arg(long)]
    version: u8,
    #[command(flatten)]
    two: Two,
}

pub(super) fn destroy(session: &Session, options: &Destroy) -> anyhow::Result<ExitCode> {
    let control = options.two.control()?;
    let label = session.register()?.destroy(&options.name, options.version, &control, now())?;
    eprintln!("{label}: destroyed; copies of this folder in back-ups still hold it, sealed");
    Ok(ExitCode::SUCCESS)
}
