//! Measures the store on a database beside `pgbench`, on a PostgreSQL server that it starts itself: payments per second,
//! how long one takes, how many collide, and what each costs in processor time on both sides.
//!
//! `cargo run --release -p store-sql --example database -- [seconds] [tasks] [cards]`
//!
//! Storage only: no message is parsed, no PIN verified. Each task does what a host does for a payment: looks at the
//! terminal twice, at the card, and appends a sale on it. Cards are drawn at random, evenly. `LANES`, `PARTITIONS` and
//! `READERS` in the environment change the engine's limits.

use std::{
    env, fs,
    sync::Arc,
    time::{Duration, Instant},
};

use model::TerminalId;
use store::{AppendError, Archive, Engine};
use store_sql::postgres::{
    self, Limits, PostgresEngine,
    local_server::{LocalServer, pgbench},
};

use made_up::{TERMINALS, card, pan, sale, terminal};

mod made_up;

const CLIENTS: u32 = 64;
/// What a small server of its own would be given.
const SETTINGS: [&str; 4] =
    ["shared_buffers=512MB", "max_wal_size=4GB", "checkpoint_timeout=30min", "wal_compression=lz4"];

type Failure = Box<dyn std::error::Error + Send + Sync>;

fn main() -> Result<(), Failure> {
    let mut arguments = env::args().skip(1);
    let mut number = |usual| arguments.next().map_or(Ok(usual), |text| text.parse::<u32>());
    let (seconds, tasks, cards) = (number(5)?, number(CLIENTS * 8)?, number(100_000)?);
    let server = LocalServer::start(&env::temp_dir(), &SETTINGS)?;
    let plain = server.database()?;
    let name = plain.rsplit_once('/').map_or("postgres", |(_, name)| name);
    let yardstick = pgbench(&server, name, CLIENTS, cards, seconds)?;
    println!(
        "pgbench, {CLIENTS} clients: {:8.0}/s   p50 {:?}  p99 {:?}",
        yardstick.rate_per_s, yardstick.p50, yardstick.p99
    );
    let url = server.database()?;
    let run = Run { server: &server, seconds, cards, pgbench: yardstick.rate_per_s };
    tokio::runtime::Runtime::new()?.block_on(run.engines(&url, tasks))
}

struct Run<'a> {
    server: &'a LocalServer,
    seconds: u32,
    cards: u32,
    pgbench: f64,
}

impl Run<'_> {
    async fn engines(&self, url: &str, tasks: u32) -> Result<(), Failure> {
        let dir = env::temp_dir().join(format!("pinward-database-{}", std::process::id()));
        fs::create_dir_all(&dir)?;
        let first = postgres::open(&dir, url, limits()).await?;
        let started = Instant::now();
        let cards = (0..self.cards).map(card).collect::<Result<Vec<_>, _>>()?;
        let terminals = (0..TERMINALS).map(terminal).collect::<Result<Vec<_>, _>>()?;
        first.register(cards.into_iter().chain(terminals).collect()).await?;
        println!("{} cards registered in {:?}; {}", self.cards, started.elapsed(), first.describe());
        // Once for the caches; then what counts.
        for tasks in [tasks, CLIENTS, tasks] {
            self.measure(std::slice::from_ref(&first), tasks).await?;
        }
        let second = postgres::open(&dir, url, limits()).await?;
        for _ in 0..2 {
            self.measure(&[first.clone(), second.clone()], tasks).await?;
        }
        first.close().await;
        second.close().await;
        fs::remove_dir_all(&dir)?;
        Ok(())
    }

    async fn measure(&self, engines: &[Arc<PostgresEngine>], tasks: u32) -> Result<(), Failure> {
        let before = cpu(self.server)?;
        let started = Instant::now();
        let until = started + Duration::from_secs(self.seconds.into());
        let mut set = tokio::task::JoinSet::new();
        for task in 0..tasks {
            let (engine, cards) = (engines[task as usize % engines.len()].clone(), self.cards);
            set.spawn(async move { pay_at_random(&engine, task, cards, until).await });
        }
        let (mut all, mut collisions) = (Vec::new(), 0);
        while let Some(done) = set.join_next().await {
            let (took, collided) = done??;
            all.extend(took);
            collisions += collided;
        }
        let time = started.elapsed();
        let after = cpu(self.server)?;
        all.sort_unstable();
        let at = |share: f64| all[((all.len() - 1) as f64 * share) as usize];
        let rate = all.len() as f64 / time.as_secs_f64();
        let each = |ticks: u64| ticks as f64 * 10_000.0 / all.len() as f64;
        let collided = collisions as f64 * 100.0 / (all.len() + collisions) as f64;
        let behind = engines[0].progress().await?;
        println!(
            "{} hosts, {tasks:4} tasks: {rate:8.0}/s = {:.2} x pgbench   p50 {:?}  p99 {:?}   {collided:.2} % collided   \
             CPU us each: {:.1} here, {:.1} PostgreSQL   {} lines behind",
            engines.len(),
            rate / self.pgbench,
            at(0.5),
            at(0.99),
            each(after.0 - before.0),
            each(after.1 - before.1),
            behind.journal - behind.filled
        );
        Ok(())
    }
}

