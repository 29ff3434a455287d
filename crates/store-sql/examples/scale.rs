//! What the embedded store costs when there are many cards: decisions per second and processor time for each over
//! cards chosen at random, memory for a card at hand, and how long a start takes after a crash with a long tail.
//!
//! ```text
//! cargo run --release -p store-sql --example scale -- fill    DIRECTORY CARDS
//! cargo run --release -p store-sql --example scale -- rate    DIRECTORY CARDS SECONDS [CARDS-IN-MEMORY]
//! cargo run --release -p store-sql --example scale -- memory  DIRECTORY CARDS
//! cargo run --release -p store-sql --example scale -- tail    DIRECTORY CARDS ENTRIES
//! cargo run --release -p store-sql --example scale -- restart DIRECTORY
//! ```
//!
//! Storage only: no message is parsed, no PIN verified; the entry has the size of a UnionPay purchase. `tail` leaves
//! as a crash would: nothing is closed, nothing that could be saved later is saved.

use std::{
    collections::BTreeMap,
    env, fs,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use store::{AppendError, Archive, Engine};
use store_sql::{Limits, SqliteEngine, sqlite::open_with};

use made_up::{TERMINALS, card, pan, sale, terminal};

mod made_up;

const TASKS: u32 = 256;
const REGISTERED_AT_ONCE: u32 = 500_000;

type Failure = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["fill", dir, cards] => fill(Path::new(dir), cards.parse()?).await,
        ["rate", dir, cards, seconds] => {
            rate(Path::new(dir), cards.parse()?, seconds.parse()?, Limits::default()).await
        }
        ["rate", dir, cards, seconds, at_hand] => {
            let limits = Limits { cards_cached: at_hand.parse()?, ..Limits::default() };
            rate(Path::new(dir), cards.parse()?, seconds.parse()?, limits).await
        }
        ["memory", dir, cards] => memory(Path::new(dir), cards.parse()?).await,
        ["tail", dir, cards, entries] => tail(Path::new(dir), cards.parse()?, entries.parse()?).await,
        ["restart", dir] => restart(Path::new(dir)).await,
        _ => Err("fill, rate, memory, tail or restart, and a directory: see the head of this file".into()),
    }
}

async fn fill(dir: &Path, cards: u32) -> Result<(), Failure> {
    fs::create_dir_all(dir)?;
    let engine = store_sql::open(dir)?;
    let started = Instant::now();
    engine.register((0..TERMINALS).map(terminal).collect::<Result<Vec<_>, _>>()?).await?;
    for first in (0..cards).step_by(REGISTERED_AT_ONCE as usize) {
        let last = cards.min(first + REGISTERED_AT_ONCE);
        engine.register((first..last).map(card).collect::<Result<Vec<_>, _>>()?).await?;
    }
    let took = started.elapsed();
    println!("{cards} cards registered in {took:.1?}; registers.db {} MB", megabytes(dir, "registers.db")?);
    Ok(())
}

async fn rate(dir: &Path, cards: u32, seconds: u64, limits: Limits) -> Result<(), Failure> {
    let at_hand = limits.cards_cached;
    let engine = open_with(dir, limits)?;
    caught_up(&engine).await?;
    let before = by_thread()?;
    let started = Instant::now();
    let mut took = load(&engine, cards, started + Duration::from_secs(seconds), u64::MAX).await?;
    let rate = took.len() as f64 / started.elapsed().as_secs_f64();
    let resident = resident()? / 1_000_000;
    // Idle threads end while the others catch up, and take their account with them.
    let mut after = by_thread()?;
    caught_up(&engine).await?;
    for (thread, spent) in by_thread()? {
        after.entry(thread).and_modify(|before| *before = spent.max(*before));
    }
    took.sort_unstable();
    let at = |share: f64| took[((took.len() - 1) as f64 * share) as usize];
    println!(
        "{cards} cards, {at_hand} at hand: {rate:.0} decisions/s  p50 {:?}  p99 {:?}  resident {resident} MB",
        at(0.5),
        at(0.99),
    );
    for (thread, spent) in after {
        let spent = spent.saturating_sub(before.get(&thread).copied().unwrap_or_default());
        println!(
            "  {thread:16} {:6.2} us of processor for each",
            spent.as_secs_f64() * 1e6 / took.len() as f64
        );
    }
    Ok(())
}

/// Waits until the look-up tables are filled and the states saved: what came before is not measured, and what a
/// measurement leaves to do is.
async fn caught_up(engine: &SqliteEngine) -> Result<(), Failure> {
    loop {
        let progress = engine.progress().await?;
        if progress.filled >= progress.journal {
            break;
        }
    }
    tokio::time::sleep(Limits::default().checkpoint_interval + Duration::from_secs(1)).await;
    Ok(())
}

