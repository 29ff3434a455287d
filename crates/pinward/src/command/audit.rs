//! `pinward audit export` writes the audit log of a store; `pinward audit verify FILE` checks an export without a database and
//! without a network.

use std::{
    fs::File,
    io::{BufReader, BufWriter},
    path::PathBuf,
    process::ExitCode,
};

use anyhow::Context as _;
use audit::{
    Verifier,
    export::{Trusted, verify},
};
use serde_json::json;

use crate::{people, storage::Place};

/// Exit code for an export that is not in order.
const NOT_IN_ORDER: u8 = 1;

/// Who did what: export the log, check an export.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Options {
    /// Write the whole log with a signed checkpoint at its end; the export is a record too
    Export(Export),
    /// Check an export, offline: every record, the tree over them, every signature
    Verify(Verify),
}

#[derive(Debug, clap::Args)]
pub(crate) struct Export {
    /// The data directory
    #[arg(long, value_name = "DIR", default_value = "pinward-data")]
    data: PathBuf,

    /// Where to
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Verify {
    /// The export
    file: PathBuf,

    /// The signer's key as it was published: name+id+key. Without it the export's own key is taken
    #[arg(long, value_name = "KEY")]
    key: Option<String>,

    /// A file with a checkpoint that was seen before: the export must go on from it
    #[arg(long, value_name = "FILE")]
    checkpoint: Option<PathBuf>,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(crate) async fn run(options: Options) -> anyhow::Result<ExitCode> {
    match options {
        Options::Export(options) => export(&options).await,
        Options::Verify(options) => check(&options),
    }
}

async fn export(options: &Export) -> anyhow::Result<ExitCode> {
    let place = Place::of_data(&options.data)?;
    if !place.exists() {
        anyhow::bail!("nothing is in {} yet: start a host there first", options.data.display());
    }
    let office = people::open_office(place.book().await?).await?;
    let file =
        File::create(&options.out).with_context(|| format!("cannot write {}", options.out.display()))?;
    let mut out = BufWriter::new(file);
    let records = office.export(&people::operator("operator at the command line"), &mut out).await?;
    eprintln!("{records} records; key {}", office.audit_key());
    Ok(ExitCode::SUCCESS)
}

fn check(options: &Verify) -> anyhow::Result<ExitCode> {
    let key = options.key.as_deref().map(Verifier::read).transpose().context("--key")?;
    let read = |path: &PathBuf| {
        std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
    };
    let checkpoint = options.checkpoint.as_ref().map(read).transpose()?;
    let file =
        File::open(&options.file).with_context(|| format!("cannot read {}", options.file.display()))?;
    match verify(BufReader::new(file), &Trusted { key, checkpoint }) {
        Ok(report) if options.json => println!("{}", json!({ "in_order": true, "report": report })),
        Ok(report) => {
            println!("{} records, {} signed checkpoints: in order", report.records, report.checkpoints);
            println!("root {} signed by {}", report.root, report.signer);
            if !report.key_was_trusted {
                println!(
                    "The key came with the export. To know whose it is, say --key with the one that was published."
                );
            }
        }
        Err(bad) => {
            if options.json {
                println!("{}", json!({ "in_order": false, "error": bad.to_string() }));
            } else {
                eprintln!("not in order: {bad}");
            }
            return Ok(ExitCode::from(NOT_IN_ORDER));
        }
    }
    Ok(ExitCode::SUCCESS)
}