/// Processor time of this process and of the server's, in hundredths of a second.
fn cpu(server: &LocalServer) -> Result<(u64, u64), Failure> {
    let ours = ticks(&fs::read_to_string("/proc/self/stat")?).map_or(0, |(_, ticks)| ticks);
    let pids = fs::read_to_string(server.data().join("postmaster.pid"))?;
    let postmaster: u64 = pids.lines().next().unwrap_or_default().parse()?;
    let mut theirs = 0;
    for process in fs::read_dir("/proc")?.flatten() {
        let stat = fs::read_to_string(process.path().join("stat")).unwrap_or_default();
        theirs += ticks(&stat).filter(|(parent, _)| *parent == postmaster).map_or(0, |(_, ticks)| ticks);
    }
    Ok((ours, theirs))
}

/// Parent and processor time: the fields after the program's name.
fn ticks(stat: &str) -> Option<(u64, u64)> {
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let field = |n: usize| fields.get(n)?.parse::<u64>().ok();
    Some((field(1)?, field(11)? + field(12)?))
}

fn limits() -> Limits {
    let number = |name| env::var(name).ok().and_then(|text| text.parse().ok());
    let usual = Limits::default();
    let lanes = number("LANES").unwrap_or(usual.lanes);
    let partitions = number("PARTITIONS").map_or(usual.partitions, |n| n as u16);
    let readers = number("READERS").unwrap_or(usual.readers);
    Limits { lanes, partitions, readers, ..usual }
}

async fn pay_at_random(
    engine: &PostgresEngine,
    task: u32,
    cards: u32,
    until: Instant,
) -> Result<(Vec<Duration>, usize), Failure> {
    let (mut took, mut collisions) = (Vec::new(), 0);
    let mut random = task.wrapping_mul(2_654_435_761).wrapping_add(12345);
    let own: TerminalId = format!("{:08}", task % TERMINALS).parse()?;
    while Instant::now() < until {
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let id = engine.card_id(&pan((random >> 8) % cards)?);
        let started = Instant::now();
        for _ in 0..2 {
            engine.terminal(&own).await?.ok_or("a registered terminal")?;
        }
        loop {
            let entry = {
                let card = engine.card(&id).await?.ok_or("a registered card")?;
                sale(id, &card, random >> 4)?
            };
            match engine.append(entry).await {
                Ok(_) => break,
                Err(AppendError::Collision) => collisions += 1,
                Err(error) => return Err(error.into()),
            }
        }
        took.push(started.elapsed());
    }
    Ok((took, collisions))
}
