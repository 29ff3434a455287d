//! `pinward serve`: the host and the console from a configuration file.

use std::{path::PathBuf, process::ExitCode};

use crate::{config::Config, log, process, runtime, seed};

/// Options of `pinward serve`.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Configuration file (TOML); `pinward config print-default` shows one.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

pub(crate) async fn run(options: Options) -> anyhow::Result<ExitCode> {
    let config = Config::read(&options.config)?;
    log::start("info");
    process::guard();
    let engine = runtime::open_store(&config.data)?;
    let running = runtime::start(&config, engine).await?;
    if config.host.sandbox
        && let Some(seeded) = seed::read(&config.data)?
    {
        let listening = super::demo::listening(&config.listener, running.addresses());
        let sandbox = super::demo::with_addresses(&seeded.public, &listening, running.console());
        seed::publish(&config.data, &sandbox)?;
    }
    for address in running.addresses() {
        eprintln!("ISO 8583   {address}");
    }
    eprintln!("console    http://{}", running.console());
    runtime::until_told_to_stop(&running).await?;
    eprintln!("stopping");
    running.stop().await?;
    Ok(ExitCode::SUCCESS)
}
