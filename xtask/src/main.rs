//! House work: `cargo xtask tidy` holds the tree to its own rules, `cargo xtask ci` runs everything that must
//! pass, `cargo xtask sim` simulated worlds.
//!
//! What the rules are is in `tidy.toml`, what is run is in `ci.toml`; this program only carries them out. It is no
//! part of the product and imports nothing of it.

mod ci;
mod sim;
mod tidy;

use std::{env, path::PathBuf, process::ExitCode};

use anyhow::{Context, Result, bail};

const HELP: &str = "\
usage: cargo xtask <command>

  tidy                 hold the tree to the rules of xtask/tidy.toml
  ci                   run the steps of xtask/ci.toml; the last line is `N passed, N failed`
     --only STEP       one step only (may be given several times)
     --long            the long steps too
     --list            name the steps and stop
  sim                  simulated worlds; the last line is `N seeds, N steps, N faults, N violations`
     --seeds A..B      which (0..1000)
     --bug NAME        with a mistake made on purpose; --bugs: each of them until it is noticed
     --trace           what happened in a seed with a violation
     --json            the sum as a line of JSON too
  help                 this text
";

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    match run(&args) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// `Ok(false)`: it ran, and something did not pass.
fn run(args: &[String]) -> Result<bool> {
    match args.first().map(String::as_str) {
        Some("tidy") if args.len() == 1 => tidy::command(&root()?),
        Some("ci") => ci::command(&root()?, &ci::Options::parse(&args[1..])?),
        Some("sim") => sim::command(&args[1..]),
        Some("help" | "--help" | "-h") | None => {
            print!("{HELP}");
            Ok(true)
        }
        Some(_) => bail!("cannot make sense of {args:?}; see `cargo xtask help`"),
    }
}

/// The project's folder: the nearest one above the current folder that has our rules in it. Not the folder of the
/// build, because a build folder may be shared between clones.
pub(crate) fn root() -> Result<PathBuf> {
    let here = env::current_dir()?;
    here.ancestors()
        .find(|folder| folder.join("xtask/tidy.toml").is_file())
        .map(PathBuf::from)
        .context("not inside the project: no folder above this one has xtask/tidy.toml")
}
