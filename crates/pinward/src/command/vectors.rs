//! `pinward vectors FILE`: runs published test vectors against the cryptography of this very binary.
//!
//! For the engineer who has to believe the engine before a key goes in, and for the auditor who brings a file of
//! their own. A line for each vector, a summary, and an exit code: 0 all passed or not supported, 1 something failed,
//! 2 the file cannot be read. Nothing is printed that the file does not hold itself.

mod runner;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use runner::{Outcome, Vector};
use serde_json::json;

/// Runs a file of test vectors against the cryptography of this binary.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// The file, in the form of vectors/crypto-vectors.json
    file: PathBuf,
    /// Print one JSON object for each vector and one for the summary
    #[arg(long)]
    json: bool,
    /// Run only the vectors of this group
    #[arg(long)]
    group: Option<String>,
}

/// The file cannot be read or is no vector file.
const EXIT_UNREADABLE: u8 = 2;
/// The largest file that is read, in bytes.
const FILE_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Runs the command.
pub(crate) fn run(options: Options) -> ExitCode {
    let vectors = match read(&options.file) {
        Ok(vectors) => vectors,
        Err(sentence) => {
            eprintln!("{}: {sentence}", options.file.display());
            return ExitCode::from(EXIT_UNREADABLE);
        }
    };
    let wanted = |vector: &&Vector| options.group.as_ref().is_none_or(|group| *group == vector.group);
    let mut tally = Tally::default();
    for vector in vectors.iter().filter(wanted) {
        let outcome = runner::run(vector);
        tally.count(&outcome);
        println!("{}", if options.json { json_line(vector, &outcome) } else { line(vector, &outcome) });
    }
    if tally == Tally::default() {
        eprintln!("{}: the file has no vector to run", options.file.display());
        return ExitCode::from(EXIT_UNREADABLE);
    }
    match options.json {
        true => println!(
            "{}",
            json!({"passed": tally.passed, "failed": tally.failed, "not_supported": tally.not_supported})
        ),
        false => println!(
            "{} passed, {} failed, {} not supported",
            tally.passed, tally.failed, tally.not_supported
        ),
    }
    if tally.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Tally {
    passed: usize,
    failed: usize,
    not_supported: usize,
}

impl Tally {
    fn count(&mut self, outcome: &Outcome) {
        match outcome {
            Outcome::Passed => self.passed += 1,
            Outcome::Failed { .. } => self.failed += 1,
            Outcome::NotSupported(_) => self.not_supported += 1,
        }
    }
}

fn read(file: &Path) -> Result<Vec<Vector>, String> {
    let size = std::fs::metadata(file).map_err(|error| format!("the file cannot be read: {error}"))?.len();
    if size > FILE_BYTES_MAX {
        return Err(format!("the file has {size} bytes, more than {FILE_BYTES_MAX}"));
    }
    let text = std::fs::read_to_string(file).map_err(|error| format!("the file cannot be read: {error}"))?;
    runner::parse(&text)
}

fn line(vector: &Vector, outcome: &Outcome) -> String {
    match outcome {
        Outcome::Passed => format!("pass {}", vector.id),
        Outcome::Failed { expected, got } => format!("FAIL {} expected {expected} got {got}", vector.id),
        Outcome::NotSupported(why) => format!("not supported {} {why}", vector.id),
    }
}

fn json_line(vector: &Vector, outcome: &Outcome) -> String {
    let (id, group) = (&vector.id, &vector.group);
    match outcome {
        Outcome::Passed => json!({"id": id, "group": group, "outcome": "pass"}),
        Outcome::Failed { expected, got } => {
            json!({"id": id, "group": group, "outcome": "fail", "expected": expected, "got": got})
        }
        Outcome::NotSupported(why) => {
            json!({"id": id, "group": group, "outcome": "not_supported", "why": why})
        }
    }
    .to_string()
}
