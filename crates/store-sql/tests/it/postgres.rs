//! What only a database server, several hosts and a network between them can do.

use std::{
    fs::Permissions,
    os::unix::fs::PermissionsExt,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use authorization::terminal::TerminalEffect;
use model::{Amount, ReasonCode};
use store::{
    AppendError, Archive, Card, CardWork, Engine, Event, Step, Store, StoreError, archive::TransactionQuery,
};
use store_sql::postgres::{
    Limits, PostgresEngine,
    local_server::{LocalServer, pgbench},
    open as try_open, open_archive,
};

use crate::{
    archive::{morning, picture},
    proxy::{Fault, Proxy},
    server::{Server, client},
    world::*,
};

async fn host(dir: &Path, url: &str) -> Arc<PostgresEngine> {
    try_open(dir, url, few_partitions()).await.unwrap()
}

/// An empty database on the shared server, and a directory for the key.
async fn fresh() -> (String, tempfile::TempDir) {
    (Server::shared().database().await, tempfile::tempdir().unwrap())
}

/// Opening is refused with this text.
async fn refused(dir: &Path, url: &str, limits: Limits, expected: &str) {
    let error = try_open(dir, url, limits).await.err().expect("it must not open").to_string();
    assert!(error.contains(expected), "{error:?} does not say {expected:?}");
}

struct Guess {
    stan: u32,
}

#[async_trait::async_trait]
impl CardWork for Guess {
    type Error = std::convert::Infallible;

    /// The fourth attempt is refused without asking.
    async fn decide(&mut self, card: &Card) -> Result<Step, Self::Error> {
        let tries = card.state.tries.used();
        let tx = Tx { stan: self.stan, code: "55", reason: ReasonCode::WrongPin, ..Tx::default() };
        let late = Tx { code: "75", reason: ReasonCode::CardLocked, ..tx };
        Ok(Step::Append(Box::new(sale(card, if tries < 3 { tx } else { late }))))
    }
}

#[test]
fn a_local_server_can_be_measured_and_leaves_nothing_behind() {
    let inside = tempfile::Builder::new().permissions(Permissions::from_mode(0o755)).tempdir().unwrap();
    let server = LocalServer::start(inside.path(), &["shared_buffers=16MB"]).unwrap();
    let database = server.database().unwrap();
    let name = database.rsplit_once('/').unwrap().1;
    let measured = pgbench(&server, name, 2, 100, 1).unwrap();
    assert!(measured.rate_per_s > 1.0, "{measured:?}");
    assert!(measured.p50 > Duration::ZERO && measured.p99 >= measured.p50, "{measured:?}");
    assert!(std::net::TcpStream::connect(("127.0.0.1", server.port())).is_ok());
    drop(server);
    assert_eq!(std::fs::read_dir(inside.path()).unwrap().count(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_hosts_count_each_wrong_pin_once_and_no_guess_is_won() {
    let (url, dir) = fresh().await;
    let hosts = [host(dir.path(), &url).await, host(dir.path(), &url).await];
    hosts[0].register(everybody(10, 1)).await.unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..200_u32 {
        let (engine, id) = (hosts[n as usize % 2].clone(), hosts[0].card_id(&pan(1 + n % 10)));
        tasks.spawn(async move {
            Store::new(engine.clone()).with_card(&id, &mut Guess { stan: n + 1 }).await.unwrap();
        });
    }
    tasks.join_all().await;
    for n in 1..=10 {
        let (here, there) = (get(&*hosts[0], n).await, get(&*hosts[1], n).await);
        assert!(here.state.seq <= 20 && there.state.seq <= 20);
        let reader = host(dir.path(), &url).await;
        let card = get(&*reader, n).await;
        assert_eq!((card.state.seq, card.state.tries.used()), (20, 3));
    }
    filled(&*hosts[1]).await;
    let lines =
        hosts[1].transactions(&TransactionQuery { limit: Some(500), ..Default::default() }).await.unwrap();
    assert_eq!(lines.data.iter().filter(|line| line.try_charged).count(), 30);
    assert_eq!(lines.data.len(), 200);
}

/// Appends until it is told to stop; what was acknowledged, in order.
async fn load(
    engine: Arc<PostgresEngine>,
    n: u32,
    stop: Arc<AtomicBool>,
    count: Arc<AtomicUsize>,
) -> Vec<(u32, u32, u64)> {
    let mut acknowledged = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let Ok(Some(card)) = engine.card(&engine.card_id(&pan(n))).await else {
            // A database that is away says so at once: without a pause this would be all that the test does.
            tokio::time::sleep(Duration::from_millis(5)).await;
            continue;
        };
        let seq = card.state.seq + 1;
        let entry = sale(&card, Tx { stan: seq, ..Tx::default() });
        drop(card);
        match engine.append(entry).await {
            Ok(place) => {
                acknowledged.push((n, seq, place));
                count.fetch_add(1, Ordering::Relaxed);
            }
            Err(
                AppendError::Collision | AppendError::Unknown(_) | AppendError::Store(StoreError::Away(_)),
            ) => {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            Err(error) => panic!("{error}"),
        }
    }
    acknowledged
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_server_that_is_killed_under_load_loses_nothing_that_was_acknowledged() {
    let server = Server::start(&[]);
    let (url, dir) = (server.database().await, tempfile::tempdir().unwrap());
    let engine = host(dir.path(), &url).await;
    engine.register(everybody(40, 1)).await.unwrap();
    let mut acknowledged = Vec::new();
    for round in 1..=3 {
        let (stop, count) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let mut tasks = tokio::task::JoinSet::new();
        for n in 1..=40 {
            tasks.spawn(load(engine.clone(), n, stop.clone(), count.clone()));
        }
        tokio::time::sleep(Duration::from_millis(400 * round)).await;
        // On a busy machine that is a short moment: half a minute more at most until there is enough to lose.
        for _ in 0..300 {
            if count.load(Ordering::Relaxed) > 100 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        tokio::task::block_in_place(|| server.kill());
        let started = Instant::now();
        let card = engine.append(sale(&*get_cached(&engine).await, Tx::default())).await;
        assert!(card.is_err() && started.elapsed() < Duration::from_secs(11), "{card:?}");
        assert!(matches!(engine.check().await, Err(StoreError::Away(_))));
        stop.store(true, Ordering::Relaxed);
        let new: Vec<_> = tasks.join_all().await.into_iter().flatten().collect();
        assert!(new.len() > 100, "{}", new.len());
        acknowledged.extend(new);
        tokio::task::block_in_place(|| server.run());
        until_it_answers(&engine).await;
        for (n, seq, place) in &acknowledged {
            let entry = engine.entry(*place).await.unwrap().expect("an acknowledged entry");
            assert_eq!((entry.subject, entry.seq), (store::Subject::Card(engine.card_id(&pan(*n))), *seq));
        }
        // Another host, which has nothing in memory, folds the same.
        let other = host(dir.path(), &url).await;
        for n in 1..=40 {
            let card = get(&*other, n).await;
            let last = acknowledged.iter().filter(|(of, ..)| *of == n).map(|(_, seq, _)| *seq).max();
            assert!(Some(card.state.seq) >= last);
            assert_eq!(card.state.balance, Amount(1_000_000 - 2500 * i64::from(card.state.seq)));
        }
    }
}

/// A card at hand, without asking the database.
async fn get_cached(engine: &PostgresEngine) -> Arc<Card> {
    for n in 1..=40 {
        if let Ok(Some(card)) = engine.card(&engine.card_id(&pan(n))).await {
            return card;
        }
    }
    panic!("no card at hand");
}

async fn until_it_answers(engine: &PostgresEngine) {
    for _ in 0..200 {
        if engine.check().await.is_ok() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the engine does not find its way back: {:?}", engine.check().await);
}

/// Two hosts, one of them behind a proxy. Card 1 has one entry, and its lane is connected.
async fn behind_a_proxy() -> (Proxy, Arc<PostgresEngine>, Arc<PostgresEngine>, tempfile::TempDir) {
    let (url, dir) = fresh().await;
    let proxy = Proxy::start(Server::shared().socket()).await;
    let database = url.rsplit_once('/').unwrap().1;
    let through = format!("postgres://postgres@127.0.0.1:{}/{database}", proxy.port);
    let (here, there) = (host(dir.path(), &through).await, host(dir.path(), &url).await);
    here.register(everybody(3, 1)).await.unwrap();
    pay(&*here, 1, Tx { stan: 100, ..Tx::default() }).await;
    (proxy, here, there, dir)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_commit_whose_answer_is_lost_was_made_once() {
    let (proxy, here, there, _dir) = behind_a_proxy().await;
    let mut stan = 0;
    for fault in [Fault::CutAfter, Fault::CutBefore, Fault::CutAfter, Fault::CutBefore] {
        stan += 1;
        let card = get(&*here, 1).await;
        let entry = sale(&card, Tx { stan, ..Tx::default() });
        proxy.set(fault);
        let place = here.append(entry.clone()).await.unwrap();
        assert_eq!(there.entry(place).await.unwrap(), Some(entry));
        let (a, b) = (get(&*here, 1).await, there.card_view(&card.id).await.unwrap().unwrap());
        assert_eq!((a.state.seq, &a.state), (stan + 1, &b.state), "{fault:?}");
    }
    assert_eq!(proxy.cuts(), 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_commit_whose_answer_is_lost_stays_ours_when_another_host_goes_on_from_it() {
    let (proxy, here, there, _dir) = behind_a_proxy().await;
    let card = get(&*here, 1).await;
    let entry = sale(&card, Tx { stan: 1, ..Tx::default() });
    proxy.set(Fault::CutAfter);
    proxy.open(false);
    let (engine, ours) = (here.clone(), entry.clone());
    let waiting = tokio::spawn(async move { engine.append(ours).await });
    tokio::time::sleep(Duration::from_millis(700)).await;
    let next = pay(&*there, 1, Tx { stan: 2, ..Tx::default() }).await;
    proxy.open(true);
    let place = waiting.await.unwrap().unwrap();
    assert!(place < next);
    assert_eq!(there.entry(place).await.unwrap(), Some(entry));
    assert_eq!(there.card(&card.id).await.unwrap().unwrap().state.seq, 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_commit_that_never_arrived_collides_with_another_hosts() {
    let (proxy, here, there, _dir) = behind_a_proxy().await;
    let card = get(&*here, 1).await;
    proxy.set(Fault::CutBefore);
    proxy.open(false);
    let (engine, ours) = (here.clone(), sale(&card, Tx { stan: 1, ..Tx::default() }));
    let waiting = tokio::spawn(async move { engine.append(ours).await });
    tokio::time::sleep(Duration::from_millis(400)).await;
    let theirs = sale(&*get(&*there, 1).await, Tx { stan: 2, ..Tx::default() });
    there.append(theirs.clone()).await.unwrap();
    proxy.open(true);
    assert_eq!(waiting.await.unwrap(), Err(AppendError::Collision));
    assert_eq!(get(&*here, 1).await.state, get(&*there, 1).await.state);
    assert_eq!(get(&*here, 1).await.state.seq, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_database_that_stays_away_is_away_and_nothing_is_acknowledged() {
    let (url, dir) = fresh().await;
    let proxy = Proxy::start(Server::shared().socket()).await;
    let database = url.rsplit_once('/').unwrap().1;
    let through = format!("postgres://postgres@127.0.0.1:{}/{database}", proxy.port);
    let limits = Limits { answer_within: Duration::from_secs(1), ..few_partitions() };
    let engine = try_open(dir.path(), &through, limits).await.unwrap();
    engine.register(everybody(1, 1)).await.unwrap();
    pay(&*engine, 1, Tx { stan: 100, ..Tx::default() }).await;
    let card = get(&*engine, 1).await;
    proxy.set(Fault::CutBefore);
    proxy.open(false);
    let started = Instant::now();
    let answer = engine.append(sale(&card, Tx::default())).await;
    // Its commit was sent: nobody may be told that there is none.
    assert!(matches!(answer, Err(AppendError::Unknown(_))), "{answer:?}");
    assert!(started.elapsed() < Duration::from_secs(3));
    proxy.open(true);
    until_it_answers(&engine).await;
    assert_eq!(engine.card_view(&card.id).await.unwrap().unwrap().state.seq, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn hosts_that_meet_an_empty_database_at_once_make_one_store() {
    let (url, dir) = fresh().await;
    let mut opening = tokio::task::JoinSet::new();
    for _ in 0..6 {
        let (dir, url) = (dir.path().to_owned(), url.clone());
        opening.spawn(async move {
            let engine = host(&dir, &url).await;
            engine.register(everybody(300, 9)).await.unwrap();
            engine
        });
    }
    let hosts = opening.join_all().await;
    pay(&*hosts[0], 7, Tx::default()).await;
    // Registered again by everybody, at once, while it is used: its state stays.
    let mut tasks = tokio::task::JoinSet::new();
    for host in &hosts {
        let host = host.clone();
        tasks.spawn(async move { host.register(everybody(300, 9)).await });
    }
    assert!(tasks.join_all().await.into_iter().all(|result| result.is_ok()));
    for host in &hosts {
        assert_eq!(host.card_view(&host.card_id(&pan(7))).await.unwrap().unwrap().state.seq, 1);
        assert_eq!(host.terminals().await.unwrap().len(), 9);
    }
    let all = store::archive::CardQuery { limit: Some(500), ..Default::default() };
    let began = Instant::now();
    while hosts[3].cards(&all).await.unwrap().data.len() < 300 {
        assert!(began.elapsed() < Duration::from_secs(20), "not all cards are listed");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_another_host_changed_is_seen_before_it_matters() {
    let (url, dir) = fresh().await;
    let (here, there) = (host(dir.path(), &url).await, host(dir.path(), &url).await);
    here.register(everybody(2, 2)).await.unwrap();
    let card = get(&*here, 1).await;
    assert!(!here.terminal(&terminal_id(1)).await.unwrap().unwrap().state.suspended);
    // A terminal is looked at without appending to it: it is always fresh.
    let suspend = TerminalEffect::Suspend { suspended: true };
    there.append(at_terminal(1, 1, T0, suspend, ReasonCode::TerminalSuspended)).await.unwrap();
    assert!(here.terminal(&terminal_id(1)).await.unwrap().unwrap().state.suspended);
    // A decision under an old registration is not written.
    let mut record = record(&pan(1));
    record.product = "gold".into();
    there.register(vec![store::Registration::Card { pan: pan(1), record, reference: None }]).await.unwrap();
    assert_eq!(here.append(sale(&card, Tx::default())).await, Err(AppendError::Collision));
    assert_eq!(get(&*here, 1).await.record.product, "gold");
    pay(&*here, 1, Tx::default()).await;
    // Nor is one about an old state.
    let old = get(&*there, 2).await;
    pay(&*here, 2, Tx { stan: 2, ..Tx::default() }).await;
    assert_eq!(there.append(sale(&old, Tx { stan: 3, ..Tx::default() })).await, Err(AppendError::Collision));
    assert_eq!(get(&*there, 2).await.state.seq, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn look_up_tables_are_the_same_again_and_on_every_host() {
    let (url, dir) = fresh().await;
    let (first, second) = (host(dir.path(), &url).await, host(dir.path(), &url).await);
    morning(&*first).await;
    let before = picture(&*first).await;
    assert_eq!(picture(&*second).await, before);
    assert_eq!(picture(&*open_archive(dir.path(), &url).await.unwrap()).await, before);
    first.close().await;
    second.close().await;
    client(&url)
        .await
        .batch_execute(
            "DELETE FROM pinward.lines; DELETE FROM pinward.cards; DELETE FROM pinward.filled;
             UPDATE pinward.progress SET entries = 0, registered = 0",
        )
        .await
        .unwrap();
    let again = host(dir.path(), &url).await;
    // A list does not wait for all of a rebuild; a transaction does.
    again.transaction("000000000001").await.unwrap().unwrap();
    assert_eq!(picture(&*again).await, before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn another_host_fills_when_the_first_one_goes_and_its_subscribers_hear_of_everything() {
    let (url, dir) = fresh().await;
    let first = host(dir.path(), &url).await;
    first.register(everybody(2, 1)).await.unwrap();
    let place = pay(&*first, 1, Tx { stan: 1, ..Tx::default() }).await;
    assert_eq!(first.transaction(&rrn(1).to_string()).await.unwrap().unwrap().row.seq, place);
    let second = host(dir.path(), &url).await;
    let mut heard = second.subscribe();
    tokio::time::sleep(Duration::from_millis(400)).await;
    let by_first = pay(&*first, 1, Tx { stan: 2, ..Tx::default() }).await;
    let row = tokio::time::timeout(Duration::from_secs(5), heard.recv()).await.unwrap().unwrap();
    assert_eq!(row.seq, by_first);
    first.close().await;
    assert_eq!(
        first.append(unlock(&*get(&*second, 1).await, T0)).await,
        Err(AppendError::Store(StoreError::Away("closed".into())))
    );
    let by_second = pay(&*second, 2, Tx { stan: 3, ..Tx::default() }).await;
    let row = tokio::time::timeout(Duration::from_secs(5), heard.recv()).await.unwrap().unwrap();
    assert_eq!(row.seq, by_second);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_full_queue_pushes_back() {
    let (url, dir) = fresh().await;
    let limits = Limits { queue_entries: 2, lanes: 1, batch_entries: 1, ..few_partitions() };
    let engine = try_open(dir.path(), &url, limits).await.unwrap();
    engine.register(everybody(64, 1)).await.unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    let mut cards = Vec::new();
    for n in 1..=64 {
        cards.push(get(&*engine, n).await);
    }
    for (n, card) in (1..).zip(cards) {
        let engine = engine.clone();
        tasks.spawn(async move { engine.append(sale(&card, Tx { stan: n, ..Tx::default() })).await });
    }
    let outcomes = tasks.join_all().await;
    let refused = |o: &&Result<u64, AppendError>| **o == Err(AppendError::Store(StoreError::Overloaded));
    let (refused, accepted): (Vec<_>, Vec<_>) = outcomes.iter().partition(refused);
    assert!(!refused.is_empty(), "64 tasks and a queue of 2");
    assert!(accepted.iter().all(|o| o.is_ok()), "{accepted:?}");
    filled(&*engine).await;
    let found =
        engine.transactions(&TransactionQuery { limit: Some(100), ..Default::default() }).await.unwrap();
    assert_eq!(found.data.len(), accepted.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_long_journal_is_folded_the_same_with_and_without_saved_states() {
    let (url, dir) = fresh().await;
    let limits = Limits { save_after: 10, ..few_partitions() };
    let engine = try_open(dir.path(), &url, limits).await.unwrap();
    engine.register(everybody(1, 1)).await.unwrap();
    for stan in 1..=95 {
        pay(&*engine, 1, Tx { stan, amount: 1, ..Tx::default() }).await;
    }
    let here = get(&*engine, 1).await;
    engine.close().await;
    let saved = client(&url).await;
    let mut seqs = Vec::new();
    for partition in 0..5 {
        let rows = saved.query(&format!("SELECT seq FROM p{partition:02}.cards"), &[]).await.unwrap();
        seqs.extend(rows.iter().map(|row| row.get::<_, i32>(0)));
    }
    assert!((10..=95).contains(&seqs[0]), "{seqs:?}");
    let there = host(dir.path(), &url).await;
    assert_eq!(get(&*there, 1).await, here);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_server_that_may_lose_what_it_acknowledged_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    for (settings, expected) in [
        (&["fsync=off"][..], "fsync = off"),
        (&["synchronous_commit=off"], "synchronous_commit = off"),
        (&["synchronous_commit=local", "synchronous_standby_names=*"], "synchronous_commit = local"),
    ] {
        let server = tokio::task::block_in_place(|| Server::start(settings));
        refused(dir.path(), &server.database().await, few_partitions(), expected).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_database_that_takes_no_writes_is_refused() {
    let (url, dir) = fresh().await;
    let database = url.rsplit_once('/').unwrap().1;
    let read_only = format!("ALTER DATABASE {database} SET default_transaction_read_only = on");
    Server::shared().sql("postgres", &read_only).await;
    refused(dir.path(), &url, few_partitions(), "takes no writes").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_store_that_is_not_ours_is_refused() {
    let (url, dir) = fresh().await;
    let engine = host(dir.path(), &url).await;
    engine.register(everybody(1, 1)).await.unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    refused(elsewhere.path(), &url, few_partitions(), "key is missing").await;
    std::fs::write(elsewhere.path().join("store.key"), [1; 63]).unwrap();
    refused(elsewhere.path(), &url, few_partitions(), "63 bytes long instead of 64").await;
    std::fs::write(elsewhere.path().join("store.key"), [1; 64]).unwrap();
    refused(elsewhere.path(), &url, few_partitions(), "under another key").await;
    let more = Limits { partitions: 6, ..few_partitions() };
    refused(dir.path(), &url, more, "has 5 partitions, 6 are configured").await;
    refused(Path::new("/no/such/place"), &url, few_partitions(), "no such directory").await;
    client(&url).await.batch_execute("UPDATE pinward.store SET version = 99").await.unwrap();
    refused(dir.path(), &url, few_partitions(), "has schema 99, this program knows 7").await;
    let error = open_archive(dir.path(), &url).await.err().unwrap().to_string();
    assert!(error.contains("has schema 99"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_address_that_is_none_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    refused(dir.path(), "mysql://localhost/x", few_partitions(), "not a database URL").await;
    let tls = "postgres://localhost/x?sslmode=require";
    refused(dir.path(), tls, few_partitions(), "no TLS to databases").await;
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    refused(dir.path(), &format!("postgres://u@{free}/x"), few_partitions(), "the database: ").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_entry_that_was_changed_by_hand_is_not_folded() {
    let (url, dir) = fresh().await;
    let engine = host(dir.path(), &url).await;
    engine.register(everybody(1, 1)).await.unwrap();
    for stan in 1..=3 {
        pay(&*engine, 1, Tx { stan, ..Tx::default() }).await;
    }
    let server = client(&url).await;
    for partition in 0..5 {
        server.batch_execute(&format!("DELETE FROM p{partition:02}.journal WHERE seq = 2")).await.unwrap();
    }
    let other = host(dir.path(), &url).await;
    let read = other.card(&engine.card_id(&pan(1))).await;
    assert!(matches!(read, Err(StoreError::Corrupt(_))), "{read:?}");
    // Nothing is appended after a gap either.
    let mut entry = sale(&*get(&*engine, 1).await, Tx { stan: 4, ..Tx::default() });
    for partition in 0..5 {
        // As whatever loses a commit loses it: with its head.
        let lost = format!(
            "DELETE FROM p{partition:02}.journal WHERE seq = 3; UPDATE p{partition:02}.head SET last = last - 1"
        );
        server.batch_execute(&lost).await.unwrap();
    }
    assert_eq!(engine.append(entry.clone()).await, Err(AppendError::Collision));
    if let Event::Transaction(t) = &mut entry.event {
        t.tries_left = 0;
    }
    assert_eq!(get(&*engine, 1).await.state.seq, 1);
}

fn search(dir: &Path, needle: &[u8], found: &mut Vec<String>) {
    for file in std::fs::read_dir(dir).unwrap().flatten() {
        let path = file.path();
        if path.is_dir() {
            search(&path, needle, found);
        } else if let Ok(bytes) = std::fs::read(&path)
            && bytes.windows(needle.len()).any(|window| window == needle)
        {
            found.push(path.display().to_string());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_planted_card_number_is_in_no_file_of_the_server() {
    let server = tokio::task::block_in_place(|| Server::start(&["wal_compression=off"]));
    let (url, dir) = (server.database().await, tempfile::tempdir().unwrap());
    let engine = host(dir.path(), &url).await;
    engine.register(vec![card(4_711_000), terminal(1)]).await.unwrap();
    let number = pan(4_711_000).reveal().to_owned();
    let mut entry = sale(&*get(&*engine, 4_711_000).await, Tx { stan: 77, ..Tx::default() });
    let exchange = entry.exchange.as_mut().unwrap();
    exchange.reply = [b"0210", number.as_bytes()].concat();
    let reply = exchange.reply.clone();
    let place = engine.append(entry).await.unwrap();
    assert_eq!(engine.entry(place).await.unwrap().unwrap().exchange.unwrap().reply, reply);
    assert_eq!(engine.transaction(&rrn(77).to_string()).await.unwrap().unwrap().reply.unwrap().bytes, reply);
    client(&url).await.batch_execute("CHECKPOINT").await.unwrap();
    let find = |needle: &[u8]| {
        let mut found = Vec::new();
        search(&server.data(), needle, &mut found);
        found
    };
    // What is not sealed is found: the search works.
    assert!(!find(b"0200 wiped").is_empty());
    assert!(!find(pan(4_711_000).masked().as_str().as_bytes()).is_empty());
    assert_eq!(find(number.as_bytes()), [""; 0]);
    // Nor in the log of a client's errors.
    let hex: String = number.bytes().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(find(hex.as_bytes()), [""; 0]);
}
