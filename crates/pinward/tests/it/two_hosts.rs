//! Several hosts on one database: guesses at many tills at once, a host that dies, references that are never the same.

use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use model::{Amount, CardId, Kind, Stan};
use simulator::{Sandbox, Terminal, memory::Memory, sandbox::Card, terminal::Settings};
use store::{
    Archive,
    archive::{CardQuery, TransactionQuery},
};
use store_sql::postgres;

use crate::{
    hosts::{Relay, Served, database, filled, prepared},
    teller::cards,
};

const GUESSERS: usize = 12;
const CARDS: usize = 4;
const LIMIT: usize = 3;

/// A reference, the card that it is about, and the answer.
type Told = (String, usize, String);

/// Until when, and how many answers there were.
#[derive(Default)]
struct Shared {
    stop: AtomicBool,
    answers: AtomicUsize,
}

impl Shared {
    /// Waits for so many more answers.
    async fn more(&self, answers: usize) {
        let (goal, began) = (self.answers.load(Ordering::SeqCst) + answers, Instant::now());
        while self.answers.load(Ordering::SeqCst) < goal {
            assert!(began.elapsed() < Duration::from_secs(60), "the hosts do not answer");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

/// Guesses wrong PINs of all cards in turn, whatever it hears.
async fn guess(mut terminal: Terminal, cards: Arc<Vec<Card>>, shared: Arc<Shared>, from: usize) -> Vec<Told> {
    let mut told = Vec::new();
    let mut next = from;
    while !shared.stop.load(Ordering::SeqCst) {
        if !terminal.is_signed_in() {
            let _again = terminal.sign_in().await;
            continue;
        }
        next = (next + 1) % CARDS;
        let wrong = cards[next].wrong_pin();
        let paid = terminal.pay(Kind::Sale, &cards[next], Amount(100), Some(wrong.reveal())).await;
        for step in terminal.take_log() {
            if let (Some(code), Some(rrn), "sale") = (step.answer.code(), &step.rrn, step.what) {
                told.push((rrn.clone(), next, code.to_string()));
                shared.answers.fetch_add(1, Ordering::SeqCst);
            }
        }
        if paid.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    told
}

/// Terminals with their line at one relay and then at the other.
fn guessers(sandbox: &mut Sandbox, relays: [&Relay; 2]) -> Vec<Terminal> {
    let settings = Settings { reply_timeout: Duration::from_secs(20), ..Settings::default() };
    let mut terminals = Vec::new();
    for index in 0..GUESSERS {
        sandbox.listeners[0].address = relays[index % 2].address.to_string();
        let memory = Memory::volatile(Stan::new(1).unwrap());
        let id = sandbox.terminals[index].tid;
        terminals.push(Terminal::with_memory(sandbox, id, settings, memory).unwrap());
    }
    terminals
}

/// How many decisions about a card consumed a try, or had a wrong PIN compared.
async fn charged(archive: &dyn Archive, card: CardId) -> usize {
    let mut query = TransactionQuery { card: Some(card), limit: Some(500), ..TransactionQuery::default() };
    let mut charged = 0;
    loop {
        let page = archive.transactions(&query).await.unwrap();
        charged += page.data.iter().filter(|row| row.try_charged || row.pin == "mismatch").count();
        if !page.has_more {
            return charged;
        }
        query.after = page.next;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hosts_give_no_guess_away_and_no_reference_twice_when_one_is_killed() {
    let (folder, url) = (tempfile::tempdir().unwrap(), database());
    let data = prepared(folder.path(), Some(&url));
    let (first, second) = (Served::start(&data), Served::start(&data));
    assert!(second.said.contains("sandbox-"), "the second has a file of its own: {}", second.said);
    let (one, other) = (Relay::start(first.address).await, Relay::start(second.address).await);
    let mut sandbox = Sandbox::read(&data.join("sandbox.json")).unwrap();
    let cards: Arc<Vec<Card>> = Arc::new(cards(&mut sandbox).take(CARDS).collect());
    let shared = Arc::new(Shared::default());
    let mut work = tokio::task::JoinSet::new();
    for (index, terminal) in guessers(&mut sandbox, [&one, &other]).into_iter().enumerate() {
        work.spawn(guess(terminal, cards.clone(), shared.clone(), index));
    }
    // At most that many are wrong PINs that count: some are told by each host.
    shared.more(10).await;
    // Its terminals go over to the other host, with the keys that they have.
    one.point_at(Some(second.address)).await;
    first.kill();
    shared.more(200).await;
    shared.stop.store(true, Ordering::SeqCst);
    let told: Vec<Told> = work.join_all().await.into_iter().flatten().collect();

    let references: HashSet<&str> = told.iter().map(|(rrn, ..)| rrn.as_str()).collect();
    assert_eq!(references.len(), told.len(), "a reference was used twice");
    let archive = postgres::open_archive(&data, &url).await.unwrap();
    filled(&*archive).await;
    for (index, card) in cards.iter().enumerate() {
        let codes = |code: &str| told.iter().filter(|(_, at, c)| *at == index && c == code).count();
        assert!(codes("55") < LIMIT, "{} guesses were told wrong and open", codes("55"));
        assert!(codes("75") > 0 && codes("00") == 0, "locked");
        let pan = Some(card.pan.masked().to_string());
        let found = archive.cards(&CardQuery { search: pan, ..CardQuery::default() }).await.unwrap().data;
        assert_eq!(charged(&*archive, found[0].id).await, LIMIT, "over all hosts");
        assert_eq!(usize::from(found[0].state.tries.used()), LIMIT);
    }
    second.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_starts_again_or_beside_another_goes_on_with_new_references() {
    let (folder, url) = (tempfile::tempdir().unwrap(), database());
    let data = prepared(folder.path(), Some(&url));
    let mut references = HashSet::new();
    let beside = Served::start(&data);
    for _ in 0..3 {
        let host = Served::start(&data);
        for address in [beside.address, host.address] {
            let mut sandbox = Sandbox::read(&data.join("sandbox.json")).unwrap();
            sandbox.listeners[0].address = address.to_string();
            let memory = Memory::from_clock(i64::from(u16::try_from(references.len()).unwrap()) * 500_000);
            let id = sandbox.terminals[0].tid;
            let mut terminal = Terminal::with_memory(&sandbox, id, Settings::default(), memory).unwrap();
            for _ in 0..3 {
                let signed_in = terminal.sign_in().await.unwrap();
                assert!(references.insert(signed_in.step.rrn.unwrap()), "{references:?}");
            }
        }
        host.kill();
    }
    assert_eq!(references.len(), 18);
    beside.stop();
}

#[test]
fn a_running_host_is_not_wiped_under() {
    let (folder, url) = (tempfile::tempdir().unwrap(), database());
    let data = prepared(folder.path(), Some(&url));
    let host = Served::start(&data);
    let reset = || {
        let mut command = crate::sandbox::demo(&data);
        command
            .args(["--prepare-only", "--reset", "--store", &url])
            .env("PINWARD__DATABASE__PARTITIONS", "5");
        command.output().unwrap()
    };
    let refused = reset();
    assert_eq!(refused.status.code(), Some(2), "{}", crate::sandbox::said(&refused));
    assert!(crate::sandbox::said(&refused).contains("in use"), "{}", crate::sandbox::said(&refused));
    assert!(data.join("store.key").exists());
    host.stop();
    let began = Instant::now();
    let done = reset();
    assert!(done.status.success(), "after {:?}: {}", began.elapsed(), crate::sandbox::said(&done));
}
