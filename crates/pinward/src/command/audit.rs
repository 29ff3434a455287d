//! `pinward audit verify FILE`: checks an export of the audit log without a database and without a network.

use std::{fs::File, io::BufReader, path::PathBuf, process::ExitCode};

use anyhow::Context as _;
use audit::{
    Verifier,
    export::{Trusted, verify},
};
use serde_json::json;

/// Exit code for an export that is not in order.
const NOT_IN_ORDER: u8 = 1;

/// Who did what: check an export.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Options {
    /// Check an export, offline: every record, the tree over them, every signature
    Verify(Verify),
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
pub(crate) fn run(options: Options) -> anyhow::Result<ExitCode> {
    let Options::Verify(options) = options;
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
