//! `pinward bench`: what this machine allows, what the host makes of it, and their ratios, in one run.
//!
//! The same load goes to the floor ([`load::floor`]: append, synchronize, answer) and to real hosts on throw-away sandboxes: on
//! files, then on a PostgreSQL of the run's own beside pgbench, by one host and by two. Figures of one machine mean little on
//! another; ratios within one run travel better. `pinward bench codec` measures the messages alone.

mod backtest;
mod child;
mod codec;
mod floor;
mod machine;
mod report;
mod rules;

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::Subcommand;
use load::{Choice, Crew, Plan, Report};
use simulator::Sandbox;
use store_sql::postgres::local_server::{LocalServer, LocalServerError, pgbench};

use super::Usage;
use super::trigger::FAILED;
use child::{Host, cpu_us, family};
use machine::Machine;
use report::{Figures, Findings, Ratios};

/// Options of `pinward bench`.
#[derive(clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Options {
    #[command(subcommand)]
    what: Option<What>,
    #[command(flatten)]
    run: RunOptions,
}

#[derive(Subcommand)]
enum What {
    /// Decoding and encoding of messages beside other libraries.
    Codec(codec::Options),
    /// The floor's server.
    #[command(hide = true)]
    FloorServer(floor::ServerOptions),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Only {
    /// The floor, and the host on its own files.
    Embedded,
    /// The host on its own files with and without diagnosis and risk rules, in turn.
    Watched,
    /// The host on PostgreSQL, pgbench beside it, and two hosts.
    Postgres,
    /// A backtest of the starter rules over a journal of a million payments a day; not part of the whole.
    Backtest,
}

#[derive(Debug, clap::Args)]
struct RunOptions {
    /// How long each measurement takes, after a warm-up of a quarter of that
    #[arg(long, value_name = "S", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=3600))]
    seconds: u64,
    /// Only one half of it
    #[arg(long, value_enum)]
    only: Option<Only>,
    /// Connections of the load, and clients of pgbench
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=200))]
    connections: u16,
    /// Requests under way per connection; everything is measured at depth 1 too
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=load::DEPTH_MAX as i64))]
    depth: u16,
    /// Cards that pay
    #[arg(long, value_name = "N", default_value_t = 20_000, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    cards: u32,
    /// Payments of the journal that a backtest reads
    #[arg(long, value_name = "N", default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1_000..=100_000_000))]
    payments: u64,
    /// Where sandboxes, journals and the database are while it runs: on the disk that is to be measured
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Keep the result in this folder too, under its date
    #[arg(long, value_name = "DIR", num_args = 0..=1, default_missing_value = "bench/runs")]
    save: Option<PathBuf>,
    /// The result as one JSON object
    #[arg(long)]
    json: bool,
}

/// Runs the command.
///
/// # Errors
/// When something that is measured does not start.
pub(crate) fn run(options: Options) -> anyhow::Result<ExitCode> {
    match options.what {
        Some(What::Codec(options)) => Ok(codec::run(options)),
        Some(What::FloorServer(options)) => floor::serve(&options),
        None => whole(options.run),
    }
}

