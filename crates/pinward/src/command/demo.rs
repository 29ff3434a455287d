//! `pinward demo`: a sandbox from nothing to the first explained 75.

use std::{
    fs,
    net::SocketAddr,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::Context;
use store::{Archive, archive::CardQuery};
use store_sql::postgres;

use super::Usage;
use crate::{
    alarms,
    config::{Config, Console},
    log,
    module::ModuleConfig,
    process, runtime,
    seed::{self, ListenerJson, SandboxJson, Seeded},
    storage::{self, Place, Storage, Wish},
    store_url::StoreUrl,
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
    /// A database for journal and registers instead of files: postgres://ROLE:PASSWORD@HOST/DATABASE. The data
    /// directory keeps the keys; once made, it remembers its database.
    #[arg(long, value_name = "URL")]
    store: Option<StoreUrl>,
    /// Say nothing but errors, and do not play the opening story.
    #[arg(long, short)]
    quiet: bool,
    /// Wipe an earlier sandbox first: its data directory, and its schemas in the database.
    #[arg(long)]
    reset: bool,
    /// Make and seed the data directory, then stop.
    #[arg(long)]
    prepare_only: bool,
    /// A test HSM instead of the soft module, for a new data directory: a JSON file with `host` and a zone master key
    /// under its LMK and in clear (`zmk`, `zmk_clear`), as the counterpart in peers/ prints it.
    #[arg(long, value_name = "FILE")]
    hsm: Option<PathBuf>,
    #[command(flatten)]
    more: seed::More,
}

pub(crate) async fn run(options: Options) -> anyhow::Result<ExitCode> {
    let started = Instant::now();
    // What the soft module is stands in the banner.
    log::start("error");
    process::guard();
    refuse_open_doors(&options)?;
    if options.reset {
        reset(&options).await?;
    }
    let place = place(&options)?;
    let (storage, seeded, is_new) = prepare(&place, options.hsm.as_deref(), options.more).await?;
    // Kept until the end: a card of another bank needs somewhere to go.
    let bank = match &seeded.bank {
        Some(bank) => Some(bank.open(SocketAddr::from(([127, 0, 0, 1], 0))).await?),
        None => None,
    };
    let route = seeded.bank.iter().zip(&bank).map(|(seed, bank)| seed.route(bank.address())).collect();
    let config = Config {
        data: std::path::absolute(&options.data)?,
        store: place.wish.store.clone(),
        store_password_file: place.wish.store_password_file.clone(),
        products: None,
        operator_rules: None,
        database: place.wish.database.clone(),
        console: Console { address: options.console, ..Console::default() },
        alarms: alarms::of_data(&options.data)?,
        sms: sms::Settings::default(),
        host: host::Settings { sandbox: true, limits: limits(), ..host::Settings::default() },
        module: seeded.module.clone(),
        listener: seed::listeners(options.listen, &seeded.module)?,
        diagnosis: watch::Settings::default(),
        route,
    };
    // The store's URL may hold a password.
    seed::write_private(&options.data.join("pinward.toml"), toml::to_string(&config)?.as_bytes())?;
    if options.prepare_only {
        let prepared = with_addresses(&seeded.public, &config.listener, config.console.address);
        seed::publish(&options.data, &prepared)?;
        storage.close().await?;
        eprintln!(
            "prepared {}; run it with: pinward serve --config {0}/pinward.toml",
            options.data.display()
        );
        return Ok(ExitCode::SUCCESS);
    }
    let running = runtime::start(&config, storage).await?;
    if let Some(trouble) = running.module_trouble() {
        eprintln!("the security module does not answer yet, so terminals will hear 91: {trouble}");
    }
    let listening = listening(&config.listener, running.addresses());
    let sandbox = with_addresses(&seeded.public, &listening, running.console());
    let path = seed::publish(&options.data, &sandbox)?;
    if !options.quiet {
        banner(&place, &config.module, &sandbox, &path, is_new, started);
        let opening = with_addresses(&seeded.opening, &listening, running.console());
        if is_new {
            play(&opening, &running).await;
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

/// Where the store is: where it was put when the sandbox was made.
fn place(options: &Options) -> anyhow::Result<Place> {
    let recorded = Place::of_data(&options.data)?;
    let Some(url) = &options.store else { return Ok(recorded) };
    let same = match &recorded.wish.store {
        Some(old) => old.to_string() == url.to_string(),
        // Its configuration is lost, and nothing of its store is here.
        None => !recorded.exists(),
    };
    if seed::is_sandbox(&options.data) && !same {
        return Err(Usage(format!(
            "{} keeps {recorded}: pinward migrate moves it to a database, --reset begins anew",
            options.data.display()
        ))
        .into());
    }
    Place::new(options.data.clone(), Wish { store: Some(url.clone()), ..recorded.wish })
}

/// Removes an earlier sandbox, and nothing else: a directory or a database that is not one is left alone.
async fn reset(options: &Options) -> anyhow::Result<()> {
    let data = &options.data;
    let recorded = Place::of_data(data)?;
    if data.exists() && !seed::is_sandbox(data) {
        return Err(Usage(format!("{} is not a sandbox: not wiped", data.display())).into());
    }
    if recorded.is_embedded() && recorded.exists() && !data.join(storage::MOVED).exists() {
        // Opening takes the folder's lock: a sandbox that somebody runs on is not wiped under it.
        recorded.open().await?.close().await?;
    }
    let wished = Wish { store: options.store.clone(), ..recorded.wish.clone() };
    for place in [recorded, Place::new(data.clone(), wished)?] {
        if let Some(url) = &place.url {
            postgres::wipe_sandbox(url.reveal()).await.map_err(|e| Usage(format!("{place}: {e}")))?;
        }
    }
    if !data.exists() {
        return Ok(());
    }
    fs::remove_dir_all(data).with_context(|| format!("cannot wipe {}", data.display()))
}

async fn prepare(
    place: &Place,
    hsm: Option<&Path>,
    more: seed::More,
) -> anyhow::Result<(Storage, Seeded, bool)> {
    let data = &place.data;
    if let Some(seeded) = seed::read(data)? {
        if hsm.is_some() && matches!(seeded.module, ModuleConfig::Soft) {
            return Err(Usage(format!(
                "{} has its keys in the soft module; --hsm is for a new one",
                data.display()
            ))
            .into());
        }
        if more.is_any() {
            return Err(Usage(format!(
                "{} has its cards and terminals; more are for a new one",
                data.display()
            ))
            .into());
        }
        if !place.exists() {
            return Err(Usage(format!(
                "{} has no store: name its database with --store, or begin anew with --reset",
                data.display()
            ))
            .into());
        }
        return Ok((place.open().await?, seeded, false));
    }
    let occupied = fs::read_dir(data).is_ok_and(|mut entries| entries.next().is_some());
    if occupied {
        return Err(Usage(format!(
            "{} holds something that is not a finished sandbox: name another directory or empty it",
            data.display()
        ))
        .into());
    }
    if let Some(url) = &place.url
        && postgres::partitions(url.reveal()).await.with_context(|| format!("{place}"))?.is_some()
    {
        return Err(
            Usage(format!("{place} was made by another data directory; --reset wipes a sandbox's")).into()
        );
    }
    if place.url.is_some() {
        eprintln!("making the tables of {place} …");
    }
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(data)
        .map_err(|e| Usage(format!("cannot create {}: {e}", data.display())))?;
    match fill(place, hsm, more).await {
        Ok((storage, seeded)) => Ok((storage, seeded, true)),
        Err(error) => {
            // Half a sandbox is none, and nobody could go on with it.
            let _ = fs::remove_dir_all(data);
            if let Some(url) = &place.url {
                let _ = postgres::wipe_sandbox(url.reveal()).await;
            }
            Err(error)
        }
    }
}

async fn fill(place: &Place, hsm: Option<&Path>, more: seed::More) -> anyhow::Result<(Storage, Seeded)> {
    let data = &place.data;
    let test = hsm.map(TestHsm::read).transpose()?;
    let in_file = || hsm.map_or_else(String::new, |path| format!("with the test HSM of {}", path.display()));
    let module = seed::create_keys(data, test.as_ref()).await.with_context(in_file)?;
    let storage = place.open().await?;
    if let Some(url) = &place.url {
        postgres::mark_sandbox(url.reveal()).await?;
    }
    match seed::seed(data, &*storage.engine(), &module, more).await.with_context(in_file) {
        Ok(seeded) => {
            listed(&*storage.archive(), seeded.public.cards.len()).await?;
            Ok((storage, seeded))
        }
        Err(error) => {
            storage.close().await?;
            Err(error)
        }
    }
}

/// Waits until the look-up tables have the cards, so that the next command lists them; not for ever, they are filled
/// later too.
async fn listed(archive: &dyn Archive, cards: usize) -> anyhow::Result<()> {
    const PATIENCE: Duration = Duration::from_secs(20);
    const PAGE: u32 = 500;
    let (began, wanted) = (Instant::now(), cards.min(PAGE as usize));
    let query = CardQuery { limit: Some(PAGE), ..CardQuery::default() };
    while archive.cards(&query).await?.data.len() < wanted && began.elapsed() < PATIENCE {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
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
    place: &Place,
    module: &ModuleConfig,
    sandbox: &SandboxJson,
    path: &Path,
    is_new: bool,
    started: Instant,
) {
    let state = if is_new { "new" } else { "as it was left" };
    println!("pinward {}  SANDBOX (test keys, not for real cards)", env!("CARGO_PKG_VERSION"));
    match &place.url {
        None => println!("  data       {} (SQLite, {state})", place.data.display()),
        Some(url) => {
            println!("  data       {} ({state})", place.data.display());
            println!("  store      {url} (PostgreSQL)");
        }
    }
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

/// Plays "error 75" with a card and a terminal of its own, and says why.
async fn play(opening: &SandboxJson, running: &runtime::Running) {
    println!("playing error-75 …");
    match super::trigger::play_opening(opening).await {
        Ok(Some(rrn)) => {
            println!("why? http://{}/transactions/{rrn}", running.console());
            if let Some(said) = why(&rrn, running.watch()).await {
                println!("{said}");
            }
        }
        Ok(None) => {}
        Err(error) => eprintln!("the opening story stopped: {error:#}"),
    }
}

/// The verdict in a line; none if there is none yet.
async fn why(rrn: &str, watch: &watch::Watch) -> Option<String> {
    let watch::Told::Verdict(verdict, _) = watch.verdict(&rrn.parse().ok()?).await.ok()? else { return None };
    let lang = super::explain::lang_of_environment();
    let text = handbook::cause_text(verdict.cause);
    let sentence = text.sentence(lang, &handbook::CauseFacts::default());
    Some(format!("diagnosis: {} ({:.0} %). {sentence}", text.name(lang), verdict.confidence * 100.0))
}

fn next_steps(data: &Path) {
    let data = data.display();
    println!("next, in another window:");
    println!("  pinward trigger --list --data {data}");
    println!("  pinward pos --data {data}");
    println!("  pinward tail --data {data}");
    println!("  pinward explain 75");
    println!("  pinward incidents --data {data}");
    println!("Ctrl-C stops");
}
