//! `pinward demo`: a sandbox from nothing to the first explained 75.

use std::{
    fs,
    net::SocketAddr,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Instant,
};

use anyhow::Context;

use super::Usage;
use crate::{
    config::{Config, Console},
    log,
    module::ModuleConfig,
    process, runtime,
    seed::{self, ListenerJson, SandboxJson, Seeded},
    test_module::TestHsm,
};

/// Options of `pinward demo`.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Data directory; made and seeded if it is new.
    #[arg(long, value_name = "DIR", default_value = "pinward-data")]
    data: PathBuf,
    /// Where the first ISO 8583 listener listens (loopback only); port 0 takes a free one.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8583")]
    listen: SocketAddr,
    /// Where the console listens (loopback only); port 0 takes a free one.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    console: SocketAddr,
    /// Say nothing but errors, and do not play the opening story.
    #[arg(long, short)]
    quiet: bool,
    /// Wipe the data directory of an earlier sandbox first.
    #[arg(long)]
    reset: bool,
    /// Make and seed the data directory, then stop.
    #[arg(long)]
    prepare_only: bool,
    /// A test HSM instead of the soft module, for a new data directory: a JSON file with `host` and a zone master key
    /// under its LMK and in clear (`zmk`, `zmk_clear`), as the counterpart in peers/ prints it.
    #[arg(long, value_name = "FILE")]
    hsm: Option<PathBuf>,
}

pub(crate) async fn run(options: Options) -> anyhow::Result<ExitCode> {
    let started = Instant::now();
    // What the soft module is stands in the banner.
    log::start("error");
    process::guard();
    refuse_open_doors(&options)?;
    if options.reset {
        reset(&options.data)?;
    }
    let (engine, seeded, is_new) = prepare(&options.data, options.hsm.as_deref()).await?;
    let config = Config {
        data: std::path::absolute(&options.data)?,
        products: None,
        console: Console { address: options.console },
        host: host::Settings { sandbox: true, limits: limits(), ..host::Settings::default() },
        module: seeded.module.clone(),
        listener: seed::listeners(options.listen, &seeded.module)?,
    };
    fs::write(options.data.join("pinward.toml"), toml::to_string(&config)?)?;
    if options.prepare_only {
        let prepared = with_addresses(&seeded.public, &config.listener, config.console.address);
        seed::publish(&options.data, &prepared)?;
        tokio::task::spawn_blocking(move || engine.close()).await?;
        eprintln!(
            "prepared {}; run it with: pinward serve --config {0}/pinward.toml",
            options.data.display()
        );
        return Ok(ExitCode::SUCCESS);
    }
    let running = runtime::start(&config, engine).await?;
    if let Some(trouble) = running.module_trouble() {
        eprintln!("the security module does not answer yet, so terminals will hear 91: {trouble}");
    }
    let listening = listening(&config.listener, running.addresses());
    let sandbox = with_addresses(&seeded.public, &listening, running.console());
    let path = seed::publish(&options.data, &sandbox)?;
    if !options.quiet {
        banner(&options, &config.module, &sandbox, &path, is_new, started);
        let opening = with_addresses(&seeded.opening, &listening, running.console());
        if is_new {
            play(&opening, running.console()).await;
        }
        next_steps(&options.data);
    }
    runtime::until_told_to_stop(&running).await?;
    if !options.quiet {
        eprintln!("\nstopping; go on later with: pinward demo --data {}", options.data.display());
    }
    running.stop().await?;
    Ok(ExitCode::SUCCESS)
}

/// Everything that talks to a sandbox has one address, and load runs push as hard as they can.
fn limits() -> host::Limits {
    const CONNECTIONS: usize = 20_000;
    host::Limits {
        connections: CONNECTIONS,
        connections_per_source: CONNECTIONS,
        frames_per_second: 0,
        ..host::Limits::default()
    }
}

/// The listeners with the ports that they were given.
pub(crate) fn listening(
    configs: &[host::ListenerConfig],
    addresses: &[SocketAddr],
) -> Vec<host::ListenerConfig> {
    let bound = |(config, address): (&host::ListenerConfig, &SocketAddr)| host::ListenerConfig {
        address: *address,
        ..config.clone()
    };
    configs.iter().zip(addresses).map(bound).collect()
}

/// Sandbox keys are public: nothing listens beyond this machine.
fn refuse_open_doors(options: &Options) -> Result<(), Usage> {
    for (flag, address) in [("--listen", options.listen), ("--console", options.console)] {
        if !address.ip().is_loopback() {
            return Err(Usage(format!(
                "{flag} {address}: a sandbox listens on loopback only (127.0.0.1 or [::1])"
            )));
        }
    }
    Ok(())
}

