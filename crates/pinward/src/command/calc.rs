//! `pinward calc …`: the calculations of PIN and key handling, one at a time, with each step in the words of its
//! standard.
//!
//! For the engineer who compares two systems that disagree about a PIN block, a check value or a MAC: a wrong result
//! is rarely of help, the first step that differs is. The results come from the cryptography of this very binary; the
//! steps are computed beside them, and the tests hold the two together with published vectors.
//!
//! It prints clear keys and PINs, so it is for test keys only: a command line stays in the shell's history and can be
//! read by other processes. It reaches no key of a configuration and no card.

mod dukpt;
mod ibm3624;
mod input;
mod kcv;
mod keyblock;
mod keyblock_words;
mod mac;
mod page;
mod pinblock;
mod pvv;

use std::{io::Write as _, process::ExitCode};

use page::Page;

/// Calculate a PIN block, a key or a MAC, step by step. For test keys only.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    #[command(subcommand)]
    calculation: Calculation,

    /// Print JSON: inputs, steps, result
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, clap::Subcommand)]
enum Calculation {
    /// A PIN block: ISO 9564-1 formats 0 to 4, and the two layouts with SM4
    Pinblock(pinblock::Options),
    /// The keys of a transaction: DUKPT with TDEA, or with AES
    Dukpt(dukpt::Options),
    /// The Visa PIN verification value
    Pvv(pvv::Options),
    /// The natural PIN, the offset, or the PIN by the IBM 3624 method
    Ibm3624(ibm3624::Options),
    /// A message authentication code
    Mac(mac::Options),
    /// The check value of a key
    Kcv(kcv::Options),
    /// Wrap a key in a key block (X9.143, TR-31), or open one
    Keyblock(keyblock::Options),
}

/// Runs the command.
pub(crate) fn run(options: Options) -> anyhow::Result<ExitCode> {
    eprintln!("For test keys only: what you type here stays in the shell's history.");
    let page = calculate(&options.calculation)?;
    for hint in page.hints() {
        eprintln!("{hint}");
    }
    let text = if options.json { page.json_text() } else { page.text() };
    // A reader that went away, such as `head`, is not an error.
    let _ = std::io::stdout().lock().write_all(text.as_bytes());
    Ok(ExitCode::SUCCESS)
}

fn calculate(calculation: &Calculation) -> anyhow::Result<Page> {
    match calculation {
        Calculation::Pinblock(options) => pinblock::page(options),
        Calculation::Dukpt(options) => dukpt::page(options),
        Calculation::Pvv(options) => pvv::page(options),
        Calculation::Ibm3624(options) => ibm3624::page(options),
        Calculation::Mac(options) => mac::page(options),
        Calculation::Kcv(options) => kcv::page(options),
        Calculation::Keyblock(options) => keyblock::page(options),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use serde_json::Value;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        options: Options,
    }

    /// The page of a command line, words separated by one space.
    pub(super) fn page_of(line: &str) -> anyhow::Result<Page> {
        let words = std::iter::once("calc").chain(line.split(' '));
        calculate(&Line::try_parse_from(words)?.options.calculation)
    }

    #[track_caller]
    pub(super) fn check(line: &str, result: &str) {
        let page = page_of(line).unwrap_or_else(|error| panic!("{line}: {error}"));
        assert_eq!(page.result(), result, "{line}\n{}", page.text());
    }

    /// Refused as a mistake of the caller, in a sentence with these words.
    #[track_caller]
    pub(super) fn check_refused(line: &str, words: &str) {
        let error = page_of(line).expect_err(line);
        assert_eq!(crate::command::exit_code(&error), 2, "{line}");
        let sentence = crate::command::sentence(&error);
        assert!(sentence.contains(words), "{line}: {sentence}");
    }

    /// The published vectors of a group whose algorithm's name contains these words.
    pub(super) fn vectors(group: &str, algorithm: &str) -> Vec<Value> {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../vectors/crypto-vectors.json");
        let file: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
        let wanted = |v: &&Value| v["group"] == group && v["algorithm"].as_str().unwrap().contains(algorithm);
        let found: Vec<Value> = file["vectors"].as_array().unwrap().iter().filter(wanted).cloned().collect();
        assert!(!found.is_empty(), "no vector of {group} {algorithm}");
        found
    }

    /// A text of a vector's inputs or outputs, if it is there.
    pub(super) fn text<'a>(vector: &'a Value, part: &str, name: &str) -> Option<&'a str> {
        vector[part][name].as_str()
    }

    #[test]
    fn the_json_has_inputs_steps_and_result() {
        let page = page_of("kcv --key E6F1081FEA4C402CC192B65DE367EC3E --method tdes-zeros").unwrap();
        let json: Value = serde_json::from_str(&page.json_text()).unwrap();
        assert_eq!(json["result"], "212CF9");
        assert_eq!(json["inputs"]["method"], "tdes-zeros");
        assert_eq!(json["steps"][0]["value"], "0000000000000000");
        assert!(json["steps"][0]["step"].is_string());
    }

    #[test]
    fn the_text_numbers_the_steps_and_ends_with_the_result() {
        let text = page_of("pinblock --format 0 --pin 1234 --pan 5432101234567891").unwrap().text();
        assert!(text.starts_with(" 1  control field"), "{text}");
        assert!(text.trim_end().ends_with("041215FEDCBA9876"), "{text}");
    }
}
