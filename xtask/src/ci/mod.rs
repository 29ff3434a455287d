//! Everything that must pass, in order and quietly: one line per step, the relevant part of its output when it
//! fails, and at the end `N passed, N failed` alone on a line.
//!
//! The steps are rows of `ci.toml`. A step that cannot run because a tool is missing fails and names the line that
//! installs it: nothing is skipped in silence. What passes here is what passes elsewhere; there is no other list.

mod process;
mod sandbox;
mod tally;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use process::Ended;
use sandbox::Sandbox;
use tally::Tally;

/// What was asked for on the command line.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Options {
    only: Vec<String>,
    long: bool,
    list: bool,
}

/// `ci.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Plan {
    tool: BTreeMap<String, Tool>,
    sandbox: sandbox::Rules,
    step: Vec<Step>,
}

/// A program that steps need.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Tool {
    /// Ends with success when the tool is there.
    probe: Vec<String>,
    /// The line that installs it.
    install: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    name: String,
    what: String,
    run: Vec<String>,
    #[serde(default)]
    needs: Vec<String>,
    /// It is stopped after so long.
    limit_s: u64,
    /// Does its output count tests? Then it must have run some.
    #[serde(default)]
    counts: bool,
    /// Only with `--long`.
    #[serde(default)]
    long: bool,
    /// What it builds of ours is built by clippy.
    #[serde(default)]
    clippy: bool,
    /// Runs against a sandbox that is started for it.
    #[serde(default)]
    sandbox: bool,
}

/// What a step's command line may name in braces.
type Names = BTreeMap<String, String>;

impl Options {
    pub(crate) fn parse(args: &[String]) -> Result<Self> {
        let mut options = Self::default();
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            match arg.as_str() {
                "--long" => options.long = true,
                "--list" => options.list = true,
                "--only" => {
                    options.only.push(args.next().context("--only needs the name of a step")?.clone())
                }
                _ => bail!("cannot make sense of {arg:?}; see `cargo xtask help`"),
            }
        }
        Ok(options)
    }

    fn wants(&self, step: &Step) -> bool {
        if self.only.is_empty() { !step.long || self.long } else { self.only.contains(&step.name) }
    }
}

/// Runs the steps. `Ok(true)`: all of them passed.
pub(crate) fn command(root: &Path, options: &Options) -> Result<bool> {
    let plan: Plan =
        toml::from_str(&fs::read_to_string(root.join("xtask/ci.toml"))?).context("xtask/ci.toml")?;
    if let Some(unknown) = options.only.iter().find(|name| plan.step.iter().all(|s| s.name != **name)) {
        bail!("there is no step {unknown:?}; `cargo xtask ci --list` names them");
    }
    let steps: Vec<&Step> = plan.step.iter().filter(|step| options.wants(step)).collect();
    if options.list {
        plan.step
            .iter()
            .for_each(|s| println!("{:<10} {}{}", s.name, if s.long { "(long) " } else { "" }, s.what));
        return Ok(true);
    }
    let bench = Bench::new(root, &plan)?;
    let start = Instant::now();
    let mut total = Tally::default();
    for step in steps {
        total.add(&bench.run(step));
    }
    println!("\nin {}", minutes(start.elapsed()));
    println!("{} passed, {} failed", total.passed, total.failed);
    Ok(total.failed == 0 && total.passed > 0)
}

/// Where steps run and leave their logs.
struct Bench<'a> {
    root: &'a Path,
    plan: &'a Plan,
    logs: PathBuf,
    names: Names,
}

impl<'a> Bench<'a> {
    fn new(root: &'a Path, plan: &'a Plan) -> Result<Self> {
        let target = target_folder(root)?;
        let logs = target.join("ci");
        fs::create_dir_all(&logs)?;
        let mut names = Names::new();
        names.insert("bin".to_owned(), target.join("debug").display().to_string());
        names.insert("pinward".to_owned(), target.join("debug/pinward").display().to_string());
        names.insert("out".to_owned(), root.join("e2e/out").display().to_string());
        Ok(Self { root, plan, logs, names })
    }