fn whole(options: RunOptions) -> anyhow::Result<ExitCode> {
    crate::process::raise_open_files();
    let folder = Folder::new(options.dir.as_deref())?;
    let machine = Machine::here(&folder.0)?;
    let mut warnings = machine.warnings();
    warnings.iter().for_each(|warning| eprintln!("pinward bench: {warning}"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut bench = Bench { options, folder, runtime, runs: Vec::new() };
    let only = bench.options.only;
    if only == Some(Only::Backtest) {
        return bench.backtest();
    }
    if only.is_none() || only == Some(Only::Embedded) {
        bench.floor()?;
        bench.embedded()?;
    }
    if only.is_none() || only == Some(Only::Watched) {
        bench.watched()?;
    }
    if only.is_none() || only == Some(Only::Postgres) {
        match bench.start_postgres() {
            Ok(server) => bench.postgres(&server)?,
            Err(error @ LocalServerError::Missing) if only.is_none() => {
                warnings.push(format!("not measured: {error}"));
            }
            Err(error @ LocalServerError::Missing) => return Err(Usage(error.to_string()).into()),
            Err(error) => return Err(error.into()),
        }
    }
    let Bench { options, runs, .. } = bench;
    let ratios = Ratios::of(&runs, usize::from(options.depth));
    let clean = runs.iter().all(|run| run.troubles.is_empty());
    let findings =
        Findings { machine, seconds: options.seconds, cards: options.cards, runs, ratios, warnings };
    if let Some(folder) = &options.save {
        eprintln!("kept as {}", findings.save(folder)?.display());
    }
    if options.json {
        println!("{}", serde_json::to_string_pretty(&findings)?);
    } else {
        findings.print();
    }
    Ok(if clean { ExitCode::SUCCESS } else { ExitCode::from(FAILED) })
}

/// A folder of the run's own, gone with it.
struct Folder(PathBuf);

impl Folder {
    fn new(inside: Option<&Path>) -> anyhow::Result<Folder> {
        let inside = inside.map_or_else(std::env::temp_dir, Path::to_owned);
        let folder = std::path::absolute(inside)?.join(format!("pinward-bench-{}", std::process::id()));
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        Ok(Folder(folder))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

struct Bench {
    options: RunOptions,
    folder: Folder,
    runtime: tokio::runtime::Runtime,
    runs: Vec<Figures>,
}

impl Bench {
    /// The depths that everything is measured at.
    fn depths(&self) -> Vec<usize> {
        let depth = usize::from(self.options.depth);
        if depth == 1 { vec![1] } else { vec![depth, 1] }
    }

    fn plan(&self, depth: usize) -> Plan {
        Plan {
            connections: usize::from(self.options.connections),
            depth,
            time: Duration::from_secs(self.options.seconds),
            warm_up: Duration::from_millis(self.options.seconds * 250),
            ..Plan::default()
        }
    }

    fn choice(&self) -> Choice {
        Choice {
            listener: 0,
            product: "debit-standard".to_owned(),
            terminals: usize::from(self.options.connections),
            cards: self.options.cards as usize,
        }
    }

    fn floor(&mut self) -> anyhow::Result<()> {
        for depth in self.depths() {
            let file = self.folder.0.join("floor.log");
            let (server, address) = child::floor(&file)?;
            let plan = self.plan(depth);
            let mut crew = floor::crew(&address, &plan)?;
            let measured = measure(&plan, &mut crew, &[server.pid()])?;
            self.note("floor", &plan, measured, None, None);
            drop(server);
            fs::remove_file(file)?;
        }
        Ok(())
    }

    fn embedded(&mut self) -> anyhow::Result<()> {
        let data = self.folder.0.join("embedded");
        self.prepare(&data, None)?;
        let host = Host::start(&data, "host")?;
        let mut reached = 0.0;
        for depth in self.depths() {
            let plan = self.plan(depth);
            let rate = self.host("embedded", &plan, &[&host], &[])?;
            reached = if depth == 1 && reached > 0.0 { reached } else { rate };
        }
        // What people wait when the host is not at its limit: seven tenths of what it gave.
        let plan =
            Plan { rate: Some((0.7 * reached).max(1.0)), ..self.plan(usize::from(self.options.depth)) };
        self.host("embedded", &plan, &[&host], &[])?;
        drop(host);
        Ok(fs::remove_dir_all(data)?)
    }

    /// What diagnosis and risk rules cost: the same load on a host without them and on one with both, twice in turn, so that
    /// a noisy moment meets both. The rules are the starter set in shadow: asked in full, and the load pays as ever.
    fn watched(&mut self) -> anyhow::Result<()> {
        const TURNS: u32 = 2;
        let (bare, watched) = (self.folder.0.join("bare"), self.folder.0.join("watched"));
        self.prepare(&bare, None)?;
        self.prepare(&watched, None)?;
        child::without_diagnosis(&bare)?;
        self.runtime.block_on(rules::live_in_shadow(&watched))?;
        let hosts = [("bare", Host::start(&bare, "bare")?), ("watched", Host::start(&watched, "watched")?)];
        let plan = self.plan(usize::from(self.options.depth));
        for _ in 0..TURNS {
            for (name, host) in &hosts {
                self.host(name, &plan, &[host], &[])?;
            }
        }
        drop(hosts);
        fs::remove_dir_all(bare)?;
        Ok(fs::remove_dir_all(watched)?)
    }

    /// What trying a rule set on the past takes.
    fn backtest(&self) -> anyhow::Result<ExitCode> {
        let cost = backtest::measure(&self.folder.0, self.options.payments, &self.runtime)?;
        if self.options.json {
            println!("{}", serde_json::to_string_pretty(&cost)?);
        } else {
            cost.print();
        }
        Ok(ExitCode::SUCCESS)
    }

    fn start_postgres(&self) -> Result<LocalServer, LocalServerError> {
        LocalServer::start(&self.folder.0, &["shared_buffers=512MB", "max_wal_size=4GB"])
    }

    fn postgres(&mut self, server: &LocalServer) -> anyhow::Result<()> {
        let data = self.folder.0.join("postgres");
        let url = server.tcp_url(&name_of(&server.database()?));
        self.prepare(&data, Some(&url))?;
        let postmaster = fs::read_to_string(server.data().join("postmaster.pid"))?;
        let postmaster = postmaster.lines().next().and_then(|pid| pid.trim().parse().ok());
        let postmaster: u32 = postmaster.context("the database server has no process")?;
        let one = Host::start(&data, "one")?;
        for depth in self.depths() {
            self.host("postgres", &self.plan(depth), &[&one], &family(postmaster))?;
        }
        let two = Host::start(&data, "two")?;
        self.host(
            "two-hosts",
            &self.plan(usize::from(self.options.depth)),
            &[&one, &two],
            &family(postmaster),
        )?;
        drop((one, two));
        self.pgbench(server, postmaster)?;
        Ok(fs::remove_dir_all(data)?)
    }

    fn pgbench(&mut self, server: &LocalServer, postmaster: u32) -> anyhow::Result<()> {
        let (clients, seconds) = (u32::from(self.options.connections), self.options.seconds as u32);
        eprintln!("pgbench, {clients} clients");
        let database = name_of(&server.database()?);
        let before = cpu_us(&family(postmaster));
        let yardstick = pgbench(server, &database, clients, self.options.cards, seconds)?;
        let cpu = cpu_us(&family(postmaster)) - before;
        self.runs.push(Figures {
            name: "pgbench",
            kind: "closed",
            connections: clients as usize,
            depth: 1,
            rate_per_s: round(yardstick.rate_per_s),
            p50_us: yardstick.p50.as_micros() as f64,
            p99_us: yardstick.p99.as_micros() as f64,
            cpu_us_per_request: round(cpu / (yardstick.rate_per_s * f64::from(seconds)).max(1.0)),
            client_cpu_us_per_request: None,
            journal_writer: None,
            collisions_share: None,
            troubles: Vec::new(),
        });
        Ok(())
    }

    fn prepare(&self, data: &Path, store: Option<&str>) -> anyhow::Result<()> {
        eprintln!("making a sandbox with {} cards", self.options.cards);
        child::prepare(data, self.options.cards, u32::from(self.options.connections), store)
    }

    /// Load on one host or on several on the same store; `others` are processes whose time counts as theirs. The rate.
    fn host(
        &mut self,
        name: &'static str,
        plan: &Plan,
        hosts: &[&Host],
        others: &[u32],
    ) -> anyhow::Result<f64> {
        let first = hosts.first().context("no host")?;
        let sandbox = Sandbox::read(&first.sandbox)?;
        let mut crew = self.runtime.block_on(Crew::sign_in(sandbox, &self.choice(), plan))?;
        let addresses: Vec<SocketAddr> = hosts.iter().map(|host| host.address).collect();
        crew.spread(&addresses);
        let processes: Vec<u32> = hosts.iter().map(|host| host.pid()).chain(others.iter().copied()).collect();
        let collisions =
            || hosts.iter().map(|host| host.counter("pinward_collisions_total")).sum::<anyhow::Result<f64>>();
        let before = collisions()?;
        let mut measured = measure(plan, &mut crew, &processes)?;
        let collided = collisions()? - before;
        let (balanced, troubles) = self.runtime.block_on(crew.settle());
        measured.report.settled(balanced, troubles);
        let share = collided / measured.answers.max(1.0);
        let rate = measured.report.per_second;
        self.note(name, plan, measured, first.writer_scheduling(), Some(share));
        Ok(rate)
    }

    fn note(
        &mut self,
        name: &'static str,
        plan: &Plan,
        measured: Measured,
        journal_writer: Option<String>,
        collisions_share: Option<f64>,
    ) {
        let Measured { report, answers, cpu_us } = measured;
        self.runs.push(Figures {
            name,
            kind: report.kind,
            connections: plan.connections,
            depth: plan.depth,
            rate_per_s: round(report.per_second),
            p50_us: report.p50_ms * 1000.0,
            p99_us: report.p99_ms * 1000.0,
            cpu_us_per_request: round(cpu_us / answers.max(1.0)),
            client_cpu_us_per_request: Some(round(report.client_cpu_us_per_request)),
            journal_writer,
            collisions_share,
            troubles: report.troubles,
        });
    }
}

struct Measured {
    report: Report,
    /// All, those of the warm-up included.
    answers: f64,
    /// Of the processes, for all answers.
    cpu_us: f64,
}

fn measure(plan: &Plan, crew: &mut Crew, processes: &[u32]) -> anyhow::Result<Measured> {
    let how = plan.rate.map_or_else(|| "closed loop".to_owned(), |rate| format!("{rate:.0} a second"));
    eprintln!("{} connections, depth {}, {how}, {} s", plan.connections, plan.depth, plan.time.as_secs());
    let before = cpu_us(processes);
    let report = load::run(plan, crew, &mut |_| {})?;
    let cpu_us = cpu_us(processes) - before;
    Ok(Measured { answers: report.answers.values().sum::<u64>() as f64, report, cpu_us })
}

/// The name of a database in its URL.
fn name_of(url: &str) -> String {
    url.rsplit('/').next().unwrap_or_default().to_owned()
}

/// To a hundredth: more digits would say what was not measured.
fn round(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}
