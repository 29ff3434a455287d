//! `pinward vectors FILE`: runs published test vectors against the cryptography of this very binary.
//!
//! For the engineer who has to believe the engine before a key goes in, and for the auditor who brings a file of
//! their own. A line for each vector, a summary, and an exit code: 0 something passed and nothing failed, 1 something
//! failed or nothing was run at all, 2 the file cannot be read or has no vector. What was not run is said on standard
//! error too, so that a summary is not taken for more than it says.

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
    if let Some(sentence) = tally.not_run() {
        eprintln!("{}: {sentence}", options.file.display());
    }
    if tally.is_success() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
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

    /// Something was compared, and all of it was equal.
    fn is_success(&self) -> bool {
        self.failed == 0 && self.passed > 0
    }

    /// What the figures do not speak for, in one sentence.
    fn not_run(&self) -> Option<String> {
        let all = self.passed + self.failed + self.not_supported;
        match self.not_supported {
            0 => None,
            none if none == all => Some("nothing was checked: no vector is of a kind known here".into()),
            some => Some(format!("{some} of {all} vectors were not run, and nothing is said about them")),
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

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    const FILE: &str =
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../vectors/crypto-vectors.json"));

    fn published() -> Vec<Value> {
        let file: Value = serde_json::from_str(FILE).unwrap();
        file["vectors"].as_array().unwrap().clone()
    }

    fn outcome(vector: &Value) -> Outcome {
        runner::run(&runner::parse(&json!([vector]).to_string()).unwrap()[0])
    }

    #[track_caller]
    fn check_failed(vector: &Value) {
        let outcome = outcome(vector);
        assert!(matches!(outcome, Outcome::Failed { .. }), "{vector}: {outcome:?}");
    }

    fn is_negative(vector: &Value) -> bool {
        vector["negative"] == true
    }

    #[test]
    fn a_negative_vector_fails_when_its_expectation_is_reversed() {
        let negative: Vec<Value> = published().into_iter().filter(is_negative).collect();
        assert!(negative.len() >= 13);
        for vector in negative {
            assert_eq!(outcome(&vector), Outcome::Passed, "{vector}");
            let mut by_result = vector.clone();
            by_result["outputs"]["result"] = "accept".into();
            check_failed(&by_result);
            let mut by_flag = vector.clone();
            by_flag["negative"] = false.into();
            check_failed(&by_flag);
            let mut by_both = by_result.clone();
            by_both["negative"] = false.into();
            by_both["outputs"].as_object_mut().unwrap().remove("reason");
            check_failed(&by_both);
        }
    }

    #[test]
    fn a_vector_that_is_right_fails_when_it_is_expected_to_be_refused() {
        for vector in published().into_iter().filter(|vector| !is_negative(vector)) {
            let mut by_flag = vector.clone();
            by_flag["negative"] = true.into();
            check_failed(&by_flag);
            by_flag["outputs"]["result"] = "reject".into();
            check_failed(&by_flag);
            let mut by_result = vector.clone();
            by_result["outputs"]["result"] = "reject".into();
            check_failed(&by_result);
        }
    }

    /// Another value of the same length, so that what was changed cannot be told by its form.
    fn altered(value: &Value) -> Value {
        match value {
            Value::String(text) => {
                let first = if text.starts_with('0') { "1" } else { "0" };
                format!("{first}{}", text.get(1..).unwrap()).into()
            }
            Value::Array(list) => list.iter().map(altered).collect(),
            other => panic!("{other}"),
        }
    }

    #[test]
    fn every_output_of_every_vector_is_compared() {
        let mut compared = 0;
        for vector in published() {
            for (name, value) in vector["outputs"].as_object().unwrap() {
                if ["result", "reason"].contains(&name.as_str()) {
                    continue;
                }
                let mut changed = vector.clone();
                changed["outputs"][name] = altered(value);
                check_failed(&changed);
                compared += 1;
            }
        }
        assert!(compared > 400, "{compared}");
    }

    #[test]
    fn an_output_that_is_not_known_or_has_no_value_is_never_passed_over() {
        // A million encryptions eight times over would take longer than all the rest and tell no more.
        let quick = |vector: &Value| vector["inputs"]["iterations"].is_null();
        for vector in published().into_iter().filter(quick) {
            for (name, value) in [
                ("colour", Value::from("00")),
                ("zzz", "00".into()),
                ("kcv_colour", "00".into()),
                ("clear_9", "00".into()),
                ("mac_0", "".into()),
                ("header", "".into()),
                ("key", Value::Null),
                ("result", "perhaps".into()),
            ] {
                let mut changed = vector.clone();
                changed["outputs"][name] = value;
                assert_ne!(outcome(&changed), Outcome::Passed, "{name} in {vector}");
            }
        }
    }

    #[test]
    fn nothing_run_is_no_success_and_what_was_not_run_is_said() {
        let tally = |passed, failed, not_supported| Tally { passed, failed, not_supported };
        assert!(!tally(0, 0, 228).is_success());
        assert!(tally(0, 0, 228).not_run().unwrap().contains("nothing was checked"));
        assert!(tally(200, 0, 28).is_success());
        assert!(tally(200, 0, 28).not_run().unwrap().contains("28 of 228 vectors were not run"));
        assert!(tally(228, 0, 0).is_success());
        assert_eq!(tally(228, 0, 0).not_run(), None);
        assert!(!tally(227, 1, 0).is_success());
    }

    #[test]
    fn the_exit_code_of_a_file_with_unknown_groups_is_a_failure() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("unknown.json");
        let code = |text: &str| {
            std::fs::write(&file, text).unwrap();
            run(Options { file: file.clone(), json: false, group: None })
        };
        let unknown = r#"[{"id":"a","group":"rsa","outputs":{"x":"00"}}]"#;
        assert_eq!(code(unknown), ExitCode::FAILURE);
        assert_eq!(code("[]"), ExitCode::from(EXIT_UNREADABLE));
        assert_eq!(code(FILE), ExitCode::SUCCESS);
    }
}