    /// Runs a step and says in one line how it went.
    fn run(&self, step: &Step) -> Tally {
        let start = Instant::now();
        let log = self.logs.join(format!("{}.log", step.name));
        let outcome = self.try_run(step, &log);
        let text = fs::read_to_string(&log).unwrap_or_default();
        let (tally, trouble) = match outcome {
            Ok(ended) => judge(step, &ended, &text),
            Err(error) => (Tally::FAILED, Some(format!("{error:#}"))),
        };
        let mark = if trouble.is_none() { "ok  " } else { "FAIL" };
        let count = if step.counts {
            format!("{} passed, {} failed", tally.passed, tally.failed)
        } else {
            String::new()
        };
        println!("{mark} {:<10} {:>7}  {count}", step.name, minutes(start.elapsed()));
        if let Some(trouble) = trouble {
            println!("     {trouble}");
            relevant(&text).iter().for_each(|line| println!("     | {line}"));
            println!("     all of it: {}", log.display());
        }
        tally
    }

    fn try_run(&self, step: &Step, log: &Path) -> Result<Ended> {
        fs::write(log, "")?;
        for name in &step.needs {
            let tool = self.plan.tool.get(name).with_context(|| format!("ci.toml has no tool {name:?}"))?;
            if !process::succeeds(&tool.probe) {
                bail!("{name} is missing; install it with: {}", tool.install);
            }
        }
        let mut names = self.names.clone();
        let sandbox = match step.sandbox {
            true => Some(Sandbox::start(&self.plan.sandbox, &mut names, &self.logs)?),
            false => None,
        };
        let command = fill(&step.run, &names)?;
        let command = if step.clippy { under_clippy(command) } else { command };
        let ended = process::run(&command, self.root, log, Duration::from_secs(step.limit_s));
        drop(sandbox);
        ended
    }
}

/// How many tests a step's outcome stands for, and what is wrong, if anything.
fn judge(step: &Step, ended: &Ended, log: &str) -> (Tally, Option<String>) {
    let counted = Tally::of(log);
    let trouble = match ended {
        Ended::TimedOut => Some(format!("stopped after {} s", step.limit_s)),
        Ended::Status(status) if !status.success() => Some(format!("ended with {status}")),
        Ended::Status(_) if counted.failed > 0 => Some("ended well, and counted failures".to_owned()),
        Ended::Status(_) if step.counts && counted.passed == 0 => Some("ran no test".to_owned()),
        Ended::Status(_) => None,
    };
    let tally = match &trouble {
        None if counted.passed > 0 => counted,
        None => Tally::PASSED,
        Some(_) => Tally { failed: counted.failed.max(1), ..counted },
    };
    (tally, trouble)
}

/// The part of a log that tells why: from the first line that complains, and the end.
fn relevant(log: &str) -> Vec<&str> {
    const FROM_COMPLAINT: usize = 60;
    const FROM_END: usize = 20;
    let lines: Vec<&str> = log.lines().filter(|l| !l.trim().is_empty()).collect();
    let complains = |l: &&str| {
        ["error", "FAIL", "Diff in", "["].iter().any(|w| l.trim_start().starts_with(w))
            || ["panicked at", "FAILED"].iter().any(|w| l.contains(w))
    };
    let first = lines.iter().position(complains).unwrap_or(lines.len());
    let end = lines.len().saturating_sub(FROM_END);
    let until = lines.len().min(first + FROM_COMPLAINT);
    if until >= end {
        return lines[first.min(end)..].to_vec();
    }
    [&lines[first..until], &["…"], &lines[end..]].concat()
}

/// A command under which cargo lets clippy build our own packages, to whom a warning is an error. The variables are those that
/// `cargo clippy` sets; what it builds then is code like any other, and runs.
fn under_clippy(command: Vec<String>) -> Vec<String> {
    const ENV: [&str; 3] = [
        "env",
        "RUSTC_WORKSPACE_WRAPPER=clippy-driver",
        "CLIPPY_ARGS=--deny__CLIPPY_HACKERY__warnings__CLIPPY_HACKERY__",
    ];
    ENV.into_iter().map(str::to_owned).chain(command).collect()
}

