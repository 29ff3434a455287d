//! One seed from its first to its last step: hosts that are started again whenever they end, people who pay, steal and
//! replay; then calm, in which everything owed must be settled; then the reckoning.

use std::sync::Arc;

use anyhow::Context;
use authorization::Products;
use host::{Host, Parts, Settings};
use store::{Engine, Store};
use tokio::{runtime::Builder, task::JoinHandle, time::Duration};

use crate::{
    bug::Bug,
    dice::Dice,
    engine::{
        database::{Database, OnDatabase},
        disk::Disk,
        group_commit::GroupCommit,
    },
    kit::Kit,
    life::{Life, MachineClock},
    module::Module,
    net::Net,
    people::{
        clerk, thief,
        till::{Till, Who},
    },
    plan::Storage,
    run::Run,
};

/// What became of a seed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Which.
    pub seed: u64,
    /// What happened, counted.
    pub steps: u64,
    /// What was made to go wrong, counted.
    pub faults: u64,
    /// Entries in the journal.
    pub entries: u64,
    /// Hash of everything that happened.
    pub hash: u64,
    /// What must not happen and did.
    pub violations: Vec<String>,
    /// The last lines of the trace, when there are violations.
    pub lines: Vec<String>,
}

/// Runs a seed, with a mistake made on purpose or without.
///
/// # Errors
/// A world that cannot be built; what goes wrong inside it is in the report.
pub fn run(kit: &Arc<Kit>, seed: u64, bug: Option<Bug>) -> anyhow::Result<Report> {
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build()?;
    let run = runtime.block_on(async {
        let run = Run::new(seed, Arc::clone(kit), bug);
        live(&run).await.map(|()| run)
    })?;
    drop(runtime);
    let mut entries = 0;
    run.judge(|judge| {
        entries = judge.entries();
        Ok(())
    });
    let trace = run.trace();
    let violations = trace.violations().to_vec();
    let lines = if violations.is_empty() { Vec::new() } else { trace.lines().map(str::to_owned).collect() };
    Ok(Report {
        seed,
        steps: trace.steps(),
        faults: trace.faults(),
        entries,
        hash: trace.hash(),
        violations,
        lines,
    })
}

async fn live(run: &Arc<Run>) -> anyhow::Result<()> {
    let net = Net::new(run);
    let engines = Engines::new(run).await;
    let machines: Vec<_> = (0..run.plan.hosts).map(|host| Machine::new(run, &net, &engines, host)).collect();
    let hosts: Vec<_> = machines.into_iter().map(|machine| tokio::spawn(machine.serve())).collect();
    // Nobody pays before the first host is up.
    tokio::time::sleep(Duration::from_millis(50)).await;
    let (tills, thieves) = (run.plan.tills, run.plan.thieves);
    let open = |index: usize| {
        let who = if index < tills { Who::Customers } else { Who::Thief };
        Till::new(run, &net, index, who).map(|till| tokio::spawn(till.work()))
    };
    let working = (0..tills + thieves).map(open).collect::<anyhow::Result<Vec<_>>>()?;
    let replays = tokio::spawn(thief::replay(Arc::clone(run), Arc::clone(&net)));
    let mut closing = Vec::new();
    for till in working {
        closing.push(till.await.context("a terminal panicked")?);
    }
    replays.await.context("the thief panicked")?;
    run.calm_down();
    // Late frames arrive, and hosts that are down come up, before the terminals close.
    tokio::time::sleep(Duration::from_secs(90)).await;
    for till in &mut closing {
        till.close().await;
    }
    for host in 0..run.plan.hosts {
        net.down(host);
    }
    check_panics(hosts).await?;
    engines.reckon(run).await;
    Ok(())
}

/// A host's supervisor never ends by itself: one that has ended has panicked.
async fn check_panics(hosts: Vec<JoinHandle<anyhow::Result<()>>>) -> anyhow::Result<()> {
    for host in hosts {
        if host.is_finished() {
            host.await.context("a host panicked")??;
        } else {
            host.abort();
        }
    }
    Ok(())
}

