//! What was acknowledged is there after the process went away, however it went.

use std::{
    collections::HashMap,
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use authorization::terminal::TerminalEffect;
use model::{BatchNumber, ReasonCode};
use store::{Engine, Subject};
use store_sql::{SqliteEngine, sqlite::open_with};

use crate::world::*;

const CARDS: u32 = 20;

/// Decides something about every card and a terminal, several times.
async fn use_everything(engine: &dyn Engine, rounds: u32, first_stan: u32) {
    for round in 0..rounds {
        for n in 1..=CARDS {
            let stan = first_stan + round * CARDS + n;
            pay(engine, n, Tx { terminal: 1 + n % 3, stan, amount: i64::from(stan), ..Tx::default() }).await;
        }
        let seq = engine.terminal(&terminal_id(1)).await.unwrap().unwrap().state.seq + 1;
        let suspend = TerminalEffect::Suspend { suspended: round % 2 == 0 };
        engine.append(at_terminal(1, seq, T0, suspend, ReasonCode::TerminalSuspended)).await.unwrap();
    }
}

/// Everything that the engine knows, to compare.
async fn picture(engine: &dyn Engine) -> Vec<String> {
    let mut picture = Vec::new();
    for n in 1..=CARDS {
        picture.push(format!("{:?}", get(engine, n).await));
    }
    for n in 1..=3 {
        picture.push(format!("{:?}", engine.terminal(&terminal_id(n)).await.unwrap()));
        let totals = engine.batch_totals(&terminal_id(n), BatchNumber::new(1).unwrap()).await.unwrap();
        picture.push(format!("{totals:?}"));
    }
    for stan in 1..200 {
        for terminal in 1..=3 {
            picture.push(format!("{:?}", engine.card_of(&key(terminal, 1, stan)).await.unwrap()));
        }
    }
    let mut place = 1;
    while let Some(entry) = engine.entry(place).await.unwrap() {
        picture.push(format!("{entry:?} {:?}", entry.exchange.as_ref().map(|e| e.reply.clone())));
        place += 1;
    }
    picture
}

async fn used_store(dir: &Path, limits: store_sql::Limits) -> Arc<SqliteEngine> {
    let engine = open_with(dir, limits).unwrap();
    engine.register(everybody(CARDS, 3)).await.unwrap();
    use_everything(&*engine, 4, 0).await;
    engine
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_store_opens_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let engine = used_store(dir.path(), store_sql::Limits::default()).await;
    let before = picture(&*engine).await;
    drop(engine);
    let engine = open(dir.path());
    assert_eq!(picture(&*engine).await, before);
    use_everything(&*engine, 1, 1000).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_crashed_before_its_first_checkpoint_opens_as_it_was() {
    crashes_and_opens(never_saving()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_crashed_between_checkpoints_opens_as_it_was() {
    crashes_and_opens(hectic()).await;
}

/// The copy is taken while the store lives; what it was told to remember is all there.
async fn crashes_and_opens(limits: store_sql::Limits) {
    let dir = tempfile::tempdir().unwrap();
    let engine = used_store(dir.path(), limits).await;
    let before = picture(&*engine).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    let crashed = copy(dir.path());
    drop(engine);
    let engine = open(crashed.path());
    assert_eq!(picture(&*engine).await, before);
    use_everything(&*engine, 1, 1000).await;
}

/// A checkpoint that is older than some of the journal and newer than the rest of it: what is read again is not
/// counted twice.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_checkpoint_has_is_not_folded_again() {
    let dir = tempfile::tempdir().unwrap();
    let engine = used_store(dir.path(), never_saving()).await;
    drop(engine);
    let engine = open_with(dir.path(), never_saving()).unwrap();
    use_everything(&*engine, 2, 500).await;
    let before = picture(&*engine).await;
    let crashed = copy(dir.path());
    let registers = rusqlite::Connection::open(crashed.path().join("registers.db")).unwrap();
    // As if the checkpoint had been begun ten entries earlier and taken newer states with it.
    registers.execute("UPDATE checkpoint SET mark = mark - 10", []).unwrap();
    drop(registers);
    assert_eq!(picture(&*open(crashed.path())).await, before);
}

/// The child of [`killed_under_load_it_keeps_what_it_acknowledged`]: appends without end and prints each
/// acknowledgement.
#[tokio::test(flavor = "multi_thread")]
async fn child_under_load() {
    let Ok(dir) = std::env::var("STORE_SQL_CRASH_DIR") else { return };
    let limits = store_sql::Limits {
        checkpoint_interval: Duration::from_millis(50),
        segment_bytes: 64 * 1024,
        ..store_sql::Limits::default()
    };
    let engine = open_with(Path::new(&dir), limits).unwrap();
    engine.register(everybody(64, 3)).await.unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    for n in 1..=64 {
        let engine = engine.clone();
        tasks.spawn(async move {
            loop {
                let card = get(&*engine, n).await;
                let place =
                    engine.append(sale(&card, Tx { stan: card.state.seq % 900_000, ..Tx::default() })).await;
                println!("ack {n} {} {}", card.state.seq + 1, place.unwrap());
            }
        });
    }
    tasks.join_all().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_under_load_it_keeps_what_it_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let mut acknowledged: HashMap<u64, (u32, u32)> = HashMap::new();
    for round in 1..=3 {
        let new = kill_under_load(dir.path(), Duration::from_millis(700 * round));
        assert!(!new.is_empty());
        acknowledged.extend(new);
        let engine = open(dir.path());
        for (place, (n, seq)) in &acknowledged {
            let entry = engine.entry(*place).await.unwrap().expect("an acknowledged entry");
            assert_eq!(entry.subject, Subject::Card(engine.card_id(&pan(*n))));
            assert_eq!(entry.seq, *seq);
        }
        every_state_is_the_fold_of_the_journal(&*engine).await;
    }
}

/// Runs this test binary as a child, reads its acknowledgements, kills it without warning.
fn kill_under_load(dir: &Path, after: Duration) -> HashMap<u64, (u32, u32)> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "crash::child_under_load", "--nocapture"])
        .env("STORE_SQL_CRASH_DIR", dir)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut acknowledged = HashMap::new();
    let mut started: Option<Instant> = None;
    let mut killed = false;
    while let Some(Ok(line)) = lines.next() {
        let words: Vec<_> = line.split(' ').collect();
        if let ["ack", n, seq, place] = words[..]
            && let (Ok(n), Ok(seq), Ok(place)) = (n.parse(), seq.parse(), place.parse())
        {
            acknowledged.insert(place, (n, seq));
        }
        if !killed && started.get_or_insert_with(Instant::now).elapsed() > after && !acknowledged.is_empty() {
            child.kill().unwrap();
            killed = true;
        }
    }
    child.wait().unwrap();
    acknowledged
}

async fn every_state_is_the_fold_of_the_journal(engine: &dyn Engine) {
    let mut folded: HashMap<Subject, u32> = HashMap::new();
    let mut debits = 0;
    let mut place = 1;
    while let Some(entry) = engine.entry(place).await.unwrap() {
        let head = folded.entry(entry.subject).or_default();
        assert_eq!(entry.seq, *head + 1);
        *head = entry.seq;
        debits += 1;
        place += 1;
    }
    for (subject, head) in folded {
        let Subject::Card(id) = subject else { continue };
        let card = engine.card(&id).await.unwrap().unwrap();
        assert_eq!(card.state.seq, head);
        assert_eq!(card.state.balance.0, 1_000_000 - 2500 * i64::from(head));
    }
    let totals = engine.batch_totals(&terminal_id(1), BatchNumber::new(1).unwrap()).await.unwrap();
    assert_eq!(totals.debit_count, debits);
}