/// Puts names into the places that a command line has for them.
fn fill(command: &[String], names: &Names) -> Result<Vec<String>> {
    command
        .iter()
        .map(|part| {
            let filled =
                names.iter().fold(part.clone(), |p, (name, value)| p.replace(&format!("{{{name}}}"), value));
            if filled.contains('{') { bail!("nothing to put into {part:?}") } else { Ok(filled) }
        })
        .collect()
}

/// Where cargo builds: it may be set in the environment or in a configuration file, so cargo is asked.
fn target_folder(root: &Path) -> Result<PathBuf> {
    let output = Command::new("cargo")
        .args(["metadata", "--no-deps", "--format-version", "1"])
        .current_dir(root)
        .output()
        .context("asking cargo where it builds")?;
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).context("cargo metadata")?;
    let folder = metadata["target_directory"].as_str().context("cargo metadata names no target_directory")?;
    Ok(PathBuf::from(folder))
}

fn minutes(time: Duration) -> String {
    let s = time.as_secs();
    if s < 60 { format!("{:.1}s", time.as_secs_f32()) } else { format!("{}m{:02}s", s / 60, s % 60) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(counts: bool) -> Step {
        toml::from_str(&format!("name='a'\nwhat='b'\nrun=['c']\nlimit_s=1\ncounts={counts}")).unwrap()
    }

    #[track_caller]
    fn check(counts: bool, exit: &str, log: &str, passed: u32, failed: u32, trouble: &str) {
        let status = Command::new("sh").args(["-c", &format!("exit {exit}")]).status().unwrap();
        let (tally, said) = judge(&step(counts), &Ended::Status(status), log);
        assert_eq!((tally.passed, tally.failed), (passed, failed));
        assert!(said.unwrap_or_default().contains(trouble));
    }

    #[test]
    fn a_step_counts_what_it_ran_or_itself() {
        check(false, "0", "", 1, 0, "");
        check(false, "1", "", 0, 1, "exit status: 1");
        check(true, "0", "3 passed, 0 failed", 3, 0, "");
        check(true, "101", "test result: FAILED. 3 passed; 2 failed; 0 ignored", 3, 2, "101");
    }

    #[test]
    fn neither_silence_nor_a_lie_is_a_pass() {
        check(true, "0", "", 0, 1, "ran no test");
        check(true, "0", "3 passed, 1 failed", 3, 1, "counted failures");
        check(true, "1", "3 passed, 0 failed", 3, 1, "exit status: 1");
    }

    #[test]
    fn the_plan_can_be_read() {
        let plan = fs::read_to_string(crate::root().unwrap().join("xtask/ci.toml")).unwrap();
        let plan: Plan = toml::from_str(&plan).unwrap();
        for step in &plan.step {
            assert!(step.needs.iter().all(|tool| plan.tool.contains_key(tool)), "{}", step.name);
        }
    }

    #[test]
    fn options_are_read() {
        let parse = |args: &[&str]| Options::parse(&args.iter().map(|a| (*a).to_owned()).collect::<Vec<_>>());
        let expected = Options { only: vec!["tidy".into(), "test".into()], long: true, list: false };
        assert_eq!(parse(&["--only", "tidy", "--long", "--only", "test"]).unwrap(), expected);
        assert!(parse(&["--only"]).is_err());
        assert!(parse(&["--fast"]).is_err());
    }

    #[test]
    fn the_relevant_part_is_the_complaint_and_the_end() {
        let log: String =
            (0..200).map(|n| format!("{}{n}\n", if n == 50 { "error: " } else { "" })).collect();
        let shown = relevant(&log);
        assert_eq!((shown[0], shown[60], shown[80]), ("error: 50", "…", "199"));
        assert_eq!(relevant("a\nerror: b\nc\n"), ["a", "error: b", "c"]);
        assert_eq!(relevant(""), Vec::<&str>::new());
    }
}
