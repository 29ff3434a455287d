//! `ordeal --seeds A..B [--bug NAME] [--json] [--trace]`: what `cargo xtask sim` calls.

use std::{process::ExitCode, sync::Arc, time::Instant};

use anyhow::{Context, bail};
use ordeal::{Bug, Kit, Report, simulate};

struct Options {
    from: u64,
    to: u64,
    bug: Option<Bug>,
    json: bool,
    trace: bool,
}

fn main() -> ExitCode {
    match Options::parse(std::env::args().skip(1)).and_then(|options| command(&options)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("sim: {error:#}");
            ExitCode::from(2)
        }
    }
}

impl Options {
    fn parse(mut args: impl Iterator<Item = String>) -> anyhow::Result<Self> {
        let mut options = Self { from: 0, to: 1000, bug: None, json: false, trace: false };
        while let Some(arg) = args.next() {
            match arg.as_str() {
                "--seeds" => {
                    let seeds = args.next().context("--seeds A..B")?;
                    let (from, to) = seeds.split_once("..").context("--seeds A..B")?;
                    (options.from, options.to) = (from.parse()?, to.parse()?);
                }
                "--bug" => {
                    let name = args.next().context("--bug NAME")?;
                    let known = || Bug::ALL.iter().map(|bug| bug.name()).collect::<Vec<_>>().join(", ");
                    options.bug = Some(Bug::named(&name).with_context(|| format!("bugs are {}", known()))?);
                }
                "--json" => options.json = true,
                "--trace" => options.trace = true,
                _ => bail!("cannot make sense of {arg:?}"),
            }
        }
        Ok(options)
    }
}

/// `Ok(false)`: something that must not happen did.
fn command(options: &Options) -> anyhow::Result<bool> {
    let kit = Arc::new(Kit::new()?);
    let begun = Instant::now();
    let (mut steps, mut faults, mut violations) = (0, 0, 0);
    for seed in options.from..options.to {
        let report = simulate(&kit, seed, options.bug)?;
        steps += report.steps;
        faults += report.faults;
        violations += report.violations.len();
        if !report.violations.is_empty() {
            complain(&report, options);
        }
    }
    let seeds = options.to.saturating_sub(options.from);
    if options.json {
        let line = serde_json::json!({
            "seeds": seeds, "steps": steps, "faults": faults, "violations": violations,
            "seconds": begun.elapsed().as_secs_f64(),
        });
        println!("{line}");
    }
    println!("{seeds} seeds, {steps} steps, {faults} faults, {violations} violations");
    Ok(violations == 0)
}

fn complain(report: &Report, options: &Options) {
    if options.trace {
        report.lines.iter().for_each(|line| println!("{line}"));
    }
    for violation in &report.violations {
        println!("seed {}: {violation}", report.seed);
    }
    let bug = options.bug.map_or_else(String::new, |bug| format!(" --bug {bug}"));
    println!("  again: cargo xtask sim --seeds {}..{}{bug} --trace", report.seed, report.seed + 1);
}