/// Removes an earlier sandbox, and nothing else: a directory that is not one is left alone.
fn reset(data: &Path) -> anyhow::Result<()> {
    if !data.exists() {
        return Ok(());
    }
    if !data.join("sandbox-seed.json").exists() {
        return Err(Usage(format!("{} is not a sandbox: not wiped", data.display())).into());
    }
    // Opening takes the folder's lock: a sandbox that somebody runs on is not wiped under it.
    runtime::open_store(data)?.close();
    fs::remove_dir_all(data).with_context(|| format!("cannot wipe {}", data.display()))
}

async fn prepare(
    data: &Path,
    hsm: Option<&Path>,
) -> anyhow::Result<(std::sync::Arc<store_sql::SqliteEngine>, Seeded, bool)> {
    if let Some(seeded) = seed::read(data)? {
        if hsm.is_some() && matches!(seeded.module, ModuleConfig::Soft) {
            return Err(Usage(format!(
                "{} has its keys in the soft module; --hsm is for a new one",
                data.display()
            ))
            .into());
        }
        return Ok((runtime::open_store(data)?, seeded, false));
    }
    let occupied = fs::read_dir(data).is_ok_and(|mut entries| entries.next().is_some());
    if occupied {
        return Err(Usage(format!(
            "{} holds something that is not a finished sandbox: name another directory or empty it",
            data.display()
        ))
        .into());
    }
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(data)
        .map_err(|e| Usage(format!("cannot create {}: {e}", data.display())))?;
    match fill(data, hsm).await {
        Ok((engine, seeded)) => Ok((engine, seeded, true)),
        Err(error) => {
            // Half a sandbox is none, and nobody could go on with it.
            let _ = fs::remove_dir_all(data);
            Err(error)
        }
    }
}

async fn fill(
    data: &Path,
    hsm: Option<&Path>,
) -> anyhow::Result<(std::sync::Arc<store_sql::SqliteEngine>, Seeded)> {
    let test = hsm.map(TestHsm::read).transpose()?;
    let in_file = || hsm.map_or_else(String::new, |path| format!("with the test HSM of {}", path.display()));
    let module = seed::create_keys(data, test.as_ref()).await.with_context(in_file)?;
    let engine = runtime::open_store(data)?;
    let seeded = seed::seed(data, &*engine, &module).await.with_context(in_file)?;
    Ok((engine, seeded))
}

pub(crate) fn with_addresses(
    sandbox: &SandboxJson,
    listeners: &[host::ListenerConfig],
    console: SocketAddr,
) -> SandboxJson {
    let listener = |config: &host::ListenerConfig| ListenerJson {
        address: config.address.to_string(),
        dialect: config.dialect.clone(),
        framing: config.framing.clone(),
        mac: config.mac.clone(),
    };
    SandboxJson {
        listeners: listeners.iter().map(listener).collect(),
        console: format!("http://{console}"),
        ..sandbox.clone()
    }
}

fn banner(
    options: &Options,
    module: &ModuleConfig,
    sandbox: &SandboxJson,
    path: &Path,
    is_new: bool,
    started: Instant,
) {
    let state = if is_new { "new" } else { "as it was left" };
    println!("pinward {}  SANDBOX (test keys, not for real cards)", env!("CARGO_PKG_VERSION"));
    println!("  data       {} (SQLite, {state})", options.data.display());
    for listener in &sandbox.listeners {
        println!(
            "  ISO 8583   {:21} {} {} {}",
            listener.address, listener.dialect, listener.framing, listener.mac
        );
    }
    println!("  console    {}/        REST {0}/api/v1   docs {0}/docs", sandbox.console);
    println!("  terminals, cards and their test keys: {}", path.display());
    println!(
        "ready in {:.2} s; {} terminals and {} cards are in that file; {}",
        started.elapsed().as_secs_f64(),
        sandbox.terminals.len(),
        sandbox.cards.len(),
        match module {
            ModuleConfig::Soft => "the soft module is not a secure cryptographic device",
            ModuleConfig::Payshield(_) => "PINs and keys are in the test HSM",
        }
    );
}

/// Plays "error 75" with a card and a terminal of its own.
async fn play(opening: &SandboxJson, console: SocketAddr) {
    println!("playing error-75 …");
    match super::trigger::play_opening(opening).await {
        Ok(Some(rrn)) => println!("why? http://{console}/transactions/{rrn}"),
        Ok(None) => {}
        Err(error) => eprintln!("the opening story stopped: {error:#}"),
    }
}

fn next_steps(data: &Path) {
    let data = data.display();
    println!("next, in another window:");
    println!("  pinward trigger --list --data {data}");
    println!("  pinward pos --data {data}");
    println!("  pinward tail --data {data}");
    println!("  pinward explain 75");
    println!("Ctrl-C stops");
}