/// What a card at hand takes. Each card needs a decision first: `tail` with ten times as many entries.
async fn memory(dir: &Path, cards: u32) -> Result<(), Failure> {
    let all =
        Limits { cards_cached: 2 * cards as usize, cards_open: cards as usize / 20, ..Limits::default() };
    let engine = open_with(dir, all)?;
    // Everything that does not grow with cards is there: cards that stay open, pages that SQLite keeps.
    let warm = cards / 10;
    let (mut before, mut transactions) = (0, 0);
    for n in 0..cards {
        if n == warm {
            before = resident()?;
            transactions = 0;
        }
        let id = engine.card_id(&pan(n)?);
        transactions += engine.card(&id).await?.ok_or("a registered card")?.state.traces.len();
    }
    let counted = u64::from(cards - warm);
    println!(
        "{} bytes for each of {counted} cards, which remember {:.2} transactions on average",
        resident()?.saturating_sub(before) / counted,
        transactions as f64 / counted as f64,
    );
    Ok(())
}

async fn tail(dir: &Path, cards: u32, entries: u64) -> Result<(), Failure> {
    let never = Limits {
        checkpoint_interval: Duration::from_secs(24 * 3600),
        tail_entries: u64::MAX,
        ..Limits::default()
    };
    let engine = open_with(dir, never)?;
    let started = Instant::now();
    let written = load(&engine, cards, started + Duration::from_secs(3600), entries).await?.len();
    println!("{written} entries in {:.1?}, resident {} MB", started.elapsed(), resident()? / 1_000_000);
    std::process::exit(0)
}

async fn restart(dir: &Path) -> Result<(), Failure> {
    let before = cpu()?;
    let started = Instant::now();
    let engine = store_sql::open(dir)?;
    let took = started.elapsed();
    println!(
        "open after {took:.2?} ({:.2?} of processor), resident {} MB, journal ends at {}",
        cpu()?.saturating_sub(before),
        resident()? / 1_000_000,
        engine.progress().await?.journal
    );
    Ok(())
}

/// All tasks until the deadline or until so many entries are written: how long each took.
async fn load(
    engine: &Arc<SqliteEngine>,
    cards: u32,
    until: Instant,
    entries: u64,
) -> Result<Vec<Duration>, Failure> {
    let mut set = tokio::task::JoinSet::new();
    let share = entries / u64::from(TASKS);
    let first = u32::try_from(engine.progress().await?.journal)?;
    for task in 0..TASKS {
        let engine = engine.clone();
        set.spawn(async move { decide(&engine, cards, task, until, share, first).await });
    }
    let mut all = Vec::new();
    while let Some(took) = set.join_next().await {
        all.extend(took??);
    }
    Ok(all)
}

/// Decides about one card after the other, chosen at random.
async fn decide(
    engine: &SqliteEngine,
    cards: u32,
    task: u32,
    until: Instant,
    entries: u64,
    first: u32,
) -> Result<Vec<Duration>, Failure> {
    let mut took = Vec::new();
    let mut random = seed(task);
    while Instant::now() < until && (took.len() as u64) < entries {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let n = (random >> 33) as u32 % cards;
        // Trace numbers, references and moments grow, as a host's do.
        let request = first + took.len() as u32 * TASKS + task;
        let id = engine.card_id(&pan(n)?);
        let started = Instant::now();
        loop {
            let entry = {
                let card = engine.card(&id).await?.ok_or("a registered card")?;
                sale(id, &card, request)?
            };
            match engine.append(entry).await {
                Ok(_) => break,
                Err(AppendError::Collision) => {}
                Err(error) => return Err(error.into()),
            }
        }
        took.push(started.elapsed());
    }
    Ok(took)
}

/// Different in each run: the cards of the last one are at hand, or their pages are.
fn seed(task: u32) -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    u64::from(task) << 32 ^ now.map_or(0, |t| t.as_micros() as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

/// Processor time of this process, with that of threads which ended.
fn cpu() -> Result<Duration, Failure> {
    Ok(spent(&fs::read_to_string("/proc/self/stat")?)?.1)
}

/// Name and processor time in a line of `/proc`: fields 2, 14 and 15, in hundredths of a second.
fn spent(stat: &str) -> Result<(&str, Duration), Failure> {
    let (name, fields) = stat.split_once(" (").and_then(|s| s.1.rsplit_once(") ")).ok_or("no name")?;
    let fields: Vec<u64> = fields.split(' ').skip(11).take(2).map(str::parse).collect::<Result<_, _>>()?;
    Ok((name, Duration::from_millis(fields.iter().sum::<u64>() * 10)))
}

/// Processor time of this process by the names of its threads.
fn by_thread() -> Result<BTreeMap<String, Duration>, Failure> {
    let mut threads = BTreeMap::new();
    for task in fs::read_dir("/proc/self/task")? {
        let stat = fs::read_to_string(task?.path().join("stat"))?;
        let (name, spent) = spent(&stat)?;
        *threads.entry(name.to_owned()).or_default() += spent;
    }
    Ok(threads)
}

/// Bytes of memory that the process has.
fn resident() -> Result<u64, Failure> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? * 1024)
}

fn megabytes(dir: &Path, file: &str) -> Result<u64, Failure> {
    Ok(fs::metadata(dir.join(file))?.len() / 1_000_000)
}