/// What hosts keep their entries in.
#[derive(Clone)]
enum Engines {
    Disk(Arc<Disk>),
    Database(Arc<Database>),
}

impl Engines {
    async fn new(run: &Arc<Run>) -> Self {
        match run.plan.storage {
            Storage::Disk => Self::Disk(Disk::new(run)),
            Storage::Database => Self::Database(Database::new(run).await),
        }
    }

    async fn open(&self, run: &Arc<Run>, life: &Arc<Life>, name: &str) -> anyhow::Result<Arc<dyn Engine>> {
        Ok(match self {
            Self::Disk(disk) => Arc::new(GroupCommit::open(run, life, disk).await?),
            Self::Database(database) => Arc::new(OnDatabase::open(run, life, database, name)),
        })
    }

    fn crash(&self) {
        if let Self::Disk(disk) = self {
            disk.crash();
        }
    }

    /// Everything is stopped and read once more; then the books are compared.
    async fn reckon(&self, run: &Arc<Run>) {
        self.crash();
        if let Self::Disk(disk) = self {
            disk.recover();
        }
        run.judge(|judge| judge.settled());
    }
}

/// A host's machine: its clock and disk outlive every process on it.
struct Machine {
    run: Arc<Run>,
    net: Arc<Net>,
    engines: Engines,
    host: usize,
    clock: Arc<MachineClock>,
    dice: Dice,
}

impl Machine {
    fn new(run: &Arc<Run>, net: &Arc<Net>, engines: &Engines, host: usize) -> Self {
        Self {
            run: Arc::clone(run),
            net: Arc::clone(net),
            engines: engines.clone(),
            host,
            clock: MachineClock::new(run),
            dice: Dice::new(run.seed, &format!("machine {host}")),
        }
    }

    /// Starts the host whenever it has ended.
    async fn serve(mut self) -> anyhow::Result<()> {
        for generation in 0.. {
            let life = Life::new(&self.run, self.host, generation);
            let name = format!("host {} in life {generation}", self.host);
            let engine = self.engines.open(&self.run, &life, &name).await?;
            let module = Arc::new(Module::new(&self.run, &life, &format!("module of {name}")));
            let parts = Parts {
                store: Store::new(Arc::clone(&engine)),
                module,
                products: Products::builtin(),
                clock: self.clock.clone(),
                settings: Settings::default(),
                references_start: generation * 100_000,
                routes: Vec::new(),
            };
            let host = Host::start(parts, &[]).await?;
            self.net.up(self.host, host.gate(&Kit::listener())?, Arc::clone(&life));
            self.run.step(format_args!("{name} is up"));
            self.watch(&life, &engine).await?;
            self.net.down(self.host);
            self.engines.crash();
            drop(host);
            let down = if self.run.is_calm() { 100 } else { self.dice.between(20, 20_000) };
            tokio::time::sleep(Duration::from_millis(down)).await;
        }
        Ok(())
    }

    /// Until it ends: by itself, or because its operator finds that its store takes no more decisions.
    async fn watch(&mut self, life: &Life, engine: &Arc<dyn Engine>) -> anyhow::Result<()> {
        loop {
            let look = Duration::from_millis(self.dice.between(500, 4_000));
            if tokio::time::timeout(look, life.ended()).await.is_ok() {
                return Ok(());
            }
            if self.run.happens(&mut self.dice, self.run.plan.rates.clock_jump) {
                self.clock.jump(&mut self.dice, self.host);
            }
            if self.dice.happens(self.run.plan.rates.restored) {
                let card = self.dice.below(self.run.plan.hot_cards) as usize;
                let store = Store::new(Arc::clone(engine));
                tokio::select! {
                    done = clerk::restore(&self.run, &store, &*self.clock, card) => done?,
                    () = life.ended() => return Ok(()),
                }
            }
            let is_disk = matches!(self.engines, Engines::Disk(_));
            if is_disk && engine.check().await.is_err() && self.dice.happens(30_000) {
                self.run.step(format_args!("host {} is started anew by its operator", self.host));
                life.end();
                return Ok(());
            }
        }
    }
}
