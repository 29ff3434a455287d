//! `ordeal --seeds A..B`: what `cargo xtask sim` calls. The last line is `N seeds, N steps, N faults, N violations`.

use std::{
    io::{self, Write},
    process::ExitCode,
    sync::Arc,
    time::Instant,
};

use anyhow::{Context, bail};
use ordeal::{Bug, Kit, Report, simulate};

/// Seeds within which a mistake must be noticed.
const SOON: u64 = 300;

#[derive(Default)]
struct Options {
    from: u64,
    to: u64,
    bug: Option<Bug>,
    bugs: bool,
    json: bool,
    trace: bool,
    hashes: bool,
}

fn main() -> ExitCode {
    let options = Options::parse(std::env::args().skip(1));
    match options.and_then(|options| command(&options, &mut io::stdout().lock())) {
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
        let mut options = Self { to: 1000, ..Self::default() };
        while let Some(arg) = args.next() {
            match arg.as_str() {
                "--seeds" => {
                    let seeds = args.next().context("--seeds A..B")?;
                    let (from, to) = seeds.split_once("..").context("--seeds A..B")?;
                    (options.from, options.to) = (from.parse()?, to.parse()?);
                    if options.from >= options.to {
                        bail!("--seeds A..B: no seed from {from} to below {to}");
                    }
                }
                "--bug" => {
                    let name = args.next().context("--bug NAME")?;
                    let known = || Bug::ALL.iter().map(|bug| bug.name()).collect::<Vec<_>>().join(", ");
                    options.bug = Some(Bug::named(&name).with_context(|| format!("bugs are {}", known()))?);
                }
                "--bugs" => options.bugs = true,
                "--json" => options.json = true,
                "--trace" => options.trace = true,
                "--hashes" => options.hashes = true,
                _ => bail!("cannot make sense of {arg:?}"),
            }
        }
        Ok(options)
    }
}

#[derive(Default)]
struct Sum {
    steps: u64,
    faults: u64,
    violations: usize,
}

/// `Ok(false)`: something that must not happen did, or a mistake was not noticed.
fn command(options: &Options, out: &mut impl Write) -> anyhow::Result<bool> {
    let kit = Arc::new(Kit::new()?);
    if options.bugs && !mistakes(&kit, out)? {
        return Ok(false);
    }
    let begun = Instant::now();
    let mut sum = Sum::default();
    let mut failed = Vec::new();
    for seed in options.from..options.to {
        let report = simulate(&kit, seed, options.bug)?;
        sum.steps += report.steps;
        sum.faults += report.faults;
        sum.violations += report.violations.len();
        if options.hashes {
            writeln!(out, "{seed} {:016x}", report.hash)?;
        }
        if !report.violations.is_empty() {
            complain(&report, options, out)?;
            failed.push(seed);
        }
    }
    let seeds = options.to.saturating_sub(options.from);
    let Sum { steps, faults, violations } = sum;
    if options.json {
        let line = serde_json::json!({
            "seeds": seeds, "steps": steps, "faults": faults, "violations": violations, "failed": failed,
            "seconds": begun.elapsed().as_secs_f64(),
        });
        writeln!(out, "{line}")?;
    }
    writeln!(out, "{seeds} seeds, {steps} steps, {faults} faults, {violations} violations")?;
    Ok(violations == 0)
}

/// Makes each mistake until it is noticed.
fn mistakes(kit: &Arc<Kit>, out: &mut impl Write) -> anyhow::Result<bool> {
    let mut missed = 0;
    for bug in Bug::ALL {
        let mut noticed = None;
        for seed in 0..SOON {
            let report = simulate(kit, seed, Some(*bug))?;
            if let Some(violation) = report.violations.first() {
                noticed = Some((seed, violation.clone()));
                break;
            }
        }
        match noticed {
            Some((seed, violation)) => writeln!(out, "{bug}: noticed in seed {seed}: {violation}")?,
            None => {
                missed += 1;
                writeln!(out, "{bug}: NOT noticed in {SOON} seeds")?;
            }
        }
    }
    writeln!(out, "{} of {} mistakes noticed", Bug::ALL.len() - missed, Bug::ALL.len())?;
    Ok(missed == 0)
}

fn complain(report: &Report, options: &Options, out: &mut impl Write) -> io::Result<()> {
    if options.trace {
        for line in &report.lines {
            writeln!(out, "{line}")?;
        }
    }
    for violation in &report.violations {
        writeln!(out, "seed {}: {violation}", report.seed)?;
    }
    let (seed, bug) = (report.seed, options.bug.map_or_else(String::new, |bug| format!(" --bug {bug}")));
    writeln!(out, "  again: cargo xtask sim --seeds {seed}..{}{bug} --trace", seed + 1)
}
