//! Runs the simulation (crates/ordeal), built with optimisation: thousands of seeds are a matter of minutes.

use std::process::Command;

use anyhow::{Context, Result, bail};

const RUN: [&str; 8] = ["run", "--quiet", "--locked", "--profile", "sim", "--package", "ordeal", "--"];

/// Passes everything on; `Ok(false)`: something that must not happen did.
pub(crate) fn command(args: &[String]) -> Result<bool> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo).args(RUN).args(args).status().context("cargo cannot be started")?;
    match status.code() {
        Some(0) => Ok(true),
        Some(1) => Ok(false),
        _ => bail!("the simulation ended with {status}"),
    }
}
