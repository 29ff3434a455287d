//! `pinward rules check FILE`: is this a set of risk rules, and if not, where and what instead. No host and no data are
//! needed.

use std::{path::PathBuf, process::ExitCode};

use anyhow::Context as _;
use risk::{Problem, RuleSet};
use serde_json::json;

/// Exit code for a file that is no rule set.
const REFUSED: u8 = 1;

/// Risk rules: check a file.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Options {
    /// Check a file of rules: types, names, limits; every problem with its place and a suggestion
    Check(Check),
}

#[derive(Debug, clap::Args)]
pub(crate) struct Check {
    /// The file
    file: PathBuf,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(crate) fn run(options: Options) -> anyhow::Result<ExitCode> {
    match options {
        Options::Check(options) => check(&options),
    }
}

fn check(options: &Check) -> anyhow::Result<ExitCode> {
    let name = options.file.display();
    let text = std::fs::read_to_string(&options.file).with_context(|| format!("cannot read {name}"))?;
    match RuleSet::parse(&text) {
        Ok(set) if options.json => {
            let rules: Vec<_> = set.rules().collect();
            let counters: Vec<_> = set.counters().collect();
            println!(
                "{}",
                json!({ "ok": true, "name": set.name(), "version": set.digest(), "rules": rules, "counters": counters })
            );
            Ok(ExitCode::SUCCESS)
        }
        Ok(set) => {
            println!(
                "{name}: {} rules, {} counters, {} lists; version {}",
                set.rules().len(),
                set.counters().len(),
                set.lists().len(),
                set.digest()
            );
            Ok(ExitCode::SUCCESS)
        }
        Err(problems) => {
            if options.json {
                println!("{}", json!({ "ok": false, "problems": problems }));
            } else {
                problems.iter().for_each(|problem| eprintln!("{}", sentence(&name.to_string(), problem)));
            }
            Ok(ExitCode::from(REFUSED))
        }
    }
}

/// As compilers say it, so that editors find the place.
fn sentence(file: &str, problem: &Problem) -> String {
    let rule = problem.rule.as_ref().map(|rule| format!("rule {rule}: ")).unwrap_or_default();
    let suggestion = problem.suggestion.as_ref().map(|s| format!("; {s}")).unwrap_or_default();
    format!("{file}:{}:{}: {rule}{}{suggestion}", problem.line, problem.column, problem.what)
}
