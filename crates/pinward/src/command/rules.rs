//! `pinward rules`: is a file a set of risk rules, and if not, where and what instead; what it would have done.

mod backtest;
pub(crate) mod past;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context as _;
use handbook::Lang;
use risk::{Problem, RuleSet};
use serde_json::json;

/// Exit code for a file that is no rule set.
const REFUSED: u8 = 1;

/// Risk rules: check a file, try it on the past.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Options {
    /// Check a file of rules: types, names, limits; every problem with its place and a suggestion
    Check(Check),
    /// What the rules would have done to the payments of a journal; nothing is changed
    Backtest(backtest::Options),
}

#[derive(Debug, clap::Args)]
pub(crate) struct Check {
    /// The file
    file: PathBuf,

    /// Language of what is wrong: zh or en [default: from LC_ALL, LC_MESSAGES or LANG]
    #[arg(long, value_name = "LANG")]
    lang: Option<Lang>,

    /// Print JSON, with the texts in both languages
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(crate) fn run(options: Options) -> anyhow::Result<ExitCode> {
    match options {
        Options::Check(options) => check(&options),
        Options::Backtest(options) => super::wait(backtest::run(options)),
    }
}

/// Why a file is no rule set.
pub(crate) struct Refused {
    file: String,
    problems: Vec<Problem>,
}

impl Refused {
    fn tell(&self, lang: Option<Lang>, json: bool) {
        if json {
            println!("{}", json!({ "ok": false, "problems": self.problems }));
        } else {
            let lang = lang.unwrap_or_else(super::explain::lang_of_environment);
            self.problems.iter().for_each(|problem| eprintln!("{}", sentence(lang, &self.file, problem)));
        }
    }
}

/// Reads a rule set.
fn read_set(file: &Path) -> anyhow::Result<Result<RuleSet, Refused>> {
    let name = file.display().to_string();
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {name}"))?;
    Ok(RuleSet::parse(&text).map_err(|problems| Refused { file: name, problems }))
}

fn check(options: &Check) -> anyhow::Result<ExitCode> {
    match read_set(&options.file)? {
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
                "{}: {} rules, {} counters, {} lists; version {}",
                options.file.display(),
                set.rules().len(),
                set.counters().len(),
                set.lists().len(),
                set.digest()
            );
            Ok(ExitCode::SUCCESS)
        }
        Err(refused) => {
            refused.tell(options.lang, options.json);
            Ok(ExitCode::from(REFUSED))
        }
    }
}

/// As compilers say it, so that editors find the place.
fn sentence(lang: Lang, file: &str, problem: &Problem) -> String {
    let said = problem.sentence();
    format!("{file}:{}:{}: {}", problem.line, problem.column, lang.pick(&said.zh, &said.en))
}
