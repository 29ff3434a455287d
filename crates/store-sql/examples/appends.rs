//! Measures the embedded store: appends per second through the engine, and how long a start takes with a long tail. The
//! store on a database has `database` beside this.
//!
//! `cargo run --release -p store-sql --example appends -- [directory] [seconds]`
//!
//! Storage only: no message is parsed, no PIN verified. Each task appends sales on its own cards, one after the other,
//! as terminals do; the entry has the size of a UnionPay purchase.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use store::{Archive, Engine};
use store_sql::{Limits, SqliteEngine, sqlite::open_with};

use made_up::{TERMINALS, card, pan, sale, terminal};

mod made_up;

const CARDS: u32 = 20_000;
const TAIL: u64 = 200_000;

type Failure = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let mut arguments = env::args().skip(1);
    let dir = arguments.next().map_or_else(|| env::temp_dir().join("pinward-appends"), PathBuf::from);
    let seconds = arguments.next().map_or(Ok(5), |text| text.parse())?;
    appends(&dir.join("appends"), Duration::from_secs(seconds)).await?;
    restart(&dir.join("restart")).await
}

async fn appends(dir: &Path, time: Duration) -> Result<(), Failure> {
    let engine = fresh(dir, Limits::default()).await?;
    for tasks in [1, 16, 64, 512] {
        let (count, mut took) = load(&engine, tasks, Instant::now() + time).await?;
        took.sort_unstable();
        let at = |share: f64| took[((took.len() - 1) as f64 * share) as usize];
        let rate = count as f64 / time.as_secs_f64();
        let behind = engine.progress().await?;
        println!(
            "{tasks:4} tasks: {rate:8.0} appends/s   p50 {:?}  p99 {:?}   look-up tables {} behind",
            at(0.5),
            at(0.99),
            behind.journal - behind.filled
        );
    }
    let started = Instant::now();
    engine.close();
    println!("closed in {:?}; journal {} MB", started.elapsed(), journal_megabytes(dir)?);
    Ok(())
}

/// A tail that no checkpoint has, as after a crash right before one.
async fn restart(dir: &Path) -> Result<(), Failure> {
    let limits = Limits {
        checkpoint_interval: Duration::from_secs(3600),
        tail_entries: u64::MAX,
        ..Limits::default()
    };
    let engine = fresh(dir, limits).await?;
    while engine.progress().await?.journal < TAIL {
        load(&engine, 512, Instant::now() + Duration::from_millis(500)).await?;
    }
    let crashed = dir.with_extension("crashed");
    copy(dir, &crashed)?;
    drop(engine);
    let started = Instant::now();
    let engine = store_sql::open(&crashed)?;
    let progress = engine.progress().await?;
    println!("opened with a tail of {} entries in {:?}", progress.journal, started.elapsed());
    Ok(())
}

async fn fresh(dir: &Path, limits: Limits) -> Result<Arc<SqliteEngine>, Failure> {
    if dir.exists() {
        fs::remove_dir_all(dir)?;
    }
    fs::create_dir_all(dir)?;
    let engine = open_with(dir, limits)?;
    let cards = (0..CARDS).map(card).collect::<Result<Vec<_>, _>>()?;
    let terminals = (0..TERMINALS).map(terminal).collect::<Result<Vec<_>, _>>()?;
    let started = Instant::now();
    engine.register(cards.into_iter().chain(terminals).collect()).await?;
    println!("{CARDS} cards registered in {:?}", started.elapsed());
    Ok(engine)
}

/// All tasks until the deadline: how many appends, and how long each took.
async fn load(
    engine: &Arc<SqliteEngine>,
    tasks: u32,
    until: Instant,
) -> Result<(u64, Vec<Duration>), Failure> {
    let mut set = tokio::task::JoinSet::new();
    for task in 0..tasks {
        let engine = engine.clone();
        set.spawn(async move { one_terminal(&engine, task, tasks, until).await });
    }
    let mut all = Vec::new();
    while let Some(took) = set.join_next().await {
        all.extend(took??);
    }
    Ok((all.len() as u64, all))
}

async fn one_terminal(
    engine: &SqliteEngine,
    task: u32,
    tasks: u32,
    until: Instant,
) -> Result<Vec<Duration>, Failure> {
    let mut took = Vec::new();
    let mut n = task;
    while Instant::now() < until {
        let id = engine.card_id(&pan(n % CARDS)?);
        let started = Instant::now();
        let entry = {
            let card = engine.card(&id).await?.ok_or("a registered card")?;
            sale(id, &card, n)?
        };
        engine.append(entry).await?;
        took.push(started.elapsed());
        n = n.wrapping_add(tasks);
    }
    Ok(took)
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    if to.exists() {
        fs::remove_dir_all(to)?;
    }
    fs::create_dir_all(to)?;
    for file in fs::read_dir(from)? {
        let file = file?;
        if file.file_type()?.is_dir() {
            copy(&file.path(), &to.join(file.file_name()))?;
        } else if !file.file_name().to_string_lossy().ends_with("-shm") {
            fs::copy(file.path(), to.join(file.file_name()))?;
        }
    }
    Ok(())
}

fn journal_megabytes(dir: &Path) -> io::Result<u64> {
    let mut bytes = 0;
    for file in fs::read_dir(dir.join("journal"))? {
        bytes += file?.metadata()?.len();
    }
    Ok(bytes / 1_000_000)
}
