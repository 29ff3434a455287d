//! `pinward serve`: the host and the console from a configuration file.

use std::{net::SocketAddr, path::PathBuf, process::ExitCode};

use crate::{
    command::Usage,
    config::Config,
    log, process, runtime,
    seed::{self, SandboxJson},
    storage::Place,
};

/// Options of `pinward serve`.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Configuration file (TOML); `pinward config print-default` shows one.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Where the first listener listens instead, so that several hosts can share a configuration.
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
    /// Where the console listens instead.
    #[arg(long, value_name = "ADDR")]
    console: Option<SocketAddr>,
}

pub(crate) async fn run(options: Options) -> anyhow::Result<ExitCode> {
    let config = configured(&options)?;
    log::start("info");
    process::guard();
    let place = Place::of(&config)?;
    let storage = place.open().await?;
    let engine = storage.engine().describe();
    let seeded = if config.host.sandbox { seed::read(&config.data)? } else { None };
    // Kept until the end.
    let _bank = match seeded.as_ref().and_then(|seeded| seeded.bank.as_ref()) {
        Some(bank) => bank.open_for(&config.route).await?,
        None => None,
    };
    let running = runtime::start(&config, storage).await?;
    if let Some(seeded) = seeded {
        let listening = super::demo::listening(&config.listener, running.addresses());
        publish(&config, super::demo::with_addresses(&seeded.public, &listening, running.console())).await?;
    }
    for address in running.addresses() {
        eprintln!("ISO 8583   {address}");
    }
    eprintln!("console    {}", config.console.page(running.console()));
    eprintln!("store      {}, {engine}", place.short());
    runtime::until_told_to_stop(&running).await?;
    eprintln!("stopping");
    running.stop().await?;
    Ok(ExitCode::SUCCESS)
}

/// The file, with the addresses that this host has of its own.
fn configured(options: &Options) -> anyhow::Result<Config> {
    let mut config = Config::read(&options.config)?;
    if let (Some(listen), Some(first)) = (options.listen, config.listener.first_mut()) {
        first.address = listen;
    }
    if let Some(console) = options.console {
        config.console.address = console;
    }
    let problems = config.problems();
    if problems.is_empty() { Ok(config) } else { Err(Usage(problems.join("\n")).into()) }
}

/// `sandbox.json` has the addresses of one host. While that one still answers, another leaves the file alone and writes
/// one that is named after its own port.
async fn publish(config: &Config, sandbox: SandboxJson) -> anyhow::Result<()> {
    let ours = sandbox.listeners.first().map(|listener| listener.address.clone()).unwrap_or_default();
    let published = seed::published(&config.data).and_then(|other| other.listeners.into_iter().next());
    let another = published.map(|listener| listener.address).filter(|address| *address != ours);
    let answers = match &another {
        Some(address) => tokio::net::TcpStream::connect(address).await.is_ok(),
        None => false,
    };
    let path = if answers {
        let port = ours.rsplit_once(':').map_or("0", |(_, port)| port);
        seed::publish_as(&config.data, &format!("sandbox-{port}.json"), &sandbox)?
    } else {
        seed::publish(&config.data, &sandbox)?
    };
    eprintln!("sandbox    {}", path.display());
    Ok(())
}
